//! Outputs of real clients (OpenSSH 9.2 but where another is named), without the lines that nothing here reads.

use super::*;

const DEFAULTS: &str = "host defaults
user root
hostname defaults
port 22
identityfile ~/.ssh/id_rsa
identityfile ~/.ssh/id_ecdsa
identityfile ~/.ssh/id_ecdsa_sk
identityfile ~/.ssh/id_ed25519
identityfile ~/.ssh/id_ed25519_sk
identityfile ~/.ssh/id_xmss
identityfile ~/.ssh/id_dsa
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /root
";

/// The output of `ssh -G nfs` without any configuration.
fn printed(changes: &[(&str, &str)]) -> String {
    let unconfigured = DEFAULTS
        .replace("defaults", "nfs")
        .replace("/root\n", "/root/.ssh/known_hosts /root/.ssh/known_hosts2\n");
    let unchanged = unconfigured.lines().filter(|line| {
        let keyword = line.split(' ').next().unwrap();
        !changes.iter().any(|(changed, _)| *changed == keyword)
    });
    let changed = changes.iter().map(|(keyword, value)| format!("{keyword} {value}"));
    unchanged
        .map(str::to_owned)
        .chain(changed)
        .collect::<Vec<_>>()
        .join("\n")
}

fn defaults() -> ClientDefaults {
    ClientDefaults::parse(DEFAULTS.as_bytes()).unwrap()
}

fn parse(target: &str, changes: &[(&str, &str)]) -> Result<Settings, String> {
    let target = target.parse().unwrap();
    Settings::parse(printed(changes).as_bytes(), &target, &defaults()).map_err(|error| error.to_string())
}

#[test]
fn a_host_without_configuration_gets_the_settings_of_a_machine_without_ssh() {
    assert_eq!(
        parse("nfs", &[]).unwrap(),
        Settings::unconfigured(&"nfs".parse().unwrap(), "root")
    );
    assert_eq!(defaults().home, Path::new("/root"));
    // Dropbear's client has no -G.
    assert_eq!(
        ClientDefaults::parse(b"Usage: ssh [options] [user@]host[/port]\n"),
        None
    );
}

