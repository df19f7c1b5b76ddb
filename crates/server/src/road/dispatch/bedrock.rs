//! Bedrock's own operations: which action each takes, and on what.

use std::str::FromStr;

use moho_iam::action::Action;
use moho_iam::action::bedrock::GetFoundationModel;
use moho_iam::authz::{Context, Permit};
use moho_terms::{Arn, ModelId};
use moho_wire::Failure;
use moho_wire::bedrock::{Converse, CountTokens, InvokeModel, ListFoundationModels, ModelIdentifier};

use super::{Trip, failure};
use crate::handlers::{InferencePermit, Proof, bedrock, models};
use crate::net::Outbound;

impl Trip<'_> {
    /// Whether the caller may ask the model that it named; in Bedrock's words if there is none.
    fn may_ask<A: Action>(
        &self,
        named: &ModelIdentifier,
        proof: impl FnOnce(Permit<A>) -> Proof,
    ) -> Result<InferencePermit, Failure> {
        let (permit, resolved) = self.on_named(named).map_err(|failure| told(failure, named))?;
        InferencePermit::new(proof(permit), resolved, self.invocation)
    }

    /// Whether the caller may do `A` on the model of this region that it named: by id or ARN, as profiles are none. There is
    /// none under the ARN of another region; whether they may do `A` on that ARN is decided and journaled before they are
    /// told so.
    pub(super) fn on_foundation_model<A: Action>(
        &self,
        named: &ModelIdentifier,
    ) -> Result<(Permit<A>, ModelId), Failure> {
        let arn = match named.within(&self.platform.region) {
            Ok(model) => models::model_arn(self.platform, model)?,
            Err(unknown) => {
                let arn = Arn::from_str(named.as_str()).map_err(|_never| Failure::Internal)?;
                self.permit::<A>(&arn)?;
                return Err(unknown);
            }
        };
        let permit = self.decide(&arn, &Context::new());
        let served = self.platform.serves(named.id());
        let permit = permit
            .map_err(|refusal| failure::from_model_refusal(&refusal, named.id(), served))
            .map_err(|failure| told(failure, named))?;
        if served {
            Ok((permit, named.id().clone()))
        } else {
            Err(named.unknown())
        }
    }
}

/// That there is no such model is told in Bedrock's words.
fn told(failure: Failure, named: &ModelIdentifier) -> Failure {
    if matches!(failure, Failure::ModelNotFound(_)) {
        named.unknown()
    } else {
        failure
    }
}

pub(super) async fn converse(trip: &Trip<'_>, converse: Converse) -> Result<Outbound, Failure> {
    let permit = trip.may_ask(&converse.model, Proof::Invoke)?;
    bedrock::converse::whole(trip.asked(), permit, converse).await
}

pub(super) async fn converse_stream(trip: &Trip<'_>, converse: Converse) -> Result<Outbound, Failure> {
    let permit = trip.may_ask(&converse.model, Proof::Stream)?;
    bedrock::converse::streamed(trip.asked(), permit, converse).await
}

pub(super) async fn invoke(trip: &Trip<'_>, invoke: InvokeModel) -> Result<Outbound, Failure> {
    let permit = trip.may_ask(&invoke.model, Proof::Invoke)?;
    bedrock::invoke::whole(trip.asked(), permit, invoke).await
}

pub(super) async fn invoke_stream(trip: &Trip<'_>, invoke: InvokeModel) -> Result<Outbound, Failure> {
    let permit = trip.may_ask(&invoke.model, Proof::Stream)?;
    bedrock::invoke::streamed(trip.asked(), permit, invoke).await
}

/// Counting takes a model and no profile, as at AWS: what is counted depends on the model alone.
pub(super) async fn count_tokens(trip: &Trip<'_>, count: CountTokens) -> Result<Outbound, Failure> {
    let (permit, model) = trip.on_foundation_model(&count.model)?;
    bedrock::count_tokens::count(&trip.asked(), &permit, (&model, &count)).await
}

pub(super) fn list_foundation_models(
    trip: &Trip<'_>,
    list: &ListFoundationModels,
) -> Result<Outbound, Failure> {
    let permit = trip.list_models()?;
    bedrock::foundation_models::list(trip.platform, &permit, list)
}

pub(super) fn get_foundation_model(trip: &Trip<'_>, named: &ModelIdentifier) -> Result<Outbound, Failure> {
    let (permit, model) = trip.on_foundation_model::<GetFoundationModel>(named)?;
    bedrock::foundation_models::get(trip.platform, &permit, &model).map_err(|failure| told(failure, named))
}
