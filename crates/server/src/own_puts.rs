//! What moho's own services put into buckets by themselves: as the service, through the same gateway as everybody, so that the
//! bucket's policy and its key's say whether it may. Each object is in the journal, whatever came of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, request};
use moho_iam::authn::Authenticated;
use moho_iam::authz::{ActingFor, Delivery, EventAnswer, RequestFacts};
use moho_iam::{OwnService, OwnServices};
use moho_s3::{Notes, Proof, S3Call, S3Gateway, Trailers};
use moho_terms::{AccountId, BucketName, Clock, Entropy, RequestId};

use crate::api_calls::{Recording, Told};
use crate::object_calls::call_of_own_service;
use crate::road::chain;

/// What it takes to put as a service.
pub(crate) struct OwnPuts {
    pub(crate) services: OwnServices,
    pub(crate) gateway: Arc<S3Gateway>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// A bucket on which a service acts.
pub(crate) struct OwnBucket {
    /// Which service.
    pub(crate) service: OwnService,
    /// For whose sake, which policies ask about.
    pub(crate) acting_for: ActingFor,
    pub(crate) name: BucketName,
    /// Whose it is: the service acts in that account, and a bucket that another one has of this name by now is refused.
    pub(crate) owner: AccountId,
}

impl OwnBucket {
    /// One that belongs to the account for whose sake the service acts.
    pub(crate) fn of_account(service: OwnService, acting_for: ActingFor, name: BucketName) -> Self {
        Self {
            owner: acting_for.account,
            service,
            acting_for,
            name,
        }
    }
}

/// An object to be put.
pub(crate) struct OwnObject {
    /// Where.
    pub(crate) on: OwnBucket,
    pub(crate) key: String,
    pub(crate) content_type: &'static str,
    /// Further headers of S3's.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) bytes: Bytes,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PutAnswer {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// S3's code, if it was refused.
    pub(crate) code: Option<String>,
}

impl PutAnswer {
    /// What was put, and could not be written down.
    fn unwritten() -> Self {
        Self {
            status: 503,
            code: Some("ServiceUnavailable".to_owned()),
        }
    }
}

impl OwnPuts {
    /// The service, acting now on something that belongs to `account`; `None` if that cannot be said.
    pub(crate) fn caller(&self, service: OwnService, account: AccountId) -> Option<Authenticated> {
        self.services.acting(service, account, self.clock.now()).ok()
    }

    /// What is known of something that a service does by itself.
    pub(crate) fn facts(acting_for: ActingFor, request_id: RequestId) -> RequestFacts {
        RequestFacts {
            // It never leaves this process.
            secure_transport: true,
            acting_for: Some(acting_for),
            ..RequestFacts::new(request_id)
        }
    }

    /// Puts one object; `None` if it cannot even be asked for.
    pub(crate) fn put(&self, object: OwnObject) -> Option<impl Future<Output = PutAnswer> + Send + use<>> {
        let length = object.bytes.len();
        let mut request = Request::put(format!("/{}/{}", object.on.name, encoded(&object.key)))
            .header("content-type", object.content_type)
            .header("content-length", length);
        for (name, value) in object.headers {
            request = request.header(name, value);
        }
        let asked = Asked {
            name: "PutObject",
            on: object.on,
            key: Some(object.key),
            length: length as u64,
        };
        self.call(asked, request, object.bytes)
    }

    /// Asks for a bucket's list of who may do what; `None` if it cannot even be asked for.
    pub(crate) fn get_bucket_acl(
        &self,
        on: OwnBucket,
    ) -> Option<impl Future<Output = PutAnswer> + Send + use<>> {
        let request = Request::get(format!("/{}?acl", on.name));
        let asked = Asked {
            name: "GetBucketAcl",
            on,
            key: None,
            length: 0,
        };
        self.call(asked, request, Bytes::new())
    }

