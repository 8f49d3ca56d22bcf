//! The step for a server's exports: nfsprov's line in the exports file, and the exports that are in force (PURE).
//! Scripts are built here, and run by `apply`.

use super::{
    Action, ExportsChange, FAILED_AND_UNDONE, FAILED_NOT_UNDONE, FileChange, State, Step, printf_command, replace_file,
};
use crate::host::exports_file::{self, ActiveExport, ConflictSeverity, DesiredExport};
use crate::host::facts::Facts;
use crate::shell::quote;

const NAME: &str = "exports";

/// Writes nfsprov's line for `directory` to the exports file, or removes it if nothing is `wanted`, and has exportfs
/// apply it. `directory` is the path of `wanted`, if there is one. Refused if a value of `wanted` is invalid, nfsprov's
/// block is damaged, or others' lines conflict; and, only if something is to change, if active exports are in no file,
/// or the file system needs an fsid.
pub(super) fn plan_exports(facts: &Facts, wanted: Option<&DesiredExport>, directory: &str) -> Step {
    let original = facts.exports.as_deref().unwrap_or_default();
    let edit = |text: &[u8]| match wanted {
        Some(wanted) => exports_file::with_export(text, wanted),
        None => exports_file::without_export(text, directory),
    };
    let after = match edit(original) {
        Ok(after) => after,
        Err(error) => return Step::refused(NAME, format!("{}: {error}", facts.exports_path)),
    };
    let own_before = exports_file::own_exports(original, directory)
        .ok()
        .flatten()
        .unwrap_or_default();
    let (stops, warnings) = split_conflicts(facts, original, wanted);
    if !stops.is_empty() {
        return Step::refused(NAME, stops.join("; "));
    }
    let live = exports_file::parse_listing(facts.listing.as_deref().unwrap_or_default());
    let differences = exports_file::find_differences(&live, &live, &own_before, wanted);
    let same = after == original;
    if same && differences.is_empty() {
        return with_warnings(Step::ok(NAME, describe_unchanged(wanted, directory)), warnings);
    }
    if let Some(why) = reason_against_reexport(facts) {
        return with_warnings(Step::refused(NAME, why), warnings);
    }
    if let Some(why) = wanted.and_then(|wanted| reason_for_fsid(facts, wanted)) {
        return with_warnings(Step::refused(NAME, why), warnings);
    }
    let why = match same {
        true => format!("have exportfs read it again: {}", differences.join("; ")),
        false => describe_change(&own_before, wanted, directory),
    };
    let action = Action::Exports(Box::new(ExportsChange {
        predict: prediction_script(facts, &after),
        commit: commit_script(facts, (!same).then_some(&after)),
        before: live,
        own_before,
        wanted: wanted.cloned(),
    }));
    let mut step = Step::new(NAME, State::Change { why, action });
    if !same {
        step.files.push(FileChange {
            path: facts.exports_path.clone(),
            before: facts.exports.clone(),
            after,
        });
    }
    with_warnings(step, warnings)
}

/// Why exportfs must not read its files again: active exports that are in no file would be lost. `None` if there are
/// none, or the active exports are unknown.
pub(super) fn reason_against_reexport(facts: &Facts) -> Option<String> {
    let own = (facts.exports_path.clone(), facts.exports.clone().unwrap_or_default());
    let files: Vec<_> = std::iter::once(own)
        .chain(facts.other_exports.iter().cloned())
        .collect();
    let live = exports_file::parse_listing(facts.listing.as_deref()?);
    let found = exports_file::find_unwritten_exports(&files, &live);
    let named: Vec<String> = found
        .iter()
        .map(|entry| format!("{} to {}", entry.path, entry.client))
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "exported, but in no file: {}; exportfs -ra and a restart of the NFS server drop such exports; write them to a \
             file in /etc/exports.d, or remove them with exportfs -u CLIENT:DIRECTORY",
            named.join(", ")
        )
    })
}

/// Why a directory can't be exported with these options: its file system has no stable number, and no fsid is given.
/// `None` if it can.
fn reason_for_fsid(facts: &Facts, wanted: &DesiredExport) -> Option<String> {
    const NUMBERLESS: [&str; 4] = ["tmpfs", "overlayfs", "fuseblk", "fuse"];
    let has_number = wanted.options.split(',').any(|option| option.starts_with("fsid="));
    let filesystem = facts.filesystem.as_str();
    (NUMBERLESS.contains(&filesystem) && !has_number).then(|| {
        format!(
            "{} is on {filesystem}, which clients can't tell from others after a restart; give it a number that no other \
             export of this server has: --options {},fsid=NUMBER",
            wanted.path, wanted.options
        )
    })
}

fn with_warnings(mut step: Step, warnings: Vec<String>) -> Step {
    step.warnings.extend(warnings);
    step
}

fn describe_unchanged(wanted: Option<&DesiredExport>, directory: &str) -> String {
    match wanted {
        Some(wanted) => format!("{directory} is exported to {}", wanted.clients.join(", ")),
        None => format!("nfsprov exports no {directory} here"),
    }
}

