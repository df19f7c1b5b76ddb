//! One sequence: its tokens, what chooses the next one, and what of it may leave.
//!
//! Where a sequence stands is its type: [`Waiting`] has no blocks, [`Running`] has a table of them, and the only way
//! out of `Running` gives the table's blocks back.

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

use super::output::{Output, Words};
use crate::grammar::{Grammar, Position};
use crate::kv::{BlockTable, KvPool};
use crate::message::{Failure, FinishReason, SequenceId, TokenLogprob, Usage};
use crate::sampler::{Likelihood, Sampler, StopTexts, Workspace};
use crate::tokenizer::Tokenizer;

/// Credit with which a sequence that lost its blocks goes on, or half of what it began with. A client that reads all it is
/// sent gives back that much.
const RESUME_CREDIT: u32 = 16;
/// A sequence ends once it lost more than this many whole contexts.
const MOST_LOST_CONTEXTS: usize = 8;

/// A request in the model's terms.
pub(crate) struct Request {
    pub(crate) id: SequenceId,
    pub(crate) prompt: Zeroizing<Vec<u32>>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) credit: u32,
    pub(crate) isolation: u64,
    pub(crate) sampler: Sampler,
    pub(crate) grammar: Option<Grammar>,
    pub(crate) stop: StopTexts,
    /// Whether log-probabilities are told, and of how many of the likeliest.
    pub(crate) logprobs: Option<u8>,
}

/// A sequence, wherever it stands.
pub(crate) struct Sequence {
    id: SequenceId,
    /// Which it is of those that came.
    arrival: u64,
    /// Which it is of those that ran, once it has run: who ran first may take the blocks of those that ran later.
    turn: Option<u64>,
    /// Whether its blocks were taken although it had credit.
    displaced: bool,
    /// Whose it is: salt of everything that may be shared with other sequences.
    isolation: u64,
    tokens: Zeroizing<Vec<u32>>,
    prompt_tokens: usize,
    /// Prompt and output together may have so many tokens.
    end: usize,
    credit: u32,
    /// Credit that it began with.
    window: u32,
    /// Tokens that were computed and lost again with their blocks.
    lost: usize,
    sampler: Sampler,
    grammar: Option<Grammar>,
    logprobs: Option<u8>,
    output: Output,
}

/// What one more token brought.
pub(crate) enum Outcome {
    /// Text, perhaps none yet.
    More(Words),
    /// The last text, and why it is the last.
    End(Words, FinishReason),
    /// It cannot go on.
    Failed(Failure),
}

impl Sequence {
    /// Begins a sequence that may grow to `limit` tokens.
    pub(crate) fn begin(request: Request, arrival: u64, limit: usize) -> Self {
        let prompt_tokens = request.prompt.len();
        let wanted = request
            .max_tokens
            .and_then(|most| usize::try_from(most).ok())
            .unwrap_or(usize::MAX);
        let end = prompt_tokens.saturating_add(wanted).min(limit);
        // One buffer of the final size, so that no grown copy stays behind unwiped.
        let mut tokens = Zeroizing::new(Vec::with_capacity(end.max(prompt_tokens)));
        tokens.extend_from_slice(&request.prompt);
        Self {
            id: request.id,
            arrival,
            turn: None,
            displaced: false,
            isolation: request.isolation,
            tokens,
            prompt_tokens,
            end,
            credit: request.credit,
            window: request.credit,
            lost: 0,
            sampler: request.sampler,
            grammar: request.grammar,
            logprobs: request.logprobs,
            output: Output::new(request.stop),
        }
    }

    pub(super) fn id(&self) -> SequenceId {
        self.id
    }

    pub(super) fn isolation(&self) -> u64 {
        self.isolation
    }

    pub(super) fn arrival(&self) -> u64 {
        self.arrival
    }

    pub(super) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Notes that it runs, as number `turn` if that is for the first time; whether it is.
    pub(super) fn begins(&mut self, turn: u64) -> bool {
        self.displaced = false;
        let first = self.turn.is_none();
        self.turn.get_or_insert(turn);
        first
    }

    /// Which it is of those that ran.
    pub(super) fn turn(&self) -> Option<u64> {
        self.turn
    }

    /// Its turn, if its blocks were taken although it had credit.
    pub(super) fn displaced(&self) -> Option<u64> {
        self.turn.filter(|_| self.displaced)
    }

    /// Whether it may be given its next token.
    pub(super) fn has_credit(&self) -> bool {
        self.credit > 0
    }

    /// Whether it may be given blocks. One that lost them is computed all over, which is worth it for some tokens, but
    /// not for each single one that its client may be slow to ask for.
    pub(super) fn is_ready(&self) -> bool {
        let left = self.end.saturating_sub(self.tokens.len());
        let worth = RESUME_CREDIT
            .min(self.window.div_ceil(2))
            .min(u32::try_from(left).unwrap_or(u32::MAX));
        self.has_credit() && (self.lost == 0 || self.credit >= worth)
    }

    /// Whether so much of it was computed in vain that it is not worth going on.
    pub(super) fn is_hopeless(&self, context: usize) -> bool {
        self.lost > context.saturating_mul(MOST_LOST_CONTEXTS)
    }

    pub(super) fn add_credit(&mut self, tokens: u32) {
        self.credit = self.credit.saturating_add(tokens);
    }

