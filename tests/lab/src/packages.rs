//! Debian packages: installs those that the lab uses as tools, unpacks those of which it only needs the files, and
//! downloads sources. The mirror is always the one in this machine's own apt configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{cache, step};

/// Installs the missing ones of `packages` after printing their names; does nothing if none is missing. Needs root.
///
/// # Errors
/// If apt-get fails, or this process is not root.
pub fn install(packages: &[&str]) -> Result<()> {
    if missing(packages)?.is_empty() {
        return Ok(());
    }
    // Under apt's own locks, a second apt-get fails in some steps instead of waiting.
    let _lock = cache::lock("packages")?;
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    if !crate::namespace::is_root() {
        bail!(
            "these Debian packages are missing and installing them needs root: {}",
            missing.join(" ")
        );
    }
    step::print_line(&format!(
        "The lab needs tools that this machine lacks, so it installs: {}",
        missing.join(" ")
    ));
    let log = cache::log("packages")?;
    let title = format!("apt-get install {}", missing.join(" "));
    let mut command = apt_get(&["install", "--yes", "--no-install-recommends"]);
    with_update(&log, || step::run(&title, &log, command.args(&missing)))
}

/// Downloads `packages` as `.deb` files into `dir` without installing them, and keeps files of an earlier call. Returns
/// the path of each package's file, in the same order.
///
/// # Errors
/// If a package is unknown or cannot be downloaded.
pub fn download(packages: &[&str], dir: &Path, log: &Path) -> Result<Vec<PathBuf>> {
    cache::create_dir(dir)?;
    let absent: Vec<_> = packages.iter().filter(|package| deb(package, dir).is_none()).collect();
    if !absent.is_empty() {
        let title = format!("downloading {}", packages.join(", "));
        let mut command = apt_get(&["download"]);
        command.args(absent).current_dir(dir);
        with_update(log, || step::run(&title, log, &mut command))?;
    }
    downloaded(packages, dir)
}

/// Unpacks the files of the package file `deb` into `dir` without running its scripts.
///
/// # Errors
/// If the file is not a package, or `dir` is not writable.
pub fn extract(deb: &Path, dir: &Path) -> Result<()> {
    cache::create_dir(dir)?;
    let output = Command::new("dpkg-deb")
        .arg("--extract")
        .arg(deb)
        .arg(dir)
        .stdin(Stdio::null())
        .output();
    let output = output.context("cannot run dpkg-deb")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!(
            "cannot unpack {} into {}: {}",
            deb.display(),
            dir.display(),
            text.trim()
        );
    }
    Ok(())
}

/// Downloads `packages` of another Debian release, called `suite`, as `.deb` files into `dir`, from the same Debian
/// archive that this machine's apt uses. Returns the path of each package's file, in the same order.
///
/// # Errors
/// If the machine's apt has no sources of Debian, or the archive lacks the release or a package.
pub(crate) fn download_of(suite: &str, packages: &[&str], dir: &Path, log: &Path) -> Result<Vec<PathBuf>> {
    let apt = PrivateApt::new(dir)?;
    let archive = debian_archive()?;
    let list = apt.sources.join("debian.list");
    std::fs::write(&list, format!("deb {archive} {suite} main\n"))
        .with_context(|| format!("cannot write {}", list.display()))?;
    let title = format!("reading the list of packages of Debian {suite}");
    step::run(&title, log, &mut apt.command(&["update"]))?;
    let title = format!("downloading {} of Debian {suite}", packages.join(", "));
    step::run(&title, log, apt.command(&["download"]).args(packages))?;
    downloaded(packages, dir)
}

/// The Debian archive of this machine's apt, as written in its sources: `[signed-by=FILE] URI`.
fn debian_archive() -> Result<String> {
    let output = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(SIGNED_BY)|$(REPO_URI)|$(ORIGIN)|$(CODENAME)|$(SUITE)",
        ])
        .arg("Created-By: Packages")
        .stdin(Stdio::null())
        .output();
    let output = output.context("cannot run apt-get (the lab works on Debian and its derivatives)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    archive_in(&text).context("this machine's apt has no sources of Debian; run: apt-get update")
}

/// The first index target of Debian's main archive, not of its updates or security updates.
fn archive_in(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('|');
        let (signed_by, uri, origin, codename) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let main = origin == "Debian" && !codename.contains('-');
        let option = match signed_by.starts_with('/') {
            true => format!("[signed-by={signed_by}] "),
            false => String::new(),
        };
        main.then(|| format!("{option}{uri}"))
    })
}

