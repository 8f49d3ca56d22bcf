//! Exports files on the real exportfs: how it interprets mistakes, and nfsprov's edits.
//!
//! Each trial has its own mount namespace and begins with an empty /etc/exports and an empty table, on a guest that
//! serves NFS.

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::exports_file::{
    ActiveExport, ConflictSeverity, DesiredExport, check_client, check_file, check_options, check_path, find_conflicts,
    find_differences, parse_listing, with_export, without_export,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::kit::{Stage, connect, run};

crate::tests! {
    exportfs_accepts_mistakes_that_nfsprov_refuses,
    edits_of_all_kinds_of_files_are_exported_as_meant,
    silent_failures_of_exportfs_are_detected,
    edits_that_nothing_stops_are_exported_as_meant,
}

/// The files of one trial: their names, `exports` or below `d/`, and their contents.
type Files = Vec<(&'static str, Vec<u8>)>;

/// The result of exportfs for a trial.
#[derive(Debug)]
struct Outcome {
    status: String,
    stderr: String,
    listed: Vec<ActiveExport>,
}

/// Has `exportfs -ra` read each trial's files, and lists the exports. A guest starts programs slowly, so a trial
/// consists mainly of two calls of exportfs.
async fn trials(stage: &Stage, trials: &[Files]) -> Result<Vec<Outcome>> {
    let mut script = String::from(
        "mkdir -p /etc/exports.d
exec unshare -m sh <<'END'
mount --make-rprivate /
mount -t tmpfs none /var/lib/nfs && mount -t tmpfs none /etc/exports.d || exit
: >/var/lib/nfs/exports && mount --bind /var/lib/nfs/exports /etc/exports || exit
trial() {
    exportfs -ra 2>/var/lib/nfs/stderr; echo \"%status $?\"; exportfs -s 2>/dev/null
    echo %stderr; cat /var/lib/nfs/stderr; echo %end
}
",
    );
    for files in trials {
        script.push_str(": >/var/lib/nfs/etab; : >/var/lib/nfs/rmtab; : >/etc/exports\n");
        let escaped = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:03o}")).collect() };
        let place = |name: &str| match name.strip_prefix("d/") {
            Some(name) => format!("/etc/exports.d/{name}"),
            None => format!("/etc/{name}"),
        };
        for (name, bytes) in files {
            writeln!(script, "printf '{}' >{}", escaped(bytes), place(name))?;
        }
        script.push_str("trial\n");
        for (name, _) in files.iter().filter(|(name, _)| name.starts_with("d/")) {
            writeln!(script, "rm {}", place(name))?;
        }
    }
    script.push_str("END\n");
    let guest = stage.server().await?;
    let host = connect("root", guest, 22, &stage.access()?).await?;
    let output = run(&host, &script).await?;
    let stdout = String::from_utf8(output.stdout)?;
    ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let outcomes = stdout.split_terminator("%end\n").map(|text| {
        let (listed, stderr) = text.split_once("%stderr\n")?;
        let (status, listed) = listed.strip_prefix("%status ")?.split_once('\n')?;
        Some(Outcome {
            status: status.to_owned(),
            stderr: stderr.to_owned(),
            listed: parse_listing(listed),
        })
    });
    let outcomes: Vec<Outcome> = outcomes.collect::<Option<_>>().with_context(|| stdout.clone())?;
    ensure!(outcomes.len() == trials.len(), "{stdout}");
    Ok(outcomes)
}

fn wanted(clients: &[&str]) -> DesiredExport {
    DesiredExport {
        path: "/nfsdata".into(),
        clients: clients.iter().map(|client| (*client).to_owned()).collect(),
        options: "rw,sync,no_subtree_check,no_root_squash".into(),
    }
}

/// One file, /etc/exports.
fn exports(text: impl AsRef<[u8]>) -> Files {
    vec![("exports", text.as_ref().to_owned())]
}

/// The exports, as `/path client ro`.
fn shown(outcome: &Outcome) -> Vec<String> {
    let shown = outcome.listed.iter().map(|entry| {
        let access = if entry.options.contains(",rw,") { "rw" } else { "ro" };
        format!("{} {} {access}", entry.path, entry.client)
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

/// The table of mistakes: what exportfs does with each is the reason why nfsprov refuses it.
async fn exportfs_accepts_mistakes_that_nfsprov_refuses(stage: Arc<Stage>) -> Result<()> {
    let after = "\n/srv 10.0.0.9(rw)\n";
    let d = |name: &'static str| -> Files { vec![(name, b"/nfsdata 10.0.0.1(rw)\n".to_vec())] };
    let rows: Vec<(Files, &str, &[&str], bool)> = vec![
        (
            exports("/nfsdata 10.0.0.0/24 (rw)\n"),
            "0",
            &["/nfsdata * rw", "/nfsdata 10.0.0.0/24 ro"],
            check_client("10.0.0.0/24 ").is_err(),
        ),
        (
            exports("/nfsdata\n"),
            "0",
            &["/nfsdata * ro"],
            with_export(b"", &wanted(&[])).is_err(),
        ),
        // exportfs resolves names later.
        (exports("/nfsdata nosuch.invalid(rw)\n"), "0", &[], true),
        (
            exports("/nfsdata 10.0.0.*(rw)\n"),
            "0",
            &["/nfsdata 10.0.0.* rw"],
            check_client("10.0.0.*").is_err(),
        ),
        (
            exports("/nfsdata [fd00::1](rw)\n"),
            "0",
            &["/nfsdata [fd00::1] rw"],
            check_client("[fd00::1]").is_err(),
        ),
        (
            exports("/nfsdata 10.0.0.0/24(rw) 10.0.0.0/16(ro)\n"),
            "0",
            &["/nfsdata 10.0.0.0/16 ro", "/nfsdata 10.0.0.0/24 rw"],
            true,
        ),
        (
            d("d/x.exports"),
            "0",
            &["/nfsdata 10.0.0.1 rw"],
            check_file("/etc/exports.d/x.exports").is_ok(),
        ),
        (d("d/x.conf"), "0", &[], check_file("/etc/exports.d/x.conf").is_err()),
        (
            d("d/.x.exports"),
            "0",
            &[],
            check_file("/etc/exports.d/.x.exports").is_err(),
        ),
        (
            exports(format!("/nfsdata 10.0.0.1(rw,nosuch){after}")),
            "1",
            &[],
            check_options("rw,nosuch").is_err(),
        ),
        (
            exports(format!("/nfsdata 10.0.0.1(rw, sync){after}")),
            "1",
            &[],
            check_options("rw, sync").is_err(),
        ),
        (
            exports(format!("/nfsdata 10.0.0.1(rw\u{ff09}{after}")),
            "1",
            &[],
            check_options("rw\u{ff09}").is_err(),
        ),
        (
            exports(format!("/nfsdata 10.0.0.1(rw)\n/nfsdata/ 10.0.0.1(ro){after}")),
            "1",
            &["/nfsdata 10.0.0.1 rw", "/srv 10.0.0.9 rw"],
            check_path("/nfsdata/").is_err(),
        ),
        (
            exports(format!("\"/nfsdata 10.0.0.1(rw){after}")),
            "1",
            &["/nfsdata 10.0.0.1(rw)\n/srv 10.0.0.9(rw)\n * ro"],
            check_path("\"/nfsdata").is_err(),
        ),
        // The test creates an absent directory before the export.
        (
            exports(format!("/nosuch 10.0.0.1(rw){after}")),
            "1",
            &["/nosuch 10.0.0.1 rw", "/srv 10.0.0.9 rw"],
            true,
        ),
        (
            exports(format!("/nfsdata 10.0.0.1/33(rw){after}")),
            "1",
            &["/srv 10.0.0.9 rw"],
            check_client("10.0.0.1/33").is_err(),
        ),
        (
            exports(format!("\u{feff}/nfsdata 10.0.0.1(rw){after}")),
            "1",
            &["/srv 10.0.0.9 rw", "\u{feff}/nfsdata 10.0.0.1 rw"],
            check_path("\u{feff}/nfsdata").is_err(),
        ),
        // Three undocumented cases: an empty line with a carriage return ends the file, an address is read as another
        // one, and a range is read as a name.
        (
            exports("/nfsdata 10.0.0.1(rw)\r\n\r\n/srv 10.0.0.9(rw)\r\n"),
            "0",
            &["/nfsdata 10.0.0.1 rw"],
            true,
        ),
        (
            exports("/nfsdata 010.0.0.1(rw) 10.1(rw)\n"),
            "0",
            &["/nfsdata 010.0.0.1 rw", "/nfsdata 10.1 rw"],
            check_client("010.0.0.1").is_err() && check_client("10.1").is_err(),
        ),
        (
            exports("/nfsdata 10.0.0.1-9(rw)\n"),
            "0",
            &[],
            check_client("10.0.0.1-9").is_err(),
        ),
    ];
    let files: Vec<Files> = rows.iter().map(|(files, ..)| files.clone()).collect();
    for (outcome, (files, status, listed, guarded)) in trials(&stage, &files).await?.iter().zip(rows) {
        let text = String::from_utf8_lossy(&files[0].1).into_owned();
        ensure!(
            outcome.status == status && shown(outcome) == listed,
            "{text:?}: {outcome:?}"
        );
        ensure!(guarded, "{text:?} is not refused");
    }
    Ok(())
}

/// Files of administrators, with the exports that they define besides nfsprov's.
const FILES: [&str; 12] = [
    "",
    "# See exports(5).\n#\n# /srv/homes hostname1(rw,sync,no_subtree_check)\n#\n",
    "/srv 10.0.0.0/24(rw,sync,no_subtree_check)\t10.1.0.0/16(ro)\n",
    "/srv 10.0.0.1(rw)",
    "/srv 10.0.0.1(rw)\r\n/opt 10.0.0.1(rw)\r\n",
    "/srv \\\n    10.0.0.1(rw) \\\n    10.0.0.2(ro)\n",
    "\"/tmp/with space\" 10.0.0.1(rw)\n/tmp/caf\u{e9} 10.0.0.2(rw)\n",
    "/srv -rw,sync 10.0.0.1 10.0.0.2 10.0.0.3(ro)\n",
    "/srv *(ro,fsid=0,crossmnt)\n/opt *(sec=krb5:sys,rw,anonuid=1000)\n",
    "/srv @trusted(rw) *.example.org(ro) fd00::/64(rw)\n",
    "/srv 10.0.0.1(rw)\n# a comment that ends in a backslash \\\n",
    "/nfsdata 10.0.0.77(ro)\n",
];

async fn edits_of_all_kinds_of_files_are_exported_as_meant(stage: Arc<Stage>) -> Result<()> {
    let server = stage.server().await?;
    server.ssh("mkdir -p '/tmp/with space' /tmp/caf\u{e9}").await?;
    let own = server.address().to_string();
    let document = DesiredExport {
        options: "rw,no_root_squash,no_all_squash,sync".into(),
        ..wanted(&["*"])
    };
    let many = DesiredExport {
        options: "ro,async,no_wdelay,insecure,crossmnt,nohide,subtree_check,all_squash,anonuid=4294967294,anongid=7,\
                  fsid=5,no_acl,nordirplus,insecure_locks,sec=sys:krb5,root_squash"
            .into(),
        ..wanted(&["10.9.0.0/255.255.0.0", "fd00:9::0:1"])
    };
    let named = wanted(&["10.9.0.7", "10.9.1.0/24", "@nodes", "*.lab", "first", &own]);
    for wanted in [&document, &many, &named] {
        let edits: Vec<(&[u8], Vec<u8>)> = FILES
            .iter()
            .map(|file| anyhow::Ok((file.as_bytes(), with_export(file.as_bytes(), wanted)?)))
            .collect::<Result<_>>()?;
        let files = edits
            .iter()
            .flat_map(|(before, after)| [exports(before), exports(after)]);
        let outcomes = trials(&stage, &files.collect::<Vec<_>>()).await?;
        for (pair, (file, edited)) in outcomes.chunks(2).zip(&edits) {
            let text = String::from_utf8_lossy(file);
            let [before, after] = pair else {
                anyhow::bail!("an odd number of outcomes")
            };
            let found = find_conflicts(&[("exports".into(), file.to_vec())], wanted);
            ensure!(
                found.iter().all(|found| found.severity == ConflictSeverity::Warns),
                "{text:?}: {found:?}"
            );
            let wrong = find_differences(&before.listed, &after.listed, &[], Some(wanted));
            ensure!(
                wrong.is_empty() && after.status == "0",
                "{text:?}: {wrong:#?} {}",
                after.stderr
            );
            ensure!(without_export(edited, "/nfsdata")? == *file, "{text:?}");
        }
    }
    Ok(())
}

/// Each silent failure of exportfs, when it affects a line of nfsprov.
async fn silent_failures_of_exportfs_are_detected(stage: Arc<Stage>) -> Result<()> {
    let one = wanted(&["10.9.0.7"]);
    let line = "/nfsdata 10.9.0.7(rw,sync,no_subtree_check,no_root_squash)\n";
    let other = |text: &str| [exports(text), vec![("d/x.exports", line.into())]].concat();
    let rows: Vec<(Files, DesiredExport, &[&str])> = vec![
        (exports(line), one.clone(), &[]),
        (
            exports(with_export(b"", &wanted(&["10.9.0.7", "nosuch.invalid"]))?),
            wanted(&["10.9.0.7", "nosuch.invalid"]),
            &["/nfsdata is not exported to nosuch.invalid: exportfs leaves out a host"],
        ),
        // Two names of the same host.
        (
            exports(with_export(b"", &wanted(&["server", "localhost"]))?),
            wanted(&["server", "localhost"]),
            &[],
        ),
        (
            exports("/nfsdata 10.9.0.0/24 (rw,sync,no_subtree_check,no_root_squash)\n"),
            wanted(&["10.9.0.0/24"]),
            &[
                "/nfsdata for 10.9.0.0/24: ro is in force instead of rw",
                "/nfsdata for 10.9.0.0/24: root_squash is in force instead of no_root_squash",
                "/nfsdata is exported to *, too",
            ],
        ),
        (
            exports("/nfsdata\n"),
            one.clone(),
            &["/nfsdata is not exported to 10.9.0.7", "/nfsdata is exported to *, too"],
        ),
        // Another line for the path comes first.
        (
            other("/nfsdata 10.9.0.7(ro,sync)\n"),
            one.clone(),
            &[
                "/nfsdata for 10.9.0.7: ro is in force instead of rw",
                "/nfsdata for 10.9.0.7: root_squash is in force",
            ],
        ),
        (
            other("/nfsdata/ 10.9.0.7(rw,no_root_squash,async)\n"),
            one.clone(),
            &["/nfsdata for 10.9.0.7: async is in force instead of sync"],
        ),
        // exportfs does not read the rest of the file.
        (
            exports(format!("/srv 10.0.0.1(wr)\n{line}")),
            one.clone(),
            &["/nfsdata is not exported to 10.9.0.7"],
        ),
        (
            exports(format!("\r\n{line}")),
            one.clone(),
            &["/nfsdata is not exported to 10.9.0.7"],
        ),
        (
            exports(format!("/opt \"10.0.0.1(rw)\n{line}")),
            one.clone(),
            &["/nfsdata is not exported to 10.9.0.7"],
        ),
        (
            vec![("d/x.conf", line.into())],
            one.clone(),
            &["/nfsdata is not exported to 10.9.0.7"],
        ),
        // An unintended further client of the path, and an unintended further path.
        (
            exports(format!("{line}/nfsdata 10.9.0.8(ro)\n")),
            one.clone(),
            &["/nfsdata is exported to 10.9.0.8, too, with"],
        ),
        (
            exports(format!("{line}/srv 10.9.0.8(ro)\n")),
            one.clone(),
            &["/srv is exported to 10.9.0.8 with"],
        ),
    ];
    let files: Vec<Files> = rows.iter().map(|(files, ..)| files.clone()).collect();
    for (outcome, (files, wanted, parts)) in trials(&stage, &files).await?.iter().zip(rows) {
        let text = String::from_utf8_lossy(&files[0].1).into_owned();
        let mut found = find_differences(&[], &outcome.listed, &[], Some(&wanted));
        found.sort();
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        ensure!(found.len() == parts.len(), "{text:?}: {found:#?} {outcome:?}");
        for (judgement, part) in found.iter().zip(parts) {
            ensure!(judgement.starts_with(part), "{text:?}: {judgement}");
        }
    }
    Ok(())
}

/// Random text with many of the syntax elements of an exports file.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let line = prop::sample::select(vec![
        "/nfsdata 10.0.0.1(rw)\n",
        "/srv 10.0.0.0/24(ro) 10.0.0.2(rw)\n",
        "/opt *(ro)\r\n",
        "# a comment\n",
        "/srv/ -ro 10.0.0.3 10.0.0.4(rw)\n",
    ]);
    let word = prop::sample::select(vec![
        "/nfsdata",
        "/srv",
        "10.9.0.7",
        "10.9.0.0/16",
        "10.0.0.5",
        "*",
        "(rw)",
        "(rw,",
        "rw",
        ")",
        "-rw",
        "\"",
        "#",
        "\\",
        "\\\n",
        "\\040",
        " ",
        " ",
        "\t",
        "\n",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\0",
        "\u{feff}",
        "\u{ff09}",
        ",",
        "no_such",
    ]);
    let part = prop_oneof![1 => line, 2 => word].prop_map(|part| part.as_bytes().to_vec());
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// The number of files; each needs two calls of exportfs.
const TRIED: usize = 150;

/// The check is right in both directions: exportfs exports accepted lines as intended, and does not read the lines
/// reported as unread.
async fn edits_that_nothing_stops_are_exported_as_meant(stage: Arc<Stage>) -> Result<()> {
    let wanted = wanted(&["10.9.0.7", "10.8.0.0/16"]);
    let mut runner = TestRunner::deterministic();
    let mut tried = Vec::new();
    while tried.len() < TRIED {
        let file = anything()
            .new_tree(&mut runner)
            .map_err(|why| anyhow::anyhow!("{why}"))?
            .current();
        let edited = with_export(&file, &wanted)?;
        tried.push((file, edited));
    }
    let files = tried.iter().flat_map(|(file, edited)| [exports(file), exports(edited)]);
    let outcomes = trials(&stage, &files.collect::<Vec<_>>()).await?;
    let (mut right, mut hidden) = (0, 0);
    for (pair, (file, _)) in outcomes.chunks(2).zip(&tried) {
        let text = String::from_utf8_lossy(file);
        let [before, after] = pair else {
            anyhow::bail!("an odd number of outcomes")
        };
        let found = find_conflicts(&[("exports".into(), file.clone())], &wanted);
        let stops: Vec<_> = found
            .iter()
            .filter(|found| found.severity == ConflictSeverity::Forbids)
            .collect();
        let wrong = find_differences(&before.listed, &after.listed, &[], Some(&wanted));
        if stops.is_empty() {
            ensure!(wrong.is_empty(), "{text:?}: {wrong:#?} {before:#?} {after:#?}");
            right += 1;
        } else if stops.iter().all(|found| found.why.contains("nfsprov's lines")) {
            ensure!(
                !wrong.is_empty() || text.ends_with('\\'),
                "{text:?}: {stops:#?} {after:#?}"
            );
            hidden += 1;
        }
    }
    // The random files contain both accepted and rejected lines.
    ensure!(
        right > TRIED / 5 && hidden > TRIED / 10,
        "{right} read as meant, {hidden} not read"
    );
    Ok(())
}
