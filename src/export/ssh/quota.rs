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
{enter}case $type in
xfs) xfs_quota -x -c "limit -p bhard=${{kib}}k $id" "$device" || exit 1 ;;
ext4) setquota -P "$id" 0 "$kib" 0 0 "$device" || exit 1 ;;
esac
chattr +P -p "$id" . || exit 1
printf 'project %s\n' "$(lsattr -pd .)"
printf 'size %s\n' "$(stat -f -c '%b %S' .)"
usage "$id""#,
        arguments = arguments(&words),
    );
    at_root(root, &act)
}

/// `usage ID...` prints the report's lines of these projects. Its status is the report's, whose text is in `$report`.
const REPORT: &str = r#"
usage() {
    case $type in
    xfs) report=$(xfs_quota -x -c 'report -p -n -N -b -i' "$device" 2>&1) || return 1 ;;
    ext4) report=$(repquota -P -n -v -O csv "$device" 2>&1) || return 1 ;;
    esac
    for id do
        printf '%s\n' "$report" | sed -n "s/^#$id[ ,]/usage &/p"
    done
}"#;

/// What a script printed, if it succeeded.
pub(in crate::export) fn require_output(path: &VolumePath, output: &Output) -> Result<String, ExportError> {
    let action = "limit";
    match output.status {
        0 => Ok(lossy_text(&output.stdout)),
        OBSTACLE => Err(obstacle_error(path, path, output)),
        MISSING => Err(missing_error(action, path)),
        status => {
            let said = lossy_text(&output.stderr);
            let reason = said.lines().map(str::trim).rfind(|line| !line.is_empty());
            let reason = reason.map_or_else(|| format!("exit status {status}"), str::to_owned);
            Err(operation_error(action, &path.to_string(), reason))
        }
    }
}
