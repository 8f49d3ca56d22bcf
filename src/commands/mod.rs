//! One file or folder per subcommand: it takes the arguments, calls a domain and prints the result. Errors are
//! returned, not printed; a [`UsageError`] becomes the exit status 2.

mod access;
pub mod completions;
pub mod create;
pub mod doctor;
mod host_run;
pub mod image;
pub mod man;
pub mod migrate;
pub mod provision;
pub mod release;
pub mod setup;
pub mod status;
pub mod templates;
pub mod version;
pub mod volumes;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Format, Global, When};
use crate::cluster::ClusterOptions;
use crate::exit::{Exit, UsageError};
use crate::manifest::files::{self, File, WriteError, Written};
use crate::output::{self, Colour};
use crate::versioned::Versioned;

fn cluster_options(global: &Global) -> ClusterOptions {
    ClusterOptions {
        kubeconfig: global.kubeconfig.clone(),
        context: global.context.clone(),
        namespace: global.namespace.clone(),
        request_timeout: global.request_timeout,
    }
}

pub(crate) fn colour_choice(when: When) -> Colour {
    match when {
        When::Auto => Colour::Auto,
        When::Always => Colour::Always,
        When::Never => Colour::Never,
    }
}

/// Resolves when the run is to end.
type Stop = Shared<BoxFuture<'static, ()>>;

/// Listens for signals from now on; they no longer end the process. The future resolves at the first SIGINT or SIGTERM,
/// which is logged; at the second the process ends at once with status 1.
fn stop_signal() -> Result<Stop> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let (send_stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
        next().await;
        tracing::info!("stopping: finishing the requests in flight; a second signal stops at once");
        // The receiver is dropped if the loop has ended by itself.
        _ = send_stop.send(());
        next().await;
        output::clear();
        std::process::exit(Exit::Failed as i32);
    });
    let stop = async move {
        // The task ends with the process only.
        _ = stopped.await;
    };
    Ok(stop.boxed().shared())
}

/// Awaits `work`; `None` if the run is interrupted before: `work` is dropped unfinished then.
async fn or_stop<T>(stop: &Stop, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.clone() => None,
        done = work => Some(done),
    }
}

/// Asks a yes-or-no question. `undone` says what was not done if the answer is no.
///
/// # Errors
/// When the answer is no, or the question is cancelled; without a terminal a usage error with the sentence `usage`.
fn confirm_or_fail(question: &str, undone: &str, usage: impl Into<String>) -> Result<()> {
    if !output::can_ask() {
        return Err(UsageError(usage.into().into()).into());
    }
    match output::confirm(question).with_context(|| undone.to_owned())? {
        true => Ok(()),
        false => anyhow::bail!("{undone}"),
    }
}

/// Writes files into a directory and prints their paths. Overwrites files that differ only with `overwrite`, or after a
/// confirmation; an error if the user declines, a usage error without a terminal. Nothing is written then.
fn write_files(directory: &Path, files: &[File], overwrite: bool) -> Result<()> {
    let written = match files::write_files(directory, files, overwrite) {
        Err(error @ WriteError::Differs(_)) => {
            let usage = format!("{error}; --yes overwrites");
            confirm_or_fail(&format!("{error}; overwrite?"), "nothing was written", usage)?;
            files::write_files(directory, files, true)
        }
        written => written,
    }?;
    let line = |path: &PathBuf, what: &str| format!("{} {what}\n", path.display());
    let lines = written.iter().map(|file| match file {
        Written::New(path) => line(path, "written"),
        Written::Unchanged(path) => line(path, "unchanged"),
    });
    Ok(output::print(&lines.collect::<String>())?)
}

/// A claim given as `NAMESPACE/NAME`, as kubectl takes it: `pvc/NAME -n NAMESPACE`. Any other text is returned as it
/// is.
fn claim_title(claim: &str) -> String {
    match claim.split_once('/') {
        Some((namespace, name)) => format!("pvc/{name} -n {namespace}"),
        None => claim.to_owned(),
    }
}

/// Renders a result, which serialises to an object, as JSON or YAML with its `kind` and version. `None` for the other
/// formats, which each command renders itself.
fn for_scripts(format: Format, kind: &'static str, result: impl Serialize) -> serde_json::Result<Option<String>> {
    let write = match format {
        Format::Json => output::to_json,
        Format::Yaml => output::to_yaml,
        Format::Table | Format::Wide | Format::Name => return Ok(None),
    };
    Ok(Some(write(&serde_json::to_value(Versioned::new(kind, result))?)))
}

fn headings_unless<'a>(no_headers: bool, headings: &'a [&'a str]) -> &'a [&'a str] {
    if no_headers { &[] } else { headings }
}
