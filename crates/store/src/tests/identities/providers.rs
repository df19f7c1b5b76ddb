//! Identity providers and the alias of an account.

use moho_iam::saml::SamlMetadata;

use super::*;

#[test]
fn an_oidc_provider_has_audiences_and_thumbprints_within_bounds() {
    let office = Office::closed();
    let store = &office.house.store;
    let resource = "oidc-provider/idp.example.org";
    let new = NewOidcProvider {
        url: "https://idp.example.org".to_owned(),
        client_ids: vec!["a".to_owned(), "a".to_owned()],
        ..NewOidcProvider::default()
    };
    let made = store
        .create_oidc_provider(&office.on(resource), &new, office.now())
        .unwrap();
    assert_eq!(made.client_ids, ["a"]);
    let again = store.create_oidc_provider(&office.on(resource), &new, office.now());
    assert_eq!(
        says(again),
        "Provider with url https://idp.example.org already exists."
    );
    let add = |client: &str| store.add_oidc_client(&office.on(resource), client);
    for number in 1..100 {
        add(&format!("client-{number}")).unwrap();
    }
    add("client-7").unwrap();
    assert_eq!(
        says(add("one-more")),
        "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    );
    assert_eq!(code(add("two\nlines")), IamCode::LimitExceeded);
    store
        .remove_oidc_client(&office.on(resource), "client-7")
        .unwrap();
    store
        .remove_oidc_client(&office.on(resource), "client-7")
        .unwrap();
    assert_eq!(code(add("two\nlines")), IamCode::InvalidInput);
    let thumbs = |count| vec!["0123456789012345678901234567890123456789".to_owned(); count];
    let set = |count| store.set_oidc_thumbprints(&office.on(resource), &thumbs(count));
    set(5).unwrap();
    assert_eq!(code(set(6)), IamCode::InvalidInput);
    let kept = store.oidc_provider(&made.arn).unwrap().unwrap();
    assert_eq!((kept.client_ids.len(), kept.thumbprints.len()), (99, 1));
    assert_eq!(
        store.list_oidc_providers(&office.on("*")).unwrap(),
        std::slice::from_ref(&made.arn)
    );
    store.delete_oidc_provider(&office.on(resource)).unwrap();
    let gone = store.get_oidc_provider(&office.on(resource));
    assert_eq!(
        says(gone),
        format!("OpenIDConnect Provider not found for arn {}", made.arn)
    );
    assert_eq!(store.identity_provider().unwrap(), IdentityProvider::Set);
}

#[test]
fn a_saml_provider_is_kept_with_its_document() {
    const METADATA: &str = r#"<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.example.org" validUntil="2030-01-02T03:04:05Z"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>MAAw</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService Binding="x" Location="https://idp.example.org/sso"/></IDPSSODescriptor></EntityDescriptor>"#;
    let office = Office::closed();
    let store = &office.house.store;
    let metadata = SamlMetadata::parse(METADATA).unwrap();
    let tags = [("team".to_owned(), "one".to_owned())];
    let make = || {
        let permit = office.on("saml-provider/idp");
        store.create_saml_provider(&permit, (&metadata, &tags), &*office.house.world, office.now())
    };
    let made = make().unwrap();
    assert_eq!(
        (made.metadata.as_str(), made.valid_until),
        (METADATA, metadata.valid_until())
    );
    assert_eq!(code(make()), IamCode::EntityAlreadyExists);
    let other = METADATA.replace(" validUntil=\"2030-01-02T03:04:05Z\"", "");
    let other = SamlMetadata::parse(&other).unwrap();
    store
        .update_saml_provider(&office.on("saml-provider/idp"), &other)
        .unwrap();
    let found = store.get_saml_provider(&office.on("saml-provider/idp")).unwrap();
    assert_eq!((found.valid_until, &found.tags[..]), (None, &tags[..]));
    assert_eq!(store.list_saml_providers(&office.on("*")).unwrap().len(), 1);
    store
        .delete_saml_provider(&office.on("saml-provider/idp"))
        .unwrap();
    let gone = store.get_saml_provider(&office.on("saml-provider/idp"));
    assert_eq!(code(gone), IamCode::NoSuchEntity);
    // What is made again has nothing of what was before.
    assert_eq!(make().unwrap().tags, tags);
}

#[test]
fn an_account_has_one_alias_and_no_two_the_same() {
    let office = Office::closed();
    let store = &office.house.store;
    let create = |alias: &str| store.create_account_alias(&office.on("*"), alias);
    create("one").unwrap();
    assert_eq!(code(create("one")), IamCode::EntityAlreadyExists);
    create("two").unwrap();
    assert_eq!(
        store.account_alias(&office.on("*")).unwrap().as_deref(),
        Some("two")
    );
    let delete = |alias: &str| store.delete_account_alias(&office.on("*"), alias);
    assert_eq!(code(delete("one")), IamCode::NoSuchEntity);
    delete("two").unwrap();
    assert_eq!(store.account_alias(&office.on("*")).unwrap(), None);
}
