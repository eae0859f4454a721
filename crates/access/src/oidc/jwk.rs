//! A provider's keys (RFC 7517), and what each may verify (RFC 7518).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Keys of one provider that are looked at.
const MOST: usize = 64;
/// What a refusal names.
pub(super) const ACCEPTED: &str = "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA";

/// How a token is signed.
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    Rsa(&'static RsaParameters, &'static str),
    Ec(
        &'static dyn VerificationAlgorithm,
        &'static str,
        &'static str,
    ),
    Ed25519,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA256, "RS256"),
            "RS384" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA384, "RS384"),
            "RS512" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA512, "RS512"),
            "PS256" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA256, "PS256"),
            "PS384" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA384, "PS384"),
            "PS512" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA512, "PS512"),
            "ES256" => Algorithm::Ec(&ECDSA_P256_SHA256_FIXED, "P-256", "ES256"),
            "ES384" => Algorithm::Ec(&ECDSA_P384_SHA384_FIXED, "P-384", "ES384"),
            "EdDSA" => Algorithm::Ed25519,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Rsa(_, name) | Algorithm::Ec(_, _, name) => name,
            Algorithm::Ed25519 => "EdDSA",
        }
    }
}

/// What came of a signature.
pub(super) enum Outcome {
    Verified,
    /// No key that it could be of.
    UnknownKey,
    Wrong,
}

/// A provider's keys, those that cannot be used left out.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Jwk>);

#[derive(Clone, Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

impl Keys {
    /// Reads a JWK set. Keys of unknown kinds are passed over (RFC 7517 §5).
    pub fn parse(json: &[u8]) -> Option<Self> {
        let set: Set = serde_json::from_slice(json).ok()?;
        let keys = set.keys.into_iter().take(MOST);
        let usable = keys
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter(|key| {
                key.purpose
                    .as_deref()
                    .is_none_or(|purpose| purpose == "sig")
            });
        Some(Keys(usable.collect()))
    }

    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Outcome {
        let fits = |key: &&Jwk| {
            let named = kid.is_none() || key.kid.as_deref() == kid;
            let meant = key.alg.as_deref().is_none_or(|alg| alg == algorithm.name());
            named && meant && key.can(algorithm)
        };
        let mut candidates = self.0.iter().filter(fits).peekable();
        if candidates.peek().is_none() {
            return Outcome::UnknownKey;
        }
        match candidates.any(|key| key.verifies(algorithm, message, signature)) {
            true => Outcome::Verified,
            false => Outcome::Wrong,
        }
    }
}

impl Jwk {
    fn can(&self, algorithm: Algorithm) -> bool {
        let curve = self.crv.as_deref();
        match algorithm {
            Algorithm::Rsa(..) => self.kty == "RSA",
            Algorithm::Ec(_, wanted, _) => self.kty == "EC" && curve == Some(wanted),
            Algorithm::Ed25519 => self.kty == "OKP" && curve == Some("Ed25519"),
        }
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let octets = |text: &Option<String>| {
            let text = text.as_deref().unwrap_or_default();
            URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
        };
        match algorithm {
            Algorithm::Rsa(parameters, _) => {
                let key = RsaPublicKeyComponents {
                    n: octets(&self.n),
                    e: octets(&self.e),
                };
                key.verify(parameters, message, signature).is_ok()
            }
            Algorithm::Ec(how, ..) => {
                let point = [vec![4], octets(&self.x), octets(&self.y)].concat();
                let key = UnparsedPublicKey::new(how, point);
                key.verify(message, signature).is_ok()
            }
            Algorithm::Ed25519 => {
                let key = UnparsedPublicKey::new(&ED25519, octets(&self.x));
                key.verify(message, signature).is_ok()
            }
        }
    }
}
