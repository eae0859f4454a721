//! What the number of a cipher suite says. IANA's names are regular (`TLS_`*key exchange*`_WITH_`*cipher and
//! hash*), so everything but number and name is read off the name, and there is one table to be wrong in.

mod table;
#[cfg(test)]
mod tests;

use crate::observation::Version;

/// One cipher suite of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    pub code: u16,
    /// IANA's.
    pub name: &'static str,
}

/// How the two sides come to a key, and who proves what by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    Null,
    Rsa,
    /// Fixed Diffie-Hellman, the key in the certificate.
    Dh,
    Dhe,
    DhAnon,
    Ecdh,
    Ecdhe,
    EcdhAnon,
    Psk,
    DhePsk,
    EcdhePsk,
    RsaPsk,
    Krb5,
    Srp,
    /// Password and certificate.
    SrpCertificate,
    EccPwd,
    Gost,
    /// TLS 1.3, where the suite does not say.
    Any,
}

/// Every suite that is known here, in order of the numbers.
pub fn all() -> impl Iterator<Item = Suite> {
    table::NAMES
        .iter()
        .map(|&(code, name)| Suite { code, name })
}

/// The suite of this number; numbers outside the registry have none.
pub fn suite(code: u16) -> Option<Suite> {
    let at = table::NAMES
        .binary_search_by_key(&code, |&(code, _)| code)
        .ok()?;
    let &(code, name) = table::NAMES.get(at)?;
    Some(Suite { code, name })
}

impl Suite {
    pub fn key_exchange(self) -> KeyExchange {
        use KeyExchange as K;
        let Some((exchange, _)) = self.body().split_once("_WITH_") else {
            return K::Any;
        };
        let exchange = exchange
            .trim_end_matches("_EXPORT1024")
            .trim_end_matches("_EXPORT");
        match exchange {
            "NULL" => K::Null,
            "RSA" => K::Rsa,
            "DH_DSS" | "DH_RSA" => K::Dh,
            "DHE_DSS" | "DHE_RSA" => K::Dhe,
            "DH_anon" => K::DhAnon,
            "ECDH_ECDSA" | "ECDH_RSA" => K::Ecdh,
            "ECDHE_ECDSA" | "ECDHE_RSA" => K::Ecdhe,
            "ECDH_anon" => K::EcdhAnon,
            "PSK" => K::Psk,
            "DHE_PSK" | "PSK_DHE" => K::DhePsk,
            "ECDHE_PSK" => K::EcdhePsk,
            "RSA_PSK" => K::RsaPsk,
            "KRB5" => K::Krb5,
            "SRP_SHA" => K::Srp,
            "SRP_SHA_RSA" | "SRP_SHA_DSS" => K::SrpCertificate,
            "ECCPWD" => K::EccPwd,
            // The rest of the table is RFC 9189 and RFC 9367, of which the latter are TLS 1.3's.
            _ if self.body().contains("_MGM_") => K::Any,
            _ => K::Gost,
        }
    }

    /// The server shows a certificate.
    pub fn shows_certificate(self) -> bool {
        use KeyExchange as K;
        matches!(
            self.key_exchange(),
            K::Rsa
                | K::Dh
                | K::Dhe
                | K::Ecdh
                | K::Ecdhe
                | K::RsaPsk
                | K::SrpCertificate
                | K::Gost
                | K::Any
        )
    }

    /// Who learns a long-term key later cannot read what was recorded (RFC 9325 §4.1).
    pub fn forward_secret(self) -> bool {
        use KeyExchange as K;
        matches!(
            self.key_exchange(),
            K::Dhe
                | K::DhAnon
                | K::Ecdhe
                | K::EcdhAnon
                | K::DhePsk
                | K::EcdhePsk
                | K::EccPwd
                | K::Any
        )
    }

    /// Nobody proves who they are.
    pub fn anonymous(self) -> bool {
        matches!(
            self.key_exchange(),
            KeyExchange::Null | KeyExchange::DhAnon | KeyExchange::EcdhAnon
        )
    }

    /// Weakened on purpose for the export rules of the 1990s.
    pub fn export(self) -> bool {
        self.name.contains("_EXPORT")
    }

    /// Effective size of the cipher's key in bits; 3DES counts as 112 (NIST SP 800-57 part 1 §5.6.1),
    /// no encryption as 0.
    pub fn bits(self) -> u16 {
        let cipher = self.cipher();
        let table = [
            ("NULL", 0),
            ("SHA256", 0),
            ("SHA384", 0),
            ("RC4_40", 40),
            ("DES40", 40),
            ("DES_CBC_40", 40),
            ("RC2_CBC_40", 40),
            ("RC4_56", 56),
            ("RC2_CBC_56", 56),
            ("DES_CBC", 56),
            ("3DES", 112),
            ("AES_128", 128),
            ("ARIA_128", 128),
            ("CAMELLIA_128", 128),
            ("RC4_128", 128),
            ("AEGIS_128", 128),
            ("IDEA", 128),
            ("SEED", 128),
            ("SM4", 128),
        ];
        let known = table.iter().find(|(start, _)| cipher.starts_with(start));
        known.map_or(256, |&(_, bits)| bits)
    }

