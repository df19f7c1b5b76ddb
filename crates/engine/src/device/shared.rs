//! Output that several threads write, each its own part.

use std::marker::PhantomData;

/// A slice on loan to threads that agree on who writes what.
pub(super) struct Shared<'a, T> {
    first: *mut T,
    length: usize,
    loan: PhantomData<&'a mut [T]>,
}

// SAFETY: parts go to other threads only through `part`, whose callers promise that no two overlap; a `T` may be used
// by another thread as it is `Send`.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(super) fn new(slice: &'a mut [T]) -> Self {
        Self {
            first: slice.as_mut_ptr(),
            length: slice.len(),
            loan: PhantomData,
        }
    }

    /// The `length` elements from `start`; fewer, or none, where the slice ends.
    ///
    /// # Safety
    /// While the result lives, nobody else holds a part that overlaps it.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "handing out disjoint parts is the purpose; the caller answers for it"
    )]
    pub(super) unsafe fn part(&self, start: usize, length: usize) -> &mut [T] {
        let start = start.min(self.length);
        let length = length.min(self.length - start);
        let first = self.first.wrapping_add(start);
        // SAFETY: the part lies inside the slice lent to `new`, which nobody else can use while `self` lives, and the
        // caller keeps parts apart.
        unsafe { std::slice::from_raw_parts_mut(first, length) }
    }
}
