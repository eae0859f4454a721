//! The linter's own reading of a TBSCertificate (RFC 5280 §4.1): slices into the input, no copies.
//!
//! What a rule would want to complain about is kept as found (raw tags, raw serial, repeated extensions).
//! Only a frame that cannot be followed at all is an error.

use crate::{
    Time,
    der::{Element, Error, Reader, Tag, parse_bit_string},
    oids,
};

pub(super) struct CertView<'a> {
    /// As encoded: 0 is v1, 2 is v3.
    pub(super) version: u64,
    pub(super) serial: &'a [u8],
    pub(super) signature: Algorithm<'a>,
    pub(super) issuer: NameView<'a>,
    pub(super) not_before: Element<'a>,
    pub(super) not_after: Element<'a>,
    pub(super) valid_from: Option<Time>,
    pub(super) valid_to: Option<Time>,
    pub(super) subject: NameView<'a>,
    pub(super) spki: Spki<'a>,
    pub(super) has_unique_ids: bool,
    /// `Some(empty)` differs from `None`: the field is there with nothing in it.
    pub(super) extensions: Option<Vec<ExtView<'a>>>,
    /// Lengths somewhere in the frame are not in shortest form.
    pub(super) is_sloppy: bool,
    pub(super) is_authority: bool,
    pub(super) path_len: Option<u64>,
    /// Bit n of the value is bit n of KeyUsage.
    pub(super) key_usage: Option<u16>,
    pub(super) purposes: Option<Vec<&'a [u8]>>,
    pub(super) alt_names: Option<Vec<Element<'a>>>,
    pub(super) authority_key: Option<AuthorityKey<'a>>,
    pub(super) subject_key: Option<&'a [u8]>,
    pub(super) access: Vec<(&'a [u8], Element<'a>)>,
    pub(super) distribution: Option<Vec<DistributionPoint<'a>>>,
    pub(super) policies: Option<Vec<Policy<'a>>>,
    /// The first extension among the above whose value could not be read.
    pub(super) unreadable: Option<(&'a [u8], Error)>,
}

#[derive(Clone, Copy)]
pub(super) struct Algorithm<'a> {
    pub(super) oid: &'a [u8],
    pub(super) parameters: Option<Element<'a>>,
}

pub(super) struct NameView<'a> {
    pub(super) raw: &'a [u8],
    pub(super) attributes: Vec<Attribute<'a>>,
    pub(super) has_empty_rdn: bool,
}

pub(super) struct Attribute<'a> {
    pub(super) kind: &'a [u8],
    pub(super) tag: Tag,
    pub(super) value: &'a [u8],
}

pub(super) struct Spki<'a> {
    pub(super) algorithm: Algorithm<'a>,
    /// Content of the BIT STRING, without the count of unused bits.
    pub(super) key: &'a [u8],
}

pub(super) struct ExtView<'a> {
    pub(super) oid: &'a [u8],
    pub(super) is_critical: bool,
    /// The BOOLEAN's content octets, if it was written at all.
    pub(super) criticality: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
}

pub(super) struct AuthorityKey<'a> {
    pub(super) key_id: Option<&'a [u8]>,
    pub(super) has_issuer_or_serial: bool,
}

pub(super) struct DistributionPoint<'a> {
    pub(super) locations: Vec<Element<'a>>,
    pub(super) has_name: bool,
    pub(super) has_issuer: bool,
}

pub(super) struct Policy<'a> {
    pub(super) id: &'a [u8],
    pub(super) qualifiers: Option<&'a [u8]>,
}

pub(super) mod usage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 1;
    pub(crate) const CONTENT_COMMITMENT: u16 = 1 << 1;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 1 << 2;
    pub(crate) const DATA_ENCIPHERMENT: u16 = 1 << 3;
    pub(crate) const KEY_AGREEMENT: u16 = 1 << 4;
    pub(crate) const KEY_CERT_SIGN: u16 = 1 << 5;
    pub(crate) const CRL_SIGN: u16 = 1 << 6;
    pub(crate) const ENCIPHER_ONLY: u16 = 1 << 7;
    pub(crate) const DECIPHER_ONLY: u16 = 1 << 8;
}

impl<'a> CertView<'a> {
    pub(super) fn parse(tbs: &'a [u8]) -> Result<Self, Error> {
        match Self::read(Reader::new(tbs)) {
            Ok(view) => Ok(view),
            Err(Error::NonMinimalLength) => {
                let mut view = Self::read(Reader::new(tbs).tolerant())?;
                view.is_sloppy = true;
                Ok(view)
            }
            Err(e) => Err(e),
        }
    }

