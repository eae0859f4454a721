//! OpenSSL 3 as the system has it: found by `dlopen(3)`, its functions resolved once, with the types of its manual
//! pages, and never unloaded.
//!
//! Nothing of it is linked, because a Ward without a listener for old devices must not depend on it, and because its
//! flaws are then mended by the system's updates. It works in a library context of its own (`OSSL_LIB_CTX(3)`), without
//! `openssl.cnf`: what is allowed here is what `context` sets, not what a system's policy adds or takes away.

#![allow(
    unsafe_code,
    reason = "a library in C is called by its symbols, whose types nobody checks but whoever writes them down"
)]
#![allow(non_snake_case, reason = "functions keep the names of their manuals")]

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};
use std::ptr::null;
use std::sync::OnceLock;

use crate::Error;
use crate::owned::{Free, Owned};

macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[repr(C)]
        pub(crate) struct $name {
            _hidden: [u8; 0],
        }
    )*};
}

// What the library never shows: pointers to these are passed and nothing else.
opaque! {
    /// `OSSL_LIB_CTX`
    LibCtx
    /// `SSL_METHOD`
    SslMethod
    /// `SSL_CTX`
    SslCtx
    /// `SSL`
    Ssl
    /// `SSL_CIPHER`
    SslCipher
    /// `BIO`
    Bio
    /// `BIO_METHOD`
    BioMethod
    /// `X509`
    X509
    /// `X509_STORE_CTX`
    X509StoreCtx
    /// `EVP_PKEY`
    Pkey
    /// `OPENSSL_STACK`
    Stack
}

/// `SSL_CTX_set_cert_verify_callback(3)`
pub(crate) type CertVerify = unsafe extern "C" fn(*mut X509StoreCtx, *mut c_void) -> c_int;
/// `SSL_CTX_set_verify(3)`: `SSL_verify_cb`, which may be null
pub(crate) type Verify = Option<unsafe extern "C" fn(c_int, *mut X509StoreCtx) -> c_int>;

macro_rules! symbols {
    ($table:ident: $($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        pub(crate) struct $table {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl $table {
            fn resolve(library: &libloading::Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $($name: {
                        let name = concat!(stringify!($name), "\0").as_bytes();
                        // SAFETY: the type is that of the manual page of OpenSSL 3.0 (and of its headers, which later
                        // versions 3.x keep: OpenSSL promises a stable ABI within a major version), and the library
                        // that the function belongs to is never unloaded (`load`).
                        unsafe { *library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(name)? }
                    },)*
                })
            }
        }
    };
}

symbols! { Crypto:
    OPENSSL_version_major: fn() -> c_uint;
    OpenSSL_version: fn(c_int) -> *const c_char;
    OPENSSL_init_crypto: fn(u64, *const c_void) -> c_int;
    OSSL_LIB_CTX_new: fn() -> *mut LibCtx;
    ERR_clear_error: fn();
    ERR_get_error: fn() -> c_ulong;
    ERR_reason_error_string: fn(c_ulong) -> *const c_char;
    BIO_s_mem: fn() -> *const BioMethod;
    BIO_new: fn(*const BioMethod) -> *mut Bio;
    BIO_vfree: fn(*mut Bio);
    BIO_read: fn(*mut Bio, *mut c_void, c_int) -> c_int;
    BIO_write: fn(*mut Bio, *const c_void, c_int) -> c_int;
    BIO_ctrl_pending: fn(*mut Bio) -> usize;
    d2i_X509: fn(*mut *mut X509, *mut *const c_uchar, c_long) -> *mut X509;
    i2d_X509: fn(*const X509, *mut *mut c_uchar) -> c_int;
    X509_free: fn(*mut X509);
    d2i_AutoPrivateKey_ex: fn(*mut *mut Pkey, *mut *const c_uchar, c_long, *mut LibCtx, *const c_char) -> *mut Pkey;
    EVP_PKEY_free: fn(*mut Pkey);
    OPENSSL_sk_num: fn(*const Stack) -> c_int;
    OPENSSL_sk_value: fn(*const Stack, c_int) -> *mut c_void;
}

