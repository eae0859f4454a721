//! The limits hold, seen from the other end of the wire: what is excluded receives nothing, nobody is met
//! twice at once, a model that falls silent is left alone, and a scan goes on where it stopped (R17).

use crate::peer::{Peer, drain, flight, read_record, say, shows};
use crate::support::{LOCALHOST, config, free_port, observations, scan};
use agent::observation::{Outcome, Place};
use agent::scan::{
    Cursor, Depth, Ended, Exclusion, Limits, ModelAt, Planned, Report, Service, Targets, plan, run,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn der() -> Vec<Vec<u8>> {
    vec![vec![0x30, 0]]
}

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 7, last).into()
}

fn targets(ranges: &[&str], services: &str) -> Targets {
    let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    Targets::new(&ranges, &[], Service::list(services).unwrap(), vec![]).unwrap()
}

/// Outcomes by address and port.
fn by_place(reports: Vec<Report>) -> BTreeMap<(IpAddr, u16), Outcome> {
    let seen = observations(reports);
    let count = seen.len();
    let map: BTreeMap<_, _> = seen
        .into_iter()
        .map(|seen| match seen.place {
            Place::Network { address, port, .. } => ((address, port), seen.outcome),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(map.len(), count, "a target was reported twice");
    map
}

#[tokio::test]
async fn what_a_rule_keeps_out_receives_not_one_packet() {
    let port = free_port();
    let open = Peer::at(loopback(1), port, usize::MAX, shows(der()));
    // Never accepted: a SYN alone would leave a connection in the backlog.
    let closed: Vec<TcpListener> = [2, 3, 4]
        .map(|last| TcpListener::bind((loopback(last), port)).unwrap())
        .into();
    let printer = TcpListener::bind((loopback(1), 9100));
    let mut config = config(Depth::Certificate);
    config.limits.exclude = vec![Exclusion {
        range: "127.0.7.2".parse().unwrap(),
        rule: "ventilators".to_owned(),
    }];
    config.limits.ranges = vec!["127.0.7.0/30".parse().unwrap()];
    config.limits.models = vec![ModelAt {
        range: "127.0.7.3".parse().unwrap(),
        model: "P-100".to_owned(),
    }];
    config.limits.never = ["P-100".to_owned()].into();
    let all = targets(
        &["127.0.7.1-127.0.7.4", "224.0.0.1"],
        &format!("{port},9100"),
    );
    let planned: BTreeMap<_, _> = plan(&all, &config)
        .map(|planned| ((planned.target.address, planned.target.port), planned))
        .collect();
    let found = by_place(scan(&all, config).await);
    assert_eq!(found.len() as u64, all.len());
    assert_eq!(found[&(loopback(1), port)], Outcome::Certificate);
    let table = [
        ((loopback(2), port), "127.0.7.2: ventilators"),
        ((loopback(3), port), "model P-100 is never to be touched"),
        ((loopback(4), port), "outside the segment's ranges"),
        (
            (loopback(1), 9100),
            "ports 9100-9107 print what they receive",
        ),
        (
            ("224.0.0.1".parse().unwrap(), port),
            "no address of a device",
        ),
    ];
    for (place, rule) in table {
        let rule = rule.to_owned();
        assert_eq!(found[&place], Outcome::Excluded { rule: rule.clone() });
        // The dry run had said so.
        assert_eq!(planned[&place].excluded.as_ref(), Some(&rule));
        assert!(planned[&place].hellos.is_empty() && planned[&place].connections == 0);
    }
    assert_eq!(open.count(), 1);
    for listener in closed.into_iter().chain(printer) {
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "{listener:?} was connected to");
    }
}

#[tokio::test]
async fn a_device_meets_one_connection_at_a_time_unless_told_otherwise() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let peer = Peer::start(move |mut stream| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        read_record(&mut stream);
        std::thread::sleep(Duration::from_millis(30));
        say(&mut stream, &flight(&der()));
        now.fetch_sub(1, Ordering::SeqCst);
        drain(&mut stream);
    });
    let names = (0..8)
        .map(|number| format!("host{number}.example"))
        .collect();
    let services = Service::list(&format!("{}/tls", peer.port)).unwrap();
    let all = Targets::new(&["127.0.0.1".parse().unwrap()], &[], services, names).unwrap();
    for (allowed, expected) in [(1, 1), (3, 3)] {
        most.store(0, Ordering::SeqCst);
        let mut config = config(Depth::Certificate);
        config.limits.per_device = allowed;
        assert_eq!(scan(&all, config).await.len(), 9);
        assert_eq!(most.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn the_rate_is_kept_in_every_second() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&times);
    let peer = Peer::start(move |stream| {
        log.lock().unwrap().push(Instant::now());
        shows(der())(stream);
    });
    let names = (0..39)
        .map(|number| format!("host{number}.example"))
        .collect();
    let services = Service::list(&format!("{}/tls", peer.port)).unwrap();
    let all = Targets::new(&["127.0.0.1".parse().unwrap()], &[], services, names).unwrap();
    let mut config = config(Depth::Certificate);
    config.limits.rate = Some(20.0);
    config.limits.per_device = 8;
    assert_eq!(scan(&all, config).await.len(), 40);
    let mut times = times.lock().unwrap().clone();
    times.sort();
    for (at, start) in times.iter().enumerate() {
        let within = times[at..]
            .iter()
            .filter(|time| **time - *start < Duration::from_secs(1));
        let count = within.count();
        // One more than the rate has both ends of the second in it; and on a busy machine this end looks late.
        assert!(count <= 23, "{count} connections in a second");
    }
    assert!(times[39] - times[0] >= Duration::from_millis(1850));
}

