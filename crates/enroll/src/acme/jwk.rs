//! Keys as clients write them (RFC 7517, RFC 7518 §6, RFC 8037 §2), parsed once and kept with their account.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use x509::{PublicKey, PublicKeyKind, der, oids};

use super::problem::{ErrorType, Problem};

/// Largest RSA modulus: verification costs grow with its square.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// The signature algorithms that are verified (RFC 7518 §3.1, RFC 8037 §3.1), as problems list them.
pub(crate) const ALGORITHMS: &[&str] = &["ES256", "ES384", "ES512", "EdDSA", "RS256"];

/// One of [`ALGORITHMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es256,
    Es384,
    Es512,
    EdDsa,
    Rs256,
}

impl Algorithm {
    /// Reads `alg`. `none` and MACs are named in the refusal, because RFC 8555 §6.2 names them.
    pub(crate) fn parse(name: &str) -> Result<Self, Problem> {
        Ok(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" => Self::EdDsa,
            "RS256" => Self::Rs256,
            "none" => return Err(bad_algorithm("`none` is no signature (RFC 8555 §6.2)")),
            "HS256" | "HS384" | "HS512" => {
                return Err(bad_algorithm("a MAC is no signature (RFC 8555 §6.2)"));
            }
            other => {
                let other: String = other.chars().take(32).collect();
                return Err(bad_algorithm(format!(
                    "the algorithm {other:?} is not verified here (RFC 8555 §6.2)"
                )));
            }
        })
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &signature::ECDSA_P521_SHA512_FIXED,
            Self::EdDsa => &signature::ED25519,
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }
}

/// RFC 8555 §6.2: the problem says which algorithms would do.
pub(crate) fn bad_algorithm(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    let mut problem = Problem::new(ErrorType::BadSignatureAlgorithm, detail);
    problem.algorithms = ALGORITHMS;
    problem
}

fn bad_key(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    let mut problem = Problem::new(ErrorType::BadPublicKey, detail);
    problem.algorithms = ALGORITHMS;
    problem
}

/// A `jwk` member as it came.
#[derive(Deserialize)]
pub(crate) struct RawJwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    alg: Option<String>,
    /// The private half, whichever kind of key it is (RFC 7518 §6.2.2, §6.3.2).
    d: Option<serde::de::IgnoredAny>,
    /// A symmetric key (RFC 7518 §6.4).
    k: Option<serde::de::IgnoredAny>,
}

/// A public key that may sign requests.
pub(crate) struct Jwk {
    /// SHA-256 of the canonical form (RFC 7638).
    pub(crate) thumbprint: [u8; 32],
    /// The canonical form: required members only, in their order (RFC 7638 §3.2).
    pub(crate) canonical: String,
    /// The same key as certificates write it.
    pub(crate) public: PublicKey,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl Jwk {
    /// Reads a key that is used as `algorithm`, if the client says so.
    pub(crate) fn read(raw: &RawJwk, used_as: Option<Algorithm>) -> Result<Self, Problem> {
        if raw.d.is_some() || raw.k.is_some() {
            return Err(bad_key(
                "`jwk` must hold a public key only; consider this one compromised (RFC 7515 §4.1.3)",
            ));
        }
        let (spki, algorithm, canonical) = match (raw.kty.as_str(), raw.crv.as_deref()) {
            ("EC", Some(curve)) => elliptic(curve, raw)?,
            ("OKP", Some("Ed25519")) => edwards(raw)?,
            ("RSA", _) => rsa(raw)?,
            (kind, curve) => {
                let shown: String = kind.chars().take(32).collect();
                let curve: String = curve.unwrap_or("none").chars().take(32).collect();
                return Err(bad_key(format!(
                    "a key of kty {shown:?} and crv {curve:?} cannot be used (RFC 7518 §6.1)"
                )));
            }
        };
        if let Some(used_as) = used_as {
            suits(algorithm, used_as, raw.alg.as_deref())?;
        }
        let public = PublicKey::from_spki_der(&spki)
            .map_err(|error| bad_key(format!("the key cannot be read: {error} (RFC 7518 §6)")))?;
        let parsed = ParsedPublicKey::new(algorithm.verifier(), public.key_bytes())
            .map_err(|_| bad_key("the key is not valid: not on its curve, or not an RSA key of 2048 to 4096 bits (RFC 7518 §6)"))?;
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        Ok(Jwk {
            thumbprint,
            canonical,
            public,
            algorithm,
            parsed,
        })
    }

    /// Reads a canonical form that was stored.
    pub(crate) fn stored(canonical: &str) -> Option<Self> {
        let raw: RawJwk = serde_json::from_str(canonical).ok()?;
        Self::read(&raw, None).ok()
    }

    /// What key authorizations end with (RFC 8555 §8.1).
    pub(crate) fn thumbprint_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.thumbprint)
    }

    /// Refuses keys that must not begin a life as an account key. Costs 60 µs for RSA: not for every request.
    pub(crate) fn require_strong(&self) -> Result<(), Problem> {
        match self.public.weakness() {
            None => Ok(()),
            Some(weakness) => Err(bad_key(format!(
                "the key is too weak: {weakness} (RFC 8555 §6.7)"
            ))),
        }
    }

    /// Whether `signature` over `message` is this key's, made with `used_as`.
    pub(crate) fn verify(
        &self,
        used_as: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Problem> {
        suits(self.algorithm, used_as, None)?;
        self.parsed
            .verify_sig(message, signature)
            .map_err(|_| Problem::malformed("the signature does not verify (RFC 8555 §6.2)"))
    }
}

