//! Version 13: whether anybody ever said if a version of an object is held, and an index for lists of objects.

/// What is held was said to be; of holds that were lifted before, nothing is known any more. Lists seek past objects whose current
/// version is a delete marker, however many there are.
pub(super) const STATEMENTS: &str = "
ALTER TABLE object_version ADD COLUMN hold_said INTEGER NOT NULL DEFAULT 0 CHECK (hold_said IN (0, 1));
UPDATE object_version SET hold_said = 1 WHERE legal_hold = 1;
ALTER TABLE object_upload ADD COLUMN hold_said INTEGER NOT NULL DEFAULT 0 CHECK (hold_said IN (0, 1));
UPDATE object_upload SET hold_said = 1 WHERE legal_hold = 1;

CREATE INDEX object_listed ON object_head (bucket_id, key) WHERE NOT is_marker;
";
