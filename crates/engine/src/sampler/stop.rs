//! Stop texts, which may be spread over several tokens: what could be the start of one is held back until it is known.

use moho_terms::Content;
use zeroize::Zeroizing;

/// Watches one sequence's output for its stop texts.
pub(crate) struct StopTexts {
    texts: Vec<Content>,
    held: Zeroizing<String>,
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
            texts,
            held: Zeroizing::new(String::new()),
        }
    }

    /// Takes more output, and returns what can be no part of a stop text.
    pub(crate) fn push(&mut self, more: &str) -> Stopped {
        let mut output = Zeroizing::new(String::with_capacity(self.held.len().saturating_add(more.len())));
        output.push_str(&self.held);
        output.push_str(more);
        // The one that ends first, and of these the longest: where the output is cut into tokens makes no difference.
        let match_of = |stop: &Content| {
            let at = output.find(stop.expose())?;
            Some((at.saturating_add(stop.len()), at))
        };
        let found = self.texts.iter().filter_map(match_of).min().map(|(_, at)| at);
        let leaves = found.unwrap_or_else(|| output.len().saturating_sub(self.beginning_at_end_of(&output)));
        // INVARIANT: both are borders of characters, as matches of whole texts in a whole text.
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

    /// What is still held back when no more output comes.
    pub(crate) fn finish(&mut self) -> Content {
        Content::new(std::mem::take(&mut *self.held))
    }

    /// Length of the longest end of `output` with which a stop text begins.
    fn beginning_at_end_of(&self, output: &str) -> usize {
        let longest = |stop: &Content| {
            let starts = stop.expose().char_indices().map(|(at, _)| at).skip(1);
            let heads = starts.filter_map(|at| stop.expose().get(..at));
            heads.filter(|head| output.ends_with(head)).map(str::len).max()
        };
        self.texts.iter().filter_map(longest).max().unwrap_or(0)
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
