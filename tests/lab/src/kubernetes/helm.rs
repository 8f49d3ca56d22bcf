//! Helm, built from its Go module: for the tests of the chart.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Unavailable;
use super::go::{self, Toolchain};
use crate::{cache, step};

const GO_MOD: &str = include_str!("../../helm/go.mod");
const GO_SUM: &str = include_str!("../../helm/go.sum");

const PACKAGE: &str = "helm.sh/helm/v3/cmd/helm";

/// The version in our go.mod, as `v3.1.2`.
fn version() -> Result<&'static str> {
    let mut lines = GO_MOD.lines().map(str::trim_start);
    let version = lines.find_map(|line| line.strip_prefix("helm.sh/helm/v3 ")?.split(' ').next());
    version.context("helm/go.mod requires no helm.sh/helm/v3")
}

/// The program, built into the cache if it is not there yet; that takes some minutes.
///
/// # Errors
/// [`Unavailable`] when there is no Go new enough, or the module proxy does not give what it is made of; otherwise when
/// the build fails.
pub fn build() -> Result<PathBuf> {
    let version = version()?;
    let what = format!("Helm {version}");
    let oldest = GO_MOD.lines().find_map(|line| line.strip_prefix("go "));
    let go = Toolchain::at_least(oldest.unwrap_or_default(), &what)?;
    let built = cache::ensure(&format!("helm-{version}"), |dir| build_program(dir, &what, &go));
    let dir = built.map_err(|error| error.downcast::<Unavailable>().map_or_else(|error| error, Into::into))?;
    Ok(dir.join("helm"))
}

fn build_program(dir: &Path, what: &str, go: &Toolchain) -> Result<()> {
    let module = dir.join("module");
    cache::create_dir(&module)?;
    for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        let path = module.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let log = cache::log("helm")?;
    // Listing what is compiled downloads it, so that a refusal is not taken for the compiler's failure.
    let list = ["list", "-deps", "-f", "{{\"\"}}", PACKAGE];
    let title = format!("downloading the modules of {what}");
    let downloaded = step::run(&title, &log, &mut go.command(&module, dir, "-mod=readonly", &list)?);
    downloaded.map_err(|error| go::explain(error, what))?;
    let output = format!("-o={}", dir.join("helm").display());
    let build = ["build", "-trimpath", "-ldflags=-s -w", &output, PACKAGE];
    let title = format!("building {what} (some minutes on two cores)");
    step::run(&title, &log, &mut go.command(&module, dir, "-mod=readonly", &build)?)?;
    for rest in ["gocache", "gomodcache", "gopath", "tmp"] {
        cache::remove_dir(&dir.join(rest))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_go_mod_names_one_version_and_the_program() {
        assert!(version().unwrap().starts_with("v3."), "{:?}", version());
        assert!(GO_MOD.contains(PACKAGE));
    }
}
