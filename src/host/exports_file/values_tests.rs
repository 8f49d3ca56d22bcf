//! What may be exported, and every value that exportfs would make something else of.

use super::*;

/// A value and a part of what is said of it.
fn refused(check: fn(&str) -> Result<(), ValueError>, rows: &[(&str, &str)]) {
    for (value, part) in rows {
        let Err(error) = check(value) else {
            panic!("{value:?} was taken");
        };
        let said = error.to_string();
        assert!(said.contains(part), "{value:?}: {said}");
        assert!(!said.contains('\n'), "{value:?} takes more than a line");
    }
}

#[test]
fn clients_are_hosts_networks_netgroups_patterns_or_all() {
    for client in [
        "*",
        "10.0.0.7",
        "10.0.0.0/24",
        "10.0.0.0/255.255.255.0",
        "10.0.0.7/32",
        "192.168.0.0/16",
        "fd00::1",
        "fd00::/64",
        "::1",
        "node1",
        "node-1.example.org",
        "a_b",
        "3com.example.org",
        "@nodes",
        "@k8s.nodes-a_b",
        "*.example.org",
        "node?.example.org",
        "node[0-9].example.org",
        "node[!0-9].lab",
    ] {
        assert_eq!(check_client(client), Ok(()));
    }
}

#[test]
fn a_client_that_exportfs_would_take_otherwise_is_refused() {
    refused(
        check_client,
        &[
            ("", "the whole world; for that write *"),
            (
                "10.0.0.*",
                "character 8 is '*', and no address fits a pattern of names; write 10.0.0.0/24",
            ),
            ("10.0.*", "write 10.0.0.0/16"),
            ("10.0.*.*", "write 10.0.0.0/16"),
            ("10.0.0.?", "character 8 is '?', and no address fits a pattern of names"),
            (
                "*.*",
                "character 1 is '*', and every host that has a name would fit; write *",
            ),
            (
                "[fd00::1]",
                "character 1 is '[', which begins a pattern of names, and no address fits one; write fd00::1",
            ),
            ("[fd00::]/64", "write fd00::/64"),
            ("10.0.0.1/33", "/33 at character 9: an IPv4 network has 0 to 32 bits"),
            ("fd00::/129", "/129 at character 7: an IPv6 network has 0 to 128 bits"),
            ("10.0.0.0/", "after the / at character 9 is no number of bits"),
            ("10.0.0.0/+8", "after the / at character 9 is no number of bits"),
            ("10.0.0.0/255.0.255.0", "is no number of bits"),
            ("fd00::/255.255.0.0", "is no number of bits"),
            ("node1/24", "\"node1\" before the / is no address"),
            ("10.0.0.*/24", "character 8 is '*', and a network has no wildcards"),
            (
                "10.0.0.5/24",
                "10.0.0.5 is a host in the network 10.0.0.0/24; write 10.0.0.0/24 for all of it, or 10.0.0.5 alone",
            ),
            ("fd00::5/64", "write fd00::/64"),
            ("0.0.0.0/0", "the whole world; write *"),
            ("10.0.0.0/0", "the whole world; write *"),
            ("::/0", "the whole world; write *"),
            ("0.0.0.0", "for all hosts write *"),
            ("10.0.0.256", "four numbers from 0 to 255"),
            ("10.0.0", "four numbers from 0 to 255"),
            ("010.0.0.1", "four numbers from 0 to 255"),
            ("10.0.0.1-9", "no range of them"),
            ("10.0.0.1-10.0.0.9", "no range of them"),
            ("10.0.0.1:2049", "character 9 is ':', and a client has no port"),
            ("node1:2049", "character 6 is ':', and a client has no port"),
            ("fd00:::1", "as an IPv6 address it can't be read"),
            (
                "fe80::1%eth0",
                "character 8 is '%', and a zone belongs to one host only",
            ),
            ("10.0.0.1(rw)", "character 9 is '(', and a client has no parentheses"),
            (
                "10.0.0.1,10.0.0.2",
                "character 9 is ',', and here one client is given at a time",
            ),
            (
                "10.0.0.1 10.0.0.2",
                "character 9 is ' ' (U+0020), and exportfs ends a word at a space",
            ),
            ("node1\n", "character 6 is '\\n' (U+000A)"),
            ("node1\u{a0}", "character 6 is '\\u{a0}' (U+00A0)"),
            (
                "\u{feff}node1",
                "character 1 is '\\u{feff}' (U+FEFF), a byte order mark",
            ),
            ("no\u{200b}de", "which is invisible"),
            ("no\0de", "character 3 is '\\0' (U+0000), a control character"),
            (
                "node\u{ff11}",
                "character 5 is '１' (U+FF11), a full-width character that exportfs takes for a letter; write '1'",
            ),
            ("10\u{3002}0", "write '.'"),
            (
                "\"node1\"",
                "character 1 is '\"', which exportfs takes for the beginning of a quotation",
            ),
            ("node#1", "character 5 is '#', which begins a comment"),
            ("node\\1", "which joins lines or begins an escape"),
            ("-rw", "character 1 is '-', which begins a line's default options"),
            ("@", "the netgroup's name is missing"),
            ("@a b", "character 3"),
            ("@a!", "character 3 is '!'"),
            ("gss/krb5", "write sec=krb5 among the options"),
            ("n\u{f6}de", "write its xn-- form"),
            ("node$", "character 5 is '$', which no name of a host has"),
            ("no!de", "character 3 is '!', which no name of a host has"),
            (".node", "character 1 is '.', with nothing before or after it"),
            ("node.", "with nothing before or after it"),
            ("a..b", "with nothing before or after it"),
            ("-a.b", "default options"),
            ("a.-b", "begins or ends with a dash"),
            ("node[0-9", "a [ without its ]"),
            ("node.1", "no host's name ends in a number, as in .1"),
            (&"a".repeat(64), "at most 63"),
            (&["abcdefgh"; 32].join("."), "at most 253"),
        ],
    );
}

