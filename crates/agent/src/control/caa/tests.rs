//! Expectations from the text and the examples of RFC 8659 and RFC 8657.

use super::*;

const ACCOUNT: &str = "https://ca1.example.net/acme/account/1234";

fn record(text: &str) -> CaaRecord {
    let mut parts = text.splitn(3, ' ');
    let flags: u8 = parts.next().unwrap().parse().unwrap();
    CaaRecord {
        critical: flags & 128 != 0,
        tag: parts.next().unwrap().into(),
        value: parts.next().unwrap().trim_matches('"').as_bytes().to_vec(),
    }
}

fn query(wildcard: bool) -> CaaQuery {
    CaaQuery {
        identities: vec!["ca1.example.net".into(), "pki.example".into()],
        wildcard,
        validation_method: "dns-01".into(),
        account_url: ACCOUNT.into(),
    }
}

fn decided(records: &[&str], wildcard: bool) -> bool {
    let records: Vec<CaaRecord> = records.iter().map(|r| record(r)).collect();
    decide(&records, &query(wildcard)).is_ok()
}

#[test]
fn rfc_8659_4_2_issue() {
    for (records, admitted) in [
        (&["0 issue \"ca1.example.net\""][..], true),
        (&["0 issue \"CA1.Example.NET\""], true),
        (&["0 issue \"  ca1.example.net  \""], true),
        (&["0 issue \"ca1.example.net;\""], true),
        (&["0 issue \"ca1.example.net; account=230123\""], true),
        (&["0 issue \"ca1.example.net; policy = ev ; a=b\""], true),
        (&["128 issue \"ca1.example.net\""], true),
        (&["0 issue \"ca2.example.org\""], false),
        (
            &["0 issue \"ca2.example.org\"", "0 issue \"pki.example\""],
            true,
        ),
        (&["0 issue \";\""], false),
        (&["0 issue \"\""], false),
        (&["0 issue \";\"", "0 issue \"ca1.example.net\""], true),
        (&["0 issue \"%%%%%\""], false),
        (&["0 issue \"ca1.example.net x\""], false),
        (&["0 issue \"ca1.example.net; nonsense\""], false),
        (&["0 issue \"ca1.example.net; a=b;\""], false),
        (&["0 issue \".ca1.example.net\""], false),
        (&["0 iodef \"mailto:security@example.com\""], true),
        (&["128 iodef \"mailto:security@example.com\""], true),
        (&["0 tbs \"Unknown\""], true),
        (
            &["0 issue \"ca1.example.net\"", "128 tbs \"Unknown\""],
            false,
        ),
    ] {
        assert_eq!(decided(records, false), admitted, "{records:?}");
    }
}

#[test]
fn rfc_8659_4_3_issuewild() {
    // §4.3: issuewild decides for wildcards where it is present, and never for anything else.
    for (records, plain, wild) in [
        (&["0 issue \"ca1.example.net\""][..], true, true),
        (
            &["0 issue \"ca1.example.net\"", "0 issuewild \";\""],
            true,
            false,
        ),
        (
            &["0 issue \";\"", "0 issuewild \"ca1.example.net\""],
            false,
            true,
        ),
        (&["0 issuewild \"ca2.example.org\""], true, false),
        (
            &[
                "0 issue \"ca2.example.org\"",
                "0 issuewild \"ca1.example.net\"",
            ],
            false,
            true,
        ),
    ] {
        assert_eq!(decided(records, false), plain, "{records:?}");
        assert_eq!(decided(records, true), wild, "{records:?}");
    }
}

#[test]
fn rfc_8657_parameters() {
    for (parameters, admitted) in [
        (format!("accounturi={ACCOUNT}"), true),
        (format!("AccountURI={ACCOUNT}"), true),
        (format!("accounturi={ACCOUNT}5"), false),
        ("accounturi=".to_owned(), false),
        (format!("accounturi={ACCOUNT}; accounturi={ACCOUNT}"), false),
        ("validationmethods=dns-01".to_owned(), true),
        ("validationmethods=http-01,dns-01".to_owned(), true),
        ("validationmethods=http-01".to_owned(), false),
        ("validationmethods=".to_owned(), false),
        (
            "validationmethods=dns-01; validationmethods=dns-01".to_owned(),
            false,
        ),
        (
            format!("accounturi={ACCOUNT}; validationmethods=dns-01"),
            true,
        ),
        (
            format!("accounturi={ACCOUNT}; validationmethods=ca-x"),
            false,
        ),
        (
            format!("accounturi={ACCOUNT}x; validationmethods=dns-01"),
            false,
        ),
    ] {
        let text = format!("0 issue \"ca1.example.net; {parameters}\"");
        assert_eq!(decided(&[&text], false), admitted, "{text}");
    }
    // One record that admits is enough (§3: the records are alternatives).
    let other = "0 issue \"ca1.example.net; accounturi=https://ca1.example.net/acme/account/9\"";
    let own = format!("0 issue \"ca1.example.net; accounturi={ACCOUNT}\"");
    assert!(decided(&[other, &own], false));
}
