//! From a target to a session that is logged in, through as many hosts as are on the way. The main type is
//! [`Connection`]. All of it blocks, and runs in the connection's own thread.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::time::Duration;

use ssh2::{ErrorCode, MethodType, Session};

use super::login::{self, Attempts, LoginResult};
use super::proxy::{self, Proxy};
use super::route::{Hop, find_hops};
use super::run::{ExecError, Shell, SshSession, to_milliseconds};
use super::trust::Trust;
use super::{Access, ConnectError, MAX_OUTPUT, Output, RunError, Sudo};
use crate::host::ask::Secret;
use crate::host::known_hosts::PublicKey;
use crate::host::ssh_settings::AddressFamily;
use crate::host::target::Target;

/// How often sudo's password is asked for.
const PASSWORDS: usize = 3;

/// A session that is logged in, and what reads scripts there.
pub(super) struct Connection {
    pub(super) live: SshSession,
    /// The user, host and port, such as `root@nfs:22`.
    pub(super) name: String,
    shell: Shell,
}

impl Connection {
    /// Runs a script in the shell that was found at login: the login's, or root's by sudo. The connection is closed if
    /// `cancelled` returns true, the host neither takes input nor writes output for `patience`, or the script writes
    /// more than `max_output` bytes to its standard output.
    pub(super) fn run(
        &mut self,
        script: &str,
        max_output: usize,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Output, ExecError> {
        self.live.run(script, &self.shell, max_output, patience, cancelled)
    }
}

/// Connects and logs in to a target, through its jump hosts, and finds the shell for scripts. May ask the user, and
/// records new host keys that are accepted. Blocks its thread. `cancelled` is asked once all attempts on a connection
/// have been made, but not about logins to jump hosts; if it returns true, the result is an error.
pub(super) fn connect(
    target: &Target,
    access: &Access,
    cancelled: &dyn Fn() -> bool,
) -> Result<Connection, ConnectError> {
    let hops = find_hops(target, access).map_err(|cause| ConnectError::Config {
        host: target.to_string(),
        cause,
    })?;
    let Some(last) = hops.last() else {
        return Err(ConnectError::unreachable(&target.to_string(), "no host was named"));
    };
    let live = log_in(&hops, access, cancelled)?;
    let name = format!("{}@{}", last.user, last.address());
    let shell = find_shell(&live, last, access, cancelled)?;
    tracing::debug!(host = %target, name, "connected over SSH");
    Ok(Connection { live, name, shell })
}

/// Logs in to the last of `hops`, through those before it. Connects again while further host keys or login methods are
/// left to try. May ask the user, and records new host keys that are accepted. `cancelled` is asked once all attempts
/// on a connection have been made; if it returns true, the result is an error.
pub(super) fn log_in(hops: &[Hop], access: &Access, cancelled: &dyn Fn() -> bool) -> Result<SshSession, ConnectError> {
    let Some((hop, jump_hosts)) = hops.split_last() else {
        return Err(ConnectError::unreachable("the host", "no host was named"));
    };
    let mut attempts = Attempts::default();
    // Once the host has shown that it has no key of the recorded types, any key is requested, to see and name it.
    let mut requests_any_key = false;
    loop {
        let (socket, proxy) = open_socket(hop, jump_hosts, access)?;
        let trust = Trust::read_known_hosts(access, hop)?;
        let recorded = trust.recorded_algorithms().filter(|_| !requests_any_key);
        let live = match log_in_and_start(socket, proxy, recorded.as_deref(), access.connect_timeout) {
            Ok(live) => live,
            Err((error, _)) if recorded.is_some() && is_disagreement(&error) => {
                requests_any_key = true;
                continue;
            }
            Err((error, proxy)) => {
                let said = proxy.map(|proxy| proxy.last_stderr()).filter(|said| !said.is_empty());
                let said = said.map_or_else(String::new, |said| format!("; its ProxyCommand says: {said}"));
                return Err(ConnectError::unreachable(
                    &hop.address(),
                    &format!("{}{said}", error.message()),
                ));
            }
        };
        let Some(key) = live.session.host_key().map(|(blob, _)| PublicKey::new(blob)) else {
            return Err(ConnectError::unreachable(&hop.address(), "it shows no host key"));
        };
        trust.check_key(&key)?;
        let step = login::continue_login(&live.session, hop, access, &mut attempts)?;
        if cancelled() {
            return Err(ConnectError::unreachable(&hop.address(), "the run was cancelled"));
        }
        match step {
            LoginResult::LoggedIn => return Ok(live),
            LoginResult::Retry => {}
        }
    }
}

/// Opens a socket to a host: by TCP, by its ProxyCommand, or through `jump_hosts`, to which it logs in unless this run
/// has a session. The ProxyCommand, whose failure shows only on the socket, ends with the `Proxy`.
fn open_socket(hop: &Hop, jump_hosts: &[Hop], access: &Access) -> Result<(OwnedFd, Option<Proxy>), ConnectError> {
    match (jump_hosts, &hop.proxy_command) {
        ([], None) => Ok((connect_tcp(hop, access.connect_timeout)?, None)),
        ([], Some(command)) => {
            let started = proxy::start_proxy_command(command);
            let (socket, proxy) = started.map_err(|cause| ConnectError::unreachable(&hop.address(), &cause))?;
            Ok((socket, Some(proxy)))
        }
        (jump_hosts, _) => {
            // Others may wait for this login, so it goes on when this connection is cancelled.
            let log_in = || log_in(jump_hosts, access, &|| false);
            let sessions = &access.jump_sessions;
            let socket = sessions.open_tunnel(jump_hosts, hop, access.connect_timeout, log_in)?;
            Ok((socket, None))
        }
    }
}

/// A TCP connection to the first of the host's addresses that accepts one, of the family that is configured; `timeout`
/// is for the name's resolution and for each address. The error is that of the first address.
fn connect_tcp(hop: &Hop, timeout: Duration) -> Result<OwnedFd, ConnectError> {
    let failed = |cause: &str| ConnectError::unreachable(&hop.address(), cause);
    let addresses = resolve_addresses(&hop.host, hop.port, timeout).map_err(|error| failed(&error.to_string()))?;
    let mut first = None;
    for address in addresses
        .into_iter()
        .filter(|address| hop.address_family.allows_address(address))
    {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // Scripts and their answers are small, and each waits for the other.
                stream.set_nodelay(true).map_err(|error| failed(&error.to_string()))?;
                return Ok(stream.into());
            }
            Err(error) => _ = first.get_or_insert(error),
        }
    }
    let first = first.map(|error| match error.kind() {
        io::ErrorKind::TimedOut => format!("no answer within {} s", timeout.as_secs_f32()),
        io::ErrorKind::ConnectionRefused => "connection refused: is sshd running there, on this port?".to_owned(),
        _ => error.to_string(),
    });
    let none = match hop.address_family {
        AddressFamily::Any => "the name has no address",
        AddressFamily::Inet | AddressFamily::Inet6 => "it has no address that AddressFamily allows",
    };
    Err(failed(first.as_deref().unwrap_or(none)))
}

