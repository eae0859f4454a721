//! The language itself: what is read prints as what is read again, whatever it is; what is wrong is told where.

use fleet::search::{Condition, FIELDS, Field, How, Kind, Literal, Moment, Operator, Query, Test};
use proptest::prelude::*;

use agent::observation::Version;

fn parse(text: &str) -> Result<Query, fleet::search::SearchError> {
    text.parse()
}

#[test]
fn printed_searches_are_the_shortest_that_mean_the_same() {
    let cases = [
        ("", ""),
        ("  ", ""),
        (
            "expires<30d AND phi and segment=icu",
            "expires < 30d and phi and segment = icu",
        ),
        ("phi = yes", "phi"),
        ("phi = no", "not phi"),
        ("phi != true", "not phi"),
        ("((phi))", "phi"),
        ("phi and (ca and expired)", "phi and ca and expired"),
        ("(phi or ca) and expired", "(phi or ca) and expired"),
        ("phi and ca or expired", "phi and ca or expired"),
        ("not (phi and ca)", "not (phi and ca)"),
        ("not not phi", "not not phi"),
        ("owner = \"ICU team\"", "owner = \"ICU team\""),
        ("owner = \"and\"", "owner = \"and\""),
        ("owner = \"a\\\"b\\\\c\"", "owner = \"a\\\"b\\\\c\""),
        ("owner = \"plain\"", "owner = plain"),
        ("\"pacs 7\"", "text ~ \"pacs 7\""),
        ("last-seen < 7d ago", "last-seen < -1w"),
        ("expires > now", "expires > now"),
        ("expires >= 2027-06-30", "expires >= 2027-06-30T00:00:00Z"),
        ("lifetime > 825d", "lifetime > 825d"),
        ("lifetime > 730d", "lifetime > 2y"),
        ("size > 4KiB", "size > 4096"),
        ("address in 10.20.7.1/16", "address in (10.20.0.0/16)"),
        ("address = 2001:DB8::1", "address = 2001:db8::1"),
        ("tls < tls1.2", "tls < 1.2"),
        (
            "suite = tls_aes_128_gcm_sha256",
            "suite = TLS_AES_128_GCM_SHA256",
        ),
        ("suite = 0xfeed", "suite = 0xfeed"),
        ("sha256 = AB:cd", "sha256 = abcd"),
        ("port in (443, 8443)", "port in (443, 8443)"),
        ("risk >= High as of 2026-01-01", ""),
        ("expired as of 30d ago", "expired as of -30d"),
        ("as of 2026-01-01T00:00:00Z", "as of 2026-01-01T00:00:00Z"),
    ];
    for (text, printed) in cases {
        match parse(text) {
            Ok(query) => assert_eq!(query.to_string(), printed, "{text}"),
            Err(error) => assert_eq!(printed, "", "{text}: {error}"),
        }
    }
}

