//! Certificates by OpenSSL, and facts about them in which nothing is wrong.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use agent::observation::{Outcome, Place, TlsSeen, Version, VersionSeen};
use audit::Timestamp;
use fleet::finding::{Anchors, Origin, Policy};
use fleet::inventory::{Assigned, Facts, PlaceFacts};
use x509::Certificate;

const STATUS: &str = "crlDistributionPoints=URI:http://pki.example/ca.crl\nauthorityInfoAccess=OCSP;URI:http://pki.example/ocsp";
const SERVER: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";
const CLIENT: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";
const AUTHORITY: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n\
    authorityKeyIdentifier=keyid";
const UNTHINKING: &str = "basicConstraints=critical,CA:TRUE\nsubjectKeyIdentifier=hash";
const NAME: &str = "subjectAltName=DNS:icu.example,DNS:*.ward.example,IP:10.10.0.7";
const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// Certificates by the name of their file.
pub(crate) fn certificate(name: &str) -> Arc<Certificate> {
    static ALL: OnceLock<HashMap<&'static str, Arc<Certificate>>> = OnceLock::new();
    let all = ALL.get_or_init(make);
    Arc::clone(
        all.get(name)
            .unwrap_or_else(|| panic!("no certificate {name}")),
    )
}

struct Workshop<'a> {
    folder: &'a Path,
    made: HashMap<&'static str, Arc<Certificate>>,
}

/// One certificate to be made.
struct Wish<'a> {
    key: &'a [&'a str],
    subject: &'a str,
    extensions: &'a [&'a str],
    /// Self-signed without one.
    issuer: Option<&'a str>,
    days: u32,
    more: &'a [&'a str],
}

fn make() -> HashMap<&'static str, Arc<Certificate>> {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Workshop {
        folder: folder.path(),
        made: HashMap::new(),
    };
    let ca = |subject, issuer, days| Wish {
        key: P256,
        subject,
        extensions: &[AUTHORITY],
        issuer,
        days,
        more: &[],
    };
    shop.make("root", ca("/CN=Root", None, 3650));
    shop.make("issuing", ca("/CN=Issuing", Some("root"), 1825));
    shop.make("brief", ca("/CN=Brief", Some("root"), 5));
    shop.make("stranger", ca("/CN=Stranger", None, 3650));
    // As `openssl req -x509` makes them for a host.
    let own = |subject, extensions| Wish {
        key: P256,
        subject,
        extensions,
        issuer: None,
        days: 365,
        more: &[],
    };
    shop.make("own", own("/CN=pacs1.example", &[UNTHINKING]));
    shop.make("own-named", own("/CN=PACS", &[AUTHORITY, NAME]));
    let leaf = || Wish {
        key: P256,
        subject: "/CN=icu.example",
        extensions: &[SERVER, NAME, STATUS],
        issuer: Some("issuing"),
        days: 180,
        more: &[],
    };
    shop.make("sound", leaf());
    shop.make("rsa", Wish { key: RSA, ..leaf() });
    let small: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
    shop.make(
        "small",
        Wish {
            key: small,
            ..leaf()
        },
    );
    let three: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_pubexp:3"];
    shop.make(
        "exponent",
        Wish {
            key: three,
            ..leaf()
        },
    );
    shop.make(
        "sha1",
        Wish {
            more: &["-sha1"],
            ..leaf()
        },
    );
    shop.make(
        "negative",
        Wish {
            more: &["-set_serial", "-5"],
            ..leaf()
        },
    );
    shop.make(
        "long",
        Wish {
            days: 1200,
            ..leaf()
        },
    );
    shop.make(
        "brief-leaf",
        Wish {
            issuer: Some("brief"),
            ..leaf()
        },
    );
    shop.make(
        "foreign",
        Wish {
            issuer: Some("stranger"),
            ..leaf()
        },
    );
    shop.make(
        "self",
        Wish {
            issuer: None,
            ..leaf()
        },
    );
    shop.make(
        "statusless",
        Wish {
            extensions: &[SERVER, NAME],
            ..leaf()
        },
    );
    shop.make(
        "nameless",
        Wish {
            extensions: &[SERVER, STATUS],
            ..leaf()
        },
    );
    shop.make(
        "client",
        Wish {
            extensions: &[CLIENT, NAME, STATUS],
            ..leaf()
        },
    );
    let default = "/C=AU/O=Internet Widgits Pty Ltd/CN=icu.example";
    shop.make(
        "default",
        Wish {
            subject: default,
            ..leaf()
        },
    );
    shop.made
}

