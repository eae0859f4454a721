//! genm (RFC 9483 §4.3): CA certificates, the root's successor, what to ask for, revocation lists.

use std::sync::Arc;

use ca::crl::{ListKind, ListName};
use ca::{Ca, Issuer};
use x509::cmp::{Body, CrlStatus, FailInfo, InfoTypeAndValue, RootUpdate, TemplateAnswer};
use x509::der::{self, Tag};
use x509::{AlgorithmIdentifier, Certificate, GeneralName, KeyAlgorithm, Time, oids};

use super::exchange::{Beside, Exchange};
use super::fault::{Fault, Stop};
use super::sender::Sender;
use crate::device::DeviceError;

/// Answers genm.
pub(super) async fn inform(
    exchange: &Exchange<'_>,
    questions: &[InfoTypeAndValue],
) -> Result<Vec<u8>, Stop> {
    if matches!(exchange.sender, Sender::Nobody) && !questions.iter().all(is_public) {
        let text = "this question needs protection";
        return Err(Fault::new(FailInfo::BAD_MESSAGE_CHECK, text).into());
    }
    let mut answers = Vec::with_capacity(questions.len());
    let mut unknown = Vec::new();
    for question in questions {
        match answer(exchange, question).await? {
            Some(answer) => answers.push(answer),
            None => unknown.push(question.oid),
        }
    }
    if !unknown.is_empty() {
        if answers.is_empty() {
            let text = "caCerts, rootCaCert, certReqTemplate, crlStatusList, currentCRL and \
                signKeyPairTypes are answered here";
            return Err(Fault::bad_request(text).into());
        }
        let value = der::sequence(|w| {
            for oid in &unknown {
                w.oid(oid);
            }
        });
        answers.push(InfoTypeAndValue::new(oids::IT_UNSUPPORTED_OIDS, value));
    }
    let answer = exchange.answer(Body::Genp(answers), Beside::default());
    Ok(answer.await?.der)
}

/// What is published over plain HTTP as well.
fn is_public(question: &InfoTypeAndValue) -> bool {
    matches!(
        question.oid,
        oids::IT_CA_CERTS | oids::IT_ROOT_CA_CERT | oids::IT_CRL_STATUS_LIST | oids::IT_CURRENT_CRL
    )
}

async fn answer(
    exchange: &Exchange<'_>,
    question: &InfoTypeAndValue,
) -> Result<Option<InfoTypeAndValue>, Stop> {
    let ca = exchange.devices.ca();
    let issuer = exchange.issuer()?;
    let malformed = |e: x509::Error| Fault::new(FailInfo::BAD_DATA_FORMAT, e.to_string());
    Ok(Some(match question.oid {
        oids::IT_CA_CERTS => {
            let mut certificates = issuer.chain().to_vec();
            if let Some(root) = root(ca, &issuer)
                && !certificates.contains(&root)
            {
                certificates.push(root);
            }
            InfoTypeAndValue::ca_certs(&certificates)
        }
        oids::IT_ROOT_CA_CERT => {
            let known = question.root_certificate().map_err(malformed)?;
            match successor(ca, &issuer, known.as_ref()) {
                Some(update) => InfoTypeAndValue::root_update(&update),
                None => InfoTypeAndValue::bare(oids::IT_ROOT_CA_KEY_UPDATE),
            }
        }
        oids::IT_CERT_REQ_TEMPLATE => template(exchange)?,
        oids::IT_SIGN_KEY_PAIR_TYPES => {
            let algorithms = algorithms(exchange)?;
            let value = der::sequence(|w| {
                for algorithm in algorithms {
                    key_type(algorithm).write(w);
                }
            });
            InfoTypeAndValue::new(oids::IT_SIGN_KEY_PAIR_TYPES, value)
        }
        oids::IT_CURRENT_CRL => match list(ca, &issuer).await? {
            Some((crl, _)) => InfoTypeAndValue::current_crl(&crl),
            None => InfoTypeAndValue::bare(oids::IT_CURRENT_CRL),
        },
        oids::IT_CRL_STATUS_LIST => {
            let wanted = question.crl_statuses().map_err(malformed)?;
            newer_lists(ca, &issuer, &wanted).await?
        }
        _ => return Ok(None),
    }))
}

/// The root above an issuer, or the highest certificate that is known.
pub(super) fn root(ca: &Ca, issuer: &Arc<Issuer>) -> Option<Certificate> {
    /// Deeper than any hierarchy that a path length allows here.
    const DEEPEST: usize = 16;

    let mut top = Arc::clone(issuer);
    for _ in 0..DEEPEST {
        let Some(parent) = &top.record().parent else {
            break;
        };
        top = ca.issuer(parent).ok()?;
    }
    let highest = top
        .record()
        .foreign_chain
        .last()
        .unwrap_or(top.certificate());
    highest.is_self_issued().then(|| highest.clone())
}

