//! Distributions: what they call NFS's packages and units, and how their package managers are spoken to (PURE).
//!
//! What differs from one to the next is data, in one table. Units are candidates: which of them a host has is asked
//! there.

use std::time::Duration;

use super::script::quote;

/// A family of distributions that name things alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Distro {
    /// What people call it.
    pub name: &'static str,
    /// The `ID`s of os-release(5), without regard to capitals.
    ids: &'static [&'static str],
    /// What installs packages there; the first that is found.
    managers: &'static [Manager],
    /// The package of the NFS server.
    pub server: &'static str,
    /// The package of what a host needs to mount.
    pub client: &'static str,
    /// What starts services.
    pub init: Init,
    /// What the portmapper's service may be called. It comes first.
    pub rpcbind: &'static [&'static str],
    /// What the NFS server's service may be called, the best name first.
    pub nfs: &'static [&'static str],
    /// What a host that only mounts may want running.
    pub mounting: &'static [&'static str],
}

/// What starts services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// systemd, by systemctl.
    Systemd,
    /// OpenRC, by rc-service and rc-update.
    OpenRc,
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Debian's, with dpkg below.
    Apt,
    /// Of newer distributions with RPM packages.
    Dnf,
    /// Of older ones.
    Yum,
    /// SUSE's, with RPM packages, too.
    Zypper,
    /// Alpine's.
    Apk,
    /// Arch's.
    Pacman,
}

const NFS_SYSTEMD: &[&str] = &["nfs-server", "nfs-kernel-server", "nfs", "nfsserver"];
const CLIENT_SYSTEMD: &[&str] = &["nfs-client.target"];

const fn systemd(
    name: &'static str,
    ids: &'static [&'static str],
    managers: &'static [Manager],
    server: &'static str,
    client: &'static str,
) -> Distro {
    Distro {
        name,
        ids,
        managers,
        server,
        client,
        init: Init::Systemd,
        rpcbind: &["rpcbind"],
        nfs: NFS_SYSTEMD,
        mounting: CLIENT_SYSTEMD,
    }
}

/// All that are known. An id may stand in two rows, told apart by the package manager that is there.
static DISTROS: [Distro; 8] = [
    systemd(
        "Red Hat Enterprise Linux and its like",
        &["rhel", "centos", "rocky", "almalinux", "ol", "fedora", "amzn"],
        &[Manager::Dnf, Manager::Yum],
        "nfs-utils",
        "nfs-utils",
    ),
    systemd(
        "Debian and its like",
        &["debian", "ubuntu"],
        &[Manager::Apt],
        "nfs-kernel-server",
        "nfs-common",
    ),
    systemd(
        "SUSE",
        &[
            "sles",
            "sled",
            "suse",
            "opensuse",
            "opensuse-leap",
            "opensuse-tumbleweed",
            "sle_hpc",
            "sles_sap",
        ],
        &[Manager::Zypper],
        "nfs-kernel-server",
        "nfs-client",
    ),
    systemd(
        "openEuler and its like",
        &["openeuler", "anolis", "kylin"],
        &[Manager::Dnf, Manager::Yum],
        "nfs-utils",
        "nfs-utils",
    ),
    // Its desktop edition is made of Debian packages.
    systemd(
        "Kylin desktop",
        &["kylin"],
        &[Manager::Apt],
        "nfs-kernel-server",
        "nfs-common",
    ),
    systemd("Arch", &["arch"], &[Manager::Pacman], "nfs-utils", "nfs-utils"),
    Distro {
        name: "Alpine",
        ids: &["alpine"],
        managers: &[Manager::Apk],
        server: "nfs-utils",
        client: "nfs-utils",
        init: Init::OpenRc,
        rpcbind: &["rpcbind"],
        nfs: &["nfs"],
        mounting: &["rpc.statd"],
    },
    // Some of openSUSE's children have no zypper in their images, but dnf.
    systemd(
        "SUSE with dnf",
        &["suse", "opensuse-tumbleweed", "opensuse-microos"],
        &[Manager::Dnf],
        "nfs-kernel-server",
        "nfs-client",
    ),
];

/// A distribution and the package manager that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What things are called.
    pub distro: &'static Distro,
    /// What installs packages.
    pub manager: Manager,
    /// Why this is a guess, if it is one: a sentence.
    pub guessed: Option<String>,
}

/// Nothing known fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{system} has no package manager that nfsprov knows ({}); install the NFS packages there yourself",
    known()
)]
pub struct UnknownDistro {
    system: String,
}

