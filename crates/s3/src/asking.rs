//! One request on its way through an operation: who asks, and the leave that is asked for.

use std::sync::Arc;

use http::{Extensions, HeaderMap, StatusCode};
use moho_iam::action::{Action, kms, s3};
use moho_iam::authz::{Context, Permit, PolicyUnavailable, Refusal};
use moho_kms::{EncryptionContext, Kms};
use moho_store::Store;
use moho_store::objects::{Bucket, Moment, ObjectError, ObjectVersion, ReadsObject, Segment};
use moho_terms::{AccountId, Arn, BucketName, ObjectKey, Timestamp, VersionId};
use s3s::S3Error;

use crate::call::{Notes, Trailers};
use crate::gateway::Backing;
use crate::service::{Caller, Conditions};
use crate::turns::Left;
use crate::{failure, refusal, told};

/// One request.
#[derive(Clone)]
pub(crate) struct Asking {
    backing: Arc<Backing>,
    who: Caller,
    headers: Arc<HeaderMap>,
    left: Left,
}

/// An object as a request names it.
#[derive(Clone)]
pub(crate) struct NamedObject {
    pub(crate) bucket: BucketName,
    pub(crate) key: ObjectKey,
    pub(crate) version: Option<VersionId>,
}

impl NamedObject {
    pub(crate) fn new(bucket: &str, key: &str, version: Option<&str>) -> Result<Self, S3Error> {
        Ok(Self {
            bucket: bucket_name(bucket)?,
            key: object_key(key)?,
            version: version.map(version_id).transpose()?,
        })
    }

    pub(crate) fn arn(&self) -> Result<Arn, S3Error> {
        Arn::of_object(&self.bucket, &self.key).map_err(|_never| failure::internal_error())
    }
}

pub(crate) fn bucket_name(text: &str) -> Result<BucketName, S3Error> {
    text.parse().map_err(|_not_one| {
        failure::error(
            "InvalidBucketName",
            StatusCode::BAD_REQUEST,
            "The specified bucket is not valid.",
        )
    })
}

pub(crate) fn object_key(text: &str) -> Result<ObjectKey, S3Error> {
    text.parse().map_err(|_not_one| {
        if text.is_empty() {
            failure::invalid_request("The object key must not be empty.")
        } else {
            failure::error("KeyTooLongError", StatusCode::BAD_REQUEST, "Your key is too long")
        }
    })
}

pub(crate) fn version_id(text: &str) -> Result<VersionId, S3Error> {
    text.parse()
        .map_err(|_not_one| failure::invalid_argument("Invalid version id specified"))
}

