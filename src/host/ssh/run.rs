//! Runs one script on a connection: reads both of its outputs at once, and accepts only an end that the script
//! announced itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel, ErrorCode, Session};

use super::proxy::Proxy;
use super::{KEEPALIVE, Output, RunError, random_word};
use crate::host::ask::Secret;
use crate::host::script::{Frame, find_bytes, keep_last, last_part};

/// The limit of what a login prints before the script begins.
const MAX_GREETING: usize = 4 << 10;

/// The limit of a script's standard error, of which the end is kept.
const MAX_STDERR: usize = 1 << 20;

/// The limit of a host's output in an error message, in bytes.
pub(in crate::host) const MAX_REPEATED: usize = 1 << 10;

/// How often a running script checks whether it was cancelled.
const TICK: Duration = Duration::from_millis(100);

/// The timeout for closing the channel of a script that ended.
const CLOSING: Duration = Duration::from_secs(5);

/// `LIBSSH2_ERROR_TIMEOUT`.
const TIMEOUT: ErrorCode = ErrorCode::Session(-9);

/// A session and its socket, which is polled while the session waits for nothing itself.
pub(in crate::host) struct SshSession {
    pub(in crate::host) session: Session,
    pub(in crate::host) socket: OwnedFd,
    /// The ProxyCommand at the other end of the socket, if any; it is killed after the session ended.
    pub(in crate::host) _proxy: Option<Proxy>,
}

/// The shell that reads the script.
#[derive(Clone, Debug)]
pub(in crate::host) enum Shell {
    /// The login shell's.
    Plain,
    /// Root's, by sudo without a password.
    Sudo,
    /// Root's, by sudo with this password.
    SudoWith(Secret),
}

/// Why there is no exit status.
#[derive(Debug)]
pub(in crate::host) enum ExecError {
    Lost(String),
    Silent,
    Cancelled,
    Killed(String),
    /// The login shell or sudo ended without running the script; its output.
    NoShell(String),
    /// The script wrote more than this many bytes to its standard output.
    TooMuchOutput(usize),
    WrongPassword,
}

impl ExecError {
    /// The error for the caller: `Cancelled` becomes `Lost`, and `WrongPassword` becomes `NoShell`. `patience` is the
    /// timeout that the script had.
    pub(in crate::host) fn into_run_error(self, host: &str, patience: Duration) -> RunError {
        let host = host.to_owned();
        match self {
            Self::Lost(cause) => RunError::Lost { host, cause },
            Self::Silent => RunError::Silent { host, after: patience },
            Self::Cancelled => RunError::Lost {
                host,
                cause: "the run was cancelled".to_owned(),
            },
            Self::Killed(signal) => RunError::Killed { host, signal },
            Self::NoShell(said) => RunError::NoShell { host, said },
            Self::TooMuchOutput(limit) => RunError::TooMuchOutput { host, limit },
            Self::WrongPassword => RunError::NoShell {
                host,
                said: "sudo refuses the password".to_owned(),
            },
        }
    }
}

impl From<ssh2::Error> for ExecError {
    /// A timeout of libssh2 is `Silent`, every other error `Lost`.
    fn from(error: ssh2::Error) -> Self {
        match error.code() {
            TIMEOUT => Self::Silent,
            _ => Self::Lost(error.message().to_owned()),
        }
    }
}

/// A running script: what is still to be sent, and what has been received.
struct Exec<'a> {
    channel: Channel,
    frame: Frame,
    script: Vec<u8>,
    /// The bytes that may be sent now.
    input: Vec<u8>,
    sent: usize,
    /// `input` is the last that is sent.
    complete: bool,
    closed: bool,
    /// sudo's password while it has not been asked for; afterwards nothing.
    password: Option<&'a Secret>,
    asked: bool,
    /// The script has begun to run.
    begun: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// The most bytes of `stdout`.
    max_output: usize,
}

