//! Plans which PVs and claims of an export's records are to be created in a cluster (PURE): [`plan_rebuild`].
//!
//! Existing objects are not changed: a record that differs from the cluster is a conflict.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde::{Serialize, Serializer};

use crate::export::{Location, Owner, ServerNames, UsedPart, VolumePath, names_a_volume};
use crate::provisioner::claim::class_name;
use crate::provisioner::rules::record::{Record, claim_text, volume_text};
use crate::volumes::amount;
use crate::volumes::archives::Archive;
use crate::volumes::place;

/// What is on the export and in the cluster.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The export.
    pub location: Location,
    /// A name or address that the server had before.
    pub former_server: Option<String>,
    /// The names that the server has in PVs, the former one included.
    pub servers: ServerNames,
    /// The records by the PV that each file is named after, read or refused; and files that are named after none.
    pub records: Vec<(String, Result<Record, String>)>,
    /// The PVs whose records name the former server.
    pub moved: BTreeSet<String>,
    /// The directories in the root, and those beside the directories that records name.
    pub directories: BTreeSet<VolumePath>,
    /// The markers: directory, and the claim that owns it.
    pub markers: Vec<(VolumePath, Owner)>,
    /// All PVs of the cluster.
    pub volumes: Vec<PersistentVolume>,
    /// All claims of the cluster.
    pub claims: Vec<PersistentVolumeClaim>,
    /// All namespaces of the cluster.
    pub namespaces: BTreeSet<String>,
}

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those of claims in this namespace.
    pub namespace: Option<String>,
    /// That of this claim, whatever its directory is called.
    pub claim: Option<(String, String)>,
    /// Whether missing namespaces may be created.
    pub create_namespaces: bool,
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Objects are created.
    Create,
    /// PV and claim are there already.
    Exists,
    /// The volume is archived.
    Archived,
    /// The directory is another PV's by now.
    Outdated,
    /// The cluster or the export holds something else.
    Conflict,
    /// The record is not to be trusted.
    Refused,
    /// A directory without a record.
    Candidate,
}

impl Action {
    /// The word for tables and for scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Exists => "exists",
            Self::Archived => "archived",
            Self::Outdated => "outdated",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Candidate => "candidate",
        }
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One record, or a directory without one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What becomes of it.
    pub action: Action,
    /// The PV that the record is of.
    pub volume: String,
    /// Its claim as `namespace/name`.
    pub claim: Option<String>,
    /// The directory below the export's root.
    pub directory: Option<String>,
    /// Why it is not created, or what is.
    pub why: String,
    /// Whether a claim is to be bound.
    #[serde(skip)]
    pub has_claim: bool,
    /// What is to be created.
    #[serde(skip)]
    pub creation: Creation,
}

/// Objects that are to be created, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Creation {
    /// A namespace that is missing.
    pub namespace: Option<String>,
    /// The PV.
    pub volume: Option<PersistentVolume>,
    /// The claim.
    pub claim: Option<PersistentVolumeClaim>,
}

impl Creation {
    /// PV and claim as `kubectl apply` takes them, without the namespace; empty if there is nothing to create.
    pub fn to_manifests(&self) -> String {
        let volume = self.volume.as_ref().and_then(|volume| volume_text(volume).ok());
        let claim = self.claim.as_ref().map(claim_text);
        let documents: Vec<String> = volume.into_iter().chain(claim).collect();
        documents.join("---\n")
    }
}

/// A row for each selected record, with the objects to create. Without a namespace or claim selected also for refused
/// records, and for directories that may be volumes without a record. Sorted by action, claim and PV.
pub fn plan_rebuild(facts: &Facts, selection: &Selection) -> Vec<Row> {
    let index = Index::from_facts(facts);
    let mut rows = Vec::new();
    for (name, record) in &facts.records {
        match record {
            Ok(record) if is_wanted(record, selection) => rows.push(index.build_row(record, selection)),
            Ok(_) => {}
            // Whose it is can't be told.
            Err(why) if selection.namespace.is_none() && selection.claim.is_none() => rows.push(Row {
                action: Action::Refused,
                volume: name.clone(),
                claim: None,
                directory: None,
                why: why.clone(),
                has_claim: false,
                creation: Creation::default(),
            }),
            Err(_) => {}
        }
    }
    if selection.namespace.is_none() && selection.claim.is_none() {
        rows.extend(index.candidate_rows());
    }
    rows.sort_by(|a, b| (a.action, &a.claim, &a.volume).cmp(&(b.action, &b.claim, &b.volume)));
    rows
}

