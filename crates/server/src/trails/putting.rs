//! What CloudTrail does to buckets: as itself, by leave of their policies only.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Method, Request};
use moho_iam::action::kms::GenerateDataKey;
use moho_iam::authn::Authenticated;
use moho_iam::authz::{
    ActingFor, Authorizer, Delivery as Delivered, EventAnswer, Permit, Refusal, RequestFacts,
};
use moho_iam::{OwnService, OwnServices};
use moho_kms::EncryptionContext;
use moho_s3::{Notes, Proof, S3Call, S3Gateway, Trailers};
use moho_store::Store;
use moho_store::trails::TrailBucket;
use moho_terms::{AccountId, Arn, Clock, Entropy, Region, RequestId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api_calls::{Recording, Told};
use crate::object_calls::call_of_own_service;
use crate::road::chain;

/// What a name in a path keeps as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');
/// What the bucket's owner gets, as bucket policies for CloudTrail ask for it.
const ACL: &str = "bucket-owner-full-control";

/// Acts as CloudTrail.
pub(crate) struct Courier {
    pub(crate) services: OwnServices,
    pub(crate) store: Arc<Store>,
    pub(crate) gateway: Arc<S3Gateway>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) recording: Arc<Recording>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) region: Region,
}

/// For which trail it acts.
#[derive(Debug, Clone)]
pub(crate) struct Whose {
    /// The trail.
    pub(crate) trail: Arn,
    /// Its account.
    pub(crate) account: AccountId,
}

/// An object to be put.
pub(crate) struct Parcel {
    pub(crate) bucket: TrailBucket,
    pub(crate) key: String,
    pub(crate) kms_key: Option<Arn>,
    pub(crate) body: Bytes,
    /// Without `x-amz-meta-`.
    pub(crate) metadata: Vec<(&'static str, String)>,
    /// Whether it is packed.
    pub(crate) gzip: bool,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undone {
    /// S3's code, or the status if it says none.
    pub(crate) code: String,
    /// Whether S3 refused it: it is not there, and will not be if it is asked for again in the same way.
    pub(crate) refused: bool,
}

impl Undone {
    /// Moho itself could not ask.
    pub(super) fn ours() -> Self {
        Self {
            code: "InternalError".to_owned(),
            refused: false,
        }
    }
}

impl Courier {
    /// Puts an object.
    pub(crate) async fn put(&self, whose: &Whose, parcel: Parcel) -> Result<(), Undone> {
        let length = parcel.body.len();
        let mut request = Request::put(path(&parcel.bucket, &parcel.key))
            .header("host", "s3")
            .header(EXPECTED_OWNER, parcel.bucket.owner.as_str())
            .header("content-type", "application/json")
            .header("content-length", length)
            .header("x-amz-acl", ACL);
        if parcel.gzip {
            request = request.header("content-encoding", "gzip");
        }
        if let Some(key) = &parcel.kms_key {
            let context = format!("{{\"{CONTEXT}\":\"{}\"}}", whose.trail);
            request = request
                .header("x-amz-server-side-encryption", "aws:kms")
                .header("x-amz-server-side-encryption-aws-kms-key-id", key.as_str())
                .header(
                    "x-amz-server-side-encryption-context",
                    BASE64_STANDARD.encode(context),
                );
        }
        for (name, value) in &parcel.metadata {
            request = request.header(format!("x-amz-meta-{name}"), value);
        }
        let request = request.body(s3s::Body::from(parcel.body));
        let request = request.map_err(|_never| Undone::ours())?;
        let called = ("PutObject", &parcel.bucket, Some(parcel.key.as_str()));
        self.call(whose, called, (request, length)).await
    }

    /// Asks for a bucket's list of who may do what, as CloudTrail does to learn whether it may.
    pub(crate) async fn get_bucket_acl(&self, whose: &Whose, bucket: &TrailBucket) -> Result<(), Undone> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("/{}?acl", bucket.name))
            .header("host", "s3")
            .header(EXPECTED_OWNER, bucket.owner.as_str())
            .body(s3s::Body::empty());
        let request = request.map_err(|_never| Undone::ours())?;
        self.call(whose, ("GetBucketAcl", bucket, None), (request, 0))
            .await
    }

