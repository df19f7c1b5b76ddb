//! Whose turn it is: requests wait in one line for each account, so that nobody waits for more than one request of any other.

use std::collections::VecDeque;

/// Requests that wait, by account. As many as the queue holds, which the worker sees to.
pub(super) struct Turns<T> {
    /// The account whose turn is next first; none without requests.
    lines: VecDeque<(u64, VecDeque<T>)>,
}

impl<T> Turns<T> {
    pub(super) fn new() -> Self {
        Self {
            lines: VecDeque::new(),
        }
    }

    /// Puts a request at the end of its account's line, and an account that had none at the end of the accounts.
    pub(super) fn push(&mut self, isolation: u64, request: T) {
        match self.lines.iter_mut().find(|(owner, _)| *owner == isolation) {
            Some((_, line)) => line.push_back(request),
            None => self.lines.push_back((isolation, VecDeque::from([request]))),
        }
    }

    /// The first request of the account whose turn it is; its next one comes after those of all others.
    pub(super) fn next(&mut self) -> Option<T> {
        let (owner, mut line) = self.lines.pop_front()?;
        let request = line.pop_front();
        if !line.is_empty() {
            self.lines.push_back((owner, line));
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_take_turns_and_each_keeps_its_order() {
        let mut turns = Turns::new();
        for request in ["a1", "a2", "a3", "b1", "a4"] {
            turns.push(u64::from(request.as_bytes()[0]), request);
        }
        assert_eq!(turns.next(), Some("a1"));
        turns.push(u64::from(b'c'), "c1");
        let rest: Vec<_> = std::iter::from_fn(|| turns.next()).collect();
        assert_eq!(rest, ["b1", "a2", "c1", "a3", "a4"]);
        assert!(turns.lines.is_empty(), "nothing is kept of who waits no more");
    }
}
