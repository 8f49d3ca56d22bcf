//! `nfsprov-lab`: the lab's command-line tool. See the README beside this crate.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use futures::future::try_join_all;
use nfsprov_lab::guest::{Guest, Template};
use nfsprov_lab::kubernetes::Unavailable;
use nfsprov_lab::namespace::{Entry, elevate, enter, skip};
use nfsprov_lab::run::{GuestState, Held, State, kubectl};
use nfsprov_lab::suite::{self, Set};
use nfsprov_lab::{ControlPlaneOptions, Lane, container, image};

/// A real Kubernetes control plane and real NFS hosts, on this machine, in namespaces of their own
#[derive(Parser)]
#[command(name = "nfsprov-lab", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything that is missing: Kubernetes, etcd, the guests' disk image
    Build {
        /// Build only this part
        part: Option<Part>,
    },
    /// Build what tests need, run them, and print how long each took
    Test {
        /// Run only these groups of tests, with the jobs that they need
        groups: Vec<String>,
        /// Set of groups to run
        #[arg(long, value_enum, default_value_t = Set::Test)]
        set: Set,
    },
    /// Start a lab in the background (building what is missing) and print its variables
    Up(Up),
    /// End a lab with all its processes, and remove its files
    Down(Name),
    /// Show the running labs and their processes
    Status,
    /// Run a command inside a lab, with its variables set and its kubectl first on PATH
    Exec {
        #[command(flatten)]
        name: Name,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Print a lab's variables as export lines (its addresses are reachable from inside only, see exec)
    Env(Name),
    /// Log in to a guest as root, or run a command there
    Ssh {
        #[command(flatten)]
        name: Name,
        /// The guest: nfs, node1, host1 …
        guest: String,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Print a configuration for ssh with which it logs in to the guests (from inside only, see exec)
    SshConfig(Name),
    /// Pack a program, with the libraries that it needs, as a container image for nodes: DIR/image.tar
    Image {
        /// Name of the image, such as localhost/nfsprov:lab
        name: String,
        /// The program
        program: PathBuf,
        /// Directory for image.tar
        dir: PathBuf,
    },
    /// Run a lab's components; `up` starts this inside the lab
    #[command(hide = true)]
    Hold(Up),
}

/// A part of the lab that can be built separately.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Part {
    /// Kubernetes 1.20.2 and the image
    #[value(name = "1.20")]
    V1_20,
    /// The newest Kubernetes and the image
    Latest,
    /// The guests' disk image
    Image,
    /// The disk of nodes
    Nodes,
    /// The disk of the double of a host with rpm packages
    RpmDouble,
    /// The disk of a server with firewalls and one-time passwords
    Tools,
    /// The disk of a server with quotas
    Quota,
}

#[derive(Args)]
struct Name {
    /// The lab's name
    #[arg(long, default_value = "default")]
    name: String,
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    name: Name,
    /// How many nodes of Kubernetes to start, node1, node2 …; they run real pods
    #[arg(long, default_value_t = 0)]
    nodes: usize,
    /// How many bare hosts to start, host1, host2 …: not part of Kubernetes, without NFS
    #[arg(long, default_value_t = 0)]
    hosts: usize,
    /// Leave the host nfs as bare as the other hosts
    #[arg(long)]
    bare: bool,
    /// The version of Kubernetes: 1.20 or latest [default: one that is built, or 1.20]
    #[arg(long)]
    lane: Option<Lane>,
    /// A further argument of kube-apiserver, such as --feature-gates=RemoveSelfLink=false; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    api_server_arg: Vec<String>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        // The failures are already printed.
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("nfsprov-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; returns false if it ran tests and one failed.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::Hold(options) => hold(&options)?,
        Command::Image { name, program, dir } => {
            let archive = container::of_program(&name, &program, &dir)?;
            println!("{}", archive.display());
        }
        // Runs as the caller; jobs that need root use sudo.
        Command::Test { groups, set } => return suite::run(set, &groups),
        command => run_as_root(command)?,
    }
    Ok(true)
}

