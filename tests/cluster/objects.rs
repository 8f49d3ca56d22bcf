//! The objects of `create` on real API servers: accepted under strict validation, unchanged when read again, owned,
//! refused.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, ResourceExt};
use nfsprov::manifest::strict;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::kit::{EVENT_TIMEOUT, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Both("admission and server-side apply differ"): every_manifest_is_accepted_and_read_back_unchanged,
    Both("server-side apply differs"): a_conflict_reports_manager_and_field_and_a_flag_resolves_it,
    Newest: a_misspelled_field_of_a_users_template_is_rejected,
    Newest: a_refusal_of_the_cluster_is_one_sentence,
    Newest: another_provisioner_of_the_name_is_warned_of,
}

/// stdout and stderr of a command that must succeed.
async fn done<S: AsRef<str> + std::fmt::Debug>(scene: &Scene, args: &[S]) -> Result<(String, String)> {
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(args).await?);
    ensure!(code == 0, "{args:?}: {code} {stderr}");
    Ok((stdout, stderr))
}

/// The YAML that a command prints, in the scene's namespace.
async fn yaml(scene: &Scene, args: &[String]) -> Result<String> {
    Ok(done(scene, args).await?.0)
}

fn objects(yaml: &str) -> Result<Vec<Value>> {
    let documents = serde_yaml::Deserializer::from_str(yaml);
    documents.map(|document| Ok(Value::deserialize(document)?)).collect()
}

/// The first difference where `found` lacks a value of `wanted`. Ignores the volume with the account's token, which the
/// API server adds to a pod.
fn difference(wanted: &Value, found: &Value, path: &str) -> Option<String> {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => wanted.iter().find_map(|(key, wanted)| {
            let path = format!("{path}.{key}");
            match found.get(key) {
                Some(found) => difference(wanted, found, &path),
                // A PV without a class and one whose class is empty are equal for the API.
                None if wanted == "" => None,
                None => Some(format!("{path} is missing")),
            }
        }),
        (Value::Array(wanted), Value::Array(found))
            if wanted.len() == found.len() || path.ends_with(".volumes") || path.ends_with(".volumeMounts") =>
        {
            wanted
                .iter()
                .zip(found)
                .enumerate()
                .find_map(|(place, (wanted, found))| difference(wanted, found, &format!("{path}[{place}]")))
        }
        _ if wanted == found => None,
        _ => Some(format!("{path} is {found} instead of {wanted}")),
    }
}

async fn stored(scene: &Scene, object: &Value) -> Result<Value> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let types = object.types.clone().context("no kind")?;
    let resource = ApiResource::from_gvk(&(&types).try_into()?);
    let client = scene.client.clone();
    let api: Api<DynamicObject> = match strict::is_namespaced(&types.kind) {
        Some(true) => Api::namespaced_with(client, &scene.namespace, &resource),
        _ => Api::all_with(client, &resource),
    };
    Ok(serde_json::to_value(api.get(&object.name_any()).await?)?)
}

