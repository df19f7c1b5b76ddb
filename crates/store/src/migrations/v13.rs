//! Version 13: lists of objects seek past those whose current version is a delete marker, however many there are.

pub(super) const STATEMENTS: &str = "
CREATE INDEX object_listed ON object_head (bucket_id, key) WHERE NOT is_marker;
";