/// What a device that trusts `known` needs in order to trust the root of now (RFC 9810 §5.3.19.15); `None` if that is the
/// one it trusts, or one that is not ours.
fn successor(ca: &Ca, issuer: &Arc<Issuer>, known: Option<&Certificate>) -> Option<RootUpdate> {
    let known = known?;
    let current = root(ca, issuer)?;
    if current == *known {
        return None;
    }
    let issuers = ca.issuers();
    let held = |certificate: &Certificate| {
        issuers
            .iter()
            .find(|issuer| issuer.certificate() == certificate)
    };
    let (new, old) = (held(&current)?, held(known)?);
    if new.record().authority != old.record().authority {
        return None;
    }
    let signed_by = |certificates: &[Certificate], by: &Certificate| {
        let key = by.public_key().ok()?;
        let found = certificates
            .iter()
            .find(|cross| cross.verify_signed_by(&key).is_ok());
        found.cloned()
    };
    Some(RootUpdate {
        new_with_old: signed_by(&new.record().cross, known),
        old_with_new: signed_by(&old.record().cross, &current),
        new_with_new: current,
    })
}

/// What a request may hold: the key types of the profile (RFC 9483 §4.3.3). Names come from the register.
fn template(exchange: &Exchange<'_>) -> Result<InfoTypeAndValue, DeviceError> {
    let mut answer = TemplateAnswer::default();
    for algorithm in algorithms(exchange)? {
        match algorithm {
            KeyAlgorithm::Rsa2048 => answer.rsa_bits.push(2048),
            KeyAlgorithm::Rsa3072 => answer.rsa_bits.push(3072),
            KeyAlgorithm::Rsa4096 => answer.rsa_bits.push(4096),
            _ => {
                let mut w = der::Writer::new();
                key_type(algorithm).write(&mut w);
                answer.key_algorithms.push(w.finish());
            }
        }
    }
    Ok(InfoTypeAndValue::template(&answer))
}

fn algorithms(exchange: &Exchange<'_>) -> Result<Vec<KeyAlgorithm>, DeviceError> {
    let profile = exchange.devices.ca().profile(&exchange.endpoint.profile)?;
    Ok(profile.profile.algorithms().to_vec())
}

/// A kind of key, as a SubjectPublicKeyInfo names it.
fn key_type(algorithm: KeyAlgorithm) -> AlgorithmIdentifier {
    let curve = |curve: x509::Oid| AlgorithmIdentifier {
        oid: oids::EC_PUBLIC_KEY,
        params: Some(der::encode(Tag::OID, curve.as_bytes())),
    };
    match algorithm {
        KeyAlgorithm::EcdsaP256 => curve(oids::P256),
        KeyAlgorithm::EcdsaP384 => curve(oids::P384),
        KeyAlgorithm::EcdsaP521 => curve(oids::P521),
        KeyAlgorithm::Ed25519 => AlgorithmIdentifier {
            oid: oids::ED25519,
            params: None,
        },
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            AlgorithmIdentifier {
                oid: oids::RSA_ENCRYPTION,
                params: Some(der::encode(Tag::NULL, &[])),
            }
        }
    }
}

/// The complete CRL of an issuer, and when it was made.
async fn list(ca: &Ca, issuer: &Issuer) -> Result<Option<(Vec<u8>, Time)>, DeviceError> {
    let name = ListName {
        issuer: issuer.name().to_owned(),
        kind: ListKind::Complete,
    };
    let found = ca.crl(&name).await?;
    Ok(found.map(|list| (list.der.to_vec(), list.this_update)))
}

/// The lists that a device asks for, as far as there are newer ones than it has (RFC 9483 §4.3.4).
async fn newer_lists(
    ca: &Ca,
    own: &Arc<Issuer>,
    wanted: &[CrlStatus],
) -> Result<InfoTypeAndValue, DeviceError> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for status in wanted {
        let Some(issuer) = issuer_of(ca, own, &status.names) else {
            continue;
        };
        let Some((der, made)) = list(ca, &issuer).await? else {
            continue;
        };
        if status.this_update.is_none_or(|has| has < made) && !found.contains(&der) {
            found.push(der);
        }
    }
    Ok(match found.is_empty() {
        true => InfoTypeAndValue::bare(oids::IT_CRLS),
        false => InfoTypeAndValue::crls(&found),
    })
}

/// Whose list these names are of: an issuer's subject, or the address that certificates give for it. No name at all means
/// the endpoint's own.
fn issuer_of(ca: &Ca, own: &Arc<Issuer>, names: &[GeneralName]) -> Option<Arc<Issuer>> {
    if names.is_empty() {
        return Some(Arc::clone(own));
    }
    let issuers = ca.issuers();
    let names_it = |issuer: &Arc<Issuer>, name: &GeneralName| match name {
        GeneralName::DirName(name) => issuer.certificate().subject().canonical_eq(name),
        GeneralName::Uri(uri) => {
            let path = uri.split_once("/crl/").map(|(_, path)| path);
            let list = path.and_then(ListName::parse_path);
            list.is_some_and(|list| list.issuer == issuer.name())
        }
        _ => false,
    };
    let wanted = |issuer: &&Arc<Issuer>| names.iter().any(|name| names_it(issuer, name));
    // The endpoint's own before a namesake: generations of one authority share their name.
    Some(own)
        .filter(|own| wanted(own))
        .or_else(|| issuers.iter().find(wanted))
        .map(Arc::clone)
}
