//! Agreements: an account accepts what a model is offered under before anybody in it may use the model.

use std::sync::Arc;

use aws_lc_rs::digest;
use moho_iam::action::Action;
use moho_iam::action::bedrock::{
    CreateFoundationModelAgreement, DeleteFoundationModelAgreement, GetFoundationModelAvailability,
    InvokeModel, ListFoundationModelAgreementOffers,
};
use moho_iam::authz::{
    AccessRequest, Decision, EndpointFacts, Permit, PolicySource, PolicyUnavailable, Reason, evaluate,
};
use moho_terms::{AccountId, ModelId};
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::bedrock::{
    AgreementAvailability, CreateFoundationModelAgreementReply, DimensionalPriceRate,
    GetFoundationModelAvailabilityReply, LegalTerm, ListFoundationModelAgreementOffersReply, Offer,
    PricingTerm, SupportTerm, TermDetails,
};
use moho_wire::{Failure, Reply};

use super::blocking;
use crate::handlers::Asked;
use crate::handlers::models::model_arn;
use crate::handlers::paging::Listing;
use crate::road::{chain, from_store};

/// What an offer's token is bound to, beside account and model.
const OFFER: &str = "bedrock:CreateFoundationModelAgreement";
/// What an offer's token holds. A later offer under other terms would hold another word.
const TERMS: &str = "terms 1";

/// `GetFoundationModelAvailability`
pub(crate) fn availability(
    asked: &Asked,
    permit: &Permit<GetFoundationModelAvailability>,
    (model, endpoint): (&ModelId, Option<&EndpointFacts>),
) -> Result<Reply, Failure> {
    let account = permit.session().account();
    let agreed = asked.platform.store.model_agreed(account, model);
    let agreed = agreed.map_err(|error| from_store(&error))?;
    let authorized = would_allow(asked, permit, (model, endpoint))?;
    let available = |is: bool| Some(if is { "AVAILABLE" } else { "NOT_AVAILABLE" }.to_owned());
    GetFoundationModelAvailabilityReply {
        model_id: Some(model.to_string()),
        agreement_availability: Some(AgreementAvailability {
            status: available(agreed),
            error_message: None,
        }),
        authorization_status: Some(
            if authorized {
                "AUTHORIZED"
            } else {
                "NOT_AUTHORIZED"
            }
            .to_owned(),
        ),
        entitlement_availability: available(agreed),
        // Whatever is not served here was refused before.
        region_availability: available(true),
    }
    .reply(Service::Bedrock, "GetFoundationModelAvailability", &asked.request)
}

/// Whether policies would let the caller invoke the model, if its account agreed to. Nothing is done, so nothing of it is
/// journaled.
fn would_allow(
    asked: &Asked,
    permit: &Permit<GetFoundationModelAvailability>,
    (model, endpoint): (&ModelId, Option<&EndpointFacts>),
) -> Result<bool, Failure> {
    let session = permit.session();
    let resource = model_arn(&asked.platform, model)?;
    let policies = asked
        .platform
        .store
        .policies(session, InvokeModel::NAME, &resource);
    let policies = policies.map_err(|error: PolicyUnavailable| {
        tracing::error!(error = %chain(&error), "whether a model may be used cannot be said");
        Failure::Unavailable
    })?;
    let request = AccessRequest {
        principal: session,
        action: InvokeModel::NAME,
        resource: &resource,
        context: permit.context(),
        endpoint,
    };
    Ok(matches!(
        evaluate(&request, &policies).decision,
        Decision::Allow | Decision::Deny(Reason::ModelAccess)
    ))
}

/// That there are offers of this type: whoever asks gets the same one, so that all of them are public.
///
/// # Errors
/// [`Failure::Validation`]
pub(crate) fn offered(kind: Option<&str>) -> Result<(), Failure> {
    match kind {
        None | Some("ALL" | "PUBLIC") => Ok(()),
        Some(_) => Err(Failure::Validation("offerType is ALL or PUBLIC.".to_owned())),
    }
}

