//! Writes the go.mod and go.sum of a lane that is built from Go modules.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::go::{self, Toolchain};
use crate::{cache, step};

const HEADER: &str = "\
// The newest Kubernetes, as programs of the lab: Kubernetes' own three and the etcd that its go.mod names.
// Written by nfsprov-lab; the README beside its crate says how to go on to another version.

module lab.invalid/control-plane
";

/// The part of Kubernetes' own go.mod that the generated one takes over, as `go mod edit -json` prints it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpstreamGoMod {
    go: String,
    #[serde(default)]
    go_debug: Option<Vec<Setting>>,
    #[serde(default)]
    replace: Option<Vec<Replacement>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Setting {
    key: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replacement {
    old: Module,
    new: Module,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    path: String,
}

/// Writes go.mod and go.sum for the `tools` of Kubernetes `version` (with the `v`) into the directory `module`, both or
/// neither; does nothing if they exist. `work` is where Go stores its downloads.
///
/// # Errors
/// [`super::Unavailable`] if a module is not available or Go is too old, another error if Go fails.
pub(super) fn write(
    version: &str,
    tools: &[&str],
    go: &Toolchain,
    module: &Path,
    work: &Path,
    log: &Path,
) -> Result<()> {
    if module.is_dir() {
        return Ok(());
    }
    let what = format!("Kubernetes {}", version.trim_start_matches('v'));
    let unfinished = module.with_extension("unfinished");
    cache::remove_dir(&unfinished)?;
    cache::create_dir(&unfinished)?;
    let path = format!("k8s.io/kubernetes@{version}");
    let mut download = go.command(&unfinished, work, "-mod=mod", &["mod", "download", &path])?;
    let downloaded = step::run(&format!("downloading the module {path}"), log, &mut download);
    downloaded.map_err(|error| go::explain_download_failure(error, &what))?;

    let upstream = work.join(format!("gomodcache/cache/download/k8s.io/kubernetes/@v/{version}.mod"));
    let upstream = upstream
        .to_str()
        .context("the cache's path is not in UTF-8: set XDG_CACHE_HOME")?;
    let output = go
        .command(&unfinished, work, "-mod=mod", &["mod", "edit", "-json", upstream])?
        .output();
    let output = output.context("cannot run go mod edit")?;
    if !output.status.success() {
        bail!(
            "cannot read {upstream}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let read: UpstreamGoMod =
        serde_json::from_slice(&output.stdout).with_context(|| format!("cannot understand {upstream}"))?;
    Toolchain::at_least(&read.go, &what)?;
    let generated = unfinished.join("go.mod");
    std::fs::write(&generated, text(&read, version, tools))
        .with_context(|| format!("cannot write {}", generated.display()))?;

    let mut tidy = go.command(&unfinished, work, "-mod=mod", &["mod", "tidy"])?;
    let title = format!("choosing the modules of {what}");
    step::run(&title, log, &mut tidy).map_err(|error| go::explain_download_failure(error, &what))?;
    std::fs::rename(&unfinished, module).with_context(|| format!("cannot rename {}", unfinished.display()))
}

/// The generated go.mod before `go mod tidy` adds the indirect dependencies.
fn text(upstream: &UpstreamGoMod, version: &str, tools: &[&str]) -> String {
    // The main module's go and godebug lines control the build, so they must be Kubernetes' own.
    let mut text = format!("{HEADER}\ngo {}\n\n", upstream.go);
    for Setting { key, value } in upstream.go_debug.iter().flatten() {
        let _ = writeln!(text, "godebug {key}={value}");
    }
    let _ = write!(text, "\nrequire k8s.io/kubernetes {version}\n\nreplace (\n");
    // Kubernetes' own go.mod replaces the modules that its repository contains by directories. They are published as
    // v0.X.Y for v1.X.Y of Kubernetes.
    let staged = version.replacen("v1.", "v0.", 1);
    for Replacement { old, new } in upstream.replace.iter().flatten() {
        if new.path.starts_with("./staging/") {
            let _ = writeln!(text, "\t{} => {} {staged}", old.path, old.path);
        }
    }
    text.push_str(")\n\ntool (\n");
    for tool in tools {
        let _ = writeln!(text, "\t{tool}");
    }
    text.push_str(")\n");
    text
}

#[cfg(test)]
mod tests {
    use super::{HEADER, text};

    #[test]
    fn go_debug_and_staged_modules_are_taken_over() {
        let upstream = r#"{"Go": "1.26.0", "GoDebug": [{"Key": "default", "Value": "go1.26"}], "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.com/a"}, "New": {"Path": "example.com/b", "Version": "v1.0.0"}}]}"#;
        let expected = "\ngo 1.26.0\n\ngodebug default=go1.26\n\nrequire k8s.io/kubernetes v1.37.2\n\nreplace (\n\
                        \tk8s.io/api => k8s.io/api v0.37.2\n)\n\ntool (\n\texample.com/tool\n)\n";
        let upstream = serde_json::from_str(upstream).unwrap();
        let generated = text(&upstream, "v1.37.2", &["example.com/tool"]);
        assert_eq!(generated, format!("{HEADER}{expected}"));
    }
}
