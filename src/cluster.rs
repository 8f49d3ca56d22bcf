//! Connects to a cluster by a kubeconfig, as kubectl reads it, lists objects, and describes kube's errors in one
//! sentence. The main type is [`Cluster`]. Nothing here prints or changes an object. Only a list that expires is read
//! again, and [`waiting`] repeats watches.

pub mod dump;
pub(crate) mod gather;
pub mod images;
pub mod nfs_volumes;
pub mod object;
pub(crate) mod provisioners;
pub mod quantity;
pub(crate) mod snapshot;
pub mod waiting;
pub(crate) mod watch;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::{NamespaceResourceScope, ObjectList, Request};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

/// The cluster to connect to, as the command line names it.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The kubeconfig file; `None` for `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context; `None` for the current one.
    pub context: Option<String>,
    /// The namespace; `None` for the context's.
    pub namespace: Option<String>,
    /// The time limit of one request.
    pub request_timeout: Duration,
}

/// The read time-out of watches. The API server ends every watch after at most 290 s, so a watch that is silent for
/// longer has lost its server.
const WATCH_SILENCE: Duration = Duration::from_secs(330);

/// How long the client will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientUse {
    /// One command, which reports the first error. A watch fails if no event comes within the request time-out;
    /// [`waiting`] repeats it.
    OneShot,
    /// Watches, which outlive restarts of the API server. A request may wait 330 s for an answer.
    LongRunning,
}

/// A connected cluster; its API server has answered.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    /// The requested namespace, else the context's.
    pub namespace: String,
    /// The API server's version, as `v1.20.2`.
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig can't be read, or lacks the context or user that it names.
    #[error("{source_name}: {cause}")]
    Kubeconfig {
        /// The file, or the default paths.
        source_name: String,
        cause: String,
    },
    /// The API server does not answer.
    #[error("cluster at {url} does not answer: {cause}; is the server running, and is this the right context?")]
    Unreachable { url: String, cause: String },
}

/// Reads the kubeconfig, or in a pod without one its service account, which ignores the requested context, and asks the
/// API server for the version. The client never retries. [`ClientUse::OneShot`] limits every request to the request
/// time-out, [`ClientUse::LongRunning`] only silence, to 330 s.
///
/// # Errors
/// [`ClusterError`], one sentence naming the file or the URL, within the request time-out.
pub async fn connect(options: &ClusterOptions, purpose: ClientUse) -> Result<Cluster, ClusterError> {
    let mut config = load_config(options).await?;
    config.connect_timeout = Some(options.request_timeout.min(Duration::from_secs(10)));
    // Callers decide on retries, and report them.
    config.default_retry = false;
    match purpose {
        ClientUse::OneShot => {
            config.read_timeout = Some(options.request_timeout);
            config.write_timeout = Some(options.request_timeout);
        }
        ClientUse::LongRunning => config.read_timeout = Some(WATCH_SILENCE),
    }
    let url = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = options
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let unreachable = |cause| ClusterError::Unreachable {
        url: url.clone(),
        cause,
    };
    let client = Client::try_from(config).map_err(|error| unreachable(describe_error(&error)))?;
    let version = tokio::time::timeout(options.request_timeout, client.apiserver_version())
        .await
        .map_err(|_| unreachable(format!("no answer within {:?}", options.request_timeout)))?
        .map_err(|error| unreachable(describe_error(&error)))?;
    Ok(Cluster {
        client,
        namespace,
        version: version.git_version,
    })
}

/// The requested namespace, else the context's, without a request to the cluster. It is `default` if the command line
/// names neither kubeconfig nor context, and the default ones are missing or can't be read.
///
/// # Errors
/// [`ClusterError::Kubeconfig`] when a kubeconfig or context that the command line names can't be read.
pub async fn resolve_namespace(options: &ClusterOptions) -> Result<String, ClusterError> {
    if let Some(namespace) = &options.namespace {
        return Ok(namespace.clone());
    }
    match load_config(options).await {
        Ok(config) => Ok(config.default_namespace),
        Err(_) if options.kubeconfig.is_none() && options.context.is_none() => Ok("default".to_owned()),
        Err(error) => Err(error),
    }
}

/// The names of a kubeconfig's contexts; `None` stands for `$KUBECONFIG`, else `~/.kube/config`. Empty if it can't be
/// read.
pub fn list_contexts(kubeconfig: Option<&Path>) -> Vec<String> {
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let contexts = read.map(|kubeconfig| kubeconfig.contexts).unwrap_or_default();
    contexts.into_iter().map(|context| context.name).collect()
}

