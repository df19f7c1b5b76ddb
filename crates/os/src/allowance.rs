//! A bound on the memory that one thread may take, for foreign programs that a library runs without one.
//!
//! The system's allocator with a counter in front: a thread that would go over its [`Allowance`] is stopped there, for
//! good, and whoever waits for it is told. It cannot be unwound, as an allocator may not panic, and an allocation that
//! fails would end the process; so what it holds stays taken. Threads without an allowance pay for one look at a number.
//!
//! And a word to the system's allocator about large blocks ([`give_back_large_blocks`]).
#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a thread without an allowance has left.
const UNBOUNDED: usize = usize::MAX;

thread_local! {
    /// Bytes that this thread may still take. Constant and without a destructor, so that an allocator may read it.
    static LEFT: Cell<usize> = const { Cell::new(UNBOUNDED) };
    /// Where to say that it was stopped; valid while `LEFT` is bounded.
    static STOPPED: Cell<*const AtomicBool> = const { Cell::new(ptr::null()) };
}

struct Counting;

unsafe extern "C" {
    /// Of the C library: `malloc.h`.
    safe fn mallopt(parameter: c_int, value: c_int) -> c_int;
}

/// `M_MMAP_THRESHOLD` of `malloc.h`.
const MMAP_THRESHOLD: c_int = -3;
/// Blocks of so many bytes are large: chunks of objects and what is gathered of bodies among them.
const LARGE: c_int = 512 << 10;

/// Has large blocks come from the kernel and go back there when they are freed. Left to itself, glibc puts them into its heaps
/// after the first, where small ones beside them keep the memory of each from the rest of the machine: hundreds of readers
/// that each had a chunk for a moment would leave as many holes. Says whether the allocator has heard.
pub fn give_back_large_blocks() -> bool {
    mallopt(MMAP_THRESHOLD, LARGE) == 1
}

/// Bytes that one thread may hold at once, and whether it was stopped for wanting more.
#[derive(Debug, Clone)]
pub struct Allowance {
    bytes: usize,
    stopped: Arc<AtomicBool>,
}

/// An [`Allowance`] in force on the thread that made it; dropping it lifts the bound.
#[derive(Debug)]
pub struct Bounded {
    /// Keeps what `STOPPED` points at.
    _stopped: Arc<AtomicBool>,
    /// Belongs to its thread.
    _here: PhantomData<*const ()>,
}

impl Allowance {
    /// An allowance of `bytes`.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            bytes: bytes.min(UNBOUNDED - 1),
            stopped: Arc::default(),
        }
    }

    /// Puts the allowance in force on this thread.
    #[must_use]
    pub fn begin(self) -> Bounded {
        STOPPED.set(Arc::as_ptr(&self.stopped));
        LEFT.set(self.bytes);
        Bounded {
            _stopped: self.stopped,
            _here: PhantomData,
        }
    }

    /// Whether the thread went over it. That thread never runs again.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Drop for Bounded {
    fn drop(&mut self) {
        LEFT.set(UNBOUNDED);
        STOPPED.set(ptr::null());
    }
}

fn take(bytes: usize) {
    let left = LEFT.get();
    if left != UNBOUNDED {
        match left.checked_sub(bytes) {
            Some(rest) => LEFT.set(rest),
            None => stop(),
        }
    }
}

fn give_back(bytes: usize) {
    let left = LEFT.get();
    if left != UNBOUNDED {
        LEFT.set(left.saturating_add(bytes).min(UNBOUNDED - 1));
    }
}

#[cold]
fn stop() -> ! {
    // Parking may allocate.
    LEFT.set(UNBOUNDED);
    // SAFETY: `LEFT` was bounded, so a `Bounded` of this thread lives, which keeps the flag.
    unsafe { &*STOPPED.get() }.store(true, Ordering::Release);
    loop {
        std::thread::park();
    }
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting touches no memory of it,
// and a call that does not return breaks no promise.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size.saturating_sub(layout.size()));
        give_back(layout.size().saturating_sub(size));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    /// Bytes of this process in memory.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    #[test]
    fn large_blocks_go_back_whatever_small_ones_are_beside_them() {
        assert!(give_back_large_blocks());
        let before = resident();
        let mut small = Vec::new();
        for _round in 0..3 {
            let mut large = Vec::new();
            for _ in 0..64 {
                large.push(vec![7_u8; 1 << 20]);
                small.push(Box::new([7_u8; 64]));
            }
            assert!(resident() > before + (60 << 20));
            drop(large);
        }
        assert_eq!(small.len(), 192);
        assert!(resident() < before + (16 << 20), "{} and {before}", resident());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let allowance = Allowance::new(1 << 20);
        let _bounded = allowance.clone().begin();
        for _ in 0..100 {
            drop(vec![0_u8; 1 << 19]);
        }
        assert!(!allowance.is_exhausted());
    }

    #[test]
    fn a_thread_that_wants_more_is_stopped_and_no_other() {
        let allowance = Allowance::new(1 << 20);
        let theirs = allowance.clone();
        let (done, finished) = channel();
        std::thread::spawn(move || {
            let _bounded = theirs.begin();
            let mut held = Vec::new();
            for _ in 0..64 {
                held.push(vec![0_u8; 1 << 16]);
            }
            done.send(held.len()).unwrap();
        });
        while !allowance.is_exhausted() {
            assert_eq!(
                finished.recv_timeout(Duration::from_millis(1)),
                Err(RecvTimeoutError::Timeout)
            );
        }
        assert_eq!(vec![1_u8; 1 << 22].len(), 1 << 22);
    }
}
