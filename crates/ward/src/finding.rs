//! `ward finding`: what is wrong with what was found, what is borne for a while, and the one that is an incident.

use access::Action;
use clap::{Args, Subcommand};
use fleet::Fleet;
use fleet::finding::{Finding, FindingFilter, NewWaiver, Severity, Show, StoredWaiver, rule};
use serde_json::json;
use x509::Time;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Failure, Report, table};

/// Findings, waivers and incidents.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List findings, the heaviest first.
    #[command(
        after_help = "Examples:\n  ward finding list --severity high --segment icu\n  ward finding list --owner - --json\n  ward finding list --show waived"
    )]
    List(List),
    /// Show a finding: what is wrong, whose rule it is, what to do.
    #[command(after_help = "Example:\n  ward finding show f1b2a90c44e0d7135a6e2")]
    Show { finding: String },
    /// List the rules.
    #[command(after_help = "Example:\n  ward finding rules --json")]
    Rules,
    /// Bear a finding, or all of a rule in a segment, until a date; an incident is not waived.
    #[command(
        after_help = "Examples:\n  ward finding waive f1b2a90c44e0d7135a6e2 --owner radiology --reason \"CT is replaced in May\" --until 2027-05-31T00:00:00Z\n  ward finding waive --rule tls.version --segment imaging --owner radiology --reason \"vendor update due in spring\" --until 2027-03-31T00:00:00Z"
    )]
    Waive(Waive),
    /// Take a waiver back, by its id or its finding's.
    #[command(
        after_help = "Example:\n  ward finding unwaive w5f0c1a2b3c4d5e6f --reason \"the scanner was updated\""
    )]
    Unwaive {
        waiver: String,
        /// Goes into the log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List waivers in force.
    #[command(after_help = "Example:\n  ward finding waivers")]
    Waivers,
    /// Certificates under our keys that we did not issue (R20).
    #[command(subcommand)]
    Incident(Incident),
}

#[derive(Subcommand)]
pub(crate) enum Incident {
    /// List incidents, the newest first.
    #[command(after_help = "Example:\n  ward finding incident list --all")]
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// Close an incident, once nothing shows its certificate any more.
    #[command(
        after_help = "Example:\n  ward finding incident close f1b2a90c44e0d7135a6e2 --reason \"key rotated, serial revoked, see INC-2041\""
    )]
    Close {
        finding: String,
        /// What came of it; goes into the log.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Args)]
pub(crate) struct List {
    /// open, waived, closed or all.
    #[arg(long, default_value = "open")]
    show: Show,
    /// One rule.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// note, low, medium, high or critical: that heavy, or heavier.
    #[arg(long)]
    severity: Option<Severity>,
    /// `-`: nobody's.
    #[arg(long, allow_hyphen_values = true)]
    owner: Option<String>,
    #[arg(long)]
    segment: Option<String>,
    /// SHA-256 of a certificate.
    #[arg(long, value_name = "SHA256")]
    certificate: Option<String>,
    /// Where the page before said that there is more.
    #[arg(long)]
    after: Option<String>,
    /// At most so many, never more than 1000.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

#[derive(Args)]
pub(crate) struct Waive {
    /// One finding; else give --rule and --segment.
    finding: Option<String>,
    #[arg(long)]
    rule: Option<String>,
    #[arg(long)]
    segment: Option<String>,
    /// Who answers for it.
    #[arg(long)]
    owner: String,
    #[arg(long)]
    reason: String,
    /// RFC 3339, within a year.
    #[arg(long, value_name = "TIME")]
    until: Time,
}

pub(crate) async fn run(place: &Place, command: Command) -> Done {
    if let Command::Rules = command {
        return Ok(rules());
    }
    let context = Context::open(place).await?;
    let desk = Desk {
        fleet: Fleet::open(context.ca.clone())?,
        context,
    };
    match command {
        Command::List(list) => desk.list(list).await,
        Command::Show { finding } => {
            let finding = desk.fleet.finding(&finding, clock::now()).await?;
            Ok(Report::new(json!(finding), text(&finding)))
        }
        Command::Rules => Ok(rules()),
        Command::Waive(waive) => desk.waive(waive).await,
        Command::Unwaive { waiver, reason } => desk.unwaive(&waiver, &reason).await,
        Command::Waivers => {
            let waivers = desk.fleet.waivers().await?;
            Ok(Report::new(json!(waivers), waiver_table(&waivers)))
        }
        Command::Incident(Incident::List { all }) => {
            let found = desk.fleet.incidents(all, clock::now()).await?;
            let said = match found.is_empty() {
                true => "no incident".to_owned(),
                false => finding_table(&found),
            };
            Ok(Report::new(json!(found), said))
        }
        Command::Incident(Incident::Close { finding, reason }) => {
            let permit = desk.context.permit(Action::ManageFindings).await?;
            let closed = desk
                .fleet
                .close_incident(permit, &finding, &reason, clock::now())
                .await?;
            Ok(Report::new(json!(closed), text(&closed)))
        }
    }
}

struct Desk {
    context: Context,
    fleet: Fleet,
}

impl Desk {
    async fn list(&self, list: List) -> Done {
        if let Some(id) = list.rule.as_deref().filter(|id| rule(id).is_none()) {
            return Err(Failure::NotFound(format!(
                "there is no rule {id}; see `ward finding rules`"
            )));
        }
        let filter = FindingFilter {
            show: list.show,
            rule: list.rule,
            severity: list.severity,
            owner: list.owner,
            segment: list.segment,
            certificate: list.certificate,
            after: list.after,
            limit: Some(list.limit),
            as_of: None,
            since: None,
            opened_since: None,
        };
        let page = self.fleet.findings(&filter, clock::now()).await?;
        let mut said = finding_table(&page.findings);
        if let Some(next) = &page.next {
            said.push_str(&format!("\nmore with --after {next}"));
        }
        Ok(Report::new(json!(page), said))
    }

    async fn waive(&self, waive: Waive) -> Done {
        let new = NewWaiver {
            finding: waive.finding,
            rule: waive.rule,
            segment: waive.segment,
            owner: waive.owner,
            reason: waive.reason,
            until: waive.until.0.saturating_mul(1000),
        };
        let permit = self.context.permit(Action::ManageFindings).await?;
        let stored = self.fleet.waive(permit, new, clock::now()).await?;
        let said = waiver_table(std::slice::from_ref(&stored));
        Ok(Report::new(json!(stored), said))
    }

    async fn unwaive(&self, waiver: &str, reason: &str) -> Done {
        let permit = self.context.permit(Action::ManageFindings).await?;
        let now = clock::now();
        let stored = self.fleet.unwaive(permit, waiver, reason, now).await?;
        let said = format!("waiver {} is taken back", stored.waiver.id);
        Ok(Report::new(json!(stored), said))
    }
}

fn rules() -> Report {
    let all: Vec<_> = fleet::finding::rules().collect();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|rule| {
            vec![
                rule.id.to_owned(),
                rule.severity.to_string(),
                rule.title.to_owned(),
                rule.citation.to_owned(),
            ]
        })
        .collect();
    Report::new(
        json!(all),
        table(&["RULE", "WEIGHT", "WHAT", "WHOSE"], &rows),
    )
}

fn finding_table(findings: &[Finding]) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let state = match (finding.closed, finding.waived_until) {
                (Some(_), _) => "closed",
                (None, Some(_)) => "waived",
                (None, None) => "open",
            };
            vec![
                finding.id.clone(),
                finding.severity.to_string(),
                finding.rule.clone(),
                state.to_owned(),
                finding.owner.clone().unwrap_or_else(|| "-".to_owned()),
                finding.what.clone(),
            ]
        })
        .collect();
    let headings = ["FINDING", "WEIGHT", "RULE", "STATE", "OWNER", "WHAT"];
    table(&headings, &rows)
}

