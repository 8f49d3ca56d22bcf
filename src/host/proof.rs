//! The proof that a client can use an export: a script mounts it, writes to it, locks a file and reads it again (PURE).
//! The main type is [`Proof`]; nothing here runs the script.

use crate::shell::{arguments, quote};

/// What a client is to prove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The server, by names and addresses that the client may know it under, the best first.
    pub servers: Vec<String>,
    /// The exported directory.
    pub path: String,
    /// The NFS versions, as mount's option `vers` takes them.
    pub versions: Vec<&'static str>,
}

/// How a proof with one NFS version ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofResult {
    /// The version.
    pub version: String,
    /// Under which name the server was found.
    pub server: String,
    /// What failed, as a verb, and the words of what failed; None if nothing did.
    pub failure: Option<(String, String)>,
}

/// Mounts, writes, syncs, takes a lock, mounts once more and reads what was written; all of it goes again. Locks of NFS
/// 3 take other ports than all else. A shell's redirection opens the file for writing, as the lock wants it. Set
/// before: $path, $versions, and the server's names as positional parameters. What hangs is ended: a dead server must
/// not hold the host.
const PROVE: &str = r#"directory=$(mktemp -d /tmp/nfsprov.XXXXXX) || exit 1
trap '' HUP PIPE
trap 'umount -f "$directory" 2>/dev/null; rmdir "$directory"' EXIT
name=.nfsprov-proof-$(cat /proc/sys/kernel/random/uuid)
limited() { timeout 60 "$@"; }
tell() { printf '%s\t%s\t%s\t%s\n' "$version" "$server" "$1" "$(printf %s "$2" | tr '\n\t' '; ')"; }
# Fails with the name of what failed in $what, and its words in $said.
prove() {
    what=mount
    said=$(limited mount -t nfs -o "vers=$version,soft,timeo=100,retrans=2,retry=0" "$1" "$directory" 2>&1) || return 1
    what='write to'
    said=$( (printf 'nfsprov %s' "$name" | limited dd of="$directory/$name" conv=fsync status=none) 2>&1) || return 1
    if command -v flock >/dev/null; then
        what='lock a file on'
        said=$( (limited flock -n 9 && echo locked) 2>&1 9<>"$directory/$name")
        [ "$said" = locked ] || { said=${said:-it granted no lock within 60 s}; return 1; }
    fi
    what=unmount
    said=$(limited umount "$directory" 2>&1) || return 1
    what='mount again'
    said=$(limited mount -t nfs -o "vers=$version,soft,timeo=100,retrans=2,retry=0" "$1" "$directory" 2>&1) || return 1
    what='read back from'
    said=$(limited cat "$directory/$name" 2>&1) || return 1
    [ "$said" = "nfsprov $name" ] || { said='what was read is not what was written'; return 1; }
    what='remove from'
    said=$(limited rm -f "$directory/$name" 2>&1) || return 1
    what=unmount
    said=$(limited umount "$directory" 2>&1)
}
server=
for name_of do
    if getent ahosts "$name_of" >/dev/null 2>&1; then server=$name_of; break; fi
done
for version in $versions; do
    if [ -z "$server" ]; then
        server=$1
        tell find 'its name has no address here'
        continue
    fi
    case $server in *:*) source="[$server]:$path" ;; *) source=$server:$path ;; esac
    if prove "$source"; then
        tell ok ''
    else
        failed=$what words=$said
        [ "$what" = mount ] || limited rm -f "$directory/$name" 2>/dev/null
        umount -f "$directory" 2>/dev/null
        tell "$failed" "$words"
    fi
done
exit 0
"#;

impl Proof {
    /// The script that proves each version, and prints a line of results for it; its status is 0 whatever a proof
    /// shows. It mounts from the first of `servers`, of which there must be one, that has an address on the host. It
    /// needs root, and leaves nothing mounted; each command in it may take 60 s. Without flock(1), no lock is tried.
    pub fn shell_script(&self) -> String {
        format!(
            "path={}\nversions={}\n{}{PROVE}",
            quote(&self.path),
            quote(&self.versions.join(" ")),
            arguments(&self.servers),
        )
    }

