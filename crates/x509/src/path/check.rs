//! The walk down a path from its anchor (RFC 5280 §6.1.2 to §6.1.5).

use super::{
    PathOptions, PolicyInputs, Profile, TrustAnchor,
    build::{Meter, is_current},
    constraints::Layers,
    error::{Fault, PathError, PathRule, ensure},
    names,
    node::Node,
    policy::PolicyState,
    profile::{self, Role},
};
use crate::{Oid, ext::KeyUsage, oids};

/// What the certificate at the lower end is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Whatever the options say.
    Target,
    /// To sign a CRL, under the same anchor as the certificate that the CRL is about.
    CrlIssuer { anchor: usize },
}

/// RFC 5280 §6.1.4 (k) to (n), for an issuer with `below` counted intermediates between it and the target.
pub(super) fn issuer(node: &Node, below: usize, options: &PathOptions) -> Result<(), Fault> {
    let facts = node.facts()?;
    ensure(
        node.certificate.version() == 3,
        PathRule::Version,
        "RFC 5280 §6.1.4 (k)",
        "an intermediate authority is not of version 3, so nothing says that it is one",
    )?;
    ensure(
        facts.is_authority(),
        PathRule::BasicConstraints,
        "RFC 5280 §6.1.4 (k)",
        "an issuer on the path is no authority",
    )?;
    let allowed = facts.basic.and_then(|b| b.path_len);
    ensure(
        allowed.is_none_or(|n| below <= n as usize),
        PathRule::PathLength,
        "RFC 5280 §6.1.4 (l), (m)",
        "more authorities follow than the path length allows",
    )?;
    ensure(
        facts.allows(KeyUsage::KEY_CERT_SIGN),
        PathRule::KeyUsage,
        "RFC 5280 §6.1.4 (n)",
        "an issuer's key usage does not assert keyCertSign",
    )?;
    dates(node, options)
}

/// An anchor's certificate is held to its own words unless it is bare (RFC 5937).
pub(super) fn anchor(
    node: &Node,
    settings: &TrustAnchor,
    below: usize,
    options: &PathOptions,
) -> Result<(), Fault> {
    ensure(
        settings.max_intermediates.is_none_or(|n| below <= n),
        PathRule::PathLength,
        "RFC 5937 §3.2",
        "more authorities follow than are accepted from this trust anchor",
    )?;
    if settings.is_bare {
        return Ok(());
    }
    let may_be_old = options.profile == Profile::Algorithm && node.certificate.version() < 3;
    if !may_be_old {
        issuer(node, below, options)?;
    }
    dates(node, options)?;
    node.check_critical_extensions()?;
    profile::check(node, Role::Anchor, options.profile)?;
    strength(node, options)
}

fn dates(node: &Node, options: &PathOptions) -> Result<(), Fault> {
    let c = &node.certificate;
    if is_current(c, options.time) {
        return Ok(());
    }
    let message = format!(
        "valid from {} to {}, not at {}",
        c.not_before(),
        c.not_after(),
        options.time
    );
    Err(Fault::new(
        PathRule::Validity,
        "RFC 5280 §6.1.3 (a)(2)",
        message,
    ))
}

fn strength(node: &Node, options: &PathOptions) -> Result<(), Fault> {
    match options.allow_legacy_algorithms {
        true => Ok(()),
        false => profile::check_strength(node),
    }
}

/// A path whose signatures are known to be good.
pub(super) struct Walk<'a> {
    pub(super) nodes: &'a [Node],
    /// From the target upwards, without the anchor.
    pub(super) path: &'a [usize],
    pub(super) anchor: &'a Node,
    pub(super) settings: Option<&'a TrustAnchor>,
    pub(super) options: &'a PathOptions,
    pub(super) goal: Goal,
}

