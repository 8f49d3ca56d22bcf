//! The published container image, named in one place: `create provisioner`, the Helm chart and the packaging scripts
//! all use this name.

/// Registry, account and repository of the image. The account is a placeholder until the project publishes releases.
pub const REPOSITORY: &str = "ghcr.io/nfsprov/nfsprov";

/// The image of this version.
pub const IMAGE: &str = concat!("ghcr.io/nfsprov/nfsprov:", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_repository_at_this_version() {
        assert_eq!(IMAGE, format!("{REPOSITORY}:{}", env!("CARGO_PKG_VERSION")));
        assert_eq!(crate::manifest::validate::check_image(IMAGE), Ok(IMAGE.to_owned()));
    }
}
