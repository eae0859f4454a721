//! The attributes of a signer (RFC 5652 §5.3): a few typed values beside the content, such as SCEP's transactionID.

use super::{CmsError, MAX_MEMBERS, elements};
use crate::{
    Oid, Time,
    der::{self, Reader, Tag, Writer},
    name::decode_string,
};

/// One attribute; its values are complete elements in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub oid: Oid,
    pub values: Vec<Vec<u8>>,
}

impl Attribute {
    /// An attribute with one value, given as a complete element.
    pub fn new(oid: Oid, value_der: Vec<u8>) -> Self {
        Self {
            oid,
            values: vec![value_der],
        }
    }

    /// With a PrintableString, as SCEP writes its numbers and identifiers. The caller keeps to the character set.
    pub fn printable(oid: Oid, value: &str) -> Self {
        Self::new(oid, der::encode(Tag::PRINTABLE_STRING, value.as_bytes()))
    }

    pub fn octets(oid: Oid, value: &[u8]) -> Self {
        Self::new(oid, der::encode(Tag::OCTET_STRING, value))
    }

    pub fn time(oid: Oid, value: Time) -> Self {
        let mut w = Writer::new();
        w.time(value);
        Self::new(oid, w.finish())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        der::sequence(|w| {
            w.oid(&self.oid).set_of(self.values.clone());
        })
    }
}

/// The attributes of one signer, each type once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<Attribute>);

impl Attributes {
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, oid: &Oid) -> Option<&Attribute> {
        self.0.iter().find(|attribute| attribute.oid == *oid)
    }

    /// The one value of an attribute, as a complete element.
    pub fn value(&self, oid: &Oid) -> Result<Option<&[u8]>, CmsError> {
        match self.get(oid).map(|attribute| attribute.values.as_slice()) {
            None => Ok(None),
            Some([value]) => Ok(Some(value)),
            Some(_) => Err(CmsError::DuplicateAttribute(*oid)),
        }
    }

    /// The value as text, of whatever string type: devices that should write PrintableString write others too.
    pub fn text(&self, oid: &Oid) -> Result<Option<String>, CmsError> {
        self.read(oid, |r| {
            let element = r.element().ok()?;
            decode_string(element.tag, element.value).map(|text| text.into_owned())
        })
    }

    pub fn octet_string(&self, oid: &Oid) -> Result<Option<Vec<u8>>, CmsError> {
        self.read(oid, |r| r.octet_string().ok().map(<[u8]>::to_vec))
    }

    pub fn oid(&self, oid: &Oid) -> Result<Option<Oid>, CmsError> {
        self.read(oid, |r| r.oid().ok())
    }

    pub fn time(&self, oid: &Oid) -> Result<Option<Time>, CmsError> {
        self.read(oid, |r| r.time().ok())
    }

    fn read<T>(
        &self,
        oid: &Oid,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Result<Option<T>, CmsError> {
        let Some(value) = self.value(oid)? else {
            return Ok(None);
        };
        let mut r = Reader::new(value).tolerant();
        let found = read(&mut r).filter(|_| r.is_empty());
        found.map(Some).ok_or(CmsError::BadAttribute(*oid))
    }

    /// Reads a SET OF Attribute. Two attributes of one type are refused: which of them was meant is not to be
    /// guessed, and RFC 5652 §11 forbids it for those that matter.
    pub(super) fn read_set(set: &mut Reader<'_>) -> Result<Self, CmsError> {
        let mut attributes: Vec<Attribute> = Vec::new();
        for element in elements(set, MAX_MEMBERS)? {
            let mut fields = set.descend(element.value)?;
            if element.tag != Tag::SEQUENCE {
                return Err(der::Error::UnexpectedTag {
                    expected: Tag::SEQUENCE,
                    found: element.tag,
                }
                .into());
            }
            let oid = fields.oid()?;
            let mut values = fields.set()?;
            fields.finish()?;
            if attributes.iter().any(|earlier| earlier.oid == oid) {
                return Err(CmsError::DuplicateAttribute(oid));
            }
            let values = elements(&mut values, MAX_MEMBERS)?;
            let values = values.iter().map(|value| value.raw.to_vec()).collect();
            attributes.push(Attribute { oid, values });
        }
        Ok(Self(attributes))
    }
}

impl FromIterator<Attribute> for Attributes {
    fn from_iter<I: IntoIterator<Item = Attribute>>(attributes: I) -> Self {
        Self(attributes.into_iter().collect())
    }
}
