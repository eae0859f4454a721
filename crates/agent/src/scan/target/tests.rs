//! Targets are counted and made as they were written.

use super::*;

#[test]
fn services_are_read_with_what_is_registered_for_a_port() {
    let list = Service::list("443, 25,2525/smtp,25/tls,5432-5433").unwrap();
    let expected = [
        (443, None),
        (25, Some(StartTls::Smtp)),
        (2525, Some(StartTls::Smtp)),
        (25, None),
        (5432, Some(StartTls::Postgres)),
        (5433, None),
    ];
    let found: Vec<_> = list
        .iter()
        .map(|service| (service.port, service.starttls))
        .collect();
    assert_eq!(found, expected);
    for text in ["0", "65536", "443/https", "9-3", "0-3", "a"] {
        let error = Service::list(text).unwrap_err();
        assert!(error.to_string().contains("smtp, imap"), "{text}: {error}");
    }
}

#[test]
fn every_address_is_asked_on_every_port_without_and_with_every_name() {
    let ranges = ["10.0.0.0/30", "fd00::7"].map(|range| range.parse().unwrap());
    let named = [("own.example".to_owned(), "10.9.9.9".parse().unwrap())];
    let names = vec!["a.example".to_owned(), "b.example".to_owned()];
    let services = Service::list("443,8443").unwrap();
    let targets = Targets::new(&ranges, &named, services, names).unwrap();
    assert_eq!(targets.len(), 5 * 2 * 3 + 2);
    let all: Vec<Target> = (0..targets.len())
        .map(|number| targets.at(number).unwrap())
        .collect();
    assert_eq!(targets.at(targets.len()), None);
    for (at, target) in all.iter().enumerate() {
        assert!(!all[..at].contains(target), "{target:?} twice");
    }
    let on = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let found = all.iter().filter(|target| target.address == address);
        found
            .map(|target| (target.port, target.sni.as_deref()))
            .collect::<Vec<_>>()
    };
    let everything = [443, 8443]
        .map(|port| [None, Some("a.example"), Some("b.example")].map(|name| (port, name)));
    for one in everything.concat() {
        assert!(
            on("10.0.0.3").contains(&one) && on("fd00::7").contains(&one),
            "{one:?}"
        );
    }
    assert_eq!(
        on("10.9.9.9"),
        [(443, Some("own.example")), (8443, Some("own.example"))]
    );
}

#[test]
fn slips_of_the_pen_are_refused() {
    let targets = |range: &str, names: &[&str], ports: &str| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Targets::new(
            &[range.parse().unwrap()],
            &[],
            Service::list(ports).unwrap(),
            names,
        )
    };
    assert!(matches!(
        targets("fd00::/64", &[], "443"),
        Err(TargetError::TooMany(_))
    ));
    assert!(matches!(
        targets("::/0", &[], "443"),
        Err(TargetError::TooMany(_))
    ));
    assert!(matches!(
        targets("10.0.0.0/8", &[], ""),
        Err(TargetError::Nothing)
    ));
    for name in [
        "",
        "a..b",
        "10.0.0.1",
        "a b",
        "a\r\nQUIT",
        "<x>",
        &"a".repeat(64),
    ] {
        let refused = targets("10.0.0.1", &[name], "443").unwrap_err();
        assert_eq!(refused, TargetError::Name(name.to_owned()));
    }
    let most = targets("10.0.0.0/9", &["ok-name_1.example"], "1-65535").unwrap();
    assert_eq!(most.len(), (1 << 23) * 65_535 * 2);
}

#[tokio::test]
async fn where_no_name_server_answers_many_names_take_no_longer_than_one() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let servers = [silent.local_addr().unwrap()];
    let names: Vec<String> = (0..12 * LOOKUPS)
        .map(|number| format!("pump{number}.icu.example"))
        .collect();
    let begun = std::time::Instant::now();
    let found = resolve_by(&names, &servers, Duration::from_millis(700)).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert!(found.iter().map(|(name, _)| name).eq(&names));
    assert!(found.iter().all(|(_, found)| found.is_err()), "{found:?}");
    // What is known by itself (RFC 6761 §6.3) waits for nobody.
    let names = ["localhost".to_owned(), "nobody.invalid".to_owned()];
    let found = resolve(&names, Duration::from_secs(3)).await;
    assert!(found[0].1.as_ref().is_ok_and(|found| !found.is_empty()));
    assert!(found[1].1.is_err());
}
