//! `completions` and `man`: the files of completions/ are those of the command line, and each shell takes its own.

use std::process::{Command, Stdio};

fn nfsprov(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nfsprov")).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_files_are_those_of_the_command_line() {
    for (shell, file) in [
        ("bash", "nfsprov.bash"),
        ("zsh", "_nfsprov"),
        ("fish", "nfsprov.fish"),
        ("powershell", "_nfsprov.ps1"),
    ] {
        let path = format!("{}/completions/{file}", env!("CARGO_MANIFEST_DIR"));
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == nfsprov(&["completions", shell]),
            "{path} is out of date: make completions"
        );
        for word in ["storageclass", "--access-mode", "--flavor"] {
            assert!(kept.contains(word.trim_start_matches('-')), "{path} has no {word}");
        }
    }
}

#[test]
fn bash_completes_with_it() {
    let script = "source /dev/stdin; COMP_WORDS=(nfsprov create pv v --access-mode RO); COMP_CWORD=5; \
                  _nfsprov nfsprov RO --access-mode; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut bash = bash.spawn().unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, nfsprov(&["completions", "bash"]).as_bytes()).unwrap();
    drop(stdin);
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ROX\n");
}

#[test]
fn every_command_has_a_manual_page() {
    let page = nfsprov(&["man"]);
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    for word in ["nfsprov\\-create(1)", "nfsprov\\-provision(1)", "nfsprov\\-man(1)"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("man1");
    let args = ["man", "--output-dir", directory.to_str().unwrap()];
    let written = nfsprov(&args);
    let page = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert!(page("nfsprov-create-pv.1").contains("reclaim\\-policy"));
    assert_eq!(page("nfsprov.1"), nfsprov(&["man"]));
    assert_eq!(nfsprov(&args), written.replace(" written", " unchanged"));
}
