//! Prompts on a terminal.

use std::time::Duration;

use rexpect::process::WaitStatus;
use rexpect::session::PtySession;

use crate::support::Nfsprov;

fn on_a_terminal(args: &[&str]) -> PtySession {
    Nfsprov::new(args).on_terminal()
}

/// The output after the last answer, and the exit status.
fn end(mut terminal: PtySession) -> (String, i32) {
    let rest = terminal.exp_eof().unwrap().replace("\r\n", "\n");
    match terminal.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (rest, code),
        other => panic!("{other:?}: {rest}"),
    }
}

#[test]
fn what_create_pvc_lacks_is_asked_for_until_it_is_right() {
    let mut terminal = on_a_terminal(&["create", "pvc", "--class", "nfs"]);
    terminal.exp_string("Name of the claim").unwrap();
    terminal.send_line("My_PVC").unwrap();
    terminal.exp_string("a name has lower-case letters").unwrap();
    terminal.exp_string("Name of the claim").unwrap();
    terminal.send_line("mypvc").unwrap();
    terminal.exp_string("Size, such as 1Gi").unwrap();
    terminal.send_line("1G1").unwrap();
    terminal.exp_string("a size is a number and a suffix").unwrap();
    terminal.exp_string("Size, such as 1Gi").unwrap();
    terminal.send_line(" 1Gi ").unwrap();
    let (yaml, code) = end(terminal);
    let begin = yaml.find("apiVersion").unwrap_or_else(|| panic!("{yaml}"));
    let wanted = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: \"mypvc\"\nspec:\n  accessModes:\n    \
                  - \"ReadWriteMany\"\n  storageClassName: \"nfs\"\n  resources:\n    requests:\n      storage: \"1Gi\"\n";
    assert_eq!((&yaml[begin..], code), (wanted, 0));
}

#[test]
fn nothing_is_asked_that_was_given() {
    let terminal = on_a_terminal(&["create", "pvc", "mypvc", "--size", "1Gi"]);
    let (yaml, code) = end(terminal);
    assert!(yaml.starts_with("apiVersion: v1\n") && code == 0, "{yaml}");
}

#[test]
fn an_interrupted_question_ends_the_command() {
    let mut terminal = on_a_terminal(&["create", "pvc"]);
    terminal.exp_string("Name of the claim").unwrap();
    let (rest, status) = interrupt(terminal);
    assert!(!matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    assert!(!rest.contains("apiVersion"), "{rest}");
}

#[test]
fn an_interrupted_question_leaves_the_cursor_visible() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pv.yaml"), "mine\n").unwrap();
    let mut terminal = on_a_terminal(&["templates", "export", directory.path().to_str().unwrap()]);
    terminal.exp_string("overwrite?").unwrap();
    let (rest, status) = interrupt(terminal);
    assert!(!matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    let (hidden, shown) = (rest.rfind("\u{1b}[?25l"), rest.rfind("\u{1b}[?25h"));
    assert!(hidden <= shown, "{rest:?}");
}

/// Sends Ctrl-C until the process ends; returns the output since the last expected text, and the status.
fn interrupt(mut terminal: PtySession) -> (String, WaitStatus) {
    // The first Ctrl-C may arrive before the prompt reads keys; then it is a signal, which background jobs of a shell
    // ignore.
    let mut status = Some(WaitStatus::StillAlive);
    for _ in 0..200 {
        if !matches!(status, Some(WaitStatus::StillAlive)) {
            break;
        }
        _ = terminal.send_control('c');
        std::thread::sleep(Duration::from_millis(100));
        status = terminal.process().status();
    }
    (terminal.exp_eof().unwrap(), status.unwrap())
}

#[test]
fn a_file_is_overwritten_only_by_a_yes() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().to_str().unwrap();
    let file = place.path().join("pv.yaml");
    std::fs::write(&file, "mine\n").unwrap();
    for (answer, code, expected_message, kept) in [
        ("n", 1, "nothing was written", true),
        ("\u{1b}", 1, "nothing was written: the question was cancelled", true),
        ("y", 0, "pv.yaml written", false),
    ] {
        let mut terminal = on_a_terminal(&["templates", "export", directory]);
        terminal
            .exp_string("would be overwritten, and differs; overwrite?")
            .unwrap();
        terminal.send(answer).unwrap();
        terminal.flush().unwrap();
        let (rest, exit) = end(terminal);
        assert!(exit == code && rest.contains(expected_message), "{exit}: {rest}");
        assert_eq!(std::fs::read_to_string(&file).unwrap() == "mine\n", kept);
    }
}

#[test]
fn who_may_mount_is_asked_for_until_it_is_right() {
    // No process listens on this port, which nfsprov notices only after the prompt.
    let mut terminal = on_a_terminal(&["setup-server", "root@127.0.0.1:1"]);
    terminal.exp_string("Who may mount /nfsdata").unwrap();
    terminal.send_line("10.0.0.*").unwrap();
    terminal.exp_string("10.0.0.").unwrap();
    terminal.send_line("10.0.0.0/24").unwrap();
    let (output_text, code) = end(terminal);
    assert!(
        output_text.contains("login failed") && output_text.contains("127.0.0.1:1"),
        "{output_text}"
    );
    assert_eq!(code, 1);
}

#[test]
fn a_terminal_without_a_size_has_80_columns() {
    // A pseudo-terminal without a size reports 0 by 0.
    let (text, code) = end(on_a_terminal(&["doctor", "explain", "NFS102"]));
    let widest = text.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(
        code == 0 && widest.is_some_and(|widest| (60..=80).contains(&widest)),
        "{text}"
    );
}
