//! Calls that wait for other people, in the store: kept, talked about, handed on, made once, reviewed.

use audit::{Actor, Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::notice::Moment;
use crate::waiting::{check_decider, object, wrong_state};
use crate::{
    Access, AccessError, Action, ApprovalPolicy, Evidence, Execute, Permit, Principal, Refusal,
    Request, RequestId, RequestState, Role, random,
};

/// Largest body of a call that is kept.
pub const LARGEST_CALL: usize = 64 * 1024;
/// What of an answer is kept.
const KEPT_ANSWER: usize = 4096;
/// A call that was taken so long ago is made by nobody any more: answers of the API take seconds, long work goes as a job.
const LONGEST_CALL_MS: i64 = 10 * 60_000;
/// The status of a call that nobody saw the end of.
const CUT_OFF: u16 = 0;
/// The status of what goes on: as a job, or as a request where another policy asks as well (RFC 9110 §15.3.3).
const ACCEPTED: u16 = 202;
/// Most comments, and changes of a diff.
const MOST: usize = 200;
/// Most people that a refusal names.
const MOST_NAMED: usize = 10;
/// Longest comment, in characters.
const LONGEST_COMMENT: usize = 4000;

/// One thing that a call would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where in the object, as a JSON pointer (RFC 6901).
    pub at: String,
    /// What is there now; `null`: nothing.
    pub before: Value,
    /// What would be there.
    pub after: Value,
}

/// What a call answered when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The status of HTTP; 0 where the server stopped while it made the call.
    pub status: u16,
    /// The beginning of the body, where it did not succeed or goes on elsewhere.
    pub body: String,
    /// When, Unix milliseconds.
    pub at: i64,
}

/// A call that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The policy that caught it.
    pub policy: String,
    /// What it needs the permit for.
    pub action: Action,
    /// GET and the like are never kept.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The body as it came.
    pub body: String,
    /// The segment that it is about, where that was known.
    #[serde(default)]
    pub segment: Option<String>,
    /// What it would change, as far as that can be said.
    pub diff: Vec<Change>,
    /// By which roles people may agree.
    #[serde(default)]
    pub approvers: Vec<Role>,
    /// Who makes it.
    pub execute: Execute,
    /// Whether the asker may go ahead in an emergency.
    pub emergency_allowed: bool,
    /// Why the asker went ahead.
    #[serde(default)]
    pub emergency: Option<String>,
    /// When a server began to make it, Unix milliseconds; nothing once it is known what came of it.
    #[serde(default)]
    pub taken: Option<i64>,
    /// What came of it.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

/// What somebody said about a request without deciding it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Who.
    pub by: Actor,
    /// When, Unix milliseconds.
    pub at: i64,
    /// What.
    pub text: String,
    /// What supports it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// Somebody handed the decision to somebody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// Who handed it on; decides no more.
    pub from: Actor,
    /// The person who shall decide.
    pub to: String,
    /// When, Unix milliseconds.
    pub at: i64,
}

/// A call as it was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// By which policy.
    pub policy: ApprovalPolicy,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The body.
    pub body: String,
    /// The profile, where it was known.
    pub profile: Option<String>,
    /// The segment, where it was known.
    pub segment: Option<String>,
    /// What it would change.
    pub diff: Vec<Change>,
}