impl SshSession {
    /// Runs `script` to its end; `cancelled` is asked all the while. The connection is closed if that returns true, the
    /// host neither takes input nor writes output for `patience`, or the script writes more than `max_output` bytes to
    /// its standard output; not after a wrong password, nor if the shell was killed or did not run the script.
    pub(in crate::host) fn run(
        &self,
        script: &str,
        shell: &Shell,
        max_output: usize,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Output, ExecError> {
        let frame = Frame::new(random_word().map_err(ExecError::Lost)?);
        self.session.set_blocking(true);
        self.session.set_timeout(to_milliseconds(patience));
        let mut channel = self.session.channel_session()?;
        match shell {
            Shell::Plain => channel.exec("sh -s")?,
            Shell::Sudo => channel.exec("sudo -n sh -s")?,
            Shell::SudoWith(_) => channel.exec(&frame.sudo_command())?,
        }
        let script = frame.wrap(script).into_bytes();
        let mut exec = Exec {
            channel,
            frame,
            script,
            input: Vec::new(),
            sent: 0,
            complete: false,
            closed: false,
            password: None,
            asked: false,
            begun: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            max_output,
        };
        match shell {
            Shell::SudoWith(password) => exec.password = Some(password),
            Shell::Plain | Shell::Sudo => exec.start_sending_script(),
        }
        self.session.set_blocking(false);
        let ended = self.exchange_until_end(&mut exec, patience, cancelled);
        self.session.set_blocking(true);
        if let Err(trouble) = ended {
            if !matches!(trouble, ExecError::WrongPassword) {
                self.shut_down_socket();
            }
            return Err(trouble);
        }
        self.session.set_timeout(to_milliseconds(CLOSING));
        exec.into_output()
    }

    /// Sends the script and receives its output until the host closes the channel. Fails if the host neither takes
    /// input nor writes output for `patience`, or `cancelled` returns true.
    fn exchange_until_end(
        &self,
        exec: &mut Exec,
        patience: Duration,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), ExecError> {
        let mut last_progress = Instant::now();
        loop {
            let has_received = exec.receive_output()?;
            if has_received {
                exec.answer_prompt()?;
            }
            if exec.channel.eof() {
                return Ok(());
            }
            let has_sent = exec.send_input()?;
            if cancelled() {
                return Err(ExecError::Cancelled);
            }
            if has_sent || has_received {
                last_progress = Instant::now();
                continue;
            }
            let left = patience.saturating_sub(last_progress.elapsed());
            if left.is_zero() {
                return Err(ExecError::Silent);
            }
            self.send_keepalive_if_due()?;
            self.wait_for_socket(left.min(TICK))?;
        }
    }

    /// Sends a keepalive if 15 s have passed since the last, unless part of a packet is still to be sent:
    /// libssh2 sends nothing else before that.
    ///
    /// libssh2 knows the interval during this call only. Otherwise each of its blocking calls, whatever its timeout,
    /// would fail as timed out at the moment when the next keepalive is due.
    pub(in crate::host) fn send_keepalive_if_due(&self) -> Result<(), ssh2::Error> {
        if self.is_sending() {
            return Ok(());
        }
        // No reply is asked for: libssh2 would keep each for ever.
        self.session
            .set_keepalive(false, u32::try_from(KEEPALIVE.as_secs()).unwrap_or(1));
        let sent = self.session.keepalive_send();
        self.session.set_keepalive(false, 0);
        sent.map(drop)
    }

    /// Whether libssh2 could send a packet in part only.
    pub(in crate::host) fn is_sending(&self) -> bool {
        matches!(
            self.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        )
    }

    /// Shuts the socket down at once: libssh2 would wait for the host to close its channels.
    fn shut_down_socket(&self) {
        // On a socket of any kind; one that is at its end already is as good.
        if let Ok(socket) = self.socket.try_clone() {
            _ = TcpStream::from(socket).shutdown(Shutdown::Both);
        }
    }

    /// Waits until the session's socket can be used, or `limit` has passed, which is no error.
    fn wait_for_socket(&self, limit: Duration) -> Result<(), ExecError> {
        let wanted = match self.is_sending() {
            true => PollFlags::IN | PollFlags::OUT,
            false => PollFlags::IN,
        };
        poll_fds(&[(self.socket.as_fd(), wanted)], limit).map(drop)
    }
}

impl Exec<'_> {
    /// Reads what has arrived of both streams, and returns whether that was anything. A program that fills one stream
    /// while the client waits for the other would block for ever. Too much standard output is an error; of standard
    /// error, and of what comes before the script, the end is kept.
    fn receive_output(&mut self) -> Result<bool, ExecError> {
        let stdout = drain_into(&mut self.channel, &mut self.stdout)?;
        let stderr = drain_into(&mut self.channel.stderr(), &mut self.stderr)?;
        self.begun = self.begun || self.frame.has_begun(&self.stdout);
        if !self.begun {
            keep_last(&mut self.stdout, MAX_GREETING);
        }
        keep_last(&mut self.stderr, MAX_STDERR);
        if self.stdout.len() > self.max_output {
            return Err(ExecError::TooMuchOutput(self.max_output));
        }
        Ok(stdout || stderr)
    }

