//! Whatever bytes come from outside, the readers of the log give an error and nothing worse.

use audit::export::verify_folder;
use audit::merkle::Frontier;
use audit::note::{Checkpoint, VerifierKey};
use audit::verify::Verifier;
use audit::{Event, Timestamp, tile};
use proptest::prelude::*;

const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

/// Text that is often nearly right.
fn nearly_right() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "PeterNeumann",
        "\n",
        "\n\n",
        "— ",
        "+",
        "c74f20a3",
        "ARpc2QcUPDhMQegw",
        "=",
        " ",
        "0",
        "18446744073709551616",
        "tile/",
        "entries/",
        "x001/",
        "000",
        ".p/",
        "256",
        "{\"v\":1,",
        "\"time\":\"2026-11-22T02:22:26Z\"",
        "}",
        "é",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn readers_of_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), number in any::<u64>()) {
        let _ = Event::parse(&bytes);
        let _ = Frontier::decode(&bytes);
        let _ = tile::hashes(&bytes);
        if let Ok(entries) = tile::entries(&bytes) {
            let again = entries.iter().try_fold(Vec::new(), |mut bundle, body| {
                tile::push_entry(&mut bundle, body).map(|()| bundle)
            });
            prop_assert_eq!(again.ok(), Some(bytes.clone()));
        }
        let _ = tile::certificates(&bytes);
        let mut verifier = Verifier::new();
        verifier.event(number / 2, &bytes, Some(&bytes));
        verifier.certificate("it", &bytes, Some(&bytes));
        verifier.head(number, &bytes);
        prop_assert!(!verifier.finish(Some(Timestamp(number.cast_signed()))).is_ok());
    }

    #[test]
    fn readers_of_text_do_not_panic(text in prop_oneof![nearly_right(), ".*"]) {
        if let Ok(key) = KEY.parse::<VerifierKey>() {
            prop_assert!(Checkpoint::open(&text, &key).is_err());
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text.clone());
        }
        if let Ok(path) = text.parse::<tile::Path>() {
            prop_assert_eq!(path.to_string(), text.clone());
        }
        if let Ok(time) = text.parse::<Timestamp>() {
            prop_assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time));
        }
        let _ = Event::parse(text.as_bytes());
    }
}

#[test]
fn a_folder_that_is_none_is_an_error() {
    let key = KEY.parse::<VerifierKey>();
    assert!(key.is_ok_and(|key| verify_folder("/nowhere/at/all".as_ref(), &key, None).is_err()));
}
