//! `devicegen`: devices that enrol, each with its own serial number, as fast as a server takes them; one line of JSON.

use bench::devices::drive::{self, Job, Plan, Server, Way};
use bench::devices::{Key, est, prepared, scep};
use bench::tls;
use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// First enrolments over EST (simpleenroll, P-256) or SCEP (PKCSReq, RSA-2048).
#[derive(Parser)]
struct Arguments {
    /// https://HOST:PORT for EST, http://HOST:PORT for SCEP
    server: String,
    #[arg(long)]
    protocol: Protocol,
    /// Of the endpoint, such as /.well-known/est/pumps or /scep/pumps.
    #[arg(long)]
    path: String,
    /// EST: user:password. SCEP: the challenge.
    #[arg(long)]
    password: String,
    /// PEM trust anchor of an https server.
    #[arg(long)]
    anchor: Option<PathBuf>,
    /// The number of the first device.
    #[arg(long, default_value_t = 0)]
    first: usize,
    /// How many devices are prepared; the run is over when all are enrolled, if that is before its time.
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    #[arg(long, default_value_t = 8)]
    connections: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1.0)]
    warm_up: f64,
    /// Server process to account CPU time and memory of; may be repeated.
    #[arg(long)]
    pid: Vec<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Protocol {
    Est,
    Scep,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let address = arguments.server.trim_end_matches('/');
    let address = address.rsplit('/').next().unwrap_or_default().to_owned();
    let plan = Plan {
        jobs: jobs(&arguments, &address)?,
        server: Server {
            tls: address.clone(),
            plain: address,
            roots: tls::roots(arguments.anchor.as_deref())?,
        },
        connections: arguments.connections,
        warm_up: Duration::from_secs_f64(arguments.warm_up),
        duration: Some(Duration::from_secs_f64(arguments.seconds)),
        keep: false,
        pids: arguments.pid.clone(),
    };
    // One thread: the other core belongs to the server.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, drive::run(plan))?;
    println!("{}", outcome.json(arguments.connections, &arguments.pid));
    Ok(())
}

fn jobs(arguments: &Arguments, host: &str) -> Result<Vec<Job>, bench::devices::Error> {
    let numbers: Vec<usize> = (arguments.first..arguments.first + arguments.count).collect();
    let path = &arguments.path;
    match arguments.protocol {
        Protocol::Est => {
            let login = &arguments.password;
            let door = est::Door { host, path, login };
            prepared(&numbers, |number| {
                Ok(Job {
                    way: Way::Tls,
                    request: door.enroll(*number)?.request,
                })
            })
        }
        Protocol::Scep => {
            let door = scep::Door {
                host,
                path,
                challenge: &arguments.password,
                ra: scep::recipient(host, path)?,
            };
            let pool = scep::own_certificates(Key::pool()?)?;
            prepared(&numbers, |number| {
                Ok(Job {
                    way: Way::Scep,
                    request: door.enroll(*number, &pool[number % pool.len()])?,
                })
            })
        }
    }
}
