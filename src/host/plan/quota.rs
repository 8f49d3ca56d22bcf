//! Limits of directories: the step for what the file system of the export needs so that it enforces them (PURE).
//!
//! Limits are switched on if that works while clients use the file system, or if `--remount` lets the step unmount XFS;
//! else the step is refused, with the commands.

use super::desired::{DesiredServer, Quota};
use super::services::find_unit;
use super::{FAILED_AND_UNDONE, FileChange, Step, replace_file, with_undo};
use crate::host::distro::Distro;
use crate::host::exports_file::options_squash_root;
use crate::host::facts::{Facts, Init};
use crate::host::fstab;
use crate::host::quota::QuotaFacts;
use crate::shell::quote;

const NAME: &str = "quota";

/// The project that limits are tried with: just below the ids of volumes.
const PROBE_PROJECT: u32 = (1 << 30) - 1;

/// The programs that limits on this file system need; none for one that can't have limits.
fn tools_for(file_system: &str) -> &'static [&'static str] {
    match file_system {
        "xfs" => &["xfs_quota", "lsattr", "chattr"],
        "ext4" => &["xfs_quota", "setquota", "repquota", "quotaon", "lsattr", "chattr"],
        _ => &[],
    }
}

/// The packages of the programs that limits need and the host lacks, each with its program; a package with two programs
/// comes twice. Empty if the facts about limits were not gathered, as when limits are not wanted.
pub(super) fn missing_packages(facts: &Facts, distro: &'static Distro) -> Vec<(&'static str, &'static str)> {
    let Some(quota) = &facts.quota else {
        return Vec::new();
    };
    let missing = tools_for(&quota.file_system)
        .iter()
        .filter(|tool| !quota.tools.contains(**tool));
    missing.map(|tool| (distro.package_of(tool), *tool)).collect()
}