/// Runs a command that changes the cache and running labs, whose files belong to root.
fn run_as_root(command: Command) -> Result<()> {
    elevate()?;
    match command {
        Command::Build { part: Some(part) } => build_part(part),
        Command::Build { part: None } => build_all(),
        Command::Up(options) => up(&options),
        Command::Down(Name { name }) => Held::new(&name)?.down(),
        Command::Status => status(),
        Command::Exec {
            name: Name { name },
            command,
        } => Held::new(&name)?.exec(&command),
        Command::Env(Name { name }) => {
            let held = Held::new(&name)?;
            let state = held
                .state()
                .with_context(|| format!("the lab {name} is not up: run nfsprov-lab up"))?;
            print_variables(&held, &state);
            Ok(())
        }
        Command::Ssh {
            name: Name { name },
            guest,
            command,
        } => ssh(&name, &guest, command),
        Command::SshConfig(Name { name }) => ssh_config(&name),
        Command::Image { .. } | Command::Hold(_) | Command::Test { .. } => unreachable!("handled by run"),
    }
}

/// Builds a Kubernetes and the guests' image in parallel: the image mostly waits for downloads and a guest.
fn build(lane: Lane) -> Result<()> {
    std::thread::scope(|scope| {
        let image = scope.spawn(image::build);
        let kubernetes = lane.build();
        let image = image
            .join()
            .map_err(|_| anyhow!("building the guests' image panicked"))?;
        kubernetes.and(image).map(drop)
    })
}

fn build_part(part: Part) -> Result<()> {
    match part {
        Part::V1_20 => build(Lane::V1_20),
        Part::Latest => build_latest(),
        Part::Image => image::build().map(drop),
        Part::Nodes => image::node::build().map(drop),
        Part::RpmDouble => image::rpm_double::build().map(drop),
        Part::Tools => image::tools::build().map(drop),
        Part::Quota => image::quota::build().map(drop),
    }
}

/// Builds everything, first the parts that most tests need.
fn build_all() -> Result<()> {
    image::node::build()?;
    image::rpm_double::build()?;
    image::tools::build()?;
    image::quota::build()?;
    build_latest()
}

/// Builds the newest Kubernetes. Where this machine cannot, prints the reason, and tests skip it.
fn build_latest() -> Result<()> {
    match build(Lane::Latest) {
        Err(error) if error.is::<Unavailable>() => skip(&format!("{error:#}")),
        built => built,
    }
}

fn up(options: &Up) -> Result<()> {
    let held = Held::new(&options.name.name)?;
    let lane = options.lane.unwrap_or_else(Lane::built_or_default);
    if held.state().is_none() {
        match options.nodes {
            0 => build(lane)?,
            // If the lane has no nodes, this returns the reason before anything starts.
            _ => lane
                .build_node_programs()
                .and_then(|_| image::node::build())
                .map(drop)?,
        }
    }
    let mut args = vec!["hold".to_owned(), format!("--name={}", held.name())];
    args.push(format!("--nodes={}", options.nodes));
    args.push(format!("--hosts={}", options.hosts));
    args.extend(options.bare.then(|| "--bare".to_owned()));
    args.push(format!("--lane={lane}"));
    args.extend(
        options
            .api_server_arg
            .iter()
            .map(|arg| format!("--api-server-arg={arg}")),
    );
    let state = held.up(&args)?;
    print_variables(&held, &state);
    Ok(())
}

fn print_variables(held: &Held, state: &State) {
    for (name, value) in held.variables(state) {
        println!("export {name}='{}'", value.replace('\'', r"'\''"));
    }
}

fn status() -> Result<()> {
    let all = Held::all()?;
    let (running, dead): (Vec<_>, Vec<_>) = all.iter().partition(|held| held.holder().is_some());
    for held in dead {
        println!("{}: its holder has ended; removing its files", held.name());
        held.down()?;
    }
    if running.is_empty() {
        println!("No lab is up.");
    }
    for held in running {
        match held.state() {
            Some(state) => {
                println!(
                    "{}: up, Kubernetes {}, {}",
                    held.name(),
                    state.version,
                    state.kubeconfig.display()
                );
                for guest in state.guests {
                    println!("  {:<24} {}", guest.name, guest.address);
                }
            }
            None => println!(
                "{}: starting or stopping ({})",
                held.name(),
                held.dir().join("holder.log").display()
            ),
        }
        // A guest consists of many processes that share memory, so the largest one is its size.
        let mut largest = std::collections::BTreeMap::new();
        for (_, name, rss) in held.processes() {
            let (count, most) = largest.entry(name).or_insert((0, 0));
            *count += 1;
            *most = rss.max(*most);
        }
        for (name, (count, most)) in largest {
            println!("  {name:<24} {count:>3} × at most {} MiB", most >> 20);
        }
    }
    Ok(())
}

