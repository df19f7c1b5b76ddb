//! The whole way of a first credential: through the bootstrap door, to a role, to a bearer key, to a permit. This is
//! also how other crates' tests come by permits: there is no shorter way.

mod journaled;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moho_iam::action::{kms, mantle, sts};
use moho_iam::authn::{
    Authenticated, Authenticator, AuthnError, BearerLifetime, HttpHead, IssueError, Scheme, SessionGrant,
    SigningName, TemporaryCredentials,
};
use moho_iam::authz::{
    Attached, Authorizer, Context, Entry, Journal, JournalUnavailable, ModelAgreement, Outcome, Permit,
    Policies, PolicySource, PolicyUnavailable, Position, PrincipalFacts, PrincipalPolicies, Refusal,
    RequestFacts,
};
use moho_iam::bootstrap::{Attestation, Door, IdentityProvider};
use moho_iam::policy::{PolicyDocument, PolicyKind, builtin};
use moho_iam::{RoleFacts, Session};
use moho_terms::{AccountId, Arn, Clock, Entropy, EntropyUnavailable, Region, Secret, Timestamp};

type Tested<T = ()> = Result<T, Box<dyn std::error::Error>>;

const START: u64 = 1_795_312_800;
const ACCOUNT: &str = "123456789012";
const MODEL: &str = "arn:aws:bedrock:moho-local-1::foundation-model/m";
const KEY: &str = "arn:aws:kms:moho-local-1:123456789012:key/1";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole",
    "Principal":{"AWS":"arn:aws:iam::123456789012:root"}}}"#;
const KEY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*",
    "Principal":{"AWS":"arn:aws:iam::123456789012:root"}}}"#;

const ASKS_ONLY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Resource":"*",
    "Action":["bedrock-mantle:CreateInference","bedrock:CallWithBearerToken"]}}"#;

/// The clock, the randomness, the policies and the journal of one test.
struct World {
    seconds: AtomicU64,
    random: AtomicU64,
    entries: Mutex<Vec<Entry>>,
    journal_fails: AtomicBool,
    policies_fail: AtomicBool,
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.seconds.load(Ordering::Relaxed))
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
    fn record(&self, entry: &Entry) -> Result<Position, JournalUnavailable> {
        if self.journal_fails.load(Ordering::Relaxed) {
            return Err(JournalUnavailable::new("the disk is full"));
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry.clone());
        Ok(Position(entries.len() as u64))
    }

    fn record_event(&self, _event: &moho_iam::authz::Event) -> Result<Position, JournalUnavailable> {
        Ok(Position(1))
    }
}

