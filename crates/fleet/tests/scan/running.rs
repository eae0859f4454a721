//! Scans of listening sockets on loopback addresses, whose connections are counted where they arrive.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use access::Action;
use agent::observation::{How, Observation, Outcome, Place};
use agent::scan::Exclusion;
use audit::Timestamp;
use fleet::inventory::Desk;
use fleet::scan::{NewScan, Running, Scan, ScanState};
use fleet::{Fleet, FleetError, Segment};
use tokio::sync::watch;

use crate::segment;
use crate::support::{House, NOW, on_both, pump};

on_both!(
    r17_every_target_is_counted_once_and_an_excluded_one_is_not_touched,
    r17_a_scan_that_was_killed_goes_on_and_counts_nothing_twice,
    r17_a_change_of_limits_ends_what_is_under_way,
    r17_a_scan_ends_when_somebody_says_so,
    r17_what_is_carried_home_is_coverage_in_the_name_of_the_file,
    r17_a_device_that_falls_silent_raises_an_alert,
    r17_one_scanner_a_segment,
);

/// A device: accepts, and says something that is no TLS.
struct Device {
    port: u16,
    count: Arc<AtomicUsize>,
    gone: Arc<AtomicBool>,
}

impl Device {
    /// `lives`: connections that it takes before it falls silent.
    fn at(last: u8, net: u8, port: u16, lives: usize) -> Self {
        Self::on(Ipv4Addr::new(127, 81, net, last), port, lives)
    }

