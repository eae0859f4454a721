//! Orders against a model: whatever clients, crashes and time do, in whatever order, each order stands where RFC 8555
//! §7.1.6 says, and there is a certificate exactly if it is valid.

use agent::control::FailureKind;
use ca::Gap;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::client::{Client, csr};
use crate::support::{DAY, House};
use crate::world::Does;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Prove(usize),
    Disprove(usize),
    GiveUp(usize),
    Finalize,
    FinalizeWrongly,
    Crash(u8),
    Resume,
    Expire,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Authz {
    Pending,
    Valid,
    Invalid,
    GivenUp,
}

/// What must hold.
struct Model {
    authorizations: [Authz; 2],
    /// "" while it follows from the authorizations.
    settled: &'static str,
    expired: bool,
}

impl Model {
    fn status(&self) -> &'static str {
        match self.settled {
            "" if self.expired => "invalid",
            "" if self.authorizations.iter().all(|one| *one == Authz::Valid) => "ready",
            "" => "pending",
            settled => settled,
        }
    }

    /// The status of an authorization.
    fn proven(&self, at: usize) -> &'static str {
        match self.authorizations[at] {
            Authz::Pending if self.expired => "invalid",
            Authz::Pending => "pending",
            Authz::Valid => "valid",
            Authz::Invalid => "invalid",
            Authz::GivenUp => "deactivated",
        }
    }

    fn fail_if_open(&mut self) {
        if self.settled.is_empty() {
            self.settled = "invalid";
        }
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..2_usize).prop_map(Act::Prove),
        1 => (0..2_usize).prop_map(Act::Disprove),
        1 => (0..2_usize).prop_map(Act::GiveUp),
        4 => Just(Act::Finalize),
        2 => Just(Act::FinalizeWrongly),
        2 => (0..3_u8).prop_map(Act::Crash),
        2 => Just(Act::Resume),
        1 => Just(Act::Expire),
    ];
    proptest::collection::vec(act, 1..14)
}

const NAMES: [&str; 2] = ["a.example.org", "b.example.org"];

async fn play(house: &House, client: &Client, acts: &[Act]) {
    let order = client.new_order(&NAMES).await.ok(201);
    let url = order.location();
    let authorizations: Vec<String> = order.json["authorizations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|url| url.as_str().unwrap().to_owned())
        .collect();
    let mut model = Model {
        authorizations: [Authz::Pending; 2],
        settled: "",
        expired: false,
    };
    for act in acts {
        match *act {
            Act::Prove(at) => {
                house.world.says(NAMES[at], Does::Proves);
                answer(client, &authorizations[at]).await;
                if model.authorizations[at] == Authz::Pending && !model.expired {
                    model.authorizations[at] = Authz::Valid;
                }
            }
            Act::Disprove(at) => {
                house
                    .world
                    .says(NAMES[at], Does::Fails(FailureKind::Unauthorized, false));
                answer(client, &authorizations[at]).await;
                if model.authorizations[at] == Authz::Pending && !model.expired {
                    model.authorizations[at] = Authz::Invalid;
                    model.fail_if_open();
                }
            }
            Act::GiveUp(at) => {
                let payload = json!({ "status": "deactivated" });
                let answer = client.post(&authorizations[at], Some(payload)).await;
                if model.authorizations[at] == Authz::Invalid {
                    assert_eq!(answer.error(), "malformed");
                } else {
                    assert_eq!(answer.status, 200);
                    model.authorizations[at] = Authz::GivenUp;
                    model.fail_if_open();
                }
            }
            Act::Finalize => {
                let answer = client.finalize(&url, &csr(&NAMES)).await;
                if model.status() == "ready" {
                    assert_eq!(answer.text("status"), "valid", "{}", answer.json);
                    model.settled = "valid";
                } else {
                    assert_eq!((answer.status, answer.error()), (403, "orderNotReady"));
                }
            }
            Act::FinalizeWrongly => {
                let answer = client.finalize(&url, &csr(&NAMES[..1])).await;
                let expected = match model.status() {
                    "ready" => "badCSR",
                    _ => "orderNotReady",
                };
                assert_eq!(answer.error(), expected);
            }
            Act::Crash(gap) => {
                // The fault lies in wait for the next issuance: there must be one.
                if model.status() == "ready" {
                    let gap = [Gap::Intended, Gap::Signed, Gap::Recorded][usize::from(gap)];
                    house.ca.stop_at(gap, false);
                    client.finalize(&url, &csr(&NAMES)).await.ok(200);
                    model.settled = match gap {
                        Gap::Recorded => "valid",
                        _ => "processing",
                    };
                }
            }
            Act::Resume => {
                house.pass(91_000);
                house.ca.void_abandoned(false, house.now()).await.unwrap();
                house.acme.resume(house.now()).await.unwrap();
                if model.settled == "processing" {
                    model.settled = if model.expired { "invalid" } else { "valid" };
                }
            }
            Act::Expire => {
                house.pass(8 * DAY);
                model.expired = true;
            }
        }
        let found = client.get(&url).await.ok(200);
        assert_eq!(
            found.text("status"),
            model.status(),
            "after {act:?} of {acts:?}"
        );
        for (at, url) in authorizations.iter().enumerate() {
            let found = client.get(url).await.ok(200);
            // A proof counts for thirty days, which is four of these.
            if found.text("status") != "expired" {
                assert_eq!(
                    found.text("status"),
                    model.proven(at),
                    "{at} after {act:?} of {acts:?}"
                );
            }
        }
        assert_eq!(
            found.json.get("certificate").is_some(),
            model.status() == "valid"
        );
    }
    // Nothing stays in the way of the next.
    house.pass(91_000);
    house.ca.void_abandoned(false, house.now()).await.unwrap();
    house.acme.resume(house.now()).await.unwrap();
}

async fn answer(client: &Client, authorization: &str) {
    let shown = client.get(authorization).await.ok(200);
    if let Some(challenge) = shown.json["challenges"][0]["url"].as_str() {
        client.post(challenge, Some(json!({}))).await;
    }
}

fn run(postgres: bool, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (house, client) = runtime.block_on(async {
        let house = House::new(postgres).await;
        let client = house.client().await;
        (house, client)
    });
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&acts(), |acts| {
            runtime.block_on(play(&house, &client, &acts));
            Ok(())
        })
        .unwrap();
    runtime.block_on(house.check());
}

#[test]
fn rfc8555_7_1_6_an_order_stands_where_the_model_says_on_sqlite() {
    run(false, 150);
}

#[test]
fn rfc8555_7_1_6_an_order_stands_where_the_model_says_on_postgres() {
    run(true, 50);
}
