//! Packets of an interface as they pass (R53): the kernel copies to us what anybody sends and receives there. Nothing is sent;
//! the socket could, and nothing here writes to it.
//!
//! It needs CAP_NET_RAW (capabilities(7), packet(7)). The kernel's filter leaves out what is no TCP, its buffer is bounded, and
//! what did not fit is counted and said. A network card passes on what is addressed to it, and a switch that mirrors others'
//! traffic does not change the addresses: unless the caller says otherwise, the interface is promiscuous for as long as the
//! socket is open. The kernel counts who asked for that and takes it back by itself, whatever becomes of this process.

use std::{
    io::{self, ErrorKind, IoSliceMut},
    os::fd::AsRawFd,
    time::Duration,
};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::InterfaceFlags,
    setsockopt_impl,
    sys::socket::{
        ControlMessageOwned, LinkAddr, MsgFlags, bind, recvmsg, setsockopt,
        sockopt::{RcvBufForce, RxqOvfl, SetStruct},
    },
};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::{
    End, Limits, Link, MAX_PACKET, Monitor, Packet, Summary,
    decode::{ETHERNET, RAW},
    filter,
};
use crate::observation::Observation;

/// Bytes that the kernel keeps for us while we are busy; it counts each packet with its bookkeeping.
const KERNEL_BUFFER: usize = 16 << 20;

/// How long to wait for a packet before looking whether to go on.
const WAIT: Duration = Duration::from_millis(250);

/// ETH_P_ALL of linux/if_ether.h: every protocol.
const EVERY_PROTOCOL: u16 = 3;

/// ARPHRD_ETHER, ARPHRD_LOOPBACK and ARPHRD_NONE (tunnels without a header) of linux/if_arp.h.
const HARDWARE: [(u16, Link); 3] = [(1, ETHERNET), (772, ETHERNET), (65534, RAW)];

/// PACKET_ADD_MEMBERSHIP of packet(7).
#[derive(Clone)]
struct Membership;

// What this writes is nix's: a call with the address and the size of a value of the type that is named here.
setsockopt_impl!(
    Membership,
    libc::SOL_PACKET,
    libc::PACKET_ADD_MEMBERSHIP,
    libc::packet_mreq,
    SetStruct<libc::packet_mreq>
);

