//! X.509 in DER: the codec, the public objects of a PKI, and nothing else.
//!
//! This crate reads and writes certificates, requests, CRLs and OCSP messages. It does no I/O, reads no
//! clock and holds no private key, so every function here is a plain function of its arguments. Reading
//! is lenient where deployed devices are sloppy and strict where a subscriber asks us for something.

pub mod certificate;
pub mod cmp;
pub mod cms;
pub mod convert;
pub mod crl;
pub mod crmf;
pub mod csr;
pub mod der;
pub mod describe;
pub mod dns;
mod error;
#[doc(hidden)]
pub mod exercise;
pub mod ext;
pub mod general_name;
pub mod jks;
pub mod key;
pub mod lint;
pub mod name;
pub mod ocsp;
pub mod oid;
pub mod path;
pub mod pem;
pub mod pkcs12;
pub mod pkcs7;
pub mod time;

pub use certificate::{Certificate, TbsCertificate, assemble};
pub use csr::{CertificationRequest, CsrBuilder, CsrError};
pub use error::Error;
pub use ext::Extension;
pub use general_name::GeneralName;
pub use key::{
    AlgorithmIdentifier, KeyAlgorithm, PublicKey, PublicKeyKind, SignatureAlgorithm, Weakness,
};
pub use name::{Name, NameBuilder, StringKind};
pub use oid::{Oid, oids};
pub use time::Time;
