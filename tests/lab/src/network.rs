//! The bridge and the guests' interfaces inside the current network namespace.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The bridge that all guests are connected to.
pub const BRIDGE: &str = "br0";
/// The address of this side of the bridge: where guests reach what runs in the lab beside them.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// How many leading bits of an address all addresses on the bridge share.
pub const PREFIX: u8 = 24;

/// Sets `lo` and the bridge up; called by every process that enters, so a second call changes nothing.
///
/// # Errors
/// When `ip` fails, as it does without root's rights.
pub fn up() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    if !exists(BRIDGE) {
        // Of two processes that enter at once, one makes the bridge; the other's attempt fails, and the steps below
        // say whether that mattered.
        let _ = ip(&["link", "add", BRIDGE, "type", "bridge"]);
    }
    let address = format!("{GATEWAY}/{PREFIX}");
    // Unlike `add`, `replace` accepts an address that is there.
    ip(&["address", "replace", &address, "dev", BRIDGE])?;
    ip(&["link", "set", BRIDGE, "up"])
}

/// The address of guest `number` (10 and up), which also names its interface.
pub(crate) fn address(number: u8) -> Ipv4Addr {
    let [a, b, c, _] = GATEWAY.octets();
    Ipv4Addr::new(a, b, c, number)
}

/// The name of the interface of guest `number`.
pub(crate) fn tap_name(number: u8) -> String {
    format!("tap{number}")
}

/// The Ethernet address of guest `number`: the same at each start, or its peers would have to learn it anew.
pub(crate) fn mac(number: u8) -> String {
    let [a, b, c, d] = address(number).octets();
    // 02 marks an address that nobody was assigned.
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Leads packets to `destination` (as in 10.88.10.0/24) to the guest with the address `via`, those of other guests too.
///
/// # Errors
/// When `ip` fails, or this process is not inside a lab.
pub(crate) fn route(destination: &str, via: Ipv4Addr) -> Result<()> {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot have the lab's network forward packets")?;
    // Guests that are told to go there directly would need to be told again when a guest comes back elsewhere.
    for name in ["all", BRIDGE] {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/send_redirects");
        std::fs::write(&path, "0").with_context(|| format!("cannot write {path}"))?;
    }
    ip(&["route", "replace", destination, "via", &via.to_string()])
}

/// The interface of a guest, connected to the bridge; removed when dropped.
#[derive(Debug)]
pub(crate) struct Tap(String);

impl Tap {
    /// Makes the interface of guest `number`.
    pub(crate) fn add(number: u8) -> Result<Self> {
        let name = tap_name(number);
        ip(&["tuntap", "add", "dev", &name, "mode", "tap"])?;
        let tap = Self(name);
        ip(&["link", "set", &tap.0, "master", BRIDGE, "up"])?;
        Ok(tap)
    }
}

impl Tap {
    /// Makes the interface of guest `number` that is a container: its other end is `eth0` in the network namespace of
    /// the process `pid`.
    pub(crate) fn pair(number: u8, pid: u32) -> Result<Self> {
        let name = tap_name(number);
        let (mac, pid) = (mac(number), pid.to_string());
        ip(&[
            "link", "add", &name, "type", "veth", "peer", "name", "eth0", "address", &mac, "netns", &pid,
        ])?;
        let tap = Self(name);
        ip(&["link", "set", &tap.0, "master", BRIDGE, "up"])?;
        Ok(tap)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // When even this fails, it goes with the namespace.
        let _ = ip(&["link", "delete", &self.0]);
    }
}

fn exists(interface: &str) -> bool {
    // Not by /sys, which shows the interfaces of the namespace that it was mounted in.
    ip(&["link", "show", interface]).is_ok()
}

/// Runs `ip` with `args`.
fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).stdin(Stdio::null()).output();
    let output = output.context("cannot run ip (Debian package iproute2)")?;
    if !output.status.success() {
        bail!(
            "ip {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_guest_has_an_address_of_its_own() {
        assert_eq!(super::address(10).to_string(), "10.77.0.10");
        assert_eq!(super::mac(10), "02:00:0a:4d:00:0a");
    }
}
