//! What conditions can ask about that costs something to find out, and that few policies ask about.

use std::fmt;
use std::sync::OnceLock;

use super::decision::PolicyUnavailable;

/// Names with values.
type Found = Vec<(String, String)>;

/// Keys that begin alike, found out once, if at all.
pub(super) struct Later {
    prefix: &'static str,
    find: Box<dyn Fn() -> Result<Found, PolicyUnavailable> + Send + Sync>,
    found: OnceLock<Found>,
}

impl Later {
    pub(super) fn new(
        prefix: &'static str,
        find: impl Fn() -> Result<Found, PolicyUnavailable> + Send + Sync + 'static,
    ) -> Self {
        Self {
            prefix,
            find: Box::new(find),
            found: OnceLock::new(),
        }
    }

    /// What the keys begin with.
    pub(super) fn prefix(&self) -> &'static str {
        self.prefix
    }

    /// What follows that, with the values. What could not be found out is tried again by whoever asks next.
    pub(super) fn found(&self) -> Result<&[(String, String)], PolicyUnavailable> {
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        let found = (self.find)()?;
        Ok(self.found.get_or_init(|| found))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Later {}

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Later").field(&self.prefix).finish()
    }
}
