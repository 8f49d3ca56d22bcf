//! Volumes that outlive their cluster: docs/disaster-recovery.md, with a control plane that is lost.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, PersistentVolume, PersistentVolumeClaim};
use kube::runtime::wait::await_condition;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::kit::{EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::objects::kubectl_apply;
use crate::stage::Stage;

crate::tests! {
    Both("each version binds claims by rules of its own"): volumes_of_a_lost_cluster_are_rebuilt_in_a_new_one,
    Newest: a_record_follows_its_volume_and_is_deleted_with_the_data,
    Newest: a_directory_is_adopted_by_a_claim,
    Newest: an_archive_is_restored_as_its_record_says,
    Newest: the_doctor_names_the_command_that_restores_earlier_data,
}

const PAGE: &str = include_str!("../../docs/disaster-recovery.md");

/// The commands of that page, without `nfsprov volumes` and the export.
const COMMANDS: [&str; 5] = [
    "rebuild",
    "rebuild --apply",
    "rebuild --former-server nfs",
    "record [PV …] [--dry-run]",
    "adopt old/data --claim team/data --create-claim --size 10Gi",
];

/// How many claims of each class each namespace has: default names and patterns, Delete and Retain. With one created by
/// hand there are forty.
const CLAIMS: [usize; 4] = [4, 4, 4, 1];

/// How many volumes the test restores with kubectl from the files alone.
const BY_KUBECTL: usize = 20;

/// A scene whose export is its own directory below the shared one, without records of other tests.
async fn with_own_export(mut scene: Scene, directory: &str) -> Result<Scene> {
    scene.on_server(&format!("mkdir -p {directory}")).await?;
    scene.path = format!("{}/{directory}", scene.path);
    Ok(scene)
}

/// Runs the tool with the options of the scene's export, without a default namespace.
async fn volumes(scene: &Scene, args: &str) -> Result<(String, String, i32)> {
    let mut command = Command::new(NFSPROV);
    command
        .arg("--kubeconfig")
        .arg(&scene.kubeconfig)
        .arg("volumes")
        .args(args.split_whitespace())
        // Without the command and the name.
        .args(&scene.provision_args()[3..])
        .env("HOME", scene.stage.home())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(output_parts(
        &timeout(EVENT_TIMEOUT, command.output())
            .await
            .context("nfsprov does not end")??,
    ))
}

fn items(stdout: &str) -> Result<Vec<Value>> {
    let list: Value = serde_json::from_str(stdout)?;
    ensure!(
        list["apiVersion"] == "nfsprov/v1" && list["kind"] == "RebuildPlan",
        "{list}"
    );
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// Waits until a shell command in the export prints `wanted`.
async fn until(scene: &Scene, command: &str, wanted: &str) -> Result<()> {
    let end = Instant::now() + EVENT_TIMEOUT;
    loop {
        let output_text = scene.on_server(command).await?;
        if output_text.trim() == wanted {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{command}: {output_text:?}, not {wanted:?}");
        sleep(Duration::from_millis(200)).await;
    }
}

async fn bound(claims: &Api<PersistentVolumeClaim>, name: &str) -> Result<PersistentVolumeClaim> {
    let is_bound = |claim: Option<&PersistentVolumeClaim>| {
        claim.and_then(|claim| claim.status.as_ref()?.phase.as_deref()) == Some("Bound")
    };
    let claim = timeout(EVENT_TIMEOUT, await_condition(claims.clone(), name, is_bound)).await;
    claim
        .with_context(|| format!("{name} is never Bound"))??
        .context("the claim was deleted")
}

/// The directory of each claim in some namespaces, by namespace and name.
async fn directories(scene: &Scene, namespaces: &[String]) -> Result<BTreeMap<(String, String), String>> {
    let mut found = BTreeMap::new();
    for namespace in namespaces {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(scene.client.clone(), namespace);
        for claim in claims.list(&Default::default()).await? {
            let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
            let volume: PersistentVolume = scene.volumes().get(&volume.context("no volume")?).await?;
            let path = volume.spec.and_then(|spec| spec.nfs).context("not NFS")?.path;
            let directory = path.strip_prefix(&format!("{}/", scene.path)).context("elsewhere")?;
            found.insert((namespace.clone(), claim.name_any()), directory.to_owned());
        }
    }
    Ok(found)
}

/// The contents of the file in each directory, in the order of the directories.
async fn contents(scene: &Scene, directories: &BTreeMap<(String, String), String>) -> Result<String> {
    let files: Vec<String> = directories
        .values()
        .map(|directory| format!("{directory}/file"))
        .collect();
    scene.on_server(&format!("cat {}", files.join(" "))).await
}

fn documented() -> Vec<String> {
    let lines = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("    nfsprov volumes "));
    let command = |line: &str| {
        let words = line.split(" #").next().unwrap_or_default().split_whitespace();
        let words: Vec<&str> = words.collect();
        words
            .join(" ")
            .replace(" --server nfs2 --path /nfsdata", "")
            .replace(" --server nfs --path /nfsdata", "")
    };
    lines.map(command).collect()
}

async fn volumes_of_a_lost_cluster_are_rebuilt_in_a_new_one(stage: Arc<Stage>) -> Result<()> {
    ensure!(documented() == COMMANDS, "{:?}", documented());
    let lost = stage.another_control_plane().await?;
    let scene = stage.scene_on(lost.kubeconfig()).await?;
    let export = format!("{}-export", scene.namespace);
    let scene = with_own_export(scene, &export).await?;
    let pattern = "${.PVC.namespace}/${.PVC.name}";
    let classes = [
        (scene.class.clone(), json!({})),
        (format!("{}-kept", scene.class), json!({"reclaimPolicy": "Retain"})),
        (
            format!("{}-named", scene.class),
            json!({"parameters": {"pathPattern": pattern, "onDelete": "retain"}}),
        ),
        (
            format!("{}-named-kept", scene.class),
            json!({"parameters": {"pathPattern": pattern}, "reclaimPolicy": "Retain"}),
        ),
    ];
    for (name, change) in &classes {
        let mut class = json!({
            "metadata": {"name": name}, "provisioner": scene.provisioner, "mountOptions": ["nfsvers=3"],
        });
        for (key, value) in change.as_object().context("no object")? {
            class[key] = value.clone();
        }
        scene
            .classes()
            .create(&Default::default(), &serde_json::from_value(class)?)
            .await?;
    }
    let namespaces = ["", "-b", "-c"].map(|suffix| format!("{}{suffix}", scene.namespace));
    let provisioner = scene.watch(&[]).await?;
    for namespace in &namespaces {
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        // The first namespace is the scene's own.
        _ = Api::all(scene.client.clone())
            .create(&Default::default(), &object)
            .await;
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(scene.client.clone(), namespace);
        for (kind, (class, _)) in classes.iter().enumerate() {
            for number in 0..CLAIMS[kind] {
                let claim = json!({
                    "metadata": {"name": format!("data-{kind}-{number}"), "labels": {"app": "web"}},
                    "spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"],
                             "resources": {"requests": {"storage": "1Gi"}}},
                });
                claims
                    .create(&Default::default(), &serde_json::from_value(claim)?)
                    .await?;
            }
        }
        for (kind, count) in CLAIMS.into_iter().enumerate() {
            for number in 0..count {
                bound(&claims, &format!("data-{kind}-{number}")).await?;
            }
        }
    }
    scene.on_server("mkdir by-hand").await?;
    let hand = format!("hand-{}", scene.namespace);
    let (server, path) = (stage.nfs().address().to_string(), format!("{}/by-hand", scene.path));
    let volume = json!({
        "metadata": {"name": hand},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "",
                 "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": server, "path": path}},
    });
    scene
        .volumes()
        .create(&Default::default(), &serde_json::from_value(volume)?)
        .await?;
    scene
        .claim("by-hand", json!({"storageClassName": "", "volumeName": hand}))
        .await?;
    scene.bound("by-hand").await?;

    let before = directories(&scene, &namespaces).await?;
    let total = before.len();
    ensure!(total == 40, "{total}");
    for ((namespace, name), directory) in &before {
        scene
            .on_server(&format!("echo {namespace}/{name} > {directory}/file"))
            .await?;
    }
    let data = contents(&scene, &before).await?;
    until(&scene, "ls .nfsprov/volumes | wc -l", &(total - 1).to_string()).await?;
    let (stdout, stderr, code) = volumes(&scene, "record").await?;
    ensure!(
        code == 0 && stdout.contains(&format!("persistentvolume/{hand} recorded\n")),
        "{code} {stdout} {stderr}"
    );
    ensure!(provisioner.stop().await?.success());
    lost.stop().await?;

    let plane = stage.another_control_plane().await?;
    let scene = Scene {
        path: scene.path.clone(),
        ..stage.scene_on(plane.kubeconfig()).await?
    };
    let (stdout, stderr, code) = volumes(&scene, "rebuild -o json").await?;
    ensure!(code == 0, "{stderr}");
    let rows = items(&stdout)?;
    ensure!(
        rows.len() == total && rows.iter().all(|row| row["action"] == "conflict"),
        "the namespaces are missing: {stdout}"
    );
    // Half of them with kubectl, from the files alone.
    for namespace in &namespaces {
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        if namespace != &namespaces[2] {
            Api::all(scene.client.clone())
                .create(&Default::default(), &object)
                .await?;
        }
    }
    let some = format!(
        "cd .nfsprov/volumes && for file in $(grep -L {} * | head -n {BY_KUBECTL}); do cat $file; echo ---; done",
        namespaces[2]
    );
    kubectl_apply(&scene, plane.kubeconfig(), &[], &scene.on_server(&some).await?).await?;
    let by_kubectl = directories(&scene, &namespaces).await?;
    ensure!(by_kubectl.len() == BY_KUBECTL, "{by_kubectl:?}");
    for (namespace, name) in by_kubectl.keys() {
        bound(&Api::namespaced(scene.client.clone(), namespace), name).await?;
    }

    let (stdout, stderr, code) = volumes(&scene, COMMANDS[1]).await?;
    ensure!(
        code == 2 && stderr.contains("--yes creates"),
        "{code} {stdout} {stderr}"
    );
    let rebuild = "rebuild --apply --yes --create-namespaces";
    let (stdout, stderr, code) = volumes(&scene, rebuild).await?;
    ensure!(
        code == 0 && stderr.contains("claims are Bound"),
        "{code} {stdout} {stderr}"
    );
    let created = format!("namespace/{} created\n", namespaces[2]);
    ensure!(stdout.contains(&created), "{stdout}");
    for (namespace, name) in before.keys() {
        bound(&Api::namespaced(scene.client.clone(), namespace), name).await?;
    }
    let after = directories(&scene, &namespaces).await?;
    ensure!(after == before, "{after:?}");
    ensure!(contents(&scene, &after).await? == data, "every claim has its data");
    let (stdout, stderr, code) = volumes(&scene, rebuild).await?;
    ensure!(
        code == 0 && stderr.contains("nothing is to be created") && !stdout.contains("created"),
        "{code} {stdout} {stderr}"
    );

    // Any client that can write to the export can write records; the tool still reads the others.
    scene
        .on_server(
            "cd .nfsprov/volumes && ln -s /etc/passwd link.yaml && mkdir directory.yaml && \
             head -c 10000000 /dev/zero > large.yaml && printf 'a: &a [x]\\nb: [*a]\\n' > bomb.yaml && \
             echo '{' > broken.yaml && touch \"$(printf 'a\\033[2Jb\\n.yaml')\"",
        )
        .await?;
    let (stdout, stderr, code) = volumes(&scene, "rebuild -o json").await?;
    ensure!(code == 0, "{stderr}");
    let rows = items(&stdout)?;
    let count = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
    ensure!((count("refused"), count("exists")) == (6, total), "{stdout}");
    let (stdout, _, _) = volumes(&scene, "rebuild").await?;
    ensure!(!stdout.contains('\u{1b}'), "{stdout:?}");
    plane.stop().await
}

