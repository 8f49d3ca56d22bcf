//! The sessions to jump hosts: all connections of a run that take the same route share one. The main type is
//! [`JumpSessions`]; its calls block.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ConnectError;
use super::route::Hop;
use super::run::SshSession;
use super::tunnel::JumpSession;

/// The part of the connect timeout in which a jump host that is well has opened a tunnel. Until then, others wait for
/// the same session; afterwards they get a new one, so that an address that drops packets holds up no other host.
const PROMPT_PART: u32 = 4;

/// The sessions to jump hosts, one for each route there. Logs in on first use.
#[derive(Default)]
pub struct JumpSessions(Mutex<Vec<Arc<JumpRoute>>>);

/// The route to a jump host: the hosts that lead to it and itself, each with all of its settings.
struct JumpRoute {
    hops: Vec<Hop>,
    /// Locked while a connection logs in there, or opens a tunnel.
    state: Mutex<JumpRouteState>,
}

#[derive(Default)]
struct JumpRouteState {
    session: Option<JumpSession>,
    /// The last login that failed, and when.
    failure: Option<(Instant, ConnectError)>,
}

impl fmt::Debug for JumpSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JumpSessions(…)")
    }
}

impl JumpSessions {
    /// A socket that leads to `host` through `jump_hosts`, the last of which `log_in` logs in to, once for all callers:
    /// the others wait, and share the error of a failed login. A session that was lost is replaced by a new login. One
    /// that opens no tunnel within a quarter of `timeout` gets no further ones, while this call waits for the rest.
    pub(super) fn open_tunnel(
        &self,
        jump_hosts: &[Hop],
        host: &Hop,
        timeout: Duration,
        log_in: impl Fn() -> Result<SshSession, ConnectError>,
    ) -> Result<OwnedFd, ConnectError> {
        let (asked, prompt) = (Instant::now(), timeout / PROMPT_PART);
        let last = jump_hosts.last().map(Hop::address).unwrap_or_default();
        let refused =
            |cause: &str| ConnectError::unreachable(&host.address(), &format!("{last} can't connect to it: {cause}"));
        let route = self.find_or_add_route(jump_hosts);
        let mut route = lock(&route.state);
        loop {
            let is_new = route.session.is_none();
            let session = match route.session.take() {
                Some(session) => session,
                None => route.log_in_and_start(&last, asked, &log_in)?,
            };
            let reply = session.request_tunnel(&host.host, host.port, timeout);
            match reply.recv_timeout(prompt) {
                Ok(opened) => {
                    route.session = Some(session);
                    return opened.map_err(|cause| refused(&cause));
                }
                // The session was lost since its last use.
                Err(RecvTimeoutError::Disconnected) if !is_new => {}
                Err(RecvTimeoutError::Disconnected) => return Err(refused("its connection was lost")),
                Err(RecvTimeoutError::Timeout) => {
                    // Without its handle, the session ends after the tunnels that it has.
                    drop((session, route));
                    let opened = reply.recv_timeout(timeout - prompt);
                    let silent = || format!("no answer within {} s", timeout.as_secs_f32());
                    return opened
                        .unwrap_or_else(|_| Err(silent()))
                        .map_err(|cause| refused(&cause));
                }
            }
        }
    }

    /// The entry for a chain of jump hosts with these very settings; a new one without a session if there is none yet.
    fn find_or_add_route(&self, jump_hosts: &[Hop]) -> Arc<JumpRoute> {
        let mut routes = lock(&self.0);
        if let Some(route) = routes.iter().find(|route| route.hops == jump_hosts) {
            return Arc::clone(route);
        }
        let route = Arc::new(JumpRoute {
            hops: jump_hosts.to_vec(),
            state: Mutex::default(),
        });
        routes.push(Arc::clone(&route));
        route
    }
}

impl JumpRouteState {
    /// Logs in and starts the session's thread; the caller keeps the session. A failure after `asked` is returned again
    /// without another login. `jump_host` is its name in messages.
    fn log_in_and_start(
        &mut self,
        jump_host: &str,
        asked: Instant,
        log_in: impl Fn() -> Result<SshSession, ConnectError>,
    ) -> Result<JumpSession, ConnectError> {
        if let Some((when, error)) = &self.failure
            && *when > asked
        {
            return Err(error.clone());
        }
        let failed = |cause: String| ConnectError::unreachable(jump_host, &cause);
        let started = log_in().and_then(|live| JumpSession::start(live, jump_host).map_err(failed));
        started.inspect_err(|error| self.failure = Some((Instant::now(), error.clone())))
    }
}

/// Locks it, also if another thread panicked while it held the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
