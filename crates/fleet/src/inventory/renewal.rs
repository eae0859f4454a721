//! Whether a certificate is renewed without anybody being there: what the radar counts (R39) and `automated` asks for. Only
//! what is known counts: silence is not automation.

use super::Assigned;
use crate::RenewalMethod;

/// Whoever gives this tag by an owner rule or by hand says that something outside Ward renews it.
pub(crate) const TAG: &str = "renewal-automatic";

/// Protocols that devices speak by themselves.
const BY_ITSELF: [&str; 3] = ["est", "scep", "cmp"];
/// What the ids of ACME accounts begin with in the CA's records.
const ACME: &str = "acme-";
/// Ward's own loops, which renew what they asked for.
const OWN: [&str; 2] = ["ward", "agents"];

/// How a certificate came to where it is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way<'a> {
    /// Through which protocol an asset was given it.
    pub(crate) protocol: Option<&'a str>,
    /// Who had it issued.
    pub(crate) requester: Option<&'a str>,
}

impl Way<'_> {
    /// A person's word first, then the register's, then how it was asked for.
    pub(crate) fn is_automatic(self, assigned: &Assigned) -> bool {
        if assigned
            .tags
            .iter()
            .any(|tag| tag.eq_ignore_ascii_case(TAG))
        {
            return true;
        }
        let renewal = assigned.asset.as_ref().map(|asset| asset.renewal);
        if matches!(renewal, Some(RenewalMethod::Manual | RenewalMethod::Spare)) {
            return false;
        }
        let by_protocol = self.protocol.is_some_and(|one| BY_ITSELF.contains(&one));
        let by_machine = self
            .requester
            .is_some_and(|one| one.starts_with(ACME) || OWN.contains(&one));
        by_protocol || by_machine
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Asset;

    #[test]
    fn r22_only_what_is_known_is_automatic() {
        let nobody = Assigned::default();
        let on = |renewal| Assigned {
            asset: Some(Arc::new(Asset {
                renewal,
                ..Asset::default()
            })),
            ..Assigned::default()
        };
        let tagged = Assigned {
            tags: vec!["Renewal-Automatic".to_owned()],
            ..on(RenewalMethod::Manual)
        };
        let way = |protocol, requester| Way {
            protocol,
            requester,
        };
        let cases = [
            (way(None, None), &nobody, false),
            (way(None, Some("acme-a1b2")), &nobody, true),
            (way(None, Some("ward")), &nobody, true),
            (way(None, Some("wardrobe/t1")), &nobody, false),
            (way(None, Some("pipeline/t1")), &nobody, false),
            (way(Some("est"), None), &on(RenewalMethod::Automatic), true),
            (way(Some("api"), None), &on(RenewalMethod::Automatic), false),
            (way(Some("est"), None), &on(RenewalMethod::Manual), false),
            (way(Some("scep"), None), &on(RenewalMethod::Spare), false),
            (way(None, None), &tagged, true),
        ];
        for (way, assigned, expected) in cases {
            assert_eq!(way.is_automatic(assigned), expected, "{way:?} {assigned:?}");
        }
    }
}