async fn a_record_follows_its_volume_and_is_deleted_with_the_data(stage: Arc<Stage>) -> Result<()> {
    for version in ["3", "4.0", "4.1", "4.2"] {
        let scene = stage.scene().await?;
        let export = format!("{}-export", scene.namespace);
        let scene = with_own_export(scene, &export).await?;
        let options = [format!("nfsvers={version}")];
        scene
            .class(json!({"parameters": {"onDelete": "delete"}, "mountOptions": options}))
            .await?;
        let provisioner = scene.watch(&[]).await?;
        scene.claim("a", json!({})).await?;
        let volume = scene.bound("a").await?;
        let name = volume.name_any();
        let file = format!(".nfsprov/volumes/{name}.yaml");
        let count = |word: &str| format!("grep -sc -e {word} {file} || true");
        until(&scene, &count(&format!("a-{name}")), "2").await?;
        let labels = kube::api::Patch::Merge(json!({"metadata": {"labels": {"tier": "gold"}}}));
        scene.claims().patch("a", &Default::default(), &labels).await?;
        until(&scene, &count("gold"), "1").await?;
        // Records that are lost while no provisioner runs are written by the next one.
        ensure!(provisioner.stop().await?.success());
        scene.on_server(&format!("echo half > {file}")).await?;
        let provisioner = scene.watch(&[]).await?;
        until(&scene, &count("gold"), "1").await?;
        scene.delete_with_volume("a", &volume).await?;
        until(&scene, "ls -A .nfsprov/volumes | wc -l", "0").await?;
        ensure!(provisioner.stop().await?.success());
    }
    Ok(())
}

