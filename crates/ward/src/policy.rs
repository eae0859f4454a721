//! `ward policy`: which calls over the API are not made until other people have agreed (R07).

use access::{Action, ApprovalPolicy, Execute, Role};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::Place;
use crate::clock;
use crate::context::Context;
use crate::output::{Done, Report, table};

/// Approval policies. They bind calls over the API; whoever is at this machine's command line owns the CA.
#[derive(Subcommand)]
pub(crate) enum Policy {
    /// List policies.
    #[command(after_help = "Example:\n  ward policy list")]
    List,
    /// Show a policy.
    #[command(after_help = "Example:\n  ward policy show revocation")]
    Show { name: String },
    /// Make a policy.
    #[command(
        after_help = "Example:\n  ward policy create revocation --action revoke-certificate --asker security --needed 1 --hours 24 --emergency"
    )]
    Create {
        name: String,
        #[arg(long)]
        action: Action,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change a policy; what is given takes the place of what was.
    #[command(after_help = "Example:\n  ward policy change revocation --needed 2")]
    Change {
        name: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// End a policy; what it caught still waits.
    #[command(after_help = "Example:\n  ward policy remove revocation")]
    Remove { name: String },
}

#[derive(Args)]
pub(crate) struct Terms {
    #[arg(long)]
    label: Option<String>,
    /// Only with a profile that matches.
    #[arg(long, value_name = "GLOB")]
    profile: Option<String>,
    /// Only in a segment that matches.
    #[arg(long, value_name = "GLOB")]
    segment: Option<String>,
    /// Only of those who may do it by this role.
    #[arg(long, value_name = "ROLE")]
    asker: Option<Role>,
    /// How many other people must agree; 1 if never said.
    #[arg(long)]
    needed: Option<u8>,
    /// By which roles people may agree; repeatable, all that decide requests if never said.
    #[arg(long = "approver", value_name = "ROLE")]
    approvers: Vec<Role>,
    /// After how many hours it lapses undecided; 72 if never said.
    #[arg(long)]
    hours: Option<u32>,
    /// The asker may go ahead in an emergency, to be reviewed afterwards.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    emergency: Option<bool>,
    /// Whoever asked makes the call after approval, not the server.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    by_asker: Option<bool>,
}

pub(crate) async fn run(place: &Place, command: Policy) -> Done {
    let context = Context::open(place).await?;
    match command {
        Policy::List => {
            let policies = context.access.policies().await?;
            let rows: Vec<_> = policies.iter().map(row).collect();
            let columns = [
                "POLICY",
                "ACTION",
                "ONLY",
                "NEEDED",
                "HOURS",
                "EMERGENCY",
                "MADE BY",
            ];
            Ok(Report::new(json!(policies), table(&columns, &rows)))
        }
        Policy::Show { name } => Ok(show(&context.access.policy(&name).await?)),
        Policy::Create {
            name,
            action,
            terms,
        } => {
            let new = ApprovalPolicy {
                name,
                label: String::new(),
                action,
                profile: None,
                segment: None,
                asker: None,
                needed: 1,
                approvers: Vec::new(),
                hours: 72,
                emergency: false,
                execute: Execute::AtApproval,
                version: 0,
            };
            put(&context, terms.on(new)).await
        }
        Policy::Change { name, terms } => {
            let policy = context.access.policy(&name).await?;
            put(&context, terms.on(policy)).await
        }
        Policy::Remove { name } => {
            let permit = context.permit(Action::ManagePolicies).await?;
            let removed = context.access.remove_policy(&permit, &name, clock::now());
            removed.await?;
            let json = json!({ "policy": name, "state": "removed" });
            Ok(Report::new(json, format!("policy {name} is gone")))
        }
    }
}

impl Terms {
    fn on(self, mut policy: ApprovalPolicy) -> ApprovalPolicy {
        policy.label = self.label.unwrap_or(policy.label);
        policy.profile = self.profile.or(policy.profile);
        policy.segment = self.segment.or(policy.segment);
        policy.asker = self.asker.or(policy.asker);
        policy.needed = self.needed.unwrap_or(policy.needed);
        policy.hours = self.hours.unwrap_or(policy.hours);
        policy.emergency = self.emergency.unwrap_or(policy.emergency);
        if !self.approvers.is_empty() {
            policy.approvers = self.approvers;
        }
        policy.execute = match self.by_asker {
            Some(true) => Execute::ByAsker,
            Some(false) => Execute::AtApproval,
            None => policy.execute,
        };
        policy
    }
}

async fn put(context: &Context, policy: ApprovalPolicy) -> Done {
    let permit = context.permit(Action::ManagePolicies).await?;
    let policy = context.access.put_policy(&permit, policy, clock::now());
    Ok(show(&policy.await?))
}

fn show(policy: &ApprovalPolicy) -> Report {
    let headings = [
        "policy",
        "action",
        "only",
        "needed",
        "hours",
        "emergency",
        "made by",
    ];
    let lines = headings.iter().zip(row(policy));
    let lines: Vec<String> = lines
        .map(|(heading, cell)| format!("{heading:<10} {cell}"))
        .collect();
    Report::new(json!(policy), lines.join("\n"))
}

fn row(policy: &ApprovalPolicy) -> Vec<String> {
    let asker = policy.asker.map(|role| format!("asked by {role}"));
    let profile = policy
        .profile
        .as_ref()
        .map(|glob| format!("profile {glob}"));
    let segment = policy
        .segment
        .as_ref()
        .map(|glob| format!("segment {glob}"));
    let only: Vec<String> = [asker, profile, segment].into_iter().flatten().collect();
    let approvers: Vec<&str> = policy.approvers.iter().map(|role| role.name()).collect();
    let by = if approvers.is_empty() {
        String::new()
    } else {
        format!(" ({})", approvers.join(", "))
    };
    vec![
        policy.name.clone(),
        policy.action.to_string(),
        x509::describe::escape(&only.join(", ")),
        format!("{}{by}", policy.needed),
        policy.hours.to_string(),
        if policy.emergency { "yes" } else { "no" }.to_owned(),
        match policy.execute {
            Execute::AtApproval => "the server".to_owned(),
            Execute::ByAsker => "whoever asked".to_owned(),
        },
    ]
}
