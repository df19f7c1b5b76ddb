//! Version 9: the tree that says of every row that it is the one that was written.

/// `authentic_key` is the key of it all, wrapped by the root key; `authentic_root` how often something was changed, what the
/// tree came to then, and a MAC over both; `authentic_node` the tree, which `crate::authentic` makes once this is there.
pub(super) const STATEMENTS: &str = "
CREATE TABLE authentic_key (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    wrapped  BLOB NOT NULL
) STRICT;

CREATE TABLE authentic_root (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    epoch    INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    mac      BLOB NOT NULL
) STRICT;

CREATE TABLE authentic_node (
    node INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
";
