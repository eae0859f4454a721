//! People and groups over REST (R37, R11).

use std::sync::Arc;

use access::{Action, Grant, Group, Permit, Person, PersonState, Profile, Role, Staff, Target};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::api::shapes::{GrantShape, LinkShape};
use crate::problem::Problem;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/people", get(list).post(create))
        .route("/api/v1/people/{id}", get(show).put(change))
        .route("/api/v1/people/{id}/suspend", post(suspend))
        .route("/api/v1/people/{id}/resume", post(resume))
        .route("/api/v1/people/{id}/leave", post(leave))
        .route("/api/v1/groups", get(groups).post(create_group))
        .route(
            "/api/v1/groups/{name}",
            get(group).put(put_group).delete(remove_group),
        )
        .route("/api/v1/roles", get(roles))
}

/// A person.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PersonShape {
    id: String,
    name: String,
    email: Option<String>,
    #[schema(value_type = Vec<GrantShape>)]
    grants: Vec<Grant>,
    groups: Vec<String>,
    /// Groups that the identity provider put them in when they last signed in.
    claimed_groups: Vec<String>,
    /// active, suspended or left.
    #[schema(value_type = String)]
    state: PersonState,
    #[schema(value_type = Vec<LinkShape>)]
    links: Vec<access::Link>,
    /// Unix milliseconds.
    created: i64,
    created_by: String,
    version: u64,
    /// Own grants and those of all groups, at the same instant.
    #[schema(value_type = Vec<GrantShape>)]
    effective: Vec<Grant>,
    /// What those allow, somewhere, by the roles as they are now.
    #[schema(value_type = Vec<String>)]
    actions: Vec<Action>,
}

/// A group.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct GroupShape {
    name: String,
    label: String,
    #[schema(value_type = Vec<GrantShape>)]
    grants: Vec<Grant>,
    /// Values of an identity provider's groups claim that put somebody into it.
    claims: Vec<String>,
    version: u64,
    /// Ids of whoever is in it and has not left.
    members: Vec<String>,
}

/// A role and what it may do.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RoleShape {
    name: &'static str,
    title: &'static str,
    actions: Vec<&'static str>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPerson {
    /// Holder's name in the log: a-z 0-9 . _ -
    id: String,
    name: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<GrantShape>)]
    grants: Vec<Grant>,
    #[serde(default)]
    groups: Vec<String>,
}

/// What of a person can be changed.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes access::Profile in the document")]
pub(crate) struct ProfileShape {
    name: String,
    email: Option<String>,
    grants: Vec<GrantShape>,
    groups: Vec<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutPerson {
    /// The version that was read.
    version: u64,
    #[schema(value_type = ProfileShape)]
    person: Profile,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGroup {
    name: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    #[schema(value_type = Vec<GrantShape>)]
    grants: Vec<Grant>,
    #[serde(default)]
    claims: Vec<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutGroup {
    /// The version that was read.
    version: u64,
    group: NewGroup,
}

#[derive(Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// Goes into the log.
    #[serde(default)]
    reason: String,
}

impl PersonShape {
    fn new(person: Person, effective: Vec<Grant>) -> Self {
        let allowed = |action: &Action| effective.iter().any(|grant| grant.role.allows(*action));
        let actions = Action::ALL.iter().copied().filter(allowed).collect();
        Self {
            id: person.id,
            name: person.name,
            email: person.email,
            grants: person.grants,
            groups: person.groups,
            claimed_groups: person.claimed_groups,
            state: person.state,
            links: person.links,
            created: person.created,
            created_by: person.created_by,
            version: person.version,
            effective,
            actions,
        }
    }

    fn among(staff: &Staff, person: &Person) -> Self {
        Self::new(person.clone(), staff.grants(person))
    }
}

impl GroupShape {
    fn new<'a>(group: Group, members: impl IntoIterator<Item = &'a Person>) -> Self {
        let members = members.into_iter().map(|person| person.id.clone());
        Self {
            members: members.collect(),
            name: group.name,
            label: group.label,
            grants: group.grants,
            claims: group.claims,
            version: group.version,
        }
    }

    fn among(staff: &Staff, group: &Group) -> Self {
        Self::new(group.clone(), staff.members(&group.name))
    }
}

impl Caller {
    async fn manages_people(&self) -> Result<Permit, Problem> {
        self.permit(Action::ManagePeople, &Target::default()).await
    }

