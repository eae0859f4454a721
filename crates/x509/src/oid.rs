//! Object identifiers (X.690 §8.19) and the registry of those this crate knows by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::der::Error;

/// Longest content kept. Active Directory's generated template identifiers reach 40 octets.
const MAX: usize = 63;

/// An OBJECT IDENTIFIER, held in place so that it is `Copy` and constants can be patterns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid {
    length: u8,
    bytes: [u8; MAX],
}

impl Oid {
    /// From content octets known to be right, for constants. Longer input is cut, which a constant
    /// never is.
    pub const fn from_bytes(content: &[u8]) -> Oid {
        let mut bytes = [0; MAX];
        let mut i = 0;
        while i < content.len() && i < MAX {
            bytes[i] = content[i];
            i += 1;
        }
        Oid {
            length: i as u8,
            bytes,
        }
    }

    /// From the content octets of an OBJECT IDENTIFIER.
    pub fn from_content(content: &[u8]) -> Result<Oid, Error> {
        let starts_padded = |i: usize| i == 0 || content.get(i - 1).is_some_and(|b| b & 0x80 == 0);
        let padded = (0..content.len()).any(|i| content.get(i) == Some(&0x80) && starts_padded(i));
        match content.last() {
            Some(last) if last & 0x80 == 0 && content.len() <= MAX && !padded => {
                Ok(Oid::from_bytes(content))
            }
            _ => Err(Error::Oid),
        }
    }

    /// From arcs, such as `&[2, 5, 4, 3]`.
    pub fn from_arcs(arcs: &[u128]) -> Result<Oid, Error> {
        let [first @ 0..=2, second, rest @ ..] = arcs else {
            return Err(Error::Oid);
        };
        if *first < 2 && *second > 39 {
            return Err(Error::Oid);
        }
        let joined = (first * 40).checked_add(*second).ok_or(Error::Oid)?;
        let mut content = Vec::with_capacity(24);
        for arc in std::iter::once(&joined).chain(rest) {
            push_base128(&mut content, *arc);
        }
        Oid::from_content(&content)
    }

    /// The content octets, without tag and length.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    /// The customary name, if this crate knows one.
    pub fn name(&self) -> Option<&'static str> {
        name(self)
    }
}

/// The customary name of an identifier, such as `serverAuth`.
pub fn name(oid: &Oid) -> Option<&'static str> {
    NAMES.iter().find(|(o, _)| o == oid).map(|(_, n)| *n)
}

/// The identifier behind a customary name; the inverse of [`name`].
pub fn by_name(name: &str) -> Option<Oid> {
    let found = NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name));
    found.map(|(o, _)| *o)
}

impl fmt::Display for Oid {
    /// Dotted decimal. Arcs too large for 128 bits are written as `#` and their octets in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for group in self.as_bytes().split_inclusive(|b| b & 0x80 == 0) {
            let value = group.iter().try_fold(0u128, |acc, b| {
                Some(acc.checked_mul(128)? | u128::from(b & 0x7f))
            });
            match (value, first) {
                (None, _) => write!(f, ".#{}", hex::encode(group))?,
                (Some(v), false) => write!(f, ".{v}")?,
                (Some(v), true) => {
                    let top = (v / 40).min(2);
                    write!(f, "{top}.{}", v - top * 40)?;
                }
            }
            first = false;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(n) => write!(f, "{self} ({n})"),
            None => write!(f, "{self}"),
        }
    }
}

impl FromStr for Oid {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let arcs = s
            .split('.')
            .map(|a| match a.as_bytes() {
                [b'0'] => Ok(0),
                [b'1'..=b'9', ..] => a.parse::<u128>().map_err(|_| Error::Oid),
                _ => Err(Error::Oid),
            })
            .collect::<Result<Vec<u128>, Error>>()?;
        Oid::from_arcs(&arcs)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn push_base128(out: &mut Vec<u8>, value: u128) {
    let groups = (128 - value.leading_zeros()).div_ceil(7).max(1);
    for i in (0..groups).rev() {
        let more = if i > 0 { 0x80 } else { 0 };
        out.push(((value >> (7 * i)) & 0x7f) as u8 | more);
    }
}

/// Well-known identifiers, as constants that can be matched on.
pub mod oids {
    use super::Oid;

