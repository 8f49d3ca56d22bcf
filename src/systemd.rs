//! The protocol of sd_notify(3): a service of `Type=notify` reports to systemd that it is ready, or that it stops.
//!
//! The service manager names a socket in `NOTIFY_SOCKET`; outside of such a service nothing is sent.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The service has started.
    Ready,
    /// The service finishes its requests and then exits.
    Stopping,
}

/// Reports a state to the service manager; does nothing outside of a service of `Type=notify`. A failure is only
/// logged.
pub fn report_state(report: Report) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()) else {
        return;
    };
    if let Err(error) = send_state(report, &socket) {
        tracing::warn!("cannot tell systemd {report:?} at {}: {error}", socket.display());
    }
}

/// Sends one report to the socket of this name; `@` begins a name in Linux' abstract namespace.
fn send_state(report: Report, socket: &OsStr) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let line = match report {
        Report::Ready => "READY=1",
        Report::Stopping => "STOPPING=1",
    };
    UnixDatagram::unbound()?.send_to_addr(line.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next datagram.
    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn reports_arrive_at_sockets_of_both_kinds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        send_state(Report::Ready, path.as_os_str()).unwrap();
        assert_eq!(received(&by_path), "READY=1");

        let name = format!("nfsprov-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let abstract_socket = UnixDatagram::bind_addr(&address).unwrap();
        send_state(Report::Stopping, format!("@{name}").as_ref()).unwrap();
        assert_eq!(received(&abstract_socket), "STOPPING=1");
    }

    #[test]
    fn a_socket_without_a_reader_is_an_error() {
        assert!(send_state(Report::Ready, "/nonexistent/notify".as_ref()).is_err());
    }
}