/// Runs `kubectl apply` with YAML on its standard input, and returns its stdout.
pub async fn kubectl_apply(scene: &Scene, kubeconfig: &Path, options: &[&str], yaml: &str) -> Result<String> {
    let mut command = Command::new(scene.stage.kubectl()?);
    command.arg("--kubeconfig").arg(kubeconfig);
    command.args(["apply", "-f", "-"]).args(options);
    command.env("HOME", scene.stage.file("kubectl"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(yaml.as_bytes()).await?;
    drop(stdin);
    let (stdout, stderr, code) = output_parts(&tokio::time::timeout(EVENT_TIMEOUT, child.wait_with_output()).await??);
    ensure!(code == 0, "kubectl: {stdout} {stderr}\n{yaml}");
    Ok(stdout)
}

/// The objects that `kubectl apply --dry-run=server` returns for YAML.
async fn kubectl(scene: &Scene, yaml: &str) -> Result<Vec<Value>> {
    let options = ["-n", &scene.namespace, "--dry-run=server", "-o", "json"];
    let stdout = kubectl_apply(scene, &scene.kubeconfig, &options, yaml).await?;
    let answer: Value = serde_json::from_str(&stdout)?;
    Ok(match answer["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![answer],
    })
}

/// Every kind, with the values that are hardest to quote in YAML among those that the API accepts.
fn commands(scene: &Scene, version: &str) -> Vec<Vec<String>> {
    let name = &scene.namespace;
    let commands: [&[&str]; 9] = [
        &[
            "pv",
            "plain",
            "--server",
            "10.128.1.117",
            "--path",
            "/nfsdata",
            "--size",
            "1Gi",
            "--access-mode",
            "RWO",
        ],
        &[
            "pv",
            "hostile",
            "--server",
            "fd00::1",
            "--path",
            "/a b/\"it's\"/no: 1/#x/数据🔑/\\n/{{ y }}",
            "--size",
            "1Gi",
            "--label",
            "tier=yes",
            "--label",
            "mode=0777",
            "--label",
            "n=1_000",
            "--label",
            "e=1e3",
            "--label",
            "empty=",
            "--label",
            "no=null",
            "--mount-option",
            "rw",
            "--mount-option",
            "context=\"a:b\"",
            "--claim",
            "0777/no",
            "--class",
            "",
        ],
        &["pvc", "plain", "--size", "1Gi", "--class", "nowhere"],
        &[
            "pvc",
            "no",
            "--size",
            "1Gi",
            "--class",
            "",
            "--selector",
            "on=off",
            "--volume",
            "0777",
        ],
        &[
            "storageclass",
            "hostile",
            "--dir-mode",
            "0777",
            "--dir-uid",
            "1000",
            "--dir-gid",
            "0",
            "--path-pattern",
            "${.PVC.namespace}/${.PVC.labels.app.kubernetes.io/name}: \"x\"",
            "--mount-option",
            "nfsvers=4.1",
            "--reclaim-policy",
            "Retain",
            "--binding-mode",
            "WaitForFirstConsumer",
        ],
        &[
            "pod",
            "no",
            "--claim",
            "plain",
            "--mount-path",
            "/数据 \"1\"",
            "--",
            "sh",
            "-c",
            "echo 'a: b' # \"c\"\n--- \u{7f}\u{85}\u{2028}\n",
            "0777",
            "yes",
            "1_000",
            "",
        ],
        &[
            "statefulset",
            "web",
            "--class",
            "nowhere",
            "--app",
            "nginx",
            "--image",
            "wangyanglinux/myapp:v1",
            "--node-port",
            "30012",
        ],
        &[
            "provisioner",
            "--server",
            "10.128.1.117",
            "--path",
            "/nfsdata",
            "--replicas",
            "2",
        ],
        &[
            "provisioner",
            "--flavor",
            "upstream",
            "--server",
            "10.128.1.117",
            "--path",
            "/nfs: \"data\"",
        ],
    ];
    let unique = |(number, words): (usize, &&[&str])| {
        let mut words: Vec<String> = ["create"]
            .iter()
            .chain(words.iter())
            .map(|word| (*word).to_owned())
            .collect();
        match words[1].as_str() {
            "pv" | "storageclass" => words[2] = format!("{}-{name}", words[2]),
            "provisioner" => {
                let (class, provisioner) = (format!("c{number}-{name}"), scene.provisioner.clone());
                words.extend(["--class".to_owned(), class, "--provisioner".to_owned(), provisioner]);
                // `--kubernetes` selects the version for printed objects; applied objects are for the cluster's
                // version.
                words.extend(["--kubernetes".to_owned(), version.to_owned()]);
            }
            _ => {}
        }
        words
    };
    commands.iter().enumerate().map(unique).collect()
}

/// The words of a command with flags inserted before the command of its container.
fn with(words: &[String], flags: &[&str]) -> Vec<String> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    words[..end]
        .iter()
        .cloned()
        .chain(flags)
        .chain(words[end..].iter().cloned())
        .collect()
}

async fn every_manifest_is_accepted_and_read_back_unchanged(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    // The namespace must have the account before it accepts a pod.
    scene.service_account().await?;
    for words in commands(&scene, &stage.lane().version()?) {
        let yaml = yaml(&scene, &words).await?;
        let wanted = objects(&yaml)?;
        let (checked, _) = done(&scene, &with(&words, &["--dry-run", "server"])).await?;
        ensure!(
            checked.matches(" created (server dry run)\n").count() == wanted.len(),
            "{checked}"
        );
        for (wanted, found) in wanted.iter().zip(kubectl(&scene, &yaml).await?) {
            let difference = difference(wanted, &found, "");
            ensure!(difference.is_none(), "kubectl: {difference:?}\n{yaml}");
        }
        let (applied, _) = done(&scene, &with(&words, &["--apply"])).await?;
        ensure!(applied.matches(" created\n").count() == wanted.len(), "{applied}");
        for wanted in &wanted {
            let difference = difference(wanted, &stored(&scene, wanted).await?, "");
            ensure!(difference.is_none(), "{difference:?}\n{yaml}");
        }
        for flags in [&["--apply"][..], &["--dry-run", "server"]] {
            let (again, _) = done(&scene, &with(&words, flags)).await?;
            ensure!(again.matches(" unchanged").count() == wanted.len(), "{again}");
        }
    }
    Ok(())
}

async fn a_conflict_reports_manager_and_field_and_a_flag_resolves_it(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let name = format!("v-{}", scene.namespace);
    let create = format!("create pv {name} --server s --path /p --size 1Gi --label tier=gold");
    let words: Vec<&str> = create.split(' ').collect();
    let flags = |flags: &[&'static str]| -> Vec<&str> { words.iter().copied().chain(flags.iter().copied()).collect() };
    done(&scene, &flags(&["--apply"])).await?;
    let label =
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name, "labels": {"tier": "iron"}}});
    let params = PatchParams::apply("somebody-else").force();
    scene.volumes().patch(&name, &params, &Patch::Apply(&label)).await?;
    for how in [&["--apply"][..], &["--dry-run", "server"]] {
        let (stdout, stderr, code) = output_parts(&scene.nfsprov(&flags(how)).await?);
        ensure!((stdout.as_str(), code) == ("", 1), "{stdout}{stderr}");
        for words in [
            "persistentvolume/",
            "\"somebody-else\"",
            ".metadata.labels.tier",
            "--force-conflicts",
        ] {
            ensure!(stderr.contains(words), "{words}: {stderr}");
        }
    }
    let tier = async || anyhow::Ok(scene.volumes().get(&name).await?.labels()["tier"].clone());
    let (tried, _) = done(&scene, &flags(&["--dry-run", "server", "--force-conflicts"])).await?;
    ensure!(
        tried == format!("persistentvolume/{name} configured (server dry run)\n"),
        "{tried}"
    );
    ensure!(tier().await? == "iron", "the dry run stored something");
    let (taken, _) = done(&scene, &flags(&["--apply", "--force-conflicts"])).await?;
    ensure!(taken == format!("persistentvolume/{name} configured\n"), "{taken}");
    ensure!(tier().await? == "gold");
    let (again, _) = done(&scene, &flags(&["--apply"])).await?;
    ensure!(again == format!("persistentvolume/{name} unchanged\n"), "{again}");
    Ok(())
}