    /// Everybody and every group at the instant that is asked for.
    async fn staff(&self, asked: &AsOf) -> Result<Staff, Problem> {
        self.may_read(Action::ReadPeople)?;
        let at = asked.at(self.now)?;
        Ok(self.services.access.staff(at).await?)
    }

    async fn shown_person(&self, person: Person) -> Result<PersonShape, Problem> {
        let effective = self.services.access.grants(&person).await?;
        Ok(PersonShape::new(person, effective))
    }

    async fn shown_group(&self, group: Group) -> Result<GroupShape, Problem> {
        let members = self.services.access.members(&group.name).await?;
        Ok(GroupShape::new(group, &members))
    }

    async fn set_state(
        &self,
        id: &str,
        state: PersonState,
        why: &Why,
    ) -> Result<Json<PersonShape>, Problem> {
        let permit = self.manages_people().await?;
        let access = &self.services.access;
        let person = access.set_person_state(&permit, id, state, &why.reason, self.now);
        Ok(Json(self.shown_person(person.await?).await?))
    }
}

/// Everybody, who has left too.
#[utoipa::path(get, path = "/api/v1/people", tag = "people", params(AsOf),
    responses((status = 200, body = [PersonShape]), (status = 403, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<PersonShape>>, Problem> {
    let staff = caller.staff(&asked).await?;
    let shown = |person| PersonShape::among(&staff, person);
    Ok(Json(staff.people.iter().map(shown).collect()))
}

/// Writes somebody down. They come in by a one-time link, or by what links them to an identity provider.
#[utoipa::path(post, path = "/api/v1/people", tag = "people", request_body = NewPerson,
    responses((status = 201, body = PersonShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem)))]
pub(crate) async fn create(
    caller: Caller,
    Sent(new): Sent<NewPerson>,
) -> Result<(StatusCode, Json<PersonShape>), Problem> {
    let permit = caller.manages_people().await?;
    let profile = Profile {
        name: new.name,
        email: new.email,
        grants: new.grants,
        groups: new.groups,
    };
    let access = &caller.services.access;
    let person = access
        .create_person(&permit, &new.id, profile, caller.now)
        .await?;
    Ok((
        StatusCode::CREATED,
        Json(caller.shown_person(person).await?),
    ))
}

/// One person.
#[utoipa::path(get, path = "/api/v1/people/{id}", tag = "people", params(("id" = String, Path), AsOf),
    responses((status = 200, body = PersonShape), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(id): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<PersonShape>, Problem> {
    let staff = caller.staff(&asked).await?;
    Ok(Json(PersonShape::among(&staff, staff.person(&id)?)))
}

/// Changes name, address, grants and groups in the place of a version that was read. Counts at their next request.
#[utoipa::path(put, path = "/api/v1/people/{id}", tag = "people", params(("id" = String, Path)), request_body = PutPerson,
    responses((status = 200, body = PersonShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn change(
    caller: Caller,
    At(id): At<String>,
    Sent(put): Sent<PutPerson>,
) -> Result<Json<PersonShape>, Problem> {
    let permit = caller.manages_people().await?;
    if put.version == 0 {
        return Err(Problem::conflict(
            "a person that is there has a version above 0",
        ));
    }
    let access = &caller.services.access;
    let person = access.change_person(&permit, &id, put.version, put.person, caller.now);
    Ok(Json(caller.shown_person(person.await?).await?))
}

/// Lets somebody in no more for now; their sessions and tokens end.
#[utoipa::path(post, path = "/api/v1/people/{id}/suspend", tag = "people", params(("id" = String, Path)), request_body = Why,
    responses((status = 200, body = PersonShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn suspend(
    caller: Caller,
    At(id): At<String>,
    Sent(why): Sent<Why>,
) -> Result<Json<PersonShape>, Problem> {
    caller.set_state(&id, PersonState::Suspended, &why).await
}

/// Takes somebody back who was suspended; tokens that ended stay so.
#[utoipa::path(post, path = "/api/v1/people/{id}/resume", tag = "people", params(("id" = String, Path)), request_body = Why,
    responses((status = 200, body = PersonShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn resume(
    caller: Caller,
    At(id): At<String>,
    Sent(why): Sent<Why>,
) -> Result<Json<PersonShape>, Problem> {
    caller.set_state(&id, PersonState::Active, &why).await
}

/// Somebody has left, for good: their sessions and tokens end (R11).
#[utoipa::path(post, path = "/api/v1/people/{id}/leave", tag = "people", params(("id" = String, Path)), request_body = Why,
    responses((status = 200, body = PersonShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn leave(
    caller: Caller,
    At(id): At<String>,
    Sent(why): Sent<Why>,
) -> Result<Json<PersonShape>, Problem> {
    caller.set_state(&id, PersonState::Left, &why).await
}

/// Every group.
#[utoipa::path(get, path = "/api/v1/groups", tag = "people", params(AsOf),
    responses((status = 200, body = [GroupShape]), (status = 403, body = Problem)))]
pub(crate) async fn groups(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<GroupShape>>, Problem> {
    let staff = caller.staff(&asked).await?;
    let shown = |group| GroupShape::among(&staff, group);
    Ok(Json(staff.groups.iter().map(shown).collect()))
}

/// Makes a group.
#[utoipa::path(post, path = "/api/v1/groups", tag = "people", request_body = NewGroup,
    responses((status = 201, body = GroupShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create_group(
    caller: Caller,
    Sent(new): Sent<NewGroup>,
) -> Result<(StatusCode, Json<GroupShape>), Problem> {
    let permit = caller.manages_people().await?;
    let group = caller
        .services
        .access
        .put_group(&permit, new.at(0), caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(caller.shown_group(group).await?)))
}

/// One group.
#[utoipa::path(get, path = "/api/v1/groups/{name}", tag = "people", params(("name" = String, Path), AsOf),
    responses((status = 200, body = GroupShape), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn group(
    caller: Caller,
    At(name): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<GroupShape>, Problem> {
    let staff = caller.staff(&asked).await?;
    Ok(Json(GroupShape::among(&staff, staff.group(&name)?)))
}

/// Changes a group in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/groups/{name}", tag = "people", params(("name" = String, Path)), request_body = PutGroup,
    responses((status = 200, body = GroupShape), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn put_group(
    caller: Caller,
    At(name): At<String>,
    Sent(put): Sent<PutGroup>,
) -> Result<Json<GroupShape>, Problem> {
    let permit = caller.manages_people().await?;
    if put.group.name != name || put.version == 0 {
        return Err(Problem::malformed(
            "a group keeps its name, and one that is there has a version above 0",
        ));
    }
    let group = put.group.at(put.version);
    let group = caller
        .services
        .access
        .put_group(&permit, group, caller.now)
        .await?;
    Ok(Json(caller.shown_group(group).await?))
}

/// Ends a group that nobody is in.
#[utoipa::path(delete, path = "/api/v1/groups/{name}", tag = "people", params(("name" = String, Path)),
    responses((status = 204), (status = 202, body = crate::api::calls::Waits), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn remove_group(
    caller: Caller,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    let permit = caller.manages_people().await?;
    caller
        .services
        .access
        .remove_group(&permit, &name, caller.now)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The roles and what each may do: the matrix.
#[utoipa::path(get, path = "/api/v1/roles", tag = "people", responses((status = 200, body = [RoleShape])))]
pub(crate) async fn roles(caller: Caller) -> Result<Json<Vec<RoleShape>>, Problem> {
    caller.may_read(Action::ReadStatus)?;
    let shown = Role::ALL.map(|role| {
        let actions = Action::ALL.iter().filter(|action| role.allows(**action));
        RoleShape {
            name: role.name(),
            title: role.title(),
            actions: actions.map(|action| action.name()).collect(),
        }
    });
    Ok(Json(shown.into()))
}

impl NewGroup {
    fn at(self, version: u64) -> Group {
        Group {
            name: self.name,
            label: self.label,
            grants: self.grants,
            claims: self.claims,
            version,
        }
    }
}
