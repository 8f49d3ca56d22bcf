//! A mock of the API server for tests: only there can something be made to happen between two requests.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use http::{Request, Response};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock::{Handle, SendResponse, pair};

use super::events::Events;
use super::reconcile::{Reconciler, Settings};
use super::served::Exports;
use crate::export::{Export, Location, Mounted};

pub type Server = Pin<Box<Handle<Request<Body>, Response<Body>>>>;

/// A client and its server, whose requests the test takes with [`next`] and answers with [`answer`].
pub fn mock() -> (Client, Server) {
    let (service, handle) = pair::<Request<Body>, Response<Body>>();
    (Client::new(service, "default"), Box::pin(handle))
}

/// Waits for the next request: `METHOD NAME`, the name being the last part of its path; the request; and where to send
/// the answer. Panics once all clients are dropped.
pub async fn next(server: &mut Server) -> (String, Request<Body>, SendResponse<Response<Body>>) {
    let (request, answer) = server.as_mut().next_request().await.expect("a request");
    let object = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    (format!("{} {object}", request.method()), request, answer)
}

/// Answers a request with this status and the object as JSON.
pub fn answer(to: SendResponse<Response<Body>>, status: u16, object: &Value) {
    let body = Body::from(serde_json::to_vec(object).unwrap());
    to.send_response(Response::builder().status(status).body(body).unwrap());
}

/// The object of a failed request, whose message is `reason`, too; [`answer`] gets the same `code`.
pub fn refusal(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

/// A reconciler on a directory of this machine, otherwise as [`reconciler_on`] makes it.
pub fn reconciler(client: Client, export: &Path) -> Reconciler {
    reconciler_on(client, Export::Mounted(Mounted::new(location(), export)))
}

/// Where the export of the reconciler is.
pub fn location() -> Location {
    Location {
        server: "server".into(),
        path: "/export".into(),
    }
}

/// A reconciler of the provisioner `nfsprov/nfs` on an export of the server `server`: one claim at a time, PVs count as
/// listed, and events are dropped.
pub fn reconciler_on(client: Client, export: Export) -> Reconciler {
    let settings = Settings {
        name: "nfsprov/nfs".into(),
        namespace: None,
        dry_run: false,
        request_timeout: Duration::from_secs(5),
        limits_interval: Duration::from_secs(300),
        reports_usage: false,
    };
    let exports = Exports::new((location(), export), Vec::new(), 1);
    let reconciler = Reconciler::new(settings, client, exports, Events::without_publishing());
    reconciler.mark_volumes_listed();
    reconciler
}

/// The claim `d/c` with the uid `u`, which waits for the reconciler's provisioner, of the class that [`class`] returns.
pub fn waiting_claim() -> PersistentVolumeClaim {
    serde_json::from_value(json!({
        "metadata": {"name": "c", "namespace": "d", "uid": "u",
                     "annotations": {"volume.kubernetes.io/storage-provisioner": "nfsprov/nfs"}},
        "spec": {"storageClassName": "nfs", "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    }))
    .unwrap()
}

/// A Released PV that nfs-subdir-external-provisioner made on the reconciler's export; `change` has JSON pointers and
/// the values to set there.
pub fn upstream_volume(uid: &str, directory: &str, change: &[(&str, Value)]) -> PersistentVolume {
    let mut volume = json!({
        "metadata": {"name": format!("pvc-{uid}"), "uid": format!("volume-{uid}"),
                     "finalizers": ["kubernetes.io/pv-protection"],
                     "annotations": {"pv.kubernetes.io/provisioned-by": "nfsprov/nfs"}},
        "spec": {"nfs": {"server": "server", "path": format!("/export/{directory}")},
                 "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "nfs",
                 "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "d", "name": "c", "uid": uid}},
        "status": {"phase": "Released"},
    });
    for (pointer, value) in change {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        volume.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    serde_json::from_value(volume).unwrap()
}

/// The class `nfs` of the reconciler's provisioner, with these parameters.
pub fn class(parameters: Value) -> StorageClass {
    serde_json::from_value(json!({
        "metadata": {"name": "nfs", "uid": "k"}, "provisioner": "nfsprov/nfs", "parameters": parameters,
    }))
    .unwrap()
}