/// Switches limits of directories on for the export's file system, now and in /etc/fstab, and proves them by writing.
/// Refused if that needs an unmount, unless `--remount` allows that for XFS, can't work at all, or the quota facts were
/// not gathered; skipped while tools are to be installed. Where limits are on in both already, it proves nothing.
pub(super) fn plan_quota(facts: &Facts, server: &DesiredServer, distro: &Distro) -> Step {
    let path = &server.wanted.path;
    let Some(quota) = &facts.quota else {
        return Step::refused(NAME, format!("the file system of {path} is unknown"));
    };
    let QuotaFacts {
        file_system,
        device,
        mount_point,
        ..
    } = quota;
    if let Some(why) = reason_against_limits(quota, server) {
        return Step::refused(NAME, why);
    }
    if file_system == "ext4" && !quota.has_project_quota_features() {
        return Step::refused(NAME, ext4_without_features(quota));
    }
    if tools_for(file_system).iter().any(|tool| !quota.tools.contains(*tool)) {
        return Step::skipped(NAME, "checked after the packages are installed");
    }
    let Some(is_enforced) = quota.is_enforced else {
        return Step::refused(
            NAME,
            format!("xfs_quota does not say whether {mount_point} enforces limits"),
        );
    };
    let file = fstab_change(quota);
    let (switch, undo, what) = match (file_system.as_str(), is_enforced) {
        (_, true) => (String::new(), String::new(), None),
        ("xfs", false) if quota.has_option("pqnoenforce") => {
            let set = |verb: &str| format!("xfs_quota -x -c '{verb} -p' {}\n", quote(mount_point));
            (
                set("enable"),
                set("disable"),
                Some(format!("have {mount_point} enforce limits")),
            )
        }
        ("xfs", false) if mount_point == "/" => {
            let why = format!(
                "the root file system, {device}, is mounted without prjquota: add rootflags=prjquota to the kernel's command \
                 line and restart the host, or export a directory of another file system"
            );
            return Step::refused(NAME, why);
        }
        ("xfs", false) if server.quota == Quota::Remount => {
            let (switch, undo) = remount_and_undo_scripts(facts, quota, distro, file.is_some());
            let what = format!("unmount {mount_point} and mount it with prjquota, while the NFS server is stopped");
            (switch, undo, Some(what))
        }
        ("xfs", false) => {
            return Step::refused(
                NAME,
                format!(
                    "{device} is mounted without prjquota, and remounting has no effect on XFS; --remount does, while clients \
                     wait: systemctl stop nfs-server; umount {mount_point}; mount -o prjquota {device} {mount_point}; \
                     systemctl start nfs-server"
                ),
            );
        }
        (_, false) => {
            let mount_point_word = quote(mount_point);
            (
                format!("mount -o remount,prjquota {mount_point_word}\nquotaon -P {mount_point_word}\n"),
                format!("quotaoff -P {mount_point_word} || :\n"),
                Some(format!(
                    "have {mount_point} enforce limits (remount,prjquota and quotaon -P)"
                )),
            )
        }
    };
    let mut step = match (&what, &file) {
        (None, None) => Step::ok(NAME, format!("{mount_point} ({file_system}) enforces limits")),
        _ => {
            let in_fstab = file
                .as_ref()
                .map(|_| format!("add prjquota for {mount_point} to {}", fstab::PATH));
            let why: Vec<String> = what.clone().into_iter().chain(in_fstab).collect();
            let text = switch_script(facts, server, quota, file.as_ref(), (&switch, &undo));
            Step::change(NAME, why.join("; "), text)
        }
    };
    if has_no_single_fstab_line(quota) {
        step = step.with_warning(format!(
            "no line of {} mounts {mount_point}: set prjquota where it is configured, or limits are not enforced \
             after the next \
             restart of the host",
            fstab::PATH
        ));
    }
    if server.quota == Quota::Remount && what.is_some() && file_system == "xfs" && !quota.has_option("pqnoenforce") {
        step = step.with_warning(format!(
            "all clients of the NFS server wait meanwhile; if another program uses {mount_point} on the host, \
             unmounting fails, and nothing is changed"
        ));
    }
    step.files.extend(file);
    step
}

/// Why the server can't enforce limits there whatever is switched on; `None` if it can.
fn reason_against_limits(quota: &QuotaFacts, server: &DesiredServer) -> Option<String> {
    let path = &server.wanted.path;
    let why = match quota.file_system.as_str() {
        "xfs" | "ext4" => None,
        "" => {
            return Some(format!(
                "the file system of {path} is unknown: findmnt, of util-linux, is missing or fails"
            ));
        }
        "btrfs" => Some("it limits subvolumes, not directories"),
        "zfs" => Some("it limits datasets, not directories"),
        "nfs" | "nfs4" => Some("it is a mount of another NFS server; only that server can set limits"),
        _ => Some("only XFS and ext4 have project quotas"),
    };
    if let Some(why) = why {
        return Some(format!("{path} is on {}: {why}", quota.file_system));
    }
    if let Some((id, directory)) = &quota.inherited_project {
        return Some(format!(
            "{directory} belongs to project {id} and passes it on, so directories of other projects can't be archived or \
             deleted below it; undo that with: chattr -P -p 0 {}",
            quote(directory)
        ));
    }
    (quota.file_system == "ext4" && !options_squash_root(&server.wanted.options)).then(|| {
        "root in pods is not limited on ext4; use XFS, or --root-squash with a provisioner --via ssh://".to_owned()
    })
}

/// The refusal of an ext4 file system without the quota feature, with the commands that add it; nfsprov never runs
/// them. If the kernel lacks quota_v2, the refusal says to install that first instead.
fn ext4_without_features(quota: &QuotaFacts) -> String {
    let QuotaFacts {
        device, mount_point, ..
    } = quota;
    if !quota.has_quota_module {
        return format!(
            "{device} has no project quotas, and this kernel lacks quota_v2, without which it could not be mounted with \
             them; install the module first (on Ubuntu: linux-modules-extra of this kernel)"
        );
    }
    format!(
        "{device} has no project quotas, which ext4 gets only while it is not mounted: systemctl stop nfs-server; umount \
         {mount_point}; tune2fs -O project,quota -Q prjquota {device}; mount -o prjquota {device} {mount_point}; systemctl \
         start nfs-server; then run this again"
    )
}