/// An apt with its own sources; it reads the machine's configuration but does not change it.
struct PrivateApt {
    /// The directory of its downloads.
    dir: PathBuf,
    /// The directory for its sources.
    sources: PathBuf,
    lists: PathBuf,
    cache: PathBuf,
}

impl PrivateApt {
    /// Creates it without sources. Removes those of an earlier attempt, which may be outdated.
    fn new(dir: &Path) -> Result<Self> {
        let private = dir.join("apt");
        cache::remove_dir(&private)?;
        let apt = Self {
            dir: dir.to_owned(),
            sources: private.join("sources"),
            lists: private.join("lists"),
            cache: private.join("cache"),
        };
        for path in [
            &apt.sources,
            &apt.lists.join("partial"),
            &apt.cache.join("archives/partial"),
        ] {
            cache::create_dir(path)?;
        }
        Ok(apt)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = apt_get(args);
        command.current_dir(&self.dir);
        command.args(["-o", "Dir::Etc::sourcelist=/dev/null"]);
        for (option, path) in [
            ("Dir::Etc::sourceparts", &self.sources),
            ("Dir::State::Lists", &self.lists),
            ("Dir::Cache", &self.cache),
        ] {
            command.arg("-o").arg(format!("{option}={}", path.display()));
        }
        command
    }
}

/// Downloads Debian's source package `package` into `dir` (its `.dsc` and tar files, not unpacked) and returns the path
/// of the `.dsc`. It adds source entries, which a machine's apt configuration seldom has.
///
/// # Errors
/// If the machine's apt sources lack the package, or its download fails.
pub fn source(package: &str, dir: &Path) -> Result<PathBuf> {
    if let Some(dsc) = only_dsc(dir)? {
        return Ok(dsc);
    }
    let log = cache::log("packages")?;
    let apt = PrivateApt::new(dir)?;
    write_source_entries(&apt.sources)?;
    // Third-party archives in the machine's configuration often have no sources, which `apt-get update` reports as an
    // error. So its failure counts only if the package is not available afterwards.
    let updated = step::run(
        "reading the list of Debian sources",
        &log,
        &mut apt.command(&["update"]),
    );
    let title = format!("downloading the Debian source package {package}");
    let mut get = apt.command(&["source", "--download-only", "--only-source"]);
    if let Err(error) = step::run(&title, &log, get.arg(package)) {
        return Err(match updated {
            Ok(()) => error,
            Err(earlier) => error.context(format!("{earlier:#}")),
        });
    }
    only_dsc(dir)?.with_context(|| format!("apt-get source left no .dsc file of {package} in {}", dir.display()))
}

/// Those of `packages` that are not installed.
///
/// # Errors
/// If dpkg-query cannot be run.
pub fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let output = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(packages)
        .stdin(Stdio::null())
        .output()
        .context("cannot run dpkg-query (the lab works on Debian and its derivatives)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let installed = |package: &str| text.lines().any(|line| line == format!("{package} installed"));
    Ok(packages.iter().copied().filter(|package| !installed(package)).collect())
}

/// A non-interactive `apt-get`. As root it downloads as root too: apt's unprivileged user cannot write into a directory
/// of the cache.
fn apt_get(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["--quiet", "-o", "APT::Sandbox::User=root"]);
    command.args(["-o", "DPkg::Lock::Timeout=600"]).args(args);
    command
}

/// Calls `work`. If it fails, updates apt's package lists, which may be missing or old, and calls it once more.
pub(crate) fn with_update(log: &Path, mut work: impl FnMut() -> Result<()>) -> Result<()> {
    let Err(first) = work() else { return Ok(()) };
    if !crate::namespace::is_root() {
        return Err(first);
    }
    step::print_line("The attempt failed; retrying with updated package lists.");
    // As above: one broken third-party entry must not block the others.
    let updated = step::run("apt-get update", log, &mut apt_get(&["update"]));
    work().map_err(|error| match updated {
        Ok(()) => error,
        Err(earlier) => error.context(format!("{earlier:#}")),
    })
}

/// The downloaded file of each package in `dir`.
fn downloaded(packages: &[&str], dir: &Path) -> Result<Vec<PathBuf>> {
    let found = packages.iter().map(|package| {
        deb(package, dir).with_context(|| format!("apt-get download left no {package}_*.deb in {}", dir.display()))
    });
    found.collect()
}

