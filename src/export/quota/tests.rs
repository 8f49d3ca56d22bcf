//! Limits, servers and proofs as tables.

use super::facts::{parse_facts, parse_proof};
use super::*;
use crate::export::Kind;

const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

fn limit(mib: u64) -> SizeLimit {
    SizeLimit::new(mib << 20, UID).unwrap()
}

/// What the script prints of an XFS server with the new directory `vol`, with lines in place of those of the same word; a
/// line of one word is left out. `of` is the word of lsattr's line about the directory.
fn facts(changes: &[&str]) -> Facts {
    let lines = [
        "uid 0",
        "root /srv/xfs",
        "root-project 0 ---------------------- .",
        "parent-project 0 ---------------------- .",
        "inode 12 41ed 7 ./vol",
        "of 0 ---------------------- ./vol",
        "type xfs",
        "device /dev/vdb",
        "options rw,relatime,attr2,inode64,prjquota",
        "total 262144 4096",
    ];
    let word = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let kept = lines
        .iter()
        .filter(|line| changes.iter().all(|change| word(change) != word(line)));
    let added = changes
        .iter()
        .filter(|change| change.contains(' ') || change.starts_with('#'));
    let text: Vec<&str> = kept
        .chain(added)
        .map(|line| line.strip_prefix("of").unwrap_or(line))
        .collect();
    parse_facts(&text.join("\n"), "vol")
}

/// The same of an ext4 server that squashes root.
fn ext4(changes: &[&str]) -> Facts {
    let squashed = [
        "type ext4",
        "options rw,relatime",
        "export /srv/xfs *(rw,root_squash,no_all_squash)",
    ];
    let word = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let kept = squashed
        .iter()
        .filter(|line| changes.iter().all(|change| word(change) != word(line)));
    facts(&kept.chain(changes).copied().collect::<Vec<_>>())
}

#[test]
fn a_limit_is_whole_blocks_and_its_ids_are_the_uids_bits() {
    for (bytes, kib) in [(1, 4), (4096, 4), (4097, 8), (10 << 20, 10_240), (u64::MAX, 1 << 54)] {
        assert_eq!(SizeLimit::new(bytes, UID).unwrap().kib, kib, "{bytes}");
    }
    for (uid, ids) in [
        ("00000000-0000-0000-0000-000000000000", [1 << 30; 4]),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", [u32::MAX >> 1; 4]),
        (
            "80000000-0000-0000-0000-000000000000",
            [0x6000_0000, 1 << 30, 1 << 30, 1 << 30],
        ),
        (
            "00000004-0000-0000-0000-0000000001ff",
            [0x4000_0001, 1 << 30, 1 << 30, 0x4000_0001],
        ),
    ] {
        assert_eq!(SizeLimit::new(1, uid).unwrap().project_ids, ids, "{uid}");
    }
    for (bytes, uid) in [
        (0, UID),
        (1, ""),
        (1, "u"),
        (1, "+b510b51-0b51-4b51-8b51-0b510b510b51"),
        (1, "é"),
    ] {
        assert!(SizeLimit::new(bytes, uid).is_err(), "{bytes} {uid:?}");
    }
}

#[test]
fn a_server_that_can_limit_gets_a_plan() {
    let ids = limit(10).project_ids;
    let usage = |id: u32, rest: &str| format!("#{id} {rest}");
    let (first, second) = (ids[0], ids[1]);
    let own = format!("of {first} -------------------P-- ./vol");
    let without_flag = format!("of {second} ---------------------- ./vol");
    let other_files = usage(first, "4 0 0 00 [--------] 1 0 0 00 [--------]");
    let other_limit = usage(first, "0 0 20480 00 [--------] 0 0 0 00 [--------]");
    let earlier = usage(first, "0 0 10240 00 [--------] 0 0 0 00 [6 days]");
    let csv = format!("#{first},ok,ok,4,0,10240,,1,0,0,");
    let named = format!("named {first}");
    for (facts, plan) in [
        (facts(&[]), (first, 10_240, true)),
        (facts(&["options rw,pquota"]), (first, 10_240, true)),
        // Entries of an earlier attempt's directory are counted.
        (facts(&[&own, "entries ./vol"]), (first, 10_240, false)),
        (facts(&[&without_flag]), (second, 10_240, false)),
        (facts(&[&earlier]), (first, 10_240, true)),
        (facts(&[&other_files]), (second, 10_240, true)),
        (facts(&[&other_limit]), (second, 10_240, true)),
        (facts(&[&named]), (second, 10_240, true)),
        // A project that is not passed on hinders no rename.
        (
            facts(&["root-project 7 ---------------------- ."]),
            (first, 10_240, true),
        ),
        (ext4(&[]), (first, 10_244, true)),
        (ext4(&[&csv]), (second, 10_244, true)),
        (
            ext4(&["export /srv *(rw,no_root_squash,all_squash)"]),
            (first, 10_244, true),
        ),
        // Exports of other directories don't matter.
        (
            ext4(&["export /srv/xfs a(root_squash)", "export /srv/xfs2 b(no_root_squash)"]),
            (first, 10_244, true),
        ),
    ] {
        let found = plan_limit(&facts, &limit(10), LimitChange::New).unwrap();
        assert_eq!((found.project_id, found.kib, found.is_new), plan, "{facts:?}");
        assert_eq!(found.device, "/dev/vdb");
    }
}

