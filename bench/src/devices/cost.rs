//! What no server gets below: the cryptography of an enrolment and a durable commit, in microseconds of CPU time, each by
//! itself on one thread with nothing around it.

use super::{Error, Key};
use crate::process;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::rsa::{
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use x509::KeyAlgorithm;

/// About what is signed in a certificate, and what a device signs.
const SIGNED: [u8; 800] = [0x30; 800];
/// A device's certificate.
const ROW: usize = 900;

/// All of it. `folder` is on the disk that the server's database is on, `shared` how many rows share a transaction.
pub fn measure(folder: &Path, shared: &[usize], time: Duration) -> Result<Value, Error> {
    let commits = shared
        .iter()
        .map(|rows| Ok((rows.to_string(), json!(commit(folder, *rows, time)?))))
        .collect::<Result<serde_json::Map<_, _>, Error>>()?;
    let (ec, rsa) = (
        Key::generate(KeyAlgorithm::EcdsaP256)?,
        Key::generate(KeyAlgorithm::Rsa2048)?,
    );
    let random = SystemRandom::new();
    let bad = |what: &'static str| move |_| Error::Unexpected(what);
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &ec.pkcs8);
    let ec = ec.map_err(bad("P-256 key"))?;
    let by_ec = ec.sign(&random, &SIGNED);
    let by_ec = by_ec.map_err(|_| Error::Unexpected("P-256 signature"))?;
    let pair = RsaKeyPair::from_pkcs8(&rsa.pkcs8).map_err(bad("RSA key"))?;
    let mut by_rsa = vec![0; pair.public_modulus_len()];
    let sign = |signature: &mut [u8]| {
        let signed = pair.sign(&RSA_PKCS1_SHA256, &random, &SIGNED, signature);
        signed.map_err(|_| Error::Unexpected("RSA signature"))
    };
    sign(&mut by_rsa)?;
    let private = PrivateDecryptingKey::from_pkcs8(&rsa.pkcs8).map_err(bad("RSA key"))?;
    let public = private.public_key().as_der();
    let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
        public.map_err(|_| Error::Unexpected("RSA key"))?;
    let public = PublicEncryptingKey::from_der(public.as_ref()).map_err(bad("RSA key"))?;
    let unspecified = |_| Error::Unexpected("RSA encryption");
    let public = Pkcs1PublicEncryptingKey::new(public).map_err(unspecified)?;
    let private = Pkcs1PrivateDecryptingKey::new(private).map_err(unspecified)?;
    let mut sealed = vec![0; public.ciphertext_size()];
    public.encrypt(&[7; 16], &mut sealed).map_err(unspecified)?;
    let (mut out, mut plain) = (vec![0; 256], vec![0; private.min_output_size()]);
    let verify = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8], signature: &[u8]| {
        let verified = UnparsedPublicKey::new(algorithm, key).verify(&SIGNED, signature);
        verified.map_err(|_| Error::Unexpected("a signature does not verify"))
    };
    let (ec_public, rsa_public) = (ec.public_key().as_ref(), pair.public_key().as_ref());
    let mut ec_check = || verify(&ECDSA_P256_SHA256_ASN1, ec_public, by_ec.as_ref());
    let mut rsa_check = || verify(&RSA_PKCS1_2048_8192_SHA256, rsa_public, &by_rsa);
    let mut ec_sign = || {
        let signed = ec.sign(&random, &SIGNED).map(drop);
        signed.map_err(|_| Error::Unexpected("P-256 signature"))
    };
    Ok(json!({
        "verify_p256": each(time, &mut ec_check)?,
        "sign_p256": each(time, &mut ec_sign)?,
        "verify_rsa": each(time, &mut rsa_check)?,
        "sign_rsa": each(time, &mut || sign(&mut out))?,
        "encrypt_rsa": each(time, &mut || public.encrypt(&[7; 16], &mut sealed.clone()).map(drop).map_err(unspecified))?,
        "decrypt_rsa": each(time, &mut || private.decrypt(&sealed, &mut plain).map(drop).map_err(unspecified))?,
        "commit": commits,
    }))
}

/// Microseconds of CPU time that one takes.
fn each(time: Duration, work: &mut dyn FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let cpu = || process::cpu_seconds(std::process::id());
    let (begun, before) = (Instant::now(), cpu());
    let mut done = 0_u32;
    while begun.elapsed() < time {
        for _ in 0..16 {
            work()?;
        }
        done += 16;
    }
    Ok((cpu() - before) * 1e6 / f64::from(done))
}

/// One row of the size of a certificate under a random key in SQLite, `rows` of them in a transaction, durable as Ward's
/// are: a write-ahead log, synchronous.
fn commit(folder: &Path, rows: usize, time: Duration) -> Result<f64, Error> {
    let wrong = |error: rusqlite::Error| Error::Cost(error.to_string());
    let mut database = Connection::open(folder.join(format!("commit-{rows}.db"))).map_err(wrong)?;
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             CREATE TABLE one(key BLOB PRIMARY KEY, der BLOB NOT NULL) WITHOUT ROWID;",
        )
        .map_err(wrong)?;
    let mut write = || {
        let transaction = database.transaction().map_err(wrong)?;
        for _ in 0..rows {
            let (mut key, mut der) = ([0; 32], [0; ROW]);
            fill(&mut key)
                .and_then(|()| fill(&mut der))
                .map_err(|_| Error::Unexpected("no random bytes"))?;
            let add = transaction.prepare_cached("INSERT INTO one VALUES(?1, ?2)");
            add.and_then(|mut add| add.execute((key, der)))
                .map_err(wrong)?;
        }
        transaction.commit().map_err(wrong)
    };
    Ok(each(time, &mut write)? / rows as f64)
}
