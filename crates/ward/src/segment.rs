//! `ward segment`: parts of the network, and what a scan of each may do (R17).

use std::path::{Path, PathBuf};

use access::Action;
use agent::scan::{Depth, Exclusion, Range};
use audit::Timestamp;
use clap::{Args, Subcommand, ValueEnum};
use fleet::{Coverage, Fleet, FleetError, Hours, Segment as Limits, StoredSegment, Unplaced};
use serde_json::json;
use x509::describe::escape;

use crate::args::Place;
use crate::clock;
use crate::confirm::confirm;
use crate::context::Context;
use crate::output::{Done, Failure, Report, table, write};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// Segments of the network.
#[derive(Subcommand)]
pub(crate) enum Segment {
    /// List segments, and whether anything may be sent there.
    #[command(after_help = "Example:\n  ward segment list --json")]
    List,
    /// Show a segment: its limits, who wrote and who signed them.
    #[command(after_help = "Example:\n  ward segment show icu")]
    Show {
        name: String,
        /// As it was then.
        #[arg(long, value_name = "TIME")]
        as_of: Option<x509::Time>,
    },
    /// Make a segment, or change one: what is given replaces what was. A change of limits takes the signature back.
    #[command(
        after_help = "What is not allowed in so many words is not done: a segment without ports or hours is never scanned.\n\nExample:\n  ward segment set icu --range 10.30.0.0/16 --port 443,2762 --rate 5 --hours 'mon-fri 22:00-05:00' --zone Europe/Berlin --exclude '10.30.9.0/24=biomed: ventilators' --never-model 'Drip 3'"
    )]
    Set(Box<Set>),
    /// Sign limits off that somebody else wrote; from then on scans may be made within them.
    #[command(
        after_help = "Example:\n  ward segment sign icu --version 1 --note 'agreed with biomed, ticket 4711'"
    )]
    Sign {
        name: String,
        /// The version that was read; the one in force if absent.
        #[arg(long)]
        version: Option<u64>,
        /// Goes with the signature.
        #[arg(long, default_value = "")]
        note: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Take a segment away. What was seen there stays.
    #[command(after_help = "Example:\n  ward segment remove pilot --why 'moved into icu' --yes")]
    Remove {
        name: String,
        /// Goes into the log.
        #[arg(long, default_value = "")]
        why: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Which addresses were looked at, when, by which scan, and which never.
    #[command(after_help = "Example:\n  ward segment coverage icu --days 7")]
    Coverage {
        /// One segment; all if absent.
        name: Option<String>,
        /// What was looked at longer ago is stale.
        #[arg(long, default_value_t = 30)]
        days: u32,
    },
    /// Write signed limits for `ward discover offline`, where this Ward cannot be asked.
    #[command(
        after_help = "Example:\n  ward segment export-limits icu --days 7 --out icu.limits --key-out ward.vkey"
    )]
    ExportLimits {
        name: String,
        /// How long they hold.
        #[arg(long, default_value_t = 7)]
        days: u32,
        /// File to write.
        #[arg(long)]
        out: PathBuf,
        /// Write the key that they verify with, to be carried along once and by another way.
        #[arg(long)]
        key_out: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(crate) struct Set {
    /// 1 to 63 lower-case letters, digits and hyphens.
    name: String,
    /// Addresses: 10.30.0.0/16, 10.30.0.1-10.30.0.99; several may be given.
    #[arg(long = "range", value_name = "RANGE")]
    ranges: Vec<Range>,
    /// Ports that may be connected to: 443,8000-8010,2525/smtp.
    #[arg(long = "port", value_name = "PORTS")]
    ports: Vec<String>,
    /// Connections a second over the whole segment.
    #[arg(long)]
    rate: Option<f64>,
    /// Connections to one device at a time.
    #[arg(long)]
    per_device: Option<u32>,
    /// Milliseconds between two connections to one device.
    #[arg(long)]
    pause_ms: Option<u32>,
    /// The most that may be asked of a place.
    #[arg(long)]
    depth: Option<DepthArg>,
    /// When it may be scanned: `mon-fri 22:00-05:00`, `daily 01:00-04:00`, `always`; several may be given.
    #[arg(long, value_name = "HOURS")]
    hours: Vec<Hours>,
    /// Time zone of the site, such as Europe/Berlin.
    #[arg(long)]
    zone: Option<String>,
    /// Addresses that are left alone, and by whose rule: RANGE=RULE; several may be given.
    #[arg(long, value_name = "RANGE=RULE", value_parser = exclusion)]
    exclude: Vec<Exclusion>,
    /// A model, as the register spells it, of which no device is ever touched; several may be given.
    #[arg(long = "never-model", value_name = "MODEL")]
    never_models: Vec<String>,
    /// Whether devices that are life support may be touched.
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    life_support: Option<bool>,
    /// Go ahead although devices that must not be touched are registered at no known address.
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    unplaced: Option<bool>,
    /// Whether ports 9100-9107, which print what they receive, may be connected to.
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    raw_print: Option<bool>,
    /// Devices of no known model that may fall silent before all such are left alone.
    #[arg(long)]
    silent: Option<u32>,
    #[arg(long)]
    site: Option<String>,
    /// The team that answers for it.
    #[arg(long)]
    owner: Option<String>,
    /// The agent that looks at it; this Ward if none.
    #[arg(long)]
    relay: Option<String>,
    /// Look at it anew after so many hours.
    #[arg(long, value_name = "HOURS")]
    every_hours: Option<u32>,
    #[arg(long)]
    note: Option<String>,
    /// Empty a field.
    #[arg(long, value_name = "FIELD")]
    clear: Vec<Field>,
    /// Only say what would be written.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DepthArg {
    Certificate,
    Versions,
    Suites,
}

impl From<DepthArg> for Depth {
    fn from(depth: DepthArg) -> Self {
        match depth {
            DepthArg::Certificate => Depth::Certificate,
            DepthArg::Versions => Depth::Versions,
            DepthArg::Suites => Depth::Suites,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Field {
    Exclude,
    NeverModels,
    Hours,
    Ports,
    Relay,
    EveryHours,
    Site,
    Owner,
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

fn exclusion(text: &str) -> Result<Exclusion, String> {
    let (range, rule) = text.split_once('=').ok_or("written as RANGE=RULE")?;
    let range = range
        .trim()
        .parse::<Range>()
        .map_err(|error| error.to_string())?;
    Ok(Exclusion {
        range,
        rule: rule.trim().to_owned(),
    })
}

pub(crate) async fn run(place: &Place, command: Segment) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone())?;
    let now = clock::now();
    match command {
        Segment::List => list(&fleet).await,
        Segment::Show { name, as_of: None } => Ok(report(&fleet.segment(&name).await?)),
        Segment::Show {
            name,
            as_of: Some(time),
        } => {
            let at = Timestamp(time.0.saturating_mul(1000));
            let then = fleet.segments_as_of(at).await?;
            let stored = then.iter().find(|stored| stored.segment.name == name);
            let missing = || Failure::NotFound(format!("there was no segment {name} then"));
            Ok(report(stored.ok_or_else(missing)?))
        }
        Segment::Set(set) => set.put(&context, &fleet, now).await,
        Segment::Sign {
            name,
            version,
            note,
            yes,
        } => {
            let stored = fleet.segment(&name).await?;
            let question = format!("{}\nSign these limits off?", text(&stored));
            confirm(yes, &question)?;
            let permit = context.permit(Action::SignSegments).await?;
            let version = version.unwrap_or(stored.version);
            let signed = fleet
                .sign_segment(permit, &name, version, &note, now)
                .await?;
            Ok(report(&signed))
        }
        Segment::Remove { name, why, yes } => {
            let stored = fleet.segment(&name).await?;
            confirm(yes, &format!("{}\nRemove the segment?", text(&stored)))?;
            let permit = context.permit(Action::ManageSegments).await?;
            fleet.remove_segment(permit, &name, &why, now).await?;
            Ok(Report::new(
                json!({ "removed": name }),
                format!("segment {name} is removed"),
            ))
        }
        Segment::Coverage { name, days } => {
            let since = Timestamp(now.0 - i64::from(days) * MILLIS_PER_DAY);
            let found = fleet.coverage(name.as_deref(), since).await?;
            let mut said: Vec<String> = found.segments.iter().map(coverage).collect();
            if found.outside > 0 {
                said.push(format!(
                    "{} addresses with certificates belong to no segment",
                    found.outside
                ));
            }
            Ok(Report::new(json!(found), said.join("\n\n")))
        }
        Segment::ExportLimits {
            name,
            days,
            out,
            key_out,
        } => export(&context, &fleet, &name, days, (&out, key_out.as_deref())).await,
    }
}

async fn list(fleet: &Fleet) -> Done {
    let segments = fleet.segments().await?;
    let rows: Vec<Vec<String>> = segments
        .iter()
        .map(|stored| {
            let segment = &stored.segment;
            let signed = match stored.signature() {
                Some(signed) => format!("by {}", signed.by.id),
                None => "no: nothing is sent".to_owned(),
            };
            vec![
                segment.name.clone(),
                stored.version.to_string(),
                escape(segment.site.as_deref().unwrap_or("-")),
                listed(&segment.ranges),
                format!("{}/s", segment.rate),
                listed(&segment.hours),
                signed,
            ]
        })
        .collect();
    let headings = [
        "SEGMENT", "VERSION", "SITE", "RANGES", "RATE", "HOURS", "SIGNED",
    ];
    Ok(Report::new(json!(segments), table(&headings, &rows)))
}

impl Set {
    async fn put(self, context: &Context, fleet: &Fleet, now: Timestamp) -> Done {
        let (before, expected) = match fleet.segment(&self.name).await {
            Ok(stored) => (stored.segment, stored.version),
            Err(FleetError::NotFound { .. }) => {
                let new = Limits {
                    name: self.name.clone(),
                    ..Limits::default()
                };
                (new, 0)
            }
            Err(other) => return Err(other.into()),
        };
        let dry_run = self.dry_run;
        let segment = self.onto(before);
        if dry_run {
            let said = format!(
                "would be written, and need a signature:\n{}",
                limits(&segment)
            );
            return Ok(Report::new(
                json!({ "segment": segment, "written": false }),
                said,
            ));
        }
        let permit = context.permit(Action::ManageSegments).await?;
        Ok(report(
            &fleet.put_segment(permit, segment, expected, now).await?,
        ))
    }

    /// What was, with what is given in its place.
    fn onto(self, mut segment: Limits) -> Limits {
        fn list<T>(given: Vec<T>, was: &mut Vec<T>) {
            if !given.is_empty() {
                *was = given;
            }
        }
        fn one<T>(given: Option<T>, was: &mut T) {
            if let Some(given) = given {
                *was = given;
            }
        }
        for field in self.clear {
            match field {
                Field::Exclude => segment.exclude.clear(),
                Field::NeverModels => segment.never_models.clear(),
                Field::Hours => segment.hours.clear(),
                Field::Ports => segment.ports.clear(),
                Field::Relay => segment.relay = None,
                Field::EveryHours => segment.every_hours = None,
                Field::Site => segment.site = None,
                Field::Owner => segment.owner = None,
            }
        }
        list(self.ranges, &mut segment.ranges);
        list(self.ports, &mut segment.ports);
        list(self.hours, &mut segment.hours);
        list(self.exclude, &mut segment.exclude);
        if !self.never_models.is_empty() {
            segment.never_models = self.never_models.into_iter().collect();
        }
        one(self.rate, &mut segment.rate);
        one(self.per_device, &mut segment.per_device);
        one(self.pause_ms, &mut segment.pause_ms);
        one(self.depth.map(Depth::from), &mut segment.depth);
        one(self.zone, &mut segment.zone);
        one(self.life_support, &mut segment.life_support);
        one(self.unplaced, &mut segment.unplaced);
        one(self.raw_print, &mut segment.raw_print);
        one(self.silent, &mut segment.silent);
        one(self.note, &mut segment.note);
        one(self.site.map(Some), &mut segment.site);
        one(self.owner.map(Some), &mut segment.owner);
        one(self.relay.map(Some), &mut segment.relay);
        one(self.every_hours.map(Some), &mut segment.every_hours);
        segment
    }
}

async fn export(
    context: &Context,
    fleet: &Fleet,
    name: &str,
    days: u32,
    (out, key_out): (&Path, Option<&Path>),
) -> Done {
    let now = clock::now();
    let until = Timestamp(now.0 + i64::from(days) * MILLIS_PER_DAY);
    let permit = context.permit(Action::RunDiscovery).await?;
    let limits = fleet.export_limits(permit, name, until, now).await?;
    write(out, limits.as_bytes())?;
    let key = context.ca.notary().await?.verifier_key().to_string();
    if let Some(path) = key_out {
        write(path, format!("{key}\n").as_bytes())?;
    }
    let said = format!(
        "limits of segment {name} until {until} written to {}\nthey verify with {key}",
        out.display()
    );
    let json =
        json!({ "segment": name, "until": until.0, "file": out, "key": key, "key_file": key_out });
    Ok(Report::new(json, said))
}

fn report(stored: &StoredSegment) -> Report {
    let mut json = json!(stored);
    json["in_force"] = json!(stored.signature().is_some());
    Report::new(json, text(stored))
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    match all.is_empty() {
        true => "none".to_owned(),
        false => all.join(", "),
    }
}

fn text(stored: &StoredSegment) -> String {
    let writers: Vec<&str> = stored
        .writers
        .iter()
        .map(|writer| writer.id.as_str())
        .collect();
    let signed = match stored.signature() {
        Some(signed) => {
            let note = match signed.note.as_str() {
                "" => String::new(),
                note => format!(" ({})", escape(note)),
            };
            format!("by {} at {}{note}", signed.by.id, clock::millis(signed.at))
        }
        None => "by nobody: nothing is sent there".to_owned(),
    };
    format!(
        "{}\nversion       {} since {}\nwritten by    {}\nsigned        {signed}",
        limits(&stored.segment),
        stored.version,
        clock::millis(stored.since),
        escape(&writers.join(", ")),
    )
}

/// Limits, one a line.
fn limits(segment: &Limits) -> String {
    let or_none = |text: &Option<String>| escape(text.as_deref().unwrap_or("-"));
    let yes = |is: bool| if is { "yes" } else { "no" };
    let exclude = segment
        .exclude
        .iter()
        .map(|out| format!("{} ({})", out.range, escape(&out.rule)));
    let exclude: Vec<String> = exclude.collect();
    let never: Vec<String> = segment
        .never_models
        .iter()
        .map(|model| escape(model))
        .collect();
    let every = segment
        .every_hours
        .map_or("when asked".to_owned(), |hours| format!("every {hours} h"));
    let lines = [
        ("segment", segment.name.clone()),
        ("site", or_none(&segment.site)),
        ("owner", or_none(&segment.owner)),
        ("ranges", listed(&segment.ranges)),
        ("excluded", listed(&exclude)),
        ("ports", listed(&segment.ports)),
        ("rate", format!("{} connections a second", segment.rate)),
        (
            "per device",
            format!(
                "{} at a time, {} ms apart",
                segment.per_device, segment.pause_ms
            ),
        ),
        ("depth", fleet::scan::depth_name(segment.depth).to_owned()),
        (
            "hours",
            format!("{} ({})", listed(&segment.hours), segment.zone),
        ),
        ("never models", listed(&never)),
        ("life support", yes(segment.life_support).to_owned()),
        ("unplaced", yes(segment.unplaced).to_owned()),
        ("raw print", yes(segment.raw_print).to_owned()),
        ("silent", segment.silent.to_string()),
        ("agent", or_none(&segment.relay)),
        ("looked at", every),
        ("note", escape(&segment.note)),
    ];
    let lines = lines.iter().filter(|(_, text)| !text.is_empty());
    let lines: Vec<String> = lines
        .map(|(what, text)| format!("{what:<13} {text}"))
        .collect();
    lines.join("\n")
}

fn coverage(found: &Coverage) -> String {
    let when = |at: Option<i64>| at.map_or("never".to_owned(), clock::millis);
    let mut lines = vec![
        format!("{}: {} addresses", found.segment, found.addresses),
        format!(
            "  looked at   {}, {} of them on every port, the last {}",
            found.looked_at,
            found.in_full,
            when(found.newest)
        ),
        format!(
            "  stale       {}, the oldest {}",
            found.stale,
            when(found.oldest)
        ),
        format!("  excluded    {}", found.excluded),
        format!("  never       {}", found.never),
    ];
    if !found.never_ranges.is_empty() {
        lines.push(format!(
            "  never looked at: {}",
            listed(&found.never_ranges)
        ));
    }
    for out in &found.exclusions {
        lines.push(format!("  excluded: {} ({})", out.range, escape(&out.rule)));
    }
    for one in &found.astray {
        lines.push(astray(one));
    }
    for looked in &found.looked {
        let at = clock::millis(looked.at);
        lines.push(format!(
            "  looked at: {} on {} at {at}, scan {} by {}",
            looked.range,
            looked.ports,
            escape(&looked.scan),
            escape(&looked.by)
        ));
    }
    if found.shortened {
        lines.push("  and more ranges than are named here".to_owned());
    }
    lines.join("\n")
}

/// A device that no limit holds a scan back from.
pub(crate) fn astray(one: &Unplaced) -> String {
    format!(
        "  at no known address: {} {} ({}), registered in {}; were it here, it would be touched",
        escape(&one.model),
        escape(&one.serial),
        one.asset,
        one.segment.as_deref().unwrap_or("no segment")
    )
}
