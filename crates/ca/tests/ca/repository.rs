//! R12: certificates are found by what is known of them.

use ca::{CertificateFilter, CertificateState, IssueRequest};
use x509::KeyAlgorithm;

use crate::support::{House, NOW, csr, dns, on_both, server};

on_both!(r12_certificates_are_found_and_paged);

async fn r12_certificates_are_found_and_paged(postgres: bool) {
    let house = House::new(postgres).await;
    for n in 0..7 {
        house
            .issue(server(&format!("h{n}.example.org")))
            .await
            .unwrap();
    }
    let node = csr(
        KeyAlgorithm::EcdsaP256,
        "CN=CT_1",
        vec![dns("ct1.rad.example.org")],
    );
    let node = house
        .issue(IssueRequest::from_csr("dicom-node", node))
        .await
        .unwrap();
    let find = async |filter: CertificateFilter| house.ca.certificates(&filter).await.unwrap();
    let count = async |filter: CertificateFilter| find(filter).await.certificates.len();
    let any = CertificateFilter::default;

    assert_eq!(
        count(any()).await,
        12,
        "four of the hierarchy, seven servers, one node"
    );
    assert_eq!(
        count(CertificateFilter {
            profile: Some("server-tls".into()),
            ..any()
        })
        .await,
        7
    );
    assert_eq!(
        count(CertificateFilter {
            issuer: Some("devices".into()),
            ..any()
        })
        .await,
        1
    );
    let containing = |text: &str| CertificateFilter {
        contains: Some(text.into()),
        ..any()
    };
    assert_eq!(count(containing("RAD.example")).await, 1);
    assert_eq!(count(containing("ct_1")).await, 1);
    assert_eq!(
        count(containing("c__1")).await,
        0,
        "wildcards of SQL mean themselves"
    );
    assert_eq!(count(containing("100%")).await, 0);
    let soon = NOW.0 / 1000 + 100 * 86_400;
    assert_eq!(
        count(CertificateFilter {
            expires_before: Some(soon),
            ..any()
        })
        .await,
        7
    );
    assert_eq!(
        count(CertificateFilter {
            expires_after: Some(soon),
            ..any()
        })
        .await,
        5
    );
    assert_eq!(
        count(CertificateFilter {
            state: Some(CertificateState::Revoked),
            ..any()
        })
        .await,
        0
    );
    assert_eq!(
        count(CertificateFilter {
            state: Some(CertificateState::Issued),
            ..any()
        })
        .await,
        12
    );

    // Pages: every row once, the newest first.
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = find(CertificateFilter {
            limit: Some(5),
            after,
            ..any()
        })
        .await;
        seen.extend(page.certificates.iter().map(|row| row.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 12);
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]));

    let by_serial = house
        .ca
        .certificate_by_serial("devices", &node.serial)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(by_serial.sha256, node.sha256);
    assert!(
        house
            .ca
            .certificate_by_serial("servers", &node.serial)
            .await
            .unwrap()
            .is_none()
    );
    assert!(house.ca.certificate(&[0; 32]).await.unwrap().is_none());
    let json = serde_json::to_value(&by_serial).unwrap();
    assert_eq!(json["serial"], hex::encode(&node.serial));
    assert!(json.get("der").is_none());
    assert_eq!(json["partition"], 0);
}
