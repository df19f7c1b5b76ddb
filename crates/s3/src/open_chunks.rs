//! How many chunks of objects that are being read are in memory at once, whoever reads how slowly: a client that takes
//! nothing more loses its chunk to those that do, and has it opened again when it goes on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

/// Something that has a chunk open, and can do without.
pub(crate) trait Chunk {
    /// Gives back its memory.
    fn forget(&mut self);
}

/// Those that have chunks open.
pub(crate) struct OpenChunks<C> {
    /// The one that was used last stands last.
    used: Mutex<VecDeque<Weak<Mutex<C>>>>,
    most: usize,
    /// How many are being opened.
    opening: Mutex<usize>,
    most_opening: usize,
    opened: Condvar,
}

impl<C: Chunk> OpenChunks<C> {
    /// At most `most` that wait for their clients, and `most_opening` that wait for the disk.
    pub(crate) const fn new(most: usize, most_opening: usize) -> Self {
        Self {
            used: Mutex::new(VecDeque::new()),
            most,
            opening: Mutex::new(0),
            most_opening,
            opened: Condvar::new(),
        }
    }

    /// Waits until it is its turn to open a chunk. It blocks, and is over when what it gives is dropped.
    pub(crate) fn turn(&self) -> Turn<'_, C> {
        let opening = locked(&self.opening);
        let full = |opening: &mut usize| *opening >= self.most_opening;
        let waited = self.opened.wait_while(opening, full);
        let mut opening = waited.unwrap_or_else(PoisonError::into_inner);
        *opening = opening.saturating_add(1);
        Turn(self)
    }

    /// This one's chunk is in use. Others lose theirs that were not used for longest, if there are too many.
    pub(crate) fn used(&self, chunk: &Arc<Mutex<C>>) {
        let this = Arc::downgrade(chunk);
        let mut longest = Vec::new();
        let mut used = locked(&self.used);
        used.retain(|other| other.strong_count() > 0 && !other.ptr_eq(&this));
        while used.len() >= self.most {
            longest.extend(used.pop_front().and_then(|other| other.upgrade()));
        }
        used.push_back(this);
        drop(used);
        // Wiping takes a while, for which nobody else waits.
        for one in longest {
            // One that is locked is at work at this moment, and comes here after it.
            if let Ok(mut one) = one.try_lock() {
                one.forget();
            }
        }
    }
}

/// The turn of one that opens a chunk.
pub(crate) struct Turn<'a, C: Chunk>(&'a OpenChunks<C>);

impl<C: Chunk> Drop for Turn<'_, C> {
    fn drop(&mut self) {
        let mut opening = locked(&self.0.opening);
        *opening = opening.saturating_sub(1);
        self.0.opened.notify_one();
    }
}

/// What panicked while it had it has left it whole: there is no step in between.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flag(bool);

    impl Chunk for Flag {
        fn forget(&mut self) {
            self.0 = false;
        }
    }

    fn open(chunks: &OpenChunks<Flag>) -> Arc<Mutex<Flag>> {
        let flag = Arc::new(Mutex::new(Flag(true)));
        chunks.used(&flag);
        flag
    }

    fn is_open(flag: &Mutex<Flag>) -> bool {
        locked(flag).0
    }

    #[test]
    fn those_that_were_not_used_for_longest_lose_their_chunks() {
        let chunks = OpenChunks::new(3, 1);
        let all: Vec<_> = (0..3).map(|_| open(&chunks)).collect();
        chunks.used(&all[0]);
        let fourth = open(&chunks);
        assert_eq!([0, 1, 2].map(|at| is_open(&all[at])), [true, false, true]);
        drop(fourth);
        let fifth = open(&chunks);
        assert!(
            is_open(&all[0]) && is_open(&all[2]),
            "whoever has gone holds nothing"
        );
        let (at_work, other) = (locked(&all[2]), open(&chunks));
        assert!(at_work.0, "it is not waited for");
        drop(at_work);
        chunks.used(&all[2]);
        assert_eq!(
            [&all[0], &fifth, &other, &all[2]].map(|one| is_open(one)),
            [false, true, true, true]
        );
    }

    #[test]
    fn so_many_are_opened_at_once() {
        let chunks: Arc<OpenChunks<Flag>> = Arc::new(OpenChunks::new(1, 2));
        let (first, second) = (chunks.turn(), chunks.turn());
        let third = std::thread::spawn({
            let chunks = Arc::clone(&chunks);
            move || drop(chunks.turn())
        });
        assert_eq!(*locked(&chunks.opening), 2);
        drop(first);
        third.join().unwrap();
        drop(second);
        assert_eq!(*locked(&chunks.opening), 0);
    }
}
