//! Memory for keys: pages of their own, kept out of swap, core dumps and child processes, wiped before they are freed.
//!
//! The one module here with `unsafe`: it owns a private anonymous mapping from `mmap` to `munmap`.
#![expect(
    unsafe_code,
    reason = "owning a memory mapping needs the system calls mmap, mlock, madvise and munmap"
)]

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags};
use zeroize::Zeroize;

/// Memory for a secret could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// A mapping of no bytes was asked for.
    #[error("a locked buffer needs at least one byte")]
    Empty,
    /// The kernel gave no memory.
    #[error("the kernel gave no memory for a secret")]
    Unmapped(#[source] rustix::io::Errno),
    /// The kernel would have put the memory into core dumps or child processes.
    #[error("the kernel would not keep a secret out of core dumps and child processes")]
    Exposed(#[source] rustix::io::Errno),
}

/// Whether the kernel may write the memory to swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residence {
    /// Locked: it never leaves RAM.
    Locked,
    /// `RLIMIT_MEMLOCK` is used up: it may be swapped. Worth a warning at start-up.
    Swappable,
}

/// Bytes in pages of their own: locked into RAM where `RLIMIT_MEMLOCK` allows, absent from core dumps and from child
/// processes, and wiped on drop. No `Debug`, `Clone` or `Serialize`.
pub struct LockedBytes {
    start: NonNull<u8>,
    len: usize,
    mapped: usize,
    residence: Residence,
}

// SAFETY: the mapping belongs to this value alone and is reached only through `&self` and `&mut self`.
unsafe impl Send for LockedBytes {}
// SAFETY: through `&self` the bytes are only read.
unsafe impl Sync for LockedBytes {}

impl LockedBytes {
    /// `len` zero bytes in locked memory.
    ///
    /// # Errors
    /// [`MemoryError`]; a short `RLIMIT_MEMLOCK` is no error but shows in [`Self::residence`].
    pub fn zeroed(len: usize) -> Result<Self, MemoryError> {
        if len == 0 {
            return Err(MemoryError::Empty);
        }
        let page = rustix::param::page_size();
        let mapped = len
            .checked_next_multiple_of(page)
            .ok_or(MemoryError::Unmapped(rustix::io::Errno::NOMEM))?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a null hint lets the kernel choose the place, so no existing memory is touched.
        let address =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), mapped, protection, MapFlags::PRIVATE) }
                .map_err(MemoryError::Unmapped)?;
        let start =
            NonNull::new(address.cast::<u8>()).ok_or(MemoryError::Unmapped(rustix::io::Errno::NOMEM))?;
        // From here on drop gives the pages back, whatever happens.
        let mut bytes = Self {
            start,
            len,
            mapped,
            residence: Residence::Swappable,
        };
        for advice in [Advice::LinuxDontDump, Advice::LinuxWipeOnFork] {
            // SAFETY: the range is exactly the mapping made above.
            unsafe { rustix::mm::madvise(bytes.address(), mapped, advice) }.map_err(MemoryError::Exposed)?;
        }
        // SAFETY: the range is exactly the mapping made above.
        if unsafe { rustix::mm::mlock(bytes.address(), mapped) }.is_ok() {
            bytes.residence = Residence::Locked;
        }
        Ok(bytes)
    }

    /// Moves bytes into locked memory and wipes the caller's copy.
    ///
    /// # Errors
    /// [`MemoryError`]; the caller's copy is wiped then, too.
    pub fn take(source: &mut [u8]) -> Result<Self, MemoryError> {
        let locked = Self::zeroed(source.len()).map(|mut locked| {
            locked.expose_mut().copy_from_slice(source);
            locked
        });
        source.zeroize();
        locked
    }

    /// Reads the bytes. Whoever calls this answers for where they go.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        // SAFETY: `len` bytes from `start` are mapped, initialised (zero or written) and owned by `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Fills the bytes in place, so that no copy is left on a stack.
    #[must_use]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `expose`, and `&mut self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Whether the kernel may swap these bytes out.
    #[must_use]
    pub fn residence(&self) -> Residence {
        self.residence
    }

    fn address(&self) -> *mut c_void {
        self.start.as_ptr().cast()
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        self.expose_mut().zeroize();
        // SAFETY: the range is exactly the mapping this value owns, and nothing refers to it any more. Unmapping
        // unlocks, too. It cannot fail for a whole mapping; if it did, wiped pages would stay mapped.
        let _unmapped: Result<(), rustix::io::Errno> =
            unsafe { rustix::mm::munmap(self.address(), self.mapped) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_move_in_and_the_source_is_wiped() {
        let mut source = *b"a key that nobody may see, ever!";
        let mut locked = LockedBytes::take(&mut source).unwrap();
        assert_eq!(source, [0; 32]);
        assert_eq!(locked.expose(), b"a key that nobody may see, ever!");
        locked.expose_mut()[0] = b'A';
        assert_eq!(locked.expose()[0], b'A');
    }

    #[test]
    fn pages_are_locked_and_left_out_of_dumps_and_children() {
        let locked = LockedBytes::zeroed(5000).unwrap();
        assert_eq!(locked.expose().len(), 5000);
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let start = locked.start.as_ptr().addr();
        // Neighbouring mappings with equal flags are merged by the kernel: look for the range that holds this one.
        let covers = |line: &str| {
            let (from, to) = line.split_whitespace().next()?.split_once('-')?;
            Some(
                usize::from_str_radix(from, 16).ok()? <= start
                    && start < usize::from_str_radix(to, 16).ok()?,
            )
        };
        let mut lines = maps.lines().skip_while(|line| covers(line) != Some(true));
        let flags = lines.find(|line| line.starts_with("VmFlags:")).unwrap();
        assert!(flags.contains(" dd"), "not dumped: {flags}");
        assert!(flags.contains(" wf"), "wiped on fork: {flags}");
        assert_eq!(
            flags.contains(" lo"),
            locked.residence() == Residence::Locked,
            "{flags}"
        );
    }

    #[test]
    fn no_bytes_and_too_many_bytes_are_refused() {
        assert!(matches!(LockedBytes::zeroed(0), Err(MemoryError::Empty)));
        assert!(matches!(
            LockedBytes::zeroed(usize::MAX),
            Err(MemoryError::Unmapped(_))
        ));
        assert!(matches!(
            LockedBytes::zeroed(usize::MAX / 2),
            Err(MemoryError::Unmapped(_))
        ));
    }
}