/// The API of a kind in a namespace, or with `None` in all namespaces.
pub fn api_in<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope>,
    K::DynamicType: Default,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The number of objects in one page of a list.
const PAGE: u32 = 500;

/// Lists the objects for which `keep` is true, without their `managedFields`. Reads page by page, so that a large
/// cluster is never in memory as a whole, unless the list expires meanwhile; a page that can't be read is an error for
/// the whole list.
pub async fn list_filtered<K>(api: &Api<K>, keep: impl Fn(&K) -> bool) -> Result<Vec<K>, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let add = |found: &mut Vec<K>, object: K| found.extend(Some(object).filter(&keep));
    list_folded(api, ListParams::default(), Vec::new(), add).await
}

/// Calls `add` with each object that `params` select, page by page as [`list_filtered`] does, and returns what it made
/// of `empty`. The objects have no `managedFields`. If the list expires between two pages, what was added is dropped,
/// and `add` gets all objects again, from `empty` on; so it must change nothing else.
pub async fn list_folded<K, T: Clone>(
    api: &Api<K>,
    params: ListParams,
    empty: T,
    mut add: impl FnMut(&mut T, K),
) -> Result<T, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    const GONE: u16 = 410;
    let mut found = empty.clone();
    let mut page = params.clone().limit(PAGE);
    loop {
        let request = Request::new(api.resource_url())
            .list(&page)
            .map_err(kube::Error::BuildRequest)?;
        let text = match api.clone().into_client().request_text(request).await {
            Err(kube::Error::Api(status)) if status.code == GONE && page.continue_token.is_some() => {
                page = params.clone();
                found = empty.clone();
                continue;
            }
            text => text?,
        };
        let read: ObjectList<K> =
            serde_json::from_str(&without_managed_fields(&text)).map_err(kube::Error::SerdeError)?;
        read.items.into_iter().for_each(|object| add(&mut found, object));
        match read.metadata.continue_ {
            Some(token) if !token.is_empty() => page = page.continue_token(&token),
            _ => return Ok(found),
        }
    }
}

/// Removes `managedFields` from a list's JSON. They are half of it, and nfsprov never uses them. Truncated JSON is
/// returned unchanged, for the parser to report.
fn without_managed_fields(text: &str) -> Cow<'_, str> {
    // In a string, quotes have a backslash before them, so that it can't be found there.
    const KEY: &str = "\"managedFields\":[";
    let mut rest = text;
    let mut kept = String::new();
    while let Some(at) = rest.find(KEY) {
        kept.reserve(text.len() / 2);
        kept.push_str(&rest[..at]);
        let Some(end) = end_of_array(&rest.as_bytes()[at + KEY.len()..]) else {
            return Cow::Borrowed(text);
        };
        rest = &rest[at + KEY.len() + end..];
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if kept.ends_with(',') => _ = kept.pop(),
            None => {}
        }
    }
    match kept.is_empty() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(kept + rest),
    }
}

/// The length of the rest of an array whose opening bracket was read, up to and with the closing one; `None` if it is
/// not closed.
fn end_of_array(json: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (1_usize, false, false);
    for (at, byte) in json.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// The configuration of the requested or current context of the kubeconfig; in a pod without one, its service
/// account's, unless a context is requested. Always [`ClusterError::Kubeconfig`] as its error.
async fn load_config(options: &ClusterOptions) -> Result<Config, ClusterError> {
    let source_name = match (&options.kubeconfig, std::env::var("KUBECONFIG")) {
        (Some(path), _) => format!("kubeconfig {}", path.display()),
        (None, Ok(paths)) if !paths.is_empty() => format!("kubeconfig {paths}"),
        _ => "kubeconfig ~/.kube/config".to_owned(),
    };
    let wrong = |error: &dyn std::error::Error| ClusterError::Kubeconfig {
        source_name: source_name.clone(),
        cause: innermost_cause(error),
    };
    let read = match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = match read {
        Ok(kubeconfig) => kubeconfig,
        // kubectl's order: without any file, a pod's own service account.
        Err(error) if options.kubeconfig.is_none() && options.context.is_none() && is_missing(&error) => {
            return Config::incluster().map_err(|_| wrong(&error));
        }
        Err(error) => return Err(wrong(&error)),
    };
    let contexts: Vec<_> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    if let Some(wanted) = &options.context
        && !contexts.contains(wanted)
    {
        return Err(ClusterError::Kubeconfig {
            source_name,
            cause: format!("has no context {wanted:?}; it has {}", contexts.join(", ")),
        });
    }
    let choice = KubeConfigOptions {
        context: options.context.clone(),
        ..KubeConfigOptions::default()
    };
    Config::from_custom_kubeconfig(kubeconfig, &choice)
        .await
        .map_err(|error| wrong(&error))
}

/// Whether there is no kubeconfig: no file, or no home directory to look in.
fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::FindPath => true,
        KubeconfigError::ReadConfig(io, _) => io.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// One sentence: the API server's message, or the reason why it did not answer. Names no object; is not escaped.
pub fn describe_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("{} ({})", status.reason, status.code),
        error => innermost_cause(error),
    }
}

