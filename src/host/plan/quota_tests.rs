//! The states of file systems that limits need, and what is made of each.

use super::super::tests::{desired, says, served, step};
use super::super::{NFS_SERVER, PACKAGES, State, plan_server};
use super::*;
use crate::host::facts::Directory;
use crate::host::shells::{StandIns, run_in_each_shell};

const FSTAB: &str = "/dev/vdb /srv/data xfs defaults 0 0\n";
const FEATURES: &str = "has_journal ext_attr quota project";

/// An XFS file system that enforces limits, and whose line in fstab says so.
fn xfs() -> QuotaFacts {
    QuotaFacts {
        tools: ["xfs_quota", "setquota", "repquota", "quotaon", "lsattr", "chattr"]
            .map(str::to_owned)
            .into(),
        file_system: "xfs".into(),
        device: "/dev/vdb".into(),
        mount_point: "/srv/data".into(),
        options: "rw,relatime,attr2,inode64,prjquota".into(),
        is_enforced: Some(true),
        has_quota_module: true,
        fstab: Some(FSTAB.replace("defaults", "prjquota").into()),
        fstab_checksum: "1 2".into(),
        ..QuotaFacts::default()
    }
}

fn xfs_with(options: &str, is_enforced: bool) -> QuotaFacts {
    QuotaFacts {
        options: options.to_owned(),
        is_enforced: Some(is_enforced),
        ..xfs()
    }
}

fn ext4_with(options: &str, is_enforced: bool) -> QuotaFacts {
    QuotaFacts {
        file_system: "ext4".into(),
        features: FEATURES.into(),
        ..xfs_with(options, is_enforced)
    }
}

fn wanted(quota: Quota, export_options: &str) -> DesiredServer {
    let mut server = DesiredServer { quota, ..desired() };
    server.wanted.options = export_options.to_owned();
    server
}

fn facts(quota: QuotaFacts) -> Facts {
    Facts {
        quota: Some(quota),
        ..served()
    }
}

/// The step for a server with these facts.
fn planned(quota: QuotaFacts, server: &DesiredServer) -> Step {
    let plan = plan_server(&facts(quota), server, super::super::tests::NOW);
    step(&plan, NAME).clone()
}

