//! What a scan is told and what it says, of any bytes; the fuzz targets call the same functions.

use agent::scan::exercise;
use proptest::{collection::vec, prelude::*};

/// Words of ranges, ports, names, limits and observations, so that what is put together of them is often read.
const WORDS: &[&str] = &[
    "10.30.0.0/16",
    "10.30.0.1-10.30.0.99",
    "fd00::/120",
    "::/0",
    "0.0.0.0/0",
    "443",
    "25/smtp",
    "8000-8010",
    ",",
    "pacs.example",
    "\n",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"ranges\"",
    "\"exclude\"",
    "\"range\"",
    "\"rule\"",
    "\"10.30.0.0/28\"",
    "\"raw_print\"",
    "true",
    "\"rate\"",
    "1e300",
    "-1",
    "\"models\"",
    "\"v\"",
    "1",
    "\"at\"",
    "\"how\"",
    "\"scan\"",
    "\"place\"",
    "\"kind\"",
    "\"network\"",
    "\"outcome\"",
    "\"closed\"",
    "\"address\"",
    "\"port\"",
];

/// One observation as it is written, to be damaged.
const LINE: &str = r#"{"v":1,"at":1790000000000,"from":"icu","how":"scan","place":{"kind":"network","address":"10.30.0.7","port":443},"outcome":{"kind":"certificate"},"tls":{"versions":[{"version":"tls1.2","suites":[49199],"complete":true}]},"chain":["MAA="]}"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes(data in vec(any::<u8>(), 0..200)) {
        exercise::input(&data);
        exercise::line(&data);
    }

    #[test]
    fn any_words(words in vec(prop::sample::select(WORDS), 0..24)) {
        exercise::input(words.concat().as_bytes());
        exercise::line(words.concat().as_bytes());
    }

    #[test]
    fn damaged_lines(at in 0..LINE.len(), byte in any::<u8>()) {
        let mut line = LINE.as_bytes().to_vec();
        line[at] = byte;
        exercise::line(&line);
    }
}

#[test]
fn the_line_that_is_damaged_is_one() {
    assert!(agent::observation::Observation::read(LINE).is_ok());
}
