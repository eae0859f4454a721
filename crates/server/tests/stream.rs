//! Server-sent events (issue 6) by curl: who is told what, and how a stream goes on where another broke off.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod support;

use std::process::{Child, Command, Stdio};

use access::{Role, Scope};
use support::{Ward, output};

fn listen(ward: &Ward, token: &str, query: &str, more: &[&str]) -> Command {
    let mut command = Command::new("curl");
    command
        .args([
            "-sS",
            "-N",
            "--max-time",
            "4",
            "-w",
            "\n%{http_code}",
            "--cacert",
        ])
        .arg(ward.path("root.pem"))
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(more)
        .arg(format!(
            "https://localhost:{}/api/v1/events/stream{query}",
            ward.addresses.api.port()
        ));
    command
}

async fn heard(ward: &Ward, token: &str, query: &str, more: &[&str]) -> String {
    let output = output(listen(ward, token, query, more)).await;
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_a_topic_is_told_and_nobody_else() {
    let ward = Ward::start().await;
    let auditor = ward
        .token("auditor", &[Role::Auditor], Scope::default())
        .await;
    let reader = ward
        .token("reader", &[Role::ReadOnly], Scope::default())
        .await;
    // From the beginning of the log: the hierarchy was made, then the tokens.
    let all = heard(&ward, &auditor, "", &["-H", "Last-Event-ID: 0"]).await;
    assert!(all.starts_with("retry: 2000\nid: "), "{all}");
    assert!(
        all.contains("event: token\n") && all.contains("\"action\":\"token.create\""),
        "{all}"
    );
    assert!(all.contains("event: authority\n"), "{all}");
    let some = heard(&ward, &reader, "", &["-H", "Last-Event-ID: 0"]).await;
    assert!(
        some.contains("event: authority\n") && !some.contains("event: token\n"),
        "{some}"
    );
    // A topic that nobody may read is refused, and one that is none is named as such.
    let none = heard(&ward, &reader, "?topics=token", &[]).await;
    assert!(none.ends_with("\n403"), "{none}");
    let none = heard(&ward, &reader, "?topics=nonsense", &[]).await;
    assert!(
        none.ends_with("\n400") && none.contains("certificate"),
        "{none}"
    );
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_comes_at_once_and_a_stream_ends_with_its_token() {
    let ward = Ward::start().await;
    let auditor = ward
        .token("auditor", &[Role::Auditor], Scope::default())
        .await;
    let wait = async {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        ward.token("late", &[Role::ReadOnly], Scope::default())
            .await;
    };
    let (all, ()) = tokio::join!(heard(&ward, &auditor, "?topics=token", &[]), wait);
    assert_eq!(all.matches("token.create").count(), 1, "{all}");
    // A number of another log: everything is asked for anew.
    let other = heard(&ward, &auditor, "?last_event_id=999999999", &[]).await;
    assert!(other.contains("event: reset\n"), "{other}");
    ward.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_has_at_most_eight_streams() {
    let ward = Ward::start().await;
    let first = ward
        .token("screen", &[Role::ReadOnly], Scope::default())
        .await;
    let second = ward
        .token("screen", &[Role::ReadOnly], Scope::default())
        .await;
    let open: Vec<Child> = (0..8)
        .map(|number| {
            let token = if number % 2 == 0 { &first } else { &second };
            let mut command = listen(&ward, token, "", &[]);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(2000)).await;
    let ninth = heard(&ward, &first, "", &[]).await;
    assert!(ninth.ends_with("\n429"), "{ninth}");
    tokio::task::spawn_blocking(|| open.into_iter().for_each(|mut one| drop(one.wait())))
        .await
        .unwrap();
    // Theirs have ended with their connections.
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    let later = heard(&ward, &first, "", &[]).await;
    assert!(later.contains("event: hello\n"), "{later}");
    ward.stop().await;
}