#[tokio::test]
async fn a_model_that_falls_silent_is_left_alone_and_somebody_is_told() {
    let port = free_port();
    // Ten of a model that does not survive a connection, and one of another that does.
    let fragile: Vec<Peer> = (10..20)
        .map(|last| Peer::at(loopback(last), port, 1, shows(der())))
        .collect();
    let sturdy = Peer::at(loopback(30), port, usize::MAX, shows(der()));
    let mut config = config(Depth::Certificate);
    config.concurrency = 1;
    let model = |range: &str, model: &str| ModelAt {
        range: range.parse().unwrap(),
        model: model.to_owned(),
    };
    config.limits.models = vec![
        model("127.0.7.30", "sturdy"),
        model("127.0.7.10-127.0.7.19", "fragile"),
    ];
    let all = targets(
        &["127.0.7.10-127.0.7.19", "127.0.7.30"],
        &format!("{port}/tls"),
    );
    let reports = scan(&all, config).await;
    let silent: Vec<&Report> = reports
        .iter()
        .filter(|report| matches!(report, Report::Silent { .. }))
        .collect();
    let [
        Report::Silent {
            model, port: at, ..
        },
    ] = silent.as_slice()
    else {
        panic!("{silent:?}");
    };
    assert_eq!((model.as_deref(), *at), (Some("fragile"), port));
    let found = by_place(reports);
    let stopped = found.values().filter(|outcome| {
        matches!(outcome, Outcome::Stopped { rule }
            if rule.starts_with("model fragile: 127.0.7.") && rule.ends_with("stopped answering after a probe"))
    });
    assert_eq!(stopped.count(), 9);
    assert_eq!(fragile.iter().map(Peer::count).sum::<usize>(), 1);
    assert_eq!(found[&(loopback(30), port)], Outcome::Certificate);
    assert_eq!(
        sturdy.count(),
        2,
        "the probe, and the question whether it is still there"
    );
}

#[tokio::test]
async fn devices_of_no_known_model_stop_together_after_a_few() {
    let port = free_port();
    let peers: Vec<Peer> = (40..50)
        .map(|last| Peer::at(loopback(last), port, 1, shows(der())))
        .collect();
    let mut config = config(Depth::Versions);
    config.concurrency = 1;
    config.limits = Limits {
        rate: None,
        silent: 3,
        ..Limits::default()
    };
    let all = targets(&["127.0.7.40-127.0.7.49"], &format!("{port}/tls"));
    let reports = scan(&all, config).await;
    let silent = reports
        .iter()
        .filter(|report| matches!(report, Report::Silent { .. }));
    assert_eq!(silent.count(), 3);
    assert_eq!(peers.iter().map(Peer::count).sum::<usize>(), 3);
    let found = by_place(reports);
    assert_eq!(found.len(), 10);
    // What they showed before they fell silent is kept.
    let shown = found
        .values()
        .filter(|outcome| **outcome == Outcome::Certificate);
    assert_eq!(shown.count(), 3);
}

