//! Principals, decisions and the proof of a decision. A [`Permit`] can only come from here, is
//! consumed by the act it allows, and takes along who it was and where the limits are, so that the
//! act can hold names that appear later (out of a CSR) against the same scope.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use audit::{Actor, ActorKind};
use serde::{Deserialize, Serialize};

use crate::{Action, Place, Refusal, Role, Scope, Target, TokenId};

/// Most grants of a principal that count: one bit each in a permit.
pub(crate) const MOST_GRANTS: usize = 64;

/// A role, and where it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What.
    pub role: Role,
    /// Where; without limits, everywhere.
    #[serde(default, skip_serializing_if = "Scope::is_unlimited")]
    pub scope: Scope,
}

impl Grant {
    /// A role everywhere.
    pub fn everywhere(role: Role) -> Self {
        Grant {
            role,
            scope: Scope::default(),
        }
    }
}

/// Somebody who has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredPrincipal")]
pub struct Principal {
    actor: Actor,
    grants: Vec<Grant>,
    token: Option<TokenId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<String>,
}

/// A principal as records carry it: before there were grants it had roles and one scope for them.
#[derive(Deserialize)]
struct StoredPrincipal {
    actor: Actor,
    #[serde(default)]
    grants: Vec<Grant>,
    #[serde(default)]
    roles: Vec<Role>,
    #[serde(default)]
    scope: Scope,
    token: Option<TokenId>,
    session: Option<String>,
    via: Option<String>,
}

impl From<StoredPrincipal> for Principal {
    fn from(stored: StoredPrincipal) -> Self {
        let mut grants = stored.grants;
        grants.extend(grants_of(&stored.roles, &stored.scope));
        Principal {
            actor: stored.actor,
            grants,
            token: stored.token,
            session: stored.session,
            via: stored.via,
        }
    }
}

/// Roles that share a scope, as grants.
pub(crate) fn grants_of(roles: &[Role], scope: &Scope) -> Vec<Grant> {
    let grant = |role: &Role| Grant {
        role: *role,
        scope: scope.clone(),
    };
    roles.iter().map(grant).collect()
}

impl Principal {
    pub(crate) fn new(actor: Actor, grants: Vec<Grant>, token: Option<TokenId>) -> Self {
        Principal {
            actor,
            grants,
            token,
            session: None,
            via: None,
        }
    }

    pub(crate) fn signed_in(mut self, via: &str, session: Option<&str>) -> Self {
        self.via = Some(via.to_owned());
        self.session = session.map(str::to_owned);
        self
    }

    /// As whom the log knows them.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What they are, and where.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The token they came with; `None` in a session and at the machine's own command line.
    pub fn token(&self) -> Option<&TokenId> {
        self.token.as_ref()
    }

    /// The session they came with.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// How they signed in.
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref()
    }

    /// The holder of the tokens and sessions that this is one of.
    pub fn holder(&self) -> &str {
        holder(&self.actor.id)
    }

    /// What at least one grant allows somewhere, in the order of the matrix.
    pub fn actions(&self) -> Vec<Action> {
        let allowed = |action: &Action| self.grants.iter().any(|grant| grant.role.allows(*action));
        Action::ALL.iter().copied().filter(allowed).collect()
    }

    /// Whether this is the same person or machine as `other`, whichever token, session or terminal
    /// either used. An actor's id is `holder/token`, `holder/session` or `holder`.
    pub fn is_same_holder(&self, other: &Actor) -> bool {
        holder(&self.actor.id) == holder(&other.id)
    }
}

/// The part of an actor's id that names the holder.
pub fn holder(actor_id: &str) -> &str {
    actor_id.split('/').next().unwrap_or(actor_id)
}

/// Proof that an action was decided in favour. Not `Clone`: one permit, one act.
#[derive(Debug)]
pub struct Permit {
    principal: Arc<Principal>,
    action: Action,
    actor: Actor,
    request_id: Option<String>,
    /// The principal's grants that still cover everything that was checked, a bit each: names that fit one
    /// grant and a profile that fits another are not allowed together.
    grants: AtomicU64,
}