/// The thumbprint that a certificate's key has as an account's (RFC 7638); of kinds that no account has, there is none.
pub(crate) fn thumbprint_of(key: &PublicKey) -> Option<[u8; 32]> {
    let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let canonical = match key.kind() {
        PublicKeyKind::Ec { curve, .. } => {
            let curves = [
                (oids::P256, "P-256"),
                (oids::P384, "P-384"),
                (oids::P521, "P-521"),
            ];
            let (_, name) = curves.iter().find(|(oid, _)| *oid == curve)?;
            let point = key.key_bytes().strip_prefix(&[4])?;
            let (x, y) = point.split_at(point.len() / 2);
            let (x, y) = (text(x), text(y));
            format!(r#"{{"crv":"{name}","kty":"EC","x":"{x}","y":"{y}"}}"#)
        }
        PublicKeyKind::Rsa { exponent, .. } => {
            let exponent = exponent.to_be_bytes();
            let zeros = exponent.iter().take_while(|octet| **octet == 0).count();
            let (e, n) = (text(exponent.get(zeros..)?), text(key.rsa_modulus()?));
            format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
        }
        PublicKeyKind::Ed25519 => {
            let x = text(key.key_bytes());
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
        }
        PublicKeyKind::Other(_) => return None,
    };
    digest::digest(&digest::SHA256, canonical.as_bytes())
        .as_ref()
        .try_into()
        .ok()
}

fn suits(of_key: Algorithm, used_as: Algorithm, declared: Option<&str>) -> Result<(), Problem> {
    if of_key != used_as {
        return Err(bad_algorithm(format!(
            "`alg` is {}, and the key signs {} (RFC 7518 §3.1)",
            used_as.name(),
            of_key.name()
        )));
    }
    match declared {
        Some(declared) if declared != used_as.name() => Err(bad_algorithm(
            "the key's own `alg` is another one (RFC 7517 §4.4)",
        )),
        _ => Ok(()),
    }
}

type Read = (Vec<u8>, Algorithm, String);

/// RFC 7518 §6.2.1: coordinates have the length of the field.
fn elliptic(curve: &str, raw: &RawJwk) -> Result<Read, Problem> {
    let (algorithm, oid, length) = match curve {
        "P-256" => (Algorithm::Es256, oids::P256, 32),
        "P-384" => (Algorithm::Es384, oids::P384, 48),
        "P-521" => (Algorithm::Es512, oids::P521, 66),
        _ => {
            return Err(bad_key(
                "the curve must be P-256, P-384 or P-521 (RFC 7518 §6.2.1.1)",
            ));
        }
    };
    let (x, x_text) = octets(raw.x.as_deref(), "x")?;
    let (y, y_text) = octets(raw.y.as_deref(), "y")?;
    if x.len() != length || y.len() != length {
        return Err(bad_key(format!(
            "coordinates on {curve} are {length} octets long (RFC 7518 §6.2.1.2)"
        )));
    }
    let spki = der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::EC_PUBLIC_KEY).oid(&oid);
        })
        .bit_string_octets(&[&[4][..], &x, &y].concat());
    });
    let canonical = format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x_text}","y":"{y_text}"}}"#);
    Ok((spki, algorithm, canonical))
}

