//! Principals, decisions and the proof of a decision. A [`Permit`] can only come from here, is
//! consumed by the act it allows, and takes along who it was and where the limits are, so that the
//! act can hold names that appear later (out of a CSR) against the same scope.

use std::sync::Arc;

use audit::{Actor, ActorKind};
use serde::{Deserialize, Serialize};

use crate::{Action, Refusal, Role, Scope, TokenId};

/// Somebody who has proved who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    actor: Actor,
    roles: Vec<Role>,
    scope: Scope,
    token: Option<TokenId>,
}

impl Principal {
    pub(crate) fn new(
        actor: Actor,
        roles: Vec<Role>,
        scope: Scope,
        token: Option<TokenId>,
    ) -> Self {
        Principal {
            actor,
            roles,
            scope,
            token,
        }
    }

    /// As whom the log knows them.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// What they are.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Where they may act.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The token they came with; `None` at the machine's own command line.
    pub fn token(&self) -> Option<&TokenId> {
        self.token.as_ref()
    }

    /// Whether this is the same person or machine as `other`, whichever token or terminal either
    /// used. An actor's id is `holder/token` or `holder`.
    pub fn is_same_holder(&self, other: &Actor) -> bool {
        holder(&self.actor.id) == holder(&other.id)
    }
}

/// The part of an actor's id that names the holder.
pub fn holder(actor_id: &str) -> &str {
    actor_id.split('/').next().unwrap_or(actor_id)
}

/// What an action is aimed at, as far as it is known before the request is read in full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The profile to be used.
    pub profile: Option<&'a str>,
    /// The authority to be used or changed.
    pub authority: Option<&'a str>,
    /// Names (`kind:value`); `ca` checks the final names again through [`Permit::check_names`].
    pub names: &'a [String],
}

/// Proof that an action was decided in favour. Not `Clone`: one permit, one act.
#[derive(Debug)]
pub struct Permit {
    principal: Arc<Principal>,
    action: Action,
    actor: Actor,
    request_id: Option<String>,
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

    /// Refuses a profile outside the principal's scope.
    pub fn check_profile(&self, profile: &str) -> Result<(), Refusal> {
        self.principal.scope.check_profile(profile)
    }

    /// Refuses an authority outside the principal's scope.
    pub fn check_authority(&self, authority: &str) -> Result<(), Refusal> {
        self.principal.scope.check_authority(authority)
    }

    /// Refuses the first name outside the principal's scope.
    pub fn check_names<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
        self.principal.scope.check_names(names)
    }

    /// Refuses principals that have none of `roles`: a profile may ask for more than the matrix.
    pub fn check_roles(&self, roles: &[Role], source: &str) -> Result<(), Refusal> {
        if self.principal.roles.iter().any(|role| roles.contains(role)) {
            return Ok(());
        }
        let wanted: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        Err(Refusal::new(
            "profile.role",
            source.to_owned(),
            format!("{} has none of the roles that may ask", self.actor.id),
        )
        .accepted(wanted.join(", ")))
    }
}

/// Decides by matrix and scope. Free of any store, so that it costs nothing.
pub(crate) fn decide(
    principal: &Arc<Principal>,
    action: Action,
    target: &Target<'_>,
) -> Result<Permit, Refusal> {
    let role = principal.roles.iter().find(|role| role.allows(action));
    let Some(role) = role else {
        let wanted: Vec<&str> = action.roles().iter().map(|role| role.name()).collect();
        return Err(Refusal::new(
            "role",
            "role matrix",
            format!("{} has no role that may {action}", principal.actor.id),
        )
        .accepted(wanted.join(", ")));
    };
    if let Some(profile) = target.profile {
        principal.scope.check_profile(profile)?;
    }
    if let Some(authority) = target.authority {
        principal.scope.check_authority(authority)?;
    }
    principal
        .scope
        .check_names(target.names.iter().map(String::as_str))?;
    Ok(Permit {
        principal: Arc::clone(principal),
        action,
        actor: principal.actor.clone().with_role(role.name()),
        request_id: None,
    })
}

/// The principal of Ward's own loops and start-up.
pub(crate) fn system(component: &str) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::system(component),
        vec![Role::Admin],
        Scope::default(),
        None,
    ))
}

/// Somebody at the machine's own command line: whoever can read the data directory owns the CA.
pub(crate) fn local(user: &str) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::new(ActorKind::Local, user.replace('/', "_")),
        vec![Role::Admin],
        Scope::default(),
        None,
    ))
}

/// The principal of an enrolment account.
pub(crate) fn enrolled(id: &str, scope: Scope) -> Arc<Principal> {
    Arc::new(Principal::new(
        Actor::new(ActorKind::Machine, id.replace('/', "_")),
        vec![Role::Issuer],
        scope,
        None,
    ))
}
