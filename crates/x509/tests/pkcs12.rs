//! PKCS #12 against OpenSSL, GnuTLS and Java (R27): each opens ours, we open theirs.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests.

mod authority;

use std::num::NonZeroU32;

use authority::{Bench, Entity};
use x509::{
    Certificate,
    pkcs12::{
        Contents, DEFAULT_ITERATIONS, Pfx, Pkcs12Error, TrustedCertificate, build,
        build_trust_store, outline, parse,
    },
};

const PASSWORD: &str = "correct-horse";
const FEW: NonZeroU32 = NonZeroU32::new(2048).unwrap();

struct Scene {
    bench: Bench,
    ca: Entity,
    leaf: Entity,
}

fn scene() -> Scene {
    let ca = Entity::root("Keystore root");
    let leaf = Entity::leaf(&ca, "pacs-1", &[0x7f, 1]);
    let bench = Bench::new();
    bench
        .write("ca.pem", ca.certificate.to_pem())
        .write("leaf.pem", leaf.certificate.to_pem())
        .write("leaf.key", leaf.key_pem());
    Scene { bench, ca, leaf }
}

impl Scene {
    fn ours(&self, password: &str, iterations: NonZeroU32) -> Vec<u8> {
        let contents = Contents {
            pkcs8: &self.leaf.pkcs8,
            certificate: &self.leaf.certificate,
            chain: std::slice::from_ref(&self.ca.certificate),
            friendly_name: "PACS 1 – Röntgen",
        };
        build(&contents, password, iterations).unwrap().to_vec()
    }

    /// The key may be wrapped in other PKCS #8 attributes, so it is compared by what it signs with.
    fn holds_our_key(&self, pfx: &Pfx) {
        let [key] = pfx.keys.as_slice() else {
            panic!("{pfx:?}");
        };
        let secret = &self.leaf.pkcs8[36..68];
        assert!(key.pkcs8.windows(32).any(|window| window == secret));
        let certificate = pfx.certificate_of(key).unwrap();
        assert_eq!(certificate.certificate, self.leaf.certificate);
    }
}

#[test]
fn r27_openssl_gnutls_and_java_open_ours() {
    let scene = scene();
    scene
        .bench
        .write("ours.p12", scene.ours(PASSWORD, DEFAULT_ITERATIONS));
    let openssl = scene
        .bench
        .run("openssl pkcs12 -in ours.p12 -passin pass:correct-horse -nodes -info");
    for fact in [
        "MAC: sha256, Iteration 100000",
        "PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256",
        "BEGIN PRIVATE KEY",
        "CN = pacs-1",
        "CN = Keystore root",
    ] {
        assert!(openssl.contains(fact), "{fact} is not in\n{openssl}");
    }
    let gnutls = scene
        .bench
        .run("certtool --p12-info --inder --infile ours.p12 --password correct-horse");
    assert_eq!(gnutls.matches("BEGIN CERTIFICATE").count(), 2, "{gnutls}");
    assert!(gnutls.contains("PRIVATE KEY"), "{gnutls}");
    let java = scene
        .bench
        .run("keytool -J-Duser.language=en -list -v -storetype PKCS12 -keystore ours.p12 -storepass correct-horse");
    for fact in [
        "Entry type: PrivateKeyEntry",
        "Certificate chain length: 2",
        "CN=pacs-1",
    ] {
        assert!(java.contains(fact), "{fact} is not in\n{java}");
    }
    // Java reads the key itself only when asked to export it.
    scene.bench.run("keytool -importkeystore -srckeystore ours.p12 -srcstoretype PKCS12 -srcstorepass correct-horse -destkeystore copy.p12 -deststoretype PKCS12 -deststorepass correct-horse -noprompt");
    scene.holds_our_key(&parse(&scene.bench.read("copy.p12"), PASSWORD).unwrap());
}

#[test]
fn reads_back_what_was_written() {
    let scene = scene();
    for password in [PASSWORD, "", "pässwörd 🔑"] {
        let pfx = parse(&scene.ours(password, FEW), password).unwrap();
        assert!(pfx.authenticated);
        assert_eq!(*pfx.keys[0].pkcs8, scene.leaf.pkcs8);
        assert_eq!(
            pfx.keys[0].friendly_name.as_deref(),
            Some("PACS 1 – Röntgen")
        );
        let chain: Vec<&Certificate> = pfx.certificates.iter().map(|c| &c.certificate).collect();
        assert_eq!(chain, [&scene.leaf.certificate, &scene.ca.certificate]);
        scene.holds_our_key(&pfx);
    }
    for wrong in ["", "correct-horsf", "Correct-horse"] {
        let error = parse(&scene.ours(PASSWORD, FEW), wrong).unwrap_err();
        assert_eq!(error, Pkcs12Error::WrongPassword);
    }
}

