//! /etc/fstab: the option that limits of directories need, in the line of one file system (PURE).

/// Where the file is.
pub const PATH: &str = "/etc/fstab";

/// The option that XFS and ext4 enforce limits of directories with.
pub const PROJECT_QUOTA: &str = "prjquota";

/// The text in which the line that mounts a file system at `mount_point` enforces limits of directories:
/// [`PROJECT_QUOTA`] is added unless it or `pquota` is there, and what switches it off is removed; the same text if the
/// line does so already. `None` if no line mounts it there, several do, or the text is not UTF-8.
pub fn with_project_quota(text: &[u8], mount_point: &str) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut edited = String::with_capacity(text.len() + PROJECT_QUOTA.len() + 1);
    let mut found = 0;
    for line in text.split_inclusive('\n') {
        match options_of(line, mount_point) {
            Some((before, options, after)) => {
                found += 1;
                edited += before;
                edited += &enable_project_quota(options);
                edited += after;
            }
            None => edited += line,
        }
    }
    (found == 1).then(|| edited.into_bytes())
}

/// The options of a line that mounts a file system at `mount_point`, with what is before and behind them; `None` for
/// any other line.
fn options_of<'a>(line: &'a str, mount_point: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut fields = Vec::with_capacity(4);
    let mut at = 0;
    while fields.len() < 4 {
        let rest = &line[at..];
        let start = at + rest.find(|c: char| !c.is_ascii_whitespace())?;
        let length = line[start..].find(|c: char| c.is_ascii_whitespace());
        at = length.map_or(line.len(), |length| start + length);
        fields.push((start, at));
    }
    let field = |number: usize| &line[fields[number].0..fields[number].1];
    if field(0).starts_with('#') || unescape(field(1)) != mount_point {
        return None;
    }
    let (start, end) = fields[3];
    Some((&line[..start], &line[start..end], &line[end..]))
}

/// The mount options with [`PROJECT_QUOTA`], unless it or `pquota` is among them, and without those that switch
/// enforcement off.
fn enable_project_quota(options: &str) -> String {
    let mut kept: Vec<&str> = options
        .split(',')
        .filter(|option| !matches!(*option, "noquota" | "pqnoenforce"))
        .collect();
    if !kept.iter().any(|option| matches!(*option, "prjquota" | "pquota")) {
        kept.push(PROJECT_QUOTA);
    }
    kept.join(",")
}

/// A path without the escapes of fstab(5): `\040` is a space.
fn unescape(field: &str) -> String {
    let mut plain = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, escaped)) = rest.split_once('\\') {
        plain += before;
        let code = escaped.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                plain.push(char::from(code));
                rest = &escaped[3..];
            }
            None => {
                plain.push('\\');
                rest = escaped;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_options_of_one_line_change() {
        let other = "# /dev/sda /srv/xfs xfs defaults 0 0\nUUID=1 / ext4 errors=remount-ro 0 1\n\n";
        for (line, expected) in [
            (
                "/dev/vdb /srv/xfs xfs defaults 0 0\n",
                Some("/dev/vdb /srv/xfs xfs defaults,prjquota 0 0\n"),
            ),
            (
                "/dev/vdb\t/srv/xfs  xfs\tnoatime\n",
                Some("/dev/vdb\t/srv/xfs  xfs\tnoatime,prjquota\n"),
            ),
            (
                "/dev/vdb /srv/xfs xfs defaults",
                Some("/dev/vdb /srv/xfs xfs defaults,prjquota"),
            ),
            (
                "/dev/vdb /srv/xfs xfs noquota,nofail,pqnoenforce 0 0\n",
                Some("/dev/vdb /srv/xfs xfs nofail,prjquota 0 0\n"),
            ),
            (
                "/dev/vdb /srv/xfs xfs rw,prjquota 0 0\n",
                Some("/dev/vdb /srv/xfs xfs rw,prjquota 0 0\n"),
            ),
            (
                "/dev/vdb /srv/xfs xfs rw,pquota 0 0\n",
                Some("/dev/vdb /srv/xfs xfs rw,pquota 0 0\n"),
            ),
            ("/dev/vdb /srv/xfs2 xfs defaults 0 0\n", None),
            ("/dev/vdb /srv/xfs xfs\n", None),
            ("", None),
            ("/dev/vdb /srv/xfs xfs a 0 0\n/dev/vdc /srv/xfs xfs a 0 0\n", None),
        ] {
            let found = with_project_quota(format!("{other}{line}").as_bytes(), "/srv/xfs");
            let found = found.map(|text| String::from_utf8(text).unwrap());
            assert_eq!(found, expected.map(|line| format!("{other}{line}")), "{line:?}");
        }
        let escaped = br"/dev/vdb /srv/it\040is\134 xfs defaults 0 0";
        let found = with_project_quota(escaped, r"/srv/it is\").unwrap();
        assert!(found.ends_with(b"defaults,prjquota 0 0"));
        assert_eq!(with_project_quota(b"\xff\n", "/srv/xfs"), None);
    }
}
