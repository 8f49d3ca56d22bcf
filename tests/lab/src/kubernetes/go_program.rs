//! Programs for tests and benchmarks, built from Go modules with the lab's own go.mod and go.sum.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Unavailable;
use super::go::{self, Toolchain};
use crate::image::hash;
use crate::{cache, step};

/// Helm, for the tests of the chart.
pub const HELM: GoProgram = GoProgram {
    name: "helm",
    package: "helm.sh/helm/v3/cmd/helm",
    versioned_by: "helm.sh/helm/v3 ",
    go_mod: include_str!("../../helm/go.mod"),
    go_sum: include_str!("../../helm/go.sum"),
    main: None,
};

/// A stand-in for nfs-subdir-external-provisioner, for the benchmark of peers. The module proxy lacks that program. The
/// stand-in uses the same controller library with all its defaults, and creates a directory for each claim. Its
/// arguments are a kubeconfig, the provisioner's name, and the directory in which to create directories.
pub const PEER: GoProgram = GoProgram {
    name: "peer",
    package: ".",
    versioned_by: "sigs.k8s.io/sig-storage-lib-external-provisioner/v6 ",
    go_mod: include_str!("../../peer/go.mod"),
    go_sum: include_str!("../../peer/go.sum"),
    main: Some(include_str!("../../peer/main.go")),
};

/// A program and the module in which it is built.
pub struct GoProgram {
    /// The name of its file, with which its cache key begins.
    name: &'static str,
    /// The package of the program.
    package: &'static str,
    /// The module whose version in the go.mod is the program's version.
    versioned_by: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// The text of the lab's own main.go, if the package is not one of another module.
    main: Option<&'static str>,
}

impl GoProgram {
    /// The version of its module, such as `v3.1.2`.
    fn version(&self) -> Result<&'static str> {
        let mut lines = self.go_mod.lines().map(str::trim_start);
        let version = lines.find_map(|line| line.strip_prefix(self.versioned_by)?.trim_start().split(' ').next());
        version.with_context(|| format!("the go.mod of {} requires no {}", self.name, self.versioned_by))
    }

    /// The program; builds it into the cache if it is missing, which takes some minutes.
    ///
    /// # Errors
    /// [`Unavailable`] if there is no Go that is new enough, or if the module proxy lacks a module; another error if
    /// the build fails.
    pub fn build(&self) -> Result<PathBuf> {
        let version = self.version()?;
        let what = format!("{} {version}", self.name);
        let oldest = self.go_mod.lines().find_map(|line| line.strip_prefix("go "));
        let go = Toolchain::at_least(oldest.unwrap_or_default(), &what)?;
        // The lab's own program has no version.
        let main = self
            .main
            .map(|text| format!("-{:08x}", hash(&[text]) as u32))
            .unwrap_or_default();
        let key = format!("{}-{version}{main}", self.name);
        let built = cache::ensure(&key, |dir| self.build_in(dir, &what, &go));
        let dir = built.map_err(|error| error.downcast::<Unavailable>().map_or_else(|error| error, Into::into))?;
        Ok(dir.join(self.name))
    }

    fn build_in(&self, dir: &Path, what: &str, go: &Toolchain) -> Result<()> {
        let module = dir.join("module");
        cache::create_dir(&module)?;
        let main = self.main.map(|text| ("main.go", text));
        for (name, text) in [("go.mod", self.go_mod), ("go.sum", self.go_sum)]
            .into_iter()
            .chain(main)
        {
            let path = module.join(name);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let log = cache::log(self.name)?;
        // `go list` downloads the dependencies first, so that a refusal is not confused with a failure of the compiler.
        let list = ["list", "-deps", "-f", "{{\"\"}}", self.package];
        let title = format!("downloading the modules of {what}");
        let downloaded = step::run(&title, &log, &mut go.command(&module, dir, "-mod=readonly", &list)?);
        downloaded.map_err(|error| go::explain_download_failure(error, what))?;
        let output = format!("-o={}", dir.join(self.name).display());
        let build = ["build", "-trimpath", "-ldflags=-s -w", &output, self.package];
        let title = format!("building {what} (some minutes on two cores)");
        step::run(&title, &log, &mut go.command(&module, dir, "-mod=readonly", &build)?)?;
        for rest in ["gocache", "gomodcache", "gopath", "tmp"] {
            cache::remove_dir(&dir.join(rest))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{HELM, PEER};

    #[test]
    fn each_go_mod_requires_the_module_that_names_the_version() {
        for program in [&HELM, &PEER] {
            assert!(program.version().unwrap().starts_with('v'), "{:?}", program.version());
        }
        assert!(HELM.go_mod.contains(HELM.package));
    }
}
