//! Which names a certificate presents (RFC 9525 §6), and which an authority may give (RFC 5280 §4.2.1.10).

use x509::{
    GeneralName, Name, Oid,
    der::{Tag, encode},
    ext::*,
    oids,
    path::{PathOptions, PathRule, ReferenceName},
};

use crate::pki::{ca, leaf, now, run};

fn dns(s: &str) -> GeneralName {
    GeneralName::Dns(s.into())
}

fn email(s: &str) -> GeneralName {
    GeneralName::Email(s.into())
}

fn uri(s: &str) -> GeneralName {
    GeneralName::Uri(s.into())
}

fn presents(presented: GeneralName, wanted: ReferenceName) -> bool {
    let options = PathOptions {
        names: vec![wanted],
        ..PathOptions::at(now())
    };
    match run(&[leaf("Server/9", "Root/1").names(&[presented])], &options) {
        Ok(_) => true,
        Err(e) => {
            assert_eq!(e.rule, PathRule::NameMismatch, "{e}");
            false
        }
    }
}

#[test]
fn reference_names_match_as_rfc_9525_has_it() {
    use ReferenceName::{Dns, Email, Ip, Srv, Upn, Uri};
    let cases = [
        (dns("a.example"), Dns("a.example".into()), true),
        (dns("a.example"), Dns("A.EXAMPLE.".into()), true),
        (dns("a.example"), Dns("b.a.example".into()), false),
        (dns("*.a.example"), Dns("b.a.example".into()), true),
        (dns("*.a.example"), Dns("a.example".into()), false),
        (dns("*.a.example"), Dns("c.b.a.example".into()), false),
        (dns("b*.a.example"), Dns("b1.a.example".into()), false),
        (dns("b.*.example"), Dns("b.a.example".into()), false),
        (dns("*.example"), Dns("a.example".into()), false),
        (dns("*"), Dns("example".into()), false),
        (dns("*.a.example"), Dns("*.a.example".into()), false),
        (dns("10.0.0.1"), Dns("10.0.0.1".into()), false),
        (dns("a_b.example"), Dns("a_b.example".into()), false),
        (dns("a.example"), Dns(String::new()), false),
        (
            GeneralName::Ip([10, 0, 0, 1].into()),
            Ip([10, 0, 0, 1].into()),
            true,
        ),
        (
            GeneralName::Ip([10, 0, 0, 1].into()),
            Ip([0, 0, 0, 0, 0, 0xffff, 0xa00, 1].into()),
            false,
        ),
        (
            GeneralName::Ip([10, 0, 0, 1].into()),
            Dns("10.0.0.1".into()),
            false,
        ),
        (
            email("Dana@Hospital.example"),
            Email("Dana@hospital.EXAMPLE".into()),
            true,
        ),
        (
            email("Dana@hospital.example"),
            Email("dana@hospital.example".into()),
            false,
        ),
        (
            GeneralName::smtp_utf8_mailbox("dána@hospital.example"),
            Email("dána@hospital.example".into()),
            true,
        ),
        (
            uri("https://fhir.example/r4"),
            Uri("https://fhir.example/r4".into()),
            true,
        ),
        (
            uri("https://fhir.example/r4"),
            Uri("https://fhir.example/R4".into()),
            false,
        ),
        (
            uri("https://fhir.example/r4"),
            Uri("https://fhir.example/r4/".into()),
            false,
        ),
        (
            GeneralName::upn("Dana@hospital.example"),
            Upn("dana@HOSPITAL.example".into()),
            true,
        ),
        (
            GeneralName::upn("Dana@hospital.example"),
            Email("Dana@hospital.example".into()),
            false,
        ),
        (
            GeneralName::srv("_ldap.hospital.example"),
            Srv("_ldap.hospital.example".into()),
            true,
        ),
    ];
    for (presented, wanted, expected) in cases {
        let shown = format!("{presented} for {wanted}");
        assert_eq!(presents(presented, wanted), expected, "{shown}");
    }
}

fn directory(s: &str) -> Name {
    s.parse().unwrap()
}

fn upn_constraint(s: &str) -> Constraint {
    let value_der = encode(Tag::UTF8_STRING, s.as_bytes());
    Constraint::Other {
        type_id: oids::ON_UPN,
        value_der,
    }
}

fn range(address: [u8; 4], mask: [u8; 4]) -> Constraint {
    Constraint::Ip(IpRange {
        address: address.to_vec(),
        mask: mask.to_vec(),
    })
}

/// Whether a certificate with this name is accepted below a CA with this constraint.
fn accepted(name: &GeneralName, base: &Constraint, is_excluded: bool) -> bool {
    let subtree = vec![GeneralSubtree {
        base: base.clone(),
        minimum: 0,
        maximum: None,
    }];
    let constraints = match is_excluded {
        true => NameConstraints {
            permitted: vec![],
            excluded: subtree,
        },
        false => NameConstraints {
            permitted: subtree,
            excluded: vec![],
        },
    };
    let specs = [
        leaf("Server/9", "Issuing/3").names(std::slice::from_ref(name)),
        ca("Issuing/3", "Root/1").with(constraints.encode()),
    ];
    match run(&specs, &PathOptions::at(now())) {
        Ok(_) => true,
        Err(e) => {
            assert_eq!(e.rule, PathRule::NameConstraints, "{e}");
            false
        }
    }
}

