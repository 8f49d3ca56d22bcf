//! The shell scripts that look at a directory's project quota and set it (PURE).
//!
//! Tools that change anything get numbers, `.`, an open directory and the file system's device, but no path of a
//! directory; those that only read also get names in the current directory.

use super::script::{MISSING, OBSTACLE, at_root, enter_directories};
use super::{lossy_text, missing_error, obstacle_error, operation_error};
use crate::export::quota::{FileSystem, LimitPlan};
use crate::export::{ExportError, VolumePath};
use crate::host::{Output, arguments, quote};

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
    for entry in "$directory"/* "$directory"/.[!.]* "$directory"/..?*; do
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
    let groups: Vec<String> = limits.chunks(DESCRIPTORS.len()).map(assign_to_group).collect();
    let act = format!(
        r#"type={file_system} device={device}
{REPORT}
set_limits {sizes} || exit 1
{enter_parents}{groups}
{arguments}lsattr -pd "$@"
stat -f -c 'size %b %S %n' "$@"
usage '{ids}'"#,
        file_system = first.file_system.as_str(),
        device = quote(&first.device),
        sizes = sizes.join(" "),
        groups = groups.join("\n"),
        arguments = in_current_directory(&names),
        ids = id_pattern(&ids),
    );
    at_root(root, &act)
}

/// The file descriptors that every shell can open by number.
const DESCRIPTORS: [u8; 7] = [3, 4, 5, 6, 7, 8, 9];

/// Opens directories in the current one, 1 to as many as there are descriptors, and sets their project ids if the
/// kernel says that they are where they should be: no link or rename can lead elsewhere. Else ends the script with 1.
/// Tools get the open directory for a path.
fn assign_to_group(limits: &[(&str, &LimitPlan)]) -> String {
    let group = || DESCRIPTORS.iter().zip(limits);
    let opened: Vec<String> = group()
        .map(|(descriptor, (name, _))| format!("{descriptor}<./{}/.", quote(name)))
        .collect();
    let paths: Vec<String> = DESCRIPTORS[..limits.len()]
        .iter()
        .map(|descriptor| format!("/proc/self/fd/{descriptor}"))
        .collect();
    let expected: Vec<String> = limits
        .iter()
        .map(|(name, _)| format!("\"${{here%/}}\"/{}", quote(name)))
        .collect();
    let change = |(descriptor, (_, plan)): (&u8, &(&str, &LimitPlan))| {
        let (id, path) = (plan.project_id, format!("/proc/self/fd/{descriptor}/."));
        match plan.file_system {
            FileSystem::Xfs => format!(" -c 'open -r {path}' -c 'chproj {id}' -c 'chattr +P' -c close"),
            FileSystem::Ext4 => format!("chattr +P -p {id} {path} &&\n"),
        }
    };
    let changes: String = group().map(change).collect();
    // One process sets all project ids of XFS.
    let act = match limits[0].1.file_system {
        FileSystem::Xfs => format!("xfs_io -r{changes}"),
        FileSystem::Ext4 => format!("{changes}true"),
    };
    format!(
        "{{\n[ \"$(realpath {paths})\" = {expected} ] || {{ echo 'a directory was replaced meanwhile' >&2; exit 1; }}\n\
         {act}\n}} {opened} || exit 1",
        paths = paths.join(" "),
        expected = expected.join("'\n'"),
        opened = opened.join(" "),
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
    let action = "limit";
    match output.status {
        OBSTACLE => Err(obstacle_error(path, path, output)),
        MISSING => Err(missing_error(action, path)),
        _ => require_success(action, &path.to_string(), output),
    }
}

/// What a script printed, if it succeeded; else `Failed` with standard error's last line.
pub(in crate::export) fn require_success(
    action: &'static str,
    object: &str,
    output: &Output,
) -> Result<String, ExportError> {
    if output.status == 0 {
        return Ok(lossy_text(&output.stdout));
    }
    let said = lossy_text(&output.stderr);
    let reason = said.lines().map(str::trim).rfind(|line| !line.is_empty());
    let reason = reason.map_or_else(|| format!("exit status {}", output.status), str::to_owned);
    Err(operation_error(action, object, reason))
}
