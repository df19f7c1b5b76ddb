//! The road over a platform of its own, without models: what is decided before a handler has anything to do.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use moho_audit::RecordSeal;
use moho_iam::Session;
use moho_iam::action::sts::AssumeRole;
use moho_iam::authn::AuthnError;
use moho_iam::authn::{SessionGrant, TemporaryCredentials};
use moho_iam::authz::{Attached, Authorizer, Context};
use moho_iam::authz::{Policies, PolicySource, PolicyUnavailable};
use moho_iam::bootstrap::Door;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{Arn, ContentBytes, RequestId};

use super::*;
use crate::api_calls::Recording;
use crate::config::{Config, Surroundings, Typed};
use crate::net::{Admission, Body, Peer, Road};
use crate::startup::watched::{WatchedJournal, tests::Refusing};
use crate::startup::{self, Started};

pub(super) struct Rig {
    road: RequestRoad,
    folder: tempfile::TempDir,
    _locks: (moho_os::FileLock, moho_os::FileLock),
}

impl Rig {
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(folder.path().to_owned()),
        };
        let config = Config::resolve(&Typed::default(), &surroundings).unwrap();
        let Started { platform, locks, .. } = startup::open(&config, &mut |_, _, _| {}).unwrap();
        Self {
            road: RequestRoad::new(platform),
            folder,
            _locks: locks,
        }
    }

    /// The same, with a journal that takes nothing any more.
    pub(super) fn with_a_full_journal(mut self) -> Self {
        let full = || moho_audit::AuditError::DiskFull("journal".into());
        let refusing = Refusing(std::sync::Mutex::new((0..100).map(|_| full()).collect()));
        let platform = Arc::get_mut(&mut self.road.platform).unwrap();
        let clock = Arc::clone(&platform.clock);
        platform.journal = Arc::new(WatchedJournal::new(Box::new(refusing), clock));
        platform.recording = Arc::new(Recording {
            journal: Arc::clone(&platform.journal),
            seal: RecordSeal::new(&platform.store.records_secret()),
            entropy: Arc::clone(&platform.entropy),
            region: platform.region.clone(),
        });
        self
    }

    pub(super) fn platform(&self) -> &Arc<Platform> {
        &self.road.platform
    }

    /// Credentials of the developer's role.
    pub(super) fn credentials(&self) -> TemporaryCredentials {
        let platform = &self.road.platform;
        let now = platform.clock.now();
        let caller = Door::open(platform.attestation, platform.store.identity_provider().unwrap())
            .unwrap()
            .admit(platform.own_uid, platform.own_uid, platform.account, now)
            .unwrap();
        let role: Arn = format!("arn:aws:iam::{}:role/Developer", platform.account)
            .parse()
            .unwrap();
        let request = self.head("/").request_id;
        let permit = platform
            .authorizer
            .authorize::<AssumeRole>(&caller, &RequestFacts::new(request), &role, &Context::new())
            .unwrap();
        let grant = SessionGrant::named("me".parse().unwrap());
        platform
            .authenticator
            .issue(
                &permit,
                &platform.store.role_facts(&role).unwrap().unwrap(),
                grant,
                (now, &*platform.entropy),
            )
            .unwrap()
    }

    /// A bearer key of that role.
    fn key(&self) -> String {
        let platform = &self.road.platform;
        let key = self
            .credentials()
            .bearer_key(&platform.region, platform.clock.now(), 900);
        String::from_utf8(key.unwrap().expose().to_vec()).unwrap()
    }

    pub(super) fn head(&self, path: &str) -> Head {
        let platform = &self.road.platform;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Head {
            method: if path == "/healthz" {
                Method::GET
            } else {
                Method::POST
            },
            raw_path: path.to_owned(),
            raw_query: String::new(),
            authority: "moho.test".to_owned(),
            headers,
            peer: Peer::Network("192.0.2.1:1234".parse().unwrap()),
            via: Via::Public,
            certificate: None,
            tls: None,
            cipher_suite: None,
            version: http::Version::HTTP_11,
            received: platform.clock.now(),
            request_id: RequestId::random(&*platform.entropy).unwrap(),
        }
    }

    fn with_key(&self, key: &str) -> Head {
        let mut head = self.head("/v1/responses");
        let value = format!("Bearer {key}").parse().unwrap();
        head.headers.insert(AUTHORIZATION, value);
        head
    }

    fn admit(&self, head: &Head) -> Result<Admission, StatusCode> {
        self.road.admit(head).map_err(|reply| reply.status)
    }

    /// How many authentications the journal says have failed.
    pub(super) fn failures(&self) -> usize {
        self.journaled("unauthenticated")
    }

    /// How often the journal has a word.
    pub(super) fn journaled(&self, word: &str) -> usize {
        let mut count = 0;
        for file in std::fs::read_dir(self.folder.path().join("moho/journal")).unwrap() {
            let path = file.unwrap().path();
            // Beside its records are files that come and go.
            if path.extension().is_none_or(|kind| kind != "jsonl") {
                continue;
            }
            let text = std::fs::read(path).unwrap();
            count += String::from_utf8_lossy(&text).matches(word).count();
        }
        count
    }
}

