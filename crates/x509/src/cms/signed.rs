//! Reading SignedData (RFC 5652 §5) and believing it: the digest of the content, then the signature.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::{
    Attributes, CmsError, DigestAlgorithm, EntityId, LegacySignature, MAX_CERTIFICATES, algorithm,
    content, elements, normalised,
};
use crate::{
    AlgorithmIdentifier, Certificate, Error, Oid, PublicKey, PublicKeyKind, SignatureAlgorithm,
    der::{self, Reader, Tag},
    oids,
};

/// Which algorithms are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// SHA-2, RSA from 2048 bits, ECDSA, Ed25519.
    Current,
    /// Also SHA-1, MD5 and RSA from 1024 bits: for devices that have nothing better, where policy says so.
    Legacy,
}

/// A SignedData. Nothing in it is believed before [`SignedData::verify`] has said so.
#[derive(Debug, Clone)]
pub struct SignedData {
    pub content_type: Oid,
    /// Absent in a detached signature.
    pub content: Option<Vec<u8>>,
    /// In the order of the message.
    pub certificates: Vec<Certificate>,
    /// CRLs in DER.
    pub crls: Vec<Vec<u8>>,
    pub signers: Vec<SignerInfo>,
}

/// One SignerInfo (RFC 5652 §5.3).
#[derive(Debug, Clone)]
pub struct SignerInfo {
    pub id: EntityId,
    pub digest: DigestAlgorithm,
    pub signature_algorithm: AlgorithmIdentifier,
    pub signed_attributes: Attributes,
    pub unsigned_attributes: Attributes,
    pub signature: Vec<u8>,
    /// What stands in the message between the tag and the next field, if there are signed attributes.
    signed_attributes_content: Option<Vec<u8>>,
}

impl SignedData {
    /// Reads a ContentInfo with SignedData, DER or BER.
    pub fn parse(message: &[u8]) -> Result<Self, CmsError> {
        let der = normalised(message)?;
        let mut fields = content(&der, oids::SIGNED_DATA, "SignedData")?;
        fields.u64()?; // The version follows from the rest (RFC 5652 §5.1).
        fields.set()?; // The digest algorithms are announced here for one-pass readers.
        let mut encapsulated = fields.sequence()?;
        let content_type = encapsulated.oid()?;
        let content = read_content(&mut encapsulated)?;
        encapsulated.finish()?;
        let certificates = read_certificates(&mut fields)?;
        let crls = read_crls(&mut fields)?;
        let mut infos = fields.set()?;
        fields.finish()?;
        let mut signers = Vec::new();
        for element in elements(&mut infos, super::MAX_MEMBERS)? {
            signers.push(SignerInfo::read(&infos, &element)?);
        }
        Ok(Self {
            content_type,
            content,
            certificates,
            crls,
            signers,
        })
    }

    /// The signer, of whom there must be exactly one.
    pub fn signer(&self) -> Result<&SignerInfo, CmsError> {
        match self.signers.as_slice() {
            [] => Err(CmsError::NoSigner),
            [signer] => Ok(signer),
            several => Err(CmsError::SeveralSigners(several.len())),
        }
    }

    /// The signer's certificate, if the message carries it.
    pub fn signer_certificate(&self) -> Result<Option<&Certificate>, CmsError> {
        let signer = self.signer()?;
        let mut certificates = self.certificates.iter();
        Ok(certificates.find(|certificate| signer.id.names(certificate)))
    }

    /// Verifies the one signature over the content that the message carries. Whether the key is to be trusted is
    /// the caller's question.
    pub fn verify(&self, key: &PublicKey, strength: Strength) -> Result<(), CmsError> {
        let content = self.content.as_deref().ok_or(CmsError::NoContent)?;
        self.signer()?
            .verify(self.content_type, content, key, strength)
    }

    /// As [`Self::verify`], for content that travels beside the signature.
    pub fn verify_detached(
        &self,
        content: &[u8],
        key: &PublicKey,
        strength: Strength,
    ) -> Result<(), CmsError> {
        self.signer()?
            .verify(self.content_type, content, key, strength)
    }
}

