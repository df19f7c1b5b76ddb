//! Finding objects, and the segments that a range of their bytes is in.

use std::ops::Range;

use moho_iam::authz::Permit;
use moho_terms::VersionId;

use super::deciding::Decided;
use super::error::Found;
use super::layout::Place;
use super::rows::{ObjectRows, PartRow, SegmentRow};
use super::tags::check_names;
use super::within::{Within, incomplete};
use super::{
    ListedPart, ObjectContent, ObjectError, ObjectVersion, Objects, PartLayout, PartPlace, Piece, Pieces,
    ReadsObject, SealedMetadata, Segment, existing, object_of,
};

/// Parts that are read at once.
const PAGE: usize = 1000;

impl Objects<'_> {
    /// Finds the object that the permit names: its current version, or the one of an id.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchKey`], [`ObjectError::NoSuchVersion`], or that it is a delete marker;
    /// [`ObjectError::DecidedByOtherTags`].
    pub fn find<A: ReadsObject>(
        &self,
        permit: &Permit<A>,
        version: Option<&VersionId>,
    ) -> Result<ObjectVersion, ObjectError> {
        let (bucket, key) = object_of(permit)?;
        check_names(A::NAMES, version)?;
        self.look(|rows| {
            let bucket = existing(rows, &bucket)?;
            let within = Within {
                rows,
                bucket: &bucket,
                key: &key,
            };
            let (head, row) = within.meant(version)?;
            Decided::by(permit).check(Some(&row))?;
            within.told(&head, row)
        })
    }

    /// The segments that a range of an object's bytes is in, in their order. A version that was deleted meanwhile has none
    /// any more. With a layout only those are looked at; without one, all that are before them, too.
    ///
    /// # Errors
    /// [`ObjectError::InvalidRange`] if it does not have those bytes; [`ObjectError::NoSuchKey`] if it is gone.
    pub fn pieces(
        &self,
        version: &ObjectVersion,
        layout: Option<&PartLayout>,
        range: Range<u64>,
    ) -> Result<Pieces, ObjectError> {
        let content = content(version)?;
        if range.end > content.size || range.start > range.end {
            return Err(ObjectError::InvalidRange { size: content.size });
        }
        let pieces = match agreeing(content, layout)? {
            Some(layout) => self.look(|rows| placed(rows, (content, layout), &range)),
            None => self.look(|rows| counted(rows, content, &range)),
        };
        Ok(Pieces::new(pieces?, &self.store.held))
    }

    /// Where a part of an object is; of one that was put at once, all of it is part 1. A layout serves as of
    /// [`pieces`](Self::pieces).
    ///
    /// # Errors
    /// [`ObjectError::InvalidPartNumber`] if it has no such part.
    pub fn part(
        &self,
        version: &ObjectVersion,
        layout: Option<&PartLayout>,
        number: u16,
    ) -> Result<PartPlace, ObjectError> {
        let content = content(version)?;
        let absent = || ObjectError::InvalidPartNumber {
            parts: content.part_count(),
        };
        if content.parts.is_none() {
            return if number == 1 {
                Ok(PartPlace {
                    range: 0..content.size,
                    parts: None,
                    metadata: content.metadata.clone(),
                })
            } else {
                Err(absent())
            };
        }
        let place = match agreeing(content, layout)? {
            Some(layout) => {
                let range = layout.of_part(number).ok_or_else(absent)?;
                self.look(|rows| {
                    let row = placed_row(
                        rows,
                        content,
                        &Place {
                            part: number,
                            range: range.clone(),
                        },
                    )?;
                    Ok(Some((range.clone(), row.metadata)))
                })
            }
            None => self.look(|rows| counted_part(rows, content, number)),
        };
        let (range, metadata) = place?.ok_or_else(absent)?;
        Ok(PartPlace {
            range,
            parts: content.parts,
            metadata: SealedMetadata(metadata.unwrap_or_default()),
        })
    }

    /// The parts of an object that was put in parts, after one of them, and whether there are more.
    ///
    /// # Errors
    /// [`ObjectError::Store`].
    pub fn parts(
        &self,
        version: &ObjectVersion,
        after: u16,
        limit: usize,
    ) -> Result<(Vec<ListedPart>, bool), ObjectError> {
        let content = content(version)?;
        if content.parts.is_none() {
            return Ok((Vec::new(), false));
        }
        self.look(|rows| {
            let found = rows.parts(&content.body, after, limit.saturating_add(1))?;
            Ok(listed_parts(found, limit))
        })
    }
}

fn content(version: &ObjectVersion) -> Result<&ObjectContent, ObjectError> {
    version
        .content
        .as_ref()
        .ok_or_else(|| ObjectError::VersionIsDeleteMarker {
            version_id: version.version_id.clone(),
            modified_at: version.modified_at,
        })
}

