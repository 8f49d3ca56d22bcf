//! The proof that a client can use an export: it is mounted there, written to, and read from again (PURE).

use super::script::quote;

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
pub struct Proved {
    /// The version.
    pub version: String,
    /// Under which name the server was found.
    pub server: String,
    /// What failed, as a verb, and the words of what failed; None if nothing did.
    pub failure: Option<(String, String)>,
}

/// Mounts, writes, syncs, mounts once more and reads what was written; all of it goes again. Set before: $servers, $path,
/// $versions. What hangs is ended: a dead server must not hold the host.
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
for name_of in $servers; do
    if getent ahosts "$name_of" >/dev/null 2>&1; then server=$name_of; break; fi
done
for version in $versions; do
    if [ -z "$server" ]; then
        server=${servers%% *}
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
    /// The script that proves it.
    pub fn script(&self) -> String {
        format!(
            "servers={}\npath={}\nversions={}\n{PROVE}",
            quote(&self.servers.join(" ")),
            quote(&self.path),
            quote(&self.versions.join(" ")),
        )
    }

    /// How it ended; a version that nothing was said of failed.
    pub fn read(&self, said: &[u8]) -> Vec<Proved> {
        let said = String::from_utf8_lossy(said);
        let of = |version: &&str| {
            let fields = said.lines().map(|line| line.split('\t').collect::<Vec<_>>());
            let found = fields.into_iter().find(|fields| fields.first() == Some(version));
            let (server, failure) = match found.as_deref() {
                Some([_, server, "ok", _]) => ((*server).to_owned(), None),
                Some([_, server, what, words]) => (
                    (*server).to_owned(),
                    Some(((*what).to_owned(), words.trim_matches([';', ' ']).to_owned())),
                ),
                _ => {
                    let why = ("try".to_owned(), "the host said nothing of it".to_owned());
                    (String::new(), Some(why))
                }
            };
            Proved {
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

    #[test]
    fn each_version_has_its_end() {
        let proof = Proof {
            servers: vec!["nfs".into()],
            path: "/nfsdata".into(),
            versions: vec!["4.2", "3"],
        };
        let ended = proof.read(b"4.2\tnfs\tok\t\n3\tnfs\tmount\tmount.nfs: access denied;\n");
        assert_eq!(ended[0].failure, None);
        let denied = ("mount".to_owned(), "mount.nfs: access denied".to_owned());
        assert_eq!(ended[1].failure, Some(denied));
        assert!(proof.read(b"4.2\tnfs\tok\t\n")[1].failure.is_some());
    }
}
