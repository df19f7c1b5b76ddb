//! Identity providers: OpenID Connect, whose tokens are exchanged for sessions, and SAML, which are kept and shown.

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_iam::saml::SamlMetadata;
use moho_store::iam::{IamCode, Tag};
use moho_store::identities::{ListsTags, NewOidcProvider, RemovesTags, SetsTags};
use moho_terms::{AccountId, Arn};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::{providers as wire, shapes};
use moho_wire::{Failure, Reply};

use super::listing::{Answered, Wanted, page};
use super::{act, carry_out, refusal, shown};
use crate::federation::NoWayIn;
use crate::handlers::Asked;
use crate::startup::Platform;

/// The name of a provider with this address: the address without the scheme. It is what tokens say in `iss`, so that it is
/// taken as it is or not at all: `https`, a host, perhaps a port, perhaps a path.
///
/// # Errors
/// IAM's `ValidationError`.
pub(crate) fn oidc_arn(url: &str, account: AccountId) -> Result<Arn, Failure> {
    let invalid = || refusal(IamCode::ValidationError, "Invalid Open ID Connect Provider URL");
    let address = url.strip_prefix("https://").ok_or_else(invalid)?;
    let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    let (host, port) = authority
        .split_once(':')
        .map_or((authority, None), |(host, port)| (host, Some(port)));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let in_path = |b: u8| plain(b) || b == b'~' || b == b'/';
    let is_port = |port: &str| {
        port.parse::<u16>()
            .is_ok_and(|number| number > 0 && number.to_string() == port)
    };
    let fits = !host.is_empty()
        && host.bytes().all(plain)
        && port.is_none_or(is_port)
        && path.bytes().all(in_path)
        && !path.split('/').any(|part| part == "." || part == "..");
    if !fits {
        return Err(invalid());
    }
    Arn::of("iam", "", account.as_str(), &format!("oidc-provider/{address}")).map_err(|_long| invalid())
}

/// That thumbprints are SHA-1 digests in hexadecimal.
///
/// # Errors
/// IAM's `InvalidInput`.
pub(crate) fn thumbprints(given: &[String]) -> Result<Vec<String>, Failure> {
    let is_digest = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if given.iter().all(is_digest) {
        Ok(given.iter().map(|text| text.to_ascii_lowercase()).collect())
    } else {
        Err(refusal(IamCode::InvalidInput, "Invalid thumbprint value"))
    }
}

/// AWS's code for an identity provider that cannot be reached.
const UNREACHED: &str = "OpenIdIdpCommunicationError";

/// While the bootstrap door stands open, the management account takes a provider only if people could come in by it: as the
/// door closes for good then, a typing error would leave nobody a way in.
async fn leads_in(platform: &Platform, account: AccountId, url: &str) -> Result<(), Failure> {
    if account != platform.account || !platform.door.is_open() {
        return Ok(());
    }
    platform
        .federation
        .reach(url)
        .await
        .map_err(|why| Failure::Service {
            code: UNREACHED,
            message: no_way_in(url, why),
            status: 400,
        })
}

fn no_way_in(url: &str, why: NoWayIn) -> String {
    let cure = match why {
        NoWayIn::Unnamed => {
            "Name it there, to the letter of `iss` in its tokens, restart the server, and ask again."
        }
        NoWayIn::Unreachable(_) => {
            "Put that right (`federation.ca` has the authorities of its certificate, `federation.key_hosts` other hosts of its \
             keys), and ask again in ten seconds."
        }
    };
    format!(
        "Nothing was made: this account's first identity provider closes the bootstrap door for good, and nobody could come in \
         by {url}: {why}. {cure}"
    )
}

/// `CreateOpenIDConnectProvider`; in the management account it closes the bootstrap door for good.
pub(crate) async fn create_oidc(
    asked: &Asked,
    permit: Permit<iam::CreateOpenIDConnectProvider>,
    new: NewOidcProvider,
) -> Result<Reply, Failure> {
    let taken = asked.platform.federation.takes(&new.url);
    let account = permit.session().account();
    leads_in(&asked.platform, account, &new.url).await?;
    let provider = act(asked, move |platform| {
        let now = platform.clock.now();
        let made = platform.store.create_oidc_provider(&permit, &new, now)?;
        // The door leads into the management account; a member account's provider gives nobody a way in there. It is closed
        // also if nobody waits for the answer any more.
        if account == platform.account {
            platform.door.close();
        }
        Ok(made)
    })
    .await?;
    if account == asked.platform.account {
        tracing::warn!(
            "an identity provider was set: the bootstrap door is closed for good, and from now on only such a provider's tokens \
         and sessions that live give credentials"
        );
    }
    if !taken {
        tracing::warn!(
            "an identity provider was set whose issuer `federation.issuers` does not name: nobody gets credentials by its tokens"
        );
    }
    wire::CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(provider.arn.to_string()),
        tags: shown_tags(provider.tags),
    }
    .reply(Service::Iam, "CreateOpenIDConnectProvider", &asked.request)
}

