//! The commands that docs/api.md shows are run, so that the page cannot go stale unnoticed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    reason = "helpers of tests are tests"
)]

mod support;

use std::path::Path;
use std::process::Command;

use access::{Role, Scope};
use support::{Ward, output};

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_on_rest_work() {
    let ward = Ward::start().await;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let api = format!("localhost:{}", ward.addresses.api.port());
    let public = format!("localhost:{}", ward.addresses.status.port());
    let script = script(&page)
        .replace("localhost:8443", &api)
        .replace("localhost:8080", &public);
    let file = ward.path("page.sh");
    std::fs::write(&file, &script).unwrap();
    let mut command = Command::new("bash");
    command.args(["-x", "-euo", "pipefail"]).arg(&file);
    command.current_dir(ward.dir.path());
    for (variable, name, role) in [
        ("TOKEN", "ci", Role::Issuer),
        ("APPROVER", "second", Role::Approver),
        ("AUDITOR", "eve", Role::Auditor),
        ("ADMIN", "root", Role::Admin),
    ] {
        let token = ward.token(name, &[role], Scope::default()).await;
        command.env(variable, token);
    }
    let ran = output(command).await;
    assert!(
        ran.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    ward.stop().await;
}

/// All blocks marked `sh`, one after another.
fn script(page: &str) -> String {
    let mut inside = false;
    let mut script = String::new();
    for line in page.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    assert!(
        script.lines().count() > 20,
        "the page has lost its commands"
    );
    script
}
