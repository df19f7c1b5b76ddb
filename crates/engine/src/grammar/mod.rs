//! Holds the output to a JSON Schema, by masking every token that would leave it.
//!
//! Schemas come from requests and are taken as hostile: their size and depth are bounded before, and what compiling
//! and each mask may cost is bounded by the library's fuel. The library's texts about a *running* grammar quote the output and
//! are dropped; its texts about a schema go back to whoever sent the schema, cut short.

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use moho_terms::Content;
use serde_json::value::RawValue;
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::message::{OutputFormat, Refusal};
use crate::tokenizer::Tokenizer;

/// Longest JSON Schema.
const MAX_SCHEMA_BYTES: usize = 64 << 10;
/// Deepest nesting in a JSON Schema.
const MAX_SCHEMA_DEPTH: usize = 64;
/// What one mask may cost, on the thread that serves everybody: one to two milliseconds, by the library's own measure of 14
/// fuel and 20 items in a microsecond.
const STEP_LEXER_FUEL: u64 = 20_000;
const STEP_MAX_ITEMS: usize = 10_000;
/// Between two pieces of JSON: a space, or a new line with its indentation. Without a bound a model can write white space
/// until its tokens are used up: it is always allowed, and each piece of it makes more of it likelier.
const WHITESPACE: &str = r#"{"whitespace_pattern":" |(\\r?\\n){1,2}[ \\t]{0,20}"}"#;
/// Longest text about a schema that is told.
const MAX_REASON_CHARS: usize = 300;

/// The model's tokens cannot be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model's tokens cannot be masked")]
pub struct MaskError;

/// Turns schemas into grammars over one model's tokens.
pub(crate) struct Grammars {
    factory: ParserFactory,
}

/// One sequence's output so far, and what may follow.
pub(crate) struct Grammar {
    matcher: Matcher,
}

/// Whether the output may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// More must or may follow.
    Open,
    /// It is complete, and nothing can follow.
    Complete,
}

/// The output cannot be held to its grammar any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

impl Grammars {
    /// Prepares a model's tokens.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, MaskError> {
        let endings = tokenizer.endings();
        let first = *endings.first().ok_or(MaskError)?;
        let count = u32::try_from(tokenizer.vocabulary()).map_err(|_dropped| MaskError)?;
        // Control tokens have no bytes, so that no grammar reaches them.
        let words: Vec<Vec<u8>> = (0..count).map(|token| tokenizer.bytes(token).to_vec()).collect();
        let trie = TokTrie::from(&TokRxInfo::new(count, first), &words).with_eos_tokens(&endings);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let slices = SlicedBiasComputer::json_slices();
        let mut factory = ParserFactory::new(&environment, InferenceCapabilities::default(), &slices)
            .map_err(|_dropped| MaskError)?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            max_items_in_row: 1000,
            initial_lexer_fuel: 100_000,
            step_lexer_fuel: STEP_LEXER_FUEL,
            step_max_items: STEP_MAX_ITEMS,
            max_lexer_states: 10_000,
            max_grammar_size: 50_000,
            precompute_large_lexemes: true,
            verbose_errors: false,
        };
        Ok(Self { factory })
    }

    /// The grammar of an output format; none for plain text.
    pub(crate) fn compile(&self, format: &OutputFormat) -> Result<Option<Grammar>, Refusal> {
        match format {
            OutputFormat::Text => Ok(None),
            OutputFormat::JsonObject => self.compile_schema(r#"{"type":"object"}"#).map(Some),
            OutputFormat::JsonSchema(schema) => self.compile_schema(bounded(schema)?).map(Some),
        }
    }

    fn compile_schema(&self, schema: &str) -> Result<Grammar, Refusal> {
        // INVARIANT: `schema` is exactly one JSON object, so that it cannot close what it is put into. What it says itself to
        // the library, which takes the last of two, is not heard.
        let members = schema
            .trim_end()
            .strip_suffix('}')
            .ok_or_else(|| invalid("it is not JSON"))?;
        let comma = if members.trim_end().ends_with('{') {
            ""
        } else {
            ","
        };
        let grammar = Zeroizing::new(format!(
            r#"{{"grammars":[{{"json_schema":{members}{comma}"x-guidance":{WHITESPACE}}}}}]}}"#
        ));
        let grammar: TopLevelGrammar =
            serde_json::from_str(&grammar).map_err(|_dropped| invalid("it is not JSON"))?;
        match self.factory.create_parser(grammar) {
            Ok(parser) => Ok(Grammar {
                matcher: Matcher::new(Ok(parser)),
            }),
            Err(error) => Err(invalid(&error.to_string())),
        }
    }
}

impl Grammar {
    /// The tokens that may come next.
    pub(crate) fn allowed(&mut self) -> Result<SimpleVob, Lost> {
        self.matcher.compute_mask_or_eos().map_err(|_dropped| Lost)
    }

    /// Goes on by one token.
    pub(crate) fn advance(&mut self, token: u32) -> Result<Position, Lost> {
        self.matcher.consume_token(token).map_err(|_dropped| Lost)?;
        if self.matcher.is_error() {
            return Err(Lost);
        }
        Ok(if self.matcher.is_stopped() {
            Position::Complete
        } else {
            Position::Open
        })
    }
}

/// The schema's text, if it is one JSON object within bounds.
fn bounded(schema: &Content) -> Result<&str, Refusal> {
    let text = schema.expose();
    if text.len() > MAX_SCHEMA_BYTES {
        return Err(invalid("it is longer than 65536 bytes"));
    }
    if depth(text) > MAX_SCHEMA_DEPTH {
        return Err(invalid("it is nested deeper than 64 levels"));
    }
    let value: &RawValue = serde_json::from_str(text).map_err(|_dropped| invalid("it is not JSON"))?;
    if value.get().starts_with('{') {
        Ok(value.get())
    } else {
        Err(invalid("it is not a JSON object"))
    }
}

/// An upper bound of how deep JSON text nests: brackets in strings count too.
fn depth(text: &str) -> usize {
    let step = |(level, deepest): (usize, usize), byte| match byte {
        b'{' | b'[' => (level.saturating_add(1), deepest.max(level.saturating_add(1))),
        b'}' | b']' => (level.saturating_sub(1), deepest),
        _ => (level, deepest),
    };
    text.bytes().fold((0, 0), step).1
}

fn invalid(reason: &str) -> Refusal {
    // A panic inside the library is told without its backtrace.
    let reason = if reason.starts_with("panic") {
        "it cannot be compiled"
    } else {
        reason
    };
    let line = reason.lines().next().unwrap_or("");
    Refusal::InvalidSchema(
        line.chars()
            .filter(|c| !c.is_control())
            .take(MAX_REASON_CHARS)
            .collect(),
    )
}

#[cfg(test)]
mod tests;
