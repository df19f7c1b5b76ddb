//! Sessions as they are asked for: how long, with what, by whom, and what stays through a chain of roles.
#![expect(clippy::unwrap_used, reason = "a test ends when something unexpected happens")]

mod sealed;
mod users;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moho_iam::action::{Action, iam, sts};
use moho_iam::authn::{
    Authenticated, Authenticator, CredentialSource, CredentialsUnavailable, HttpHead, IssueError,
    LongLivedBearer, LongLivedKey, SessionGrant, SigningName, TemporaryCredentials, source_identity_after,
};
use moho_iam::authz::{
    Attached, Authorizer, Context, Entry, Journal, JournalUnavailable, Permit, Policies, PolicySource,
    PolicyUnavailable, Position, PrincipalFacts, PrincipalPolicies, Refusal, RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_iam::{
    Narrowing, NarrowingError, NarrowingRequest, PolicyRef, RoleFacts, Session, SessionTags, TagError,
    UserRef,
};
use moho_terms::{
    AccessKeyId, Arn, Clock, Entropy, EntropyUnavailable, Region, RequestId, Secret, Timestamp,
};

const START: u64 = 1_795_312_800;
const ACCOUNT: &str = "123456789012";
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*",
    "Principal":{"AWS":"123456789012"}}}"#;

/// Time, randomness and policies of one test: everybody may do everything.
struct World {
    random: AtomicU64,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START)
    }
}

impl Entropy for World {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for byte in bytes {
            let next = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = next.to_be_bytes()[0];
        }
        Ok(())
    }
}

impl Journal for World {
    fn record(&self, _entry: &Entry) -> Result<Position, JournalUnavailable> {
        Ok(Position(0))
    }

    fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

impl PolicySource for World {
    fn policies(&self, _: &Session, _: &str, resource: &Arn) -> Result<Policies, PolicyUnavailable> {
        let parse = |kind, text: &str| {
            PolicyDocument::parse(kind, text)
                .map(|document| Attached::new("test", Arc::new(document)))
                .map_err(PolicyUnavailable::new)
        };
        let principal = PrincipalPolicies {
            identity: vec![parse(PolicyKind::Identity, EVERYTHING)?],
            facts: PrincipalFacts {
                exists: true,
                ..PrincipalFacts::default()
            },
            ..PrincipalPolicies::default()
        };
        Ok(Policies {
            principal: Arc::new(principal),
            resource: match resource.resource().starts_with("role/") {
                true => Some(parse(PolicyKind::Trust, TRUST)?),
                false => None,
            },
            ..Policies::default()
        })
    }
}

/// One user's bearer key, which is how the tests become that user.
struct Kept([u8; 32]);

impl CredentialSource for Kept {
    fn access_key(&self, _: &AccessKeyId) -> Result<Option<LongLivedKey>, CredentialsUnavailable> {
        Ok(None)
    }

    fn bedrock_key(&self, _: &str) -> Result<Option<LongLivedBearer>, CredentialsUnavailable> {
        Ok(Some(LongLivedBearer {
            account: ACCOUNT.parse().map_err(CredentialsUnavailable::new)?,
            user: UserRef {
                path: "/".to_owned(),
                name: "bob".parse().map_err(CredentialsUnavailable::new)?,
                id: "AIDAEXAMPLEEXAMPLE222".to_owned(),
            },
            sha256: self.0,
            expires_at: None,
        }))
    }
}

struct House {
    world: Arc<World>,
    authenticator: Authenticator,
    authorizer: Authorizer,
}

fn region() -> Region {
    "moho-local-1".parse().unwrap()
}

fn authenticator() -> Authenticator {
    Authenticator::new(&Secret::new(vec![1; 32]), region()).unwrap()
}

fn role(name: &str) -> RoleFacts {
    RoleFacts {
        arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}").parse().unwrap(),
        path: "/".to_owned(),
        name: name.parse().unwrap(),
        id: format!("AROA{name:A<17}"),
        max_session_seconds: 7200,
        tags: BTreeMap::new(),
    }
}

