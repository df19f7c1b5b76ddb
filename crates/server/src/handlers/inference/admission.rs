//! Whether the caller's quotas have room for a question, before the engine is asked.

use moho_engine::ModelCard;
use moho_iam::Principal;
use moho_iam::action::Action;
use moho_iam::authz::Permit;
use moho_terms::{AccountId, Arn, ModelId};
use moho_wire::{Failure, QuotaExceeded, QuotaOf, QuotaPer};

use super::{Asking, InferencePermit, Question, isolation, prompt};
use crate::handlers::Asked;
use crate::quota::{
    Amounts, Asker, Bill, FEW, Hit, Limited, Measure, NotAdmitted, PIECE, Reservation, Window,
};
use crate::road::chain;
use crate::usage::Mark;

/// Room for a question, and what its answers may take of it.
pub(super) struct Admitted {
    reservation: Reservation,
    mark: Mark,
    /// The tokens of the prompt, if they had to be counted.
    prompt: u64,
    /// The tokens that were set aside for each answer.
    answer: u64,
    /// The tokens that each answer may have beyond those, if there is room for them as it is written.
    open: u64,
    /// The most tokens of each answer.
    pub(super) max_tokens: Option<u32>,
}

impl Admitted {
    /// What the sequence of a choice pays with: the first pays for the prompt of them all.
    pub(super) fn bill(&mut self, choice: u32) -> Bill {
        let first = choice == 0;
        let prompt = if first { self.prompt } else { 0 };
        let bill = self.reservation.bill(Amounts::tokens(prompt, self.answer));
        let bill = bill.noted(self.mark.clone()).open(self.open);
        if first { bill.with_prompt() } else { bill }
    }
}

/// Lets a question in, if every quota has room for all that it may use.
pub(super) async fn admit(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
) -> Result<Admitted, Asking> {
    let (platform, entrance, model) = (&asked.platform, &asked.entrance, question.model);
    let asker = permit.asker();
    let refused = |refused: NotAdmitted| {
        entrance.stands(platform.quotas.standing(&asker, model));
        refuse(asked, model, &refused)
    };
    let demand = (entrance.request(), question.choices);
    let mut reservation = platform
        .quotas
        .enter(&asker, model, demand)
        .await
        .map_err(refused)?;
    entrance.entered();
    let (mut prompt, mut answer, mut open) = (0, 0, 0);
    let mut max_tokens = question.max_tokens;
    if reservation.limits_tokens() {
        let counted = count(asked, permit, question).await?;
        let longest = longest_answer(platform.engine.models(), question, counted, &reservation);
        prompt = counted.into();
        let (least, most) = first_piece(question, (prompt, longest.into()), &reservation);
        let all = |each: u64| each.saturating_mul(question.choices.into());
        let set_aside = reservation.set_aside(Amounts::tokens(prompt, all(least)), all(most));
        let set_aside = set_aside.await.map_err(refused)?;
        answer = set_aside
            .checked_div(question.choices.into())
            .unwrap_or(set_aside);
        open = u64::from(longest).saturating_sub(answer);
        max_tokens = Some(longest);
    }
    entrance.stands(reservation.standing());
    let mark = Mark {
        log: std::sync::Arc::clone(&platform.usage),
        account: asker.account,
        principal: asker.principal,
        principal_id: asker.principal_id,
        model: model.clone(),
        profile: permit.profile().cloned(),
    };
    Ok(Admitted {
        reservation,
        mark,
        prompt,
        answer,
        open,
        max_tokens,
    })
}

/// Lets a request in that asks for no answer.
pub(in crate::handlers) async fn admit_count<A: Action>(
    asked: &Asked,
    permit: &Permit<A>,
    model: &ModelId,
) -> Result<(), Failure> {
    let asker = asker(permit);
    let quotas = &asked.platform.quotas;
    match quotas.enter(&asker, model, (asked.entrance.request(), 0)).await {
        Ok(_counted) => Ok(()),
        Err(refused) => Err(refuse(asked, model, &refused).into()),
    }
}

/// Lets a request in that looks what fits before it asks: it is counted here, and not again when it asks.
pub(in crate::handlers) async fn admit_search(
    asked: &Asked,
    permit: &InferencePermit,
) -> Result<(), Failure> {
    let (asker, model, entrance) = (permit.asker(), permit.model(), &asked.entrance);
    let quotas = &asked.platform.quotas;
    let entered = quotas.enter(&asker, model, (entrance.request(), 0)).await;
    entrance.stands(quotas.standing(&asker, model));
    match entered {
        Ok(_counted) => {
            entrance.entered();
            Ok(())
        }
        Err(refused) => Err(refuse(asked, model, &refused).into()),
    }
}

/// Whether the engine would take a question. Nothing is set aside for it, and nothing of it is computed.
pub(in crate::handlers) async fn fits(
    asked: &Asked,
    permit: &InferencePermit,
    question: &Question<'_>,
) -> Result<(), Asking> {
    count(asked, permit, question).await.map(drop)
}

/// How many tokens the prompt has.
async fn count(asked: &Asked, permit: &InferencePermit, question: &Question<'_>) -> Result<u32, Asking> {
    let engine = &asked.platform.engine;
    let model = question.model;
    let counting = engine.count(
        model.clone(),
        prompt(&question.words),
        isolation(permit.account()),
    );
    match counting.await {
        Ok(Ok(tokens)) => Ok(tokens),
        Ok(Err(refusal)) => Err(Asking::refused(&refusal, model, engine.models())),
        Err(_gone) => Err(Asking::Failed(Failure::Unavailable)),
    }
}

