//! The shell scripts that look at a directory's project quota and set it (PURE).
//!
//! Tools that change anything get numbers, `.`, an open directory, the file system's device, and names in the current
//! directory that they don't follow if they are links; but no path of a directory. Those that only read also get other
//! names in the current directory.

use std::fmt::Display;

use super::script::{MISSING, OBSTACLE, at_root, enter_directories};
use super::{last_error_line, lossy_text, missing_error, obstacle_error};
use crate::export::quota::{FileSystem, LimitPlan};
use crate::export::{ExportError, VolumePath};
use crate::host::Output;
use crate::shell::{arguments, quote};

/// Prints what `quota::facts` reads about the directories `names` in `parents` (components below `root`), all on one
/// file system, and about their server: a line for each fact, and for each of `project_ids` with files or a limit.
///
/// Processes cost more than all else, so none is started for a single directory. The names are looked up without
/// entering them, as nothing is changed.
pub(in crate::export) fn inspect_script(root: &str, parents: &[String], names: &[&str], project_ids: &[u32]) -> String {
    let inspect_parent = match parents {
        [] => String::new(),
        _ => enter_directories(parents, "missing") + "printf 'parent-project %s\\n' \"$(lsattr -pd . 2>&1)\"\n",
    };
    let act = format!(
        r#"# The value of column $1 in a line of `NAME="VALUE"`, as findmnt prints them.
column() {{
    value=${{found#* "$1"=\"}}
    value=${{value%%\"*}}
}}
require() {{ for tool do command -v "$tool" >/dev/null 2>&1 || printf 'missing %s\n' "$tool"; done; }}
{REPORT}
printf 'uid '
id -u
printf 'root %s\n' "$here"
require findmnt lsattr chattr
printf 'root-project %s\n' "$(lsattr -pd . 2>&1)"
{inspect_parent}{arguments}stat -c 'inode %i %f %d %n' "$@" 2>/dev/null
lsattr -pd "$@" 2>&1
first=.
for directory do
    if [ "$first" = . ] && [ -d "$directory" ] && [ ! -L "$directory" ]; then first=$directory; fi
    for entry in "$directory"/* "$directory"/.*; do
        case $entry in */. | */..) continue ;; esac
        if [ -e "$entry" ] || [ -L "$entry" ]; then
            printf 'entries %s\n' "$directory"
            break
        fi
    done
done
found=" $(findmnt -fnPvo FSTYPE,TARGET,SOURCE,OPTIONS --target "$first")"
column FSTYPE && type=$value
column TARGET && mount=$value
column SOURCE && device=$value
column OPTIONS && options=$value
printf 'type %s\n' "$type"
printf 'device %s\n' "$device"
printf 'options %s\n' "$options"
stat -f -c 'total %b %S' "$mount"
case $type in
xfs) require xfs_quota xfs_io ;;
ext4)
    require setquota repquota exportfs
    exportfs -s 2>/dev/null | sed 's/^/export /'
    ;;
*) exit 0 ;;
esac
if [ -r /etc/projects ]; then
    while IFS=: read -r id rest; do printf 'named %s\n' "$id"; done </etc/projects
fi
if [ -r /etc/projid ]; then
    while IFS=: read -r name id rest; do printf 'named %s\n' "$id"; done </etc/projid
fi
usage '{ids}' || {REPORT_ERROR}"#,
        arguments = in_current_directory(names),
        ids = id_pattern(project_ids),
    );
    at_root(root, &act)
}

/// Sets limits, then the project ids of their directories in `parents`, and prints what `LimitPlan::check_proof` needs.
/// All directories are on one file system. Ends at the first failure; what was set stays. Empty without limits.
pub(in crate::export) fn apply_script(root: &str, parents: &[String], limits: &[(&str, &LimitPlan)]) -> String {
    let Some((_, first)) = limits.first() else {
        return String::new();
    };
    let enter_parents = enter_directories(parents, "missing");
    let names: Vec<&str> = limits.iter().map(|(name, _)| *name).collect();
    let ids: Vec<u32> = limits.iter().map(|(_, plan)| plan.project_id).collect();
    let sizes: Vec<String> = limits
        .iter()
        .map(|(_, plan)| format!("{} {}", plan.project_id, plan.kib))
        .collect();
    let act = format!(
        r#"type={file_system} device={device}
{REPORT}
set_limits {sizes} || exit 1
{enter_parents}{assign}{arguments}lsattr -pd "$@"
stat -f -c 'size %b %S %n' "$@"
usage '{ids}'"#,
        file_system = first.file_system.as_str(),
        device = quote(&first.device),
        sizes = sizes.join(" "),
        assign = assign_ids(limits),
        arguments = in_current_directory(&names),
        ids = id_pattern(&ids),
    );
    at_root(root, &act)
}

