//! The programs of a control plane: which versions there are, and building them from source into the cache.

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

/// A version of Kubernetes that the lab can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Lane {
    /// 1.20.2, the release that stopped filling in `metadata.selfLink`; built from Debian's source package.
    #[default]
    V1_20,
    /// The newest Kubernetes, built from Go modules alone: the version in `lanes/latest/go.mod`, or the one that
    /// `KUBERNETES_LATEST` in the environment names, as in `v1.37.2`.
    Latest,
}

/// Where the programs of a control plane are.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// The directory of kube-apiserver, kube-controller-manager and kube-scheduler; of kubelet and kube-proxy, too, in
    /// [`Lane::V1_20`].
    pub kubernetes: PathBuf,
    /// etcd: Debian's for 1.20, else the version that this Kubernetes itself names.
    pub etcd: PathBuf,
    /// The directory that holds kubectl (always Debian's) and nothing else, for PATH.
    pub kubectl: PathBuf,
}

/// The directory of Debian's prometheus and promtool, downloaded if they are not in the cache.
///
/// # Errors
/// When the package cannot be downloaded.
pub fn prometheus() -> Result<PathBuf> {
    Ok(from_debian::unpacked("prometheus")?.join("usr/bin"))
}

/// Why a lane cannot be used here, as opposed to something that went wrong with it: one sentence without a full stop,
/// to follow `skipped: `.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(pub String);

impl fmt::Display for Unavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

impl Lane {
    /// What the lane is called on command lines: `1.20` or `latest`.
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
    /// When `KUBERNETES_LATEST` is no version.
    pub fn version(self) -> Result<String> {
        match self {
            Lane::V1_20 => Ok(from_debian::VERSION.to_owned()),
            Lane::Latest => from_modules::version(),
        }
    }

    /// Its programs, if they are all in the cache; builds nothing.
    ///
    /// # Errors
    /// [`Unavailable`] when they are not; then it says whether the lane can be built here, as far as that is known:
    /// whether there is a Go new enough, and what the module proxy refused the last time.
    pub fn find(self) -> Result<Binaries> {
        match self {
            Lane::V1_20 => from_debian::find().with_context(|| not_built(from_debian::VERSION, "make test")),
            Lane::Latest => from_modules::find(),
        }
    }

    /// Its programs, built and downloaded into the cache as far as they are missing. Takes minutes the first time.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no Go new enough for the lane, or the module proxy does not give what it is made
    /// of; otherwise when a tool cannot be installed, or the build fails.
    pub fn build(self) -> Result<Binaries> {
        if let Ok(binaries) = self.find() {
            return Ok(binaries);
        }
        match self {
            Lane::V1_20 => from_debian::build(),
            Lane::Latest => from_modules::build(),
        }
    }

    /// The directory of its programs for nodes, built as far as they are missing.
    ///
    /// # Errors
    /// Those of [`Lane::build`], and [`Unavailable`] on [`Lane::Latest`]: Debian's containerd is older than what the
    /// kubelet of a new Kubernetes talks to.
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

    /// The default lane, unless only another one is built.
    pub fn built_or_default() -> Lane {
        let built = Lane::all().into_iter().find(|lane| lane.find().is_ok());
        built.unwrap_or_default()
    }

    /// All lanes, each with why it cannot be used now if that is so. Builds nothing.
    pub fn available() -> Vec<(Lane, Result<(), String>)> {
        let all = Lane::all().into_iter();
        all.map(|lane| (lane, lane.find().map(drop).map_err(|error| format!("{error:#}"))))
            .collect()
    }

    /// The lanes that tests run on: those that are built. Each other one is named on stderr as `skipped: why`.
    ///
    /// # Errors
    /// When a lane cannot be used under `CI=true`, when none can, or when `KUBERNETES_LATEST` is no version.
    pub fn to_test() -> Result<Vec<Lane>> {
        // Somebody's slip is not something that is missing.
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

/// That a version's programs are not in the cache, and what command changes that.
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

/// This machine's architecture as Go and Debian call it.
///
/// # Errors
/// When the lab has no recipe for it.
pub fn architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => bail!("the lab has no recipe for the architecture {other}"),
    }
}
