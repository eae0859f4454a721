//! Many clients at once, several nodes, and one of them gone in the middle.

use std::sync::Arc;
use std::time::Duration;

use enroll::Acme;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::client::{Client, csr};
use crate::support::House;

mod sqlite {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_hundred_orders_of_one_account_at_once() {
        super::a_hundred_orders_of_one_account_at_once(false).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_hundred_orders_of_one_account_at_once() {
        super::a_hundred_orders_of_one_account_at_once(true).await;
    }
}

async fn a_hundred_orders_of_one_account_at_once(postgres: bool) {
    let house = House::new(postgres).await;
    let account = house.client().await;
    let orders: Vec<_> = (0..100)
        .map(|i| {
            let client = account.at(&house.acme);
            let name = format!("h{i}.example.org");
            tokio::spawn(async move { client.certify(&[&name]).await })
        })
        .collect();
    let mut urls = Vec::new();
    for order in orders {
        urls.push(order.await.unwrap());
    }
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 100);
    assert_eq!(house.certificates().await, 100);
    house.check().await;
}

/// A node with threads of its own, so that it can end as a process ends: in the middle of whatever it does.
struct Node {
    runtime: Option<Runtime>,
    acme: Acme,
}

impl Node {
    async fn start(house: &Arc<House>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let opening = Arc::clone(house);
        let started = runtime.spawn(async move { opening.another().await });
        let (acme, _) = started.await.unwrap();
        Node {
            runtime: Some(runtime),
            acme,
        }
    }

    /// A client of an account that talks to this node.
    fn client(&self, account: &Client) -> Client {
        let client = account.at(&self.acme);
        client.served_by(self.runtime.as_ref().unwrap().handle().clone());
        client
    }

    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Follows one order to its end, by whichever node answers.
async fn persistent(client: Client, other: Acme, name: String) -> String {
    let names = [name.as_str()];
    let mut order: Option<String> = None;
    for _ in 0..2000 {
        let Some(url) = order.clone() else {
            match client.try_new_order(&names).await {
                Some(made) if made.status == 201 => order = Some(made.location()),
                Some(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                None => client.turn_to(&other),
            }
            continue;
        };
        let Some(shown) = client.try_get(&url).await else {
            client.turn_to(&other);
            continue;
        };
        match shown.text("status").as_str() {
            "valid" => return shown.text("certificate"),
            "ready" => {
                client.try_finalize(&url, &csr(&names)).await;
            }
            "pending" => {
                let authorization = shown.json["authorizations"][0].as_str().unwrap().to_owned();
                if let Some(shown) = client.try_get(&authorization).await
                    && let Some(challenge) = shown.json["challenges"][0]["url"].as_str()
                {
                    client
                        .try_post(challenge, Some(serde_json::json!({})))
                        .await;
                }
            }
            "processing" => tokio::time::sleep(Duration::from_millis(20)).await,
            "" => {
                // An answer without an order: the node is failing.
                client.turn_to(&other);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            other => panic!("{name}: {other}: {}", shown.json),
        }
    }
    panic!("{name} does not end");
}

/// Two nodes on one PostgreSQL, a hundred orders of one account spread over both, one node killed in the middle: every
/// order ends or is resumed, nothing is issued twice, the log verifies.
#[tokio::test(flavor = "multi_thread")]
async fn r09_a_node_dies_among_a_hundred_orders() {
    let house = Arc::new(House::new(true).await);
    let account = house.client().await;
    let mut node = Node::start(&house).await;
    // However fast they are, thirty come when the node is dead: half of those begin at the dead one.
    let begun = Arc::new(Semaphore::new(70));
    let orders: Vec<_> = (0..100)
        .map(|i| {
            let client = match i % 2 {
                0 => account.at(&house.acme),
                _ => node.client(&account),
            };
            let other = house.acme.clone();
            let begun = Arc::clone(&begun);
            tokio::spawn(async move {
                begun.acquire().await.unwrap().forget();
                persistent(client, other, format!("h{i}.example.org")).await
            })
        })
        .collect();
    // In the middle: some orders have their certificate, some have not.
    for _ in 0..500 {
        if house.certificates().await >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let at_death = house.certificates().await;
    node.kill();
    begun.add_permits(30);
    // What the dead node was at work on counts as left behind some time later.
    let keeper = Arc::clone(&house);
    let reconciler = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        keeper.pass(100_000);
        loop {
            let now = keeper.now();
            keeper.ca.void_abandoned(false, now).await.unwrap();
            keeper.acme.resume(now).await.unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let mut urls = Vec::new();
    for order in orders {
        urls.push(order.await.unwrap());
    }
    reconciler.abort();
    assert!((20..=70).contains(&at_death), "{at_death} at its death");
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 100, "each has a certificate of its own");
    // An order that was made by a request whose answer was lost may be there besides, without a certificate.
    assert_eq!(house.certificates().await, 100);
    assert_eq!(
        house
            .count("SELECT id FROM acme_orders WHERE status = 'processing'")
            .await,
        0
    );
    house.check().await;
}
