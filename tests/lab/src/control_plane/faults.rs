//! Faults of a control plane: its components are stopped, killed, frozen and started again.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{ControlPlane, spawn, wait_ready};

/// How long the API server may take to end after SIGTERM. It closes its port at once, then waits up to a minute for
/// clients to close their watches.
const GRACE: Duration = Duration::from_secs(5);

impl ControlPlane {
    /// Stops the API server with SIGTERM, and with SIGKILL after five seconds. Then connections to it are refused.
    ///
    /// # Errors
    /// If waiting for its end fails.
    pub async fn stop_api_server(&mut self) -> Result<()> {
        self.api_server.terminate(GRACE).await
    }

    /// Kills the API server.
    ///
    /// # Errors
    /// If waiting for its end fails.
    pub async fn kill_api_server(&mut self) -> Result<()> {
        self.api_server.kill().await
    }

    /// Starts the API server again, on the same port and with the same data, and waits until it is ready.
    ///
    /// # Errors
    /// If it is already running or does not become ready.
    pub async fn start_api_server(&mut self) -> Result<()> {
        if self.api_server.is_running() {
            bail!("the API server of {} is running already", self.dir.display());
        }
        self.api_server = spawn(&self.dir, &self.api_server_program, &self.api_server_args)?;
        wait_ready(&self.client().await?, &[&self.etcd, &self.api_server]).await
    }

    /// Restarts the API server with the additional arguments `further`, whether it runs or not, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// If it does not end or does not become ready, for example because it rejects an argument.
    pub async fn restart_api_server_with(&mut self, further: &[String]) -> Result<()> {
        // Clients never close their watches, so a graceful stop would always take the full grace period.
        self.kill_api_server().await?;
        self.api_server_args.truncate(self.own_args);
        self.api_server_args.extend_from_slice(further);
        self.start_api_server().await
    }

    /// Freezes the API server (SIGSTOP): the kernel accepts connections, but no request is answered.
    ///
    /// # Errors
    /// If it is not running.
    pub fn hang_api_server(&self) -> Result<()> {
        self.api_server.signal("STOP")
    }

    /// Continues a frozen API server (SIGCONT).
    ///
    /// # Errors
    /// If it is not running.
    pub fn resume_api_server(&self) -> Result<()> {
        self.api_server.signal("CONT")
    }

    /// Freezes the controller manager (SIGSTOP): it binds and releases no volumes meanwhile.
    ///
    /// # Errors
    /// If it is not running.
    pub fn hang_controller_manager(&self) -> Result<()> {
        self.controller_manager.signal("STOP")
    }

    /// Continues a frozen controller manager (SIGCONT).
    ///
    /// # Errors
    /// If it is not running.
    pub fn resume_controller_manager(&self) -> Result<()> {
        self.controller_manager.signal("CONT")
    }

    /// Freezes all components (SIGSTOP): an idle control plane uses a tenth of a processor.
    ///
    /// # Errors
    /// If a component is not running.
    pub fn pause(&self) -> Result<()> {
        self.signal_all("STOP")
    }

    /// Continues a paused control plane.
    ///
    /// # Errors
    /// If a component is not running.
    pub fn resume(&self) -> Result<()> {
        self.signal_all("CONT")
    }

    fn signal_all(&self, signal: &str) -> Result<()> {
        self.components().try_for_each(|process| process.signal(signal))
    }
}
