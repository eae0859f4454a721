//! `ward init`: from a few answers to a hierarchy, with the root key outside of the machine.

use std::io::Read;
use std::path::{Path, PathBuf};

use ::ca::profile::Duration;
use ::ca::{Answers, Carry, InitReport, RootKey};
use access::Action;
use clap::Args;
use keys::Backend;
use serde_json::{Value, json};
use server::config::Config;
use zeroize::Zeroizing;

use crate::args::Place;
use crate::clock;
use crate::context::{Context, configuration, data_directory, sqlite_file};
use crate::output::{
    Done, Failure, Report, add, failed, read_secret, read_text, table, write_secret,
};

#[derive(Args)]
#[command(
    after_help = "Example:\n  ward init --organization \"Mercy Hospital\" --publish-url http://pki.example.org --root-out /media/usb"
)]
pub(crate) struct Init {
    /// Answers file (TOML); flags win over it.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// O= of every authority.
    #[arg(long)]
    organization: Option<String>,
    /// C= of every authority, two letters.
    #[arg(long)]
    country: Option<String>,
    /// Where relying parties fetch CRLs, OCSP and issuer certificates: the plain HTTP listener as they see it.
    #[arg(long, value_name = "URL")]
    publish_url: Option<String>,
    /// Directory, usually removable, that receives the encrypted root key.
    #[arg(long, value_name = "DIR", conflicts_with = "keep_root_online")]
    root_out: Option<PathBuf>,
    /// File with the passphrase for the root key (at least 12 characters); made when it is not there. Default: DATA/root-passphrase.
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
    /// Keep the root key in this machine's key store. Anybody who takes the machine takes the hierarchy.
    #[arg(long)]
    keep_root_online: bool,
    /// Where keys live: `software` or `pkcs11:TOKEN-LABEL` (the token must be in ward.toml).
    #[arg(long, value_parser = crate::args::backend)]
    backend: Option<keys::Backend>,
    /// Key algorithm of issuing authorities: ecdsa-p256, ecdsa-p384, rsa-3072 …
    #[arg(long)]
    algorithm: Option<::x509::KeyAlgorithm>,
    /// HTTPS listener, written to ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<std::net::SocketAddr>,
    /// Plain HTTP listener, written to ward.toml.
    #[arg(long, value_name = "ADDR:PORT")]
    http: Option<std::net::SocketAddr>,
    /// Make no ACME directory. Otherwise there is one, `servers`, that lets in whoever holds an external account key.
    #[arg(long)]
    no_acme: bool,
    /// Show what would be made, make nothing.
    #[arg(long)]
    dry_run: bool,
}

/// What `--dry-run` says without making anything.
const NOTHING_MADE: &str = "nothing was made";

pub(crate) async fn run(place: &Place, init: &Init) -> Done {
    let data = data_directory(place);
    let answers = answers(init)?;
    let settings = Settings::of(place, init, &data)?;
    let root = RootPlan::of(init, &data, &answers)?;
    if init.dry_run {
        let json = json!({ "dry_run": true, "data": data, "answers": answers, "ward_toml": settings.toml, "root_key": root.to_json() });
        let text = format!(
            "{}\n\n{}\n\n{NOTHING_MADE}",
            hierarchy(&answers),
            root.in_words()
        );
        return Ok(Report::new(json, text));
    }
    make_private_directory(&data)?;
    settings.write()?;
    let context = Context::on(configuration(place, &data)?).await?;
    if context.ca.settings().is_some() {
        return Err(Failure::Failed(format!(
            "{} has a hierarchy already: `ward ca create` adds an authority to it, another --data begins another",
            data.display()
        )));
    }
    check_tokens(&context, &answers)?;
    let permit = context.permit(Action::ManageAuthorities).await?;
    let (root_key, made_passphrase) = root.prepare()?;
    let report = context
        .ca
        .init(permit, &answers, root_key, clock::now())
        .await?;
    let acme = match init.no_acme {
        true => None,
        false => crate::acme::directory::make_default(&context).await?,
    };
    let first = crate::sign_in::first_link(&context).await?;
    let mut made = made(
        &data,
        &root,
        made_passphrase.as_deref(),
        &report,
        acme.as_deref(),
    );
    if let Some(url) = &first {
        add(&mut made.json, "first_administrator", json!(url));
        made.text
            .push_str(&format!("\n\n{}", crate::sign_in::first_words(url)));
    }
    Ok(made)
}