    /// commonName, 2.5.4.3
    pub const COMMON_NAME: Oid = Oid::from_bytes(&[85, 4, 3]);
    /// surname, 2.5.4.4
    pub const SURNAME: Oid = Oid::from_bytes(&[85, 4, 4]);
    /// serialNumber, 2.5.4.5
    pub const SERIAL_NUMBER: Oid = Oid::from_bytes(&[85, 4, 5]);
    /// countryName, 2.5.4.6
    pub const COUNTRY: Oid = Oid::from_bytes(&[85, 4, 6]);
    /// localityName, 2.5.4.7
    pub const LOCALITY: Oid = Oid::from_bytes(&[85, 4, 7]);
    /// stateOrProvinceName, 2.5.4.8
    pub const STATE: Oid = Oid::from_bytes(&[85, 4, 8]);
    /// streetAddress, 2.5.4.9
    pub const STREET: Oid = Oid::from_bytes(&[85, 4, 9]);
    /// organizationName, 2.5.4.10
    pub const ORGANIZATION: Oid = Oid::from_bytes(&[85, 4, 10]);
    /// organizationalUnitName, 2.5.4.11
    pub const ORGANIZATIONAL_UNIT: Oid = Oid::from_bytes(&[85, 4, 11]);
    /// title, 2.5.4.12
    pub const TITLE: Oid = Oid::from_bytes(&[85, 4, 12]);
    /// businessCategory, 2.5.4.15
    pub const BUSINESS_CATEGORY: Oid = Oid::from_bytes(&[85, 4, 15]);
    /// postalCode, 2.5.4.17
    pub const POSTAL_CODE: Oid = Oid::from_bytes(&[85, 4, 17]);
    /// name, 2.5.4.41
    pub const NAME: Oid = Oid::from_bytes(&[85, 4, 41]);
    /// givenName, 2.5.4.42
    pub const GIVEN_NAME: Oid = Oid::from_bytes(&[85, 4, 42]);
    /// initials, 2.5.4.43
    pub const INITIALS: Oid = Oid::from_bytes(&[85, 4, 43]);
    /// generationQualifier, 2.5.4.44
    pub const GENERATION_QUALIFIER: Oid = Oid::from_bytes(&[85, 4, 44]);
    /// dnQualifier, 2.5.4.46
    pub const DN_QUALIFIER: Oid = Oid::from_bytes(&[85, 4, 46]);
    /// pseudonym, 2.5.4.65
    pub const PSEUDONYM: Oid = Oid::from_bytes(&[85, 4, 65]);
    /// organizationIdentifier, 2.5.4.97
    pub const ORGANIZATION_IDENTIFIER: Oid = Oid::from_bytes(&[85, 4, 97]);
    /// domainComponent, 0.9.2342.19200300.100.1.25
    pub const DOMAIN_COMPONENT: Oid = Oid::from_bytes(&[9, 146, 38, 137, 147, 242, 44, 100, 1, 25]);
    /// userId, 0.9.2342.19200300.100.1.1
    pub const USER_ID: Oid = Oid::from_bytes(&[9, 146, 38, 137, 147, 242, 44, 100, 1, 1]);
    /// emailAddress, 1.2.840.113549.1.9.1
    pub const EMAIL_ADDRESS: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 1]);
    /// unstructuredName, 1.2.840.113549.1.9.2
    pub const UNSTRUCTURED_NAME: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 2]);
    /// unstructuredAddress, 1.2.840.113549.1.9.8
    pub const UNSTRUCTURED_ADDRESS: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 8]);
    /// contentType, 1.2.840.113549.1.9.3
    pub const CONTENT_TYPE: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 3]);
    /// messageDigest, 1.2.840.113549.1.9.4
    pub const MESSAGE_DIGEST: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 4]);
    /// signingTime, 1.2.840.113549.1.9.5
    pub const SIGNING_TIME: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 5]);
    /// challengePassword, 1.2.840.113549.1.9.7
    pub const CHALLENGE_PASSWORD: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 7]);
    /// extensionRequest, 1.2.840.113549.1.9.14
    pub const EXTENSION_REQUEST: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 14]);
    /// friendlyName, 1.2.840.113549.1.9.20
    pub const FRIENDLY_NAME: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 20]);
    /// localKeyId, 1.2.840.113549.1.9.21
    pub const LOCAL_KEY_ID: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 21]);
    /// x509Certificate, 1.2.840.113549.1.9.22.1
    pub const X509_CERTIFICATE_BAG: Oid =
        Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 9, 22, 1]);
    /// msCertExtensions, 1.3.6.1.4.1.311.2.1.14
    pub const MS_CERT_EXTENSIONS: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 2, 1, 14]);
    /// msOsVersion, 1.3.6.1.4.1.311.13.2.3
    pub const MS_OS_VERSION: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 13, 2, 3]);
    /// msEnrollmentCspProvider, 1.3.6.1.4.1.311.13.2.2
    pub const MS_CSP_INFO: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 13, 2, 2]);
    /// msRequestClientInfo, 1.3.6.1.4.1.311.21.20
    pub const MS_REQUEST_CLIENT_INFO: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 21, 20]);
    /// rsaEncryption, 1.2.840.113549.1.1.1
    pub const RSA_ENCRYPTION: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 1]);
    /// md2WithRSAEncryption, 1.2.840.113549.1.1.2
    pub const MD2_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 2]);
    /// md5WithRSAEncryption, 1.2.840.113549.1.1.4
    pub const MD5_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 4]);
    /// sha1WithRSAEncryption, 1.2.840.113549.1.1.5
    pub const SHA1_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 5]);
    /// rsaesOaep, 1.2.840.113549.1.1.7
    pub const RSAES_OAEP: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 7]);
    /// mgf1, 1.2.840.113549.1.1.8
    pub const MGF1: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 8]);
    /// rsassaPss, 1.2.840.113549.1.1.10
    pub const RSASSA_PSS: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 10]);
    /// sha256WithRSAEncryption, 1.2.840.113549.1.1.11
    pub const SHA256_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 11]);
    /// sha384WithRSAEncryption, 1.2.840.113549.1.1.12
    pub const SHA384_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 12]);
    /// sha512WithRSAEncryption, 1.2.840.113549.1.1.13
    pub const SHA512_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 13]);
    /// sha224WithRSAEncryption, 1.2.840.113549.1.1.14
    pub const SHA224_RSA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 1, 14]);
    /// ecPublicKey, 1.2.840.10045.2.1
    pub const EC_PUBLIC_KEY: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 2, 1]);
    /// ecdsaWithSHA1, 1.2.840.10045.4.1
    pub const ECDSA_SHA1: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 4, 1]);
    /// ecdsaWithSHA224, 1.2.840.10045.4.3.1
    pub const ECDSA_SHA224: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 4, 3, 1]);
    /// ecdsaWithSHA256, 1.2.840.10045.4.3.2
    pub const ECDSA_SHA256: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 4, 3, 2]);
    /// ecdsaWithSHA384, 1.2.840.10045.4.3.3
    pub const ECDSA_SHA384: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 4, 3, 3]);
    /// ecdsaWithSHA512, 1.2.840.10045.4.3.4
    pub const ECDSA_SHA512: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 4, 3, 4]);
    /// P-256, 1.2.840.10045.3.1.7
    pub const P256: Oid = Oid::from_bytes(&[42, 134, 72, 206, 61, 3, 1, 7]);
    /// P-384, 1.3.132.0.34
    pub const P384: Oid = Oid::from_bytes(&[43, 129, 4, 0, 34]);
    /// P-521, 1.3.132.0.35
    pub const P521: Oid = Oid::from_bytes(&[43, 129, 4, 0, 35]);
    /// P-224, 1.3.132.0.33
    pub const P224: Oid = Oid::from_bytes(&[43, 129, 4, 0, 33]);
    /// secp256k1, 1.3.132.0.10
    pub const SECP256K1: Oid = Oid::from_bytes(&[43, 129, 4, 0, 10]);
    /// X25519, 1.3.101.110
    pub const X25519: Oid = Oid::from_bytes(&[43, 101, 110]);
    /// X448, 1.3.101.111
    pub const X448: Oid = Oid::from_bytes(&[43, 101, 111]);
    /// Ed25519, 1.3.101.112
    pub const ED25519: Oid = Oid::from_bytes(&[43, 101, 112]);
    /// Ed448, 1.3.101.113
    pub const ED448: Oid = Oid::from_bytes(&[43, 101, 113]);
    /// dsa, 1.2.840.10040.4.1
    pub const DSA: Oid = Oid::from_bytes(&[42, 134, 72, 206, 56, 4, 1]);
    /// dsaWithSHA1, 1.2.840.10040.4.3
    pub const DSA_SHA1: Oid = Oid::from_bytes(&[42, 134, 72, 206, 56, 4, 3]);
    /// ML-DSA-44, 2.16.840.1.101.3.4.3.17
    pub const ML_DSA_44: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 3, 17]);
    /// ML-DSA-65, 2.16.840.1.101.3.4.3.18
    pub const ML_DSA_65: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 3, 18]);
    /// ML-DSA-87, 2.16.840.1.101.3.4.3.19
    pub const ML_DSA_87: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 3, 19]);
    /// md5, 1.2.840.113549.2.5
    pub const MD5: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 2, 5]);
    /// sha1, 1.3.14.3.2.26
    pub const SHA1: Oid = Oid::from_bytes(&[43, 14, 3, 2, 26]);
    /// sha256, 2.16.840.1.101.3.4.2.1
    pub const SHA256: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 2, 1]);
    /// sha384, 2.16.840.1.101.3.4.2.2
    pub const SHA384: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 2, 2]);
    /// sha512, 2.16.840.1.101.3.4.2.3
    pub const SHA512: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 2, 3]);
    /// sha224, 2.16.840.1.101.3.4.2.4
    pub const SHA224: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 2, 4]);
    /// hmacWithSHA1, 1.2.840.113549.2.7
    pub const HMAC_SHA1: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 2, 7]);
    /// hmacWithSHA256, 1.2.840.113549.2.9
    pub const HMAC_SHA256: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 2, 9]);
    /// hmacWithSHA384, 1.2.840.113549.2.10
    pub const HMAC_SHA384: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 2, 10]);
    /// hmacWithSHA512, 1.2.840.113549.2.11
    pub const HMAC_SHA512: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 2, 11]);
    /// aes128-CBC, 2.16.840.1.101.3.4.1.2
    pub const AES128_CBC: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 1, 2]);
    /// aes192-CBC, 2.16.840.1.101.3.4.1.22
    pub const AES192_CBC: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 1, 22]);
    /// aes256-CBC, 2.16.840.1.101.3.4.1.42
    pub const AES256_CBC: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 4, 1, 42]);
    /// desCBC, 1.3.14.3.2.7
    pub const DES_CBC: Oid = Oid::from_bytes(&[43, 14, 3, 2, 7]);
    /// des-EDE3-CBC, 1.2.840.113549.3.7
    pub const DES_EDE3_CBC: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 3, 7]);
    /// rc2CBC, 1.2.840.113549.3.2
    pub const RC2_CBC: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 3, 2]);
    /// PBKDF2, 1.2.840.113549.1.5.12
    pub const PBKDF2: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 5, 12]);
    /// PBES2, 1.2.840.113549.1.5.13
    pub const PBES2: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 5, 13]);
    /// pbeWithSHAAnd3-KeyTripleDES-CBC, 1.2.840.113549.1.12.1.3
    pub const PBE_SHA1_3DES: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 1, 3]);
    /// pbeWithSHAAnd40BitRC2-CBC, 1.2.840.113549.1.12.1.6
    pub const PBE_SHA1_RC2_40: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 1, 6]);
    /// keyBag, 1.2.840.113549.1.12.10.1.1
    pub const KEY_BAG: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 10, 1, 1]);
    /// pkcs8ShroudedKeyBag, 1.2.840.113549.1.12.10.1.2
    pub const SHROUDED_KEY_BAG: Oid =
        Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 10, 1, 2]);
    /// certBag, 1.2.840.113549.1.12.10.1.3
    pub const CERT_BAG: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 12, 10, 1, 3]);
    /// data, 1.2.840.113549.1.7.1
    pub const DATA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 7, 1]);
    /// signedData, 1.2.840.113549.1.7.2
    pub const SIGNED_DATA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 7, 2]);
    /// envelopedData, 1.2.840.113549.1.7.3
    pub const ENVELOPED_DATA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 7, 3]);
    /// encryptedData, 1.2.840.113549.1.7.6
    pub const ENCRYPTED_DATA: Oid = Oid::from_bytes(&[42, 134, 72, 134, 247, 13, 1, 7, 6]);
    /// subjectDirectoryAttributes, 2.5.29.9
    pub const SUBJECT_DIRECTORY_ATTRIBUTES: Oid = Oid::from_bytes(&[85, 29, 9]);
    /// subjectKeyIdentifier, 2.5.29.14
    pub const SUBJECT_KEY_IDENTIFIER: Oid = Oid::from_bytes(&[85, 29, 14]);
    /// keyUsage, 2.5.29.15
    pub const KEY_USAGE: Oid = Oid::from_bytes(&[85, 29, 15]);
    /// privateKeyUsagePeriod, 2.5.29.16
    pub const PRIVATE_KEY_USAGE_PERIOD: Oid = Oid::from_bytes(&[85, 29, 16]);
    /// subjectAltName, 2.5.29.17
    pub const SUBJECT_ALT_NAME: Oid = Oid::from_bytes(&[85, 29, 17]);
    /// issuerAltName, 2.5.29.18
    pub const ISSUER_ALT_NAME: Oid = Oid::from_bytes(&[85, 29, 18]);
    /// basicConstraints, 2.5.29.19
    pub const BASIC_CONSTRAINTS: Oid = Oid::from_bytes(&[85, 29, 19]);
    /// cRLNumber, 2.5.29.20
    pub const CRL_NUMBER: Oid = Oid::from_bytes(&[85, 29, 20]);
    /// reasonCode, 2.5.29.21
    pub const CRL_REASON: Oid = Oid::from_bytes(&[85, 29, 21]);
    /// invalidityDate, 2.5.29.24
    pub const INVALIDITY_DATE: Oid = Oid::from_bytes(&[85, 29, 24]);
    /// deltaCRLIndicator, 2.5.29.27
    pub const DELTA_CRL_INDICATOR: Oid = Oid::from_bytes(&[85, 29, 27]);
    /// issuingDistributionPoint, 2.5.29.28
    pub const ISSUING_DISTRIBUTION_POINT: Oid = Oid::from_bytes(&[85, 29, 28]);
    /// certificateIssuer, 2.5.29.29
    pub const CERTIFICATE_ISSUER: Oid = Oid::from_bytes(&[85, 29, 29]);
    /// nameConstraints, 2.5.29.30
    pub const NAME_CONSTRAINTS: Oid = Oid::from_bytes(&[85, 29, 30]);
    /// cRLDistributionPoints, 2.5.29.31
    pub const CRL_DISTRIBUTION_POINTS: Oid = Oid::from_bytes(&[85, 29, 31]);
    /// certificatePolicies, 2.5.29.32
    pub const CERTIFICATE_POLICIES: Oid = Oid::from_bytes(&[85, 29, 32]);
    /// anyPolicy, 2.5.29.32.0
    pub const ANY_POLICY: Oid = Oid::from_bytes(&[85, 29, 32, 0]);
    /// policyMappings, 2.5.29.33
    pub const POLICY_MAPPINGS: Oid = Oid::from_bytes(&[85, 29, 33]);
    /// authorityKeyIdentifier, 2.5.29.35
    pub const AUTHORITY_KEY_IDENTIFIER: Oid = Oid::from_bytes(&[85, 29, 35]);
    /// policyConstraints, 2.5.29.36
    pub const POLICY_CONSTRAINTS: Oid = Oid::from_bytes(&[85, 29, 36]);
    /// extKeyUsage, 2.5.29.37
    pub const EXT_KEY_USAGE: Oid = Oid::from_bytes(&[85, 29, 37]);
    /// anyExtendedKeyUsage, 2.5.29.37.0
    pub const ANY_EXTENDED_KEY_USAGE: Oid = Oid::from_bytes(&[85, 29, 37, 0]);
    /// freshestCRL, 2.5.29.46
    pub const FRESHEST_CRL: Oid = Oid::from_bytes(&[85, 29, 46]);
    /// inhibitAnyPolicy, 2.5.29.54
    pub const INHIBIT_ANY_POLICY: Oid = Oid::from_bytes(&[85, 29, 54]);
    /// authorityInfoAccess, 1.3.6.1.5.5.7.1.1
    pub const AUTHORITY_INFO_ACCESS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 1, 1]);
    /// qcStatements, 1.3.6.1.5.5.7.1.3
    pub const QC_STATEMENTS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 1, 3]);
    /// subjectInfoAccess, 1.3.6.1.5.5.7.1.11
    pub const SUBJECT_INFO_ACCESS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 1, 11]);
    /// tlsFeature, 1.3.6.1.5.5.7.1.24
    pub const TLS_FEATURE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 1, 24]);
    /// ocsp, 1.3.6.1.5.5.7.48.1
    pub const AD_OCSP: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1]);
    /// ocspBasic, 1.3.6.1.5.5.7.48.1.1
    pub const OCSP_BASIC: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 1]);
    /// ocspNonce, 1.3.6.1.5.5.7.48.1.2
    pub const OCSP_NONCE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 2]);
    /// ocspCrl, 1.3.6.1.5.5.7.48.1.3
    pub const OCSP_CRL_REFERENCE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 3]);
    /// ocspResponse, 1.3.6.1.5.5.7.48.1.4
    pub const OCSP_RESPONSE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 4]);
    /// ocspNoCheck, 1.3.6.1.5.5.7.48.1.5
    pub const OCSP_NO_CHECK: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 5]);
    /// ocspArchiveCutoff, 1.3.6.1.5.5.7.48.1.6
    pub const OCSP_ARCHIVE_CUTOFF: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 6]);
    /// ocspPreferredSignatureAlgorithms, 1.3.6.1.5.5.7.48.1.8
    pub const OCSP_PREF_SIG_ALGS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 1, 8]);
    /// caIssuers, 1.3.6.1.5.5.7.48.2
    pub const AD_CA_ISSUERS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 2]);
    /// adTimeStamping, 1.3.6.1.5.5.7.48.3
    pub const AD_TIME_STAMPING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 3]);
    /// caRepository, 1.3.6.1.5.5.7.48.5
    pub const AD_CA_REPOSITORY: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 48, 5]);
    /// cps, 1.3.6.1.5.5.7.2.1
    pub const QT_CPS: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 2, 1]);
    /// userNotice, 1.3.6.1.5.5.7.2.2
    pub const QT_UNOTICE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 2, 2]);
    /// serverAuth, 1.3.6.1.5.5.7.3.1
    pub const EKU_SERVER_AUTH: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 1]);
    /// clientAuth, 1.3.6.1.5.5.7.3.2
    pub const EKU_CLIENT_AUTH: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 2]);
    /// codeSigning, 1.3.6.1.5.5.7.3.3
    pub const EKU_CODE_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 3]);
    /// emailProtection, 1.3.6.1.5.5.7.3.4
    pub const EKU_EMAIL_PROTECTION: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 4]);
    /// timeStamping, 1.3.6.1.5.5.7.3.8
    pub const EKU_TIME_STAMPING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 8]);
    /// OCSPSigning, 1.3.6.1.5.5.7.3.9
    pub const EKU_OCSP_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 9]);
    /// eapOverPPP, 1.3.6.1.5.5.7.3.13
    pub const EKU_EAP_OVER_PPP: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 13]);
    /// eapOverLAN, 1.3.6.1.5.5.7.3.14
    pub const EKU_EAP_OVER_LAN: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 14]);
    /// ipsecIKE, 1.3.6.1.5.5.7.3.17
    pub const EKU_IPSEC_IKE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 17]);
    /// cmcCA, 1.3.6.1.5.5.7.3.27
    pub const EKU_CMC_CA: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 27]);
    /// cmcRA, 1.3.6.1.5.5.7.3.28
    pub const EKU_CMC_RA: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 28]);
    /// documentSigning, 1.3.6.1.5.5.7.3.36
    pub const EKU_DOCUMENT_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 36]);
    /// configSigning, 1.3.6.1.5.5.7.3.41
    pub const EKU_CONFIG_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 41]);
    /// trustAnchorConfigSigning, 1.3.6.1.5.5.7.3.42
    pub const EKU_TRUST_ANCHOR_CONFIG_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 42]);
    /// updatePackageSigning, 1.3.6.1.5.5.7.3.43
    pub const EKU_UPDATE_SIGNING: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 43]);
    /// safetyCommunication, 1.3.6.1.5.5.7.3.44
    pub const EKU_SAFETY_COMMUNICATION: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 3, 44]);
    /// iKEIntermediate, 1.3.6.1.5.5.8.2.2
    pub const EKU_IPSEC_INTERMEDIATE: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 8, 2, 2]);
    /// msSmartcardLogin, 1.3.6.1.4.1.311.20.2.2
    pub const EKU_MS_SMARTCARD_LOGON: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 20, 2, 2]);
    /// pkInitClientAuth, 1.3.6.1.5.2.3.4
    pub const EKU_PKINIT_CLIENT: Oid = Oid::from_bytes(&[43, 6, 1, 5, 2, 3, 4]);
    /// pkInitKDC, 1.3.6.1.5.2.3.5
    pub const EKU_PKINIT_KDC: Oid = Oid::from_bytes(&[43, 6, 1, 5, 2, 3, 5]);
    /// sdcServiceProvider, 1.2.840.10004.20701.1.1
    pub const SDC_PROVIDER: Oid = Oid::from_bytes(&[42, 134, 72, 206, 20, 129, 161, 93, 1, 1]);
    /// sdcServiceConsumer, 1.2.840.10004.20701.1.2
    pub const SDC_CONSUMER: Oid = Oid::from_bytes(&[42, 134, 72, 206, 20, 129, 161, 93, 1, 2]);
    /// dNSSRV, 1.3.6.1.5.5.7.8.7
    pub const ON_DNS_SRV: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 8, 7]);
    /// hardwareModuleName, 1.3.6.1.5.5.7.8.4
    pub const ON_HARDWARE_MODULE_NAME: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 8, 4]);
    /// smtpUTF8Mailbox, 1.3.6.1.5.5.7.8.9
    pub const ON_SMTP_UTF8_MAILBOX: Oid = Oid::from_bytes(&[43, 6, 1, 5, 5, 7, 8, 9]);
    /// userPrincipalName, 1.3.6.1.4.1.311.20.2.3
    pub const ON_UPN: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 20, 2, 3]);
    /// pivFASC-N, 2.16.840.1.101.3.6.6
    pub const ON_PIV_FASC_N: Oid = Oid::from_bytes(&[96, 134, 72, 1, 101, 3, 6, 6]);
    /// msCertificateTemplateName, 1.3.6.1.4.1.311.20.2
    pub const MS_CERTIFICATE_TEMPLATE_NAME: Oid =
        Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 20, 2]);
    /// msCertificateTemplate, 1.3.6.1.4.1.311.21.7
    pub const MS_CERTIFICATE_TEMPLATE: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 21, 7]);
    /// msCaVersion, 1.3.6.1.4.1.311.21.1
    pub const MS_CA_VERSION: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 21, 1]);
    /// msApplicationPolicies, 1.3.6.1.4.1.311.21.10
    pub const MS_APPLICATION_POLICIES: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 21, 10]);
    /// msNtdsCaSecurityExt, 1.3.6.1.4.1.311.25.2
    pub const MS_SID_EXTENSION: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 25, 2]);
    /// msNtdsObjectSid, 1.3.6.1.4.1.311.25.2.1
    pub const MS_SID_OBJECT: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 130, 55, 25, 2, 1]);
    /// signedCertificateTimestampList, 1.3.6.1.4.1.11129.2.4.2
    pub const SCT_LIST: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 214, 121, 2, 4, 2]);
    /// ctPoison, 1.3.6.1.4.1.11129.2.4.3
    pub const CT_POISON: Oid = Oid::from_bytes(&[43, 6, 1, 4, 1, 214, 121, 2, 4, 3]);
    /// netscapeCertType, 2.16.840.1.113730.1.1
    pub const NETSCAPE_CERT_TYPE: Oid = Oid::from_bytes(&[96, 134, 72, 1, 134, 248, 66, 1, 1]);
    /// netscapeComment, 2.16.840.1.113730.1.13
    pub const NETSCAPE_COMMENT: Oid = Oid::from_bytes(&[96, 134, 72, 1, 134, 248, 66, 1, 13]);
}