#[tokio::test]
async fn a_scan_goes_on_where_it_was_stopped_and_reports_everything_once() {
    let all = targets(
        &["127.0.8.0/24"],
        &format!("{},{}", free_port(), free_port()),
    );
    let config = config(Depth::Certificate);
    let mut cursor = Cursor::new(&all, &config.seed);
    let mut found = Vec::new();
    for round in 0..40 {
        let start = cursor.clone();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(4);
        let stored = async {
            let (mut taken, mut wanted) = (0, 17 + round);
            while let Some(Report::Seen {
                position,
                observation,
            }) = receiver.recv().await
            {
                found.push(*observation);
                cursor.done(position);
                taken += 1;
                wanted -= 1;
                if wanted == 0 {
                    receiver.close();
                    break;
                }
            }
            drop(receiver);
            taken
        };
        let (summary, taken) = tokio::join!(run(&all, config.clone(), &start, sender), stored);
        if summary.ended == Ended::Done {
            break;
        }
        assert_eq!(taken, 17 + round);
        // On disk and back.
        let text = serde_json::to_string(&cursor).unwrap();
        cursor = serde_json::from_str(&text).unwrap();
        cursor.check(&all, &config.seed).unwrap();
    }
    assert_eq!(cursor.progress(), (512, 512));
    let reports = found.into_iter().map(|seen| Report::Seen {
        position: 0,
        observation: Box::new(seen),
    });
    assert_eq!(by_place(reports.collect()).len(), 512);
    let other = targets(&["127.0.8.0/24"], "443");
    assert!(cursor.check(&other, &config.seed).is_err());
    assert!(cursor.check(&all, &[0; 32]).is_err());
}

#[tokio::test]
async fn when_the_hours_are_over_nothing_new_begins() {
    let peer = Peer::start(|mut stream| {
        read_record(&mut stream);
        std::thread::sleep(Duration::from_millis(100));
        say(&mut stream, &flight(&der()));
        drain(&mut stream);
    });
    let names = (0..99)
        .map(|number| format!("host{number}.example"))
        .collect();
    let services = Service::list(&format!("{}/tls", peer.port)).unwrap();
    let all = Targets::new(&["127.0.0.1".parse().unwrap()], &[], services, names).unwrap();
    let mut config = config(Depth::Certificate);
    config.limits.window = Some(Duration::from_millis(450));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(200);
    let cursor = Cursor::new(&all, &config.seed);
    let summary = run(&all, config, &cursor, sender).await;
    assert_eq!(summary.ended, Ended::Window);
    let mut count = 0;
    while receiver.recv().await.is_some() {
        count += 1;
    }
    assert!((2..=5).contains(&count), "{count}");
    assert_eq!(peer.count(), count);
}

#[tokio::test]
async fn a_dry_run_shows_the_very_bytes() {
    // handshake_failure, protocol_version and no_application_protocol (RFC 8446 §6), for the first two hellos, and the
    // numbers of the hellos that each way of declining brings.
    let cases: [(&[u8], [usize; 4]); 4] = [
        (&[40], [0, 3, 4, 5]),
        (&[70], [0, 1, 4, 5]),
        (&[120], [0, 2, 4, 5]),
        (&[70, 120], [0, 1, 2, 4]),
    ];
    for (alerts, expected) in cases {
        let (planned, sent) = planned_and_sent(alerts).await;
        let numbers: Vec<_> = sent
            .iter()
            .map(|hello| planned.hellos.iter().position(|own| own == hello))
            .collect();
        assert_eq!(numbers, expected.map(Some), "{alerts:?}");
        assert_eq!(planned.connections, sent.len());
    }
}

/// What is planned for a server, and what it is sent if it declines everything with these alerts, the last of them again and
/// again.
async fn planned_and_sent(alerts: &'static [u8]) -> (Planned, Vec<Vec<u8>>) {
    let hellos = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&hellos);
    let peer = Peer::start(move |mut stream| {
        let hello = read_record(&mut stream);
        let number = {
            let mut log = log.lock().unwrap();
            log.push(hello);
            log.len().min(alerts.len()) - 1
        };
        say(&mut stream, &crate::peer::record(21, &[2, alerts[number]]));
        drain(&mut stream);
    });
    let services = Service::list(&format!("{}/tls", peer.port)).unwrap();
    let all = Targets::new(
        &[],
        &[("a.example".to_owned(), LOCALHOST)],
        services,
        vec![],
    )
    .unwrap();
    let config = config(Depth::Certificate);
    let mut planned: Vec<_> = plan(&all, &config).collect();
    assert_eq!(planned.len(), 1);
    assert_eq!(peer.count(), 0);
    scan(&all, config).await;
    let sent = hellos.lock().unwrap().clone();
    (planned.remove(0), sent)
}

/// Whoever is to sign for a large segment is shown it within the time that somebody waits.
#[tokio::test]
async fn a_dry_run_of_many_targets_does_not_work_out_for_each_what_is_the_same_for_all() {
    let services = Service::list("443").unwrap();
    let range = ["10.96.0.0/20".parse().unwrap()];
    let all = Targets::new(&range, &[], services, vec![]).unwrap();
    let config = config(Depth::Suites);
    let begun = Instant::now();
    let connections: usize = plan(&all, &config).map(|planned| planned.connections).sum();
    // A fiftieth of this is enough; a list of suites for every target took minutes.
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let one = plan(&all, &config).next().unwrap().connections;
    assert_eq!(connections, 4096 * one);
}
