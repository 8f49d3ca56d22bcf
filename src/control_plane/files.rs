//! The files of a server node that may contain the gate RemoveSelfLink=false, and the one that takes effect (PURE). The
//! main type is [`Server`].

use std::net::IpAddr;

use super::edit::{self, Arguments, Format, unit_has_arguments, unit_has_command};
use super::{Gate, GateError};

/// How an API server was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Installed {
    Kubeadm,
    K3s,
    Rke2,
}

/// Files by their paths. A path that ends in a slash is a directory of drop-ins, read in the order of their names.
const FILES: [(Installed, Format, &str); 8] = [
    (
        Installed::Kubeadm,
        Format::Manifest,
        "/etc/kubernetes/manifests/kube-apiserver.yaml",
    ),
    (Installed::K3s, Format::Unit, "/etc/systemd/system/k3s.service"),
    (Installed::K3s, Format::Unit, "/etc/systemd/system/k3s.service.d/"),
    (Installed::K3s, Format::Config, "/etc/rancher/k3s/config.yaml"),
    (Installed::K3s, Format::Config, "/etc/rancher/k3s/config.yaml.d/"),
    (
        Installed::Rke2,
        Format::Unit,
        "/etc/systemd/system/rke2-server.service.d/",
    ),
    (Installed::Rke2, Format::Config, "/etc/rancher/rke2/config.yaml"),
    (Installed::Rke2, Format::Config, "/etc/rancher/rke2/config.yaml.d/"),
];

/// A file, and the copy of it that was kept when the gate was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    format: Format,
    text: Option<String>,
    copy: Option<String>,
}

/// A server node's API server and its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) installed: Installed,
    pub(crate) files: Vec<File>,
}

/// A file before and after; `None` where it does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileEdit {
    pub(crate) path: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// Whether a copy of the file is kept for a later undo.
    pub(crate) keeps_copy: bool,
}

/// The path of a file's copy. The kubelet runs every file in its manifests directory, so the copy is kept above it.
pub(crate) fn copy_of(path: &str) -> String {
    format!("{}.before-nfsprov", path.replace("/manifests/", "/"))
}

/// The script that prints the path, size and text of each file that exists, copies included, and the installed units.
/// Its status is 0 whatever exists.
pub(crate) fn read_script() -> String {
    let paths = FILES.map(|(_, _, path)| match path.ends_with('/') {
        true => format!("{path}*"),
        false => format!("{path} {}", copy_of(path)),
    });
    format!(
        "for path in {}; do\n  if [ -f \"$path\" ]; then\n    printf '%s %s\\n' \"$path\" \"$(wc -c <\"$path\")\"\n    \
         cat \"$path\"\n    echo\n  fi\ndone\n\
         for unit in rke2-server k3s; do\n  systemctl cat \"$unit\" >/dev/null 2>&1 && echo \"unit $unit\"\ndone\ntrue",
        paths.join(" ")
    )
}

