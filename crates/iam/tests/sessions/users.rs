//! What users make of their own credentials.

use moho_iam::Narrowing;
use moho_iam::action::sts;
use moho_iam::authn::{Authenticated, FederationGrant, IssueError};
use moho_terms::Arn;

use super::{ACCOUNT, House, role, seconds, tags};

#[test]
fn only_users_with_their_own_credentials_make_more_of_themselves() {
    let house = House::new();
    let (user, role_session) = (house.user(), house.session(&house.guest(), "A", |_| {}));
    let session_token = |caller: &Authenticated, duration| {
        let permit = house.permit::<sts::GetSessionToken>(caller, caller.session().principal_arn());
        house
            .authenticator
            .issue_session_token(&permit, duration, house.now())
    };
    let issued = session_token(&user, None).unwrap();
    assert_eq!(seconds(&issued), 43_200);
    let own = house.come_back(&issued);
    assert_eq!(own.session().principal_arn(), user.session().principal_arn());
    assert!(own.session().is_temporary());
    for (duration, error) in [(899, 129_600), (129_601, 129_600)] {
        assert_eq!(
            session_token(&user, Some(duration)).err(),
            Some(IssueError::Duration { most: error })
        );
    }
    assert_eq!(seconds(&session_token(&user, Some(129_600)).unwrap()), 129_600);
    assert_eq!(
        session_token(&role_session, None).err(),
        Some(IssueError::SessionCredentials {
            operation: "GetSessionToken"
        })
    );
    // Credentials that a user made of its own do not even get so far.
    let user = own.session().principal_arn();
    assert!(house.try_permit::<sts::GetSessionToken>(&own, user).is_err());
    assert!(house.try_permit::<sts::GetFederationToken>(&own, user).is_err());
}

#[test]
fn whom_a_user_vouches_for_makes_no_credentials() {
    let house = House::new();
    let (user, role_session) = (house.user(), house.session(&house.guest(), "A", |_| {}));
    let federating = |caller: &Authenticated, tagged: bool, leave: bool| {
        let resource: Arn = format!("arn:aws:sts::{ACCOUNT}:federated-user/eve")
            .parse()
            .unwrap();
        let permit = house.permit::<sts::GetFederationToken>(caller, &resource);
        let grant = FederationGrant {
            name: "eve".parse().unwrap(),
            duration_seconds: Some(900),
            narrowing: Narrowing::default(),
            tags: tags(if tagged { &[("Team", "red")] } else { &[] }, &[]),
            tagging: leave.then(|| house.permit(caller, &resource)),
        };
        house
            .authenticator
            .issue_federation_token(&permit, grant, house.now())
    };
    let issued = federating(&user, true, true).unwrap();
    assert_eq!(issued.user_id, "123456789012:eve");
    let eve = house.come_back(&issued);
    assert_eq!(
        eve.session().principal_arn().as_str(),
        "arn:aws:sts::123456789012:federated-user/eve"
    );
    assert_eq!(
        (eve.session().principal_type(), eve.session().tags().get("Team")),
        (Some("FederatedUser"), Some("red"))
    );
    assert_eq!(
        federating(&user, true, false).err(),
        Some(IssueError::WithoutLeave)
    );
    assert_eq!(
        federating(&role_session, false, false).err(),
        Some(IssueError::SessionCredentials {
            operation: "GetFederationToken"
        })
    );
    let user = eve.session().principal_arn();
    assert!(house.try_permit::<sts::GetSessionToken>(&eve, user).is_err());
    assert!(house.try_permit::<sts::GetFederationToken>(&eve, user).is_err());
    assert!(house.try_permit::<sts::AssumeRole>(&eve, &role("B").arn).is_err());
}
