//! The script that a server node runs (PURE): it changes files, restarts the API server, waits until the node's own
//! `/readyz` answers, and restores everything if it does not. A lost connection does not end it: writes to it fail, and
//! the script continues.

use super::Gate;
use super::files::{FileEdit, Installed, Server, copy_of};
use crate::shell::quote;

/// The script's exit status if a file was changed since it was read; nothing is changed then.
pub(crate) const FILE_CHANGED_MEANWHILE: u8 = 9;
/// Its status if the host can make no HTTPS request; nothing is changed then.
pub(crate) const NO_HTTPS_CLIENT: u8 = 8;
/// Its status if the change failed, and the API server is ready again with the files as before.
pub(crate) const UNDONE: u8 = 3;
/// Its status if the change failed, and the API server is not ready with the files as before.
pub(crate) const NOT_READY_AFTER_UNDO: u8 = 4;
/// Its status if the change failed, and a file could not be given its former content.
pub(crate) const UNDO_FAILED: u8 = 5;
/// The line that it prints if a file could not be changed, or the API server not be restarted.
pub(crate) const CHANGE_FAILED: &str = "change failed";

/// Functions of every script. `put PATH TEXT` replaces a file atomically, by way of a file beside it whose name begins
/// with a dot, which the kubelet, K3s and systemd pass over; it keeps its owner, mode and symbolic link. `code` prints
/// the HTTP status of `/readyz`. `process` prints whether the running API server has the gate: `Set`, `Unset`, or
/// `none` if none runs.
const FUNCTIONS: &str = r#"put() {
  to=$1
  if [ -L "$1" ]; then to=$(readlink -f "$1") || return 1; fi
  new=${to%/*}/.${to##*/}.nfsprov
  if [ -e "$to" ]; then cp -p "$to" "$new"; else mkdir -p "${to%/*}"; fi &&
    printf %s "$2" >"$new" && sync && mv -f "$new" "$to" && sync
}
remove() { rm -f "$1" && sync; }
is_same() { [ "$(cat "$1"; echo x)" = "$(printf %s "$2"; echo x)" ]; }
code() {
  if command -v curl >/dev/null; then
    curl -sk -m 5 -o /dev/null -w '%{http_code}' "https://$endpoint/readyz"
  else
    printf 'GET /readyz HTTP/1.0\r\n\r\n' | timeout 5 openssl s_client -quiet -connect "$endpoint" 2>/dev/null |
      sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p'
  fi
}
process() {
  seen=none
  for one in /proc/[0-9]*; do
    line=$(tr '\0' ' ' <"$one/cmdline" 2>/dev/null) || continue
    case $line in
      kube-apiserver\ *RemoveSelfLink=false*|*/kube-apiserver\ *RemoveSelfLink=false*) seen=Set ;;
      kube-apiserver\ *|*/kube-apiserver\ *) seen=Unset ;;
    esac
  done
  echo $seen
}
"#;

/// The script that applies `edits` and exits with 0, with [`FILE_CHANGED_MEANWHILE`] or [`NO_HTTPS_CLIENT`] before any
/// change, or after a failed change with [`UNDONE`], [`NOT_READY_AFTER_UNDO`] or [`UNDO_FAILED`]. It restarts K3s and
/// RKE2 also without edits; under kubeadm the kubelet restarts an API server whose manifest changes. It asks about
/// `seconds` times, each for 5 s at most, whether the API server is ready, and as often after an undo. Only under
/// kubeadm it checks that the running one has the gate as `wanted`. The answers 401 and 403 come from an API server
/// that refuses anonymous requests; one that crashes again and again does not answer three times in a row.
pub(crate) fn step_script(server: &Server, edits: &[FileEdit], wanted: Gate, seconds: u64) -> String {
    let (address, port) = server.api_endpoint();
    let (restart, is_new) = match server.installed {
        // The kubelet restarts a static pod whose manifest changes.
        Installed::Kubeadm => ("true", "[ \"$(process)\" = \"$1\" ]"),
        Installed::K3s => ("systemctl daemon-reload && systemctl restart k3s", "true"),
        Installed::Rke2 => ("systemctl daemon-reload && systemctl restart rke2-server", "true"),
    };
    let (mut check, mut change, mut back) = (Vec::new(), vec!["true".to_owned()], Vec::new());
    for edit in edits {
        let path = quote(&edit.path);
        check.push(match &edit.before {
            Some(before) => format!("is_same {path} {} || exit {FILE_CHANGED_MEANWHILE}", quote(before)),
            None => format!("[ ! -e {path} ] || exit {FILE_CHANGED_MEANWHILE}"),
        });
        if edit.keeps_copy {
            let copy = copy_of(&edit.path);
            let (copy, new) = (quote(&copy), quote(&format!("{copy}.new")));
            change.push(format!("cp -p {path} {new} && mv -f {new} {copy}"));
        }
        change.push(write_command(&edit.path, edit.after.as_deref()));
        // One that fails leaves the others to be restored.
        back.push(format!(
            "{} || unrestored=yes; ",
            write_command(&edit.path, edit.before.as_deref())
        ));
    }
    let other = match wanted {
        Gate::Set => Gate::Unset,
        Gate::Unset => Gate::Set,
    };
    format!(
        "trap '' HUP PIPE\numask 077\nendpoint={endpoint}\n{FUNCTIONS}restart() {{ {restart}; }}\nis_new() {{ {is_new}; }}\n\
         ready() {{\n  left={seconds}; good=0\n  while [ $good -lt 3 ]; do\n    case $(code) in\n      \
         200|401|403) if is_new \"$1\"; then good=$((good + 1)); else good=0; fi ;;\n      *) good=0 ;;\n    esac\n    \
         [ $good -ge 3 ] && break\n    [ $left -gt 0 ] || return 1\n    left=$((left - 1)); sleep 1; echo\n  done\n}}\n\
         command -v curl >/dev/null || command -v openssl >/dev/null || exit {NO_HTTPS_CLIENT}\n{check}\n\
         change() {{ {change}; }}\nback() {{ unrestored=; {back}[ -z \"$unrestored\" ]; }}\n\
         if change && restart; then ready {wanted:?} && exit 0; else echo {CHANGE_FAILED}; fi\n\
         back || exit {UNDO_FAILED}\nrestart && ready {other:?} && exit {UNDONE}\nexit {NOT_READY_AFTER_UNDO}",
        endpoint = quote(&format!("{address}:{port}")),
        check = check.join("\n"),
        change = change.join(" && "),
        back = back.concat(),
    )
}

/// The call of a function of [`FUNCTIONS`] that replaces a file by this text, by a rename, or removes the file if there
/// is no text.
fn write_command(path: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("put {} {}", quote(path), quote(text)),
        None => format!("remove {}", quote(path)),
    }
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
