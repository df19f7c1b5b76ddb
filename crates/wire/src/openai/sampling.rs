//! What a caller can set about how tokens are chosen: the same in both OpenAI APIs.
//!
//! Beside OpenAI's own settings there are those that other servers of open models take: `min_p`, `top_k` and
//! `repetition_penalty`.

use std::collections::BTreeMap;

use super::fields::{self, Fields, invalid, wrong_type};
use crate::Failure;
use crate::json::Json;

/// The most tokens whose likelihood one request can change.
const BIASES: usize = 1024;
/// The most of the likeliest tokens that are told for each token.
const TOP_LOGPROBS: i64 = 20;

/// Sampling, as asked for; `None` leaves the model's default.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// So many of the likeliest tokens are kept; 0 keeps all.
    pub top_k: Option<u32>,
    /// 0 to 1: a token less likely than this share of the likeliest one is left out.
    pub min_p: Option<f64>,
    /// -2 to 2: against tokens that were written already.
    pub presence_penalty: Option<f64>,
    /// -2 to 2: against tokens that were written already, as often as they were.
    pub frequency_penalty: Option<f64>,
    /// 0.01 to 100: divides the likelihood of what was read or written already; 1 is off.
    pub repetition_penalty: Option<f64>,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
}

impl Sampling {
    /// These settings, and of those that are not set, another's.
    #[must_use]
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            top_p: self.top_p.or(other.top_p),
            top_k: self.top_k.or(other.top_k),
            min_p: self.min_p.or(other.min_p),
            presence_penalty: self.presence_penalty.or(other.presence_penalty),
            frequency_penalty: self.frequency_penalty.or(other.frequency_penalty),
            repetition_penalty: self.repetition_penalty.or(other.repetition_penalty),
            seed: self.seed.or(other.seed),
        }
    }
}

/// Everything in [`Sampling`].
pub(crate) fn sampling(request: &Fields<'_>) -> Result<Sampling, Failure> {
    // Other servers take -1 for "all", as well as 0.
    let top_k = request.integer("top_k", -1, i64::from(u32::MAX))?;
    Ok(Sampling {
        temperature: request.number("temperature", 0.0, 2.0)?,
        top_p: request.number("top_p", 0.0, 1.0)?,
        top_k: top_k.map(|count| u32::try_from(count).unwrap_or(0)),
        min_p: request.number("min_p", 0.0, 1.0)?,
        presence_penalty: request.number("presence_penalty", -2.0, 2.0)?,
        frequency_penalty: request.number("frequency_penalty", -2.0, 2.0)?,
        repetition_penalty: request.number("repetition_penalty", 0.01, 100.0)?,
        seed: request
            .integer("seed", i64::MIN, i64::MAX)?
            .map(i64::cast_unsigned),
    })
}

/// `logit_bias`: ids of tokens, each once, and what is added to their logits. Whether the model has such tokens is the
/// engine's to say.
pub(crate) fn logit_bias(request: &Fields<'_>) -> Result<Vec<(u32, f32)>, Failure> {
    let pairs = match request.get("logit_bias") {
        None => return Ok(Vec::new()),
        Some(Json::Object(pairs)) => pairs,
        Some(other) => return Err(wrong_type("logit_bias", "an object", other)),
    };
    if pairs.len() > BIASES {
        let message = format!(
            "Invalid 'logit_bias': too many properties. Expected an object with at most {BIASES} properties, but got \
             an object with {} properties instead.",
            pairs.len()
        );
        return Err(invalid(message, "logit_bias", "object_above_max_properties"));
    }
    let mut biases = BTreeMap::new();
    for (token, bias) in pairs {
        let token = token_id(token.expose())?;
        let bias = fields::decimal(&format!("logit_bias.{token}"), bias, -100.0, 100.0)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "-100 to 100: only digits are lost"
        )]
        biases.insert(token, bias as f32);
    }
    Ok(biases.into_iter().collect())
}

/// A number that is too great for any token is one of no token.
fn token_id(digits: &str) -> Result<u32, Failure> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::Invalid {
            message: "Invalid key in 'logit_bias'. You should only be submitting non-negative integers."
                .to_owned(),
            param: Some("logit_bias".to_owned()),
            code: None,
        });
    }
    Ok(digits.parse().unwrap_or(u32::MAX))
}

/// `top_logprobs`: of how many of the likeliest tokens log-probabilities are told.
pub(crate) fn top_logprobs(request: &Fields<'_>) -> Result<Option<u8>, Failure> {
    let count = request.integer("top_logprobs", 0, TOP_LOGPROBS)?;
    Ok(count.and_then(|count| u8::try_from(count).ok()))
}