/// The conflicts of others' lines with the export that prevent it, and those that are warnings only. Both are empty
/// without an export.
fn split_conflicts(facts: &Facts, original: &[u8], wanted: Option<&DesiredExport>) -> (Vec<String>, Vec<String>) {
    let Some(wanted) = wanted else {
        return (Vec::new(), Vec::new());
    };
    let own = (facts.exports_path.clone(), original.to_vec());
    let files: Vec<_> = std::iter::once(own)
        .chain(facts.other_exports.iter().cloned())
        .collect();
    let (stops, warnings): (Vec<_>, Vec<_>) = exports_file::find_conflicts(&files, wanted)
        .into_iter()
        .partition(|conflict| conflict.severity == ConflictSeverity::Forbids);
    let told = |conflicts: Vec<exports_file::Conflict>| conflicts.iter().map(ToString::to_string).collect();
    (told(stops), told(warnings))
}

/// The change in words, with the clients that are added, dropped, or get other options.
fn describe_change(own_before: &[ActiveExport], wanted: Option<&DesiredExport>, directory: &str) -> String {
    match wanted {
        None => format!("no longer export {directory}"),
        Some(wanted) if own_before.is_empty() => format!("export {directory} to {}", wanted.clients.join(", ")),
        Some(wanted) => format!(
            "{directory}: {}",
            exports_file::describe_drift(own_before, wanted).join(", ")
        ),
    }
}

impl ExportsChange {
    /// The script that makes the change, where `predicted` is what the script `predict` printed. The caller has
    /// compared that with what is wanted.
    pub(in crate::host) fn commit_script(&self, predicted: &[u8]) -> String {
        format!("expected=$({} | sort)\n{}", printf_command(predicted), self.commit)
    }
}

/// A script that prints the exports that exportfs would make if the file held `content`, and changes nothing: it runs
/// in a mount namespace with its own content and table of exports. In place of a missing file it puts an empty one, and
/// removes that at its end; so it has to run under the host's lock. Fails if exportfs complains of more than it does of
/// the files as they are; others' lines may cause complaints every time, and notes about defaults don't count.
fn prediction_script(facts: &Facts, content: &[u8]) -> String {
    format!(
        "file={}\ncontent() {{\n{}\n}}\n{IN_NAMESPACE}{PREDICT}",
        quote(&facts.exports_path),
        printf_command(content)
    )
}

/// The content is mounted over the file, which has to be there for that; an empty one exports as little as none.
const PREDICT: &str = r#"set -e
folder=${file%/*} made=
if [ ! -d "$folder" ]; then
  mkdir "$folder"
  made=yes
fi
if [ ! -e "$file" ]; then
  : >"$file"
  trap '[ -s "$file" ] || rm -f "$file"; [ -z "$made" ] || rmdir "$folder"' EXIT
fi
said=$(in_namespace files "$file" </dev/null) || :
seen
old=$(complaints)
said=$(content | in_namespace content "$file") || :
seen
new=$(complaints | grep -vxF -e "$old" || :)
if [ -n "$new" ]; then
  printf '%s\n' "$new" >&2
  exit 1
fi
exported
"#;

/// Has exportfs read its files without an effect outside: a mount namespace with a table of exports of its own, and
/// with the file replaced by the standard input if told so. What exportfs says comes before the mark, and what is
/// exported then after it, up to the last line: without that, the mark of a host that exports nothing would lose its
/// end.
pub(super) const IN_NAMESPACE: &str = r#"mark='
@ what is exported
'
in_namespace() {
  unshare -m sh -c '
    mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib/nfs || exit
    if [ "$1" = content ]; then
      cat >/var/lib/nfs/content && mount --bind /var/lib/nfs/content "$2" || exit
    fi
    exportfs -ra || echo "exportfs: it failed with status $?"
    printf %s "$3"
    exportfs -s 2>/dev/null
    echo "@ end"' in-namespace "$1" "$2" "$mark" 2>&1
}
exported() {
  listed=${said#*"$mark"}
  printf %s "${listed%@ end}"
}
seen() {
  case $said in *"$mark"*) return 0 ;; esac
  printf '%s\n' 'the outcome cannot be seen beforehand, in a mount namespace' "$said" >&2
  exit 1
}
complaints() {
  printf '%s\n' "${said%%"$mark"*}" | grep -v -e '^$' -e "Neither 'subtree_check' or" -e 'Assuming default behaviour' \
    -e 'NOTE: this default has changed' -e 'No options for .*: suggest' || :
}
listing() {
  exportfs -s 2>/dev/null | sort
}
"#;

/// A script that writes `content` to the file, if there is any, and runs `exportfs -ra`. `$expected` must be set to the
/// sorted lines that `exportfs -s` prints then; if it prints others, the script prints these, restores the file if it
/// wrote it, and fails, with [`FAILED_AND_UNDONE`] only if the exports are as before.
fn commit_script(facts: &Facts, content: Option<&Vec<u8>>) -> String {
    let (put, restore) = match content {
        Some(content) => (
            replace_file(&facts.exports_path, &facts.exports_checksum, content),
            format!("restore_file || exit {FAILED_NOT_UNDONE}\nexportfs -ra >/dev/null 2>&1\n"),
        ),
        None => (String::new(), String::new()),
    };
    let begin = content
        .map(|_| format!("put_file || exit {FAILED_AND_UNDONE}\n"))
        .unwrap_or_default();
    format!(
        "{IN_NAMESPACE}{put}before=$(listing)\n{begin}exportfs -ra >&2\nnow=$(listing)\n\
         [ \"$now\" != \"$expected\" ] || exit 0\nprintf '%s\\n' \"$now\"\n\
         {restore}[ \"$(listing)\" = \"$before\" ] && exit {FAILED_AND_UNDONE}\nexit {FAILED_NOT_UNDONE}\n"
    )
}