/// The downloaded file of `package` in `dir`.
fn deb(package: &str, dir: &Path) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    entries(dir).ok()?.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".deb")
    })
}

/// The `.dsc` file in `dir`, if all files that it lists exist too.
fn only_dsc(dir: &Path) -> Result<Option<PathBuf>> {
    if !dir.is_dir() {
        return Ok(None);
    }
    let Some(dsc) = entries(dir)?
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "dsc"))
    else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&dsc).with_context(|| format!("cannot read {}", dsc.display()))?;
    // Lines of the section contain checksum, size and name.
    let listed = text
        .lines()
        .skip_while(|line| !line.starts_with("Checksums-Sha256:"))
        .skip(1);
    let complete = listed.take_while(|line| line.starts_with(' ')).all(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (size, name) = (words.next(), words.next());
        let found = name.and_then(|name| dir.join(name).metadata().ok());
        found.is_some_and(|file| Some(file.len().to_string().as_str()) == size)
    });
    Ok(complete.then_some(dsc))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let describe = || format!("cannot list {}", dir.display());
    let paths = std::fs::read_dir(dir)
        .with_context(describe)?
        .map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().with_context(describe)
}

/// Writes the machine's apt sources into `parts` as source entries.
fn write_source_entries(parts: &Path) -> Result<()> {
    let mut files = vec![configured("Dir::Etc::sourcelist/f")?];
    let dir = configured("Dir::Etc::sourceparts/d")?;
    if dir.is_dir() {
        files.extend(entries(&dir)?);
    }
    for file in files {
        let convert = match file.extension().and_then(|end| end.to_str()) {
            Some("list") => list_to_source,
            Some("sources") => deb822_to_source,
            _ => continue,
        };
        // A missing sources.list is not an error.
        if let (Ok(text), Some(name)) = (std::fs::read_to_string(&file), file.file_name()) {
            let copy = parts.join(name);
            std::fs::write(&copy, convert(&text)).with_context(|| format!("cannot write {}", copy.display()))?;
        }
    }
    Ok(())
}

/// A path from apt's configuration.
fn configured(key: &str) -> Result<PathBuf> {
    let output = Command::new("apt-config")
        .args(["shell", "VALUE", key])
        .stdin(Stdio::null())
        .output();
    let output = output.context("cannot run apt-config (the lab works on Debian and its derivatives)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = text
        .trim()
        .strip_prefix("VALUE='")
        .and_then(|rest| rest.strip_suffix('\''));
    value
        .map(PathBuf::from)
        .with_context(|| format!("apt-config knows no {key}"))
}

/// Turns the `deb` lines of a sources.list into `deb-src` lines.
fn list_to_source(text: &str) -> String {
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("deb"));
    lines
        .filter(|rest| rest.starts_with([' ', '\t']))
        .map(|rest| format!("deb-src{rest}\n"))
        .collect()
}

/// Turns the stanzas of a deb822 `.sources` file into source stanzas; drops disabled ones.
fn deb822_to_source(text: &str) -> String {
    let field = |line: &str, name: &str| {
        let value = line
            .split_once(':')
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case(name));
        value.map(|(_, value)| value.trim().to_owned())
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let mut stanzas: Vec<Vec<String>> = vec![Vec::new()];
    for line in lines {
        let last = stanzas.len() - 1;
        match field(line, "Types") {
            _ if line.trim().is_empty() => stanzas.push(Vec::new()),
            Some(_) => stanzas[last].push("Types: deb-src".to_owned()),
            None => stanzas[last].push(line.to_owned()),
        }
    }
    let off = |line: &String| field(line, "Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"));
    stanzas.retain(|stanza| !stanza.is_empty() && !stanza.iter().any(off));
    stanzas.into_iter().map(|stanza| stanza.join("\n") + "\n\n").collect()
}

#[cfg(test)]
mod tests {
    use super::{deb822_to_source, list_to_source};

    #[test]
    fn source_entries_are_made_from_both_formats() {
        let list = "# deb http://a/ x main\ndeb [signed-by=/k] http://a/ x main\ndeb-src http://a/ x main\n";
        assert_eq!(list_to_source(list), "deb-src [signed-by=/k] http://a/ x main\n");
        let stanzas = "Types: deb\n# note\nURIs: http://a/\nSuites: x\n\nEnabled: no\nTypes: deb\nURIs: http://b/\n";
        assert_eq!(
            deb822_to_source(stanzas),
            "Types: deb-src\nURIs: http://a/\nSuites: x\n\n"
        );
    }
}