#[test]
fn a_server_that_cannot_limit_is_refused_with_the_reason() {
    let ids = limit(10).project_ids;
    let taken: Vec<String> = ids.iter().map(|id| format!("named {id}")).collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    for (facts, part) in [
        (facts(&["uid 1000"]), "pass --sudo"),
        (facts(&["uid"]), "uid unknown"),
        (facts(&["missing findmnt", "type"]), "findmnt (package util-linux)"),
        (facts(&["missing xfs_quota"]), "xfs_quota (package xfsprogs)"),
        (
            ext4(&["missing setquota", "missing repquota"]),
            "setquota (package quota), repquota (package quota)",
        ),
        (facts(&["type btrfs"]), "subvolumes"),
        (facts(&["type zfs"]), "datasets"),
        (facts(&["type tmpfs"]), "on tmpfs: only XFS and ext4"),
        (facts(&["type overlay"]), "on overlay: only XFS and ext4"),
        (facts(&["type nfs4"]), "another NFS server"),
        (facts(&["type"]), "unknown"),
        (facts(&["options rw,noquota"]), "without prjquota"),
        (facts(&["options rw,xprjquota"]), "without prjquota"),
        (facts(&["options rw,pqnoenforce"]), "pqnoenforce"),
        (
            ext4(&["export /srv/xfs *(rw,no_root_squash,no_all_squash)"]),
            "root in pods is not limited on ext4",
        ),
        (ext4(&["export / *(rw,no_root_squash)"]), "/ is exported to *"),
        (
            ext4(&["export / *(rw,root_squash,anonuid=0)"]),
            "/ is exported to * without root_squash, or with anonuid=0",
        ),
        (
            ext4(&["export /srv/xfs/deep h(no_root_squash)"]),
            "/srv/xfs/deep is exported to h",
        ),
        (
            ext4(&["export /srv/xfs a(root_squash)", "export /srv/xfs b(no_root_squash)"]),
            "to b",
        ),
        // An option that is not listed is not assumed.
        (ext4(&["export /srv/xfs a(rw)"]), "to a"),
        (ext4(&["export /srv/other a(root_squash)"]), "lists no export"),
        (ext4(&["export"]), "lists no export"),
        (facts(&["report-error no quota"]), "can't be read: no quota"),
        (
            facts(&["root-project 9 -------------------P-- ."]),
            "root belongs to project 9",
        ),
        (
            facts(&["parent-project 9 -------------------P-- ."]),
            "parent directory belongs to project 9",
        ),
        (
            facts(&["root-project lsattr: Operation not supported"]),
            "root can't be read",
        ),
        (
            facts(&["of lsattr: Operation not supported"]),
            "its project id can't be read",
        ),
        (
            facts(&["of 1001 -------------------P-- ./vol"]),
            "project 1001, which is not",
        ),
        (facts(&["entries ./vol"]), "it has files already"),
        (
            facts(&["inode 11 41ed 7 ./a", "inode 12 41ed 8 ./vol"]),
            "on another file system",
        ),
        (facts(&["total 2560 4096"]), "more than the whole file system"),
        (facts(&["total"]), "more than the whole file system"),
        (facts(&taken), "all project ids"),
    ] {
        let why = plan_limit(&facts, &limit(10), LimitChange::New).unwrap_err();
        assert!(why.contains(part), "{why}: {facts:?}");
    }
}

#[test]
fn files_that_are_there_already_are_limited_with_their_directory() {
    let ids = limit(10).project_ids;
    let own = format!("of {} -------------------P-- ./vol", ids[1]);
    let taken = format!("#{} 4 0 0 00 [--------] 1 0 0 00 [--------]", ids[0]);
    for (facts, id) in [
        (facts(&["entries ./vol"]), ids[0]),
        (facts(&["entries ./vol", &taken]), ids[1]),
        // An earlier attempt's.
        (facts(&["entries ./vol", &own]), ids[1]),
    ] {
        let plan = plan_limit(&facts, &limit(10), LimitChange::Existing).unwrap();
        assert_eq!((plan.project_id, plan.is_new), (id, false), "{facts:?}");
    }
    let others = facts(&["entries ./vol", "of 1001 -------------------P-- ./vol"]);
    assert!(plan_limit(&others, &limit(10), LimitChange::Existing).is_err());
}

