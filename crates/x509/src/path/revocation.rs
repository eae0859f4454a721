//! The status of a certificate by CRLs: complete, delta, partitioned, indirect (RFC 5280 §6.3).

use super::{
    PathOptions, Profile, Revocation,
    build::Search,
    check::Goal,
    error::{Fault, PathError, PathRule},
    node::{Facts, Node},
};
use crate::{
    Error, GeneralName, Name, Time,
    crl::{CertificateList, Reason, RevokedEntry},
    der::{self, Reader, Tag},
    ext::{
        AuthorityKeyId, DistributionPoint, DistributionPointName, IssuingDistributionPoint,
        KeyUsage, ReasonFlags,
    },
    oids,
};

/// keyCompromise to aACompromise: ReasonFlags bits 1 to 8 (RFC 5280 §4.2.1.13, "all-reasons" of §6.3.2).
const ALL_REASONS: u16 = 0x1fe;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    Good,
    Revoked(Time, Option<Reason>),
    Unknown(String),
}

/// What has to be known of a CRL to see whether it matters, read once.
pub(super) struct ListFacts {
    issuer: Vec<u8>,
    point: Option<IssuingDistributionPoint>,
    /// Magnitudes without leading zeros, which compare as length and octets.
    number: Option<Vec<u8>>,
    base: Option<Vec<u8>>,
    authority_key: Option<AuthorityKeyId>,
    /// Why it may not be used at all.
    unusable: Option<String>,
}

impl ListFacts {
    pub(super) fn read(list: &CertificateList, options: &PathOptions) -> Self {
        let mut facts = Self {
            issuer: list.issuer().canonical(),
            point: None,
            number: None,
            base: None,
            authority_key: None,
            unusable: None,
        };
        let outcome = facts.fill(list).map_err(|e| e.to_string());
        facts.unusable = outcome.and_then(|()| facts.check(list, options)).err();
        facts
    }

    fn fill(&mut self, list: &CertificateList) -> Result<(), Error> {
        self.point = list.issuing_distribution_point()?;
        self.number = list.number()?.map(|n| magnitude(&n.0));
        self.base = list.delta_base()?.map(|n| magnitude(&n.0));
        self.authority_key = list.authority_key_id()?;
        Ok(())
    }

    fn check(&self, list: &CertificateList, options: &PathOptions) -> Result<(), String> {
        let next = list.next_update().ok_or("it has no nextUpdate")?;
        if options.time < list.this_update() || options.time > next {
            return Err(format!(
                "it is current from {} to {next}",
                list.this_update()
            ));
        }
        if let Some(oid) = list.unknown_critical_extension() {
            return Err(format!("its critical extension {oid} is not understood"));
        }
        let number = list.extensions().iter().find(|e| e.oid == oids::CRL_NUMBER);
        let number_right = number.is_some_and(|e| !e.critical);
        if options.profile >= Profile::Rfc5280 && !number_right {
            return Err("its CRL number is missing or critical (RFC 5280 §5.2.3)".into());
        }
        Ok(())
    }
}

fn magnitude(content: &[u8]) -> Vec<u8> {
    content.iter().copied().skip_while(|b| *b == 0).collect()
}

fn is_at_most(a: &[u8], b: &[u8]) -> bool {
    (a.len(), a) <= (b.len(), b)
}