    /// Makes the password the input to send when sudo asks for it; a second question is [`ExecError::WrongPassword`].
    /// Makes the script the input only once the shell has started: sudo may start it without asking, and the password
    /// must not become the shell's input.
    fn answer_prompt(&mut self) -> Result<(), ExecError> {
        if self.complete {
            return Ok(());
        }
        let prompt = self.frame.prompt();
        if let Some(at) = find_bytes(&self.stderr, prompt.as_bytes()) {
            if self.asked {
                return Err(ExecError::WrongPassword);
            }
            self.stderr.drain(at..at + prompt.len());
            self.asked = true;
            if let Some(password) = self.password.take() {
                self.input = format!("{}\n", password.reveal()).into_bytes();
                self.sent = 0;
            }
        }
        if find_bytes(&self.stdout, self.frame.ready().as_bytes()).is_some() {
            self.start_sending_script();
        }
        Ok(())
    }

    /// Makes the script the input to send: the shell has started.
    fn start_sending_script(&mut self) {
        self.input = std::mem::take(&mut self.script);
        self.sent = 0;
        self.complete = true;
    }

    /// Sends as much input as the host accepts now, and end-of-file after all of it; returns whether anything was sent.
    fn send_input(&mut self) -> Result<bool, ExecError> {
        let rest = &self.input[self.sent..];
        if !rest.is_empty() {
            return match self.channel.write(rest) {
                Ok(count) => {
                    self.sent += count;
                    Ok(count > 0)
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
                Err(error) => Err(ExecError::Lost(error.to_string())),
            };
        }
        if !self.complete || self.closed {
            return Ok(false);
        }
        match self.channel.send_eof() {
            Ok(()) => self.closed = true,
            Err(error) if would_block(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.closed)
    }

    /// The script's output and status, after all has been read. The status in the script's frame counts: libssh2
    /// reports 0 and no signal if it received neither. Without a frame the script did not end by itself: that is
    /// `Killed` with a signal, `Lost` with the exit status 0, else `NoShell`.
    fn into_output(mut self) -> Result<Output, ExecError> {
        let closed = self.channel.close().and_then(|()| self.channel.wait_close());
        if let Some(framed) = self.frame.find_output(&self.stdout) {
            return Ok(Output {
                status: framed.status,
                stdout: framed.stdout.to_vec(),
                stderr: self.stderr,
            });
        }
        if let Some(signal) = self.channel.exit_signal()?.exit_signal {
            return Err(ExecError::Killed(signal));
        }
        closed.map_err(|error| ExecError::Lost(error.message().to_owned()))?;
        let status = self.channel.exit_status()?;
        let said = [&self.stderr[..], &self.stdout[..]].concat();
        let said = String::from_utf8_lossy(&said);
        let said: Vec<_> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match (status, said.is_empty()) {
            // A shell that ends well has written the last line; so this one's end never came.
            (0, _) => Err(ExecError::Lost("it ended in the middle of a script".to_owned())),
            (status, true) => Err(ExecError::NoShell(format!("exit status {status}"))),
            (_, false) => Err(ExecError::NoShell(last_part(&said.join("; "), MAX_REPEATED))),
        }
    }
}

/// Appends what has arrived, up to about 256 KiB; returns whether that was anything. The end of the stream is false.
/// The stream must not block.
fn drain_into(from: &mut impl Read, into: &mut Vec<u8>) -> Result<bool, ExecError> {
    let mut buffer = [0; 32 << 10];
    let before = into.len();
    // Bounded, so that the other stream is read, too.
    while into.len() - before < buffer.len() * 8 {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => into.extend(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(ExecError::Lost(error.to_string())),
        }
    }
    Ok(into.len() > before)
}

/// Waits for one of these events, at most for `limit`; returns those that each descriptor of `wanted` has, in the same
/// order, which may be none. A signal ends the wait early, without an error.
pub(super) fn poll_fds(wanted: &[(BorrowedFd, PollFlags)], limit: Duration) -> Result<Vec<PollFlags>, ExecError> {
    let mut polled: Vec<PollFd> = wanted
        .iter()
        .map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
        .collect();
    let limit = Timespec::try_from(limit).map_err(|error| ExecError::Lost(error.to_string()))?;
    match poll(&mut polled, Some(&limit)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled.iter().map(PollFd::revents).collect()),
        Err(errno) => Err(ExecError::Lost(std::io::Error::from(errno).to_string())),
    }
}

/// Whether libssh2 wants to be called again (`LIBSSH2_ERROR_EAGAIN`).
pub(super) fn would_block(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(-37)
}

/// For libssh2's timeouts: at least 1, since 0 would be no timeout.
pub(super) fn to_milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).max(1)
}
