//! Scripts, coarsely: enough to tell a label in one language from one that imitates another.
//!
//! The ranges are those of the Unicode block chart for scripts that registries offer; anything else is
//! its own script, so that a mix with it is refused.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Script {
    /// Digits, hyphens, combining marks: go with any script.
    Common,
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Indic(u8),
    Thai,
    Georgian,
    Hangul,
    Kana,
    Bopomofo,
    Han,
    Other,
}

fn script(c: char) -> Script {
    match c as u32 {
        0x30..=0x39 | 0x2d | 0xb7 | 0x300..=0x36f | 0x660..=0x669 | 0x6f0..=0x6f9 => Script::Common,
        0x61..=0x7a | 0xdf..=0xf6 | 0xf8..=0x24f | 0x250..=0x2af | 0x1e00..=0x1eff => Script::Latin,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Script::Cyrillic,
        0x530..=0x58f => Script::Armenian,
        0x590..=0x5ff => Script::Hebrew,
        0x600..=0x6ff | 0x750..=0x77f | 0x8a0..=0x8ff => Script::Arabic,
        n @ 0x900..=0xdff => Script::Indic(((n - 0x900) >> 7) as u8),
        0xe00..=0xe7f => Script::Thai,
        0x10a0..=0x10ff | 0x2d00..=0x2d2f => Script::Georgian,
        0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Script::Hangul,
        0x3040..=0x30ff | 0x31f0..=0x31ff => Script::Kana,
        0x3100..=0x312f | 0x31a0..=0x31bf => Script::Bopomofo,
        0x3005..=0x3007 | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0x20000..=0x323af => Script::Han,
        _ => Script::Other,
    }
}

/// Mixed beyond UTS #39 §5.2 "highly restrictive": one script, or Latin and Han with the companions
/// that Japanese, Chinese and Korean are written in.
pub(super) fn is_mixed(label: &str) -> bool {
    let mut scripts: Vec<Script> = label
        .chars()
        .map(script)
        .filter(|s| *s != Script::Common)
        .collect();
    scripts.sort();
    scripts.dedup();
    let within = |allowed: &[Script]| scripts.iter().all(|s| allowed.contains(s));
    scripts.len() > 1
        && !within(&[Script::Latin, Script::Han, Script::Kana])
        && !within(&[Script::Latin, Script::Han, Script::Bopomofo])
        && !within(&[Script::Latin, Script::Han, Script::Hangul])
}

/// Cyrillic and Greek letters drawn like a Latin letter in common typefaces (UTS #39 §4). Letters that
/// can be told apart at a glance, such as `к` or `τ`, are not here, so ordinary words pass.
const LATIN_LOOKALIKES: &str = "аеорсухѕіјһԁԛԝѵӏον";

/// Whether a label outside Latin consists of nothing but letters that pass for Latin ones.
pub(super) fn spells_latin(label: &str) -> bool {
    let mut letters = label.chars().filter(|c| script(*c) != Script::Common);
    letters.clone().next().is_some() && letters.all(|c| LATIN_LOOKALIKES.contains(c))
}

/// What IDNA2008 never lets into a label (RFC 5892 §2): white space, controls, invisible characters,
/// private use, full stops of other scripts.
pub(super) fn is_disallowed(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c as u32,
            0xad | 0x200b..=0x200f | 0x2010..=0x2027 | 0x202a..=0x206f | 0x3002 | 0xe000..=0xf8ff
            | 0xfe00..=0xfe0f | 0xfeff | 0xff00..=0xffef | 0x1f000..=0x1faff | 0xe0000..=0x10ffff)
}
