//! Distributions: the names of NFS packages and services, and the commands of package managers (PURE).
//!
//! What differs from one to the next is data, in one table. Units are candidates: which of them a host has is asked
//! there.

use std::time::Duration;

use crate::shell::quote;

/// A family of distributions that name things alike.
#[derive(Debug, PartialEq, Eq)]
pub struct Distro {
    /// Its name in messages.
    pub name: &'static str,
    /// The `ID`s of os-release(5), without regard to capitals.
    ids: &'static [&'static str],
    /// Its package managers; the first one that the host has is used.
    managers: &'static [Manager],
    /// The package of the NFS server.
    pub server: &'static str,
    /// The package of what a host needs to mount.
    pub client: &'static str,
    /// The names that the service of rpcbind may have, the best one first.
    pub rpcbind: &'static [&'static str],
    /// The names that the service of the NFS server may have, the best one first.
    pub nfs: &'static [&'static str],
    /// Programs that limits of directories need, with their packages; most have them in packages of other names.
    tools: &'static [(&'static str, &'static str)],
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

/// The packages of the programs that limits of directories need, where a distribution's row says nothing else.
const TOOLS: &[(&str, &str)] = &[
    ("xfs_quota", "xfsprogs"),
    ("lsattr", "e2fsprogs"),
    ("chattr", "e2fsprogs"),
];

/// That of all others.
const QUOTA: &str = "quota";

const QUOTA_TOOLS: &[(&str, &str)] = &[
    ("setquota", "quota-tools"),
    ("repquota", "quota-tools"),
    ("quotaon", "quota-tools"),
];

const OF_ALPINE: &[(&str, &str)] = &[
    ("xfs_quota", "xfsprogs-extra"),
    ("lsattr", "e2fsprogs-extra"),
    ("chattr", "e2fsprogs-extra"),
    ("setquota", "quota-tools"),
    ("repquota", "quota-tools"),
    ("quotaon", "quota-tools"),
];

impl Distro {
    /// The package with one of the programs that limits of directories need; any other program is taken for one of
    /// `quota`.
    pub fn package_of(&self, program: &str) -> &'static str {
        let mut known = self.tools.iter().chain(TOOLS);
        let found = known.find(|(name, _)| *name == program);
        found.map_or(QUOTA, |(_, package)| package)
    }
}

const NFS_SYSTEMD: &[&str] = &["nfs-server", "nfs-kernel-server", "nfs", "nfsserver"];

/// A row with the names that services have under systemd, and without tools of its own.
const fn systemd_distro(
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
        rpcbind: &["rpcbind"],
        nfs: NFS_SYSTEMD,
        tools: &[],
    }
}

/// All that are known. Two rows may have the same id: the host's package manager selects one.
static DISTROS: [Distro; 8] = [
    systemd_distro(
        "Red Hat Enterprise Linux and its like",
        &["rhel", "centos", "rocky", "almalinux", "ol", "fedora", "amzn"],
        &[Manager::Dnf, Manager::Yum],
        "nfs-utils",
        "nfs-utils",
    ),
    systemd_distro(
        "Debian and its like",
        &["debian", "ubuntu"],
        &[Manager::Apt],
        "nfs-kernel-server",
        "nfs-common",
    ),
    systemd_distro(
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
    systemd_distro(
        "openEuler and its like",
        &["openeuler", "anolis", "kylin"],
        &[Manager::Dnf, Manager::Yum],
        "nfs-utils",
        "nfs-utils",
    ),
    // Its desktop edition is made of Debian packages.
    systemd_distro(
        "Kylin desktop",
        &["kylin"],
        &[Manager::Apt],
        "nfs-kernel-server",
        "nfs-common",
    ),
    Distro {
        tools: QUOTA_TOOLS,
        ..systemd_distro("Arch", &["arch"], &[Manager::Pacman], "nfs-utils", "nfs-utils")
    },
    Distro {
        name: "Alpine",
        ids: &["alpine"],
        managers: &[Manager::Apk],
        server: "nfs-utils",
        client: "nfs-utils",
        rpcbind: &["rpcbind"],
        nfs: &["nfs"],
        tools: OF_ALPINE,
    },
    // Some of openSUSE's children have no zypper in their images, but dnf.
    systemd_distro(
        "SUSE with dnf",
        &["suse", "opensuse-tumbleweed", "opensuse-microos"],
        &[Manager::Dnf],
        "nfs-kernel-server",
        "nfs-client",
    ),
];

/// The distribution of a host, and its package manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its names for packages and services.
    pub distro: &'static Distro,
    /// Its package manager, or why there is none.
    pub installer: Installer,
    /// Why this is a guess, if it is one: a sentence.
    pub guessed: Option<String>,
}

/// What installs packages on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installer {
    /// A package manager.
    Manager(Manager),
    /// Nothing that nfsprov runs: a system that is changed as a whole, and takes a restart, or an unknown one.
    Nothing {
        /// What the system is.
        system: String,
        /// What its administrator does instead, `{}` standing for the packages.
        instead: &'static str,
    },
}

impl Installer {
    /// Why nfsprov installs no packages on this system, and what to do instead; `None` if it has a package manager.
    pub fn refusal(&self, packages: &[&str]) -> Option<String> {
        match self {
            Self::Manager(_) => None,
            Self::Nothing { system, instead } => {
                Some(format!("{system} {}", instead.replace("{}", &packages.join(" "))))
            }
        }
    }
}

