//! Choosing the verification algorithm that fits a key and an identifier.

use aws_lc_rs::signature::{self as sig, VerificationAlgorithm};

use super::PublicKeyKind;
use crate::{Error, Oid, SignatureAlgorithm, oids};

type Algorithm = &'static dyn VerificationAlgorithm;

/// Algorithms that may be relied on today.
pub(super) fn current(kind: PublicKeyKind, alg: SignatureAlgorithm) -> Option<Algorithm> {
    match kind {
        PublicKeyKind::Rsa { .. } => rsa(alg),
        PublicKeyKind::Ec { curve, .. } => ecdsa(curve, alg),
        PublicKeyKind::Ed25519 if alg == SignatureAlgorithm::Ed25519 => Some(&sig::ED25519),
        _ => None,
    }
}

fn rsa(alg: SignatureAlgorithm) -> Option<Algorithm> {
    Some(match alg {
        SignatureAlgorithm::RsaSha256 => &sig::RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::RsaSha384 => &sig::RSA_PKCS1_2048_8192_SHA384,
        SignatureAlgorithm::RsaSha512 => &sig::RSA_PKCS1_2048_8192_SHA512,
        SignatureAlgorithm::RsaPssSha256 => &sig::RSA_PSS_2048_8192_SHA256,
        SignatureAlgorithm::RsaPssSha384 => &sig::RSA_PSS_2048_8192_SHA384,
        SignatureAlgorithm::RsaPssSha512 => &sig::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn ecdsa(curve: Oid, alg: SignatureAlgorithm) -> Option<Algorithm> {
    use SignatureAlgorithm as S;
    Some(match (curve, alg) {
        (oids::P256, S::EcdsaSha256) => &sig::ECDSA_P256_SHA256_ASN1,
        (oids::P256, S::EcdsaSha384) => &sig::ECDSA_P256_SHA384_ASN1,
        (oids::P256, S::EcdsaSha512) => &sig::ECDSA_P256_SHA512_ASN1,
        (oids::P384, S::EcdsaSha256) => &sig::ECDSA_P384_SHA256_ASN1,
        (oids::P384, S::EcdsaSha384) => &sig::ECDSA_P384_SHA384_ASN1,
        (oids::P384, S::EcdsaSha512) => &sig::ECDSA_P384_SHA512_ASN1,
        (oids::P521, S::EcdsaSha256) => &sig::ECDSA_P521_SHA256_ASN1,
        (oids::P521, S::EcdsaSha384) => &sig::ECDSA_P521_SHA384_ASN1,
        (oids::P521, S::EcdsaSha512) => &sig::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// Algorithms found on what devices already carry. The parameters of the identifier do not count.
pub(super) fn legacy(kind: PublicKeyKind, oid: Oid) -> Result<Algorithm, Error> {
    let found: Option<Algorithm> = match (kind, oid) {
        (PublicKeyKind::Rsa { .. }, oids::SHA1_RSA) => {
            Some(&sig::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY)
        }
        (PublicKeyKind::Rsa { .. }, oids::SHA256_RSA) => {
            Some(&sig::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
        }
        (PublicKeyKind::Rsa { .. }, oids::SHA512_RSA) => {
            Some(&sig::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
        }
        (PublicKeyKind::Ec { curve, .. }, oids::ECDSA_SHA1) if curve == oids::P256 => {
            Some(&sig::ECDSA_P256_SHA1_ASN1)
        }
        (PublicKeyKind::Ec { curve, .. }, oids::ECDSA_SHA1) if curve == oids::P521 => {
            Some(&sig::ECDSA_P521_SHA1_ASN1)
        }
        (_, oids::ECDSA_SHA256) => current(kind, SignatureAlgorithm::EcdsaSha256),
        (_, oids::ECDSA_SHA384) => current(kind, SignatureAlgorithm::EcdsaSha384),
        (_, oids::ECDSA_SHA512) => current(kind, SignatureAlgorithm::EcdsaSha512),
        (PublicKeyKind::Rsa { .. }, oids::SHA384_RSA) => {
            current(kind, SignatureAlgorithm::RsaSha384)
        }
        _ => None,
    };
    found.ok_or(Error::Unsupported {
        what: "signature algorithm",
        oid,
    })
}

/// The algorithm that keys of this curve sign with; its parser validates the curve's points.
pub(super) fn usual_for_curve(curve: Oid) -> Option<(SignatureAlgorithm, Algorithm)> {
    let alg = match curve {
        oids::P256 => SignatureAlgorithm::EcdsaSha256,
        oids::P384 => SignatureAlgorithm::EcdsaSha384,
        oids::P521 => SignatureAlgorithm::EcdsaSha512,
        _ => return None,
    };
    Some((alg, ecdsa(curve, alg)?))
}