fn waiver_table(waivers: &[StoredWaiver]) -> String {
    let rows: Vec<Vec<String>> = waivers
        .iter()
        .map(|stored| {
            let waiver = &stored.waiver;
            let scope = match (&waiver.finding, &waiver.segment) {
                (Some(finding), _) => finding.clone(),
                (None, segment) => format!("all in {}", segment.as_deref().unwrap_or("-")),
            };
            vec![
                waiver.id.clone(),
                waiver.rule.clone(),
                scope,
                Time(waiver.until / 1000).to_string(),
                waiver.owner.clone(),
                waiver.reason.clone(),
            ]
        })
        .collect();
    let headings = ["WAIVER", "RULE", "FOR", "UNTIL", "OWNER", "REASON"];
    table(&headings, &rows)
}

fn text(finding: &Finding) -> String {
    let time = |milliseconds: i64| Time(milliseconds / 1000).to_string();
    let mut lines = vec![
        format!("{}  {}  {}", finding.id, finding.severity, finding.rule),
        format!("  {}", finding.title),
        format!("  what      {}", finding.what),
        format!("  about     {}", finding.subject),
    ];
    let more = [
        ("subject", finding.certificate_subject.clone()),
        ("sha256", finding.sha256.clone()),
        ("place", finding.place.clone()),
        ("segment", finding.segment.clone()),
        ("owner", finding.owner.clone()),
        ("opened", Some(time(finding.opened))),
        ("seen", Some(time(finding.seen))),
        ("closed", finding.closed.map(time)),
        ("waived to", finding.waived_until.map(time)),
        (
            "rule of",
            rule(&finding.rule).map(|rule| rule.citation.to_owned()),
        ),
        (
            "to do",
            rule(&finding.rule).map(|rule| rule.remedy.to_owned()),
        ),
    ];
    for (name, value) in more {
        lines.extend(value.map(|value| format!("  {name:<9} {value}")));
    }
    lines.join("\n")
}