    /// Encryption and integrity in one (RFC 5116).
    pub fn aead(self) -> bool {
        ["_GCM", "_CCM", "POLY1305", "AEGIS", "_MGM"]
            .iter()
            .any(|mode| self.cipher().contains(mode))
    }

    /// The oldest version in which the suite means anything.
    pub fn min_version(self) -> Version {
        use KeyExchange as K;
        let new_prf = ["SHA256", "SHA384", "CCM", "CCM_8", "OMAC", "IMIT"];
        match self.key_exchange() {
            K::Any => Version::Tls13,
            // RFC 5487 §3.2 and RFC 5489 §3.2: these CBC and NULL suites go with older versions too.
            K::Psk | K::DhePsk | K::RsaPsk | K::EcdhePsk
                if !self.aead() && !self.cipher().contains("CAMELLIA") =>
            {
                Version::Tls10
            }
            _ if new_prf.iter().any(|end| self.name.ends_with(end)) => Version::Tls12,
            // RFC 8422 begins with TLS 1.0.
            K::Ecdh | K::Ecdhe | K::EcdhAnon | K::EcdhePsk => Version::Tls10,
            _ => Version::Ssl3,
        }
    }

    /// Whether it can be chosen in `version`: suites of TLS 1.3 and those before share nothing but numbers.
    pub fn fits(self, version: Version) -> bool {
        let newest = self.key_exchange() == KeyExchange::Any;
        (version == Version::Tls13) == newest && self.min_version() <= version
    }

    /// Hardly any server has it. What the others have goes into one hello: a server's order over suites that took two
    /// hellos to find has to be asked for anew.
    fn unlikely(self) -> bool {
        use KeyExchange as K;
        let exchange = matches!(
            self.key_exchange(),
            K::Rsa | K::Dhe | K::Ecdhe | K::DhAnon | K::EcdhAnon | K::Any
        );
        !exchange || self.export() || self.name.contains("_DSS")
    }

    /// The name without its prefix.
    fn body(self) -> &'static str {
        self.name.strip_prefix("TLS_").unwrap_or(self.name)
    }

    /// Cipher and hash.
    fn cipher(self) -> &'static str {
        let body = self.body();
        body.split_once("_WITH_").map_or(body, |(_, cipher)| cipher)
    }
}

/// `version`'s suites, those first that servers are likely to have: forward secret before not, one step
/// encryption before two, known before anonymous. A server whose client decides is thus not weakened by being asked.
pub fn by_likelihood(version: Version) -> Vec<u16> {
    let mut suites: Vec<Suite> = all().filter(|suite| suite.fits(version)).collect();
    // Each is read off a name, and a sort asks for many twice.
    suites.sort_by_cached_key(|suite| {
        let rare = !suite.shows_certificate() || suite.export() || suite.bits() == 0;
        let national = ["ARIA", "CAMELLIA", "SEED", "IDEA", "SM4", "GOST", "AEGIS"]
            .iter()
            .any(|name| suite.name.contains(name));
        let odd =
            national || suite.name.contains("_DSS") || suite.key_exchange() == KeyExchange::Dh;
        (
            suite.unlikely(),
            rare,
            odd,
            !suite.forward_secret(),
            !suite.aead(),
            suite.bits() < 128,
            // The same for ten times the work of a small device.
            matches!(suite.key_exchange(), KeyExchange::Dhe | KeyExchange::DhAnon),
        )
    });
    suites.into_iter().map(|suite| suite.code).collect()
}

/// The suites under which TLS 1.2 and before shows a certificate and that implementations have had: what
/// one ClientHello asks for when only the certificate is wanted. National ciphers and export suites follow
/// in a second hello if this one finds no taker, because old servers stumble over long lists.
pub fn certificate_suites() -> Vec<u16> {
    by_likelihood(Version::Tls12)
        .into_iter()
        .filter_map(suite)
        .filter(|suite| {
            let common = ["AES_", "CHACHA20", "3DES", "RC4_128"]
                .iter()
                .any(|cipher| suite.cipher().starts_with(cipher));
            let exchange = suite.key_exchange();
            let common_exchange = matches!(
                exchange,
                KeyExchange::Rsa | KeyExchange::Dhe | KeyExchange::Ecdhe
            );
            common && common_exchange && suite.bits() > 0
        })
        .map(|suite| suite.code)
        .collect()
}
