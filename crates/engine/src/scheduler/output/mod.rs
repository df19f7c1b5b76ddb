//! One sequence's output on its way out: from tokens to text, held back while it may become a stop text, and with each
//! piece of text the log-probabilities of its tokens.
//!
//! Tokens, characters and stop texts end in different places. Each token's place is the end of its last character in the
//! text, also if later tokens complete that character; its log-probability leaves once the text has left up to there. What
//! a stop text cuts off, even in part, never leaves.

use std::collections::VecDeque;

use moho_terms::Content;

use crate::message::TokenLogprob;
use crate::sampler::StopTexts;
use crate::tokenizer::Detokenizer;

/// A sequence's output.
pub(super) struct Output {
    detokenizer: Detokenizer,
    stop: StopTexts,
    /// Bytes of text that came out of the detokenizer, and how many of these have left.
    made: usize,
    left: usize,
    /// Log-probabilities whose text has not left. At most as many as a stop text has bytes, and some for one character.
    held: VecDeque<Held>,
}

struct Held {
    /// Where the token's text ends; unknown while its last character is incomplete.
    end: Option<usize>,
    logprob: TokenLogprob,
}

/// What may leave.
pub(crate) struct Words {
    pub(crate) text: Content,
    pub(crate) logprobs: Vec<TokenLogprob>,
}

impl Output {
    pub(super) fn new(stop: StopTexts) -> Self {
        Self {
            detokenizer: Detokenizer::default(),
            stop,
            made: 0,
            left: 0,
            held: VecDeque::new(),
        }
    }

    /// Takes a token's bytes; what may leave now, and whether a stop text follows it, which ends the output.
    pub(super) fn push(&mut self, bytes: &[u8], logprob: Option<TokenLogprob>) -> (Words, bool) {
        let text = self.detokenizer.push(bytes);
        self.make(&text);
        // A token without text has no place in it.
        if let Some(logprob) = logprob.filter(|_| !bytes.is_empty()) {
            let end = (!self.detokenizer.is_inside_character()).then_some(self.made);
            self.held.push_back(Held { end, logprob });
        }
        let stopped = self.stop.push(&text);
        (self.leave(stopped.text), stopped.hit)
    }

    /// What was held back when nothing follows. An unfinished character cannot complete a stop text, as those are
    /// whole characters, unless they hold U+FFFD themselves; so it goes through the stop texts as well.
    pub(super) fn finish(&mut self) -> Words {
        let text = self.detokenizer.finish();
        self.make(text);
        let mut stopped = self.stop.push(text);
        if !stopped.hit {
            stopped.text.push(&self.stop.finish());
        }
        self.leave(stopped.text)
    }

    /// Counts text that was made, the first character of which completes what tokens before it began.
    fn make(&mut self, text: &str) {
        let Some(first) = text.chars().next() else { return };
        let end = self.made.saturating_add(first.len_utf8());
        let open = self.held.iter_mut().rev().take_while(|held| held.end.is_none());
        open.for_each(|held| held.end = Some(end));
        self.made = self.made.saturating_add(text.len());
    }

    fn leave(&mut self, text: Content) -> Words {
        self.left = self.left.saturating_add(text.len());
        let all_out = |held: &Held| held.end.is_none_or(|end| end > self.left);
        let out = self.held.iter().position(all_out).unwrap_or(self.held.len());
        let logprobs = self.held.drain(..out).map(|held| held.logprob).collect();
        Words { text, logprobs }
    }
}

#[cfg(test)]
mod tests;