impl Search<'_> {
    /// RFC 5280 §6.1.3 (a)(3) for every certificate of a complete path.
    pub(super) fn check_statuses(
        &mut self,
        path: &[usize],
        anchor: usize,
    ) -> Result<(), PathError> {
        if self.options.revocation == Revocation::Ignored {
            return Ok(());
        }
        for index in (0..path.len()).rev() {
            let issuer = path.get(index + 1).copied().unwrap_or(anchor);
            let status = self.status(path, index, issuer, anchor)?;
            let fault = match status {
                Status::Good => continue,
                Status::Unknown(_) if self.options.revocation == Revocation::RefuseRevoked => {
                    continue;
                }
                Status::Unknown(why) => Fault::new(
                    PathRule::StatusUnknown,
                    "RFC 5280 §6.3.3",
                    format!("status unknown: {why}"),
                ),
                Status::Revoked(date, reason) => {
                    let reason = reason.map_or("without a reason", Reason::name);
                    Fault::new(
                        PathRule::Revoked,
                        "RFC 5280 §6.1.3 (a)(3)",
                        format!("revoked on {date}: {reason}"),
                    )
                }
            };
            return Err(fault.at(index));
        }
        Ok(())
    }

    fn status(
        &mut self,
        path: &[usize],
        index: usize,
        issuer: usize,
        anchor: usize,
    ) -> Result<Status, PathError> {
        let Some(subject) = path.get(index).copied() else {
            return Ok(Status::Good);
        };
        let key = (subject, issuer, anchor);
        match self.statuses.get(&key) {
            Some(Some(known)) => return Ok(known.clone()),
            Some(None) => {
                return Ok(Status::Unknown(
                    "the CRL's signer depends on its own status".into(),
                ));
            }
            None => {}
        }
        self.statuses.insert(key, None);
        let above = path.get(index + 1..).unwrap_or_default();
        let status = self
            .find_status(subject, above, anchor)
            .map_err(|f| f.at(index));
        self.statuses.insert(key, status.as_ref().ok().cloned());
        status
    }

    /// RFC 5280 §6.3.3 over the certificate's own distribution points, then over its issuer's CRLs.
    fn find_status(
        &mut self,
        subject: usize,
        above: &[usize],
        anchor: usize,
    ) -> Result<Status, Fault> {
        let own = self.nodes[subject]
            .facts()?
            .distribution
            .clone()
            .map(|d| d.0);
        let implicit = DistributionPoint::default();
        let mut covered = 0u16;
        let mut trouble = String::from("no CRL covers it");
        for point in own.iter().flatten().chain([&implicit]) {
            for list in 0..self.lists.len() {
                self.meter.steps(1)?;
                let Some(reasons) = self.scope(subject, point, list)? else {
                    continue;
                };
                if reasons & !covered == 0 {
                    continue;
                }
                match self.look_up(subject, list, above, anchor)? {
                    Ok(None) => covered |= reasons,
                    Ok(Some(entry)) => return Ok(Status::Revoked(entry.date, entry.reason)),
                    Err(why) => trouble = why,
                }
                if covered == ALL_REASONS {
                    return Ok(Status::Good);
                }
            }
        }
        Ok(Status::Unknown(trouble))
    }

    /// RFC 5280 §6.3.3 (b), (d): the reasons for which a complete CRL speaks about a certificate.
    fn scope(
        &self,
        subject: usize,
        point: &DistributionPoint,
        list: usize,
    ) -> Result<Option<u16>, Fault> {
        let node = &self.nodes[subject];
        let list = &self.lists[list];
        let idp = list.point.clone().unwrap_or_default();
        if list.base.is_some() || !is_issuer(node, point, list, &idp) {
            return Ok(None);
        }
        let authority = node.facts()?.is_authority();
        let excluded = (idp.only_user_certs && authority) || (idp.only_ca_certs && !authority);
        if excluded
            || idp.only_attribute_certs
            || !names_agree(node, point, list_name(&idp), list, self)
        {
            return Ok(None);
        }
        let all = ReasonFlags(ALL_REASONS);
        let stated = point.reasons.unwrap_or(all).0 & idp.only_some_reasons.unwrap_or(all).0;
        Ok(Some(stated & ALL_REASONS))
    }

    /// RFC 5280 §6.3.3 (c), (f) to (k): the entry for the certificate, or why the CRL may not be used.
    fn look_up(
        &mut self,
        subject: usize,
        list: usize,
        above: &[usize],
        anchor: usize,
    ) -> Result<Result<Option<RevokedEntry>, String>, Fault> {
        if let Some(why) = &self.lists[list].unusable {
            return Ok(Err(format!("the CRL cannot be used: {why}")));
        }
        let Some(signer) = self.signer(list, subject, above, anchor)? else {
            return Ok(Err(
                "the CRL's signature does not lead to the same trust anchor".into(),
            ));
        };
        let mut found = None;
        if let Some(delta) = self.delta_for(list, signer)? {
            found = match self.entry(subject, delta) {
                Ok(entry) => entry,
                Err(e) => return Ok(Err(format!("the delta CRL cannot be used: {e}"))),
            };
        }
        if found.is_none() {
            found = match self.entry(subject, list) {
                Ok(entry) => entry,
                Err(e) => return Ok(Err(format!("the CRL cannot be used: {e}"))),
            };
        }
        Ok(Ok(found.filter(|e| e.reason != Some(Reason::RemoveFromCrl))))
    }

    fn entry(&self, subject: usize, list: usize) -> Result<Option<RevokedEntry>, Error> {
        let c = &self.nodes[subject].certificate;
        match self.options.crls.get(list) {
            Some(list) => list.find_issued_by(c.issuer(), c.serial()),
            None => Ok(None),
        }
    }

    /// RFC 5280 §6.3.3 (f), (g): the certificate that the CRL was signed with, with a path of its own.
    /// A CRL issuer that its own CA points to may cover itself (PKITS 4.14.30).
    fn signer(
        &mut self,
        list: usize,
        subject: usize,
        above: &[usize],
        anchor: usize,
    ) -> Result<Option<usize>, Fault> {
        let named = self
            .by_subject
            .get(&self.lists[list].issuer)
            .cloned()
            .unwrap_or_default();
        let on_path = |i: &usize| above.contains(i) || *i == anchor || *i == subject;
        let (trusted, others): (Vec<usize>, Vec<usize>) = named.into_iter().partition(on_path);
        for i in trusted {
            if self.may_sign_lists(i) && self.verify_list(list, i)? {
                return Ok(Some(i));
            }
        }
        for i in others {
            if self.nodes[i].anchor.is_some()
                || !self.may_sign_lists(i)
                || !self.verify_list(list, i)?
            {
                continue;
            }
            let path = self.aside(|s| s.find(i, Goal::CrlIssuer { anchor }));
            match path {
                Ok(Some(found)) if found.anchor == anchor && !found.path.is_empty() => {
                    return Ok(Some(i));
                }
                Ok(_) => {}
                Err(e) => return Err(Fault::new(e.rule, e.clause, e.message)),
            }
        }
        Ok(None)
    }

    fn may_sign_lists(&self, i: usize) -> bool {
        let bare = self.nodes[i]
            .anchor
            .and_then(|a| self.anchors.get(a))
            .is_some_and(|a| a.is_bare);
        bare || self.nodes[i]
            .facts()
            .is_ok_and(|f: &Facts| f.allows(KeyUsage::CRL_SIGN))
    }

    fn verify_list(&mut self, list: usize, signer: usize) -> Result<bool, Fault> {
        if let Some(known) = self.lists_verified.get(&(list, signer)) {
            return Ok(*known);
        }
        self.meter.signature()?;
        let crl = self.options.crls.get(list);
        let good = match (crl, self.nodes[signer].key()) {
            (Some(crl), Ok(key)) if self.options.allow_legacy_algorithms => key
                .verify_legacy(crl.signature_algorithm(), crl.tbs_der(), crl.signature())
                .is_ok(),
            (Some(crl), Ok(key)) => crl.verify_signed_by(key).is_ok(),
            _ => false,
        };
        self.lists_verified.insert((list, signer), good);
        Ok(good)
    }

    /// RFC 5280 §5.2.4, §6.3.3 (c), (h): the newest delta that goes with a complete CRL.
    fn delta_for(&mut self, complete: usize, signer: usize) -> Result<Option<usize>, Fault> {
        let base = &self.lists[complete];
        let goes_with = |delta: &ListFacts| {
            let (Some(from), Some(to), Some(at)) = (&delta.base, &delta.number, &base.number)
            else {
                return false;
            };
            delta.unusable.is_none()
                && delta.issuer == base.issuer
                && delta.point == base.point
                && delta.authority_key == base.authority_key
                && is_at_most(from, at)
                && !is_at_most(to, at)
        };
        let mut fitting: Vec<usize> = (0..self.lists.len())
            .filter(|i| goes_with(&self.lists[*i]))
            .collect();
        let number = |i: &usize| self.lists[*i].number.clone().unwrap_or_default();
        fitting.sort_by_cached_key(|i| {
            let n = number(i);
            std::cmp::Reverse((n.len(), n))
        });
        for delta in fitting {
            if self.verify_list(delta, signer)? {
                return Ok(Some(delta));
            }
        }
        Ok(None)
    }
}

