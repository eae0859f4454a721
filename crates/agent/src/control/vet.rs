//! Which addresses may be connected to.
//!
//! Whoever orders a certificate chooses where its name points, so without this they could make the
//! validator talk to services that trust the machine it runs on: its own loopback, the metadata service
//! of a cloud, a router on the link. IPv6 has many ways to write such an address inside another one
//! (mapped, NAT64, 6to4, Teredo, ISATAP); each is unwrapped and what is inside is judged too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Network, Rules};

/// Networks refused unless allowed, and what they are.
const REFUSED: &[(Network, &str)] = &[
    (v4(0, 0, 0, 0, 8), "this host (RFC 1122 §3.2.1.3)"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (
        v4(169, 254, 0, 0, 16),
        "link-local and cloud metadata (RFC 3927)",
    ),
    (v4(100, 100, 100, 200, 32), "cloud metadata"),
    (v4(168, 63, 129, 16, 32), "cloud platform service"),
    (v4(192, 0, 0, 192, 32), "cloud metadata"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast"),
    (v6([0; 8], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
    (
        v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),
        "discard-only (RFC 6666)",
    ),
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32), "cloud metadata"),
    (
        v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
        "cloud metadata",
    ),
    // The prefix length is not known, so neither is where the IPv4 address in it starts.
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        "local-use NAT64 (RFC 8215)",
    ),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Network {
    Network::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits)
}

const fn v6(s: [u16; 8], bits: u8) -> Network {
    let address = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    Network::new(IpAddr::V6(address), bits)
}

impl Rules {
    /// Refuses an address that may not be connected to, with the reason.
    pub(super) fn vet(&self, address: IpAddr) -> Result<(), String> {
        self.vet_one(address)?;
        for inner in embedded(address).into_iter().flatten() {
            self.vet_one(inner.into())
                .map_err(|why| format!("it stands for {inner}: {why}"))?;
        }
        Ok(())
    }

    fn vet_one(&self, address: IpAddr) -> Result<(), String> {
        if let Some(network) = self.deny.iter().find(|n| n.contains(address)) {
            return Err(format!("{network} is denied by the rules"));
        }
        if self.allow.iter().any(|n| n.contains(address)) {
            return Ok(());
        }
        match REFUSED.iter().find(|(n, _)| n.contains(address)) {
            Some((network, what)) => Err(format!("{network} is {what}")),
            None => Ok(()),
        }
    }
}

/// The IPv4 addresses that packets to an IPv6 address may end at.
fn embedded(address: IpAddr) -> [Option<Ipv4Addr>; 2] {
    let IpAddr::V6(address) = address else {
        return [None, None];
    };
    let o = address.octets();
    let s = address.segments();
    let last = Ipv4Addr::new(o[12], o[13], o[14], o[15]);
    match s {
        // Mapped, compatible (deprecated) and translated: RFC 4291 §2.5.5, RFC 2765 §2.1.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => [Some(last), None],
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => [Some(last), None],
        // NAT64, RFC 6052 §2.1.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => [Some(last), None],
        // 6to4, RFC 3056 §2.
        [0x2002, ..] => [Some(Ipv4Addr::new(o[2], o[3], o[4], o[5])), None],
        // Teredo: server, and client with its bits turned (RFC 4380 §4).
        [0x2001, 0, ..] => [
            Some(Ipv4Addr::new(o[4], o[5], o[6], o[7])),
            Some(Ipv4Addr::from(!u32::from(last))),
        ],
        // ISATAP, under any prefix (RFC 5214 §6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => [Some(last), None],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], deny: &[&str]) -> Rules {
        let parse = |list: &[&str]| list.iter().map(|n| n.parse().unwrap()).collect();
        Rules {
            allow: parse(allow),
            deny: parse(deny),
            ..Rules::default()
        }
    }

    #[test]
    fn what_a_hospital_has_may_be_connected_to() {
        for address in [
            "10.1.2.3",
            "172.16.9.9",
            "192.168.0.1",
            "100.64.0.1",
            "8.8.8.8",
            "fd00::10",
            "2a00:1450::1",
            "::ffff:10.1.2.3",
            "64:ff9b::10.1.2.3",
            "2002:0a01:0203::1",
            "fec0::1",
        ] {
            assert_eq!(
                rules(&[], &[]).vet(address.parse().unwrap()),
                Ok(()),
                "{address}"
            );
        }
    }

    #[test]
    fn addresses_that_reach_what_nobody_outside_may_reach_are_refused() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "169.254.1.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "250.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "100::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            // Each a way to write 127.0.0.1 or 169.254.169.254.
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001:0:7f00:1::1",
            "2001:0:a01:203:0:0:80ff:fffe",
            "2a00::5efe:127.0.0.1",
            "fd00::200:5efe:a9fe:a9fe",
        ] {
            assert!(
                rules(&[], &[]).vet(address.parse().unwrap()).is_err(),
                "{address}"
            );
        }
    }

    #[test]
    fn what_is_allowed_is_what_was_named_and_deny_goes_first() {
        let loopback = rules(&["127.0.0.0/8"], &[]);
        assert_eq!(loopback.vet("127.0.0.1".parse().unwrap()), Ok(()));
        assert!(loopback.vet("::1".parse().unwrap()).is_err());
        assert_eq!(loopback.vet("::ffff:127.0.0.1".parse().unwrap()), Ok(()));
        assert!(loopback.vet("169.254.169.254".parse().unwrap()).is_err());
        let denied = rules(&["10.0.0.0/8"], &["10.9.0.0/16"]);
        assert_eq!(denied.vet("10.8.0.1".parse().unwrap()), Ok(()));
        assert!(denied.vet("10.9.0.1".parse().unwrap()).is_err());
        assert!(denied.vet("64:ff9b::10.9.0.1".parse().unwrap()).is_err());
        // Allowing everything of IPv6 does not allow what is inside.
        let all = rules(&["::/0"], &[]);
        assert_eq!(all.vet("::1".parse().unwrap()), Ok(()));
        assert!(all.vet("::ffff:127.0.0.1".parse().unwrap()).is_err());
    }
}
