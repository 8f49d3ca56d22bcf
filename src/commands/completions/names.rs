//! Names for completion: of contexts, of the cluster's objects, and of findings. Nothing here fails or prints: without
//! an answer there are no names.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use clap::Arg;
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;

use serde::de::DeserializeOwned;

use crate::cluster::{self, ClientUse, ClusterOptions, connect};
use crate::doctor::explain::CATALOGUE;

/// The time limit of a completion: the shell waits for it.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The most names of one kind that are read.
const MOST_NAMES: u32 = 500;

/// What the doctor's objects begin with.
const OBJECT_KINDS: [&str; 3] = ["pvc/", "pv/", "pod/"];

/// The names that an argument takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    Contexts,
    Namespaces,
    Volumes,
    Classes,
    /// Of the current namespace.
    Claims,
    /// `NAMESPACE/NAME`.
    ClaimsWithNamespaces,
    /// A claim's name, `pvc/NAME`, `pv/NAME` or `pod/NAME`.
    Objects,
    Codes,
}

/// The kind of names that an argument of a command takes; `None` if its values are no names.
pub(super) fn names_for(command: &str, argument: &Arg) -> Option<Names> {
    let value_name = argument.get_value_names().and_then(<[_]>::first);
    match (
        command,
        argument.get_id().as_str(),
        value_name.map_or("", |name| name.as_str()),
    ) {
        (_, "context", _) => Some(Names::Contexts),
        (_, "namespace" | "lease_namespace", _) => Some(Names::Namespaces),
        (_, _, "PV") => Some(Names::Volumes),
        (_, _, "NAMESPACE/NAME") => Some(Names::ClaimsWithNamespaces),
        (_, _, "OBJECT") => Some(Names::Objects),
        ("doctor", "select" | "ignore" | "fix", _) | ("explain", "code", _) => Some(Names::Codes),
        ("pod", "claim", _) => Some(Names::Claims),
        ("pv" | "pvc" | "statefulset" | "adopt" | "restore", "class", _) => Some(Names::Classes),
        _ => None,
    }
}

impl Names {
    /// The names that begin with `current`, of the first 500 of a kind, read with the cluster options of the command
    /// line. Empty if the cluster does not answer within 2 s; names with characters that a shell acts on are dropped.
    /// Starts a Tokio runtime, so it must not be called inside one.
    pub(super) fn list(self, current: &str) -> Vec<String> {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.skip_while(|word| word != "--").collect();
        let options = cluster_options_in(&words);
        let mut names = match self {
            Self::Contexts => cluster::list_contexts(options.kubeconfig.as_deref()),
            Self::Codes => CATALOGUE.iter().map(|entry| entry.code.to_owned()).collect(),
            _ => self.read_from_cluster(current, &options).unwrap_or_default(),
        };
        names.retain(|name| name.starts_with(current) && is_safe(name));
        names
    }

    /// Reads the names from the cluster, none for contexts and codes; `None` if it does not answer within
    /// [`TIME_LIMIT`]. `current` only chooses the kind of [`Names::Objects`]: other names than those that begin with it
    /// are in the result, too.
    fn read_from_cluster(self, current: &str, options: &ClusterOptions) -> Option<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .ok()?;
        let reading = async {
            let cluster = connect(options, ClientUse::OneShot).await.ok()?;
            let (client, namespace) = (cluster.client, cluster.namespace.as_str());
            let claims = || Api::<PersistentVolumeClaim>::namespaced(client.clone(), namespace);
            let volumes = || Api::<PersistentVolume>::all(client.clone());
            Some(match self {
                Self::Contexts | Self::Codes => Vec::new(),
                Self::Namespaces => list_names(Api::<Namespace>::all(client.clone()), "").await,
                Self::Volumes => list_names(volumes(), "").await,
                Self::Classes => list_names(Api::<StorageClass>::all(client.clone()), "").await,
                Self::Claims => list_names(claims(), "").await,
                Self::ClaimsWithNamespaces => {
                    let listed = list_metadata(Api::<PersistentVolumeClaim>::all(client.clone()))
                        .await
                        .into_iter();
                    listed
                        .filter_map(|meta| Some(format!("{}/{}", meta.namespace?, meta.name?)))
                        .collect()
                }
                Self::Objects => match OBJECT_KINDS.into_iter().find(|kind| current.starts_with(kind)) {
                    Some("pv/") => list_names(volumes(), "pv/").await,
                    Some("pod/") => list_names(Api::<Pod>::namespaced(client.clone(), namespace), "pod/").await,
                    Some(kind) => list_names(claims(), kind).await,
                    None => {
                        let mut names = list_names(claims(), "").await;
                        names.extend(OBJECT_KINDS.map(str::to_owned));
                        names
                    }
                },
            })
        };
        runtime.block_on(async { tokio::time::timeout(TIME_LIMIT, reading).await.ok()? })
    }
}

