//! `image load`: invalid archives, and unreachable hosts.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use nfsprov::image::{IMAGE, archive_name};

use crate::support::Nfsprov;

/// An archive whose index has an image of this name.
fn archive_of(name: &str, folder: &Path) -> String {
    let index = format!(
        "{{\"manifests\": [{{\"digest\": \"sha256:1\", \"annotations\": {{\"io.containerd.image.name\": \"{name}\"}}}}]}}"
    );
    std::fs::write(folder.join("index.json"), index).unwrap();
    let archive = folder.join("archive.tar");
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(&archive).arg("-C").arg(folder).arg("./index.json");
    assert!(tar.status().unwrap().success());
    archive.to_str().unwrap().to_owned()
}

#[test]
fn an_archive_without_the_image_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "").unwrap();
    std::fs::write(path("text"), "text\u{1b}[2J".repeat(1000)).unwrap();
    let large = std::fs::File::create(path("large")).unwrap();
    large.set_len(1 << 30).unwrap();
    let other = archive_of("localhost/other:1", folder.path());
    for (file, words) in [
        (path("missing"), "cannot read FILE: No such file"),
        (path(""), "cannot read FILE: it is no regular file"),
        (
            path("empty"),
            "FILE is no image archive, or not a whole one: it has no index.json",
        ),
        (path("text"), "FILE is no image archive"),
        (path("large"), "FILE is larger than 64 MiB"),
        (other, &format!("FILE has no image {IMAGE}, which this version")),
    ] {
        // No process listens on this port.
        let ran = Nfsprov::new(["image", "load", &file, "--node", "root@127.0.0.1:1"]).run();
        let expected = format!("error: {}", words.replace("FILE", &file));
        assert!(ran.stderr.starts_with(&expected), "{file}: {}", ran.stderr);
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.lines().count(), ran.status),
            ("", 1, 1),
            "{file}"
        );
    }
    let ran = Nfsprov::new(["image", "load", "--node", "root@127.0.0.1:1"]).run();
    let expected = format!("error: cannot read {}: No such file", archive_name());
    assert!(
        ran.stderr.starts_with(&expected) && ran.stderr.ends_with("pass the archive's path\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn each_host_that_cannot_be_reached_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive_of(IMAGE, folder.path());
    let (a, b) = ("root@127.0.0.1:1", "root@127.0.0.1:2");
    let ran = Nfsprov::new(["image", "load", &archive, "-o", "json", "--node", a, b, "--node", a]).run();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let hosts = report["hosts"].as_array().unwrap();
    let names: Vec<_> = hosts.iter().map(|host| host["host"].as_str().unwrap()).collect();
    assert_eq!(
        (names, ran.status),
        (vec!["127.0.0.1:1", "127.0.0.1:2"], 1),
        "{}",
        ran.stderr
    );
    for host in hosts {
        let step = &host["steps"][0];
        assert_eq!(
            (&step["step"], &step["status"]),
            (&"login".into(), &"failed".into()),
            "{host}"
        );
    }
}

#[test]
fn an_interrupted_run_reports_the_hosts_that_are_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive_of(IMAGE, folder.path());
    // It accepts connections but sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = silent.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nfsprov"));
    command.args([
        "image",
        "load",
        &archive,
        "--node",
        &host,
        "--connect-timeout",
        "60s",
        "-o",
        "json",
    ]);
    let running = command
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let _connection = silent.accept().unwrap();
    let interrupt = Command::new("sh")
        .args(["-c", &format!("kill -INT {}", running.id())])
        .status();
    assert!(interrupt.unwrap().success());
    let output = running.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let step = &report["hosts"][0]["steps"][0];
    assert_eq!(
        (&step["step"], &step["status"]),
        (&"login".into(), &"not done".into()),
        "{report}"
    );
    assert_eq!(output.status.code(), Some(1));
}
