use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::provisioner::lease::Leadership;
use crate::provisioner::mock::{Server, answer, mock, next, reconciler, refusal};

/// What the API server has: PVs and claims by name.
#[derive(Clone, Default)]
struct Cluster {
    volumes: Arc<Mutex<Vec<Value>>>,
    claims: Arc<Mutex<Vec<Value>>>,
    requests: Arc<AtomicUsize>,
}

impl Cluster {
    /// A bound claim `name` of the namespace `d`, and its PV.
    fn bind(&self, name: &str) -> PersistentVolume {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("pvc-{name}"), "annotations": {
                "pv.kubernetes.io/provisioned-by": "nfsprov/nfs", "nfsprov/directory": name,
                "nfsprov/on-delete": "retain"}},
            "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"},
                     "nfs": {"server": "server", "path": format!("/export/{name}")},
                     "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "nfs",
                     "claimRef": {"namespace": "d", "name": name, "uid": name}},
            "status": {"phase": "Bound"},
        });
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "d", "name": name, "uid": name},
            "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
                     "storageClassName": "nfs", "volumeName": format!("pvc-{name}")},
            "status": {"phase": "Bound"},
        });
        self.volumes.lock().unwrap().push(volume.clone());
        self.claims.lock().unwrap().push(claim);
        serde_json::from_value(volume).unwrap()
    }

    fn change(&self, of: &Arc<Mutex<Vec<Value>>>, number: usize, pointer: &str, value: Value) -> Value {
        let mut objects = of.lock().unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        objects[number].pointer_mut(parent).unwrap()[key] = value;
        objects[number].clone()
    }

    async fn serve(self, mut server: Server) {
        loop {
            let (what, request, to) = next(&mut server).await;
            self.requests.fetch_add(1, Ordering::Relaxed);
            let path = request.uri().path().to_owned();
            let objects = match path.contains("persistentvolumeclaims") {
                true => self.claims.lock().unwrap().clone(),
                false => self.volumes.lock().unwrap().clone(),
            };
            match what.as_str() {
                "GET persistentvolumes" | "GET persistentvolumeclaims" => answer(
                    to,
                    200,
                    &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": objects}),
                ),
                what => {
                    let name = what.trim_start_matches("GET ");
                    match objects.iter().find(|object| object["metadata"]["name"] == name) {
                        Some(object) => answer(to, 200, object),
                        None => answer(to, 404, &refusal(404, "NotFound")),
                    }
                }
            }
        }
    }
}

/// A provisioner on `export`, and a cluster that answers it.
fn scene(export: &Path) -> (Reconciler, Cluster) {
    let (client, server): (Client, _) = mock();
    let cluster = Cluster::default();
    tokio::spawn(cluster.clone().serve(server));
    (reconciler(client, export), cluster)
}

/// Lets the reconciler write the records that are due now.
async fn update(reconciler: &Reconciler) -> Result<(), Postponed> {
    let served = reconciler.exports.iter().next().unwrap();
    reconciler.update_records(served, &reconciler.records.0[0]).await
}

async fn updated(reconciler: &Reconciler) {
    if let Err(Postponed::Failed(error)) = update(reconciler).await {
        panic!("{error}");
    }
}

fn record(export: &Path, volume: &str) -> Option<String> {
    std::fs::read_to_string(export.join(format!(".nfsprov/volumes/{volume}.yaml"))).ok()
}

fn inode(export: &Path, volume: &str) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let path = export.join(format!(".nfsprov/volumes/{volume}.yaml"));
    std::fs::metadata(path).unwrap().ino()
}

