//! What was checked has its own type: there is no other way to come by one than by the check itself.

/// Proof that a `T` was verified. Only this crate's verifiers make one.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Asserts that `value` was verified. To find every check, look for who calls this.
    pub(crate) fn assertion(value: T) -> Self {
        Self(value)
    }

    /// What was verified.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was verified, without the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}
