//! A hospital with pumps in its register and an endpoint that speaks SCEP, and its database.

#[path = "../house/mod.rs"]
mod house;

use bytes::Bytes;
use enroll::device::{
    Approval, Endpoint, For, NewCredential, Protocols, Renewal, Reply, Request, ScepPolicy,
    Unregistered,
};
use http::Method;
use x509::{Certificate, pkcs7};

pub(crate) use house::devices::{House, header};
use house::devices::{new_right, request};
pub(crate) use house::{DAY, NOW, admin, on_both, permit};

impl House {
    /// With the endpoints `pumps`, `old` (legacy), `asked` (waits for a person) and `was-ndes`, and the pumps SN-1 to SN-9.
    pub(crate) async fn new(postgres: bool) -> Self {
        let house = House::bare(postgres).await;
        for number in 1..10 {
            house.register(&format!("SN-{number}")).await;
        }
        let scep = |legacy| ScepPolicy {
            legacy,
            ..ScepPolicy::default()
        };
        let old = Endpoint {
            scep: scep(true),
            ..endpoint("old")
        };
        let asked = Endpoint {
            approval: Approval::Always,
            unregistered: Unregistered::Wait,
            ..endpoint("asked")
        };
        let was_ndes = Endpoint {
            scep: ScepPolicy {
                ndes: true,
                ..scep(false)
            },
            ..endpoint("was-ndes")
        };
        for endpoint in [endpoint("pumps"), old, asked, was_ndes] {
            house.put(endpoint).await;
        }
        house
    }

    /// A password for one pump, or for several.
    pub(crate) async fn password(&self, serials: &[&str]) -> String {
        let serials = serials.iter().map(ToString::to_string).collect();
        let new = new_right(For::Batch(serials), NewCredential::OneTimePassword);
        self.create_right(new).await.1
    }

    pub(crate) async fn get(&self, path: &str, query: &str) -> Reply {
        self.send(Method::GET, path, Some(query), b"").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        query: Option<&str>,
        body: &[u8],
    ) -> Reply {
        let request = Request {
            query,
            body: Bytes::copy_from_slice(body),
            ..request(method, path)
        };
        self.devices.handle(request, self.now()).await
    }

    /// What GetCACert says, in its order.
    pub(crate) async fn certificates(&self, endpoint: &str) -> Vec<Certificate> {
        let reply = self
            .get(&format!("/scep/{endpoint}"), "operation=GetCACert&message=")
            .await;
        assert_eq!(
            (reply.status, header(&reply, "content-type")),
            (200, Some("application/x-x509-ca-ra-cert"))
        );
        pkcs7::parse(&reply.body).unwrap().certificates
    }
}

/// An endpoint that renews whenever it is asked.
pub(crate) fn endpoint(name: &str) -> Endpoint {
    let protocols = Protocols {
        scep: true,
        ..Protocols::default()
    };
    Endpoint {
        renewal: Renewal {
            from: 0,
            ..Renewal::default()
        },
        ..house::devices::endpoint(name, protocols)
    }
}
