//! Ways in for those who test the parsers with hostile input, below the routes.
//!
//! Nothing here is another path: each function calls what a route calls. Hidden from the documentation, as it is no
//! interface to build on.

use moho_terms::ContentBytes;

use crate::json::{Writer, parse};

/// A JSON text, parsed and written down again; `None` if it is none that is taken.
#[must_use]
pub fn json_again(text: &[u8]) -> Option<ContentBytes> {
    let mut writer = Writer::new();
    writer.json(&parse(text).ok()?);
    Some(writer.finish())
}
