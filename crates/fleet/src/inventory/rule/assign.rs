//! What follows for one certificate: by hand, from its asset, from a rule, in this order and field by field.

use std::sync::Arc;

use super::{Gift, OwnerRule};
use crate::inventory::{Assigned, Environment};
use crate::{Asset, Criticality};

/// Puts together what is said about a certificate. `segment` and `site` are those of its places.
pub(crate) fn assigned(
    hand: Option<&Gift>,
    asset: Option<Arc<Asset>>,
    rule: Option<&OwnerRule>,
    segment: Option<String>,
    site: Option<String>,
) -> Assigned {
    let gifts: Vec<&Gift> = hand
        .into_iter()
        .chain(rule.map(|rule| &rule.give))
        .collect();
    let said = |of: fn(&Gift) -> Option<String>| gifts.iter().find_map(|gift| of(gift));
    let own = |of: fn(&Asset) -> Option<String>| asset.as_deref().and_then(of);
    let by_hand = |of: fn(&Gift) -> Option<String>| hand.and_then(of);
    let (owner, owner_by) = owner(hand, asset.as_deref(), rule);
    let mut tags: Vec<String> = gifts.iter().flat_map(|gift| gift.tags.clone()).collect();
    tags.sort();
    tags.dedup();
    let phi = match hand.and_then(|gift| gift.phi) {
        Some(phi) => phi,
        // One who says that there is health information goes before one who does not.
        None => {
            asset.as_ref().is_some_and(|asset| asset.phi)
                || gifts.iter().any(|gift| gift.phi == Some(true))
        }
    };
    Assigned {
        owner,
        owner_by,
        segment: segment.or_else(|| own(|asset| asset.segment.clone())),
        site: by_hand(|gift| gift.site.clone())
            .or_else(|| own(|asset| asset.site.clone()))
            .or(site)
            .or_else(|| said(|gift| gift.site.clone())),
        vendor: by_hand(|gift| gift.vendor.clone())
            .or_else(|| own(maker))
            .or_else(|| said(|gift| gift.vendor.clone())),
        environment: gifts
            .iter()
            .find_map(|gift| gift.environment)
            .unwrap_or_default(),
        tags,
        criticality: criticality(hand, asset.as_deref(), rule),
        phi,
        patient_facing: gifts
            .iter()
            .find_map(|gift| gift.patient_facing)
            .unwrap_or_default(),
        asset,
    }
}

fn maker(asset: &Asset) -> Option<String> {
    let maker = Some(asset.manufacturer.clone());
    asset
        .vendor
        .clone()
        .or(maker)
        .filter(|name| !name.is_empty())
}

fn owner(
    hand: Option<&Gift>,
    asset: Option<&Asset>,
    rule: Option<&OwnerRule>,
) -> (Option<String>, Option<String>) {
    if let Some(owner) = hand.and_then(|gift| gift.owner.clone()) {
        return (Some(owner), Some("hand".to_owned()));
    }
    if let Some(owner) = asset.and_then(|asset| asset.owner.clone()) {
        return (Some(owner), Some("asset".to_owned()));
    }
    match rule.and_then(|rule| Some((rule.give.owner.clone()?, &rule.name))) {
        Some((owner, name)) => (Some(owner), Some(format!("rule {name}"))),
        None => (None, None),
    }
}

fn criticality(
    hand: Option<&Gift>,
    asset: Option<&Asset>,
    rule: Option<&OwnerRule>,
) -> Criticality {
    hand.and_then(|gift| gift.criticality)
        .or_else(|| asset.map(|asset| asset.criticality))
        .or_else(|| rule.and_then(|rule| rule.give.criticality))
        .unwrap_or_default()
}

/// As in the column.
pub(crate) fn environment_name(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Test => "test",
        Environment::Development => "development",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r21_a_person_goes_before_the_asset_and_that_before_a_rule() {
        let gift = |owner: &str| Gift {
            owner: Some(owner.to_owned()),
            tags: vec![owner.to_owned()],
            ..Gift::default()
        };
        let rule = OwnerRule {
            name: "r1".to_owned(),
            give: Gift {
                phi: Some(true),
                criticality: Some(Criticality::Low),
                ..gift("network")
            },
            ..OwnerRule::default()
        };
        let asset = |owner: Option<&str>| {
            Arc::new(Asset {
                owner: owner.map(str::to_owned),
                criticality: Criticality::LifeSupport,
                ..Asset::default()
            })
        };
        let by = |hand: Option<&Gift>, asset: Option<Arc<Asset>>| {
            let told = assigned(hand, asset, Some(&rule), None, None);
            (
                told.owner.unwrap(),
                told.owner_by.unwrap(),
                told.criticality,
                told.phi,
            )
        };
        let (critical, low) = (Criticality::LifeSupport, Criticality::Low);
        let s = |text: &str| text.to_owned();
        assert_eq!(by(None, None), (s("network"), s("rule r1"), low, true));
        assert_eq!(
            by(None, Some(asset(Some("biomed")))),
            (s("biomed"), s("asset"), critical, true)
        );
        assert_eq!(
            by(None, Some(asset(None))),
            (s("network"), s("rule r1"), critical, true)
        );
        let hand = gift("people");
        assert_eq!(
            by(Some(&hand), Some(asset(Some("biomed")))),
            (s("people"), s("hand"), critical, true)
        );
        let none = Gift {
            phi: Some(false),
            ..Gift::default()
        };
        assert!(!by(Some(&none), None).3);
    }
}
