//! Log events: what a pattern matches has what it requires, and blocks hold what was put into them.
//!
//! The first line is a pattern, the others are events; all of it is a block, too.

use moho_store::hostile_input::{log_block, log_summary, written_log_block};
use moho_watch::batch;
use moho_watch::pattern::{FilterPattern, Selector};

/// The block's id.
const ID: [u8; 16] = *b"the block's id 1";
/// Events of one input.
const MOST: usize = 32;

/// The bytes as a pattern and events, and as a block.
pub fn log_events(data: &[u8]) {
    if let Some(events) = log_block(&ID, data) {
        let written = written_log_block(&ID, &events);
        let again = written.and_then(|written| log_block(&ID, &written));
        assert_eq!(again, Some(events), "what was read is written as it was");
    }
    let _may_be_there = log_summary(&ID, data, "text");
    let text = super::text(data);
    let mut lines = text.lines();
    let pattern = lines.next().unwrap_or_default();
    let events: Vec<(i64, String)> = (0..).zip(lines.take(MOST).map(str::to_owned)).collect();
    matched(pattern, &events);
    rests(&events, data);
    let sizes: Vec<(i64, usize)> = events.iter().map(|(time, text)| (*time, text.len())).collect();
    if let Ok(taken) = batch::taken(&sizes, (0, None)) {
        assert!(taken.start <= taken.end && taken.end <= sizes.len());
    }
}

/// Whether bytes begin with a pattern that is one.
#[must_use]
pub fn is_pattern(data: &[u8]) -> bool {
    let text = super::text(data);
    FilterPattern::parse(text.lines().next().unwrap_or_default()).is_ok()
}

fn matched(pattern: &str, events: &[(i64, String)]) {
    let Ok(read) = FilterPattern::parse(pattern) else {
        return;
    };
    let required = read.required_literals();
    for selector in read.selectors() {
        if let Ok(selector) = Selector::parse(&selector) {
            assert!(read.has(&selector), "a pattern has what it selects");
        }
    }
    for (_, event) in events {
        if let Some(found) = read.matches(event) {
            assert!(required.are_in(event), "what matches has what is required");
            let _values = found.values();
        }
    }
}

/// A block holds its events, and an altered one never panics.
fn rests(events: &[(i64, String)], data: &[u8]) {
    if events.is_empty() {
        return;
    }
    let Some(mut written) = written_log_block(&ID, events) else {
        return;
    };
    assert_eq!(
        log_block(&ID, &written).as_deref(),
        Some(events),
        "what is put is there"
    );
    assert_eq!(log_block(&[0; 16], &written), None, "it is no other block");
    let at = data.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    });
    if let Some(byte) = at.checked_rem(written.len()).and_then(|at| written.get_mut(at)) {
        *byte ^= 1;
        let _read_or_not = log_block(&ID, &written);
    }
}
