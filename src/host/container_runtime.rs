//! Decides which container runtime of a node takes an image, and writes the scripts that load it (PURE). The main type
//! is [`ContainerRuntime`].

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::plan::ONLY_ROOT;
use crate::image::architecture_of;
use crate::shell::{arguments, quote};

/// How many bytes of an archive a line of a script carries; a multiple of three, so that only the last line is padded.
const BYTES_PER_LINE: usize = 3072;

/// What is in no search path of sudo's on some distributions, but has k3s, and ctr where it was installed by hand.
const SEARCH_PATH: &str = "PATH=\"$PATH:/usr/local/bin\"\n";

/// A container runtime whose images kubelets run.
#[derive(Debug, PartialEq, Eq)]
pub struct ContainerRuntime {
    pub name: &'static str,
    /// The socket that it listens on.
    socket: &'static str,
    /// The program that loads images into it.
    program: &'static str,
    /// The command that loads the archive named by the word after it.
    load: &'static str,
    /// The command that lists images, at least `$image`: the name is a line's first word, the digest another, and
    /// `complete` another if no part is missing. containerd keeps the name of an image that it could not import whole.
    list: &'static str,
}

const DOCKER: ContainerRuntime = ContainerRuntime {
    name: "Docker",
    socket: "/run/cri-dockerd.sock",
    program: "docker",
    load: "docker load --input",
    list: "docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}} complete'",
};

/// The first whose socket is there counts. Docker comes before containerd, since it runs one of its own.
static RUNTIMES: [ContainerRuntime; 6] = [
    ContainerRuntime {
        name: "K3s",
        socket: "/run/k3s/containerd/containerd.sock",
        program: "k3s",
        load: "k3s ctr --namespace k8s.io images import",
        list: "k3s ctr --namespace k8s.io images check \"name==$image\"",
    },
    ContainerRuntime {
        name: "RKE2",
        socket: "/run/k3s/containerd/containerd.sock",
        program: "/var/lib/rancher/rke2/bin/ctr",
        load: "/var/lib/rancher/rke2/bin/ctr --address /run/k3s/containerd/containerd.sock --namespace k8s.io images import",
        list: "/var/lib/rancher/rke2/bin/ctr --address /run/k3s/containerd/containerd.sock --namespace k8s.io images check \
               \"name==$image\"",
    },
    ContainerRuntime {
        name: "CRI-O",
        socket: "/run/crio/crio.sock",
        program: "podman",
        load: "podman load --input",
        list: "podman images --format '{{.Repository}}:{{.Tag}} {{.Digest}} complete'",
    },
    DOCKER,
    // The kubelet's own, up to Kubernetes 1.23.
    ContainerRuntime {
        socket: "/var/run/dockershim.sock",
        ..DOCKER
    },
    ContainerRuntime {
        name: "containerd",
        socket: "/run/containerd/containerd.sock",
        program: "ctr",
        load: "ctr --namespace k8s.io images import",
        list: "ctr --namespace k8s.io images check \"name==$image\"",
    },
];

/// What `word` takes from each runtime of the table, sorted and without duplicates.
fn all_words(word: fn(&ContainerRuntime) -> &'static str) -> BTreeSet<&'static str> {
    RUNTIMES.iter().map(word).collect()
}

/// A script that prints what [`choose_runtime`] reads: the user's id, the machine, and on a line each the sockets and
/// programs of runtimes that are there.
pub fn find_runtime_script() -> String {
    let words = |word: fn(&ContainerRuntime) -> &'static str| {
        let words = all_words(word).into_iter().map(str::to_owned);
        arguments(&words.collect::<Vec<_>>())
    };
    let (sockets, programs) = (words(|runtime| runtime.socket), words(|runtime| runtime.program));
    format!(
        "{SEARCH_PATH}id -u\nuname -m\n{sockets}for socket do [ ! -S \"$socket\" ] || echo \"$socket\"; done\n\
         {programs}for program do ! command -v \"$program\" >/dev/null || echo \"$program\"; done\n"
    )
}

/// The runtime that the node's kubelet uses, by the output of [`find_runtime_script`]: of several, that of K3s and RKE2
/// comes first, then CRI-O, Docker and containerd. `architecture` is the image's, if it is known.
///
/// # Errors
/// A sentence, if the login is not root's, the image is for another architecture, or no runtime is found that nfsprov
/// can load images into.
pub fn choose_runtime(seen: &str, architecture: Option<&str>) -> Result<&'static ContainerRuntime, String> {
    let mut lines = seen.lines();
    let (user, machine) = (lines.next(), lines.next().unwrap_or_default());
    let found: BTreeSet<&str> = lines.collect();
    if user != Some("0") {
        return Err(ONLY_ROOT.to_owned());
    }
    let own = architecture_of(machine);
    if let Some(other) = architecture.filter(|architecture| *architecture != own) {
        return Err(format!(
            "the image is for {other}, but the node is {own}; pass the archive for {own}"
        ));
    }
    let Some(first) = RUNTIMES.iter().find(|runtime| found.contains(runtime.socket)) else {
        let sockets = Vec::from_iter(all_words(|runtime| runtime.socket)).join(", ");
        return Err(format!(
            "no container runtime found: there is none of the sockets {sockets}"
        ));
    };
    let candidates = || RUNTIMES.iter().filter(move |runtime| runtime.socket == first.socket);
    let chosen = candidates().find(|runtime| found.contains(runtime.program));
    chosen.ok_or_else(|| {
        let programs: Vec<_> = candidates().map(|runtime| runtime.program).collect();
        let programs = programs.join(" or ");
        format!(
            "the container runtime at {} needs {programs} to load images, which is missing",
            first.socket
        )
    })
}

impl ContainerRuntime {
    /// A script that lists images with their digests, at least `image` if the runtime has it; [`lists_image`] reads its
    /// output.
    pub fn list_script(&self, image: &str) -> String {
        format!("{SEARCH_PATH}image={}\n{}\n", quote(image), self.list)
    }

    /// A script that loads an archive, which it carries, and then lists images as [`ContainerRuntime::list_script`]
    /// does. It fails, without a list, if the archive can't be loaded. The archive is a file there meanwhile: in a
    /// pipe, only the last command's failure would count.
    pub fn load_script(&self, archive: &[u8], image: &str) -> String {
        let mut encoded = String::new();
        for part in archive.chunks(BYTES_PER_LINE) {
            STANDARD.encode_string(part, &mut encoded);
            encoded.push('\n');
        }
        let (load, list) = (self.load, self.list_script(image));
        format!(
            "set -e\n{SEARCH_PATH}archive=$(mktemp)\ntrap 'rm -f \"$archive\"' EXIT\n\
             base64 -d >\"$archive\" <<'END'\n{encoded}END\n{load} \"$archive\" >&2\n{list}"
        )
    }
}

/// Whether a runtime's list has an image of this name that is complete; if digests are given, only with one of these.
pub fn lists_image(list: &str, image: &str, digests: Option<&[String]>) -> bool {
    list.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_complete = words.first() == Some(&image) && words.contains(&"complete");
        is_complete && digests.is_none_or(|digests| digests.iter().any(|digest| words.contains(&digest.as_str())))
    })
}

#[cfg(test)]
#[path = "container_runtime_tests.rs"]
mod tests;