#[test]
fn each_state_of_a_file_system_has_its_answer() {
    let squash = wanted(Quota::Live, "rw,root_squash");
    let plain = wanted(Quota::Live, "rw,no_root_squash");
    let remount = wanted(Quota::Remount, "rw,no_root_squash");
    let with = |change: fn(&mut QuotaFacts), mut quota: QuotaFacts| {
        change(&mut quota);
        quota
    };
    for (quota, server, said) in [
        (xfs(), &plain, "ok: /srv/data (xfs) enforces limits"),
        (xfs_with("rw,pquota", true), &plain, "ok: "),
        (
            ext4_with("rw,prjquota", true),
            &squash,
            "ok: /srv/data (ext4) enforces limits",
        ),
        (
            ext4_with("rw,prjquota", true),
            &wanted(Quota::Live, "rw,all_squash"),
            "ok: ",
        ),
        // Counted and not enforced.
        (
            xfs_with("rw,pqnoenforce", false),
            &plain,
            "change: have /srv/data enforce limits",
        ),
        // ext4 with the features, without the option, and remounted with it: neither is enforced.
        (
            ext4_with("rw", false),
            &squash,
            "change: have /srv/data enforce limits (remount,prjquota and quotaon -P)",
        ),
        (
            ext4_with("rw,prjquota", false),
            &squash,
            "change: have /srv/data enforce limits (remount",
        ),
        // XFS without the option, or remounted with it.
        (
            xfs_with("rw,noquota", false),
            &plain,
            "refused: /dev/vdb is mounted without prjquota, and remounting has no effect on XFS; --remount does",
        ),
        (
            xfs_with("rw,noquota", false),
            &remount,
            "change: unmount /srv/data and mount it with prjquota, while the NFS server is stopped",
        ),
        (
            with(
                |quota| "/".clone_into(&mut quota.mount_point),
                xfs_with("rw,noquota", false),
            ),
            &remount,
            "refused: the root file system, /dev/vdb, is mounted without prjquota: add rootflags=prjquota",
        ),
        (
            with(|quota| quota.features.clear(), ext4_with("rw", false)),
            &wanted(Quota::Remount, "rw,root_squash"),
            "refused: /dev/vdb has no project quotas, which ext4 gets only while it is not mounted: systemctl stop nfs-server; \
             umount /srv/data; tune2fs -O project,quota -Q prjquota /dev/vdb;",
        ),
        (
            with(
                |quota| {
                    quota.features.clear();
                    quota.has_quota_module = false;
                },
                ext4_with("rw", false),
            ),
            &squash,
            "refused: /dev/vdb has no project quotas, and this kernel lacks quota_v2",
        ),
        (
            ext4_with("rw,prjquota", true),
            &plain,
            "refused: root in pods is not limited on ext4",
        ),
        (
            ext4_with("rw,prjquota", true),
            // Root is squashed unless the options say otherwise.
            &wanted(Quota::Live, "rw,sync"),
            "ok: /srv/data (ext4) enforces limits",
        ),
        (
            ext4_with("rw,prjquota", true),
            &wanted(Quota::Live, "rw,anonuid=0"),
            "refused: root in pods is not limited on ext4",
        ),
        (
            ext4_with("rw,prjquota", true),
            &wanted(Quota::Live, "rw,root_squash,anonuid=0"),
            "refused: root in pods is not limited on ext4",
        ),
        (
            with(|quota| quota.inherited_project = Some((9100, "/srv".to_owned())), xfs()),
            &plain,
            "refused: /srv belongs to project 9100 and passes it on",
        ),
        (
            with(|quota| "btrfs".clone_into(&mut quota.file_system), xfs()),
            &plain,
            "refused: /nfsdata is on btrfs: it limits subvolumes",
        ),
        (
            with(|quota| "zfs".clone_into(&mut quota.file_system), xfs()),
            &plain,
            "refused: /nfsdata is on zfs",
        ),
        (
            with(|quota| "nfs4".clone_into(&mut quota.file_system), xfs()),
            &plain,
            "refused: /nfsdata is on nfs4: it is a mount",
        ),
        (
            with(|quota| "tmpfs".clone_into(&mut quota.file_system), xfs()),
            &plain,
            "refused: /nfsdata is on tmpfs: only XFS",
        ),
        (
            with(|quota| "overlay".clone_into(&mut quota.file_system), xfs()),
            &plain,
            "refused: /nfsdata is on overlay",
        ),
        (
            with(|quota| quota.file_system.clear(), xfs()),
            &plain,
            "refused: the file system of /nfsdata is unknown",
        ),
        (
            with(|quota| quota.is_enforced = None, xfs()),
            &plain,
            "refused: xfs_quota does not say whether /srv/data enforces limits",
        ),
        (
            with(|quota| quota.tools.clear(), xfs()),
            &plain,
            "skipped: checked after the packages are installed",
        ),
    ] {
        let found = says(&planned(quota.clone(), server));
        assert!(found.starts_with(said), "{found}\nnot {said}\n{quota:?}");
    }
    // What is not asked for is not planned.
    let plan = plan_server(&facts(xfs()), &desired(), super::super::tests::NOW);
    assert!(plan.steps.iter().all(|step| step.name != NAME));
}

#[test]
fn limits_hold_after_a_restart_of_the_host_too() {
    let plain = wanted(Quota::Live, "rw,no_root_squash");
    let with_fstab = |fstab: Option<&str>| QuotaFacts {
        fstab: fstab.map(|text| text.as_bytes().to_vec()),
        ..xfs()
    };
    let changed = planned(with_fstab(Some(FSTAB)), &plain);
    assert_eq!(says(&changed), "change: add prjquota for /srv/data to /etc/fstab");
    assert_eq!(
        changed.files[0].after,
        FSTAB.replace("defaults", "defaults,prjquota").into_bytes()
    );
    for fstab in [Some("/dev/vdc /srv/other xfs defaults 0 0\n"), None] {
        let unknown = planned(with_fstab(fstab), &plain);
        assert!(says(&unknown).starts_with("ok: ") && unknown.files.is_empty());
        assert!(
            unknown.warnings[0].contains("no line of /etc/fstab mounts /srv/data"),
            "{unknown:?}"
        );
    }
    let mut root = with_fstab(Some("/dev/vdb / xfs defaults 0 0\n"));
    "/".clone_into(&mut root.mount_point);
    let root = planned(root, &plain);
    assert!(
        says(&root).starts_with("ok: ") && root.warnings.is_empty() && root.files.is_empty(),
        "{root:?}"
    );
}

