//! `ward discover`: certificates that nobody told Ward about, from captured traffic, from files on hosts and from scans (R16, R17, R53).

mod active;
mod found;
mod import;
mod live;
mod offline;
mod passive;

use std::path::PathBuf;

use clap::Subcommand;

use crate::args::Place;
use crate::output::Done;
use crate::runtime;

#[derive(Subcommand)]
pub(crate) enum Discover {
    /// Read certificates and TLS parameters from captured traffic (pcap, pcapng); nothing is sent.
    #[command(
        after_help = "Certificates are seen up to TLS 1.2; of TLS 1.3, which encrypts them, server names, suites and groups.\n\nExample:\n  tcpdump -i eth0 -w icu.pcap 'tcp'\n  ward discover pcap icu.pcap --out icu.jsonl"
    )]
    Pcap(passive::Pcap),
    /// Read certificates and TLS parameters from what passes an interface of this host; nothing is sent.
    #[command(
        after_help = "Needs the capability CAP_NET_RAW; `ward discover pcap` needs none. Ends at an interrupt, or after --for.\n\nExample:\n  ward discover capture --interface eth0 --for 8h --out icu.jsonl"
    )]
    Capture(live::Capture),
    /// Find certificates, keys beside them and the server configuration that names them, in files of this host.
    #[command(
        after_help = "Reads PEM, DER, PKCS #7, PKCS #12 and JKS, and the configuration of nginx, Apache and HAProxy. Of private keys it says where they lie and whose they are.\n\nExample:\n  ward discover files /etc /opt/engine --passwords passwords.txt --out engine-1.jsonl"
    )]
    Files(passive::Files),
    /// Look at the TLS services of a segment, within the limits that are signed off for it.
    #[command(
        after_help = "Nothing is sent unless the segment's limits are signed and these are its hours. Interrupted, it goes on with `ward discover resume`.\n\nExample:\n  ward discover scan icu --dry-run\n  ward discover scan icu --port 443,2762 --out icu.jsonl"
    )]
    Scan(active::ScanArgs),
    /// List scans, the newest first.
    #[command(after_help = "Example:\n  ward discover scans --segment icu --json")]
    Scans {
        /// Those of one segment.
        #[arg(long)]
        segment: Option<String>,
        /// Go on where the page before ended.
        #[arg(long)]
        after: Option<String>,
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// End a scan, wherever it runs. It can be resumed.
    #[command(
        after_help = "Example:\n  ward discover stop s0123456789abcdef --why 'theatre 2 reports trouble'"
    )]
    Stop {
        id: String,
        /// Goes into the log.
        #[arg(long, default_value = "")]
        why: String,
    },
    /// Have a scan go on where it was, within the limits of now.
    #[command(after_help = "Example:\n  ward discover resume s0123456789abcdef")]
    Resume {
        id: String,
        /// Leave it to the server.
        #[arg(long)]
        queue: bool,
        /// Write every further observation to the end of this file, a line of JSON each.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Look at a segment where no Ward can be asked, within limits that were carried there.
    #[command(
        after_help = "Needs no data directory. The same command goes on where it was.\n\nExample:\n  ward discover offline icu.limits --key ward.vkey --out icu.jsonl"
    )]
    Offline(offline::Offline),
    /// Take what was found elsewhere into the inventory: carried observations, key stores, tables of other tools.
    #[command(
        after_help = "Columns of a table are known by their headings (certificate, host, port, owner, tags, …) or named with --column.\n\nExample:\n  ward discover import icu.jsonl\n  ward discover import export.csv --source old-tool --column 'Raw data=certificate' --dry-run"
    )]
    Import(import::Import),
}

pub(crate) fn run(place: &Place, command: Discover) -> Done {
    match command {
        Discover::Pcap(options) => passive::pcap(&options),
        Discover::Capture(options) => runtime()?.block_on(live::capture(options)),
        Discover::Files(options) => passive::on_host(&options),
        Discover::Scan(options) => runtime()?.block_on(active::scan(place, options)),
        Discover::Scans {
            segment,
            after,
            limit,
        } => runtime()?.block_on(active::list(place, segment, after, limit)),
        Discover::Stop { id, why } => runtime()?.block_on(active::stop(place, &id, &why)),
        Discover::Resume { id, queue, out } => {
            runtime()?.block_on(active::resume(place, &id, queue, out.as_ref()))
        }
        Discover::Offline(options) => runtime()?.block_on(offline::run(options)),
        Discover::Import(options) => runtime()?.block_on(import::run(place, options)),
    }
}