fn text(reply: Outbound) -> String {
    match reply.body {
        Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Body::Empty | Body::Stream(_) => String::new(),
    }
}

#[tokio::test]
async fn strangers_are_turned_away_before_their_body() {
    let rig = Rig::open();
    let key = rig.key();
    let admitted = rig.admit(&rig.with_key(&key)).unwrap();
    assert!(admitted.body > 1 << 20);
    assert_eq!(admitted.claims, None, "a bearer key is a proof by itself");
    assert_eq!(rig.failures(), 0);
    let cut = key.get(..key.len() - 8).unwrap();
    for (number, stranger) in [
        rig.head("/v1/responses"),
        rig.with_key("sk-unknown"),
        rig.with_key(cut),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(rig.admit(stranger), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(rig.failures(), number + 1, "each is journaled once");
    }
}

#[tokio::test]
async fn who_signs_only_claims_to_have_the_key_until_the_body_is_there() {
    let rig = Rig::open();
    let credentials = rig.credentials();
    let mut head = rig.head("/v1/responses");
    let (id, now, region) = (
        &credentials.access_key_id,
        head.received,
        &rig.road.platform.region,
    );
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={id}/{}/{region}/bedrock-mantle/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token, Signature={}",
        now.basic_date(),
        "0".repeat(64)
    );
    let token = credentials.session_token.expose();
    head.headers.insert(AUTHORIZATION, value.parse().unwrap());
    for (name, value) in [
        ("host", b"moho.test".as_slice()),
        ("x-amz-date", now.iso8601_basic().as_bytes()),
        ("x-amz-security-token", token),
    ] {
        head.headers.insert(name, HeaderValue::from_bytes(value).unwrap());
    }
    assert_eq!(rig.admit(&head).unwrap().claims.as_ref(), Some(id));
    assert_eq!(rig.failures(), 0);
}

#[tokio::test]
async fn a_header_that_is_no_text_is_nobodys_proof() {
    let rig = Rig::open();
    let mut head = rig.with_key(&rig.key());
    let agent = HeaderValue::from_bytes("Zo\u{eb}".as_bytes()).unwrap();
    head.headers
        .insert(HeaderName::from_static("x-author"), agent.clone());
    assert!(rig.admit(&head).is_ok());
    let reply = rig
        .road
        .handle(Inbound {
            head: Arc::new(head),
            body: ContentBytes::new(b"{}".to_vec()),
        })
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "the body is what is wrong");

    let mut head = rig.with_key(&rig.key());
    let amazons = HeaderName::from_static("x-amz-meta");
    head.headers
        .insert(amazons.clone(), HeaderValue::from_static("Zoe"));
    assert!(rig.admit(&head).is_ok());
    head.headers.append(amazons, agent.clone());
    assert!(rig.admit(&head).is_err(), "what has to be signed is not left out");

    let mut head = rig.with_key(&rig.key());
    head.headers.append(AUTHORIZATION, agent);
    assert_eq!(
        rig.admit(&head),
        Err(StatusCode::UNAUTHORIZED),
        "a proof in doubt is no proof"
    );
    assert!(text(rig.road.refuse(&head, RimError::Internal)).contains("error"));
}

#[tokio::test]
async fn the_arn_of_another_region_is_journaled_as_named() {
    let rig = Rig::open();
    let mut head = rig.with_key(&rig.key());
    head.method = Method::GET;
    head.raw_path =
        "/foundation-models/arn%3Aaws%3Abedrock%3Aelsewhere-1%3A%3Afoundation-model%2Fm".to_owned();
    let reply = rig
        .road
        .handle(Inbound {
            head: Arc::new(head),
            body: ContentBytes::new(Vec::new()),
        })
        .await;
    assert!(matches!(
        reply.status,
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND
    ));
    assert!(rig.journaled("arn:aws:bedrock:elsewhere-1::foundation-model/m") > 0);
}

