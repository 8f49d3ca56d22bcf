//! Control planes whose parts are stopped, killed, frozen and started again.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{ControlPlane, spawn, wait_ready};

/// How long the API server may take to end by itself. It closes its port at once, then waits a minute for watches that
/// their clients do not give up.
const GRACE: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// Stops the API server (SIGTERM, after five seconds SIGKILL); connections to it are refused then.
    ///
    /// # Errors
    /// When its end cannot be waited for.
    pub async fn stop_api_server(&mut self) -> Result<()> {
        self.api_server.terminate(GRACE).await
    }

    /// Kills the API server.
    ///
    /// # Errors
    /// When its end cannot be waited for.
    pub async fn kill_api_server(&mut self) -> Result<()> {
        self.api_server.kill().await
    }

    /// Starts the API server again, on the same port and with the same data, and waits until it is ready.
    ///
    /// # Errors
    /// When it is running already or does not get ready.
    pub async fn start_api_server(&mut self) -> Result<()> {
        if self.api_server.is_running() {
            bail!("the API server of {} is running already", self.dir.display());
        }
        self.api_server = spawn(&self.dir, &self.api_server_program, &self.api_server_args)?;
        wait_ready(&self.client().await?, &[&self.etcd, &self.api_server]).await
    }

    /// Starts the API server again with other further arguments, whether it runs or not, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not end or does not get ready, as with an argument that it refuses.
    pub async fn restart_api_server_with(&mut self, further: &[String]) -> Result<()> {
        // Clients never give their watches up, so a graceful end would always take the whole of its time.
        self.kill_api_server().await?;
        self.api_server_args.truncate(self.own_args);
        self.api_server_args.extend_from_slice(further);
        self.start_api_server().await
    }

    /// Freezes the API server (SIGSTOP): connections are accepted by the kernel, and nothing is answered.
    ///
    /// # Errors
    /// When it is not running.
    pub fn hang_api_server(&self) -> Result<()> {
        self.api_server.signal("STOP")
    }

    /// Lets a frozen API server go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume_api_server(&self) -> Result<()> {
        self.api_server.signal("CONT")
    }

    /// Freezes the controller manager (SIGSTOP): nothing is handed over, bound or released meanwhile.
    ///
    /// # Errors
    /// When it is not running.
    pub fn hang_controller_manager(&self) -> Result<()> {
        self.controller_manager.signal("STOP")
    }

    /// Lets a frozen controller manager go on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume_controller_manager(&self) -> Result<()> {
        self.controller_manager.signal("CONT")
    }

    /// Freezes all of it (SIGSTOP): an idle control plane keeps a tenth of a processor busy.
    ///
    /// # Errors
    /// When a component is not running.
    pub fn pause(&self) -> Result<()> {
        self.signal_all("STOP")
    }

    /// Lets a paused one go on.
    ///
    /// # Errors
    /// When a component is not running.
    pub fn resume(&self) -> Result<()> {
        self.signal_all("CONT")
    }

    fn signal_all(&self, signal: &str) -> Result<()> {
        self.components().try_for_each(|process| process.signal(signal))
    }
}