#[tokio::test]
async fn a_bound_volume_is_recorded_and_its_record_follows_it() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    let volume = cluster.bind("a");
    reconciler.queue_record_of_volume(&volume);
    updated(&reconciler).await;
    let first = record(export.path(), "pvc-a").unwrap();
    assert!(first.contains("kind: \"PersistentVolumeClaim\""), "{first}");

    // The same once more writes nothing.
    let before = inode(export.path(), "pvc-a");
    reconciler.queue_record_of_volume(&volume);
    assert!(reconciler.records.0[0].state().volumes.is_empty());
    let labels = cluster.change(&cluster.claims, 0, "/metadata/labels", json!({"app": "web"}));
    reconciler.queue_record_of_claim(&serde_json::from_value(labels).unwrap());
    updated(&reconciler).await;
    assert!(record(export.path(), "pvc-a").unwrap().contains("app: \"web\""));
    assert_ne!(
        inode(export.path(), "pvc-a"),
        before,
        "it is replaced, not written over"
    );

    let larger = cluster.change(&cluster.volumes, 0, "/spec/capacity/storage", json!("2Gi"));
    reconciler.queue_record_of_volume(&serde_json::from_value(larger).unwrap());
    updated(&reconciler).await;
    assert!(record(export.path(), "pvc-a").unwrap().contains("storage: \"2Gi\""));

    // The claim is deleted: its data is kept, and so is the PV alone.
    cluster.claims.lock().unwrap().clear();
    let released = cluster.change(&cluster.volumes, 0, "/status/phase", json!("Released"));
    reconciler.queue_record_of_volume(&serde_json::from_value(released).unwrap());
    updated(&reconciler).await;
    let last = record(export.path(), "pvc-a").unwrap();
    assert!(!last.contains("kind: \"PersistentVolumeClaim\"\nmetadata"), "{last}");
    assert_eq!(
        std::fs::read_dir(export.path().join(".nfsprov/volumes"))
            .unwrap()
            .count(),
        1
    );
}

#[tokio::test]
async fn records_are_checked_at_the_start_and_only_what_is_wrong_is_written() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    for name in ["a", "b", "c", "d", "e"] {
        cluster.bind(name);
    }
    reconciler.request_record_checks();
    updated(&reconciler).await;
    let records = export.path().join(".nfsprov/volumes");
    assert_eq!(std::fs::read_dir(&records).unwrap().count(), 5);
    let kept = inode(export.path(), "pvc-a");
    std::fs::remove_file(records.join("pvc-b.yaml")).unwrap();
    std::fs::write(records.join("pvc-c.yaml"), "half of a rec").unwrap();
    std::fs::write(export.path().join("precious"), "data").unwrap();
    std::fs::remove_file(records.join("pvc-d.yaml")).unwrap();
    std::os::unix::fs::symlink(export.path().join("precious"), records.join("pvc-d.yaml")).unwrap();
    std::fs::write(records.join("pvc-of-another-cluster.yaml"), "theirs").unwrap();
    cluster.change(&cluster.claims, 4, "/metadata/labels", json!({"changed": "unseen"}));

    // Another process, which knows nothing yet.
    let (client, server): (Client, _) = mock();
    tokio::spawn(cluster.clone().serve(server));
    let reconciler = crate::provisioner::mock::reconciler(client, export.path());
    cluster.requests.store(0, Ordering::Relaxed);
    reconciler.request_record_checks();
    updated(&reconciler).await;
    for name in ["a", "b", "c", "d", "e"] {
        let text = record(export.path(), &format!("pvc-{name}")).unwrap();
        assert!(text.contains(&format!("/export/{name}")), "{text}");
    }
    assert!(record(export.path(), "pvc-e").unwrap().contains("unseen"));
    assert_eq!(
        inode(export.path(), "pvc-a"),
        kept,
        "a record that is right is left alone"
    );
    // Two lists, and a PV and a claim for each of the four.
    assert_eq!(cluster.requests.load(Ordering::Relaxed), 2 + 4 * 2);
    assert_eq!(std::fs::read_to_string(export.path().join("precious")).unwrap(), "data");
    assert_eq!(record(export.path(), "pvc-of-another-cluster").unwrap(), "theirs");
}

