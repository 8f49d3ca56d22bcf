//! Directories of claims that are gone, and of attempts without a PV; the API server is a mock.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::provisioner::lease::Leadership;
use crate::provisioner::mock::{Server, answer, class, mock, next, reconciler, refusal, waiting_claim};
use crate::provisioner::outcome::ProvisionOutcome;

const PATTERN: &str = "team/${.PVC.name}";

/// An export on which the claim `gone` of the class `k` owned `directory`.
fn export_with_marker(directory: &str, target: &str) -> tempfile::TempDir {
    let export = tempfile::tempdir().unwrap();
    let marker = export.path().join(".nfsprov/owners").join(directory);
    std::fs::create_dir_all(&marker).unwrap();
    std::os::unix::fs::symlink(target, marker.join("@owner")).unwrap();
    std::fs::create_dir_all(export.path().join(directory)).unwrap();
    export
}

fn marker(export: &Path, directory: &str) -> Option<String> {
    let link = export.join(".nfsprov/owners").join(directory).join("@owner");
    Some(std::fs::read_link(link).ok()?.to_str()?.to_owned())
}

/// Answers every request by method and object; the API server has what `stored` says and takes all that is created.
fn serve(mut server: Server, stored: impl Fn(&str) -> Option<Value> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let (what, _, to) = next(&mut server).await;
            match stored(&what) {
                Some(object) => answer(to, 200, &object),
                None if what.starts_with("POST") => answer(to, 201, &json!({"metadata": {"name": "pvc-u"}})),
                None => answer(to, 404, &refusal(404, "NotFound")),
            }
        }
    })
}

fn classes(provisioner: &str) -> Value {
    let class = json!({"metadata": {"name": "nfs", "uid": "k"}, "provisioner": provisioner});
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClassList", "metadata": {}, "items": [class]})
}

#[tokio::test]
async fn a_path_is_taken_over_only_from_a_claim_that_is_gone() {
    let stored = |name: &str, uid: &str| json!({"metadata": {"name": name, "namespace": "d", "uid": uid}});
    let ours = || Some(classes("nfsprov/nfs"));
    for (about, owned, target, in_it, found, is_taken) in [
        ("gone", "team/c", "k/d/gone/old", "", vec![], true),
        (
            "a new claim has its name",
            "team/c",
            "k/d/gone/old",
            "",
            vec![("GET gone", stored("gone", "new"))],
            true,
        ),
        ("nested and gone", "team/c/x/y", "k/d/gone/old", "", vec![], true),
        ("above and gone", "team", "k/d/gone/old", "", vec![], true),
        (
            "alive",
            "team/c",
            "k/d/gone/old",
            "",
            vec![("GET gone", stored("gone", "old"))],
            false,
        ),
        (
            "its PV is there",
            "team/c",
            "k/d/gone/old",
            "",
            vec![("GET pvc-old", stored("pvc-old", "v"))],
            false,
        ),
        ("not empty", "team/c", "k/d/gone/old", "file", vec![], false),
        ("another cluster's", "team/c", "l/d/gone/old", "", vec![], false),
        (
            "another provisioner's",
            "team/c",
            "k/d/gone/old",
            "",
            vec![("GET storageclasses", classes("other"))],
            false,
        ),
        ("of the first format", "team/c", "old", "", vec![], false),
    ] {
        let export = export_with_marker(owned, target);
        if !in_it.is_empty() {
            std::fs::write(export.path().join(owned).join(in_it), "").unwrap();
        }
        let (client, server) = mock();
        let reconciler = reconciler(client, export.path());
        let waiting = serde_json::to_value(waiting_claim()).unwrap();
        let serving = serve(server, move |what| {
            let known = found
                .iter()
                .find(|(wanted, _)| *wanted == what)
                .map(|(_, object)| object.clone());
            known
                .or_else(|| (what == "GET c").then(|| waiting.clone()))
                .or_else(|| (what == "GET storageclasses").then(ours).flatten())
        });
        let result = reconciler
            .provision_claim(&waiting_claim(), Some(&class(json!({"pathPattern": PATTERN}))), None)
            .await;
        serving.abort();
        let about = format!("{about}: {result:?}");
        assert_eq!(
            matches!(result, Ok(ProvisionOutcome::Provisioned { .. })),
            is_taken,
            "{about}"
        );
        let new = marker(export.path(), "team/c").is_some_and(|target| target == "k/d/c/u");
        assert_eq!(new, is_taken, "{about}");
        assert_eq!(
            marker(export.path(), owned).as_deref() == Some(target),
            !is_taken,
            "{about}"
        );
        assert!(export.path().join("team/c").exists() || !is_taken, "{about}");
    }
}

/// While another task works for the owner, or takes its directory over, nothing is removed.
#[tokio::test]
async fn a_path_is_not_taken_over_while_its_owner_is_locked() {
    let export = export_with_marker("team/c", "k/d/gone/old");
    let (client, server) = mock();
    let reconciler = reconciler(client, export.path());
    let serving = serve(server, |what| {
        let waiting = serde_json::to_value(waiting_claim()).unwrap();
        match what {
            "GET c" => Some(waiting),
            "GET storageclasses" => Some(classes("nfsprov/nfs")),
            _ => None,
        }
    });
    let served = reconciler.exports.iter().next().unwrap();
    let class = class(json!({"pathPattern": PATTERN}));
    for (is_locked, is_taken) in [(true, false), (false, true)] {
        let lock = if is_locked {
            served.try_lock_volume("pvc-old")
        } else {
            None
        };
        let result = reconciler.provision_claim(&waiting_claim(), Some(&class), None).await;
        assert_eq!(
            matches!(result, Ok(ProvisionOutcome::Provisioned { .. })),
            is_taken,
            "{result:?}"
        );
        drop(lock);
    }
    serving.abort();
}