/// RFC 8037 §2.
fn edwards(raw: &RawJwk) -> Result<Read, Problem> {
    let (x, text) = octets(raw.x.as_deref(), "x")?;
    if x.len() != 32 {
        return Err(bad_key(
            "an Ed25519 key is 32 octets long (RFC 8032 §5.1.5)",
        ));
    }
    let spki = der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::ED25519);
        })
        .bit_string_octets(&x);
    });
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{text}"}}"#);
    Ok((spki, Algorithm::EdDsa, canonical))
}

/// RFC 7518 §6.3.1: numbers without leading zero octets.
fn rsa(raw: &RawJwk) -> Result<Read, Problem> {
    let (n, n_text) = octets(raw.n.as_deref(), "n")?;
    let (e, e_text) = octets(raw.e.as_deref(), "e")?;
    if n.first().is_none_or(|first| *first == 0) || e.first().is_none_or(|first| *first == 0) {
        return Err(bad_key(
            "`n` and `e` are numbers without leading zero octets (RFC 7518 §2, §6.3.1)",
        ));
    }
    let bits = n.len() as u32 * 8 - n.first().map_or(0, |first| first.leading_zeros());
    if !RSA_BITS.contains(&bits) {
        return Err(bad_key(format!(
            "an RSA key of {bits} bits cannot be used; 2048 to 4096 can (RFC 7518 §3.3)"
        )));
    }
    let exponent = e.iter().try_fold(0u32, |exponent, octet| {
        Some(exponent.checked_mul(256)? | u32::from(*octet))
    });
    if exponent.is_none_or(|exponent| exponent < 65_537 || exponent % 2 == 0) {
        return Err(bad_key(
            "an RSA exponent is odd, at least 65537 and of at most 32 bits (RFC 8555 §6.7; SP 800-89 §5.3.3)",
        ));
    }
    let key = der::sequence(|w| {
        w.unsigned(&n).unsigned(&e);
    });
    let spki = der::sequence(|w| {
        w.sequence(|w| {
            w.oid(&oids::RSA_ENCRYPTION).null();
        })
        .bit_string_octets(&key);
    });
    let canonical = format!(r#"{{"e":"{e_text}","kty":"RSA","n":"{n_text}"}}"#);
    Ok((spki, Algorithm::Rs256, canonical))
}

/// Canonical base64url: what decodes is also what encodes, so that a key has one thumbprint.
fn octets<'a>(member: Option<&'a str>, name: &str) -> Result<(Vec<u8>, &'a str), Problem> {
    let text = member.ok_or_else(|| bad_key(format!("`jwk` has no `{name}` (RFC 7518 §6)")))?;
    let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| {
        bad_key(format!(
            "`{name}` of `jwk` is not base64url without padding (RFC 7515 §2)"
        ))
    })?;
    Ok((octets, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Jwk {
        Jwk::read(&serde_json::from_str(json).unwrap(), None).unwrap()
    }

    /// The keys and thumbprints that standards print: RFC 7638 §3.1, RFC 8037 A.3.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        assert_eq!(
            key(rsa).thumbprint_text(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
        let ed25519 =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(
            key(ed25519).thumbprint_text(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    /// A key has one thumbprint, whether it is read as an account writes it or as a certificate does.
    #[test]
    fn thumbprints_are_the_same_from_a_certificate() {
        let table = [
            r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
        ];
        for jwk in table {
            let key = key(jwk);
            assert_eq!(thumbprint_of(&key.public), Some(key.thumbprint), "{jwk}");
        }
    }

    /// RFC 7515 A.3 and A.4 (ECDSA), RFC 8037 A.4 (Ed25519).
    #[test]
    fn signatures_of_the_standards_verify() {
        let table = [
            (
                r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
                Algorithm::Es256,
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#,
                Algorithm::Es512,
                "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
                "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
            ),
            (
                r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
                Algorithm::EdDsa,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (jwk, algorithm, message, signature) in table {
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let key = key(jwk);
            assert!(
                key.verify(algorithm, message.as_bytes(), &signature)
                    .is_ok()
            );
            let other = format!("{message}x");
            assert!(key.verify(algorithm, other.as_bytes(), &signature).is_err());
            assert!(
                Jwk::stored(&key.canonical).is_some_and(|again| again.thumbprint == key.thumbprint)
            );
        }
    }
}
