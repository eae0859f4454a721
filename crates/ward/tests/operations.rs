//! The binary after the first certificate: authorities and profiles change, two people decide, tokens, log, backups and
//! keys are kept, and scripts find what they rely on.

#![allow(clippy::unwrap_used)] // Helpers may fail like tests.

mod hospital;

use std::io::Write;
use std::process::{Command, Stdio};

use hospital::{Hospital, Ran, check, ward};

#[test]
fn r01_authorities_are_made_rotated_and_retired_with_the_carried_key() {
    let hospital = Hospital::new();
    let carried = "--root-key usb --root-passphrase-file data/root-passphrase";
    let run = |command: &str| hospital.ward(&command.replace("CARRIED", carried));
    for (command, status, text) in [
        (
            "ca create imaging --permit-dns imaging.example.org CARRIED",
            0,
            "created: imaging",
        ),
        ("ca create imaging CARRIED", 1, "imaging"),
        ("ca create lab", 1, "authority.offline"),
        ("ca create lab --root-key usb", 2, "--root-passphrase-file"),
        ("ca rotate servers CARRIED", 0, "servers-g2"),
        ("ca list", 0, "servers-g2"),
        ("ca show servers", 0, "servers-g2"),
        ("ca retire imaging", 2, "add --yes"),
        ("ca retire imaging --yes --why closed", 0, "is retired"),
        ("ca show imaging", 0, "retired"),
        ("ca show nobody", 1, "there is no authority nobody"),
        ("crl publish root", 1, "carried"),
        ("crl publish root CARRIED", 0, "published"),
        ("crl list", 0, "root"),
    ] {
        run(command).must(command, status, &[text]);
    }
    let wrong = hospital.path("wrong");
    std::fs::write(&wrong, "another passphrase\n").unwrap();
    let ran = hospital.ward("ca create lab --root-key usb --root-passphrase-file wrong");
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("passphrase"), "{}", ran.stderr);
}

#[test]
fn r04_profiles_are_shown_checked_compared_and_versioned() {
    let hospital = Hospital::new();
    let toml = hospital.ward("profile show server-tls").stdout;
    std::fs::write(
        hospital.path("new.toml"),
        toml.replace("default = \"90d\"", "default = \"60d\""),
    )
    .unwrap();
    std::fs::write(
        hospital.path("bad.toml"),
        toml.replace("max = \"398d\"", "max = \"9000d\""),
    )
    .unwrap();
    check(
        &hospital,
        &[
            (
                "profile list",
                (0, &["server-tls", "built-in", "device-ldevid"]),
            ),
            ("profile check new.toml", (0, &["sound"])),
            ("profile check bad.toml", (1, &["error", "line "])),
            (
                "profile diff server-tls new.toml",
                (0, &["validity.default", "60d"]),
            ),
            ("profile diff server-tls", (2, &["--version"])),
            ("profile set bad.toml", (1, &["error"])),
            ("profile set new.toml", (0, &["server-tls version 2"])),
            ("profile diff server-tls --version 1", (0, &["60d"])),
            (
                "profile show server-tls --version 1",
                (0, &["default = \"90d\""]),
            ),
            (
                "profile show server-tls --version 9",
                (1, &["no version 9"]),
            ),
            (
                "profile show nothing",
                (1, &["there is no profile nothing"]),
            ),
        ],
    );
}

