//! The table against OpenSSL's: names, key exchange, strength and first version as another program knows them.

use super::*;
use std::process::Command;

/// `openssl ciphers -V` of everything that its build has: number, IANA name, version, exchange, bits.
fn openssl() -> Vec<(u16, String, String, String, Option<u16>)> {
    let output = Command::new("openssl")
        .args(["ciphers", "-V", "-stdname"])
        .arg("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        .output()
        .expect("openssl is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<_> = text
        .lines()
        .map(|line| {
            let (number, rest) = line.trim().split_once(" - ").unwrap();
            let code = number.replace("0x", "").replace(',', "");
            let words: Vec<&str> = rest
                .split_whitespace()
                .filter(|word| *word != "-")
                .collect();
            let exchange = words[3].strip_prefix("Kx=").unwrap();
            let bits = words[5]
                .split_once('(')
                .map(|(_, bits)| bits.trim_end_matches(')'));
            (
                u16::from_str_radix(&code, 16).unwrap(),
                words[0].to_owned(),
                words[2].to_owned(),
                format!("{exchange} {}", words[4].strip_prefix("Au=").unwrap()),
                bits.map(|bits| bits.parse().unwrap()),
            )
        })
        .collect();
    assert!(rows.len() > 100, "{} suites", rows.len());
    rows
}

#[test]
fn names_exchange_strength_and_version_are_those_of_openssl() {
    for (code, name, version, exchange, bits) in openssl() {
        let suite = suite(code).unwrap_or_else(|| panic!("{code:04x} {name} is missing"));
        assert_eq!(suite.name, name);
        let bits = match bits {
            None => 0,
            Some(168) => 112,
            // OpenSSL counts the key, and the tag of CCM_8 where it names it.
            Some(bits) => bits,
        };
        assert_eq!(suite.bits(), bits, "{name}");
        let oldest = match version.as_str() {
            "SSLv3" => Version::Ssl3,
            "TLSv1" => Version::Tls10,
            "TLSv1.2" => Version::Tls12,
            "TLSv1.3" => Version::Tls13,
            other => panic!("{other}"),
        };
        // OpenSSL lets the pre-shared key suites of RFC 4279 begin at SSL 3.0.
        assert!(
            suite.min_version() == oldest || name.contains("PSK"),
            "{name}"
        );
        assert!(suite.fits(oldest.max(suite.min_version())), "{name}");
        let known = match exchange.as_str() {
            "any any" => KeyExchange::Any,
            "RSA RSA" => KeyExchange::Rsa,
            "DH RSA" | "DH DSS" => KeyExchange::Dhe,
            "DH None" => KeyExchange::DhAnon,
            "ECDH RSA" | "ECDH ECDSA" => KeyExchange::Ecdhe,
            "ECDH None" => KeyExchange::EcdhAnon,
            "PSK PSK" => KeyExchange::Psk,
            "DHEPSK PSK" => KeyExchange::DhePsk,
            "ECDHEPSK PSK" => KeyExchange::EcdhePsk,
            "RSAPSK RSA" => KeyExchange::RsaPsk,
            "SRP SRP" => KeyExchange::Srp,
            "SRP RSA" | "SRP DSS" => KeyExchange::SrpCertificate,
            other => panic!("{name}: {other}"),
        };
        assert_eq!(suite.key_exchange(), known, "{name}");
    }
}

#[test]
fn the_table_is_in_order_and_its_names_are_distinct() {
    let codes: Vec<u16> = all().map(|suite| suite.code).collect();
    assert!(codes.is_sorted_by(|a, b| a < b));
    let mut names: Vec<&str> = all().map(|suite| suite.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), codes.len());
    assert_eq!(suite(0x1a1a), None);
}

#[test]
fn what_the_name_says_by_clause() {
    let of = |name: &str| all().find(|suite| suite.name == name).unwrap();
    let table = [
        // name, shows a certificate, forward secret, bits, aead, oldest version
        (
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            true,
            false,
            128,
            true,
            Version::Tls12,
        ),
        (
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            true,
            true,
            256,
            true,
            Version::Tls12,
        ),
        (
            "TLS_ECDH_RSA_WITH_AES_128_CBC_SHA",
            true,
            false,
            128,
            false,
            Version::Tls10,
        ),
        (
            "TLS_DH_anon_WITH_RC4_128_MD5",
            false,
            true,
            128,
            false,
            Version::Ssl3,
        ),
        (
            "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
            true,
            false,
            40,
            false,
            Version::Ssl3,
        ),
        (
            "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA",
            true,
            false,
            56,
            false,
            Version::Ssl3,
        ),
        (
            "TLS_PSK_WITH_AES_128_CCM_8",
            false,
            false,
            128,
            true,
            Version::Tls12,
        ),
        (
            "TLS_KRB5_EXPORT_WITH_DES_CBC_40_SHA",
            false,
            false,
            40,
            false,
            Version::Ssl3,
        ),
        ("TLS_SHA256_SHA256", true, true, 0, false, Version::Tls13),
        ("TLS_SM4_GCM_SM3", true, true, 128, true, Version::Tls13),
        (
            "TLS_GOSTR341112_256_WITH_28147_CNT_IMIT",
            true,
            false,
            256,
            false,
            Version::Tls12,
        ),
        (
            "TLS_GOSTR341112_256_WITH_MAGMA_MGM_S",
            true,
            true,
            256,
            true,
            Version::Tls13,
        ),
        (
            "TLS_ECCPWD_WITH_AES_256_CCM_SHA384",
            false,
            true,
            256,
            true,
            Version::Tls12,
        ),
    ];
    for (name, shows, forward_secret, bits, aead, oldest) in table {
        let suite = of(name);
        assert_eq!(
            (
                suite.shows_certificate(),
                suite.forward_secret(),
                suite.bits(),
                suite.aead(),
                suite.min_version()
            ),
            (shows, forward_secret, bits, aead, oldest),
            "{name}"
        );
    }
}

#[test]
fn the_first_hello_stays_short_and_begins_with_what_is_best() {
    let suites = certificate_suites();
    assert!(suites.len() <= 64, "{}", suites.len());
    let first = suite(suites[0]).unwrap();
    assert!(first.forward_secret() && first.aead());
    assert!(suites.contains(&0x000a) && suites.contains(&0x002f));
    for version in Version::ALL {
        assert!(!by_likelihood(version).is_empty(), "{version}");
    }
}
