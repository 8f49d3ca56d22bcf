//! The bridge and the guests' interfaces inside the current network namespace.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The bridge that all guests are connected to.
pub const BRIDGE: &str = "br0";
/// The lab's own address on the bridge, at which guests reach programs of the lab.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The prefix length of all addresses on the bridge.
pub const PREFIX: u8 = 24;

/// Sets `lo` and the bridge up. Every process that enters the lab calls this, so a second call changes nothing.
///
/// # Errors
/// If `ip` fails, for example because this process is not root.
pub fn up() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    if !exists(BRIDGE) {
        // If two processes enter at once, one of them fails to add the bridge; the following steps fail if there is no
        // bridge.
        let _ = ip(&["link", "add", BRIDGE, "type", "bridge"]);
    }
    let address = format!("{GATEWAY}/{PREFIX}");
    // Unlike `add`, `replace` accepts an address that is already set.
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

/// The Ethernet address of guest `number`. It is the same at each start, so the guest's peers need not look it up
/// again.
pub(crate) fn mac(number: u8) -> String {
    let [a, b, c, d] = address(number).octets();
    // 02 marks a locally administered address.
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// Routes packets for `destination` (such as 10.88.10.0/24) through the guest with the address `via`, also those from
/// other guests.
///
/// # Errors
/// If `ip` fails, or this process is not inside a lab.
pub(crate) fn route(destination: &str, via: Ipv4Addr) -> Result<()> {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot enable IP forwarding in the lab's network")?;
    // Without redirects: a redirected guest would keep sending to the old address after a guest starts with another
    // one.
    for name in ["all", BRIDGE] {
        let path = format!("/proc/sys/net/ipv4/conf/{name}/send_redirects");
        std::fs::write(&path, "0").with_context(|| format!("cannot write {path}"))?;
    }
    ip(&["route", "replace", destination, "via", &via.to_string()])
}

/// The interface of a guest on the bridge; dropping it removes the interface.
#[derive(Debug)]
pub(crate) struct Tap(String);

impl Tap {
    /// Creates the interface of guest `number`.
    pub(crate) fn add(number: u8) -> Result<Self> {
        let name = tap_name(number);
        ip(&["tuntap", "add", "dev", &name, "mode", "tap"])?;
        let tap = Self(name);
        ip(&["link", "set", &tap.0, "master", BRIDGE, "up"])?;
        Ok(tap)
    }
}

impl Tap {
    /// Creates the interface of guest `number`, which is a container: the other end is `eth0` in the network namespace
    /// of the process `pid`.
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
        // If this fails, the kernel removes the interface with the namespace.
        let _ = ip(&["link", "delete", &self.0]);
    }
}

fn exists(interface: &str) -> bool {
    // /sys is no source: it shows the interfaces of the namespace in which it was mounted.
    ip(&["link", "show", interface]).is_ok()
}

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