#[test]
fn the_step_comes_after_the_directory_and_its_packages_before() {
    let server = wanted(Quota::Live, "rw,root_squash");
    let mut quota = ext4_with("rw,prjquota", true);
    quota.tools = ["lsattr", "chattr"].map(str::to_owned).into();
    let plan = plan_server(&facts(quota), &server, super::super::tests::NOW);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name).collect();
    let position = |name: &str| names.iter().position(|other| *other == name).unwrap();
    assert_eq!(position("directory") + 1, position(NAME));
    assert!(position(NAME) < position(NFS_SERVER));
    assert_eq!(says(step(&plan, PACKAGES)), "change: install xfsprogs and quota");
    let State::Change { action, .. } = &step(&plan, PACKAGES).state else {
        unreachable!()
    };
    let text = format!("{action:?}");
    assert!(text.contains("xfs_quota") && text.contains("setquota"), "{text}");
    // A directory that is not there yet is limited once it is.
    let missing = Facts {
        directory: Directory::Missing,
        ..facts(xfs_with("rw,pqnoenforce", false))
    };
    let plan = plan_server(&missing, &wanted(Quota::Live, "rw"), super::super::tests::NOW);
    assert!(says(step(&plan, NAME)).starts_with("change: "));
}

/// Doubles that keep the state of a file system in files beside them, and log how they are called.
const TOOLS: [(&str, &str); 9] = [
    (
        "xfs_quota",
        "case \"$*\" in
*state*) echo \"  Enforcement: $(cat \"$here/state\")\" ;;
*enable*) [ -e \"$here/stuck\" ] || echo ON >\"$here/state\" ;;
*disable*) echo OFF >\"$here/state\" ;;
esac",
    ),
    ("umount", "rm -f \"$here/mounted\""),
    (
        "mount",
        "touch \"$here/mounted\"; case $* in *prjquota*) echo ON ;; *) echo OFF ;; esac >\"$here/state\"",
    ),
    ("mountpoint", "[ -e \"$here/mounted\" ]"),
    ("systemctl", ":"),
    (
        "setpriv",
        "while [ \"${1#--}\" != \"$1\" ]; do shift; done\nexec \"$@\"",
    ),
    ("chattr", ":"),
    (
        "stat",
        "if [ -e \"$here/unlimited\" ]; then echo '1000000 4096'; else echo '256 4096'; fi",
    ),
    // Writes nothing, as at a limit.
    (
        "dd",
        "[ ! -e \"$here/unlimited-writes\" ] || exit 0
echo 'dd: error writing: No space left on device' >&2
exit 1",
    ),
];

