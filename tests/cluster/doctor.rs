//! `doctor` on healthy clusters and on clusters that it may not read; and methods for tests of its fixes.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::kit::{EVENT_TIMEOUT, NFSPROV, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Both("fields and texts differ"): doctor_gives_no_false_alarm,
    Newest: doctor_reports_what_it_may_not_read,
    Newest: doctor_reports_the_same_for_a_dump,
}

/// How long a claim must be Pending before the doctor reports a missing provisioner.
pub const LATE: std::time::Duration = std::time::Duration::from_secs(180);

/// Whether `--fix` printed that it patched the provisioner's Deployment.
pub fn is_patched(printed: &str) -> bool {
    let is_it = |line: &str| line.starts_with("deployment/nfs-client-provisioner -n ") && line.ends_with(" patched");
    printed.lines().any(is_it)
}

/// How a test applies the fix of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// It runs the printed command.
    Command,
    /// `doctor --fix --yes`.
    Fix,
}

/// The report of one run of `doctor -o json`.
pub struct Diagnosis {
    pub report: Value,
    pub code: i32,
}

impl Diagnosis {
    /// The errors and warnings as `CODE kind/name`, in the report's order.
    pub fn findings(&self) -> Vec<String> {
        let all = self.report["findings"].as_array().into_iter().flatten();
        let serious = all.filter(|finding| finding["severity"] != "info");
        serious.map(title).collect()
    }

    /// The first error or warning.
    pub fn first(&self) -> Option<&Value> {
        let mut all = self.report["findings"].as_array().into_iter().flatten();
        all.find(|finding| finding["severity"] != "info")
    }
}

fn title(finding: &Value) -> String {
    let object = &finding["object"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}/{}",
        word(&finding["code"]),
        word(&object["kind"]),
        word(&object["name"])
    )
}

impl Scene {
    /// Runs `doctor -o json` in the scene's namespace.
    pub async fn doctor(&self, more: &[&str]) -> Result<Diagnosis> {
        let args = [&["doctor", "-o", "json"], more].concat();
        let (stdout, stderr, code) = output_parts(&self.nfsprov(&args).await?);
        let report =
            serde_json::from_str(&stdout).with_context(|| format!("doctor printed {stdout:?} and {stderr:?}"))?;
        Ok(Diagnosis { report, code })
    }

