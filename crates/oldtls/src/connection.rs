//! One connection, without input or output: what came is put in, what is to go is taken out.

#![allow(
    unsafe_code,
    reason = "OpenSSL has no other way to be called; see `library`"
)]

use std::ffi::c_int;
use std::sync::Arc;

use bytes::BytesMut;

use crate::context::Context;
use crate::library::{self, Bio, Library, Ssl, X509};
use crate::options::Version;
use crate::owned::Owned;
use crate::{Error, Session};

/// Most plaintext of one record (RFC 5246 §6.2.1): what one write takes.
pub(crate) const RECORD: usize = 16 * 1024;

/// `SSL_get_error(3)`
const WANT_READ: c_int = 2;
const ZERO_RETURN: c_int = 6;

/// How far a step came.
pub(crate) enum Step<T> {
    Done(T),
    /// More has to come first.
    WantsInput,
    /// The client has said that nothing more will.
    Closed,
}

pub(crate) struct Connection {
    ssl: Owned<Ssl>,
    /// Where the library reads from; belongs to `ssl`.
    incoming: *mut Bio,
    /// Where it writes to; belongs to `ssl`.
    outgoing: *mut Bio,
    /// After an error nothing more is asked of the library.
    broken: bool,
    context: Arc<Context>,
}

// SAFETY: an SSL object belongs to no thread; it must not be used by two at a time (openssl-threads(7)), which `&mut self`
// sees to: there is no Sync. Errors are queued for each thread, and each method reads them before it returns.
unsafe impl Send for Connection {}

impl Connection {
    pub(crate) fn new(context: Arc<Context>) -> Result<Self, Error> {
        let library = context.library;
        library.forget_errors();
        let failed = || Error::Setup {
            what: "a connection",
            reason: library.first_error(),
        };
        // SAFETY: the context lives, and the connection takes a reference to it; the result is a reference of ours.
        let ssl = unsafe {
            let ssl = (library.tls.SSL_new)(context.ctx.as_ptr());
            Owned::new(ssl, library.tls.SSL_free)
        };
        let ssl = ssl.ok_or_else(failed)?;
        let incoming = library.memory().ok_or_else(failed)?.into_raw();
        let Some(outgoing) = library.memory() else {
            // SAFETY: nobody else has this reference.
            unsafe { (library.crypto.BIO_vfree)(incoming) };
            return Err(failed());
        };
        let outgoing = outgoing.into_raw();
        // SAFETY: both references are given to the connection, which frees them with itself; until then the pointers
        // stay good, whatever it puts before them.
        unsafe {
            (library.tls.SSL_set_bio)(ssl.as_ptr(), incoming, outgoing);
            (library.tls.SSL_set_accept_state)(ssl.as_ptr());
        }
        Ok(Self {
            ssl,
            incoming,
            outgoing,
            broken: false,
            context,
        })
    }

