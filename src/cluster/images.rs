//! What an image's name tells of a provisioner: its program, whether its registry is frozen, and what replaces it
//! (PURE). Images are compared by their names only, and a name may go on after the program's; no registry is asked.

/// The image that is to be used instead of what fails: the last release of the successor.
pub const CURRENT: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";

/// The tags that the successor was released under; those of its Helm chart, such as v4.0.17, are no images.
const RELEASED: [&str; 3] = ["v4.0.0", "v4.0.1", "v4.0.2"];

/// Repositories that get no new images, or were never meant for use.
const FROZEN: [&str; 3] = ["k8s.gcr.io/", "gcr.io/k8s-staging-", "quay.io/external_storage/"];

/// The last part of an image's repository: `nfs-client-provisioner` of `quay.io/x/nfs-client-provisioner:latest`;
/// without what Rancher puts before the names of its copies.
pub fn base_name(image: &str) -> &str {
    let repository = image.split('@').next().unwrap_or(image);
    let last = repository.rsplit('/').next().unwrap_or(repository);
    let name = last.split(':').next().unwrap_or(last);
    name.strip_prefix("mirrored-sig-storage-").unwrap_or(name)
}

/// The part of an image's repository before its name: `x` of `quay.io/x/nfs-client-provisioner`; empty without one.
pub fn organization(image: &str) -> &str {
    image.rsplit('/').nth(1).unwrap_or_default()
}

/// An image's tag; `None` if it has none. A digest is no tag.
pub fn find_tag(image: &str) -> Option<&str> {
    let repository = image.split('@').next()?;
    Some(repository.rsplit('/').next()?.split_once(':')?.1)
}

/// Whether its client library can't refer to objects without a selfLink: nfs-client-provisioner, of any tag.
pub fn needs_self_link(image: &str) -> bool {
    base_name(image).starts_with("nfs-client-provisioner")
}

/// Whether it is nfs-subdir-external-provisioner or its predecessor, which create directories on an export.
pub fn creates_directories(image: &str) -> bool {
    needs_self_link(image) || base_name(image).starts_with("nfs-subdir-external-provisioner")
}

/// Whether it is nfs-ganesha-server-and-external-provisioner, under one of its names, which runs an NFS server itself.
pub fn is_ganesha(image: &str) -> bool {
    let name = base_name(image);
    let prefixes = [
        "nfs-provisioner",
        "nfs-server-provisioner",
        "nfs-ganesha-server-and-external-provisioner",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether it is csi-provisioner, the sidecar of the controller of any CSI driver.
pub fn is_csi_provisioner(image: &str) -> bool {
    base_name(image).starts_with("csi-provisioner")
}

/// Whether it is the NFS CSI driver, under its name or an earlier one.
pub fn is_nfs_csi_driver(image: &str) -> bool {
    let name = base_name(image);
    name.starts_with("nfsplugin") || matches!(name, "nfs-csi" | "csi-nfs")
}

/// Whether it is nfsprov's own, by its name.
pub fn is_nfsprov(image: &str) -> bool {
    base_name(image).starts_with("nfsprov")
}

/// The prefix of the image's registry if that gets no new images or was for staging; `None` for other registries.
pub fn frozen_registry(image: &str) -> Option<&'static str> {
    FROZEN.into_iter().find(|prefix| image.starts_with(prefix))
}

/// The image to use instead of one of k8s.gcr.io, the same on registry.k8s.io; [`CURRENT`] for any other image of a
/// provisioner that creates directories, from whatever registry. `None` for other images.
pub fn replacement_image(image: &str) -> Option<String> {
    match image.strip_prefix("k8s.gcr.io/") {
        Some(rest) => Some(format!("registry.k8s.io/{rest}")),
        None => creates_directories(image).then(|| CURRENT.to_owned()),
    }
}

/// An image of nfs-subdir-external-provisioner with the tag of its last release, without a digest; [`CURRENT`] if its
/// registry is frozen. The image must have a tag.
pub fn with_last_release_tag(image: &str) -> String {
    let named = image.split('@').next().unwrap_or(image);
    let (repository, _) = named.rsplit_once(':').unwrap_or((named, ""));
    let (_, tag) = CURRENT.rsplit_once(':').unwrap_or_default();
    match frozen_registry(image) {
        Some(_) => CURRENT.to_owned(),
        None => format!("{repository}:{tag}"),
    }
}

/// Whether it is nfs-subdir-external-provisioner with a tag v4.0.… that only its Helm chart has.
pub fn is_chart_version(image: &str) -> bool {
    let released = |tag: &str| RELEASED.contains(&tag) || !tag.starts_with("v4.0.");
    base_name(image) == "nfs-subdir-external-provisioner" && find_tag(image).is_some_and(|tag| !released(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_distinguished() {
        // Image; needs selfLink; frozen; a chart's version.
        for (image, self_link, is_frozen, chart) in rows! {
            ("quay.io/external_storage/nfs-client-provisioner:latest", true, true, false),
            ("quay.io/external_storage/nfs-client-provisioner:v3.1.0-k8s1.11", true, true, false),
            ("quay.io/external_storage/nfs-client-provisioner-arm:v2", true, true, false),
            ("mirror:5000/nfs-client-provisioner@sha256:00", true, false, false),
            ("gcr.io/k8s-staging-sig-storage/nfs-subdir-external-provisioner:v4.0.0", false, true, false),
            ("k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2", false, true, false),
            ("registry.cn-beijing.aliyuncs.com/pylixm/nfs-subdir-external-provisioner:v4.0.0", false, false, false),
            ("registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.17", false, false, true),
            (CURRENT, false, false, false),
            ("busybox", false, false, false),
        } {
            assert_eq!(needs_self_link(image), self_link, "{image}");
            assert_eq!(frozen_registry(image).is_some(), is_frozen, "{image}");
            assert_eq!(is_chart_version(image), chart, "{image}");
        }
        for (image, kept) in rows! {
            ("k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2", Some(CURRENT)),
            ("quay.io/external_storage/nfs-client-provisioner:latest", Some(CURRENT)),
            ("quay.io/external_storage/efs-provisioner:latest", None),
        } {
            assert_eq!(replacement_image(image).as_deref(), kept, "{image}");
        }
        for (image, last) in rows! {
            ("registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.17", CURRENT),
            ("k8s.gcr.io/sig-storage/nfs-subdir-external-provisioner:v4.0.17", CURRENT),
            ("mirror:5000/nfs-subdir-external-provisioner:v4.0.17",
                "mirror:5000/nfs-subdir-external-provisioner:v4.0.2"),
        } {
            assert_eq!(with_last_release_tag(image), last, "{image}");
        }
        assert_eq!(find_tag("localhost:5000/a/b:c@sha256:d"), Some("c"));
        assert_eq!(find_tag("localhost:5000/a/b"), None);
    }
}