impl PolicySource for World {
    fn policies(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable> {
        if self.policies_fail.load(Ordering::Relaxed) {
            return Err(PolicyUnavailable::new("the database is locked"));
        }
        let parse = |kind, text: &str| {
            PolicyDocument::parse(kind, text)
                .map(Arc::new)
                .map_err(PolicyUnavailable::new)
        };
        let identity = match session.role().map(moho_terms::RoleName::as_str) {
            Some("Admin") => vec![parse(PolicyKind::Identity, builtin::ADMINISTRATOR)?],
            Some("Developer") => vec![parse(PolicyKind::Identity, builtin::DEVELOPER)?],
            Some("AsksOnly") => vec![parse(PolicyKind::Identity, ASKS_ONLY)?],
            Some("MantleOnly") => vec![parse(
                PolicyKind::Identity,
                &ASKS_ONLY.replace("\"bedrock:CallWith", "\"bedrock-mantle:CallWith"),
            )?],
            Some(_) | None => vec![],
        };
        let of_resource = if action == "sts:AssumeRole" {
            Some(parse(PolicyKind::Trust, TRUST)?)
        } else if resource.service() == "kms" {
            Some(parse(PolicyKind::Key, KEY_POLICY)?)
        } else {
            None
        };
        let model_agreement = match resource.resource() {
            "foundation-model/m" => ModelAgreement::Accepted,
            model if model.starts_with("foundation-model/") => ModelAgreement::Missing,
            _ => ModelAgreement::NotAModel,
        };
        let attached = |document| Attached::new("test", document);
        let principal = PrincipalPolicies {
            identity: identity.into_iter().map(attached).collect(),
            facts: PrincipalFacts {
                exists: true,
                ..PrincipalFacts::default()
            },
            ..PrincipalPolicies::default()
        };
        Ok(Policies {
            principal: Arc::new(principal),
            resource: of_resource.map(attached),
            model_agreement,
            ..Policies::default()
        })
    }
}

struct Road {
    world: Arc<World>,
    authenticator: Authenticator,
    authorizer: Authorizer,
    region: Region,
}

fn facts(role: &Arn) -> Tested<RoleFacts> {
    let name = role.resource().strip_prefix("role/").ok_or("no role")?;
    Ok(RoleFacts {
        arn: role.clone(),
        path: "/".to_owned(),
        name: name.parse()?,
        id: format!("AROA{name:A<17}"),
        max_session_seconds: 43_200,
        tags: BTreeMap::new(),
    })
}

impl Road {
    fn new() -> Tested<Self> {
        let world = Arc::new(World {
            seconds: AtomicU64::new(START),
            random: AtomicU64::new(7),
            entries: Mutex::default(),
            journal_fails: AtomicBool::new(false),
            policies_fail: AtomicBool::new(false),
        });
        let region: Region = "moho-local-1".parse()?;
        Ok(Self {
            authenticator: Authenticator::new(&Secret::new(vec![1; 32]), region.clone())?,
            authorizer: Authorizer::new(world.clone(), world.clone(), world.clone()),
            world,
            region,
        })
    }

    fn request(&self) -> Tested<RequestFacts> {
        Ok(RequestFacts::new(moho_terms::RequestId::random(&*self.world)?))
    }

    fn bootstrap(&self) -> Tested<Authenticated> {
        let door = Door::open(Attestation::Development, IdentityProvider::None)?;
        Ok(door.admit(1000, 1000, ACCOUNT.parse()?, self.world.now())?)
    }

    fn role(&self, role: &str) -> Tested<Arn> {
        Ok(Arn::of("iam", "", ACCOUNT, &format!("role/{role}"))?)
    }

    fn assume(&self, caller: &Authenticated, role: &str) -> Tested<TemporaryCredentials> {
        let permit =
            self.authorizer
                .authorize(caller, &self.request()?, &self.role(role)?, &Context::new())?;
        self.issue(&permit, None)
    }

    fn issue(
        &self,
        permit: &Permit<sts::AssumeRole>,
        duration_seconds: Option<u32>,
    ) -> Tested<TemporaryCredentials> {
        let grant = SessionGrant {
            duration_seconds,
            ..SessionGrant::named("me@work".parse()?)
        };
        let issuing = (self.world.now(), &*self.world as &dyn Entropy);
        Ok(self
            .authenticator
            .issue(permit, &facts(permit.resource())?, grant, issuing)?)
    }

    fn present(&self, key: &Secret) -> Result<Authenticated, AuthnError> {
        self.present_to(key, &[SigningName::BedrockMantle])
    }

    fn present_to(&self, key: &Secret, services: &[SigningName]) -> Result<Authenticated, AuthnError> {
        let value = format!("Bearer {}", String::from_utf8_lossy(key.expose()));
        let head = HttpHead {
            method: "POST",
            raw_path: "/v1/responses",
            raw_query: "",
            authority: "localhost:8443",
            headers: &[("authorization", &value)],
            body_sha256: &[0; 32],
        };
        self.authenticator.authenticate(&head, services, self.world.now())
    }

    fn session(&self, role: &str) -> Tested<Authenticated> {
        let credentials = self.assume(&self.bootstrap()?, role)?;
        Ok(self.present(&credentials.bearer_key(&self.region, self.world.now(), 3600)?)?)
    }

