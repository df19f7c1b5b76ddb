//! Stop texts, which may be spread over several tokens: what could be the start of one is held back until it is known.
//!
//! Each stop text is followed byte by byte (Knuth, Morris and Pratt), so that a token costs the same however much of a stop
//! text its predecessors were: a request could otherwise slow down everybody with long stop texts that nearly match.

use moho_terms::Content;
use zeroize::Zeroizing;

/// Watches one sequence's output for its stop texts.
pub(crate) struct StopTexts {
    texts: Vec<StopText>,
    /// INVARIANT: at least as long as what matches of any stop text, and whole characters.
    held: Zeroizing<String>,
}

/// One stop text, and how much of it the output so far ends with.
struct StopText {
    text: Content,
    /// By the number of bytes that match, less one: how many still do if the next one does not.
    shorter: Zeroizing<Vec<u16>>,
    matched: usize,
}

/// Text that may leave, and whether a stop text followed it.
pub(crate) struct Stopped {
    pub(crate) text: Content,
    pub(crate) hit: bool,
}

impl StopTexts {
    /// Watches for `texts`, none of which is empty.
    pub(crate) fn new(texts: Vec<Content>) -> Self {
        Self {
            texts: texts.into_iter().map(StopText::new).collect(),
            held: Zeroizing::new(String::new()),
        }
    }

    /// Takes more output, and returns what can be no part of a stop text. Of several that it completes, the one that ends
    /// first counts, and of these the longest: where the output is cut into tokens makes no difference.
    pub(crate) fn push(&mut self, more: &str) -> Stopped {
        let found = self.find(more);
        let mut output = Zeroizing::new(String::with_capacity(self.held.len().saturating_add(more.len())));
        output.push_str(&self.held);
        output.push_str(more);
        let held = self.texts.iter().map(|stop| stop.matched).max().unwrap_or(0);
        let leaves = found.unwrap_or_else(|| output.len().saturating_sub(held));
        // INVARIANT: both are borders of characters, as stop texts begin with a whole one.
        let (text, rest) = output.split_at_checked(leaves).unwrap_or((&output, ""));
        self.held = Zeroizing::new(if found.is_some() {
            String::new()
        } else {
            rest.to_owned()
        });
        Stopped {
            text: Content::new(text.to_owned()),
            hit: found.is_some(),
        }
    }

    /// Follows the output; where a stop text begins that it completes, in what is held and `more` together.
    fn find(&mut self, more: &str) -> Option<usize> {
        for (end, byte) in (self.held.len().saturating_add(1)..).zip(more.bytes()) {
            let mut longest = None;
            for stop in &mut self.texts {
                if stop.follow(byte) {
                    longest = longest.max(Some(stop.text.len()));
                }
            }
            if let Some(length) = longest {
                return Some(end.saturating_sub(length));
            }
        }
        None
    }

    /// What is still held back when no more output comes.
    pub(crate) fn finish(&mut self) -> Content {
        self.texts.iter_mut().for_each(|stop| stop.matched = 0);
        Content::new(std::mem::take(&mut *self.held))
    }
}

impl StopText {
    fn new(text: Content) -> Self {
        let mut stop = Self {
            shorter: Zeroizing::new(Vec::with_capacity(text.len())),
            text,
            matched: 0,
        };
        // How a text matches itself, one byte later, says what still matches of it.
        stop.shorter.push(0);
        for at in 1..stop.text.len() {
            if let Some(byte) = stop.byte(at) {
                stop.follow(byte);
                // INVARIANT: stop texts have at most 1024 bytes.
                stop.shorter.push(u16::try_from(stop.matched).unwrap_or(0));
            }
        }
        stop.matched = 0;
        stop
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.expose().as_bytes().get(at).copied()
    }

    /// Takes the next byte of the output; whether it completes the text.
    fn follow(&mut self, byte: u8) -> bool {
        while self.matched > 0 && self.byte(self.matched) != Some(byte) {
            let last = self.matched.saturating_sub(1);
            self.matched = self.shorter.get(last).copied().map_or(0, usize::from);
        }
        if self.byte(self.matched) == Some(byte) {
            self.matched = self.matched.saturating_add(1);
        }
        self.matched == self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(stops: &[&str]) -> StopTexts {
        StopTexts::new(stops.iter().map(|s| Content::new((*s).to_owned())).collect())
    }

    #[test]
    fn nothing_of_a_stop_text_leaves() {
        let mut stops = watch(&["\n\nUser:"]);
        assert_eq!(stops.push("Hi.\n").text.expose(), "Hi.");
        assert_eq!(stops.push("\nUs").text.expose(), "");
        let last = stops.push("er: more");
        assert!(last.hit && last.text.is_empty());
        assert!(stops.finish().is_empty());
    }

    #[test]
    fn what_only_looked_like_one_leaves_later() {
        let mut stops = watch(&["abc"]);
        assert_eq!(stops.push("xab").text.expose(), "x");
        assert_eq!(stops.push("ab").text.expose(), "ab");
        assert_eq!(stops.finish().expose(), "ab");
    }

    #[test]
    fn of_several_the_first_to_be_complete_counts() {
        for parts in [["abcd", ""], ["abc", "d"], ["a", "bcd"]] {
            let mut stops = watch(&["abcd", "bc"]);
            let mut out = String::new();
            let hit = parts.iter().any(|part| {
                let stopped = stops.push(part);
                out.push_str(stopped.text.expose());
                stopped.hit
            });
            assert!(hit && out == "a", "{parts:?}");
        }
    }
}
