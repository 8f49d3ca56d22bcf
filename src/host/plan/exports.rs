//! What a server exports: nfsprov's line in the exports file, and what exportfs makes of it.

use super::{Action, COMMIT, ExportsChange, FileChange, LEFT_HALF_DONE, State, Step, TAKEN_BACK, prepare, unchanged};
use crate::host::exports_file::{self, Gravity, Listed, Wanted};
use crate::host::facts::Facts;
use crate::host::script::quote;

const NAME: &str = "exports";

/// Has the exports file say what is wanted of `path`, or nothing.
pub(super) fn exports(facts: &Facts, wanted: Option<&Wanted>, path: &str) -> Step {
    let original = facts.exports.as_deref().unwrap_or_default();
    let edit = |text: &[u8]| match wanted {
        Some(wanted) => exports_file::with(text, wanted),
        None => exports_file::without(text, path),
    };
    let after = match edit(original) {
        Ok(after) => after,
        Err(error) => return Step::refused(NAME, format!("{}: {error}", facts.exports_path)),
    };
    let was = exports_file::ours(original, path).ok().flatten().unwrap_or_default();
    let (stops, warnings) = conflicts(facts, original, wanted);
    if !stops.is_empty() {
        return Step::refused(NAME, stops.join("; "));
    }
    let live = exports_file::listing(facts.listing.as_deref().unwrap_or_default());
    let differences = exports_file::differences(&live, &live, &was, wanted);
    // Of a run that was killed between changing the file and making sure of it.
    let interrupted = facts.exports_before.as_deref();
    let interrupted = interrupted.filter(|before| edit(before).is_ok_and(|then| then == original));
    let same = after == original;
    let mut step = match (same, differences.is_empty(), facts.exports_before.is_some()) {
        (true, true, false) => return with_all(Step::ok(NAME, as_it_is(wanted, path)), warnings),
        (true, true, true) => Step::change(
            NAME,
            "finish what an interrupted run began",
            scripts(facts, None, false).1,
        ),
        _ => {
            let (change, keep, back) = scripts(facts, (!same).then_some(&after), interrupted.is_some());
            let action = Action::Exports(Box::new(ExportsChange {
                change,
                keep,
                back,
                before: live,
                was: was.clone(),
                wanted: wanted.cloned(),
            }));
            let why = match same {
                true => format!("have exportfs read it again: {}", differences.join("; ")),
                false => what_changes(&was, wanted, path),
            };
            Step::new(NAME, State::Change { why, action })
        }
    };
    if !same {
        step.files.push(FileChange {
            path: facts.exports_path.clone(),
            before: facts.exports.clone(),
            after,
        });
    }
    with_all(step, warnings)
}

fn with_all(mut step: Step, warnings: Vec<String>) -> Step {
    step.warnings.extend(warnings);
    step
}

fn as_it_is(wanted: Option<&Wanted>, path: &str) -> String {
    match wanted {
        Some(wanted) => format!("{path} is exported to {}", wanted.clients.join(", ")),
        None => format!("nfsprov exports no {path} here"),
    }
}

/// What in other's lines stands against the export, and what is only to be known.
fn conflicts(facts: &Facts, original: &[u8], wanted: Option<&Wanted>) -> (Vec<String>, Vec<String>) {
    let Some(wanted) = wanted else {
        return (Vec::new(), Vec::new());
    };
    let own = (facts.exports_path.clone(), original.to_vec());
    let files: Vec<_> = std::iter::once(own)
        .chain(facts.other_exports.iter().cloned())
        .collect();
    let (stops, warnings): (Vec<_>, Vec<_>) = exports_file::conflicts(&files, wanted)
        .into_iter()
        .partition(|conflict| conflict.gravity == Gravity::Stops);
    let told = |conflicts: Vec<exports_file::Conflict>| conflicts.iter().map(ToString::to_string).collect();
    (told(stops), told(warnings))
}

