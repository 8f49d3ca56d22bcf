//! The container image, read like a registry or a node does.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{ROOT, VERSION, architecture, artifact, done, run_tested_inside, stdout_of, text};

/// The file of a layout that `descriptor` refers to; checks that name and size match digest and size of the descriptor.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let path = layout.join("blobs/sha256").join(digest);
    assert!(done("sha256sum", &[text(&path)]).starts_with(digest));
    assert_eq!(descriptor["size"], fs::metadata(&path).unwrap().len());
    path
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn the_image_is_the_program_for_a_user_without_rights() {
    let archive = artifact("nfsprov-", &format!("-image-{}.tar", architecture()));
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path();
    done("tar", &["-xf", text(&archive), "-C", text(layout)]);
    let blob = |descriptor: &Value| blob(layout, descriptor);
    let index = json(&layout.join("index.json"));
    let descriptor = &index["manifests"][0];
    let name = descriptor["annotations"]["io.containerd.image.name"].as_str().unwrap();
    assert_eq!(name, nfsprov::image::IMAGE);
    let manifest = json(&blob(descriptor));
    let config = json(&blob(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["architecture"], architecture());
    assert_eq!(descriptor["platform"]["architecture"], architecture());
    let layer = blob(&manifest["layers"][0]);
    let plain = done("sh", &["-c", "gzip -dc \"$1\" | sha256sum", "sh", text(&layer)]);
    let plain = format!("sha256:{}", plain.split(' ').next().unwrap());
    assert_eq!(config["rootfs"]["diff_ids"][0], plain);
    // docker and podman read this list.
    let docker = json(&layout.join("manifest.json"));
    assert_eq!(docker[0]["RepoTags"][0], nfsprov::image::IMAGE);

    let root = layout.join("root");
    fs::create_dir(&root).unwrap();
    done("tar", &["-xzf", text(&layer), "-C", text(&root)]);
    let files = done("sh", &["-c", "cd \"$1\" && find . -type f | sort", "sh", text(&root)]);
    assert_eq!(files, "./etc/group\n./etc/passwd\n./usr/local/bin/nfsprov\n");
    // As an arbitrary user, in a root that has only the image.
    let program = ["/usr/local/bin/nfsprov", "version"];
    let output = run_tested_inside(&root, &["--userspec=65532:65532"], &program);
    let version = stdout_of(output, "the image's program");
    assert!(version.contains(VERSION), "{version}");
}

#[test]
#[ignore = "make test-dist builds what it tests"]
fn one_image_has_both_architectures_once_both_are_built() {
    let dist = Path::new(ROOT).join("dist");
    let built = ["amd64", "arm64"].map(|name| dist.join(format!("nfsprov-{VERSION}-image-{name}.tar")));
    let archive = dist.join(format!("nfsprov-{VERSION}-image.tar"));
    assert_eq!(archive.exists(), built.iter().all(|path| path.exists()));
    if !archive.exists() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let layout = directory.path();
    done("tar", &["-xf", text(&archive), "-C", text(layout)]);
    let index = json(&blob(layout, &json(&layout.join("index.json"))["manifests"][0]));
    let mut found = Vec::new();
    for descriptor in index["manifests"].as_array().unwrap() {
        let manifest = json(&blob(layout, descriptor));
        blob(layout, &manifest["layers"][0]);
        let config = json(&blob(layout, &manifest["config"]));
        assert_eq!(descriptor["platform"]["architecture"], config["architecture"]);
        found.push(config["architecture"].as_str().unwrap().to_owned());
    }
    assert_eq!(found, ["amd64", "arm64"]);
}