impl SignerInfo {
    fn read<'a>(set: &Reader<'a>, element: &der::Element<'a>) -> Result<Self, CmsError> {
        if element.tag != Tag::SEQUENCE {
            return Err(der::Error::UnexpectedTag {
                expected: Tag::SEQUENCE,
                found: element.tag,
            }
            .into());
        }
        let mut fields = set.descend(element.value)?;
        fields.u64()?; // The version says only how the signer is named.
        let id = EntityId::read(&mut fields)?;
        let digest = DigestAlgorithm::read(&AlgorithmIdentifier::read(&mut fields)?)?;
        let signed = fields.optional(Tag::context_constructed(0))?;
        let signature_algorithm = AlgorithmIdentifier::read(&mut fields)?;
        let signature = fields.octet_string()?.to_vec();
        let unsigned = fields.optional(Tag::context_constructed(1))?;
        fields.finish()?;
        let attributes = |element: Option<der::Element<'a>>| match element {
            None => Ok(Attributes::default()),
            Some(element) => Attributes::read_set(&mut fields.descend(element.value)?),
        };
        Ok(Self {
            id,
            digest,
            signature_algorithm,
            signed_attributes: attributes(signed)?,
            unsigned_attributes: attributes(unsigned)?,
            signature,
            signed_attributes_content: signed.map(|element| element.value.to_vec()),
        })
    }

    fn verify(
        &self,
        content_type: Oid,
        content: &[u8],
        key: &PublicKey,
        strength: Strength,
    ) -> Result<(), CmsError> {
        if strength == Strength::Current && self.digest.is_legacy() {
            return Err(CmsError::Legacy(self.digest.name()));
        }
        let Some(attributes) = &self.signed_attributes_content else {
            // RFC 5652 §5.3: content of any other type than data must come with signed attributes. Old SCEP clients
            // sign data, and what they sign is the content itself.
            if content_type != oids::DATA {
                return Err(CmsError::MissingAttribute(oids::CONTENT_TYPE));
            }
            return self.verify_bytes(content, key, strength);
        };
        self.check_content(content_type, content)?;
        self.verify_attributes(attributes, key, strength)
    }

    /// RFC 5652 §11.1 and §11.2: the attributes speak of this content and no other.
    fn check_content(&self, content_type: Oid, content: &[u8]) -> Result<(), CmsError> {
        let missing = CmsError::MissingAttribute;
        let stated = self.signed_attributes.oid(&oids::CONTENT_TYPE)?;
        if stated.ok_or(missing(oids::CONTENT_TYPE))? != content_type {
            return Err(CmsError::BadAttribute(oids::CONTENT_TYPE));
        }
        let stated = self.signed_attributes.octet_string(&oids::MESSAGE_DIGEST)?;
        let stated = stated.ok_or(missing(oids::MESSAGE_DIGEST))?;
        verify_slices_are_equal(&stated, &self.digest.digest(content))
            .map_err(|_| CmsError::ContentChanged)
    }

    /// What is signed is the DER of the attributes as a SET OF (RFC 5652 §5.4). Some signers do not sort the set;
    /// what they sent in the order in which they sent it is tried first.
    fn verify_attributes(
        &self,
        content: &[u8],
        key: &PublicKey,
        strength: Strength,
    ) -> Result<(), CmsError> {
        let as_sent = der::encode(Tag::SET, content);
        let outcome = self.verify_bytes(&as_sent, key, strength);
        if outcome != Err(CmsError::BadSignature) {
            return outcome;
        }
        let mut set = Reader::new(content).tolerant();
        let mut members: Vec<_> = elements(&mut set, super::MAX_MEMBERS)?
            .iter()
            .map(|member| member.raw)
            .collect();
        members.sort_unstable();
        let sorted = der::encode(Tag::SET, &members.concat());
        match sorted == as_sent {
            true => outcome,
            false => self.verify_bytes(&sorted, key, strength),
        }
    }

    fn verify_bytes(
        &self,
        message: &[u8],
        key: &PublicKey,
        strength: Strength,
    ) -> Result<(), CmsError> {
        let outcome = match (self.effective_algorithm(key)?, strength) {
            (Effective::Md5, Strength::Current) => return Err(CmsError::Legacy("MD5")),
            (Effective::Md5, Strength::Legacy) => {
                return LegacySignature::RsaMd5.verify(key, message, &self.signature);
            }
            (Effective::Identified(id), Strength::Current) => {
                key.verify_with(&id, message, &self.signature)
            }
            (Effective::Identified(id), Strength::Legacy) => {
                key.verify_legacy(&id, message, &self.signature)
            }
        };
        outcome.map_err(|error| match error {
            Error::BadSignature => CmsError::BadSignature,
            other => other.into(),
        })
    }

    /// The signature algorithm in full. A SignerInfo may name only the kind of key, or a hash that is not that of the
    /// digest; what counts then is the digest (RFC 3370 §3, RFC 5754 §3).
    fn effective_algorithm(&self, key: &PublicKey) -> Result<Effective, CmsError> {
        use DigestAlgorithm as D;
        let current = |algorithm: SignatureAlgorithm| Effective::Identified(algorithm.identifier());
        let stated = |oid| Effective::Identified(AlgorithmIdentifier { oid, params: None });
        Ok(match (self.signature_algorithm.oid, key.kind()) {
            (
                oids::RSA_ENCRYPTION
                | oids::MD5_RSA
                | oids::SHA1_RSA
                | oids::SHA256_RSA
                | oids::SHA384_RSA
                | oids::SHA512_RSA,
                PublicKeyKind::Rsa { .. },
            ) => match self.digest {
                D::Md5 => Effective::Md5,
                D::Sha1 => stated(oids::SHA1_RSA),
                D::Sha256 => current(SignatureAlgorithm::RsaSha256),
                D::Sha384 => current(SignatureAlgorithm::RsaSha384),
                D::Sha512 => current(SignatureAlgorithm::RsaSha512),
            },
            (oids::EC_PUBLIC_KEY, PublicKeyKind::Ec { .. }) => match self.digest {
                D::Sha256 => current(SignatureAlgorithm::EcdsaSha256),
                D::Sha384 => current(SignatureAlgorithm::EcdsaSha384),
                D::Sha512 => current(SignatureAlgorithm::EcdsaSha512),
                D::Sha1 => stated(oids::ECDSA_SHA1),
                D::Md5 => return Err(algorithm::unsupported("signature algorithm", oids::MD5)),
            },
            _ => Effective::Identified(self.signature_algorithm.clone()),
        })
    }
}

