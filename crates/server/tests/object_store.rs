//! Apache's `object_store` as a client of a running moho: everything that it can ask of S3, over the connections that moho
//! itself uses to reach other services.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it is wrong"
)]

use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use moho_server::outbound::{HttpsUrl, S3Connector};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists};
use object_store::client::{HttpConnector, HttpRequestBody};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload, RetryConfig, TagSet, UpdateVersion,
};

const SECRET: &str = "a-developer-s-own-secret";
const MIB: usize = 1 << 20;

/// A server of its own, which ends with the test.
struct Served {
    process: Child,
    _folder: tempfile::TempDir,
    url: HttpsUrl,
    connector: S3Connector,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let mut process = Command::new(env!("CARGO_BIN_EXE_moho"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--log-format",
                "json",
                "--data",
            ])
            .arg(&data)
            .env(
                "MOHO_DEV_STATIC_CREDENTIALS",
                format!("test:{SECRET}:000000000042"),
            )
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It has said where it is before it says that it serves.
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let serving = lines
            .by_ref()
            .any(|line| line.unwrap().contains("\"posture\":\"version\""));
        assert!(serving, "moho ended");
        std::thread::spawn(move || lines.count());
        let text = std::fs::read_to_string(data.join("endpoint.json")).unwrap();
        let url: HttpsUrl = text
            .split('"')
            .find(|word| word.starts_with("https://"))
            .unwrap()
            .parse()
            .unwrap();
        let ca = data.join("ca.pem");
        let connector = S3Connector::over_tls(url.origin(), Some(&ca), Duration::from_secs(60)).unwrap();
        Self {
            process,
            _folder: folder,
            url,
            connector,
        }
    }

    fn builder(&self, bucket: &str) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region("us-east-1")
            .with_endpoint(self.url.as_str())
            .with_access_key_id("test")
            .with_secret_access_key(SECRET)
            .with_http_connector(self.connector.clone())
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
    }

    /// A bucket, which the library can use but not make.
    async fn bucket(&self, name: &str) -> AmazonS3 {
        let s3 = self.builder(name).build().unwrap();
        let url = s3
            .signed_url(Method::PUT, &Path::default(), Duration::from_secs(60))
            .await
            .unwrap();
        let (status, _, body) = self.ask(Method::PUT, url.as_str(), Bytes::new()).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
        s3
    }

    /// A request without credentials but those in its URL.
    async fn ask(&self, method: Method, url: &str, body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
        let client = self.connector.connect(&ClientOptions::new()).unwrap();
        let url: Uri = url.parse().unwrap();
        let request = Request::builder().method(method).uri(url);
        let request = request.body(HttpRequestBody::from(body)).unwrap();
        let (head, body) = client.execute(request).await.unwrap().into_parts();
        (head.status, head.headers, body.bytes().await.unwrap())
    }
}

/// A stream of what is there already.
struct Ready<I>(I);

impl<I: Iterator + Unpin> Stream for Ready<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}

async fn all<T>(mut stream: Pin<Box<dyn Stream<Item = object_store::Result<T>> + Send>>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(next) = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await {
        found.push(next.unwrap());
    }
    found
}

fn pattern(length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn put(s3: &AmazonS3, key: &str, body: Bytes) -> UpdateVersion {
    s3.put(&Path::from(key), PutPayload::from(body))
        .await
        .unwrap()
        .into()
}

async fn got(s3: &AmazonS3, key: &str) -> Bytes {
    s3.get(&Path::from(key)).await.unwrap().bytes().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_finds_all_that_it_asks_for() {
    let served = Served::start();
    let s3 = served.bucket("bucket").await;
    objects(&s3).await;
    ranges(&s3).await;
    multipart(&s3).await;
    lists(&s3).await;
    copies(&served, &s3).await;
    conditions(&s3).await;
    deletions(&s3).await;
    signed(&served, &s3).await;
    checksums(&served).await;
    refusals(&served, &s3).await;
}

async fn objects(s3: &AmazonS3) {
    for (key, length) in [
        ("empty", 0),
        ("small", 10),
        ("a name/with ü & +", 70_000),
        ("large", 3 * MIB + 1),
    ] {
        let path = Path::from(key);
        let put = s3.put(&path, PutPayload::from(pattern(length))).await.unwrap();
        let found = s3.get(&path).await.unwrap();
        assert_eq!(
            (found.meta.size, found.meta.e_tag.clone()),
            (length as u64, put.e_tag.clone())
        );
        assert!(found.bytes().await.unwrap() == pattern(length), "{key}");
        let head = s3.head(&path).await.unwrap();
        assert_eq!((head.location, head.e_tag), (path, put.e_tag));
    }
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, "text/x-moho"),
        (Attribute::CacheControl, "no-store"),
        (Attribute::Metadata("what".into()), "a word"),
    ]);
    let mut tags = TagSet::default();
    tags.push("name", "value + more");
    let options = PutOptions {
        tags,
        attributes: attributes.clone(),
        ..PutOptions::default()
    };
    let path = Path::from("described");
    s3.put_opts(&path, PutPayload::from_static(b"bytes"), options)
        .await
        .unwrap();
    assert_eq!(s3.get(&path).await.unwrap().attributes, attributes);
}