impl Asking {
    /// The request that s3s gives, with what came with it.
    pub(crate) fn of(
        backing: &Arc<Backing>,
        extensions: &Extensions,
        headers: HeaderMap,
    ) -> Result<Self, S3Error> {
        let who = extensions.get::<Caller>().cloned();
        let who =
            who.ok_or_else(|| failure::error("AccessDenied", StatusCode::FORBIDDEN, "Access Denied"))?;
        Ok(Self {
            backing: Arc::clone(backing),
            who,
            headers: Arc::new(headers),
            left: Left::default(),
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.backing.store
    }

    pub(crate) fn kms(&self) -> &Kms {
        &self.backing.kms
    }

    pub(crate) fn backing(&self) -> &Backing {
        &self.backing
    }

    pub(crate) fn shared_backing(&self) -> Arc<Backing> {
        Arc::clone(&self.backing)
    }

    /// The tags that a bucket is to be made with.
    pub(crate) fn tags_of_bucket(&self) -> &[(String, String)] {
        &self.who.tags_of_bucket
    }

    /// The entity tags of conditions to read.
    pub(crate) fn conditions(&self) -> &Conditions {
        &self.who.conditions
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn trailers(&self) -> Trailers {
        self.who.trailers.clone()
    }

    /// What came of what was to be done with a segment, whose file goes if it was refused.
    pub(crate) fn or_discard<T>(&self, done: Result<T, S3Error>, segment: &Segment) -> Result<T, S3Error> {
        if let (Err(_), Some(file)) = (&done, segment.file()) {
            // What went wrong first is told; should this fail, too, the file is found later.
            drop(self.store().objects().discard(&[file], self.now()));
        }
        done
    }

    /// Whether nobody waits for the answer any more.
    pub(crate) fn left(&self) -> &Left {
        &self.left
    }

    /// Where it is noted what is to be written down of the request.
    pub(crate) fn notes(&self) -> &Notes {
        &self.who.notes
    }

    pub(crate) fn account(&self) -> AccountId {
        self.who.caller.session().account()
    }

    pub(crate) fn principal(&self) -> &Arn {
        self.who.caller.session().principal_arn()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.backing.clock.now()
    }

    pub(crate) fn moment(&self) -> Moment<'_> {
        Moment {
            now: self.now(),
            entropy: &*self.backing.entropy,
        }
    }

    /// What policies can ask about every request to S3.
    pub(crate) fn context(&self) -> Context {
        let proof = &self.who.proof;
        let auth_type = if proof.presigned {
            "REST-QUERY-STRING"
        } else {
            "REST-HEADER"
        };
        let mut context = Context::new()
            .with("aws:RequestedRegion", self.backing.region.as_str())
            .with("s3:authType", auth_type)
            .with("s3:signatureversion", "AWS4-HMAC-SHA256");
        if let Some(at) = proof.signed_at {
            let age = self.now().unix_micros().saturating_sub(at.unix_micros()) / 1000;
            context = context.with("s3:signatureAge", age.to_string());
        }
        if let Some(hash) = &proof.content_sha256 {
            context = context.with("s3:x-amz-content-sha256", hash.as_str());
        }
        if let Some(version) = proof.tls_version {
            context = context.with("s3:TlsVersion", version);
        }
        for (header, key) in TOLD_AS_SENT {
            if let Some(value) = self.header(header) {
                context = context.with(key, value);
            }
        }
        context
    }

    /// Leave to do `A`, or what keeps from it.
    pub(crate) fn permit<A: Action>(&self, resource: &Arn, context: &Context) -> Result<Permit<A>, S3Error> {
        self.authorize(resource, context)
            .map_err(|refusal| self.refused::<A>(resource, &refusal))
    }

    fn authorize<A: Action>(&self, resource: &Arn, context: &Context) -> Result<Permit<A>, Refusal> {
        let authorizer = &self.backing.authorizer;
        let permit = authorizer.authorize(&self.who.caller, &self.who.facts, resource, context)?;
        self.who.notes.allowed_on(resource);
        Ok(permit)
    }

    /// Of what another account has, nobody hears more than that it may not be, and of what is nobody's the same: else whoever
    /// may do nothing would hear which buckets there are. Whoever may make no bucket is told so either way.
    fn refused<A: Action>(&self, resource: &Arn, refusal: &Refusal) -> S3Error {
        let makes = A::NAME == s3::CreateBucket::NAME;
        let hidden = !makes && resource.bucket().is_some_and(|bucket| !self.is_own(&bucket));
        match refusal {
            Refusal::AccessDenied { .. } if hidden => failure::access_denied(),
            Refusal::AccessDenied { .. } | Refusal::JournalUnavailable(_) | Refusal::PolicyUnavailable(_) => {
                failure::refused(refusal)
            }
        }
    }

    fn is_own(&self, bucket: &BucketName) -> bool {
        let owner = self.bucket_owner(bucket);
        owner.is_ok_and(|owner| owner == Some(self.account()))
    }

    /// Whose a bucket is, if it is there.
    pub(crate) fn bucket_owner(&self, bucket: &BucketName) -> Result<Option<AccountId>, S3Error> {
        let facts = self.store().bucket_facts(bucket);
        let facts = facts.map_err(|error| refusal::from_store(&error))?;
        Ok(facts.map(|facts| facts.owner))
    }

    /// When a current version of an object goes by itself, as replies tell it: by the bucket's lifecycle. Where that cannot be
    /// said now, it is not: nobody's request fails for it.
    pub(crate) fn expiration(
        &self,
        (bucket, key): (&BucketName, &ObjectKey),
        (size, tags): (u64, &[(String, String)]),
        modified_at: Timestamp,
    ) -> Option<String> {
        let facts = self.store().bucket_facts(bucket).ok()??;
        let rules = facts.lifecycle.as_ref()?;
        let end = rules.expires(key.as_str(), (size, tags), modified_at)?;
        Some(told::expiration(&end))
    }

    /// Refuses if there is no such bucket, of what each object of it is decided for itself.
    pub(crate) fn check_existing(&self, bucket: &BucketName) -> Result<(), S3Error> {
        match self.bucket_owner(bucket)? {
            Some(_) => Ok(()),
            None => {
                let absent = ObjectError::NoSuchBucket(bucket.clone());
                Err(refusal::from_object(&absent))
            }
        }
    }

    /// The bucket that a permit names, if it is whose the request expects it to be.
    pub(crate) fn bucket<A: Action>(&self, permit: &Permit<A>) -> Result<Bucket, S3Error> {
        let bucket = self.store().objects().bucket(permit);
        let bucket = bucket.map_err(|error| refusal::from_object(&error))?;
        self.check_expected(&bucket, EXPECTED_OWNER)?;
        Ok(bucket)
    }

    /// Refuses if the bucket that a permit names is not whose the request expects it to be.
    pub(crate) fn check_expected_owner<A: Action>(&self, permit: &Permit<A>) -> Result<(), S3Error> {
        if self.headers.contains_key(EXPECTED_OWNER) {
            self.bucket(permit)?;
        }
        Ok(())
    }

    /// What policies can ask about a request that is about an object: among it the tags that it has, which are only read if
    /// a policy does ask.
    pub(crate) fn object_context(&self, object: &NamedObject) -> Context {
        let (backing, object) = (self.shared_backing(), object.clone());
        self.context().with_if_asked("s3:ExistingObjectTag/", move || {
            let (store, version) = (&backing.store, object.version.as_ref());
            store
                .tags_in_decisions(&object.bucket, &object.key, version)
                .map_err(PolicyUnavailable::new)
        })
    }

    /// Finds an object with leave to do `C` to what is current, or `V` to the version that is named.
    pub(crate) fn find<C: ReadsObject, V: ReadsObject>(
        &self,
        object: &NamedObject,
        context: &Context,
    ) -> Result<ObjectVersion, S3Error> {
        self.find_expected::<C, V>(object, context, EXPECTED_OWNER)
    }

    /// The same of the source of a copy.
    pub(crate) fn find_source<C: ReadsObject, V: ReadsObject>(
        &self,
        object: &NamedObject,
        context: &Context,
    ) -> Result<ObjectVersion, S3Error> {
        self.find_expected::<C, V>(object, context, EXPECTED_SOURCE_OWNER)
    }

    fn find_expected<C: ReadsObject, V: ReadsObject>(
        &self,
        object: &NamedObject,
        context: &Context,
        expected: &'static str,
    ) -> Result<ObjectVersion, S3Error> {
        if object.version.is_none() {
            self.found(object, &self.on_object::<C>(object, context)?, expected)
        } else {
            self.found(object, &self.on_object::<V>(object, context)?, expected)
        }
    }

    /// Finds what a permit is for.
    pub(crate) fn found_by<A: ReadsObject>(
        &self,
        object: &NamedObject,
        permit: &Permit<A>,
    ) -> Result<ObjectVersion, S3Error> {
        self.found(object, permit, EXPECTED_OWNER)
    }

    fn found<A: ReadsObject>(
        &self,
        object: &NamedObject,
        permit: &Permit<A>,
        expected: &'static str,
    ) -> Result<ObjectVersion, S3Error> {
        if self.headers.contains_key(expected) {
            let bucket = self.store().objects().bucket(permit);
            self.check_expected(&bucket.map_err(|error| refusal::from_object(&error))?, expected)?;
        }
        let found = self.store().objects().find(permit, object.version.as_ref());
        found.map_err(|error| self.not_found(object, &error))
    }

    /// Why an object was not found: only who may list the bucket hears that it is not there.
    pub(crate) fn not_found(&self, object: &NamedObject, error: &ObjectError) -> S3Error {
        let absent = matches!(
            error,
            ObjectError::NoSuchKey | ObjectError::CurrentIsDeleteMarker { .. }
        );
        let may_know = if absent {
            self.on_bucket::<s3::ListBucket>(&object.bucket, &self.context())
                .is_ok()
        } else if matches!(error, ObjectError::NoSuchVersion) {
            self.on_bucket::<s3::ListBucketVersions>(&object.bucket, &self.context())
                .is_ok()
        } else {
            true
        };
        if may_know {
            refusal::from_object(error)
        } else {
            failure::access_denied()
        }
    }

    /// Leave to do `A` to a bucket.
    pub(crate) fn on_bucket<A: Action>(
        &self,
        bucket: &BucketName,
        context: &Context,
    ) -> Result<Permit<A>, S3Error> {
        let arn = Arn::of_bucket(bucket).map_err(|_never| failure::internal_error())?;
        self.permit(&arn, context)
    }

    /// Leave to do `A` to an object.
    pub(crate) fn on_object<A: Action>(
        &self,
        object: &NamedObject,
        context: &Context,
    ) -> Result<Permit<A>, S3Error> {
        let context = match &object.version {
            Some(version) => context.clone().with("s3:VersionId", version.as_str()),
            None => context.clone(),
        };
        self.permit(&object.arn()?, &context)
    }

    fn check_expected(&self, bucket: &Bucket, header: &str) -> Result<(), S3Error> {
        match self.header(header) {
            Some(expected) if expected.parse::<AccountId>().is_err() => Err(failure::invalid_argument(
                "The value of the expected bucket owner parameter must be an AWS Account ID",
            )),
            Some(expected) if expected != bucket.owner.as_str() => Err(failure::access_denied()),
            Some(_) | None => Ok(()),
        }
    }

    /// Leave for S3 to use a key for the caller. Of what another account has, nobody hears more than that it may not be.
    fn via_s3<A: Action>(&self, key: &Arn, context: Context) -> Result<Permit<A>, S3Error> {
        let via = format!("s3.{}.amazonaws.com", self.backing.region);
        let foreign = key.account() != self.account().as_str();
        self.authorize(key, &context.with("kms:ViaService", via))
            .map_err(|refusal| {
                if foreign && matches!(refusal, Refusal::AccessDenied { .. }) {
                    failure::access_denied()
                } else {
                    failure::refused(&refusal)
                }
            })
    }

    /// Refuses unless the caller may seal under a key of another account, whatever it is that is to be sealed.
    pub(crate) fn check_sealing_under(&self, key: &Arn) -> Result<(), S3Error> {
        self.via_s3::<kms::GenerateDataKey>(key, Context::new()).map(drop)
    }

    /// Leave for S3 to use a key for the caller, if the key can be used at all: what would fail in the end is refused before
    /// anything is done.
    pub(crate) fn on_key<A: Action>(
        &self,
        key: &Arn,
        context: &EncryptionContext,
    ) -> Result<Permit<A>, S3Error> {
        let permit = self.via_s3(key, context.condition_keys())?;
        self.kms()
            .key(&permit)
            .map_err(|error| refusal::from_kms(&error))?;
        Ok(permit)
    }
}

const EXPECTED_OWNER: &str = "x-amz-expected-bucket-owner";
const EXPECTED_SOURCE_OWNER: &str = "x-amz-source-expected-bucket-owner";

/// Headers that policies can ask about as they were sent.
const TOLD_AS_SENT: [(&str, &str); 12] = [
    ("x-amz-acl", "s3:x-amz-acl"),
    ("x-amz-copy-source", "s3:x-amz-copy-source"),
    ("x-amz-metadata-directive", "s3:x-amz-metadata-directive"),
    ("x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"),
    (
        "x-amz-server-side-encryption-customer-algorithm",
        "s3:x-amz-server-side-encryption-customer-algorithm",
    ),
    ("x-amz-storage-class", "s3:x-amz-storage-class"),
    (
        "x-amz-website-redirect-location",
        "s3:x-amz-website-redirect-location",
    ),
    ("x-amz-grant-read", "s3:x-amz-grant-read"),
    ("x-amz-grant-write", "s3:x-amz-grant-write"),
    ("x-amz-grant-full-control", "s3:x-amz-grant-full-control"),
    ("if-match", "s3:if-match"),
    ("if-none-match", "s3:if-none-match"),
];

/// How often something is decided whose object gets other tags meanwhile.
const DECISIONS: u8 = 4;

/// Does something, and again from the beginning if its object got other tags between a decision by them and what was done.
pub(crate) fn deciding_again<T>(mut act: impl FnMut() -> Result<T, S3Error>) -> Result<T, S3Error> {
    for _ in 1..DECISIONS {
        match act() {
            Err(refused) if refusal::is_overtaken(&refused) => {}
            done => return done,
        }
    }
    act()
}

/// Does what waits for the disk where it may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, S3Error> + Send + 'static,
) -> Result<T, S3Error> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done,
        Err(_stopped) => Err(failure::internal_error()),
    }
}
