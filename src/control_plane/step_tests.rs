use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use super::super::files::parse_answer;
use super::*;

const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
/// Whatever a file may hold.
const BEFORE: &str = "it's $HOME `x` \\\\ 默认\r\n\n\nno end";
const AFTER: &str = "new 'text'\n\n";

/// Runs a step below `root`, with stand-ins: `curl` prints what `codes` says, and a restart is written down.
fn run(root: &Path, path: &str, codes: &str) -> i32 {
    let status = run_in(&["sh"], root, path, codes, Stdio::null);
    status.code().unwrap()
}

/// As [`run`], in this shell. `output` opens its standard output and error; the other end of a pipe is closed at once.
fn run_in(shell: &[&str], root: &Path, path: &str, codes: &str, output: fn() -> Stdio) -> ExitStatus {
    let (installed, answer) = match path {
        MANIFEST => ("unit", format!("{MANIFEST} 2\n{{}}\n")),
        _ => ("unit k3s", String::new()),
    };
    let server = parse_answer(format!("{answer}{installed}\n").as_bytes()).unwrap();
    let edit = FileEdit {
        path: path.to_owned(),
        before: Some(BEFORE.to_owned()),
        after: Some(AFTER.to_owned()),
        keeps_copy: true,
    };
    let script = step_script(&server, &[edit], Gate::Set, 5);
    let root = root.display();
    let script = script
        .replace("/etc/", &format!("{root}/etc/"))
        .replace("/proc/", &format!("{root}/proc/"));
    let stand_ins = format!(
        "sleep() {{ :; }}; sync() {{ :; }}; systemctl() {{ echo \"$@\" >>{root}/systemctl; }}; curl() {{ {codes}; }}\n"
    );
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(output())
        .stderr(output());
    let mut child = command.spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child
        .stdin
        .take()
        .unwrap()
        .write_all((stand_ins + &script).as_bytes())
        .unwrap();
    child.wait().unwrap()
}

#[test]
fn a_step_is_done_whole_or_undone_on_the_host() {
    let new_file_breaks = "if grep -q new \"$file\"; then echo 000; else echo 200; fi";
    for (what, path, codes, process, status, text) in rows! {
        ("it comes", CONFIG, "echo 200", "", 0, AFTER),
        ("it refuses anonymous requests", CONFIG, "echo 401", "", 0, AFTER),
        ("it does not start with the gate", CONFIG, new_file_breaks, "", UNDONE, BEFORE),
        ("it does not start at all", CONFIG, "echo 000", "", NOT_READY_AFTER_UNDO, BEFORE),
        ("it crashes again and again", CONFIG,
            "n=$(cat \"$file.n\" 2>/dev/null || echo 0); echo $((n + 1)) >\"$file.n\"; echo $((200 + 300 * (n % 2)))",
            "", NOT_READY_AFTER_UNDO, BEFORE),
        ("the old one still runs", MANIFEST, "echo 200", "kube-apiserver\0--v=2\0", UNDONE, BEFORE),
        ("the new one runs", MANIFEST, "echo 200", "kube-apiserver\0--feature-gates=RemoveSelfLink=false\0", 0,
            AFTER),
    } {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(at(path).parent().unwrap()).unwrap();
        fs::create_dir_all(at("/proc/1")).unwrap();
        fs::write(at("/proc/1/cmdline"), process).unwrap();
        fs::write(at(path), BEFORE).unwrap();
        fs::set_permissions(at(path), PermissionsExt::from_mode(0o640)).unwrap();
        let codes = format!("file={}; {codes}", at(path).display());
        assert_eq!(run(root.path(), path, &codes), i32::from(status), "{what}");
        assert_eq!(fs::read_to_string(at(path)).unwrap(), text, "{what}");
        assert_eq!(
            fs::metadata(at(path)).unwrap().permissions().mode() & 0o7777,
            0o640,
            "{what}"
        );
        assert_eq!(fs::read_to_string(at(&copy_of(path))).unwrap(), BEFORE, "{what}");
        if path == MANIFEST {
            let beside = fs::read_dir(at(path).parent().unwrap()).unwrap().count();
            assert_eq!(beside, 1, "{what}: the kubelet runs every file beside the manifest");
        } else {
            let restarts = fs::read_to_string(at("/systemctl")).unwrap();
            let wanted = if text == AFTER { 1 } else { 2 };
            assert_eq!(restarts.matches("restart k3s").count(), wanted, "{what}");
        }
    }
}

#[test]
fn a_file_that_can_not_be_written_back_is_told_from_one_that_is_as_before() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(CONFIG.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, BEFORE).unwrap();
    let new_name_is_taken = format!(
        "mkdir -p {}/.config.yaml.nfsprov; echo 000",
        path.parent().unwrap().display()
    );
    assert_eq!(run(root.path(), CONFIG, &new_name_is_taken), i32::from(UNDO_FAILED));
    assert_eq!(fs::read_to_string(&path).unwrap(), AFTER);
}

#[test]
fn a_step_whose_connection_is_lost_is_undone_all_the_same() {
    for shell in [&["sh"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        if Command::new(shell[0]).arg("--help").output().is_err() {
            eprintln!("skipped: {shell:?} is not installed");
            continue;
        }
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(CONFIG.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, BEFORE).unwrap();
        let codes = format!("if grep -q new {}; then echo 000; else echo 200; fi", path.display());
        let status = run_in(shell, root.path(), CONFIG, &codes, Stdio::piped);
        assert_eq!(status.code(), Some(i32::from(UNDONE)), "{shell:?}: {status}");
        assert_eq!(fs::read_to_string(&path).unwrap(), BEFORE, "{shell:?}");
    }
}

#[test]
fn a_file_that_was_changed_meanwhile_is_left() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(CONFIG.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "other").unwrap();
    assert_eq!(run(root.path(), CONFIG, "echo 200"), i32::from(FILE_CHANGED_MEANWHILE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "other");
    assert!(!root.path().join("systemctl").exists(), "nothing was restarted");
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(CONFIG.trim_start_matches('/'));
    let target = root.path().join("kept.yaml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&target, BEFORE).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    // A rename from here might lead into another file system.
    fs::create_dir(path.with_file_name(".config.yaml.nfsprov")).unwrap();
    assert_eq!(run(root.path(), CONFIG, "echo 200"), 0);
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), AFTER);
}
