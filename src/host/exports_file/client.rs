//! Client specs of exports: addresses, networks, names, patterns and netgroups (PURE). The main type is [`Client`].
//! Names are never looked up.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::host::known_hosts;

/// A client spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Client {
    /// Everybody.
    World,
    /// An address, or all of a network.
    Network(Network),
    /// A host, by its name.
    Name(String),
    /// Hosts whose names fit a pattern.
    Pattern(String),
    /// A netgroup of NIS, with its `@`.
    Netgroup(String),
}

impl fmt::Display for Client {
    /// Writes it as [`Client::of`] reads it: all hosts as `*`, a single address with its prefix, names in lower case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::World => f.write_str("*"),
            Self::Network(network) => network.fmt(f),
            Self::Name(text) | Self::Pattern(text) | Self::Netgroup(text) => f.write_str(text),
        }
    }
}

/// A network: an address whose host bits are zero, and how many bits are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl fmt::Display for Network {
    /// Writes `ADDRESS/PREFIX`, also for a single address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Network {
    /// The network that `address` is in, with a prefix of this length: its host bits are cleared. `None` if an address
    /// has fewer bits.
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
            _ => return None,
        };
        Some(Self { address, prefix })
    }

    /// Reads `ADDRESS`, `ADDRESS/PREFIX` or `ADDRESS/MASK`, and clears host bits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match Client::of(text) {
            Client::Network(network) => Some(network),
            _ => None,
        }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits its addresses have in common.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is one address.
    pub fn is_host(&self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether both have an address in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether it has all addresses of the other.
    pub fn contains(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && Self::new(other.address, self.prefix).as_ref() == Some(self)
    }
}

/// The length of the prefix of a mask such as `255.255.255.0`; `None` if its ones don't all come first.
pub fn mask_bits(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones)
        .then_some(ones)
        .and_then(|ones| u8::try_from(ones).ok())
}

impl Client {
    /// Parses a client spec as exportfs does: an empty one is the whole world, an unparsable one becomes a host name.
    /// Names and patterns are put into lower case; the spec is not checked, as [`super::check_client`] does.
    pub fn of(text: &str) -> Self {
        if matches!(text, "" | "*" | "<world>") {
            return Self::World;
        }
        if text.starts_with('@') {
            return Self::Netgroup(text.to_owned());
        }
        // Whichever comes first makes it a pattern or a network.
        match text.find(['*', '?', '[', '/']).map(|at| &text[at..=at]) {
            Some("/") => parse_network(text).map_or_else(|| Self::Name(text.to_lowercase()), Self::Network),
            Some(_) => Self::Pattern(text.to_lowercase()),
            None => match text.parse() {
                Ok(address) => {
                    let bits = if matches!(address, IpAddr::V4(_)) { 32 } else { 128 };
                    Network::new(address, bits).map_or_else(|| Self::Name(text.to_lowercase()), Self::Network)
                }
                Err(_) => Self::Name(text.to_lowercase()),
            },
        }
    }

    /// Whether one host may be among both. Names and addresses are not looked up, so a name and a network don't
    /// overlap; nor do two different patterns, or a netgroup and another client than the world.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether all hosts of the other are among its own, as far as that can be told without looking names up.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::World, _) => true,
            (Self::Network(one), Self::Network(two)) => one.contains(two),
            (Self::Pattern(pattern), Self::Name(name)) => known_hosts::matches_pattern(pattern, name),
            _ => self == other,
        }
    }
}

/// Reads `ADDRESS/PREFIX` or `ADDRESS/MASK`.
fn parse_network(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/')?;
    let address = address.parse().ok()?;
    let bits = match bits.parse::<Ipv4Addr>() {
        Ok(mask) => mask_bits(mask)?,
        Err(_) => bits.parse().ok()?,
    };
    Network::new(address, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_host_is_known_however_it_is_written() {
        for (one, two, same, overlap) in [
            ("*", "<world>", true, true),
            ("10.0.0.0/24", "10.0.0.0/255.255.255.0", true, true),
            ("10.0.0.5/24", "10.0.0.0/24", true, true),
            ("10.0.0.5", "10.0.0.5/32", true, true),
            ("10.0.0.5", "10.0.0.0/24", false, true),
            ("10.0.1.5", "10.0.0.0/24", false, false),
            ("10.0.0.0/16", "10.0.3.0/24", false, true),
            ("0.0.0.0/0", "10.0.3.0/24", false, true),
            ("0.0.0.0/0", "fd00::1", false, false),
            ("fd00::1", "fd00:0:0::1", true, true),
            ("fd00::/64", "fd00::1", false, true),
            ("fd00::/64", "fd00:0:0:1::1", false, false),
            ("Node1", "node1", true, true),
            ("*.example.org", "a.b.example.org", false, true),
            ("node?", "node12", false, false),
            ("@nodes", "@nodes", true, true),
            ("@nodes", "10.0.0.1", false, false),
            ("*", "@nodes", false, true),
            ("10.0.0.1/33", "10.0.0.1", false, false),
            ("10.0.0.1/255.0.255.0", "10.0.0.1", false, false),
            ("10.0.0.*", "10.0.0.1", false, false),
        ] {
            let (a, b) = (Client::of(one), Client::of(two));
            assert_eq!(
                (a == b, a.overlaps(&b), b.overlaps(&a)),
                (same, overlap, overlap),
                "{one} and {two}"
            );
        }
    }
}
