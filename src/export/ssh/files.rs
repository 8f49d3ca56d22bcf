//! Small files of one directory by the server's shell: several with one script.

use super::{Ssh, script};
use crate::export::record::{Content, MAX_RECORD, NewFile, not_a_file, too_large};
use crate::export::{ExportError, VolumePath};

impl Ssh {
    /// The contents in the order of `names`: `None` for one that doesn't exist, an inner error for one that is no file,
    /// is too large or can't be read. All `None` if the folder doesn't exist. If a file is changed in place meanwhile,
    /// fails or cuts its content.
    pub(in crate::export) async fn read_files(
        &self,
        folder: &VolumePath,
        names: &[String],
    ) -> Result<Vec<Content>, ExportError> {
        let script = script::read_files(self.root_path(), folder, names, MAX_RECORD);
        let output = self.run_checked("read", folder, &script).await?;
        if output.status == script::MISSING {
            return Ok(vec![None; names.len()]);
        }
        let contents = parse_contents(&output.stdout).filter(|contents| contents.len() == names.len());
        contents.ok_or_else(|| ExportError::failed("read", folder, "a file changed meanwhile"))
    }

    /// Writes files in an existing folder over older ones. If one can't be written, none is renamed; if one can't be
    /// renamed, earlier ones stay written. What is not UTF-8 is replaced.
    pub(in crate::export) async fn write_files(
        &self,
        folder: &VolumePath,
        files: &[NewFile],
    ) -> Result<(), ExportError> {
        let script = script::write_files(self.root_path(), folder, files);
        match self.run_checked("write", folder, &script).await?.status {
            script::MISSING => Err(super::missing_error("write", folder)),
            _ => Ok(()),
        }
    }
}

/// Parses the output of [`script::read_files`]: a line for each file, and behind `file SIZE` as many bytes and a line
/// break. `missing` is an inner `None`, another word an inner error. `None` if the output is not of that form, as when
/// a file changed while it was read.
fn parse_contents(mut output: &[u8]) -> Option<Vec<Content>> {
    let mut found = Vec::new();
    // The frame of a script may begin with a line break.
    while let [b'\n', rest @ ..] = output {
        output = rest;
    }
    while !output.is_empty() {
        let end = output.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&output[..end]).ok()?;
        output = &output[end + 1..];
        found.push(match line.split_once(' ') {
            Some(("file", size)) => {
                let (content, rest) = output.split_at_checked(size.parse().ok()?)?;
                output = rest.strip_prefix(b"\n")?;
                Some(Ok(content.to_vec()))
            }
            None if line == "missing" => None,
            None if line == "link" => Some(Err(not_a_file("a symbolic link"))),
            None if line == "large" => Some(Err(too_large())),
            None if line == "unreadable" => Some(Err("Permission denied".to_owned())),
            None if line == "other" => Some(Err(not_a_file("a directory or device"))),
            _ => return None,
        });
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_taken_for_nothing_else() {
        let said = b"\nfile 12\nmissing\nlink\nmissing\nlarge\nfile 0\n\n";
        let found = parse_contents(said).unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(found[0], Some(Ok(b"missing\nlink".to_vec())));
        assert_eq!(found[1], None);
        assert_eq!(found[3], Some(Ok(Vec::new())));
        for wrong in [
            &b"file 100\nshort\n"[..],
            b"file x\n",
            b"word\n",
            b"file 3\nabcd\n",
            b"missing",
        ] {
            assert_eq!(parse_contents(wrong), None);
        }
    }
}
