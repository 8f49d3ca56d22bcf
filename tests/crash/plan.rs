//! Plans a run from a seed (PURE): which claims are created and deleted when, and when the provisioner is killed.

use std::time::Duration;

/// How many live claims each round leaves.
pub const LIVE: usize = 50;

/// The namespaces of the claims.
pub const NAMESPACES: [&str; 2] = ["crash-a", "crash-b"];

/// The NFS versions: each claim has a class whose mount options name one of them.
pub const NFS_VERSIONS: [&str; 3] = ["3", "4.0", "4.1"];

/// A link in the export's root that leads out of the export, to files that must not change.
pub const TRAP: &str = "trap";

/// The classes: they differ in how the provisioner names, creates and deletes directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// No parameters: default name, archived.
    Plain,
    /// `onDelete: delete`.
    Removed,
    /// `onDelete: retain`.
    Left,
    /// Named after namespace and claim, archived; later claims reuse names.
    Pattern,
    /// The same one level deeper, removed; later claims reuse names.
    Nested,
    /// With owner, group and mode, removed.
    Owned,
    /// `reclaimPolicy: Retain`.
    Kept,
    /// `quota: enforce`, removed.
    Limited,
    /// A path through [`TRAP`], which the provisioner must never serve.
    Hostile,
}

/// All kinds, each as often as its probability requires.
const CHOICE: [Kind; 23] = {
    use Kind::*;
    [
        Plain, Plain, Plain, Plain, Removed, Removed, Removed, Removed, Left, Left, Pattern, Pattern, Pattern, Nested,
        Nested, Nested, Owned, Owned, Kept, Limited, Limited, Limited, Hostile,
    ]
};

impl Kind {
    pub const ALL: [Kind; 9] = {
        use Kind::*;
        [Plain, Removed, Left, Pattern, Nested, Owned, Kept, Limited, Hostile]
    };

    /// The kind's name, with which names of classes and claims begin.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Removed => "removed",
            Self::Left => "left",
            Self::Pattern => "pattern",
            Self::Nested => "nested",
            Self::Owned => "owned",
            Self::Kept => "kept",
            Self::Limited => "limited",
            Self::Hostile => "hostile",
        }
    }

    pub fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Plain | Self::Kept => &[],
            Self::Removed => &[("onDelete", "delete")],
            Self::Left => &[("onDelete", "retain")],
            Self::Pattern => &[("pathPattern", "${.PVC.namespace}/${.PVC.name}")],
            Self::Nested => &[
                ("pathPattern", "${.PVC.namespace}/deeper/${.PVC.name}"),
                ("archiveOnDelete", "false"),
            ],
            Self::Owned => &[
                ("onDelete", "delete"),
                ("dirUid", "1000"),
                ("dirGid", "2000"),
                ("dirMode", "2750"),
            ],
            Self::Limited => &[("quota", "enforce"), ("onDelete", "delete")],
            Self::Hostile => &[("pathPattern", "trap/${.PVC.name}")],
        }
    }

    pub fn policy(self) -> &'static str {
        match self {
            Self::Kept => "Retain",
            _ => "Delete",
        }
    }

    /// Owner, group and mode that the directory must have.
    pub fn attributes(self) -> &'static str {
        match self {
            Self::Owned => "1000:2000 2750",
            _ => "0:0 777",
        }
    }

    /// Whether the directory's name does not identify the volume, so that an owner marker does.
    pub fn has_marker(self) -> bool {
        matches!(self, Self::Pattern | Self::Nested)
    }
}

/// A claim by namespace, name and kind; the name begins with the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    pub namespace: &'static str,
    pub name: String,
    pub kind: Kind,
    pub nfs_version: &'static str,
}

impl Claim {
    pub fn class(&self) -> String {
        class_name(self.kind, self.nfs_version)
    }
}

/// The name of the class for a kind and an NFS version.
pub fn class_name(kind: Kind, nfs_version: &str) -> String {
    format!("{}-{nfs_version}", kind.name())
}

/// An action of a user or an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creates the claim, after an earlier one of the same name is deleted.
    Create,
    /// Deletes the claim.
    Delete,
    /// Deletes the claim's PV, which then stays terminating until the claim is deleted.
    DeleteVolume,
}

/// When the provisioner is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// This long after its start.
    Starting(Duration),
    /// This long after it logs that it watches claims.
    Serving(Duration),
    /// This long after it starts to write the first record.
    Recording(Duration),
    /// This long after it creates a directory that gets a size limit.
    Limiting(Duration),
}

/// A claim and its steps in order, each at a time after the provisioner's start; `None`: before it starts.
pub type Chain = (Claim, Vec<(Option<Duration>, Step)>);

