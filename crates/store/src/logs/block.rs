//! Events of one stream that are sealed together, as they rest.
//!
//! ```text
//! block    version 1 (1) | id (16) | events (4) | bytes of what is compressed (4) | LZ4 block
//! within   events times: time, number, ingestion, length of the text; then all texts
//! ```
//! The id is drawn at random and stands in the block's row, too, so that no block opens in another's place. Times and ingestions
//! are differences from the event before, numbers from the block's first, ingestions from the block's; they are written in
//! groups of seven bits, the lowest first, differences with the sign in the lowest bit. Fixed numbers are big-endian. Events are
//! in the order of their times and, of one time, numbers.

use moho_terms::ContentBytes;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
/// Bytes before what is compressed.
const FRONT: usize = 25;
/// Bytes that the events of one block have at most, texts and all: several batches of AWS's largest.
const MOST_BYTES: usize = 8 << 20;
/// Events of one block at most: each counts 26 bytes and more of those that are put together.
const MOST_EVENTS: usize = 1 << 18;
/// Bytes of an event beside its text at most.
const BESIDE: usize = 40;

/// What an event counts beside its text, as at AWS.
pub const EVENT_OVERHEAD: u64 = 26;

/// Tells a block from all others.
pub(crate) type BlockId = [u8; 16];

/// An event to be kept: its time in milliseconds since 1970, and its text.
#[derive(Clone, Copy)]
pub struct NewLogEvent<'a> {
    /// When it happened.
    pub timestamp: i64,
    /// What it says.
    pub message: &'a str,
}

/// Where an event is in a block.
#[derive(Clone, Copy)]
struct Placed {
    timestamp: i64,
    offset: u64,
    ingestion: i64,
    start: usize,
    end: usize,
}

/// An event of a block that was opened.
#[derive(Clone, Copy)]
pub struct LogEvent<'a> {
    /// When it happened: milliseconds since 1970.
    pub timestamp: i64,
    /// Its number in its stream.
    pub sequence: u64,
    /// When it came: milliseconds since 1970.
    pub ingested: i64,
    /// What it says.
    pub message: &'a str,
}

/// A block that was opened: events in the order of their times and numbers.
pub struct LogBlock {
    text: Zeroizing<Vec<u8>>,
    events: Vec<Placed>,
    /// The number of its first event, and when that came.
    base: (u64, i64),
    /// Numbers that are meant.
    only: (u64, u64),
}

impl LogBlock {
    /// Its events.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = LogEvent<'_>> {
        let (sequence, ingested) = self.base;
        let all = self.events.iter().filter_map(move |placed| {
            let message = self.text.get(placed.start..placed.end)?;
            Some(LogEvent {
                timestamp: placed.timestamp,
                sequence: sequence.saturating_add(placed.offset),
                ingested: ingested.saturating_add(placed.ingestion),
                message: std::str::from_utf8(message).unwrap_or_default(),
            })
        });
        all.filter(|event| (self.only.0..self.only.1).contains(&event.sequence))
    }

    /// The texts of all events, one after the other.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// The same with this row's numbers and times, of which only those from one number to another are meant.
    pub(super) fn placed(mut self, base: (u64, i64), only: (u64, u64)) -> Self {
        self.base = base;
        self.only = only;
        self
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}

/// What is known of a block that was made.
pub(crate) struct Made {
    pub(crate) plain: ContentBytes,
    pub(super) first_time: i64,
    pub(super) last_time: i64,
    pub(super) size: u64,
    pub(super) events: u64,
}

/// A block of events of one batch, in whatever order: they are numbered as they come. `None` if they are too many.
pub(crate) fn of_batch(id: &BlockId, events: &[NewLogEvent<'_>]) -> Option<Made> {
    let mut rows: Vec<Row<'_>> = (0..)
        .zip(events)
        .map(|(offset, event)| Row {
            timestamp: event.timestamp,
            offset,
            ingestion: 0,
            message: event.message,
        })
        .collect();
    written(id, &mut rows)
}

/// One block of several, each with the number of its first event and when that came, the first of them first.
pub(super) fn joined(id: &BlockId, parts: &[(LogBlock, (u64, i64))]) -> Option<Made> {
    let (_, (first, ingested)) = parts.first()?;
    let mut rows = Vec::new();
    for (block, (sequence, came)) in parts {
        let (number, later) = (sequence.checked_sub(*first)?, came.checked_sub(*ingested)?);
        for placed in &block.events {
            rows.push(Row {
                timestamp: placed.timestamp,
                offset: number.checked_add(placed.offset)?,
                ingestion: later.checked_add(placed.ingestion)?,
                message: std::str::from_utf8(block.text.get(placed.start..placed.end)?).ok()?,
            });
        }
    }
    written(id, &mut rows)
}

struct Row<'a> {
    timestamp: i64,
    offset: u64,
    ingestion: i64,
    message: &'a str,
}

