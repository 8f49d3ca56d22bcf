//! The shell scripts that do an export's operations on its server (PURE).
//!
//! A path is never handed to a tool. A script enters one directory after the
//! other and makes sure where each step led, by asking for the path of the
//! directory that it is in by then, which no symbolic link and no renaming
//! can make look like another. Then it acts on one plain name in there.
//! POSIX sh, and tools as coreutils and busybox both have them.

use crate::export::{Attributes, PARENT_MODE, VolumePath};
use crate::host::quote;

/// The exit statuses that mean something; all others are failures, with words on standard error.
pub(super) const OBSTACLE: u8 = 3;
pub(super) const EXISTS: u8 = 4;
pub(super) const MISSING: u8 = 5;
pub(super) const OTHER_DEVICE: u8 = 6;
pub(super) const UNFINISHED: u8 = 7;

/// How many seconds one run of a removal takes at the most.
const SLICE: u8 = 10;

/// How often a script that may take long says that it is alive.
const HEARTBEAT: u8 = 2;

/// Functions for all scripts. What `pwd` says inside the shell may be what the shell believes, so another process is
/// asked, to which the kernel tells the truth.
const FUNCTIONS: &str = r#"
set -u
unset CDPATH
depth=0
whose=first

# Where this process is, with a dot behind it that keeps a name's line breaks.
place() { env pwd -P && echo .; }

# Something else is where a directory should be: what, how deep, and on the way to which of two paths.
obstacle() { printf '%s %s %s\n' "$1" "$depth" "$whose"; exit 3; }

# Whether ./$1 is there, be it a link to nowhere. That it can't be told is an error.
there() {
    if [ -e "./$1" ] || [ -L "./$1" ]; then return 0; fi
    if listed=$(ls -d -- "./$1" 2>&1); then return 0; fi
    case $listed in
    *'o such file'*) return 1 ;;
    esac
    printf '%s\n' "$listed" >&2
    exit 1
}

# Whether ./$1 is there, as a real directory.
directory() {
    there "$1" || return 1
    if [ -L "./$1" ]; then obstacle link; fi
    if [ ! -d "./$1" ]; then obstacle file; fi
}