/// The parts of an object, one after another.
fn each_part(
    rows: &dyn ObjectRows,
    content: &ObjectContent,
    mut visit: impl FnMut(PartRow) -> Found<()>,
) -> Found<()> {
    let mut after = 0;
    loop {
        let page = rows.parts(&content.body, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.part;
        page.into_iter().try_for_each(&mut visit)?;
    }
}

/// The layout of what was put in parts, if it has one, which has to be of as much as there is.
fn agreeing<'a>(
    content: &ObjectContent,
    layout: Option<&'a PartLayout>,
) -> Result<Option<&'a PartLayout>, ObjectError> {
    let layout = layout.filter(|_| content.parts.is_some());
    match layout {
        Some(layout) if !layout.is_of(content.part_count(), content.size) => {
            Err(incomplete("the layout of an object is of another one"))
        }
        agreeing => Ok(agreeing),
    }
}

/// The pieces of a range, by the layout.
fn placed(
    rows: &dyn ObjectRows,
    (content, layout): (&ObjectContent, &PartLayout),
    range: &Range<u64>,
) -> Found<Vec<Piece>> {
    let places = layout.within(range);
    let pieces = places.iter().map(|place| {
        let segment = placed_row(rows, content, place)?.segment;
        Ok(piece(segment, place.range.start, range))
    });
    pieces.collect()
}

/// The row of a part, which has to be as long as the layout says.
fn placed_row(rows: &dyn ObjectRows, content: &ObjectContent, place: &Place) -> Found<SegmentRow> {
    let Some(row) = rows.segment(&content.body, place.part)? else {
        let gone = rows.parts(&content.body, 0, 1)?.is_empty();
        return Err(if gone {
            ObjectError::NoSuchKey.into()
        } else {
            incomplete("a segment is missing").into()
        });
    };
    if row.segment.plain_length != place.range.end.saturating_sub(place.range.start) {
        return Err(incomplete("a part is not as long as it was").into());
    }
    Ok(row)
}

/// What of a segment that begins at `start` is within a range.
fn piece(segment: Segment, start: u64, range: &Range<u64>) -> Piece {
    let end = start.saturating_add(segment.plain_length);
    let (first, last) = (range.start.max(start), range.end.min(end));
    Piece {
        segment,
        range: first.saturating_sub(start)..last.saturating_sub(start),
    }
}

/// The pieces of a range, by the lengths of all parts.
fn counted(rows: &dyn ObjectRows, content: &ObjectContent, range: &Range<u64>) -> Found<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut start = 0_u64;
    let mut there = 0_u32;
    each_part(rows, content, |part| {
        there = there.saturating_add(1);
        if start >= range.end {
            start = start.saturating_add(part.plain_length);
            return Ok(());
        }
        // Also of those before the range: where it is follows from their lengths.
        let segment = checked(rows, content, part.part)?;
        let end = start.saturating_add(segment.plain_length);
        if range.start.max(start) < range.end.min(end) {
            pieces.push(piece(segment, start, range));
        }
        start = end;
        Ok(())
    })?;
    if there == 0 {
        return Err(ObjectError::NoSuchKey.into());
    }
    if start != content.size || there != content.part_count() {
        return Err(incomplete("the segments of an object are not all there").into());
    }
    Ok(pieces)
}

/// Where a part is, and its checksums.
type Counted = (Range<u64>, Option<Vec<u8>>);

/// Where a part is, by the lengths of those before it, and its checksums.
fn counted_part(rows: &dyn ObjectRows, content: &ObjectContent, number: u16) -> Found<Option<Counted>> {
    let mut start = 0_u64;
    let mut place = None;
    each_part(rows, content, |part| {
        if part.part > number {
            return Ok(());
        }
        let segment = checked(rows, content, part.part)?;
        let end = start.saturating_add(segment.plain_length);
        if part.part == number {
            place = Some((start..end, part.metadata));
        }
        start = end;
        Ok(())
    })?;
    Ok(place)
}

/// A segment of an object, which is the one that was written.
fn checked(rows: &dyn ObjectRows, content: &ObjectContent, part: u16) -> Found<Segment> {
    let row = rows.segment(&content.body, part)?;
    Ok(row
        .map(|row| row.segment)
        .ok_or_else(|| incomplete("a segment is missing"))?)
}

pub(super) fn listed_parts(mut found: Vec<PartRow>, limit: usize) -> (Vec<ListedPart>, bool) {
    let more = found.len() > limit;
    found.truncate(limit);
    let parts = found.into_iter().map(|part| ListedPart {
        number: part.part,
        etag: part.etag,
        size: part.plain_length,
        modified_at: part.modified_at,
        metadata: SealedMetadata(part.metadata.unwrap_or_default()),
    });
    (parts.collect(), more)
}
