//! NFS301 to NFS306.

use serde_json::json;

use super::provisioners::{GOOD, NAME, good, scene};
use super::*;
use crate::doctor::Confidence;

const BAD: &str = "mirror/nfs-client-provisioner:latest";

fn link(sent: bool) -> Value {
    let namespace = object("Namespace", "default");
    match sent {
        true => with(
            namespace,
            json!({"metadata": {"selfLink": "/api/v1/namespaces/default"}}),
        ),
        false => namespace,
    }
}

#[test]
fn images_that_need_self_link() {
    let old = || provisioner("p", BAD, NAME);
    let spoke = with(
        event(
            "PersistentVolumeClaim",
            "b",
            "Provisioning",
            "External provisioner is provisioning volume",
        ),
        json!({"source": {"component": format!("{NAME}_host_uuid")}}),
    );
    let gate = with(
        object("Pod", "kube-apiserver-m"),
        json!({"metadata": {"namespace": "kube-system", "labels": {"component": "kube-apiserver"},
                            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "m", "uid": "m", "controller": true}]},
               "spec": {"containers": [{"name": "a", "image": "b", "command": ["kube-apiserver", "--feature-gates=A=true,RemoveSelfLink=false"]}]}}),
    );
    let k3s = node(
        "n",
        json!({"metadata": {"annotations": {"k3s.io/node-args": r#"["server","--kube-apiserver-arg","feature-gates=RemoveSelfLink=false"]"#}}}),
    );
    hold! { "v1.19.7",
        "sent as always": scene(all([old(), vec![link(true)]])) => ["NFS305 deployment default/p"];
    }
    hold! { OLD,
        "not sent": scene(all([old(), vec![link(false)]])) => ["NFS301 deployment default/p"];
        "not looked at": scene(old()) => ["NFS301 deployment default/p"];
        "sent by the gate": scene(all([old(), vec![link(true)]])) => ["NFS303 cluster kube-apiserver"];
        "it speaks, so it can": scene(all([old(), vec![link(false), spoke.clone()]])) => [];
        "what spoke was the image before it": scene(all([old(), vec![link(false), with(spoke.clone(),
            json!({"lastTimestamp": "2026-01-01T11:54:59Z"}))]])) => ["NFS301 deployment default/p"];
        "an image that needs none": scene(all([good(), vec![link(false)]])) => [];
        "the gate in the manifest": vec![link(true), gate.clone()] => ["NFS303 cluster kube-apiserver"];
        "the gate of K3s": vec![link(true), k3s.clone()] => ["NFS303 cluster kube-apiserver"];
    }
    hold! { NEW,
        "not sent": scene(all([old(), vec![link(false)]])) => ["NFS301 deployment default/p"];
        "the gate of K3s": vec![link(false), k3s.clone()] => ["NFS304 cluster kube-apiserver"];
    }
    let unsure = only(OLD, scene(old()));
    assert_eq!(unsure.confidence, Confidence::Likely);
    let sure = only(OLD, scene(all([old(), vec![link(false)]])));
    assert_eq!(sure.confidence, Confidence::Certain);
    assert!(sure.explains.iter().any(|object| object.name == "a"));
    assert!(
        sure.fix
            .unwrap()
            .note
            .contains("RemoveSelfLink=false on kube-apiserver would also work")
    );
    let late = only(NEW, scene(all([old(), vec![link(false)]])));
    assert!(late.fix.unwrap().note.contains("can't send selfLink any more"));
    // Only --gate changes API servers, whatever hosts there are.
    let mut facts = facts(OLD, vec![link(true), gate]);
    facts.hosts = vec![crate::doctor::facts::HostSeen::default()];
    let found = found(&facts).into_iter().find(|finding| finding.code == "NFS303");
    let fix = found.unwrap().fix.unwrap();
    assert!(
        fix.command.is_none() && !fix.automatic && fix.note.contains("doctor --gate --undo --ssh HOST"),
        "{fix:?}"
    );
}

#[test]
fn frozen_registries() {
    for (image, codes) in rows! {
        ("k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2", &["NFS306 deployment default/p"][..]),
        ("gcr.io/k8s-staging-sig-storage/nfs-subdir-external-provisioner:v4.0.0", &["NFS306 deployment default/p"]),
        // That it has to be another image comes first.
        ("quay.io/external_storage/nfs-client-provisioner:latest", &["NFS301 deployment default/p"]),
        (GOOD, &[]),
    } {
        let found = found(&facts(OLD, scene(provisioner("p", image, NAME))));
        assert_eq!(titles(&found), codes, "{image}");
    }
}
