//! For which asset a claim is (R08): what the credential and the request say, held against each other and the register.

use fleet::{Asset, AssetState};
use x509::KeyAlgorithm;

use super::Registration;
use super::claim::Claim;
use super::serial::{self, Named};
use super::stop::{Stop, refusal};
use super::who::Who;
use crate::device::right::{For, Right};
use crate::device::{SerialField, Unregistered};

/// The device that a certificate would be for.
pub(super) struct Found {
    pub(super) serial: String,
    /// `None` for one that is not in the register, at an endpoint where it may wait.
    pub(super) asset: Option<Asset>,
}

impl Registration {
    pub(super) async fn asset(&self, claim: &Claim, who: &Who) -> Result<Found, Stop> {
        let named = serial::named(claim.subject(), &claim.names()?);
        let found = match who {
            Who::Holder(holder) => Found {
                serial: holder.asset.serial.clone(),
                asset: Some(holder.asset.clone()),
            },
            Who::Right(right) | Who::Vendor { right, .. }
                if matches!(right.r#for, For::Asset(_)) =>
            {
                let For::Asset(id) = &right.r#for else {
                    return Err(Stop::Elsewhere);
                };
                self.known(id).await?
            }
            _ => self.by_serial(claim, who, &named).await?,
        };
        if let Who::Vendor { named, .. } = who
            && !named.is(&found.serial, found.asset.as_ref())
        {
            return Err(other(named, &found).into());
        }
        self.check_named(&named, &found).await?;
        if let Some(asset) = &found.asset {
            check_state(asset)?;
            check_key(asset, claim)?;
        }
        Ok(found)
    }

    async fn known(&self, id: &str) -> Result<Found, Stop> {
        let asset = self.fleet.asset(id).await?.asset;
        Ok(Found {
            serial: asset.serial.clone(),
            asset: Some(asset),
        })
    }

    async fn by_serial(&self, claim: &Claim, who: &Who, named: &[Named]) -> Result<Found, Stop> {
        let meant = match who {
            Who::Vendor { named, .. } => named,
            _ => first(claim, named)?,
        };
        let mut serial = meant.serial.clone();
        let mut found = self.fleet.find_serial(&serial, None).await?;
        if found.is_empty() && meant.text != serial {
            found = self.fleet.find_serial(&meant.text, None).await?;
            if !found.is_empty() {
                serial.clone_from(&meant.text);
            }
        }
        let known = !found.is_empty();
        found.retain(|asset| asset.state != AssetState::Retired);
        if known && found.is_empty() {
            return Err(refusal(
                "enrolment.asset.state",
                format!("the device with serial number {serial} is retired"),
            )
            .accepted("an asset that is active")
            .into());
        }
        let right = who.right();
        if found.is_empty() {
            return unregistered(claim, right, serial);
        }
        let (product, others) = found.into_iter().partition(|asset| meant.fits(asset));
        let mut found = of_product(meant, product, &others)?;
        if let Some(right) = right {
            let refused = found.iter().find_map(|asset| right.covers(asset).err());
            found.retain(|asset| right.covers(asset).is_ok());
            if let (true, Some(refused)) = (found.is_empty(), refused) {
                return Err(refused.into());
            }
        }
        if found.len() > 1 {
            let ids: Vec<&str> = found.iter().map(|asset| asset.id.as_str()).collect();
            return Err(refusal(
                "enrolment.serial.ambiguous",
                format!("{} assets have serial number {serial}", found.len()),
            )
            .accepted(format!("a right for one of {}", ids.join(", ")))
            .into());
        }
        Ok(Found {
            serial,
            asset: found.pop(),
        })
    }

    /// Refuses a request that names another device than the one that it is for. A common name may be anything but the
    /// serial number of another asset.
    async fn check_named(&self, named: &[Named], found: &Found) -> Result<(), Stop> {
        for one in named {
            if one.is(&found.serial, found.asset.as_ref()) {
                continue;
            }
            if one.field != SerialField::CommonName {
                return Err(other(one, found).into());
            }
            let serial = &one.serial;
            let own = found.asset.as_ref().is_some_and(|asset| {
                asset
                    .host_names
                    .iter()
                    .any(|host| host.eq_ignore_ascii_case(serial))
            });
            let theirs = !own && !self.fleet.find_serial(serial, None).await?.is_empty();
            if theirs {
                return Err(other(one, found).into());
            }
        }
        Ok(())
    }
}