/// Whether fstab decides about the mount option: XFS as root is mounted before fstab is read.
fn needs_fstab(quota: &QuotaFacts) -> bool {
    !(quota.file_system == "xfs" && quota.mount_point == "/")
}

/// The text of fstab in which the file system enforces limits, which may be the same text; `None` if no single line
/// mounts it, or fstab was not read.
fn edited_fstab(quota: &QuotaFacts) -> Option<Vec<u8>> {
    fstab::with_project_quota(quota.fstab.as_deref()?, &quota.mount_point)
}

/// Whether fstab should decide about the mount option, but no line of it, or more than one, mounts the file system;
/// true also if fstab was not read.
fn has_no_single_fstab_line(quota: &QuotaFacts) -> bool {
    needs_fstab(quota) && edited_fstab(quota).is_none()
}

/// The change of fstab; `None` if its line is right, no single line mounts the file system, or it is XFS as root.
fn fstab_change(quota: &QuotaFacts) -> Option<FileChange> {
    let after = edited_fstab(quota).filter(|_| needs_fstab(quota))?;
    (quota.fstab.as_ref() != Some(&after)).then(|| FileChange {
        path: fstab::PATH.to_owned(),
        before: quota.fstab.clone(),
        after,
    })
}

/// The step's script: writes fstab, runs `switch`, then proves the limit by writing; on failure undoes both. `switch`
/// and `undo` are each empty or end with a line break; `undo` also runs if `switch` never began.
fn switch_script(
    facts: &Facts,
    server: &DesiredServer,
    quota: &QuotaFacts,
    file: Option<&FileChange>,
    (switch, undo): (&str, &str),
) -> String {
    let reload = match facts.init {
        // It would mount by the old line otherwise.
        Init::Systemd if file.is_some() => "systemctl daemon-reload\n",
        _ => "",
    };
    let mut text = prove_function(server, quota);
    let mut restore = "";
    if let Some(file) = file {
        text += &replace_file(&file.path, &quota.fstab_checksum, &file.after);
        // Not within the change, whose variables the undo does not see.
        text += &format!("put_file || exit {FAILED_AND_UNDONE}\n");
        restore = "restore_file\n";
    }
    let change = format!("{reload}{switch}");
    // The undo goes on to start the NFS server, even if systemd does not read the restored file.
    let reload = reload.replace('\n', " || :\n");
    let undo = format!("{restore}{reload}{undo}:\n");
    text + &with_undo(&change, "prove\n", &undo)
}

