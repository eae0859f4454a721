//! The settings of an acceptor: `SSL_CTX`, made once and not changed after.

#![allow(
    unsafe_code,
    reason = "OpenSSL has no other way to be called; see `library`"
)]

use std::ffi::{CString, c_int, c_long, c_uint, c_void};
use std::ptr::{null, null_mut};

use crate::library::{self, Library, SslCipher, SslCtx, X509StoreCtx};
use crate::options::{Options, Version};
use crate::owned::Owned;
use crate::{CHAIN_BYTES, Error, Identity};

/// `SSL_OP_…` of `SSL_CTX_set_options(3)`, all of which take something away but the last: no tickets, no compression
/// (CRIME), no SSL 3, no TLS 1.3, no renegotiation by the client; and our order of suites, not the client's.
const SSL_OP: u64 = 1 << 14 | 1 << 17 | 1 << 25 | 1 << 29 | 1 << 30 | 1 << 22;
/// `SSL_MODE_…` of `SSL_CTX_set_mode(3)`: a write may take a part and may be repeated from elsewhere, no chain is guessed
/// together, and buffers of idle connections are given back.
const SSL_MODE: c_long = 0x01 | 0x02 | 0x08 | 0x10;

// Commands of `SSL_CTX_ctrl`, and the calls that are macros for them.
/// `SSL_CTX_set_mode(3)`
const SET_MODE: c_int = 33;
/// `SSL_CTX_set_session_cache_mode(3)`: with 0, `SSL_SESS_CACHE_OFF`
const SET_SESSION_CACHE_MODE: c_int = 44;
/// `SSL_CTX_set_max_cert_list(3)`
const SET_MAX_CERT_LIST: c_int = 51;
/// `SSL_CTX_add1_chain_cert(3)`: with 1 for a reference of its own
const CHAIN_CERT: c_int = 89;
/// `SSL_CTX_set1_groups_list(3)`
const SET_GROUPS_LIST: c_int = 92;
/// `SSL_CTX_set1_sigalgs_list(3)`
const SET_SIGALGS_LIST: c_int = 98;
/// `SSL_CTX_set1_client_sigalgs_list(3)`
const SET_CLIENT_SIGALGS_LIST: c_int = 102;
/// `SSL_CTX_set_dh_auto(3)`: a group as strong as the certificate's key
const SET_DH_AUTO: c_int = 118;
/// `SSL_CTX_set_min_proto_version(3)`
const SET_MIN_PROTO_VERSION: c_int = 123;
/// `SSL_CTX_set_max_proto_version(3)`
const SET_MAX_PROTO_VERSION: c_int = 124;

/// `SSL_VERIFY_PEER` of `SSL_CTX_set_verify(3)`, without `SSL_VERIFY_FAIL_IF_NO_PEER_CERT`: asked for, not required.
const VERIFY_PEER: c_int = 0x01;

/// Which sessions belong together (`SSL_CTX_set_session_id_context(3)`). None is kept, but a server that asks for
/// certificates has to say.
const SESSION_ID_CONTEXT: &[u8] = b"ward";

pub(crate) struct Context {
    pub(crate) library: &'static Library,
    pub(crate) ctx: Owned<SslCtx>,
}

// SAFETY: an SSL_CTX belongs to no thread and counts its references by atomics (openssl-threads(7)).
unsafe impl Send for Context {}
// SAFETY: after `new` it is only read, by SSL_new, which may be called from several threads on one SSL_CTX.
unsafe impl Sync for Context {}

impl Context {
    pub(crate) fn new(
        library: &'static Library,
        identity: &Identity,
        options: &Options,
    ) -> Result<Self, Error> {
        library.forget_errors();
        let tls = &library.tls;
        // SAFETY: the library context lives for ever, the property query may be null, the method is a table of the
        // library; the result is a reference of ours.
        let ctx = unsafe {
            let ctx = (tls.SSL_CTX_new_ex)(library.context(), null(), (tls.TLS_server_method)());
            Owned::new(ctx, tls.SSL_CTX_free)
        };
        let ctx = ctx.ok_or_else(|| refused(library, "to start"))?;
        let context = Self { library, ctx };
        context.restrict(options)?;
        context.offer(options)?;
        context.show(identity)?;
        context.ask_for_certificates();
        Ok(context)
    }

    fn restrict(&self, options: &Options) -> Result<(), Error> {
        let level = options.security_level();
        let min = c_long::from(options.min_version.code());
        let max = c_long::from(Version::Tls12.code());
        // SAFETY: the context is ours alone until `new` returns; both take numbers.
        unsafe {
            (self.library.tls.SSL_CTX_set_options)(self.ctx.as_ptr(), SSL_OP);
            (self.library.tls.SSL_CTX_set_security_level)(self.ctx.as_ptr(), level);
        }
        self.set(SET_MODE, SSL_MODE);
        self.set(SET_SESSION_CACHE_MODE, 0);
        self.set(SET_MAX_CERT_LIST, CHAIN_BYTES as c_long);
        self.need("the oldest version", self.set(SET_MIN_PROTO_VERSION, min))?;
        self.need("the newest version", self.set(SET_MAX_PROTO_VERSION, max))?;
        let id = SESSION_ID_CONTEXT;
        // SAFETY: pointer and length are of one text, which is copied.
        let done = unsafe {
            (self.library.tls.SSL_CTX_set_session_id_context)(
                self.ctx.as_ptr(),
                id.as_ptr(),
                id.len() as c_uint,
            )
        };
        self.need("a name for its sessions", c_long::from(done))
    }