enum Effective {
    /// RSA with MD5, which the library does not verify.
    Md5,
    Identified(AlgorithmIdentifier),
}

/// PKCS #7 1.5 allowed any type as content; its octets without tag and length count then (RFC 5652 §5.2.1).
fn read_content(encapsulated: &mut Reader<'_>) -> Result<Option<Vec<u8>>, CmsError> {
    let Some(mut explicit) = encapsulated.optional_nested(Tag::context_constructed(0))? else {
        return Ok(None);
    };
    let element = explicit.element()?;
    explicit.finish()?;
    Ok(Some(element.value.to_vec()))
}

/// CertificateSet; attribute certificates and other choices are passed over.
fn read_certificates(fields: &mut Reader<'_>) -> Result<Vec<Certificate>, CmsError> {
    let Some(mut set) = fields.optional_nested(Tag::context_constructed(0))? else {
        return Ok(Vec::new());
    };
    elements(&mut set, MAX_CERTIFICATES)?
        .iter()
        .filter(|element| element.tag == Tag::SEQUENCE)
        .map(|element| Ok(Certificate::from_der(element.raw)?))
        .collect()
}

fn read_crls(fields: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, CmsError> {
    let Some(mut set) = fields.optional_nested(Tag::context_constructed(1))? else {
        return Ok(Vec::new());
    };
    let crls = elements(&mut set, MAX_CERTIFICATES)?;
    let crls = crls.iter().filter(|element| element.tag == Tag::SEQUENCE);
    Ok(crls.map(|element| element.raw.to_vec()).collect())
}