fn ssh(name: &str, guest: &str, command: Vec<String>) -> Result<()> {
    let held = Held::new(name)?;
    let state = held
        .state()
        .with_context(|| format!("the lab {name} is not up: run nfsprov-lab up"))?;
    let Some(found) = state.guests.iter().find(|known| known.name == guest) else {
        let names: Vec<_> = state.guests.iter().map(|guest| guest.name.as_str()).collect();
        bail!("the lab {name} has no guest {guest}; it has: {}", names.join(", "));
    };
    let mut line: Vec<String> = [
        "ssh",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-i",
    ]
    .map(str::to_owned)
    .to_vec();
    line.push(found.ssh_key.display().to_string());
    line.extend([
        "-o".to_owned(),
        format!("UserKnownHostsFile={}", found.known_hosts.display()),
    ]);
    line.push(format!("root@{}", found.address));
    line.extend(command);
    held.exec(&line)
}

fn ssh_config(name: &str) -> Result<()> {
    let state = Held::new(name)?
        .state()
        .with_context(|| format!("the lab {name} is not up: run nfsprov-lab up"))?;
    for guest in state.guests {
        println!("Host {}\n    HostName {}\n    User root", guest.name, guest.address);
        println!("    IdentityFile \"{}\"", guest.ssh_key.display());
        println!("    UserKnownHostsFile \"{}\"", guest.known_hosts.display());
    }
    Ok(())
}

/// Runs a control plane and guests until it is killed.
fn hold(options: &Up) -> Result<()> {
    let Entry::Inside(lab) = enter()? else {
        bail!("hold is what up runs inside a lab")
    };
    let lane = options.lane.unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    runtime.block_on(async {
        let options_of_plane = ControlPlaneOptions {
            lane,
            api_server_args: options.api_server_arg.clone(),
            nodes: options.nodes > 0,
            ..ControlPlaneOptions::default()
        };
        // All start at once, but get addresses in this order, so that the addresses are the same each time.
        let names = (1..=options.hosts).map(|number| format!("host{number}"));
        let hosts = names.map(|name| {
            let lab = &lab;
            async move { lab.guest(&name, Template::Bare).await }
        });
        let template = match options.bare {
            true => Template::Bare,
            false => Template::NfsServer,
        };
        let (control_plane, server, hosts) = tokio::try_join!(
            lab.control_plane(options_of_plane),
            lab.guest("nfs", template),
            try_join_all(hosts)
        )?;
        let names = (1..=options.nodes).map(|number| format!("node{number}"));
        let nodes = names.map(|name| {
            let (lab, plane) = (&lab, &control_plane);
            async move { lab.node(&name, plane).await }
        });
        let nodes = try_join_all(nodes).await?;
        let guests: Vec<_> = [server].into_iter().chain(nodes).chain(hosts).collect();
        let state = State {
            version: control_plane.version().to_owned(),
            kubeconfig: control_plane.kubeconfig().to_owned(),
            kubectl: kubectl(lane)?,
            nfs_server: guests[0].address(),
            nfs_path: image::NFS_PATH.to_owned(),
            guests: guests.iter().map(reach).collect(),
        };
        Held::publish(lab.dir(), &state)?;
        std::future::pending::<Result<()>>().await
    })
}

fn reach(guest: &Guest) -> GuestState {
    GuestState {
        name: guest.name().to_owned(),
        address: guest.address(),
        ssh_key: guest.ssh_key(),
        known_hosts: guest.known_hosts().to_owned(),
    }
}