/// Constant and customary name, as RFC 5280, RFC 5912 and OpenSSL write it.
const NAMES: &[(Oid, &str)] = &[
    (oids::COMMON_NAME, "commonName"),
    (oids::SURNAME, "surname"),
    (oids::SERIAL_NUMBER, "serialNumber"),
    (oids::COUNTRY, "countryName"),
    (oids::LOCALITY, "localityName"),
    (oids::STATE, "stateOrProvinceName"),
    (oids::STREET, "streetAddress"),
    (oids::ORGANIZATION, "organizationName"),
    (oids::ORGANIZATIONAL_UNIT, "organizationalUnitName"),
    (oids::TITLE, "title"),
    (oids::BUSINESS_CATEGORY, "businessCategory"),
    (oids::POSTAL_CODE, "postalCode"),
    (oids::NAME, "name"),
    (oids::GIVEN_NAME, "givenName"),
    (oids::INITIALS, "initials"),
    (oids::GENERATION_QUALIFIER, "generationQualifier"),
    (oids::DN_QUALIFIER, "dnQualifier"),
    (oids::PSEUDONYM, "pseudonym"),
    (oids::ORGANIZATION_IDENTIFIER, "organizationIdentifier"),
    (oids::DOMAIN_COMPONENT, "domainComponent"),
    (oids::USER_ID, "userId"),
    (oids::EMAIL_ADDRESS, "emailAddress"),
    (oids::UNSTRUCTURED_NAME, "unstructuredName"),
    (oids::UNSTRUCTURED_ADDRESS, "unstructuredAddress"),
    (oids::CONTENT_TYPE, "contentType"),
    (oids::MESSAGE_DIGEST, "messageDigest"),
    (oids::SIGNING_TIME, "signingTime"),
    (oids::CHALLENGE_PASSWORD, "challengePassword"),
    (oids::EXTENSION_REQUEST, "extensionRequest"),
    (oids::FRIENDLY_NAME, "friendlyName"),
    (oids::LOCAL_KEY_ID, "localKeyId"),
    (oids::X509_CERTIFICATE_BAG, "x509Certificate"),
    (oids::MS_CERT_EXTENSIONS, "msCertExtensions"),
    (oids::MS_OS_VERSION, "msOsVersion"),
    (oids::MS_CSP_INFO, "msEnrollmentCspProvider"),
    (oids::MS_REQUEST_CLIENT_INFO, "msRequestClientInfo"),
    (oids::RSA_ENCRYPTION, "rsaEncryption"),
    (oids::MD2_RSA, "md2WithRSAEncryption"),
    (oids::MD5_RSA, "md5WithRSAEncryption"),
    (oids::SHA1_RSA, "sha1WithRSAEncryption"),
    (oids::RSAES_OAEP, "rsaesOaep"),
    (oids::MGF1, "mgf1"),
    (oids::RSASSA_PSS, "rsassaPss"),
    (oids::SHA256_RSA, "sha256WithRSAEncryption"),
    (oids::SHA384_RSA, "sha384WithRSAEncryption"),
    (oids::SHA512_RSA, "sha512WithRSAEncryption"),
    (oids::SHA224_RSA, "sha224WithRSAEncryption"),
    (oids::EC_PUBLIC_KEY, "ecPublicKey"),
    (oids::ECDSA_SHA1, "ecdsaWithSHA1"),
    (oids::ECDSA_SHA224, "ecdsaWithSHA224"),
    (oids::ECDSA_SHA256, "ecdsaWithSHA256"),
    (oids::ECDSA_SHA384, "ecdsaWithSHA384"),
    (oids::ECDSA_SHA512, "ecdsaWithSHA512"),
    (oids::P256, "P-256"),
    (oids::P384, "P-384"),
    (oids::P521, "P-521"),
    (oids::P224, "P-224"),
    (oids::SECP256K1, "secp256k1"),
    (oids::X25519, "X25519"),
    (oids::X448, "X448"),
    (oids::ED25519, "Ed25519"),
    (oids::ED448, "Ed448"),
    (oids::DSA, "dsa"),
    (oids::DSA_SHA1, "dsaWithSHA1"),
    (oids::ML_DSA_44, "ML-DSA-44"),
    (oids::ML_DSA_65, "ML-DSA-65"),
    (oids::ML_DSA_87, "ML-DSA-87"),
    (oids::MD5, "md5"),
    (oids::SHA1, "sha1"),
    (oids::SHA256, "sha256"),
    (oids::SHA384, "sha384"),
    (oids::SHA512, "sha512"),
    (oids::SHA224, "sha224"),
    (oids::HMAC_SHA1, "hmacWithSHA1"),
    (oids::HMAC_SHA256, "hmacWithSHA256"),
    (oids::HMAC_SHA384, "hmacWithSHA384"),
    (oids::HMAC_SHA512, "hmacWithSHA512"),
    (oids::AES128_CBC, "aes128-CBC"),
    (oids::AES192_CBC, "aes192-CBC"),
    (oids::AES256_CBC, "aes256-CBC"),
    (oids::DES_CBC, "desCBC"),
    (oids::DES_EDE3_CBC, "des-EDE3-CBC"),
    (oids::RC2_CBC, "rc2CBC"),
    (oids::PBKDF2, "PBKDF2"),
    (oids::PBES2, "PBES2"),
    (oids::PBE_SHA1_3DES, "pbeWithSHAAnd3-KeyTripleDES-CBC"),
    (oids::PBE_SHA1_RC2_40, "pbeWithSHAAnd40BitRC2-CBC"),
    (oids::KEY_BAG, "keyBag"),
    (oids::SHROUDED_KEY_BAG, "pkcs8ShroudedKeyBag"),
    (oids::CERT_BAG, "certBag"),
    (oids::DATA, "data"),
    (oids::SIGNED_DATA, "signedData"),
    (oids::ENVELOPED_DATA, "envelopedData"),
    (oids::ENCRYPTED_DATA, "encryptedData"),
    (
        oids::SUBJECT_DIRECTORY_ATTRIBUTES,
        "subjectDirectoryAttributes",
    ),
    (oids::SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier"),
    (oids::KEY_USAGE, "keyUsage"),
    (oids::PRIVATE_KEY_USAGE_PERIOD, "privateKeyUsagePeriod"),
    (oids::SUBJECT_ALT_NAME, "subjectAltName"),
    (oids::ISSUER_ALT_NAME, "issuerAltName"),
    (oids::BASIC_CONSTRAINTS, "basicConstraints"),
    (oids::CRL_NUMBER, "cRLNumber"),
    (oids::CRL_REASON, "reasonCode"),
    (oids::INVALIDITY_DATE, "invalidityDate"),
    (oids::DELTA_CRL_INDICATOR, "deltaCRLIndicator"),
    (oids::ISSUING_DISTRIBUTION_POINT, "issuingDistributionPoint"),
    (oids::CERTIFICATE_ISSUER, "certificateIssuer"),
    (oids::NAME_CONSTRAINTS, "nameConstraints"),
    (oids::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
    (oids::CERTIFICATE_POLICIES, "certificatePolicies"),
    (oids::ANY_POLICY, "anyPolicy"),
    (oids::POLICY_MAPPINGS, "policyMappings"),
    (oids::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier"),
    (oids::POLICY_CONSTRAINTS, "policyConstraints"),
    (oids::EXT_KEY_USAGE, "extKeyUsage"),
    (oids::ANY_EXTENDED_KEY_USAGE, "anyExtendedKeyUsage"),
    (oids::FRESHEST_CRL, "freshestCRL"),
    (oids::INHIBIT_ANY_POLICY, "inhibitAnyPolicy"),
    (oids::AUTHORITY_INFO_ACCESS, "authorityInfoAccess"),
    (oids::QC_STATEMENTS, "qcStatements"),
    (oids::SUBJECT_INFO_ACCESS, "subjectInfoAccess"),
    (oids::TLS_FEATURE, "tlsFeature"),
    (oids::AD_OCSP, "ocsp"),
    (oids::OCSP_BASIC, "ocspBasic"),
    (oids::OCSP_NONCE, "ocspNonce"),
    (oids::OCSP_CRL_REFERENCE, "ocspCrl"),
    (oids::OCSP_RESPONSE, "ocspResponse"),
    (oids::OCSP_NO_CHECK, "ocspNoCheck"),
    (oids::OCSP_ARCHIVE_CUTOFF, "ocspArchiveCutoff"),
    (oids::OCSP_PREF_SIG_ALGS, "ocspPreferredSignatureAlgorithms"),
    (oids::AD_CA_ISSUERS, "caIssuers"),
    (oids::AD_TIME_STAMPING, "adTimeStamping"),
    (oids::AD_CA_REPOSITORY, "caRepository"),
    (oids::QT_CPS, "cps"),
    (oids::QT_UNOTICE, "userNotice"),
    (oids::EKU_SERVER_AUTH, "serverAuth"),
    (oids::EKU_CLIENT_AUTH, "clientAuth"),
    (oids::EKU_CODE_SIGNING, "codeSigning"),
    (oids::EKU_EMAIL_PROTECTION, "emailProtection"),
    (oids::EKU_TIME_STAMPING, "timeStamping"),
    (oids::EKU_OCSP_SIGNING, "OCSPSigning"),
    (oids::EKU_EAP_OVER_PPP, "eapOverPPP"),
    (oids::EKU_EAP_OVER_LAN, "eapOverLAN"),
    (oids::EKU_IPSEC_IKE, "ipsecIKE"),
    (oids::EKU_CMC_CA, "cmcCA"),
    (oids::EKU_CMC_RA, "cmcRA"),
    (oids::EKU_DOCUMENT_SIGNING, "documentSigning"),
    (oids::EKU_CONFIG_SIGNING, "configSigning"),
    (
        oids::EKU_TRUST_ANCHOR_CONFIG_SIGNING,
        "trustAnchorConfigSigning",
    ),
    (oids::EKU_UPDATE_SIGNING, "updatePackageSigning"),
    (oids::EKU_SAFETY_COMMUNICATION, "safetyCommunication"),
    (oids::EKU_IPSEC_INTERMEDIATE, "iKEIntermediate"),
    (oids::EKU_MS_SMARTCARD_LOGON, "msSmartcardLogin"),
    (oids::EKU_PKINIT_CLIENT, "pkInitClientAuth"),
    (oids::EKU_PKINIT_KDC, "pkInitKDC"),
    (oids::SDC_PROVIDER, "sdcServiceProvider"),
    (oids::SDC_CONSUMER, "sdcServiceConsumer"),
    (oids::ON_DNS_SRV, "dNSSRV"),
    (oids::ON_HARDWARE_MODULE_NAME, "hardwareModuleName"),
    (oids::ON_SMTP_UTF8_MAILBOX, "smtpUTF8Mailbox"),
    (oids::ON_UPN, "userPrincipalName"),
    (oids::ON_PIV_FASC_N, "pivFASC-N"),
    (
        oids::MS_CERTIFICATE_TEMPLATE_NAME,
        "msCertificateTemplateName",
    ),
    (oids::MS_CERTIFICATE_TEMPLATE, "msCertificateTemplate"),
    (oids::MS_CA_VERSION, "msCaVersion"),
    (oids::MS_APPLICATION_POLICIES, "msApplicationPolicies"),
    (oids::MS_SID_EXTENSION, "msNtdsCaSecurityExt"),
    (oids::MS_SID_OBJECT, "msNtdsObjectSid"),
    (oids::SCT_LIST, "signedCertificateTimestampList"),
    (oids::CT_POISON, "ctPoison"),
    (oids::NETSCAPE_CERT_TYPE, "netscapeCertType"),
    (oids::NETSCAPE_COMMENT, "netscapeComment"),
];
