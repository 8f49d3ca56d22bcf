//! The shell scripts that do an export's operations on its server (PURE).
//!
//! No tool gets a path. A script enters one directory after the other and compares the kernel's path of the current
//! directory with the expected one, so neither a symbolic link nor a rename can lead elsewhere. Then it acts on one
//! plain name there. POSIX sh, with the tools that coreutils and busybox both have. A script whose directory or its
//! parents don't exist ends with [`MISSING`], except the one that creates them; one that meets a link with
//! [`OBSTACLE`].

use crate::export::record::NewFile;
use crate::export::{Attributes, PARENT_MODE, VolumePath};
use crate::shell::{arguments, quote};

/// Exit statuses with a meaning of their own. All others are failures that standard error explains.
pub(super) const OBSTACLE: u8 = 3;
pub(super) const EXISTS: u8 = 4;
pub(super) const MISSING: u8 = 5;
pub(super) const OTHER_DEVICE: u8 = 6;
pub(super) const UNFINISHED: u8 = 7;

/// Seconds that one run of a removal may take.
const SLICE: u8 = 10;

/// The status of a shell's child that was ended by TERM, as the timer of a removal does.
const TERMINATED: u8 = 128 + 15;

/// Seconds between the empty lines of a script that may take long.
const HEARTBEAT: u8 = 2;

/// Functions for all scripts. The shell's own `pwd` may print a remembered path; `env pwd -P` is another process, which
/// asks the kernel.
const FUNCTIONS: &str = r#"
set -u
unset CDPATH
depth=0
whose=first

# The real path of the current directory, with a dot behind it that keeps a name's line breaks.
current_path() { env pwd -P && echo .; }

# Ends the script because a directory on the way is something else: what it is, its depth, and on which of two paths.
obstacle() { printf '%s %s %s\n' "$1" "$depth" "$whose"; exit 3; }

# Whether ./$1 exists, dangling links included. If that can't be read, the script fails.
exists() {
    if [ -e "./$1" ] || [ -L "./$1" ]; then return 0; fi
    if listed=$(ls -d -- "./$1" 2>&1); then return 0; fi
    case $listed in
    *'o such file'*) return 1 ;;
    esac
    printf '%s\n' "$listed" >&2
    exit 1
}

# Whether ./$1 exists; ends the script if it is no real directory.
directory() {
    exists "$1" || return 1
    if [ -L "./$1" ]; then obstacle link; fi
    if [ ! -d "./$1" ]; then obstacle file; fi
}

