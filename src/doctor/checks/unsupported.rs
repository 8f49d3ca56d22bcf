//! Claims that ask for what NFS provisioners can't do: NFS110 of a claim by itself, NFS125, NFS126 (PURE).

use serde_json::json;

use super::commands::recreate_claim;
use super::{Case, said};
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, entry};
use crate::doctor::facts::{Claim, Class};
use crate::doctor::messages::{self, Place};
use crate::doctor::names::sounds_like_nfs;
use crate::doctor::provisioners::NFS_CSI;
use crate::doctor::{Confidence, Finding};

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS125",
        Error,
        &[CLAIMS, CLASSES],
        "no populator for the claim's data source",
        "A claim with dataSource or dataSourceRef waits until something that knows that kind fills its volume. NFS provisioners that make directories copy nothing; csi-driver-nfs copies claims and its own snapshots. Make the claim without a source and copy the data, or install what serves the source.",
    ),
    entry(
        "NFS126",
        Error,
        &[CLAIMS, CLASSES],
        "the claim asks for what the provisioner can't do",
        "The claim has a field that the provisioner of its class can't honour, such as a VolumeAttributesClass. A claim's spec can't be edited; it has to be made again without the field.",
    ),
];

/// What csi-driver-nfs copies.
const COPIED: [&str; 2] = ["PersistentVolumeClaim", "VolumeSnapshot"];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let waits = |claim: &&Claim| claim.pending() && claim.volume.is_empty() && !case.is_other_storage(claim);
    let claims = case.facts.claims.iter().filter(waits);
    claims.filter_map(|claim| unsupported(case, claim)).collect()
}

fn unsupported(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let class = case.facts.class(claim.class.as_deref()?)?;
    let said_so = |wanted: &str| {
        let object = claim.object();
        let mut events = case.events(&object).iter();
        let code = |text: &str| messages::classify(Place::Provisioning, text).map(|(code, _)| code);
        events
            .find(|event| event.reason == "ProvisioningFailed" && code(&event.message) == Some(wanted))
            .map(|event| said(event))
    };
    let is_nfs =
        sounds_like_nfs(&class.provisioner) || case.provisioners.iter().any(|one| one.name == Some(&class.provisioner));
    let title = claim.object().title();
    if claim.wish.volume_mode == "Block" && (is_nfs || said_so("NFS110").is_some()) {
        let cause = format!(
            "the claim asks for volumeMode Block, and NFS (class {}) holds files, not blocks",
            class.name
        );
        return Some(
            Finding::new("NFS110", claim.object(), cause)
                .seen(format!("spec.volumeMode of {title}"), "Block")
                .all_seen(said_so("NFS110"))
                .suggest(
                    recreate_claim(claim, &json!({"spec": {"volumeMode": "Filesystem"}})),
                    "the claim is Pending and holds nothing; its pods then have to use volumeMounts instead of volumeDevices",
                ),
        );
    }
    if let Some((kind, name)) = &claim.data_source {
        return unfilled(claim, class, (kind, name), said_so("NFS125"), is_nfs);
    }
    let attributes = claim.attributes_class.as_ref()?;
    let words = said_so("NFS126");
    (is_nfs || words.is_some()).then(|| {
        let cause = format!(
            "the claim asks for VolumeAttributesClass {attributes}, which provisioner {} can't honour",
            class.provisioner
        );
        Finding::new("NFS126", claim.object(), cause)
            .only(if words.is_some() {
                Confidence::Certain
            } else {
                Confidence::Likely
            })
            .seen(format!("spec.volumeAttributesClassName of {title}"), attributes)
            .all_seen(words)
            .suggest(
                recreate_claim(claim, &json!({"spec": {"volumeAttributesClassName": null}})),
                "the claim is Pending and holds nothing",
            )
    })
}

fn unfilled(
    claim: &Claim,
    class: &Class,
    source: (&str, &str),
    words: Option<crate::doctor::Evidence>,
    is_nfs: bool,
) -> Option<Finding> {
    let (kind, name) = source;
    let copies = class.provisioner == NFS_CSI && COPIED.contains(&kind);
    if words.is_none() && (copies || !is_nfs) {
        return None;
    }
    let cause = format!(
        "the claim's volume is to be filled from {kind} {name}, which provisioner {} does not do",
        class.provisioner
    );
    Some(
        Finding::new("NFS125", claim.object(), cause)
            .only(if words.is_some() { Confidence::Certain } else { Confidence::Likely })
            .seen(format!("spec.dataSourceRef of {}", claim.object().title()), format!("{kind} {name}"))
            .all_seen(words)
            .suggest(
                recreate_claim(claim, &json!({"spec": {"dataSource": null, "dataSourceRef": null}})),
                "makes the claim without a source, for an empty volume; copy the data then, or install what fills volumes from that kind",
            ),
    )
}