fn known() -> String {
    Manager::ALL.map(Manager::name).join(", ")
}

/// What a host's os-release says of it. Where there is no such file, that of an empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `ID_LIKE`, the closest first.
    pub like: Vec<String>,
    /// `VERSION_ID`, such as `12`; may be empty.
    pub version: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
}

impl OsRelease {
    /// Reads os-release(5): assignments as a shell would read them, the last of a name counts.
    pub fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let mut values = text.lines().filter_map(|line| {
                let (key, value) = line.trim().split_once('=')?;
                (key == name).then(|| unquoted(value.trim()))
            });
            values.next_back().filter(|value| !value.is_empty())
        };
        // The two defaults are those of the format.
        let id = value("ID").unwrap_or_else(|| "linux".to_owned());
        let like = value("ID_LIKE").unwrap_or_default();
        Self {
            name: value("PRETTY_NAME")
                .or_else(|| value("NAME"))
                .unwrap_or_else(|| "Linux".to_owned()),
            like: like.split_whitespace().map(str::to_owned).collect(),
            version: value("VERSION_ID").unwrap_or_default(),
            id,
        }
    }
}

/// A value without its quotation marks and escapes.
fn unquoted(value: &str) -> String {
    let inner = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
    if let Some(inner) = inner('\'') {
        return inner.to_owned();
    }
    let mut rest = inner('"').unwrap_or(value).chars();
    let mut plain = String::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => plain.extend(rest.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// What a host is, by its os-release and the package managers it has: its own row, that of a distribution it says it is
/// like, or the one whose package manager it has.
///
/// # Errors
/// [`UnknownDistro`] if it has none of the package managers.
pub fn of(os_release: &OsRelease, managers: &[Manager]) -> Result<Choice, UnknownDistro> {
    let by_id = |id: &str| {
        let rows = DISTROS
            .iter()
            .filter(|row| row.ids.iter().any(|known| known.eq_ignore_ascii_case(id)));
        rows.filter_map(|row| Some((row, row.managers.iter().find(|manager| managers.contains(manager))?)))
            .next()
    };
    let choice = |(distro, manager): (&'static Distro, &Manager), guessed| Choice {
        distro,
        manager: *manager,
        guessed,
    };
    let OsRelease { id, name, .. } = os_release;
    if let Some(row) = by_id(id) {
        return Ok(choice(row, None));
    }
    if let Some((like, row)) = os_release.like.iter().find_map(|like| Some((like, by_id(like)?))) {
        let why = format!(
            "{name} ({id}) is not known by that name; it says that it is like {like}, so it is taken for {}",
            row.0.name
        );
        return Ok(choice(row, Some(why)));
    }
    let found = Manager::ALL.into_iter().filter(|manager| managers.contains(manager));
    let mut rows =
        found.filter_map(|manager| Some((DISTROS.iter().find(|row| row.managers.contains(&manager))?, manager)));
    match rows.next() {
        Some((distro, manager)) => Ok(Choice {
            distro,
            manager,
            guessed: Some(format!(
                "{name} ({id}) is not known; it has {}, so it is taken for {}",
                manager.name(),
                distro.name
            )),
        }),
        None => Err(UnknownDistro {
            system: format!("{name} ({id})"),
        }),
    }
}

impl Manager {
    /// All of them; where a host has several, the first is its own.
    pub const ALL: [Self; 6] = [Self::Dnf, Self::Yum, Self::Apt, Self::Zypper, Self::Apk, Self::Pacman];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Apt => "apt",
            Self::Dnf => "dnf",
            Self::Yum => "yum",
            Self::Zypper => "zypper",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
        }
    }

    /// The program that tells that it is there.
    pub fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            other => other.name(),
        }
    }

    /// A shell script whose status is 0 if a package is installed.
    pub fn query(self, package: &str) -> String {
        let package = quote(package);
        match self {
            // A package that was removed may have left its configuration, which is a state of its own.
            Self::Apt => {
                format!("dpkg-query -W -f '${{db:Status-Status}}\\n' {package} 2>/dev/null | grep -qx installed")
            }
            Self::Dnf | Self::Yum | Self::Zypper => format!("rpm -q --quiet {package} >/dev/null 2>&1"),
            Self::Apk => format!("apk info -e {package} >/dev/null 2>&1"),
            Self::Pacman => format!("pacman -Q {package} >/dev/null 2>&1"),
        }
    }

    /// A shell script that installs packages and asks nothing. Another who installs at the time is waited for, up to
    /// `wait`; the waiting says a word every few seconds.
    pub fn install(self, packages: &[&str], wait: Duration) -> String {
        let packages: Vec<String> = packages.iter().map(|package| quote(package)).collect();
        let packages = packages.join(" ");
        let seconds = wait.as_secs();
        let script = match self {
            Self::Apt => {
                let lists = "for package in \"$@\"; do\n\
                             apt-cache policy -- \"$package\" | grep -q 'Candidate: [^(]' || stale=yes\ndone\n\
                             if [ -n \"$stale\" ]; then patiently apt-get -q update || exit; fi";
                let install = "patiently apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confdef \
                               -o Dpkg::Options::=--force-confold install -- \"$@\"";
                format!(
                    "export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_SUSPEND=1 \
                     UCF_FORCE_CONFFOLD=1\nset -- {packages}\nstale=\n{lists}\n{install} && exit\nstatus=$?\n\
                     # What the lists name may be gone from the mirror.\n\
                     case $said in *'apt-get update'*) ;; *) exit $status ;; esac\n\
                     patiently apt-get -q update && {install}"
                )
            }
            Self::Dnf => format!("patiently dnf -y install {packages}"),
            Self::Yum => format!("patiently yum -y install {packages}"),
            Self::Zypper => format!("patiently zypper --non-interactive install --no-recommends {packages}"),
            Self::Apk => format!("patiently apk add --no-progress --update-cache {packages}"),
            Self::Pacman => format!(
                "ls /var/lib/pacman/sync/*.db >/dev/null 2>&1 || patiently pacman -Sy --noconfirm || exit\n\
                 patiently pacman -S --needed --noconfirm {packages}"
            ),
        };
        format!("limit={seconds}\n{PATIENTLY}\n{script}")
    }
}