async fn a_directory_is_adopted_by_a_claim(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let export = format!("{}-export", scene.namespace);
    let scene = with_own_export(scene, &export).await?;
    scene
        .on_server("mkdir -p old/data empty && echo kept > old/data/file")
        .await?;
    let adopt = format!("adopt old/data --claim {}/c --create-claim", scene.namespace);
    let (_, stderr, code) = volumes(&scene, &adopt).await?;
    ensure!(code == 2 && stderr.contains("--size"), "{code} {stderr}");
    let (stdout, stderr, code) = volumes(&scene, &format!("{adopt} --size 1Gi")).await?;
    ensure!(
        code == 0 && stdout.ends_with("persistentvolumeclaim/c is Bound\n"),
        "{stdout} {stderr}"
    );
    let volume = scene.bound("c").await?;
    let nfs = volume.spec.and_then(|spec| spec.nfs).context("not NFS")?;
    ensure!(nfs.path == format!("{}/old/data", scene.path), "{}", nfs.path);
    let other = format!("adopt old --claim {}/d --create-claim --size 1Gi", scene.namespace);
    let (_, stderr, code) = volumes(&scene, &other).await?;
    ensure!(
        code == 1 && stderr.contains("lies at, above or below old"),
        "{code} {stderr}"
    );

    // The server had another name when the record was written.
    let (stdout, stderr, code) = volumes(&scene, "record").await?;
    ensure!(code == 0 && stdout.contains(" recorded\n"), "{code} {stdout} {stderr}");
    let name = volume.metadata.name.context("no name")?;
    scene
        .on_server(&format!(
            "sed -i 's/server: .*/server: nfs/' .nfsprov/volumes/{name}.yaml"
        ))
        .await?;
    scene.claims().delete("c", &Default::default()).await?;
    scene.volumes().delete(&name, &Default::default()).await?;
    scene.wait_until_deleted(&name).await?;
    let (stdout, stderr, code) = volumes(&scene, &format!("{} -o json", COMMANDS[0])).await?;
    ensure!(code == 0, "{stderr}");
    let rows = items(&stdout)?;
    let why = rows[0]["why"].as_str().unwrap_or_default();
    ensure!(
        rows[0]["action"] == "refused" && why.contains("--former-server"),
        "{stdout}"
    );
    // The record belongs to another claim, so its server name is no evidence for this directory.
    let other = format!("adopt old/data --claim {}/d --create-claim --size 1Gi", scene.namespace);
    let (_, stderr, code) = volumes(&scene, &format!("{other} --former-server nfs")).await?;
    ensure!(
        code == 1 && stderr.contains(&format!("is recorded as pv/{name} of pvc/c")),
        "{code} {stderr}"
    );
    let (stdout, stderr, code) = volumes(&scene, &format!("{} --apply --yes", COMMANDS[2])).await?;
    let server = scene.stage.nfs().address().to_string();
    ensure!(
        code == 0 && stdout.contains(&format!("server nfs becomes {server}")),
        "{code} {stdout} {stderr}"
    );
    let volume = scene.bound("c").await?;
    let nfs = volume.spec.and_then(|spec| spec.nfs).context("not NFS")?;
    ensure!(nfs.server == server, "{}", nfs.server);

    // A claim's directory is created before its PV.
    scene.claim("waiting", json!({"storageClassName": "no-class"})).await?;
    let uid = scene.claims().get("waiting").await?.uid().unwrap_or_default();
    let waiting = format!("{}-waiting-pvc-{uid}", scene.namespace);
    scene.on_server(&format!("mkdir {waiting}")).await?;
    let (stdout, stderr, code) = volumes(&scene, "orphans --remove-empty").await?;
    ensure!(
        code == 2 && stdout.contains("empty") && stderr.contains("--yes"),
        "{stdout} {stderr}"
    );
    let (stdout, stderr, code) = volumes(&scene, "orphans --remove-empty --yes").await?;
    ensure!(
        code == 0 && stdout.ends_with("empty removed\n"),
        "{code} {stdout} {stderr}"
    );
    let left = scene.on_server("ls").await?;
    ensure!(left.contains(&waiting) && left.lines().count() == 2, "{left}");
    Ok(())
}