/// The serial number that the request names, where the endpoint looks for it.
fn first<'a>(claim: &Claim, named: &'a [Named]) -> Result<&'a Named, Stop> {
    let places = claim.endpoint.serial_from.iter();
    let mut found = places.filter_map(|place| named.iter().find(|named| named.field == *place));
    let unread = serial::unread_udi(claim.subject(), &claim.names()?);
    let why = unread.map_or_else(String::new, |why| format!("; its UDI: {why}"));
    match found.next() {
        Some(named) => Ok(named),
        None => Err(refusal(
            "enrolment.serial.none",
            format!("the request does not say which device it is for{why}"),
        )
        .accepted("the device's serial number as serialNumber of the subject, as hardwareModuleName, in a UDI, or as common name")
        .into()),
    }
}

fn other(named: &Named, found: &Found) -> access::Refusal {
    let own = &found.serial;
    let theirs = match (&named.di, named.serial == *own) {
        (Some(di), true) => format!("serial number {own} of product {di}"),
        _ => format!("serial number {}", named.serial),
    };
    let udi = found.asset.as_ref().and_then(|asset| asset.udi.as_ref());
    let product = udi.filter(|_| named.serial == *own);
    let product = product.map_or_else(String::new, |udi| format!(" of product {}", udi.di));
    refusal(
        "enrolment.serial.other",
        format!("the request names {theirs}, and it is for {own}{product}"),
    )
    .accepted(format!("a request that names {own}, or no serial number"))
}

/// Those that the UDI of the request may mean: where one has its device identifier, no other that has none.
fn of_product(
    meant: &Named,
    mut product: Vec<Asset>,
    others: &[Asset],
) -> Result<Vec<Asset>, access::Refusal> {
    if let (true, Some(one)) = (product.is_empty(), others.first()) {
        let found = Found {
            serial: one.serial.clone(),
            asset: Some(one.clone()),
        };
        return Err(other(meant, &found));
    }
    if meant.di.is_some() && product.iter().any(|asset| asset.udi.is_some()) {
        product.retain(|asset| asset.udi.is_some());
    }
    Ok(product)
}

fn unregistered(claim: &Claim, right: Option<&Right>, serial: String) -> Result<Found, Stop> {
    if claim.endpoint.unregistered == Unregistered::Refuse {
        return Err(refusal(
            "enrolment.unregistered",
            format!("serial number {serial} is not in the register"),
        )
        .accepted("a device that is in the asset register")
        .into());
    }
    if let Some(right) = right {
        right.covers_unregistered(&serial)?;
    }
    Ok(Found {
        serial,
        asset: None,
    })
}

/// Refuses an asset that gets no certificate now.
pub(super) fn check_state(asset: &Asset) -> Result<(), Stop> {
    match asset.state {
        AssetState::Active => Ok(()),
        state => Err(refusal(
            "enrolment.asset.state",
            format!("asset {} is {state} in the register", asset.id),
        )
        .accepted("an asset that is active")
        .into()),
    }
}

/// The register may know that a device cannot work with every key that the profile allows.
fn check_key(asset: &Asset, claim: &Claim) -> Result<(), Stop> {
    let Some(key) = claim.key() else {
        return Ok(());
    };
    let fits = asset.key_types.is_empty()
        || KeyAlgorithm::of(key).is_some_and(|found| asset.key_types.contains(&found));
    if fits {
        return Ok(());
    }
    let kinds: Vec<String> = asset.key_types.iter().map(ToString::to_string).collect();
    Err(refusal(
        "key.asset",
        format!("asset {} is registered with other kinds of keys", asset.id),
    )
    .accepted(kinds.join(", "))
    .into())
}