/// The change in words, clients that come and go by name.
fn what_changes(was: &[Listed], wanted: Option<&Wanted>, path: &str) -> String {
    match wanted {
        None => format!("no longer export {path}"),
        Some(wanted) if was.is_empty() => format!("export {path} to {}", wanted.clients.join(", ")),
        Some(wanted) => format!("{path}: {}", exports_file::drift(was, wanted).join(", ")),
    }
}

/// The scripts that change the file and have it read, that keep this, and that take it back. With no content the file
/// stays as it is and is only read again; of an interrupted run's, what was before it is kept.
fn scripts(facts: &Facts, content: Option<&Vec<u8>>, interrupted: bool) -> (String, String, String) {
    let file = format!("file={}\nbefore=$file.nfsprov-before\n", quote(&facts.exports_path));
    let there = facts.exports.is_some();
    let restore = match there {
        true => "[ ! -e \"$before\" ] || mv -f \"$before\" \"$file\"\n",
        false => "rm -f \"$file\"\n",
    };
    let restore = format!("(set -e\n{restore}sync \"${{file%/*}}\" 2>/dev/null || sync\n)\n");
    // What exportfs says of the file as it was is nothing new.
    let back = format!("{file}{restore}[ $? = 0 ] || exit 1\nexportfs -ra >/dev/null 2>&1\nexit 0\n");
    let mut change = format!("trap '' HUP PIPE\n{file}");
    if !interrupted {
        // Of a run that has nothing to do with this one.
        change.push_str("rm -f \"$before\"\n");
    }
    change.push_str("(set -e\n");
    change.push_str(APART);
    if let Some(content) = content {
        change.push_str(&unchanged(&facts.exports_checksum));
        change.push_str(&prepare(content));
        if there {
            change.push_str(LINT);
            if !interrupted {
                change.push_str("cp -a \"$file\" \"$before\"\n");
            }
        }
        change.push_str(COMMIT);
    }
    change.push_str(REREAD);
    match content {
        Some(_) => change.push_str(&format!(
            "{restore}[ $? = 0 ] || exit {LEFT_HALF_DONE}\nexportfs -ra >/dev/null 2>&1\nexit {TAKEN_BACK}\n"
        )),
        None => change.push_str(&format!("exit {TAKEN_BACK}\n")),
    }
    (change, format!("{file}rm -f \"$before\"\n"), back)
}

/// What exportfs says of the files as they are, in a place where nobody else sees what comes of reading them, if the host
/// lets us make one. Others' lines may have it complain every time, which is nothing against ours; what it notes of a
/// default is no complaint at all.
const APART: &str = "words() {
  said=$(\"$@\" 2>&1) || said=\"$said
exportfs: it failed with status $?\"
  printf '%s\\n' \"$said\" | grep -v -e '^$' -e \"Neither 'subtree_check' or\" -e 'Assuming default behaviour' \\
    -e 'NOTE: this default has changed' -e 'No options for .*: suggest' || :
}
apart() {
  [ -d /var/lib/nfs ] && unshare --mount true 2>/dev/null || return 0
  words unshare --mount sh -c '
    mount --make-rprivate / && mount -t tmpfs tmpfs /var/lib/nfs || exit 0
    [ \"$1\" = \"$2\" ] || mount --bind \"$1\" \"$2\" || exit 0
    exportfs -ra' apart \"$1\" \"$file\"
}
complain() {
  complaint=$(printf '%s\\n' \"$1\" | grep -vxF -e \"$old\" | grep -v '^$') || return 0
  printf '%s\\n' \"$complaint\" >&2
  exit 1
}
old=$(apart \"$file\")
";

/// Has exportfs read the new file there first.
const LINT: &str = "complain \"$(apart \"$new\")\"\n";

/// Has exportfs read its files and tell what is exported then. Its words count as much as its status: with some faults it
/// says 0.
const REREAD: &str = "complain \"$(words exportfs -ra)\"
)
[ $? != 0 ] || { exportfs -s 2>/dev/null; exit 0; }
";
