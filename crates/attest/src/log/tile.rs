//! Tiles: the form in which a log hands out its hashes and entries (C2SP tlog-tiles).
//!
//! A tile is 256 successive hashes of one level of eight; what is between those levels is computed from it. The last one of
//! each level is partial, and named with its width.

use std::fmt;
use std::str::FromStr;

use super::hash::TreeHash;
use super::tree::Subtree;

/// Levels of the tree that a tile stands for.
const HEIGHT: u8 = 8;
/// Hashes, or entries, of a whole tile.
const WIDTH: u64 = 256;
/// Most levels of tiles: a tree has at most 2^64 − 1 entries.
const LEVELS: u8 = 8;

/// This is no tile's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no path of a tile, such as `tile/0/x001/234` or `tile/entries/x001/234.p/17`")]
pub struct TileError;

/// What of the log a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Held {
    /// Hashes of parts of `256^level` entries.
    Hashes {
        /// 0 for the hashes of entries; at most 7.
        level: u8,
    },
    /// Entries.
    Entries,
}

/// A tile by its path, such as `tile/0/x001/234` or `tile/entries/000.p/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    held: Held,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile of that many hashes or entries, of which the first is `index · 256` on its level; `None` if there can be none: they
    /// are 1 to 256, and no tile begins behind the largest tree.
    #[must_use]
    pub fn new(held: Held, index: u64, width: u16) -> Option<Self> {
        let level = match held {
            Held::Hashes { level } => level,
            Held::Entries => 0,
        };
        let most = u64::MAX.checked_shr(u32::from(HEIGHT).checked_mul(u32::from(level).checked_add(1)?)?);
        let fits = level < LEVELS && index <= most.unwrap_or(0) && (1..=256).contains(&width);
        fits.then_some(Self { held, index, width })
    }

    /// What it holds.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held
    }

    /// Which of its kind and level it is.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has: 256 if it is whole.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The first hash of its level, or entry, that it has.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.index.saturating_mul(WIDTH)
    }

    /// Whether a log of so many entries has it. A partial one it has, too, once there are more.
    #[must_use]
    pub fn is_in(&self, size: u64) -> bool {
        let level = match self.held {
            Held::Hashes { level } => level,
            Held::Entries => 0,
        };
        let on_level = size
            .checked_shr(u32::from(level.saturating_mul(HEIGHT)))
            .unwrap_or(0);
        self.first().saturating_add(u64::from(self.width)) <= on_level
    }

    /// All tiles of a log of so many entries, those of hashes by level and then those of entries.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0..LEVELS).map(|level| Held::Hashes { level });
        levels.chain([Held::Entries]).flat_map(move |held| {
            let level = match held {
                Held::Hashes { level } => level,
                Held::Entries => 0,
            };
            let on_level = size
                .checked_shr(u32::from(level.saturating_mul(HEIGHT)))
                .unwrap_or(0);
            (0..on_level.div_ceil(WIDTH)).filter_map(move |index| {
                let left = on_level.saturating_sub(index.saturating_mul(WIDTH));
                Self::new(held, index, u16::try_from(left.min(WIDTH)).ok()?)
            })
        })
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.held {
            Held::Hashes { level } => write!(formatter, "tile/{level}/")?,
            Held::Entries => formatter.write_str("tile/entries/")?,
        }
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{digits:0>width$}", width = groups.saturating_mul(3));
        for (number, group) in padded.as_bytes().chunks(3).enumerate() {
            let is_last = number.saturating_add(1) == groups;
            let group = std::str::from_utf8(group).unwrap_or_default();
            let (before, after) = if is_last { ("", "") } else { ("x", "/") };
            write!(formatter, "{before}{group}{after}")?;
        }
        if u64::from(self.width) < WIDTH {
            write!(formatter, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let parsed = || {
            let (held, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let held = match held {
                "entries" => Held::Entries,
                level => Held::Hashes {
                    level: level.parse().ok()?,
                },
            };
            let (index, width) = match rest.split_once(".p/") {
                Some((index, width)) => (index, width.parse().ok()?),
                None => (rest, 256),
            };
            let digits: String = index
                .split('/')
                .map(|group| group.trim_start_matches('x'))
                .collect();
            Self::new(held, digits.parse().ok()?, width)
        };
        // Whatever else is spelt in another way than it would be printed: leading zeros, signs, a missing `x`.
        parsed().filter(|tile| tile.to_string() == path).ok_or(TileError)
    }
}

/// Where, on the levels of which tiles are made, the hashes are that a part of the tree is computed from: their level, the first
/// one and how many, which are of one tile.
#[must_use]
pub fn hashes_of(part: Subtree) -> (u8, u64, u16) {
    let within = part.level % HEIGHT;
    let first = part.index.checked_shl(u32::from(within)).unwrap_or(u64::MAX);
    (
        part.level / HEIGHT,
        first,
        1_u16.checked_shl(u32::from(within)).unwrap_or(0),
    )
}

/// The hash of the part of the tree that these hashes, a power of two of them, are the lowest level of; `None` for another number.
#[must_use]
pub fn fold(hashes: &[TreeHash]) -> Option<TreeHash> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Some(TreeHash::of_both(left, right)),
                _ => None,
            })
            .collect::<Option<_>>()?;
    }
    level.pop()
}
