//! NFS004.

use serde_json::json;

use super::provisioners::{NAME, good};
use super::*;

#[test]
fn a_silent_controller_manager() {
    let since = |time: &str| {
        with(
            handed_over("a", "managed", NAME),
            json!({"metadata": {"creationTimestamp": time}}),
        )
    };
    let lease = |renewed: &str| {
        with(
            object("Lease", "kube-controller-manager"),
            json!({"metadata": {"namespace": "kube-system"}, "spec": {"holderIdentity": "m", "renewTime": renewed}}),
        )
    };
    let word = || {
        event(
            "PersistentVolumeClaim",
            "a",
            "ExternalProvisioning",
            "waiting for a volume to be created",
        )
    };
    let with_class = |claim: Value| all([vec![class("managed", NAME), claim], good()]);
    hold(
        OLD,
        vec![
            (
                "long, without a word",
                with_class(since("2026-01-01T11:00:00Z")),
                &["NFS004 cluster kube-controller-manager"],
            ),
            (
                "long, with one",
                all([with_class(since("2026-01-01T11:00:00Z")), vec![word()]]),
                &[],
            ),
            ("not long", with_class(since("2026-01-01T11:55:00Z")), &[]),
            (
                "what another finding explains",
                vec![with(
                    claim("a", json!({})),
                    json!({"metadata": {"creationTimestamp": "2026-01-01T11:00:00Z"}}),
                )],
                &["NFS101 pvc default/a"],
            ),
            (
                "a lease not renewed",
                vec![lease("2026-01-01T11:00:00.000000Z")],
                &["NFS004 cluster kube-controller-manager"],
            ),
            ("a lease renewed", vec![lease("2026-01-01T11:59:59.000000Z")], &[]),
        ],
    );
}
