//! Findings of `doctor` beyond the API: from NFS calls of this machine, and from hosts over SSH, where it also makes
//! fixes.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Event, Node};
use kube::Api;
use kube::api::{Patch, PatchParams};
use nfsprov_lab::guest::{Guest, Template};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::doctor::Diagnosis;
use crate::kit::{EVENT_TIMEOUT, SLOW_LOGIN, Scene, output_parts};
use crate::stage::Stage;

crate::tests! {
    Newest: doctor_asks_nfs_servers_from_here,
    Newest: doctor_checks_hosts_and_fixes_them,
}

fn volume(name: &str, server: &str, path: &str, claim: Option<(&Scene, &str)>) -> Value {
    let mut spec = json!({
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "byhand",
        "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": server, "path": path},
    });
    if let Some((scene, claim)) = claim {
        spec["claimRef"] = json!({"namespace": scene.namespace, "name": claim});
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
}

async fn doctor_asks_nfs_servers_from_here(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let server = stage.nfs().address().to_string();
    scene.apply(&[volume("good", &server, "/nfsdata", None)]).await?;
    scene.wait_until_healthy("a server that serves").await?;
    let skipped = |diagnosis: &Diagnosis| diagnosis.report["skipped"].as_array().map_or(0, Vec::len);
    ensure!(skipped(&scene.doctor(&[]).await?) == 0);

    scene
        .apply(&[volume("lost", &server, "/nfsdata/no-such-directory", None)])
        .await?;
    let finding = scene.first_finding("NFS403 PersistentVolume/lost").await?;
    ensure!(finding["confidence"] == "certain", "{finding}");
    scene.volumes().delete("lost", &Default::default()).await?;

    // No host has this address. At first no pod uses the volume, then one does.
    let dead = volume("dead", "10.77.0.250", "/nfsdata", Some((&scene, "mypvc")));
    scene.apply(&[dead]).await?;
    scene
        .claim("mypvc", json!({"storageClassName": "byhand", "volumeName": "dead"}))
        .await?;
    scene.bound("mypvc").await?;
    let quiet = scene.doctor(&[]).await?;
    ensure!(quiet.findings().is_empty() && quiet.code == 0, "{:?}", quiet.findings());
    ensure!(
        quiet.report["skipped"]
            .to_string()
            .contains("10.77.0.250:/nfsdata from this machine"),
        "{}",
        quiet.report["skipped"]
    );
    scene.service_account().await?;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mypod"}, "spec": {
        "nodeName": "somewhere", "terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": "busybox"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "mypvc"}}],
    }});
    scene.apply(&[pod]).await?;
    // The text is that of a kubelet.
    let event = json!({
        "metadata": {"generateName": "mypod-"}, "reason": "FailedMount", "type": "Warning",
        "message": "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition",
        "involvedObject": {"kind": "Pod", "name": "mypod", "namespace": scene.namespace, "apiVersion": "v1"},
        "source": {"component": "kubelet", "host": "somewhere"},
        "lastTimestamp": k8s_openapi::jiff::Timestamp::now().to_string(),
    });
    let events: Api<Event> = Api::namespaced(scene.client.clone(), &scene.namespace);
    events
        .create(&Default::default(), &serde_json::from_value(event)?)
        .await?;
    let finding = scene.first_finding("NFS404 PersistentVolume/dead").await?;
    // This machine may be outside the storage network, so the finding is not the cause of a Pending pod.
    ensure!(
        finding["severity"] == "warning" && finding["explains"] == json!([]),
        "{finding}"
    );
    let report = scene.doctor(&[]).await?.report;
    ensure!(report["findings"].to_string().contains("mypod"), "{report}");

    // A tenant's event with codes that clear the screen, write to the clipboard and reverse the text.
    let event = json!({
        "metadata": {"generateName": "mypod-"}, "reason": "FailedMount", "type": "Warning",
        "message": "MountVolume.SetUp failed for volume \"dead\" : mount failed: exit status 32\nOutput: mount.nfs: access denied by \
                    server while mounting \u{1b}[2J\u{1b}]52;c;eA==\u{7}\u{9b}2J\u{202e}",
        "involvedObject": {"kind": "Pod", "name": "mypod", "namespace": scene.namespace, "apiVersion": "v1"},
        "source": {"component": "kubelet", "host": "somewhere"},
        "lastTimestamp": k8s_openapi::jiff::Timestamp::now().to_string(),
    });
    events
        .create(&Default::default(), &serde_json::from_value(event)?)
        .await?;
    for (format, escaped) in [
        ("table", r"\u{1b}[2J"),
        ("json", r"\u001b[2J"),
        ("sarif", r"\u001b[2J"),
        ("junit", "server while mounting [2J"),
    ] {
        let (stdout, stderr, _) = output_parts(&scene.nfsprov(&["doctor", "-o", format]).await?);
        ensure!(stdout.contains(escaped), "{format}: {stdout}");
        let shown = stdout + &stderr;
        let acted_on = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        ensure!(!shown.contains(acted_on), "{format}: {shown:?}");
    }
    stage.give_back(plane).await
}

