//! `UpdateObjectEncryption`, which s3s does not know: a version is sealed again under another key, and stays the same.

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response, StatusCode};
use moho_iam::action::s3;
use moho_iam::authz::Permit;
use moho_store::objects::{Bucket, Copying, ObjectEncryption, ObjectVersion, Resealing, SealingAlgorithm};
use moho_terms::Arn;
use percent_encoding::percent_decode_str;
use s3s::xml::{DeError, Deserializer};
use s3s::{Body, S3Error};

use super::{Operations, copying};
use crate::asking::{Asking, NamedObject, blocking, deciding_again};
use crate::{failure, query, refusal, sealing};

/// The pair of a context that follows from where the object is.
const OWN_PAIR: &str = "aws:s3:arn";
/// Most bytes of an object that is sealed again, as of one that is copied: each of them is read and written.
const LARGEST: u64 = 5 << 30;
/// Most bytes of a key's ARN.
const LONGEST: usize = 2048;

impl Operations {
    /// Does it, and answers.
    pub(crate) async fn update_encryption(&self, request: Request<Body>) -> Result<Response<Body>, S3Error> {
        let (head, body) = request.into_parts();
        let asking = Asking::of(&self.backing, &head.extensions, head.headers)?;
        let object = named(&head.uri)?;
        let asked = new_key(&body.bytes().unwrap_or_default())?;
        let turn = self.work().copies.turn(asking.account()).await?;
        let _waiting = asking.left().when_dropped();
        blocking(move || {
            let _turn = turn;
            let done = deciding_again(|| {
                asking.left().check()?;
                update(&asking, &object, (&asked.0, asked.1))
            });
            refusal::noting(done, asking.notes())
        })
        .await?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::OK;
        let none = HeaderValue::from_static("0");
        response.headers_mut().insert(CONTENT_LENGTH, none);
        Ok(response)
    }
}

/// The object that a request names by its path and query.
fn named(uri: &http::Uri) -> Result<NamedObject, S3Error> {
    let decoded = percent_decode_str(uri.path()).decode_utf8();
    let decoded = decoded.map_err(|_no_text| {
        failure::error(
            "InvalidURI",
            StatusCode::BAD_REQUEST,
            "Couldn't parse the specified URI.",
        )
    })?;
    let (bucket, key) = query::object_in(&decoded).ok_or_else(failure::internal_error)?;
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let versions: Vec<_> = pairs.filter(|(name, _)| name == "versionId").collect();
    match versions.as_slice() {
        [] => NamedObject::new(bucket, key, None),
        [(_, version)] => NamedObject::new(bucket, key, Some(version)),
        _ => Err(failure::invalid_argument(
            "Conflicting query string parameters: versionId",
        )),
    }
}

/// The key that the document names, and whether it is to be a bucket key.
pub(crate) fn new_key(document: &[u8]) -> Result<(String, bool), S3Error> {
    let (mut kms, mut key, mut bucket_key) = (false, None, false);
    let mut reader = Deserializer::new(document);
    let read = reader.named_element("ObjectEncryption", |reader| {
        reader.for_each_element(|reader, name| match name {
            b"SSE-KMS" => {
                kms = true;
                reader.for_each_element(|reader, name| {
                    match name {
                        b"KMSKeyArn" => key = Some(reader.content::<String>()?),
                        b"BucketKeyEnabled" => bucket_key = reader.content::<bool>()?,
                        _ => return Err(DeError::UnexpectedTagName),
                    }
                    Ok(())
                })
            }
            _ => Err(DeError::UnexpectedTagName),
        })
    });
    read.map_err(|_malformed| failure::malformed_xml())?;
    if !kms {
        return Err(failure::invalid_request(
            "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again.",
        ));
    }
    let key = key.filter(|key| (1..=LONGEST).contains(&key.len())).ok_or_else(|| {
        failure::invalid_request(
            "Requests that modify an object's encryption type to SSE-KMS require an AWS KMS key Amazon Resource Name (ARN). Modify the request to specify a KMS key ARN, and then try again.",
        )
    })?;
    Ok((key, bucket_key))
}

