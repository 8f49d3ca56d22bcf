//! Servers, paths, mount options and images (PURE). Each check returns the value to use, or one sentence that says what
//! is wrong with it; nothing is looked up or contacted.

use std::net::IpAddr;

/// The longest path that Linux takes, and the longest name in it, in bytes.
const MAX_PATH: usize = 4095;
const MAX_NAME: usize = 255;

/// Stands for the NFS server in printed commands that the user has to complete.
pub const SERVER_PLACEHOLDER: &str = "SERVER";

/// The host name or address of an NFS server; brackets around an address are removed. [`SERVER_PLACEHOLDER`] is
/// refused.
pub fn check_server(text: &str) -> Result<String, String> {
    // Pasted as it was printed, it would bind a claim to a volume that no node can mount.
    if text == SERVER_PLACEHOLDER {
        return Err("this is a placeholder: put the name or address of your NFS server in its place".to_owned());
    }
    let address = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if address.parse::<IpAddr>().is_ok() {
        return Ok(address.to_owned());
    }
    if text.contains('/') || text.contains(':') {
        return Err("a server is a host name or an address, without path or port".to_owned());
    }
    let host = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
        label.len() <= 63
            && label.starts_with(inner)
            && label.ends_with(inner)
            && label.chars().all(|c| inner(c) || c == '-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 || !name.split('.').all(host) {
        return Err("this is neither a host name nor an address".to_owned());
    }
    if name.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err("an IPv4 address is four numbers from 0 to 255".to_owned());
    }
    Ok(text.to_owned())
}

/// The exported directory: absolute, without `.`, `..` or empty components; `/` passes. A final slash is removed.
pub fn check_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("an exported path is absolute: it begins with /".to_owned());
    }
    check_components(text)
}

/// The path of the volume in a container: absolute, not `/`, without `:`. A final slash is removed.
pub fn check_mount_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("a mount path is absolute: it begins with /".to_owned());
    }
    if text.contains(':') {
        return Err("a mount path has no `:`".to_owned());
    }
    match check_components(text)?.as_str() {
        "/" => Err("the volume can't be the container's root".to_owned()),
        path => Ok(path.to_owned()),
    }
}

/// Returns an absolute path without its last slash; refuses control characters, `.`, `..` and empty components.
fn check_components(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("the path has a control character".to_owned());
    }
    if text == "/" {
        return Ok(text.to_owned());
    }
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let mut names = trimmed.split('/').skip(1);
    if names.clone().any(|name| matches!(name, "" | "." | "..")) {
        return Err("the path has an empty, `.` or `..` component; write it out".to_owned());
    }
    if text.len() > MAX_PATH || names.any(|name| name.len() > MAX_NAME) {
        return Err(format!(
            "a path has {MAX_PATH} bytes at most, and a name in it {MAX_NAME}"
        ));
    }
    Ok(trimmed.to_owned())
}

/// One mount option, as in `/etc/fstab`, without a comma; whether NFS knows it is not checked.
pub fn check_mount_option(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control() || c == ',') {
        return Err("a mount option is one word; give --mount-option again for each".to_owned());
    }
    Ok(text.to_owned())
}

/// An image as `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`.
pub fn check_image(text: &str) -> Result<String, String> {
    let shape = || "an image is a lower-case name, perhaps with a host before and a tag behind it, such as nginx:1.27";
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    let slash = rest.rfind('/').map_or(0, |at| at + 1);
    let (name, tag) = match rest[slash..].split_once(':') {
        Some((last, tag)) => (&rest[..slash + last.len()], Some(tag)),
        None => (rest, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let tagged =
        |tag: &str| tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || c == '.' || c == '-');
    let digested = |digest: &str| {
        digest
            .split_once(':')
            .is_some_and(|(_, hex)| hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let component = |part: &str| {
        part.starts_with(lower) && part.ends_with(lower) && part.chars().all(|c| lower(c) || "._-".contains(c))
    };
    let path = match name.split_once('/') {
        // A host has what no part of a name has: a dot, a port, or it is this machine.
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => {
            let (host, port) = first.split_once(':').unwrap_or((first, "5000"));
            if check_server(host).is_err() || !matches!(port.parse::<u16>(), Ok(1..)) {
                return Err(shape().to_owned());
            }
            path
        }
        _ => name,
    };
    match path.split('/').all(component) && tag.is_none_or(tagged) && digest.is_none_or(digested) {
        true => Ok(text.to_owned()),
        false => Err(shape().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::assert_check;
    use super::*;

    #[test]
    fn servers() {
        assert_check(
            check_server,
            &[
                "nfs",
                "nfs.example.com",
                "10.0.0.1",
                "fd00::1",
                "[fd00::1]",
                "host_1",
                "a.",
                "1a.example",
            ],
            &[
                "",
                "nfs:/data",
                "nfs:2049",
                "a b",
                "http://a",
                "a..b",
                "ñ",
                "-a",
                "a-",
                ".",
                "10.0.0.256",
                "10.0.0",
                "1",
                "fe80::1%eth0",
                SERVER_PLACEHOLDER,
            ],
        );
        assert_eq!(check_server("[fd00::1]").unwrap(), "fd00::1");
    }

    #[test]
    fn paths() {
        let (name, longer) = (format!("/{}", "a".repeat(255)), format!("/{}", "a".repeat(256)));
        let long = "/a".repeat(2048);
        assert_check(
            check_path,
            &["/", "/nfsdata", "/a b/c", "/nfsdata/", "/数据", "/a:b", &name],
            &["", "nfsdata", "/a/../b", "/a//b", "/./a", "//", "/a\nb", &longer, &long],
        );
        assert_eq!(check_path("/nfsdata/").unwrap(), "/nfsdata");
        assert_check(
            check_mount_path,
            &["/mydata", "/a/b/"],
            &["", "/", "mydata", "/a:b", "/a/..", "/a\tb"],
        );
    }

    #[test]
    fn options_and_images() {
        assert_check(check_mount_option, &["ro", "nfsvers=4.1"], &["", "ro,soft", "a b"]);
        let digest = format!("a@sha256:{}", "0".repeat(64));
        assert_check(
            check_image,
            &[
                "busybox",
                "nginx:1.27",
                "wangyanglinux/myapp:v1",
                "localhost/pause:1",
                "registry.example:5000/a/b_c:latest",
                &digest,
                &format!("registry.example/{digest}"),
            ],
            &[
                "",
                " nginx",
                "nginx:",
                "Nginx",
                "a//b",
                "a b",
                "a:b:c",
                "a@",
                "a@sha256:0",
                "/a",
                "a/",
                "http://a/b",
                "registry.example:port/a",
            ],
        );
    }
}