async fn a_misspelled_field_of_a_users_template_is_rejected(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let directory = stage.file("templates");
    std::fs::create_dir(&directory)?;
    let template = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: {{ name }}}, spec: {accessModes: \
                    [ReadWriteOnce], resources: {requests: {storage: {{ size }}}}, volumNmae: x}}";
    std::fs::write(directory.join("pvc.yaml"), template)?;
    let directory = directory.display().to_string();
    let args = [
        "create",
        "pvc",
        "c",
        "--size",
        "1Gi",
        "--apply",
        "--template-dir",
        &directory,
    ];
    let (_, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(
        code == 1 && stderr.contains("PersistentVolumeClaim has no field spec.volumNmae"),
        "{stderr}"
    );
    ensure!(scene.claims().get_opt("c").await?.is_none());
    // The API server finds mistakes that offline validation misses: it applies strictly on every version.
    let claim: DynamicObject = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumNmae": "x"},
    }))?;
    let options = nfsprov::cluster::ClusterOptions {
        kubeconfig: Some(scene.kubeconfig.clone()),
        context: None,
        namespace: Some(scene.namespace.clone()),
        request_timeout: EVENT_TIMEOUT,
    };
    let cluster = nfsprov::cluster::connect(&options, nfsprov::cluster::ClientUse::OneShot).await?;
    let refused = nfsprov::change::server_side::apply_object(&cluster, &claim, Default::default()).await;
    let refused = refused.err().context("the misspelled field was accepted")?.to_string();
    ensure!(
        refused.contains("persistentvolumeclaim/c") && refused.contains("volumNmae"),
        "{refused}"
    );
    ensure!(scene.claims().get_opt("c").await?.is_none());
    Ok(())
}

