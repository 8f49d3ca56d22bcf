//! Creates the objects of a plan, and waits until the claims are bound. Existing objects are not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::api::PostParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::time::Instant;

use super::rebuild::Row;
use crate::cluster::describe_error;
use crate::cluster::waiting::next_before;

/// How many records are applied at once.
const AT_ONCE: usize = 16;

/// What [`create_objects`] did.
#[derive(Debug)]
pub struct Created {
    /// The namespaces that were created, sorted; not those that another client created meanwhile.
    pub namespaces: Vec<String>,
    /// The result of each row, by the PV's name and in any order.
    pub rows: Vec<(String, Result<(), String>)>,
}

/// Creates the objects of rows, missing namespaces first, and calls `on_created` after each row, also after a failure.
/// Does not wait until the claims are Bound. Rows whose namespace can't be created fail. To repeat it, plan again: a PV
/// or claim that exists is a failure.
///
/// The PV comes before its claim: a claim without its PV would be Lost for a moment.
pub async fn create_objects(client: &Client, rows: &[Row], on_created: impl Fn()) -> Created {
    let missing: BTreeSet<&str> = rows
        .iter()
        .filter_map(|row| row.creation.namespace.as_deref())
        .collect();
    let (mut namespaces, mut refused) = (Vec::new(), BTreeMap::new());
    for namespace in missing {
        match create_namespace(client, namespace).await {
            Ok(true) => namespaces.push(namespace.to_owned()),
            Ok(false) => {}
            Err(why) => _ = refused.insert(namespace, why),
        }
    }
    let (on_created, refused) = (&on_created, &refused);
    let results = stream::iter(rows).map(|row| async move {
        let namespace = row.creation.namespace.as_deref();
        let result = match namespace.and_then(|namespace| refused.get(namespace)) {
            Some(why) => Err(why.clone()),
            None => create_row(client, row).await,
        };
        on_created();
        (row.volume.clone(), result)
    });
    let rows = results.buffer_unordered(AT_ONCE).collect().await;
    Created { namespaces, rows }
}

/// Creates a namespace; false if it exists.
async fn create_namespace(client: &Client, name: &str) -> Result<bool, String> {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let object = serde_json::from_value(object).map_err(|error| error.to_string())?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match namespaces.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(false),
        created => created
            .map(|_| true)
            .map_err(|error| format!("cannot create namespace {name}: {}", describe_error(&error))),
    }
}

/// Creates the PV and the claim of a row, as far as it has them; no claim if the PV can't be created. An object that
/// exists is an error.
async fn create_row(client: &Client, row: &Row) -> Result<(), String> {
    let params = PostParams::default();
    if let Some(volume) = &row.creation.volume {
        let created = Api::all(client.clone()).create(&params, volume).await;
        created.map_err(|error| format!("cannot create pv/{}: {}", row.volume, describe_error(&error)))?;
    }
    if let Some(claim) = &row.creation.claim {
        let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
        let created = Api::namespaced(client.clone(), namespace).create(&params, claim).await;
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        created.map_err(|error| format!("cannot create pvc/{name} -n {namespace}: {}", describe_error(&error)))?;
    }
    Ok(())
}