fn update(asking: &Asking, object: &NamedObject, (named, bucket_key): (&str, bool)) -> Result<(), S3Error> {
    sealing::check_customer_keys(asking)?;
    let context = asking
        .object_context(object)
        .with(
            "s3:x-amz-server-side-encryption",
            SealingAlgorithm::AwsKms.as_str(),
        )
        .with("s3:x-amz-server-side-encryption-aws-kms-key-id", named);
    let permit = asking.on_object::<s3::UpdateObjectEncryption>(object, &context)?;
    asking.on_object::<s3::PutObject>(object, &context)?;
    let bucket = asking.bucket(&permit)?;
    let key = key_of(asking, named)?;
    if key.account() != bucket.owner.as_str() {
        return Err(failure::error(
            "AccessDenied",
            StatusCode::FORBIDDEN,
            "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a KMS key from the same account, and then try again.",
        ));
    }
    let version = asking.found_by(object, &permit)?;
    if version
        .content
        .as_ref()
        .is_some_and(|content| content.size > LARGEST)
    {
        return Err(failure::invalid_request(
            "The specified object is larger than the maximum allowable size for an update of its encryption: 5368709120",
        ));
    }
    reseal(asking, (object, &bucket), (&permit, &version), (key, bucket_key))
}

/// The whole ARN of a key of this region.
fn key_of(asking: &Asking, named: &str) -> Result<Arn, S3Error> {
    let arn: Option<Arn> = named.parse().ok();
    let whole = arn.filter(|arn| arn.service() == "kms" && arn.resource().starts_with("key/"));
    let Some(arn) = whole else {
        return Err(failure::invalid_request(
            "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name (ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again.",
        ));
    };
    sealing::key_named(asking, asking.account(), arn.as_str())
}

fn reseal(
    asking: &Asking,
    (object, bucket): (&NamedObject, &Bucket),
    (permit, version): (&Permit<s3::UpdateObjectEncryption>, &ObjectVersion),
    (key, bucket_key): (Arn, bool),
) -> Result<(), S3Error> {
    let content = version.content.as_ref().ok_or_else(failure::internal_error)?;
    copying::check_size(content.size)?;
    let mut pairs = content.encryption.pairs().clone();
    pairs.remove(OWN_PAIR);
    let how = (SealingAlgorithm::AwsKms, bucket_key);
    let encryption = ObjectEncryption::new(how, key, (&bucket.name, &object.key), pairs);
    let encryption = encryption.map_err(|error| refusal::from_object(&error))?;
    let open = sealing::to_open(asking, &content.encryption)?;
    let seal = sealing::to_seal(asking, &encryption)?;
    let copying = Copying {
        kms: asking.kms(),
        open: &open,
        seal: &seal,
        encryption: &encryption,
        left: asking.left().flag(),
    };
    let resealing = Resealing {
        permit,
        named: object.version.as_ref(),
        version,
    };
    let done = asking
        .store()
        .objects()
        .reseal(resealing, copying, asking.moment());
    done.map_err(|error| refusal::from_object(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_a_key() {
        let read = |inner: &str| {
            let of = format!(
                "<ObjectEncryption xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</ObjectEncryption>"
            );
            new_key(of.as_bytes())
        };
        let plain = read("<SSE-KMS><KMSKeyArn>arn</KMSKeyArn></SSE-KMS>")
            .ok()
            .unwrap();
        assert_eq!(plain, ("arn".to_owned(), false));
        let more =
            read("<SSE-KMS><KMSKeyArn>a</KMSKeyArn><BucketKeyEnabled>true</BucketKeyEnabled></SSE-KMS>");
        assert!(more.ok().unwrap().1);
        for (inner, code) in [
            ("", "InvalidRequest"),
            ("<SSE-KMS></SSE-KMS>", "InvalidRequest"),
            ("<SSE-KMS><KMSKeyArn></KMSKeyArn></SSE-KMS>", "InvalidRequest"),
            ("<SSE-S3></SSE-S3>", "MalformedXML"),
            ("<SSE-KMS><Key>a</Key></SSE-KMS>", "MalformedXML"),
            (
                "<SSE-KMS><BucketKeyEnabled>maybe</BucketKeyEnabled></SSE-KMS>",
                "MalformedXML",
            ),
        ] {
            let refused = read(inner).err().unwrap();
            assert_eq!(refused.code().as_str(), code, "{inner}");
        }
        assert!(new_key(b"").is_err());
    }

    #[test]
    fn a_path_and_a_query_name_an_object_and_a_version() {
        let of = |uri: &str| named(&uri.parse().unwrap());
        let current = of("/my-bucket/a%2Fb%20c?encryption").ok().unwrap();
        assert_eq!((current.key.as_str(), current.version), ("a/b c", None));
        let version = of("/my-bucket/k?encryption&versionId=null").ok().unwrap();
        assert!(version.version.unwrap().is_null());
        for uri in [
            "/my-bucket/%ff?encryption",
            "/my-bucket/k?encryption&versionId=null&versionId=null",
            "/No/k?encryption",
        ] {
            assert!(of(uri).is_err(), "{uri}");
        }
    }
}
