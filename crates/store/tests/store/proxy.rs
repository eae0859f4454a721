//! A proxy in front of PostgreSQL that breaks connections at the worst moment: around COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What happens to the first connection that sends COMMIT once the proxy is armed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    /// It reaches the server, its answer does not come back.
    SwallowReply,
    /// It does not reach the server; both ends are closed.
    CutBefore,
    /// It does not reach the server, and the server's end stays open, as when a cable is pulled.
    Strand,
}

pub(crate) struct Proxy {
    pub(crate) url: String,
    armed: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands before the cluster at `base` (`postgres://user@socket-directory`).
    pub(crate) async fn before(base: &str, database: &str, trick: Trick) -> Self {
        let (user, directory) = base
            .strip_prefix("postgres://")
            .unwrap()
            .split_once('@')
            .unwrap();
        let socket = format!("{}/.s.PGSQL.5432", directory.replace("%2F", "/"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        let trigger = armed.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(carry(client, server, trigger.clone(), trick));
            }
        });
        Proxy {
            url: format!("postgres://{user}@127.0.0.1:{port}/{database}"),
            armed,
        }
    }

    pub(crate) fn arm(&self) {
        self.armed.store(true, SeqCst);
    }

    pub(crate) fn has_struck(&self) -> bool {
        !self.armed.load(SeqCst)
    }
}

async fn carry(
    mut client: TcpStream,
    mut server: UnixStream,
    armed: Arc<AtomicBool>,
    trick: Trick,
) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let sent = &up[..length];
                let commits = sent.windows(7).any(|bytes| bytes == COMMIT);
                if commits && armed.swap(false, SeqCst) {
                    return strike(client, server, sent, trick).await;
                }
                if server.write_all(sent).await.is_err() { return }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}

async fn strike(client: TcpStream, mut server: UnixStream, sent: &[u8], trick: Trick) {
    match trick {
        Trick::SwallowReply => {
            server.write_all(sent).await.unwrap();
            read_past(&mut server, COMMIT).await;
        }
        Trick::CutBefore => {}
        Trick::Strand => {
            // All but COMMIT itself: its message begins with a letter and a length.
            let at = sent.windows(7).position(|bytes| bytes == COMMIT).unwrap();
            server.write_all(&sent[..at - 5]).await.unwrap();
            drop(client);
            while server
                .read(&mut [0; 1024])
                .await
                .is_ok_and(|length| length > 0)
            {}
        }
    }
}

/// COMMIT as a question, and as the answer to it.
const COMMIT: &[u8] = b"COMMIT\0";

/// Reads until `text` has come by.
async fn read_past(server: &mut UnixStream, text: &[u8]) {
    let (mut seen, mut part) = (Vec::new(), [0; 1024]);
    while !seen.windows(text.len()).any(|bytes| bytes == text) {
        match server.read(&mut part).await {
            Ok(length @ 1..) => seen.extend_from_slice(&part[..length]),
            _ => return,
        }
    }
}