#[test]
fn options_are_those_of_exports_5() {
    for options in [
        "rw",
        "ro",
        "rw,sync,no_subtree_check,no_root_squash",
        "rw,no_root_squash,no_all_squash,sync",
        "rw,async,no_wdelay,insecure,all_squash,anonuid=1000,anongid=1000",
        "rw,crossmnt,nohide,fsid=0",
        "rw,fsid=root",
        "rw,fsid=0x1f",
        "rw,fsid=4f3f0d36-6a1c-4f5e-9f38-0c6b9a1e7d55",
        "sec=krb5:krb5i:krb5p,rw,sec=sys,ro",
        "rw,mp,no_acl,security_label,nordirplus,pnfs",
        "rw,mountpoint=/srv",
        "ro,refer=/srv@10.0.0.1+10.0.0.2:/other@node1",
        "ro,replicas=/srv@10.0.0.1",
        "rw,auth_nlm,secure,hide,nocrossmnt,acl,no_pnfs,secure_locks",
        "rw,xprtsec=mtls:tls",
        "rw,reexport=auto-fsidnum",
    ] {
        assert_eq!(check_options(options), Ok(()));
    }
    refused(
        check_options,
        &[
            ("", "write rw or ro at least"),
            (
                "rw, sync",
                "character 4 is ' ' (U+0020), and exportfs ends a list at a space",
            ),
            (
                "(rw,sync)",
                "character 1 is '(', and the list is given without parentheses",
            ),
            (
                "rw\u{ff0c}sync",
                "character 3 is '，' (U+FF0C), a full-width character that exportfs takes for a letter; write ','",
            ),
            ("rw,sync\u{ff09}", "write ')'"),
            ("rw\u{3001}sync", "write ','"),
            (
                "wr,sync",
                "at character 1, exports(5) has no option \"wr\"; it has ro rw secure",
            ),
            (
                "rw,no_root_squach",
                "at character 4, exports(5) has no option \"no_root_squach\"",
            ),
            ("RW", "no option \"RW\""),
            ("rw,,sync", "at character 4, there is no option between two commas"),
            ("rw,", "character 3 is ',', with nothing after it"),
            (",rw", "no option between two commas"),
            ("rw,sync,ro", "at character 9, \"ro\" contradicts \"rw\""),
            ("rw,root_squash,no_root_squash", "contradicts"),
            (
                "rw,anonuid=nobody",
                "at character 4, anonuid is a number, not \"nobody\"",
            ),
            ("rw,anonuid=", "anonuid is a number"),
            ("rw,fsid=x", "fsid is a number, root or a UUID"),
            ("rw,sec=kerberos", "no security flavour is called \"kerberos\""),
            ("rw,sec=", "no security flavour is called \"\""),
            ("rw,xprtsec=ssl", "xprtsec is none, tls or mtls"),
            ("rw,reexport=x", "reexport is"),
            (
                "rw,refer=10.0.0.1",
                "at character 4, \"refer=10.0.0.1\" wants PATH@HOST",
            ),
            ("rw,mountpoint=srv", "wants an absolute path"),
            ("rw,squash_uids=0-99", "knows \"squash_uids=0-99\" no more"),
            ("rw,sync#x", "character 8 is '#', which begins a comment"),
            ("\"rw\"", "quotation"),
            ("\u{feff}rw", "byte order mark"),
            ("rw\0", "control character"),
        ],
    );
}

