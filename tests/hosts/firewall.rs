//! Servers with a real firewall: each client has its own rules, removed with the client, and all others are blocked.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use nfsprov_lab::guest::{Guest, Template};

use crate::kit::Stage;
use crate::runs::nfsprov;

crate::tests! {
    firewalld_admits_each_client_by_its_zone_while_it_is_a_client;
    // ufw differs only in its commands, which the tables cover; a guest with the older kernel takes minutes.
    test_all: ufw_admits_each_client_while_it_is_a_client,
}

/// A firewall's commands.
struct Tool {
    /// Starts it with a rule for ssh, and an administrator's rule for port 2049.
    start: &'static str,
    /// Prints all its rules.
    list: &'static str,
    /// How many of these lines nfsprov has for one client.
    rules_of_client: usize,
    /// The text that these lines contain.
    mark: &'static str,
    /// Reloads its configuration, as a restart does.
    reload: &'static str,
}

const FIREWALLD: Tool = Tool {
    start: r#"interface=$(ip -o -4 route show | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
cat >/etc/firewalld/zones/internal.xml <<zone
<zone>
  <interface name="$interface"/>
  <service name="ssh"/>
  <rule family="ipv4">
    <source address="10.77.0.250"/>
    <port port="2049" protocol="tcp"/>
    <accept/>
  </rule>
</zone>
zone
systemctl start firewalld
firewall-cmd --get-zone-of-interface="$interface" | grep -qx internal"#,
    list: "firewall-cmd --list-all-zones; firewall-cmd --permanent --list-all-zones",
    // Runtime and permanent rules.
    rules_of_client: 2 * 7,
    mark: "priority=\"2049\"",
    reload: "firewall-cmd --quiet --reload",
};

const UFW: Tool = Tool {
    start: "ufw allow 22/tcp >/dev/null; ufw allow from 10.77.0.250 to any port 2049 proto tcp >/dev/null; ufw --force enable",
    list: "ufw show added",
    rules_of_client: 2,
    mark: "comment 'nfsprov'",
    reload: "ufw reload",
};

async fn firewalld_admits_each_client_by_its_zone_while_it_is_a_client(stage: Arc<Stage>) -> Result<()> {
    lets_clients_in(&stage, "firewalld", &FIREWALLD).await
}

async fn ufw_admits_each_client_while_it_is_a_client(stage: Arc<Stage>) -> Result<()> {
    lets_clients_in(&stage, "ufw", &UFW).await
}

async fn lets_clients_in(stage: &Stage, name: &str, tool: &Tool) -> Result<()> {
    let name_of_client = format!("client-of-{name}");
    let (server, client) = tokio::try_join!(
        stage.lab.guest(name, Template::NfsServerWithTools),
        stage.lab.guest(&name_of_client, Template::NfsClient)
    )?;
    server.ssh(tool.start).await?;
    let before = server.ssh(tool.list).await?;
    ensure!(!reaches(&client, &server).await?, "the firewall lets all hosts in");
    // This machine is also a client: its mount verifies that the export is usable from here.
    let here = server.ssh("echo \"$SSH_CLIENT\" | cut -d' ' -f1").await?;
    let (target, node) = (
        format!("root@{}", server.address()),
        format!("root@{}", client.address()),
    );
    let without_node = ["setup-server", &target, "--export", "/srv/k8s", "--allow", here.trim()];
    let with_node = [&without_node[..], &["--node", &node]].concat();

    // The verification mounts over NFS 4 and 3, and takes locks.
    let first = nfsprov(stage, &with_node).await?.expect_status(0)?;
    let rules = server.ssh(tool.list).await?;
    let marked = |rules: &str| rules.lines().filter(|line| line.contains(tool.mark)).count();
    ensure!(marked(&rules) == 2 * tool.rules_of_client, "{rules}\n{first:?}");
    let address = client.address().to_string();
    ensure!(rules.contains(&address), "{rules}");
    ensure!(
        !reaches(&stage.second, &server).await?,
        "a host that is no client is let in\n{rules}"
    );
    let ports = server
        .ssh("rpcinfo -p | awk '$3 == \"tcp\" { print $1, $4 }' | sort -u")
        .await?;
    for pinned in ["100005 20048", "100024 32765", "100021 32766"] {
        ensure!(ports.lines().any(|line| line == pinned), "{pinned}: {ports}");
    }
    let second = nfsprov(stage, &with_node).await?.expect_status(0)?;
    ensure!(second.stderr.contains("nothing had to be changed"), "{second:?}");
    server.ssh(tool.reload).await?;
    ensure!(reaches(&client, &server).await?, "the rules are forgotten at a restart");

    // Removes a client.
    nfsprov(stage, &[&without_node[..], &["--yes"]].concat())
        .await?
        .expect_status(0)?;
    let rules = server.ssh(tool.list).await?;
    ensure!(
        marked(&rules) == tool.rules_of_client && !rules.contains(&address),
        "{rules}"
    );
    ensure!(!reaches(&client, &server).await?, "a removed client can still connect");
    let teardown = ["teardown-server", &target, "--export", "/srv/k8s", "--yes"];
    nfsprov(stage, &teardown).await?.expect_status(0)?;
    let after = server.ssh(tool.list).await?;
    ensure!(after == before, "it was\n{before}\nand is\n{after}");
    Ok(())
}

/// Whether a host can connect to the NFS server.
async fn reaches(from: &Guest, server: &Guest) -> Result<bool> {
    let connect = format!(
        "if timeout 3 bash -c '</dev/tcp/{}/2049' 2>/dev/null; then echo yes; else echo no; fi",
        server.address()
    );
    let output_text = from.ssh(&connect).await.context("cannot try to connect")?;
    Ok(output_text.trim() == "yes")
}
