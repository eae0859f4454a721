//! Reconcilers: each compares what is with what should be, does the difference, and waits for its timer or a nudge.
//!
//! None takes input, so that a lost nudge costs a delay and never a result. Where two nodes must not do the same work,
//! a lease decides.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use crate::old_tls::OldTls;
use crate::tls::CurrentCertificate;
use crate::{ServeError, Services, old_tls, own_certificate, risk};

/// How long this node may go on after another has taken its lease for dead.
const LEASE: Duration = Duration::from_secs(15);

/// Starts them all; they end when `stop` turns true.
pub(crate) fn start(
    services: &Arc<Services>,
    certificate: &Arc<CurrentCertificate>,
    old: &[Arc<OldTls>],
    stop: watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let (own, old) = (Arc::clone(certificate), old.to_vec());
    let holder = holder(services);
    let told = risk::Told::default();
    let cursor = Arc::new(Mutex::new(fleet::flow::MapCursor::starting()));
    vec![
        tokio::spawn(follow_log(Arc::clone(services), stop.clone())),
        tokio::spawn(publish(Arc::clone(services), stop.clone())),
        tokio::spawn(crate::events::run(Arc::clone(services), stop.clone())),
        tokio::spawn(crate::scans::run(Arc::clone(services), stop.clone())),
        every(
            services,
            &stop,
            "checkpoint",
            Duration::from_secs(1),
            |services| async move {
                services
                    .ca
                    .notary()
                    .await?
                    .checkpoint(services.now())
                    .await?;
                Ok::<(), ca::CaError>(())
            },
        ),
        every(
            services,
            &stop,
            "responders",
            Duration::from_secs(60),
            |services| async move {
                let now = services.now();
                services.ca.ensure_responders(now).await?;
                services.ca.renew_registration_authorities(now).await
            },
        ),
        every(
            services,
            &stop,
            "trust bundles",
            Duration::from_secs(60),
            |services| async move { services.bundles.follow(services.now()).await.map(drop) },
        ),
        every(
            services,
            &stop,
            "listener certificate",
            Duration::from_secs(60),
            move |services| {
                let own = Arc::clone(&own);
                async move { own_certificate::ensure(&services, &own).await }
            },
        ),
        every(
            services,
            &stop,
            "certificates of listeners for old devices",
            Duration::from_secs(60),
            move |services| {
                let old = old.clone();
                async move {
                    for tls in &old {
                        old_tls::ensure(&services, tls).await?;
                    }
                    Ok::<(), ServeError>(())
                }
            },
        ),
        every(
            services,
            &stop,
            "serial numbers",
            Duration::from_secs(15),
            |services| async move {
                services.ca.keep_serials(services.now()).await?;
                services.ca.void_abandoned(false, services.now()).await?;
                Ok::<(), ca::CaError>(())
            },
        ),
        leased(
            services,
            &stop,
            ("waiting requests", &holder),
            Duration::from_secs(60),
            |services| async move {
                services.access.expire_requests(services.now()).await?;
                services
                    .access
                    .end_cut_off_calls(false, services.now())
                    .await?;
                services.access.notice_expiry(services.now()).await?;
                services.access.forget_notices(services.now()).await?;
                Ok::<(), ca::CaError>(())
            },
        ),
        every(
            services,
            &stop,
            "finished sign-ins",
            Duration::from_secs(600),
            |services| async move {
                services.access.drop_ceremonies(services.now()).await?;
                Ok::<(), ca::CaError>(())
            },
        ),
        every(
            services,
            &stop,
            "calls that were agreed to",
            Duration::from_secs(2),
            |services| async move { crate::api::make_due_calls(&services).await },
        ),
        leased(
            services,
            &stop,
            ("ACME work left undone", &holder),
            Duration::from_secs(5),
            |services| async move { services.acme.resume(services.now()).await },
        ),
        leased(
            services,
            &stop,
            ("certificates whose end is due", &holder),
            Duration::from_secs(2),
            |services| async move { services.fleet.revoke_due(services.now()).await.map(drop) },
        ),
        leased(
            services,
            &stop,
            ("inventory", &holder),
            Duration::from_secs(2),
            |services| async move {
                let now = services.now();
                services.fleet.keep_inventory(now).await.map(drop)
            },
        ),
        leased(
            services,
            &stop,
            ("saved views", &holder),
            Duration::from_secs(2),
            |services| async move {
                services
                    .fleet
                    .reconcile_views(services.now())
                    .await
                    .map(drop)
            },
        ),
        leased(
            services,
            &stop,
            ("ACME pruning", &holder),
            Duration::from_secs(600),
            |services| async move { services.acme.prune(services.now()).await.map(drop) },
        ),
        leased(
            services,
            &stop,
            ("device enrolment pruning", &holder),
            Duration::from_secs(600),
            |services| async move { services.devices.prune(services.now()).await.map(drop) },
        ),
        leased(
            services,
            &stop,
            ("alerts", &holder),
            Duration::from_secs(2),
            |services| async move { crate::alerts::tell(&services).await },
        ),
        leased(
            services,
            &stop,
            ("word of requests", &holder),
            Duration::from_secs(5),
            |services| async move { crate::notices::tell(&services).await },
        ),
        leased(
            services,
            &stop,
            ("waivers whose time is over", &holder),
            Duration::from_secs(60),
            |services| async move { services.fleet.end_waivers(services.now()).await.map(drop) },
        ),
        every(
            services,
            &stop,
            "metrics of findings",
            Duration::from_secs(60),
            |services| async move { crate::api::findings::record_gauges(&services).await },
        ),
        leased(
            services,
            &stop,
            ("scans that segments ask for", &holder),
            Duration::from_secs(60),
            crate::scans::schedule,
        ),
        every(
            services,
            &stop,
            "figures about certificates",
            Duration::from_secs(60),
            move |services| {
                let told = told.clone();
                async move { risk::record(&services, &told).await }
            },
        ),
        every(
            services,
            &stop,
            "figures of the overview",
            Duration::from_secs(2),
            |services| async move { services.fleet.keep_figures(services.now()).await },
        ),
        leased(
            services,
            &stop,
            ("jobs", &holder),
            Duration::from_millis(500),
            crate::api::bulk::work,
        ),
        leased(
            services,
            &stop,
            ("posture of the day", &holder),
            Duration::from_secs(60),
            |services| async move { services.fleet.keep_day(services.now()).await.map(drop) },
        ),
        leased(
            services,
            &stop,
            ("data flows", &holder),
            Duration::from_secs(10),
            move |services| {
                let cursor = Arc::clone(&cursor);
                async move {
                    let mut cursor = cursor.lock().await;
                    let now = services.now();
                    services
                        .fleet
                        .follow_flows(&mut cursor, now)
                        .await
                        .map(drop)
                }
            },
        ),
        leased(
            services,
            &stop,
            ("risk of everything", &holder),
            Duration::from_secs(3600),
            |services| async move { services.fleet.assess_all(services.now()).await.map(drop) },
        ),
        every(
            services,
            &stop,
            "gauges",
            Duration::from_secs(5),
            |services| async move {
                // Else what is counted piles up until somebody asks for it, which may be never.
                services.metrics.run_upkeep();
                crate::api::status::record_gauges(&services).await
            },
        ),
    ]
}