#[test]
fn each_setting_is_read() {
    let unconfigured = || Settings::unconfigured(&"nfs".parse().unwrap(), "root");
    let change = |change: &dyn Fn(&mut Settings)| {
        let mut settings = unconfigured();
        change(&mut settings);
        settings
    };
    type Row<'a> = (&'a [(&'a str, &'a str)], Settings);
    let rows: Vec<Row> = vec![
        (
            &[("hostname", "10.0.0.9"), ("port", "2222"), ("user", "ops")],
            change(&|s| {
                (s.host, s.port, s.user) = ("10.0.0.9".into(), 2222, "ops".into());
            }),
        ),
        (
            &[("addressfamily", "inet6"), ("hashknownhosts", "yes")],
            change(&|s| {
                (s.address_family, s.hash_known_hosts) = (AddressFamily::Inet6, true);
            }),
        ),
        (
            &[("hostkeyalias", "nfs.corp")],
            change(&|s| s.host_key_alias = Some("nfs.corp".into())),
        ),
        (
            &[
                ("identityfile", "~/.ssh/k_%h"),
                ("identityfile", "/k 2"),
                ("identitiesonly", "yes"),
            ],
            change(&|s| {
                s.identities = vec!["~/.ssh/k_%h".into(), "/k 2".into()];
                s.identities_only = true;
            }),
        ),
        // One of the defaults, named.
        (
            &[("identityfile", "~/.ssh/id_rsa")],
            change(&|s| s.identities = vec!["~/.ssh/id_rsa".into()]),
        ),
        (&[("identityfile", "none")], unconfigured()),
        (
            &[("certificatefile", "~/c-cert.pub")],
            change(&|s| s.certificates = vec!["~/c-cert.pub".into()]),
        ),
        (&[("identityagent", "none")], change(&|s| s.agent = IdentityAgent::None)),
        (&[("identityagent", "SSH_AUTH_SOCK")], unconfigured()),
        (
            &[("identityagent", "$MINE")],
            change(&|s| s.agent = IdentityAgent::Variable("MINE".into())),
        ),
        (
            &[("identityagent", "/root/a b")],
            change(&|s| s.agent = IdentityAgent::Socket("/root/a b".into())),
        ),
        (
            &[("userknownhostsfile", "/a /b")],
            change(&|s| s.known_hosts = Some(vec!["/a".into(), "/b".into()])),
        ),
        (
            &[("userknownhostsfile", "none")],
            change(&|s| s.known_hosts = Some(Vec::new())),
        ),
        (
            &[("globalknownhostsfile", "/g")],
            change(&|s| s.global_known_hosts = vec!["/g".into()]),
        ),
        (
            &[("knownhostscommand", "/x %H")],
            change(&|s| s.known_hosts_command = Some("/x %H".into())),
        ),
        (
            &[("revokedhostkeys", "~/r")],
            change(&|s| s.revoked_host_keys = Some("~/r".into())),
        ),
        (
            &[("stricthostkeychecking", "true")],
            change(&|s| s.strict_host_keys = StrictHostKeys::Yes),
        ),
        (
            &[("stricthostkeychecking", "yes")],
            change(&|s| s.strict_host_keys = StrictHostKeys::Yes),
        ),
        (&[("stricthostkeychecking", "ask")], unconfigured()),
        (
            &[("stricthostkeychecking", "false")],
            change(&|s| s.strict_host_keys = StrictHostKeys::AcceptNew),
        ),
        (
            &[("stricthostkeychecking", "accept-new")],
            change(&|s| s.strict_host_keys = StrictHostKeys::AcceptNew),
        ),
        (&[("batchmode", "yes")], change(&|s| s.batch = true)),
        (
            &[("pubkeyauthentication", "false")],
            change(&|s| s.refused_methods = vec!["publickey"]),
        ),
        (&[("pubkeyauthentication", "true")], unconfigured()),
        // As 7.4 calls it.
        (
            &[("challengeresponseauthentication", "no")],
            change(&|s| s.refused_methods = vec!["keyboard-interactive"]),
        ),
        (
            &[("preferredauthentications", "publickey,gssapi-with-mic")],
            change(&|s| s.refused_methods = vec!["password", "keyboard-interactive"]),
        ),
        (
            &[("pkcs11provider", "/usr/lib/x.so")],
            change(&|s| s.unsupported = vec!["PKCS11Provider"]),
        ),
        (
            &[("proxyjump", "ops@j1:2222,j2")],
            change(&|s| s.proxy = Proxy::Jump(vec!["ops@j1:2222".parse().unwrap(), "j2".parse().unwrap()])),
        ),
        // `Host *` with a jump host, for the jump host itself.
        (&[("proxyjump", "nfs")], change(&|s| s.proxy = Proxy::Jump(Vec::new()))),
        (&[("proxycommand", "none")], unconfigured()),
        (
            &[("hostname", "10.0.0.9"), ("proxycommand", "nc -x %n:%r %h %p 100%%")],
            change(&|s| {
                s.host = "10.0.0.9".into();
                s.proxy = Proxy::Command("nc -x nfs:root 10.0.0.9 22 100%".into());
            }),
        ),
        // 8.7 prints no agent, no command and lines of one word.
        (&[("canonicaldomains", ""), ("addkeystoagent", "false")], unconfigured()),
    ];
    for (changes, settings) in rows {
        assert_eq!(parse("nfs", changes).unwrap(), settings, "{changes:?}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    for (changes, words) in [
        ([("proxyjump", "-oProxyCommand=x")], "begins with a dash"),
        ([("proxycommand", "nc %Z")], "the token %Z in ProxyCommand"),
    ] {
        let error = parse("nfs", &changes).unwrap_err();
        assert!(error.contains(words) && error.contains("nfs"), "{error}");
    }
}

#[test]
fn ssh_expands_what_it_leaves_as_written() {
    for (path, needed) in [
        ("/root/.ssh/key", false),
        ("key", false),
        ("~/.ssh/key", true),
        ("/keys/%h", true),
        ("${HOME}/key", true),
        ("/a$b", false),
    ] {
        assert_eq!(needs_expansion(OsStr::new(path)), needed, "{path}");
    }
    let target: Target = "nfs".parse().unwrap();
    let mut settings = Settings::unconfigured(&target, "ops");
    settings.host_key_alias = Some("nfs.corp".into());
    let arguments = expansion_arguments(OsStr::new("~/k_%h"), &settings, &target);
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap()).collect();
    let option = "UserKnownHostsFile=\"~/k_%h\"";
    let expected =
        format!("-G -F none -o {option} -o HostName=nfs -o Port=22 -o User=ops -o HostKeyAlias=nfs.corp -- nfs");
    assert_eq!(arguments.join(" "), expected);
    assert_eq!(
        parse_expansion(b"host nfs\nuserknownhostsfile /root/k nfs\n"),
        Some("/root/k nfs".into())
    );
}

#[test]
fn a_local_address_that_cannot_be_honoured_is_refused() {
    for (keyword, named) in [
        ("bindaddress", "BindAddress 10.0.0.7"),
        ("bindinterface", "BindInterface 10.0.0.7"),
    ] {
        let error = parse("nfs", &[(keyword, "10.0.0.7")]).unwrap_err();
        assert!(
            error.contains(named) && error.contains("configuration for nfs"),
            "{error}"
        );
    }
}

#[test]
fn addresses_of_another_family_are_not_tried() {
    let [four, six] = ["10.0.0.1:22", "[fd00::1]:22"].map(|text| text.parse().unwrap());
    for (family, allowed) in [
        (AddressFamily::Any, [true, true]),
        (AddressFamily::Inet, [true, false]),
        (AddressFamily::Inet6, [false, true]),
    ] {
        assert_eq!(
            [family.allows_address(&four), family.allows_address(&six)],
            allowed,
            "{family:?}"
        );
    }
}
