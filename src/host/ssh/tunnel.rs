//! Tunnels through a jump host: one SSH session carries them all.
//!
//! Each session behind the jump host needs a socket of its own, and only one thread can wait for a session of libssh2.
//! So a thread for each jump host moves bytes between sockets and the channels of its [`JumpSession`].

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use ssh2::{Channel, ErrorCode, ExtendedData};

use super::run::{ExecError, SshSession, poll_fds, would_block};

/// The longest wait; after it the thread sends a keepalive.
const IDLE: Duration = Duration::from_secs(15);

/// `LIBSSH2_ERROR_CHANNEL_FAILURE`: the jump host refuses the channel, and the session goes on.
const CHANNEL_REFUSED: ErrorCode = ErrorCode::Session(-21);

/// Requests a tunnel from the thread of a jump session.
struct Request {
    host: String,
    port: u16,
    /// When the requester stops waiting.
    deadline: Instant,
    reply: SyncSender<Result<OwnedFd, String>>,
}

/// A session to a jump host. Dropping it ends the session as soon as its last tunnel has ended.
pub(super) struct JumpSession {
    requests: Sender<Request>,
    /// A byte wakes the thread for a request; the end of the stream says that no further requests come.
    wake: UnixStream,
}

impl JumpSession {
    /// Starts the thread that carries the tunnels of a session, which is logged in to the jump host `host`. An error
    /// ends the session.
    pub(super) fn start(live: SshSession, host: &str) -> Result<Self, String> {
        live.session.set_blocking(false);
        let (requests, requested) = channel();
        let (wake, woken) = UnixStream::pair().map_err(|error| error.to_string())?;
        woken.set_nonblocking(true).map_err(|error| error.to_string())?;
        let carry = move || {
            if let Err(lost) = carry_tunnels(&live, &requested, &woken) {
                tracing::debug!(?lost, "the session to a jump host ended");
            }
        };
        let thread = std::thread::Builder::new().name(format!("jump {host}"));
        thread.spawn(carry).map_err(|error| error.to_string())?;
        Ok(Self { requests, wake })
    }

    /// Requests a tunnel to a host, at most one at a time: libssh2 opens one channel after the other. The receiver gets
    /// the socket that leads to the host, or the jump host's refusal; it is disconnected if the session is lost.
    /// Nothing is sent when `timeout` has passed: the caller stops waiting by itself.
    pub(super) fn request_tunnel(&self, host: &str, port: u16, timeout: Duration) -> Receiver<Result<OwnedFd, String>> {
        let (reply, replied) = sync_channel(1);
        let request = Request {
            host: host.to_owned(),
            port,
            deadline: Instant::now() + timeout,
            reply,
        };
        // If the thread has ended, dropping the request disconnects the receiver.
        if self.requests.send(request).is_ok() {
            _ = (&self.wake).write(&[0]);
        }
        replied
    }
}

/// Bytes on their way in one direction, and how many of them were written.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    written: usize,
}

impl Buffer {
    /// Whether all of its bytes were written.
    fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// Reads if all earlier bytes were written; returns whether bytes came, false if none can be read yet. The end of
    /// the stream is an error.
    fn fill_from(&mut self, from: &mut impl Read) -> Result<bool, ErrorKind> {
        if !self.is_empty() {
            return Ok(false);
        }
        self.written = 0;
        self.bytes.resize(32 << 10, 0);
        let read = from.read(&mut self.bytes);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(ErrorKind::UnexpectedEof),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.kind()),
        }
    }

    /// Writes as many of the buffer's bytes as `into` accepts now and keeps the rest; returns whether that was any.
    fn write_to(&mut self, into: &mut impl Write) -> Result<bool, ErrorKind> {
        if self.is_empty() {
            return Ok(false);
        }
        match into.write(&self.bytes[self.written..]) {
            Ok(count) => {
                self.written += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.kind()),
        }
    }
}

/// One channel to a host, and the socket of the session that runs through it.
struct Tunnel {
    channel: Channel,
    /// None once either end has closed: then only the channel is still to be closed.
    socket: Option<UnixStream>,
    to_host: Buffer,
    from_host: Buffer,
    is_closed: bool,
}

impl Tunnel {
    /// A tunnel through `channel`, and the socket that leads into it.
    fn new(mut channel: Channel) -> Result<(Self, OwnedFd), String> {
        // Otherwise such data would stay in libssh2's queue and be reported as readable for ever.
        let merged = channel.handle_extended_data(ExtendedData::Merge);
        merged.map_err(|error| error.message().to_owned())?;
        let (near, far) = UnixStream::pair().map_err(|error| error.to_string())?;
        far.set_nonblocking(true).map_err(|error| error.to_string())?;
        let tunnel = Self {
            channel,
            socket: Some(far),
            to_host: Buffer::default(),
            from_host: Buffer::default(),
            is_closed: false,
        };
        Ok((tunnel, near.into()))
    }

