//! From a request in words to one in the model's terms: tokens, a sampler, a grammar.
//!
//! Everything that a request can get wrong is found here, before it costs any memory of the model's.

use std::sync::Arc;

use moho_terms::Content;
use zeroize::Zeroizing;

use crate::grammar::Grammars;
use crate::message::{Prompt, PromptFault, Refusal, StartSequence};
use crate::sampler::{Adjustments, Sampler, StopTexts};
use crate::scheduler::Request;
use crate::template::ChatTemplate;
use crate::tokenizer::Tokenizer;

const MAX_STOPS: usize = 16;
const MAX_STOP_BYTES: usize = 1024;
/// Most tokens with a bias.
const MAX_BIASES: usize = 1024;
/// Most log-probabilities for each token besides the chosen one's.
const MAX_LOGPROBS: u8 = 20;
/// Turns of one conversation.
const MAX_TURNS: usize = 4096;

/// Reads requests for one model.
pub(crate) struct Reader {
    tokenizer: Arc<Tokenizer>,
    template: Option<ChatTemplate>,
    grammars: Grammars,
}

impl Reader {
    pub(crate) fn new(tokenizer: Arc<Tokenizer>, template: Option<ChatTemplate>, grammars: Grammars) -> Self {
        Self {
            tokenizer,
            template,
            grammars,
        }
    }

    pub(crate) fn tokenizer(&self) -> &Arc<Tokenizer> {
        &self.tokenizer
    }

    /// Reads a request. `limit` is the most tokens of a sequence, `drawn_seed` serves if the request names none.
    pub(crate) fn read(
        &self,
        start: StartSequence,
        limit: usize,
        drawn_seed: u64,
    ) -> Result<Request, Refusal> {
        let fits = |stop: &Content| (1..=MAX_STOP_BYTES).contains(&stop.len());
        if start.stop.len() > MAX_STOPS || !start.stop.iter().all(fits) {
            return Err(Refusal::InvalidStop);
        }
        if start.logprobs.is_some_and(|count| count > MAX_LOGPROBS) {
            return Err(Refusal::InvalidLogprobs);
        }
        let bias = self.bias(start.bias)?;
        let prompt = self.prompt(start.prompt, limit)?;
        let grammar = self.grammars.compile(&start.output)?;
        let adjustments = Adjustments::new(&start.sampling, bias, &prompt);
        let seed = start.sampling.seed().unwrap_or(drawn_seed);
        let sampler = Sampler::new(start.sampling, adjustments, seed);
        Ok(Request {
            id: start.sequence,
            prompt,
            max_tokens: start.max_tokens,
            credit: start.credit,
            isolation: start.isolation,
            sampler,
            grammar,
            stop: StopTexts::new(start.stop),
            logprobs: start.logprobs,
        })
    }

    /// A bias by token, in order.
    fn bias(&self, mut bias: Vec<(u32, f32)>) -> Result<Vec<(u32, f32)>, Refusal> {
        if bias.len() > MAX_BIASES {
            return Err(Refusal::InvalidBias);
        }
        bias.sort_unstable_by_key(|(token, _)| *token);
        let sound = |(token, by): &(u32, f32)| self.knows(*token) && (-100.0..=100.0).contains(by);
        let mut pairs = bias.iter().zip(bias.iter().skip(1));
        if bias.iter().all(sound) && pairs.all(|((one, _), (next, _))| one != next) {
            Ok(bias)
        } else {
            Err(Refusal::InvalidBias)
        }
    }

    fn knows(&self, token: u32) -> bool {
        usize::try_from(token).is_ok_and(|token| token < self.tokenizer.vocabulary())
    }

    /// How many tokens a prompt has, if a sequence could begin with it.
    pub(crate) fn count(&self, prompt: Prompt, limit: usize) -> Result<u32, Refusal> {
        let prompt = self.prompt(prompt, limit)?;
        Ok(u32::try_from(prompt.len()).unwrap_or(u32::MAX))
    }

    /// The tokens of a prompt that leaves room for output.
    fn prompt(&self, prompt: Prompt, limit: usize) -> Result<Zeroizing<Vec<u32>>, Refusal> {
        let prompt = self.tokens(prompt, limit)?;
        if prompt.is_empty() {
            return Err(Refusal::InvalidPrompt(PromptFault::Empty));
        }
        if prompt.len() >= limit {
            let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
            return Err(Refusal::ContextOverflow {
                prompt_tokens: count(prompt.len()),
                limit: count(limit),
            });
        }
        Ok(prompt)
    }

    fn tokens(&self, prompt: Prompt, limit: usize) -> Result<Zeroizing<Vec<u32>>, Refusal> {
        // More bytes than this cannot fit, whatever they are; found before any of them is looked at.
        let most = limit.saturating_mul(self.tokenizer.longest_token());
        match prompt {
            Prompt::Tokens(tokens) => {
                if tokens.iter().all(|token| self.knows(*token)) {
                    Ok(tokens)
                } else {
                    Err(Refusal::InvalidPrompt(PromptFault::UnknownToken))
                }
            }
            Prompt::Text(text) if text.len() > most => Err(Refusal::InvalidPrompt(PromptFault::TooLong)),
            Prompt::Text(text) if text.is_empty() => Err(Refusal::InvalidPrompt(PromptFault::Empty)),
            Prompt::Text(text) => {
                let beginning = self.tokenizer.forced_beginning();
                self.encode(text.len(), |tokens| {
                    tokens.extend(beginning);
                    self.tokenizer.encode_plain(text.expose(), limit, tokens)
                })
            }
            Prompt::Chat(turns) => {
                let Some(template) = &self.template else {
                    return Err(Refusal::InvalidPrompt(PromptFault::NoTemplate));
                };
                if turns.is_empty() {
                    return Err(Refusal::InvalidPrompt(PromptFault::Empty));
                }
                let bytes = turns
                    .iter()
                    .fold(0_usize, |sum, turn| sum.saturating_add(turn.text.len()));
                if bytes > most || turns.len() > MAX_TURNS {
                    return Err(Refusal::InvalidPrompt(PromptFault::TooLong));
                }
                let rendered = template
                    .render(&turns, &self.tokenizer)
                    .map_err(Refusal::InvalidPrompt)?;
                self.encode(rendered.len(), |tokens| {
                    self.tokenizer.encode_fenced(&rendered, limit, tokens)
                })
            }
        }
    }

    /// Collects tokens in one buffer that never grows: each token stands for at least one byte.
    fn encode<E>(
        &self,
        bytes: usize,
        fill: impl FnOnce(&mut Vec<u32>) -> Result<(), E>,
    ) -> Result<Zeroizing<Vec<u32>>, Refusal> {
        let mut tokens = Zeroizing::new(Vec::with_capacity(bytes.saturating_add(1)));
        fill(&mut tokens).map_err(|_dropped| Refusal::InvalidPrompt(PromptFault::Unreadable))?;
        Ok(tokens)
    }
}
