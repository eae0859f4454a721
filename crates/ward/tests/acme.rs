//! `ward acme` as operators type it: what it prints, how it ends, what needs `--yes`.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hospital;

use hospital::Hospital;

#[test]
fn r09_directories_keys_and_recalls_by_command() {
    let hospital = Hospital::new();
    for (command, status, text) in [
        ("acme directory list", 0, "/acme/servers/directory"),
        (
            "acme directory show servers",
            0,
            "external_account = \"required\"",
        ),
        (
            "acme directory show nothing",
            1,
            "there is no directory nothing",
        ),
        (
            "acme directory create lab --profile code-signing",
            1,
            "acme.directory.profiles",
        ),
        (
            "acme directory create lab --profile server-tls reuse=often",
            2,
            "reuse",
        ),
        (
            "acme directory create lab --profile server-tls external_account=off",
            0,
            "version 1",
        ),
        (
            "acme directory create lab --profile server-tls",
            1,
            "already",
        ),
        ("acme directory set lab", 2, "say what to change"),
        (
            "acme directory set lab limits.new_orders=5/m",
            0,
            "version 2",
        ),
        ("acme directory show lab", 0, "new_orders = \"5/m\""),
        ("acme directory remove lab", 2, "add --yes"),
        ("acme directory remove lab --yes", 0, "removed"),
        (
            "acme eab create --directory servers --owner web --preauthorised",
            2,
            "--allow-name",
        ),
        (
            "acme eab create --directory servers --owner web --preauthorised --allow-name *",
            1,
            "acme.eab.preauthorised",
        ),
        (
            "acme eab create --directory servers --owner web --allow-name web.example.org --out web.eab",
            0,
            "web.eab",
        ),
        ("acme eab list", 0, "web.example.org"),
        (
            "acme directory remove servers --yes",
            1,
            "acme.directory.used",
        ),
        (
            "acme eab show e0000000000000000",
            1,
            "there is no external account key",
        ),
        ("acme account list", 0, "ACCOUNT"),
        ("acme account show nobody", 1, "there is no account nobody"),
        ("acme order list", 0, "ORDER"),
        ("acme order show nothing", 1, "there is no order nothing"),
        (
            "acme recall create --why test --dry-run",
            1,
            "acme.recall.everything",
        ),
        (
            "acme recall create --everything --why test --dry-run",
            0,
            "nothing was done",
        ),
        ("acme recall list", 0, "no recalls"),
        (
            "acme recall create --issuer servers --why test",
            0,
            "is in force",
        ),
        ("acme recall list --count", 0, "in force"),
        ("status", 0, "servers: 0 account(s)"),
    ] {
        hospital.ward(command).must(command, status, &[text]);
    }
    let written = std::fs::read_to_string(hospital.path("web.eab")).unwrap();
    let key: serde_json::Value = serde_json::from_str(&written).unwrap();
    let kid = key["kid"].as_str().unwrap();
    let shown = hospital.ward(&format!("acme eab show {kid} --json")).json();
    assert_eq!(
        (shown["state"].as_str(), shown["used"].as_u64()),
        (Some("active"), Some(0))
    );
    assert!(
        !shown
            .to_string()
            .contains(key["hmac_key"].as_str().unwrap())
    );
    let revoked = hospital.ward(&format!("acme eab revoke {kid} --accounts"));
    assert_eq!(revoked.status, 2, "it asks");
    assert_eq!(
        hospital
            .ward(&format!("acme eab revoke {kid} --accounts --yes"))
            .status,
        0
    );
    let recall = hospital.ward("acme recall list --json").json();
    let id = recall[0]["recall"]["id"].as_str().unwrap();
    assert_eq!(hospital.ward(&format!("acme recall end {id}")).status, 0);
    assert_eq!(
        hospital.ward("acme directory remove servers --yes").status,
        0
    );
}
