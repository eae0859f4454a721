//! What a certificate costs, all in but HTTP: CSR parsed, possession proved, checked, linted, signed
//! under a serial number that is reserved, recorded; and where the time goes.
//!
//! `cargo bench -p ca --bench issuance [-- URL]`; without a URL, SQLite in a temporary directory.
//! CPU is that of this process: on SQLite the database is in it, on PostgreSQL it is not.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use access::{Access, Action, Target};
use audit::Timestamp;
use ca::{Answers, Ca, IssueRequest, Outcome, RootKey};
use keys::{Backend, Keyring, KeyringConfig, Signer};
use store::Store;
use x509::ext::{ExtensionValue, SubjectAltName};
use x509::lint::LintContext;
use x509::{CertificationRequest, CsrBuilder, GeneralName, KeyAlgorithm};

const RUN: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let url = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"))
        .unwrap_or_else(|| format!("sqlite:{}/ward.db", directory.path().display()));
    let store = Store::open(&url, ca::MIGRATIONS).await.unwrap();
    let keyring = Keyring::open(KeyringConfig::new(directory.path())).unwrap();
    let access = Access::open(store.clone());
    let ca = Ca::open(store, keyring, access, now()).await.unwrap();
    let principal = ca.access().local_principal("bench");
    let permit = |action| {
        let access = ca.access();
        access
            .decide(&principal, action, &Target::default())
            .unwrap()
    };
    if ca.settings().is_none() {
        let root = RootKey::KeepOnline(Backend::Software);
        let answers = Answers::new("Bench Hospital");
        let init = permit(Action::ManageAuthorities);
        ca.init(init, &answers, root, now()).await.unwrap();
    }
    let csr = csr();
    ca.keep_serials(now()).await.unwrap();
    parts(&ca, &csr).await;
    println!(
        "{:>10} {:>10} {:>12} {:>10} {:>10}",
        "callers", "per s", "CPU us each", "p50 us", "p99 us"
    );
    for callers in [1, 8, 16, 64, 128] {
        whole(&ca, &csr, callers).await;
    }
    println!("{} MiB resident at most", memory());
}

/// The parts that can be run alone.
async fn parts(ca: &Ca, csr: &[u8]) {
    let parsed = CertificationRequest::from_der(csr).unwrap();
    let principal = ca.access().local_principal("bench");
    let permit = ca
        .access()
        .decide(&principal, Action::IssueCertificate, &Target::default())
        .unwrap();
    let request = IssueRequest::from_csr("server-tls", parsed.clone());
    let Outcome::Issued(issued) = ca.issue(permit, request, now()).await.unwrap() else {
        return;
    };
    let certificate = x509::Certificate::from_der(&issued.der).unwrap();
    let issuer = ca.issuer("servers").unwrap();
    let signer = issuer.signer().unwrap().clone();
    let context = LintContext::default();
    alone("parse the CSR", || {
        black_box(CertificationRequest::from_der(csr).unwrap());
    });
    alone("prove possession", || {
        black_box(parsed.verify_proof_of_possession()).unwrap();
    });
    alone("weakness of the key", || {
        black_box(parsed.public_key().weakness());
    });
    alone("lint", || {
        black_box(x509::lint::lint_tbs(certificate.tbs_der(), &context));
    });
    let algorithm = issuer.signature_algorithm();
    alone("sign", || {
        black_box(signer.sign(algorithm, certificate.tbs_der()).unwrap());
    });
}

fn alone(what: &str, work: impl Fn()) {
    const ROUNDS: u32 = 2000;
    (0..100).for_each(|_| work());
    let started = Instant::now();
    (0..ROUNDS).for_each(|_| work());
    println!(
        "{what:>24} {:8.1} us",
        started.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
    );
}

async fn whole(ca: &Ca, csr: &[u8], callers: usize) {
    let count = Arc::new(AtomicU64::new(0));
    let csr: Arc<[u8]> = csr.into();
    let (started, cpu) = (Instant::now(), cpu());
    let work: Vec<_> = (0..callers)
        .map(|_| {
            let (ca, csr, count) = (ca.clone(), Arc::clone(&csr), Arc::clone(&count));
            tokio::spawn(async move {
                let principal = ca.access().local_principal("bench");
                let mut taken = Vec::new();
                while started.elapsed() < RUN {
                    let begun = Instant::now();
                    let parsed = CertificationRequest::from_der(&csr).unwrap();
                    let request = IssueRequest::from_csr("server-tls", parsed);
                    let permit = ca
                        .access()
                        .decide(&principal, Action::IssueCertificate, &Target::default())
                        .unwrap();
                    ca.issue(permit, request, now()).await.unwrap();
                    taken.push(begun.elapsed());
                    count.fetch_add(1, Relaxed);
                }
                taken
            })
        })
        .collect();
    let mut taken = Vec::new();
    for done in work {
        taken.extend(done.await.unwrap());
    }
    taken.sort();
    let seconds = started.elapsed().as_secs_f64();
    let issued = count.load(Relaxed) as f64;
    let at = |share: f64| taken[((taken.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "{callers:>10} {:>10.0} {:>12.1} {:>10} {:>10}",
        issued / seconds,
        (self::cpu() - cpu) * 1e6 / issued,
        at(0.5),
        at(0.99)
    );
}

fn csr() -> Vec<u8> {
    let (pkcs8, key) = keys::generate_for_subscriber(KeyAlgorithm::EcdsaP256).unwrap();
    let signer = Signer::from_pkcs8(&pkcs8).unwrap();
    let names = vec![GeneralName::Dns("ehr.example.org".to_owned())];
    let builder = CsrBuilder::new("CN=ehr.example.org".parse().unwrap(), &key)
        .extension(SubjectAltName(names).encode());
    let tbs = builder.tbs();
    let algorithm = signer.algorithm().default_signature();
    x509::assemble(&tbs, algorithm, &signer.sign(algorithm, &tbs).unwrap())
}

fn now() -> Timestamp {
    let elapsed = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp(elapsed.as_millis() as i64)
}

/// Seconds of CPU that this process has used: user and system time of /proc/self/stat.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse().unwrap())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}

fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}
