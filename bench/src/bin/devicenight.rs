//! `devicenight`: every device of a hospital enrols, and then every one renews: most over EST with TLS client certificates,
//! some over SCEP. Prints a line of JSON for each half.

use bench::devices::drive::{self, Identity, Job, Outcome, Plan, Server, Way};
use bench::devices::{Error, Key, est, prepared, scep};
use bench::tls;
use clap::Parser;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use x509::Certificate;

/// One night.
#[derive(Parser)]
struct Arguments {
    /// HOST:PORT of EST.
    #[arg(long)]
    tls: String,
    /// HOST:PORT of SCEP, without TLS.
    #[arg(long)]
    plain: String,
    #[arg(long)]
    anchor: PathBuf,
    #[arg(long)]
    est_path: String,
    #[arg(long)]
    scep_path: String,
    /// user:password
    #[arg(long)]
    login: String,
    #[arg(long)]
    challenge: String,
    #[arg(long, default_value_t = 50_000)]
    devices: usize,
    /// How many of them speak SCEP, the others EST.
    #[arg(long, default_value_t = 10_000)]
    scep: usize,
    #[arg(long, default_value_t = 32)]
    connections: usize,
    #[arg(long)]
    pid: Vec<u32>,
}

/// A device that has its first certificate.
enum Held {
    Est(Arc<Identity>),
    Scep(Box<Certificate>),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let est = est::Door {
        host: &arguments.tls,
        path: &arguments.est_path,
        login: &arguments.login,
    };
    let scep = scep::Door {
        host: &arguments.plain,
        path: &arguments.scep_path,
        challenge: &arguments.challenge,
        ra: scep::recipient(&arguments.plain, &arguments.scep_path)?,
    };
    let pool = scep::own_certificates(Key::pool()?)?;
    let numbers: Vec<usize> = (0..arguments.devices).collect();
    // Spread over the night as they are over the house.
    let is_scep = |number: usize| number * arguments.scep % arguments.devices < arguments.scep;

    eprintln!("  {} devices are prepared", arguments.devices);
    let first = prepared(&numbers, |number| match is_scep(*number) {
        true => {
            let request = scep.enroll(*number, &pool[number % pool.len()])?;
            let way = Way::Scep;
            Ok((None, Job { way, request }))
        }
        false => {
            let made = est.enroll(*number)?;
            let (way, request) = (Way::Tls, made.request);
            Ok((Some(made.key), Job { way, request }))
        }
    })?;
    let (keys, jobs): (Vec<Option<Key>>, Vec<Job>) = first.into_iter().unzip();
    let enrolled = run(&arguments, &runtime, jobs, true)?;
    println!("{}", enrolled.json(arguments.connections, &arguments.pid));

    eprintln!("  their renewals are prepared");
    let renewals = prepared(&numbers, |number| {
        let answer = enrolled.bodies.get(*number).and_then(Option::as_ref);
        let answer = answer.ok_or(Error::Unexpected("a device was not enrolled"))?;
        let held = match &keys[*number] {
            Some(key) => Held::Est(Arc::new(est::identity(key, answer)?)),
            None => {
                let (key, own) = &pool[number % pool.len()];
                Held::Scep(Box::new(scep::issued(key, own, answer)?))
            }
        };
        Ok(match held {
            Held::Est(identity) => Job {
                way: Way::Certified(identity, address(*number)),
                request: est.reenroll(*number)?.request,
            },
            Held::Scep(certificate) => {
                let (key, next) = (
                    &pool[number % pool.len()].0,
                    &pool[(number + 1) % pool.len()].0,
                );
                Job {
                    way: Way::Scep,
                    request: scep.renew(*number, key, &certificate, next)?,
                }
            }
        })
    })?;
    let renewed = run(&arguments, &runtime, renewals, false)?;
    println!("{}", renewed.json(arguments.connections, &arguments.pid));
    Ok(())
}

/// Every device has one of its own.
fn address(number: usize) -> Ipv4Addr {
    let number = number as u32;
    Ipv4Addr::from(u32::from_be_bytes([127, 16, 0, 1]) + number)
}

fn run(
    arguments: &Arguments,
    runtime: &tokio::runtime::Runtime,
    jobs: Vec<Job>,
    keep: bool,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let plan = Plan {
        server: Server {
            tls: arguments.tls.clone(),
            plain: arguments.plain.clone(),
            roots: tls::roots(Some(&arguments.anchor))?,
        },
        jobs,
        connections: arguments.connections,
        warm_up: Duration::ZERO,
        duration: None,
        keep,
        pids: arguments.pid.clone(),
    };
    let outcome = tokio::task::LocalSet::new().block_on(runtime, drive::run(plan))?;
    if outcome.failures > 0 {
        let first = outcome.first_failure.unwrap_or_default();
        return Err(format!("{} failures: {first}", outcome.failures).into());
    }
    Ok(outcome)
}
