//! Export options: those of exports(5), the meaning of a list of them, and how the options in force differ from it
//! (PURE). The main type is [`Meaning`].

use std::collections::BTreeMap;

/// An option that is one word, with what it decides about; `word` is the name that exportfs has for it today.
struct Switch {
    name: &'static str,
    word: &'static str,
    about: &'static str,
}

/// An option that exportfs lists by the same name.
const fn switch(name: &'static str, about: &'static str) -> Switch {
    Switch {
        name,
        word: name,
        about,
    }
}

/// What may differ from one security flavour to the next.
const BY_FLAVOUR: [Switch; 8] = [
    switch("ro", "access"),
    switch("rw", "access"),
    switch("secure", "ports"),
    switch("insecure", "ports"),
    switch("root_squash", "root"),
    switch("no_root_squash", "root"),
    switch("all_squash", "all"),
    switch("no_all_squash", "all"),
];

/// What holds for the whole export.
const COMMON: [Switch; 20] = [
    switch("sync", "writes"),
    switch("async", "writes"),
    switch("wdelay", "delay"),
    switch("no_wdelay", "delay"),
    switch("hide", "hiding"),
    switch("nohide", "hiding"),
    switch("crossmnt", "mounts"),
    switch("nocrossmnt", "mounts"),
    switch("subtree_check", "subtree"),
    switch("no_subtree_check", "subtree"),
    switch("secure_locks", "locks"),
    switch("insecure_locks", "locks"),
    Switch {
        name: "auth_nlm",
        word: "secure_locks",
        about: "locks",
    },
    Switch {
        name: "no_auth_nlm",
        word: "insecure_locks",
        about: "locks",
    },
    switch("acl", "acl"),
    switch("no_acl", "acl"),
    switch("pnfs", "pnfs"),
    switch("no_pnfs", "pnfs"),
    switch("nordirplus", "readdirplus"),
    switch("security_label", "label"),
];

/// Options with a value, for messages.
const WITH_VALUE: [&str; 10] = [
    "anonuid=",
    "anongid=",
    "fsid=",
    "mountpoint",
    "mp",
    "refer=",
    "replicas=",
    "sec=",
    "xprtsec=",
    "reexport=",
];

/// What holds where nothing is said in the file.
const DEFAULTS: [(&str, &str); 10] = [
    ("writes", "sync"),
    ("delay", "wdelay"),
    ("hiding", "hide"),
    ("mounts", "nocrossmnt"),
    ("subtree", "no_subtree_check"),
    ("locks", "secure_locks"),
    ("acl", "acl"),
    ("pnfs", "no_pnfs"),
    ("anonuid", "anonuid=65534"),
    ("anongid", "anongid=65534"),
];

const DEFAULTS_BY_FLAVOUR: [(&str, &str); 4] = [
    ("access", "ro"),
    ("ports", "secure"),
    ("root", "root_squash"),
    ("all", "no_all_squash"),
];

/// The security flavours, with the one name that is listed for each.
const FLAVOURS: [(&str, &str); 7] = [
    ("sys", "sys"),
    ("unix", "sys"),
    ("krb5", "krb5"),
    ("krb5i", "krb5i"),
    ("krb5p", "krb5p"),
    ("none", "none"),
    ("null", "none"),
];

type Settings = BTreeMap<&'static str, String>;

/// What a list of options comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    common: Settings,
    /// Each flavour, in order, with what holds for it.
    flavours: Vec<(&'static str, Settings)>,
    /// What two options say about the same thing, between one `sec=` and the next: the earlier, the later, and where
    /// the later begins, in bytes.
    contradiction: Option<(String, String, usize)>,
}

/// Where an option begins that can't be, in bytes, and what is wrong with it.
type Wrong = (usize, String);

