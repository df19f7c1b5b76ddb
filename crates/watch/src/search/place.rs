//! Where a search goes on, as text that tokens hold.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Order;

/// Where an event is: events are in the order of their times, and of one time of their streams and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it happened, in milliseconds since 1970.
    pub time: i64,
    /// The number of its stream.
    pub stream: u64,
    /// Its number in that.
    pub sequence: u64,
}

impl Position {
    /// Before all events of a time.
    #[must_use]
    pub fn before(time: i64) -> Self {
        Self {
            time,
            stream: 0,
            sequence: 0,
        }
    }

    /// Behind all events of a time.
    #[must_use]
    pub fn behind(time: i64) -> Self {
        Self {
            time,
            stream: u64::MAX,
            sequence: u64::MAX,
        }
    }
}

/// Where a search goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Beyond this event, in the order of times.
    Beyond(Position),
    /// With this event and those like it, in the order of times.
    From(Position),
    /// Stream by stream, beyond that event if there is one: from this number of this stream on.
    ByStream {
        /// The event.
        beyond: Option<Position>,
        /// The stream.
        stream: u64,
        /// The number.
        sequence: u64,
    },
}

impl Place {
    /// From when until when events are still to come there, of those from one time until another.
    #[must_use]
    pub fn narrowed(self, order: Order, (from, until): (i64, i64)) -> (i64, i64) {
        match (self, order) {
            (Self::Beyond(at) | Self::From(at), Order::Ascending) => (from.max(at.time), until),
            (Self::Beyond(at) | Self::From(at), Order::Descending) => (from, until.min(at.time)),
            (Self::ByStream { .. }, _) => (from, until),
        }
    }
}

/// Text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is no place of a search")]
pub struct NoPlace;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beyond(at) => write!(f, "b {} {} {}", at.time, at.stream, at.sequence),
            Self::From(at) => write!(f, "f {} {} {}", at.time, at.stream, at.sequence),
            Self::ByStream {
                beyond: None,
                stream,
                sequence,
            } => write!(f, "s {stream} {sequence}"),
            Self::ByStream {
                beyond: Some(at),
                stream,
                sequence,
            } => write!(
                f,
                "s {stream} {sequence} {} {} {}",
                at.time, at.stream, at.sequence
            ),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let mut words = text.split(' ');
        let kind = words.next();
        let mut numbers = Vec::new();
        for word in words.take(6) {
            numbers.push(word.parse::<i128>().map_err(|_other| NoPlace)?);
        }
        let number = |number: &i128| u64::try_from(*number).map_err(|_beyond| NoPlace);
        let position = |time: &i128, stream: &i128, sequence: &i128| {
            Ok(Position {
                time: i64::try_from(*time).map_err(|_beyond| NoPlace)?,
                stream: number(stream)?,
                sequence: number(sequence)?,
            })
        };
        match (kind, numbers.as_slice()) {
            (Some("b"), [time, stream, sequence]) => Ok(Self::Beyond(position(time, stream, sequence)?)),
            (Some("f"), [time, stream, sequence]) => Ok(Self::From(position(time, stream, sequence)?)),
            (Some("s"), [stream, sequence]) => Ok(Self::ByStream {
                beyond: None,
                stream: number(stream)?,
                sequence: number(sequence)?,
            }),
            (Some("s"), [stream, sequence, time, of, at]) => Ok(Self::ByStream {
                beyond: Some(position(time, of, at)?),
                stream: number(stream)?,
                sequence: number(sequence)?,
            }),
            _ => Err(NoPlace),
        }
    }
}
