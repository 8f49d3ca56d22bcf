//! Files of exports before and after, and what stands against an edit.

use proptest::prelude::*;

use super::*;

const OPTIONS: &str = "rw,sync,no_subtree_check,no_root_squash";

fn wanted(clients: &[&str]) -> DesiredExport {
    DesiredExport {
        path: "/nfsdata".into(),
        clients: clients.iter().map(|client| (*client).to_owned()).collect(),
        options: OPTIONS.into(),
    }
}

/// The block with these lines.
fn block_of(lines: &str) -> String {
    format!("# BEGIN nfsprov: written by nfsprov, up to the END of it\n{lines}# END nfsprov\n")
}

fn edited(file: &str, wanted: &DesiredExport) -> String {
    String::from_utf8(with_export(file.as_bytes(), wanted).unwrap()).unwrap()
}

/// Files as administrators have them.
const FILES: [&[u8]; 21] = [
    b"",
    b"\n",
    b"# /etc/exports: the access control list for filesystems which may be exported\n#\t\tto NFS clients.  See exports(5).\n#\n# Example for NFSv2 and NFSv3:\n# /srv/homes       hostname1(rw,sync,no_subtree_check) hostname2(ro,sync,no_subtree_check)\n#\n",
    b"/srv *(rw)\n",
    b"/srv *(rw)",
    b"/srv 10.0.0.0/24(rw,sync,no_subtree_check) 10.1.0.0/16(ro)\n\n\n",
    b"/srv\t\t10.0.0.1(rw)\t# the old one\n",
    b"/srv \\\n    10.0.0.1(rw) \\\n    10.0.0.2(ro)\n",
    b"/srv 10.0.0.1(rw)\r\n/opt 10.0.0.1(rw)\r\n",
    b"# caf\xe9\n/donn\xe9es *(ro)\n",
    b"\"/srv/with space\" 10.0.0.1(rw)\n/srv/with\\040space 10.0.0.2(rw)\n",
    b"/srv -rw,sync 10.0.0.1 10.0.0.2 10.0.0.3(ro)\n",
    b"/exports *(ro,fsid=0)\n/exports/home *(rw,nohide)\n",
    b"/home 192.168.1.0/255.255.255.0(rw) @trusted(rw) *.example.org(ro)\n",
    b"/srv gss/krb5i(rw)\n",
    b"/srv *(sec=krb5:krb5p,rw,sec=sys,ro)\n",
    b"/srv fd00::/64(rw)\n",
    b"   /srv   10.0.0.1(rw)   \n",
    b"/srv 10.0.0.1(rw)\n# a comment that ends in a backslash \\\n",
    b"/srv 10.0.0.1(rw)\n#\n",
    b"/srv 10.0.0.1(rw)\n\n# BEGIN other tool\n/other 10.0.0.1(rw)\n# END other tool\n",
];

#[test]
fn the_block_comes_at_the_end_and_goes_without_a_trace() {
    for file in FILES {
        let shown = String::from_utf8_lossy(file);
        let wanted = wanted(&["10.0.0.7", "@nodes"]);
        let edited = with_export(file, &wanted).unwrap();
        assert!(edited.starts_with(file), "{shown}");
        assert_eq!(with_export(&edited, &wanted).unwrap(), edited, "{shown}");
        assert_eq!(without_export(&edited, "/nfsdata").unwrap(), file, "{shown}");
        assert_eq!(own_exports(&edited, "/nfsdata").unwrap().unwrap().len(), 2, "{shown}");
        let files = [("/etc/exports".to_owned(), edited)];
        let conflicts = find_conflicts(&files, &wanted);
        assert!(
            conflicts.iter().all(|found| found.severity == ConflictSeverity::Warns),
            "{conflicts:?}"
        );
        // exportfs would read ours and, as before, all others.
        let before = lexer::read_exports(file).entries;
        let after = lexer::read_exports(&files[0].1).entries;
        assert_eq!(after[..before.len()], before[..], "{shown}");
        let clients: Vec<&str> = after[before.len()..]
            .iter()
            .map(|entry| entry.client.as_str())
            .collect();
        assert_eq!(clients, ["10.0.0.7", "@nodes"], "{shown}");
    }
}