fn shown_tags(tags: Vec<Tag>) -> Option<Vec<shapes::Tag>> {
    Some(tags).filter(|tags| !tags.is_empty()).map(shown::tags)
}

/// `GetOpenIDConnectProvider`
pub(crate) async fn get_oidc(
    asked: &Asked,
    permit: Permit<iam::GetOpenIDConnectProvider>,
) -> Result<Reply, Failure> {
    let provider = act(asked, move |platform| platform.store.get_oidc_provider(&permit)).await?;
    let address = provider.url.strip_prefix("https://").unwrap_or(&provider.url);
    wire::GetOpenIDConnectProviderResponse {
        url: Some(address.to_owned()),
        client_id_list: Some(provider.client_ids),
        thumbprint_list: Some(provider.thumbprints),
        create_date: Some(provider.created_at),
        tags: shown_tags(provider.tags),
    }
    .reply(Service::Iam, "GetOpenIDConnectProvider", &asked.request)
}

/// `ListOpenIDConnectProviders`
pub(crate) async fn list_oidc(
    asked: &Asked,
    permit: Permit<iam::ListOpenIDConnectProviders>,
) -> Result<Reply, Failure> {
    let arns = act(asked, move |platform| platform.store.list_oidc_providers(&permit)).await?;
    let entries = arns
        .into_iter()
        .map(|arn| shapes::OpenIDConnectProviderListEntry {
            arn: Some(arn.to_string()),
        });
    wire::ListOpenIDConnectProvidersResponse {
        open_id_connect_provider_list: Some(entries.collect()),
    }
    .reply(Service::Iam, "ListOpenIDConnectProviders", &asked.request)
}

/// `DeleteOpenIDConnectProvider`
pub(crate) async fn delete_oidc(
    asked: &Asked,
    permit: Permit<iam::DeleteOpenIDConnectProvider>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_oidc_provider(permit)
    })
    .await
}

/// `UpdateOpenIDConnectProviderThumbprint`
pub(crate) async fn set_thumbprints(
    asked: &Asked,
    permit: Permit<iam::UpdateOpenIDConnectProviderThumbprint>,
    thumbprints: Vec<String>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.set_oidc_thumbprints(permit, &thumbprints)
    })
    .await
}

/// `AddClientIDToOpenIDConnectProvider`
pub(crate) async fn add_client(
    asked: &Asked,
    permit: Permit<iam::AddClientIDToOpenIDConnectProvider>,
    client: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.add_oidc_client(permit, &client)
    })
    .await
}

/// `RemoveClientIDFromOpenIDConnectProvider`
pub(crate) async fn remove_client(
    asked: &Asked,
    permit: Permit<iam::RemoveClientIDFromOpenIDConnectProvider>,
    client: String,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.remove_oidc_client(permit, &client)
    })
    .await
}

/// A SAML provider's metadata, as a request brings them.
///
/// # Errors
/// IAM's `InvalidInput`.
pub(crate) fn metadata(text: &str) -> Result<SamlMetadata, Failure> {
    SamlMetadata::parse(text).map_err(|error| {
        refusal(
            IamCode::InvalidInput,
            format!("Could not parse metadata: {error}"),
        )
    })
}

/// `CreateSAMLProvider`
pub(crate) async fn create_saml(
    asked: &Asked,
    permit: Permit<iam::CreateSAMLProvider>,
    metadata: SamlMetadata,
    tags: Vec<Tag>,
) -> Result<Reply, Failure> {
    let provider = act(asked, move |platform| {
        let now = platform.clock.now();
        platform
            .store
            .create_saml_provider(&permit, (&metadata, &tags), &*platform.entropy, now)
    })
    .await?;
    wire::CreateSAMLProviderResponse {
        saml_provider_arn: Some(provider.arn.to_string()),
        tags: shown_tags(provider.tags),
    }
    .reply(Service::Iam, "CreateSAMLProvider", &asked.request)
}

/// `GetSAMLProvider`
pub(crate) async fn get_saml(asked: &Asked, permit: Permit<iam::GetSAMLProvider>) -> Result<Reply, Failure> {
    let provider = act(asked, move |platform| platform.store.get_saml_provider(&permit)).await?;
    wire::GetSAMLProviderResponse {
        saml_provider_uuid: Some(provider.id),
        saml_metadata_document: Some(provider.metadata),
        create_date: Some(provider.created_at),
        valid_until: provider.valid_until,
        tags: shown_tags(provider.tags),
        ..wire::GetSAMLProviderResponse::default()
    }
    .reply(Service::Iam, "GetSAMLProvider", &asked.request)
}