#[test]
fn directories_are_written_in_one_way() {
    for path in [
        "/nfsdata",
        "/srv/nfs/k8s",
        "/srv/.hidden",
        "/a-b_c+d,e:f@g",
        "/\u{6570}\u{636e}",
        "/data=1",
    ] {
        assert_eq!(check_path(path), Ok(()));
    }
    refused(
        check_path,
        &[
            ("", "it is empty"),
            ("/", "it is all that the host has"),
            ("nfsdata", "it is relative"),
            ("./nfsdata", "it is relative"),
            ("~/nfsdata", "it is relative"),
            ("/nfsdata/", "character 9 is '/'; write /nfsdata"),
            ("/nfsdata//", "write /nfsdata"),
            ("/srv//nfs", "character 6 is '/' after another one"),
            ("//srv", "character 2 is '/' after another one"),
            ("/srv/../etc", "\"..\" at character 6 leads elsewhere"),
            ("/srv/.", "\".\" at character 6 leads elsewhere"),
            (
                "/nfs data",
                "character 5 is ' ' (U+0020), and exportfs ends a word at a space",
            ),
            ("/nfs\tdata", "character 5 is '\\t' (U+0009)"),
            ("/nfs\u{3000}data", "character 5 is '\\u{3000}' (U+3000)"),
            ("/nfs\u{ff0f}data", "write '/'"),
            ("/nfs\"data", "quotation"),
            ("/nfs#data", "comment"),
            ("/nfs\\040data", "an escape"),
            ("/nfs\0data", "control character"),
            ("/nfs\ndata", "(U+000A)"),
            ("\u{feff}/nfsdata", "relative"),
            ("/nfs\u{feff}data", "byte order mark"),
            ("/nfsdata(rw)", "character 9 is '(', and options belong to clients"),
            (
                &format!("/{}", "x".repeat(1024)),
                "1025 bytes, and exportfs reads at most 1024",
            ),
        ],
    );
}

#[test]
fn files_are_those_that_exportfs_reads() {
    for file in ["/etc/exports", "/etc/exports.d/nfsprov.exports"] {
        assert_eq!(check_file(file), Ok(()));
    }
    refused(
        check_file,
        &[
            ("", "/etc/exports.d/NAME.exports"),
            ("/etc/exports.d/x.conf", "/etc/exports.d/NAME.exports"),
            ("/etc/exports.d/.exports", "begins with no dot"),
            ("/etc/exports.d/.x.exports", "begins with no dot"),
            ("/etc/exports.d/a/b.exports", "/etc/exports.d/NAME.exports"),
            ("/etc/exports.d/a b.exports", "(U+0020)"),
            ("/etc/exports.bak", "it reads /etc/exports and"),
            ("exports", "it reads /etc/exports and"),
        ],
    );
}

#[test]
fn addresses_in_patterns_are_recognised() {
    for (pattern, address) in [
        ("10.0.0.*", true),
        ("[fd00::1]", true),
        ("192.168.1.[0-9]", true),
        ("*.example.org", false),
        ("node?", false),
        ("*.*", false),
    ] {
        assert_eq!(looks_like_address(pattern), address, "{pattern}");
    }
}
