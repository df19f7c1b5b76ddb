//! Entries as a log hands them out (C2SP tlog-tiles, "Log entries"): each behind its length in two bytes, big-endian.

/// Longest entry that can be handed out.
pub const LONGEST: usize = u16::MAX as usize;

/// Writes one entry behind those before it; `false`, and nothing written, if it is too long.
#[must_use]
pub fn write(entry: &[u8], bundle: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else {
        return false;
    };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle; `None` if it ends in the middle of one.
#[must_use]
pub fn entries(bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk()?;
        let (entry, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        found.push(entry);
        rest = behind;
    }
    Some(found)
}
