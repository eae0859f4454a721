//! The label that a technician takes to the device: a QR code for whoever can scan, the same in words for whoever types.

use enroll::device::Right;
use qrcode::QrCode;
use qrcode::render::svg;
use zeroize::Zeroizing;

use crate::output::{Failure, failed};

pub(crate) struct Label<'a> {
    pub(crate) right: &'a Right,
    /// Manufacturer, model and serial number, or what else the right is for.
    pub(crate) device: &'a str,
    pub(crate) urls: &'a [String],
    pub(crate) user: Option<(&'static str, String)>,
    pub(crate) secret: &'a str,
    pub(crate) ends: Option<String>,
    pub(crate) ca_sha256: Option<String>,
}

/// Millimetres at 96 dpi would be fractions: the label is measured in pixels, 800 wide.
const WIDTH: u32 = 800;
const CODE: u32 = 300;
const LINE: u32 = 24;
/// Letters of a line beside the code, and below it.
const BESIDE: usize = 46;
const BELOW: usize = 76;

impl Label<'_> {
    /// What the code says: `key=value` lines.
    fn voucher(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new("WARD-ENROL-1\n".to_owned());
        let mut line = |key: &str, value: &str| {
            text.push_str(&format!("{key}={value}\n"));
        };
        for url in self.urls {
            line("url", url);
        }
        line("device", self.device);
        line("right", self.right.id.as_str());
        if let Some((what, user)) = &self.user {
            line(what, user);
        }
        line("secret", self.secret);
        if let Some(ends) = &self.ends {
            line("ends", ends);
        }
        if let Some(sha256) = &self.ca_sha256 {
            line("ca-sha256", sha256);
        }
        text
    }

    /// What stands beside the code, then what stands below it.
    fn lines(&self) -> (Vec<String>, Vec<String>) {
        let mut beside = wrapped(self.device, BESIDE);
        beside.push(format!("right {}", self.right.id));
        if let Some((what, user)) = &self.user {
            beside.push(format!("{what} {user}"));
        }
        beside.push("secret".to_owned());
        beside.extend(wrapped(&grouped(self.secret), BESIDE));
        if let Some(ends) = &self.ends {
            beside.push(format!("good until {ends}"));
        }
        let mut below: Vec<String> = self
            .urls
            .iter()
            .flat_map(|url| wrapped(url, BELOW))
            .collect();
        if let Some(sha256) = &self.ca_sha256 {
            below.push("authority, SHA-256:".to_owned());
            below.extend(wrapped(sha256, BELOW));
        }
        (beside, below)
    }
}

/// The label as SVG.
pub(crate) fn svg(label: &Label<'_>) -> Result<Zeroizing<String>, Failure> {
    let code = QrCode::new(label.voucher().as_bytes()).map_err(failed)?;
    let drawn = code
        .render::<svg::Color>()
        .min_dimensions(CODE, CODE)
        .max_dimensions(CODE, CODE)
        .build();
    // The code is a document of its own: its prologue goes, the rest nests.
    let at = drawn.find("<svg").unwrap_or_default();
    let nested = drawn.get(at..).unwrap_or_default();
    let (beside, below) = label.lines();
    let height = CODE + 40 + LINE * u32::try_from(below.len() + 1).unwrap_or(0);
    let mut text = Zeroizing::new(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" \
         height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         {nested}\n<g font-family=\"monospace\" font-size=\"16\" fill=\"#000\">\n"
    ));
    let mut line = |x: u32, y: u32, words: &str| {
        let words = escaped(words);
        text.push_str(&format!("<text x=\"{x}\" y=\"{y}\">{words}</text>\n"));
    };
    for (at, words) in (1..).zip(&beside) {
        line(CODE + 20, 20 + LINE * at, words);
    }
    for (at, words) in (1..).zip(&below) {
        line(20, CODE + 20 + LINE * at, words);
    }
    text.push_str("</g>\n</svg>\n");
    Ok(text)
}

/// In groups of five, as it is easier to type; blanks and hyphens do not count.
fn grouped(secret: &str) -> String {
    let letters: Vec<char> = secret.chars().collect();
    let groups: Vec<String> = letters
        .chunks(5)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(" ")
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters
        .chunks(width)
        .map(|line| line.iter().collect())
        .collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