    /// Waits until the doctor reports `wanted` first, and returns that finding.
    pub async fn first_finding(&self, wanted: &str) -> Result<Value> {
        let end = Instant::now() + LATE;
        loop {
            let diagnosis = self.doctor(&[]).await?;
            if let Some(first) = diagnosis.first().filter(|first| title(first) == wanted) {
                let error = first["severity"] == "error";
                ensure!(
                    diagnosis.code == i32::from(error),
                    "{wanted}: exit status {}",
                    diagnosis.code
                );
                return Ok(first.clone());
            }
            ensure!(
                Instant::now() < end,
                "doctor never reports {wanted} first, but {:?}",
                diagnosis.findings()
            );
            sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    /// Waits until the doctor reports no findings.
    pub async fn wait_until_healthy(&self, after: &str) -> Result<()> {
        let end = Instant::now() + LATE;
        loop {
            let diagnosis = self.doctor(&[]).await?;
            if diagnosis.findings().is_empty() {
                ensure!(diagnosis.code == 0, "exit status {}", diagnosis.code);
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "after {after}, doctor reports {:?}",
                diagnosis.findings()
            );
            sleep(std::time::Duration::from_secs(1)).await;
        }
    }

    /// Waits until the doctor reports `wanted` first, runs its fix as printed, and waits until there are no findings.
    pub async fn fix_as_printed(&self, wanted: &str) -> Result<String> {
        let fix = self.run_printed_fix(wanted).await?;
        self.wait_until_healthy(&format!("{wanted}: {fix}")).await?;
        Ok(fix)
    }

    /// Runs the fix of what the doctor names first, as it is printed.
    async fn run_printed_fix(&self, wanted: &str) -> Result<String> {
        let finding = self.first_finding(wanted).await?;
        let fix = finding["fix"]["command"]
            .as_str()
            .with_context(|| format!("{wanted} has no fix"))?;
        let fix = self.completed(fix).await?;
        let output = self.shell(&fix).await?;
        let (_, stderr, code) = output_parts(&output);
        ensure!(code == 0, "{wanted}: {fix}\n{stderr}");
        Ok(fix)
    }

    /// A fix whose placeholders are replaced by the scene's export and class, as an administrator does. If the
    /// placeholder is the export, checks first that the command fails as printed.
    pub async fn completed(&self, fix: &str) -> Result<String> {
        const PLACEHOLDERS: &str = "--server SERVER --path /EXPORT/NEW-DIRECTORY ";
        if fix.contains(PLACEHOLDERS) {
            let (_, stderr, code) = output_parts(&self.shell(fix).await?);
            ensure!(code == 2 && stderr.contains("a placeholder"), "{fix}: {code} {stderr}");
        }
        let own = format!("--server {} --path {} ", crate::doctor_faults::server(self), self.path);
        let own_class = format!("class={};", self.class);
        Ok(fix.replace(PLACEHOLDERS, &own).replace("class=CLASS;", &own_class))
    }

    /// A finding without an automatic fix: `--fix --yes` changes nothing and prints the reason; the printed command
    /// fixes it.
    pub async fn fix_by_hand_only(&self, wanted: &str) -> Result<String> {
        let fix = self.run_fix_by_hand(wanted).await?;
        self.wait_until_healthy(&format!("{wanted}: {fix}")).await?;
        Ok(fix)
    }

    /// What is for people to do: `--fix --yes` leaves it and says why; then the printed command is run.
    pub async fn run_fix_by_hand(&self, wanted: &str) -> Result<String> {
        let finding = self.first_finding(wanted).await?;
        let note = finding["fix"]["note"].as_str().unwrap_or_default();
        ensure!(
            finding["fix"]["automatic"] == false && note.contains("not done by --fix: "),
            "{finding}"
        );
        let (_, stderr, _) = output_parts(&self.nfsprov(&["doctor", "--fix", "--yes", "-o", "json"]).await?);
        ensure!(stderr.contains("no automatic fix available"), "{wanted}: {stderr}");
        self.run_printed_fix(wanted).await
    }

    /// Waits until the doctor reports `wanted` first, runs `--fix`, and checks that the next run reports no findings.
    pub async fn fix_automatically(&self, wanted: &str) -> Result<String> {
        let output = self.fix(wanted, "30s").await?;
        let (stdout, stderr, code) = output_parts(&output);
        let report: Value = serde_json::from_str(&stdout).with_context(|| format!("{wanted}: {stderr}"))?;
        let left = Diagnosis { report, code }.findings();
        ensure!(
            code == 0 && left.is_empty(),
            "{wanted}: {left:?} is left of it:\n{stderr}"
        );
        Ok(stderr)
    }

    /// Runs `doctor --fix` for the finding `wanted`; `timeout` is how long it waits for each effect.
    pub async fn fix(&self, wanted: &str, timeout: &str) -> Result<Output> {
        let finding = self.first_finding(wanted).await?;
        ensure!(finding["fix"]["automatic"] == true, "{finding}");
        self.nfsprov(&["doctor", "--fix", "--yes", "-o", "json", "--timeout", timeout])
            .await
    }

    /// Fixes the first finding `wanted` in one of the two ways.
    pub async fn fix_by(&self, way: By, wanted: &str) -> Result<String> {
        match way {
            By::Command => self.fix_as_printed(wanted).await,
            By::Fix => self.fix_automatically(wanted).await,
        }
    }

    /// A shell command with an administrator's kubectl, nfsprov and kubeconfig.
    fn shell_command(&self, line: &str) -> Result<Command> {
        let kubectl = self.stage.lane().find()?.kubectl;
        let nfsprov = Path::new(NFSPROV).parent().context("nfsprov is nowhere")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [kubectl, nfsprov.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let path: OsString = std::env::join_paths(folders)?;
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line]);
        command.env("PATH", path).env("KUBECONFIG", &self.kubeconfig);
        command.stdin(Stdio::null()).kill_on_drop(true);
        Ok(command)
    }

    /// Runs a command line until it ends.
    pub async fn shell(&self, line: &str) -> Result<Output> {
        let mut command = self.shell_command(line)?;
        let ended = timeout(EVENT_TIMEOUT, command.output()).await;
        Ok(ended.with_context(|| format!("it does not end: {line}"))??)
    }

    /// Runs a command line that must succeed.
    pub async fn administer(&self, line: &str) -> Result<()> {
        let (_, stderr, code) = output_parts(&self.shell(line).await?);
        ensure!(code == 0, "{line}\n{stderr}");
        Ok(())
    }

    /// Runs a command line while another future runs.
    pub async fn shell_during<T>(&self, line: &str, during: impl Future<Output = Result<T>>) -> Result<T> {
        let mut command = self.shell_command(&format!("exec {line}"))?;
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let done = during.await;
        child.kill().await?;
        done
    }

    /// Applies objects of any kind, in the scene's namespace if they are namespaced.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        for object in objects {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
            let cluster = matches!(
                kind.as_str(),
                "PersistentVolume"
                    | "StorageClass"
                    | "CSIDriver"
                    | "CSINode"
                    | "ClusterRole"
                    | "ClusterRoleBinding"
                    | "Node"
            );
            let api: Api<DynamicObject> = match cluster {
                true => Api::all_with(self.client.clone(), &resource),
                false => Api::namespaced_with(self.client.clone(), &self.namespace, &resource),
            };
            let name = text(&object["metadata"]["name"]);
            let params = PatchParams::apply("test").force();
            let applied = api.patch(&name, &params, &Patch::Apply(object)).await;
            applied.with_context(|| format!("{kind} {name}"))?;
        }
        Ok(())
    }

    /// Writes into pods' statuses that they run, in place of a kubelet, which the lab's clusters lack.
    pub fn play_kubelet(&self) -> tokio::task::JoinHandle<()> {
        self.play_kubelet_that_fails("", "", "")
    }

    /// Like [`Scene::play_kubelet`], but containers of one image stay in `waiting` with `reason`.
    pub fn play_kubelet_that_fails(&self, image: &str, reason: &str, message: &str) -> tokio::task::JoinHandle<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let (image, reason, message) = (image.to_owned(), reason.to_owned(), message.to_owned());
        tokio::spawn(async move {
            let runs = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
            let mut events = Box::pin(watcher(pods.clone(), watcher::Config::default()).applied_objects());
            while let Some(event) = futures::StreamExt::next(&mut events).await {
                let status = |pod: &Pod| pod.status.clone().unwrap_or_default();
                let waits = |pod: &Pod| {
                    let status = status(pod);
                    status.phase.as_deref() == Some("Pending") && status.container_statuses.is_none()
                };
                let Some(pod) = event.ok().filter(waits) else { continue };
                let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
                let failing = containers
                    .clone()
                    .find(|container| container.image.as_deref() == Some(&image));
                let status = match failing {
                    None => runs.clone(),
                    Some(container) => json!({"status": {"containerStatuses": [{
                        "name": container.name, "image": image, "imageID": "", "ready": false, "restartCount": 0,
                        "state": {"waiting": {"reason": reason, "message": message}},
                    }]}}),
                };
                // A pod that was deleted meanwhile needs no status.
                _ = pods
                    .patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status))
                    .await;
            }
        })
    }
}

