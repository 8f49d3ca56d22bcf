//! Finds an image in an archive of container images (PURE).
//!
//! The archive is a tar in the layout of OCI: its file index.json lists the images by name.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The size of a tar archive's blocks, in bytes.
const BLOCK: usize = 512;

/// The annotation that has an image's whole name; containerd imports the image under it.
const NAME: &str = "io.containerd.image.name";

/// An image of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedImage {
    /// The digests that container runtimes know it by, `sha256:…`: its manifest's, and its configuration's if that is in
    /// the archive, which Docker has for the image's id unless containerd stores its images.
    pub digests: Vec<String>,
    /// The architecture that it is for, such as `amd64`, if the index has it.
    pub architecture: Option<String>,
}

/// Why an archive can't be used. The text follows the name of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// It is not in the layout of OCI, or only a part of it is there.
    #[error("is no image archive, or not a whole one: {0}")]
    NotAnArchive(String),
    /// It has other images only.
    #[error("has no image {0}, which this version of nfsprov uses")]
    NoImage(String),
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Manifest {
    config: ConfigDescriptor,
}

#[derive(Deserialize)]
struct ConfigDescriptor {
    digest: String,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
}

/// Finds the first image called `name`, such as `ghcr.io/owner/image:tag`, in the index. Whether the archive has the
/// image's files is not checked.
///
/// # Errors
/// [`ArchiveError::NoImage`] when the index lacks it; [`ArchiveError::NotAnArchive`] without an index, as in a
/// compressed archive.
pub fn find_image(archive: &[u8], name: &str) -> Result<ArchivedImage, ArchiveError> {
    let no_archive = |why: &str| ArchiveError::NotAnArchive(why.to_owned());
    let text = find_file(archive, "index.json").ok_or_else(|| no_archive("it has no index.json"))?;
    let index: Index = serde_json::from_slice(text).map_err(|error| no_archive(&format!("index.json: {error}")))?;
    let is_wanted = |image: &Descriptor| image.annotations.get(NAME).is_some_and(|found| found == name);
    match index.manifests.into_iter().find(is_wanted) {
        Some(image) => Ok(ArchivedImage {
            digests: config_digest(archive, &image.digest)
                .into_iter()
                .chain([image.digest])
                .collect(),
            architecture: image.platform.map(|platform| platform.architecture),
        }),
        None => Err(ArchiveError::NoImage(name.to_owned())),
    }
}

/// The digest of the configuration that the manifest with this digest names; `None` without such a manifest, and for an
/// index of several.
fn config_digest(archive: &[u8], digest: &str) -> Option<String> {
    let text = find_file(archive, &format!("blobs/{}", digest.replace(':', "/")))?;
    let manifest: Manifest = serde_json::from_slice(text).ok()?;
    Some(manifest.config.digest)
}

/// The content of the file `wanted` at the top of a tar archive. `None` also for what is no tar archive, and for one
/// that ends before the file's end.
fn find_file<'a>(tar: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let mut rest = tar;
    loop {
        let (header, after) = rest.split_at_checked(BLOCK)?;
        let name = header[..100].split(|byte| *byte == 0).next()?;
        let size = std::str::from_utf8(&header[124..136]).ok()?;
        let size = usize::from_str_radix(size.trim_matches(['\0', ' ']), 8).ok()?;
        let content = after.get(..size)?;
        if name.strip_prefix(b"./").unwrap_or(name) == wanted.as_bytes() {
            return Some(content);
        }
        rest = after.get(size.next_multiple_of(BLOCK)..)?;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "ghcr.io/owner/image:1";

    /// A tar archive of files, each with its name.
    fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, content) in files {
            let mut header = [0; BLOCK];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
            tar.extend(header);
            tar.extend(*content);
            tar.resize(tar.len().next_multiple_of(BLOCK), 0);
        }
        tar.extend([0; 2 * BLOCK]);
        tar
    }

    fn index(name: &str) -> Vec<u8> {
        let image = json!({"digest": "sha256:12", "annotations": {NAME: name}, "platform": {"architecture": "amd64"}});
        let other = json!({"digest": "sha256:34"});
        json!({"manifests": [other, image]}).to_string().into_bytes()
    }

    #[test]
    fn an_image_is_found_by_its_whole_name() {
        let layer = [7; 1000];
        let archive = tar(&[
            ("./", b""),
            ("./blobs/sha256/99", &layer),
            ("./index.json", &index(IMAGE)),
            ("./blobs/sha256/12", br#"{"config": {"digest": "sha256:56"}}"#),
        ]);
        let found = find_image(&archive, IMAGE).unwrap();
        assert_eq!(
            (found.digests, found.architecture.as_deref()),
            (vec!["sha256:56".to_owned(), "sha256:12".to_owned()], Some("amd64"))
        );
        for other in ["ghcr.io/owner/image:2", "image:1", ""] {
            assert_eq!(
                find_image(&archive, other),
                Err(ArchiveError::NoImage(other.to_owned()))
            );
        }
        // The names that docker and GNU tar give.
        let found = find_image(&tar(&[("index.json", &index(IMAGE))]), IMAGE).unwrap();
        assert_eq!(found.digests, ["sha256:12"]);
    }

    #[test]
    fn what_is_no_whole_archive_is_refused() {
        let whole = tar(&[("blobs/12", &[7; 1000]), ("index.json", &index(IMAGE))]);
        let end = whole.len() - 2 * BLOCK - 400;
        let mut no_size = whole.clone();
        no_size[124..136].copy_from_slice(b"99999999999\0");
        let mut endless = whole.clone();
        endless[124..136].copy_from_slice(b"777777777777");
        for (what, bytes) in rows![
            ("empty", &b""[..]),
            ("text", &[b'x'; 2000]),
            ("compressed", b"\x1f\x8b\x08\0\0\0\0\0"),
            ("another archive", &tar(&[("manifest.json", b"[]")])),
            ("an index that is none", &tar(&[("index.json", b"{}")])),
            ("cut off before the index", &whole[..BLOCK + 700]),
            ("cut off in the index", &whole[..end]),
            ("a size that is no number", &no_size),
            ("a size beyond the end", &endless),
        ] {
            let found = find_image(bytes, IMAGE);
            assert!(matches!(found, Err(ArchiveError::NotAnArchive(_))), "{what}: {found:?}");
        }
    }
}