# Goes into ./$1, if it is there, and makes sure that this is where it led.
enter() {
    directory "$1" || return 1
    cd -P "./$1" || exit 1
    here=${here%/}/$1
    [ "$(place)" = "$here
." ] || obstacle link
    depth=$((depth + 1))
}

# Says something from time to time while a command works, and nothing afterwards.
patiently() {
    while :; do sleep "$beat" >/dev/null 2>&1; echo; done &
    heart=$!
    "$@"
    status=$?
    { kill "$heart" && wait "$heart"; } 2>/dev/null
    return "$status"
}

missing() { exit 5; }
"#;

/// A script that has the export's root as its directory, which may be reached through links: it is the
/// administrator's choice.
fn at_root(root: &str, rest: &str) -> String {
    format!(
        "{FUNCTIONS}\nbeat={HEARTBEAT}\ncd -P {root} || exit 1\nhere=$(place) || exit 1\nhere=${{here%??}}\n{rest}",
        root = quote(&absolute(root)),
    )
}

/// A path that no tool takes for an option.
fn absolute(root: &str) -> String {
    format!("/{}", root.trim_start_matches('/'))
}

/// Goes into the directories in `names`; what is done if one isn't there is `otherwise`.
fn walk(names: &[String], otherwise: &str) -> String {
    let steps = names
        .iter()
        .map(|name| format!("enter {} || {otherwise}\n", quote(name)));
    steps.collect()
}

/// A script that acts on `$name`, in the directory that has it.
fn on(root: &str, path: &VolumePath, act: &str) -> String {
    let (parents, name) = path.split();
    let walk = walk(parents, "missing");
    at_root(root, &format!("{walk}name={}\n{act}", quote(name)))
}

/// Only goes to the root.
pub(super) fn probe(root: &str) -> String {
    at_root(root, "")
}

/// Says how many blocks are free, and how large they are.
pub(super) fn free(root: &str) -> String {
    at_root(root, "stat -f -c '%a %S' .")
}

/// Makes a directory and its parents, and sets owner, group and mode of the last; says `made` or `existed` of it.
pub(super) fn make(root: &str, path: &VolumePath, wanted: Attributes) -> String {
    let mut steps = String::from(
        r#"
# Makes ./$1 with mode $2 unless it is there, and goes into it. The mode is right from the start, for who dies here
# never gets to the second line; and set again, for a default ACL has its say in the first.
make() {
    found=existed
    if ! there "$1"; then
        umask "$3"
        if words=$(mkdir -- "./$1" 2>&1); then
            found=made
        else
            # Somebody else may have been faster.
            there "$1" || { printf '%s\n' "$words" >&2; exit 1; }
        fi
    fi
    enter "$1" || { echo "it went away again" >&2; exit 1; }
    if [ "$found" = made ]; then chmod "$2" . || exit 1; fi
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
    at_root(root, &(steps + "echo \"$found\""))
}

/// Removes a directory and all in it for some seconds; rm follows no link.
pub(super) fn remove(root: &str, path: &VolumePath) -> String {
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
if [ "$status" -gt 128 ]; then exit 7; fi
[ "$status" = 0 ] || exit 1
if there "$name"; then echo 'it is there again' >&2; exit 1; fi"#
    );
    on(root, path, &act)
}

/// Moves a directory to a free name of the same file system; mv would copy it to another one. The directory that gets it is
/// held open, so it is the one that was walked to.
pub(super) fn rename(root: &str, from: &VolumePath, to: &VolumePath) -> String {
    let (parents, name) = from.split();
    let (new_parents, new_name) = to.split();
    let there = walk(parents, "missing");
    let target = walk(new_parents, "{ echo 'its new directory is not there' >&2; exit 1; }");
    let act = format!(
        r#"root=$here
name={name}
new={new_name}
( {there}directory "$name" || missing ) || exit
whose=second
{target}exec 3<.
whose=first
if there "$new"; then exit 4; fi
cd -P "$root" || exit 1
here=$root
depth=0
[ "$(place)" = "$here
." ] || obstacle link
{there}directory "$name" || missing
here_device=$(stat -c %d "./$name") && there_device=$(stat -c %d /proc/self/fd/3/.) || exit 1
[ "$here_device" = "$there_device" ] || exit 6
patiently mv -nT -- "./$name" "/proc/self/fd/3/$new" || exit 1
# mv may be silent about what it did not do.
if there "$name"; then exit 4; fi"#,
        name = quote(name),
        new_name = quote(new_name),
    );
    at_root(root, &act)
}

/// Whether something is there.
pub(super) fn exists(root: &str, path: &VolumePath) -> String {
    on(root, path, "there \"$name\" || missing")
}

/// Goes into a directory, or stays in the root if none is named.
fn into(root: &str, directory: Option<&VolumePath>, act: &str) -> String {
    let names = directory.map_or(&[][..], VolumePath::components);
    at_root(root, &(walk(names, "missing") + act))
}

/// Tells of each entry of a directory what it is, its blocks, and when it was written to and changed, before its name.
pub(super) fn list(root: &str, directory: Option<&VolumePath>) -> String {
    let act = "[ -r . ] || { echo 'Permission denied' >&2; exit 1; }\n\
               find . ! -name . -prune -exec stat -c '/%f %b %Y %Z %n' -- {} +";
    into(root, directory, act)
}

/// Removes all that a directory holds; rm follows no link.
pub(super) fn empty(root: &str, directory: Option<&VolumePath>) -> String {
    into(
        root,
        directory,
        "patiently find . ! -name . -prune -exec rm -rf -- {} +",
    )
}

/// Makes a symbolic link.
pub(super) fn link(root: &str, path: &VolumePath, target: &str) -> String {
    let act = format!(
        "if there \"$name\"; then exit 4; fi\nwords=$(ln -sT -- {} \"./$name\" 2>&1) && exit 0\n\
         if there \"$name\"; then exit 4; fi\nprintf '%s\\n' \"$words\" >&2\nexit 1",
        quote(target)
    );
    on(root, path, &act)
}

/// What a symbolic link holds, and a line break.
pub(super) fn read_link(root: &str, path: &VolumePath) -> String {
    on(
        root,
        path,
        "there \"$name\" || missing\n[ -L \"./$name\" ] || { echo 'it is no symbolic link' >&2; exit 1; }\n\
         readlink \"./$name\"",
    )
}

/// Removes a link or file.
pub(super) fn unlink(root: &str, path: &VolumePath) -> String {
    on(root, path, "rm -f -- \"./$name\"")
}

/// Removes a directory if it is empty.
pub(super) fn remove_empty(root: &str, path: &VolumePath) -> String {
    on(
        root,
        path,
        "words=$(rmdir -- \"./$name\" 2>&1) && exit 0\nthere \"$name\" || missing\n\
         case $words in *'ot empty'*) exit 4 ;; esac\nprintf '%s\\n' \"$words\" >&2\nexit 1",
    )
}