    fn read(mut outer: Reader<'a>) -> Result<Self, Error> {
        let mut r = outer.sequence()?;
        let version = match r.optional_nested(Tag::context_constructed(0))? {
            Some(mut v) => v.u64()?,
            None => 0,
        };
        let serial = r.value(Tag::INTEGER)?;
        let signature = Algorithm::read(&mut r)?;
        let issuer = NameView::read(&mut r)?;
        let mut validity = r.sequence()?;
        let not_before = validity.element()?;
        let not_after = validity.element()?;
        let subject = NameView::read(&mut r)?;
        let spki = Spki::read(&mut r)?;
        let first_id = r.optional(Tag::context(1))?;
        let second_id = r.optional(Tag::context(2))?;
        let extensions = match r.optional_nested(Tag::context_constructed(3))? {
            Some(mut field) => Some(read_extensions(&mut field)?),
            None => None,
        };
        r.finish()?;
        outer.finish()?;
        let mut view = CertView {
            version,
            serial,
            signature,
            issuer,
            not_before,
            not_after,
            valid_from: Time::from_element_lenient(not_before).ok(),
            valid_to: Time::from_element_lenient(not_after).ok(),
            subject,
            spki,
            has_unique_ids: first_id.is_some() || second_id.is_some(),
            extensions: None,
            is_sloppy: false,
            is_authority: false,
            path_len: None,
            key_usage: None,
            purposes: None,
            alt_names: None,
            authority_key: None,
            subject_key: None,
            access: Vec::new(),
            distribution: None,
            policies: None,
            unreadable: None,
        };
        for ext in extensions.iter().flatten() {
            if let Err(e) = view.absorb(ext) {
                view.unreadable.get_or_insert((ext.oid, e));
            }
        }
        view.extensions = extensions;
        Ok(view)
    }

    /// Reads the extensions that several rules look at.
    fn absorb(&mut self, ext: &ExtView<'a>) -> Result<(), Error> {
        let mut r = Reader::new(ext.value).tolerant();
        let is = |oid: &crate::Oid| ext.oid == oid.as_bytes();
        if is(&oids::BASIC_CONSTRAINTS) {
            let mut body = r.sequence()?;
            self.is_authority = body.boolean_default_false()?;
            if !body.is_empty() {
                self.path_len = Some(body.u64()?);
            }
        } else if is(&oids::KEY_USAGE) {
            let bits = parse_bit_string(r.value(Tag::BIT_STRING)?)?;
            self.key_usage = Some((0..9).filter(|n| bits.bit(*n)).fold(0, |a, n| a | 1 << n));
        } else if is(&oids::EXT_KEY_USAGE) {
            self.purposes = Some(each(&mut r, |r| r.value(Tag::OID))?);
        } else if is(&oids::SUBJECT_ALT_NAME) {
            self.alt_names = Some(each(&mut r, Reader::element)?);
        } else if is(&oids::AUTHORITY_KEY_IDENTIFIER) {
            self.authority_key = Some(AuthorityKey::read(&mut r)?);
        } else if is(&oids::SUBJECT_KEY_IDENTIFIER) {
            self.subject_key = Some(r.octet_string()?);
        } else if is(&oids::AUTHORITY_INFO_ACCESS) {
            self.access = each(&mut r, |r| {
                let mut one = r.sequence()?;
                Ok((one.value(Tag::OID)?, one.element()?))
            })?;
        } else if is(&oids::CRL_DISTRIBUTION_POINTS) {
            self.distribution = Some(each(&mut r, DistributionPoint::read)?);
        } else if is(&oids::CERTIFICATE_POLICIES) {
            self.policies = Some(each(&mut r, |r| {
                let mut one = r.sequence()?;
                let id = one.value(Tag::OID)?;
                let qualifiers = one.optional(Tag::SEQUENCE)?.map(|e| e.value);
                Ok(Policy { id, qualifiers })
            })?);
        } else {
            return Ok(());
        }
        r.finish()
    }

    pub(super) fn ext(&self, oid: &crate::Oid) -> Option<&ExtView<'a>> {
        self.extensions
            .iter()
            .flatten()
            .find(|e| e.oid == oid.as_bytes())
    }

    pub(super) fn is_self_issued(&self) -> bool {
        self.issuer.raw == self.subject.raw
    }

    pub(super) fn has_purpose(&self, oid: &crate::Oid) -> bool {
        self.purposes.iter().flatten().any(|p| *p == oid.as_bytes())
    }

    pub(super) fn is_tls_server(&self) -> bool {
        self.has_purpose(&oids::EKU_SERVER_AUTH)
    }

    pub(super) fn usage(&self) -> u16 {
        self.key_usage.unwrap_or(0)
    }

    /// Subject alternative names of one kind, by the number of the CHOICE (RFC 5280 §4.2.1.6).
    pub(super) fn alt(&self, choice: u8) -> impl Iterator<Item = &'a [u8]> {
        let of_kind = move |e: &&Element<'a>| e.tag.0 & 0x1f == choice;
        self.alt_names
            .iter()
            .flatten()
            .filter(of_kind)
            .map(|e| e.value)
    }
}