/// Sets the project ids of directories in the current one, and ends the script with 1 if that fails or one is a symbolic
/// link. One process sets those of all directories on XFS whose names it can read.
fn assign_ids(limits: &[(&str, &LimitPlan)]) -> String {
    let is_readable = |(name, plan): &&(&str, &LimitPlan)| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        plan.file_system == FileSystem::Xfs && name.bytes().all(is_plain)
    };
    let (together, alone): (Vec<_>, Vec<_>) = limits.iter().partition(is_readable);
    let mut act = String::new();
    if !together.is_empty() {
        let set_id = |(name, plan): &&(&str, &LimitPlan)| set_id_on_xfs(&format!("-L ./{name}"), plan.project_id);
        let set_ids: String = together.iter().map(set_id).collect();
        act += &format!("xfs_io -r{set_ids} || exit 1\n");
    }
    act.extend(alone.iter().map(|(name, plan)| assign_id_to_open(name, plan)));
    act
}

/// The words for xfs_io that set the project id of one directory; `open` is how it opens it.
fn set_id_on_xfs(open: &str, id: u32) -> String {
    format!(" -c 'open {open}' -c 'chproj {id}' -c 'chattr +P' -c close")
}

/// Opens a directory in the current one, and sets its project id if the kernel says that it is where it should be: no
/// link or rename can lead elsewhere. Else ends the script with 1. Tools get the open directory for a path.
fn assign_id_to_open(name: &str, plan: &LimitPlan) -> String {
    let (id, open) = (plan.project_id, "/proc/self/fd/3");
    let set_id = match plan.file_system {
        FileSystem::Xfs => format!("xfs_io -r{}", set_id_on_xfs(&format!("-r {open}/."), id)),
        FileSystem::Ext4 => format!("chattr +P -p {id} {open}/."),
    };
    format!(
        "{{\n[ \"$(realpath {open})\" = \"${{here%/}}\"/{name} ] || \
         {{ echo 'a directory was replaced meanwhile' >&2; exit 1; }}\n{set_id}\n}} 3<./{name}/. || exit 1\n",
        name = quote(name),
    )
}

/// Sets the positional parameters to these names in the current directory.
fn in_current_directory(names: &[&str]) -> String {
    arguments(&names.iter().map(|name| format!("./{name}")).collect::<Vec<_>>())
}

/// An extended regular expression for these ids.
fn id_pattern(project_ids: &[u32]) -> String {
    let ids: Vec<String> = project_ids.iter().map(u32::to_string).collect();
    format!("({})", ids.join("|"))
}

/// Prints what a directory takes, and how many of its entries can't have a project id.
pub(in crate::export) fn measure_script(root: &str, path: &VolumePath) -> String {
    let enter = enter_directories(path.components(), "missing");
    let act = format!(
        r#"{enter}measure() {{
    du -skx . 2>/dev/null | sed 's/^/used /'
    find . -xdev ! -type d ! -type f -exec sh -c 'echo "without-project $#"' sh {{}} +
}}
with_heartbeat measure"#
    );
    at_root(root, &act)
}

/// Gives a directory and all that it holds the project id of `plan`, directories first, so that what is created
/// meanwhile inherits it. Repeats that until nothing lacks the id, five times at most, then prints how many files do,
/// and the project's usage.
///
/// find enters each directory before chattr gets names in it, so a link that is put on the way leads nowhere.
pub(in crate::export) fn assign_project_script(root: &str, path: &VolumePath, plan: &LimitPlan) -> String {
    let words = [
        plan.file_system.as_str().to_owned(),
        plan.device.clone(),
        plan.project_id.to_string(),
    ];
    let enter = enter_directories(path.components(), "missing");
    let act = format!(
        r#"{arguments}type=$1 device=$2 id=$3
{REPORT}
{enter}assign() {{
    chattr +P -p "$id" . &&
        find . -mindepth 1 -xdev -type d -execdir chattr +P -p "$id" {{}} + &&
        find . -mindepth 1 -xdev -type f -execdir chattr -p "$id" {{}} +
}}
count() {{
    without=$(find . -xdev '(' -type d -o -type f ')' -exec lsattr -pd {{}} + 2>&1 | grep -vc "^ *$id ")
}}
for round in 1 2 3 4 5; do
    # Files may be removed meanwhile; what is left without the id is counted.
    with_heartbeat assign 2>/dev/null
    with_heartbeat count
    [ "$without" = 0 ] && break
done
printf 'without-id %s
' "$without"
usage "$id""#,
        arguments = arguments(&words),
    );
    at_root(root, &act)
}