impl Meaning {
    /// The meaning of a list in a file of exports: an option that is missing has exportfs's default, and of two that
    /// contradict each other the later counts, which is no error: see [`Self::contradiction`].
    ///
    /// # Errors
    /// The offset in bytes of the first option that exportfs refuses, and why.
    pub fn in_file(options: &str) -> Result<Self, Wrong> {
        let own =
            |rows: &[(&'static str, &str)]| rows.iter().map(|(about, word)| (*about, (*word).to_owned())).collect();
        Self::read(options, own(&DEFAULTS), own(&DEFAULTS_BY_FLAVOUR), true)
    }

    /// The meaning of a list that exportfs prints: it prints all options in force, except a few that have the value
    /// from before nfs-utils 1.1, and those that the kernel doesn't keep for each flavour. Unknown options of a later
    /// exportfs are ignored.
    pub fn in_listing(options: &str) -> Self {
        let mut common: Settings = DEFAULTS
            .iter()
            .map(|(about, word)| (*about, (*word).to_owned()))
            .collect();
        common.insert("subtree", "subtree_check".to_owned());
        // Nothing is an error here.
        Self::read(options, common, Settings::new(), false).unwrap_or_else(|_| Self {
            common: Settings::new(),
            flavours: Vec::new(),
            contradiction: None,
        })
    }

    /// Reads a list that starts from the settings `common` and `by_flavour`, and notes the first contradiction in it.
    /// An unknown option or a wrong value is an error if `strictly` is set, and ignored otherwise.
    fn read(options: &str, common: Settings, mut by_flavour: Settings, strictly: bool) -> Result<Self, Wrong> {
        let mut meaning = Self {
            common,
            flavours: Vec::new(),
            contradiction: None,
        };
        // The flavours of the last `sec=`, and what was said since.
        let mut active: Vec<&'static str> = Vec::new();
        let mut said: BTreeMap<&'static str, String> = BTreeMap::new();
        let mut at = 0;
        while at < options.len() {
            at += options[at..].len() - options[at..].trim_start_matches([' ', '\t']).len();
            let rest = &options[at..];
            if rest.is_empty() {
                break;
            }
            let length = rest.find(',').unwrap_or(rest.len());
            let option = &rest[..length];
            let own = BY_FLAVOUR.iter().find(|switch| switch.name == option);
            let common = COMMON.iter().find(|switch| switch.name == option);
            let mut set = |about: &'static str, word: String| {
                if let Some(earlier) = said.insert(about, word.clone())
                    && earlier != word
                    && meaning.contradiction.is_none()
                {
                    meaning.contradiction = Some((earlier, word, at));
                }
            };
            if let Some(switch) = own {
                set(switch.about, switch.word.to_owned());
                by_flavour.insert(switch.about, switch.word.to_owned());
                for (_, settings) in meaning.flavours.iter_mut().filter(|(name, _)| active.contains(name)) {
                    settings.insert(switch.about, switch.word.to_owned());
                }
            } else if let Some(switch) = common {
                set(switch.about, switch.word.to_owned());
                meaning.common.insert(switch.about, switch.word.to_owned());
            } else if let Some(names) = option.strip_prefix("sec=") {
                active.clear();
                said.clear();
                for name in names.split(':') {
                    match FLAVOURS.iter().find(|(known, _)| *known == name) {
                        Some((_, flavour)) => {
                            active.push(flavour);
                            if !meaning.flavours.iter().any(|(known, _)| known == flavour) {
                                meaning.flavours.push((flavour, by_flavour.clone()));
                            }
                        }
                        None if strictly => return Err((at, format!("no security flavour is called {name:?}"))),
                        None => {}
                    }
                }
            } else {
                match parse_valued_option(option) {
                    Ok(Some((about, word))) => {
                        set(about, word.clone());
                        meaning.common.insert(about, word);
                    }
                    Ok(None) => {}
                    Err(why) if strictly => return Err((at, why)),
                    Err(_) => {}
                }
            }
            at += length + 1;
        }
        if meaning.flavours.is_empty() {
            meaning.flavours.push(("sys", by_flavour));
        }
        Ok(meaning)
    }

    /// The first two options that say different things about the same: the earlier, the later, and where the later
    /// begins, in bytes. `None` if no two do.
    pub fn contradiction(&self) -> Option<&(String, String, usize)> {
        self.contradiction.as_ref()
    }

    /// Whether it makes the directory the root of what NFSv4 clients see, by `fsid=0` or `fsid=root`.
    pub fn is_nfs4_root(&self) -> bool {
        self.common.get("fsid").is_some_and(|fsid| fsid == "fsid=0")
    }

    /// Whether root of the clients becomes a user without rights of its own, with each security flavour; false where
    /// nothing is said of it. nfsd keeps CAP_SYS_RESOURCE for uid 0, however it came about.
    pub fn squashes_root(&self) -> bool {
        let maps_root = |settings: &Settings| {
            let has = |about: &str, word: &str| settings.get(about).is_some_and(|found| found == word);
            has("root", "root_squash") || has("all", "all_squash")
        };
        let maps_to_root = self.common.get("anonuid").is_some_and(|anonuid| anonuid == "anonuid=0");
        !maps_to_root && self.flavours.iter().all(|(_, settings)| maps_root(settings))
    }

    /// How the options in force, `listed` by [`Self::in_listing`], differ from these of a file: a clause each, none if
    /// they agree. Settings of a flavour that the listing lacks are not compared.
    pub fn differences(&self, listed: &Self) -> Vec<String> {
        let instead = |wanted: &str, found: &str| format!("{found} is in force instead of {wanted}");
        let mut differences = Vec::new();
        for (about, wanted) in &self.common {
            match listed.common.get(about) {
                Some(found) if found == wanted => {}
                Some(found) => differences.push(instead(wanted, found)),
                None => differences.push(format!("{wanted} is not in force")),
            }
        }
        for (about, found) in &listed.common {
            if !self.common.contains_key(about) {
                differences.push(format!("{found} is in force, which was not requested"));
            }
        }
        for (flavour, settings) in &self.flavours {
            let Some((_, found)) = listed.flavours.iter().find(|(name, _)| name == flavour) else {
                differences.push(format!("sec={flavour} is not in force"));
                continue;
            };
            for (about, wanted) in settings {
                if let Some(found) = found.get(about).filter(|found| *found != wanted) {
                    differences.push(instead(wanted, found));
                }
            }
        }
        for (flavour, _) in &listed.flavours {
            if !self.flavours.iter().any(|(name, _)| name == flavour) {
                differences.push(format!("sec={flavour} is in force, which was not requested"));
            }
        }
        differences
    }
}

/// Reads an option with a value: the setting's name, and the option as exportfs lists it. `None` for `squash_uids` and
/// `squash_gids`, which Linux ignores. The error says what is wrong with the value, or that there is no such option.
fn parse_valued_option(option: &str) -> Result<Option<(&'static str, String)>, String> {
    let (name, value) = match option.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (option, None),
    };
    let about = match (name, value) {
        ("mountpoint" | "mp", _) => "mountpoint",
        ("anonuid", Some(_)) => "anonuid",
        ("anongid", Some(_)) => "anongid",
        ("fsid", Some(_)) => "fsid",
        ("refer", Some(_)) => "refer",
        ("replicas", Some(_)) => "replicas",
        ("xprtsec", Some(_)) => "xprtsec",
        ("reexport", Some(_)) => "reexport",
        // Of no effect since Linux 2.0, and read nevertheless; the commas in their lists are not worth following.
        ("squash_uids" | "squash_gids", Some(_)) => return Ok(None),
        _ => return Err(describe_unknown_option(option)),
    };
    let value = match (about, value.unwrap_or_default()) {
        ("anonuid" | "anongid", id) => parse_id(id).ok_or_else(|| format!("{name} is a number, not {id:?}"))?,
        ("fsid", "root") => "0".to_owned(),
        ("fsid", id) => match (parse_number(id), id.bytes().filter(u8::is_ascii_hexdigit).count()) {
            (Some(number), _) => number.to_string(),
            (None, 32) => id.to_owned(),
            _ => return Err(format!("fsid is a number, root or a UUID, not {id:?}")),
        },
        ("mountpoint", "") if value.is_none() => return Ok(Some((about, about.to_owned()))),
        ("xprtsec", modes) => match modes.split(':').find(|mode| !["none", "tls", "mtls"].contains(mode)) {
            Some(mode) => return Err(format!("xprtsec is none, tls or mtls, not {mode:?}")),
            None => modes.to_owned(),
        },
        ("reexport", kind) if !["auto-fsidnum", "predefined-fsidnum"].contains(&kind) => {
            return Err(format!("reexport is auto-fsidnum or predefined-fsidnum, not {kind:?}"));
        }
        (_, value) => value.to_owned(),
    };
    Ok(Some((about, format!("{about}={value}"))))
}

