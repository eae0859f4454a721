//! Requests in the store: made, decided, lapsed, fulfilled.

use audit::{Event, Object, Timestamp};
use serde_json::json;
use store::{Row, StoreError, Write, params};

use crate::notice::{self, Moment};
use crate::permit::{decide, holder};
use crate::{
    Access, AccessError, Action, Call, Decision, NewRequest, Permit, Person, Principal,
    REQUEST_RECORDS, Refusal, Request, RequestId, RequestState, Target, Where, random,
};

/// How often a decision is tried again when others decide at the same moment.
const PARALLEL: usize = 16;

/// CROSS, for SQLite to begin with this table and not with every record of the kind (its documentation, "Manual Control Of
/// Query Plans Using CROSS JOIN"); to PostgreSQL it is a join like another.
const OPEN: &str = "SELECT records.id, records.body, records.version FROM requests CROSS JOIN records \
    WHERE requests.open = 1 AND records.id = requests.id AND records.kind = $1 AND records.valid_to IS NULL ORDER BY requests.id";
const NEWEST: &str = "SELECT records.id, records.body, records.version FROM requests CROSS JOIN records \
    WHERE records.id = requests.id AND records.kind = $1 AND records.valid_to IS NULL ORDER BY requests.created DESC, requests.id DESC LIMIT $2";
const OLDER: &str = "SELECT records.id, records.body, records.version FROM requests CROSS JOIN records \
    WHERE records.id = requests.id AND records.kind = $1 AND records.valid_to IS NULL AND (requests.created, requests.id) < ($3, $4) \
    ORDER BY requests.created DESC, requests.id DESC LIMIT $2";
const ADD: &str = "INSERT INTO requests(id, created, open) VALUES($1, $2, $3)";
const MARK: &str = "UPDATE requests SET open = $2 WHERE id = $1";

/// What a decision led to.
#[derive(Debug)]
pub enum Decided {
    /// More people must approve.
    Waiting(Request),
    /// Enough have, and it is no call: here is the permit of whoever asked.
    Approved(Box<Request>, Permit),
    /// Somebody said no.
    Denied(Request),
}

impl Access {
    /// Puts a request before the second person.
    pub async fn submit(
        &self,
        permit: &Permit,
        new: NewRequest,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        self.submit_along(permit, new, |write, _| write, now).await
    }

    /// As [`Access::submit`]; `along` adds what its protocol keeps about the request to the same write.
    pub async fn submit_along(
        &self,
        permit: &Permit,
        new: NewRequest,
        along: impl FnOnce(Write, &RequestId) -> Write,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        let id = RequestId(format!("r{}", hex::encode(random::<8>()?)));
        let request = Request {
            id: id.clone(),
            profile: new.profile,
            authority: new.authority,
            summary: new.summary,
            names: new.names,
            requester: Principal::clone(permit.principal()),
            on_behalf_of: new.on_behalf_of,
            evidence: new.evidence,
            needed: new.needed,
            created: now.0,
            expires: new.expires,
            state: RequestState::Pending,
            decisions: Vec::new(),
            comments: Vec::new(),
            delegations: Vec::new(),
            result: None,
            payload: new.payload,
            call: None,
        };
        let mut event = Event::new(now, permit.actor().clone(), "request.create", object(&id))
            .after(json!({
                "profile": request.profile,
                "authority": request.authority,
                "summary": request.summary,
                "names": request.names,
                "evidence": request.evidence,
                "needed": request.needed,
                "expires": request.expires,
            }));
        if let Some(text) = new.request_id {
            event = event.request_id(text);
        }
        let write = put(Write::new(event)?, &request, 0, now)?;
        let write = notice::along(write, Moment::Asked, &id, now);
        self.store.commit(along(write, &id)).await?;
        Ok(request)
    }

