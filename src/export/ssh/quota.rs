//! The shell scripts that look at a directory's project quota and set it (PURE).
//!
//! Tools get numbers, `.` and the file system's device, and no path of a directory.

use super::script::{MISSING, OBSTACLE, at_root, enter_directories};
use super::{lossy_text, missing_error, obstacle_error, operation_error};
use crate::export::quota::LimitPlan;
use crate::export::{ExportError, VolumePath};
use crate::host::{Output, arguments, quote};

/// Prints one line for each fact that `quota::facts` reads, and one for each usage of the projects `project_ids`.
pub(in crate::export) fn inspect(root: &str, path: &VolumePath, project_ids: &[u32]) -> String {
    let (parents, name) = path.split();
    let ids: Vec<String> = project_ids.iter().map(u32::to_string).collect();
    let enter_parents = enter_directories(parents, "missing");
    let act = format!(
        r#"{arguments}
require() {{ for tool do command -v "$tool" >/dev/null 2>&1 || printf 'missing %s\n' "$tool"; done; }}
{REPORT}
printf 'uid %s\n' "$(id -u)"
printf 'root %s\n' "$here"
require findmnt lsattr chattr
printf 'root-project %s\n' "$(lsattr -pd . 2>&1)"
{enter_parents}printf 'parent-project %s\n' "$(lsattr -pd . 2>&1)"
enter {name} || missing
printf 'inode %s\n' "$(stat -c %i .)"
printf 'project %s\n' "$(lsattr -pd . 2>&1)"
if [ -n "$(ls -A . | head -c 1)" ]; then echo entries; fi
type=$(findmnt -fnlo FSTYPE --target .)
device=$(findmnt -fnlvo SOURCE --target .)
mount=$(findmnt -fnlo TARGET --target .)
printf 'type %s\n' "$type"
printf 'device %s\n' "$device"
printf 'options %s\n' "$(findmnt -fnlo OPTIONS --target .)"
printf 'total %s\n' "$(stat -f -c '%b %S' "$mount")"
case $type in
xfs) require xfs_quota ;;
ext4)
    require setquota repquota exportfs
    exportfs -s 2>/dev/null | sed 's/^/export /'
    ;;
*) exit 0 ;;
esac
for id do
    if grep -qs ":$id\$" /etc/projid || grep -qs "^$id:" /etc/projects; then printf 'named %s\n' "$id"; fi
done
usage "$@" || printf 'report-error %s\n' "$(printf '%s\n' "$report" | tail -n 1)""#,
        arguments = arguments(&ids),
        name = quote(name),
    );
    at_root(root, &act)
}

/// Sets the limit, then the directory's project id, and prints what `LimitPlan::check_proof` needs.
pub(in crate::export) fn apply(root: &str, path: &VolumePath, plan: &LimitPlan) -> String {
    let words = [
        plan.file_system.as_str().to_owned(),
        plan.device.clone(),
        plan.project_id.to_string(),
        plan.kib.to_string(),
    ];
    let enter = enter_directories(path.components(), "missing");
    let act = format!(
        r#"{arguments}type=$1 device=$2 id=$3 kib=$4
{REPORT}
{enter}set_limit || exit 1
chattr +P -p "$id" . || exit 1
printf 'project %s\n' "$(lsattr -pd .)"
printf 'size %s\n' "$(stat -f -c '%b %S' .)"
usage "$id""#,
        arguments = arguments(&words),
    );
    at_root(root, &act)
}

/// Prints what a directory takes, and how many of its entries can't have a project id.
pub(in crate::export) fn measure(root: &str, path: &VolumePath) -> String {
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

/// Gives a directory and all that it holds the project id of `plan`, directories first, so that what is created meanwhile
/// inherits it. Repeats that until nothing lacks the id, then prints how many files do, and the project's usage.
///
/// find enters each directory before chattr gets names in it, so a link that is put on the way leads nowhere.
pub(in crate::export) fn assign_project(root: &str, path: &VolumePath, plan: &LimitPlan) -> String {
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

/// Prints the size of the file system, the usage of all projects, and of the directory `sample` the project and the size that statfs reports.
pub(in crate::export) fn report(root: &str, sample: Option<&VolumePath>) -> String {
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
    if read_report; then
        printf '%s\n' "$report" | sed -n 's/^#[0-9]/usage &/p'
    else
        printf 'report-error %s\n' "$(printf '%s\n' "$report" | tail -n 1)"
    fi
    ;;
*) printf 'report-error the export is on %s\n' "$type" ;;
esac
{sample}exit 0"#
    );
    at_root(root, &act)
}

/// Clears the limits of those of these projects that no file has, and prints which.
pub(in crate::export) fn clear_unused(root: &str, project_ids: &[u32]) -> String {
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
    kib=0
    set_limit || exit 1
    printf 'cleared %s\n' "$id"
done"#,
        arguments = arguments(&ids),
    );
    at_root(root, &act)
}

const FIND_DEVICE: &str = "type=$(findmnt -fnlo FSTYPE --target .)\ndevice=$(findmnt -fnlvo SOURCE --target .)";

/// `read_report` puts the usage of all projects into `$report`, or why there is none. `usage ID...` prints the lines of
/// these projects; its status is that of the report. `set_limit` gives project `$id` the limit `$kib`, 0 for none.
const REPORT: &str = r#"
read_report() {
    case $type in
    xfs) report=$(xfs_quota -x -c 'report -p -n -N -b -i' "$device" 2>&1) ;;
    ext4) report=$(repquota -P -n -v -O csv "$device" 2>&1) ;;
    esac
}
usage() {
    read_report || return 1
    for id do
        printf '%s\n' "$report" | sed -n "s/^#$id[ ,]/usage &/p"
    done
}
set_limit() {
    case $type in
    xfs) xfs_quota -x -c "limit -p bhard=${kib}k $id" "$device" ;;
    ext4) setquota -P "$id" 0 "$kib" 0 0 "$device" ;;
    esac
}"#;

/// What a script about a directory printed, if it succeeded.
pub(in crate::export) fn require_output(path: &VolumePath, output: &Output) -> Result<String, ExportError> {
    let action = "limit";
    match output.status {
        OBSTACLE => Err(obstacle_error(path, path, output)),
        MISSING => Err(missing_error(action, path)),
        _ => require_success(action, &path.to_string(), output),
    }
}

/// What a script printed, if it succeeded; else the error that standard error explains.
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
