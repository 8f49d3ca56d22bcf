//! The lab's own test of its nodes: they are Ready, their pods run, reach each other across nodes, and are reachable
//! through a Service. Needs the lab; see its README.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nfsprov_lab::container::{BUSYBOX, WEB};
use nfsprov_lab::namespace::{Entry, enter_with_nodes};
use nfsprov_lab::{ControlPlane, ControlPlaneOptions, Lab, run};
use serde_json::json;

/// How long pods may take until they are Ready; usually it is four seconds.
const READY_WITHIN: &str = "120s";
/// How long kube-proxy may take to apply a Service.
const LEARN_WITHIN: Duration = Duration::from_secs(60);
const NODE_PORT: u16 = 30012;

fn main() -> Result<()> {
    let lab = match enter_with_nodes()? {
        Entry::Inside(lab) => lab,
        Entry::Skip(why) => {
            println!("skipped: the lab's test of nodes: {why}");
            return Ok(());
        }
    };
    tokio::runtime::Runtime::new()?.block_on(test(&lab))
}

async fn test(lab: &Lab) -> Result<()> {
    let without = lab.control_plane(ControlPlaneOptions::default()).await?;
    let refused = lab.node("early", &without).await.err();
    let refused = refused
        .context("a control plane without support for nodes accepted one")?
        .to_string();
    ensure!(refused.contains("not started for nodes"), "unexpected error: {refused}");
    without.stop().await?;

    let options = ControlPlaneOptions {
        nodes: true,
        ..ControlPlaneOptions::default()
    };
    let plane = lab.control_plane(options).await?;
    let start = Instant::now();
    let (first, second) = tokio::try_join!(lab.node("node1", &plane), lab.node("node2", &plane))?;
    println!(
        "ok: two nodes are Ready {} s after their start",
        start.elapsed().as_secs()
    );
    let versions = [
        "get",
        "nodes",
        "-o",
        "jsonpath={.items[*].status.nodeInfo.kubeletVersion}",
    ];
    let versions = kubectl(&plane, &versions, "")?;
    ensure!(
        versions == "v1.20.2 v1.20.2",
        "their kubelets have the versions {versions}"
    );

    let start = Instant::now();
    kubectl(&plane, &["apply", "-f", "-"], &objects())?;
    let timeout = format!("--timeout={READY_WITHIN}");
    kubectl(
        &plane,
        &["wait", "--for=condition=Ready", &timeout, "pod/web", "pod/client"],
        "",
    )?;
    println!("ok: a pod on each is Ready {} s later", start.elapsed().as_secs());

    let page = "/usr/share/nginx/html/index.html";
    kubectl(
        &plane,
        &["exec", "web", "--", "sh", "-c", &format!("echo here >{page}")],
        "",
    )?;
    let address = kubectl(&plane, &["get", "pod", "web", "-o", "jsonpath={.status.podIP}"], "")?;
    let fetched = kubectl(
        &plane,
        &["exec", "client", "--", "wget", "-qO-", &format!("http://{address}/")],
        "",
    )?;
    ensure!(fetched == "here", "the other node's pod returned {fetched:?}");
    println!("ok: a pod reaches one on another node");
    for node in [&first, &second] {
        until_served(node.address())?;
    }
    println!("ok: a Service's port reaches it from either node");

    let counts = [first.ssh("cat /proc/cpuinfo").await?, second.ssh("nproc").await?];
    ensure!(counts[0].contains("cpu MHz") && counts[1].trim() == "1", "{counts:?}");
    plane.stop().await
}

/// A web server on one node, a client on the other, and a Service.
fn objects() -> String {
    let pod = |name: &str, image: &str, node: &str, spec: serde_json::Value| {
        let mut container = json!({"name": name, "image": image});
        let more = spec.as_object().cloned().unwrap_or_default();
        container
            .as_object_mut()
            .into_iter()
            .for_each(|fields| fields.extend(more.clone()));
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": node}, "terminationGracePeriodSeconds": 0,
                "containers": [container], "volumes": [{"name": "pages", "emptyDir": {}}],
            },
        })
    };
    let pages = json!({"volumeMounts": [{"name": "pages", "mountPath": "/usr/share/nginx/html"}]});
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "nodePort": NODE_PORT}]},
    });
    let client = pod("client", BUSYBOX, "node2", json!({"args": ["sleep", "30000"]}));
    json!({"apiVersion": "v1", "kind": "List", "items": [pod("web", WEB, "node1", pages), client, service]}).to_string()
}

/// Requests the page from a node until kube-proxy there has applied the Service, for which there is no event.
fn until_served(node: Ipv4Addr) -> Result<()> {
    let deadline = Instant::now() + LEARN_WITHIN;
    loop {
        let page = fetch(node);
        if page.as_ref().is_ok_and(|page| page.trim_end().ends_with("here")) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("port {NODE_PORT} of {node} returned {page:?}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn fetch(node: Ipv4Addr) -> std::io::Result<String> {
    let patience = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&(node, NODE_PORT).into(), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// Runs kubectl with `input` on its standard input and returns its output; an error has its stderr.
fn kubectl(plane: &ControlPlane, args: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(run::kubectl(Default::default())?.join("kubectl"));
    command.arg("--kubeconfig").arg(plane.kubeconfig()).args(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot run kubectl")?;
    let mut stdin = child.stdin.take().context("kubectl has no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let output_text = String::from_utf8_lossy(&output.stderr);
        bail!("kubectl {}: {}", args.join(" "), output_text.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
