//! R37: what each role may do, as a golden file, so that a change is seen in review.

use access::{Action, Role};

#[test]
fn r37_the_permission_matrix_is_as_reviewed() {
    let mut shown = format!("{:22}", "");
    for role in Role::ALL {
        shown.push_str(&format!("{:>width$}", role.name(), width = width(role)));
    }
    shown.push('\n');
    for action in Action::ALL {
        shown.push_str(&format!("{:22}", action.name()));
        for role in Role::ALL {
            let mark = if role.allows(*action) { "yes" } else { "-" };
            shown.push_str(&format!("{mark:>width$}", width = width(role)));
        }
        shown.push('\n');
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access/matrix.golden");
    if std::env::var_os("WARD_BLESS").is_some() {
        std::fs::write(golden, &shown).unwrap();
    }
    let reviewed = std::fs::read_to_string(golden).unwrap();
    assert_eq!(shown, reviewed, "run with WARD_BLESS=1 after a review");
}

fn width(role: Role) -> usize {
    role.name().len().max(8) + 2
}

/// Properties that no edit of the table may lose.
#[test]
fn r07_r37_duties_stay_separate() {
    for action in Action::ALL {
        let name = action.name();
        let reads = action.is_reading();
        assert!(
            reads || !Role::Auditor.allows(*action),
            "auditors change nothing: {name}"
        );
        assert!(
            reads || !Role::ReadOnly.allows(*action),
            "readers change nothing: {name}"
        );
        assert!(Role::Admin.allows(*action), "{name}");
    }
    assert!(!Role::Approver.allows(Action::IssueCertificate));
    assert!(!Role::Issuer.allows(Action::ApproveRequests));
    assert!(!Role::Issuer.allows(Action::ManageTokens));
    assert!(Role::Auditor.allows(Action::ReadAudit));
    assert!(!Role::ReadOnly.allows(Action::ReadAudit));
}

#[test]
fn r37_clinical_engineering_and_security_share_nothing_that_changes_anything() {
    let both = |action: &&Action| {
        Role::ClinicalEngineering.allows(**action) && Role::Security.allows(**action)
    };
    let shared: Vec<&str> = Action::ALL
        .iter()
        .filter(both)
        .filter(|action| !action.is_reading())
        .map(|action| action.name())
        .collect();
    assert!(shared.is_empty(), "{shared:?}");
    // Each has work of its own, so the rule is not kept by nobody doing anything.
    assert!(Role::ClinicalEngineering.allows(Action::ManageAssets));
    assert!(Role::ClinicalEngineering.allows(Action::SignSegments));
    assert!(Role::Security.allows(Action::RevokeCertificate));
    assert!(Role::Security.allows(Action::RunDiscovery));
}

#[test]
fn r37_the_help_desk_grants_nothing() {
    let changes = |action: &&Action| Role::HelpDesk.allows(**action) && !action.is_reading();
    let changes: Vec<Action> = Action::ALL.iter().filter(changes).copied().collect();
    assert_eq!(changes, [Action::RecoverSignIn]);
}

#[test]
fn names_of_roles_are_read_back() {
    for role in Role::ALL {
        assert_eq!(role.name().parse(), Ok(role));
    }
    for action in Action::ALL {
        assert_eq!(action.name().parse(), Ok(*action));
    }
    assert!("root".parse::<Role>().is_err());
    assert!("be-root".parse::<Action>().is_err());
}
