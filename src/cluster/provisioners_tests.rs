//! Which containers serve a provisioner's name.

use super::*;

#[test]
fn a_container_serves_a_name_that_it_mentions_as_a_provisioners() {
    // The name; the image, arguments and variable of a container; whether it may serve the name.
    for (name, image, args, variable, serves) in rows! {
        ("x.io/nfs", "acme/storage:1", vec!["--provisioner=x.io/nfs"], ("", ""), true),
        ("x.io/nfs", "acme/storage:1", vec!["-n", "x.io/nfs"], ("", ""), true),
        ("x.io/nfs", "acme/storage:1", vec!["sh", "-c", "exec run 'x.io/nfs' 2>&1"], ("", ""), true),
        ("x.io/nfs", "acme/storage:1", vec!["--provisioner=x.io/nfs-2"], ("", ""), false),
        ("x.io/nfs", "acme/storage:1", vec![], ("NAME", "x.io/nfs"), true),
        ("nfs.csi.k8s.io", "acme/plugin:1", vec!["--name=nfs.csi.k8s.io"], ("", ""), true),
        // A name without a domain.
        ("nfs", "acme/backup:1", vec!["--type=nfs", "-t", "nfs", "/mnt/nfs"], ("", ""), false),
        ("nfs", "acme/backup:1", vec![], ("STORAGE", "nfs"), false),
        ("nfs", "acme/storage:1", vec!["--provisioner", "nfs"], ("", ""), true),
        ("nfs", "acme/storage:1", vec!["--drivername=nfs"], ("", ""), true),
        ("nfs", "acme/storage:1", vec![], ("CSI_PROVISIONER", "nfs"), true),
        // Images.
        ("rancher.io/local-path", "rancher/local-path-provisioner:v1", vec![], ("", ""), true),
        ("longhorn.io/x", "acme/longhorn-provisioner:1", vec![], ("", ""), true),
        ("x.io/provisioner", "acme/efs-provisioner:v2", vec![], ("", ""), false),
        ("x.io/nfs-provisioner", "acme/efs-nfs-provisioner-arm:v2", vec![], ("", ""), false),
        ("x.io/nfs-provisioner", "acme/nfs-provisioner:v2", vec![], ("", ""), true),
        ("storage.io/x", "acme/storage-provisioner:v2", vec![], ("", ""), false),
    } {
        let container = Container {
            image: image.to_owned(),
            args: args.iter().map(|arg: &&str| (*arg).to_owned()).collect(),
            env: [(variable.0.to_owned(), Some(variable.1.to_owned()))].into(),
            ..Container::default()
        };
        assert_eq!(
            may_serve(&container, name),
            serves,
            "{name} by {image} {args:?} {variable:?}"
        );
    }
}

#[test]
fn the_lease_is_called_as_the_provisioner() {
    for (provisioner, name) in [
        ("nfsprov/nfs", Some("nfsprov-nfs")),
        ("example.com/nfs", Some("example.com-nfs")),
        ("word", Some("word")),
        ("Example/nfs", None),
        ("example/my_nfs", None),
    ] {
        assert_eq!(lease_name(provisioner).as_deref(), name, "{provisioner}");
    }
}