/// The error about an option that exports(5) lacks; it lists those that it has. An empty one stands between two commas.
fn describe_unknown_option(option: &str) -> String {
    if option.is_empty() {
        return "there is no option between two commas".to_owned();
    }
    let one = BY_FLAVOUR.iter().chain(&COMMON).map(|switch| switch.name);
    let all: Vec<&str> = one.chain(WITH_VALUE).collect();
    format!("exports(5) has no option {option:?}; it has {}", all.join(" "))
}

/// A user's or group's number as an unsigned one, which exportfs may print with a sign.
fn parse_id(text: &str) -> Option<String> {
    let id: i64 = text.parse().ok()?;
    let id = u32::try_from(id).or_else(|_| i32::try_from(id).map(i32::cast_unsigned));
    id.ok().map(|id| id.to_string())
}

/// A decimal, octal (`0…`) or hexadecimal (`0x…`) number, as strtoul(3) reads it with base 0.
fn parse_number(text: &str) -> Option<u32> {
    match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(hex), _) => u32::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u32::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_held_against_what_was_meant() {
        let plain = "sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash,no_all_squash";
        for (wanted, listed, differences) in [
            ("rw,sync,no_subtree_check,no_root_squash", plain, &[][..]),
            ("rw,no_root_squash,no_all_squash,sync", plain, &[]),
            (
                "rw,no_root_squash,insecure",
                plain,
                &["secure is in force instead of insecure"],
            ),
            // Where the kernel has no NFS server, ports are not listed.
            (
                "rw,insecure,no_root_squash",
                "sync,wdelay,hide,no_subtree_check,sec=sys,rw,no_root_squash,no_all_squash",
                &[],
            ),
            ("ro,no_root_squash", plain, &["rw is in force instead of ro"]),
            (
                "rw,no_root_squash,subtree_check",
                plain,
                &["no_subtree_check is in force instead of subtree_check"],
            ),
            (
                "rw,no_root_squash",
                &plain.replace("no_subtree_check,", ""),
                &["subtree_check is in force instead of no_subtree_check"],
            ),
            (
                "rw,no_root_squash,fsid=root,mp",
                "sync,wdelay,hide,no_subtree_check,fsid=0,mountpoint,sec=sys,rw,no_root_squash,no_all_squash",
                &[],
            ),
            (
                "rw,no_root_squash,anonuid=4294967294",
                "sync,wdelay,hide,no_subtree_check,anonuid=-2,sec=sys,rw,no_root_squash,no_all_squash",
                &[],
            ),
            (
                "rw,no_root_squash,anonuid=5",
                plain,
                &["anonuid=65534 is in force instead of anonuid=5"],
            ),
            ("rw,no_root_squash,fsid=7", plain, &["fsid=7 is not in force"]),
            (
                "rw,no_root_squash",
                "sync,wdelay,hide,no_subtree_check,fsid=7,sec=sys,rw,no_root_squash,no_all_squash",
                &["fsid=7 is in force, which was not requested"],
            ),
            (
                "sec=krb5:krb5p,rw,sec=unix,ro",
                "sync,wdelay,hide,no_subtree_check,sec=krb5:krb5p,rw,secure,root_squash,no_all_squash,sec=sys,ro,secure,root_squash,no_all_squash",
                &[],
            ),
            (
                "sec=krb5,rw,no_root_squash",
                plain,
                &[
                    "sec=krb5 is not in force",
                    "sec=sys is in force, which was not requested",
                ],
            ),
            (
                "rw,no_auth_nlm,no_root_squash",
                "sync,wdelay,hide,no_subtree_check,insecure_locks,shiny_new,sec=sys,rw,secure,no_root_squash,no_all_squash",
                &[],
            ),
        ] {
            let found = Meaning::in_file(wanted)
                .unwrap()
                .differences(&Meaning::in_listing(listed));
            assert_eq!(found, differences, "{wanted} against {listed}");
        }
    }

    #[test]
    fn contradictions_are_seen_within_one_flavour() {
        for (options, contradiction) in [
            ("rw,sync,ro", Some(("rw", "ro", 8))),
            ("rw,rw", None),
            ("ro,sec=krb5,rw", None),
            ("secure_locks,no_auth_nlm", Some(("secure_locks", "insecure_locks", 13))),
            ("anonuid=1,anonuid=2", Some(("anonuid=1", "anonuid=2", 10))),
        ] {
            let meaning = Meaning::in_file(options).unwrap();
            let found = meaning.contradiction().map(|(a, b, at)| (a.as_str(), b.as_str(), *at));
            assert_eq!(found, contradiction, "{options}");
        }
    }
}
