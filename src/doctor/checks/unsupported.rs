//! Claims that ask for what NFS provisioners can't do: NFS110 of a claim by itself, NFS125, NFS126 (PURE).

use serde_json::{Value, json};

use super::View;
use super::commands::recreate_claim_command;
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners::NFS_CSI;
use crate::cluster::snapshot::{Claim, Event};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Finding};

entries! {
    "NFS125" Error [CLAIMS, CLASSES] "no populator for the claim's data source",
        "A claim with dataSource or dataSourceRef waits until a populator for that kind fills its volume. Provisioners that create directories copy no data; csi-driver-nfs copies claims and its own snapshots. Create the claim without a source and copy the data, or install a populator for the source.";
    "NFS126" Error [CLAIMS, CLASSES] "the claim requests a feature that the provisioner does not have",
        "The claim has a field that the provisioner of its class can't honour, such as a VolumeAttributesClass. A claim's spec can't be edited; create the claim again without the field.";
}

/// What csi-driver-nfs copies.
const COPIED: [&str; 2] = ["PersistentVolumeClaim", "VolumeSnapshot"];

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let is_judged = |claim: &&Claim| claim.volume.is_empty() && !view.is_known_other_storage(claim);
    let claims = view.pending_claims().filter(is_judged);
    claims.filter_map(|claim| find_unsupported_field(view, claim)).collect()
}

/// NFS110, NFS125 or NFS126: the claim asks for a block device, a data source or attributes that its provisioner, by
/// its kind or by its own refusal, can't give. `None` if its class is unknown. NFS125 and NFS126 are only likely
/// without a refusal.
fn find_unsupported_field(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let class = view.cluster.find_class(claim.class.as_deref()?)?;
    let (name, provisioner) = (&class.name, &class.provisioner);
    let is_nfs = has_nfs_in_name(provisioner) || view.provisioners.iter().any(|one| one.name == Some(provisioner));
    let find = |code, is_unsupported: bool, cause: String, field: &str, value: &str, change: Value, note: &str| {
        let refusal = view.find_event(&claim.object(), |event| {
            event.reason == "ProvisioningFailed"
                && messages::is_message_of(code, MessageKind::Provisioning, &event.message)
        });
        let confidence = match refusal {
            Some(_) => Confidence::Certain,
            None => Confidence::Likely,
        };
        (is_unsupported || refusal.is_some()).then(|| {
            Finding::new(code, claim.object(), cause)
                .with_confidence(confidence)
                .with_field(field, value)
                .with_all_evidence(refusal.map(Event::evidence))
                .with_command(recreate_claim_command(claim, &json!({"spec": change})), note)
        })
    };
    if claim.requirements.volume_mode == "Block" {
        let cause = format!("the claim asks for volumeMode Block, and NFS (class {name}) stores files, not blocks");
        let change = json!({"volumeMode": "Filesystem"});
        let note =
            "the claim is Pending and has no data; its pods then have to use volumeMounts instead of volumeDevices";
        let finding = find("NFS110", is_nfs, cause, "spec.volumeMode", "Block", change, note);
        if let Some(finding) = finding {
            return Some(finding.with_confidence(Confidence::Certain));
        }
    }
    if let Some((kind, name)) = &claim.data_source {
        let source = format!("{kind} {name}");
        let is_copied = provisioner == NFS_CSI && COPIED.contains(&kind.as_str());
        let cause =
            format!("the claim's volume is to be filled from {source}, which provisioner {provisioner} can't do");
        let change = json!({"dataSource": null, "dataSourceRef": null});
        let note = "creates the claim without a source, for an empty volume; then copy the data. Or install a populator for that kind";
        return find(
            "NFS125",
            is_nfs && !is_copied,
            cause,
            "spec.dataSourceRef",
            &source,
            change,
            note,
        );
    }
    let attributes = claim.attributes_class.as_ref()?;
    let cause =
        format!("the claim asks for VolumeAttributesClass {attributes}, which provisioner {provisioner} can't honour");
    let (field, change) = (
        "spec.volumeAttributesClassName",
        json!({"volumeAttributesClassName": null}),
    );
    find(
        "NFS126",
        is_nfs,
        cause,
        field,
        attributes,
        change,
        "the claim is Pending and has no data",
    )
}
