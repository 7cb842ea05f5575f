//! The addresses from which an account may be called: single ones and networks such as `10.0.0.0/8`.
//!
//! An empty list allows everyone; that is how accounts begin. Addresses compare in their shortest form, so an IPv4
//! caller that arrives over IPv6 counts as IPv4.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Entries in one list at most, as many as the console of official accounts takes.
const MOST_ENTRIES: usize = 200;

/// A list of addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub(crate) struct AllowList(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that count.
    bits: u32,
}

impl AllowList {
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|network| network.contains(address.to_canonical()))
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?.to_canonical();
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(all);
        (bits <= all).then_some(Network { address, bits })
    }

    fn contains(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(self.bits);
                let differing = mine.to_bits() ^ other.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(self.bits);
                let differing = mine.to_bits() ^ other.to_bits();
                differing.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl TryFrom<Vec<String>> for AllowList {
    type Error = String;

    fn try_from(entries: Vec<String>) -> Result<AllowList, String> {
        if entries.len() > MOST_ENTRIES {
            return Err(format!("ip_allow_list has {} entries; give at most {MOST_ENTRIES}", entries.len()));
        }
        let parse = |entry: &String| {
            Network::parse(entry)
                .ok_or_else(|| format!("ip_allow_list entry {entry:?} is not an address or a network like 10.0.0.0/8"))
        };
        entries.iter().map(parse).collect::<Result<_, _>>().map(AllowList)
    }
}

impl From<AllowList> for Vec<String> {
    fn from(list: AllowList) -> Vec<String> {
        let text = |network: &Network| match (network.address, network.bits) {
            (IpAddr::V4(address), 32) => address.to_string(),
            (IpAddr::V6(address), 128) => address.to_string(),
            (address, bits) => format!("{address}/{bits}"),
        };
        list.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::try_from(entries.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("a list")
    }

    #[test]
    fn an_empty_list_allows_everyone() {
        assert!(list(&[]).allows("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn addresses_and_networks_are_matched() {
        let list = list(&["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]);
        for allowed in ["10.1.2.3", "192.0.2.7", "::ffff:192.0.2.7", "2001:db8:1::5"] {
            assert!(list.allows(allowed.parse().unwrap()), "{allowed}");
        }
        for refused in ["10.2.0.1", "192.0.2.8", "2001:db9::1", "127.0.0.1"] {
            assert!(!list.allows(refused.parse().unwrap()), "{refused}");
        }
        assert_eq!(Vec::from(list), ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]);
    }

    #[test]
    fn a_network_of_zero_bits_is_everyone() {
        assert!(list(&["0.0.0.0/0"]).allows("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_refused() {
        for entry in ["", "10.0.0", "10.0.0.1/33", "example.com", "10.0.0.1/x"] {
            assert!(AllowList::try_from(vec![entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