async fn an_archive_is_restored_as_its_record_says(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let export = format!("{}-export", scene.namespace);
    let scene = with_own_export(scene, &export).await?;
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&[]).await?;
    let recorded = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}});
    scene.claim("data", recorded.clone()).await?;
    let volume = scene.bound("data").await?;
    let name = volume.name_any();
    let (file, archive) = (
        format!(".nfsprov/volumes/{name}.yaml"),
        format!("archived-{}-data-{name}", scene.namespace),
    );
    until(&scene, &format!("grep -c PersistentVolumeClaim {file} || true"), "2").await?;
    scene.delete_with_volume("data", &volume).await?;
    ensure!(provisioner.stop().await?.success());

    scene.on_server(&format!("mv {file} record")).await?;
    for (options, missing) in [("", "--claim"), ("--claim ns/data", "--size")] {
        let (_, stderr, code) = volumes(&scene, &format!("restore {archive} --create-claim {options}")).await?;
        ensure!(code == 2 && stderr.contains(missing), "{options}: {code} {stderr}");
    }
    scene.on_server(&format!("mv record {file}")).await?;
    let (stdout, stderr, code) = volumes(&scene, &format!("restore {archive} --create-claim")).await?;
    ensure!(code == 0, "{code} {stdout} {stderr}");
    let claim = bound(&scene.claims(), "data").await?;
    let spec = serde_json::to_value(claim.spec)?;
    ensure!(
        spec["volumeName"] == json!(name)
            && spec["accessModes"] == recorded["accessModes"]
            && spec["resources"] == recorded["resources"]
            && spec["storageClassName"] == json!(scene.class),
        "{spec}"
    );
    Ok(())
}

