//! ssh's configuration files: each test gives a file to ssh and to nfsprov, and both must interpret it equally.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov::host::{Host, HostKeys};
use tokio::process::Command;

use crate::kit::{Stage, output_of, refused, tool};
use crate::login::agent;

crate::tests! {
    every_configuration_is_treated_as_ssh_treats_it,
    new_keys_are_recorded_where_the_configuration_says,
    a_proxy_command_leads_to_the_host,
}

/// A home directory for nfsprov and ssh, with a host `nfs` in its configuration.
struct Home {
    path: PathBuf,
    ip: String,
    port: u16,
    /// The host's key, in the format of known_hosts.
    key: String,
    /// The key of another host.
    other: String,
}

impl Home {
    async fn new(stage: &Stage, port: u16) -> Result<Self> {
        let public = |name: &'static str| async move {
            let line = stage.file(&stage.guest, &format!("/etc/ssh/test/{name}.pub")).await?;
            let words: Vec<&str> = line.split(' ').take(2).collect();
            anyhow::Ok(words.join(" "))
        };
        Ok(Self {
            path: stage.home()?,
            ip: stage.guest.address().to_string(),
            port,
            key: public("ed25519").await?,
            other: public("other-ed25519").await?,
        })
    }

    /// A text with its placeholders in braces replaced.
    fn filled(&self, stage: &Stage, text: &str) -> String {
        let identity = stage.guest.ssh_key().display().to_string();
        let words = [
            ("{home}", self.path.display().to_string()),
            ("{ip}", self.ip.clone()),
            ("{port}", self.port.to_string()),
            ("{name}", format!("[{}]:{}", self.ip, self.port)),
            ("{key}", self.key.clone()),
            ("{other}", self.other.clone()),
            ("{identity}", identity),
        ];
        words
            .iter()
            .fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
    }

    fn write(&self, stage: &Stage, name: &str, text: &str) -> Result<()> {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().context("no directory")?)?;
        std::fs::write(path, self.filled(stage, text))?;
        Ok(())
    }

    /// Whether ssh can log in, or its error. It uses this home's files instead of its user's.
    async fn judge(&self, host: &str, agent: Option<&Path>) -> Result<Result<(), String>> {
        let home = self.path.display();
        let file = format!(
            "Include {home}/.ssh/config\nMatch all\nInclude /etc/ssh/ssh_config\nMatch all\n\
             UserKnownHostsFile {home}/.ssh/known_hosts\n"
        );
        let path = self.path.join("judge");
        std::fs::write(&path, file)?;
        let mut command = Command::new("ssh");
        command
            .arg("-F")
            .arg(&path)
            .args(["-o", "BatchMode=yes", "--", host, "true"]);
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        if let Some(agent) = agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        let output = command.output().await?;
        Ok(match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        })
    }
}

/// The lines that end every configuration; ssh uses the first value of each option.
const HOST: &str =
    "Host nfs\n HostName {ip}\n Port {port}\n User root\n IdentityFile {identity}\n IdentitiesOnly yes\n";

struct Case {
    about: &'static str,
    /// The lines before [`HOST`].
    config: &'static str,
    /// Other files, with their names.
    files: &'static [(&'static str, &'static str)],
    /// A part of the expected error; empty if the login succeeds.
    words: &'static str,
}

const fn case(
    about: &'static str,
    config: &'static str,
    files: &'static [(&'static str, &'static str)],
    words: &'static str,
) -> Case {
    Case {
        about,
        config,
        files,
        words,
    }
}

const KNOWN: (&str, &str) = (".ssh/known_hosts", "{name} {key}\n");

