//! dns-01, CAA and address lookups against BIND: whole zones, dynamic updates, aliases between zones,
//! answers that need TCP (R09; RFC 8555 §8.4, RFC 8659).

use std::{
    fs,
    io::Write,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use agent::control::{
    CaaQuery, ChallengeKind, Check, Failure, FailureKind, Proof, Rules, Validator,
};

use crate::support::{
    ACCOUNT, KEY_AUTHORIZATION, Server, check, free_port, local_rules, ok, wait_for_port,
};

const DIGEST: &str = include_str!("../data/digest.txt");

const ZONE: &str = r#"
$TTL 0
@       IN SOA ns hostmaster 1 60 60 60 0
        IN NS ns
ns      IN A 127.0.0.1
web     IN A 127.0.0.1
alias   IN CNAME web
six     IN AAAA ::1
empty   IN TXT "nothing else"
_acme-challenge.delegated IN CNAME delegated.acme.example.
_acme-challenge.far IN CNAME a.chain
a.chain IN CNAME b.chain
b.chain IN CNAME c.chain
c.chain IN CNAME delegated.acme.example.
_acme-challenge.circle IN CNAME circle2
circle2 IN CNAME _acme-challenge.circle
_acme-challenge.dangling IN CNAME nowhere.acme.example.
dname   IN DNAME acme.example.
_acme-challenge.dname2 IN CNAME delegated.dname
*.wild  IN TXT "@DIGEST@"
open    IN A 127.0.0.1
ours    IN CAA 0 issue "ca.hospital.example"
strict  IN CAA 0 issue "ca.hospital.example; accounturi=https://example.com/acme/acct/ExampleAccount; validationmethods=dns-01"
account IN CAA 0 issue "ca.hospital.example; accounturi=https://example.com/acme/acct/Other"
theirs  IN CAA 0 issue "letsencrypt.org"
nowild  IN CAA 0 issue "ca.hospital.example"
        IN CAA 0 issuewild ";"
future  IN CAA 0 issue "ca.hospital.example"
        IN CAA 128 tbs "unknown"
caaalias IN CNAME theirs
"#;

/// Above the others, so that climbing for CAA ends here and not at the root servers.
const TOP_ZONE: &str =
    "$TTL 0\n@ IN SOA ns hostmaster 1 60 60 60 0\n IN NS ns\nns IN A 127.0.0.1\n";

const ACME_ZONE: &str = r#"
$TTL 0
@         IN SOA ns hostmaster 1 60 60 60 0
          IN NS ns
ns        IN A 127.0.0.1
delegated IN TXT "@DIGEST@"
"#;

/// named(8) with a zone that takes updates, one that aliases lead to, and one whose file is missing.
struct Named {
    process: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Named {
    fn start() -> Named {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        let port = free_port();
        let zone = |text: &str| text.replace("@DIGEST@", DIGEST.trim());
        fs::write(here.join("hospital.zone"), zone(ZONE)).unwrap();
        fs::write(here.join("top.zone"), TOP_ZONE).unwrap();
        fs::write(here.join("acme.zone"), zone(ACME_ZONE)).unwrap();
        let config = format!(
            "options {{ directory \"{0}\"; pid-file none; session-keyfile \"{0}/session.key\";
               listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
               recursion yes; allow-recursion {{ any; }}; allow-query {{ any; }};
               dnssec-validation no; empty-zones-enable no; notify no; }};
             controls {{ }};
             zone \"hospital.example\" {{ type primary; file \"hospital.zone\"; allow-update {{ any; }}; }};
             zone \"example\" {{ type primary; file \"top.zone\"; }};
             zone \"acme.example\" {{ type primary; file \"acme.zone\"; }};
             zone \"broken.example\" {{ type primary; file \"missing.zone\"; }};
             zone \"secret.example\" {{ type primary; file \"acme.zone\"; allow-query {{ none; }}; }};",
            here.display()
        );
        fs::write(here.join("named.conf"), config).unwrap();
        let process = Command::new("named")
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .arg("-g")
            .arg("-c")
            .arg(here.join("named.conf"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(here.join("log")).unwrap())
            .spawn()
            .expect("scripts/install-deps.sh installs bind9");
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        wait_for_port(address);
        let named = Named {
            process,
            address,
            _folder: folder,
        };
        named.wait_for_zones();
        named
    }

    /// named listens before it has loaded.
    fn wait_for_zones(&self) {
        for _ in 0..100 {
            let port = self.address.port().to_string();
            let asked = Command::new("dig")
                .args([
                    "+short",
                    "+tries=1",
                    "+time=1",
                    "-p",
                    &port,
                    "@127.0.0.1",
                    "web.hospital.example",
                    "A",
                ])
                .output()
                .expect("scripts/install-deps.sh installs bind9-dnsutils");
            if asked.stdout == b"127.0.0.1\n" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("named has no zones");
    }

    fn update(&self, commands: &str) {
        let mut nsupdate = Command::new("nsupdate")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let text = format!(
            "server 127.0.0.1 {}\n{commands}\nsend\n",
            self.address.port()
        );
        nsupdate
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(nsupdate.wait().unwrap().success());
    }

    fn rules(&self) -> Rules {
        Rules {
            resolvers: vec![self.address],
            step_timeout_ms: 3_000,
            timeout_ms: 6_000,
            ..local_rules(80)
        }
    }

    fn dns01(&self, name: &str) -> Check {
        check(ChallengeKind::Dns01, name, self.rules())
    }
}

async fn run(check: Check) -> Result<Proof, Failure> {
    Validator::new().check(check).await
}

/// All on one server: starting it costs more than the tests.
#[tokio::test(flavor = "multi_thread")]
async fn bind_answers_and_ward_believes_what_it_should() {
    let named = Named::start();
    values(&named).await;
    aliases(&named).await;
    failures(&named).await;
    caa(&named).await;
    addresses(&named).await;
}

async fn values(named: &Named) {
    let digest = DIGEST.trim();
    let name = "pacs.hospital.example";
    let owner = format!("_acme-challenge.{name}");
    assert_eq!(
        run(named.dns01(name)).await.unwrap_err().kind,
        FailureKind::Dns
    );
    named.update(&format!("update add {owner} 0 TXT \"an old value\""));
    let failure = run(named.dns01(name)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.detail.contains("an old value"), "{failure}");
    // Seen at once, beside others, long ones, and cut anywhere.
    let long = format!("\"{}\" \"{}\"", "l".repeat(255), "m".repeat(200));
    named.update(&format!(
        "update add {owner} 0 TXT {long}\nupdate add {owner} 0 TXT \"{digest}\""
    ));
    assert!(run(named.dns01(name)).await.is_ok());
    let (front, back) = digest.split_at(20);
    named.update(&format!(
        "update delete {owner} TXT\nupdate add {owner} 0 TXT \"{front}\" \"{back}\""
    ));
    assert!(run(named.dns01(name)).await.is_ok());
    // 60 values of 200 octets do not fit a datagram.
    let many: String = (0..60)
        .map(|i| format!("update add {owner} 0 TXT \"{i}{}\"\n", "x".repeat(200)))
        .collect();
    named.update(&many);
    assert!(run(named.dns01(name)).await.is_ok());
    named.update(&format!("update delete {owner} TXT"));
    assert!(run(named.dns01(name)).await.is_err());

    // A wildcard in the zone is a record like any other; a wildcard order proves control of its base.
    assert!(run(named.dns01("a.wild.hospital.example")).await.is_ok());
    let wildcard = Check {
        wildcard: true,
        ..named.dns01("wild.hospital.example")
    };
    assert!(run(wildcard).await.is_ok());

    let label = "_ujmmovf2vn55tgye._acme-challenge.pacs.hospital.example";
    named.update(&format!("update add {label} 0 TXT \"{digest}\""));
    assert!(
        run(check(ChallengeKind::DnsAccount01, name, named.rules()))
            .await
            .is_ok()
    );
    assert!(run(named.dns01(name)).await.is_err());
    assert_eq!(KEY_AUTHORIZATION.split('.').count(), 2);
}

async fn aliases(named: &Named) {
    let proof = run(named.dns01("delegated.hospital.example"))
        .await
        .unwrap();
    assert_eq!(
        proof.names,
        [
            "_acme-challenge.delegated.hospital.example",
            "delegated.acme.example"
        ]
    );
    assert_eq!(
        run(named.dns01("far.hospital.example"))
            .await
            .unwrap()
            .names
            .len(),
        5
    );
    assert!(run(named.dns01("dname2.hospital.example")).await.is_ok());
    for name in ["circle", "dangling"] {
        let failure = run(named.dns01(&format!("{name}.hospital.example")))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns, "{failure}");
    }
}

async fn failures(named: &Named) {
    for (name, word) in [
        ("nowhere.hospital.example", "NXDOMAIN"),
        ("broken.example", "SERVFAIL"),
        ("secret.example", "REFUSED"),
    ] {
        let failure = run(named.dns01(name)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns);
        assert!(failure.detail.contains(word), "{failure}");
    }
}

async fn caa(named: &Named) {
    for (name, wildcard, admitted) in [
        ("open", false, true),
        ("below.open", false, true),
        ("ours", false, true),
        ("ours", true, true),
        ("deep.down.ours", false, true),
        ("strict", false, true),
        ("account", false, false),
        ("theirs", false, false),
        ("below.theirs", false, false),
        ("caaalias", false, false),
        ("nowild", false, true),
        ("nowild", true, false),
        ("future", false, false),
    ] {
        let query = CaaQuery {
            identities: vec!["ca.hospital.example".into()],
            wildcard,
            validation_method: "dns-01".into(),
            account_url: ACCOUNT.into(),
        };
        let name = format!("{name}.hospital.example");
        let asked = Validator::new().caa(&name, &query, &named.rules()).await;
        assert_eq!(asked.is_ok(), admitted, "{name} {wildcard}: {asked:?}");
        if let Err(failure) = asked {
            assert_eq!(failure.kind, FailureKind::Caa);
        }
    }
}

async fn addresses(named: &Named) {
    let server = Server::http(|_| ok(KEY_AUTHORIZATION));
    let rules = Rules {
        http_port: server.port(),
        ..named.rules()
    };
    for name in ["web", "alias"] {
        let name = format!("{name}.hospital.example");
        let proof = run(check(ChallengeKind::Http01, &name, rules.clone()))
            .await
            .unwrap();
        assert_eq!(proof.addresses, [server.address]);
        assert_eq!(proof.resolver, Some(named.address.to_string()));
    }
    for (name, word) in [("empty", "neither A nor AAAA"), ("nowhere", "NXDOMAIN")] {
        let name = format!("{name}.hospital.example");
        let failure = run(check(ChallengeKind::Http01, &name, rules.clone()))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Dns);
        assert!(failure.detail.contains(word), "{failure}");
    }
}