#[test]
fn edits_look_like_this() {
    let line = format!("/nfsdata 10.0.0.7({OPTIONS})\n");
    let (srv, one) = ("/srv 10.0.0.1(rw)\n", wanted(&["10.0.0.7"]));
    assert_eq!(edited("", &one), block_of(&line));
    assert_eq!(edited(srv, &one), format!("{srv}{}", block_of(&line)));
    assert_eq!(
        edited("/srv 10.0.0.1(rw)", &one),
        format!(
            "{srv}# BEGIN nfsprov: written by nfsprov, up to the END of it (the line above had no end)\n{line}# END nfsprov\n"
        )
    );
    // The document's own line.
    let document = DesiredExport {
        options: "rw,no_root_squash,no_all_squash,sync".into(),
        ..wanted(&["*"])
    };
    assert_eq!(
        edited("", &document),
        block_of("/nfsdata *(rw,no_root_squash,no_all_squash,sync)\n")
    );

    // Another directory of ours, a user's comment, and text after the block.
    let before = format!("{srv}{}/opt *(ro)\n", block_of("/other *(ro)\n# a note\n"));
    let after = format!(
        "{srv}{}/opt *(ro)\n",
        block_of(&format!("/other *(ro)\n# a note\n{line}"))
    );
    assert_eq!(edited(&before, &one), after);
    assert_eq!(without_export(after.as_bytes(), "/nfsdata").unwrap(), before.as_bytes());
    // A line is replaced where it stands, and one for the same directory is not kept beside it.
    let before = block_of("/nfsdata 10.0.0.9(ro)\n/other *(ro)\n\"/nfsdata/\" \\\n  10.0.0.8(ro)\n");
    assert_eq!(edited(&before, &one), block_of(&format!("{line}/other *(ro)\n")));
    // At the end of the file, the line break before the block stays: the last line needs it.
    let followed = format!("{}/opt *(ro)\n", edited("/srv 10.0.0.1(rw)", &one));
    assert_eq!(
        without_export(followed.as_bytes(), "/nfsdata").unwrap(),
        format!("{srv}/opt *(ro)\n").as_bytes()
    );
    // What is not there is not taken out.
    for file in [srv, &block_of("/other *(ro)\n"), &block_of("")] {
        assert_eq!(without_export(file.as_bytes(), "/nfsdata").unwrap(), file.as_bytes());
    }
    // One client however often, and in whatever order.
    let two = edited("", &wanted(&["10.0.0.7", "node1", "10.0.0.7/32", "Node1"]));
    assert_eq!(
        two,
        block_of(&format!("/nfsdata 10.0.0.7({OPTIONS}) node1({OPTIONS})\n"))
    );
    assert_eq!(edited(&two, &wanted(&["node1", "10.0.0.7"])), two);
    // A line that exportfs doesn't read to its end is written anew.
    let broken = block_of(&format!("/nfsdata 10.0.0.7({OPTIONS}) 10.0.0.8(rw\n"));
    assert_eq!(edited(&broken, &one), block_of(&line));
}

#[test]
fn a_damaged_block_is_not_guessed_at() {
    let block = block_of("/other *(ro)\n");
    for (file, line, part) in [
        (
            "/srv *(ro)\n# BEGIN nfsprov\n/nfsdata *(ro)\n".to_owned(),
            2,
            "has no end",
        ),
        ("/srv *(ro)\n# END nfsprov\n".to_owned(), 2, "ends without a beginning"),
        (format!("{block}{block}"), 4, "a second block"),
        (format!("{block}# END nfsprov\n"), 4, "ends without a beginning"),
        (
            "# BEGIN nfsprov\n  # BEGIN nfsprov: x\n# END nfsprov\n".to_owned(),
            2,
            "in the middle",
        ),
        (
            "# END nfsprov\r\n# BEGIN nfsprov\r\n".to_owned(),
            1,
            "ends without a beginning",
        ),
        (
            "# BEGIN nfsprov\n/other *(ro) \\\n# END nfsprov\n".to_owned(),
            3,
            "backslash",
        ),
    ] {
        let error = with_export(file.as_bytes(), &wanted(&["*"])).unwrap_err();
        assert!(
            matches!(&error, ExportsError::Damaged(damage) if damage.line == line),
            "{error}"
        );
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(without_export(file.as_bytes(), "/nfsdata"), Err(error.clone()));
        assert_eq!(own_exports(file.as_bytes(), "/nfsdata"), Err(error));
    }
    // Not marks of ours.
    for file in ["# BEGIN nfsprovision\n", "# END nfsprov-old\n", "#BEGIN nfsprov\n"] {
        assert!(with_export(file.as_bytes(), &wanted(&["*"])).is_ok(), "{file}");
    }
}

