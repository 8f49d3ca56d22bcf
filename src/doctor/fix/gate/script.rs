//! What a server node is asked and told over SSH (PURE): shell scripts, and what they answer.

use std::borrow::Cow;

use super::{Arguments, Kind, Wish, config_arguments, edited, undone, unit_decides, unit_starts};
use crate::host::quote;

/// How an API server was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// As kubeadm's static pod, which kubelet starts again when its manifest changes.
    Kubeadm,
    /// As a part of K3s.
    K3s,
    /// As a part of RKE2.
    Rke2,
}

/// A file that may hold the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub installed: Installed,
    /// What it is.
    pub kind: Kind,
    /// Where it is.
    pub path: Cow<'static, str>,
    /// Where a copy of it is kept: not in a directory whose every file kubelet runs.
    pub kept: Cow<'static, str>,
    /// Where the new one is written; kubelet passes over names that begin with a dot.
    pub new: Cow<'static, str>,
}

/// Those of a name that is always the same; a host's first one says how its server was installed.
pub const PLACES: [Place; 4] = [
    Place {
        installed: Installed::Kubeadm,
        kind: Kind::Manifest,
        path: Cow::Borrowed("/etc/kubernetes/manifests/kube-apiserver.yaml"),
        kept: Cow::Borrowed("/etc/kubernetes/kube-apiserver.yaml.before-nfsprov"),
        new: Cow::Borrowed("/etc/kubernetes/manifests/.kube-apiserver.yaml.nfsprov"),
    },
    Place {
        installed: Installed::K3s,
        kind: Kind::Unit,
        path: Cow::Borrowed("/etc/systemd/system/k3s.service"),
        kept: Cow::Borrowed("/etc/systemd/system/k3s.service.before-nfsprov"),
        new: Cow::Borrowed("/etc/systemd/system/.k3s.service.nfsprov"),
    },
    Place {
        installed: Installed::K3s,
        kind: Kind::Config,
        path: Cow::Borrowed("/etc/rancher/k3s/config.yaml"),
        kept: Cow::Borrowed("/etc/rancher/k3s/config.yaml.before-nfsprov"),
        new: Cow::Borrowed("/etc/rancher/k3s/.config.yaml.nfsprov"),
    },
    Place {
        installed: Installed::Rke2,
        kind: Kind::Config,
        path: Cow::Borrowed("/etc/rancher/rke2/config.yaml"),
        kept: Cow::Borrowed("/etc/rancher/rke2/config.yaml.before-nfsprov"),
        new: Cow::Borrowed("/etc/rancher/rke2/.config.yaml.nfsprov"),
    },
];

/// Directories whose files add to one of these, in the order of their names.
const DROP_INS: [(Installed, Kind, &str); 4] = [
    (Installed::K3s, Kind::Unit, "/etc/systemd/system/k3s.service.d/"),
    (Installed::K3s, Kind::Config, "/etc/rancher/k3s/config.yaml.d/"),
    (
        Installed::Rke2,
        Kind::Unit,
        "/etc/systemd/system/rke2-server.service.d/",
    ),
    (Installed::Rke2, Kind::Config, "/etc/rancher/rke2/config.yaml.d/"),
];

/// A file of a directory that adds to another file, if it is one that is read.
fn drop_in(path: &str) -> Option<Place> {
    let (installed, kind, directory) = DROP_INS
        .into_iter()
        .find(|(_, _, directory)| path.starts_with(directory))?;
    let name = &path[directory.len()..];
    let end = name.rsplit_once('.')?.1;
    let counts = match kind {
        Kind::Unit => end == "conf",
        _ => end.eq_ignore_ascii_case("yaml") || end.eq_ignore_ascii_case("yml"),
    };
    // Copies and new files have other ends, so that nobody reads them.
    counts.then(|| Place {
        installed,
        kind,
        path: path.to_owned().into(),
        kept: format!("{path}.before-nfsprov").into(),
        new: format!("{directory}.{name}.nfsprov").into(),
    })
}

/// A file of a host, and the copy that was kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Which.
    pub place: Place,
    /// What is in it; none if it isn't there.
    pub text: Option<String>,
    /// What is in its copy.
    pub copy: Option<String>,
}

/// What a host's server was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// How it was installed.
    pub installed: Installed,
    /// Its files.
    pub files: Vec<File>,
}

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    /// Which.
    pub place: Place,
    /// What is in it; none if it isn't there.
    pub before: Option<String>,
    /// What will be in it; none if it will not be there.
    pub after: Option<String>,
    /// Whether what is in it is kept.
    pub keep: bool,
}