/// Before anything is made: a token that is missing halfway would leave a root key that belongs to nothing.
fn check_tokens(context: &Context, answers: &Answers) -> Result<(), Failure> {
    let known = context.keyring.token_status();
    for authority in &answers.authorities {
        let Backend::Pkcs11 { token } = &authority.backend else {
            continue;
        };
        match known.iter().find(|status| status.label == *token) {
            Some(status) if status.available => {}
            Some(status) => {
                let problem = status.problem.as_deref().unwrap_or("not available");
                return Err(failed(format!("token {token}: {problem}")));
            }
            None => {
                return Err(failed(format!(
                    "token {token} is not in {}: add it under [[keys.pkcs11]]",
                    context.config.data.join("ward.toml").display()
                )));
            }
        }
    }
    Ok(())
}

/// The answers file, then the flags over it.
fn answers(init: &Init) -> Result<Answers, Failure> {
    let mut answers = match (&init.answers, &init.organization) {
        (Some(file), _) => {
            let text = read_text(file)?;
            Answers::parse(&text)
                .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?
        }
        (None, Some(organization)) => Answers::new(organization.clone()),
        (None, None) => {
            return Err(Failure::Usage(
                "say --organization \"NAME\", or --answers FILE".into(),
            ));
        }
    };
    if let Some(organization) = &init.organization {
        answers.organization.clone_from(organization);
    }
    if init.country.is_some() {
        answers.country.clone_from(&init.country);
    }
    if let Some(url) = &init.publish_url {
        url.trim_end_matches('/').clone_into(&mut answers.base_url);
    } else if init.answers.is_none() {
        return Err(Failure::Usage(
            "say --publish-url http://HOST: where relying parties fetch CRLs and OCSP. It stands in every certificate".into(),
        ));
    }
    for authority in &mut answers.authorities {
        if let Some(algorithm) = init.algorithm {
            authority.algorithm = algorithm;
        }
        if let Some(backend) = &init.backend {
            authority.backend = backend.clone();
        }
    }
    Ok(answers)
}

/// ward.toml: written when it is absent, held against the flags when it is there.
struct Settings {
    file: PathBuf,
    /// `None`: it is there already and agrees.
    toml: Option<String>,
}

impl Settings {
    fn of(place: &Place, init: &Init, data: &Path) -> Result<Self, Failure> {
        let file = data.join("ward.toml");
        if !file.exists() {
            let toml = ward_toml(place, init)?;
            return Ok(Self {
                file,
                toml: Some(toml),
            });
        }
        let config = Config::load(data).map_err(failed)?;
        let differs = |key: &str, there: &str, asked: &str| {
            Failure::Usage(format!(
                "{} says {key} = {there:?}, the command line says {asked:?}: change one of them",
                file.display()
            ))
        };
        for (key, there, asked) in [
            ("listen.api", config.api, init.listen),
            ("listen.status", config.status, init.http),
        ] {
            match asked {
                Some(asked) if asked != there => {
                    return Err(differs(key, &there.to_string(), &asked.to_string()));
                }
                _ => {}
            }
        }
        match &place.database {
            Some(asked) if *asked != config.database => {
                Err(differs("database.url", &config.database, asked))
            }
            _ => Ok(Self { file, toml: None }),
        }
    }