async fn ranges(s3: &AmazonS3) {
    let plain = pattern(3 * MIB + 1);
    let path = Path::from("large");
    assert!(s3.get_range(&path, 5..10).await.unwrap() == plain.slice(5..10));
    let asked = [0..3, 1_000_000..1_100_000, 3 * MIB as u64 - 1..3 * MIB as u64 + 1];
    let found = s3.get_ranges(&path, &asked).await.unwrap();
    for (range, found) in asked.iter().zip(found) {
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert!(found == plain.slice(range));
    }
    let last = GetOptions::new().with_range(Some(object_store::GetRange::Suffix(7)));
    let last = s3.get_opts(&path, last).await.unwrap();
    assert_eq!(last.range.end, plain.len() as u64);
    assert!(last.bytes().await.unwrap() == plain.slice(plain.len() - 7..));
    let behind = GetOptions::new().with_range(Some(object_store::GetRange::Offset(plain.len() as u64)));
    assert!(s3.get_opts(&path, behind).await.is_err());
}

async fn multipart(s3: &AmazonS3) {
    let path = Path::from("parts");
    let pieces = [pattern(5 * MIB), pattern(6 * MIB), pattern(3)];
    let mut upload = s3.put_multipart(&path).await.unwrap();
    for piece in &pieces {
        upload.put_part(PutPayload::from(piece.clone())).await.unwrap();
    }
    assert!(matches!(s3.head(&path).await, Err(Error::NotFound { .. })));
    upload.complete().await.unwrap();
    // Whole answers of more than 8 MiB are not taken: moho asks for ranges.
    let whole = pieces.concat();
    assert!(s3.get_range(&path, 0..whole.len() as u64).await.unwrap() == whole);
    let mut given_up = s3.put_multipart(&Path::from("given up")).await.unwrap();
    given_up.put_part(PutPayload::from_static(b"part")).await.unwrap();
    given_up.abort().await.unwrap();
    assert!(given_up.complete().await.is_err());
}

async fn lists(s3: &AmazonS3) {
    for key in ["list/a", "list/b/1", "list/b/2", "list/c/d/e", "list.not"] {
        put(s3, key, Bytes::from_static(b"x")).await;
    }
    let names = |found: Vec<object_store::ObjectMeta>| {
        let mut names: Vec<String> = found.into_iter().map(|one| one.location.into()).collect();
        names.sort();
        names
    };
    let prefix = Path::from("list");
    let found = names(all(s3.list(Some(&prefix))).await);
    assert_eq!(found, ["list/a", "list/b/1", "list/b/2", "list/c/d/e"]);
    let found = names(all(s3.list_with_offset(Some(&prefix), &Path::from("list/b/1"))).await);
    assert_eq!(found, ["list/b/2", "list/c/d/e"]);
    let found = s3.list_with_delimiter(Some(&prefix)).await.unwrap();
    assert_eq!(names(found.objects), ["list/a"]);
    let folders: Vec<String> = found.common_prefixes.into_iter().map(String::from).collect();
    assert_eq!(folders, ["list/b", "list/c"]);
    // More than a page.
    let many = (0..1005).map(|number| format!("many/{number:04}"));
    for key in many.clone() {
        put(s3, &key, Bytes::new()).await;
    }
    assert_eq!(
        names(all(s3.list(Some(&Path::from("many")))).await),
        many.collect::<Vec<_>>()
    );
}

async fn copies(served: &Served, s3: &AmazonS3) {
    let (from, to) = (Path::from("large"), Path::from("copy of ü"));
    s3.copy(&from, &to).await.unwrap();
    assert!(got(s3, "copy of ü").await == pattern(3 * MIB + 1));
    s3.rename(&to, &Path::from("renamed")).await.unwrap();
    assert!(matches!(s3.head(&to).await, Err(Error::NotFound { .. })));
    assert_eq!(
        s3.head(&Path::from("renamed")).await.unwrap().size,
        3 * MIB as u64 + 1
    );
    let careful = served
        .builder("bucket")
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
    let careful = careful.build().unwrap();
    careful.copy_if_not_exists(&from, &to).await.unwrap();
    assert!(got(s3, "copy of ü").await == pattern(3 * MIB + 1));
    let again = careful.copy_if_not_exists(&from, &to).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
}