#[tokio::test]
async fn one_record_that_cannot_be_written_holds_up_no_other() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    for name in ["a", "b", "c"] {
        cluster.bind(name);
    }
    let in_the_way = export.path().join(".nfsprov/volumes/pvc-b.yaml/in");
    std::fs::create_dir_all(&in_the_way).unwrap();
    reconciler.request_record_checks();
    assert!(matches!(
        update(&reconciler).await,
        Err(Postponed::Failed(ReconcileError::Export(_)))
    ));
    assert!(record(export.path(), "pvc-a").is_some() && record(export.path(), "pvc-c").is_some());
    std::fs::remove_dir_all(in_the_way.parent().unwrap()).unwrap();
    updated(&reconciler).await;
    assert!(record(export.path(), "pvc-b").is_some(), "it stayed due");
    assert_eq!(
        std::fs::read_dir(export.path().join(".nfsprov/volumes"))
            .unwrap()
            .count(),
        3
    );
}

#[tokio::test]
async fn a_claim_that_changes_while_its_record_is_written_is_due_again() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    cluster.bind("a");
    let (served, queue) = (reconciler.exports.iter().next().unwrap(), &reconciler.records.0[0]);
    queue.state().known = Some(HashMap::new());
    let due = reconciler.due_record(served, queue, "pvc-a").await;
    assert!(matches!(due, Ok(Some(_))));
    let labels = cluster.change(&cluster.claims, 0, "/metadata/labels", json!({"app": "web"}));
    reconciler.queue_record_of_claim(&serde_json::from_value(labels).unwrap());
    assert!(queue.state().volumes.contains("pvc-a"));
}

#[tokio::test]
async fn a_volume_that_is_being_deleted_is_not_recorded() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    let volume = cluster.bind("a");
    let served = reconciler.exports.iter().next().unwrap();
    let lock = served.lock_volume("pvc-a").await;
    reconciler.queue_record_of_volume(&volume);
    assert!(matches!(update(&reconciler).await, Err(Postponed::Locked)));
    assert_eq!(record(export.path(), "pvc-a"), None);
    // The deletion ends, and the PV is gone.
    cluster.volumes.lock().unwrap().clear();
    drop(lock);
    updated(&reconciler).await;
    assert_eq!(record(export.path(), "pvc-a"), None);
}

#[tokio::test]
async fn nothing_is_written_by_a_replica_that_does_not_lead() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    let until = tokio::sync::watch::Sender::new(None::<Instant>);
    let reconciler = reconciler.with_leadership(Leadership::held_until(until.subscribe()));
    reconciler.queue_record_of_volume(&cluster.bind("a"));
    assert!(matches!(
        update(&reconciler).await,
        Err(Postponed::Failed(ReconcileError::NotLeading))
    ));
    assert!(!export.path().join(".nfsprov").exists());
}

#[tokio::test]
async fn volumes_of_others_are_not_recorded() {
    let export = tempfile::tempdir().unwrap();
    let (reconciler, cluster) = scene(export.path());
    for (number, (pointer, value)) in [
        ("/metadata/annotations/pv.kubernetes.io~1provisioned-by", json!("other")),
        ("/spec/nfs/server", json!("elsewhere")),
        ("/spec/nfs/path", json!("/other/a")),
        ("/status/phase", json!("Available")),
        ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
    ]
    .into_iter()
    .enumerate()
    {
        cluster.bind(&format!("v{number}"));
        let mut volumes = cluster.volumes.lock().unwrap();
        match volumes[number].pointer_mut(pointer) {
            Some(field) => *field = value,
            None => volumes[number]["metadata"]["deletionTimestamp"] = value,
        }
        let volume = serde_json::from_value(volumes[number].clone()).unwrap();
        reconciler.queue_record_of_volume(&volume);
    }
    reconciler.request_record_checks();
    updated(&reconciler).await;
    assert!(!export.path().join(".nfsprov").exists());
}