/// Resolves a name, within `timeout`: the resolver has none, so it runs in a thread of its own, which goes on after a
/// timeout.
fn resolve_addresses(host: &str, port: u16, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
    let (tell, told) = channel();
    let name = (host.to_owned(), port);
    std::thread::Builder::new()
        .name("resolver".to_owned())
        .spawn(move || tell.send(name.to_socket_addrs().map(Vec::from_iter)))?;
    told.recv_timeout(timeout)
        .unwrap_or_else(|_| Err(io::Error::other("no answer from the resolver")))
}

/// Shakes hands on a socket, for a host key of the `recorded` algorithms, or of any without them. The caller checks the
/// key. A failure returns the ProxyCommand, too, whose standard error may say more.
fn log_in_and_start(
    socket: OwnedFd,
    proxy: Option<Proxy>,
    recorded: Option<&str>,
    timeout: Duration,
) -> Result<SshSession, (ssh2::Error, Option<Proxy>)> {
    match shake_hands(&socket, recorded, timeout) {
        Ok(session) => Ok(SshSession {
            session,
            socket,
            _proxy: proxy,
        }),
        Err(error) => Err((error, proxy)),
    }
}

/// Starts a session that asks for a host key of the `recorded` algorithms, or for any without them. The caller checks
/// the key that the host shows.
fn shake_hands(socket: &OwnedFd, recorded: Option<&str>, timeout: Duration) -> Result<Session, ssh2::Error> {
    let mut session = Session::new()?;
    session.set_timeout(to_milliseconds(timeout));
    session.method_pref(MethodType::HostKey, recorded.unwrap_or(&Trust::all_algorithms()))?;
    let lost = |_| ssh2::Error::new(ErrorCode::Session(-45), "the socket can't be shared");
    session.set_tcp_stream(socket.try_clone().map_err(lost)?);
    session.handshake()?;
    Ok(session)
}