    fn on(address: Ipv4Addr, port: u16, lives: usize) -> Self {
        let socket = TcpListener::bind((address, port)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let (count, gone) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let device = Device {
            port,
            count: Arc::clone(&count),
            gone: Arc::clone(&gone),
        };
        socket.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            while !gone.load(Ordering::Relaxed) {
                match socket.accept() {
                    Ok((mut stream, _)) => {
                        use std::io::Write;
                        let _ = stream.write_all(b"ready\n");
                        if count.fetch_add(1, Ordering::Relaxed) + 1 >= lives {
                            return;
                        }
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        device
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// The time of the tests goes as fast as that of the machine.
fn clock(ahead: i64) -> agent::scan::Clock {
    let begun = Instant::now();
    Arc::new(move || NOW.0 + ahead + i64::try_from(begun.elapsed().as_millis()).unwrap())
}

impl House {
    async fn start(&self, name: &str) -> Scan {
        let permit = self.permit(Action::RunDiscovery);
        let new = NewScan {
            segment: name.to_owned(),
            ..NewScan::default()
        };
        self.fleet.start_scan(&permit, new, NOW).await.unwrap()
    }

    async fn run(&self, fleet: &Fleet, id: &str, ahead: i64) -> Result<Scan, FleetError> {
        let (_keep, stop) = watch::channel(false);
        let running = Running {
            clock: clock(ahead),
            from: "test".to_owned(),
            stop,
            see: &mut |_, _| {},
        };
        fleet
            .run_scan(&self.permit(Action::RunDiscovery), id, running)
            .await
    }
}

fn slow(net: u8, port: u16) -> Segment {
    Segment {
        rate: 20.0,
        ..segment("icu", &format!("127.81.{net}.0/25"), port)
    }
}

/// Nets of their own for each test and each database: they run at the same time.
fn net(of: u8, postgres: bool) -> u8 {
    of * 2 + u8::from(postgres)
}

async fn r17_every_target_is_counted_once_and_an_excluded_one_is_not_touched(postgres: bool) {
    let house = House::new(postgres).await;
    let net = net(1, postgres);
    let open = Device::at(3, net, 0, usize::MAX);
    let out = Device::at(9, net, open.port, usize::MAX);
    let mut icu = segment("icu", &format!("127.81.{net}.0/28"), open.port);
    icu.exclude.push(Exclusion {
        range: format!("127.81.{net}.8/30").parse().unwrap(),
        rule: "biomed: ventilators".to_owned(),
    });
    house.signed(icu).await;
    let scan = house.start("icu").await;
    let done = house.run(&house.fleet, &scan.id, 0).await.unwrap();
    assert_eq!(done.state, ScanState::Done, "{done:?}");
    assert_eq!(
        (
            done.done,
            done.total,
            done.probed,
            done.excluded,
            done.stopped
        ),
        (16, 16, 12, 4, 0)
    );
    assert_eq!(out.count(), 0, "not one packet");
    assert!(open.count() >= 1);
    let found = house.fleet.coverage(Some("icu"), NOW).await.unwrap();
    let icu = &found.segments[0];
    assert_eq!(
        (
            icu.addresses,
            icu.excluded,
            icu.looked_at,
            icu.in_full,
            icu.never
        ),
        (16, 4, 12, 12, 0)
    );
    let ranges: Vec<String> = icu
        .looked
        .iter()
        .map(|looked| looked.range.to_string())
        .collect();
    assert_eq!(
        ranges,
        [format!("127.81.{net}.0/29"), format!("127.81.{net}.12/30")]
    );
    assert_eq!(
        (icu.looked[0].scan.as_str(), icu.looked[0].by.as_str()),
        (scan.id.as_str(), "biomed")
    );
    let one = house.fleet.coverage_named(Some("icu"), NOW, 1).await;
    let one = &one.unwrap().segments[0];
    assert_eq!((one.looked.len(), one.shortened), (1, true), "{one:?}");
    assert!(!icu.shortened);
    let later = Timestamp(NOW.0 + 3_600_000);
    let found = house.fleet.coverage(None, later).await.unwrap();
    assert_eq!(found.segments[0].stale, 12);
    assert_eq!(house.events("scan.done").await.len(), 1);
}

async fn r17_a_scan_that_was_killed_goes_on_and_counts_nothing_twice(postgres: bool) {
    let house = House::new(postgres).await;
    let net = net(2, postgres);
    let one = Device::at(5, net, 0, usize::MAX);
    house.signed(slow(net, one.port)).await;
    let scan = house.start("icu").await;
    let mut before = 0;
    for round in 0i64..2 {
        let elsewhere = house.elsewhere().await;
        // Dropped in the middle: no state is written, no lease given back.
        let killed = tokio::time::timeout(
            Duration::from_millis(3200),
            house.run(&elsewhere, &scan.id, round * 20_000),
        );
        assert!(killed.await.is_err());
        let now = house.fleet.scan(&scan.id).await.unwrap();
        assert_eq!(now.state, ScanState::Running);
        assert!(now.done > before && now.done < now.total, "{now:?}");
        assert_eq!(now.probed, now.done);
        before = now.done;
    }
    let busy = house.run(&house.fleet, &scan.id, 20_000).await.unwrap_err();
    assert_eq!(busy.refusal().unwrap().rule, "scan.busy");
    let done = house.run(&house.fleet, &scan.id, 40_000).await.unwrap();
    assert_eq!(
        (done.state, done.done, done.probed, done.excluded),
        (ScanState::Done, 128, 128, 0)
    );
}

async fn r17_a_change_of_limits_ends_what_is_under_way(postgres: bool) {
    let house = House::new(postgres).await;
    let net = net(3, postgres);
    let one = Device::at(5, net, 0, usize::MAX);
    let stored = house.signed(slow(net, one.port)).await;
    let scan = house.start("icu").await;
    let change = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut less = stored.segment.clone();
        less.exclude.push(Exclusion {
            range: format!("127.81.{net}.64/26").parse().unwrap(),
            rule: "biomed".to_owned(),
        });
        let permit = house.permit(Action::ManageSegments);
        house
            .fleet
            .put_segment(permit, less, stored.version, NOW)
            .await
            .unwrap();
    };
    let (ran, ()) = tokio::join!(house.run(&house.fleet, &scan.id, 0), change);
    let ended = ran.unwrap();
    assert_eq!(ended.state, ScanState::Stopped);
    assert!(ended.note.contains("segment.unsigned"), "{}", ended.note);
    assert!(ended.done < 80, "{ended:?}");
    let permit = house.permit(Action::RunDiscovery);
    let refused = house.fleet.resume_scan(&permit, &scan.id, None, NOW).await;
    assert_eq!(crate::support::rule(refused), "segment.unsigned");
}

async fn r17_a_scan_ends_when_somebody_says_so(postgres: bool) {
    let house = House::new(postgres).await;
    let net = net(4, postgres);
    let one = Device::at(5, net, 0, usize::MAX);
    house.signed(slow(net, one.port)).await;
    let scan = house.start("icu").await;
    let stop = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let permit = house.permit(Action::RunDiscovery);
        house
            .fleet
            .stop_scan(&permit, &scan.id, "theatre 2", NOW)
            .await
            .unwrap()
    };
    let (ran, stopping) = tokio::join!(house.run(&house.fleet, &scan.id, 0), stop);
    assert_eq!(stopping.state, ScanState::Stopping);
    let ended = ran.unwrap();
    assert_eq!(ended.state, ScanState::Stopped);
    assert!(ended.done > 0 && ended.done < 128);
    // What was looked at was looked at.
    let found = house.fleet.coverage(Some("icu"), NOW).await.unwrap();
    let (looked_at, never) = (found.segments[0].looked_at, found.segments[0].never);
    assert_eq!((looked_at, never), (ended.done, 128 - ended.done));
    assert_eq!(found.segments[0].in_full, ended.done);
    let permit = house.permit(Action::RunDiscovery);
    house
        .fleet
        .resume_scan(&permit, &scan.id, None, NOW)
        .await
        .unwrap();
    let done = house.run(&house.fleet, &scan.id, 1000).await.unwrap();
    assert_eq!((done.state, done.probed), (ScanState::Done, 128));
    // One range in the place of the pieces.
    let found = house.fleet.coverage(Some("icu"), NOW).await.unwrap();
    assert_eq!(
        (found.segments[0].looked_at, found.segments[0].looked.len()),
        (128, 1)
    );
}

/// Lines as `ward discover offline` writes them.
async fn r17_what_is_carried_home_is_coverage_in_the_name_of_the_file(postgres: bool) {
    let house = House::new(postgres).await;
    house.signed(segment("icu", "10.30.0.0/24", 443)).await;
    let (then, ahead) = (NOW.0 - 3_600_000, NOW.0 + 3_600_000);
    let line = |address: &str, at: i64, how: How, outcome: Outcome| {
        let place = Place::Network {
            address: address.parse().unwrap(),
            port: 443,
            sni: None,
            starttls: None,
        };
        Observation::new(at, "offline", how, place, outcome)
            .line()
            .unwrap()
    };
    let stopped = Outcome::Stopped {
        rule: "silent".to_owned(),
    };
    let lines = [
        line("10.30.0.4", then, How::Scan, Outcome::Closed),
        line("10.30.0.5", ahead, How::Scan, Outcome::Filtered),
        // Not looked at; overheard, which is no look; of no segment.
        line("10.30.0.6", then, How::Scan, stopped),
        line("10.30.0.7", then, How::Capture, Outcome::Closed),
        line("10.31.0.8", then, How::Scan, Outcome::Closed),
    ];
    let permit = house.permit(Action::ManageInventory);
    let mut weighed = Desk::new(&house.fleet, None, NOW);
    weighed.from("icu.jsonl");
    weighed.lines(lines.join("\n").as_bytes()).await.unwrap();
    let found = house.fleet.coverage(Some("icu"), NOW).await.unwrap();
    assert_eq!(found.segments[0].looked_at, 0, "nothing was to be done");
    let mut desk = Desk::new(&house.fleet, Some(&permit), NOW);
    desk.from("icu.jsonl");
    desk.lines(lines.join("\n").as_bytes()).await.unwrap();
    let found = house.fleet.coverage(Some("icu"), NOW).await.unwrap();
    let icu = &found.segments[0];
    assert_eq!((icu.looked_at, icu.never, icu.newest), (2, 254, Some(then)));
    let [looked] = icu.looked.as_slice() else {
        panic!("{:?}", icu.looked)
    };
    assert_eq!(looked.range.to_string(), "10.30.0.4/31");
    assert!(looked.scan.starts_with("file icu.jsonl"), "{looked:?}");
    assert_eq!(looked.by, "biomed");
    assert_eq!(house.events("coverage.carried").await.len(), 1);
}

async fn r17_a_device_that_falls_silent_raises_an_alert(postgres: bool) {
    let house = House::new(postgres).await;
    // The register knows what stands there, so that it is asked afterwards whether it is still there.
    let mut asset = pump("SN-1");
    asset.host_names = vec!["localhost".to_owned()];
    house.put(asset).await.unwrap();
    let frail = Device::on(Ipv4Addr::LOCALHOST, 0, 1);
    house.signed(segment("icu", "127.0.0.1", frail.port)).await;
    let scan = house.start("icu").await;
    let done = house.run(&house.fleet, &scan.id, 0).await.unwrap();
    assert_eq!((done.state, done.probed), (ScanState::Done, 1));
    assert_eq!(house.events("scan.silenced").await.len(), 1);
    let alerts = house.fleet.alerts_due().await.unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].action, "scan.silenced");
    let body = &alerts[0].body;
    assert!(
        body.contains("127.0.0.1") && body.contains("Drip 3"),
        "{body}"
    );
    assert_eq!(frail.count(), 1);
}

async fn r17_one_scanner_a_segment(postgres: bool) {
    let house = House::new(postgres).await;
    let net = net(6, postgres);
    let one = Device::at(5, net, 0, usize::MAX);
    house.signed(slow(net, one.port)).await;
    let (first, second) = (house.start("icu").await, house.start("icu").await);
    let elsewhere = house.elsewhere().await;
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        house.run(&elsewhere, &second.id, 500).await
    };
    let (first, second) = tokio::join!(house.run(&house.fleet, &first.id, 0), later);
    assert_eq!(first.unwrap().state, ScanState::Done);
    assert_eq!(second.unwrap_err().refusal().unwrap().rule, "scan.busy");
}
