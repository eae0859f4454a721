//! A hospital with endpoints for EST, and its database.

#[path = "../house/mod.rs"]
mod house;

use bytes::Bytes;
use enroll::device::{Endpoint, For, NewCredential, Protocols, Reply, Request, Tls};
use http::Method;

pub(crate) use house::devices::{House, header, text};
use house::devices::{new_right, request};
pub(crate) use house::{NOW, admin, on_both};

/// What a client sends.
#[derive(Clone, Default)]
pub(crate) struct Sent<'a> {
    pub(crate) post: Option<&'a [u8]>,
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) plain: bool,
}

impl House {
    /// A right for one certificate at any endpoint, made by somebody who then approves nothing: user and password.
    pub(crate) async fn right(&self, r#for: For, credential: NewCredential) -> (String, String) {
        let (right, secret) = self.create_right(new_right(r#for, credential)).await;
        // Another process made it: this one hears of it.
        for event in self.events("enrolment.right.create").await {
            self.devices.observe(&event).await;
        }
        (right.id.to_string(), secret)
    }

    pub(crate) async fn send(&self, path: &str, sent: Sent<'_>) -> Reply {
        let method = match sent.post {
            Some(_) => Method::POST,
            None => Method::GET,
        };
        let request = Request {
            content_type: sent.post.map(|_| "application/pkcs10"),
            authorization: sent.authorization,
            body: Bytes::copy_from_slice(sent.post.unwrap_or_default()),
            tls: (!sent.plain).then_some(Tls {
                peer: &sent.chain,
                version: "TLSv1.3",
                suite: None,
            }),
            ..request(method, path)
        };
        self.devices.handle(request, self.now()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(path, Sent::default()).await
    }
}

pub(crate) fn endpoint(name: &str) -> Endpoint {
    let protocols = Protocols {
        est: true,
        ..Protocols::default()
    };
    house::devices::endpoint(name, protocols)
}