/// `ListSAMLProviders`
pub(crate) async fn list_saml(
    asked: &Asked,
    permit: Permit<iam::ListSAMLProviders>,
) -> Result<Reply, Failure> {
    let providers = act(asked, move |platform| platform.store.list_saml_providers(&permit)).await?;
    let entries = providers
        .into_iter()
        .map(|provider| shapes::SAMLProviderListEntry {
            arn: Some(provider.arn.to_string()),
            valid_until: provider.valid_until,
            create_date: Some(provider.created_at),
        });
    wire::ListSAMLProvidersResponse {
        saml_provider_list: Some(entries.collect()),
    }
    .reply(Service::Iam, "ListSAMLProviders", &asked.request)
}

/// `UpdateSAMLProvider`
pub(crate) async fn update_saml(
    asked: &Asked,
    permit: Permit<iam::UpdateSAMLProvider>,
    metadata: SamlMetadata,
) -> Result<Reply, Failure> {
    let arn = act(asked, move |platform| {
        platform.store.update_saml_provider(&permit, &metadata)
    })
    .await?;
    wire::UpdateSAMLProviderResponse {
        saml_provider_arn: Some(arn.to_string()),
    }
    .reply(Service::Iam, "UpdateSAMLProvider", &asked.request)
}

/// `DeleteSAMLProvider`
pub(crate) async fn delete_saml(
    asked: &Asked,
    permit: Permit<iam::DeleteSAMLProvider>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.delete_saml_provider(permit)
    })
    .await
}

/// `TagOpenIDConnectProvider`, `TagSAMLProvider`
pub(crate) async fn tag<A: SetsTags>(
    asked: &Asked,
    permit: Permit<A>,
    tags: Vec<Tag>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.tag_identity(permit, &tags)
    })
    .await
}

/// `UntagOpenIDConnectProvider`, `UntagSAMLProvider`
pub(crate) async fn untag<A: RemovesTags>(
    asked: &Asked,
    permit: Permit<A>,
    keys: Vec<String>,
) -> Result<Reply, Failure> {
    carry_out(asked, permit, move |store, permit| {
        store.untag_identity(permit, &keys)
    })
    .await
}

/// The page of `ListOpenIDConnectProviderTags` and `ListSAMLProviderTags`.
pub(crate) async fn tags<A: ListsTags>(
    asked: &Asked,
    permit: Permit<A>,
    (marker, most): (Option<String>, Option<i64>),
) -> Result<Answered<shapes::Tag>, Failure> {
    let wanted = Wanted::all(marker, most);
    let page = page(asked, permit, wanted, |store, permit, page| {
        store.identity_tags(permit, page)
    })
    .await?;
    Ok(Answered {
        items: shown::tags(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::federation::Unreachable;

    #[test]
    fn a_provider_is_named_by_its_address_and_only_by_a_plain_one() {
        let account = "123456789012".parse().unwrap();
        for good in [
            "https://example.org",
            "https://example.org/",
            "https://example.org/realms/one",
            "https://localhost:8443/oidc",
            "https://token.actions.githubusercontent.com",
        ] {
            let arn = oidc_arn(good, account).unwrap();
            assert_eq!(
                arn.resource(),
                good.replace("https://", "oidc-provider/"),
                "{good}"
            );
        }
        for bad in [
            "",
            "https://",
            "http://example.org",
            "HTTPS://example.org",
            "https:///path",
            "https://user@example.org",
            "https://example.org?x=1",
            "https://example.org#x",
            "https://example.org:0",
            "https://example.org:65536",
            "https://example.org:+1",
            "https://example.org:443:443",
            "https://example.org/../x",
            "https://ex\u{0430}mple.org",
            "https://example.org/a b",
            "https://example.org/%2e",
            "https://example.org/*",
        ] {
            assert!(oidc_arn(bad, account).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_is_refused_a_provider_is_told_what_to_do() {
        let unnamed = no_way_in("https://login.example.com", NoWayIn::Unnamed);
        assert!(unnamed.contains(
            "nobody could come in by https://login.example.com: the server's setting `federation.issuers`"
        ));
        assert!(
            unnamed.ends_with("restart the server, and ask again."),
            "{unnamed}"
        );
        let away = no_way_in(
            "https://login.example.com",
            NoWayIn::Unreachable(Unreachable::Connect),
        );
        assert!(
            away.contains("it cannot be connected to") && away.contains("`federation.ca`"),
            "{away}"
        );
    }

    #[test]
    fn thumbprints_are_forty_hexadecimal_digits() {
        let good = "ABCDEF0123456789abcdef0123456789ABCDEF01".to_owned();
        assert_eq!(
            thumbprints(std::slice::from_ref(&good)).unwrap(),
            [good.to_lowercase()]
        );
        for bad in ["", "abc", "zbcdef0123456789abcdef0123456789abcdef01"] {
            assert!(thumbprints(&[good.clone(), bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