/// The class is deleted and created again with another pattern, after an attempt failed.
#[tokio::test]
async fn the_directory_of_an_attempt_goes_when_another_is_chosen() {
    for (about, file, has_volume, stays) in [
        ("empty", None, false, false),
        ("not empty", Some("team/c/file"), false, true),
        ("its PV was created after all", None, true, true),
    ] {
        let export = tempfile::tempdir().unwrap();
        let (client, server) = mock();
        let reconciler = reconciler(client, export.path());
        let waiting = serde_json::to_value(waiting_claim()).unwrap();
        let serving = serve(server, move |what| match what {
            "GET c" => Some(waiting.clone()),
            "GET pvc-u" if has_volume => Some(json!({"metadata": {"name": "pvc-u"}})),
            _ => None,
        });
        let place = |directory: &str| Attempt {
            served: reconciler.exports.iter().next().unwrap().clone(),
            directory: VolumePath::parse(directory).unwrap(),
        };
        let served = reconciler.exports.iter().next().unwrap();
        let owner = Owner::with_uid("u");
        reconciler.begin_attempt("u", place("team/c")).await;
        reconciler
            .write_marker_replacing_abandoned(&place("team/c").directory, &owner, served)
            .await
            .unwrap();
        std::fs::create_dir_all(export.path().join("team/c")).unwrap();
        if let Some(file) = file {
            std::fs::write(export.path().join(file), "").unwrap();
        }
        // The same place again is no other one.
        reconciler.begin_attempt("u", place("team/c")).await;
        assert!(export.path().join("team/c").exists(), "{about}");
        let class = class(json!({"pathPattern": "other/${.PVC.name}"}));
        reconciler
            .provision_claim(&waiting_claim(), Some(&class), None)
            .await
            .unwrap();
        serving.abort();
        assert_eq!(export.path().join("team").exists(), stays, "{about}");
        assert_eq!(marker(export.path(), "team/c").is_some(), stays, "{about}");
        assert!(export.path().join("other/c").exists(), "{about}");
        assert!(reconciler.lock_attempts().is_empty(), "{about}");
    }
}

/// The lease is lost while the directory of an earlier attempt is cleaned up.
#[tokio::test]
async fn no_marker_is_written_after_the_lease_was_lost() {
    let export = tempfile::tempdir().unwrap();
    let (client, mut server) = mock();
    let until = watch::Sender::new(Some(Instant::now() + Duration::from_secs(3600)));
    let leading = Leadership::held_until(until.subscribe());
    let reconciler = Arc::new(reconciler(client, export.path()).with_leadership(leading));
    let earlier = Attempt {
        served: reconciler.exports.iter().next().unwrap().clone(),
        directory: VolumePath::parse("team/earlier").unwrap(),
    };
    reconciler.begin_attempt("u", earlier).await;
    let provisioning = tokio::spawn({
        let (reconciler, class) = (reconciler.clone(), class(json!({"pathPattern": PATTERN})));
        async move { reconciler.provision_claim(&waiting_claim(), Some(&class), None).await }
    });
    let (_, _, to) = next(&mut server).await;
    answer(to, 200, &serde_json::to_value(waiting_claim()).unwrap());
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET pvc-u");
    until.send_replace(Some(Instant::now()));
    answer(to, 404, &refusal(404, "NotFound"));
    let result = provisioning.await.unwrap();
    assert!(matches!(result, Err(ReconcileError::NotLeading)), "{result:?}");
    assert_eq!(marker(export.path(), "team/c"), None);
}

#[tokio::test]
async fn the_directory_of_a_claim_that_goes_without_a_volume_goes_too() {
    for (about, parameters, directory) in [
        (
            "named by default",
            json!({}),
            "d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
        ),
        ("named by a pattern", json!({"pathPattern": PATTERN}), "team/c"),
    ] {
        let export = tempfile::tempdir().unwrap();
        let (client, mut server) = mock();
        let reconciler = Arc::new(reconciler(client, export.path()));
        let mut claim = waiting_claim();
        let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
        claim.metadata.uid = Some(uid.to_owned());
        // Bound or gone without an attempt: nothing is asked.
        reconciler.clean_up_after_claim(uid);
        let provisioning = tokio::spawn({
            let (reconciler, claim) = (reconciler.clone(), claim.clone());
            async move { reconciler.provision_claim(&claim, Some(&class(parameters)), None).await }
        });
        let (_, _, to) = next(&mut server).await;
        answer(to, 200, &serde_json::to_value(&claim).unwrap());
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, "POST persistentvolumes");
        assert!(export.path().join(directory).exists(), "{about}");
        // It is deleted while the request is under way, which then fails.
        reconciler.clean_up_after_claim(uid);
        answer(to, 403, &refusal(403, "Forbidden"));
        provisioning.await.unwrap().unwrap_err();
        let (what, _, to) = next(&mut server).await;
        assert_eq!(what, format!("GET pvc-{uid}"));
        answer(to, 404, &refusal(404, "NotFound"));
        let served = reconciler.exports.iter().next().unwrap();
        // Whoever waits for the lock has it when the removal is over.
        let _lock = served.lock_volume(&format!("pvc-{uid}")).await;
        let left: Vec<_> = std::fs::read_dir(export.path()).unwrap().flatten().collect();
        assert!(
            left.iter().all(|entry| entry.file_name() == ".nfsprov"),
            "{about}: {left:?}"
        );
        assert_eq!(marker(export.path(), "team/c"), None, "{about}");
    }
}