    fn library(&self) -> &'static Library {
        self.context.library
    }

    /// Takes in what came. To be called when a step wants it, so that no more than that waits in memory.
    pub(crate) fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let length = c_int::try_from(bytes.len()).map_err(|_| Error::TooLong)?;
        // SAFETY: `incoming` lives as long as `ssl`; pointer and length are of one slice, which is copied.
        let written = unsafe {
            (self.library().crypto.BIO_write)(self.incoming, bytes.as_ptr().cast(), length)
        };
        match written == length {
            true => Ok(()),
            false => Err(Error::Broken("out of memory".to_owned())),
        }
    }

    /// What is to be sent now.
    pub(crate) fn output(&mut self) -> BytesMut {
        // SAFETY: `outgoing` lives as long as `ssl`.
        let pending = unsafe { (self.library().crypto.BIO_ctrl_pending)(self.outgoing) };
        let mut bytes = BytesMut::zeroed(pending);
        let Some(length) = c_int::try_from(pending).ok().filter(|length| *length > 0) else {
            return BytesMut::new();
        };
        // SAFETY: as above; the slice has the length that is passed, which is what the library writes at most.
        let read = unsafe {
            (self.library().crypto.BIO_read)(self.outgoing, bytes.as_mut_ptr().cast(), length)
        };
        bytes.truncate(usize::try_from(read).unwrap_or(0));
        bytes
    }

    /// Goes on with the handshake.
    pub(crate) fn handshake(&mut self) -> Result<Step<()>, Error> {
        let step = self.step(Error::Handshake, |library, ssl| {
            // SAFETY: the connection lives and is ours alone.
            unsafe { (library.tls.SSL_do_handshake)(ssl) }
        })?;
        Ok(match step {
            Step::Done(_) => Step::Done(()),
            Step::WantsInput => Step::WantsInput,
            Step::Closed => Step::Closed,
        })
    }

    /// Plaintext, as much as there is; says how much.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Step<usize>, Error> {
        let length = c_int::try_from(buffer.len()).unwrap_or(c_int::MAX);
        let pointer = buffer.as_mut_ptr();
        self.step(Error::Broken, |library, ssl| {
            // SAFETY: as in `handshake`; the slice has at least the length that is passed.
            unsafe { (library.tls.SSL_read)(ssl, pointer.cast(), length) }
        })
    }

    /// Makes a record of at most [`RECORD`] bytes of `bytes`, which are not none; says of how many.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let bytes = &bytes[..bytes.len().min(RECORD)];
        let length = c_int::try_from(bytes.len()).unwrap_or(0);
        let step = self.step(Error::Broken, |library, ssl| {
            // SAFETY: as in `handshake`; pointer and length are of one slice, which is read.
            unsafe { (library.tls.SSL_write)(ssl, bytes.as_ptr().cast(), length) }
        })?;
        match step {
            Step::Done(written) => Ok(written),
            // Memory takes everything, and nothing is negotiated again.
            Step::WantsInput | Step::Closed => {
                self.broken = true;
                Err(Error::Broken(
                    "a write that waits for the client".to_owned(),
                ))
            }
        }
    }

    /// Says that nothing more will be sent (RFC 5246 §7.2.1).
    pub(crate) fn close(&mut self) {
        if !self.broken {
            self.library().forget_errors();
            // SAFETY: as in `handshake`. Whether the client has said the same does not matter.
            unsafe { (self.library().tls.SSL_shutdown)(self.ssl.as_ptr()) };
            self.library().forget_errors();
        }
    }

    /// Calls the library once and finds out what its answer means.
    fn step(
        &mut self,
        broken: fn(String) -> Error,
        call: impl FnOnce(&Library, *mut Ssl) -> c_int,
    ) -> Result<Step<usize>, Error> {
        if self.broken {
            return Err(broken("it has failed before".to_owned()));
        }
        let library = self.library();
        library.forget_errors();
        let answer = call(library, self.ssl.as_ptr());
        if let Ok(done) = usize::try_from(answer)
            && done > 0
        {
            return Ok(Step::Done(done));
        }
        // SAFETY: the connection lives; the queue of errors has what this call left, and nothing else.
        match unsafe { (library.tls.SSL_get_error)(self.ssl.as_ptr(), answer) } {
            WANT_READ => Ok(Step::WantsInput),
            ZERO_RETURN => Ok(Step::Closed),
            _ => {
                self.broken = true;
                Err(broken(library.first_error()))
            }
        }
    }

    /// What the handshake learnt.
    pub(crate) fn session(&self) -> Session {
        let (library, ssl) = (self.library(), self.ssl.as_ptr());
        let tls = &library.tls;
        // SAFETY: reads the connection; the suite is a table of the library.
        let (version, suite) = unsafe {
            let suite = (tls.SSL_get_current_cipher)(ssl);
            let name = match suite.is_null() {
                true => None,
                false => library::text((tls.SSL_CIPHER_get_name)(suite)),
            };
            ((tls.SSL_version)(ssl), name)
        };
        let version = Version::ALL
            .into_iter()
            .find(|known| c_int::from(known.code()) == version);
        Session {
            chain: self.chain(),
            // Nothing older can be negotiated.
            version: version.unwrap_or(Version::Tls10),
            suite: suite.unwrap_or_default(),
        }
    }

    fn chain(&self) -> Vec<Vec<u8>> {
        let (library, ssl) = (self.library(), self.ssl.as_ptr());
        // SAFETY: the result is a reference of ours.
        let leaf = unsafe {
            let leaf = (library.tls.SSL_get1_peer_certificate)(ssl);
            Owned::new(leaf, library.crypto.X509_free)
        };
        let Some(leaf) = leaf else {
            return Vec::new();
        };
        // SAFETY: the leaf is ours. The stack belongs to the connection, which nobody uses meanwhile, and holds
        // certificates: on a server those behind the leaf.
        let chain = unsafe {
            let stack = (library.tls.SSL_get_peer_cert_chain)(ssl);
            let behind = library.elements::<X509>(stack).into_iter();
            let all = std::iter::once(leaf.as_ptr()).chain(behind);
            all.map(|certificate| library.der(certificate)).collect()
        };
        // What cannot be written down again is as good as none.
        Option::unwrap_or_default(chain)
    }
}
