//! The order in which a claim is expanded; the API server is a mock, the server's tools are doubles.

use http::Request;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::export::{Attributes, ExportError, LimitedExport, SizeLimit, VolumePath};
use crate::provisioner::mock::{Server, answer, class, mock, next, reconciler_on, refusal};
use crate::provisioner::volume::{ENFORCE, PROVISIONED_BY, QUOTA};

const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

/// A claim of 10 MiB that requests 20, and its volume.
struct Case {
    limited: LimitedExport,
    server: Server,
    claim: PersistentVolumeClaim,
    volume: Value,
    expanding: JoinHandle<Result<ExpansionOutcome, ReconcileError>>,
}

/// Limits the directory to 10 MiB and begins to expand the claim.
async fn expand(is_limited: bool, still_enforces: bool) -> Case {
    let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
    let name = format!("pvc-{UID}");
    let directory = VolumePath::parse(&format!("d-c-{name}")).unwrap();
    let export = &limited.export;
    export
        .create_directory(&directory, Attributes::with_mode(0o777))
        .await
        .unwrap();
    limited.enforce(true);
    let limit = SizeLimit::new(10 << 20, UID).unwrap();
    export.limit_size(&directory, &limit, LimitChange::New).await.unwrap();
    limited.enforce(still_enforces);
    limited.take_log();
    let claim: PersistentVolumeClaim = serde_json::from_value(json!({
        "metadata": {"name": "c", "namespace": "d", "uid": UID,
                     "annotations": {"volume.kubernetes.io/storage-provisioner": "nfsprov/nfs"}},
        "spec": {"storageClassName": "nfs", "volumeName": name, "resources": {"requests": {"storage": "20Mi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": "10Mi"}},
    }))
    .unwrap();
    let mut volume = json!({
        "metadata": {"name": name, "uid": "v", "annotations": {PROVISIONED_BY: "nfsprov/nfs"}},
        "spec": {"nfs": {"server": "server", "path": format!("/export/{directory}")},
                 "capacity": {"storage": "10Mi"}, "claimRef": {"uid": UID}},
    });
    if is_limited {
        volume["metadata"]["annotations"][QUOTA] = json!(ENFORCE);
    }
    let (client, mut server) = mock();
    let reconciler = reconciler_on(client, export.clone());
    let class = StorageClass {
        allow_volume_expansion: Some(true),
        ..class(json!({}))
    };
    let seen = claim.clone();
    let expanding = tokio::spawn(async move { reconciler.expand_claim(&seen, Some(&class)).await });
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, "GET c");
    answer(to, 200, &serde_json::to_value(&claim).unwrap());
    let (what, _, to) = next(&mut server).await;
    assert_eq!(what, format!("GET {name}"));
    answer(to, 200, &volume);
    Case {
        limited,
        server,
        claim,
        volume,
        expanding,
    }
}

async fn body(request: Request<Body>) -> Value {
    serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_directory_is_limited_before_pv_and_claim_get_the_size() {
    for is_limited in [true, false] {
        let mut case = expand(is_limited, true).await;
        let (what, request, to) = next(&mut case.server).await;
        assert_eq!(what, format!("PATCH pvc-{UID}"));
        let log = case.limited.take_log();
        assert_eq!(log.contains("bhard=20480k"), is_limited, "{log}");
        let expected = json!({"metadata": {"uid": "v"}, "spec": {"capacity": {"storage": "20Mi"}}});
        assert_eq!(body(request).await, expected);
        answer(to, 200, &case.volume);

        let (what, request, to) = next(&mut case.server).await;
        assert_eq!(what, "PATCH status");
        let expected = json!({"metadata": {"uid": UID}, "status": {"capacity": {"storage": "20Mi"}}});
        assert_eq!(body(request).await, expected);
        answer(to, 200, &serde_json::to_value(&case.claim).unwrap());
        assert_eq!(
            case.expanding.await.unwrap().unwrap(),
            ExpansionOutcome::Expanded {
                volume: format!("pvc-{UID}"),
                size: "20Mi".to_owned(),
                is_enforced: is_limited,
            }
        );
    }
}

/// A PV that was patched all the same would wait for its answer, and the result would be a timeout.
#[tokio::test]
async fn what_the_server_does_not_enforce_is_recorded_nowhere() {
    let case = expand(true, false).await;
    let result = case.expanding.await.unwrap();
    assert!(
        matches!(result, Err(ReconcileError::Export(ExportError::NotEnforced { .. }))),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_provisioner_without_the_right_names_the_option_that_grants_it() {
    let mut case = expand(false, true).await;
    let (_, _, to) = next(&mut case.server).await;
    answer(to, 200, &case.volume);
    let (what, _, to) = next(&mut case.server).await;
    assert_eq!(what, "PATCH status");
    answer(to, 403, &refusal(403, "Forbidden"));
    match case.expanding.await.unwrap() {
        Ok(ExpansionOutcome::Refused(why)) => assert!(why.contains("--allow-expansion"), "{why}"),
        result => panic!("{result:?}"),
    }
}
