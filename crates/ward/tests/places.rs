//! The same commands where the database is PostgreSQL, and where keys live in a PKCS#11 token (SoftHSM2).

#![allow(clippy::unwrap_used)] // Helpers may fail like tests.

mod hospital;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hospital::{openssl, ward};

const INIT: &[&str] = &[
    "init",
    "--organization",
    "Mercy Hospital",
    "--publish-url",
    "http://pki.example.org",
    "--root-out",
    "usb",
];

/// Runs commands one after another; each must end as it says and print what it says.
fn all(folder: &Path, commands: &[(&str, i32, &str)]) {
    for (command, status, text) in commands {
        let ran = ward(folder, &command.split(' ').collect::<Vec<_>>());
        ran.must(command, *status, &[text]);
    }
}

fn request(folder: &Path) {
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut arguments = vec![
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
    ];
    let (key, csr) = (text("web.key"), text("web.csr"));
    arguments.extend([
        "-nodes",
        "-keyout",
        &key,
        "-out",
        &csr,
        "-subj",
        "/CN=web.example.org",
    ]);
    arguments.extend(["-addext", "subjectAltName=DNS:web.example.org"]);
    openssl(&arguments);
}

#[test]
fn r36_the_same_on_postgresql_and_a_backup_moves_between_the_two() {
    // A socket's path is short, and PostgreSQL's own user must be able to enter.
    let folder = tempfile::Builder::new()
        .prefix("wpg")
        .tempdir_in("/tmp")
        .unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/pg-test-cluster.sh");
    let cluster = folder.path().join("c");
    let started = Command::new(&script)
        .arg("start")
        .arg(&cluster)
        .arg(std::process::id().to_string())
        .output()
        .unwrap();
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
    let url = String::from_utf8(started.stdout).unwrap().trim().to_owned();
    let folder = folder.path();
    request(folder);
    let mut init = INIT.to_vec();
    init.extend(["--data", "d", "--database", &url]);
    let made = ward(folder, &init);
    assert_eq!(made.status, 0, "{}", made.stderr);
    all(
        folder,
        &[
            (
                "cert issue --data d --profile server-tls --csr web.csr --out web.pem",
                0,
                "issued by servers",
            ),
            (
                "cert revoke --data d web.pem --reason superseded",
                0,
                "revoked",
            ),
            ("status --data d", 0, "PostgreSQL"),
            ("audit verify --data d", 0, "verified"),
            ("backup --data d copy.db", 0, "verified: copy.db"),
            (
                "restore --data d copy.db --replace --yes",
                1,
                "not overwritten",
            ),
            (
                "restore --data d --database sqlite:moved.db copy.db",
                0,
                "verified",
            ),
            (
                "cert show --data d --database sqlite:moved.db web.pem",
                0,
                "superseded",
            ),
        ],
    );
    let stopped = Command::new(&script)
        .arg("stop")
        .arg(&cluster)
        .output()
        .unwrap();
    assert!(
        stopped.status.success(),
        "{}",
        String::from_utf8_lossy(&stopped.stderr)
    );
}

#[test]
fn r02_issuing_keys_live_in_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tokens = folder.join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let configuration = folder.join("softhsm2.conf");
    std::fs::write(
        &configuration,
        format!(
            "directories.tokendir = {}\nobjectstore.backend = file\n",
            tokens.display()
        ),
    )
    .unwrap();
    let in_token = |command: &mut Command| {
        command
            .env("SOFTHSM2_CONF", &configuration)
            .current_dir(folder)
            .output()
            .unwrap()
    };
    let made = in_token(Command::new("softhsm2-util").args([
        "--init-token",
        "--free",
        "--label",
        "ward",
        "--pin",
        "1234567890",
        "--so-pin",
        "0987654321",
    ]));
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let module = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ];
    let module = module
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("SoftHSM2 is installed");

    std::fs::create_dir(folder.join("d")).unwrap();
    let secret = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    secret("d/pin", "1234567890\n");
    secret(
        "d/ward.toml",
        &format!("[[keys.pkcs11]]\nmodule = \"{module}\"\ntoken = \"ward\"\npin_file = \"pin\"\n"),
    );
    request(folder);
    let run = |arguments: &[&str]| {
        let output = in_token(
            Command::new(env!("CARGO_BIN_EXE_ward"))
                .args(arguments)
                .args(["--data", "d"]),
        );
        hospital::Ran::of(output)
    };
    let mut init = INIT.to_vec();
    init.extend(["--backend", "pkcs11:elsewhere"]);
    let refused = run(&init);
    assert_eq!(refused.status, 1);
    assert!(
        refused
            .stderr
            .contains("token elsewhere is not in d/ward.toml"),
        "{}",
        refused.stderr
    );
    assert!(
        !folder.join("usb").exists(),
        "a refused init leaves no root key"
    );
    init.pop();
    init.push("pkcs11:ward");
    assert_eq!(run(&init).status, 0);

    assert_eq!(
        run(&[
            "cert",
            "issue",
            "--profile",
            "server-tls",
            "--csr",
            "web.csr",
            "--out",
            "web.pem"
        ])
        .status,
        0
    );
    assert!(run(&["ca", "list"]).stdout.contains("pkcs11:ward"));
    assert!(run(&["status"]).stdout.contains("available"));
    assert_eq!(run(&["crl", "publish"]).status, 0);
    assert_eq!(
        run(&["ca", "export", "root", "--out", "root.pem"]).status,
        0
    );
    let text = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    openssl(&[
        "verify",
        "-CAfile",
        &text("root.pem"),
        "-untrusted",
        &text("web.pem"),
        &text("web.pem"),
    ]);
}