# Enters ./$1 if it exists, and compares the real path with the expected one.
enter() {
    directory "$1" || return 1
    cd -P "./$1" || exit 1
    here=${here%/}/$1
    [ "$(current_path)" = "$here
." ] || obstacle link
    depth=$((depth + 1))
}

# Runs a command and prints an empty line every few seconds until it ends.
with_heartbeat() {
    while :; do sleep "$beat" >/dev/null 2>&1; echo; done &
    heart=$!
    "$@"
    status=$?
    { kill "$heart" && wait "$heart"; } 2>/dev/null
    return "$status"
}

missing() { exit 5; }
"#;

/// Sets `$here` to the real path of the directory that was just entered, without a process. bash keeps both slashes of a
/// link's target that begins with two.
const ROOT_PATH: &str = "here=${PWD#/}\nhere=/${here#/}";

/// A script that defines the shell functions of this file, enters the export's root and runs the shell text `rest`
/// there. Only `root` is quoted. The root itself may be reached through links, which the administrator chose.
pub(super) fn at_root(root: &str, rest: &str) -> String {
    format!(
        "{FUNCTIONS}\nbeat={HEARTBEAT}\ncd -P {root} || exit 1\n{ROOT_PATH}\n{rest}",
        root = quote(&absolute_path(root)),
    )
}

/// The path with a leading slash, so that no tool takes it for an option.
fn absolute_path(root: &str) -> String {
    format!("/{}", root.trim_start_matches('/'))
}

/// Shell text for [`at_root`] that enters the directories `names`, each in the one before, and runs the shell command
/// `otherwise` if one is missing. One that is a link or a file ends the script with [`OBSTACLE`].
pub(super) fn enter_directories(names: &[String], otherwise: &str) -> String {
    let steps = names
        .iter()
        .map(|name| format!("enter {} || {otherwise}\n", quote(name)));
    steps.collect()
}

/// A script that enters the parents of `path` and runs the shell text `act` there, with the last name in `$name`.
fn act_on_entry(root: &str, path: &VolumePath, act: &str) -> String {
    let (parents, name) = path.split();
    let walk = enter_directories(parents, "missing");
    at_root(root, &format!("{walk}name={}\n{act}", quote(name)))
}

/// Enters the root, through links too, and does nothing; fails if that can't be done.
pub(super) fn enter_root(root: &str) -> String {
    at_root(root, "")
}

/// Prints how many blocks are free for users without privileges, and a block's size in bytes.
pub(super) fn free_space(root: &str) -> String {
    at_root(root, "stat -f -c '%a %S' .")
}

/// Creates a directory and its parents, and sets owner, group and mode of the last one, even if it exists. Parents that
/// exist stay as they are.
pub(super) fn create_directory(root: &str, path: &VolumePath, wanted: Attributes) -> String {
    let mut steps = String::from(
        r#"
# Creates ./$1 with mode $2 unless it exists, and enters it. The umask makes the mode right from the start, so that a
# crash before chmod leaves no wrong mode; chmod is needed besides, because a default ACL overrides the umask.
make() {
    is_new=false
    if ! exists "$1"; then
        umask "$3"
        if words=$(mkdir -- "./$1" 2>&1); then
            is_new=true
        else
            # Another process may have created it meanwhile.
            exists "$1" || { printf '%s\n' "$words" >&2; exit 1; }
        fi
    fi
    enter "$1" || { echo "it was removed meanwhile" >&2; exit 1; }
    if [ "$is_new" = true ]; then chmod "$2" . || exit 1; fi
}
"#,
    );
    let last = path.components().len() - 1;
    for (depth, name) in path.components().iter().enumerate() {
        let mode = if depth == last { wanted.mode } else { PARENT_MODE };
        let (plain, mask) = (mode & 0o777, 0o777 & !mode);
        // Five digits, so that inherited special bits go: with fewer, chmod keeps a directory's.
        steps += &format!("make {} {plain:05o} {mask:04o}\n", quote(name));
    }
    let owner = match (wanted.uid, wanted.gid) {
        (Some(uid), Some(gid)) => format!("{uid}:{gid}"),
        (Some(uid), None) => uid.to_string(),
        (None, Some(gid)) => format!(":{gid}"),
        (None, None) => String::new(),
    };
    if !owner.is_empty() {
        // Before the mode: it takes special bits away.
        steps += &format!("chown {owner} . || exit 1\n");
    }
    steps += &format!("chmod {:05o} . || exit 1\n", wanted.mode);
    at_root(root, &steps)
}

/// Removes a directory tree for [`SLICE`] seconds, then ends with [`UNFINISHED`]; rm follows no link. Ends with
/// [`MISSING`] if nothing is there, with [`OBSTACLE`] if it is no directory. Any other signal than the timer's is a
/// failure: the kernel kills rm where memory runs out, each time anew.
pub(super) fn remove_directory(root: &str, path: &VolumePath) -> String {
    let act = format!(
        r#"directory "$name" || missing
rm -rf -- "./$name" &
removing=$!
(
    sleep {SLICE}
    kill "$removing"
) >/dev/null 2>&1 &
timer=$!
wait "$removing" 2>/dev/null
status=$?
kill "$timer" 2>/dev/null
if [ "$status" = {TERMINATED} ]; then exit {UNFINISHED}; fi
if [ "$status" -gt 128 ]; then echo "rm was ended by signal $((status - 128))" >&2; exit 1; fi
[ "$status" = 0 ] || exit 1
if exists "$name"; then echo 'it was created again' >&2; exit 1; fi"#
    );
    act_on_entry(root, path, &act)
}

/// Renames a directory to a free name on the same file system; mv would copy it to another one. The new parent is held
/// open as a file descriptor, so it is the directory that was entered. Ends with [`EXISTS`] if the new name is taken,
/// with [`OTHER_DEVICE`] if the parents' file systems differ; a new parent that is missing is a failure.
pub(super) fn rename_directory(root: &str, from: &VolumePath, to: &VolumePath) -> String {
    let (parents, name) = from.split();
    let (new_parents, new_name) = to.split();
    let enter_parents = enter_directories(parents, "missing");
    let target = enter_directories(new_parents, "{ echo 'its new parent is missing' >&2; exit 1; }");
    let act = format!(
        r#"root=$here
name={name}
new={new_name}
( {enter_parents}directory "$name" || missing ) || exit
whose=second
{target}exec 3<.
whose=first
if exists "$new"; then exit 4; fi
cd -P "$root" || exit 1
here=$root
depth=0
[ "$(current_path)" = "$here
." ] || obstacle link
{enter_parents}directory "$name" || missing
here_device=$(stat -c %d "./$name") && there_device=$(stat -c %d /proc/self/fd/3/.) || exit 1
[ "$here_device" = "$there_device" ] || exit 6
with_heartbeat mv -nT -- "./$name" "/proc/self/fd/3/$new" || exit 1
# mv may be silent about what it did not do.
if exists "$name"; then exit 4; fi"#,
        name = quote(name),
        new_name = quote(new_name),
    );
    at_root(root, &act)
}

/// Ends with [`MISSING`] if nothing is at `path`.
pub(super) fn path_exists(root: &str, path: &VolumePath) -> String {
    act_on_entry(root, path, "exists \"$name\" || missing")
}

/// A script that runs the shell text `act` in a directory, or in the root if none is named.
fn act_in_directory(root: &str, directory: Option<&VolumePath>, act: &str) -> String {
    let names = directory.map_or(&[][..], VolumePath::components);
    at_root(root, &(enter_directories(names, "missing") + act))
}

/// Prints for each entry its mode, blocks, modification and change time, and name. One that is removed meanwhile is left
/// out.
pub(super) fn list_directory(root: &str, directory: Option<&VolumePath>) -> String {
    let act = r#"[ -r . ] || { echo 'Permission denied' >&2; exit 1; }
{ words=$(find . ! -name . -prune -exec stat -c '/%f %b %Y %Z %n' -- {} + 2>&1 >&3); } 3>&1 && exit 0
if printf '%s\n' "$words" | grep -qv 'o such file'; then
    printf '%s\n' "$words" >&2
    exit 1
fi"#;
    act_in_directory(root, directory, act)
}

/// Removes everything in a directory; rm follows no link.
pub(super) fn empty_directory(root: &str, directory: Option<&VolumePath>) -> String {
    act_in_directory(
        root,
        directory,
        "with_heartbeat find . ! -name . -prune -exec rm -rf -- {} +",
    )
}

/// Creates a symbolic link; ends with [`EXISTS`] if the name is taken.
pub(super) fn create_link(root: &str, path: &VolumePath, target: &str) -> String {
    let act = format!(
        "if exists \"$name\"; then exit 4; fi\nwords=$(ln -sT -- {} \"./$name\" 2>&1) && exit 0\n\
         if exists \"$name\"; then exit 4; fi\nprintf '%s\\n' \"$words\" >&2\nexit 1",
        quote(target)
    );
    act_on_entry(root, path, &act)
}

/// Prints the target of a symbolic link; fails if it is something else.
pub(super) fn read_link(root: &str, path: &VolumePath) -> String {
    act_on_entry(
        root,
        path,
        "exists \"$name\" || missing\n[ -L \"./$name\" ] || { echo 'not a symbolic link' >&2; exit 1; }\n\
         readlink \"./$name\"",
    )
}

/// Removes a link or file if it exists; fails if it is a directory.
pub(super) fn remove_link_or_file(root: &str, path: &VolumePath) -> String {
    act_on_entry(root, path, "rm -f -- \"./$name\"")
}

/// Removes a directory if it is empty; ends with [`EXISTS`] if something is in it, fails if it is no directory.
pub(super) fn remove_empty_directory(root: &str, path: &VolumePath) -> String {
    act_on_entry(
        root,
        path,
        "words=$(rmdir -- \"./$name\" 2>&1) && exit 0\nexists \"$name\" || missing\n\
         case $words in *'ot empty'*) exit 4 ;; esac\nprintf '%s\\n' \"$words\" >&2\nexit 1",
    )
}

/// Prints a line for each name in a directory: `link`, `missing`, `other`, `unreadable`, `large` if it holds more than
/// `limit` bytes, or `file SIZE` with the content in the lines below. A file is opened once, so one that is replaced
/// meanwhile is read as it was.
pub(super) fn read_files(root: &str, folder: &VolumePath, names: &[String], limit: usize) -> String {
    let act = format!(
        r#"for name do
    if [ -L "./$name" ]; then echo link; continue; fi
    exists "$name" || {{ echo missing; continue; }}
    [ -f "./$name" ] || {{ echo other; continue; }}
    [ -r "./$name" ] || {{ echo unreadable; continue; }}
    {{
        size=$(stat -Lc %s /proc/self/fd/3) || exit 1
        if [ "$size" -gt {limit} ]; then echo large; continue; fi
        printf 'file %s\n' "$size"
        head -c "$size" <&3 || exit 1
        echo
    }} 3<"./$name" || exit 1
done"#
    );
    act_in_directory(root, Some(folder), &(arguments(names) + &act))
}

/// Writes files under temporary names, has them stored, and renames them: a file or link at a file's name is replaced,
/// a directory is a failure. On failure, removes the temporary files; files renamed before stay.
pub(super) fn write_files(root: &str, folder: &VolumePath, files: &[NewFile]) -> String {
    let words = files.iter().flat_map(|file| {
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        [file.temporary.clone(), file.name.clone(), text]
    });
    let act = r#"umask 077
set -C
clean() { while [ $# -gt 0 ]; do rm -f -- "./$1"; shift 3; done; }
write() {
    while [ $# -gt 0 ]; do
        printf '%s' "$3" > "./$1" || return 1
        shift 3
    done
}
rename() {
    while [ $# -gt 0 ]; do
        mv -fT -- "./$1" "./$2" || return 1
        shift 3
    done
}
# Their file system alone, where sync knows how.
stored() { with_heartbeat sync -f . 2>/dev/null || with_heartbeat sync; }
if write "$@" && stored && rename "$@"; then exit 0; fi
clean "$@"
exit 1"#;
    act_in_directory(root, Some(folder), &(arguments(&words.collect::<Vec<_>>()) + act))
}