/// Runs a command again while it fails for another's lock, up to `$limit` seconds in all; what it says on its standard
/// error is passed on at its end, and left in `$said`.
const PATIENTLY: &str = "started=$(date +%s)
patiently() {
    while :; do
        { said=$(\"$@\" 2>&1 >&3 3>&-); status=$?; } 3>&1
        if [ $status -eq 0 ]; then
            [ -z \"$said\" ] || printf '%s\\n' \"$said\" >&2
            return 0
        fi
        case $said in
            *[Cc]'ould not get lock'*|*'nable to acquire the dpkg frontend lock'*|*'nable to lock'*|*'is locked by'*) ;;
            *) printf '%s\\n' \"$said\" >&2; return $status ;;
        esac
        waited=$(( $(date +%s) - started ))
        if [ $waited -ge $limit ]; then
            printf '%s\\nanother program has held the lock for %s s\\n' \"$said\" $waited >&2
            return $status
        fi
        echo \"waiting for another program's lock: $said\" | head -n 1
        sleep 2
    done
}";

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// The lines of an os-release that matter, what the host has, and what it is taken for.
    #[test]
    fn distributions_are_known_by_their_os_release() {
        use Manager::{Apk, Apt, Dnf, Pacman, Yum, Zypper};
        for (text, managers, manager, server, client, init) in [
            (
                "NAME=\"CentOS Linux\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"7\"\n",
                &[Yum][..],
                Yum,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"9.4\"\n",
                &[Dnf, Yum],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
                &[Dnf, Yum],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n",
                &[Dnf],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"ol\"\nID_LIKE=\"fedora\"\n",
                &[Dnf],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=fedora\nVERSION_ID=42\n",
                &[Dnf],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"amzn\"\nID_LIKE=\"centos rhel fedora\"\nVERSION_ID=\"2\"\n",
                &[Yum],
                Yum,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "NAME=\"openEuler\"\nID=\"openEuler\"\nVERSION_ID=\"22.03\"\n",
                &[Dnf, Yum],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"anolis\"\nID_LIKE=\"rhel fedora centos\"\n",
                &[Dnf],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=\"kylin\"\nVERSION_ID=\"V10\"\n",
                &[Dnf],
                Dnf,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
            (
                "ID=kylin\nID_LIKE=debian\nVERSION_ID=\"v10\"\n",
                &[Apt],
                Apt,
                "nfs-kernel-server",
                "nfs-common",
                Init::Systemd,
            ),
            (
                "ID=debian\nVERSION_ID=\"12\"\n",
                &[Apt],
                Apt,
                "nfs-kernel-server",
                "nfs-common",
                Init::Systemd,
            ),
            (
                "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n",
                &[Apt],
                Apt,
                "nfs-kernel-server",
                "nfs-common",
                Init::Systemd,
            ),
            (
                "ID=\"sles\"\nID_LIKE=\"suse\"\n",
                &[Zypper],
                Zypper,
                "nfs-kernel-server",
                "nfs-client",
                Init::Systemd,
            ),
            (
                "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n",
                &[Zypper],
                Zypper,
                "nfs-kernel-server",
                "nfs-client",
                Init::Systemd,
            ),
            (
                "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n",
                &[Dnf, Zypper],
                Zypper,
                "nfs-kernel-server",
                "nfs-client",
                Init::Systemd,
            ),
            (
                "ID=alpine\nVERSION_ID=3.20.0\n",
                &[Apk],
                Apk,
                "nfs-utils",
                "nfs-utils",
                Init::OpenRc,
            ),
            (
                "ID=arch\nBUILD_ID=rolling\n",
                &[Pacman],
                Pacman,
                "nfs-utils",
                "nfs-utils",
                Init::Systemd,
            ),
        ] {
            let choice = of(&OsRelease::parse(text), managers).unwrap();
            assert_eq!(choice.guessed, None, "{text}");
            let found = (
                choice.manager,
                choice.distro.server,
                choice.distro.client,
                choice.distro.init,
            );
            assert_eq!(found, (manager, server, client, init), "{text}");
            assert_eq!(choice.distro.rpcbind, ["rpcbind"], "{text}");
        }
    }

    #[test]
    fn a_guess_is_said_to_be_one() {
        for (text, managers, server, guess) in [
            (
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nPRETTY_NAME=\"Linux Mint 22\"\n",
                &[Manager::Apt][..],
                "nfs-kernel-server",
                "Linux Mint 22 (linuxmint) is not known by that name; it says that it is like ubuntu, so it is taken for Debian and its like",
            ),
            (
                "ID=bigcloud\nPRETTY_NAME='BigCloud'\n",
                &[Manager::Yum, Manager::Dnf],
                "nfs-utils",
                "BigCloud (bigcloud) is not known; it has dnf, so it is taken for Red Hat Enterprise Linux and its like",
            ),
            (
                "",
                &[Manager::Zypper],
                "nfs-kernel-server",
                "Linux (linux) is not known; it has zypper, so it is taken for SUSE",
            ),
            // Its name alone installs nothing.
            (
                "ID=debian\n",
                &[Manager::Apk],
                "nfs-utils",
                "Linux (debian) is not known; it has apk, so it is taken for Alpine",
            ),
        ] {
            let choice = of(&OsRelease::parse(text), managers).unwrap();
            assert_eq!((choice.distro.server, choice.guessed.as_deref()), (server, Some(guess)));
        }
        let error = of(&OsRelease::parse("ID=nixos\nPRETTY_NAME=NixOS"), &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("NixOS (nixos) has no package manager that nfsprov knows (dnf, yum, apt,"),
            "{error}"
        );
    }

    #[test]
    fn os_release_is_read_as_a_shell_would() {
        let text = "# ID=comment\n\nID=one\n ID='two'\nPRETTY_NAME=\"A \\\"B\\\" \\$C\"\nID_LIKE=\nVERSION_ID=\"V10\"\nodd line\n";
        assert_eq!(
            OsRelease::parse(text),
            OsRelease {
                id: "two".into(),
                like: vec![],
                version: "V10".into(),
                name: "A \"B\" $C".into()
            }
        );
        let nothing = OsRelease::parse("");
        assert_eq!((nothing.id.as_str(), nothing.name.as_str()), ("linux", "Linux"));
    }

    /// Runs a script with stand-ins for programs, each a name and the shell script that it is.
    fn sh(stand_ins: &[(&str, &str)], script: &str) -> (i32, String, String) {
        let folder = tempfile::tempdir().unwrap();
        for (name, body) in stand_ins {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(script)
            .stdin(Stdio::null())
            .env("HERE", folder.path());
        let path = std::env::var("PATH").unwrap();
        let output = command
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap_or(-1),
            text(output.stdout),
            text(output.stderr),
        )
    }

    const KNOWN: (&str, &str) = ("apt-cache", "echo '  Candidate: 1:2.6.2'");
    const SLEEP: (&str, &str) = ("sleep", "");

    #[test]
    fn what_is_installed_is_asked() {
        let dpkg = "case $4 in nfs-common) echo installed ;; gone) echo config-files ;; *) exit 1 ;; esac";
        for (package, status) in [("nfs-common", 0), ("gone", 1), ("never", 1), ("it's", 1)] {
            assert_eq!(
                sh(&[("dpkg-query", dpkg)], &Manager::Apt.query(package)).0,
                status,
                "{package}"
            );
        }
        for (manager, program, arguments) in [
            (Manager::Dnf, "rpm", "-q --quiet nfs-utils"),
            (Manager::Yum, "rpm", "-q --quiet nfs-utils"),
            (Manager::Zypper, "rpm", "-q --quiet nfs-utils"),
            (Manager::Apk, "apk", "info -e nfs-utils"),
            (Manager::Pacman, "pacman", "-Q nfs-utils"),
        ] {
            let stand_in = format!("[ \"$*\" = '{arguments}' ]");
            assert_eq!(
                sh(&[(program, &stand_in)], &manager.query("nfs-utils")).0,
                0,
                "{manager:?}"
            );
            assert_eq!(sh(&[(program, &stand_in)], &manager.query("other")).0, 1, "{manager:?}");
        }
    }

    #[test]
    fn packages_are_installed_and_nothing_is_asked() {
        for (manager, parts) in [
            (
                Manager::Apt,
                &["-y --no-install-recommends", "install -- one two; noninteractive"][..],
            ),
            (Manager::Dnf, &["-y install one two"]),
            (Manager::Yum, &["-y install one two"]),
            (Manager::Zypper, &["--non-interactive install --no-recommends one two"]),
            (Manager::Apk, &["add --no-progress --update-cache one two"]),
            (Manager::Pacman, &["-S --needed --noconfirm one two"]),
        ] {
            let echo = (manager.program(), "echo \"$*; $DEBIAN_FRONTEND\"");
            let script = manager.install(&["one", "two"], Duration::from_secs(5));
            let (status, stdout, stderr) = sh(&[KNOWN, ("ls", ""), echo], &script);
            assert_eq!(
                (status, stderr.as_str(), stdout.lines().count()),
                (0, "", 1),
                "{manager:?}: {stdout}"
            );
            assert!(parts.iter().all(|part| stdout.contains(part)), "{stdout}");
        }
    }

    #[test]
    fn lists_are_fetched_only_where_they_are_wanting() {
        let script = Manager::Apt.install(&["nfs-common"], Duration::from_secs(5));
        let get = ("apt-get", "case $* in *update*) echo update ;; *) echo install ;; esac");
        for (known, said) in [
            (KNOWN.1, "install\n"),
            ("", "update\ninstall\n"),
            ("echo '  Candidate: (none)'", "update\ninstall\n"),
        ] {
            assert_eq!(sh(&[("apt-cache", known), get], &script).1, said, "{known}");
        }
        // Names that the mirror has no more.
        let gone = "case $* in *update*) echo update; : >\"$HERE/fresh\"; exit ;; esac
                    [ -e \"$HERE/fresh\" ] && echo install && exit
                    echo 'E: Unable to fetch some archives, maybe run apt-get update' >&2; exit 100";
        let (status, stdout, _) = sh(&[KNOWN, ("apt-get", gone)], &script);
        assert_eq!((status, stdout.as_str()), (0, "update\ninstall\n"));
    }

    #[test]
    fn anothers_lock_is_waited_for_and_not_for_ever() {
        let script = |wait| Manager::Apt.install(&["nfs-common"], Duration::from_secs(wait));
        let held =
            "echo 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)' >&2; exit 100";
        let (status, stdout, stderr) = sh(&[KNOWN, SLEEP, ("apt-get", held)], &script(0));
        assert_eq!((status, stdout.as_str()), (100, ""));
        assert!(
            stderr.contains("held by process 7") && stderr.contains("held the lock for"),
            "{stderr}"
        );
        let free = "[ -e \"$HERE/seen\" ] && echo done && exit
                    : >\"$HERE/seen\"; echo 'E: Could not get lock' >&2; exit 100";
        let (status, stdout, stderr) = sh(&[KNOWN, SLEEP, ("apt-get", free)], &script(60));
        assert_eq!((status, stderr.as_str()), (0, ""));
        assert_eq!(
            stdout,
            "waiting for another program's lock: E: Could not get lock\ndone\n"
        );
        // Any other trouble is told at once.
        let broken = "echo 'E: dpkg was interrupted' >&2; exit 100";
        let (status, _, stderr) = sh(&[KNOWN, SLEEP, ("apt-get", broken)], &script(60));
        assert_eq!((status, stderr.as_str()), (100, "E: dpkg was interrupted\n"));
    }
}
