//! nfsprov gives Kubernetes clusters storage from NFS.
//!
//! The binary is a thin shell over [`run`]; `ARCHITECTURE.md` has the map of the modules.

/// The rows of a table in a test; rustfmt leaves them one a line.
#[cfg(test)]
macro_rules! rows {
    ($($row:tt)*) => { [$($row)*] };
}

pub mod change;
pub mod cli;
pub mod cluster;
mod commands;
mod control_plane;
mod diff;
pub mod doctor;
mod escape;
mod exit;
pub mod export;
pub mod host;
pub mod image;
pub mod manifest;
pub mod output;
pub mod provisioner;
mod shell;
mod systemd;
mod versioned;
pub mod volumes;
mod yaml;

use std::path::Path;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

pub use exit::{Exit, UsageError};

use cli::{Cli, Command, LogFormat};

/// Runs one command line, from the process' arguments to its exit status; answers a completion script instead if one
/// calls. Errors are printed, or logged for a command that logs as JSON.
pub fn run() -> Exit {
    match commands::completions::answer_shell() {
        Ok(false) => {}
        Ok(true) => return Exit::Done,
        Err(error) => {
            output::say(&format!("error: {error}"));
            return Exit::Failed;
        }
    }
    let cli = match parse_arguments() {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error),
    };
    start_logging(&cli);
    let json = logs_json(&cli.command);
    match run_subcommand(cli) {
        Ok(exit) => exit,
        Err(error) => {
            // A program that parses the logs parses the last line, too.
            if json {
                tracing::error!("{error:#}");
            } else {
                // Some errors have several lines.
                format!("error: {error:#}").lines().for_each(output::say);
            }
            if error.is::<UsageError>() {
                Exit::Usage
            } else {
                Exit::Failed
            }
        }
    }
}

/// Parses the process' arguments. As a plugin of kubectl, the command is called `kubectl nfsprov` in help and errors.
fn parse_arguments() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_name() == Some("kubectl-nfsprov".as_ref()) {
        command = command.bin_name("kubectl nfsprov");
    }
    let matches = command.try_get_matches()?;
    if let Some(status) = matches.subcommand_matches("status") {
        cli::check_watch(status)?;
    }
    Cli::from_arg_matches(&matches)
}

/// Runs the subcommand on a runtime of its own. Does not wait for calls of the file system that still run afterwards.
fn run_subcommand(cli: Cli) -> Result<Exit> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if matches!(cli.command, Command::Provision(_)) {
        // It waits most of the time, and each thread keeps the memory of a burst for itself.
        runtime.worker_threads(1);
    }
    let runtime = runtime.enable_all().build()?;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Create { kind } => commands::create::run(kind, &cli.global).await,
            Command::Provision(args) => commands::provision::run(args, &cli.global).await,
            Command::Doctor(args) => commands::doctor::run(args, &cli.global).await,
            Command::Templates { action } => commands::templates::run(&action),
            Command::Migrate { from } => commands::migrate::run(from, &cli.global).await,
            Command::Image { action } => commands::image::run(action, &cli.global).await,
            Command::Version(args) => commands::version::run(&args),
            Command::Completions { shell } => commands::completions::run(shell),
            Command::Man(args) => commands::man::run(&args),
            Command::Status(args) => commands::status::run(args, &cli.global).await,
            Command::Volumes { action } => commands::volumes::run(action, &cli.global).await,
            Command::Release(args) => commands::release::run(args, &cli.global).await,
            Command::SetupServer(args) => commands::setup::server(args, &cli.global).await,
            Command::SetupClient(args) => commands::setup::client(args, &cli.global).await,
            Command::TeardownServer(args) => commands::setup::teardown(args, &cli.global).await,
        }
    });
    // A file system call on a dead mount never ends; the process does not wait for it.
    runtime.shutdown_background();
    exit
}

/// Prints one sentence for a wrong command line and returns `Usage`; prints help and version as clap does, which is
/// `Done`, or `Usage` if the help stands for a missing argument.
fn print_usage_error(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            _ = error.print();
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            _ = error.print();
            Exit::Usage
        }
        _ => {
            output::say(&format!(
                "{} (--help describes the options)",
                cli::describe_usage_error(error)
            ));
            Exit::Usage
        }
    }
}

/// Starts the log on stderr, with the level of `RUST_LOG` if it is set, else of -q or -v. A second call panics.
fn start_logging(cli: &Cli) {
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => "error",
        (_, 0) => "nfsprov=info,warn",
        (_, 1) => "nfsprov=debug,info",
        _ => "debug",
    };
    // The NFS library warns of every failed attempt, which nfsprov reports with its reason.
    let quiet = ["nfs_rs=off", "kube_client=off", "kube_runtime=error"].join(",");
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::new(filter),
        _ if cli.global.verbose > 1 => EnvFilter::new(level),
        _ => EnvFilter::new(format!("{level},{quiet}")),
    };
    let colour = commands::colour_choice(cli.global.color).on_stderr();
    let writer = match logs_json(&cli.command) {
        true => output::Log::Json,
        false => output::Log::Text,
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer)
        .with_ansi(colour)
        .with_target(cli.global.verbose > 0);
    if logs_json(&cli.command) {
        logs.json().init();
    } else {
        logs.init();
    }
}

fn logs_json(command: &Command) -> bool {
    matches!(command, Command::Provision(args) if args.log_format == LogFormat::Json)
}