    /// Parses the script's output: a result for each version. A version without a line counts as failed, with an empty
    /// server's name.
    pub fn parse_results(&self, output: &[u8]) -> Vec<ProofResult> {
        let output = String::from_utf8_lossy(output);
        let of = |version: &&str| {
            let fields = output.lines().map(|line| line.split('\t').collect::<Vec<_>>());
            let found = fields.into_iter().find(|fields| fields.first() == Some(version));
            let (server, failure) = match found.as_deref() {
                Some([_, server, "ok", _]) => ((*server).to_owned(), None),
                Some([_, server, what, words]) => (
                    (*server).to_owned(),
                    Some(((*what).to_owned(), words.trim_matches([';', ' ']).to_owned())),
                ),
                _ => {
                    let why = ("try".to_owned(), "the host gave no result".to_owned());
                    (String::new(), Some(why))
                }
            };
            ProofResult {
                version: (*version).to_owned(),
                server,
                failure,
            }
        };
        self.versions.iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::facts::tests::NOTING_RESOLVER;
    use crate::host::shells::{StandIns, run_in_each_shell};

    #[test]
    fn each_version_has_its_end() {
        let proof = Proof {
            servers: vec!["nfs".into()],
            path: "/nfsdata".into(),
            versions: vec!["4.2", "3"],
        };
        let ended = proof.parse_results(b"4.2\tnfs\tok\t\n3\tnfs\tmount\tmount.nfs: access denied;\n");
        assert_eq!(ended[0].failure, None);
        let denied = ("mount".to_owned(), "mount.nfs: access denied".to_owned());
        assert_eq!(ended[1].failure, Some(denied));
        assert!(proof.parse_results(b"4.2\tnfs\tok\t\n")[1].failure.is_some());
    }

    #[test]
    fn the_names_of_the_server_are_words_and_no_patterns_under_every_shell() {
        // A resolver that knows no name, and notes it.
        let getent = NOTING_RESOLVER.replace("echo 127.0.0.1", "exit 2");
        let tools = StandIns::new(&[("getent", &getent)]);
        let proof = Proof {
            servers: vec!["/*".into(), "a b".into()],
            path: "/nfsdata".into(),
            versions: vec!["4"],
        };
        let asked = tools.directory().join("asked");
        run_in_each_shell(
            &proof.shell_script(),
            &[("PATH", &tools.search_path())],
            |shell, output| {
                let ended = proof.parse_results(&output.stdout);
                assert_eq!(ended[0].server, "/*", "{shell}: {ended:?}");
                assert_eq!(std::fs::read_to_string(&asked).unwrap(), "</*><a b>", "{shell}");
                std::fs::remove_file(&asked).unwrap();
            },
        );
    }

    /// A file system that is mounted, and grants a lock or none.
    fn prove_with_lock(flock: &str) -> Vec<ProofResult> {
        let fine = "#!/bin/sh\nexit 0\n";
        let programs = [
            ("getent", fine),
            ("mount", fine),
            ("umount", fine),
            ("flock", flock),
            // dd writes below a directory of its own, and syncs what it wrote.
            ("timeout", "#!/bin/sh\nshift\nexec \"$@\"\n"),
        ];
        let tools = StandIns::new(&programs);
        let proof = Proof {
            servers: vec!["nfs".into()],
            path: "/nfsdata".into(),
            versions: vec!["3"],
        };
        let results = std::cell::RefCell::new(Vec::new());
        run_in_each_shell(&proof.shell_script(), &[("PATH", &tools.search_path())], |_, output| {
            results.borrow_mut().extend(proof.parse_results(&output.stdout));
        });
        results.into_inner()
    }

    #[test]
    fn a_lock_that_is_not_granted_is_told() {
        for result in prove_with_lock("#!/bin/sh\nexit 0\n") {
            assert_eq!(result.failure, None);
        }
        for (flock, said) in [
            ("#!/bin/sh\nexit 124\n", "it granted no lock within 60 s"),
            (
                "#!/bin/sh\necho 'No locks available' >&2; exit 71\n",
                "No locks available",
            ),
        ] {
            for result in prove_with_lock(flock) {
                assert_eq!(result.failure, Some(("lock a file on".to_owned(), said.to_owned())));
            }
        }
    }
}