async fn conditions(s3: &AmazonS3) {
    let path = Path::from("conditional");
    let mode = |mode: PutMode| PutOptions {
        mode,
        ..PutOptions::default()
    };
    let put = async |how: PutMode, body: &'static [u8]| s3.put_opts(&path, body.into(), mode(how)).await;
    let first = put(PutMode::Create, b"first").await.unwrap();
    assert!(matches!(
        put(PutMode::Create, b"again").await,
        Err(Error::AlreadyExists { .. })
    ));
    let second = put(PutMode::Update(first.clone().into()), b"second")
        .await
        .unwrap();
    let stale = put(PutMode::Update(first.clone().into()), b"third").await;
    assert!(matches!(stale, Err(Error::Precondition { .. })), "{stale:?}");
    assert_eq!(got(s3, "conditional").await, "second");
    let tag = second.e_tag.unwrap();
    let asked = async |options: GetOptions| s3.get_opts(&path, options).await.map(|found| found.meta.size);
    assert_eq!(
        asked(GetOptions::new().with_if_match(Some(&tag))).await.unwrap(),
        6
    );
    assert!(matches!(
        asked(GetOptions::new().with_if_none_match(Some(&tag))).await,
        Err(Error::NotModified { .. })
    ));
    assert!(matches!(
        asked(GetOptions::new().with_if_match(first.e_tag)).await,
        Err(Error::Precondition { .. })
    ));
}

async fn deletions(s3: &AmazonS3) {
    s3.delete(&Path::from("small")).await.unwrap();
    assert!(matches!(
        s3.get(&Path::from("small")).await,
        Err(Error::NotFound { .. })
    ));
    let doomed: Vec<_> = (0..1005)
        .map(|number| Ok(Path::from(format!("many/{number:04}"))))
        .collect();
    let deleted = all(s3.delete_stream(Box::pin(Ready(doomed.into_iter())))).await;
    assert_eq!(deleted.len(), 1005);
    assert!(all(s3.list(Some(&Path::from("many")))).await.is_empty());
}

async fn signed(served: &Served, s3: &AmazonS3) {
    let path = Path::from("signed for ü");
    let minute = Duration::from_secs(60);
    let url = s3.signed_url(Method::PUT, &path, minute).await.unwrap();
    let (status, _, body) = served.ask(Method::PUT, url.as_str(), pattern(100_000)).await;
    assert_eq!(status, StatusCode::OK, "{body:?}");
    let wrong = served.ask(Method::GET, url.as_str(), Bytes::new()).await.0;
    assert_eq!(wrong, StatusCode::FORBIDDEN, "it is signed for another method");
    let url = s3.signed_url(Method::GET, &path, minute).await.unwrap();
    let (status, _, body) = served.ask(Method::GET, url.as_str(), Bytes::new()).await;
    assert!(status == StatusCode::OK && body == pattern(100_000));
}

async fn checksums(served: &Served) {
    for (number, builder) in [
        served.builder("bucket").with_checksum_algorithm(Checksum::SHA256),
        served
            .builder("bucket")
            .with_checksum_algorithm(Checksum::CRC64NVME),
        served.builder("bucket").with_unsigned_payload(true),
    ]
    .into_iter()
    .enumerate()
    {
        let s3 = builder.build().unwrap();
        let key = format!("summed-{number}");
        put(&s3, &key, pattern(100_000)).await;
        assert!(got(&s3, &key).await == pattern(100_000));
        let mut upload = s3.put_multipart(&Path::from(key.as_str())).await.unwrap();
        upload.put_part(PutPayload::from(pattern(5 * MIB))).await.unwrap();
        upload.put_part(PutPayload::from(pattern(7))).await.unwrap();
        upload.complete().await.unwrap();
        assert_eq!(got(&s3, &key).await.len(), 5 * MIB + 7);
    }
}

async fn refusals(served: &Served, s3: &AmazonS3) {
    let absent = Path::from("absent");
    assert!(matches!(s3.get(&absent).await, Err(Error::NotFound { .. })));
    assert!(matches!(s3.head(&absent).await, Err(Error::NotFound { .. })));
    s3.delete(&absent).await.unwrap();
    let nowhere = served.builder("no-such-bucket").build().unwrap();
    let told = nowhere
        .put(&absent, PutPayload::new())
        .await
        .expect_err("there is no such bucket");
    assert!(told.to_string().contains("NoSuchBucket"), "{told}");
    let stranger = served
        .builder("bucket")
        .with_secret_access_key("another")
        .build()
        .unwrap();
    let told = stranger
        .get(&absent)
        .await
        .expect_err("the signature is not right");
    assert!(matches!(told, Error::PermissionDenied { .. }), "{told}");
    // Of many at once, each has its own connection, and all of them their bytes.
    let s3 = Arc::new(served.builder("bucket").build().unwrap());
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let s3 = Arc::clone(&s3);
        asked.spawn(async move { got(&s3, "large").await == pattern(3 * MIB + 1) });
    }
    while let Some(same) = asked.join_next().await {
        assert!(same.unwrap());
    }
}
