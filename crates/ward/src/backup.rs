//! `ward backup` and `ward restore`: a copy is worth something only when it has been read back and verified.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use access::Action;
use audit::verify::Report as Verdict;
use audit::{Event, Object};
use serde_json::json;
use store::{Store, Write};

use crate::args::Place;
use crate::audit_log::judged;
use crate::clock;
use crate::confirm::confirm;
use crate::context::{Context, configuration, data_directory, migrations, sqlite_file};
use crate::output::{Done, Failure, failed};
use crate::progress::Progress;

pub(crate) async fn backup(place: &Place, file: &Path) -> Done {
    let context = Context::open(place).await?;
    let permit = context.permit(Action::ManageBackups).await?;
    if file.exists() {
        return Err(Failure::Failed(format!(
            "{} is there already",
            file.display()
        )));
    }
    // First, so that the copy says of itself when and by whom it was made.
    let event = Event::new(
        clock::now(),
        permit.actor().clone(),
        "backup.make",
        Object::new("backup", file.display().to_string()),
    );
    context.store.commit(Write::new(event)?).await?;
    context.store.backup(file).await?;
    let copy = Store::open(&format!("sqlite:{}", file.display()), &migrations()).await?;
    let (key, verdict) = verify(&copy, "copy verified:").await?;
    let mut report = judged(&file.display().to_string(), &verdict, &key);
    report.text.push_str("\nThe key-encrypting key is not in it: keep kek.json, and kek or your passphrase, apart from it.");
    report.json = json!({ "file": file, "verified": verdict.is_ok(), "size": verdict.size, "root": verdict.root, "findings": verdict.findings });
    Ok(report)
}

pub(crate) async fn restore(place: &Place, file: &Path, replace: bool, yes: bool) -> Done {
    if !file.exists() {
        return Err(Failure::NotFound(format!(
            "{} is not there",
            file.display()
        )));
    }
    let data = data_directory(place);
    let config = configuration(place, &data)?;
    let kept = match sqlite_file(&config.database) {
        Some(database) if database.exists() => Some(set_aside(database, replace, yes)?),
        _ => None,
    };
    if let Err(error) = store::restore(file, &config.database, &migrations()).await {
        put_back(kept.as_ref());
        return Err(error.into());
    }
    if let Some(database) = sqlite_file(&config.database) {
        give_to_owner_of_directory(database)?;
    }
    let store = Store::open(&config.database, &migrations()).await?;
    let (key, verdict) = verify(&store, "restored events verified:").await?;
    let access = access::Access::open(store.clone());
    let actor = access
        .local_principal(&crate::context::operating_system_user())
        .actor()
        .clone();
    let event = Event::new(
        clock::now(),
        actor,
        "backup.restore",
        Object::new("backup", file.display().to_string()),
    )
    .after(json!({ "size": verdict.size, "root": verdict.root, "verified": verdict.is_ok() }));
    store.commit(Write::new(event)?).await?;
    let mut report = judged("the restored database", &verdict, &key);
    if let Some(kept) = &kept {
        report.text.push_str(&format!(
            "\nThe former database is kept as {}",
            kept.aside.display()
        ));
    }
    report.text.push_str(
        "\nWhat happened after the backup is not in it. Compare with a checkpoint that was kept elsewhere \
         (ward audit verify --since FILE), and see docs/operate.md, \"After a restore\".",
    );
    report.json = json!({
        "database": config.database, "verified": verdict.is_ok(), "size": verdict.size, "root": verdict.root,
        "findings": verdict.findings, "former": kept.map(|kept| kept.aside),
    });
    Ok(report)
}

async fn verify(store: &Store, what: &'static str) -> Result<(String, Verdict), Failure> {
    let key = ca::stored_log_key(store).await?;
    let key = key.ok_or_else(|| Failure::Failed("there is no hierarchy in it".into()))?;
    let mut progress = Progress::new(what);
    let verdict = ca::verify_log(store, &key, None, clock::now(), |done, of| {
        progress.at(done, of)
    })
    .await?;
    Ok((key.to_string(), verdict))
}

/// A database that was moved out of the way, with the files that SQLite keeps beside it.
struct Kept {
    database: PathBuf,
    aside: PathBuf,
}

const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

fn set_aside(database: &Path, replace: bool, yes: bool) -> Result<Kept, Failure> {
    if !replace {
        return Err(Failure::Failed(format!(
            "there is a database at {}: --replace puts the backup in its place",
            database.display()
        )));
    }
    no_server(database)?;
    confirm(
        yes,
        &format!(
            "The database {} gives way to the backup.",
            database.display()
        ),
    )?;
    let kept = Kept {
        database: database.to_owned(),
        aside: beside(
            database,
            &format!("-before-restore-{}", clock::now().seconds()),
        ),
    };
    for companion in COMPANIONS {
        let from = beside(database, companion);
        if from.exists() {
            std::fs::rename(&from, beside(&kept.aside, companion)).map_err(failed)?;
        }
    }
    Ok(kept)
}

/// Restored by root, used by the service: the database belongs to whoever its directory belongs to.
fn give_to_owner_of_directory(database: &Path) -> Result<(), Failure> {
    let directory = match database.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (to, own) = (
        std::fs::metadata(directory).map_err(failed)?,
        std::fs::metadata(database).map_err(failed)?,
    );
    if own.uid() != 0 || (own.uid(), own.gid()) == (to.uid(), to.gid()) {
        return Ok(());
    }
    std::os::unix::fs::chown(database, Some(to.uid()), Some(to.gid())).map_err(failed)
}

fn put_back(kept: Option<&Kept>) {
    let Some(kept) = kept else { return };
    for companion in COMPANIONS {
        // What cannot be moved back is still there, under the name that the message gives.
        let _ = std::fs::rename(
            beside(&kept.aside, companion),
            beside(&kept.database, companion),
        );
    }
}

/// A server that works on the file would go on writing into what is no longer there.
fn no_server(database: &Path) -> Result<(), Failure> {
    let Ok(lock) = std::fs::File::open(beside(database, ".lock")) else {
        return Ok(());
    };
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Failed(format!(
            "a server works on {}: stop it first",
            database.display()
        ))),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
