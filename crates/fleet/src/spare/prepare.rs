//! Preparing: the certificate is issued to a key made here, and both are put away. That the asset holds it, and by when
//! it has to be used, is written with the certificate; if the key is not put away after that, the spare is abandoned.

use access::{Action, Permit, Refusal, Target};
use audit::{Event, Object, Timestamp};
use ca::{Along, CaError, GeneratedKey, IssueRequest, KeyPackage, Outcome};
use serde::Deserialize;
use serde_json::json;
use store::{Write, params};
use x509::KeyAlgorithm;
use zeroize::Zeroizing;

use super::{ENDPOINT, Spare, label};
use crate::asset::{Asset, AssetState};
use crate::register::may_manage;
use crate::{Fleet, FleetError, NewHolding, Previous, Result, random};

/// What is to be prepared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSpare {
    /// The asset's id.
    pub asset: String,
    pub profile: String,
    /// Unix milliseconds: revoked unless somebody has it by then.
    pub unused_after: i64,
    /// The first that the asset and the profile can work with, if absent.
    #[serde(default)]
    pub algorithm: Option<KeyAlgorithm>,
    #[serde(default)]
    pub note: String,
}

const SPARE: &str = "INSERT INTO spares(id, asset, state, profile, sha256, prepared_at, prepared_by, unused_after, note) \
    VALUES($1, $2, 'preparing', $3, $4, $5, $6, $7, $8)";
const DUE: &str =
    "UPDATE holdings SET revoke_due = $2, revoke_reason = 'cessationOfOperation' WHERE sha256 = $1";
const PUT_AWAY: &str =
    "UPDATE spares SET state = 'prepared', p12 = $2 WHERE id = $1 AND state = 'preparing'";
const ABANDONED: &str = "SELECT s.id, s.sha256 FROM spares s JOIN holdings h ON h.sha256 = s.sha256 \
    WHERE s.state = 'preparing' AND s.prepared_at < $1 AND h.revoke_due > $2 LIMIT 100";
const NOW_DUE: &str =
    "UPDATE holdings SET revoke_due = $2 WHERE sha256 = $1 AND ended IS NULL AND revoke_due > $2";

/// Issuing and sealing take seconds; whoever has not put the key away by then has crashed.
const ABANDONED_MS: i64 = 600_000;
const LONGEST_NOTE: usize = 500;
/// R05: a key that lies about is good for two years at most.
const LONGEST_UNUSED_MS: i64 = 731 * 86_400_000;

impl Fleet {
    /// Makes a spare for an asset.
    pub async fn prepare_spare(
        &self,
        permit: Permit,
        new: NewSpare,
        now: Timestamp,
    ) -> Result<Spare> {
        let stored = self.asset(&new.asset).await?;
        let object = Object::new("asset", stored.asset.id.as_str());
        let checked = check(&permit, &stored.asset, &new, now);
        self.checked(&permit, "spare.prepare", &object, checked, now)
            .await?;
        let target = Target {
            profile: Some(&new.profile),
            ..Target::at(stored.asset.place())
        };
        let (action, id) = (Action::IssueCertificate, permit.request_id());
        let issuing = self
            .access()
            .permit(permit.principal(), action, &target, id, now)
            .await?;
        let id = format!("s{}", hex::encode(random::<8>()?));
        let password = password()?;
        let request = self.request(&permit, &stored.asset, &new, &id, &password, now)?;
        let issued = match self.ca.issue(issuing, request, now).await? {
            Outcome::Issued(issued) => issued,
            Outcome::Pending(_) => return Err(CaError::Internal("a spare cannot wait").into()),
        };
        let Some(GeneratedKey::Pkcs12(p12)) = issued.key else {
            return Err(CaError::Internal("a spare without a key").into());
        };
        let keyring = self.ca.keyring().clone();
        let sealed = keyring.seal_secret(&label(&id), password.as_bytes());
        let sealed = sealed.map_err(CaError::from)?;
        let object = Object::new("spare", id.as_str());
        let event = Event::new(now, permit.actor().clone(), "spare.prepare", object)
            .after(json!({ "asset": new.asset, "sha256": hex::encode(issued.sha256), "unused_after": new.unused_after }));
        let write = Write::new(permit.joined(event))?
            .run_expecting(
                1,
                PUT_AWAY,
                params![id.as_str(), p12.as_slice()],
                "the spare was abandoned meanwhile",
            )
            .put_record(ca::SECRET_RECORDS, &label(&id), 0, &sealed, now)?;
        self.store().commit(write).await?;
        self.spare(&id).await
    }