#[test]
fn a_shell_on_another_host_than_the_nfs_server_is_refused() {
    let inode = facts(&[]).inode.unwrap();
    for (nfs_inode, is_same) in [(Some(12), true), (None, true), (Some(13), false)] {
        let found = check_same_directory(inode, nfs_inode);
        assert_eq!(found.is_ok(), is_same, "{nfs_inode:?}");
    }
}

#[test]
fn of_directories_inspected_together_each_has_its_own_facts() {
    let text = "0 ---- ./a\n7 ---P- ./b\n9 ----- ./x b\nlsattr: No such file ./c\ninode 3 41ed 7 ./a\ninode 4 a1ff 7 ./b\n\
                inode 5 41ed 8 ./x b\nentries ./x b";
    let project = |id, inherits| Some(Project { id, inherits });
    for (name, project, kind, device, has_entries) in [
        ("a", project(0, false), Some(Kind::Directory), Some(7), false),
        ("b", project(7, true), Some(Kind::Link), Some(7), false),
        ("x b", project(9, false), Some(Kind::Directory), Some(8), true),
        ("c", None, None, None, false),
    ] {
        let found = parse_facts(text, name);
        let inode = found.inode;
        assert_eq!(
            (
                found.project,
                inode.map(|inode| inode.kind),
                inode.map(|inode| inode.device),
                found.has_entries
            ),
            (project, kind, device, has_entries),
            "{name}"
        );
        assert_eq!(found.inspected_device, Some(7));
    }
    let text = "size 1 4096 ./a\nsize 2 4096 ./x a\n5 ---P- ./a\n#5 0 0 4 00 [--------] 1 0 0 00 [--------]";
    for (name, size) in [("a", 4096), ("x a", 8192), ("c", 0)] {
        assert_eq!(parse_proof(text, name).size_bytes, size, "{name}");
    }
}

#[test]
fn only_a_directory_with_the_claims_id_is_resized() {
    let id = limit(10).project_ids[2];
    let own = format!("of {id} -------------------P-- ./vol");
    let plan = plan_limit(&facts(&[&own, "entries ./vol"]), &limit(20), LimitChange::Resize).unwrap();
    assert_eq!((plan.project_id, plan.kib), (id, 20_480));
    for project in [
        "of 0 ---------------------- ./vol",
        "of 1001 -------------------P-- ./vol",
    ] {
        assert!(
            plan_limit(&facts(&[project]), &limit(20), LimitChange::Resize).is_err(),
            "{project}"
        );
    }
}

#[test]
fn a_limit_is_proved_by_what_the_server_says_of_the_directory() {
    let new = plan_limit(&facts(&[]), &limit(10), LimitChange::New).unwrap();
    let id = new.project_id;
    let old = LimitPlan {
        is_new: false,
        ..new.clone()
    };
    let proof = |project: &str, size: &str, inodes: u64| {
        let text =
            format!("{project} ./vol\nsize {size} ./vol\n#{id} 0 0 10240 00 [--------] {inodes} 0 0 00 [--------]");
        parse_proof(&text, "vol")
    };
    let valid = format!("{id} -------------------P--");
    for (plan, proof, part) in [
        (&new, proof(&valid, "2560 4096", 1), None),
        (&old, proof(&valid, "2560 4096", 5), None),
        (&new, proof(&valid, "2560 4096", 5), Some("5 files, not one")),
        (&new, proof(&valid, "262144 4096", 1), Some("does not enforce it")),
        (&new, proof(&valid, "", 1), Some("does not enforce it")),
        (
            &new,
            proof(&format!("{id} -------"), "2560 4096", 1),
            Some("project id is not"),
        ),
        (
            &new,
            proof("0 -------------------P--", "2560 4096", 1),
            Some("project id is not"),
        ),
        (&new, parse_proof("", "vol"), Some("project id is not")),
        (
            &old,
            parse_proof(&format!("{valid} ./vol\nsize 2560 4096 ./vol"), "vol"),
            Some("has 0 files"),
        ),
    ] {
        let found = plan.check_proof(&proof).err();
        match part {
            None => assert_eq!(found, None),
            Some(part) => assert!(
                found.as_ref().is_some_and(|why| why.contains(part)),
                "{part}: {found:?}"
            ),
        }
    }
}
