//! Downloads: forms, chains, whose.

use serde_json::json;
use x509::Certificate;

use crate::support::{House, on_both};

on_both!(
    rfc8555_7_4_2_the_chain_in_every_form,
    rfc8555_7_4_2_alternate_chains_are_linked,
    nobody_downloads_what_is_not_theirs,
);

fn certificates(pem: &[u8]) -> Vec<Certificate> {
    let text = String::from_utf8(pem.to_vec()).unwrap();
    let parts = text.split_inclusive("-----END CERTIFICATE-----\n");
    parts
        .map(|part| Certificate::from_pem(part.as_bytes()).unwrap())
        .collect()
}

async fn rfc8555_7_4_2_the_chain_in_every_form(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    let url = client.certify(&["a.example.org"]).await;
    let pem = client.get(&url).await.ok(200);
    assert_eq!(
        pem.reply.content_type,
        Some("application/pem-certificate-chain")
    );
    let chain = certificates(&pem.reply.body);
    assert_eq!(chain.len(), 2);
    chain[0]
        .verify_signed_by(&chain[1].public_key().unwrap())
        .unwrap();
    assert!(url.ends_with(&hex::encode(chain[0].fingerprint())));
    let der = client
        .post_accepting(&url, None, Some("application/pkix-cert"))
        .await
        .ok(200);
    assert_eq!(der.reply.content_type, Some("application/pkix-cert"));
    assert_eq!(der.reply.body, chain[0].der());
    let bundle = client
        .post_accepting(&url, None, Some("application/pkcs7-mime"))
        .await
        .ok(200);
    assert_eq!(bundle.reply.content_type, Some("application/pkcs7-mime"));
    let read = x509::pkcs7::parse(&bundle.reply.body).unwrap();
    assert_eq!(read.certificates, chain);
    assert_eq!(pem.link("alternate"), None);
    assert_eq!(client.get(&format!("{url}/1")).await.status, 404);
    assert_eq!(
        client.post(&url, Some(json!({}))).await.error(),
        "malformed"
    );
}

/// A root that is replaced is cross-signed by the one before it: whoever trusts either can verify.
async fn rfc8555_7_4_2_alternate_chains_are_linked(postgres: bool) {
    let house = House::new(postgres).await;
    let client = house.client().await;
    crate::support::rotate_root(&house).await;
    let (acme, _) = house.another().await;
    client.turn_to(&acme);
    let url = client.certify(&["a.example.org"]).await;
    let first = client.get(&url).await.ok(200);
    let other = first.link("alternate").unwrap();
    assert_eq!(other, format!("{url}/1"));
    let second = client.get(&other).await.ok(200);
    assert_eq!(second.link("alternate").as_deref(), Some(url.as_str()));
    let chains = [
        certificates(&first.reply.body),
        certificates(&second.reply.body),
    ];
    assert_ne!(chains[0], chains[1]);
    let roots: Vec<Certificate> = house
        .another()
        .await
        .1
        .issuers()
        .iter()
        .filter(|issuer| issuer.record().parent.is_none())
        .map(|issuer| issuer.certificate().clone())
        .collect();
    assert_eq!(roots.len(), 2);
    // Each chain leads to a root of its own.
    let mut reached = Vec::new();
    for chain in &chains {
        for pair in chain.windows(2) {
            pair[0]
                .verify_signed_by(&pair[1].public_key().unwrap())
                .unwrap();
        }
        let top = chain.last().unwrap();
        let root = roots.iter().position(|root| {
            top.issuer() == root.subject()
                && top.verify_signed_by(&root.public_key().unwrap()).is_ok()
        });
        reached.push(root.unwrap());
    }
    assert_ne!(reached[0], reached[1]);
}

async fn nobody_downloads_what_is_not_theirs(postgres: bool) {
    let house = House::new(postgres).await;
    let (client, other) = (house.client().await, house.client().await);
    let url = client.certify(&["a.example.org"]).await;
    let answer = other.get(&url).await;
    assert_eq!((answer.status, answer.error()), (403, "unauthorized"));
    let upper = url.to_uppercase();
    let sha256 = upper.rsplit('/').next().unwrap();
    assert_eq!(
        client
            .get(&client.url(&format!("certificate/{sha256}")))
            .await
            .status,
        404
    );
    let authority = house
        .ca
        .issuer("servers")
        .unwrap()
        .certificate()
        .fingerprint();
    let path = format!("certificate/{}", hex::encode(authority));
    assert_eq!(client.get(&client.url(&path)).await.error(), "unauthorized");
}
