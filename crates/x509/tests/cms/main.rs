//! CMS messages against OpenSSL in both directions, and messages that are wrong (R09).

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod enveloped;
mod hostile;
mod signed;

use std::{path::PathBuf, process::Command, sync::OnceLock};

use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use x509::Certificate;
use zeroize::Zeroizing;

/// Keys and certificates of every kind, made once.
pub(crate) struct Lab {
    folder: tempfile::TempDir,
}

pub(crate) const PEOPLE: [(&str, &str); 6] = [
    ("rsa", "rsa:2048"),
    ("other", "rsa:2048"),
    ("small", "rsa:1024"),
    ("p256", "ec:P-256"),
    ("p384", "ec:P-384"),
    ("p521", "ec:P-521"),
];

pub(crate) fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| {
        let lab = Lab {
            folder: tempfile::Builder::new().prefix("x509cms").tempdir().unwrap(),
        };
        for (who, kind) in PEOPLE {
            let key = match kind.strip_prefix("ec:") {
                Some(curve) => format!("-newkey ec -pkeyopt ec_paramgen_curve:{curve}"),
                None => format!("-newkey {kind}"),
            };
            lab.openssl(&format!(
                "req -x509 {key} -nodes -subj /O=Ward/CN={who} -days 30 -keyout {who}.key -out {who}.pem"
            ));
            lab.openssl(&format!("pkcs8 -topk8 -nocrypt -in {who}.key -outform DER -out {who}.p8"));
        }
        lab.write("content", CONTENT);
        lab
    })
}

pub(crate) const CONTENT: &[u8] = b"Pump 17 asks for a certificate.\n";

impl Lab {
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path(file)).unwrap()
    }

    /// Runs OpenSSL and insists on success.
    pub(crate) fn openssl(&self, args: &str) {
        let (done, text) = self.try_openssl(args);
        assert!(done, "openssl {args}\n{text}");
    }

    pub(crate) fn try_openssl(&self, args: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(args.split(' ').filter(|word| !word.is_empty()))
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|e| panic!("openssl is needed for this test: {e}"));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    }

    pub(crate) fn certificate(&self, who: &str) -> Certificate {
        Certificate::from_pem(&self.read(&format!("{who}.pem"))).unwrap()
    }

    pub(crate) fn pkcs8(&self, who: &str) -> Vec<u8> {
        self.read(&format!("{who}.p8"))
    }

    /// PKCS #1 v1.5, as the library does it: its answer to a wrong padding is an error.
    pub(crate) fn decipher(&self, who: &str, encrypted: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let key = PrivateDecryptingKey::from_pkcs8(&self.pkcs8(who)).unwrap();
        let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
        let mut out = vec![0; key.min_output_size()];
        let opened = key.decrypt(encrypted, &mut out).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }
}