impl Access {
    /// Keeps a call until other people have agreed to it.
    pub async fn keep_call(
        &self,
        asker: &Principal,
        mut caught: Caught,
        request_id: &str,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        let id = RequestId(format!("r{}", hex::encode(random::<8>()?)));
        let policy = caught.policy;
        caught.diff.truncate(MOST);
        let request = Request {
            id: id.clone(),
            profile: caught.profile.unwrap_or_default(),
            authority: String::new(),
            summary: format!("{}: {} {}", policy.action, caught.method, caught.path),
            names: Vec::new(),
            requester: asker.clone(),
            on_behalf_of: Vec::new(),
            evidence: Vec::new(),
            needed: policy.needed,
            created: now.0,
            expires: now.0 + i64::from(policy.hours) * 3_600_000,
            state: RequestState::Pending,
            decisions: Vec::new(),
            comments: Vec::new(),
            delegations: Vec::new(),
            result: None,
            payload: Value::Null,
            call: Some(Call {
                policy: policy.name,
                action: policy.action,
                method: caught.method,
                path: caught.path,
                body: caught.body,
                segment: caught.segment,
                diff: caught.diff,
                taken: None,
                approvers: policy.approvers,
                execute: policy.execute,
                emergency_allowed: policy.emergency,
                emergency: None,
                outcome: None,
            }),
        };
        let event = Event::new(now, asker.actor().clone(), "request.create", object(&id))
            .request_id(request_id)
            .after(json!({
                "policy": request.call.as_ref().map(|call| &call.policy),
                "summary": request.summary,
                "needed": request.needed,
                "expires": request.expires,
                "diff": request.call.as_ref().map(|call| &call.diff),
            }));
        self.put_request(event, &request, 0, Some(Moment::Asked), now)
            .await?;
        Ok(request)
    }

    /// Says something about a request, with what supports it: whoever asked, and whoever may decide.
    pub async fn comment(
        &self,
        principal: &Principal,
        id: &RequestId,
        text: &str,
        evidence: Vec<Evidence>,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        let (mut request, version) = self.stored_request(id).await?;
        let length = text.chars().count();
        if length > LONGEST_COMMENT || evidence.len() > 20 || request.comments.len() >= MOST {
            return Err(Refusal::new("request.comment", "access", "too long, or too many")
                .accepted(format!("at most {LONGEST_COMMENT} characters, 20 pieces of evidence, {MOST} comments"))
                .into());
        }
        let actor = principal.actor().clone();
        let event = Event::new(now, actor.clone(), "request.comment", object(id))
            .after(json!({ "text": text, "evidence": evidence }));
        request.comments.push(Comment {
            by: actor,
            at: now.0,
            text: text.to_owned(),
            evidence,
        });
        self.put_request(event, &request, version, None, now)
            .await?;
        Ok(request)
    }

    /// Hands the decision to another person who may make it; whoever hands it on decides no more.
    pub async fn delegate(
        &self,
        permit: &Permit,
        id: &RequestId,
        to: &str,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        permit.require(Action::ApproveRequests)?;
        let (mut request, version) = self.stored_request(id).await?;
        let checked = check_decider(permit, &request, now);
        let checked = match checked {
            Ok(()) => self.check_delegate(permit, &request, to, now).await?,
            no => no,
        };
        if let Err(refusal) = checked {
            return Err(self
                .no(refusal, permit, "request.delegate", object(id), now)
                .await);
        }
        let from = permit.actor().clone();
        let event = Event::new(now, from.clone(), "request.delegate", object(id))
            .after(json!({ "to": to }));
        let event = permit.joined(event);
        request.delegations.push(Delegation {
            from,
            to: to.to_owned(),
            at: now.0,
        });
        let news = Some(Moment::Handed);
        self.put_request(event, &request, version, news, now)
            .await?;
        Ok(request)
    }