impl Permit {
    /// Who may.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The actor for events, with the role that decided.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What joins the events of this act with the answer to whoever asked for it.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    pub(crate) fn with_request_id(mut self, id: Option<&str>) -> Self {
        self.request_id = id.map(str::to_owned);
        self
    }

    /// `event`, with the request's id if there is one.
    pub fn joined(&self, event: audit::Event) -> audit::Event {
        match &self.request_id {
            Some(id) => event.request_id(id.as_str()),
            None => event,
        }
    }

    /// What was allowed.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Refuses unless this permit is for `action`: an act states which permit it takes.
    pub fn require(&self, action: Action) -> Result<(), Refusal> {
        if self.action == action {
            return Ok(());
        }
        Err(Refusal::new(
            "permit.action",
            "access",
            format!("a permit to {} does not allow to {action}", self.action),
        ))
    }

    /// Refuses a profile outside the scope.
    pub fn check_profile(&self, profile: &str) -> Result<(), Refusal> {
        self.narrow(|grant| grant.scope.check_profile(profile))
    }

    /// Refuses an authority outside the scope.
    pub fn check_authority(&self, authority: &str) -> Result<(), Refusal> {
        self.narrow(|grant| grant.scope.check_authority(authority))
    }

    /// Refuses the first name outside the scope.
    pub fn check_names<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Result<(), Refusal> {
        self.narrow(|grant| grant.scope.check_names(names.clone()))
    }

    /// Refuses a place outside the scope.
    pub fn check_place(&self, place: &Place<'_>) -> Result<(), Refusal> {
        self.narrow(|grant| grant.scope.check_place(place))
    }

    /// Refuses one of many objects, all of which one permit is for: a grant has to cover all that is said
    /// of it, and the next object may be another grant's.
    pub fn covers(&self, target: &Target<'_>) -> Result<(), Refusal> {
        let mut first = None;
        for (_, grant) in self.live() {
            match grant.scope.covers(self.action, target) {
                Ok(()) => return Ok(()),
                Err(refusal) => first.get_or_insert(refusal),
            };
        }
        Err(first.unwrap_or_else(|| self.nothing_left()))
    }

    /// The scopes in one of which things must be, for lists; `None` where nothing is limited to a place.
    pub fn places(&self) -> Option<Vec<&Scope>> {
        let scopes: Vec<&Scope> = self.live().map(|(_, grant)| &grant.scope).collect();
        scopes
            .iter()
            .all(|scope| scope.is_placed())
            .then_some(scopes)
    }

    /// Whether names are limited.
    pub fn limits_names(&self) -> bool {
        self.live().all(|(_, grant)| !grant.scope.names.is_empty())
    }

    /// Refuses whoever is limited in any way: what leads everywhere is for those who may go everywhere.
    pub fn check_unlimited(&self, rule: &'static str) -> Result<(), Refusal> {
        let text = format!("somebody with a limited scope cannot {}", self.action);
        self.narrow(|grant| match grant.scope.is_unlimited() {
            true => Ok(()),
            false => Err(Refusal::new(rule, "scope", text.clone())
                .accepted("a grant or token without limits")),
        })
    }

    /// Refuses a scope that is handed on by somebody who is limited themselves, unless it is the same.
    pub(crate) fn check_scope(&self, scope: &Scope) -> Result<(), Refusal> {
        self.narrow(
            |grant| match grant.scope.is_unlimited() || grant.scope == *scope {
                true => Ok(()),
                false => Err(Refusal::new(
                    "token.scope",
                    "scope",
                    "somebody with a limited scope cannot make a token with another scope",
                )),
            },
        )
    }

    /// Refuses principals that have none of `roles`: a profile may ask for more than the matrix.
    pub fn check_roles(&self, roles: &[Role], source: &str) -> Result<(), Refusal> {
        let wanted: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        self.narrow(|grant| match roles.contains(&grant.role) {
            true => Ok(()),
            false => Err(Refusal::new(
                "profile.role",
                source.to_owned(),
                format!("{} has none of the roles that may ask", self.actor.id),
            )
            .accepted(wanted.join(", "))),
        })
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Grant)> {
        let mask = self.grants.load(Ordering::Relaxed);
        let grants = self.principal.grants.iter().take(MOST_GRANTS).enumerate();
        grants.filter(move |(bit, _)| mask & (1 << bit) != 0)
    }

    /// Keeps the grants that pass; when none does, says why the first does not and keeps them all.
    fn narrow(&self, check: impl Fn(&Grant) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let (mut kept, mut first) = (0, None);
        for (bit, grant) in self.live() {
            match check(grant) {
                Ok(()) => kept |= 1 << bit,
                Err(refusal) => {
                    first.get_or_insert(refusal);
                }
            }
        }
        if kept == 0 {
            return Err(first.unwrap_or_else(|| self.nothing_left()));
        }
        self.grants.store(kept, Ordering::Relaxed);
        Ok(())
    }

    fn nothing_left(&self) -> Refusal {
        Refusal::new(
            "role",
            "role matrix",
            format!("{} has no grant left", self.actor.id),
        )
    }
}

/// Decides by matrix and scope. Free of any store, so that it costs nothing.
pub(crate) fn decide(
    principal: &Arc<Principal>,
    action: Action,
    target: &Target<'_>,
) -> Result<Permit, Refusal> {
    let (mut grants, mut role, mut first) = (0, None, None);
    for (bit, grant) in principal.grants.iter().take(MOST_GRANTS).enumerate() {
        if !grant.role.allows(action) {
            continue;
        }
        match grant.scope.covers(action, target) {
            Ok(()) => {
                grants |= 1 << bit;
                role.get_or_insert(grant.role);
            }
            Err(refusal) => {
                first.get_or_insert(refusal);
            }
        }
    }
    let Some(role) = role else {
        return Err(first.unwrap_or_else(|| no_role(principal, action)));
    };
    Ok(Permit {
        principal: Arc::clone(principal),
        action,
        actor: principal.actor.clone().with_role(role.name()),
        request_id: None,
        grants: AtomicU64::new(grants),
    })
}

fn no_role(principal: &Principal, action: Action) -> Refusal {
    let wanted: Vec<&str> = action.roles().iter().map(|role| role.name()).collect();
    Refusal::new(
        "role",
        "role matrix",
        format!("{} has no role that may {action}", principal.actor.id),
    )
    .accepted(wanted.join(", "))
}

/// The principal of Ward's own loops and start-up.
pub(crate) fn system(component: &str) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::system(component),
        vec![Grant::everywhere(Role::Admin)],
        None,
    ))
}

/// Somebody at the machine's own command line: whoever can read the data directory owns the CA.
pub(crate) fn local(user: &str) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::new(ActorKind::Local, user.replace('/', "_")),
        vec![Grant::everywhere(Role::Admin)],
        None,
    ))
}

/// The principal of an enrolment account.
pub(crate) fn enrolled(id: &str, scope: Scope) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::new(ActorKind::Machine, id.replace('/', "_")),
        vec![Grant {
            role: Role::Issuer,
            scope,
        }],
        None,
    ))
}