impl Workshop<'_> {
    fn make(&mut self, name: &'static str, wish: Wish<'_>) {
        let file = |ending: &str| format!("{name}.{ending}");
        let key = file("key");
        let mut genpkey = vec!["genpkey", "-out", &key, "-algorithm"];
        genpkey.extend(wish.key);
        self.openssl(&genpkey);
        let extensions = wish.extensions.join("\n");
        let config = format!("[req]\ndistinguished_name=dn\n[dn]\n[ext]\n{extensions}\n");
        std::fs::write(self.folder.join(file("cnf")), config).unwrap();
        let (csr, cnf, crt, days) = (file("csr"), file("cnf"), file("crt"), wish.days.to_string());
        self.openssl(&[
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            wish.subject,
            "-config",
            &cnf,
            "-out",
            &csr,
        ]);
        let by = wish.issuer.unwrap_or(name);
        let (ca, ca_key) = (format!("{by}.crt"), format!("{by}.key"));
        let mut sign = vec![
            "x509",
            "-req",
            "-in",
            &csr,
            "-days",
            &days,
            "-extfile",
            &cnf,
            "-extensions",
            "ext",
            "-out",
            &crt,
        ];
        match wish.issuer {
            Some(_) => sign.extend(["-CA", &ca, "-CAkey", &ca_key]),
            None => sign.extend(["-key", &key]),
        }
        let serial = format!("0x5{:019x}", self.made.len() + 0x1000_0000_0000);
        if !wish.more.contains(&"-set_serial") {
            sign.extend(["-set_serial", &serial]);
        }
        sign.extend(wish.more);
        self.openssl(&sign);
        let pem = std::fs::read(self.folder.join(crt)).unwrap();
        self.made
            .insert(name, Arc::new(Certificate::from_pem(&pem).unwrap()));
    }

    fn openssl(&self, arguments: &[&str]) {
        let done = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder)
            .output()
            .expect("openssl is installed");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "openssl {arguments:?}: {said}");
    }
}

/// Ten days after a certificate began.
pub(crate) fn young(facts: &Facts) -> Timestamp {
    after_begin(facts, 10)
}

pub(crate) fn after_begin(facts: &Facts, days: i64) -> Timestamp {
    Timestamp((facts.certificate.not_before().0 + days * 86_400) * 1000)
}

pub(crate) fn before_end(facts: &Facts, days: i64) -> Timestamp {
    Timestamp((facts.certificate.not_after().0 - days * 86_400) * 1000)
}

/// Trusts the root, as a house that runs it does.
pub(crate) fn policy() -> Policy {
    let mut anchors = Anchors::default();
    anchors.add(certificate("root").as_ref().clone(), Origin::Bundle);
    Policy::trusting(anchors)
}

/// A certificate of that name on a server that does everything right.
pub(crate) fn facts(name: &str) -> Facts {
    let certificate = certificate(name);
    Facts {
        id: 1,
        sha256: certificate.fingerprint(),
        key: "ec-p256".to_owned(),
        key_bits: 256,
        self_signed: false,
        issuers: vec![self::certificate("issuing"), self::certificate("root")],
        authority: None,
        recorded: false,
        revoked: None,
        places: vec![place(name)],
        key_elsewhere: Vec::new(),
        assigned: Assigned {
            owner: Some("biomed".to_owned()),
            ..Assigned::default()
        },
        flows: Vec::new(),
        certificate,
    }
}

pub(crate) fn place(name: &str) -> PlaceFacts {
    PlaceFacts {
        id: 7,
        place: Place::Network {
            address: [10, 10, 0, 7].into(),
            port: 443,
            sni: Some("icu.example".to_owned()),
            starttls: None,
        },
        outcome: Outcome::Certificate,
        segment: Some("icu".to_owned()),
        asset: None,
        tls: Some(tls(&[
            (Version::Tls12, &[0xc02b, 0xc02c]),
            (Version::Tls13, &[0x1301, 0x1302, 0x1303]),
        ])),
        chain: vec![certificate(name), certificate("issuing")],
        first_seen: 0,
        last_seen: 0,
        expected: None,
    }
}

/// A server that was asked for everything and takes this.
pub(crate) fn tls(versions: &[(Version, &[u16])]) -> TlsSeen {
    let seen = versions.iter().map(|(version, suites)| VersionSeen {
        version: *version,
        suites: suites.to_vec(),
        server_order: None,
        complete: true,
    });
    let (version, suites) = versions.last().unwrap();
    TlsSeen {
        versions: seen.collect(),
        negotiated: Some((*version, suites[0])),
        groups: vec![0x11ec, 0x001d],
        compression: Some(0),
        ..TlsSeen::default()
    }
}