/// The most tokens of each answer: as many as were asked for, or as the context holds. Who names no number gets no more
/// than the quotas could ever give.
fn longest_answer(
    cards: &[ModelCard],
    question: &Question<'_>,
    prompt: u32,
    reservation: &Reservation,
) -> u32 {
    let card = cards.iter().find(|card| card.id == *question.model);
    let room = card.map_or(u32::MAX, |card| card.context_length.saturating_sub(prompt));
    if let Some(named) = question.max_tokens {
        return named.min(room);
    }
    let all = reservation.longest_answer(prompt.into()).unwrap_or(u64::MAX);
    let each = all.checked_div(question.choices.into()).unwrap_or(all).max(1);
    room.min(u32::try_from(each).unwrap_or(u32::MAX))
}

/// How many tokens are set aside for each answer before it begins, at least and at most: for one of `longest` tokens, all of
/// them if that was asked for, or nothing limits answers; else a piece.
fn first_piece(
    question: &Question<'_>,
    (prompt, longest): (u64, u64),
    reservation: &Reservation,
) -> (u64, u64) {
    if question.max_tokens.is_some() || reservation.longest_answer(prompt).is_none() {
        return (longest, longest);
    }
    (longest.min(FEW), longest.min(PIECE))
}

fn refuse(asked: &Asked, model: &ModelId, refused: &NotAdmitted) -> Asking {
    Asking::Failed(match refused {
        NotAdmitted::Hit(hit) => {
            asked.platform.telemetry.quota_was_hit(match hit.of {
                Limited::Amount(Measure::Requests) => "quota_requests",
                Limited::Amount(Measure::Input | Measure::Output | Measure::Tokens) => "quota_tokens",
                Limited::Sequences => "quota_sequences",
            });
            Failure::Quota(Box::new(told(*hit, model)))
        }
        NotAdmitted::Full | NotAdmitted::Book(_) => {
            tracing::error!(error = %chain(refused), "a request was refused, as its quotas cannot be kept");
            Failure::Unavailable
        }
    })
}

fn told(hit: Hit, model: &ModelId) -> QuotaExceeded {
    QuotaExceeded {
        model: model.clone(),
        of: match hit.of {
            Limited::Amount(Measure::Requests) => QuotaOf::Requests,
            Limited::Amount(Measure::Input) => QuotaOf::InputTokens,
            Limited::Amount(Measure::Output) => QuotaOf::OutputTokens,
            Limited::Amount(Measure::Tokens) => QuotaOf::Tokens,
            Limited::Sequences => QuotaOf::Sequences,
        },
        per: match hit.per {
            Window::Minute => QuotaPer::Minute,
            Window::Day => QuotaPer::Day,
            Window::Now => QuotaPer::Now,
        },
        limit: hit.limit,
        used: hit.used,
        requested: hit.requested,
        retry_after: hit.retry_after,
    }
}

/// Who asks, as quotas and usage know them.
pub(super) fn asker<A: Action>(permit: &Permit<A>) -> Asker {
    let session = permit.session();
    let tags = permit.context().beginning_with(PRINCIPAL_TAG);
    let tags = tags.filter_map(|(key, values)| {
        let key = key.strip_prefix(PRINCIPAL_TAG)?;
        Some((key.to_owned(), values.first()?.clone()))
    });
    let of_user = federated_by(session.account(), session.principal());
    let (principal, principal_id) = of_user.unwrap_or_else(|| {
        let id = session.user_id().split(':').next().unwrap_or_default();
        (session.role_arn().clone(), id.to_owned())
    });
    Asker {
        account: session.account(),
        principal,
        principal_id,
        tags: tags.collect(),
    }
}

/// The user behind whom it named for itself in `GetFederationToken`, and its id: another name is not another quota.
fn federated_by(account: AccountId, principal: &Principal) -> Option<(Arn, String)> {
    match principal {
        Principal::FederatedUser { user, .. } => Some((user.arn(account).ok()?, user.id.clone())),
        Principal::AssumedRole { .. }
        | Principal::User(_)
        | Principal::WebIdentity(_)
        | Principal::Bootstrap
        | Principal::Service(_) => None,
    }
}

/// What begins the condition keys of a principal's tags.
const PRINCIPAL_TAG: &str = "aws:principaltag/";

#[cfg(test)]
mod tests {
    use moho_iam::UserRef;

    use super::*;

    #[test]
    fn whoever_a_user_names_for_itself_asks_as_that_user() {
        let account: AccountId = "123456789012".parse().unwrap();
        let user = UserRef {
            path: "/team/".to_owned(),
            name: "Eve".parse().unwrap(),
            id: "AIDAEVE".to_owned(),
        };
        let arn: Arn = "arn:aws:iam::123456789012:user/team/Eve".parse().unwrap();
        for name in ["one", "two"] {
            let (name, user) = (name.parse().unwrap(), user.clone());
            let named = Principal::FederatedUser { name, user };
            let expected = Some((arn.clone(), "AIDAEVE".to_owned()));
            assert_eq!(federated_by(account, &named), expected);
        }
        assert_eq!(federated_by(account, &Principal::User(user)), None);
    }
}