impl<'a> Walk<'a> {
    /// The user-constrained policy set.
    pub(super) fn run(&self, meter: &mut Meter) -> Result<Vec<Oid>, PathError> {
        let any_policy = PolicyInputs::default();
        let inputs = match self.goal {
            Goal::Target => &self.options.policies,
            Goal::CrlIssuer { .. } => &any_policy,
        };
        let mut policies = PolicyState::new(inputs, self.path.len());
        let mut layers = self
            .initial_constraints()
            .map_err(|f| f.at(self.path.len()))?;
        for (index, i) in self.path.iter().enumerate().rev() {
            let Some(node) = self.nodes.get(*i) else {
                continue;
            };
            self.step(node, index == 0, &mut policies, &mut layers, meter)
                .map_err(|f| f.at(index))?;
        }
        let target = self
            .path
            .first()
            .and_then(|i| self.nodes.get(*i))
            .unwrap_or(self.anchor);
        let conclude = |target: &Node| {
            let policies = policies.conclude(target.facts()?, &inputs.acceptable)?;
            self.check_goal(target)?;
            Ok(policies)
        };
        conclude(target)
            .map_err(|f: Fault| f.at(0))
            .and_then(|policies| {
                self.check_purposes()?;
                Ok(policies)
            })
    }

    fn initial_constraints(&self) -> Result<Layers<'a>, Fault> {
        let mut layers = Layers::new(self.options.profile == Profile::Algorithm);
        let of_anchor = self.settings.and_then(|s| s.constraints.as_ref());
        let is_bare = self.settings.is_some_and(|s| s.is_bare);
        let of_certificate = match is_bare {
            true => None,
            false => self.anchor.facts()?.constraints.as_ref(),
        };
        let initial = [self.options.constraints.as_ref(), of_anchor, of_certificate];
        initial.into_iter().flatten().for_each(|c| layers.push(c));
        Ok(layers)
    }

    /// RFC 5280 §6.1.3, and §6.1.4 unless it is the last. Signatures and the rules for issuers were
    /// checked when the path was built.
    fn step(
        &self,
        node: &'a Node,
        is_final: bool,
        policies: &mut PolicyState,
        layers: &mut Layers<'a>,
        meter: &mut Meter,
    ) -> Result<(), Fault> {
        let facts = node.facts()?;
        dates(node, self.options)?;
        let role = if is_final {
            Role::Target
        } else {
            Role::Intermediate
        };
        profile::check(node, role, self.options.profile)?;
        strength(node, self.options)?;
        if is_final || !node.is_self_issued() {
            layers.check(node, meter)?;
        }
        policies.process(node, facts, is_final, meter)?;
        node.check_critical_extensions()?;
        if !is_final {
            policies.prepare_next(node, facts, meter)?;
            if let Some(constraints) = &facts.constraints {
                layers.push(constraints);
            }
        }
        Ok(())
    }

    fn check_goal(&self, target: &Node) -> Result<(), Fault> {
        let facts = target.facts()?;
        match self.goal {
            Goal::Target => names::check(facts, &self.options.names),
            Goal::CrlIssuer { .. } => ensure(
                facts.allows(KeyUsage::CRL_SIGN),
                PathRule::KeyUsage,
                "RFC 5280 §6.3.3 (f)",
                "the CRL's signer does not assert cRLSign",
            ),
        }
    }

    /// Purposes of authorities limit those below them, as every implementation has it (CABF BR §7.1.2.10.6).
    fn check_purposes(&self) -> Result<(), PathError> {
        if self.goal != Goal::Target {
            return Ok(());
        }
        let is_bare = self.settings.is_some_and(|s| s.is_bare);
        let path = self.path.iter().filter_map(|i| self.nodes.get(*i));
        let anchor = (!is_bare).then_some(self.anchor);
        for (index, node) in path.chain(anchor).enumerate() {
            self.check_purposes_of(node).map_err(|f| f.at(index))?;
        }
        Ok(())
    }

    fn check_purposes_of(&self, node: &Node) -> Result<(), Fault> {
        let Some(allowed) = &node.facts()?.purposes else {
            return Ok(());
        };
        let any = allowed.contains(&oids::ANY_EXTENDED_KEY_USAGE);
        let mut wanted = self.options.purposes.iter();
        match wanted.find(|p| !any && !allowed.contains(p)) {
            None => Ok(()),
            Some(purpose) => {
                let name = purpose
                    .name()
                    .map_or_else(|| purpose.to_string(), str::to_owned);
                let message = format!("the certificate is not for {name}");
                Err(Fault::new(PathRule::Purpose, "RFC 5280 §4.2.1.12", message))
            }
        }
    }
}