#[test]
fn name_constraints_of_every_kind() {
    let device: Oid = "1.3.6.1.4.1.55555.1".parse().unwrap();
    let hardware = GeneralName::hardware_module_name(device, b"INF-1");
    let unknown_other = Constraint::Other {
        type_id: oids::ON_HARDWARE_MODULE_NAME,
        value_der: vec![0x30, 0],
    };
    let host = |s: &str| Constraint::Dns(s.into());
    let mailbox = |s: &str| Constraint::Email(s.into());
    let site = |s: &str| Constraint::Uri(s.into());
    // Name, constraint, accepted where it is permitted, accepted where it is excluded. A directory name is
    // never enough where it is permitted, since the subject `CN=Server` lies outside.
    let cases = [
        (dns("a.example"), host("a.example"), true, false),
        (dns("b.a.example"), host("a.example"), true, false),
        (dns("ba.example"), host("a.example"), false, true),
        (dns("A.Example"), host("a.EXAMPLE"), true, false),
        (dns("a.example"), host(""), true, false),
        (dns("*.a.example"), host("a.example"), true, false),
        (dns("*.a.example"), host("b.a.example"), false, false),
        (dns("*.a.example"), host("c.b.a.example"), false, true),
        (dns("a.example"), host(".example"), false, false),
        (dns("a.example"), host("*.example"), false, false),
        (email("d@a.example"), mailbox("d@a.example"), true, false),
        (email("D@a.example"), mailbox("d@a.example"), false, true),
        (email("d@a.example"), mailbox("a.example"), true, false),
        (email("d@b.a.example"), mailbox("a.example"), false, true),
        (email("d@b.a.example"), mailbox(".a.example"), true, false),
        (email("d@a.example"), mailbox(".a.example"), false, true),
        (email("d@e@a.example"), mailbox("a.example"), false, false),
        (
            GeneralName::smtp_utf8_mailbox("dána@a.example"),
            mailbox("a.example"),
            true,
            false,
        ),
        (
            GeneralName::smtp_utf8_mailbox("dána@b.example"),
            mailbox("a.example"),
            false,
            true,
        ),
        (uri("https://a.example/x"), site("a.example"), true, false),
        (
            uri("https://u@a.example:8443?x"),
            site("a.example"),
            true,
            false,
        ),
        (uri("https://b.a.example/x"), site("a.example"), false, true),
        (
            uri("https://b.a.example/x"),
            site(".a.example"),
            true,
            false,
        ),
        (
            uri("https://a.example@evil.example/"),
            site("a.example"),
            false,
            true,
        ),
        (uri("urn:oid:1.2.3"), site("a.example"), false, false),
        (uri("https://10.0.0.1/"), site("a.example"), false, false),
        (
            GeneralName::Ip([10, 20, 3, 4].into()),
            range([10, 20, 0, 0], [255, 255, 0, 0]),
            true,
            false,
        ),
        (
            GeneralName::Ip([10, 21, 3, 4].into()),
            range([10, 20, 0, 0], [255, 255, 0, 0]),
            false,
            true,
        ),
        (
            GeneralName::Ip([10, 20, 3, 4].into()),
            range([10, 0, 3, 0], [255, 0, 255, 0]),
            false,
            false,
        ),
        (
            GeneralName::Ip([0; 8].map(|_: u16| 0).into()),
            range([0; 4], [0; 4]),
            true,
            true,
        ),
        (
            GeneralName::DirName(directory("CN=x,O=Clinic,C=DE")),
            Constraint::DirName(directory("O=clinic,C=DE")),
            false,
            false,
        ),
        (
            GeneralName::upn("d@a.example"),
            upn_constraint("@a.example"),
            true,
            false,
        ),
        (
            GeneralName::upn("d@b.a.example"),
            upn_constraint(".a.example"),
            true,
            false,
        ),
        (
            GeneralName::upn("d@b.example"),
            upn_constraint("a.example"),
            false,
            true,
        ),
        (hardware.clone(), unknown_other.clone(), false, false),
        (dns("a.example"), unknown_other, true, true),
        (hardware, host("a.example"), true, true),
        (
            GeneralName::RegisteredId("1.2.3".parse().unwrap()),
            Constraint::RegisteredId("1.2".parse().unwrap()),
            false,
            false,
        ),
    ];
    for (name, base, permitted, excluded) in cases {
        let shown = format!("{name} under {base:?}");
        assert_eq!(
            accepted(&name, &base, false),
            permitted,
            "permitted: {shown}"
        );
        assert_eq!(accepted(&name, &base, true), excluded, "excluded: {shown}");
    }
}

#[test]
fn layers_of_constraints_intersect_and_the_subject_counts() {
    let below = |base: Constraint| {
        let permitted = vec![GeneralSubtree {
            base,
            minimum: 0,
            maximum: None,
        }];
        NameConstraints {
            permitted,
            excluded: vec![],
        }
        .encode()
    };
    let under = |upper: Constraint, lower: Constraint| {
        let specs = [
            leaf("Server/9", "Issuing/3"),
            ca("Issuing/3", "Policy/2").with(below(lower)),
            ca("Policy/2", "Root/1").with(below(upper)),
        ];
        run(&specs, &PathOptions::at(now())).is_ok()
    };
    let host = |s: &str| Constraint::Dns(s.into());
    assert!(under(
        host("hospital.example"),
        host("fhir.hospital.example")
    ));
    assert!(under(host("fhir.hospital.example"), host("example")));
    assert!(!under(host("hospital.example"), host("clinic.example")));
    assert!(!under(host("clinic.example"), host("hospital.example")));
    assert!(under(
        host("hospital.example"),
        Constraint::DirName(directory("CN=Server"))
    ));
    assert!(!under(
        host("hospital.example"),
        Constraint::DirName(directory("CN=Client"))
    ));
}
