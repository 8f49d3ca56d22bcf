//! How a shell script is sent to a host, and how its end is told from everything that looks like one (PURE). The main
//! type is [`Frame`]; nothing here runs a script.
//!
//! sshd may die, a login shell may refuse, and libssh2 reports status 0 for
//! both. So a script is framed by lines with a random word, the last of which
//! carries its status: without that line it has not ended by itself.

/// The frame of one run.
#[derive(Clone, Debug)]
pub struct Frame {
    nonce: String,
}

/// What a script wrote between the lines of its frame, and its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed<'a> {
    /// What it wrote to its standard output.
    pub stdout: &'a [u8],
    /// Its exit status.
    pub status: u8,
}

impl Frame {
    /// A frame with `nonce`, which has to be unguessable.
    pub fn new(nonce: String) -> Self {
        Self { nonce }
    }

    /// The text that makes a shell run `script` in a frame: nothing runs before all of it has arrived, and its standard
    /// input is empty. Tools print English, `PATH` has administrators' tools, and the umask is 022: NFS 4 clients must
    /// be able to enter an export's parents.
    pub fn wrap(&self, script: &str) -> String {
        let nonce = &self.nonce;
        format!(
            "{{\nprintf '%s\\n' '{nonce}'\n(\numask 022\nLC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\n\
             export LC_ALL PATH\n{script}\n) </dev/null\nstatus=$?\nprintf '\\n%s %s\\n' '{nonce}' \"$status\"\n\
             exit \"$status\"\n}}\n"
        )
    }

    /// The command that starts a shell through sudo. sudo asks for the password with [`Frame::prompt`]; the shell then
    /// writes [`Frame::ready`] and reads the script from standard input.
    pub fn sudo_command(&self) -> String {
        let (prompt, ready) = (self.prompt(), self.ready());
        format!("sudo -S -p {prompt} sh -c 'echo {ready}; exec sh -s'")
    }

    /// What sudo asks with.
    pub fn prompt(&self) -> String {
        format!("{}-password", self.nonce)
    }

    /// What the shell that sudo starts says first.
    pub fn ready(&self) -> String {
        format!("{}-ready", self.nonce)
    }

    /// Whether the script has begun, by all that came over standard output so far.
    pub fn has_begun(&self, stdout: &[u8]) -> bool {
        find_bytes(stdout, format!("{}\n", self.nonce).as_bytes()).is_some()
    }

    /// Finds the script's output and status in the shell's standard output; `None` if the script has not ended by
    /// itself.
    pub fn find_output<'a>(&self, stdout: &'a [u8]) -> Option<Framed<'a>> {
        let begin = format!("{}\n", self.nonce);
        // What a login shell says comes before it, on lines of its own or not.
        let start = find_bytes(stdout, begin.as_bytes())? + begin.len();
        let end = format!("\n{} ", self.nonce);
        let rest = &stdout[start..];
        let stop = find_bytes(rest, end.as_bytes())?;
        let status = rest[stop + end.len()..].split(|byte| *byte == b'\n').next()?;
        let status = std::str::from_utf8(status).ok()?.parse().ok()?;
        Some(Framed {
            stdout: &rest[..stop],
            status,
        })
    }
}

/// Drops all but the last `limit` bytes, in place.
pub(super) fn keep_last(bytes: &mut Vec<u8>, limit: usize) {
    let excess = bytes.len().saturating_sub(limit);
    bytes.drain(..excess);
}

/// The last `limit` bytes of a text, after an ellipsis if something was cut off.
pub(super) fn last_part(text: &str, limit: usize) -> String {
    let mut start = text.len().saturating_sub(limit);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    match start {
        0 => text.to_owned(),
        _ => format!("…{}", &text[start..]),
    }
}

/// Where `part`, which must not be empty, begins first in `whole`; `None` if it is not in there.
pub(super) fn find_bytes(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::shell::quote;

    /// Has a shell read `text`.
    fn sh(text: &str) -> Vec<u8> {
        let mut command = Command::new("sh");
        command
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // A shell that was killed by its script doesn't read the rest.
        _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        child.wait_with_output().unwrap().stdout
    }

    fn frame() -> Frame {
        Frame::new("n0nce".into())
    }

    #[test]
    fn the_status_is_the_scripts() {
        for (script, stdout, status) in [
            ("echo hello", "hello\n", 0),
            ("printf hello; exit 3", "hello", 3),
            ("false", "", 1),
            ("echo n0nce 0; exit 4", "n0nce 0\n", 4),
            ("read line; echo \"<$line>\"", "<>\n", 0),
            ("kill -9 $(sh -c 'echo $PPID')", "", 137),
            ("echo \"$LC_ALL\"", "C\n", 0),
            ("umask", "0022\n", 0),
        ] {
            let said = sh(&format!("umask 077\n{}", frame().wrap(script)));
            let framed = frame().find_output(&said).expect(script);
            assert_eq!((framed.stdout, framed.status), (stdout.as_bytes(), status), "{script}");
        }
        let noisy = [b"Welcome! ", &sh(&frame().wrap("echo x"))[..], b"Bye\n"].concat();
        assert_eq!(
            frame().find_output(&noisy).map(|framed| framed.stdout),
            Some(&b"x\n"[..])
        );
    }

    #[test]
    fn what_has_not_ended_by_itself_has_no_status() {
        for said in [
            sh(&frame().wrap("kill -9 $$")),
            b"This account is currently not available.\n".to_vec(),
            b"n0nce\nhalf of".to_vec(),
            b"n0nce\nall of it\nn0nce ".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(frame().find_output(&said), None);
        }
    }

    #[test]
    fn half_a_script_does_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let script = format!("echo x >{}\necho done", quote(file.path().to_str().unwrap()));
        let whole = frame().wrap(&script);
        for length in 0..whole.len() - 1 {
            sh(&whole[..length]);
            assert_eq!(std::fs::read(file.path()).unwrap(), b"", "{length} bytes were enough");
        }
        sh(&whole);
        assert_eq!(std::fs::read(file.path()).unwrap(), b"x\n");
    }

    #[test]
    fn what_is_kept_has_an_end() {
        for (text, limit, kept) in [("", 3, ""), ("abc", 3, "abc"), ("abcd", 3, "…bcd"), ("aäb", 2, "…b")] {
            assert_eq!(last_part(text, limit), kept);
        }
        let mut bytes = b"abcd".to_vec();
        keep_last(&mut bytes, 5);
        assert_eq!(bytes, b"abcd");
        keep_last(&mut bytes, 3);
        assert_eq!(bytes, b"bcd");
    }

    #[test]
    fn no_shell_looks_into_a_quoted_word() {
        for word in [
            "plain",
            "a b",
            "$HOME `id` \\ \"",
            "it's",
            "''",
            "-rf",
            "*",
            "ÁÂÃ默认",
            "",
            "#x",
            "!y",
        ] {
            let said = sh(&frame().wrap(&format!("printf %s {}", quote(word))));
            let framed = frame().find_output(&said).unwrap();
            assert_eq!(framed.stdout, word.as_bytes());
        }
    }
}