const CASES: &[Case] = &[
    case("an alias", "", &[KNOWN], ""),
    case("AddressFamily", "AddressFamily inet\n", &[KNOWN], ""),
    case(
        "AddressFamily that the host has not",
        "AddressFamily inet6\n",
        &[KNOWN],
        "no address that AddressFamily allows",
    ),
    case(
        "StrictHostKeyChecking yes",
        "StrictHostKeyChecking yes\n",
        &[],
        "is not in known_hosts",
    ),
    case(
        "StrictHostKeyChecking yes and a known key",
        "StrictHostKeyChecking yes\n",
        &[KNOWN],
        "",
    ),
    case(
        "StrictHostKeyChecking accept-new",
        "StrictHostKeyChecking accept-new\n",
        &[],
        "",
    ),
    case(
        "what gcloud writes, for an address that was another host's",
        "HostKeyAlias=compute.1234\nUserKnownHostsFile={home}/google_known_hosts\nCheckHostIP=no\n",
        &[
            (".ssh/known_hosts", "{name} {other}\n{ip} {other}\n"),
            ("google_known_hosts", "compute.1234 {key}\n"),
        ],
        "",
    ),
    case(
        "another key under the alias",
        "HostKeyAlias nfs.corp\nUserKnownHostsFile {home}/corp\nStrictHostKeyChecking accept-new\n",
        &[("corp", "nfs.corp {other}\n")],
        "its key has changed",
    ),
    case(
        "GlobalKnownHostsFile",
        "GlobalKnownHostsFile {home}/global\nStrictHostKeyChecking yes\n",
        &[("global", "{name} {key}\n")],
        "",
    ),
    case(
        "KnownHostsCommand, as FreeIPA has it",
        "KnownHostsCommand /bin/cat {home}/printed\nStrictHostKeyChecking yes\n",
        &[("printed", "{name} {key}\n")],
        "",
    ),
    case(
        "a list of revoked keys",
        "RevokedHostKeys {home}/list\n",
        &[KNOWN, ("list", "{other}\n{key}\n")],
        "is revoked",
    ),
    case(
        "a list of other keys",
        "RevokedHostKeys {home}/list\n",
        &[KNOWN, ("list", "{other}\n")],
        "",
    ),
    case(
        "a KRL",
        "RevokedHostKeys {home}/krl\n",
        &[KNOWN, ("krl", "{key}\n")],
        "is revoked",
    ),
    case(
        "a KRL of other keys",
        "RevokedHostKeys {home}/krl\n",
        &[KNOWN, ("krl", "{other}\n")],
        "",
    ),
    case("no list", "RevokedHostKeys {home}/nothing\n", &[KNOWN], "nothing"),
    case(
        "Match exec that holds",
        "Match exec true\n Port {port}\nMatch exec false\n Port 1\nMatch all\n",
        &[KNOWN],
        "",
    ),
    case(
        "Match exec that does not hold",
        "Match exec true\n Port 1\nMatch all\n",
        &[KNOWN],
        "connection refused",
    ),
    case(
        "Match final",
        "Match final host {ip}\n HostKeyAlias other\n StrictHostKeyChecking yes\nMatch all\n",
        &[KNOWN, (".ssh/known_hosts2", "")],
        "is not in known_hosts",
    ),
    case(
        "Include with a pattern",
        "Include {home}/*/[ab].conf\n",
        &[KNOWN, ("d/b.conf", "Port {port}\n"), ("d/c.conf", "Port 1\n")],
        "",
    ),
    case(
        "a variable",
        "IdentityFile ${HOME}/../../../../..{identity}\n",
        &[KNOWN],
        "",
    ),
    case(
        "a variable that is not set",
        "IdentityFile ${NFSPROV_NOT_SET}/key\n",
        &[KNOWN],
        "NFSPROV_NOT_SET",
    ),
    case(
        "tokens",
        "UserKnownHostsFile {home}/%r-%p\nStrictHostKeyChecking yes\n",
        &[("root-{port}", "{name} {key}\n")],
        "",
    ),
    case(
        "PubkeyAuthentication no",
        "PubkeyAuthentication no\nBatchMode yes\n",
        &[KNOWN],
        "cannot log in",
    ),
    case(
        "PreferredAuthentications",
        "PreferredAuthentications password\nBatchMode yes\n",
        &[KNOWN],
        "no password: BatchMode forbids to ask",
    ),
    case(
        "a keyword that is none",
        "Nonsense yes\n",
        &[KNOWN],
        "ad configuration option",
    ),
    case("ProxyCommand none", "ProxyCommand none\n", &[KNOWN], ""),
];

