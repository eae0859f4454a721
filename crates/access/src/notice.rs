//! Who is to be told what about requests, kept until it has been told (R07). A row is written with the event that it tells
//! of, so that neither a crash nor a relay that is away loses one; who gets it is decided when it is sent, by what people
//! may then.

use audit::Timestamp;
use store::{Row, Write, params};

use crate::permit::holder;
use crate::{
    Access, AccessError, Person, PersonState, REQUEST_RECORDS, Request, RequestId, RequestState,
};

/// So many that wait are read at a time.
const AT_ONCE: i64 = 200;
/// A request that lapses is told of when a quarter of its time is left, a day before at the earliest.
const SOON_MS: i64 = 86_400_000;
/// Longest time between two tries.
const LONGEST_PAUSE_MS: i64 = 30 * 60_000;
/// After so long it is no news any more.
const STALE_MS: i64 = 3 * 86_400_000;
/// So long it can be read what became of a notice; the event it tells of stays.
const KEPT_MS: i64 = 90 * 86_400_000;

const ADD: &str = "INSERT INTO notices(request, moment, created, next, attempts, told, said) VALUES($1, $2, $3, $3, 0, '[]', '')";
const KNOWN: &str = "SELECT 1 FROM notices WHERE request = $1 AND moment = $2 LIMIT 1";
const DUE: &str = "SELECT id, request, moment, created, attempts, told FROM notices WHERE done IS NULL AND next <= $1 ORDER BY id LIMIT $2";
const DONE: &str =
    "UPDATE notices SET done = $2, told = $3, said = $4, attempts = attempts + 1 WHERE id = $1";
const AGAIN: &str =
    "UPDATE notices SET next = $2, told = $3, said = $4, attempts = attempts + 1 WHERE id = $1";
/// The oldest only, so that it takes no index and no long write.
const FORGET: &str =
    "DELETE FROM notices WHERE done < $1 AND id IN (SELECT id FROM notices ORDER BY id LIMIT 1000)";

/// What has come to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It waits for people who may decide.
    Asked,
    /// Somebody handed the decision to one person.
    Handed,
    /// It lapses soon.
    Soon,
    /// It was done in an emergency, and others must look at it.
    Review,
    /// It was approved or denied, or it lapsed.
    Decided,
}

impl Moment {
    const ALL: [Moment; 5] = [
        Moment::Asked,
        Moment::Handed,
        Moment::Soon,
        Moment::Review,
        Moment::Decided,
    ];

    /// Its name in the store and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Moment::Asked => "asked",
            Moment::Handed => "handed",
            Moment::Soon => "expires-soon",
            Moment::Review => "review",
            Moment::Decided => "decided",
        }
    }

    /// Whether it still is so: nobody is asked to decide what is decided.
    fn is_news(self, request: &Request, now: Timestamp) -> bool {
        match self {
            Moment::Asked | Moment::Soon => request.state_at(now) == RequestState::Pending,
            Moment::Handed => request.awaits_people(now),
            Moment::Review => request.state == RequestState::Review,
            Moment::Decided => true,
        }
    }
}

/// One thing that people are to be told.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// What has come to pass.
    pub moment: Moment,
    /// With which request, as it is now.
    pub request: Request,
    /// When, Unix milliseconds.
    pub created: i64,
    /// How often somebody could not be told.
    pub attempts: i64,
    /// Who has been told: ids of people, and names of other receivers.
    pub told: Vec<String>,
}

/// Adds a notice to the write of the event that it tells of.
pub(crate) fn along(write: Write, moment: Moment, id: &RequestId, now: Timestamp) -> Write {
    write.run(ADD, params![id.as_str(), moment.name(), now.0])
}

