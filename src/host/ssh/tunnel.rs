//! A connection through another: libssh2 wants a socket, so a thread moves bytes between one and a channel.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::PollFlags;
use ssh2::Channel;

use super::run::{SshSession, milliseconds};

/// How long the thread sleeps when nothing moves; then it shows the jump host that it is there.
const IDLE: Duration = Duration::from_secs(15);

/// Has the host behind `live` connect to another, and gives the socket that leads there. The tunnel ends with either
/// side.
pub(super) fn open_tunnel(live: SshSession, host: &str, port: u16, timeout: Duration) -> Result<OwnedFd, String> {
    live.session.set_blocking(true);
    live.session.set_timeout(milliseconds(timeout));
    let opened = live.session.channel_direct_tcpip(host, port, None);
    let channel = opened.map_err(|error| error.message().to_owned())?;
    live.session.set_blocking(false);
    let (near, far) = UnixStream::pair().map_err(|error| error.to_string())?;
    far.set_nonblocking(true).map_err(|error| error.to_string())?;
    let thread = std::thread::Builder::new().name(format!("ssh to {host}"));
    let moving = move || {
        // Whichever side ended: dropping both ends tells the other.
        _ = pump(&live, channel, far);
    };
    thread.spawn(moving).map_err(|error| error.to_string())?;
    Ok(near.into())
}

/// Bytes on their way, and how many of them have arrived.
#[derive(Default)]
struct Parcel {
    bytes: Vec<u8>,
    done: usize,
}

impl Parcel {
    fn is_empty(&self) -> bool {
        self.done == self.bytes.len()
    }

    /// Takes new bytes if the old ones are gone. Whether any came; an error when none will come any more.
    fn fill(&mut self, from: &mut impl Read) -> Result<bool, ErrorKind> {
        if !self.is_empty() {
            return Ok(false);
        }
        self.done = 0;
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

    /// Hands on what is taken; whether that was anything.
    fn empty(&mut self, into: &mut impl Write) -> Result<bool, ErrorKind> {
        if self.is_empty() {
            return Ok(false);
        }
        match into.write(&self.bytes[self.done..]) {
            Ok(count) => {
                self.done += count;
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.kind()),
        }
    }
}

fn pump(live: &SshSession, mut channel: Channel, mut far: UnixStream) -> Result<(), ErrorKind> {
    let (mut there, mut back) = (Parcel::default(), Parcel::default());
    loop {
        let mut moved = there.fill(&mut far)?;
        moved |= there.empty(&mut channel)?;
        moved |= back.fill(&mut channel)?;
        moved |= back.empty(&mut far)?;
        if moved {
            continue;
        }
        live.session.keepalive_send().map_err(|_| ErrorKind::BrokenPipe)?;
        let wanted = match (there.is_empty(), back.is_empty()) {
            (true, true) => PollFlags::IN,
            (true, false) => PollFlags::IN | PollFlags::OUT,
            (false, false) => PollFlags::OUT,
            // Only the jump host can help; an empty set still hears of the other side's end.
            (false, true) => PollFlags::empty(),
        };
        live.wait(IDLE, &[(far.as_fd(), wanted)])
            .map_err(|_| ErrorKind::BrokenPipe)?;
    }
}