/// (search, column, what the message names, what the help names)
#[test]
fn errors_point_at_the_column_and_say_what_is_accepted() {
    let cases = [
        ("expirs < 30d", 1, "`expirs`", "expires"),
        ("phi and ownr", 9, "`ownr`", "owner"),
        ("zzzzzz", 1, "`zzzzzz`", "self-signed"),
        ("expires < soon", 11, "`soon`", "30d"),
        ("expires = 2027-01-01", 9, "=", "expires <"),
        ("expires", 1, "alone", "expires < …"),
        ("bits < many", 8, "`many`", "2048"),
        ("risk > grave", 8, "`grave`", "critical"),
        ("criticality = huge", 15, "`huge`", "life-support"),
        ("phi = maybe", 7, "`maybe`", "yes, no"),
        ("phi < 3", 5, "<", "phi alone"),
        ("address = 10.0.0.0/33", 11, "10.0.0.0/33", "10.20.0.0/16"),
        (
            "address = 10.0.0.9-10.0.0.5",
            11,
            "10.0.0.9",
            "10.20.0.5-10.20.0.9",
        ),
        ("tls < 2", 7, "`2`", "ssl3"),
        ("suite = RC4", 9, "`RC4`", "IANA"),
        ("sha256 = xyz", 10, "`xyz`", "hexadecimal"),
        ("last-seen > 7d", 13, "passed", "7d ago"),
        ("(phi", 5, "open", "`)`"),
        ("phi)", 4, "left over", "or"),
        ("phi ca", 5, "left over", "and"),
        ("phi and", 8, "ends", "field"),
        ("and phi", 1, "`and`", "field"),
        ("port in (443", 13, "open", "`,`"),
        ("port in ()", 10, "`)`", "value"),
        ("owner = ", 9, "ends", "value"),
        ("owner = and", 9, "`and`", "quotes"),
        ("owner = \"a", 9, "quote", "\""),
        ("owner = \"a\\n\"", 12, "backslash", "\\\\"),
        ("phi ! ca", 5, "`!`", "!="),
        ("phi [ca]", 5, "`[`", "("),
        ("owner ago", 7, "left over", "and"),
        ("phi as of soon", 11, "`soon`", "30d ago"),
        ("phi as at 3d", 8, "of", "as of"),
        ("expired as of 30d", 15, "future", "30d ago"),
        ("expired and phi as of 2026-01-01", 13, "`phi`", "subject"),
        ("\u{e9}\u{e9} = \u{1b}", 6, "\\u{001B}", "words"),
    ];
    for (text, column, message, accepted) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.contains(message), "{text}: {error}");
        assert!(
            error.accepted.contains(accepted),
            "{text}: {}",
            error.accepted
        );
        assert!(!error.to_string().contains('\u{1b}'), "{text}");
    }
}

#[test]
fn a_search_has_a_size() {
    let deep = |levels: usize| format!("{}phi{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&deep(31)).is_ok());
    assert!(parse(&deep(32)).unwrap_err().accepted.contains("32"));
    assert!(parse(&format!("{}phi", "not ".repeat(1000))).is_err());
    let many = |tests: usize| vec!["phi"; tests].join(" and ");
    assert!(parse(&many(64)).is_ok());
    assert!(parse(&many(65)).unwrap_err().accepted.contains("64"));
    let long = |values: usize| format!("port in ({})", vec!["1"; values].join(","));
    assert!(parse(&long(256)).is_ok());
    assert!(parse(&long(257)).unwrap_err().accepted.contains("256"));
    let text = |bytes: usize| format!("owner = \"{}\"", "x".repeat(bytes - 10));
    assert!(parse(&text(4096)).is_ok());
    assert!(parse(&text(4097)).unwrap_err().accepted.contains("4096"));
}

fn literal(kind: Kind) -> BoxedStrategy<Literal> {
    match kind {
        Kind::Text | Kind::Lines | Kind::Names | Kind::Prose | Kind::Flag => {
            prop_oneof![".{0,12}", "[a-z.\\-]{1,8}", "and|or|not|in|as|of|ago|yes"]
                .prop_map(Literal::Text)
                .boxed()
        }
        Kind::Words(words) | Kind::Scale(_, words) => prop::sample::select(words.to_vec())
            .prop_map(Literal::Word)
            .boxed(),
        Kind::Number => any::<i32>()
            .prop_map(|number| Literal::Number(number.into()))
            .boxed(),
        Kind::Time { past, .. } => prop_oneof![
            (-62_135_596_800_i64..253_402_300_799).prop_map(Moment::At),
            (-1_000_000_000_i64..if past { 1 } else { 1_000_000_000 }).prop_map(Moment::FromNow),
        ]
        .prop_map(Literal::Moment)
        .boxed(),
        Kind::Span => (0..1_000_000_000_i64).prop_map(Literal::Span).boxed(),
        Kind::Hex => "[0-9a-f]{1,64}".prop_map(Literal::Hex).boxed(),
        Kind::Address => prop_oneof![
            any::<std::net::IpAddr>().prop_map(|address| {
                let prefix = if address.is_ipv4() { 32 } else { 128 };
                Literal::Network(address, prefix)
            }),
            (any::<u16>(), 16_u8..=16).prop_map(|(high, prefix)| {
                let [a, b] = high.to_be_bytes();
                Literal::Network(std::net::Ipv4Addr::new(a, b, 0, 0).into(), prefix)
            }),
            (any::<std::net::Ipv6Addr>(), any::<std::net::Ipv6Addr>()).prop_map(|(one, other)| {
                Literal::Range(one.min(other).into(), one.max(other).into())
            }),
        ]
        .boxed(),
        Kind::Version => prop::sample::select(Version::ALL.to_vec())
            .prop_map(Literal::Version)
            .boxed(),
        Kind::Suite => any::<u16>().prop_map(Literal::Suite).boxed(),
    }
}

fn test(field: &'static Field) -> BoxedStrategy<Condition> {
    let is = Just(How::Is).boxed();
    let list = prop::collection::vec(literal(field.kind), 1..4).prop_map(How::In);
    let compare =
        prop::sample::select(Operator::of(field.kind).to_vec()).prop_flat_map(move |operator| {
            let value = match operator {
                Operator::Contains => literal(Kind::Text),
                _ => literal(field.kind),
            };
            value.prop_map(move |literal| How::Compare(operator, literal))
        });
    let how = match field.kind {
        Kind::Flag => is,
        Kind::Prose | Kind::Time { .. } => compare.boxed(),
        // What can stand alone is read from the language itself.
        _ if field.name.parse::<Query>().is_ok() => {
            prop_oneof![Just(How::Is), list, compare].boxed()
        }
        _ => prop_oneof![list, compare].boxed(),
    };
    how.prop_map(move |how| Condition::Test(Test { field, how }))
        .boxed()
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = (0..FIELDS.len()).prop_flat_map(|at| test(&FIELDS[at]));
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::all),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::any),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_printed_reads_back_as_the_same(condition in condition()) {
        let query = Query { condition: Some(condition), as_of: None, reach: None };
        let text = query.to_string();
        if text.len() <= fleet::search::LONGEST {
            prop_assert_eq!(text.parse::<Query>(), Ok(query), "{}", text);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        fleet::exercise::search(&text);
    }

    #[test]
    fn any_words_are_read_or_refused(words in prop::collection::vec(
        prop::sample::select(vec!["and", "or", "not", "in", "(", ")", ",", "=", "!=", "<", "~", "as", "of", "ago", "phi",
            "expires", "30d", "\"x\"", "owner", "port", "443", "address", "10.0.0.0/8", "tls", "1.2", "last-seen", "2027-01-01"]), 0..14)) {
        fleet::exercise::search(&words.join(" "));
    }
}