/// RFC 5280 §6.3.3 (b)(1).
fn is_issuer(
    node: &Node,
    point: &DistributionPoint,
    list: &ListFacts,
    idp: &IssuingDistributionPoint,
) -> bool {
    if point.crl_issuer.is_empty() {
        return list.issuer == node.issuer;
    }
    let named =
        |n: &GeneralName| matches!(n, GeneralName::DirName(n) if n.canonical() == list.issuer);
    idp.indirect_crl && point.crl_issuer.iter().any(named)
}

fn list_name(idp: &IssuingDistributionPoint) -> Option<&DistributionPointName> {
    idp.name.as_ref()
}

/// RFC 5280 §6.3.3 (b)(2)(i): a partition names itself as the certificate names it.
fn names_agree(
    node: &Node,
    point: &DistributionPoint,
    of_list: Option<&DistributionPointName>,
    list: &ListFacts,
    search: &Search<'_>,
) -> bool {
    let Some(of_list) = of_list else {
        return true;
    };
    let list_issuer = search.list_issuer(list);
    let of_list = full_names(of_list, list_issuer.as_ref());
    let of_point = match &point.name {
        Some(name) => {
            let base = point.crl_issuer.iter().find_map(|n| match n {
                GeneralName::DirName(n) => Some(n),
                _ => None,
            });
            full_names(name, Some(base.unwrap_or(node.certificate.issuer())))
        }
        None if point.crl_issuer.is_empty() => {
            vec![GeneralName::DirName(node.certificate.issuer().clone())]
        }
        None => point.crl_issuer.clone(),
    };
    of_list
        .iter()
        .any(|a| of_point.iter().any(|b| same_name(a, b)))
}