    async fn check_delegate(
        &self,
        permit: &Permit,
        request: &Request,
        to: &str,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, AccessError> {
        let found = match self.person_if_any(to).await? {
            None => format!("there is no person {to}"),
            Some(_) if permit.principal().holder() == to => {
                format!("{to} would hand it on to themselves")
            }
            Some(person) => match self.decider(&person, request, now).await? {
                Ok(()) => return Ok(Ok(())),
                Err(why) => format!("{to} cannot decide about this request: {}", why.message),
            },
        };
        let others = self.other_deciders(permit, request, now).await?;
        let refusal = Refusal::new("request.delegate", "R07: approvals", found);
        Ok(Err(refusal.accepted(told(&others))))
    }

    /// The ids of the people who may decide about a request, but for whoever has it.
    async fn other_deciders(
        &self,
        permit: &Permit,
        request: &Request,
        now: Timestamp,
    ) -> Result<Vec<String>, AccessError> {
        let mut others = Vec::new();
        for person in self.people().await? {
            let is_other = permit.principal().holder() != person.id;
            if is_other && self.decider(&person, request, now).await?.is_ok() {
                others.push(person.id);
            }
        }
        Ok(others)
    }

    /// Takes an approved call to be made, once: whoever comes second finds it taken. `emergency` is why the asker does
    /// not wait.
    pub async fn begin_call(
        &self,
        by: &Principal,
        id: &RequestId,
        emergency: Option<&str>,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        let (mut request, version) = self.stored_request(id).await?;
        if let Err(refusal) = may_begin(by, &request, emergency, now) {
            let at = object(id);
            let verb = "request.execute";
            self.record_refusal(&refusal, by, verb, at, None, now)
                .await?;
            return Err(refusal.into());
        }
        request.state = RequestState::Executing;
        let verb = if emergency.is_some() {
            "request.emergency"
        } else {
            "request.execute"
        };
        let mut event = Event::new(now, by.actor().clone(), verb, object(id))
            .after(json!({ "summary": request.summary }));
        if let Some(call) = request.call.as_mut() {
            call.taken = Some(now.0);
            call.emergency = emergency.map(str::to_owned);
        }
        if let Some(why) = emergency {
            event = event.why(why);
        }
        self.put_request(event, &request, version, None, now)
            .await?;
        Ok(request)
    }

    /// Writes down what came of a call that was taken; also where it was taken for cut off meanwhile.
    pub async fn end_call(
        &self,
        id: &RequestId,
        status: u16,
        body: &str,
        now: Timestamp,
    ) -> Result<Request, AccessError> {
        let (mut request, version) = self.stored_request(id).await?;
        let good = (200..300).contains(&status);
        let Some(call) = request.call.as_mut().filter(|call| call.taken.is_some()) else {
            return Err(wrong_state(&request, now));
        };
        call.taken = None;
        // What a call that succeeds answers may be a secret, and many may read requests. 202 says where it goes on.
        let told = if good && status != ACCEPTED { "" } else { body };
        call.outcome = Some(Outcome {
            status,
            body: told[..told.floor_char_boundary(KEPT_ANSWER)].to_owned(),
            at: now.0,
        });
        // The body may hold what should not lie about; what it changed is in the log.
        call.body = String::new();
        let told_before = request.state;
        let was_cut_off = told_before != RequestState::Executing;
        request.state = match (good, &call.emergency) {
            // Who has looked at it already has looked at the log as well.
            (_, Some(_)) if was_cut_off => told_before,
            (_, Some(_)) => RequestState::Review,
            (true, None) => RequestState::Fulfilled,
            (false, None) => RequestState::Failed,
        };
        let verb = if good {
            "request.fulfil"
        } else {
            "request.fail"
        };
        let actor = request.requester.actor().clone();
        let mut event = Event::new(now, actor, verb, object(id))
            .after(json!({ "status": status, "state": request.state }));
        if was_cut_off {
            event = event.before(json!({ "status": CUT_OFF, "state": told_before }));
        }
        let news = match (was_cut_off, &call.emergency) {
            // Who asked has been told that nobody knows.
            (true, None) => Some(Moment::Decided),
            (false, Some(_)) => Some(Moment::Review),
            (true, Some(_)) | (false, None) => None,
        };
        self.put_request(event, &request, version, news, now)
            .await?;
        Ok(request)
    }

    /// Ends calls that a server took and did not come back from. `all`: there is no other server, and this one has just
    /// started. What they did is not known; their askers, or reviewers, are told so.
    pub async fn end_cut_off_calls(&self, all: bool, now: Timestamp) -> Result<usize, AccessError> {
        let mut ended = 0;
        for (mut request, version) in self.stored_open().await? {
            let is = is_cut_off(&request, all, now);
            let Some(call) = request.call.as_mut().filter(|_| is) else {
                continue;
            };
            let told = cut_off_text(&request.id);
            call.outcome = Some(Outcome {
                status: CUT_OFF,
                body: told.clone(),
                at: now.0,
            });
            call.body = String::new();
            let (state, news) = match call.emergency {
                Some(_) => (RequestState::Review, Moment::Review),
                None => (RequestState::Failed, Moment::Decided),
            };
            request.state = state;
            let actor = self.system_principal("approvals").actor().clone();
            let event = Event::new(now, actor, "request.cut-off", object(&request.id))
                .why(told)
                .after(json!({ "state": state }));
            // What came of it may have been written down meanwhile.
            let put = self.put_if_still(event, &request, version, Some(news), now);
            ended += usize::from(put.await?);
        }
        Ok(ended)
    }

    /// Calls that enough people have agreed to and that the server makes.
    pub async fn calls_due(&self, now: Timestamp) -> Result<Vec<RequestId>, AccessError> {
        let due = |request: &Request| {
            request.state_at(now) == RequestState::Approved
                && request
                    .call
                    .as_ref()
                    .is_some_and(|call| call.execute == Execute::AtApproval)
        };
        let open = self.open_requests().await?;
        Ok(open
            .into_iter()
            .filter(due)
            .map(|request| request.id)
            .collect())
    }
}

/// Who could take a request over.
fn told(others: &[String]) -> String {
    let (named, more) = others.split_at(others.len().min(MOST_NAMED));
    match (named, more.len()) {
        ([], _) => {
            "your own decision: nobody else of the people here may decide about it".to_owned()
        }
        (_, 0) => format!("one of {}", named.join(", ")),
        (_, more) => format!("one of {} and {more} others", named.join(", ")),
    }
}

fn is_cut_off(request: &Request, all: bool, now: Timestamp) -> bool {
    let Some(call) = &request.call else {
        return false;
    };
    // Those of before the instant was kept have none.
    let long_ago = call
        .taken
        .is_none_or(|taken| now.0 - taken >= LONGEST_CALL_MS);
    request.state == RequestState::Executing && (all || long_ago)
}

/// What stands for the answer of a call that nobody saw the end of.
fn cut_off_text(id: &RequestId) -> String {
    format!(
        "The server stopped while it made this call, and nobody knows whether it was done. Look in the log for events \
         with the request id {id}, and at what it was to change; ask again if it was not done."
    )
}

fn may_begin(
    by: &Principal,
    request: &Request,
    emergency: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let source = "R07: approvals";
    let Some(call) = &request.call else {
        let text = format!("{} is no kept call", request.id);
        return Err(
            Refusal::new("request.call", source, text).accepted("a request that a policy made")
        );
    };
    let system = by.actor().kind == audit::ActorKind::System;
    if !system && !by.is_same_holder(request.requester.actor()) {
        let text = format!("{} did not ask for it", by.actor().id);
        return Err(Refusal::new("request.asker", source, text).accepted("whoever asked"));
    }
    let state = request.state_at(now);
    match emergency {
        None if state == RequestState::Approved => Ok(()),
        Some(why) if state == RequestState::Pending && call.emergency_allowed => {
            match (10..=LONGEST_COMMENT).contains(&why.trim().chars().count()) {
                true => Ok(()),
                false => {
                    Err(
                        Refusal::new("request.emergency", source, "an emergency has a reason")
                            .accepted(format!(
                                "10 to {LONGEST_COMMENT} characters that say why it cannot wait"
                            )),
                    )
                }
            }
        }
        Some(_) if state == RequestState::Pending => {
            let text = format!("the policy {} knows no emergency", call.policy);
            Err(Refusal::new("request.emergency", source, text)
                .accepted("the word of other people"))
        }
        _ => Err(crate::waiting::state_refusal(request, now)),
    }
}

/// What changes between two JSON values, member by member, as far as both are objects.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    found
}

fn compare(at: &str, before: &Value, after: &Value, found: &mut Vec<Change>) {
    if before == after || found.len() >= MOST {
        return;
    }
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        found.push(Change {
            at: at.to_owned(),
            before: before.clone(),
            after: after.clone(),
        });
        return;
    };
    // Nested no deeper than the parser lets anything be: 128 levels.
    for (key, value) in new {
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        compare(&at, old.get(key).unwrap_or(&Value::Null), value, found);
    }
}