/// Parses what [`read_script`] printed. If several are installed, kubeadm (its manifest) counts, else RKE2. The result
/// has the files of that one only, drop-ins in the order of their names, and also files that don't exist, but for
/// drop-ins.
///
/// # Errors
/// Why no API server is found on the host, or which file's text is incomplete or not UTF-8.
pub(crate) fn parse_answer(mut answer: &[u8]) -> Result<Server, String> {
    let mut read: Vec<(String, String)> = Vec::new();
    let mut units = Vec::new();
    while let Some(end) = answer.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(&answer[..end]).into_owned();
        answer = &answer[end + 1..];
        match line.rsplit_once(' ') {
            Some(("unit", unit)) => units.push(unit.to_owned()),
            Some((path, size)) => {
                let size: usize = size.trim().parse().map_err(|_| format!("unexpected answer {line:?}"))?;
                let text = answer.get(..size).ok_or_else(|| format!("{path} was cut off"))?;
                let text = std::str::from_utf8(text).map_err(|_| format!("{path} is not UTF-8"))?;
                read.push((path.to_owned(), text.to_owned()));
                answer = answer.get(size + 1..).unwrap_or_default();
            }
            None => {}
        }
    }
    let text = |path: &str| {
        let found = read.iter().find(|(found, _)| found == path);
        found.map(|(_, text)| text.clone())
    };
    let has_unit = |unit: &str| units.iter().any(|found| found == unit);
    let (manifest, k3s) = (FILES[0].2, FILES[1].2);
    let installed = match () {
        () if text(manifest).is_some() => Installed::Kubeadm,
        () if has_unit("rke2-server") => Installed::Rke2,
        () if has_unit("k3s") || text(k3s).is_some() => Installed::K3s,
        () => {
            return Err(format!(
                "no API server that is known: no {manifest}, no unit k3s or rke2-server"
            ));
        }
    };
    let file = |path: &str, format| File {
        path: path.to_owned(),
        format,
        text: text(path),
        copy: text(&copy_of(path)),
    };
    let mut files = Vec::new();
    for (_, format, path) in FILES.into_iter().filter(|(of, ..)| *of == installed) {
        if !path.ends_with('/') {
            files.push(file(path, format));
            continue;
        }
        let drop_ins = read.iter().map(|(found, _)| found.as_str());
        let mut drop_ins: Vec<&str> = drop_ins.filter(|found| is_drop_in(found, path, format)).collect();
        drop_ins.sort_unstable();
        files.extend(drop_ins.into_iter().map(|path| file(path, format)));
    }
    Ok(Server { installed, files })
}

/// Whether a file of a drop-in directory is read: copies and temporary files have other extensions. K3s and RKE2 ignore
/// the case of the extension, systemd does not.
fn is_drop_in(path: &str, directory: &str, format: Format) -> bool {
    let name = path.strip_prefix(directory).and_then(|name| name.rsplit_once('.'));
    name.is_some_and(|(_, extension)| match format {
        Format::Unit => extension == "conf",
        _ => matches!(extension.to_lowercase().as_str(), "yaml" | "yml"),
    })
}

impl Server {
    /// The edits that bring the gate to the requested state; empty if it is in that state. It is set in the file that
    /// takes effect, which may have to be created, and removed from all; kept copies are restored where nothing else
    /// has changed.
    ///
    /// # Errors
    /// Which file can't be edited, and why.
    pub(crate) fn plan_edits(&self, wanted: Gate) -> Result<Vec<FileEdit>, String> {
        let is_edited = |file: &&File, set: Option<&File>| match (wanted, &file.text, file.format) {
            (Gate::Set, ..) => set == Some(*file),
            // A drop-in without a command line has no arguments.
            (Gate::Unset, Some(text), Format::Unit) => unit_has_command(text),
            (Gate::Unset, text, _) => text.is_some(),
        };
        let set = match wanted {
            Gate::Set => self.effective_file()?,
            Gate::Unset => None,
        };
        let mut edits = Vec::new();
        for file in self.files.iter().filter(|file| is_edited(file, set)) {
            let text = file.text.as_deref().unwrap_or_default();
            let new = match wanted {
                Gate::Set => edit::edit_gate(file.format, text, Gate::Set),
                Gate::Unset => edit::undo_gate(file.format, text, file.copy.as_deref()),
            };
            let new = new.map_err(|why| cannot_edit(file, &why))?;
            if new != text {
                edits.push(FileEdit {
                    path: file.path.clone(),
                    before: file.text.clone(),
                    // A file that held nothing else did not exist before.
                    after: Some(new).filter(|new| !new.is_empty()),
                    keeps_copy: wanted == Gate::Set && file.text.is_some(),
                });
            }
        }
        Ok(edits)
    }

