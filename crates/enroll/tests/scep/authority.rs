//! What a client learns before it asks for anything.

use http::Method;
use x509::cms::{SignedData, Strength};
use x509::pkcs7;

use crate::support::{House, NOW, admin, header, on_both};

on_both!(
    rfc8894_3_5_2_capabilities,
    rfc8894_4_2_certificates_ra_first,
    rfc8894_4_7_the_next_generation_is_signed_by_the_one_before,
    r09_paths_of_a_windows_server,
    rfc8894_4_1_what_is_no_operation,
);

async fn rfc8894_3_5_2_capabilities(postgres: bool) {
    let house = House::new(postgres).await;
    let table = [
        (
            "pumps",
            "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\nSHA-512\n",
        ),
        (
            "old",
            "AES\nPOSTPKIOperation\nRenewal\nSCEPStandard\nSHA-256\nSHA-512\nDES3\nSHA-1\n",
        ),
    ];
    for (endpoint, expected) in table {
        let path = format!("/scep/{endpoint}");
        let reply = house.get(&path, "operation=GetCACaps&message=x").await;
        assert_eq!(reply.status, 200);
        assert_eq!(header(&reply, "content-type"), Some("text/plain"));
        assert_eq!(reply.body, expected);
    }
}

async fn rfc8894_4_2_certificates_ra_first(postgres: bool) {
    let house = House::new(postgres).await;
    let found = house.certificates("pumps").await;
    let expected = ["devices", "root"].map(|id| house.ca.issuer(id).unwrap().certificate().clone());
    assert_eq!(found[1..], expected);
    for pair in found.windows(2) {
        pair[0]
            .verify_signed_by(&pair[1].public_key().unwrap())
            .unwrap();
    }
    assert_eq!(house.certificates("pumps").await, found);
}

async fn rfc8894_4_7_the_next_generation_is_signed_by_the_one_before(postgres: bool) {
    let house = House::new(postgres).await;
    let none = house.get("/scep/pumps", "operation=GetNextCACert").await;
    assert_eq!(none.status, 404);
    let before = house.ca.issuer("devices").unwrap();
    let permit = admin(&house.ca, access::Action::ManageAuthorities);
    let key = house.site.root_key();
    house
        .ca
        .rotate_authority(permit, "devices", key, None, None, NOW)
        .await
        .unwrap();
    let reply = house.get("/scep/pumps", "operation=GetCACaps").await;
    let lines = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(lines.lines().any(|line| line == "GetNextCACert"));
    let reply = house.get("/scep/pumps", "operation=GetNextCACert").await;
    assert_eq!(
        (reply.status, header(&reply, "content-type")),
        (200, Some("application/x-x509-next-ca-cert"))
    );
    let signed = SignedData::parse(&reply.body).unwrap();
    let key = before.certificate().public_key().unwrap();
    signed.verify(&key, Strength::Current).unwrap();
    let next = pkcs7::parse(signed.content.as_ref().unwrap()).unwrap();
    let after = house.ca.issuer("devices-g2").unwrap();
    assert_eq!(next.certificates[0], *after.certificate());
    // From now on the new generation speaks for itself.
    assert_eq!(house.certificates("pumps").await[1], *after.certificate());
}

async fn r09_paths_of_a_windows_server(postgres: bool) {
    let house = House::new(postgres).await;
    let query = "operation=GetCACaps";
    let table = [
        ("/certsrv/mscep/mscep.dll", 200),
        ("/CertSrv/mscep/mscep.dll", 200),
        ("/certsrv/mscep/mscep.dll/pkiclient.exe", 200),
        ("/certsrv/mscep_admin/", 404),
        ("/scep/was-ndes", 200),
        ("/scep/pumps/pkiclient.exe", 200),
        ("/scep/pumps/PKIClient.exe", 200),
        ("/scep/pumps/", 200),
        ("/scep/pumps/other", 404),
        ("/scep/nobody", 404),
        ("/scep", 404),
    ];
    for (path, status) in table {
        assert_eq!(house.get(path, query).await.status, status, "{path}");
    }
}

async fn rfc8894_4_1_what_is_no_operation(postgres: bool) {
    let house = House::new(postgres).await;
    let table: [(Method, Option<&str>, &[u8], u16); 9] = [
        (Method::GET, None, b"", 400),
        (Method::GET, Some("operation=Delete"), b"", 400),
        (Method::GET, Some("operation=PKIOperation"), b"", 400),
        (
            Method::GET,
            Some("operation=PKIOperation&message=%%"),
            b"",
            400,
        ),
        (Method::POST, Some("operation=PKIOperation"), b"", 400),
        (
            Method::POST,
            Some("operation=PKIOperation"),
            b"0\x03abc",
            400,
        ),
        (Method::PUT, Some("operation=PKIOperation"), b"0\x00", 405),
        (Method::DELETE, Some("operation=GetCACert"), b"", 405),
        (Method::HEAD, Some("operation=GetCACert"), b"", 200),
    ];
    for (method, query, body, status) in table {
        let reply = house.send(method.clone(), "/scep/pumps", query, body).await;
        assert_eq!(reply.status, status, "{method} {query:?}");
    }
    let large = [&[0x30, 0x83, 0x03, 0, 0][..], &vec![0; 200_000]].concat();
    let query = Some("operation=PKIOperation");
    let reply = house.send(Method::POST, "/scep/pumps", query, &large).await;
    assert_eq!(reply.status, 413);
}
