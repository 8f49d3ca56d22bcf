//! What events and logs say, by the texts of Kubernetes 1.20 to current ones, mount.nfs and the provisioners (PURE).
//!
//! Patterns match parts of messages, never whole ones: these differ between versions.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Where a pattern is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Events about pods on their way to a node.
    Scheduling,
    /// Events about mounting a pod's volumes.
    Mount,
    /// `ProvisioningFailed` of a claim.
    Provisioning,
    /// Events about StatefulSets and ReplicaSets.
    Creation,
    /// Events about PVs.
    Volume,
    /// Logs of provisioners.
    Log,
}

/// A pattern, where it stands, and what it means.
struct Pattern {
    code: &'static str,
    place: Place,
    regex: Regex,
}

/// Order matters where one text holds two: the cause stands above what follows from it.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    use Place::{Creation, Log, Mount, Provisioning, Scheduling, Volume};
    let rows = [
        (
            "NFS117",
            Scheduling,
            r#"pvc\(s\) bound to non-existent pv\(s\)|persistentvolumeclaim "[^"]+" bound to non-existent persistentvolume "[^"]*""#,
        ),
        (
            "NFS120",
            Scheduling,
            r"node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode|PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
        ),
        (
            "NFS116",
            Scheduling,
            r"node\(s\) had volume node affinity conflict|node\(s\) didn't match PersistentVolume's node affinity",
        ),
        (
            "NFS119",
            Scheduling,
            r#"persistentvolumeclaim "([^"]+)" (not found|is being deleted)"#,
        ),
        (
            "NFS118",
            Scheduling,
            r"pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            "NFS407",
            Mount,
            r"rpc\.statd is not running but is required for remote locking",
        ),
        (
            "NFS401",
            Mount,
            r"/sbin/mount\.<type> helper program|Required binary /sbin/mount\.nfs4? is missing",
        ),
        ("NFS402", Mount, r"access denied by server while mounting (\S+)"),
        (
            "NFS403",
            Mount,
            r"mounting (\S+) failed, reason given by server: No such file or directory",
        ),
        (
            "NFS408",
            Mount,
            r"Failed to resolve server ([^\s:]+)|DNS resolution failed for ([^\s:]+)",
        ),
        (
            "NFS404",
            Mount,
            r"mount\.nfs4?: (?:mount system call failed.*: )?(Connection timed out|Connection refused|No route to host|Network is unreachable)",
        ),
        (
            "NFS405",
            Mount,
            r"Protocol not supported|requested NFS version or transport protocol is not supported|NFS version \d+ is not supported",
        ),
        // The kubelet and container runtimes write it small.
        ("NFS406", Mount, r"(?i)stale (?:NFS )?file handle"),
        (
            "NFS409",
            Mount,
            r"an incorrect mount option was specified|Unsupported nfs4? mount option",
        ),
        (
            "NFS410",
            Mount,
            r"Unable to attach or mount volumes: unmounted volumes=\[([^\]]*)\]|error processing PVC (\S+): (?:PVC is being deleted|PVC is not bound)",
        ),
        (
            "NFS109",
            Provisioning,
            r"claim Selector is not supported|the claim has a selector",
        ),
        (
            "NFS209",
            Provisioning,
            r"unable to create directory to provision new pv: (.*)",
        ),
        (
            "NFS121",
            Creation,
            r"exceeded quota: (\S+), requested: (.*), used: (.*), limited: (.*)",
        ),
        (
            "NFS121",
            Creation,
            r"(minimum|maximum) \S+ usage per PersistentVolumeClaim is ",
        ),
        ("NFS105", Creation, r"\d+ default StorageClasses were found"),
        (
            "NFS207",
            Creation,
            r#"violates PodSecurity|admission webhook "[^"]+" denied|unable to validate against any pod security policy|is forbidden"#,
        ),
        (
            "NFS502",
            Volume,
            r"Recycle failed: (.*)|No recycler plugin found for the volume!|Volume is used by pods: (.*)|Recycler pod: (.*)",
        ),
        (
            "NFS503",
            Volume,
            r#"(?i)error getting deleter volume plugin for volume "([^"]+)": no deletable volume plugin matched"#,
        ),
        (
            "NFS507",
            Volume,
            r#"storageclass\.storage\.k8s\.io "([^"]+)" not found"#,
        ),
        ("NFS302", Log, r"selfLink was empty, can't make reference"),
        (
            "NFS203",
            Log,
            r"(?:NFS_SERVER|NFS_PATH) not set|environment variable PROVISIONER_NAME is not set! Please set it\.",
        ),
        (
            "NFS206",
            Log,
            r"error retrieving resource lock \S+: .* is forbidden|forbidden: User",
        ),
        ("NFS205", Log, r"exec format error"),
    ];
    let compile = |(code, place, text): (&'static str, Place, &str)| Pattern {
        code,
        place,
        regex: Regex::new(text).expect("the patterns are constants, and a test compiles them"),
    };
    rows.into_iter().map(compile).collect()
});

/// What a message is a sign of, and the first thing that it names.
pub fn classify(place: Place, text: &str) -> Option<(&'static str, Option<String>)> {
    let mut here = PATTERNS.iter().filter(|pattern| pattern.place == place);
    here.find_map(|pattern| {
        let captures = pattern.regex.captures(text)?;
        Some((pattern.code, named(&captures)))
    })
}

fn named(captures: &Captures<'_>) -> Option<String> {
    captures
        .iter()
        .skip(1)
        .flatten()
        .next()
        .map(|group| group.as_str().to_owned())
}

/// The line of a log that is a sign of `code`.
pub fn line<'a>(code: &str, log: &'a str) -> Option<&'a str> {
    let patterns: Vec<_> = PATTERNS
        .iter()
        .filter(|pattern| pattern.code == code && pattern.place == Place::Log)
        .collect();
    let mut lines = log.lines().rev();
    lines.find(|line| patterns.iter().any(|pattern| pattern.regex.is_match(line)))
}

/// The parts of `exceeded quota: NAME, requested: …, used: …, limited: …`.
pub fn quota(text: &str) -> Option<(String, Vec<QuotaItem>)> {
    let patterns = PATTERNS.iter().filter(|pattern| pattern.code == "NFS121");
    let captures = patterns.map(|pattern| &pattern.regex).find_map(|regex| {
        let captures = regex.captures(text)?;
        (captures.len() == 5).then_some(captures)
    })?;
    let part = |index: usize| -> Vec<(String, String)> {
        let pairs = captures.get(index).map_or("", |part| part.as_str()).split(',');
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(key, value)| (key.to_owned(), value.trim_end_matches(['"', '\'', ')']).to_owned()))
            .collect()
    };
    let (used, limited) = (part(3), part(4));
    let of = |pairs: &[(String, String)], key: &str| {
        let pair = pairs.iter().find(|(other, _)| other == key);
        pair.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let item = |(key, requested): (String, String)| QuotaItem {
        used: of(&used, &key),
        limited: of(&limited, &key),
        requested,
        key,
    };
    Some((captures[1].to_owned(), part(2).into_iter().map(item).collect()))
}

/// What a quota counts, and how it was exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaItem {
    /// As `requests.storage`.
    pub key: String,
    /// What the claim asked for.
    pub requested: String,
    /// What is used already.
    pub used: String,
    /// What the quota allows.
    pub limited: String,
}

/// The claim that `create Claim C for Pod P in StatefulSet S failed error: …` is about.
pub fn refused_claim(text: &str) -> Option<&str> {
    let rest = text.split_once("create Claim ")?.1;
    rest.split_whitespace().next()
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