    /// The file in which the gate takes effect: the unit, if it has arguments for the API server; else, of the
    /// configuration files whose arguments no later one replaces, the last with gates, or without such the last; else
    /// the first file that is no unit, which need not exist: always `Some` for a server of [`parse_answer`]. The error
    /// says which file can't be parsed.
    fn effective_file(&self) -> Result<Option<&File>, String> {
        let of = |format: Format| self.files.iter().filter(move |file| file.format == format);
        // The last unit with a command line starts the server; its arguments replace those of configuration files.
        let text = |file: &File| file.text.clone().unwrap_or_default();
        let unit = of(Format::Unit).rfind(|file| unit_has_command(&text(file)));
        if let Some(unit) = unit.filter(|unit| unit_has_arguments(&text(unit))) {
            return Ok(Some(unit));
        }
        let mut counting: Vec<(&File, Arguments)> = Vec::new();
        for file in of(Format::Config) {
            let arguments = edit::config_arguments(&text(file)).map_err(|why| cannot_edit(file, &why))?;
            let Some(arguments) = arguments else { continue };
            if !arguments.are_added {
                counting.clear();
            }
            counting.push((file, arguments));
        }
        // Of several lists of gates the last is taken.
        let with_gates = counting.iter().rev().find(|(_, arguments)| arguments.have_gates);
        let last = with_gates.or(counting.last()).map(|(file, _)| *file);
        Ok(last.or_else(|| self.files.iter().find(|file| file.format != Format::Unit)))
    }

    /// Address and port of the node's own API server; `127.0.0.1` and `6443` where none is set, the address also where
    /// it listens on all of them. An IPv6 address is in brackets.
    pub(crate) fn api_endpoint(&self) -> (String, String) {
        let port = self.setting(&["secure-port", "https-listen-port"]);
        let port: Option<u16> = port.and_then(|port| port.parse().ok());
        let address = self.setting(&["bind-address"]);
        let address: Option<IpAddr> = address.and_then(|address| address.parse().ok());
        let address = match address.filter(|address| !address.is_unspecified()) {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(address) => address.to_string(),
            None => "127.0.0.1".to_owned(),
        };
        (address, port.unwrap_or(6443).to_string())
    }

    /// The value of one of these settings: from the command line, whose arguments win, else from the last configuration
    /// file that has one of them. `None` if the server has none.
    fn setting(&self, names: &[&str]) -> Option<String> {
        let text = |file: &File| file.text.clone().unwrap_or_default();
        let is_unit = |file: &&File| file.format == Format::Unit;
        let unit = self
            .files
            .iter()
            .filter(is_unit)
            .rfind(|file| unit_has_command(&text(file)));
        let others = self.files.iter().filter(|file| !is_unit(file)).rev();
        let mut files = unit.into_iter().chain(others);
        files.find_map(|file| names.iter().find_map(|name| find_setting(file, name)))
    }
}

/// The value of a server's setting in a file: of the last argument `--NAME=VALUE` or `--NAME VALUE`, or of a key.
/// Settings of other programs and comments don't count. `None` also if the file can't be parsed.
fn find_setting(file: &File, name: &str) -> Option<String> {
    let text = file.text.as_deref()?;
    let words = match file.format {
        Format::Unit => edit::command_line(text).ok()?.1,
        Format::Manifest => {
            let document = edit::parse_mapping(text).ok()?;
            let mut containers = document.pointer("/spec/containers")?.as_array()?.iter();
            let container = containers.find(|one| edit::runs_api_server(one))?;
            edit::command_words(container).map(str::to_owned).collect()
        }
        Format::Config | Format::ClusterConfiguration => {
            let value = edit::parse_mapping(text).ok()?[name].take();
            return value
                .as_str()
                .map(str::to_owned)
                .or_else(|| value.as_u64().map(|number| number.to_string()));
        }
    };
    let following = words.iter().skip(1).map(Some).chain([None]);
    let values = words.iter().zip(following).filter_map(|(word, next)| {
        match word.strip_prefix('-')?.trim_start_matches('-').strip_prefix(name)? {
            "" => next.cloned(),
            rest => rest.strip_prefix('=').map(str::to_owned),
        }
    });
    values.last()
}

fn cannot_edit(file: &File, why: &GateError) -> String {
    format!("cannot edit {}: {why}", file.path)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
