//! `ward discover capture`: certificates in what passes an interface of this host. Nothing is sent, and no data directory is
//! needed (R53).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use access::Refusal;
use agent::capture::{Limits, ListenError, Listener, Summary, listen};
use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::found::{Found, Out, printable};
use super::passive::own_name;
use crate::clock;
use crate::output::{Done, Failure, failed};

/// How often what was found is handed to the file, so that whoever reads along, or a power failure, finds it there.
const FLUSH: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct Capture {
    /// The interface: eth0, or that of a span port.
    #[arg(long, value_name = "NAME")]
    interface: String,
    /// Leave the interface as it is: what is not addressed to this host is then seen only where somebody else made the
    /// interface promiscuous.
    #[arg(long)]
    no_promiscuous: bool,
    /// End after so long: 90s, 10m, 8h, 7d. Without it, at an interrupt.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    time: Option<Duration>,
    #[command(flatten)]
    out: Out,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number and s, m, h or d: 90s, 10m, 8h, 7d".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        'd' => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number = text.strip_suffix(unit).unwrap_or_default();
    let number: u32 = number.parse().map_err(|_| wrong())?;
    match number {
        0 => Err(wrong()),
        number => Ok(Duration::from_secs(seconds * u64::from(number))),
    }
}

pub(super) async fn capture(options: Capture) -> Done {
    let interface = options.interface;
    let listener = Listener::open(&interface, !options.no_promiscuous).map_err(refused)?;
    let mut found = Found::new(&options.out)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let time = options.time;
    let end = tokio::spawn(async move {
        let over = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = over => {}
        }
        stopping.store(true, Ordering::Relaxed);
    });
    eprintln!(
        "listening on {}{}",
        printable(&interface),
        match listener.is_promiscuous() {
            true => "",
            false => ", which is not promiscuous: what is not addressed to this host is not seen",
        }
    );
    let name = format!("{}:{interface}", own_name()?);
    let listened = tokio::task::spawn_blocking(move || {
        let summary = attend(listener, &name, &stop, &mut found);
        (found, summary)
    });
    let (found, summary) = listened.await.map_err(failed)?;
    end.abort();
    let text = said(&interface, &summary);
    let whole = matches!(summary.end, Some(agent::capture::End::Whole));
    Ok(found
        .report(json!({ interface: summary }), &text)?
        .judged(whole))
}

/// Listens until it is told to stop, or what was found can no longer be written down.
fn attend(listener: Listener, name: &str, stop: &AtomicBool, found: &mut Found) -> Summary {
    let found = std::cell::RefCell::new(found);
    let mut flushed = Instant::now();
    let go_on = |_: &Summary| {
        if flushed.elapsed() >= FLUSH {
            found.borrow_mut().flush();
            flushed = Instant::now();
        }
        !stop.load(Ordering::Relaxed) && !found.borrow().is_lost()
    };
    listen(
        listener,
        name,
        Limits::default(),
        || clock::now().0,
        go_on,
        |seen| found.borrow_mut().note(&seen),
    )
}

fn said(interface: &str, summary: &Summary) -> String {
    let ended = &summary.ended;
    let mut text = format!(
        "{}: {} packets, {} dropped by the kernel, {} connections, {} of them TLS, {} TLS and not whole",
        printable(interface),
        summary.packets,
        summary.dropped,
        summary.connections,
        ended.tls,
        ended.tls_incomplete
    );
    if let Some(agent::capture::End::Unreadable { why, .. }) = &summary.end {
        text += &format!("\nENDED before its time: {why}");
    }
    text
}

fn refused(error: ListenError) -> Failure {
    let message = error.to_string();
    let refusal = match error {
        ListenError::Denied => Refusal::new("capture.capability", "packet(7) of Linux", message)
            .accepted(
                "root; or `setcap cap_net_raw+ep` on a copy of ward; or `tcpdump -i IF -U -w - tcp | ward discover pcap -`",
            ),
        ListenError::NoInterface { known, .. } => {
            let known: Vec<String> = known.iter().map(|name| printable(name)).collect();
            Refusal::new("capture.interface", "this host", message).accepted(known.join(", "))
        }
        ListenError::Hardware { .. } => {
            Refusal::new("capture.hardware", "this host", message).accepted(
                "Ethernet, loopback, tunnels of bare IP; of others what tcpdump writes, by `ward discover pcap`",
            )
        }
        ListenError::Io(_) => return Failure::Failed(message),
    };
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        let seconds = |text| duration(text).ok().map(|time| time.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("10m"), Some(600));
        assert_eq!(seconds("8h"), Some(28_800));
        assert_eq!(seconds("7d"), Some(604_800));
        for wrong in ["", "10", "m", "0s", "-1s", "1.5h", "10µ", "99999999999d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
