//! Finds nfs-subdir-external-provisioner where it serves the same claims (PURE).

use k8s_openapi::api::apps::v1::Deployment;

use crate::cluster::images;

/// The Deployment, as `NAMESPACE/NAME`, that runs nfs-subdir-external-provisioner under the name `provisioner`. The
/// Deployment `ours` (namespace and name), which is about to be applied, does not count.
pub fn find_rival(deployments: &[Deployment], provisioner: &str, ours: (&str, &str)) -> Option<String> {
    deployments.iter().find_map(|deployment| {
        let meta = &deployment.metadata;
        let place = (meta.namespace.as_deref()?, meta.name.as_deref()?);
        let pods = deployment.spec.as_ref()?.template.spec.as_ref()?;
        let serves = pods.containers.iter().any(|container| {
            let mut variables = container.env.iter().flatten();
            let called = variables
                .any(|variable| variable.name == "PROVISIONER_NAME" && variable.value.as_deref() == Some(provisioner));
            called && container.image.as_deref().is_some_and(images::makes_directories)
        });
        (serves && place != ours).then(|| format!("{}/{}", place.0, place.1))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn upstream_under_the_same_name_is_found() {
        let deployment = |image: &str, provisioner: &str| -> Deployment {
            serde_json::from_value(json!({
                "metadata": {"namespace": "storage", "name": "old"},
                "spec": {"selector": {}, "template": {"spec": {"containers": [{
                    "name": "c", "image": image, "env": [{"name": "PROVISIONER_NAME", "value": provisioner}],
                }]}}},
            }))
            .unwrap()
        };
        let ours = ("default", "nfsprov");
        for (image, provisioner, found) in [
            (
                "registry.example/sig/nfs-subdir-external-provisioner:v4.0.0",
                "a/b",
                true,
            ),
            ("quay.example/external_storage/nfs-client-provisioner", "a/b", true),
            ("nfs-subdir-external-provisioner@sha256:00", "a/b", true),
            ("registry.example/nfs-subdir-external-provisioner:v4.0.0", "a/c", false),
            ("nfsprov:1", "a/b", false),
        ] {
            let rival = find_rival(&[deployment(image, provisioner)], "a/b", ours);
            assert_eq!(rival.as_deref(), found.then_some("storage/old"), "{image}");
        }
        let own = [deployment("nfs-client-provisioner:v3", "a/b")];
        assert_eq!(find_rival(&own, "a/b", ("storage", "old")), None);
        assert_eq!(find_rival(&[Deployment::default()], "a/b", ours), None);
    }
}
