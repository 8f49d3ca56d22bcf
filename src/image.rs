//! The published container image, named in one place: `create provisioner`, the Helm chart and the packaging scripts
//! all use this name. `archive` reads the file that `make dist` makes of it.

mod archive;

pub use archive::{ArchiveError, ArchivedImage, find_image};

/// Registry, account and repository of the image. The account is a placeholder until the project publishes releases.
pub const REPOSITORY: &str = "ghcr.io/nfsprov/nfsprov";

/// The image of this version.
pub const IMAGE: &str = concat!("ghcr.io/nfsprov/nfsprov:", env!("CARGO_PKG_VERSION"));

/// The name that `make dist` gives to the archive of this version's image, for this machine's architecture.
pub fn archive_name() -> String {
    let architecture = architecture_of(std::env::consts::ARCH);
    format!("nfsprov-{}-image-{architecture}.tar", env!("CARGO_PKG_VERSION"))
}

/// The architecture of a machine in the terms of container images; `machine` is in those of `uname -m`. A machine other
/// than `x86_64` and `aarch64` is returned as it is.
pub fn architecture_of(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_repository_at_this_version() {
        assert_eq!(IMAGE, format!("{REPOSITORY}:{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(crate::manifest::validate::check_image(IMAGE), Ok(IMAGE.to_owned()));
    }
}
