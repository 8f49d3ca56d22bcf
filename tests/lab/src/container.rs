//! Container images made here, without a registry or a builder: for nodes, which can pull none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache;

/// Packs a directory as an image.
pub(crate) const PACK: &str = include_str!("../node/pack.sh");
/// Packs a program with the libraries that it is linked with.
const PROGRAM: &str = include_str!("../node/program.sh");

/// An image that every node has: Debian's busybox, which stands in for that of a registry.
pub const BUSYBOX: &str = "localhost/busybox:1";
/// Another: the same as a web server on port 80 that shows /usr/share/nginx/html, which stands in for nginx.
pub const WEB: &str = "localhost/web:1";

/// What a script begins with that is to be run in an image of [`of_script`].
pub const SHELL: &str = "#!/usr/local/bin/busybox sh";

/// Makes an image called `name` (`HOST/NAME:TAG`) that holds nothing but `program`, which it runs and has on PATH, and
/// the libraries of this machine that it is linked with; returns the archive, in the directory `dir`.
/// [`crate::Guest::import`] takes it.
///
/// # Errors
/// When `program` is none, or `dir` cannot be written to.
pub fn of_program(name: &str, program: &Path, dir: &Path) -> Result<PathBuf> {
    pack(name, program, None, dir)
}

/// The same of a shell script, with this machine's busybox, which is to be named in its first line: [`SHELL`].
///
/// # Errors
/// When there is no such script or no busybox, or `dir` cannot be written to.
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