fn tags(pairs: &[(&str, &str)], kept: &[&str]) -> SessionTags {
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    SessionTags::parse(pairs, kept.iter().map(|key| (*key).to_owned())).unwrap()
}

impl House {
    fn new() -> Self {
        let world = Arc::new(World {
            random: AtomicU64::new(7),
        });
        Self {
            authenticator: authenticator(),
            authorizer: Authorizer::new(world.clone(), world.clone(), world.clone()),
            world,
        }
    }

    fn now(&self) -> (Timestamp, &dyn Entropy) {
        (self.world.now(), &*self.world)
    }

    fn guest(&self) -> Authenticated {
        let door = Door::open(Attestation::Development, IdentityProvider::None).unwrap();
        door.admit(7, 7, ACCOUNT.parse().unwrap(), self.world.now())
            .unwrap()
    }

    fn permit<A: Action>(&self, caller: &Authenticated, resource: &Arn) -> Permit<A> {
        self.try_permit(caller, resource).unwrap()
    }

    fn try_permit<A: Action>(&self, caller: &Authenticated, resource: &Arn) -> Result<Permit<A>, Refusal> {
        let facts = RequestFacts::new(RequestId::random(&*self.world).unwrap());
        self.authorizer
            .authorize(caller, &facts, resource, &Context::new())
    }

    /// Issues what `change` makes of a plain grant, with leave for tags and a source identity.
    fn issue(
        &self,
        caller: &Authenticated,
        role: &RoleFacts,
        change: impl FnOnce(&mut SessionGrant),
    ) -> Result<TemporaryCredentials, IssueError> {
        let mut grant = SessionGrant::named("me".parse().unwrap());
        if !matches!(caller.session().principal(), moho_iam::Principal::Bootstrap) {
            grant.tagging = Some(self.permit(caller, &role.arn));
            grant.naming_source = Some(self.permit(caller, &role.arn));
        }
        change(&mut grant);
        let permit = self.permit::<sts::AssumeRole>(caller, &role.arn);
        self.authenticator.issue(&permit, role, grant, self.now())
    }

    fn come_back(&self, credentials: &TemporaryCredentials) -> Authenticated {
        let key = credentials.bearer_key(&region(), self.world.now(), 900).unwrap();
        self.present(&self.authenticator, &key)
    }

