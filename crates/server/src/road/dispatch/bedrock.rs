//! Bedrock's own operations: which action each takes, and on what.

use moho_iam::action::Action;
use moho_iam::action::bedrock::GetFoundationModel;
use moho_iam::authz::Permit;
use moho_terms::ModelId;
use moho_wire::Failure;
use moho_wire::bedrock::{Converse, CountTokens, InvokeModel, ListFoundationModels, ModelIdentifier};

use super::Trip;
use crate::handlers::{InferencePermit, bedrock, models};
use crate::net::Outbound;

impl Trip<'_> {
    /// Whether the caller may do `A` on the model that it named; only then whether there is one of that name.
    fn on_named_model<A: Action>(&self, named: &ModelIdentifier) -> Result<Permit<A>, Failure> {
        let model = self.named::<A>(named)?;
        self.on_model(model).map_err(|failure| told(failure, named))
    }

    /// The model of this region that the caller named. There is none under the ARN of another region; whether they may do `A`
    /// on that ARN is decided and journaled before they are told so.
    fn named<'n, A: Action>(&self, named: &'n ModelIdentifier) -> Result<&'n ModelId, Failure> {
        let model = named.within(&self.platform.region);
        if let (Err(_), ModelIdentifier::Arn { arn, .. }) = (&model, named) {
            self.permit::<A>(arn)?;
        }
        model
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
    let permit = trip
        .on_named_model(&converse.model)
        .map(InferencePermit::Invoke)?;
    bedrock::converse::whole(trip.asked(), permit, converse).await
}

pub(super) async fn converse_stream(trip: &Trip<'_>, converse: Converse) -> Result<Outbound, Failure> {
    let permit = trip
        .on_named_model(&converse.model)
        .map(InferencePermit::Stream)?;
    bedrock::converse::streamed(trip.asked(), permit, converse).await
}

pub(super) async fn invoke(trip: &Trip<'_>, invoke: InvokeModel) -> Result<Outbound, Failure> {
    let permit = trip.on_named_model(&invoke.model).map(InferencePermit::Invoke)?;
    bedrock::invoke::whole(trip.asked(), permit, invoke).await
}

pub(super) async fn invoke_stream(trip: &Trip<'_>, invoke: InvokeModel) -> Result<Outbound, Failure> {
    let permit = trip.on_named_model(&invoke.model).map(InferencePermit::Stream)?;
    bedrock::invoke::streamed(trip.asked(), permit, invoke).await
}

pub(super) async fn count_tokens(trip: &Trip<'_>, count: CountTokens) -> Result<Outbound, Failure> {
    let permit = trip.on_named_model(&count.model)?;
    bedrock::count_tokens::count(&trip.asked(), &permit, &count).await
}

pub(super) fn list_foundation_models(
    trip: &Trip<'_>,
    list: &ListFoundationModels,
) -> Result<Outbound, Failure> {
    let permit = trip.list_models()?;
    bedrock::foundation_models::list(trip.platform, &permit, list)
}

pub(super) fn get_foundation_model(trip: &Trip<'_>, named: &ModelIdentifier) -> Result<Outbound, Failure> {
    let model = trip.named::<GetFoundationModel>(named)?;
    let permit = trip.permit::<GetFoundationModel>(&models::model_arn(trip.platform, model)?)?;
    bedrock::foundation_models::get(trip.platform, &permit, model).map_err(|failure| told(failure, named))
}