/// Why nothing is listened to.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error(
        "listening on an interface needs the capability CAP_NET_RAW, which this process has not"
    )]
    Denied,
    #[error("there is no interface {name:?} here")]
    NoInterface { name: String, known: Vec<String> },
    #[error("interface {name} is of hardware type {kind}, whose packets are not read here")]
    Hardware { name: String, kind: u16 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An interface that is listened to.
pub struct Listener {
    socket: Socket,
    link: Link,
    promiscuous: bool,
    buffer: Vec<u8>,
    control: Vec<u8>,
    dropped: u64,
    /// The kernel's counter as it was said last; it wraps.
    counter: u32,
}

/// What is known of an interface.
struct Interface {
    address: LinkAddr,
    flags: InterfaceFlags,
}

impl Listener {
    /// Begins to listen. Packets of before are not seen. `promiscuous`: also to what others say to each other.
    pub fn open(name: &str, promiscuous: bool) -> Result<Self, ListenError> {
        let interface = Interface::find(name)?;
        let kind = interface.address.hatype();
        let link = HARDWARE.iter().find(|(known, _)| *known == kind);
        let &(_, link) = link.ok_or_else(|| ListenError::Hardware {
            name: name.to_owned(),
            kind,
        })?;
        let protocol = i32::from(EVERY_PROTOCOL.to_be());
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(protocol)));
        let socket = socket.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => ListenError::Denied,
            _ => ListenError::Io(error),
        })?;
        let index = interface.address.ifindex() as u32;
        let loopback = interface.flags.contains(InterfaceFlags::IFF_LOOPBACK);
        let steps = filter::tcp(index, link, loopback).unwrap_or_default();
        let steps: Vec<_> = steps
            .iter()
            .map(|step| SockFilter::new(step.code, step.yes, step.no, step.value))
            .collect();
        socket.attach_filter(&steps)?;
        // More than an ordinary user may have takes CAP_NET_ADMIN; the kernel cuts the second wish to what is allowed.
        if setsockopt(&socket, RcvBufForce, &KERNEL_BUFFER).is_err() {
            socket.set_recv_buffer_size(KERNEL_BUFFER)?;
        }
        setsockopt(&socket, RxqOvfl, &1).map_err(io::Error::from)?;
        bind(socket.as_raw_fd(), &interface.address).map_err(io::Error::from)?;
        // Nothing on loopback is addressed to anybody else.
        if promiscuous && !loopback {
            let membership = libc::packet_mreq {
                mr_ifindex: index as i32,
                mr_type: libc::PACKET_MR_PROMISC as u16,
                mr_alen: 0,
                mr_address: [0; 8],
            };
            setsockopt(&socket, Membership, &membership).map_err(io::Error::from)?;
        }
        let mut listener = Self {
            socket,
            link,
            promiscuous: promiscuous || interface.flags.contains(InterfaceFlags::IFF_PROMISC),
            buffer: vec![0; MAX_PACKET],
            control: nix::cmsg_space!(u32),
            dropped: 0,
            counter: 0,
        };
        listener.forget()?;
        listener.socket.set_read_timeout(Some(WAIT))?;
        Ok(listener)
    }

    /// Whether the interface takes what is not addressed to it.
    pub fn is_promiscuous(&self) -> bool {
        self.promiscuous
    }

    /// Between its making and its filter the socket was given packets of every interface.
    fn forget(&mut self) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        while self.receive()?.is_some() {}
        self.socket.set_nonblocking(false)?;
        self.dropped = 0;
        Ok(())
    }

    /// The length of the next packet, now in the buffer; none if nothing came for a while.
    fn receive(&mut self) -> io::Result<Option<usize>> {
        let mut into = [IoSliceMut::new(&mut self.buffer)];
        let control = Some(self.control.as_mut_slice());
        let flags = MsgFlags::empty();
        let got = recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut into, control, flags);
        let got = match got.map_err(io::Error::from) {
            Ok(got) => got,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
                    _ => Err(error),
                };
            }
        };
        let length = got.bytes;
        for said in got.cmsgs().map_err(io::Error::from)? {
            if let ControlMessageOwned::RxqOvfl(counter) = said {
                self.dropped += u64::from(counter.wrapping_sub(self.counter));
                self.counter = counter;
            }
        }
        Ok(Some(length))
    }
}

impl Interface {
    fn find(name: &str) -> Result<Self, ListenError> {
        let mut known = Vec::new();
        for one in getifaddrs().map_err(io::Error::from)? {
            let Some(address) = one
                .address
                .and_then(|address| address.as_link_addr().copied())
            else {
                continue;
            };
            if one.interface_name == name {
                let flags = one.flags;
                return Ok(Self { address, flags });
            }
            known.push(one.interface_name);
        }
        let name = name.to_owned();
        Err(ListenError::NoInterface { name, known })
    }
}

/// Reads what passes for as long as `go_on` says, which is asked after every packet and a few times a second. Observations say
/// that they come from `name`; `clock` gives Unix milliseconds.
pub fn listen(
    mut listener: Listener,
    name: &str,
    limits: Limits,
    clock: impl Fn() -> i64,
    mut go_on: impl FnMut(&Summary) -> bool,
    mut found: impl FnMut(Observation),
) -> Summary {
    let mut monitor = Monitor::new(name, limits);
    let mut end = End::Whole;
    while go_on(monitor.summary()) {
        let at = clock();
        match listener.receive() {
            Ok(Some(length)) => monitor.packet(&Packet {
                link: listener.link,
                at,
                data: listener.buffer.get(..length).unwrap_or_default(),
            }),
            // Silence, too, ends connections.
            Ok(None) => monitor.tick(at),
            Err(error) => {
                let offset = monitor.summary().bytes;
                let why = error.to_string();
                end = End::Unreadable { offset, why };
                break;
            }
        }
        while let Some(observation) = monitor.found() {
            found(observation);
        }
    }
    let (mut summary, rest) = monitor.finish();
    rest.into_iter().for_each(found);
    summary.dropped = listener.dropped;
    summary.end = Some(end);
    summary
}