    fn present(&self, to: &Authenticator, key: &Secret) -> Authenticated {
        let value = format!("Bearer {}", String::from_utf8_lossy(key.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/",
            raw_query: "",
            authority: "localhost",
            headers: &[("authorization", &value)],
            body_sha256: &[0; 32],
        };
        to.authenticate(&head, &[SigningName::Bedrock], self.world.now())
            .unwrap()
    }

    fn session(
        &self,
        caller: &Authenticated,
        name: &str,
        change: impl FnOnce(&mut SessionGrant),
    ) -> Authenticated {
        self.come_back(&self.issue(caller, &role(name), change).unwrap())
    }

    fn user(&self) -> Authenticated {
        let admin = self.session(&self.guest(), "A", |_| {});
        let made = self.authenticator.make_bedrock_key(
            &self.permit::<iam::CreateServiceSpecificCredential>(
                &admin,
                &format!("arn:aws:iam::{ACCOUNT}:user/bob").parse().unwrap(),
            ),
            &*self.world,
        );
        let made = made.unwrap();
        assert!(made.id.starts_with("BedrockAPIKey-") && made.id.ends_with("-at-123456789012"));
        assert!(made.secret.expose().starts_with(b"ABSK"));
        let keeping = authenticator().with_credentials(Arc::new(Kept(made.sha256)));
        self.present(&keeping, &made.secret)
    }
}

fn seconds(credentials: &TemporaryCredentials) -> u64 {
    credentials.expires_at.unix_seconds() - START
}

#[test]
fn a_session_lasts_as_long_as_its_role_allows_and_an_hour_in_a_chain() {
    let house = House::new();
    let (guest, user) = (house.guest(), house.user());
    let asking =
        |caller, duration| house.issue(caller, &role("B"), |grant| grant.duration_seconds = duration);
    assert_eq!(seconds(&asking(&user, None).unwrap()), 3600);
    assert_eq!(seconds(&asking(&user, Some(7200)).unwrap()), 7200);
    let chained = house.session(&guest, "A", |_| {});
    for (caller, duration, error) in [
        (&user, 7201, IssueError::MaxSessionDuration),
        (&user, 899, IssueError::Duration { most: 43_200 }),
        (&user, 43_201, IssueError::Duration { most: 43_200 }),
        (&guest, 3601, IssueError::Bootstrap),
        (&chained, 3601, IssueError::Chaining),
        (&chained, 43_200, IssueError::Chaining),
    ] {
        assert_eq!(asking(caller, Some(duration)).err(), Some(error), "{duration}");
    }
    assert!(
        house
            .come_back(&asking(&chained, Some(3600)).unwrap())
            .session()
            .chained()
    );
    assert!(!house.come_back(&asking(&user, None).unwrap()).session().chained());
}

#[test]
fn what_was_said_at_the_beginning_of_a_chain_stays_through_all_its_loops() {
    let house = House::new();
    let mut caller = house.session(&house.user(), "A", |grant| {
        grant.tags = tags(&[("Team", "red"), ("Cost", "1")], &["Team"]);
        grant.source_identity = Some("bob@example.com".parse().unwrap());
    });
    assert_eq!(caller.session().tags().get("Cost"), Some("1"));
    for name in ["B", "A", "B", "A"] {
        assert_eq!(
            house
                .issue(&caller, &role(name), |grant| grant.tags =
                    tags(&[("TEAM", "blue")], &[]))
                .err(),
            Some(IssueError::Tags(TagError::Transitive))
        );
        let other = Some("eve@example.com".parse().unwrap());
        assert_eq!(
            house
                .issue(&caller, &role(name), |grant| grant.source_identity = other)
                .err(),
            Some(IssueError::SourceIdentity)
        );
        for without in [
            |grant: &mut SessionGrant| grant.tagging = None,
            |grant: &mut SessionGrant| grant.naming_source = None,
        ] {
            assert_eq!(
                house.issue(&caller, &role(name), without).err(),
                Some(IssueError::WithoutLeave)
            );
        }
        caller = house.session(&caller, name, |_| {});
        let session = caller.session();
        assert_eq!(
            (session.tags().get("Team"), session.tags().get("Cost")),
            (Some("red"), None)
        );
        assert_eq!(session.source_identity().unwrap().as_str(), "bob@example.com");
        let ends = session.expires_at().unwrap().unix_seconds();
        assert!(ends <= START + 3600 && session.chained());
    }
    let same = source_identity_after(caller.session(), Some("bob@example.com".parse().unwrap()));
    assert_eq!(same.unwrap().unwrap().as_str(), "bob@example.com");
}

#[test]
fn leave_for_one_role_or_by_another_caller_is_no_leave() {
    let house = House::new();
    let (user, other) = (house.user(), house.session(&house.guest(), "A", |_| {}));
    let tagged = |tagging| {
        house.issue(&user, &role("B"), |grant| {
            grant.tags = tags(&[("Team", "red")], &[]);
            grant.tagging = tagging;
        })
    };
    assert!(tagged(Some(house.permit(&user, &role("B").arn))).is_ok());
    assert_eq!(tagged(None).err(), Some(IssueError::WithoutLeave));
    assert_eq!(
        tagged(Some(house.permit(&user, &role("A").arn))).err(),
        Some(IssueError::WithoutLeave)
    );
    assert_eq!(
        tagged(Some(house.permit(&other, &role("B").arn))).err(),
        Some(IssueError::WithoutLeave)
    );
    let permit = house.permit::<sts::AssumeRole>(&user, &role("A").arn);
    let grant = SessionGrant::named("me".parse().unwrap());
    assert_eq!(
        house
            .authenticator
            .issue(&permit, &role("B"), grant, house.now())
            .err(),
        Some(IssueError::OtherPermit)
    );
}

#[test]
fn policies_and_tags_have_one_room_and_say_how_much_of_it_they_take() {
    let house = House::new();
    let user = house.user();
    let document = |length: usize| {
        let padding = " ".repeat(length - EVERYTHING.len());
        PolicyDocument::parse(PolicyKind::Session, &format!("{EVERYTHING}{padding}")).unwrap()
    };
    let plain = house.issue(&user, &role("B"), |_| {}).unwrap();
    assert_eq!(plain.packed_percent, None);
    let largest = house.issue(&user, &role("B"), |grant| {
        grant.narrowing = Narrowing::new(Some(document(2048)), vec![]).unwrap();
    });
    assert!((40..=60).contains(&largest.unwrap().packed_percent.unwrap()));
    let many = |count: usize| {
        let pairs: Vec<(String, String)> = (0..count)
            .map(|i| (format!("k{i:0126}"), "v".repeat(256)))
            .collect();
        SessionTags::parse(pairs, []).unwrap()
    };
    let tagged = |count| house.issue(&user, &role("B"), |grant| grant.tags = many(count));
    let fitting = tagged(11).unwrap();
    assert!(fitting.session_token.len() <= 8192 && fitting.packed_percent <= Some(100));
    assert_eq!(house.come_back(&fitting).session().tags().all().len(), 11);
    assert!(matches!(
        tagged(12).err(),
        Some(IssueError::TagsTooLarge { percent: 101..=110 })
    ));
    assert!(matches!(
        tagged(50).err(),
        Some(IssueError::TagsTooLarge { percent: 400.. })
    ));
    let both = house.issue(&user, &role("B"), |grant| {
        grant.narrowing = Narrowing::new(Some(document(2048)), vec![]).unwrap();
        grant.tags = many(8);
    });
    assert!(matches!(both.err(), Some(IssueError::PolicyTooLarge { .. })));
    let arn = |i: usize| {
        format!("arn:aws:iam::aws:policy/{i:0180}")
            .parse::<Arn>()
            .unwrap()
    };
    assert!(NarrowingRequest::new(None, (0..10).map(arn).collect()).is_ok());
    assert_eq!(
        NarrowingRequest::new(None, (0..11).map(arn).collect()),
        Err(NarrowingError::TooMany)
    );
    assert_eq!(
        NarrowingRequest::new(Some(document(200)), (0..10).map(arn).collect()),
        Err(NarrowingError::TooLong)
    );
    let identity = PolicyDocument::parse(PolicyKind::Identity, EVERYTHING).unwrap();
    assert_eq!(
        NarrowingRequest::new(Some(identity), vec![]),
        Err(NarrowingError::Kind)
    );
}

#[test]
fn a_managed_session_policy_is_remembered_by_its_id() {
    let house = House::new();
    let user = house.user();
    let arn: Arn = "arn:aws:iam::123456789012:policy/p".parse().unwrap();
    let asked = NarrowingRequest::new(None, vec![arn.clone(), arn.clone()]).unwrap();
    let absent = asked
        .clone()
        .bound(|arn| Err::<String, String>(arn.to_string()))
        .unwrap_err();
    assert_eq!(absent, arn.as_str());
    let narrowing = asked.bound(|_| Ok::<_, ()>("ANPAEXAMPLE".to_owned())).unwrap();
    let issued = house.issue(&user, &role("B"), |grant| grant.narrowing = narrowing);
    let id = "ANPAEXAMPLE".to_owned();
    assert_eq!(
        house.come_back(&issued.unwrap()).session().session_policies(),
        [PolicyRef { arn, id }]
    );
}
