//! The DER codec (X.690 §10, §11): a bounded, zero-copy [`Reader`] and a [`Writer`].
//!
//! Reading never recurses on its own and never allocates in proportion to a length found in the input.
//! The depth budget is carried by nested readers. Deployed devices emit sloppy encodings, so a reader
//! can be made tolerant of non-minimal lengths; every other leniency is a separately named function.

mod reader;
mod writer;

pub(crate) use reader::range_in;
pub use reader::{Reader, is_minimal_integer, parse_bit_string, parse_boolean, parse_u64};
pub use writer::{Writer, encode, named_bits_content, sequence, unsigned_content};

/// Depth of nesting that is followed. The deepest honest structure (a CMS message holding certificates
/// with policy qualifiers) needs about 20 levels.
pub const MAX_DEPTH: u8 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the data ends inside an element")]
    Truncated,
    #[error("{0} bytes follow the end of the structure")]
    TrailingData(usize),
    #[error("expected {expected}, found {found}")]
    UnexpectedTag { expected: Tag, found: Tag },
    #[error("tag numbers above 30 are not used by any structure read here")]
    HighTagNumber,
    #[error("indefinite length is not DER (X.690 §10.1)")]
    IndefiniteLength,
    #[error("length not in its shortest form (X.690 §10.1)")]
    NonMinimalLength,
    #[error("length does not fit in this machine or limit")]
    LengthTooLarge,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("larger than the limit of {0} bytes")]
    TooLarge(usize),
    #[error("BOOLEAN must be one octet, 00 or FF (X.690 §11.1)")]
    Boolean,
    #[error("INTEGER is empty, negative, padded or too large here")]
    Integer,
    #[error("BIT STRING has a wrong count of unused bits or non-zero padding (X.690 §11.2)")]
    BitString,
    #[error("malformed OBJECT IDENTIFIER")]
    Oid,
    #[error("malformed NULL")]
    Null,
    #[error("malformed or non-DER time (RFC 5280 §4.1.2.5)")]
    Time,
    #[error("malformed character string")]
    String,
    #[error("an element encoded with its DEFAULT value (X.690 §11.5)")]
    EncodedDefault,
    #[error("more than {0} elements")]
    TooMany(usize),
}

/// A one-octet identifier. High tag numbers are refused by the reader, so one octet is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u8);

impl Tag {
    pub const BOOLEAN: Tag = Tag(0x01);
    pub const INTEGER: Tag = Tag(0x02);
    pub const BIT_STRING: Tag = Tag(0x03);
    pub const OCTET_STRING: Tag = Tag(0x04);
    pub const NULL: Tag = Tag(0x05);
    pub const OID: Tag = Tag(0x06);
    pub const ENUMERATED: Tag = Tag(0x0a);
    pub const UTF8_STRING: Tag = Tag(0x0c);
    pub const NUMERIC_STRING: Tag = Tag(0x12);
    pub const PRINTABLE_STRING: Tag = Tag(0x13);
    pub const TELETEX_STRING: Tag = Tag(0x14);
    pub const IA5_STRING: Tag = Tag(0x16);
    pub const UTC_TIME: Tag = Tag(0x17);
    pub const GENERALIZED_TIME: Tag = Tag(0x18);
    pub const VISIBLE_STRING: Tag = Tag(0x1a);
    pub const UNIVERSAL_STRING: Tag = Tag(0x1c);
    pub const BMP_STRING: Tag = Tag(0x1e);
    pub const SEQUENCE: Tag = Tag(0x30);
    pub const SET: Tag = Tag(0x31);

    /// `[n]` over a primitive value (IMPLICIT).
    pub const fn context(n: u8) -> Tag {
        Tag(0x80 | (n & 0x1f))
    }

    /// `[n]` over a constructed value (EXPLICIT, or IMPLICIT over SEQUENCE, SET or CHOICE).
    pub const fn context_constructed(n: u8) -> Tag {
        Tag(0xa0 | (n & 0x1f))
    }

    pub const fn is_constructed(self) -> bool {
        self.0 & 0x20 != 0
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match *self {
            Tag::BOOLEAN => "BOOLEAN",
            Tag::INTEGER => "INTEGER",
            Tag::BIT_STRING => "BIT STRING",
            Tag::OCTET_STRING => "OCTET STRING",
            Tag::NULL => "NULL",
            Tag::OID => "OBJECT IDENTIFIER",
            Tag::ENUMERATED => "ENUMERATED",
            Tag::UTF8_STRING => "UTF8String",
            Tag::PRINTABLE_STRING => "PrintableString",
            Tag::TELETEX_STRING => "TeletexString",
            Tag::IA5_STRING => "IA5String",
            Tag::UTC_TIME => "UTCTime",
            Tag::GENERALIZED_TIME => "GeneralizedTime",
            Tag::BMP_STRING => "BMPString",
            Tag::SEQUENCE => "SEQUENCE",
            Tag::SET => "SET",
            Tag(t) if t & 0xc0 == 0x80 => return write!(f, "[{}]", t & 0x1f),
            Tag(t) => return write!(f, "tag 0x{t:02x}"),
        };
        f.write_str(name)
    }
}

/// One element: its tag, its content and the whole of its encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: Tag,
    pub value: &'a [u8],
    pub raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the content, one level down from nothing: use [`Reader::nested`] where depth counts.
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.value)
    }
}

/// BIT STRING content with the unused bits of the last octet counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitString<'a> {
    pub unused: u8,
    pub bytes: &'a [u8],
}

impl BitString<'_> {
    /// Bit `n`, counted from the most significant bit of the first octet, as ASN.1 names them.
    pub fn bit(&self, n: usize) -> bool {
        self.bytes
            .get(n / 8)
            .is_some_and(|b| b & (0x80 >> (n % 8)) != 0)
    }
}
