//! `CountTokens`: what a request would count as its input, without running it.

use moho_iam::action::bedrock;
use moho_iam::authz::Permit;
use moho_terms::ModelId;
use moho_wire::Failure;
use moho_wire::bedrock::{CountInput, CountTokens};

use super::super::inference::{Asking, Words, admit_count, isolation, prompt};
use super::{Asked, llama_words, worded};
use crate::net::Outbound;
use crate::road;

/// `POST /model/{modelId}/count-tokens`
pub(crate) async fn count(
    asked: &Asked,
    permit: &Permit<bedrock::CountTokens>,
    (model, count): (&ModelId, &CountTokens),
) -> Result<Outbound, Failure> {
    admit_count(asked, permit, model).await?;
    let words = match &count.input {
        CountInput::Turns(turns) => Words::Turns(turns.iter().collect()),
        CountInput::Llama(prompt) => llama_words(prompt),
    };
    let engine = &asked.platform.engine;
    let isolation = isolation(permit.session().account());
    let tokens = match engine.count(model.clone(), prompt(&words), isolation).await {
        Ok(Ok(tokens)) => tokens,
        Ok(Err(refusal)) => return Err(worded(Asking::refused(&refusal, model, engine.models()).into())),
        Err(_gone) => return Err(Failure::Unavailable),
    };
    CountTokens::reply(tokens).map(road::whole)
}