    fn write(&self) -> Result<(), Failure> {
        match &self.toml {
            // A database URL may hold a password.
            Some(toml) => write_secret(&self.file, toml.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Only what was said: the rest keeps following Ward's defaults.
fn ward_toml(place: &Place, init: &Init) -> Result<String, Failure> {
    let mut toml =
        "# Every key and its default: docs/operate.md. A restart of `ward serve` reads it anew.\n"
            .to_owned();
    if let Some(url) = &place.database {
        let url = absolute_database(url)?;
        toml.push_str(&format!("\n[database]\nurl = {}\n", toml::Value::from(url)));
    }
    if init.listen.is_some() || init.http.is_some() {
        toml.push_str("\n[listen]\n");
    }
    if let Some(address) = init.listen {
        toml.push_str(&format!("api = \"{address}\"\n"));
    }
    if let Some(address) = init.http {
        toml.push_str(&format!("status = \"{address}\"\n"));
    }
    Ok(toml)
}

/// On the command line a path is relative to where one stands; in ward.toml, to the data directory.
fn absolute_database(url: &str) -> Result<String, Failure> {
    match sqlite_file(url) {
        Some(file) => Ok(format!(
            "sqlite:{}",
            std::path::absolute(file).map_err(failed)?.display()
        )),
        None => Ok(url.to_owned()),
    }
}

/// What becomes of the root's private key.
struct RootPlan {
    kind: RootKind,
}

enum RootKind {
    Carried {
        directory: PathBuf,
        passphrase_file: PathBuf,
    },
    Online(Backend),
}

impl RootPlan {
    fn of(init: &Init, data: &Path, answers: &Answers) -> Result<Self, Failure> {
        let kind = match (&init.root_out, init.keep_root_online) {
            (Some(directory), _) => {
                let key = directory.join(format!("{}-key.pem", answers.root.name));
                if key.exists() {
                    return Err(Failure::Failed(format!(
                        "{} is there already: it may be the key of another hierarchy",
                        key.display()
                    )));
                }
                let passphrase_file = init
                    .root_passphrase_file
                    .clone()
                    .unwrap_or_else(|| data.join("root-passphrase"));
                RootKind::Carried {
                    directory: directory.clone(),
                    passphrase_file,
                }
            }
            (None, true) => RootKind::Online(init.backend.clone().unwrap_or(Backend::Software)),
            (None, false) => {
                return Err(Failure::Usage(
                    "say where the root key goes: --root-out DIR (a removable medium), or --keep-root-online for a hierarchy that is only tried out".into(),
                ));
            }
        };
        Ok(Self { kind })
    }

    /// Gives the key's destination, and the passphrase file if it was made now.
    fn prepare(&self) -> Result<(RootKey, Option<PathBuf>), Failure> {
        match &self.kind {
            RootKind::Online(backend) => Ok((RootKey::KeepOnline(backend.clone()), None)),
            RootKind::Carried {
                directory,
                passphrase_file,
            } => {
                let made = !passphrase_file.exists();
                if made {
                    write_secret(
                        passphrase_file,
                        format!("{}\n", *random_passphrase()?).as_bytes(),
                    )?;
                }
                let passphrase = read_secret(passphrase_file)?;
                let carry = Carry {
                    directory: directory.clone(),
                    passphrase,
                };
                Ok((RootKey::Carry(carry), made.then(|| passphrase_file.clone())))
            }
        }
    }

    fn to_json(&self) -> Value {
        match &self.kind {
            RootKind::Carried {
                directory,
                passphrase_file,
            } => json!({ "directory": directory, "passphrase_file": passphrase_file }),
            RootKind::Online(backend) => json!({ "kept_online": backend }),
        }
    }

    fn in_words(&self) -> String {
        match &self.kind {
            RootKind::Carried { directory, passphrase_file } => format!(
                "The root key would be written, encrypted, to {}; its passphrase is in {}{}.",
                directory.display(),
                passphrase_file.display(),
                if passphrase_file.exists() { "" } else { ", which would be made" }
            ),
            RootKind::Online(_) => "The root key would stay on this machine: whoever takes the machine takes the hierarchy.".into(),
        }
    }
}

/// 160 random bits in an alphabet without look-alikes, in groups that can be copied by hand.
fn random_passphrase() -> Result<Zeroizing<String>, Failure> {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let mut bytes = Zeroizing::new([0_u8; 32]);
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut *bytes))
        .map_err(failed)?;
    // Sized beforehand: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(39));
    for (position, byte) in bytes.iter().enumerate() {
        if position > 0 && position % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    Ok(text)
}

fn make_private_directory(data: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let in_data = |error: std::io::Error| failed(format!("{}: {error}", data.display()));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .map_err(in_data)?;
    let mut permissions = std::fs::metadata(data).map_err(in_data)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o700);
        std::fs::set_permissions(data, permissions).map_err(in_data)?;
    }
    Ok(())
}

fn hierarchy(answers: &Answers) -> String {
    let root = &answers.root;
    let mut rows = vec![vec![
        root.name.clone(),
        root.algorithm.to_string(),
        days(root.validity),
        "root".into(),
    ]];
    for authority in &answers.authorities {
        rows.push(vec![
            format!("  {}", authority.name),
            authority.algorithm.to_string(),
            days(authority.validity),
            backend_text(&authority.backend),
        ]);
    }
    let table = table(&["AUTHORITY", "KEY", "VALIDITY", "WHERE"], &rows);
    format!(
        "{}, published at {}\n\n{table}",
        answers.organization, answers.base_url
    )
}

fn days(validity: Duration) -> String {
    validity.to_string()
}

fn backend_text(backend: &Backend) -> String {
    match backend {
        Backend::Software => "software".into(),
        Backend::Pkcs11 { token } => format!("pkcs11:{token}"),
    }
}

fn made(
    data: &Path,
    root: &RootPlan,
    made_passphrase: Option<&Path>,
    report: &InitReport,
    acme: Option<&str>,
) -> Report {
    let rows: Vec<Vec<String>> = report
        .issuers
        .iter()
        .map(|issuer| {
            vec![
                issuer.id.clone(),
                issuer.subject.clone(),
                issuer.sha256.get(..16).unwrap_or_default().to_owned(),
            ]
        })
        .collect();
    let mut text = format!("{}\n", table(&["AUTHORITY", "SUBJECT", "SHA-256"], &rows));
    text.push_str(&format!(
        "\nAudit log key (give it to your auditors, once, by another way):\n  {}\n",
        report.log_key
    ));
    match &root.kind {
        RootKind::Carried {
            passphrase_file, ..
        } => {
            text.push_str(
                "\nThe root key is not kept here. These files belong on a medium in a safe:\n",
            );
            for file in &report.root_files {
                text.push_str(&format!("  {}\n", file.display()));
            }
            let made = if made_passphrase.is_some() {
                "was made in"
            } else {
                "is in"
            };
            text.push_str(&format!(
                "Its passphrase {made} {}: keep it apart from the medium, then remove it from this machine.\n",
                passphrase_file.display()
            ));
        }
        RootKind::Online(_) => text.push_str(
            "\nThe root key stays on this machine, as you said; `ward status` keeps saying so.\n",
        ),
    }
    let shown = data.display();
    if let Some(url) = acme {
        text.push_str(&format!(
            "\nACME clients are served at {url}\nand let in with a key: ward acme eab create --data {shown} --directory servers --owner NAME\n"
        ));
    }
    text.push_str(&format!(
        "\nNext:\n  ward serve --data {shown}\n  ward ca export root --data {shown} --out root.pem    (what relying parties must trust)\n  \
         ward cert issue --data {shown} --profile server-tls --csr web.csr --out web.pem\n  ward status --data {shown}"
    ));
    let json = json!({
        "data": data,
        "issuers": report.issuers,
        "log_key": report.log_key,
        "root_files": report.root_files,
        "root_key": root.to_json(),
        "root_passphrase_made": made_passphrase,
        "acme": acme,
    });
    Report::new(json, text)
}