/// `ListFoundationModelAgreementOffers`: one offer each, of a model that costs nothing.
pub(crate) fn offers(
    asked: &Asked,
    permit: &Permit<ListFoundationModelAgreementOffers>,
    model: &ModelId,
) -> Result<Reply, Failure> {
    let platform = &asked.platform;
    let offered = offer(permit.session().account(), model);
    let token = platform
        .paging
        .seal(&offered, TERMS, platform.clock.now(), &*platform.entropy);
    let token = token.map_err(|_none| Failure::Unavailable)?;
    ListFoundationModelAgreementOffersReply {
        model_id: Some(model.to_string()),
        offers: Some(vec![Offer {
            offer_id: Some(offer_id(model)),
            offer_token: Some(token),
            term_details: Some(terms()),
        }]),
    }
    .reply(
        Service::Bedrock,
        "ListFoundationModelAgreementOffers",
        &asked.request,
    )
}

fn offer(account: AccountId, model: &ModelId) -> Listing {
    Listing::new(account, OFFER, &[model.as_str()])
}

/// `offer-` and 13 letters and digits, always the same for a model.
fn offer_id(model: &ModelId) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = digest::digest(&digest::SHA256, format!("moho offer {model}").as_bytes());
    let letters = digest.as_ref().iter().take(13);
    let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(byte & 31)));
    "offer-".chars().chain(letters.map(|b| char::from(*b))).collect()
}

fn terms() -> TermDetails {
    let free = |dimension: &str, description: &str| DimensionalPriceRate {
        dimension: Some(dimension.to_owned()),
        price: Some("0".to_owned()),
        description: Some(description.to_owned()),
        unit: Some("1K tokens".to_owned()),
    };
    TermDetails {
        usage_based_pricing_term: Some(PricingTerm {
            rate_card: Some(vec![
                free("InputTokenCount", "Tokens of prompts"),
                free("OutputTokenCount", "Tokens of answers"),
            ]),
        }),
        legal_term: Some(LegalTerm { url: None }),
        support_term: Some(SupportTerm {
            refund_policy_description: Some("Nothing is charged, so there is nothing to refund.".to_owned()),
        }),
        validity_term: None,
    }
}

/// `CreateFoundationModelAgreement`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<CreateFoundationModelAgreement>,
    (model, token): (ModelId, &str),
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let offered = offer(permit.session().account(), &model);
    let opened = platform.paging.open(&offered, token, platform.clock.now());
    if opened.as_deref() != Ok(TERMS) {
        return Err(Failure::Validation(
            "The provided offer token is invalid or has expired. Get one of this account for this model with \
             ListFoundationModelAgreementOffers; it is good for a day."
                .to_owned(),
        ));
    }
    let named = model.clone();
    let accepted = blocking(move || {
        let now = platform.clock.now();
        let accepted = platform.store.accept_model_agreement(&permit, &named, now);
        accepted.map_err(|error| from_store(&error))
    });
    if !accepted.await? {
        return Err(Failure::Service {
            code: "ConflictException",
            message: format!("Agreement already exists: this account has accepted that of {model}."),
            status: 400,
        });
    }
    CreateFoundationModelAgreementReply {
        model_id: Some(model.to_string()),
    }
    .reply(Service::Bedrock, "CreateFoundationModelAgreement", &asked.request)
}

/// `DeleteFoundationModelAgreement`: no request after this one may use the model.
pub(crate) async fn delete(
    asked: &Asked,
    permit: Permit<DeleteFoundationModelAgreement>,
    model: ModelId,
) -> Result<Reply, Failure> {
    let platform = Arc::clone(&asked.platform);
    let ended = blocking(move || {
        let now = platform.clock.now();
        let ended = platform.store.end_model_agreement(&permit, &model, now);
        ended.map_err(|error| from_store(&error))
    });
    if ended.await? {
        Service::Bedrock.done("DeleteFoundationModelAgreement", &asked.request)
    } else {
        Err(Failure::Service {
            code: "ResourceNotFoundException",
            message: "No agreement was found: this account has not accepted one for this model.".to_owned(),
            status: 404,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_offers_but_public_ones() {
        for kind in [None, Some("ALL"), Some("PUBLIC")] {
            assert!(offered(kind).is_ok(), "{kind:?}");
        }
        for kind in ["PRIVATE", "public", ""] {
            assert!(
                matches!(offered(Some(kind)), Err(Failure::Validation(_))),
                "{kind}"
            );
        }
    }
}