/// The metadata of up to [`MOST_NAMES`] objects; empty if they can't be listed.
async fn list_metadata<K: Clone + DeserializeOwned + Debug>(api: Api<K>) -> Vec<ObjectMeta> {
    let listed = api.list_metadata(&ListParams::default().limit(MOST_NAMES)).await;
    let objects = listed.map(|listed| listed.items).unwrap_or_default();
    objects.into_iter().map(|object| object.metadata).collect()
}

/// The names of objects, each with `prefix`; empty if they can't be listed.
async fn list_names<K: Clone + DeserializeOwned + Debug>(api: Api<K>, prefix: &str) -> Vec<String> {
    let objects = list_metadata(api).await;
    let names = objects.into_iter().filter_map(|object| object.name);
    names.map(|name| format!("{prefix}{name}")).collect()
}

/// Whether a shell takes a name as one word, without expanding anything in it.
fn is_safe(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c))
}

/// The cluster options among the words of an unfinished command line; of an option that is given twice the last counts.
fn cluster_options_in(words: &[String]) -> ClusterOptions {
    let value_of = |long: &str, short: Option<&str>| {
        let found = words.iter().enumerate().rev().find_map(|(at, word)| {
            if word == long || Some(word.as_str()) == short {
                // bash makes three words of `--context=c`.
                let mut rest = words[at + 1..].iter().filter(|word| *word != "=");
                return rest.next().cloned();
            }
            let value = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
            let value = value.or(short.and_then(|short| word.strip_prefix(short)));
            value.map(str::to_owned)
        });
        found.filter(|value| !value.is_empty())
    };
    ClusterOptions {
        kubeconfig: value_of("--kubeconfig", None).map(PathBuf::from),
        context: value_of("--context", None),
        namespace: value_of("--namespace", Some("-n")),
        request_timeout: TIME_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_is_the_one_of_the_command_line() {
        for (line, kubeconfig, context, namespace) in [
            ("nfsprov doctor ", None, None, None),
            ("nfsprov --context a status -n web", None, Some("a"), Some("web")),
            ("nfsprov --context=a status -nweb", None, Some("a"), Some("web")),
            ("nfsprov --context = a --kubeconfig = /k", Some("/k"), Some("a"), None),
            ("nfsprov status --namespace a --namespace b", None, None, Some("b")),
            ("nfsprov status --namespace ", None, None, None),
            ("nfsprov status --no-headers", None, None, None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let options = cluster_options_in(&words);
            assert_eq!(
                options.kubeconfig.as_deref(),
                kubeconfig.map(std::path::Path::new),
                "{line}"
            );
            assert_eq!(options.context.as_deref(), context, "{line}");
            assert_eq!(options.namespace.as_deref(), namespace, "{line}");
        }
    }

    #[test]
    fn a_name_that_a_shell_would_expand_is_no_completion() {
        for name in [
            "web",
            "kind-kind",
            "admin@cluster.local",
            "arn:aws:eks:eu-1:1:cluster/a",
        ] {
            assert!(is_safe(name), "{name}");
        }
        for name in ["a b", "$(id)", "`id`", "a;b", "a'b", "a\"b", "a\\b", "\u{1b}[2J", "a*"] {
            assert!(!is_safe(name), "{name}");
        }
    }
}