impl Access {
    /// What is to be told now, the oldest first. What is no news any more is written off.
    pub async fn notices_due(&self, now: Timestamp) -> Result<Vec<Notice>, AccessError> {
        let mut due = Vec::new();
        let mut moot = Write::derived();
        let mut any_moot = false;
        for row in self.store.query(DUE, params![now.0, AT_ONCE]).await? {
            let (id, created) = (row.int(0)?, row.int(3)?);
            let read = self.read_notice(&row).await?;
            let fresh = now.0 - created < STALE_MS;
            match read.filter(|one| fresh && one.moment.is_news(&one.request, now)) {
                Some(notice) => due.push(notice),
                None => {
                    let said = if fresh {
                        "no news any more"
                    } else {
                        "given up"
                    };
                    moot = moot.run(DONE, params![id, now.0, row.text(5)?, said]);
                    any_moot = true;
                }
            }
        }
        if any_moot {
            self.store.commit(moot).await?;
        }
        Ok(due)
    }

    async fn read_notice(&self, row: &Row) -> Result<Option<Notice>, AccessError> {
        let name = row.text(2)?;
        let moment = Moment::ALL.into_iter().find(|one| one.name() == name);
        let record = self.store.record(REQUEST_RECORDS, row.text(1)?).await?;
        let (Some(moment), Some(record)) = (moment, record) else {
            return Ok(None);
        };
        Ok(Some(Notice {
            id: row.int(0)?,
            moment,
            request: record.parse()?,
            created: row.int(3)?,
            attempts: row.int(4)?,
            told: serde_json::from_str(row.text(5)?).unwrap_or_default(),
        }))
    }

    /// What came of telling it: bookkeeping about a delivery, which the event stands for already. `failed` says why
    /// somebody could not be told; they are tried again, at growing intervals.
    pub async fn notice_told(
        &self,
        notice: &Notice,
        failed: Option<&str>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let told = serde_json::json!(notice.told).to_string();
        let write = match failed {
            None => Write::derived().run(DONE, params![notice.id, now.0, told, "told"]),
            Some(why) => {
                let doubled = 5_000_i64 << notice.attempts.clamp(0, 12);
                let next = now.0 + doubled.min(LONGEST_PAUSE_MS);
                let why: String = why.chars().take(400).collect();
                Write::derived().run(AGAIN, params![notice.id, next, told, why])
            }
        };
        self.store.commit(write).await?;
        Ok(())
    }

    /// Forgets what was told, or written off, ninety days ago.
    pub async fn forget_notices(&self, now: Timestamp) -> Result<(), AccessError> {
        let write = Write::derived().run(FORGET, params![now.0 - KEPT_MS]);
        self.store.commit(write).await?;
        Ok(())
    }

    /// Notes which pending requests lapse soon, each once; one caller at a time.
    pub async fn notice_expiry(&self, now: Timestamp) -> Result<(), AccessError> {
        for request in self.open_requests().await? {
            let ahead = ((request.expires - request.created) / 4).min(SOON_MS);
            let left = request.expires - now.0;
            let soon = request.state == RequestState::Pending && left > 0 && left <= ahead;
            let key = params![request.id.as_str(), Moment::Soon.name()];
            if !soon || !self.store.query(KNOWN, key).await?.is_empty() {
                continue;
            }
            let write = along(Write::derived(), Moment::Soon, &request.id, now);
            self.store.commit(write).await?;
        }
        Ok(())
    }

    /// The people a notice is for, as people are now: whoever may decide and has not, or whoever asked.
    pub async fn notice_for(
        &self,
        notice: &Notice,
        people: &[Person],
        now: Timestamp,
    ) -> Result<Vec<Person>, AccessError> {
        let request = &notice.request;
        let mut found = Vec::new();
        for person in people {
            if person.state != PersonState::Active {
                continue;
            }
            let is_for = match notice.moment {
                Moment::Decided => is_asker(person, request),
                Moment::Handed => {
                    let last = request.delegations.last();
                    last.is_some_and(|handed| handed.to == person.id)
                }
                Moment::Soon if is_asker(person, request) => true,
                Moment::Asked | Moment::Soon | Moment::Review => {
                    self.decider(person, request, now).await?.is_ok()
                }
            };
            if is_for {
                found.push(person.clone());
            }
        }
        Ok(found)
    }
}

fn is_asker(person: &Person, request: &Request) -> bool {
    let asked = holder(&request.requester.actor().id) == person.id;
    asked
        || request
            .on_behalf_of
            .iter()
            .any(|id| holder(id) == person.id)
}