#[test]
fn what_exportfs_would_take_otherwise_is_not_written() {
    let valid = wanted(&["10.0.0.7"]);
    for bad in [
        DesiredExport {
            path: "/nfs data".into(),
            ..valid.clone()
        },
        DesiredExport {
            options: "rw, sync".into(),
            ..valid.clone()
        },
        wanted(&["10.0.0.7", "10.0.0.*"]),
    ] {
        assert!(matches!(with_export(b"", &bad), Err(ExportsError::Value(_))), "{bad:?}");
    }
    assert!(matches!(
        with_export(b"", &wanted(&[])),
        Err(ExportsError::NoClient { .. })
    ));
    let long = DesiredExport {
        options: format!("rw,mountpoint=/{}", "x".repeat(490)),
        ..valid
    };
    assert!(matches!(
        with_export(b"", &long),
        Err(ExportsError::TooLong {
            length: 515,
            limit: 511,
            ..
        })
    ));
}

#[test]
fn drift_is_told() {
    let before = edited("", &wanted(&["10.0.0.7", "10.0.0.9"]));
    let own_before = own_exports(before.as_bytes(), "/nfsdata").unwrap().unwrap();
    assert_eq!(describe_drift(&own_before, &wanted(&["10.0.0.9", "10.0.0.7"])), [""; 0]);
    assert_eq!(
        describe_drift(&own_before, &wanted(&["10.0.0.8", "10.0.0.7"])),
        ["added 10.0.0.8", "dropped 10.0.0.9"]
    );
    let options = DesiredExport {
        options: "ro".into(),
        ..wanted(&["10.0.0.7"])
    };
    assert_eq!(
        describe_drift(&own_before, &options),
        [
            format!("ro instead of {OPTIONS} for 10.0.0.7"),
            "dropped 10.0.0.9".into()
        ]
    );
    assert_eq!(own_exports(before.as_bytes(), "/other").unwrap(), None);
    assert_eq!(own_exports(b"/nfsdata *(rw)\n", "/nfsdata").unwrap(), None);
}

/// The conflicts of a file, as `line severity: why`.
fn found(file: &str, wanted: &DesiredExport) -> Vec<String> {
    let files = [("/etc/exports".to_owned(), file.as_bytes().to_owned())];
    let conflicts = find_conflicts(&files, wanted).into_iter();
    conflicts
        .map(|found| format!("{} {:?}: {}", found.line, found.severity, found.why))
        .collect()
}