async fn every_configuration_is_treated_as_ssh_treats_it(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let mut wrong = Vec::new();
    for case in CASES {
        let home = Home::new(&stage, port).await?;
        for (name, text) in case.files {
            home.write(&stage, &home.filled(&stage, name), text)?;
        }
        if let Some((name, _)) = case.files.iter().find(|(name, _)| *name == "krl") {
            let list = home.path.join(name).display().to_string();
            tool("ssh-keygen", &["-q", "-k", "-f", &format!("{list}.new"), &list]).await?;
            std::fs::rename(format!("{list}.new"), list)?;
        }
        home.write(&stage, ".ssh/config", &format!("{}{HOST}", case.config))?;
        // A comment may have another encoding.
        let mut config = std::fs::read(home.path.join(".ssh/config"))?;
        config.extend(b"# \xe4\xf6\xfc\n");
        std::fs::write(home.path.join(".ssh/config"), config)?;
        let mut access = stage.access_of(&home.path)?;
        access.identities.clear();
        access.host_keys = match case.config.contains("StrictHostKeyChecking yes") {
            // The configuration is stricter, and takes precedence.
            true => HostKeys::AcceptNew,
            false => HostKeys::Ask,
        };
        let known = std::fs::read(home.path.join(".ssh/known_hosts")).ok();
        let judged = home.judge("nfs", None).await?;
        if let Some(known) = known {
            std::fs::write(home.path.join(".ssh/known_hosts"), known)?;
        }
        let ours = Host::connect(&"nfs".parse()?, &access)
            .await
            .map(drop)
            .map_err(|error| error.to_string());
        let as_expected = match &ours {
            Ok(()) => case.words.is_empty(),
            Err(error) => !case.words.is_empty() && error.contains(case.words),
        };
        if judged.is_ok() != ours.is_ok() || !as_expected {
            wrong.push(format!("{}: ssh: {judged:?}, nfsprov: {ours:?}", case.about));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    agents(&stage, port).await?;
    certificates(&stage).await
}

async fn agents(stage: &Stage, port: u16) -> Result<()> {
    let home = Home::new(stage, port).await?;
    let with_key = agent(&home.path).await?;
    with_key.add(&stage.guest.ssh_key()).await?;
    let socket = &with_key.socket;
    home.write(stage, ".ssh/known_hosts", "{name} {key}\n")?;
    let host = "Host nfs\n HostName {ip}\n Port {port}\n User root\n BatchMode yes\n";
    let here = format!("IdentityAgent {}\n", socket.display());
    for (lines, environment, lets_in) in [
        (here.as_str(), false, true),
        ("", true, true),
        ("", false, false),
        ("IdentityAgent SSH_AUTH_SOCK\n", true, true),
        ("IdentityAgent none\n", true, false),
        ("IdentityAgent {home}/nowhere\n", true, false),
        // The agent's key is not one of the configured keys.
        ("IdentitiesOnly yes\nIdentityFile {home}/nothing\n", true, false),
    ] {
        home.write(stage, ".ssh/config", &format!("{lines}{host}"))?;
        let given = environment.then_some(socket.as_path());
        let mut access = stage.access_of(&home.path)?;
        access.identities.clear();
        access.agent = given.map(Path::to_owned);
        let ours = Host::connect(&"nfs".parse()?, &access).await.map(drop);
        let judged = home.judge("nfs", given).await?;
        ensure!(
            ours.is_ok() == lets_in && judged.is_ok() == lets_in,
            "{lines}: {judged:?}, {ours:?}"
        );
    }
    Ok(())
}

async fn certificates(stage: &Stage) -> Result<()> {
    let lines = "TrustedUserCAKeys /etc/ssh/test/users-ca.pub\nAuthorizedKeysFile none";
    let mut home = Home::new(stage, 0).await?;
    let folder = home.path.clone();
    let at = |name: &str| folder.join(name).display().to_string();
    for kind in ["ed25519", "rsa", "ecdsa"] {
        for name in [format!("ca-{kind}"), format!("key-{kind}")] {
            tool("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", &at(&name)]).await?;
        }
        let (ca, key) = (at(&format!("ca-{kind}")), at(&format!("key-{kind}.pub")));
        tool("ssh-keygen", &["-q", "-s", &ca, "-I", "test", "-n", "root", &key]).await?;
        let public = std::fs::read_to_string(format!("{ca}.pub"))?;
        stage
            .guest
            .ssh(&format!("echo '{}' >>/etc/ssh/test/users-ca.pub", public.trim()))
            .await?;
    }
    home.port = stage.sshd(&stage.guest, &["ed25519"], lines).await?;
    home.write(stage, ".ssh/known_hosts", "{name} {key}\n")?;
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let beside = at(&format!("key-{kind}-cert.pub"));
        for (elsewhere, line) in [(false, ""), (true, "CertificateFile {home}/elsewhere-cert.pub\n")] {
            if elsewhere {
                std::fs::rename(&beside, at("elsewhere-cert.pub"))?;
            }
            let host = "Host nfs\n HostName {ip}\n Port {port}\n User root\n BatchMode yes\n IdentityFile {home}/key-";
            home.write(stage, ".ssh/config", &format!("{line}{host}{kind}\n"))?;
            let mut access = stage.access_of(&home.path)?;
            access.identities.clear();
            let ours = Host::connect(&"nfs".parse()?, &access).await.map(drop);
            let judged = home.judge("nfs", None).await?;
            ensure!(ours.is_ok() && judged.is_ok(), "{kind} {line}: {judged:?}, {ours:?}");
        }
    }
    Ok(())
}