/// The first line of the innermost error in a chain of causes.
fn innermost_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // The further lines of a YAML error draw the position.
    let text = cause.to_string();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Node;
    use kube::ResourceExt;
    use serde_json::{Value, json};

    use super::*;
    use crate::provisioner::mock::{answer, mock, next, refusal};

    /// The answers to the requests of one list, and the names in it, or whether it fails.
    #[tokio::test]
    async fn a_list_that_expires_between_pages_is_read_once_more_as_a_whole() {
        let page = |names: &[&str], token: &str| {
            let items: Vec<Value> = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
            let list = json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": token}, "items": items});
            (200, list)
        };
        let gone = || (410, refusal(410, "Expired"));
        for (answers, wanted) in [
            (vec![page(&["a"], "t"), page(&["b"], "")], Some(vec!["a", "b"])),
            (
                vec![page(&["a"], "t"), gone(), page(&["a", "b"], "")],
                Some(vec!["a", "b"]),
            ),
            (vec![page(&["a"], "t"), gone(), gone()], None),
            (vec![gone()], None),
            (vec![page(&["a"], "t"), (500, refusal(500, "InternalError"))], None),
        ] {
            let (client, mut server) = mock();
            let nodes: Api<Node> = Api::all(client);
            let mut is_whole = false;
            let serve = async {
                for (status, object) in &answers {
                    let (_, request, to) = next(&mut server).await;
                    let query = request.uri().query().unwrap_or_default();
                    assert_eq!(
                        query.contains("limit=") || query.contains("continue="),
                        !is_whole,
                        "{query}"
                    );
                    is_whole = *status == 410;
                    answer(to, *status, object);
                }
                let (request, ..) = next(&mut server).await;
                request
            };
            let listed = tokio::select! {
                listed = list_filtered(&nodes, |_| true) => listed,
                request = serve => panic!("one request too many: {request}"),
            };
            let names = listed
                .ok()
                .map(|nodes| nodes.iter().map(ResourceExt::name_any).collect::<Vec<_>>());
            let wanted = wanted.map(|names| names.into_iter().map(str::to_owned).collect());
            assert_eq!(names, wanted);
        }
    }

    #[test]
    fn managed_fields_are_not_parsed() {
        let fields = r#""managedFields":[{"fieldsV1":{"f:a]":{},"f:\"[":{}},"x":[1,[2]]},{}]"#;
        for (text, wanted) in [
            (format!(r#"{{"a":1,{fields}}}"#), r#"{"a":1}"#),
            (format!(r#"{{{fields},"a":1}}"#), r#"{"a":1}"#),
            (format!(r#"{{{fields}}}"#), "{}"),
            (
                format!(r#"[{{"a":1,{fields}}},{{"b":2,{fields}}}]"#),
                r#"[{"a":1},{"b":2}]"#,
            ),
            (
                r#"{"a":"\"managedFields\":[1,"}"#.to_owned(),
                r#"{"a":"\"managedFields\":[1,"}"#,
            ),
            (
                r#"{"a":1,"managedFields":[{"#.to_owned(),
                r#"{"a":1,"managedFields":[{"#,
            ),
            (r#"{"a":1}"#.to_owned(), r#"{"a":1}"#),
        ] {
            let read = without_managed_fields(&text);
            assert_eq!(read, wanted);
            let whole = serde_json::from_str::<Value>(&text);
            assert_eq!(whole.is_ok(), serde_json::from_str::<Value>(&read).is_ok());
        }
    }
}