/// Waits until these claims, each as namespace and name, are Bound, or no further one became Bound for `patience`.
/// Returns the claims that were not seen Bound; empty if all are.
///
/// # Errors
/// When the API server refuses to list or watch the claims of all namespaces, or could not be reached at the end.
pub async fn wait_until_bound(
    client: &Client,
    claims: BTreeSet<(String, String)>,
    patience: Duration,
) -> Result<BTreeSet<(String, String)>, watcher::Error> {
    let mut pending = claims;
    if pending.is_empty() {
        return Ok(pending);
    }
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let mut events = std::pin::pin!(watcher(claims, watcher::Config::default()).default_backoff());
    let mut end = Instant::now() + patience;
    while !pending.is_empty() {
        let claim = match next_before(&mut events, end).await? {
            Some(Event::Apply(claim) | Event::InitApply(claim)) => claim,
            Some(_) => continue,
            None => break,
        };
        let is_bound = claim.status.and_then(|status| status.phase).as_deref() == Some("Bound");
        let key = claim.metadata.namespace.zip(claim.metadata.name);
        // Other claims are bound all the time.
        if is_bound && key.is_some_and(|key| pending.remove(&key)) {
            end = Instant::now() + patience;
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::provisioner::mock::{answer, mock, next, refusal};
    use crate::volumes::rebuild::{Action, Creation};

    fn list_of(claims: &[Value]) -> Value {
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": claims})
    }

    /// A watch ends when the API server restarts, and a list may fail then.
    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_is_repeated_unless_it_is_refused() {
        let bound = json!({"metadata": {"name": "c", "namespace": "d"}, "status": {"phase": "Bound"}});
        // The status of the second list; whether the claim is Bound at the end, `None` for an error.
        for (status, wanted) in [(200, Some(true)), (500, Some(true)), (403, None)] {
            let (client, mut server) = mock();
            let claims = BTreeSet::from([("d".to_owned(), "c".to_owned())]);
            let answering = async {
                let (mut lists, mut watches) = (0, 0);
                loop {
                    let (_, request, to) = next(&mut server).await;
                    if request.uri().to_string().contains("watch=") {
                        watches += 1;
                        match watches {
                            1 => to.send_error("connection reset"),
                            2 => answer(to, 200, &json!({"type": "ERROR", "object": refusal(410, "Expired")})),
                            _ => answer(to, 200, &Value::Null),
                        }
                        continue;
                    }
                    lists += 1;
                    match lists {
                        1 => answer(to, 200, &list_of(&[])),
                        2 if status != 200 => answer(to, status, &refusal(status, "Refused")),
                        _ => answer(to, 200, &list_of(std::slice::from_ref(&bound))),
                    }
                }
            };
            let waited = tokio::select! {
                waited = wait_until_bound(&client, claims, Duration::from_secs(60)) => waited,
                () = answering => unreachable!(),
            };
            let about = format!("{status}: {waited:?}");
            assert_eq!(waited.ok().map(|pending| pending.is_empty()), wanted, "{about}");
        }
    }

    #[tokio::test]
    async fn each_row_of_a_refused_namespace_says_why() {
        let row = |namespace: &str| Row {
            action: Action::Create,
            volume: format!("v-{namespace}"),
            claim: None,
            directory: None,
            why: String::new(),
            has_claim: false,
            creation: Creation {
                namespace: Some(namespace.to_owned()),
                ..Creation::default()
            },
        };
        let (client, mut server) = mock();
        let rows = [row("a"), row("b"), row("c"), row("d")];
        let answering = async {
            for answered in [
                refusal(403, "first"),
                refusal(403, "second"),
                json!({"metadata": {"name": "c"}}),
                refusal(409, "AlreadyExists"),
            ] {
                let (_, _, to) = next(&mut server).await;
                let code = answered["code"].as_u64();
                let status = code.and_then(|code| u16::try_from(code).ok()).unwrap_or(201);
                answer(to, status, &answered);
            }
            std::future::pending::<()>().await;
        };
        let Created { namespaces, mut rows } = tokio::select! {
            created = create_objects(&client, &rows, || ()) => created,
            () = answering => unreachable!(),
        };
        assert_eq!(namespaces, ["c"], "one that another client created is not reported");
        rows.sort();
        let told: Vec<_> = rows
            .iter()
            .map(|(volume, result)| format!("{volume}: {}", result.as_ref().err().map_or("", String::as_str)))
            .collect();
        assert_eq!(
            told,
            [
                "v-a: cannot create namespace a: first",
                "v-b: cannot create namespace b: second",
                "v-c: ",
                "v-d: "
            ]
        );
    }
}
