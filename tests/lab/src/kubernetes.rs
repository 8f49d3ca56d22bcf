//! The programs of a control plane: their versions, and their build from source into the cache.

pub(crate) mod from_debian;
mod from_modules;
pub(crate) mod go;
pub mod go_program;
mod module_file;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::namespace;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// 1.20.2, the first release without `metadata.selfLink`; built from Debian's source package.
    #[default]
    V1_20,
    /// The newest Kubernetes, built only from Go modules: the version in `lanes/latest/go.mod`, or the one in the
    /// environment variable `KUBERNETES_LATEST`, such as `v1.37.2`.
    Latest,
}

/// The paths of a control plane's programs.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The directory of kube-apiserver, kube-controller-manager and kube-scheduler; in [`Lane::V1_20`] also of kubelet
    /// and kube-proxy.
    pub kubernetes: PathBuf,
    /// etcd: Debian's for 1.20, otherwise the version that this Kubernetes names.
    pub etcd: PathBuf,
    /// The directory, for PATH, that holds only kubectl (always Debian's).
    pub kubectl: PathBuf,
}

/// The directory of Debian's prometheus and promtool; downloads them if they are not in the cache.
///
/// # Errors
/// If the package cannot be downloaded.
pub fn prometheus() -> Result<PathBuf> {
    Ok(from_debian::unpacked("prometheus")?.join("usr/bin"))
}

/// Why a lane is not available here, in contrast to a failed build: one sentence without a full stop, to follow
/// `skipped: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Lane {
    /// The lane's name on command lines: `1.20` or `latest`.
    pub fn name(self) -> &'static str {
        match self {
            Lane::V1_20 => "1.20",
            Lane::Latest => "latest",
        }
    }

    /// All lanes, the default one first.
    pub fn all() -> [Lane; 2] {
        [Lane::V1_20, Lane::Latest]
    }

    /// The version its API server reports, without the `v`.
    ///
    /// # Errors
    /// If `KUBERNETES_LATEST` is not a version.
    pub fn version(self) -> Result<String> {
        match self {
            Lane::V1_20 => Ok(from_debian::VERSION.to_owned()),
            Lane::Latest => from_modules::version(),
        }
    }

    /// Its programs, if all are in the cache; builds nothing.
    ///
    /// # Errors
    /// [`Unavailable`] if they are not. It says whether the lane can be built here, as far as known: whether there is a
    /// Go that is new enough, and which module the proxy refused at the last attempt.
    pub fn find(self) -> Result<Binaries> {
        match self {
            Lane::V1_20 => from_debian::find().with_context(|| not_built(from_debian::VERSION, "make test")),
            Lane::Latest => from_modules::find(),
        }
    }

    /// Its programs; builds and downloads the missing ones into the cache. The first build takes minutes.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no Go that is new enough for the lane, or if the module proxy lacks a module;
    /// another error if a tool cannot be installed or the build fails.
    pub fn build(self) -> Result<Binaries> {
        if let Ok(binaries) = self.find() {
            return Ok(binaries);
        }
        match self {
            Lane::V1_20 => from_debian::build(),
            Lane::Latest => from_modules::build(),
        }
    }

    /// The directory of its programs for nodes; builds the missing ones.
    ///
    /// # Errors
    /// Those of [`Lane::build`], and [`Unavailable`] on [`Lane::Latest`]: its kubelet needs a newer containerd than
    /// Debian's.
    pub fn build_node_programs(self) -> Result<PathBuf> {
        match self {
            Lane::V1_20 => Ok(self.build()?.kubernetes),
            Lane::Latest => Err(Unavailable(format!(
                "the lane {self} has no nodes (its kubelet wants a newer containerd than Debian 12 has): use the lane \
                 1.20"
            ))
            .into()),
        }
    }

    /// The default lane, unless only the other one is built.
    pub fn built_or_default() -> Lane {
        let built = Lane::all().into_iter().find(|lane| lane.find().is_ok());
        built.unwrap_or_default()
    }

    /// All lanes, each with the reason if it is not available now. Builds nothing.
    pub fn available() -> Vec<(Lane, Result<(), String>)> {
        let all = Lane::all().into_iter();
        all.map(|lane| (lane, lane.find().map(drop).map_err(|error| format!("{error:#}"))))
            .collect()
    }

    /// The lanes on which tests run: those that are built. Prints `skipped: why` on stderr for each other lane.
    ///
    /// # Errors
    /// If a lane is not available under `CI=true`, if none is, or if `KUBERNETES_LATEST` is not a version.
    pub fn to_test() -> Result<Vec<Lane>> {
        // A mistake in `KUBERNETES_LATEST` is an error, not a reason to skip a lane.
        Lane::Latest.version()?;
        let mut built = Vec::new();
        for (lane, state) in Lane::available() {
            match state {
                Ok(()) => built.push(lane),
                Err(why) => namespace::skip(&why)?,
            }
        }
        if built.is_empty() {
            bail!("no lane of Kubernetes is built: run make test");
        }
        Ok(built)
    }
}

/// The message that a version's programs are not in the cache, with the command that builds them.
fn not_built(version: &str, command: &str) -> Unavailable {
    Unavailable(format!("Kubernetes {version} is not built yet: run {command}"))
}

impl fmt::Display for Lane {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Lane {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Lane::all().into_iter().find(|lane| lane.name() == text);
        found.with_context(|| format!("there is no lane {text}: it is 1.20 or latest"))
    }
}

/// This machine's architecture in the names of Go and Debian.
///
/// # Errors
/// If the lab does not support it.
pub fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("the lab has no recipe for the architecture {other}"),
    }
}
