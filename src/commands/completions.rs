//! `nfsprov completions`: prints a shell's completion script, and answers the shell when the script asks.
//!
//! The scripts only call nfsprov with [`VARIABLE`] set, so that one script fits every version, and names of the cluster
//! can be completed.

mod names;

use anyhow::Result;
use clap::{Command, CommandFactory};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};

use self::names::names_for;
use crate::cli::{self, Cli};
use crate::exit::Exit;
use crate::output;

const PROGRAM: &str = "nfsprov";

/// Set by the scripts to the name of their shell.
const VARIABLE: &str = "NFSPROV_COMPLETE";

/// zsh loads `_nfsprov` at the first completion, and expects an answer to that one, too.
const ZSH_FIRST_CALL: &str = "[[ ${funcstack[1]} == _nfsprov ]] && _clap_dynamic_completer_nfsprov \"$@\"\n";

/// Prints the completion script for a shell.
pub fn run(shell: cli::Shell) -> Result<Exit> {
    let (shell, end): (&dyn EnvCompleter, _) = match shell {
        cli::Shell::Bash => (&Bash, ""),
        cli::Shell::Zsh => (&Zsh, ZSH_FIRST_CALL),
        cli::Shell::Fish => (&Fish, ""),
        cli::Shell::Powershell => (&Powershell, ""),
    };
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)?;
    let script = String::from_utf8(script)?;
    output::print(&format!("{}\n{end}", script.trim()))?;
    Ok(Exit::Done)
}

/// Prints completions if a completion script has called nfsprov. Returns whether it has.
///
/// # Errors
/// When the shell is unknown, or stdout can't be written.
pub fn answer_shell() -> clap::error::Result<bool> {
    let directory = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| complete_names(Cli::command()))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), directory.as_deref())
}

/// Adds the completion of names in the cluster and of codes of findings to a command and its subcommands. The cluster
/// is read only when a shell asks for an argument that takes such names.
fn complete_names(command: Command) -> Command {
    let name = command.get_name().to_owned();
    command
        .mut_args(|argument| match names_for(&name, &argument) {
            None => argument,
            Some(names) => argument.add(ArgValueCompleter::new(move |current: &std::ffi::OsStr| {
                let found = names.list(&current.to_string_lossy());
                found.into_iter().map(CompletionCandidate::new).collect::<Vec<_>>()
            })),
        })
        .mut_subcommands(complete_names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use names::Names;

    fn collect(command: &Command, found: &mut BTreeMap<String, Vec<Names>>) {
        for argument in command.get_arguments() {
            if let Some(names) = names_for(command.get_name(), argument) {
                let id = format!("{} {}", command.get_name(), argument.get_id());
                found.entry(id).or_default().push(names);
            }
        }
        command.get_subcommands().for_each(|below| collect(below, found));
    }

    #[test]
    fn every_argument_that_is_a_name_is_completed() {
        let mut found = BTreeMap::new();
        collect(&Cli::command(), &mut found);
        let found: Vec<(&str, Names)> = found.iter().map(|(id, names)| (id.as_str(), names[0])).collect();
        let wanted = rows![
            ("adopt claim", Names::ClaimsWithNamespaces),
            ("adopt class", Names::Classes),
            ("doctor fix", Names::Codes),
            ("doctor ignore", Names::Codes),
            ("doctor select", Names::Codes),
            ("doctor targets", Names::Objects),
            ("explain code", Names::Codes),
            ("limit volumes", Names::Volumes),
            ("nfsprov context", Names::Contexts),
            ("nfsprov namespace", Names::Namespaces),
            ("pod claim", Names::Claims),
            ("provision lease_namespace", Names::Namespaces),
            ("pv claim", Names::ClaimsWithNamespaces),
            ("pv class", Names::Classes),
            ("pvc class", Names::Classes),
            ("pvc volume", Names::Volumes),
            ("rebuild claim", Names::ClaimsWithNamespaces),
            ("record volumes", Names::Volumes),
            ("release volume", Names::Volumes),
            ("restore claim", Names::ClaimsWithNamespaces),
            ("restore class", Names::Classes),
            ("statefulset class", Names::Classes),
        ];
        assert_eq!(found, wanted);
    }
}
