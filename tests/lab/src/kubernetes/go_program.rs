//! Programs for tests and benchmarks that are built from Go modules, with a go.mod and a go.sum of the lab's own.

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

/// A stand-in for nfs-subdir-external-provisioner, for the benchmark of peers. The module proxy does not have that program
/// itself; this one has its controller's library, with all defaults, and makes a directory for each claim. Its arguments are a
/// kubeconfig, the provisioner's name, and the directory to make directories in.
pub const PEER: GoProgram = GoProgram {
    name: "peer",
    package: ".",
    versioned_by: "sigs.k8s.io/sig-storage-lib-external-provisioner/v6 ",
    go_mod: include_str!("../../peer/go.mod"),
    go_sum: include_str!("../../peer/go.sum"),
    main: Some(include_str!("../../peer/main.go")),
};

/// A program and the module that it is built in.
pub struct GoProgram {
    /// Its file's name, which begins the key in the cache.
    name: &'static str,
    /// The package that is built.
    package: &'static str,
    /// The module whose version, as the go.mod has it, is the program's.
    versioned_by: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    /// The text of a main.go of the lab's own, where the package is not another module's.
    main: Option<&'static str>,
}

impl GoProgram {
    /// The version of its module, as `v3.1.2`.
    fn version(&self) -> Result<&'static str> {
        let mut lines = self.go_mod.lines().map(str::trim_start);
        let version = lines.find_map(|line| line.strip_prefix(self.versioned_by)?.trim_start().split(' ').next());
        version.with_context(|| format!("the go.mod of {} requires no {}", self.name, self.versioned_by))
    }

    /// The program, built into the cache if it is not there yet; that takes some minutes.
    ///
    /// # Errors
    /// [`Unavailable`] when there is no Go new enough, or the module proxy does not give what it is made of; otherwise when
    /// the build fails.
    pub fn build(&self) -> Result<PathBuf> {
        let version = self.version()?;
        let what = format!("{} {version}", self.name);
        let oldest = self.go_mod.lines().find_map(|line| line.strip_prefix("go "));
        let go = Toolchain::at_least(oldest.unwrap_or_default(), &what)?;
        // Ours has no version.
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
        // Listing what is compiled downloads it, so that a refusal is not taken for the compiler's failure.
        let list = ["list", "-deps", "-f", "{{\"\"}}", self.package];
        let title = format!("downloading the modules of {what}");
        let downloaded = step::run(&title, &log, &mut go.command(&module, dir, "-mod=readonly", &list)?);
        downloaded.map_err(|error| go::explain(error, what))?;
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