#[test]
fn what_stands_against_ours_is_found() {
    for (file, parts) in [
        ("/srv *(rw)\n/nfsdata2 10.0.0.7(rw)\n", &[][..]),
        ("/nfsdata 10.0.0.8(rw)\n", &[]),
        // The same directory and client, however they are written.
        (
            "/nfsdata 10.0.0.7(rw)\n",
            &["1 Forbids: it exports /nfsdata to 10.0.0.7 already"],
        ),
        ("/nfsdata/ 10.0.0.7(rw)\n", &["1 Forbids"]),
        ("/nfsd\\141ta 10.0.0.7(rw)\n", &["1 Forbids"]),
        ("/srv/.././nfsdata 10.0.0.7(rw)\n", &["1 Forbids"]),
        ("\"/nfsdata\" \\\n 10.0.0.7/32(rw)\n", &["2 Forbids"]),
        (
            "/nfsdata 10.0.0.0/24(rw)\n",
            &["1 Warns: it exports /nfsdata to 10.0.0.0/24, which 10.0.0.7 overlaps"],
        ),
        (
            "/nfsdata *(ro)\n",
            &["1 Warns: it exports /nfsdata to *, which 10.0.0.7 overlaps"],
        ),
        // Traps that others have stepped into.
        (
            "/srv 10.0.0.0/24 (rw)\n",
            &["1 Warns: a space before the ( exports /srv to the whole world"],
        ),
        (
            "/srv\n",
            &["1 Warns: without a client, /srv is exported to the whole world"],
        ),
        (
            "/srv 10.0.1.*(rw)\n",
            &["1 Warns: exportfs takes 10.0.1.* for a pattern of names"],
        ),
        (
            "/srv [fd00::1](rw)\n",
            &["1 Warns: exportfs takes [fd00::1] for a pattern of names"],
        ),
        (
            "/srv 10.0.1.0/33(rw)\n",
            &["1 Warns: exportfs can't read the network 10.0.1.0/33"],
        ),
        ("\u{feff}/srv 10.0.1.1(rw)\n", &["1 Warns: a byte order mark"]),
        ("srv 10.0.1.1(rw)\n", &["1 Warns: \"srv\" is no absolute path"]),
        (
            "/root *(ro,fsid=0)\n",
            &["1 Warns: /root is the root of what NFSv4 clients see"],
        ),
        // What would take our lines away.
        (
            "/srv 10.0.1.1(rw, sync)\n",
            &["1 Forbids: exportfs reads nothing after it, nor nfsprov's lines: an option list"],
        ),
        (
            "/srv 10.0.1.1(rw\u{ff09}\n",
            &["1 Forbids: exportfs reads nothing after it"],
        ),
        (
            "/srv 10.0.1.1(wr)\n",
            &["1 Forbids: exportfs reads nothing after it, nor nfsprov's lines: exports(5) has no option \"wr\""],
        ),
        (
            "/srv 10.0.1.1(rw)\r\n\r\n/a b(rw)\r\n",
            &["2 Forbids: exportfs reads nothing after it"],
        ),
        (
            "/a b(rw)\n\"/srv 10.0.1.1(rw)\n",
            &["2 Forbids: a quotation mark without its second one"],
        ),
        (
            "/a b(rw)\n/srv 10.0.1.1(rw) \\",
            &["2 Forbids: it continues into nfsprov's lines"],
        ),
        // The same behind ours is not ours.
        (
            &format!("{}/srv 10.0.1.1(wr)\n", block_of("")),
            &["3 Warns: exportfs reads nothing after it: exports(5)"],
        ),
        (
            &format!("{}\"/srv 10.0.1.1(rw)\n", block_of("")),
            &["3 Warns: a quotation mark"],
        ),
        // Ours is none of others'.
        (&block_of("/nfsdata 10.0.0.7(ro)\n/nfsdata 10.0.0.9(ro)\n"), &[]),
    ] {
        let found = found(file, &wanted(&["10.0.0.7"]));
        assert_eq!(found.len(), parts.len(), "{file:?}: {found:#?}");
        for (said, part) in found.iter().zip(parts) {
            assert!(said.starts_with(part) || said.contains(part), "{file:?}: {said}");
        }
    }
}