    /// Makes a call, and writes down what came of it.
    fn call(
        &self,
        asked: Asked,
        request: request::Builder,
        bytes: Bytes,
    ) -> Option<impl Future<Output = PutAnswer> + Send + use<>> {
        let Asked {
            name,
            on,
            key,
            length,
        } = asked;
        let caller = Arc::new(self.caller(on.service, on.owner)?);
        let request = request
            .header("host", "s3")
            .header(EXPECTED_OWNER, on.owner.as_str())
            .body(s3s::Body::from(bytes))
            .ok()?;
        let facts = Self::facts(on.acting_for, RequestId::random(&*self.entropy).ok()?);
        let notes = Notes::new();
        let call = S3Call {
            caller: Arc::clone(&caller),
            facts: facts.clone(),
            proof: Proof::default(),
            request,
            trailers: Trailers::new(),
            notes: notes.clone(),
        };
        let (gateway, recording) = (Arc::clone(&self.gateway), Arc::clone(&self.recording));
        let now = self.clock.now();
        Some(async move {
            let status = gateway.answer(call).await.status().as_u16();
            let code = notes.so_far().error_code;
            let answer = EventAnswer {
                status: Some(status),
                error_code: code.clone(),
                bytes_in: length,
                bytes_out: 0,
                delivery: Delivery::Complete,
            };
            // As with all that is done by itself, there is nobody else to be told.
            let called = (name, &on.name, key.as_deref());
            let event = call_of_own_service(&caller, &facts, called, (now, answer));
            if let Err(error) = recording.write(event, Told::default()) {
                // It counts as not done: whoever tries again puts the same in the same place.
                tracing::error!(error = %chain(&error), "what a service has done is not in the journal");
                return PutAnswer::unwritten();
            }
            PutAnswer { status, code }
        })
    }
}

/// What is asked for.
struct Asked {
    /// S3's name for it.
    name: &'static str,
    on: OwnBucket,
    key: Option<String>,
    /// Bytes that are sent.
    length: u64,
}

/// By what S3 refuses what goes to another account's bucket than is meant, however short ago that was made.
const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

/// A key as a path has it.
fn encoded(key: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b'/');
    utf8_percent_encode(key, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use moho_audit::RecordSeal;
    use moho_iam::authz::{Entry, Event, Journal, JournalUnavailable, Position};
    use moho_terms::{Arn, Secret};

    use super::*;
    use crate::config::{Config, Surroundings, Typed};
    use crate::startup::watched::WatchedJournal;
    use crate::startup::{self, Started};

    /// As a disk that is full after the last decision.
    struct Full;

    impl Journal for Full {
        fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
            Err(JournalUnavailable::new("full"))
        }

        fn record_event(&self, _event: &Event) -> Result<Position, JournalUnavailable> {
            Err(JournalUnavailable::new("full"))
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_cannot_be_written_down_counts_as_not_put() {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(folder.path().to_owned()),
        };
        let config = Config::resolve(&Typed::default(), &surroundings).unwrap();
        let Started { platform, .. } = startup::open(&config, &mut |_, _, _| {}).unwrap();
        let full = Recording {
            journal: Arc::new(WatchedJournal::new(Box::new(Full), Arc::clone(&platform.clock))),
            seal: RecordSeal::new(&Secret::new(vec![7; 32])),
            entropy: Arc::clone(&platform.entropy),
            region: platform.region.clone(),
        };
        // No bucket lets it in, which it is only told once that is written down.
        for (recording, status) in [(Arc::clone(&platform.recording), 403), (Arc::new(full), 503)] {
            let puts = OwnPuts {
                services: OwnServices::of_installation(&Secret::new(vec![7; 32])).unwrap(),
                gateway: Arc::clone(&platform.objects),
                recording,
                clock: Arc::clone(&platform.clock),
                entropy: Arc::clone(&platform.entropy),
            };
            let acting_for = ActingFor {
                resource: Arn::of("bedrock", "us-east-1", platform.account.as_str(), "*").unwrap(),
                account: platform.account,
            };
            let object = OwnObject {
                on: OwnBucket::of_account(OwnService::Bedrock, acting_for, "absent".parse().unwrap()),
                key: "key".to_owned(),
                content_type: "text/plain",
                headers: Vec::new(),
                bytes: Bytes::from_static(b"x"),
            };
            assert_eq!(puts.put(object).unwrap().await.status, status);
        }
    }
}