/// The log is the change feed: what this or another process did to the database becomes visible here.
async fn follow_log(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let mut seen = services.store.log_size().await.unwrap_or_default();
    // What happened before this was not followed by anybody who is still alive.
    while let Err(error) = services.ca.mark_overtaken().await {
        tracing::warn!(%error, "cannot find out which lists are overtaken; trying again");
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
    }
    if let Err(error) = services.acme.refresh().await {
        tracing::warn!(%error, "ACME directories cannot be read anew");
    }
    if let Err(error) = services.devices.refresh().await {
        tracing::warn!(%error, "enrolment endpoints cannot be read anew");
    }
    loop {
        let unread = tokio::select! {
            unread = services.store.follow(seen, Duration::from_millis(500)) => unread,
            _ = stop.wait_for(|stopped| *stopped) => return,
        };
        let result = match unread {
            Ok(unread) => observe(&services, &mut seen, unread).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "the log cannot be followed; trying again");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

async fn observe(
    services: &Services,
    seen: &mut u64,
    unread: Range<u64>,
) -> Result<(), ca::CaError> {
    while *seen < unread.end && !unread.is_empty() {
        let entries = services.store.events(*seen, 512).await?;
        let Some(last) = entries.last() else {
            return Ok(());
        };
        for entry in &entries {
            // Issuance is most of the log and changes nothing that is cached.
            if let Some(event) = noteworthy(&entry.body) {
                services.access.observe(&event);
                services.acme.observe(&event).await;
                services.devices.observe(&event).await;
                services.ca.observe(&event).await?;
            }
        }
        *seen = last.seq + 1;
    }
    *seen = unread.end.max(*seen);
    Ok(())
}

/// Parses an event unless its action is one of those that every issuance writes.
fn noteworthy(body: &[u8]) -> Option<audit::Event> {
    let routine = [
        br#""action":"certificate.intend""#.as_slice(),
        br#""action":"certificate.reserve""#,
        br#""action":"certificate.unreserve""#,
        br#""action":"certificate.issue""#,
        br#""action":"acme.order."#,
        br#""action":"acme.authorization."#,
    ];
    let head = &body[..body.len().min(512)];
    let is_routine = routine
        .iter()
        .any(|action| head.windows(action.len()).any(|window| window == *action));
    if is_routine {
        None
    } else {
        audit::Event::parse(body).ok()
    }
}

/// CRLs: at once after a status change, otherwise at half-life.
async fn publish(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let holder = holder(&services);
    loop {
        let now = services.now();
        let result = match services.store.lease("publisher", &holder, LEASE, now).await {
            Ok(true) => services.ca.publish_due(now).await.map(drop),
            Ok(false) => Ok(()),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = result {
            metrics::counter!("ward_crl_publication_failures_total").increment(1);
            tracing::error!(%error, "CRL publication failed; trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::select! {
            () = services.ca.publication_nudged() => {}
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = stop.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Who takes leases. The only server takes over at once what it held before a crash.
fn holder(services: &Services) -> String {
    match services.alone {
        true => "the only server".to_owned(),
        false => format!("{}-{:x}", std::process::id(), services.now().0),
    }
}

/// As [`every`], on one node at a time.
fn leased<F, W, E>(
    services: &Arc<Services>,
    stop: &watch::Receiver<bool>,
    (name, holder): (&'static str, &str),
    period: Duration,
    work: W,
) -> JoinHandle<()>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: std::fmt::Display + From<store::StoreError> + Send + 'static,
    W: Fn(Arc<Services>) -> F + Clone + Send + Sync + 'static,
{
    let holder = holder.to_owned();
    every(services, stop, name, period, move |services| {
        let (holder, work) = (holder.clone(), work.clone());
        async move {
            let ttl = LEASE.max(period * 2);
            let ours = services.alone
                || services
                    .store
                    .lease(name, &holder, ttl, services.now())
                    .await?;
            match ours {
                true => work(services).await,
                false => Ok(()),
            }
        }
    })
}

fn every<F, W, E>(
    services: &Arc<Services>,
    stop: &watch::Receiver<bool>,
    name: &'static str,
    period: Duration,
    work: W,
) -> JoinHandle<()>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: std::fmt::Display + Send + 'static,
    W: Fn(Arc<Services>) -> F + Send + 'static,
{
    let (services, mut stop) = (Arc::clone(services), stop.clone());
    tokio::spawn(async move {
        loop {
            if let Err(error) = work(Arc::clone(&services)).await {
                tracing::error!(%error, "{name}: failed; trying again in {} s", period.as_secs());
            }
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                _ = stop.wait_for(|stopped| *stopped) => return,
            }
        }
    })
}