#[tokio::test]
async fn what_the_rim_refuses_has_its_status_on_every_api() {
    let rig = Rig::open();
    let openai = rig.head("/v1/responses");
    let mut sts = rig.head("/");
    sts.headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    sts.headers.insert(
        AUTHORIZATION,
        HeaderValue::from_static("AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/sts/aws4_request"),
    );
    for head in [&openai, &sts] {
        for (error, status) in [
            (RimError::ExpectationFailed, 417),
            (RimError::ContentEncoding, 415),
            (RimError::BodyTooLarge { limit: 1 }, 413),
            (RimError::NoSingleHost, 400),
            (RimError::Busy, 503),
            (RimError::Full, 503),
            (RimError::Stopping, 503),
            (RimError::TooMany, 429),
            (RimError::Unproven, 429),
        ] {
            let refused = rig.road.refuse(head, error);
            assert_eq!(refused.status.as_u16(), status);
            let worth_a_retry = refused.headers.iter().any(|(name, _)| name == "retry-after");
            assert_eq!(worth_a_retry, matches!(status, 429 | 503), "{error}");
        }
        let words = text(rig.road.refuse(head, RimError::Busy));
        assert!(words.contains("too many large requests at once") && !words.contains("engine"));
    }
}

#[tokio::test]
async fn a_server_whose_journal_refuses_says_so() {
    let mut rig = Rig::open();
    let head = rig.head("/healthz");
    let health = |rig: &Rig| {
        let reply = rig.road.admit(&head).err().unwrap();
        (reply.status.as_u16(), text(reply))
    };
    let said = |word: &str| format!("{{\"status\":\"{word}\",\"attestation\":\"development\"}}\n");
    assert_eq!(health(&rig), (200, said("ok")));

    let platform = Arc::get_mut(&mut rig.road.platform).unwrap();
    let reasons = std::sync::Mutex::new(vec![moho_audit::AuditError::NotDurable]);
    let clock = Arc::clone(&platform.clock);
    platform.journal = Arc::new(WatchedJournal::new(
        Box::new(Refusing(reasons)),
        Arc::clone(&clock),
    ));
    let (policies, journal) = (Arc::clone(&platform.store), Arc::clone(&platform.journal));
    platform.authorizer = Arc::new(Authorizer::new(policies as _, journal as _, clock));
    let facts = RequestFacts::new(head.request_id.clone());
    assert!(
        rig.road
            .platform
            .authorizer
            .journal_authn_failure(&facts, &AuthnError::Missing)
            .is_err()
    );
    assert_eq!(health(&rig), (503, said("unavailable")));
}

