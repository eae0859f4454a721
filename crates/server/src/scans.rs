//! Scans that run here: those of the queue whose segment's hours have come, and those that a segment asks for by itself,
//! day after day (R17). A segment that an agent looks at is left to it: it gets orders.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::{Action, Permit, Target};
use fleet::FleetError;
use fleet::agents::NewOrder;
use fleet::scan::{NewScan, Running, SERVER, Wanted};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Services;

const PERIOD: Duration = Duration::from_secs(3);

fn permit(services: &Services) -> Result<Permit, FleetError> {
    let principal = services.access.system_principal("discovery");
    let access = &services.access;
    Ok(access.decide(&principal, Action::RunDiscovery, &Target::default())?)
}

/// Puts a scan into the queue for every segment that wants one by now; where an agent looks, it gets an order.
pub(crate) async fn schedule(services: Arc<Services>) -> Result<(), FleetError> {
    let now = services.now();
    for Wanted { segment, agent } in services.fleet.scans_wanted(now).await? {
        let permit = permit(&services)?;
        let begun = match &agent {
            None => {
                let new = NewScan {
                    segment: segment.clone(),
                    ..NewScan::default()
                };
                let scan = services.fleet.start_scan(&permit, new, now).await;
                scan.map(|scan| scan.id)
            }
            Some(agent) => {
                let new = NewOrder::default();
                let order = services.fleet.order_agent(permit, agent, new, now).await;
                order.map(|order| order.id)
            }
        };
        match begun {
            Ok(scan) => tracing::info!(segment, scan, agent, "a scan is due"),
            Err(error) => tracing::warn!(segment, %error, "the scan that is due does not start"),
        }
    }
    Ok(())
}

/// Runs what is due, one scan a segment, until `stop` turns true; then they pause where they are.
pub(crate) async fn run(services: Arc<Services>, mut stop: watch::Receiver<bool>) {
    let mut at_work: HashMap<String, JoinHandle<()>> = HashMap::new();
    loop {
        at_work.retain(|_, task| !task.is_finished());
        match services.fleet.scans_due(services.now()).await {
            Ok(due) => {
                for scan in due {
                    at_work.entry(scan.segment).or_insert_with(|| {
                        tokio::spawn(one(Arc::clone(&services), scan.id, stop.clone()))
                    });
                }
            }
            Err(error) => tracing::error!(%error, "scans: cannot find out what is due"),
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.wait_for(|stopped| *stopped) => break,
        }
    }
    for (_, task) in at_work {
        // One that panicked has nothing left to pause.
        task.await.ok();
    }
}

async fn one(services: Arc<Services>, id: String, stop: watch::Receiver<bool>) {
    let clock = Arc::clone(&services);
    let mut see = |_: &agent::observation::Observation, _: (u64, u64)| {};
    let running = Running {
        clock: Arc::new(move || clock.now().0),
        from: SERVER.to_owned(),
        stop,
        see: &mut see,
    };
    let ran = match permit(&services) {
        Ok(permit) => services.fleet.run_scan(&permit, &id, running).await,
        Err(error) => Err(error),
    };
    match ran {
        Ok(scan) => {
            let (state, done, total, note) = (scan.state.name(), scan.done, scan.total, scan.note);
            tracing::info!(
                scan = id,
                segment = scan.segment,
                state,
                done,
                total,
                note,
                "a scan"
            );
        }
        Err(error) => {
            tracing::error!(scan = id, %error, "a scan failed; it goes on in a while");
            // Not in a circle with what may be a full disk.
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
}