async fn doctor_gives_no_false_alarm(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.wait_until_healthy("nothing").await?;
    scene.class(json!({})).await?;
    let class = |name: &str, provisioner: &str, mode: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
               "provisioner": provisioner, "volumeBindingMode": mode})
    };
    let local = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "local"},
        "spec": {"storageClassName": "local", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                 "local": {"path": "/mnt"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
                     {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}]}}},
    });
    scene
        .apply(&[
            class("late", &scene.provisioner, "WaitForFirstConsumer"),
            class("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
            class("csi", "disk.csi.example.com", "Immediate"),
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "disk.csi.example.com"}, "spec": {}}),
            local,
        ])
        .await?;
    let _provisioner = scene.watch(&[]).await?;
    for class in ["late", "local", "csi"] {
        scene.claim(class, json!({"storageClassName": class})).await?;
    }
    // While the provisioner serves claims, at any moment.
    for number in 0..30 {
        scene.claim(&format!("a-{number}"), json!({})).await?;
    }
    loop {
        let diagnosis = scene.doctor(&[]).await?;
        ensure!(
            diagnosis.code == 0 && diagnosis.findings().is_empty(),
            "{:?}",
            diagnosis.findings()
        );
        let claims = scene.claims().list(&ListParams::default()).await?;
        let bound = |claim: &&k8s_openapi::api::core::v1::PersistentVolumeClaim| {
            claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound")
        };
        if claims.iter().filter(bound).count() == 30 {
            break;
        }
    }
    scene.event("csi", "ExternalProvisioning").await?;
    // The report also has the notes, which are not faults.
    let all = scene.doctor(&[]).await?.report["findings"].clone();
    let mut titles: Vec<_> = all.as_array().into_iter().flatten().map(title).collect();
    titles.sort();
    let expected_titles = [
        "NFS003 Cluster/Kubernetes",
        "NFS115 PersistentVolumeClaim/late",
        "NFS115 PersistentVolumeClaim/local",
    ];
    ensure!(titles == expected_titles, "{titles:?}");
    let everywhere = scene.doctor(&["-A", "--fail-on", "warning"]).await?;
    ensure!(everywhere.code == 0, "{:?}", everywhere.findings());
    let text = scene.nfsprov(&["doctor", "-A"]).await?;
    let (stdout, _, _) = output_parts(&text);
    ensure!(stdout.contains("no problems found"), "{stdout}");
    stage.give_back(plane).await
}