    fn entries(&self) -> Vec<Entry> {
        self.world
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[test]
fn from_the_door_to_a_permit() -> Tested {
    let road = Road::new()?;
    let developer = road.session("Developer")?;
    assert_eq!(
        developer.scheme(),
        Scheme::Bearer {
            service: SigningName::BedrockMantle,
            lifetime: BearerLifetime::ShortTerm,
        }
    );
    assert_eq!(developer.session().account(), ACCOUNT.parse::<AccountId>()?);
    assert_eq!(
        developer.session().principal_arn().as_str(),
        "arn:aws:sts::123456789012:assumed-role/Developer/me@work"
    );
    assert!(
        developer.session().user_id().starts_with("AROA")
            && developer.session().user_id().ends_with(":me@work")
    );

    let request = road.request()?;
    let permit: Permit<mantle::CreateInference> =
        road.authorizer
            .authorize(&developer, &request, &MODEL.parse()?, &Context::new())?;
    assert_eq!(permit.resource().as_str(), MODEL);
    assert_eq!(permit.position(), Position(3));
    let entries = road.entries();
    assert_eq!(
        entries.iter().map(|entry| entry.action).collect::<Vec<_>>(),
        [
            Some("sts:AssumeRole"),
            Some("bedrock-mantle:CallWithBearerToken"),
            Some("bedrock-mantle:CreateInference")
        ]
    );
    let last = entries.last().ok_or("nothing journaled")?;
    assert_eq!(last.request_id, request.request_id);
    assert_eq!(
        (last.outcome, last.reason, last.scheme),
        (Outcome::Allow, "allowed", Some("bearer"))
    );
    assert_eq!(last.access_key_id.as_ref(), developer.session().access_key_id());
    let first = entries.first().ok_or("nothing journaled")?;
    assert_eq!(
        (first.action, first.scheme),
        (Some("sts:AssumeRole"), Some("bootstrap"))
    );
    Ok(())
}

#[test]
fn a_bearer_key_also_needs_leave_to_be_used_with_that_service() -> Tested {
    let road = Road::new()?;
    let caller = road.session("AsksOnly")?;
    let refused = road
        .authorizer
        .authorize::<mantle::CreateInference>(&caller, &road.request()?, &MODEL.parse()?, &Context::new())
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("not authorized to perform: bedrock-mantle:CallWithBearerToken on resource: "),
        "{said}"
    );
    let entries = road.entries();
    let last = entries.last().ok_or("nothing journaled")?;
    assert_eq!(
        (last.outcome, last.action),
        (Outcome::Deny, Some("bedrock-mantle:CallWithBearerToken"))
    );
    Ok(())
}

#[test]
fn a_bearer_key_needs_the_leave_of_the_first_service_it_is_presented_to() -> Tested {
    let road = Road::new()?;
    let runtime = [SigningName::Bedrock, SigningName::BedrockMantle];
    let mantle = [SigningName::BedrockMantle, SigningName::Bedrock];
    for (role, services, leave, allowed) in [
        ("AsksOnly", runtime, "bedrock:CallWithBearerToken", true),
        ("AsksOnly", mantle, "bedrock-mantle:CallWithBearerToken", false),
        ("MantleOnly", runtime, "bedrock:CallWithBearerToken", false),
        ("MantleOnly", mantle, "bedrock-mantle:CallWithBearerToken", true),
    ] {
        let credentials = road.assume(&road.bootstrap()?, role)?;
        let key = credentials.bearer_key(&road.region, road.world.now(), 3600)?;
        let caller = road.present_to(&key, &services)?;
        let request = road.request()?;
        let (model, context) = (MODEL.parse()?, Context::new());
        let asked = road
            .authorizer
            .authorize::<mantle::CreateInference>(&caller, &request, &model, &context);
        assert_eq!(asked.is_ok(), allowed, "{role} {leave}");
        let entries = road.entries();
        let first = entries
            .iter()
            .find(|entry| entry.request_id == request.request_id);
        let first = first.ok_or("nothing journaled")?;
        assert_eq!(
            (first.action, first.outcome == Outcome::Allow),
            (Some(leave), allowed)
        );
    }
    Ok(())
}

#[test]
fn the_bootstrap_principal_assumes_roles_of_its_account_and_nothing_else() -> Tested {
    let road = Road::new()?;
    let bootstrap = road.bootstrap()?;
    let (request, context) = (road.request()?, Context::new());
    let ask = |role: &str| -> Tested<Result<Permit<sts::AssumeRole>, Refusal>> {
        Ok(road
            .authorizer
            .authorize(&bootstrap, &request, &role.parse()?, &context))
    };
    assert!(ask("arn:aws:iam::123456789012:role/Admin")?.is_ok());
    assert!(ask("arn:aws:iam::210987654321:role/Admin")?.is_err());
    let key = KEY.parse()?;
    assert!(
        road.authorizer
            .authorize::<kms::Decrypt>(&bootstrap, &request, &key, &context)
            .is_err()
    );
    assert!(
        road.authorizer
            .authorize::<kms::CreateKey>(&bootstrap, &request, &key, &context)
            .is_err()
    );
    let model = MODEL.parse()?;
    assert!(
        road.authorizer
            .authorize::<mantle::CreateInference>(&bootstrap, &request, &model, &context)
            .is_err()
    );
    Ok(())
}

#[test]
fn durations_have_limits() -> Tested {
    let road = Road::new()?;
    let (request, context) = (road.request()?, Context::new());
    let (bootstrap, admin) = (road.bootstrap()?, road.session("Admin")?);
    let role = road.role("Developer")?;
    let fresh = road.authorizer.authorize(&bootstrap, &request, &role, &context)?;
    let chained = road.authorizer.authorize(&admin, &request, &role, &context)?;
    let lasts =
        |permit, asked| -> Tested<u64> { Ok(road.issue(permit, asked)?.expires_at.unix_seconds() - START) };
    assert_eq!(lasts(&fresh, None)?, 3600);
    assert_eq!(lasts(&fresh, Some(900))?, 900);
    assert_eq!(lasts(&fresh, Some(3600))?, 3600);
    assert_eq!(lasts(&chained, Some(3600))?, 3600);
    for (permit, asked, error) in [
        (&fresh, 899, IssueError::Duration { most: 43_200 }),
        (&fresh, 43_201, IssueError::Duration { most: 43_200 }),
        (&fresh, 3601, IssueError::Bootstrap),
        (&fresh, 43_200, IssueError::Bootstrap),
        (&chained, 3601, IssueError::Chaining),
    ] {
        let refused = road.issue(permit, Some(asked)).err().ok_or("issued")?;
        assert_eq!(refused.downcast_ref::<IssueError>(), Some(&error));
    }
    Ok(())
}

#[test]
fn a_bearer_key_ends_with_its_session_or_before() -> Tested {
    let road = Road::new()?;
    let credentials = road.assume(&road.bootstrap()?, "Developer")?;
    let short = credentials.bearer_key(&road.region, road.world.now(), 60)?;
    let long = credentials.bearer_key(&road.region, road.world.now(), 43_200)?;
    assert!(
        credentials
            .bearer_key(&road.region, road.world.now(), 43_201)
            .is_err()
    );
    for (after, short_is_good, long_is_good) in [
        (0, true, true),
        (59, true, true),
        (60, false, true),
        (3600, false, false),
    ] {
        road.world.seconds.store(START + after, Ordering::Relaxed);
        for (key, good) in [(&short, short_is_good), (&long, long_is_good)] {
            assert_eq!(
                road.present(key).err().map(|error| error.code()),
                (!good).then_some("expired"),
                "after {after} s"
            );
        }
    }
    Ok(())
}