/// Registers a node of the cluster with the name and address of a guest.
async fn node(scene: &Scene, guest: &Guest) -> Result<()> {
    let name = guest.ssh("uname -n").await?.trim().to_owned();
    scene
        .apply(&[json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})])
        .await?;
    let nodes: Api<Node> = Api::all(scene.client.clone());
    let address = json!({"type": "InternalIP", "address": guest.address().to_string()});
    let status = json!({"status": {"addresses": [address]}});
    nodes
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
        .await?;
    Ok(())
}

async fn doctor_checks_hosts_and_fixes_them(stage: Arc<Stage>) -> Result<()> {
    let plane = stage.cleared_control_plane().await?;
    let scene = stage.scene_on(plane.kubeconfig()).await?;
    let (server, worker) = tokio::try_join!(
        stage.guest("exporter", Template::NfsServer),
        stage.guest("worker", Template::Bare)
    )?;
    // The options of the document, for other clients than the cluster's nodes.
    let options = "(rw,sync,no_subtree_check,no_root_squash)";
    let theirs = format!("/nfsdata 10.99.0.0/16{options}");
    server
        .ssh(&format!(
            "chmod 666 /nfsdata; echo '{theirs}' >/etc/exports; exportfs -ra"
        ))
        .await?;
    node(&scene, &worker).await?;
    let address = server.address().to_string();
    scene.apply(&[volume("exported", &address, "/nfsdata", None)]).await?;
    // The server excludes this machine, which proves nothing about nodes.
    let alone = scene.doctor(&[]).await?;
    ensure!(alone.findings().is_empty(), "{:?}", alone.findings());
    ensure!(
        alone.report["skipped"].to_string().contains("from this machine"),
        "{}",
        alone.report["skipped"]
    );

    let (one, other) = (format!("root@{address}"), format!("root@{}", worker.address()));
    let key = worker.ssh_key().display().to_string();
    let ssh = ["--ssh", &one, "--ssh", &other, "-i", &key, "--host-key", "accept-new"];
    let ssh = [&ssh[..], &SLOW_LOGIN].concat();
    let looked = scene.doctor(&ssh).await?;
    let name = worker.ssh("uname -n").await?.trim().to_owned();
    let wanted = [
        format!("NFS401 Node/{name}"),
        format!("NFS402 Host/{one}"),
        format!("NFS411 Host/{one}"),
    ];
    ensure!(looked.findings() == wanted, "{:?}", looked.findings());
    let findings = looked.report["findings"].as_array().context("no findings")?;
    let of = |findings: &[Value], code: &str| findings.iter().find(|finding| finding["code"] == code).cloned();
    let denied = of(findings, "NFS402").context("none")?;
    let command = format!("nfsprov setup-server {one} --export /nfsdata --nodes-from-cluster");
    // The doctor changes only exports that nfsprov created.
    ensure!(
        denied["fix"]["command"] == command && denied["fix"]["automatic"] == false,
        "{denied}"
    );
    ensure!(of(findings, "NFS411").context("none")?["fix"]["automatic"] == false);
    ensure!(
        denied["cause"].to_string().contains(&worker.address().to_string()),
        "{denied}"
    );

    // An administrator sets the server up, and adds another node later.
    let setup = ["setup-server", &one, "--export", "/nfsdata", "--allow", "10.98.0.0/16"];
    let setup = [&setup[..], &ssh[4..]].concat();
    let (_, stderr, code) = output_parts(&scene.nfsprov_within(4 * EVENT_TIMEOUT, &setup).await?);
    ensure!(code == 0, "{stderr}");
    let looked = scene.doctor(&ssh).await?;
    let findings = looked.report["findings"].as_array().context("no findings")?;
    for code in ["NFS402", "NFS411"] {
        ensure!(of(findings, code).context(code)?["fix"]["automatic"] == true, "{code}");
    }

    let fix = [&["doctor", "--fix", "--yes", "-o", "json"][..], &ssh].concat();
    let (stdout, stderr, code) = output_parts(&scene.nfsprov_within(4 * EVENT_TIMEOUT, &fix).await?);
    let report: Value = serde_json::from_str(&stdout).with_context(|| stderr.clone())?;
    let left = Diagnosis { report, code }.findings();
    ensure!(left.is_empty(), "{left:?} is left:\n{stderr}");
    let line = format!("/nfsdata 10.98.0.0/16{options} {}{options}", worker.address());
    ensure!(
        stderr.contains(&format!("\n+{line}\n")),
        "the planned change is missing: {stderr}"
    );
    let exports = server.ssh("cat /etc/exports; exportfs -s").await?;
    ensure!(
        exports.starts_with(&format!("{theirs}\n# BEGIN nfsprov"))
            && exports.contains(&format!("\n{line}\n"))
            && exports.contains(&format!("/nfsdata  {}(", worker.address())),
        "{exports}"
    );
    ensure!(server.ssh("stat -c %a /nfsdata").await?.trim() == "777");
    worker.ssh("command -v mount.nfs").await?;

    // A change with its own script also waits for another run on the host.
    let mode = async || server.ssh("stat -c %a /nfsdata").await;
    let lock = "chmod 666 /nfsdata; mkfifo /run/first
        (flock 9; : >/run/locked; read end </run/first) 9>>/run/nfsprov.lock >/dev/null 2>&1 &
        until [ -e /run/locked ]; do sleep 0.1; done";
    server.ssh(lock).await?;
    let release = async {
        let waiting = server.ssh("until grep -q -e '-> FLOCK' /proc/locks; do sleep 0.2; done");
        let waits = timeout(EVENT_TIMEOUT, waiting).await;
        let meanwhile = mode().await?;
        server.ssh("echo >/run/first").await?;
        waits.context("it does not wait for another run")??;
        ensure!(meanwhile.trim() == "666", "{meanwhile}");
        anyhow::Ok(())
    };
    let (ran, waited) = tokio::join!(scene.nfsprov_within(4 * EVENT_TIMEOUT, &fix), release);
    waited?;
    let (_, stderr, _) = output_parts(&ran?);
    ensure!(mode().await?.trim() == "777", "{stderr}");

    // A tenant's class names a directory of the server and the provisioner of the cluster.
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "shared"},
        "provisioner": "example.com/nfs"});
    let variables = [
        ("PROVISIONER_NAME", "example.com/nfs"),
        ("NFS_SERVER", &address),
        ("NFS_PATH", "/root"),
    ];
    let variables = variables.map(|(name, value)| json!({"name": name, "value": value}));
    let labels = json!({"app": "x"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {
        "replicas": 0, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "x", "image": "example.com/x:1", "env": variables}]}}}});
    scene.apply(&[class, deployment]).await?;
    let state = "exportfs -s; cksum /etc/exports; stat -c %a /root";
    let before = server.ssh(state).await?;
    let fix = [
        "doctor",
        "--fix",
        "--yes",
        "-o",
        "json",
        "--timeout",
        "1s",
        "--ssh",
        &one,
    ];
    let (stdout, stderr, code) = output_parts(&scene.nfsprov(&[&fix[..], &ssh[4..]].concat()).await?);
    let report: Value = serde_json::from_str(&stdout).with_context(|| stderr.clone())?;
    let findings = report["findings"].as_array().context("no findings")?;
    let denied = of(findings, "NFS402").context("none")?;
    ensure!(code == 1, "exit status {code}: {stderr}");
    let by = format!("/root, named by deployment/x -n {}", scene.namespace);
    ensure!(
        denied["cause"].to_string().contains(&by) && denied["fix"]["command"].is_null(),
        "{denied}"
    );
    let after = server.ssh(state).await?;
    ensure!(after == before, "it was\n{before}\nand is\n{after}\n{stderr}");

    // The report does not pass over a host that admits no login.
    let shut = scene
        .doctor(&["--ssh", "root@10.77.0.250", "--connect-timeout", "1s"])
        .await?;
    ensure!(
        shut.report["skipped"].to_string().contains("10.77.0.250"),
        "{}",
        shut.report["skipped"]
    );
    stage.give_back(plane).await
}
