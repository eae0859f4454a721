//! What one conversation showed.

use crate::observation::{ClientAuth, Der, TlsSeen, Version};

/// All that a server said up to the point where the conversation was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub version: Version,
    pub suite: u16,
    pub beyond: Option<Version>,
    pub group: Option<u16>,
    pub signature: Option<u16>,
    pub alpn: Option<String>,
    pub ocsp_staple: Option<Der>,
    pub client_certificate: Option<ClientAuth>,
    pub compression: u8,
    pub renegotiation_info: Option<bool>,
    pub extended_master_secret: Option<bool>,
    pub session_ticket: Option<bool>,
    pub key_exchange_bits: Option<u16>,
    /// As sent; empty if the conversation did not get that far or there is none.
    pub chain: Vec<Der>,
}

impl Seen {
    pub(crate) fn new(version: Version, suite: u16) -> Self {
        Self {
            version,
            suite,
            beyond: None,
            group: None,
            signature: None,
            alpn: None,
            ocsp_staple: None,
            client_certificate: None,
            compression: 0,
            renegotiation_info: None,
            extended_master_secret: None,
            session_ticket: None,
            key_exchange_bits: None,
            chain: Vec::new(),
        }
    }

    /// As part of an observation, and the chain beside it.
    pub fn split(self) -> (TlsSeen, Vec<Der>) {
        let seen = TlsSeen {
            versions: Vec::new(),
            negotiated: Some((self.version, self.suite)),
            beyond: self.beyond,
            group: self.group,
            groups: Vec::new(),
            signature: self.signature,
            alpn: self.alpn,
            ocsp_staple: self.ocsp_staple,
            client_certificate: self.client_certificate,
            compression: Some(self.compression),
            renegotiation_info: self.renegotiation_info,
            extended_master_secret: self.extended_master_secret,
            session_ticket: self.session_ticket,
            key_exchange_bits: self.key_exchange_bits,
        };
        (seen, self.chain)
    }
}
