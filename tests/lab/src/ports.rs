//! Free ports that stay reserved until their server listens on them, and while it restarts.

use std::net::TcpListener;

use anyhow::{Context, Result};

use crate::Lab;

/// The kernel's list of ports that only explicit binds can use. Each network namespace has its own list, so the lab
/// does too.
const RESERVED: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

/// Ports of 127.0.0.1 that no outgoing connection and no other reservation gets; dropping it frees them.
#[derive(Debug)]
pub struct Ports {
    numbers: Vec<u16>,
}

impl Ports {
    ///
    /// # Errors
    /// If no port is free, or this process is not inside a lab.
    pub fn reserve(count: usize) -> Result<Self> {
        // All listeners exist at the same time, so their ports differ.
        let listeners = (0..count)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<Vec<_>, _>>();
        let listeners = listeners.context("there is no free port on 127.0.0.1")?;
        let numbers = listeners
            .iter()
            .map(|listener| listener.local_addr().map(|address| address.port()));
        let numbers: Vec<u16> = numbers
            .collect::<Result<_, _>>()
            .context("cannot read a listener's port number")?;
        let mine = numbers.clone();
        change(|reserved| reserved.extend(mine))?;
        Ok(Self { numbers })
    }

    /// The port numbers.
    pub fn numbers(&self) -> &[u16] {
        &self.numbers
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        // If this fails, the ports stay reserved until the lab ends.
        let _ = change(|reserved| reserved.retain(|port| !self.numbers.contains(port)));
    }
}

/// Edits the list of reserved ports under a lock against other processes.
fn change(edit: impl FnOnce(&mut Vec<u16>)) -> Result<()> {
    let lab = Lab::current().context("ports are reserved only inside a lab")?;
    let path = lab.dir().join("ports.lock");
    let lock = std::fs::File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    let text = std::fs::read_to_string(RESERVED).with_context(|| format!("cannot read {RESERVED}"))?;
    let mut reserved = expand(&text);
    edit(&mut reserved);
    let list: Vec<String> = reserved.iter().map(u16::to_string).collect();
    std::fs::write(RESERVED, format!("{}\n", list.join(","))).with_context(|| format!("cannot write {RESERVED}"))
}

/// The ports in a list such as `5,7-9`.
fn expand(list: &str) -> Vec<u16> {
    let ranges = list.trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u16>().ok()?..=last.parse::<u16>().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reserved_ports_are_read_back_from_ranges() {
        assert_eq!(super::expand("5,7-9\n"), [5, 7, 8, 9]);
        assert!(super::expand("\n").is_empty());
    }
}