#[test]
fn all_files_are_looked_at_and_the_first_is_ours() {
    let block = block_of("/nfsdata 10.0.0.7(ro)\n").into_bytes();
    let other = (
        "/etc/exports.d/k8s.exports".to_owned(),
        b"# x\n/nfsdata 10.0.0.7(ro)\n".to_vec(),
    );
    let files = [("/etc/exports".to_owned(), block.clone()), other];
    let found = find_conflicts(&files, &wanted(&["10.0.0.7"]));
    let said: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/etc/exports.d/k8s.exports:2: it exports /nfsdata to 10.0.0.7 already, and exportfs takes whichever line comes \
          first: /nfsdata 10.0.0.7(ro)"
        ]
    );
    // A block elsewhere is another's, and a file that is not read to its end keeps ours from nothing.
    let files = [
        ("/etc/exports.d/a.exports".to_owned(), Vec::new()),
        ("/etc/exports".to_owned(), [&block[..], b"/srv *(wr)\n"].concat()),
    ];
    let found = find_conflicts(&files, &wanted(&["10.0.0.7"]));
    let severity: Vec<(usize, ConflictSeverity)> = found.iter().map(|found| (found.line, found.severity)).collect();
    assert_eq!(severity, [(2, ConflictSeverity::Forbids), (4, ConflictSeverity::Warns)]);
}

/// Text that has much of what matters in a file of exports.
fn exports() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        4 => prop::sample::select(vec![
            "/nfsdata", "/srv", "10.0.0.7", "10.0.0.0/24", "*", "(rw)", "(rw,", "rw", ")", "-rw", "\"", "#", "\\", "\\\n",
            "\\040", "\\\r\n", " ", "\t", "\n", "\n\n", "\r\n", "\r", "\0", "\u{feff}", "\u{ff09}", "@nodes", ",", "no_such",
        ]).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::sample::select(vec![
            "# BEGIN nfsprov\n", "# END nfsprov\n", "# END nfsprov", "# BEGIN nfsprov: x (the line above had no end)\n",
            "# BEGIN nfsprov\n/other *(ro)\n# END nfsprov\n", "\n# BEGIN nfsprov\n\"/nfsdata\" *(ro)\n# END nfsprov\n",
        ]).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(word, 0..16).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_the_block_changes(file in exports()) {
        let wanted = wanted(&["10.0.0.7", "fd00::1", "*.lab"]);
        let Ok(edited) = with_export(&file, &wanted) else {
            return Ok(());
        };
        prop_assert_eq!(&with_export(&edited, &wanted).unwrap(), &edited);
        let ours = super::own_exports(&edited, "/nfsdata").unwrap().unwrap();
        prop_assert_eq!(describe_drift(&ours, &wanted), Vec::<String>::new());
        let after = block::find_block(&edited).unwrap().unwrap();
        let removed = without_export(&edited, "/nfsdata").unwrap();
        match block::find_block(&file).unwrap() {
            None => {
                prop_assert!(edited.starts_with(&file));
                prop_assert_eq!(after.whole.end, edited.len());
                prop_assert_eq!(removed, file);
            }
            Some(before) => {
                prop_assert_eq!(&edited[..before.body.start], &file[..before.body.start]);
                prop_assert_eq!(&edited[after.body.end..], &file[before.body.end..]);
                // What was ours already, or an empty block, is not what the file began with.
                if !before.body.is_empty() && super::own_exports(&file, "/nfsdata").unwrap().is_none() {
                    prop_assert_eq!(removed, file);
                }
            }
        }
    }

    /// Where nothing stops an edit, exportfs reads ours as it is meant and others' as before.
    #[test]
    fn an_edit_that_nothing_stops_is_read_as_meant(file in exports()) {
        let wanted = wanted(&["10.0.0.7", "*.lab"]);
        let (Ok(edited), files) = (with_export(&file, &wanted), [("/etc/exports".to_owned(), file.clone())]) else {
            return Ok(());
        };
        if find_conflicts(&files, &wanted).iter().any(|found| found.severity == ConflictSeverity::Forbids) {
            return Ok(());
        }
        let block = block::find_block(&edited).unwrap().unwrap();
        let read = lexer::read_exports(&edited).entries.into_iter();
        let own: Vec<(Vec<u8>, String)> = read
            .filter(|entry| block.lines.contains(&entry.line) && normalize_path(&entry.path) == b"/nfsdata")
            .map(|entry| (normalize_path(&entry.path), entry.client))
            .collect();
        let mut clients: Vec<&str> = own.iter().map(|(_, client)| client.as_str()).collect();
        clients.sort_unstable();
        prop_assert_eq!(clients, ["*.lab", "10.0.0.7"]);
    }
}
