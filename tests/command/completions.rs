//! `completions` and `man`: the files of completions/ are up to date, and shells complete options and names.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::api_double::{metadata_list, start};
use crate::support::{Nfsprov, write_kubeconfig};

fn nfsprov(args: &[&str]) -> String {
    let ran = Nfsprov::new(args).run();
    assert_eq!(ran.status, 0, "{args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn the_files_are_those_of_the_program() {
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
        assert!(kept.contains("NFSPROV_COMPLETE"), "{path} asks nothing");
    }
}

#[test]
fn bash_asks_the_program() {
    let script = "source /dev/stdin; COMP_WORDS=(nfsprov create pv v --access-mode RO); COMP_CWORD=5; \
                  _clap_complete_nfsprov nfsprov RO --access-mode; echo \"${COMPREPLY[@]}\"";
    let folder = Path::new(env!("CARGO_BIN_EXE_nfsprov")).parent().unwrap();
    let path = std::env::join_paths([folder, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script])
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut bash = bash.spawn().unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, nfsprov(&["completions", "bash"]).as_bytes()).unwrap();
    drop(stdin);
    let output = bash.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ROX\n");
}

/// The completions of the last word of a line.
fn completions(line: &str, kubeconfig: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let ran = Nfsprov::new(["--"])
        .args(&words)
        .env("NFSPROV_COMPLETE", "bash")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .env("KUBECONFIG", kubeconfig)
        .run();
    assert_eq!((ran.stderr.as_str(), ran.status), ("", 0), "{line}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn names_of_the_cluster_are_completed() {
    let named = |names: &[&str]| {
        let objects: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "namespace": "web"}))
            .collect();
        metadata_list(&objects)
    };
    let url = start(vec![
        ("/api/v1/persistentvolumes", named(&["mypv", "other", "my$(id)"])),
        ("/api/v1/persistentvolumeclaims", named(&["data", "logs"])),
        (
            "/api/v1/namespaces/web/persistentvolumeclaims",
            named(&["data", "logs"]),
        ),
        ("/api/v1/namespaces/web/pods", named(&["server"])),
        ("/api/v1/namespaces", named(&["web", "storage"])),
        ("/apis/storage.k8s.io/v1/storageclasses", named(&["managed", "fast"])),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = write_kubeconfig(directory.path(), &url);
    for (line, wanted) in [
        ("nfsprov release m", &["mypv"][..]),
        ("nfsprov create pvc c --volume o", &["other"]),
        ("nfsprov create pvc c --class ma", &["managed"]),
        ("nfsprov create pod p -n web --claim d", &["data"]),
        ("nfsprov volumes restore a --claim web/", &["web/data", "web/logs"]),
        ("nfsprov status -n we", &["web"]),
        ("nfsprov status --context ", &["c"]),
        ("nfsprov -n web doctor da", &["data"]),
        ("nfsprov -n web doctor pvc/", &["pvc/data", "pvc/logs"]),
        ("nfsprov -n web doctor pod/s", &["pod/server"]),
        ("nfsprov doctor pv/my", &["pv/mypv"]),
        ("nfsprov doctor explain NFS301", &["NFS301"]),
        ("nfsprov doctor --fix NFS103,NFS301", &["NFS103,NFS301"]),
        ("nfsprov create pv v --access-mode RO", &["ROX"]),
    ] {
        assert_eq!(completions(line, &kubeconfig), wanted, "{line}");
    }
    let silent = write_kubeconfig(directory.path(), "http://127.0.0.1:1");
    assert!(completions("nfsprov release m", &silent).is_empty());
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