/// Whether the record's claim is the selected one and in the selected namespace, as far as these are selected; a record
/// without a claim is wanted only if neither is.
fn is_wanted(record: &Record, selection: &Selection) -> bool {
    let key = record.claim_key();
    let namespace = selection.namespace.as_deref();
    let claim = selection
        .claim
        .as_ref()
        .map(|(namespace, name)| (namespace.as_str(), name.as_str()));
    namespace.is_none_or(|wanted| key.is_some_and(|(namespace, _)| namespace == wanted))
        && claim.is_none_or(|wanted| key == Some(wanted))
}

/// The facts by what they are asked for.
struct Index<'a> {
    facts: &'a Facts,
    volumes: HashMap<&'a str, &'a PersistentVolume>,
    claims: HashMap<(&'a str, &'a str), &'a PersistentVolumeClaim>,
    /// The PVs at each directory, of the cluster and of the records.
    places: BTreeMap<VolumePath, BTreeSet<String>>,
    /// The PVs whose records name a claim.
    wanted_claims: HashMap<(&'a str, &'a str), Vec<&'a str>>,
    archived: BTreeSet<String>,
    markers: BTreeMap<&'a VolumePath, &'a Owner>,
    /// The PV that each directory with an owner marker was created for, where that PV has a record of the directory.
    current: BTreeMap<&'a VolumePath, &'a str>,
}