/// Runs a step's script with doubles in each shell. `marks` are files that the doubles heed, `status` what it must end
/// with.
fn run_with_doubles(quota: &QuotaFacts, server: &DesiredServer, marks: &[&str], expected: (i32, &str, &[&str])) {
    let (status, state, calls) = expected;
    let export = tempfile::tempdir().unwrap();
    let mut server = server.clone();
    server.wanted.path = export.path().to_str().unwrap().to_owned();
    let fstab = export.path().with_extension("fstab");
    let mut quota = quota.clone();
    if let Some(before) = &quota.fstab {
        std::fs::write(&fstab, before).unwrap();
        let checksum = std::process::Command::new("cksum")
            .stdin(std::fs::File::open(&fstab).unwrap())
            .output();
        quota.fstab_checksum = String::from_utf8(checksum.unwrap().stdout).unwrap().trim().to_owned();
    }
    let step = planned(quota.clone(), &server);
    let State::Change {
        action: super::super::Action::Script { text, .. },
        ..
    } = &step.state
    else {
        panic!("{step:?}")
    };
    let logged = |(name, act): &(&str, &str)| {
        let text = format!("#!/bin/sh\nhere=$(dirname \"$0\")\necho \"{name} $*\" >>\"$here/log\"\n{act}\n");
        ((*name).to_owned(), text)
    };
    let programs: Vec<(String, String)> = TOOLS.iter().map(logged).collect();
    let programs: Vec<(&str, &str)> = programs
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let tools = StandIns::new(&programs);
    let here = tools.directory();
    let path = tools.search_path();
    let prepare = || {
        std::fs::write(here.join("state"), "OFF\n").unwrap();
        std::fs::write(here.join("mounted"), "").unwrap();
        _ = std::fs::remove_file(here.join("log"));
        for mark in marks {
            std::fs::write(here.join(mark), "").unwrap();
        }
    };
    prepare();
    let text = text.replace("/etc/fstab", fstab.to_str().unwrap());
    run_in_each_shell(&text, &[("PATH", &path)], |shell, output| {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{shell}: {said}");
        let found = std::fs::read_to_string(here.join("state")).unwrap();
        assert_eq!(found.trim(), state, "{shell}: {said}");
        let log = std::fs::read_to_string(here.join("log")).unwrap();
        let mut rest = log.lines();
        for call in calls {
            assert!(
                rest.any(|line| line == *call),
                "{shell}: {call} is missing, or too late:\n{log}"
            );
        }
        assert!(here.join("mounted").exists(), "{shell}");
        assert_eq!(std::fs::read(&fstab).ok(), quota.fstab, "{shell}: fstab is as before");
        assert_eq!(
            export.path().read_dir().unwrap().count(),
            0,
            "{shell}: something is left"
        );
        prepare();
    });
    _ = std::fs::remove_file(&fstab);
}

#[test]
fn what_is_switched_on_is_proved_by_writing_and_taken_back_otherwise() {
    let mut noquota = xfs_with("rw,attr2,noquota", false);
    noquota.fstab = None;
    let mut counted = xfs_with("rw,pqnoenforce", false);
    counted.fstab = None;
    let (live, remount) = (wanted(Quota::Live, "rw"), wanted(Quota::Remount, "rw"));
    let limit = |kib: u32| format!("xfs_quota -x -c limit -p bhard={kib}k {PROBE_PROJECT} /dev/vdb");
    let (limited, cleared) = (limit(1024), limit(0));
    run_with_doubles(
        &counted,
        &live,
        &[],
        (0, "ON", &["xfs_quota -x -c enable -p /srv/data", &limited, &cleared]),
    );
    for mark in ["stuck", "unlimited", "unlimited-writes"] {
        let undone = [
            "xfs_quota -x -c enable -p /srv/data",
            "xfs_quota -x -c disable -p /srv/data",
        ];
        run_with_doubles(
            &counted,
            &live,
            &[mark],
            (super::super::FAILED_AND_UNDONE.into(), "OFF", &undone),
        );
    }
    let anew = [
        "systemctl stop nfs-server",
        "umount /srv/data",
        "mount -t xfs -o rw,prjquota /dev/vdb /srv/data",
        "systemctl start nfs-server",
        &limited,
    ];
    run_with_doubles(&noquota, &remount, &[], (0, "ON", &anew));
    let back = [
        "mount -t xfs -o rw,prjquota /dev/vdb /srv/data",
        "umount /srv/data",
        "mount -t xfs -o rw,noquota /dev/vdb /srv/data",
        "systemctl start nfs-server",
    ];
    run_with_doubles(
        &noquota,
        &remount,
        &["unlimited"],
        (super::super::FAILED_AND_UNDONE.into(), "OFF", &back),
    );
    let in_fstab = QuotaFacts {
        fstab: Some(FSTAB.as_bytes().to_vec()),
        ..xfs_with("rw,attr2,noquota", false)
    };
    run_with_doubles(
        &in_fstab,
        &remount,
        &[],
        (super::super::FAILED_AND_UNDONE.into(), "OFF", &["mount /srv/data"]),
    );
}