async fn the_doctor_names_the_command_that_restores_earlier_data(stage: Arc<Stage>) -> Result<()> {
    // Of many exports, the doctor contacts only those that a claim or pod waits for.
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let export = format!("{}-export", scene.namespace);
    let scene = with_own_export(scene, &export).await?;
    scene.class(json!({})).await?;
    let provisioner = scene.watch(&[]).await?;
    scene.claim("data", json!({})).await?;
    let volume = scene.bound("data").await?;
    let name = volume.name_any();
    let directory = format!("{}-data-{name}", scene.namespace);
    scene.on_server(&format!("echo kept > {directory}/file")).await?;
    until(&scene, &format!("ls .nfsprov/volumes/{name}.yaml | wc -l"), "1").await?;
    scene.delete_with_volume("data", &volume).await?;
    scene.claim("data", json!({})).await?;
    let empty = scene.bound("data").await?;

    let finding = scene.first_finding("NFS508 PersistentVolumeClaim/data").await?;
    let command = finding["fix"]["command"].as_str().context("no command")?;
    ensure!(
        command.contains(&format!("volumes restore archived-{directory}")),
        "{command}"
    );
    // The note says that the claim with the empty directory must be deleted first.
    scene.delete_with_volume("data", &empty).await?;
    let (stdout, stderr, code) = output_parts(&scene.shell(command).await?);
    ensure!(code == 0, "{command}: {stdout} {stderr}");
    ensure!(scene.bound("data").await?.name_any() == name);
    ensure!(scene.on_server(&format!("cat {directory}/file")).await? == "kept\n");
    scene.wait_until_healthy(command).await?;
    ensure!(provisioner.stop().await?.success());
    stage.give_back(plane).await
}