/// The page's table is made from the fields.
#[test]
fn the_page_names_every_field() {
    let mut table =
        String::from("| Field | Values | As of | What it is |\n| --- | --- | --- | --- |\n");
    for field in FIELDS {
        let values = match field.kind {
            Kind::Text => "text".to_owned(),
            Kind::Lines | Kind::Names => "texts".to_owned(),
            Kind::Prose => "text, with `~`".to_owned(),
            Kind::Words(words) => words.join(", "),
            Kind::Scale(_, words) => words.join(" < "),
            Kind::Number => "number".to_owned(),
            Kind::Flag => "yes or no".to_owned(),
            Kind::Time { past: false, .. } => "time".to_owned(),
            Kind::Time { past: true, .. } => "time that has passed".to_owned(),
            Kind::Span => "length of time".to_owned(),
            Kind::Hex => "hexadecimal digits".to_owned(),
            Kind::Address => "addresses".to_owned(),
            Kind::Version => "version of TLS".to_owned(),
            Kind::Suite => "cipher suite".to_owned(),
        };
        let kept = if field.kept { "yes" } else { "" };
        table.push_str(&format!(
            "| `{}` | {values} | {kept} | {} |\n",
            field.name, field.what
        ));
    }
    let page =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/search-language.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (head, _) = text.split_once("-->\n").unwrap();
    let wanted = format!("{head}-->\n{table}");
    if std::env::var_os("WARD_BLESS").is_some() {
        std::fs::write(&page, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&page).unwrap();
    assert!(
        found == wanted,
        "docs/search-language.md differs; WARD_BLESS=1 writes it anew"
    );
}