async fn doctor_reports_what_it_may_not_read(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let mut scene = stage.scene_on(plane.kubeconfig()).await?;
    let admin = scene.kubeconfig.clone();
    scene.claim("a", json!({"storageClassName": ""})).await?;
    scene.kubeconfig = plane.kubeconfig_for("somebody", &[])?;
    let nothing = scene.doctor(&[]).await?;
    ensure!(nothing.code == 3, "exit status {}", nothing.code);
    ensure!(
        nothing.findings() == ["NFS002 Cluster/RBAC"],
        "{:?}",
        nothing.findings()
    );
    let skipped = |diagnosis: &Diagnosis| diagnosis.report["skipped"].as_array().map_or(0, Vec::len);
    ensure!(skipped(&nothing) > 40, "{}", nothing.report["skipped"]);
    // An administrator grants the permissions that the finding prints.
    let finding = nothing.first().context("no finding")?;
    let fix = finding["fix"]["command"].as_str().context("no fix")?.to_owned();
    scene.kubeconfig = admin;
    let (_, stderr, code) = output_parts(&scene.shell(&fix).await?);
    ensure!(code == 0, "{fix}: {stderr}");
    scene.kubeconfig = plane.kubeconfig_for("somebody", &[])?;
    scene.first_finding("NFS102 PersistentVolumeClaim/a").await?;
    let granted = scene.doctor(&[]).await?;
    ensure!(skipped(&granted) == 0, "{}", granted.report["skipped"]);
    stage.give_back(plane).await
}

async fn doctor_reports_the_same_for_a_dump(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    scene.claim("a", json!({"storageClassName": ""})).await?;
    scene.first_finding("NFS102 PersistentVolumeClaim/a").await?;
    // The cluster writes objects meanwhile, which only one of the two reports may include. So the objects must be equal
    // before and after.
    let end = Instant::now() + LATE;
    let live = loop {
        let before = scene.doctor(&[]).await?;
        let directory = scene.stage.file("dump").display().to_string();
        let (_, stderr, code) = output_parts(&scene.nfsprov(&["doctor", "--dump", &directory]).await?);
        ensure!(code == 0, "{stderr}");
        let dumped = scene.doctor(&["--from-dump", &directory]).await?;
        let after = scene.doctor(&[]).await?;
        std::fs::remove_dir_all(&directory)?;
        if before.report == after.report {
            ensure!(
                dumped.report == after.report,
                "{:#}\nis not\n{:#}",
                dumped.report,
                after.report
            );
            break after;
        }
        ensure!(
            Instant::now() < end,
            "never twice the same: {:#}\nand\n{:#}",
            before.report,
            after.report
        );
    };
    // The same from kubectl's output, as far as it contains the data.
    let plain = scene.stage.file("plain").display().to_string();
    let get = format!(
        "mkdir {plain} && cd {plain} && for kind in pvc pv sc po deploy sts no ev csidriver csinode lease limits; do \
         kubectl get $kind -A -o json > $kind.json; done && kubectl version -o json > version.json"
    );
    let (_, stderr, code) = output_parts(&scene.shell(&get).await?);
    ensure!(code == 0, "{stderr}");
    let plain = scene.doctor(&["--from-dump", &plain]).await?;
    ensure!(plain.findings() == live.findings(), "{:?}", plain.findings());
    stage.give_back(plane).await
}