fn written(id: &BlockId, rows: &mut [Row<'_>]) -> Option<Made> {
    rows.sort_unstable_by_key(|row| (row.timestamp, row.offset));
    let texts = rows
        .iter()
        .try_fold(0_usize, |sum, row| sum.checked_add(row.message.len()))?;
    let room = rows.len().checked_mul(BESIDE)?.checked_add(texts)?;
    if room > MOST_BYTES || rows.len() > MOST_EVENTS {
        return None;
    }
    // Whole from the start, so that no part of it is left behind anywhere when it grows.
    let mut raw = Zeroizing::new(Vec::with_capacity(room));
    let (mut before, mut came) = (0_i64, 0_i64);
    for row in rows.iter() {
        put_signed(&mut raw, row.timestamp.wrapping_sub(before));
        put(&mut raw, row.offset);
        put_signed(&mut raw, row.ingestion.wrapping_sub(came));
        put(&mut raw, u64::try_from(row.message.len()).ok()?);
        (before, came) = (row.timestamp, row.ingestion);
    }
    for row in rows.iter() {
        raw.extend_from_slice(row.message.as_bytes());
    }
    let mut plain = vec![0; lz4_flex::block::get_maximum_output_size(raw.len()).checked_add(FRONT)?];
    let (front, body) = plain.split_at_mut_checked(FRONT)?;
    let packed = lz4_flex::block::compress_into(&raw, body).ok()?;
    let head = [VERSION]
        .into_iter()
        .chain(*id)
        .chain(u32::try_from(rows.len()).ok()?.to_be_bytes())
        .chain(u32::try_from(raw.len()).ok()?.to_be_bytes());
    front.iter_mut().zip(head).for_each(|(to, byte)| *to = byte);
    plain.truncate(FRONT.checked_add(packed)?);
    let count = u64::try_from(rows.len()).ok()?;
    let size = u64::try_from(texts).ok()?;
    Some(Made {
        plain: ContentBytes::new(plain),
        first_time: rows.first()?.timestamp,
        last_time: rows.last()?.timestamp,
        size: size.checked_add(count.checked_mul(EVENT_OVERHEAD)?)?,
        events: count,
    })
}

/// Reads a block that has this id. `None` if the bytes are none such, whatever they are.
pub(crate) fn read(id: &BlockId, plain: &[u8]) -> Option<LogBlock> {
    let (front, packed) = plain.split_at_checked(FRONT)?;
    let (version, front) = front.split_first()?;
    let (found, front) = front.split_first_chunk::<16>()?;
    let (count, front) = front.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*front.first_chunk::<4>()?)).ok()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    if *version != VERSION || found != id || length > MOST_BYTES || count > length.min(MOST_EVENTS) {
        return None;
    }
    let mut raw = Zeroizing::new(vec![0; length]);
    if lz4_flex::block::decompress_into(packed, &mut raw).ok()? != length {
        return None;
    }
    let mut rest = raw.as_slice();
    let mut events = Vec::with_capacity(count);
    let (mut before, mut came, mut at) = (0_i64, 0_i64, 0_usize);
    for _ in 0..count {
        before = before.wrapping_add(take_signed(&mut rest)?);
        let offset = take(&mut rest)?;
        came = came.wrapping_add(take_signed(&mut rest)?);
        let end = at.checked_add(usize::try_from(take(&mut rest)?).ok()?)?;
        events.push(Placed {
            timestamp: before,
            offset,
            ingestion: came,
            start: at,
            end,
        });
        at = end;
    }
    let text = std::str::from_utf8(rest).ok()?;
    let within = |placed: &Placed| text.get(placed.start..placed.end).is_some();
    if at != text.len() || !events.iter().all(within) {
        return None;
    }
    let beside = length.checked_sub(text.len())?;
    raw.drain(..beside);
    Some(LogBlock {
        text: raw,
        events,
        base: (0, 0),
        only: (0, u64::MAX),
    })
}