    /// Moves bytes both ways as far as possible without waiting. An end or error on either side drops the socket; the
    /// next calls close the channel. True if bytes moved, or the tunnel was closed further.
    fn advance(&mut self) -> bool {
        let Some(socket) = &mut self.socket else {
            let closed = self.channel.close();
            self.is_closed = !closed.is_err_and(|error| would_block(&error));
            return self.is_closed;
        };
        let mut move_bytes = || {
            let mut moved = self.to_host.fill_from(socket)?;
            moved |= self.to_host.write_to(&mut self.channel)?;
            moved |= self.from_host.fill_from(&mut self.channel)?;
            moved |= self.from_host.write_to(socket)?;
            // The session is gone, and the host does not take its last bytes.
            if !moved && !self.to_host.is_empty() && has_hung_up(socket) {
                return Err(ErrorKind::BrokenPipe);
            }
            Ok(moved)
        };
        move_bytes().unwrap_or_else(|_| {
            self.socket = None;
            true
        })
    }

    /// Whether the channel can give or take bytes by what libssh2 received while it worked on another: no event of the
    /// session's socket will announce it. False once the tunnel's socket is dropped.
    fn can_advance(&self) -> bool {
        let is_readable = || self.channel.read_window().available > 0 || self.channel.eof();
        let is_writable = || self.channel.write_window().remaining > 0;
        self.socket.is_some()
            && ((self.from_host.is_empty() && is_readable()) || (!self.to_host.is_empty() && is_writable()))
    }

    /// The events of the tunnel's socket to wait for: readable if the buffer to the host is empty, writable if bytes
    /// are left.
    fn wanted_events(&self) -> PollFlags {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, self.to_host.is_empty());
        events.set(PollFlags::OUT, !self.from_host.is_empty());
        events
    }
}

/// Whether the socket's other end is closed, without waiting; false if that can't be read.
fn has_hung_up(socket: &UnixStream) -> bool {
    let events = poll_fds(&[(socket.as_fd(), PollFlags::empty())], Duration::ZERO);
    events.is_ok_and(|events| events[0].contains(PollFlags::HUP))
}

/// Opens tunnels and carries their bytes until no tunnel is left and none can be requested. An error of the session
/// ends all tunnels; `woken` is the other end of [`JumpSession`]'s `wake`, and does not block.
fn carry_tunnels(live: &SshSession, requested: &Receiver<Request>, mut woken: &UnixStream) -> Result<(), ExecError> {
    let mut tunnels: Vec<Tunnel> = Vec::new();
    let mut opening: Option<Request> = None;
    let mut is_wanted = true;
    loop {
        let mut moved = false;
        // A packet that libssh2 could send in part only: until the rest is sent, it sends nothing else.
        let mut is_sending = false;
        let mut note = || is_sending |= live.is_sending();
        if let Ok(0) = woken.read(&mut [0; 64]) {
            is_wanted = false;
        }
        for tunnel in &mut tunnels {
            moved |= tunnel.advance();
            note();
        }
        tunnels.retain(|tunnel| !tunnel.is_closed);
        opening = opening.or_else(|| requested.try_recv().ok());
        // After the tunnels: they may have received the answer, and this call may receive bytes of theirs, which
        // can_advance sees.
        if let Some(request) = opening.take() {
            match live.session.channel_direct_tcpip(&request.host, request.port, None) {
                Err(error) if would_block(&error) => opening = Some(request),
                Err(error) if error.code() == CHANNEL_REFUSED => {
                    // The requester may have given up.
                    _ = request.reply.send(Err(error.message().to_owned()));
                    moved = true;
                }
                Err(error) => return Err(error.into()),
                Ok(channel) => {
                    let opened = Tunnel::new(channel).map(|(tunnel, socket)| {
                        tunnels.push(tunnel);
                        socket
                    });
                    // As above; the tunnel then ends with its socket.
                    _ = request.reply.send(opened);
                    moved = true;
                }
            }
            note();
        }
        let now = Instant::now();
        let is_idle = tunnels.iter().all(|tunnel| tunnel.socket.is_none());
        if !is_wanted && is_idle && opening.as_ref().is_none_or(|request| request.deadline <= now) {
            return Ok(());
        }
        if moved || (!is_sending && tunnels.iter().any(Tunnel::can_advance)) {
            continue;
        }
        if !is_sending {
            live.send_keepalive_if_due()?;
        }
        let mut waited_for: Vec<(BorrowedFd, PollFlags)> = Vec::new();
        if is_wanted {
            waited_for.push((woken.as_fd(), PollFlags::IN));
        }
        // What arrives for an idle session stays on its socket: nothing reads it.
        if !tunnels.is_empty() || opening.is_some() {
            let out = if is_sending { PollFlags::OUT } else { PollFlags::empty() };
            waited_for.push((live.socket.as_fd(), PollFlags::IN | out));
        }
        let sockets = tunnels
            .iter()
            .filter_map(|tunnel| Some((tunnel.socket.as_ref()?, tunnel.wanted_events())));
        waited_for.extend(sockets.map(|(socket, events)| (socket.as_fd(), events)));
        let remaining = opening
            .as_ref()
            .map(|request| request.deadline.saturating_duration_since(now));
        // Past its deadline, only an answer or a keepalive matters.
        let limit = remaining
            .filter(|remaining| !remaining.is_zero())
            .map_or(IDLE, |left| left.min(IDLE));
        poll_fds(&waited_for, limit)?;
    }
}