async fn a_refusal_of_the_cluster_is_one_sentence(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let class = format!("c-{}", scene.namespace);
    let create = ["create", "storageclass", &class, "--apply"];
    done(&scene, &create).await?;
    let args: Vec<&str> = create.into_iter().chain(["--dir-mode", "0700"]).collect();
    let (_, stderr, code) = output_parts(&scene.nfsprov(&args).await?);
    ensure!(code == 1 && stderr.lines().count() == 1, "{stderr}");
    ensure!(
        stderr.starts_with(&format!("error: cannot apply storageclass/{class}: ")),
        "{stderr}"
    );
    // The tool notes classes that do not exist.
    let lonely = format!("lonely-{}", scene.namespace);
    let volume = format!("create pv {lonely} --server s --path /p --size 1Gi --class {lonely} --dry-run server");
    let (_, stderr) = done(&scene, &volume.split(' ').collect::<Vec<_>>()).await?;
    let note =
        format!("note: storageclass/{lonely} not found: the volume and its claim only have to name the same class");
    ensure!(stderr.contains(&note), "{stderr}");
    let claim = format!("create pvc c --size 1Gi --class {lonely} --dry-run server");
    let (_, stderr) = done(&scene, &claim.split(' ').collect::<Vec<_>>()).await?;
    ensure!(stderr.contains("no volume is provisioned for the claim"), "{stderr}");
    let known = format!("create pvc c --size 1Gi --class {class} --dry-run server");
    let (_, stderr) = done(&scene, &known.split(' ').collect::<Vec<_>>()).await?;
    ensure!(stderr.is_empty(), "{stderr}");
    Ok(())
}

async fn another_provisioner_of_the_name_is_warned_of(stage: Arc<Stage>) -> Result<()> {
    let scene = stage.scene().await?;
    let version = stage.lane().version()?;
    let create = |flavor: &str| {
        format!(
            "create provisioner --flavor {flavor} --server s --path /p --image x/nfs-subdir-external-provisioner:v1 \
             --provisioner {} --class {} --kubernetes {version} --dry-run server",
            scene.provisioner, scene.class
        )
    };
    let (_, stderr) = done(&scene, &create("nfsprov").split(' ').collect::<Vec<_>>()).await?;
    ensure!(stderr.is_empty(), "{stderr}");
    // Only the Deployment, because the test would leave the cluster-wide permissions behind.
    let directory = stage.file("deployment");
    std::fs::create_dir(&directory)?;
    let built_in = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates/provisioner-upstream.yaml");
    let template = std::fs::read_to_string(built_in)?;
    let deployment = template.split("---\n").find(|part| part.contains("kind: Deployment"));
    std::fs::write(
        directory.join("provisioner-upstream.yaml"),
        deployment.context("no Deployment")?,
    )?;
    let directory = directory.display().to_string();
    let upstream = create("upstream").replace("--dry-run server", "--apply --template-dir");
    let words: Vec<&str> = upstream.split(' ').chain([directory.as_str()]).collect();
    let (_, stderr) = done(&scene, &words).await?;
    ensure!(stderr.is_empty(), "it is no rival of its own: {stderr}");
    let (_, stderr) = done(&scene, &create("nfsprov").split(' ').collect::<Vec<_>>()).await?;
    let warning = format!(
        "warning: deployment/nfs-client-provisioner -n {} serves",
        scene.namespace
    );
    ensure!(stderr.starts_with(&warning), "{stderr}");
    Ok(())
}
