//! `ward discover`: certificates that nobody told Ward about, from captured traffic, from files on hosts and from scans (R16, R17, R53).

mod found;
mod passive;

use clap::Subcommand;

use crate::output::Done;

#[derive(Subcommand)]
pub(crate) enum Discover {
    /// Read certificates and TLS parameters from captured traffic (pcap, pcapng); nothing is sent.
    #[command(
        after_help = "Certificates are seen up to TLS 1.2; of TLS 1.3, which encrypts them, server names, suites and groups.\n\nExample:\n  tcpdump -i eth0 -w icu.pcap 'tcp'\n  ward discover pcap icu.pcap --out icu.jsonl"
    )]
    Pcap(passive::Pcap),
    /// Find certificates, keys beside them and the server configuration that names them, in files of this host.
    #[command(
        after_help = "Reads PEM, DER, PKCS #7, PKCS #12 and JKS, and the configuration of nginx, Apache and HAProxy. Of private keys it says where they lie and whose they are.\n\nExample:\n  ward discover files /etc /opt/engine --passwords passwords.txt --out engine-1.jsonl"
    )]
    Files(passive::Files),
}

pub(crate) fn run(command: Discover) -> Done {
    match command {
        Discover::Pcap(options) => passive::pcap(&options),
        Discover::Files(options) => passive::on_host(&options),
    }
}