    /// It gets no more credit than it has.
    pub(super) fn ends_with_its_credit(&mut self) {
        let credit = usize::try_from(self.credit).unwrap_or(usize::MAX);
        self.end = self.end.min(self.tokens.len().saturating_add(credit));
    }

    /// What was held back, when nothing follows.
    pub(super) fn last_words(&mut self) -> Words {
        self.output.finish()
    }

    /// Whether it is complete already: for requests of no tokens.
    pub(super) fn is_full(&self) -> bool {
        self.tokens.len() >= self.end
    }

    pub(super) fn usage(&self) -> Usage {
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        Usage {
            prompt_tokens: count(self.prompt_tokens),
            cached_tokens: 0,
            completion_tokens: count(self.tokens.len().saturating_sub(self.prompt_tokens)),
        }
    }

    /// Chooses the token that follows and takes it. Needs and uses one credit.
    pub(super) fn take_next(
        &mut self,
        logits: &[f32],
        tokenizer: &Tokenizer,
        workspace: &mut Workspace,
    ) -> Outcome {
        let Ok(allowed) = self.grammar.as_mut().map(Grammar::allowed).transpose() else {
            return Outcome::Failed(Failure::Grammar);
        };
        let Some(token) = self.sampler.next(logits, allowed.as_ref(), workspace) else {
            // With a mask, finite logits and nothing to choose mean that the grammar has no way on.
            return Outcome::Failed(if allowed.is_some_and(|set| set.is_zero()) {
                Failure::Grammar
            } else {
                Failure::Computation
            });
        };
        self.credit = self.credit.saturating_sub(1);
        self.tokens.push(token);
        if tokenizer.ends_output(token) {
            return Outcome::End(self.output.finish(), FinishReason::Stop);
        }
        let Ok(position) = self
            .grammar
            .as_mut()
            .map(|grammar| grammar.advance(token))
            .transpose()
        else {
            return Outcome::Failed(Failure::Grammar);
        };
        let logprob = self
            .logprobs
            .and_then(|count| Likelihood::of(token, logits, count, workspace))
            .map(|likelihood| told(token, likelihood, tokenizer));
        let (mut words, stopped) = self.output.push(tokenizer.bytes(token), logprob);
        if stopped {
            return Outcome::End(words, FinishReason::StopSequence);
        }
        let end = match position.unwrap_or(Position::Open) {
            Position::Complete => Some(FinishReason::Stop),
            Position::Open => self.is_full().then_some(FinishReason::Length),
        };
        match end {
            None => Outcome::More(words),
            Some(reason) => {
                let last = self.output.finish();
                words.text.push(&last.text);
                words.logprobs.extend(last.logprobs);
                Outcome::End(words, reason)
            }
        }
    }
}

/// A likelihood in words.
fn told(token: u32, likelihood: Likelihood, tokenizer: &Tokenizer) -> TokenLogprob {
    let top = likelihood.top.into_iter();
    TokenLogprob {
        bytes: ContentBytes::new(tokenizer.bytes(token).to_vec()),
        logprob: likelihood.logprob,
        top: top
            .map(|(token, logprob)| (ContentBytes::new(tokenizer.shown(token).to_vec()), logprob))
            .collect(),
    }
}

/// A sequence without blocks: new, or preempted.
pub(super) struct Waiting(pub(super) Sequence);

/// A sequence that has blocks.
pub(super) struct Running {
    pub(super) sequence: Sequence,
    table: BlockTable,
    /// Tokens of it that are computed in the coming step.
    share: usize,
}

impl Waiting {
    /// Gives it a table, still empty.
    pub(super) fn run(self) -> Running {
        Running {
            sequence: self.0,
            table: BlockTable::new(),
            share: 0,
        }
    }
}

impl Running {
    /// Tokens that the model has not computed yet: one in decode, more in prefill.
    pub(super) fn pending(&self) -> usize {
        self.sequence.tokens.len().saturating_sub(self.table.tokens())
    }

    pub(super) fn share(&self) -> usize {
        self.share
    }

    pub(super) fn table(&self) -> &BlockTable {
        &self.table
    }

    /// Whether it takes no part in steps for now.
    pub(super) fn is_stalled(&self) -> bool {
        !self.sequence.has_credit()
    }

    /// Takes part in the coming step with `share` tokens, if the pool has the blocks.
    pub(super) fn claim(&mut self, share: usize, pool: &mut KvPool) -> bool {
        let fits = self
            .table
            .reserve(pool, self.table.tokens().saturating_add(share));
        self.share = if fits { share } else { 0 };
        fits
    }

    /// The tokens of its share, each with its position and whether it is the sequence's last.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, usize, bool)> {
        let (from, last) = (self.table.tokens(), self.sequence.tokens.len().saturating_sub(1));
        let tokens = self
            .sequence
            .tokens
            .iter()
            .enumerate()
            .skip(from)
            .take(self.share);
        tokens.map(move |(position, token)| (*token, position, position == last))
    }

    /// Counts the share as computed; whether the next token can now be chosen.
    pub(super) fn computed(&mut self) -> bool {
        self.table.advance(self.share);
        self.share = 0;
        self.pending() == 0
    }

    /// Gives its blocks back.
    pub(super) fn release(mut self, pool: &mut KvPool) -> Waiting {
        self.sequence.displaced = self.sequence.has_credit();
        self.sequence.lost = self.sequence.lost.saturating_add(self.table.tokens());
        self.table.release(pool);
        Waiting(self.sequence)
    }
}
