//! What is true of every operation and would be forgotten in one of two hundred: an id of its own, problem documents as
//! such, and the answers that come before a handler is asked (no token, no right, a body that cannot be read, a policy).

use utoipa::openapi::path::Operation;
use utoipa::openapi::{
    Content, HttpMethod, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder,
};

const PROBLEM: &str = "#/components/schemas/Problem";
const WAITS: &str = "#/components/schemas/Waits";
const PROBLEM_JSON: &str = "application/problem+json";
/// Where somebody becomes known: nobody is yet.
const PUBLIC: [&str; 2] = ["/api/v1/sign-in", "/auth/oidc/"];
/// About the caller's own session: no policy catches these.
const OWN: [&str; 4] = [
    "/api/v1/sign-in",
    "/api/v1/session",
    "/api/v1/sessions",
    "/auth/oidc/",
];

pub(super) struct Answers;

impl utoipa::Modify for Answers {
    fn modify(&self, openapi: &mut OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            for (method, operation) in operations(item) {
                operation.operation_id = Some(id(&method, path));
                describe(operation, &method, path);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
    ];
    let given = all.into_iter();
    given.filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Method and path in words: unique, because they are, and the same for as long as they are.
fn id(method: &HttpMethod, path: &str) -> String {
    let mut id = verb(method).to_owned();
    let path = path.trim_start_matches("/api/v1");
    for part in path.split(['/', '-', '{', '}']) {
        if !part.is_empty() {
            id.push('_');
            id.push_str(part);
        }
    }
    id
}

const fn verb(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Put => "put",
        HttpMethod::Post => "post",
        HttpMethod::Delete => "delete",
        _ => "get",
    }
}

fn describe(operation: &mut Operation, method: &HttpMethod, path: &str) {
    let is_public = begins(&PUBLIC, path);
    let changes = !matches!(method, HttpMethod::Get);
    let has_body = operation.request_body.is_some();
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            as_problem(response);
        }
    }
    let said = [
        (
            true,
            "400",
            "The path, the query or the body cannot be read",
        ),
        (
            !is_public,
            "401",
            "No token or session, or one that does not count any more",
        ),
        (
            !is_public,
            "403",
            "A role, a scope or a rule refuses; or `step-up-required`",
        ),
        (
            path.contains('{') || has_body,
            "404",
            "There is no such object, or none that the body names",
        ),
        (has_body, "408", "The body does not come in time"),
        (changes, "409", "The object has changed or exists already"),
        (has_body, "413", "The body is larger than Ward reads"),
        (
            has_body,
            "415",
            "The body is of a kind that Ward does not read",
        ),
        (true, "422", "A rule refuses; the problem names it"),
        (
            true,
            "503",
            "The database, or a key, cannot be used right now",
        ),
    ];
    let responses = &mut operation.responses.responses;
    for (_, status, text) in said.into_iter().filter(|(applies, ..)| *applies) {
        let response = responses.entry(status.to_owned());
        response.or_insert_with(|| answer(text, PROBLEM_JSON, PROBLEM));
    }
    if changes && !begins(&OWN, path) {
        let text = "An approval policy has caught the call: it waits for other people";
        let response = responses.entry("202".to_owned());
        response.or_insert_with(|| answer(text, "application/json", WAITS));
    }
    if is_public {
        operation.security = Some(Vec::new());
    }
    bytes_are_bytes(operation);
}

fn begins(starts: &[&str], path: &str) -> bool {
    starts.iter().any(|start| path.starts_with(start))
}

/// A body that is no JSON is no array of numbers: any bytes are as good as others to a schema.
fn bytes_are_bytes(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    for (kind, content) in &mut body.content {
        if let (false, RefOr::T(content)) =
            (kind.contains("json") && !kind.contains("ndjson"), content)
        {
            content.schema = None;
        }
    }
}

/// RFC 9457 §3: a problem says that it is one.
fn as_problem(response: &mut Response) {
    let is_problem = |content: &RefOr<Content>| {
        let RefOr::T(content) = content else {
            return false;
        };
        matches!(&content.schema, Some(RefOr::Ref(to)) if to.ref_location == PROBLEM)
    };
    if let Some(content) = response.content.get("application/json")
        && is_problem(content)
    {
        let content = content.clone();
        response.content.clear();
        response.content.insert(PROBLEM_JSON.to_owned(), content);
    }
}

fn answer(text: &str, kind: &str, schema: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::new(schema)));
    let response = ResponseBuilder::new()
        .description(text)
        .content(kind, content);
    RefOr::T(response.build())
}
