//! Listening sockets: bound here, or handed over by whoever started us (systemd's socket activation, `sd_listen_fds(3)`).
//!
//! A socket that systemd holds stays open while Ward is restarted: clients that connect meanwhile wait in its queue instead
//! of being refused.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::ServeError;

/// Sockets that were there before this process.
#[derive(Debug, Default)]
pub struct Sockets {
    inherited: Vec<std::net::TcpListener>,
}

impl Sockets {
    /// What `LISTEN_FDS` announces; nothing where it is not set, or meant for another process (`LISTEN_PID`).
    pub fn inherited() -> Self {
        let mut given = listenfd::ListenFd::from_env();
        let mut inherited = Vec::with_capacity(given.len());
        for at in 0..given.len() {
            match given.take_tcp_listener(at) {
                Ok(Some(socket)) => inherited.push(socket),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "an inherited socket is not used"),
            }
        }
        Sockets { inherited }
    }

    /// The inherited socket that listens on `address`'s port, or a new one. Systemd's unit may say `[::]` where the
    /// configuration says `0.0.0.0`, so the port decides.
    pub(crate) async fn take_or_bind(
        &mut self,
        address: SocketAddr,
    ) -> Result<TcpListener, ServeError> {
        let failed = |source| ServeError::Listen { address, source };
        let is_meant = |socket: &std::net::TcpListener| {
            address.port() != 0
                && socket
                    .local_addr()
                    .is_ok_and(|local| local.port() == address.port())
        };
        let Some(at) = self.inherited.iter().position(is_meant) else {
            return TcpListener::bind(address).await.map_err(failed);
        };
        let socket = self.inherited.swap_remove(at);
        socket.set_nonblocking(true).map_err(failed)?;
        TcpListener::from_std(socket).map_err(failed)
    }

    /// A socket that nobody answers on lets clients wait for nothing.
    pub(crate) fn warn_of_unused(&self) {
        for address in self.inherited.iter().filter_map(|s| s.local_addr().ok()) {
            tracing::warn!(%address, "an inherited socket is on no port of [listen] in ward.toml");
        }
    }
}
