//! Documents of requests: how long they may be and how much may be in them, and how they are read. It counts before anybody
//! has leave for anything, so what one may take is known before a byte of it is read, and before s3s makes values of it.

use bytes::Bytes;
use http::{Method, Uri};
use http_body_util::BodyExt;
use quick_xml::Reader;
use quick_xml::events::Event;
use s3s::{Body, S3Error, S3ErrorCode};

use crate::asking::blocking;
use crate::bytes_in::broken;
use crate::wiped::Gathered;
use crate::{failure, query};

/// What a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes.
    pub(crate) length: usize,
    /// Elements that its root has.
    entries: usize,
    /// Elements in all.
    elements: usize,
}

impl Bounds {
    /// A document with so many entries of at most so many elements each, and a little beside them.
    const fn of(length: usize, entries: usize, each: usize) -> Self {
        let entries = entries.saturating_add(16);
        Self {
            length,
            entries,
            elements: entries.saturating_mul(each),
        }
    }
}

/// Ten thousand parts with their checksums.
const PARTS: Bounds = Bounds::of(8 << 20, 10_000, 16);
/// A thousand keys to delete, of a kibibyte each, every character of them escaped.
const KEYS: Bounds = Bounds::of(8 << 20, 1000, 8);
/// All else: a lifecycle has a thousand rules, and nothing has more entries.
const OTHER: Bounds = Bounds::of(1 << 20, 1000, 40);
/// What is gathered at first of a document of unknown length.
const FIRST: usize = 16 << 10;
/// What is longer is counted where nobody else waits for it.
const COUNTED_HERE: usize = 64 << 10;

/// What the document of a request may be; `None` if it brings none, but an object's bytes or nothing.
pub(crate) fn bounds(method: &Method, uri: &Uri) -> Option<Bounds> {
    if !query::brings_document(method, uri) {
        None
    } else if query::completes_upload(method, uri) {
        Some(PARTS)
    } else if query::deletes_several(method, uri) {
        Some(KEYS)
    } else {
        Some(OTHER)
    }
}

/// Reads a document that is within its bounds. It is wiped once nobody has it any more.
pub(crate) async fn read(mut body: Body, announced: Option<usize>, bounds: Bounds) -> Result<Bytes, S3Error> {
    let most = bounds.length;
    if announced.is_some_and(|length| length > most) {
        return Err(too_long());
    }
    // What was counted for it is what it announces.
    let most = announced.unwrap_or(most);
    let mut read = Gathered::with_room(announced.unwrap_or(FIRST));
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if read.len().saturating_add(bytes.len()) > most {
            return Err(too_long());
        }
        read.append(&bytes, most);
    }
    let read = read.freeze();
    if read.len() <= COUNTED_HERE {
        count(&read, bounds)?;
    } else {
        let counted = read.clone();
        blocking(move || count(&counted, bounds)).await?;
    }
    Ok(read)
}

/// Refuses what has more in it than it may. What is no XML, who reads it will say.
fn count(document: &[u8], bounds: Bounds) -> Result<(), S3Error> {
    let mut reader = Reader::from_reader(document);
    let (mut depth, mut entries, mut elements) = (0_usize, 0_usize, 0_usize);
    loop {
        let within = match reader.read_event() {
            Ok(Event::Start(_)) => {
                depth = depth.saturating_add(1);
                depth.saturating_sub(1)
            }
            Ok(Event::Empty(_)) => depth,
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => continue,
        };
        elements = elements.saturating_add(1);
        entries = entries.saturating_add(usize::from(within == 1));
        if entries > bounds.entries || elements > bounds.elements {
            return Err(failure::malformed_xml());
        }
    }
}

fn too_long() -> S3Error {
    S3Error::with_message(S3ErrorCode::MaxMessageLengthExceeded, "Your request was too big.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, uri: &str) -> Option<Bounds> {
        bounds(method, &uri.parse().unwrap())
    }

    #[test]
    fn only_what_names_many_objects_may_be_long() {
        assert_eq!(of(&Method::POST, "/b/k?uploadId=x"), Some(PARTS));
        assert_eq!(of(&Method::POST, "/b?delete"), Some(KEYS));
        for (method, uri) in [
            (Method::POST, "/b/k?uploads"),
            (Method::POST, "/b/k?delete"),
            (Method::POST, "/"),
            (Method::PUT, "/b"),
            (Method::PUT, "/b?policy"),
            (Method::PUT, "/b/?delete"),
            (Method::PUT, "/b/k?tagging"),
            (Method::PUT, "/b/k?%74agging"),
        ] {
            assert_eq!(of(&method, uri), Some(OTHER), "{uri}");
        }
        assert_eq!(of(&Method::PUT, "/b/k"), None);
        assert_eq!(of(&Method::PUT, "/b/k?uploadId=x&partNumber=1"), None);
        assert_eq!(of(&Method::GET, "/b?policy"), None);
    }

    #[test]
    fn what_is_in_a_document_is_counted_before_values_are_made_of_it() {
        let document =
            |part: &str, count: usize| format!("<?xml version='1.0'?>\n<r>{}</r>", part.repeat(count));
        let counted = |part: &str, count: usize| count_of(&document(part, count), PARTS);
        fn count_of(document: &str, bounds: Bounds) -> bool {
            count(document.as_bytes(), bounds).is_ok()
        }
        for part in [
            "<Part/>",
            "<Part></Part>",
            "<p:Part a='>'/>",
            "<!-- <Part/> --><Part/>",
            "<![CDATA[<Part/>]]><Part><ETag>x</ETag></Part>",
        ] {
            assert!(counted(part, 10_000), "{part}");
            assert!(!counted(part, 10_017), "{part}");
        }
        let deep = format!("<r><s>{}</s></r>", "<t/>".repeat(50_000));
        assert!(!count_of(&deep, OTHER), "one entry of too many elements");
        let lifecycle = format!(
            "<r>{}</r>",
            format!(
                "<Rule><Filter><And>{}</And></Filter></Rule>",
                "<Tag><K/><V/></Tag>".repeat(10)
            )
            .repeat(1000)
        );
        assert!(count_of(&lifecycle, OTHER));
        // What is no XML is somebody else's to refuse.
        assert!(count_of("{\"a\": \"<\"}", OTHER));
    }

    #[tokio::test]
    async fn a_document_is_read_to_its_bounds_and_no_further() {
        let bounds = Bounds::of(1 << 20, 1, 1);
        let read = |length: usize, announced| read(Body::from(vec![b' '; length]), announced, bounds);
        for announced in [None, Some(1 << 20)] {
            assert_eq!(read(1 << 20, announced).await.unwrap().len(), 1 << 20);
        }
        let refused = read((1 << 20) + 1, None).await.unwrap_err();
        assert_eq!(refused.code(), &S3ErrorCode::MaxMessageLengthExceeded);
        assert!(
            read(0, Some((1 << 20) + 1)).await.is_err(),
            "it is not waited for"
        );
    }
}