#[test]
fn r27_reads_what_openssl_exports() {
    let scene = scene();
    let export = "openssl pkcs12 -export -in leaf.pem -inkey leaf.key -certfile ca.pem -name pacs -passout pass:correct-horse -out their.p12";
    for (options, digest) in [
        ("", "sha256"),
        (
            " -keypbe AES-128-CBC -certpbe AES-192-CBC -macalg sha512 -iter 5000",
            "sha512",
        ),
        (
            " -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
            "sha1",
        ),
        (" -keypbe NONE -certpbe NONE -macalg sha384", "sha384"),
    ] {
        scene.bench.run(&format!("{export}{options}"));
        let file = scene.bench.read("their.p12");
        let pfx = parse(&file, PASSWORD).unwrap();
        scene.holds_our_key(&pfx);
        assert_eq!(pfx.keys[0].friendly_name.as_deref(), Some("pacs"));
        assert_eq!(pfx.certificates.len(), 2);
        assert_eq!(
            parse(&file, "wrong").unwrap_err(),
            Pkcs12Error::WrongPassword
        );
        assert_eq!(outline(&file).unwrap().mac.unwrap().0, digest);
    }
    scene.bench.run(&format!("{export} -nomac"));
    let file = scene.bench.read("their.p12");
    assert!(!parse(&file, PASSWORD).unwrap().authenticated);
    assert_eq!(
        parse(&file, "wrong").unwrap_err(),
        Pkcs12Error::WrongPassword
    );
}

#[test]
fn empty_passwords_of_openssl_open() {
    let scene = scene();
    let export =
        "openssl pkcs12 -export -in leaf.pem -inkey leaf.key -passout pass: -out their.p12";
    for options in [
        "",
        " -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
    ] {
        scene.bench.run(&format!("{export}{options}"));
        scene.holds_our_key(&parse(&scene.bench.read("their.p12"), "").unwrap());
    }
}

#[test]
fn r27_reads_what_java_and_gnutls_export() {
    let scene = scene();
    scene.bench.run("keytool -genkeypair -alias ris -keyalg EC -groupname secp256r1 -dname CN=ris -storetype PKCS12 -keystore java.p12 -storepass correct-horse");
    let pfx = parse(&scene.bench.read("java.p12"), PASSWORD).unwrap();
    assert_eq!(pfx.keys[0].friendly_name.as_deref(), Some("ris"));
    let certificate = &pfx.certificate_of(&pfx.keys[0]).unwrap().certificate;
    assert_eq!(certificate.subject().to_string(), "CN=ris");

    for cipher in ["aes-256", "3des-pkcs12"] {
        scene.bench.run(&format!(
            "certtool --to-p12 --load-certificate leaf.pem --load-privkey leaf.key --p12-name ris --pkcs-cipher {cipher} --password correct-horse --outder --outfile gnutls.p12"
        ));
        scene.holds_our_key(&parse(&scene.bench.read("gnutls.p12"), PASSWORD).unwrap());
    }
}

#[test]
fn rc2_is_refused_by_name() {
    let scene = scene();
    scene.bench.run("openssl pkcs12 -export -legacy -in leaf.pem -inkey leaf.key -passout pass:correct-horse -out old.p12");
    let error = parse(&scene.bench.read("old.p12"), PASSWORD).unwrap_err();
    assert_eq!(error, Pkcs12Error::Cipher("40-bit RC2".into()));
    assert!(error.to_string().contains("openssl pkcs12 -export"));
}

#[test]
fn java_trusts_a_trust_store() {
    let scene = scene();
    let anchors = [TrustedCertificate {
        certificate: &scene.ca.certificate,
        friendly_name: "ward-root",
    }];
    let file = build_trust_store(&anchors, PASSWORD, FEW).unwrap();
    scene.bench.write("trust.p12", &*file);
    let java = scene
        .bench
        .run("keytool -J-Duser.language=en -list -storetype PKCS12 -keystore trust.p12 -storepass correct-horse");
    assert!(java.contains("ward-root"), "{java}");
    assert!(java.contains("trustedCertEntry"), "{java}");
    scene
        .bench
        .run("openssl pkcs12 -in trust.p12 -passin pass:correct-horse -nokeys");
    let pfx = parse(&file, PASSWORD).unwrap();
    assert_eq!((pfx.keys.len(), pfx.certificates.len()), (0, 1));
}

#[test]
fn iterations_are_budgeted() {
    let scene = scene();
    let mut file = scene.ours(PASSWORD, FEW);
    // The MAC's iterations are the last INTEGER: make 02 02 08 00 enormous by pretending more octets.
    let end = file.len();
    assert_eq!(file[end - 4..], [0x02, 0x02, 0x08, 0x00]);
    file.splice(end - 4.., [0x02, 0x04, 0x7f, 0xff, 0xff, 0xff]);
    grow(&mut file, 2);
    let error = parse(&file, PASSWORD).unwrap_err();
    assert_eq!(error, Pkcs12Error::Iterations(0x7fff_ffff));
}

/// Adds to the lengths of the outer SEQUENCE (two octets) and of the MacData that ends the file (one octet).
fn grow(file: &mut [u8], by: u8) {
    assert_eq!(file[1], 0x82);
    let outer = u16::from_be_bytes([file[2], file[3]]) + u16::from(by);
    file[2..4].copy_from_slice(&outer.to_be_bytes());
    // MacData: 30 len, 30 31 (DigestInfo) 30 0d (SHA-256) …
    let mac = file
        .windows(5)
        .rposition(|w| w[0] == 0x30 && w[2..5] == [0x30, 0x31, 0x30])
        .unwrap();
    file[mac + 1] += by;
}
