//! Requests in the store: made, decided, lapsed, fulfilled.

use audit::{Event, Object, Timestamp};
use serde_json::json;
use store::{StoreError, Write};

use crate::notice::{self, Moment};
use crate::permit::{decide, holder};
use crate::{
    Access, AccessError, Action, Call, Decision, NewRequest, Permit, Person, Principal,
    REQUEST_RECORDS, Refusal, Request, RequestId, RequestState, Target, Where, random,
};

/// How often a decision is tried again when others decide at the same moment.
const PARALLEL: usize = 16;

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
        let write =
            Write::new(event)?.put_record(REQUEST_RECORDS, id.as_str(), 0, &request, now)?;
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

    /// Writes down the expiry of requests whose time has passed; says how many.
    pub async fn expire_requests(&self, now: Timestamp) -> Result<usize, AccessError> {
        let principal = self.system_principal("requests");
        let mut expired = 0;
        let lapsed = |request: &Request| {
            let state = request.state_at(now);
            state == RequestState::Expired && state != request.state
        };
        for seen in self.requests().await?.iter().filter(|one| lapsed(one)) {
            // As it is by now: somebody may have said something since.
            let (mut request, version) = self.stored_request(&seen.id).await?;
            if !lapsed(&request) {
                continue;
            }
            request.state = RequestState::Expired;
            let event = Event::new(
                now,
                principal.actor().clone(),
                "request.expire",
                object(&request.id),
            );
            let write = Write::new(event)?.put_record(
                REQUEST_RECORDS,
                request.id.as_str(),
                version,
                &request,
                now,
            )?;
            let write = notice::along(write, Moment::Decided, &request.id, now);
            self.store.commit(write).await?;
            expired += 1;
        }
        Ok(expired)
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
        Ok(write
            .event(event)?
            .put_record(REQUEST_RECORDS, id.as_str(), version, &request, now)?)
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
        let mut write =
            Write::new(event)?.put_record(REQUEST_RECORDS, id.as_str(), version, &request, now)?;
        if ![RequestState::Pending, RequestState::Review].contains(&request.state) {
            write = notice::along(write, Moment::Decided, id, now);
        }
        self.store.commit(write).await?;
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

pub(crate) fn check_decider(
    permit: &Permit,
    request: &Request,
    now: Timestamp,
) -> Result<(), Refusal> {
    if !request.is_open(now) {
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

fn bad_record(id: &str, why: impl std::fmt::Display) -> AccessError {
    AccessError::Record {
        kind: "request",
        id: id.to_owned(),
        why: why.to_string(),
    }
}