/// Prints size and free space of the file system and the usage of all projects, or why it can't be read. Of the
/// directory `sample`, prints the project and the size that statfs reports; neither if it is missing or no directory.
pub(in crate::export) fn report_script(root: &str, sample: Option<&VolumePath>) -> String {
    let sample = sample.map_or_else(String::new, |path| {
        let enter = enter_directories(path.components(), "exit 0");
        format!("(\n{enter}printf 'project %s\\n' \"$(lsattr -pd . 2>&1)\"\nprintf 'size %s\\n' \"$(stat -f -c '%b %S' .)\"\n)\n")
    });
    let act = format!(
        r#"{REPORT}
{FIND_DEVICE}
printf 'total %s\n' "$(stat -f -c '%b %S' .)"
printf 'free %s\n' "$(stat -f -c '%a %S' .)"
case $type in
xfs | ext4)
    usage '[0-9]+' || {REPORT_ERROR}
    ;;
*) printf 'report-error the export is on %s\n' "$type" ;;
esac
{sample}exit 0"#
    );
    at_root(root, &act)
}

/// Clears the limits of those of these projects that no file and no directory has, and prints which. Fails if the
/// report can't be read.
pub(in crate::export) fn clear_unused_script(root: &str, project_ids: &[u32]) -> String {
    let ids: Vec<String> = project_ids.iter().map(u32::to_string).collect();
    let act = format!(
        r#"{arguments}{REPORT}
{FIND_DEVICE}
read_report || {{ printf '%s\n' "$report" >&2; exit 1; }}
set -f
# Blocks and files of project $1, by its line of the report. A project without a line has no limit.
is_unused() (
    line=$(printf '%s\n' "$report" | sed -n "/^#$1[ ,]/p")
    [ -n "$line" ] || exit 1
    case $type in
    xfs) set -- $line && [ "$2 $7" = '0 0' ] ;;
    ext4) IFS=, && set -- $line && [ "$4 $8" = '0 0' ] ;;
    *) exit 1 ;;
    esac
)
for id do
    is_unused "$id" || continue
    set_limits "$id" 0 || exit 1
    printf 'cleared %s\n' "$id"
done"#,
        arguments = arguments(&ids),
    );
    at_root(root, &act)
}

/// Prints why there is no report.
const REPORT_ERROR: &str = r#"printf 'report-error %s\n' "$(printf '%s\n' "$report" | tail -n 1)""#;

const FIND_DEVICE: &str = "type=$(findmnt -fnlo FSTYPE --target .)\ndevice=$(findmnt -fnlvo SOURCE --target .)";

/// `read_report` puts the usage of all projects into `$report`, or why there is none. `usage PATTERN` prints the lines
/// of the projects whose ids match; its status is that of the report. `set_limits ID KIB...` gives projects their
/// limits, 0 for none.
const REPORT: &str = r#"
read_report() {
    case $type in
    xfs) report=$(xfs_quota -x -c 'report -p -n -N -b -i' "$device" 2>&1) ;;
    ext4) report=$(repquota -P -n -v -O csv "$device" 2>&1) ;;
    esac
}
usage() {
    read_report || return 1
    grep -E "^#$1[ ,]" <<END
$report
END
    true
}
set_limits() (
    count=$#
    while [ "$count" -gt 0 ]; do
        id=$1 kib=$2
        shift 2
        count=$((count - 2))
        case $type in
        xfs) set -- "$@" -c "limit -p bhard=${kib}k $id" ;;
        ext4) setquota -P "$id" 0 "$kib" 0 0 "$device" || exit 1 ;;
        esac
    done
    if [ "$type" = xfs ]; then xfs_quota -x "$@" "$device"; fi
)"#;

/// What a script about a directory printed, if it succeeded; else `NotADirectory` for `OBSTACLE`, otherwise `Failed`.
pub(in crate::export) fn require_output(path: &VolumePath, output: &Output) -> Result<String, ExportError> {
    match output.status {
        OBSTACLE => Err(obstacle_error(path, path, output)),
        MISSING => Err(missing_error("limit", path)),
        _ => require_success("limit", path, output),
    }
}

/// What a script printed, if it succeeded; else `Failed` with standard error's last line.
pub(in crate::export) fn require_success(
    action: &'static str,
    object: impl Display,
    output: &Output,
) -> Result<String, ExportError> {
    match output.status {
        0 => Ok(lossy_text(&output.stdout)),
        _ => Err(ExportError::failed(action, object, last_error_line(output))),
    }
}
