//! A place that fails, lies, or says nothing.

use super::played::{Instead, refused, said};
use super::*;

const MODIFIED: &str = "etag: \"x\"\r\nlast-modified: Mon, 23 Nov 2026 00:00:00 GMT\r\n";

fn problem_of(error: StoreError) -> PlaceProblem {
    let told = error.to_string();
    assert!(
        !told.contains("the-secret") && !told.contains("a word of the other side"),
        "{told}"
    );
    let StoreError::Elsewhere { place, problem } = error else {
        panic!("{told}")
    };
    let whole = "s3://bucket/some/prefix at 127.0.0.1:";
    assert!(place.starts_with(whole), "{place}");
    problem
}

/// What opening a segment and reading all of it says when the place answers so to each `GET`.
fn read_all(answer: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let place = Place::new();
    place.put(id(1), pattern(300_000));
    place.played.behave(move |asked| match asked.method.as_str() {
        "GET" => Instead::Say(answer.clone()),
        _ => Instead::Nothing,
    });
    let mut resting = place.segments.open(id(1))?;
    read(&mut *resting, 0, 1 << 20)
}

fn partial(range: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\ncontent-length: {length}\r\n{MODIFIED}content-range: bytes {range}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn lies_are_errors_and_never_bytes() {
    let first = pattern(131_072);
    for (what, answer) in [
        (
            "a body that breaks off",
            partial("0-131071/300000", 131_072, &first[..1000]),
        ),
        (
            "a body that is shorter than its range",
            partial("0-131071/300000", 1000, &first[..1000]),
        ),
        ("another range", partial("5-131076/300000", 131_072, &first)),
        (
            "a range without an end",
            partial("0-18446744073709551615/300000", 131_072, &first),
        ),
        ("a range that is none", partial("all of it", 131_072, &first)),
        ("all of it", said("200 OK", MODIFIED, &pattern(300_000))),
        (
            "a redirect",
            said("302 Found", "location: http://127.0.0.1:1/\r\n", b""),
        ),
        ("no HTTP", b"220 ready\r\n\r\n".to_vec()),
        ("nothing", Vec::new()),
        (
            "an endless head",
            [
                b"HTTP/1.1 206 Partial Content\r\nx: ".to_vec(),
                vec![b'x'; 1 << 20],
            ]
            .concat(),
        ),
        (
            "an error without end",
            said("400 Bad Request", "", &vec![b'x'; 9 << 20]),
        ),
    ] {
        let told = read_all(answer);
        assert!(
            matches!(told, Err(StoreError::Elsewhere { .. })),
            "{what}: {:?}",
            told.map(|read| read.len())
        );
    }
}

#[test]
fn a_length_that_cannot_be_takes_no_memory_and_gives_no_bytes() {
    let place = Place::new();
    place.put(id(1), pattern(300_000));
    let first = partial("0-131071/9000000000000000000", 131_072, &pattern(131_072));
    place.played.behave(move |asked| {
        if asked
            .headers
            .get("range")
            .is_some_and(|range| range == "bytes=0-131071")
        {
            Instead::Say(first.clone())
        } else {
            Instead::Nothing
        }
    });
    let mut resting = place.segments.open(id(1)).unwrap();
    assert_eq!(resting.length(), 9_000_000_000_000_000_000);
    assert!(read(&mut *resting, 0, 131_072).unwrap() == pattern(131_072));
    assert!(read(&mut *resting, 8_000_000_000_000_000_000, 1 << 20).is_err());
    place.put(id(2), Vec::new());
    place.played.behave_well();
    let mut empty = place.segments.open(id(2)).unwrap();
    assert_eq!((empty.length(), read(&mut *empty, 0, 10).unwrap()), (0, vec![]));
}

#[test]
fn what_a_place_refuses_is_told_by_its_name() {
    for (status, code, expected) in [
        (
            "403 Forbidden",
            "AccessDenied",
            PlaceProblem::Refused("AccessDenied".to_owned()),
        ),
        (
            "400 Bad Request",
            "ExpiredToken",
            PlaceProblem::Refused("ExpiredToken".to_owned()),
        ),
        (
            "404 Not Found",
            "NoSuchBucket",
            PlaceProblem::Failed("NoSuchBucket".to_owned()),
        ),
        (
            "500 Internal Server Error",
            "InternalError",
            PlaceProblem::Failed("InternalError".to_owned()),
        ),
        (
            "503 Service Unavailable",
            "x y",
            PlaceProblem::Failed("HTTP 503".to_owned()),
        ),
    ] {
        let place = Place::new();
        place.put(id(1), pattern(10));
        place.played.behave(move |_| Instead::Say(refused(status, code)));
        let opened = place.segments.open(id(1)).err().unwrap();
        assert_eq!(problem_of(opened), expected);
        assert_eq!(problem_of(place.keep(id(2), b"bytes").unwrap_err()), expected);
        assert_eq!(
            problem_of(place.keep(id(3), &pattern(PART + 1)).unwrap_err()),
            expected
        );
        assert_eq!(problem_of(place.segments.delete(id(1)).unwrap_err()), expected);
        let listed: Vec<_> = place.segments.present().collect();
        assert_eq!(listed.len(), 1, "it ends with its error");
        assert_eq!(
            problem_of(listed.into_iter().next().unwrap().unwrap_err()),
            expected
        );
        assert_eq!(place.played.kept().objects.len(), 1);
    }
}

#[test]
fn what_fails_once_is_tried_again() {
    let place = Place::new();
    let failing = AtomicUsize::new(0);
    place.played.behave(move |_| {
        if failing.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            Instead::Say(refused("503 Service Unavailable", "SlowDown"))
        } else {
            Instead::Nothing
        }
    });
    let plain = pattern(PART + 1);
    place.keep(id(1), &plain).unwrap();
    let mut resting = place.segments.open(id(1)).unwrap();
    assert!(read(&mut *resting, 0, plain.len()).unwrap() == plain);
    place.segments.delete(id(1)).unwrap();
    assert!(place.played.kept().objects.is_empty());
}

