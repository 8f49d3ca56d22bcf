//! Claims that ask for what NFS provisioners can't do: NFS110 of a claim by itself, NFS125, NFS126 (PURE).

use serde_json::json;

use super::View;
use super::commands::recreate_claim_command;
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners::{self, NFS_CSI};
use crate::cluster::snapshot::{Claim, Class};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Evidence, Finding, Severity};

entries! {
    "NFS125" Error [CLAIMS, CLASSES] "no populator for the claim's data source",
        "A claim with dataSource or dataSourceRef waits until a populator for that kind fills its volume. Provisioners that create directories copy no data; csi-driver-nfs copies claims and its own snapshots. Create the claim without a source and copy the data, or install a populator for the source.";
    "NFS126" Error [CLAIMS, CLASSES] "the claim requests a feature that the provisioner does not have",
        "The claim has a field that the provisioner of its class can't honour, such as a VolumeAttributesClass. A claim's spec can't be edited; create the claim again without the field.";
}

/// What csi-driver-nfs copies.
const COPIED: [&str; 2] = ["PersistentVolumeClaim", "VolumeSnapshot"];

/// Only Pending claims that name no PV and may be for NFS.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let is_judged = |claim: &&Claim| claim.volume.is_empty() && !view.is_known_other_storage(claim);
    let claims = view.pending_claims().filter(is_judged);
    claims.filter_map(|claim| find_unsupported_field(view, claim)).collect()
}

/// NFS110, NFS125 or NFS126: the claim asks for a block device, a data source or attributes that its provisioner, by
/// its kind or by its own refusal, can't give. `None` if its class is unknown.
fn find_unsupported_field(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let class = view.cluster.find_class(claim.class.as_deref()?);
    let Some(class) = class.filter(|class| provisioners::creates_volumes(class)) else {
        return find_attributes_of_static_claim(view, claim);
    };
    let refusal = |code: &str| {
        let event = view.find_event(&claim.object(), |event| {
            event.reason == "ProvisioningFailed"
                && messages::is_message_of(code, MessageKind::Provisioning, &event.message)
        });
        event.map(|event| event.evidence())
    };
    let is_nfs =
        has_nfs_in_name(&class.provisioner) || view.provisioners.iter().any(|one| one.name == Some(&class.provisioner));
    if claim.requirements.volume_mode == "Block" && (is_nfs || refusal("NFS110").is_some()) {
        let cause = format!(
            "the claim asks for volumeMode Block, and NFS (class {}) stores files, not blocks",
            class.name
        );
        return Some(
            Finding::new("NFS110", claim.object(), cause)
                .with_field("spec.volumeMode", "Block")
                .with_all_evidence(refusal("NFS110"))
                .with_command(
                    recreate_claim_command(claim, &json!({"spec": {"volumeMode": "Filesystem"}})),
                    "the claim is Pending and has no data; its pods then have to use volumeMounts instead of volumeDevices",
                ),
        );
    }
    if let Some((kind, name)) = &claim.data_source {
        let refusal = refusal("NFS125");
        let copies = class.provisioner == NFS_CSI && COPIED.contains(&kind.as_str());
        let is_unserved = refusal.is_some() || (is_nfs && !copies);
        let source = format!("{kind} {name}");
        let event = view.find_event(&claim.object(), |event| event.component.ends_with("-populator"));
        // Populators fill a claim of that name first.
        let prime = format!("prime-{}", claim.uid);
        let has_prime = !claim.uid.is_empty() && view.cluster.claims.iter().any(|other| other.name == prime);
        if refusal.is_none() && (event.is_some() || has_prime) {
            let words = event.map_or_else(|| format!("claim {prime}"), |event| event.message.clone());
            let cause = format!("a populator fills the claim's volume from {source}: {words}");
            return Some(
                Finding::new("NFS125", claim.object(), cause)
                    .with_severity(Severity::Info)
                    .with_all_evidence(event.map(|event| event.evidence())),
            );
        }
        return is_unserved.then(|| match refusal {
            Some(refusal) if copies => describe_refused_source(claim, &source, refusal),
            refusal => build_data_source_finding(claim, class, &source, refusal),
        });
    }
    let attributes = claim.attributes_class.as_ref()?;
    let refusal = refusal("NFS126");
    (is_nfs || refusal.is_some()).then(|| {
        let cause = format!(
            "the claim asks for VolumeAttributesClass {attributes}, which provisioner {} can't honour",
            class.provisioner
        );
        Finding::new("NFS126", claim.object(), cause)
            .with_confidence(confidence_of(refusal.as_ref()))
            .with_field("spec.volumeAttributesClassName", attributes)
            .with_all_evidence(refusal)
            .with_command(
                recreate_claim_command(claim, &json!({"spec": {"volumeAttributesClassName": null}})),
                "the claim is Pending and has no data",
            )
    })
}

/// NFS126, likely: a claim that only a static PV can serve asks for attributes, which no NFS PV has.
fn find_attributes_of_static_claim(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let attributes = claim.attributes_class.as_ref()?;
    let name = claim.class.as_deref().unwrap_or_default();
    let is_static = name.is_empty() || view.has_volumes(name);
    (is_static && view.may_be_nfs(name)).then(|| {
        let cause = format!("the claim asks for VolumeAttributesClass {attributes}, which no NFS PV has");
        Finding::new("NFS126", claim.object(), cause)
            .with_confidence(Confidence::Likely)
            .with_field("spec.volumeAttributesClassName", attributes)
            .with_command(
                recreate_claim_command(claim, &json!({"spec": {"volumeAttributesClassName": null}})),
                "the claim is Pending and has no data",
            )
    })
}

/// Certain if the provisioner itself refuses the claim, else likely.
fn confidence_of(refusal: Option<&Evidence>) -> Confidence {
    match refusal {
        Some(_) => Confidence::Certain,
        None => Confidence::Likely,
    }
}

/// NFS125: the driver copies sources of this kind, but not this one.
fn describe_refused_source(claim: &Claim, source: &str, refusal: Evidence) -> Finding {
    let why = messages::extract_root_error(&refusal.text);
    let cause = format!("the claim's volume is to be filled from {source}, and the driver refuses that: {why}");
    Finding::new("NFS125", claim.object(), cause)
        .with_field("spec.dataSource", source)
        .with_all_evidence([refusal])
        .with_advice(
            "the source has to be a Bound claim, or a ready snapshot, of the same driver in the same namespace",
        )
}

/// NFS125: nothing fills the claim's volume from `source`, a kind and a name.
fn build_data_source_finding(claim: &Claim, class: &Class, source: &str, refusal: Option<Evidence>) -> Finding {
    let cause = format!(
        "the claim's volume is to be filled from {source}, which provisioner {} can't do",
        class.provisioner
    );
    Finding::new("NFS125", claim.object(), cause)
        .with_confidence(confidence_of(refusal.as_ref()))
        .with_field("spec.dataSourceRef", source)
        .with_all_evidence(refusal)
        .with_command(
            recreate_claim_command(claim, &json!({"spec": {"dataSource": null, "dataSourceRef": null}})),
            "creates the claim without a source, for an empty volume; then copy the data. Or install a populator for that kind",
        )
}