impl<'a> Algorithm<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut body = r.sequence()?;
        let oid = body.value(Tag::OID)?;
        let parameters = match body.is_empty() {
            true => None,
            false => Some(body.element()?),
        };
        Ok(Self { oid, parameters })
    }
}

impl<'a> NameView<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let whole = r.expect(Tag::SEQUENCE)?;
        let mut rdns = r.descend(whole.value)?;
        let mut attributes = Vec::with_capacity(4);
        let mut has_empty_rdn = false;
        while !rdns.is_empty() {
            let mut rdn = rdns.set()?;
            has_empty_rdn |= rdn.is_empty();
            while !rdn.is_empty() {
                let mut pair = rdn.sequence()?;
                let kind = pair.value(Tag::OID)?;
                let Element { tag, value, .. } = pair.element()?;
                attributes.push(Attribute { kind, tag, value });
            }
        }
        Ok(Self {
            raw: whole.raw,
            attributes,
            has_empty_rdn,
        })
    }

    pub(super) fn all(&self, kind: &crate::Oid) -> impl Iterator<Item = &Attribute<'a>> {
        self.attributes
            .iter()
            .filter(move |a| a.kind == kind.as_bytes())
    }
}

impl<'a> Spki<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut body = r.sequence()?;
        let algorithm = Algorithm::read(&mut body)?;
        let key = body.value(Tag::BIT_STRING)?;
        let key = key.get(1..).unwrap_or_default();
        Ok(Self { algorithm, key })
    }

    pub(super) fn is_rsa(&self) -> bool {
        self.algorithm.oid == oids::RSA_ENCRYPTION.as_bytes()
    }

    pub(super) fn is_ec(&self) -> bool {
        self.algorithm.oid == oids::EC_PUBLIC_KEY.as_bytes()
    }

    pub(super) fn is_ed25519(&self) -> bool {
        self.algorithm.oid == oids::ED25519.as_bytes()
    }

    /// Modulus and exponent (RFC 8017 appendix A.1.1).
    pub(super) fn rsa(&self) -> Option<(&'a [u8], &'a [u8])> {
        if !self.is_rsa() {
            return None;
        }
        let mut body = Reader::new(self.key).sequence().ok()?;
        Some((body.unsigned().ok()?, body.unsigned().ok()?))
    }
}

impl<'a> AuthorityKey<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut body = r.sequence()?;
        let key_id = body.optional(Tag::context(0))?.map(|e| e.value);
        let has_issuer_or_serial = !body.is_empty();
        Ok(Self {
            key_id,
            has_issuer_or_serial,
        })
    }
}

impl<'a> DistributionPoint<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Error> {
        let mut body = r.sequence()?;
        let mut locations = Vec::new();
        let name = body.optional_nested(Tag::context_constructed(0))?;
        let has_name = name.is_some();
        if let Some(mut full) = name
            && let Some(mut names) = full.optional_nested(Tag::context_constructed(0))?
        {
            while !names.is_empty() {
                locations.push(names.element()?);
            }
        }
        body.optional(Tag::context(1))?;
        let has_issuer = body.optional(Tag::context_constructed(2))?.is_some();
        body.finish()?;
        Ok(Self {
            locations,
            has_name,
            has_issuer,
        })
    }
}

pub(super) fn read_extensions<'a>(field: &mut Reader<'a>) -> Result<Vec<ExtView<'a>>, Error> {
    let mut list = field.sequence()?;
    let mut extensions = Vec::with_capacity(10);
    while !list.is_empty() {
        let mut one = list.sequence()?;
        let oid = one.value(Tag::OID)?;
        let criticality = one.optional(Tag::BOOLEAN)?.map(|e| e.value);
        extensions.push(ExtView {
            oid,
            is_critical: criticality.is_some_and(|c| c != [0]),
            criticality,
            value: one.octet_string()?,
        });
        one.finish()?;
    }
    Ok(extensions)
}

/// Every member of a SEQUENCE OF.
pub(super) fn each<'a, T>(
    r: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut list = r.sequence()?;
    let mut members = Vec::new();
    while !list.is_empty() {
        members.push(read(&mut list)?);
    }
    Ok(members)
}