fn put(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push(number.to_le_bytes().first().copied().unwrap_or(0) | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes().first().copied().unwrap_or(0));
}

fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_signed(to: &mut Vec<u8>, number: i64) {
    put(to, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let number = take(from)?;
    Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: BlockId = [7; 16];

    fn events(block: &LogBlock) -> Vec<(i64, u64, i64, String)> {
        let told = |event: LogEvent<'_>| {
            (
                event.timestamp,
                event.sequence,
                event.ingested,
                event.message.to_owned(),
            )
        };
        block.events().map(told).collect()
    }

    fn block(texts: &[(i64, String)]) -> Made {
        let events: Vec<NewLogEvent<'_>> = texts
            .iter()
            .map(|(timestamp, message)| NewLogEvent {
                timestamp: *timestamp,
                message,
            })
            .collect();
        of_batch(&ID, &events).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec((any::<i64>(), "\\PC{0,20}"), 1..30)) {
            let made = block(&texts);
            let read = read(&ID, made.plain.expose()).unwrap().placed((100, 5), (0, u64::MAX));
            let mut expected: Vec<_> = (100..).zip(&texts).map(|(n, (t, m))| (*t, n, 5, m.clone())).collect();
            expected.sort_by_key(|(time, number, ..)| (*time, *number));
            prop_assert_eq!(events(&read), expected);
            prop_assert!(super::read(&[8; 16], made.plain.expose()).is_none());
        }

        #[test]
        fn parts_are_joined_in_the_order_of_times(
            one in prop::collection::vec((-1000_i64..1000, "[a-z]{0,9}"), 1..20),
            two in prop::collection::vec((-1000_i64..1000, "[a-z]{0,9}"), 1..20),
        ) {
            let part = |texts: &[(i64, String)]| read(&ID, block(texts).plain.expose()).unwrap();
            let second = 40 + u64::try_from(one.len()).unwrap();
            let made = joined(&ID, &[(part(&one), (40, 9)), (part(&two), (second, 11))]).unwrap();
            let all = read(&ID, made.plain.expose()).unwrap().placed((40, 9), (0, u64::MAX));
            let numbered = (40..).zip(&one).map(|(n, (t, m))| (*t, n, 9, m.clone()));
            let mut expected: Vec<_> = numbered.chain((second..).zip(&two).map(|(n, (t, m))| (*t, n, 11, m.clone()))).collect();
            expected.sort_by_key(|(time, number, ..)| (*time, *number));
            prop_assert_eq!(events(&all), expected);
        }

        #[test]
        fn altered_bytes_are_read_or_refused(at in 0_usize..200, other: u8, texts in prop::collection::vec((any::<i64>(), "[a-c]{0,20}"), 1..10)) {
            let mut bytes = block(&texts).plain.expose().to_vec();
            let at = at % bytes.len();
            bytes[at] = other;
            if let Some(block) = read(&ID, &bytes) {
                prop_assert!(events(&block).len() <= bytes.len() * 300);
            }
        }
    }

    #[test]
    fn only_the_numbers_that_are_meant_are_told() {
        let texts: Vec<_> = (0..10).map(|n| (n, format!("event {n}"))).collect();
        let read = read(&ID, block(&texts).plain.expose()).unwrap();
        let read = read.placed((100, 0), (103, 105));
        let numbers: Vec<u64> = read.events().map(|event| event.sequence).collect();
        assert_eq!(numbers, [103, 104]);
    }

    #[test]
    fn a_block_says_no_more_than_it_can_hold() {
        let front = |count: u32, length: u32| {
            let mut bytes = vec![VERSION];
            bytes.extend_from_slice(&ID);
            bytes.extend_from_slice(&count.to_be_bytes());
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes
        };
        for (count, length) in [(u32::MAX, u32::MAX), (1, u32::MAX), (u32::MAX, 1), (1, 1)] {
            assert!(read(&ID, &front(count, length)).is_none());
        }
    }
}