/// One run of the provisioner until its kill, and the steps before and during it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    pub chains: Vec<Chain>,
    pub kill: Kill,
}

/// The splitmix64 generator: its numbers depend only on the seed, on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn millis(&mut self, end: u64) -> Duration {
        // In microseconds, so that two times seldom are equal.
        Duration::from_micros(self.below(end * 1000))
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub fn rounds(seed: u64, count: usize) -> Vec<Round> {
    let mut random = Random::new(seed);
    let mut live: Vec<Claim> = Vec::new();
    (0..count).map(|number| round(&mut random, number, &mut live)).collect()
}

fn round(random: &mut Random, number: usize, live: &mut Vec<Claim>) -> Round {
    let kill = match random.chance(15) {
        true => Kill::Starting(random.millis(250)),
        false if random.chance(30) => Kill::Recording(random.millis(60)),
        false if random.chance(30) => Kill::Limiting(random.millis(2_000)),
        false => Kill::Serving(random.millis(700)),
    };
    let mut chains: Vec<Chain> = Vec::new();
    // Before the provisioner starts, or while it runs, or shortly after its kill.
    let choose_time = |random: &mut Random| (!random.chance(35)).then(|| random.millis(900));
    let mut again = Vec::new();
    let deletions = 5 + random.below(11) as usize;
    for _ in 0..deletions.min(live.len()) {
        let claim = live.swap_remove(random.below(live.len() as u64) as usize);
        let when = choose_time(random);
        let mut steps = Vec::new();
        // An administrator deletes the PV first.
        if random.chance(15) {
            steps.push((when, Step::DeleteVolume));
        }
        steps.push((when.map(|when| when + random.millis(50)), Step::Delete));
        // A user creates a claim of the same name at once.
        if claim.kind.has_marker() && random.chance(50) {
            steps.push((when.map(|when| when + random.millis(100)), Step::Create));
            again.push(claim.clone());
        }
        chains.push((claim, steps));
    }
    live.append(&mut again);
    let mut made = 0;
    while live.len() < LIVE {
        let kind = CHOICE[random.below(CHOICE.len() as u64) as usize];
        let claim = Claim {
            namespace: NAMESPACES[random.below(2) as usize],
            name: format!("{}-{number}-{made}", kind.name()),
            kind,
            nfs_version: NFS_VERSIONS[random.below(NFS_VERSIONS.len() as u64) as usize],
        };
        made += 1;
        let when = choose_time(random);
        let mut steps = vec![(when, Step::Create)];
        match random.chance(15) {
            // So short a life that the deletion can hit any phase of provisioning.
            true => steps.push((when.map(|when| when + random.millis(150)), Step::Delete)),
            false => live.push(claim.clone()),
        }
        chains.push((claim, steps));
    }
    Round { chains, kill }
}

/// Checks the plans: an equal seed gives an equal plan, and a long run has all kinds of claims and kills.
pub fn test() -> Result<(), String> {
    let plan = rounds(7, 60);
    let all = || plan.iter().flat_map(|round| &round.chains);
    let steps = || all().flat_map(|(_, steps)| steps);
    let facts = [
        ("another plan for the same seed", plan == rounds(7, 60)),
        ("the same plan for another seed", plan != rounds(8, 60)),
        (
            "a kind never occurs",
            Kind::ALL.iter().all(|kind| all().any(|(claim, _)| claim.kind == *kind)),
        ),
        (
            "an NFS version never occurs",
            NFS_VERSIONS
                .iter()
                .all(|version| all().any(|(claim, _)| claim.nfs_version == *version)),
        ),
        (
            "no volume is deleted before its claim",
            steps().any(|(_, step)| *step == Step::DeleteVolume),
        ),
        (
            "no claim is deleted while the provisioner is down",
            steps().any(|step| *step == (None, Step::Delete)),
        ),
        (
            "no name is reused",
            all().any(|(_, steps)| steps.len() > 1 && steps.last().is_some_and(|(_, step)| *step == Step::Create)),
        ),
        (
            "no claim is deleted at once",
            all().any(|(_, steps)| steps[0].1 == Step::Create && steps.len() == 2),
        ),
        (
            "one kind of kill never occurs: while starting, serving, writing records or setting limits",
            [
                |kill| matches!(kill, Kill::Starting(_)),
                |kill| matches!(kill, Kill::Serving(_)),
                |kill: Kill| matches!(kill, Kill::Recording(_)),
                |kill: Kill| matches!(kill, Kill::Limiting(_)),
            ]
            .iter()
            .all(|is| plan.iter().any(|round| is(round.kill))),
        ),
    ];
    match facts.iter().find(|(_, holds)| !holds) {
        Some((broken, _)) => Err((*broken).to_owned()),
        None => Ok(()),
    }
}