async fn new_keys_are_recorded_where_the_configuration_says(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let home = Home::new(&stage, port).await?;
    let config = "HashKnownHosts no\nHostKeyAlias Nfs.corp\nUserKnownHostsFile {home}/deep/corp {home}/second\nStrictHostKeyChecking accept-new\n";
    home.write(&stage, ".ssh/config", &format!("{config}{HOST}"))?;
    let mut access = stage.access_of(&home.path)?;
    access.identities.clear();
    access.host_keys = HostKeys::Ask;
    Host::connect(&"nfs".parse()?, &access).await?;
    let recorded = std::fs::read_to_string(home.path.join("deep/corp"))?;
    ensure!(recorded == format!("nfs.corp {}\n", home.key), "{recorded}");
    ensure!(!home.path.join(".ssh/known_hosts").exists());
    home.judge("nfs", None)
        .await?
        .map_err(anyhow::Error::msg)
        .context("ssh does not accept it")?;
    // The record has no host name. The second login, with `yes`, needs the key that the first one recorded.
    for checking in ["accept-new", "yes"] {
        let config =
            format!("HashKnownHosts yes\nUserKnownHostsFile {{home}}/hashed\nStrictHostKeyChecking {checking}\n");
        home.write(&stage, ".ssh/config", &format!("{config}{HOST}"))?;
        Host::connect(&"nfs".parse()?, &access).await?;
    }
    let recorded = std::fs::read_to_string(home.path.join("hashed"))?;
    ensure!(
        recorded.starts_with("|1|") && recorded.ends_with(&format!(" {}\n", home.key)) && recorded.lines().count() == 1,
        "{recorded}"
    );
    home.judge("nfs", None)
        .await?
        .map_err(anyhow::Error::msg)
        .context("ssh does not accept the hash")
}

async fn a_proxy_command_leads_to_the_host(stage: Arc<Stage>) -> Result<()> {
    let port = stage.sshd(&stage.guest, &["ed25519"], "").await?;
    let home = Home::new(&stage, port).await?;
    home.write(&stage, ".ssh/known_hosts", "{name} {key}\n")?;
    let second = stage.second.address().to_string();
    let through = "ProxyCommand ssh -q -F none -i {identity} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                   -W %h:%p root@";
    home.write(&stage, ".ssh/config", &format!("{through}{second}\n{HOST}"))?;
    let mut access = stage.access_of(&home.path)?;
    access.identities.clear();
    let host = Host::connect(&"nfs".parse()?, &access).await?;
    let peer = output_of(&host, "echo \"$SSH_CONNECTION\" | cut -d' ' -f1").await?;
    ensure!(peer == second, "{peer}");
    home.judge("nfs", None).await?.map_err(anyhow::Error::msg)?;
    home.write(
        &stage,
        ".ssh/config",
        &format!("ProxyCommand sh -c 'echo no way >&2; exit 1'\n{HOST}"),
    )?;
    let error = refused(Host::connect(&"nfs".parse()?, &access).await)?;
    ensure!(error.contains("its ProxyCommand says: no way"), "{error}");
    Ok(())
}