/// What is wished of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The gate is to be set.
    Set,
    /// The gate is to go.
    Unset,
    /// What setting it did is to be undone.
    Undo,
}

impl FileEdit {
    /// The edit that takes this one back.
    #[must_use]
    pub fn back(&self) -> Self {
        Self {
            place: self.place.clone(),
            before: self.after.clone(),
            after: self.before.clone(),
            keep: false,
        }
    }
}

/// Asks for all files at once: of each its path, its size, and itself.
pub fn look() -> String {
    let mut paths: Vec<Cow<'static, str>> = PLACES.into_iter().flat_map(|place| [place.path, place.kept]).collect();
    paths.extend(DROP_INS.map(|(_, _, directory)| format!("{directory}*").into()));
    format!(
        "for path in {}; do\n  if [ -f \"$path\" ]; then\n    printf '%s %s\\n' \"$path\" \"$(wc -c <\"$path\")\"\n    \
         cat \"$path\"\n    echo\n  fi\ndone\n\
         for unit in rke2-server k3s; do\n  systemctl cat \"$unit\" >/dev/null 2>&1 && echo \"unit $unit\"\ndone\ntrue",
        paths.join(" ")
    )
}

/// What a host answered.
///
/// # Errors
/// Why no API server is found there.
pub fn found(mut answer: &[u8]) -> Result<Server, String> {
    let mut read: Vec<(String, String)> = Vec::new();
    let mut units = Vec::new();
    while let Some(end) = answer.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&answer[..end]).into_owned();
        answer = &answer[end + 1..];
        match line.rsplit_once(' ') {
            Some(("unit", unit)) => units.push(unit.to_owned()),
            Some((path, size)) => {
                let size: usize = size.trim().parse().map_err(|_| format!("it answers {line:?}"))?;
                let text = answer.get(..size).ok_or_else(|| format!("its {path} was cut off"))?;
                let text = std::str::from_utf8(text).map_err(|_| format!("its {path} is not UTF-8"))?;
                read.push((path.to_owned(), text.to_owned()));
                answer = answer.get(size + 1..).unwrap_or_default();
            }
            None => {}
        }
    }
    let text = |path: &str| {
        read.iter()
            .find(|(found, _)| found == path)
            .map(|(_, text)| text.clone())
    };
    let has = |unit: &str| units.iter().any(|found| found == unit);
    let installed = if text(&PLACES[0].path).is_some() {
        Installed::Kubeadm
    } else if has("rke2-server") {
        Installed::Rke2
    } else if has("k3s") || text(&PLACES[1].path).is_some() {
        Installed::K3s
    } else {
        return Err(format!(
            "it has no API server that is known here: no {}, no unit k3s or rke2-server",
            PLACES[0].path
        ));
    };
    let mut added: Vec<Place> = read.iter().filter_map(|(path, _)| drop_in(path)).collect();
    added.sort_by(|one, other| one.path.cmp(&other.path));
    let all = PLACES.into_iter().chain(added);
    let theirs = all.filter(|place| place.installed == installed);
    let files = theirs.map(|place| File {
        text: text(&place.path),
        copy: text(&place.kept),
        place,
    });
    Ok(Server {
        installed,
        files: files.collect(),
    })
}

/// The file in which the gate counts, if it is set there.
fn counting(files: &[File]) -> Result<Option<&Place>, String> {
    let of = |kind: Kind| {
        let all = files.iter().filter(move |file| file.place.kind == kind);
        all.map(|file| (&file.place, file.text.as_deref().unwrap_or_default()))
    };
    // The last unit that says how it is started does.
    let unit = of(Kind::Unit).rfind(|(_, text)| unit_starts(text));
    // Arguments of the command line take the place of all that configuration files have.
    if let Some((place, _)) = unit.filter(|(_, text)| unit_decides(text)) {
        return Ok(Some(place));
    }
    let mut adding: Vec<(&Place, Arguments)> = Vec::new();
    for (place, text) in of(Kind::Config) {
        let arguments = config_arguments(text).map_err(|why| format!("{} is left as it is: {why}", place.path))?;
        let Some(arguments) = arguments else { continue };
        // A file's key takes the place of those before it, unless it ends in a plus.
        if !arguments.adds {
            adding.clear();
        }
        adding.push((place, arguments));
    }
    // Of several lists of gates the last is taken.
    let flag = adding.iter().rev().find(|(_, arguments)| arguments.gates);
    let last = flag.or(adding.last()).map(|(place, _)| *place);
    Ok(last.or_else(|| {
        files
            .iter()
            .map(|file| &file.place)
            .find(|place| place.kind != Kind::Unit)
    }))
}