symbols! { Tls:
    TLS_server_method: fn() -> *const SslMethod;
    SSL_CTX_new_ex: fn(*mut LibCtx, *const c_char, *const SslMethod) -> *mut SslCtx;
    SSL_CTX_free: fn(*mut SslCtx);
    SSL_CTX_set_options: fn(*mut SslCtx, u64) -> u64;
    SSL_CTX_ctrl: fn(*mut SslCtx, c_int, c_long, *mut c_void) -> c_long;
    SSL_CTX_set_security_level: fn(*mut SslCtx, c_int);
    SSL_CTX_set_cipher_list: fn(*mut SslCtx, *const c_char) -> c_int;
    SSL_CTX_get_ciphers: fn(*const SslCtx) -> *mut Stack;
    SSL_CIPHER_get_name: fn(*const SslCipher) -> *const c_char;
    SSL_CTX_use_certificate: fn(*mut SslCtx, *mut X509) -> c_int;
    SSL_CTX_use_PrivateKey: fn(*mut SslCtx, *mut Pkey) -> c_int;
    SSL_CTX_check_private_key: fn(*const SslCtx) -> c_int;
    SSL_CTX_set_session_id_context: fn(*mut SslCtx, *const c_uchar, c_uint) -> c_int;
    SSL_CTX_set_verify: fn(*mut SslCtx, c_int, Verify);
    SSL_CTX_set_cert_verify_callback: fn(*mut SslCtx, CertVerify, *mut c_void);
    SSL_new: fn(*mut SslCtx) -> *mut Ssl;
    SSL_free: fn(*mut Ssl);
    SSL_set_bio: fn(*mut Ssl, *mut Bio, *mut Bio);
    SSL_set_accept_state: fn(*mut Ssl);
    SSL_do_handshake: fn(*mut Ssl) -> c_int;
    SSL_read: fn(*mut Ssl, *mut c_void, c_int) -> c_int;
    SSL_write: fn(*mut Ssl, *const c_void, c_int) -> c_int;
    SSL_shutdown: fn(*mut Ssl) -> c_int;
    SSL_get_error: fn(*const Ssl, c_int) -> c_int;
    SSL_version: fn(*const Ssl) -> c_int;
    SSL_get_current_cipher: fn(*const Ssl) -> *const SslCipher;
    SSL_get1_peer_certificate: fn(*const Ssl) -> *mut X509;
    SSL_get_peer_cert_chain: fn(*const Ssl) -> *mut Stack;
}

/// The library, ready.
pub(crate) struct Library {
    pub(crate) crypto: Crypto,
    pub(crate) tls: Tls,
    /// `OSSL_LIB_CTX` of our own: providers and settings that nobody else in this process changes.
    context: *mut LibCtx,
    /// What it calls itself.
    pub(crate) version: String,
}

// SAFETY: OpenSSL's functions may be called from any thread (openssl-threads(7)); the library context is made once, is
// never freed, and locks itself. Everything else is functions and text.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

/// The library, loaded at the first call. What the first call found stands until the process ends.
pub(crate) fn get() -> Result<&'static Library, Error> {
    static LIBRARY: OnceLock<Result<Library, Error>> = OnceLock::new();
    LIBRARY.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// `OPENSSL_INIT_NO_LOAD_CONFIG` and `OPENSSL_INIT_NO_ATEXIT`: no `openssl.cnf`, and no cleaning up at the process's end
/// under the feet of threads that still run.
const INIT: u64 = 0x80 | 0x0008_0000;
/// `OPENSSL_VERSION` of `OpenSSL_version(3)`
const VERSION: c_int = 0;

fn load() -> Result<Library, Error> {
    // SAFETY: opening runs the libraries' initializers. They are the system's own, found where its linker finds them,
    // as for every other program here; whoever can replace them can replace Ward.
    let open = |name| unsafe { libloading::Library::new(name) };
    let missing = |error: libloading::Error| Error::Missing(error.to_string());
    // The first is what the second needs, so both are of one version.
    let crypto_library = open("libcrypto.so.3").map_err(missing)?;
    let tls_library = open("libssl.so.3").map_err(missing)?;
    let crypto = Crypto::resolve(&crypto_library).map_err(missing)?;
    let tls = Tls::resolve(&tls_library).map_err(missing)?;
    // Never unloaded: the library leaves behind destructors of threads, and everything here points into it.
    std::mem::forget((crypto_library, tls_library));
    // SAFETY: takes a number and gives a text that lives as long as the library.
    let version = unsafe { text((crypto.OpenSSL_version)(VERSION)) };
    let version = version.unwrap_or_else(|| "of no version".to_owned());
    // SAFETY: takes nothing.
    let major = unsafe { (crypto.OPENSSL_version_major)() };
    if major != 3 {
        return Err(Error::WrongVersion(version));
    }
    // SAFETY: the settings may be null.
    let ready = unsafe { (crypto.OPENSSL_init_crypto)(INIT, null()) };
    // SAFETY: takes nothing; what it gives is kept until the process ends.
    let context = unsafe { (crypto.OSSL_LIB_CTX_new)() };
    if ready != 1 || context.is_null() {
        return Err(Error::Setup {
            what: "to start",
            reason: version,
        });
    }
    Ok(Library {
        crypto,
        tls,
        context,
        version,
    })
}