#[test]
fn r07_nobody_approves_their_own_request() {
    let hospital = Hospital::new();
    let toml = hospital.ward("profile show server-tls").stdout;
    std::fs::write(
        hospital.path("two.toml"),
        toml.replace("approvals = 0", "approvals = 1"),
    )
    .unwrap();
    hospital.request("web", "/CN=web.example.org", "DNS:web.example.org");
    check(&hospital, &[("profile set two.toml", (0, &[]))]);
    let asked = hospital
        .ward("cert issue --profile server-tls --csr web.csr --evidence ticket:CHG-1 --json");
    assert_eq!(
        (asked.status, asked.json()["state"].as_str()),
        (0, Some("pending")),
        "{}{}",
        asked.stdout,
        asked.stderr
    );
    let id = asked.json()["request"].as_str().unwrap().to_owned();
    let run = |command: &str| hospital.ward(&command.replace("ID", &id));
    for (command, status, text) in [
        ("request list --pending", 0, "web.example.org"),
        ("request show ID", 0, "CHG-1"),
        ("request approve ID", 1, "request.own"),
        ("request deny ID", 1, "request.own"),
        (
            "request approve r0000000000000000",
            1,
            "there is no request",
        ),
        ("request approve nonsense", 2, "sixteen hex digits"),
    ] {
        run(command).must(command, status, &[text]);
    }
}

#[test]
fn r37_tokens_are_shown_once_and_revoked() {
    let hospital = Hospital::new();
    let made = hospital.ward("token create --name ci --role issuer --profile server-* --allow-name *.apps.example.org --days 1 --json").json();
    let (id, secret) = (
        made["id"].as_str().unwrap().to_owned(),
        made["token"].as_str().unwrap().to_owned(),
    );
    assert!(secret.starts_with(&format!("ward_{id}_")), "{secret}");
    let listed = hospital.ward("token list --json").stdout;
    assert!(
        listed.contains(&id) && !listed.contains(&secret[20..]),
        "{listed}"
    );
    check(
        &hospital,
        &[
            (
                "token create --name ci --role king",
                (2, &["no role", "admin, ra-officer"]),
            ),
            ("token create --name a/b --role issuer", (1, &["rule:"])),
            (
                "token create --name ci --role issuer --out token",
                (0, &["written to token"]),
            ),
            (
                "token create --name ci --role issuer --out token",
                (1, &["token: File exists"]),
            ),
            ("token revoke nonsense", (2, &["twelve hex digits"])),
            ("token revoke t000000000000", (1, &["there is no token"])),
        ],
    );
    assert_eq!(
        hospital
            .ward(&format!("token revoke {id} --why leaver"))
            .status,
        0
    );
    assert!(hospital.ward("token list").stdout.contains("revoked"));
}

#[test]
fn r36_the_log_is_verified_exported_and_proved() {
    let hospital = Hospital::new();
    hospital.issue("web.example.org");
    let checkpoint = hospital.ward("audit checkpoint").stdout;
    std::fs::write(hospital.path("earlier"), &checkpoint).unwrap();
    hospital.issue("two.example.org");
    check(
        &hospital,
        &[
            ("audit verify", (0, &["verified: the database"])),
            ("audit verify --since earlier", (0, &["verified"])),
            (
                "audit verify --vkey other+00000000+AAAA",
                (1, &["another key"]),
            ),
            ("audit export log", (0, &["exported"])),
            (
                "audit verify --folder log",
                (0, &["verified: log", "taken from the folder itself"]),
            ),
            (
                "audit verify --folder log --since earlier",
                (0, &["verified"]),
            ),
            ("audit verify --folder nowhere", (1, &["nowhere"])),
            ("audit prove 3", (0, &["chain to this checkpoint"])),
            ("audit prove 99999", (1, &["no event 99999"])),
            ("audit show --limit 2 --from 0", (0, &["SEQ"])),
        ],
    );
    let bundle = hospital.path("log/tile/entries/000.p");
    let file = std::fs::read_dir(bundle)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    check(
        &hospital,
        &[("audit verify --folder log", (1, &["NOT VERIFIED"]))],
    );
}