/// What becomes of a host's files; empty if all is as it is wished.
///
/// # Errors
/// Which file is not understood, and why.
pub fn plan(server: &Server, order: Order) -> Result<Vec<FileEdit>, String> {
    let set = match order {
        Order::Set => counting(&server.files)?,
        Order::Unset | Order::Undo => None,
    };
    let mut edits = Vec::new();
    for file in &server.files {
        let counts = match order {
            Order::Set => set == Some(&file.place),
            // A unit that only adds to another has no command line.
            Order::Unset | Order::Undo => match (&file.text, file.place.kind) {
                (Some(text), Kind::Unit) => unit_starts(text),
                (text, _) => text.is_some(),
            },
        };
        if !counts {
            continue;
        }
        let now = file.text.as_deref().unwrap_or_default();
        let new = match order {
            Order::Set => edited(file.place.kind, now, Wish::Set),
            Order::Unset => edited(file.place.kind, now, Wish::Unset),
            Order::Undo => undone(file.place.kind, now, file.copy.as_deref()),
        };
        let new = new.map_err(|why| format!("{} is left as it is: {why}", file.place.path))?;
        if new != now {
            edits.push(FileEdit {
                place: file.place.clone(),
                before: file.text.clone(),
                // A file that had nothing else was not there before.
                after: Some(new).filter(|new| !new.is_empty()),
                keep: order == Order::Set && file.text.is_some(),
            });
        }
    }
    Ok(edits)
}

/// Makes an edit, if the file is still what was read: whole or not at all, with the owner and mode that it had.
///
/// It ends with status 9 if the file has changed.
pub fn write(edit: &FileEdit) -> String {
    let place = &edit.place;
    let directory = place.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let (path, kept, new) = (quote(&place.path), quote(&place.kept), quote(&place.new));
    let kept_new = quote(&format!("{}.new", place.kept));
    let same = match &edit.before {
        Some(before) => format!(
            "[ \"$(cat {path}; echo x)\" = \"$(printf %s {}; echo x)\" ] || exit 9",
            quote(before)
        ),
        None => format!("[ ! -e {path} ] || exit 9"),
    };
    let directory = quote(directory);
    let flush = |what: &str| format!("sync {what} 2>/dev/null || sync");
    let mut script = vec!["set -eu".to_owned(), "umask 077".to_owned(), same];
    if edit.keep {
        script.push(format!("cp -p {path} {kept_new}"));
        script.push(format!("mv -f {kept_new} {kept}"));
    }
    match &edit.after {
        Some(after) => {
            match edit.before {
                Some(_) => script.push(format!("cp -p {path} {new}")),
                None => script.push(format!("mkdir -p {directory}")),
            }
            script.push(format!("printf %s {} >{new}", quote(after)));
            script.push(flush(&new));
            script.push(format!("mv -f {new} {path}"));
        }
        None => script.push(format!("rm -f {path}")),
    }
    script.push(flush(&directory));
    script.join("\n")
}

/// Has the server take up what its files say. kubelet does so by itself, where the API server is a static pod; the
/// script then ends when it runs with the gate, or without, as far as it is to be seen there.
pub fn restart(installed: Installed, order: Order, seconds: u64) -> String {
    let unit = match installed {
        Installed::K3s => "k3s",
        Installed::Rke2 => "rke2-server",
        Installed::Kubeadm => {
            let (wanted, other) = match order {
                Order::Set => ("with", "without"),
                Order::Unset | Order::Undo => ("without", "with"),
            };
            // No process of that name: what runs it is not this host's own.
            return format!(
                "state() {{\n  seen=none\n  for one in /proc/[0-9]*; do\n    \
                 line=$(tr '\\0' ' ' <$one/cmdline 2>/dev/null) || continue\n    \
                 case $line in\n      kube-apiserver\\ *RemoveSelfLink=false*|*/kube-apiserver\\ *RemoveSelfLink=false*) seen=with ;;\n      \
                 kube-apiserver\\ *|*/kube-apiserver\\ *) seen=without ;;\n    esac\n  done\n  echo $seen\n}}\n\
                 [ \"$(state)\" != none ] || exit 0\n\
                 left={seconds}\nwhile [ \"$(state)\" != {wanted} ]; do\n  [ $left -gt 0 ] || {{ echo 'kube-apiserver still runs {other} it' >&2; exit 1; }}\n  \
                 left=$((left - 1))\n  sleep 1\n  echo\ndone"
            );
        }
    };
    format!("systemctl daemon-reload\nsystemctl restart {unit}")
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
