//! NFS301 to NFS306.

use serde_json::json;

use super::provisioners::{NAME, scene, spoke};
use super::*;

const BAD: &str = "mirror/nfs-client-provisioner:latest";

fn link(sent: bool) -> Value {
    let link = if sent { "/api/v1/namespaces/default" } else { "" };
    with(object("Namespace", "default"), json!({"metadata": {"selfLink": link}}))
}

#[test]
fn images_that_need_self_link() {
    let with_image = |image: &str, sent: bool| scene(all([provisioner("p", image, NAME), vec![link(sent)]]));
    let old = || with_image(BAD, false);
    let earlier = || with(spoke(), json!({"lastTimestamp": "2026-01-01T11:54:59Z"}));
    let arguments = json!(["kube-apiserver", "--feature-gates=A=true,RemoveSelfLink=false"]);
    let owner = json!({"apiVersion": "v1", "kind": "Node", "name": "m", "uid": "m", "controller": true});
    let meta =
        json!({"namespace": "kube-system", "labels": {"component": "kube-apiserver"}, "ownerReferences": [owner]});
    let spec = json!({"containers": [{"name": "a", "image": "b", "command": arguments}]});
    let gate = with(
        object("Pod", "kube-apiserver-m"),
        json!({"metadata": meta, "spec": spec}),
    );
    let arguments = r#"["server","--kube-apiserver-arg","feature-gates=RemoveSelfLink=false"]"#;
    let k3s = || {
        node(
            "n",
            json!({"metadata": {"annotations": {"k3s.io/node-args": arguments}}}),
        )
    };
    hold! { OLD,
        "not sent": old() => ["NFS301 deployment default/p automatic" says "Certain" "affects pvc default/a"
            "RemoveSelfLink=false on kube-apiserver would also work"];
        "not looked at": scene(provisioner("p", BAD, NAME)) => ["NFS301 deployment default/p" says "Likely"];
        "sent by the gate": with_image(BAD, true) => ["NFS303 cluster kube-apiserver"];
        "it speaks, so it can": all([old(), vec![spoke()]]) => [];
        "what spoke was the image before it": all([old(), vec![earlier()]]) =>
            ["NFS301 deployment default/p automatic"];
        // Only --gate changes API servers.
        "the gate in the manifest": vec![link(true), gate] => ["NFS303 cluster kube-apiserver" says
            "\n\nnfsprov doctor --gate --undo --ssh HOST"];
        "the gate of K3s": vec![link(true), k3s()] => ["NFS303 cluster kube-apiserver"];
        "an old registry": with_image("k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2", false) =>
            ["NFS306 deployment default/p automatic"];
        "a staging registry": with_image("gcr.io/k8s-staging-sig-storage/nfs-subdir-external-provisioner:v4.0.0", false)
            => ["NFS306 deployment default/p automatic"];
    }
    hold! { NEW,
        "the gate of K3s": vec![link(false), k3s()] => ["NFS304 cluster kube-apiserver"];
    }
}