impl Search<'_> {
    fn list_issuer(&self, list: &ListFacts) -> Option<Name> {
        let at = self.lists.iter().position(|l| std::ptr::eq(l, list))?;
        self.options.crls.get(at).map(|l| l.issuer().clone())
    }
}

fn full_names(name: &DistributionPointName, base: Option<&Name>) -> Vec<GeneralName> {
    match (name, base) {
        (DistributionPointName::Full(names), _) => names.clone(),
        (DistributionPointName::RelativeToIssuer(rdn), Some(base)) => append(base, rdn)
            .map(GeneralName::DirName)
            .into_iter()
            .collect(),
        (DistributionPointName::RelativeToIssuer(_), None) => Vec::new(),
    }
}

/// The CRL issuer's name with one more relative distinguished name.
fn append(base: &Name, attributes: &[Vec<u8>]) -> Option<Name> {
    let rdns = Reader::new(base.der())
        .tolerant()
        .value(Tag::SEQUENCE)
        .ok()?;
    let der = der::sequence(|w| {
        w.raw(rdns).set_of(attributes.to_vec());
    });
    Name::from_der(&der).ok()
}

fn same_name(a: &GeneralName, b: &GeneralName) -> bool {
    match (a, b) {
        (GeneralName::DirName(a), GeneralName::DirName(b)) => a.canonical_eq(b),
        _ => a == b,
    }
}
