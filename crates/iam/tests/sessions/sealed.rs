//! What is handed out or kept sealed, so that nobody else can read it.

use moho_iam::action::{iam, sts};
use moho_terms::Arn;

use super::{ACCOUNT, House, role};

#[test]
fn an_access_key_is_told_once_and_kept_sealed() {
    let house = House::new();
    let admin = house.session(&house.guest(), "A", |_| {});
    let permit = house.permit::<iam::CreateAccessKey>(
        &admin,
        &format!("arn:aws:iam::{ACCOUNT}:user/bob").parse().unwrap(),
    );
    let made = house
        .authenticator
        .make_access_key(&permit, &*house.world)
        .unwrap();
    let again = house
        .authenticator
        .make_access_key(&permit, &*house.world)
        .unwrap();
    assert!(made.id.as_str().starts_with("AKIA") && made.id != again.id);
    assert_eq!(made.id.account().unwrap().as_str(), ACCOUNT);
    assert_eq!(made.secret.len(), 40);
    assert_ne!(made.secret.expose(), again.secret.expose());
    let inside = made
        .sealed
        .windows(8)
        .any(|part| made.secret.expose().starts_with(part));
    assert!(!inside, "the secret is sealed");
}

#[test]
fn why_somebody_was_denied_is_for_that_account_only() {
    let house = House::new();
    let admin = house.session(&house.guest(), "A", |_| {});
    let everything: Arn = format!("arn:aws:sts:moho-local-1:{ACCOUNT}:*").parse().unwrap();
    let permit = house.permit::<sts::DecodeAuthorizationMessage>(&admin, &everything);
    let encode = |account: &str| {
        house
            .authenticator
            .encode_authorization_message(account.parse().unwrap(), r#"{"allowed":false}"#, &*house.world)
            .unwrap()
    };
    let decode = |message: &str| house.authenticator.decode_authorization_message(&permit, message);
    let message = encode(ACCOUNT);
    assert_eq!(decode(&message).as_deref(), Some(r#"{"allowed":false}"#));
    assert!(!message.contains("allowed"));
    assert_eq!(decode(&encode("210987654321")), None);
    for index in 0..message.len() {
        let mut altered = message.clone();
        altered.replace_range(
            index..=index,
            if message.as_bytes()[index] == b'A' {
                "B"
            } else {
                "A"
            },
        );
        assert_eq!(decode(&altered), None, "character {index}");
    }
    let token = house
        .issue(&house.user(), &role("B"), |_| {})
        .unwrap()
        .session_token;
    for other in [
        "",
        "x",
        "%",
        &"A".repeat(10_241),
        std::str::from_utf8(token.expose()).unwrap(),
    ] {
        assert_eq!(decode(other), None, "{other}");
    }
}
