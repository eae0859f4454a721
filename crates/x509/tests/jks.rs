//! JKS trust stores against Java's own `keytool` (R27).

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use authority::{Bench, Entity};
use proptest::{collection::vec, prelude::*};
use x509::{
    exercise,
    jks::{self, JksError, TrustedEntry},
};

const PASSWORD: &str = "changeit";

fn entries() -> Vec<TrustedEntry> {
    ["Mercy Root", "Käthe-Krankenhaus", "a\u{0}b", "🏥"]
        .into_iter()
        .map(|alias| TrustedEntry {
            alias: alias.to_lowercase(),
            created: 1_795_348_800_123,
            certificate: Entity::root("Anchor").certificate,
        })
        .collect()
}

#[test]
fn r27_keytool_lists_our_store_and_checks_its_digest() {
    let bench = Bench::new();
    let entries = entries();
    bench.write("ours.jks", jks::build(&entries, PASSWORD).unwrap());
    let list = "keytool -list -v -storetype JKS -keystore ours.jks -storepass";
    let said = bench.run(&format!("{list} {PASSWORD}"));
    assert!(said.contains("Your keystore contains 4 entries"), "{said}");
    assert_eq!(said.matches("trustedCertEntry").count(), 4, "{said}");
    for entry in &entries {
        let shown = hex::encode_upper(entry.certificate.fingerprint());
        let shown: Vec<_> = shown.as_bytes().chunks(2).collect();
        let shown = String::from_utf8(shown.join(&b':')).unwrap();
        assert!(said.contains(&shown), "{said}");
    }
    let refused = bench.run_failing(&format!("{list} wrongpass"));
    assert!(refused.contains("password was incorrect"), "{refused}");
    assert_eq!(
        jks::parse(&bench.read("ours.jks"), Some(PASSWORD)),
        Ok(entries)
    );
}

#[test]
fn r27_what_keytool_writes_is_read() {
    let bench = Bench::new();
    let (one, two) = (Entity::root("One"), Entity::root("Two"));
    bench
        .write("one.pem", one.certificate.to_pem())
        .write("two.pem", two.certificate.to_pem());
    for name in ["one", "two"] {
        bench.run(&format!(
            "keytool -importcert -noprompt -storetype JKS -keystore t.jks -storepass {PASSWORD} -alias {name} -file {name}.pem"
        ));
    }
    // An entry with a private key stands between them.
    bench.run(&format!(
        "keytool -genkeypair -keyalg RSA -storetype JKS -keystore t.jks -storepass {PASSWORD} -keypass {PASSWORD} -alias own -dname CN=own"
    ));
    let store = bench.read("t.jks");
    let mut found = jks::parse(&store, Some(PASSWORD)).unwrap();
    found.sort_by(|a, b| a.alias.cmp(&b.alias));
    let found: Vec<_> = found
        .iter()
        .map(|e| (e.alias.as_str(), &e.certificate))
        .collect();
    assert_eq!(
        found,
        [("one", &one.certificate), ("two", &two.certificate)]
    );
    assert_eq!(jks::parse(&store, None).unwrap().len(), 2);
    assert_eq!(
        jks::parse(&store, Some("other")),
        Err(JksError::WrongPassword)
    );
    let mut changed = store.clone();
    changed[40] ^= 1;
    assert_eq!(
        jks::parse(&changed, Some(PASSWORD)),
        Err(JksError::WrongPassword)
    );
}

#[test]
fn damaged_stores_are_typed_errors() {
    let store = jks::build(&entries(), PASSWORD).unwrap();
    for length in 0..store.len() {
        assert!(jks::parse(&store[..length], None).is_err(), "{length}");
    }
    assert_eq!(jks::parse(b"", None), Err(JksError::NotJks));
    assert_eq!(jks::parse(&[0x30; 64], None), Err(JksError::NotJks));
    let too_large = vec![0; jks::MAX_SIZE + 1];
    assert_eq!(
        jks::parse(&too_large, None),
        Err(JksError::TooLarge(jks::MAX_SIZE))
    );
    let mut many = store[..8].to_vec();
    many.extend([0xff; 64]);
    assert!(matches!(
        jks::parse(&many, None),
        Err(JksError::TooLarge(_))
    ));
    let long = TrustedEntry {
        alias: "x".repeat(70_000),
        ..entries().remove(0)
    };
    assert_eq!(jks::build(&[long], PASSWORD), Err(JksError::BadAlias));
}

proptest! {
    #[test]
    fn noise_and_damage_do_no_harm(
        noise in vec(any::<u8>(), 0..200),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        static STORE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let mut store = STORE.get_or_init(|| jks::build(&entries(), PASSWORD).unwrap()).clone();
        exercise::jks(&noise);
        for (index, octet) in damage {
            let at = index.index(store.len());
            store[at] = octet;
        }
        exercise::jks(&store);
    }
}
