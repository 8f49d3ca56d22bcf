//! Server nodes over SSH: their files are read and exchanged, their servers started again and waited for.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::core::Request;
use tokio::time::{Instant, sleep};

use super::gate::script::{self, FileEdit, Order, Server};
use crate::cluster::{self, Options, Use, connect};
use crate::host::{Access, Host, Target};

/// How long a script that only reads or writes files may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often an API server is asked whether it is there; nothing announces that.
const PULSE: Duration = Duration::from_millis(500);

/// The status of a script that found another file than was shown.
const CHANGED: u8 = 9;

/// A server node that is logged in to.
pub struct Node {
    host: Host,
    /// What was found there.
    pub server: Server,
}

impl Node {
    /// Logs in and looks; with the reason, if no API server is there.
    ///
    /// # Errors
    /// When nobody is let in.
    pub async fn reach(target: &Target, access: &Access) -> Result<Result<Self, String>> {
        let host = Host::connect(target, access).await?;
        let answer = run(&host, &script::look(), PATIENCE).await?;
        Ok(match script::found(&answer) {
            Ok(server) => Ok(Self { host, server }),
            Err(why) => Err(format!("{}: {why}", host.name())),
        })
    }

    /// Who we are there, as `root@server:22`.
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// Exchanges files, one after the other.
    ///
    /// # Errors
    /// When one is not what was shown any more, or can't be written; those before it are written then.
    pub async fn write(&self, edits: &[FileEdit]) -> Result<()> {
        for edit in edits {
            let path = &edit.place.path;
            let output = self.host.run(&script::write(edit), PATIENCE).await?;
            match output.status {
                0 => {}
                CHANGED => bail!("{}: {path} was changed meanwhile, so it is left as it is", self.name()),
                _ => bail!("{}: cannot write {path}: {}", self.name(), said(&output.stderr)),
            }
        }
        Ok(())
    }

    /// Has the server take up what its files say.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&self, order: Order, limit: Duration) -> Result<()> {
        let script = script::restart(self.server.installed, order, limit.as_secs());
        run(&self.host, &script, limit + PATIENCE).await.map(drop)
    }
}

async fn run(host: &Host, script: &str, patience: Duration) -> Result<Vec<u8>> {
    let output = host.run(script, patience).await?;
    match output.status {
        0 => Ok(output.stdout),
        status => bail!("{}: {} (status {status})", host.name(), said(&output.stderr)),
    }
}

/// The last line of what a host says of a failure.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it gives no reason").to_owned()
}

/// Waits until the API server is ready, and sends selfLinks or sends none, if that is asked for.
///
/// # Errors
/// How it stands after `limit`.
pub async fn answers(options: &Options, self_link: Option<bool>, limit: Duration) -> Result<()> {
    let end = Instant::now() + limit;
    loop {
        let Err(why) = ready(options, self_link).await else {
            return Ok(());
        };
        if Instant::now() > end {
            return Err(why.context(format!("after {} s", limit.as_secs())));
        }
        sleep(PULSE).await;
    }
}

async fn ready(options: &Options, self_link: Option<bool>) -> Result<()> {
    let cluster = connect(options, Use::OneShot).await?;
    let request = Request::new("")
        .get("readyz", &Default::default())
        .context("/readyz can't be asked for")?;
    let answer = cluster.client.request_text(request).await;
    answer.map_err(|error| anyhow!("the API server is not ready: {}", cluster::sentence(&error)))?;
    let Some(wanted) = self_link else {
        return Ok(());
    };
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let live = namespaces.get("default").await;
    let live = live.map_err(|error| anyhow!("namespace default can't be read: {}", cluster::sentence(&error)))?;
    let sent = live.metadata.self_link.is_some_and(|link| !link.is_empty());
    match sent == wanted {
        true => Ok(()),
        false if wanted => bail!("the API server still sends no selfLink"),
        false => bail!("the API server still sends selfLink"),
    }
}
