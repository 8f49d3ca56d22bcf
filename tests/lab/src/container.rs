//! Container images for nodes, which cannot pull any; built without a registry or a builder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;

/// The script that packs a directory as an image.
pub(crate) const PACK: &str = include_str!("../node/pack.sh");
/// The script that packs a program with its shared libraries.
const PROGRAM: &str = include_str!("../node/program.sh");

/// An image that every node has: Debian's busybox, in place of the registry's.
pub const BUSYBOX: &str = "localhost/busybox:1";
/// An image that every node has: a busybox web server on port 80 that serves /usr/share/nginx/html, in place of nginx.
pub const WEB: &str = "localhost/web:1";

/// The first line of a script for [`of_script`].
pub const SHELL: &str = "#!/usr/local/bin/busybox sh";

/// Builds an image called `name` (`HOST/NAME:TAG`) that holds only `program`, which it runs and has on PATH, and this
/// machine's copies of the program's shared libraries. Returns the archive, in the directory `dir`;
/// [`crate::Guest::import`] loads it.
///
/// # Errors
/// If `program` is not executable, or `dir` is not writable.
pub fn of_program(name: &str, program: &Path, dir: &Path) -> Result<PathBuf> {
    pack(name, program, None, dir)
}

/// Like [`of_program`], for a shell script and this machine's busybox. The script's first line must be [`SHELL`].
///
/// # Errors
/// If the script or busybox does not exist, or `dir` is not writable.
pub fn of_script(name: &str, script: &Path, dir: &Path) -> Result<PathBuf> {
    pack(name, "/bin/busybox".as_ref(), Some(script), dir)
}

fn pack(name: &str, program: &Path, script: Option<&Path>, dir: &Path) -> Result<PathBuf> {
    cache::create_dir(dir)?;
    let pack = dir.join("pack.sh");
    std::fs::write(&pack, PACK).with_context(|| format!("cannot write {}", pack.display()))?;
    let program = program
        .canonicalize()
        .with_context(|| format!("cannot find {}", program.display()))?;
    let mut command = Command::new("sh");
    command
        .args(["-euc", PROGRAM, "program", name])
        .arg(&program)
        .args(script);
    let output = command
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .context("cannot run sh")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("cannot pack {} as an image: {}", program.display(), text.trim());
    }
    Ok(dir.join("image.tar"))
}