    fn offer(&self, options: &Options) -> Result<(), Error> {
        let suites = c_text(&options.cipher_list())?;
        // SAFETY: a text that ends with zero, which is read and not kept.
        let done = unsafe {
            (self.library.tls.SSL_CTX_set_cipher_list)(self.ctx.as_ptr(), suites.as_ptr())
        };
        // It succeeds where it knows one of them; where it knows none, the first is as missing as the others.
        self.library.forget_errors();
        let known = match done {
            1 => self.suites(),
            _ => Vec::new(),
        };
        let mut wanted = options.suites.iter();
        if let Some(suite) = wanted.find(|suite| !known.iter().any(|name| name == suite.name)) {
            return Err(Error::NoSuite {
                library: self.library.version.clone(),
                suite: suite.name,
            });
        }
        let signatures = options.signature_algorithms();
        let done = self.set_text(SET_SIGALGS_LIST, signatures)?;
        self.need("the list of signatures", done)?;
        let done = self.set_text(SET_CLIENT_SIGALGS_LIST, signatures)?;
        self.need("the list of the client's signatures", done)?;
        let done = self.set_text(SET_GROUPS_LIST, "X25519:P-256:P-384:P-521")?;
        self.need("the list of curves", done)?;
        self.need("a group for DHE", self.set(SET_DH_AUTO, 1))
    }

    /// What is offered, by OpenSSL's names.
    fn suites(&self) -> Vec<String> {
        // SAFETY: the stack of suites belongs to the context and nobody changes it; its elements are tables of the
        // library with names of theirs.
        unsafe {
            let stack = (self.library.tls.SSL_CTX_get_ciphers)(self.ctx.as_ptr());
            let suites = self.library.elements::<SslCipher>(stack).into_iter();
            suites
                .filter_map(|suite| library::text((self.library.tls.SSL_CIPHER_get_name)(suite)))
                .collect()
        }
    }

    fn show(&self, identity: &Identity) -> Result<(), Error> {
        let mut leaf = true;
        for der in &identity.chain {
            let certificate = self.library.certificate(der);
            let certificate =
                certificate.ok_or_else(|| refused(self.library, "a certificate of its chain"))?;
            let pointer = certificate.as_ptr();
            let done = match std::mem::take(&mut leaf) {
                // SAFETY: the context takes a reference of its own.
                true => c_long::from(unsafe {
                    (self.library.tls.SSL_CTX_use_certificate)(self.ctx.as_ptr(), pointer)
                }),
                // SAFETY: this command takes an X509, and with 1 a reference of its own.
                false => unsafe {
                    (self.library.tls.SSL_CTX_ctrl)(
                        self.ctx.as_ptr(),
                        CHAIN_CERT,
                        1,
                        pointer.cast(),
                    )
                },
            };
            self.need("a certificate of its chain", done)?;
        }
        let key = self.library.private_key(&identity.key);
        let key = key.ok_or_else(|| refused(self.library, "its private key"))?;
        // SAFETY: the context takes a reference of its own.
        let done =
            unsafe { (self.library.tls.SSL_CTX_use_PrivateKey)(self.ctx.as_ptr(), key.as_ptr()) };
        self.need("its private key", c_long::from(done))?;
        // SAFETY: reads the context.
        let fits = unsafe { (self.library.tls.SSL_CTX_check_private_key)(self.ctx.as_ptr()) };
        self.need("a key that is not its certificate's", c_long::from(fits))
    }

    fn ask_for_certificates(&self) {
        // SAFETY: the first verdict, on single certificates, is never asked for where the second replaces all of it; the
        // second is a function of this program, and its argument is not used.
        unsafe {
            (self.library.tls.SSL_CTX_set_verify)(self.ctx.as_ptr(), VERIFY_PEER, None);
            (self.library.tls.SSL_CTX_set_cert_verify_callback)(
                self.ctx.as_ptr(),
                any_chain,
                null_mut(),
            );
        }
    }

    /// A command that takes a number and points to nothing.
    fn set(&self, command: c_int, number: c_long) -> c_long {
        // SAFETY: the commands above that are used so take no pointer.
        unsafe { (self.library.tls.SSL_CTX_ctrl)(self.ctx.as_ptr(), command, number, null_mut()) }
    }

    /// A command that takes a text.
    fn set_text(&self, command: c_int, text: &str) -> Result<c_long, Error> {
        let text = c_text(text)?;
        let pointer = text.as_ptr().cast_mut().cast::<c_void>();
        // SAFETY: the commands that are used so take a text that ends with zero, read it and do not keep it; the pointer
        // is to `c_void` without `const` because all commands share one function.
        Ok(unsafe { (self.library.tls.SSL_CTX_ctrl)(self.ctx.as_ptr(), command, 0, pointer) })
    }

    /// All of these say 1 when they have done it.
    fn need(&self, what: &'static str, done: c_long) -> Result<(), Error> {
        match done {
            1 => Ok(()),
            _ => Err(refused(self.library, what)),
        }
    }
}

/// The verdict on a client's chain. The handshake proves that the client holds the leaf's key; whose it is, is judged
/// elsewhere.
unsafe extern "C" fn any_chain(_: *mut X509StoreCtx, _: *mut c_void) -> c_int {
    1
}

fn c_text(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Setup {
        what: "a text",
        reason: "it has a zero in it".to_owned(),
    })
}

fn refused(library: &Library, what: &'static str) -> Error {
    Error::Setup {
        what,
        reason: library.first_error(),
    }
}