#[tokio::test]
async fn a_stranger_does_not_fill_the_journal() {
    let rig = Rig::open();
    // 300 tries take a second or two: at most 20 entries in each.
    let began = rig.road.platform.clock.now().unix_seconds();
    for _ in 0..300 {
        assert_eq!(
            rig.admit(&rig.head("/v1/responses")),
            Err(StatusCode::UNAUTHORIZED)
        );
    }
    let seconds = rig.road.platform.clock.now().unix_seconds() - began + 1;
    let most = usize::try_from(seconds * 20).unwrap();
    let failures = rig.failures();
    assert!((20..=most).contains(&failures));
    // Who stops tells of all the others.
    let Rig { road, folder, _locks } = rig;
    drop(road);
    let file = folder
        .path()
        .join("moho/journal/journal-00000000000000000001.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let told: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("further-failures"))
        .collect();
    let [told] = told.as_slice() else {
        panic!("{told:?}")
    };
    let further = format!("\"further\":{{\"count\":{},\"since\":\"", 300 - failures);
    assert!(
        told.contains(&further) && told.contains("\"source_ip\":\"192.0.2.1\""),
        "{told}"
    );
}

#[tokio::test]
async fn whoever_asks_is_told_what_is_missing_and_no_more() {
    let rig = Rig::open();
    let ready = |rig: &Rig| {
        let mut head = rig.head("/readyz");
        head.method = Method::GET;
        let reply = rig.road.admit(&head).err().unwrap();
        (reply.status.as_u16(), text(reply))
    };
    let said = |models: &str, serving: &str| {
        format!(
            "{{\"status\":\"unready\",\"checks\":{{\"engine\":\"ok\",\"journal\":\"ok\",\"store\":\"ok\",\"models\":\"{models}\",\"restored\":\"ok\",\"serving\":\"{serving}\"}}}}\n"
        )
    };
    assert_eq!(ready(&rig), (503, said("none", "ok")));
    rig.road.platform.closing.advance(crate::closing::Stage::Draining);
    assert_eq!(ready(&rig), (503, said("none", "draining")));
    let mut head = rig.head("/readyz");
    head.method = Method::POST;
    assert_eq!(rig.admit(&head), Err(StatusCode::NOT_FOUND), "a probe only looks");
}

#[tokio::test]
async fn who_stands_at_the_other_end_is_known_to_whoever_decides() {
    let rig = Rig::open();
    let mut head = rig.head("/v1/responses");
    head.peer = Peer::Local { uid: 1000 };
    head.certificate = Some([7; 32]);
    let route = find(&head).ok().unwrap();
    let found = facts(&rig.road.platform, &head, &route).unwrap();
    assert_eq!((found.source_ip, found.peer_uid), (None, Some(1000)));
    assert_eq!(found.client_certificate_sha256, Some([7; 32]));
    let remote = facts(&rig.road.platform, &rig.head("/v1/responses"), &route).unwrap();
    assert_eq!((remote.peer_uid, remote.client_certificate_sha256), (None, None));
}

/// A request that lists the models with a bearer key.
fn listing(rig: &Rig) -> Inbound {
    let mut head = rig.with_key(&rig.key());
    head.method = Method::GET;
    head.raw_path = "/v1/models".to_owned();
    Inbound {
        head: Arc::new(head),
        body: ContentBytes::new(Vec::new()),
    }
}

#[tokio::test]
async fn a_call_leaves_one_event_and_is_refused_if_that_cannot_be_written() {
    let rig = Rig::open();
    let reply = rig.road.handle(listing(&rig)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(rig.journaled(r#""event":"ListModels""#), 1);
    assert_eq!(rig.journaled(r#""delivery":"complete""#), 1);
    let full = rig.with_a_full_journal();
    let refused = full.road.handle(listing(&full)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!text(refused).contains("smollm"));
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_its_event_all_the_same() {
    let rig = Rig::open();
    let Inbound { head, body } = listing(&rig);
    let platform = &rig.road.platform;
    let route = find(&head).unwrap_or_else(|_refused| panic!("it is served"));
    let call = route.call(&values(&head), body.expose());
    let calling = Calling::begin(platform, &head, (call, 0));
    drop(calling);
    assert_eq!(rig.journaled(r#""kind":"call""#), 0, "nobody was known yet");
    let calling = Calling::begin(platform, &head, (call, 0));
    let caller = Door::open(platform.attestation, platform.store.identity_provider().unwrap())
        .unwrap()
        .admit(
            platform.own_uid,
            platform.own_uid,
            platform.account,
            head.received,
        )
        .unwrap();
    calling.by(&caller, &RequestFacts::new(head.request_id.clone()));
    // What was allowed goes on to its end, and whoever has what it is done to is told.
    calling.about(&"arn:aws:kms:us-east-1:222222222222:key/k".parse().unwrap());
    drop(calling);
    assert_eq!(rig.journaled(r#""delivery":"unanswered""#), 1);
    let told = format!(r#""recipients":["{}","222222222222"]"#, platform.account);
    assert_eq!(rig.journaled(&told), 1);
}

/// The store's policies, but every principal's own let it do everything.
struct Lenient(Arc<moho_store::Store>);

impl PolicySource for Lenient {
    fn policies(&self, session: &Session, action: &str, on: &Arn) -> Result<Policies, PolicyUnavailable> {
        let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
        let document = PolicyDocument::parse(PolicyKind::Identity, text).unwrap();
        let mut policies = self.0.policies(session, action, on)?;
        let identity = &mut Arc::make_mut(&mut policies.principal).identity;
        *identity = vec![Attached::new("lenient", Arc::new(document))];
        Ok(policies)
    }
}

#[tokio::test]
async fn an_account_that_searches_the_journal_much_is_throttled() {
    let mut rig = Rig::open();
    let key = rig.key();
    let platform = Arc::get_mut(&mut rig.road.platform).unwrap();
    let (journal, clock) = (Arc::clone(&platform.journal), Arc::clone(&platform.clock));
    let lenient = Lenient(Arc::clone(&platform.store));
    platform.authorizer = Arc::new(Authorizer::new(Arc::new(lenient), journal as _, clock));
    let asked = async || {
        let mut head = rig.with_key(&key);
        (head.method, head.raw_path) = (Method::GET, "/v1/audit/records".to_owned());
        let (head, body) = (Arc::new(head), ContentBytes::new(Vec::new()));
        rig.road.handle(Inbound { head, body }).await.status
    };
    assert_eq!(asked().await, StatusCode::OK);
    let all = rig.platform().journal_searches.all_places(rig.platform().account);
    assert_eq!(asked().await, StatusCode::TOO_MANY_REQUESTS);
    drop(all);
    assert_eq!(asked().await, StatusCode::OK);
}
