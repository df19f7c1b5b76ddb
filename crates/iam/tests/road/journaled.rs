//! Every decision is journaled, and without the journal there is none.

use std::sync::atomic::Ordering;

use moho_iam::action::{kms, mantle};
use moho_iam::authn::AuthnError;
use moho_iam::authz::{Context, Outcome, Refusal};
use moho_iam::bootstrap::DoorClosed;
use moho_terms::Arn;

use super::{KEY, MODEL, Road, Tested};

#[test]
fn a_denial_is_journaled_and_says_what_aws_says() -> Tested {
    let road = Road::new()?;
    let developer = road.session("Developer")?;
    let refused = road
        .authorizer
        .authorize::<kms::CreateKey>(&developer, &road.request()?, &KEY.parse()?, &Context::new())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "User: arn:aws:sts::123456789012:assumed-role/Developer/me@work is not authorized to perform: kms:CreateKey \
         on resource: arn:aws:kms:moho-local-1:123456789012:key/1 because no identity-based policy allows the \
         kms:CreateKey action. An administrator of the account can allow it there."
    );
    let entries = road.entries();
    let last = entries.last().ok_or("nothing journaled")?;
    assert_eq!(
        (last.outcome, last.reason, last.error_code),
        (Outcome::Deny, "not-allowed/identity", Some("AccessDenied"))
    );
    let unseen: Arn = "arn:aws:bedrock:moho-local-1::foundation-model/other".parse()?;
    let refused = road
        .authorizer
        .authorize::<mantle::CreateInference>(&developer, &road.request()?, &unseen, &Context::new())
        .unwrap_err();
    assert!(refused.to_string().starts_with(
        "You don't have access to the model with the specified model ID. bedrock-mantle:CreateInference on "
    ));
    Ok(())
}

#[test]
fn what_nothing_is_done_with_is_not_journaled_as_allowed() -> Tested {
    let road = Road::new()?;
    let developer = road.session("Developer")?;
    let (request, model) = (road.request()?, MODEL.parse()?);
    road.authorizer
        .judge_absent::<mantle::CreateInference>(&developer, &request, &model, &Context::new())?;
    let entries = road.entries();
    let last = entries.last().ok_or("nothing journaled")?;
    assert_eq!((last.outcome, last.reason), (Outcome::Allow, "absent"));
    let refused =
        road.authorizer
            .judge_absent::<kms::CreateKey>(&developer, &request, &KEY.parse()?, &Context::new());
    assert!(matches!(refused, Err(Refusal::AccessDenied { .. })));
    Ok(())
}

#[test]
fn without_a_journal_nothing_happens() -> Tested {
    let road = Road::new()?;
    let developer = road.session("Developer")?;
    road.world.journal_fails.store(true, Ordering::Relaxed);
    let allowed = road.authorizer.authorize::<mantle::CreateInference>(
        &developer,
        &road.request()?,
        &MODEL.parse()?,
        &Context::new(),
    );
    assert!(matches!(allowed, Err(Refusal::JournalUnavailable(_))));
    let denied = road.authorizer.authorize::<kms::CreateKey>(
        &developer,
        &road.request()?,
        &KEY.parse()?,
        &Context::new(),
    );
    assert!(matches!(denied, Err(Refusal::JournalUnavailable(_))));
    assert!(
        road.authorizer
            .journal_authn_failure(&road.request()?, &AuthnError::Missing)
            .is_err()
    );
    Ok(())
}

#[test]
fn without_policies_nothing_happens_and_that_is_journaled() -> Tested {
    let road = Road::new()?;
    let developer = road.session("Developer")?;
    road.world.policies_fail.store(true, Ordering::Relaxed);
    let refused = road.authorizer.authorize::<mantle::CreateInference>(
        &developer,
        &road.request()?,
        &MODEL.parse()?,
        &Context::new(),
    );
    assert!(matches!(refused, Err(Refusal::PolicyUnavailable(_))));
    assert_eq!(
        road.entries().last().map(|entry| entry.reason),
        Some("policies-unavailable")
    );
    Ok(())
}

#[test]
fn a_failed_proof_is_journaled_without_content() -> Tested {
    let road = Road::new()?;
    let mut request = road.request()?;
    request.user_agent_sha256 = Some([0xab; 32]);
    road.authorizer
        .journal_authn_failure(&request, &AuthnError::BadSignature)?;
    let entries = road.entries();
    let entry = entries.last().ok_or("nothing journaled")?;
    assert_eq!(
        (entry.outcome, entry.reason),
        (Outcome::Unauthenticated, "bad-signature")
    );
    assert_eq!(entry.user_agent_sha256.as_deref(), Some("ab".repeat(32).as_str()));
    assert_eq!(
        (&entry.principal, &entry.action, &entry.resource),
        (&None, &None, &None)
    );
    let json = serde_json::to_string(entry)?;
    assert!(json.starts_with(r#"{"time":"2026-11-22T"#), "{json}");
    Ok(())
}

#[test]
fn a_refusal_at_the_door_is_journaled() -> Tested {
    let road = Road::new()?;
    for closed in [
        DoorClosed::Stranger,
        DoorClosed::IdentityProviderSet,
        DoorClosed::NotDevelopment,
    ] {
        let request = road.request()?;
        road.authorizer.journal_door_closed(&request, &closed)?;
        let entries = road.entries();
        let entry = entries.last().ok_or("nothing journaled")?;
        assert_eq!(entry.request_id, request.request_id);
        assert_eq!(
            (entry.outcome, entry.reason, entry.error_code),
            (Outcome::Unauthenticated, closed.code(), Some("AccessDenied"))
        );
    }
    Ok(())
}