    /// Makes a call, and writes down what came of it. What cannot be written down counts as not done.
    async fn call(
        &self,
        whose: &Whose,
        (name, bucket, key): (&'static str, &TrailBucket, Option<&str>),
        (request, length): (Request<s3s::Body>, usize),
    ) -> Result<(), Undone> {
        let (caller, facts) = self.acting(whose, bucket)?;
        let caller = Arc::new(caller);
        let (status, notes) = self.ask((&caller, &facts), request).await;
        let answer = EventAnswer {
            status: Some(status),
            error_code: notes.so_far().error_code,
            bytes_in: length as u64,
            bytes_out: 0,
            delivery: Delivered::Complete,
        };
        let called = (name, &bucket.name, key);
        let event = call_of_own_service(&caller, &facts, called, (self.clock.now(), answer));
        if let Err(error) = self.recording.write(event, Told::default()) {
            tracing::error!(error = %chain(&error), "what a trail did is not in the journal: it is done again");
            return Err(Undone::ours());
        }
        came(status, &notes)
    }

    /// Leave to seal something of a trail's in a bucket under a KmsKey, for a request that asks whether there is.
    pub(crate) fn may_seal(
        &self,
        whose: &Whose,
        (bucket, key): (&TrailBucket, &str),
        (kms_key, request): (&Arn, &RequestId),
    ) -> Result<Permit<GenerateDataKey>, Option<Refusal>> {
        let (caller, mut facts) = self.acting(whose, bucket).map_err(|_ours| None)?;
        facts.request_id = request.clone();
        let object = format!("arn:aws:s3:::{}/{key}", bucket.name);
        let pairs = [(CONTEXT, whose.trail.as_str()), ("aws:s3:arn", object.as_str())];
        let context = EncryptionContext::from_pairs(pairs).map_err(|_never| None)?;
        let via = format!("s3.{}.amazonaws.com", self.region);
        let context = context.condition_keys().with("kms:ViaService", via);
        self.authorizer
            .authorize(&caller, &facts, kms_key, &context)
            .map_err(Some)
    }

    /// CloudTrail, on something of whoever owns the bucket. One that somebody else has made of its name since is another bucket.
    fn acting(&self, whose: &Whose, bucket: &TrailBucket) -> Result<(Authenticated, RequestFacts), Undone> {
        let facts = self
            .store
            .bucket_facts(&bucket.name)
            .map_err(|_away| Undone::ours())?;
        let facts = facts.filter(|facts| facts.owner == bucket.owner);
        let facts = facts.ok_or_else(|| Undone {
            code: "NoSuchBucket".to_owned(),
            refused: true,
        })?;
        let now = self.clock.now();
        let caller = self.services.acting(OwnService::CloudTrail, facts.owner, now);
        let id = RequestId::random(&*self.entropy).map_err(|_none| Undone::ours())?;
        let facts = RequestFacts {
            // It never leaves this process.
            secure_transport: true,
            acting_for: Some(ActingFor {
                resource: whose.trail.clone(),
                account: whose.account,
            }),
            ..RequestFacts::new(id)
        };
        Ok((caller.map_err(|_never| Undone::ours())?, facts))
    }

    async fn ask(
        &self,
        (caller, facts): (&Arc<Authenticated>, &RequestFacts),
        request: Request<s3s::Body>,
    ) -> (u16, Notes) {
        let notes = Notes::new();
        let call = S3Call {
            caller: Arc::clone(caller),
            facts: facts.clone(),
            proof: Proof::default(),
            request,
            trailers: Trailers::new(),
            notes: notes.clone(),
        };
        let answer = self.gateway.answer(call).await;
        (answer.status().as_u16(), notes)
    }
}

/// What is in the encryption context of all that a trail's key seals, as at AWS.
const CONTEXT: &str = "aws:cloudtrail:arn";

/// By what S3 refuses what goes to another account's bucket than is meant, however short ago that was made.
const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";

fn path(bucket: &TrailBucket, key: &str) -> String {
    format!("/{}/{}", bucket.name, utf8_percent_encode(key, KEPT))
}

fn came(status: u16, notes: &Notes) -> Result<(), Undone> {
    if status == 200 {
        return Ok(());
    }
    Err(Undone {
        code: notes.so_far().error_code.unwrap_or_else(|| status.to_string()),
        refused: (400..500).contains(&status),
    })
}
