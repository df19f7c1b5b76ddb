//! What everybody on the machine sees of a process: its arguments. A secret among them is blotted out where it stands.
//!
//! The kernel shows the arguments as they stand in the process's own memory, so overwriting them there is enough. That
//! goes through `/proc/self/mem`, which needs no `unsafe`; it is closed once the process is hardened.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// Why the arguments are still to be seen.
#[derive(Debug, thiserror::Error)]
pub enum BlotError {
    /// The kernel's files about this process cannot be used.
    #[error("the process's arguments cannot be overwritten")]
    Memory(#[from] io::Error),
    /// The kernel does not say where the arguments stand.
    #[error("the kernel does not say where the process's arguments stand")]
    Place,
}

/// Where the first argument's address stands in `/proc/self/stat`, counted from the field after the program's name.
const START_FIELD: usize = 45;

/// Overwrites every place where `secret` stands in this process's arguments, and says how many there were. Call it before
/// [`harden_process`](crate::harden_process).
///
/// # Errors
/// [`BlotError`]; then they may be as they were.
pub fn blot_out_argument(secret: &str) -> Result<usize, BlotError> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or(BlotError::Place)?;
    let start = fields
        .split(' ')
        .nth(START_FIELD)
        .and_then(|field| field.parse::<u64>().ok());
    let start = start.filter(|start| *start != 0).ok_or(BlotError::Place)?;
    let arguments = fs::read("/proc/self/cmdline")?;
    let places = places(&arguments, secret.as_bytes());
    if places.is_empty() {
        return Ok(0);
    }
    let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
    let blots = vec![b'*'; secret.len()];
    for place in &places {
        let place = u64::try_from(*place).map_err(|_too_large| BlotError::Place)?;
        memory.write_all_at(&blots, start.saturating_add(place))?;
    }
    Ok(places.len())
}

fn places(text: &[u8], part: &[u8]) -> Vec<usize> {
    if part.is_empty() {
        return Vec::new();
    }
    let windows = text.windows(part.len()).enumerate();
    windows
        .filter(|(_, window)| *window == part)
        .map(|(place, _)| place)
        .collect()
}
