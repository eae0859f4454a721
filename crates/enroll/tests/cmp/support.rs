//! A hospital with pumps in its register and endpoints that speak CMP, and its database.

#[path = "../house/mod.rs"]
mod house;

use access::{Action, RequestId};
use bytes::Bytes;
use enroll::device::{
    Approval, CmpPolicy, Endpoint, For, NewCredential, NewRight, Protocols, Renewal, Reply,
    Request, Unregistered,
};
use http::Method;
use x509::Certificate;

pub(crate) use house::devices::{House, header};
use house::devices::{new_right, request};
pub(crate) use house::{HOUR, NOW, admin, on_both};

impl House {
    /// With the endpoints `pumps`, `open` (information for everybody) and `asked` (waits for a person), and the pumps
    /// SN-1 to SN-4.
    pub(crate) async fn new(postgres: bool) -> Self {
        let house = House::bare(postgres).await;
        for number in 1..5 {
            house.register(&format!("SN-{number}")).await;
        }
        house.put(endpoint("pumps")).await;
        let cmp = CmpPolicy {
            open_information: true,
            ..CmpPolicy::default()
        };
        house
            .put(Endpoint {
                cmp,
                ..endpoint("open")
            })
            .await;
        let asked = Endpoint {
            approval: Approval::Always,
            unregistered: Unregistered::Wait,
            ..endpoint("asked")
        };
        house.put(asked).await;
        house
    }

    /// A reference and a secret for some serial numbers.
    pub(crate) async fn secret(&self, serials: &[&str], uses: Option<u32>) -> (String, String) {
        let serials = serials.iter().map(ToString::to_string).collect();
        let new = NewRight {
            uses,
            ..new_right(For::Batch(serials), NewCredential::SharedSecret)
        };
        let (right, secret) = self.create_right(new).await;
        self.devices.refresh().await.unwrap();
        (right.id.to_string(), secret)
    }

    /// Whoever has a certificate of this manufacturer may enrol.
    pub(crate) async fn trust_vendor(&self, anchor: &Certificate) {
        let credential = NewCredential::Vendor {
            anchors: vec![anchor.to_pem()],
            serial_field: enroll::device::SerialField::SubjectSerialNumber,
        };
        self.create_right(new_right(For::Any, credential)).await;
        self.devices.refresh().await.unwrap();
    }

    /// A second person approves the newest request.
    pub(crate) async fn approve(&self) {
        let waiting = self.events("request.create").await;
        let id = RequestId::parse(&waiting.last().unwrap().object.id).unwrap();
        let second = house::permit(&self.ca, "biomed", Action::ApproveRequests);
        self.ca
            .approve(second, &id, None, self.now())
            .await
            .unwrap();
    }

    pub(crate) async fn prune(&self) {
        self.devices.prune(self.now()).await.unwrap();
    }

    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Reply {
        self.send(Method::POST, path, Some("application/pkixcmp"), body)
            .await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Reply {
        let request = Request {
            content_type,
            body: Bytes::copy_from_slice(body),
            ..request(method, path)
        };
        self.devices.handle(request, self.now()).await
    }
}

/// An endpoint that renews whenever it is asked.
pub(crate) fn endpoint(name: &str) -> Endpoint {
    let protocols = Protocols {
        cmp: true,
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