/// Whether client and server have no algorithm in common (`LIBSSH2_ERROR_KEX_FAILURE`,
/// `LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE`, `LIBSSH2_ERROR_METHOD_NONE`), among which host keys are the likeliest.
fn is_disagreement(error: &ssh2::Error) -> bool {
    [-5, -8, -17].map(ErrorCode::Session).contains(&error.code())
}

/// Finds the shell that runs scripts: the login's, or root's by sudo if `access` asks for that and the login is not
/// root. Asks for sudo's password, up to three times, if it is needed and not given; a given one is tried once.
/// With [`Sudo::No`] it runs nothing on the host.
fn find_shell(
    live: &SshSession,
    hop: &Hop,
    access: &Access,
    cancelled: &dyn Fn() -> bool,
) -> Result<Shell, ConnectError> {
    let given = match &access.sudo {
        // Nothing to find out: the first script will tell whether the login runs scripts.
        Sudo::No => return Ok(Shell::Plain),
        Sudo::Ask => None,
        Sudo::Password(password) => Some(password),
    };
    let host = hop.address();
    let no = |why: String| ConnectError::Sudo {
        host: host.clone(),
        why,
    };
    let patience = access.connect_timeout;
    let ask = |script: &str, shell: &Shell| live.run(script, shell, MAX_OUTPUT, patience, cancelled);
    let trouble = |trouble: ExecError| match trouble.into_run_error(&host, patience) {
        lost @ (RunError::Lost { .. } | RunError::Silent { .. }) => ConnectError::unreachable(&host, &lost.to_string()),
        failed @ (RunError::Killed { .. } | RunError::NoShell { .. } | RunError::TooMuchOutput { .. }) => {
            ConnectError::Shell(failed)
        }
    };
    let said = ask("id -u; command -v sudo >/dev/null && echo sudo; exit 0", &Shell::Plain).map_err(trouble)?;
    let said = String::from_utf8_lossy(&said.stdout);
    let mut said = said.lines();
    if said.next() == Some("0") {
        return Ok(Shell::Plain);
    }
    if said.next() != Some("sudo") {
        let why = "there is no sudo, which alone is supported (not su, not doas); install it, or log in as root";
        return Err(no(why.to_owned()));
    }
    let becomes_root = |shell: &Shell| match ask("id -u", shell) {
        Ok(output) if output.stdout == b"0\n" => Ok(true),
        Ok(_) => Err(no("sudo gives another user than root".to_owned())),
        Err(ExecError::WrongPassword) => Ok(false),
        Err(ExecError::NoShell(said)) => Err(no(said)),
        Err(lost) => Err(trouble(lost)),
    };
    // A failure without a password is ignored: with one, sudo reports the same cause, and more of it.
    if becomes_root(&Shell::Sudo).unwrap_or(false) {
        return Ok(Shell::Sudo);
    }
    let question = format!("sudo's password for {} on {host}", hop.user);
    for _ in 0..PASSWORDS {
        let password: Secret = match given {
            Some(password) => password.clone(),
            None => {
                let answer = hop.check_may_ask().and_then(|()| access.ask.ask_secret(&question));
                answer.map_err(|why| no(format!("sudo wants a password, and {why}; pass --sudo-password-file")))?
            }
        };
        let shell = Shell::SudoWith(password.clone());
        if becomes_root(&shell)? {
            return Ok(shell);
        }
        access.ask.forget_secret(&question, &password);
        if given.is_some() {
            return Err(no("sudo refuses the password that it was given".to_owned()));
        }
    }
    Err(no(format!("sudo took none of {PASSWORDS} passwords")))
}