    /// Says yes. With the last yes that is needed comes the permit of whoever asked, with their
    /// roles and scope as they are now: a token revoked in between ends the matter (R11).
    pub async fn approve(
        &self,
        permit: Permit,
        id: &RequestId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Decided, AccessError> {
        self.decide_request(permit, id, true, why, now).await
    }

    /// Says no.
    pub async fn deny(
        &self,
        permit: Permit,
        id: &RequestId,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        match self.decide_request(permit, id, false, why, now).await? {
            Decided::Denied(request) | Decided::Waiting(request) => Ok(request),
            Decided::Approved(request, _) => Ok(*request),
        }
    }

    /// The permit of an approved request that is not fulfilled yet: its issuance failed before.
    pub async fn resume(
        &self,
        id: &RequestId,
        now: Timestamp,
    ) -> Result<(Request, Permit), AccessError> {
        let (request, _) = self.stored_request(id).await?;
        if request.state != RequestState::Approved || request.call.is_some() {
            return Err(wrong_state(&request, now));
        }
        let permit = self.requester_permit(&request, now).await?;
        Ok((request, permit))
    }

    /// One request.
    pub async fn request(&self, id: &RequestId) -> Result<Request, AccessError> {
        Ok(self.stored_request(id).await?.0)
    }

    /// Every request, whatever its state.
    pub async fn requests(&self) -> Result<Vec<Request>, AccessError> {
        let records = self.store.records(REQUEST_RECORDS).await?;
        records
            .into_iter()
            .map(|record| {
                serde_json::from_str(&record.body).map_err(|error| bad_record(&record.id, error))
            })
            .collect()
    }

    /// Those that are open, by id: what was ever asked for is many times as much.
    pub async fn open_requests(&self) -> Result<Vec<Request>, AccessError> {
        let found = self.stored_open().await?;
        Ok(found.into_iter().map(|(request, _)| request).collect())
    }

    /// Likewise, each with its version.
    pub(crate) async fn stored_open(&self) -> Result<Vec<(Request, u64)>, AccessError> {
        let rows = self.store.query(OPEN, params![REQUEST_RECORDS]).await?;
        rows.iter().map(stored).collect()
    }

    /// The newest requests, or the newest of those that are older than one.
    pub async fn newest_requests(
        &self,
        older_than: Option<&Request>,
        most: u32,
    ) -> Result<Vec<Request>, AccessError> {
        let most = i64::from(most);
        let rows = match older_than {
            None => self.store.query(NEWEST, params![REQUEST_RECORDS, most]),
            Some(one) => {
                let key = params![REQUEST_RECORDS, most, one.created, one.id.as_str()];
                self.store.query(OLDER, key)
            }
        };
        let rows = rows.await?;
        let read = |row: &Row| Ok(stored(row)?.0);
        rows.iter().map(read).collect()
    }

    /// Writes down the expiry of requests whose time has passed; says how many.
    pub async fn expire_requests(&self, now: Timestamp) -> Result<usize, AccessError> {
        let principal = self.system_principal("requests");
        let mut expired = 0;
        for (mut request, version) in self.stored_open().await? {
            let state = request.state_at(now);
            if state != RequestState::Expired {
                continue;
            }
            request.state = state;
            let at = object(&request.id);
            let event = Event::new(now, principal.actor().clone(), "request.expire", at);
            let news = Some(Moment::Decided);
            expired += usize::from(
                self.put_if_still(event, &request, version, news, now)
                    .await?,
            );
        }
        Ok(expired)
    }

    /// Puts the next version of a request, with what people are to be told of it.
    pub(crate) async fn put_request(
        &self,
        event: Event,
        request: &Request,
        version: u64,
        news: Option<Moment>,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let mut write = put(Write::new(event)?, request, version, now)?;
        if let Some(moment) = news {
            write = notice::along(write, moment, &request.id, now);
        }
        self.store.commit(write).await?;
        Ok(())
    }

    /// Likewise, and not where somebody has changed the request since it was read; says whether. For loops, which come by
    /// again.
    pub(crate) async fn put_if_still(
        &self,
        event: Event,
        request: &Request,
        version: u64,
        news: Option<Moment>,
        now: Timestamp,
    ) -> Result<bool, AccessError> {
        match self.put_request(event, request, version, news, now).await {
            Ok(()) => Ok(true),
            Err(AccessError::Store(StoreError::Conflict(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Adds to `write` that the request came to `result`: issuance and its request are one commit.
    pub async fn fulfil(
        &self,
        write: Write,
        id: &RequestId,
        result: &str,
        permit: &Permit,
        now: Timestamp,
    ) -> Result<Write, AccessError> {
        let (mut request, version) = self.stored_request(id).await?;
        if request.state != RequestState::Approved {
            return Err(wrong_state(&request, now));
        }
        request.state = RequestState::Fulfilled;
        request.result = Some(result.to_owned());
        // Whatever was kept to issue from (a CSR) is in the certificate now.
        request.payload = serde_json::Value::Null;
        let event = Event::new(now, permit.actor().clone(), "request.fulfil", object(id))
            .after(json!({ "result": result }));
        put(write.event(event)?, &request, version, now)
    }

    /// Decides; who decided at the same moment does not hurt: the request is read anew.
    async fn decide_request(
        &self,
        permit: Permit,
        id: &RequestId,
        approved: bool,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Decided, AccessError> {
        permit.require(Action::ApproveRequests)?;
        for _ in 0..PARALLEL {
            match self.try_decide(&permit, id, approved, why, now).await {
                Err(AccessError::Store(StoreError::Conflict(_))) => {}
                other => return other,
            }
        }
        self.try_decide(&permit, id, approved, why, now).await
    }

    async fn try_decide(
        &self,
        permit: &Permit,
        id: &RequestId,
        approved: bool,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<Decided, AccessError> {
        let (mut request, version) = self.stored_request(id).await?;
        let verb = if approved {
            "request.approve"
        } else {
            "request.deny"
        };
        if let Err(refusal) = check_decider(permit, &request, now) {
            return Err(self.no(refusal, permit, verb, object(id), now).await);
        }
        request.decisions.push(Decision {
            by: permit.actor().clone(),
            at: now.0,
            approved,
            why: why.map(str::to_owned),
        });
        let enough = request.approvals() >= usize::from(request.needed);
        request.state = match (request.state, approved) {
            (RequestState::Review, true) if enough => RequestState::Reviewed,
            (RequestState::Review, true) => RequestState::Review,
            (RequestState::Review, false) => RequestState::Objected,
            (_, true) if enough => RequestState::Approved,
            (_, true) => RequestState::Pending,
            (_, false) => RequestState::Denied,
        };
        let next = match request.state {
            // A call is decided anew when it is made.
            RequestState::Approved if request.call.is_none() => {
                match self.requester_permit(&request, now).await {
                    Ok(next) => Some(next),
                    Err(AccessError::Refused(refusal)) => {
                        return Err(self.no(refusal, permit, verb, object(id), now).await);
                    }
                    Err(error) => return Err(error),
                }
            }
            _ => None,
        };
        let event = Event::new(now, permit.actor().clone(), verb, object(id))
            .after(json!({ "state": request.state, "approvals": request.approvals() }));
        let mut event = permit.joined(event);
        if let Some(why) = why {
            event = event.why(why);
        }
        let waits = [RequestState::Pending, RequestState::Review].contains(&request.state);
        let news = (!waits).then_some(Moment::Decided);
        self.put_request(event, &request, version, news, now)
            .await?;
        Ok(match (request.state, next) {
            (RequestState::Approved, Some(next)) => Decided::Approved(Box::new(request), next),
            (RequestState::Denied | RequestState::Objected, _) => Decided::Denied(request),
            _ => Decided::Waiting(request),
        })
    }

    async fn requester_permit(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Permit, AccessError> {
        let principal = self.as_of_now(&request.requester, now).await?;
        let target = Target {
            profile: Some(&request.profile),
            authority: Some(&request.authority),
            names: &request.names,
            place: Where::Later,
        };
        Ok(decide(&principal, Action::IssueCertificate, &target)?)
    }

    /// Whether somebody may decide about a request, as of now.
    pub(crate) async fn decider(
        &self,
        person: &Person,
        request: &Request,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, AccessError> {
        let principal = match self.principal_for(person, "request", None).await {
            Ok(principal) => principal,
            Err(AccessError::Unauthenticated(refusal)) => return Ok(Err(refusal)),
            Err(error) => return Err(error),
        };
        let permit = decide(&principal, Action::ApproveRequests, &Target::later());
        Ok(permit.and_then(|permit| check_decider(&permit, request, now)))
    }

    pub(crate) async fn stored_request(
        &self,
        id: &RequestId,
    ) -> Result<(Request, u64), AccessError> {
        let Some(record) = self.store.record(REQUEST_RECORDS, id.as_str()).await? else {
            return Err(AccessError::NotFound {
                kind: "request",
                id: id.to_string(),
            });
        };
        let request =
            serde_json::from_str(&record.body).map_err(|error| bad_record(id.as_str(), error))?;
        Ok((request, record.version))
    }
}

/// Adds a version of a request to `write`, and whether it is open.
pub(crate) fn put(
    write: Write,
    request: &Request,
    version: u64,
    now: Timestamp,
) -> Result<Write, AccessError> {
    let (id, open) = (request.id.as_str(), i64::from(request.state.is_open()));
    let write = write.put_record(REQUEST_RECORDS, id, version, request, now)?;
    Ok(match version {
        0 => write.run(ADD, params![id, request.created, open]),
        _ => write.run(MARK, params![id, open]),
    })
}

pub(crate) fn check_decider(
    permit: &Permit,
    request: &Request,
    now: Timestamp,
) -> Result<(), Refusal> {
    if !request.awaits_people(now) {
        return Err(state_refusal(request, now));
    }
    // Roles first: it is a grant of one of those that has to cover what is decided.
    if let Some(call) = &request.call
        && !call.approvers.is_empty()
    {
        check_approvers(permit, call)?;
    }
    permit.covers(&request.target())?;
    let handed_on =
        |delegation: &crate::Delegation| permit.principal().is_same_holder(&delegation.from);
    if request.delegations.iter().any(handed_on) {
        let text = format!("{} has handed this request on", permit.actor().id);
        return Err(Refusal::new("request.delegated", "R07: approvals", text)
            .accepted("the decision of whom it was handed to, or of another person"));
    }
    let decider = holder(&permit.actor().id);
    let on_behalf = request
        .on_behalf_of
        .iter()
        .any(|name| holder(name) == decider);
    if on_behalf || permit.principal().is_same_holder(request.requester.actor()) {
        return Err(Refusal::new(
            "request.own",
            "R07: nobody decides their own request",
            format!("{} made this request", permit.actor().id),
        )
        .accepted("the decision of another person with the role approver or admin"));
    }
    let again = request
        .decisions
        .iter()
        .any(|said| permit.principal().is_same_holder(&said.by));
    if again {
        return Err(Refusal::new(
            "request.twice",
            "R07: each approval is another person's",
            format!("{} has decided already", permit.actor().id),
        )
        .accepted("the decision of yet another person"));
    }
    Ok(())
}

fn check_approvers(permit: &Permit, call: &Call) -> Result<(), Refusal> {
    let source = format!("approval policy {}", call.policy);
    permit
        .check_roles(&call.approvers, &source)
        .map_err(|no| Refusal {
            rule: "request.approvers".into(),
            message: format!(
                "{} has none of the roles that the policy asks for",
                permit.actor().id
            ),
            ..no
        })
}

pub(crate) fn state_refusal(request: &Request, now: Timestamp) -> Refusal {
    let state = request.state_at(now).name();
    Refusal::new(
        "request.state",
        "request lifecycle",
        format!("request {} is {state}", request.id),
    )
}

pub(crate) fn wrong_state(request: &Request, now: Timestamp) -> AccessError {
    AccessError::Refused(state_refusal(request, now))
}

pub(crate) fn object(id: &RequestId) -> Object {
    Object::new("request", id.as_str())
}

/// A row of [`OPEN`], with its version.
fn stored(row: &Row) -> Result<(Request, u64), AccessError> {
    let request = serde_json::from_str(row.text(1)?)
        .map_err(|error| bad_record(row.text(0).unwrap_or_default(), error))?;
    Ok((request, row.int(2)?.cast_unsigned()))
}

fn bad_record(id: &str, why: impl std::fmt::Display) -> AccessError {
    AccessError::Record {
        kind: "request",
        id: id.to_owned(),
        why: why.to_string(),
    }
}
