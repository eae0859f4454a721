//! An agent over real sockets (R17): it enrols by its ticket, asks, renews its certificate, scans, hands over; and is done
//! with at once when it is revoked.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use access::{Action, Role, Scope, Target};
use agent::relay::{
    Ceiling, Client, Core, CoreError, Home, Poll, Relay, RelayError, Ticket, enrol,
};
use fleet::agents::{Invitation, NewOrder};
use fleet::{Fleet, Segment};
use support::{Ward, permit};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

const TWO_THIRDS: i64 = 20 * 86_400_000 + 3_600_000;

/// A segment of loopback addresses that somebody else has signed off, and a ticket for an agent in it.
async fn invited(ward: &Ward, port: u16) -> (Fleet, Ticket) {
    let fleet = Fleet::open(ward.ca.clone()).unwrap();
    let now = server::wall_clock();
    let segment = Segment {
        name: "icu".to_owned(),
        ranges: vec!["127.31.4.0/28".parse().unwrap()],
        ports: vec![port.to_string()],
        rate: 100.0,
        relay: Some("icu-1".to_owned()),
        pause_ms: 0,
        hours: vec!["always".parse().unwrap()],
        ..Segment::default()
    };
    let writes = permit(&ward.access, Action::ManageSegments);
    let stored = fleet.put_segment(writes, segment, 0, now).await.unwrap();
    let bearer = ward
        .token("dr-chen", &[Role::Approver], Scope::default())
        .await;
    let second = ward.access.authenticate(&bearer, now).await.unwrap();
    let signs = ward
        .access
        .decide(&second, Action::SignSegments, &Target::default())
        .unwrap();
    fleet
        .sign_segment(signs, "icu", stored.version, "", now)
        .await
        .unwrap();
    let invitation = Invitation {
        name: "icu-1".to_owned(),
        segment: "icu".to_owned(),
        note: String::new(),
        expires: now.0 + 3_600_000,
        lifetime: None,
        core: format!("https://localhost:{}", ward.addresses.api.port()),
    };
    let invites = permit(&ward.access, Action::RunDiscovery);
    let (_, ticket) = fleet.invite_agent(invites, invitation, now).await.unwrap();
    (fleet, ticket)
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_an_agent_enrols_renews_and_is_revoked() {
    let ward = Ward::start().await;
    let (fleet, ticket) = invited(&ward, 443).await;
    let home = Home::new(&ward.path("agent"));
    let wider = Ceiling {
        ranges: vec!["127.0.0.0/8".parse().unwrap()],
        ..ticket.ceiling.clone()
    };
    assert!(matches!(
        enrol(&home, &ticket, Some(wider)).await,
        Err(CoreError::Refused(_))
    ));
    // A core that has none of the pinned roots above it is none.
    let mut elsewhere = ticket.clone();
    elsewhere.roots = foreign_root(&ward).await;
    let other = Home::new(&ward.path("other"));
    assert!(matches!(
        enrol(&other, &elsewhere, None).await,
        Err(CoreError::Away(_))
    ));
    enrol(&home, &ticket, None).await.unwrap();
    // The ticket is spent.
    let refused = enrol(&other, &ticket, None).await;
    assert!(matches!(refused, Err(CoreError::Refused(_))), "{refused:?}");

    let client = Client::new(home.clone()).unwrap();
    let first = home.identity().unwrap().certificate().unwrap();
    let polled = client.poll(&Poll::default()).await.unwrap();
    assert!(polled.now.abs_diff(server::wall_clock().0) < 5_000);
    let now = server::wall_clock().0;
    assert_eq!(client.renew(now).await, Ok(false));
    assert_eq!(client.renew(now + TWO_THIRDS).await, Ok(true));
    let second = home.identity().unwrap().certificate().unwrap();
    assert_ne!(first.spki_der(), second.spki_der());
    client.poll(&Poll::default()).await.unwrap();
    // Its folder is good for the next start too.
    let client = Client::new(home).unwrap();
    client.poll(&Poll::default()).await.unwrap();

    // While a question waits for orders, the agent is revoked: it hears of it at once.
    let waiting = Poll {
        wait: 60,
        ..Poll::default()
    };
    let revoke = async {
        sleep(Duration::from_millis(500)).await;
        let revokes = permit(&ward.access, Action::RunDiscovery);
        fleet
            .revoke_agent(revokes, "icu-1", "stolen", server::wall_clock())
            .await
            .unwrap();
    };
    let (ended, ()) = tokio::join!(
        timeout(Duration::from_secs(20), client.poll(&waiting)),
        revoke
    );
    assert!(matches!(ended.unwrap(), Err(CoreError::Unknown(_))));
    ward.stop().await;
}

/// A root of somebody else's.
async fn foreign_root(ward: &Ward) -> String {
    let key = ward.path("foreign.key");
    let pem = ward.path("foreign.pem");
    let mut command = std::process::Command::new("openssl");
    command.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=Foreign",
    ]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&pem);
    support::run(command).await;
    std::fs::read_to_string(pem).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_what_an_agent_sees_is_in_the_inventory_and_a_revoked_one_ends() {
    // Whoever connects is hung up on: that is an outcome too.
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 16];
            let _ = stream.read(&mut hello).await;
        }
    });
    let ward = Ward::start().await;
    let (fleet, ticket) = invited(&ward, port).await;
    let home = Home::new(&ward.path("agent"));
    enrol(&home, &ticket, None).await.unwrap();
    let client = Client::new(home.clone()).unwrap();
    let clock = Arc::new(|| server::wall_clock().0);
    let told = Arc::new(AtomicBool::new(false));
    let tell = {
        let told = Arc::clone(&told);
        Arc::new(move |_: &str| told.store(true, Ordering::Relaxed))
    };
    let relay = Relay::open(home, 0, clock, tell).unwrap();
    let running = tokio::spawn(async move { relay.run(&client, &()).await });
    let orders = permit(&ward.access, Action::RunDiscovery);
    let order = fleet
        .order_agent(orders, "icu-1", NewOrder::default(), server::wall_clock())
        .await
        .unwrap();
    let done = async {
        while fleet.agent_order(&order.id).await.unwrap().state != "done" {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(Duration::from_secs(60), done).await.unwrap();
    let over = fleet.agent_order(&order.id).await.unwrap();
    assert_eq!((over.done, over.total), (16, 16));
    let agent = fleet.agent("icu-1").await.unwrap().agent;
    assert_eq!(fleet.handed_over(&agent).await.unwrap().observations, 16);
    let revokes = permit(&ward.access, Action::RunDiscovery);
    fleet
        .revoke_agent(revokes, "icu-1", "stolen", server::wall_clock())
        .await
        .unwrap();
    let ended = timeout(Duration::from_secs(60), running)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(ended, Err(RelayError::Unknown(_))), "{ended:?}");
    ward.stop().await;
}