/// Systems whose packages are not installed one by one: by their `ID`s, or by a program that they have.
const IMMUTABLE: [(&[&str], &str, &str); 6] = [
    (
        &[
            "opensuse-microos",
            "opensuse-leap-micro",
            "sle-micro",
            "sl-micro",
            "suse-microos",
        ],
        "transactional-update",
        "has a read-only root: run transactional-update --non-interactive pkg install {}, then reboot it",
    ),
    (
        &["rhcos"],
        "rpm-ostree",
        "is updated as a whole: run rpm-ostree install --idempotent {}, then systemctl reboot",
    ),
    (
        &["flatcar"],
        "",
        "has no packages: its image has the NFS client; for {}, use a system extension (systemd-sysext), or another host",
    ),
    (
        &["nixos"],
        "nixos-rebuild",
        "is configured as a whole: set services.nfs.server.enable = true (a server) or boot.supportedFilesystems = [ \"nfs\" ] \
         (a client) in its configuration instead of {}, then run nixos-rebuild switch",
    ),
    (
        &["bottlerocket"],
        "",
        "takes no packages such as {}: choose another image for the host",
    ),
    (
        &["talos"],
        "",
        "takes no packages such as {}: its image has the NFS client; use another host as the server",
    ),
];

/// The message about an unknown system.
const UNKNOWN: &str =
    "has no package manager that nfsprov supports (dnf, yum, apt, zypper, apk, pacman); install {} on it yourself";

/// How things are called where nothing tells: as most have them.
static GENERIC: Distro = systemd_distro("an unknown distribution", &[], &[], "nfs-utils", "nfs-utils");

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
    /// Reads os-release(5): assignments as a shell would read them, the last of a name counts. An `ID` that is missing
    /// or empty is `linux`, a name `Linux`; other lines are ignored, so that any text can be read.
    pub fn parse(text: &str) -> Self {
        let value = |name: &str| {
            let mut values = text.lines().filter_map(|line| {
                let (key, value) = line.trim().split_once('=')?;
                (key == name).then(|| unquote(value.trim()))
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
fn unquote(value: &str) -> String {
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

/// The row of the table for a host, by its os-release and the names of its programs: its own, that of a distribution in
/// its ID_LIKE, each only with a package manager that the host has, or the first with its package manager. The last two
/// are guesses, which [`Choice::guessed`] explains. An immutable system, or one without a package manager of the table,
/// gets [`Installer::Nothing`], and its row by ID or ID_LIKE alone, else the generic one.
pub fn choose_distro(os_release: &OsRelease, programs: &[String]) -> Choice {
    let has = |program: &str| programs.iter().any(|found| found == program);
    let managers: Vec<Manager> = Manager::ALL
        .into_iter()
        .filter(|manager| has(manager.program()))
        .collect();
    let rows_of = |id: &str| {
        let is_row = move |row: &&'static Distro, id: &str| row.ids.iter().any(|known| known.eq_ignore_ascii_case(id));
        let id = id.to_owned();
        DISTROS.iter().filter(move |row| is_row(row, &id))
    };
    let by_id = |id: &str| {
        let managed =
            |row: &'static Distro| Some((row, row.managers.iter().find(|manager| managers.contains(manager))?));
        rows_of(id).find_map(managed)
    };
    let OsRelease { id, name, like, .. } = os_release;
    let system = format!("{name} ({id})");
    let ids = || std::iter::once(id).chain(like);
    let immutable = IMMUTABLE.iter().find(|(ids, tool, _)| {
        ids.iter().any(|known| known.eq_ignore_ascii_case(id)) || (!tool.is_empty() && has(tool))
    });
    if let Some((_, _, instead)) = immutable {
        let installer = Installer::Nothing { system, instead };
        return Choice {
            distro: ids().find_map(|id| rows_of(id).next()).unwrap_or(&GENERIC),
            installer,
            guessed: None,
        };
    }
    let choice = |(distro, manager): (&'static Distro, &Manager), guessed| Choice {
        distro,
        installer: Installer::Manager(*manager),
        guessed,
    };
    if let Some(row) = by_id(id) {
        return choice(row, None);
    }
    if let Some((like, row)) = like.iter().find_map(|like| Some((like, by_id(like)?))) {
        let why = format!(
            "{system} is not known by that name; it calls itself like {like}, so it is taken for {}",
            row.0.name
        );
        return choice(row, Some(why));
    }
    let mut rows = managers
        .iter()
        .filter_map(|manager| Some((DISTROS.iter().find(|row| row.managers.contains(manager))?, manager)));
    match rows.next() {
        Some((distro, manager)) => {
            let why = format!(
                "{system} is not known; it has {}, so it is taken for {}",
                manager.name(),
                distro.name
            );
            choice((distro, manager), Some(why))
        }
        None => Choice {
            distro: ids().find_map(|id| rows_of(id).next()).unwrap_or(&GENERIC),
            installer: Installer::Nothing {
                system,
                instead: UNKNOWN,
            },
            guessed: None,
        },
    }
}

impl Manager {
    /// All of them; where a host has several, the first is its own.
    pub const ALL: [Self; 6] = [Self::Dnf, Self::Yum, Self::Apt, Self::Zypper, Self::Apk, Self::Pacman];

    /// The package manager's name in messages.
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

    /// The program by which a host shows that it has this package manager.
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

    /// A shell script that installs packages without questions. If another program holds the package manager's lock, it
    /// tries again for up to `wait`, and prints a line every few seconds meanwhile. It fails with the package manager's
    /// status. apt's and pacman's package lists are refreshed only if they lack the packages or are missing.
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
            // Without that option both wait for another's lock for ever, and dnf says so only once.
            Self::Dnf | Self::Yum => {
                format!(
                    "patiently {} -y --setopt=exit_on_lock=1 install {packages}",
                    self.program()
                )
            }
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
            *'already locked by'*|*'holding the yum lock'*|*'obtain rpm transaction lock'*|*'create transaction lock'*) ;;
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
mod tests;
