//! From one packaging to another: PEM, DER and PKCS #7 around the same objects.

use std::str::FromStr;

use crate::{
    Certificate, Error,
    describe::{Kind, der_or_base64},
    pem, pkcs7,
};

/// What to pack into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One block an object; a bundle becomes its certificates and CRLs.
    Pem,
    /// One object.
    Der,
    /// A certificates-only PKCS #7 in DER, as `.p7b` files hold.
    P7b,
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        match s {
            "pem" => Ok(Self::Pem),
            "der" => Ok(Self::Der),
            "p7b" => Ok(Self::P7b),
            _ => Err(Error::invalid("format", "it is not pem, der or p7b")),
        }
    }
}

/// Every certificate in PEM, DER, bare base64 or a PKCS #7 bundle of either, in order. Other objects are passed over.
pub fn certificates(input: &[u8]) -> Result<Vec<Certificate>, Error> {
    let mut certificates = Vec::new();
    for (kind, der) in objects(input)? {
        if kind == Kind::Certificate {
            certificates.push(Certificate::from_der(&der)?);
        }
    }
    Ok(certificates)
}

/// Repacks every object in `input`. Private keys are refused: this is for what may be public.
pub fn convert(input: &[u8], to: Format) -> Result<Vec<u8>, Error> {
    let objects = objects(input)?;
    if objects.iter().any(|(kind, _)| *kind == Kind::PrivateKey) {
        return Err(Error::invalid("input", "private keys are not converted"));
    }
    match to {
        Format::Pem => {
            let blocks = objects
                .iter()
                .map(|(kind, der)| pem::encode(label(*kind), der));
            Ok(blocks.collect::<String>().into_bytes())
        }
        Format::Der => match <[(Kind, Vec<u8>); 1]>::try_from(objects) {
            Ok([(_, der)]) => Ok(der),
            Err(_) => Err(Error::invalid(
                "input",
                "DER holds one object; choose pem or p7b for several",
            )),
        },
        Format::P7b => {
            let of_kind = |wanted: Kind| {
                objects
                    .iter()
                    .filter(move |(kind, _)| *kind == wanted)
                    .map(|(_, der)| der)
            };
            let packed = of_kind(Kind::Certificate).count() + of_kind(Kind::Crl).count();
            if packed < objects.len() {
                return Err(Error::invalid(
                    "input",
                    "a p7b holds certificates and CRLs only",
                ));
            }
            Ok(pkcs7::build(of_kind(Kind::Certificate), of_kind(Kind::Crl)))
        }
    }
}

/// The objects in the input, with bundles unpacked.
fn objects(input: &[u8]) -> Result<Vec<(Kind, Vec<u8>)>, Error> {
    let ders = match pem::is_pem(input) {
        true => pem::decode_all(input)?
            .into_iter()
            .map(|block| block.der)
            .collect(),
        false => vec![der_or_base64(input)?],
    };
    let mut objects = Vec::new();
    for der in ders {
        match Kind::of(&der)? {
            Kind::Pkcs7 => {
                let bundle = pkcs7::parse(&der)?;
                let certificates = bundle.certificates.iter();
                objects.extend(certificates.map(|c| (Kind::Certificate, c.der().to_vec())));
                objects.extend(bundle.crls.into_iter().map(|crl| (Kind::Crl, crl)));
            }
            kind => objects.push((kind, der)),
        }
    }
    Ok(objects)
}

fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => pem::CERTIFICATE,
        Kind::CertificationRequest => pem::CERTIFICATE_REQUEST,
        Kind::Crl => pem::X509_CRL,
        Kind::OcspRequest => "OCSP REQUEST",
        Kind::OcspResponse => "OCSP RESPONSE",
        Kind::Pkcs7 => pem::PKCS7,
        Kind::Pkcs12 => "PKCS12",
        Kind::PublicKey => pem::PUBLIC_KEY,
        Kind::PrivateKey => "PRIVATE KEY",
    }
}