#[test]
fn a_body_that_breaks_off_is_gone_on_with() {
    let place = Place::new();
    place.keep(id(1), &pattern(300_000)).unwrap();
    let broken = std::sync::atomic::AtomicBool::new(false);
    place.played.behave(move |asked| {
        if asked.method == "GET" && !broken.swap(true, Ordering::Relaxed) {
            Instead::Say(partial("0-131071/300000", 131_072, &pattern(2000)))
        } else {
            Instead::Nothing
        }
    });
    let mut resting = place.segments.open(id(1)).unwrap();
    assert!(read(&mut *resting, 0, 300_000).unwrap() == pattern(300_000));
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let half = partial("0-131071/300000", 131_072, &pattern(100));
    for said in [Vec::new(), b"HTTP/1.1 200 OK\r\n".to_vec(), half] {
        let place = Place::with(HASTY);
        place.put(id(1), pattern(300_000));
        place.played.behave(move |asked| match asked.method.as_str() {
            "GET" => Instead::Hang(said.clone()),
            _ => Instead::Hang(Vec::new()),
        });
        let opened = place.segments.open(id(1)).err().unwrap();
        assert_eq!(problem_of(opened), PlaceProblem::Slow);
        assert_eq!(
            problem_of(place.keep(id(2), b"bytes").unwrap_err()),
            PlaceProblem::Slow
        );
    }
}

#[test]
fn where_nobody_is_nobody_is_reached() {
    let folder = TempDir::new().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(folder.path(), free.local_addr().unwrap());
    drop(free);
    let segments = BucketSegments::with(&config, (folder.path(), FOLDER), Closing::new(), BRIEF).unwrap();
    let opened = segments.open(id(1)).err().unwrap();
    assert_eq!(problem_of(opened), PlaceProblem::Unreachable);
    std::fs::remove_file(folder.path().join("credentials")).unwrap();
    let opened = segments.open(id(1)).err().unwrap();
    assert_eq!(problem_of(opened), PlaceProblem::Credentials("is not there"));
}

#[test]
fn stopping_waits_for_nobody() {
    let place = Place::new();
    place.played.behave(|_| Instead::Hang(Vec::new()));
    let patient = Patience {
        stall: Duration::from_secs(3600),
        whole: Duration::from_secs(3600),
        ..BRIEF
    };
    let config = config(place.folder.path(), place.played.address);
    let at = (place.folder.path(), FOLDER);
    let segments = BucketSegments::with(&config, at, place.closing.clone(), patient).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| problem_of(segments.open(id(1)).err().unwrap()));
        place.played.wait_until(|kept| !kept.asked.is_empty());
        place.closing.advance(Stage::Ending);
        assert_eq!(waiting.join().unwrap(), PlaceProblem::Stopping);
    });
}

#[tokio::test]
async fn it_works_on_a_thread_that_serves() {
    let place = Place::new();
    place.keep(id(1), b"bytes").unwrap();
    assert_eq!(place.segments.open(id(1)).unwrap().length(), 5);
    drop(place);
}