/// Two scripts, each with the NFS server stopped meanwhile: the first mounts XFS with project quotas, by its line in
/// fstab if the step has rewritten that before; the second mounts it as before, and fails if it can't.
fn remount_and_undo_scripts(
    facts: &Facts,
    quota: &QuotaFacts,
    distro: &Distro,
    rewrites_fstab: bool,
) -> (String, String) {
    let QuotaFacts {
        device,
        mount_point,
        options,
        ..
    } = quota;
    let service = find_unit(facts, distro.nfs).filter(|(_, unit)| unit.active);
    let control = |verb: &str| match (&service, &facts.init) {
        (Some((name, _)), Init::OpenRc) => format!("rc-service {name} {verb}\n"),
        (Some((name, _)), _) => format!("systemctl {verb} {name}\n"),
        (None, _) => String::new(),
    };
    // Newer kernels refuse what older ones list of themselves.
    let kept: Vec<&str> = options.split(',').filter(|option| *option != "attr2").collect();
    let mount = |options: &str| {
        format!(
            "mount -t xfs -o {} {} {}\n",
            quote(options),
            quote(device),
            quote(mount_point)
        )
    };
    let before = mount(&kept.join(","));
    let limited: Vec<&str> = kept.into_iter().filter(|option| *option != "noquota").collect();
    let mount_anew = match rewrites_fstab {
        true => format!("mount {}\n", quote(mount_point)),
        false => mount(&format!("{},{}", limited.join(","), fstab::PROJECT_QUOTA)),
    };
    let (stop, start) = (control("stop"), control("start"));
    let at = quote(mount_point);
    (
        format!("{stop}umount {at}\n{mount_anew}{start}"),
        // It is busy, for one, if another program has begun to use it.
        format!(
            "{stop}umount {at} 2>/dev/null || :\nmountpoint -q {at} || {before}{start}\
             case ,$(findmnt -fnlo OPTIONS --mountpoint {at}), in\n\
             *,prjquota,*) echo 'it is still mounted with prjquota' >&2; exit 1 ;;\nesac\n"
        ),
    )
}

/// The shell function `prove`, which limits a directory and fails unless writing past the limit fails: as a user, and
/// as root where root is limited.
fn prove_function(server: &DesiredServer, quota: &QuotaFacts) -> String {
    let users = match quota.file_system.as_str() {
        "xfs" => "0 65534",
        // Root of the clients is another user here.
        _ => "65534",
    };
    format!(
        "directory={} type={} device={} mount_point={} project={PROBE_PROJECT} users='{users}'\n{PROVE}",
        quote(&server.wanted.path),
        quote(&quota.file_system),
        quote(&quota.device),
        quote(&quota.mount_point),
    )
}

/// Clients may change the export's root meanwhile: what is done is done in a directory that was entered.
const PROVE: &str = r#"limit() {
  case $type in
  xfs) xfs_quota -x -c "limit -p bhard=${1}k $project" "$device" ;;
  ext4) setquota -P "$project" 0 "$1" 0 0 "$device" ;;
  esac
}
write_as() {
  user=$1
  shift
  if [ "$user" = 0 ]; then "$@"
  elif command -v setpriv >/dev/null; then setpriv --reuid="$user" --regid="$user" --clear-groups "$@"
  else
    echo 'setpriv, of util-linux, is missing' >&2
    return 1
  fi
}
prove() (
  state=$(xfs_quota -f -x -c 'state -p' "$mount_point" | sed -n 's/^ *Enforcement: *//p')
  [ "$state" = ON ] || { echo "$mount_point does not enforce limits: xfs_quota says ${state:-nothing}" >&2; exit 1; }
  cd -P "$directory" || exit 1
  top=$(env pwd -P) probe=.nfsprov-quota-probe-$$
  mkdir -m 0777 "./$probe" && cd -P "./$probe" || exit 1
  [ "$(env pwd -P)" = "${top%/}/$probe" ] || { echo "$top was changed by another program just now" >&2; exit 1; }
  trap 'rm -f ./file; cd .. && rmdir "./$probe"; limit 0' EXIT
  limit 1024 && chattr +P -p "$project" . || exit 1
  set -- $(stat -f -c '%b %S' .)
  [ "$(($1 * $2))" = 1048576 ] || {
    echo "statfs reports $(($1 * $2 / 1024)) KiB of a directory that is limited to 1024 KiB" >&2
    exit 1
  }
  for user in $users; do
    said=$(LC_ALL=C write_as "$user" dd if=/dev/zero of=./file bs=65536 count=32 conv=fsync 2>&1) && {
      echo "user $user wrote 2 MiB into a directory that is limited to 1 MiB" >&2
      exit 1
    }
    case $said in
    *'No space left on device'* | *'quota exceeded'*) ;;
    *) printf '%s\n' "$said" >&2; exit 1 ;;
    esac
    rm -f ./file
  done
)
"#;

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