    fn request(
        &self,
        permit: &Permit,
        asset: &Asset,
        new: &NewSpare,
        id: &str,
        password: &Zeroizing<String>,
        now: Timestamp,
    ) -> Result<IssueRequest> {
        let version = self.ca.profile(&new.profile)?;
        let profile = &version.profile;
        let package = KeyPackage::Pkcs12 {
            password: password.clone(),
        };
        let (subject, names) = (asset.subject(profile)?, asset.names(profile));
        let kind = new.algorithm.or_else(|| asset.key_type(profile));
        let mut request =
            IssueRequest::generate(new.profile.clone(), kind, package, subject, names);
        asset.date(&mut request);
        request.request_id = permit.request_id().map(str::to_owned);
        request.evidence.push(access::Evidence {
            kind: "asset".into(),
            text: format!("{}, spare {id}", asset.id),
            sha256: None,
        });
        let holding = NewHolding {
            asset: asset.id.clone(),
            endpoint: format!("{ENDPOINT}{id}"),
            protocol: "spare".into(),
            held_at: now,
            previous: Previous::Keep,
        };
        let (id, by, new) = (id.to_owned(), permit.actor().id.clone(), new.clone());
        request.along = Along::new(Ok, move |write, sha256| {
            let row = params![
                id,
                new.asset,
                new.profile,
                *sha256,
                now,
                by,
                new.unused_after,
                new.note.trim()
            ];
            Ok(Fleet::hold(write, &holding, sha256)?
                .run(DUE, params![*sha256, new.unused_after])
                .run(SPARE, row))
        });
        Ok(request)
    }

    /// Has the certificates of spares revoked whose keys were never put away.
    pub(crate) async fn abandon_spares(&self, now: Timestamp) -> Result<()> {
        let params = params![now.0.saturating_sub(ABANDONED_MS), now];
        for row in self.store().query(ABANDONED, params).await? {
            let object = Object::new("spare", row.text(0)?);
            let principal = self.access().system_principal("fleet");
            let event = Event::new(now, principal.actor().clone(), "spare.abandon", object)
                .why("its key was never put away");
            let write = Write::new(event)?.run(NOW_DUE, params![row.blob(1)?, now]);
            self.store().commit(write).await?;
        }
        Ok(())
    }
}

fn check(permit: &Permit, asset: &Asset, new: &NewSpare, now: Timestamp) -> Result<(), Refusal> {
    may_manage(permit)?;
    if asset.state == AssetState::Retired {
        return Err(Refusal::new(
            "asset.retired",
            "R11: retirement is for good",
            format!("asset {} is retired", asset.id),
        ));
    }
    let unused = new.unused_after;
    if unused <= now.0 || unused > now.0.saturating_add(LONGEST_UNUSED_MS) {
        return Err(Refusal::new(
            "spare.unused-after",
            "R24, R05",
            "a spare needs a date by which it is used or revoked",
        )
        .accepted("a date within two years"));
    }
    let note = &new.note;
    match note.chars().count() <= LONGEST_NOTE && !note.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(
            Refusal::new("spare.note", "docs/assets.md", "the note cannot be kept")
                .accepted(format!("at most {LONGEST_NOTE} characters on one line")),
        ),
    }
}

/// 130 random bits in letters and digits that are hard to confuse.
fn password() -> Result<Zeroizing<String>> {
    const ALPHABET: &[u8; 32] = b"23456789abcdefghijkmnpqrstuvwxyz";
    let bytes: [u8; 26] = random()?;
    let letters = bytes
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    let text: String = letters.map(|letter| char::from(*letter)).collect();
    match text.len() == bytes.len() {
        true => Ok(Zeroizing::new(text)),
        false => Err(FleetError::Random),
    }
}