#[test]
fn r52_a_backup_is_verified_and_restored() {
    let hospital = Hospital::new();
    hospital.issue("before.example.org");
    check(
        &hospital,
        &[
            ("backup copy.db", (0, &["verified: copy.db", "kek.json"])),
            ("backup copy.db", (1, &["there already"])),
        ],
    );
    hospital.issue("after.example.org");
    check(
        &hospital,
        &[
            ("restore copy.db", (1, &["--replace"])),
            ("restore copy.db --replace", (2, &["add --yes"])),
            ("restore absent.db --replace --yes", (1, &["absent.db"])),
            (
                "restore copy.db --replace --yes",
                (0, &["verified: the restored database", "before-restore"]),
            ),
            ("cert list", (0, &["before.example.org"])),
            ("audit verify", (0, &["verified"])),
        ],
    );
    assert!(
        !hospital
            .ward("cert list")
            .stdout
            .contains("after.example.org")
    );
    std::fs::write(hospital.path("broken.db"), vec![7; 40_000]).unwrap();
    check(
        &hospital,
        &[
            ("restore broken.db --replace --yes", (1, &[])),
            ("audit verify", (0, &["verified"])),
        ],
    );
}

#[test]
fn r02_keys_are_listed_sealed_again_and_destroyed_only_when_unused() {
    let hospital = Hospital::new();
    std::fs::write(
        hospital.path("passphrase"),
        "six random words make a passphrase\n",
    )
    .unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(
        hospital.path("passphrase"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let keys = hospital.ward("key list --json").json();
    let issuing = keys
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["purpose"] == "issuer servers")
        .unwrap();
    let id = issuing["key"].as_str().unwrap();
    for (command, status, text) in [
        ("key list", 0, "issuer servers"),
        ("key destroy ID --why test", 2, "add --yes"),
        ("key destroy ID --why test --yes", 1, "key.in-use"),
        ("key retire ID --why test --yes", 1, "key.in-use"),
        (
            "key destroy nonsense --why test --yes",
            2,
            "32 hexadecimal digits",
        ),
        ("key rewrap --passphrase-file passphrase", 0, "sealed again"),
        ("status", 0, "ward.toml asks for"),
        (
            "cert issue --profile server-tls --generate --name dns:after.example.org",
            0,
            "PRIVATE KEY",
        ),
        ("key rewrap", 0, "sealed again"),
    ] {
        hospital
            .ward(&command.replace("ID", id))
            .must(command, status, &[text]);
    }
}

#[test]
fn json_is_one_document_on_standard_output_also_for_errors() {
    let hospital = Hospital::new();
    for command in [
        "status",
        "ca list",
        "ca show servers",
        "ca export root",
        "profile list",
        "profile show server-tls",
        "cert list",
        "request list",
        "crl list",
        "key list",
        "token list",
        "audit verify",
        "audit show",
        "audit prove 0",
        "audit checkpoint",
        "x509 lint --rules",
        "cert show 0000",
        "ca show nobody",
        "cert issue --profile server-tls",
        "nonsense",
        "cert revoke",
    ] {
        let ran = hospital.ward(&format!("{command} --json"));
        let document = ran.json();
        assert!(document.is_object() || document.is_array(), "{command}");
        assert_eq!(
            ran.status == 0,
            document.get("error").is_none(),
            "{command}: {document}"
        );
        assert!(ran.stderr.is_empty(), "{command}: {}", ran.stderr);
    }
}

#[test]
fn status_says_what_needs_attention() {
    let hospital = Hospital::new();
    check(
        &hospital,
        &[(
            "status --check",
            (1, &["root passphrase still lies", "not running"]),
        )],
    );
    std::fs::rename(
        hospital.path("data/root-passphrase"),
        hospital.path("passphrase"),
    )
    .unwrap();
    check(
        &hospital,
        &[
            ("crl publish", (0, &[])),
            ("status --check", (0, &["Nothing needs attention"])),
        ],
    );
}

#[test]
fn help_of_what_is_not_obvious_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "",
        "init",
        "serve",
        "status",
        "backup",
        "restore",
        "ca create",
        "ca rotate",
        "ca cross-sign",
        "ca export",
        "profile check",
        "profile diff",
        "cert issue",
        "cert list",
        "cert revoke",
        "request approve",
        "crl show",
        "crl publish",
        "key rewrap",
        "token create",
        "acme directory create",
        "acme directory set",
        "acme eab create",
        "acme eab revoke",
        "acme account deactivate",
        "acme order list",
        "acme recall create",
        "audit verify",
        "audit show",
        "x509 verify",
        "x509 lint",
        "x509 convert",
        "discover pcap",
        "discover capture",
        "discover files",
        "discover scan",
        "discover scans",
        "discover stop",
        "discover resume",
        "discover offline",
        "segment set",
        "segment sign",
        "segment coverage",
        "segment export-limits",
    ] {
        let mut words: Vec<&str> = command.split_whitespace().collect();
        words.push("--help");
        let ran = ward(folder.path(), &words);
        assert_eq!(ran.status, 0, "{command}");
        assert!(ran.stdout.contains("Example"), "{command}: {}", ran.stdout);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["x509", "lint", "--rules"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn serve_says_where_and_ends_on_a_signal() {
    let hospital = Hospital::new();
    let mut server = hospital.serve();
    check(
        &hospital,
        &[
            ("status", (0, &["running"])),
            ("serve", (1, &["another server"])),
            (
                "cert issue --profile server-tls --generate --name dns:beside.example.org",
                (0, &["PRIVATE KEY"]),
            ),
        ],
    );
    let restored = hospital.ward("backup copy.db");
    assert_eq!(restored.status, 0, "{}", restored.stderr);
    check(
        &hospital,
        &[("restore copy.db --replace --yes", (1, &["stop it first"]))],
    );
    assert_eq!(server.terminate(), Some(0));
    check(&hospital, &[("audit verify", (0, &["verified"]))]);
}

#[test]
fn a_request_may_come_from_standard_input() {
    let hospital = Hospital::new();
    hospital.request("web", "/CN=web.example.org", "DNS:web.example.org");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args([
            "cert",
            "issue",
            "--data",
            "data",
            "--profile",
            "server-tls",
            "--csr",
            "-",
            "--json",
        ])
        .current_dir(hospital.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&std::fs::read(hospital.path("web.csr")).unwrap())
        .unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.json()["profile"], "server-tls");
}

/// A socket that somebody else holds (systemd's socket activation) refuses nobody while the server is away.
#[test]
fn an_inherited_socket_lets_clients_wait_for_the_next_server() {
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;

    let hospital = Hospital::new();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [api, status] = sockets
        .each_ref()
        .map(|socket| socket.local_addr().unwrap());
    let serve = || {
        let [api_fd, status_fd] = sockets
            .each_ref()
            .map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
        // The sockets arrive as descriptors 3 and 4, and LISTEN_PID is the process that they are for.
        let script = format!(
            "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_FDS=2 LISTEN_PID=$$; \
            exec \"$WARD\" serve --data data --listen {api} --http {status}"
        );
        Command::new("sh")
            .args(["-c", &script])
            .env("WARD", env!("CARGO_BIN_EXE_ward"))
            .current_dir(hospital.path(""))
            .stdin(Stdio::from(api_fd))
            .stdout(Stdio::from(status_fd))
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let curl = || {
        Command::new("curl")
            .args([
                "-sS",
                "--max-time",
                "60",
                &format!("http://{status}/readyz"),
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = curl();
    let mut server = hospital::Server::of(serve());
    assert_eq!(first.wait_with_output().unwrap().stdout, b"ready\n");
    assert_eq!(server.terminate(), Some(0));

    // Nobody serves; the connection is made all the same, and answered by the next server.
    let waiting = [curl(), curl(), curl()];
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut server = hospital::Server::of(serve());
    for client in waiting {
        assert_eq!(client.wait_with_output().unwrap().stdout, b"ready\n");
    }
    assert_eq!(server.terminate(), Some(0));
}