impl Library {
    pub(crate) fn context(&self) -> *mut LibCtx {
        self.context
    }

    /// Empties this thread's queue of errors. `SSL_get_error` looks into it, so this comes before what it judges.
    pub(crate) fn forget_errors(&self) {
        // SAFETY: takes nothing and only empties the calling thread's queue.
        unsafe { (self.crypto.ERR_clear_error)() };
    }

    /// The first error of this thread's queue, in the library's words.
    pub(crate) fn first_error(&self) -> String {
        // SAFETY: takes nothing.
        let code = unsafe { (self.crypto.ERR_get_error)() };
        // SAFETY: takes a number; the text, if any, is one of the library's tables and lives as long as it.
        let reason = unsafe { text((self.crypto.ERR_reason_error_string)(code)) };
        self.forget_errors();
        reason.unwrap_or_else(|| format!("error {code:#x}"))
    }

    /// A certificate.
    pub(crate) fn certificate(&self, der: &[u8]) -> Option<Owned<X509>> {
        let length = c_long::try_from(der.len()).ok()?;
        let mut at = der.as_ptr();
        // SAFETY: `at` and `length` are of one slice that outlives the call, and only `at` is changed; with a null
        // first argument the result is a new reference of ours.
        unsafe {
            let certificate = (self.crypto.d2i_X509)(std::ptr::null_mut(), &raw mut at, length);
            Owned::new(certificate, self.crypto.X509_free)
        }
    }

    /// A private key of PKCS#8 or its algorithm's own form.
    pub(crate) fn private_key(&self, der: &[u8]) -> Option<Owned<Pkey>> {
        let length = c_long::try_from(der.len()).ok()?;
        let mut at = der.as_ptr();
        // SAFETY: as in `certificate`; the library context lives for ever and the property query may be null.
        unsafe {
            let key = (self.crypto.d2i_AutoPrivateKey_ex)(
                std::ptr::null_mut(),
                &raw mut at,
                length,
                self.context,
                null(),
            );
            Owned::new(key, self.crypto.EVP_PKEY_free)
        }
    }

    /// A pair of ends without a socket behind (`BIO_s_mem(3)`): what is written to it can be read from it.
    pub(crate) fn memory(&self) -> Option<Owned<Bio>> {
        // SAFETY: the method is a table of the library; the result is a reference of ours.
        unsafe {
            let memory = (self.crypto.BIO_new)((self.crypto.BIO_s_mem)());
            Owned::new(memory, self.crypto.BIO_vfree as Free<Bio>)
        }
    }

    /// A certificate's DER.
    ///
    /// # Safety
    /// `certificate` is a certificate that lives during the call.
    pub(crate) unsafe fn der(&self, certificate: *const X509) -> Option<Vec<u8>> {
        // SAFETY: a null output asks for the length alone.
        let length = unsafe { (self.crypto.i2d_X509)(certificate, std::ptr::null_mut()) };
        let mut der = vec![0; usize::try_from(length).ok()?];
        let mut at = der.as_mut_ptr();
        // SAFETY: the output is as long as the library has just said; it moves `at` and keeps nothing.
        let written = unsafe { (self.crypto.i2d_X509)(certificate, &raw mut at) };
        (written == length).then_some(der)
    }

    /// The elements of a stack; none for a null pointer.
    ///
    /// # Safety
    /// `stack` is null or a stack of `T` that is not changed during the call.
    pub(crate) unsafe fn elements<T>(&self, stack: *const Stack) -> Vec<*mut T> {
        // SAFETY: the count of a null pointer is -1 (`OPENSSL_sk_num`), otherwise it is a stack.
        let count = unsafe { (self.crypto.OPENSSL_sk_num)(stack) };
        (0..count)
            // SAFETY: the position is within the stack.
            .map(|at| unsafe { (self.crypto.OPENSSL_sk_value)(stack, at) }.cast())
            .collect()
    }
}

/// A copy of a text of the library.
///
/// # Safety
/// `pointer` is null or a text that ends with zero and lives during the call.
pub(crate) unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    let text = unsafe { CStr::from_ptr(pointer) };
    Some(text.to_string_lossy().into_owned())
}