impl<'a> Index<'a> {
    /// Records of former volumes, or whose directory is missing, stand in no other's way: they are left out of
    /// `places` and `wanted_claims`.
    fn from_facts(facts: &'a Facts) -> Self {
        let records = || facts.records.iter().filter_map(|(_, record)| record.as_ref().ok());
        let markers: BTreeMap<_, _> = facts
            .markers
            .iter()
            .map(|(directory, owner)| (directory, owner))
            .collect();
        let is_current = |record: &&Record| {
            let owner = markers.get(&record.directory);
            owner.is_some_and(|owner| record.name().strip_prefix("pvc-") == Some(owner.uid.as_str()))
        };
        let current = records().filter(is_current);
        let archives = facts.directories.iter().filter(|path| path.components().len() == 1);
        let key = |claim: &'a PersistentVolumeClaim| {
            let meta = &claim.metadata;
            Some(((meta.namespace.as_deref()?, meta.name.as_deref()?), claim))
        };
        let mut index = Self {
            facts,
            volumes: facts
                .volumes
                .iter()
                .map(|volume| (place::volume_name(volume), volume))
                .collect(),
            claims: facts.claims.iter().filter_map(key).collect(),
            places: BTreeMap::new(),
            wanted_claims: HashMap::new(),
            archived: archives
                .filter_map(|path| Archive::parse(&path.to_string())?.volume)
                .collect(),
            current: current.map(|record| (&record.directory, record.name())).collect(),
            markers,
        };
        for record in records() {
            // A record whose volume is gone stands in no other's way.
            if index.describe_former(record).is_some() || !facts.directories.contains(&record.directory) {
                continue;
            }
            let name = record.name();
            let place = index.places.entry(record.directory.clone()).or_default();
            place.insert(name.to_owned());
            if let Some(key) = record.claim_key().filter(|_| record.claim.is_some()) {
                index.wanted_claims.entry(key).or_default().push(name);
            }
        }
        for volume in &facts.volumes {
            // A PV of the whole export stood beside the recorded ones before.
            let used = place::used_part_of(volume, &facts.location, &facts.servers);
            if let Some(UsedPart::Directory(directory)) = used {
                let place = index.places.entry(directory).or_default();
                place.insert(place::volume_name(volume).to_owned());
            }
        }
        index
    }

    /// Why a record's volume doesn't exist any more: it was archived, or its directory has a new owner. `None` if it
    /// may exist.
    fn describe_former(&self, record: &Record) -> Option<(Action, String)> {
        if self.archived.contains(record.name()) {
            return Some((Action::Archived, "`nfsprov volumes restore` brings it back".to_owned()));
        }
        let current = self
            .current
            .get(&record.directory)
            .filter(|name| **name != record.name())?;
        Some((
            Action::Outdated,
            format!("directory {} is pv/{current}'s now", record.directory),
        ))
    }

    /// The row of a record: `Exists` if nothing has to be created for it.
    fn build_row(&self, record: &Record, selection: &Selection) -> Row {
        let (action, why, creation) = match self.decide_creation(record, selection) {
            Ok(creation) => match describe_creation(&creation) {
                None => (Action::Exists, String::new(), creation),
                Some(what) => (Action::Create, self.with_servers(what, record, &creation), creation),
            },
            Err((action, why)) => (action, why, Creation::default()),
        };
        Row {
            action,
            volume: record.name().to_owned(),
            claim: record
                .claim_key()
                .map(|(namespace, name)| format!("{namespace}/{name}")),
            directory: Some(record.directory.to_string()),
            why,
            has_claim: record.claim.is_some(),
            creation,
        }
    }

    /// Adds to a row's text that the PV gets another server than the record names, if that is so.
    fn with_servers(&self, created: String, record: &Record, creation: &Creation) -> String {
        let is_moved = creation.volume.is_some() && self.facts.moved.contains(record.name());
        match self.facts.former_server.as_ref().filter(|_| is_moved) {
            Some(former) => format!("{created}; server {former} becomes {}", self.facts.location.server),
            None => created,
        }
    }

    /// The objects to create for a record, without those that exist, so maybe none; or the action and reason why none may
    /// be. With a claim selected, the
    /// record's origin is trusted.
    fn decide_creation(&self, record: &Record, selection: &Selection) -> Result<Creation, (Action, String)> {
        let conflict = |why: String| (Action::Conflict, why);
        if selection.claim.is_none() {
            self.check_origin(record).map_err(|why| (Action::Refused, why))?;
        }
        if let Some(former) = self.describe_former(record) {
            return Err(former);
        }
        if !self.facts.directories.contains(&record.directory) {
            return Err(conflict(format!("directory {} is not on the export", record.directory)));
        }
        if let Some(other) = self.find_neighbour(&record.directory, record.name()) {
            let directory = &record.directory;
            return Err(conflict(format!(
                "{directory} is at, above or below the directory of pv/{other}"
            )));
        }
        let volume = self.missing_volume(record).map_err(conflict)?;
        let claim = self.missing_claim(record).map_err(conflict)?;
        let namespace = claim.as_ref().and_then(|claim| claim.metadata.namespace.clone());
        let namespace = namespace.filter(|namespace| !self.facts.namespaces.contains(namespace));
        match namespace {
            Some(namespace) if !selection.create_namespaces => Err(conflict(format!(
                "namespace {namespace} not found; create it, or pass --create-namespaces"
            ))),
            namespace => Ok(Creation {
                namespace,
                volume,
                claim,
            }),
        }
    }

    /// Fails if the directory's name or marker is of another claim than the record's: a tenant who can write a record
    /// may want another tenant's data. A marker with a uid alone, or a record without a claim, passes.
    fn check_origin(&self, record: &Record) -> Result<(), String> {
        let Some((namespace, name)) = record.claim_key() else {
            return Ok(());
        };
        let hint = format!("if it is right, pass --claim {namespace}/{name}");
        if let Some(other) = record.foreign_directory() {
            return Err(format!(
                "its directory is named after {other}, not after its claim; {hint}"
            ));
        }
        let owner = self.markers.get(&record.directory);
        let owner_claim = owner.and_then(|owner| owner.claim.as_ref());
        match owner_claim
            .filter(|owner_claim| (owner_claim.namespace.as_str(), owner_claim.name.as_str()) != (namespace, name))
        {
            Some(owner_claim) => Err(format!(
                "its directory was created for pvc/{} -n {}; {hint}",
                owner_claim.name, owner_claim.namespace
            )),
            None => Ok(()),
        }
    }

    /// The name of a PV or record other than `volume` whose directory is at, above or below `directory`. Records whose
    /// volume is archived, outdated or has no directory don't count.
    fn find_neighbour(&self, directory: &VolumePath, volume: &str) -> Option<String> {
        let other = |names: &BTreeSet<String>| names.iter().find(|name| *name != volume).cloned();
        let at_or_above = directory.ancestors().into_iter().chain([directory.clone()]);
        let found = at_or_above.filter_map(|path| self.places.get(&path)).find_map(other);
        // Paths are sorted by their components.
        let below = self.places.range(directory.clone()..);
        let mut below = below.take_while(|(path, _)| path.components().starts_with(directory.components()));
        found.or_else(|| below.find_map(|(_, names)| other(names)))
    }

    /// The record's PV if the cluster lacks it; `None` if it exists. An error if the PV of that name is being deleted,
    /// is another volume, or has another claim by name, or none.
    fn missing_volume(&self, record: &Record) -> Result<Option<PersistentVolume>, String> {
        let name = record.name();
        let Some(found) = self.volumes.get(name) else {
            return Ok(Some(record.volume.clone()));
        };
        if found.metadata.deletion_timestamp.is_some() {
            return Err(format!("pv/{name} is being deleted"));
        }
        if place::nfs_location(found) != place::nfs_location(&record.volume) {
            let found = place::nfs_location(found).map(|found| format!(", at {found}"));
            return Err(format!("pv/{name} is another volume{}", found.unwrap_or_default()));
        }
        let claim = |volume: &PersistentVolume| {
            let claim = volume.spec.as_ref()?.claim_ref.clone()?;
            Some((claim.namespace, claim.name))
        };
        match claim(found) == claim(&record.volume) {
            true => Ok(None),
            false => Err(format!("pv/{name} has another claim, or none")),
        }
    }

    /// The record's claim if the cluster lacks it; `None` if it exists, or the record has none. An error if another
    /// record names the same claim, or if the claim exists and can't be bound to the PV: it has another PV or class,
    /// requests more, or is being deleted. Access modes are not compared.
    fn missing_claim(&self, record: &Record) -> Result<Option<PersistentVolumeClaim>, String> {
        let (Some(wanted), Some(key)) = (&record.claim, record.claim_key()) else {
            return Ok(None);
        };
        let mut others = self.wanted_claims.get(&key).into_iter().flatten();
        if let Some(other) = others.find(|other| **other != record.name()) {
            return Err(format!("the record of pv/{other} names the same claim"));
        }
        let Some(found) = self.claims.get(&key) else {
            return Ok(Some(wanted.clone()));
        };
        let shown = format!("pvc/{} -n {}", key.1, key.0);
        if found.metadata.deletion_timestamp.is_some() {
            return Err(format!("{shown} is being deleted"));
        }
        let spec = found.spec.as_ref();
        match spec.and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default() {
            "" if class_name(found).unwrap_or_default() != class_name(wanted).unwrap_or_default() => {
                Err(format!("{shown} has another class than the record"))
            }
            "" if requested_bytes(found) > capacity_bytes(&record.volume) => {
                Err(format!("{shown} requests more than the volume has"))
            }
            "" => Ok(None),
            volume if volume == record.name() => Ok(None),
            volume => Err(format!("{shown} has the volume {volume}")),
        }
    }

    /// Rows for directories in the root with default names that no record and no PV of the cluster names; archives are
    /// left out.
    fn candidate_rows(&self) -> impl Iterator<Item = Row> + '_ {
        let recorded: BTreeSet<&str> = self.facts.records.iter().map(|(name, _)| name.as_str()).collect();
        self.facts.directories.iter().filter_map(move |path| {
            let name = path.to_string();
            let (_, uid) = name.rsplit_once("-pvc-")?;
            let volume = format!("pvc-{uid}");
            let is_candidate = path.components().len() == 1
                && names_a_volume(&name)
                && Archive::parse(&name).is_none()
                && !self.places.contains_key(path)
                && !recorded.contains(volume.as_str());
            is_candidate.then(|| Row {
                action: Action::Candidate,
                volume,
                claim: None,
                why: "no record; `nfsprov volumes adopt DIRECTORY --claim NAMESPACE/NAME` makes it a volume".to_owned(),
                directory: Some(name),
                has_claim: false,
                creation: Creation::default(),
            })
        })
    }
}

/// The kinds of the objects to create, as a list; `None` if there are none.
fn describe_creation(creation: &Creation) -> Option<String> {
    let parts = [
        creation.namespace.as_ref().map(|_| "namespace"),
        creation.volume.as_ref().map(|_| "PV"),
        creation.claim.as_ref().map(|_| "claim"),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `None` if the claim requests no size, or one that can't be parsed.
fn requested_bytes(claim: &PersistentVolumeClaim) -> Option<u64> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    amount::parse_bytes(&requests.get("storage")?.0)
}

/// `None` if the PV has no capacity, or one that can't be parsed.
fn capacity_bytes(volume: &PersistentVolume) -> Option<u64> {
    amount::parse_bytes(&volume.spec.as_ref()?.capacity.as_ref()?.get("storage")?.0)
}

#[cfg(test)]
#[path = "rebuild_tests.rs"]
mod tests;
