//! The scripts of steps, run by shells.

use std::collections::BTreeSet;

use super::tests::set;
use super::*;
use crate::host::shells::run_in_each_shell;

#[test]
fn bytes_are_the_same_after_every_shell() {
    let all: Vec<u8> = (1..=255).chain(*b"%s \\n \\101 'it''s' $HOME `id` \"x\"\n\n").collect();
    run_in_each_shell(&printf_command(&all), &[], |shell, output| {
        assert_eq!(output.stdout, all, "{shell}")
    });
}

fn run(shell: &[&str], folder: &std::path::Path, script: &str) -> (i32, String) {
    let mut command = std::process::Command::new(shell[0]);
    let output = command
        .args(&shell[1..])
        .current_dir(folder)
        .arg("-c")
        .arg(script)
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn entries(folder: &std::path::Path) -> BTreeSet<String> {
    set(folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap()))
}

#[test]
fn a_file_is_replaced_or_restored_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let new = b"new %s \\ line\n";
    let path = here.join("d/exports");
    let put = |checksum: &str, then: &str| {
        let text = format!(
            "{}put_file || exit 9\n{then}",
            replace_file(path.to_str().unwrap(), checksum, new)
        );
        run(&["sh"], here, &text)
    };
    // A file that was not there, nor its directory, and neither is again after an undo.
    assert_eq!(
        put("", "cat d/exports; restore_file"),
        (0, "new %s \\ line\n".to_owned())
    );
    assert_eq!(entries(here), set::<String>([""; 0]));
    assert_eq!(put("", "").0, 0);
    assert_eq!(std::fs::read(&path).unwrap(), new);
    // Another program created or changed it meanwhile, so it stays as it is.
    for checksum in ["", "1 2"] {
        let (status, said) = put(checksum, "");
        assert!(status == 9 && said.contains("changed by another program"), "{said}");
    }
    std::fs::write(&path, "old").unwrap();
    let (_, checksum) = run(&["sh"], here, "cksum <d/exports");
    let stamp = "touch -d '2001-02-03 04:05:06' d/exports; chmod 640 d/exports";
    run(&["sh"], here, stamp);
    assert_eq!(put(checksum.trim(), "restore_file").0, 0);
    let (_, state) = run(&["sh"], here, "stat -c '%a %y' d/exports | cut -c -23; cat d/exports");
    assert_eq!(state, "640 2001-02-03 04:05:06\nold");
    assert_eq!(put(checksum.trim(), "").0, 0);
    assert_eq!(run(&["sh"], here, "stat -c %a d/exports").1, "640\n");
    assert_eq!(entries(&here.join("d")), set(["exports"]), "nothing else is left");
}

#[test]
fn one_step_at_a_time_changes_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let exclusive = |seconds: u64, script: &str| exclusive_by(lock.to_str().unwrap(), seconds, script);
    let nested = |shell: &str| format!("{shell} -c {} 2>&1", quote(&exclusive(0, "echo second")));
    for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let (status, said) = run(shell, folder.path(), &exclusive(0, &nested(&shell.join(" "))));
        assert!(
            status == i32::from(FAILED_AND_UNDONE) && said.contains("another nfsprov"),
            "{shell:?}: {said}"
        );
        // What the first started, and which goes on after it, holds no lock.
        let daemon = "sleep 1000 >/dev/null 2>&1 & echo $!";
        let (status, first) = run(shell, folder.path(), &exclusive(0, daemon));
        assert_eq!(status, 0, "{first}");
        let second = run(shell, folder.path(), &exclusive(0, "echo second; exit 3"));
        run(shell, folder.path(), &format!("kill {}", first.trim()));
        assert_eq!(second, (3, "second\n".to_owned()), "{shell:?}");
    }
}

#[test]
fn what_fails_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = |change: &str, verify: &str, undo: &str| {
        let mut command = std::process::Command::new("sh");
        command
            .current_dir(folder.path())
            .arg("-c")
            .arg(with_undo(change, verify, undo));
        command.status().unwrap().code().unwrap()
    };
    assert_eq!(run("touch a", "[ -e a ]", "rm a"), 0);
    assert_eq!(
        run("touch b\nfalse\ntouch c", ":", "rm b"),
        i32::from(FAILED_AND_UNDONE)
    );
    assert_eq!(run("touch d", "[ -e e ]", "rm d"), i32::from(FAILED_AND_UNDONE));
    assert_eq!(run("touch f", "false", "rm no-such-file"), i32::from(FAILED_NOT_UNDONE));
    let left: BTreeSet<String> = set(folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap()));
    assert_eq!(left, set(["a", "f"]));
}
