//! Certificates made to exhaust a validator. Each case must end at once, with a verdict or a typed error;
//! the seconds allowed are for unoptimised code on a busy machine, release takes some hundredths of that.

use std::time::{Duration, Instant};

use x509::{
    GeneralName, Oid,
    ext::*,
    path::{PathError, PathOptions, PathRule, PolicyInputs, ValidPath},
};

use crate::pki::{Spec, ca, leaf, now, run};

fn quickly(specs: &[Spec], options: &PathOptions) -> Result<ValidPath, PathError> {
    let _made: Vec<_> = specs.iter().map(Spec::make).collect();
    let started = Instant::now();
    let outcome = run(specs, options);
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    outcome
}

/// An initial constraint that every path breaks, so that the search cannot stop early.
fn hopeless() -> PathOptions {
    let base = Constraint::Dns("nowhere.example".into());
    let permitted = vec![GeneralSubtree {
        base,
        minimum: 0,
        maximum: None,
    }];
    PathOptions {
        constraints: Some(NameConstraints {
            permitted,
            excluded: vec![],
        }),
        ..PathOptions::at(now())
    }
}

#[test]
fn authorities_that_all_certify_each_other() {
    let all = 2..14u16;
    let mut specs = vec![leaf("Server/9", "CA 2/2")];
    for subject in all.clone() {
        for issuer in all.clone().filter(|i| *i != subject) {
            specs.push(ca(
                &format!("CA {subject}/{subject}"),
                &format!("CA {issuer}/{issuer}"),
            ));
        }
        specs.push(ca(&format!("CA {subject}/{subject}"), "Root/1"));
    }
    let error = quickly(&specs, &hopeless()).unwrap_err();
    assert_eq!(error.rule, PathRule::BudgetExhausted);
    assert!(quickly(&specs, &PathOptions::at(now())).is_ok());
}

#[test]
fn one_name_with_many_keys_that_certify_each_other() {
    let mut specs = vec![leaf("Server/9", "CA/100")];
    for key in 100..140u16 {
        specs.push(ca(
            &format!("CA/{key}"),
            &format!("CA/{}", 100 + (key - 99) % 40),
        ));
        specs.push(ca(&format!("CA/{key}"), "Root/1"));
    }
    assert!(quickly(&specs, &hopeless()).is_err());
    assert!(quickly(&specs, &PathOptions::at(now())).is_ok());
}

#[test]
fn a_thousand_issuers_of_the_right_name_and_wrong_key() {
    let mut specs = vec![leaf("Server/9", "CA/100")];
    specs[0] = specs[0]
        .clone()
        .without(&x509::oids::AUTHORITY_KEY_IDENTIFIER);
    specs.extend((200..1200u16).map(|key| ca(&format!("CA/{key}"), "Root/1")));
    let options = PathOptions {
        profile: x509::path::Profile::Algorithm,
        ..PathOptions::at(now())
    };
    let error = quickly(&specs, &options).unwrap_err();
    assert_eq!(error.rule, PathRule::BudgetExhausted);
}

fn policy(level: usize, n: usize) -> Oid {
    format!("1.3.6.1.4.1.55555.7.{level}.{n}").parse().unwrap()
}

/// RFC 9618 §2: each level maps every policy of the one above to every one of its own, which makes the
/// tree of RFC 5280 grow by a factor of twelve with each certificate.
#[test]
fn policy_mappings_that_multiply() {
    let (width, depth) = (12, 8);
    let named = |level: usize| {
        let one = |n| PolicyInformation {
            policy: policy(level, n),
            qualifiers: vec![],
        };
        CertificatePolicies((0..width).map(one).collect()).encode()
    };
    let mapped = |level: usize| {
        let pairs = (0..width)
            .flat_map(|a| (0..width).map(move |b| (policy(level, a), policy(level + 1, b))));
        PolicyMappings(pairs.collect()).encode()
    };
    let mut specs =
        vec![leaf("Server/900", &format!("CA {}/{}", depth + 1, depth + 1)).with(named(depth))];
    for level in (0..depth).rev() {
        let above = if level == 0 {
            "Root/1".to_owned()
        } else {
            format!("CA {}/{}", level + 1, level + 1)
        };
        let subject = format!("CA {}/{}", level + 2, level + 2);
        specs.push(ca(&subject, &above).with(named(level)).with(mapped(level)));
    }
    let explicit = PathOptions {
        policies: PolicyInputs {
            require_explicit: true,
            ..PolicyInputs::default()
        },
        ..PathOptions::at(now())
    };
    specs[0].issuer = format!("CA {}", depth + 1);
    let path = quickly(&specs, &explicit).unwrap();
    let expected: Vec<Oid> = (0..width).map(|n| policy(0, n)).collect();
    assert_eq!(path.policies, expected);
}

#[test]
fn name_constraints_against_names_by_the_thousand() {
    let subtree = |n: usize| GeneralSubtree {
        base: Constraint::Dns(format!("d{n}.example")),
        minimum: 0,
        maximum: None,
    };
    let constraints = NameConstraints {
        permitted: (0..2000).map(subtree).collect(),
        excluded: (3000..5000).map(subtree).collect(),
    };
    let names: Vec<GeneralName> = (0..2000)
        .map(|n| GeneralName::Dns(format!("x.d{n}.example")))
        .collect();
    let specs = [
        leaf("Server/9", "Issuing/3").names(&names),
        ca("Issuing/3", "Root/1").with(constraints.encode()),
    ];
    assert_eq!(
        quickly(&specs, &PathOptions::at(now())).unwrap_err().rule,
        PathRule::BudgetExhausted
    );
    let few = [
        leaf("Server/9", "Issuing/3").names(&names[..20]),
        specs[1].clone(),
    ];
    assert!(quickly(&few, &PathOptions::at(now())).is_ok());
}

#[test]
fn a_chain_without_end() {
    let mut specs = vec![leaf("Server/9", "CA 100/100")];
    specs.extend(
        (100..600u16).map(|n| ca(&format!("CA {n}/{n}"), &format!("CA {}/{}", n + 1, n + 1))),
    );
    specs.push(ca("CA 600/600", "Root/1"));
    assert_eq!(
        quickly(&specs, &PathOptions::at(now())).unwrap_err().rule,
        PathRule::TooLong
    );
}
