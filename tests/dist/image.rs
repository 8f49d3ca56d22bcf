//! The container image, read as a registry or a node reads it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{artifact, done, text};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_image_is_the_program_for_a_user_without_rights() {
    let archive = artifact("nfsprov-", &format!("-image-{}.tar", crate::program::architecture()));
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path();
    done("tar", &["-xf", text(&archive), "-C", text(layout)]);
    // Each blob is named by its digest, and what refers to it says its size.
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let path = layout.join("blobs/sha256").join(digest);
        assert!(done("sha256sum", &[text(&path)]).starts_with(digest));
        assert_eq!(descriptor["size"], fs::metadata(&path).unwrap().len());
        path
    };
    let index = json(&layout.join("index.json"));
    let descriptor = &index["manifests"][0];
    let name = descriptor["annotations"]["io.containerd.image.name"].as_str().unwrap();
    assert_eq!(name, nfsprov::image::IMAGE);
    let manifest = json(&blob(descriptor));
    let config = json(&blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    let layer = blob(&manifest["layers"][0]);
    let plain = done("sh", &["-c", "gzip -dc \"$1\" | sha256sum", "sh", text(&layer)]);
    let plain = format!("sha256:{}", plain.split(' ').next().unwrap());
    assert_eq!(config["rootfs"]["diff_ids"][0], plain);
    // docker and podman read this list instead.
    let docker = json(&layout.join("manifest.json"));
    assert_eq!(docker[0]["RepoTags"][0], nfsprov::image::IMAGE);

    let root = layout.join("root");
    fs::create_dir(&root).unwrap();
    done("tar", &["-xzf", text(&layer), "-C", text(&root)]);
    let files = done("sh", &["-c", "cd \"$1\" && find . -type f | sort", "sh", text(&root)]);
    assert_eq!(files, "./etc/group\n./etc/passwd\n./usr/local/bin/nfsprov\n");
    // Nobody in particular, in nothing but the image.
    let version = done(
        "chroot",
        &[
            "--userspec=65532:65532",
            text(&root),
            "/usr/local/bin/nfsprov",
            "version",
        ],
    );
    assert!(version.contains(crate::VERSION), "{version}");
}
