use super::*;

/// Texts that say nothing about storage.
const OTHERS: &[(MessageKind, &str)] = &[
    (MessageKind::Scheduling, "0/3 nodes are available: 3 Insufficient cpu."),
    (
        MessageKind::Mount,
        "MountVolume.SetUp failed for volume \"token\" : secret \"x\" not found",
    ),
];

/// The samples of the table, each with the pattern that stands above it.
fn samples() -> Vec<(Pattern, Vec<String>)> {
    let mut found: Vec<(Pattern, Vec<String>)> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("    "), found.last_mut()) {
            (Some(sample), Some((_, samples))) => samples.push(sample.replace("\\n", "\n")),
            _ => found.push((parse_pattern(line).unwrap_or_else(|| panic!("{line}")), Vec::new())),
        }
    }
    found
}

#[test]
fn each_pattern_finds_its_samples_and_no_other_pattern_does_so_before() {
    for (Pattern { code, kind, regex }, samples) in samples() {
        assert!(!samples.is_empty(), "{regex} has no sample");
        for text in samples {
            let is_found = match kind {
                MessageKind::Log => find_log_line(code, &text).is_some(),
                kind => is_message_of(code, kind, &text),
            };
            assert!(is_found, "{code}: {text}");
        }
    }
    for (kind, text) in OTHERS {
        assert_eq!(classify(*kind, text), None, "{text}");
    }
}

#[test]
fn the_claim_of_a_refusal_is_found_in_both_wordings() {
    for (text, claim) in rows! {
        ("create Claim www-web-0 for Pod web-0 in StatefulSet web failed error: x", Some("www-web-0")),
        ("create Pod web-1 in StatefulSet web failed error: failed to create PVC data-web-1: x is forbidden", Some("data-web-1")),
        ("something else", None),
    } {
        assert_eq!(find_refused_claim(text), claim, "{text}");
    }
}

#[test]
fn a_mount_command_is_parsed() {
    for (text, server, path, options) in rows! {
        ("Mounting arguments: -t nfs 10.0.0.5:/data /mnt\nOutput: x", "10.0.0.5", "/data", ""),
        ("--scope -- mount -t nfs -o vers=3,tcp nas.lan:/a:b /mnt\nOutput: x", "nas.lan", "/a:b", "vers=3,tcp"),
        ("Mounting arguments: -t nfs4 [fd00::5]:/ /mnt", "fd00::5", "/", ""),
        ("Mounting arguments: -t nfs fd00::5:/data /mnt", "fd00::5", "/data", ""),
    } {
        let export = Some((server.to_owned(), path.to_owned()));
        assert_eq!(parse_mount_command(text), (export, options.to_owned()), "{text}");
    }
    assert_eq!(parse_mount_command("Mounting arguments: -t cifs //a/b /mnt").0, None);
}

#[test]
fn errors_are_shown_without_the_calls_around_them() {
    for (text, why) in rows! {
        ("failed to provision volume with StorageClass \"nfs\": rpc error: code = Internal desc = server is a required parameter", "server is a required parameter"),
        ("Failed to provision volume with StorageClass \"nfs\": error exporting \nEXPORT\n{\n}\n: refused", "error exporting EXPORT { } : refused"),
        ("rpc error: code = Internal desc = failed to mount nfs server: rpc error: code = Internal desc = mount failed: exit status 32\nMounting command: mount\nOutput: mount.nfs: Odd\nmore", "mount.nfs: Odd"),
        ("unlinkat /persistentvolumes/a: directory not empty", "unlinkat /persistentvolumes/a: directory not empty"),
    } {
        assert_eq!(extract_root_error(text), why, "{text}");
    }
    for (line, message) in rows! {
        ("F0302 11:58:30.124100       1 controller.go:888] leaderelection lost", "leaderelection lost"),
        ("panic: runtime error [recovered] here", "panic: runtime error [recovered] here"),
    } {
        assert_eq!(strip_log_prefix(line), message);
    }
    for (text, right) in rows! {
        ("User \"a\" cannot get resource \"endpoints\" in API group \"\"", Some("get endpoints")),
        ("User \"a\" cannot get endpoints in the namespace \"x\"", Some("get endpoints")),
        ("all is well", None),
    } {
        assert_eq!(find_denied_right(text).as_deref(), right, "{text}");
    }
}
