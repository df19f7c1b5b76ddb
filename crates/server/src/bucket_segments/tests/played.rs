//! An S3 service that the tests play: as well as it takes, or as badly.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What somebody asked for.
pub(super) struct Asked {
    pub(super) method: String,
    /// The path, without the bucket.
    pub(super) key: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// What the service does instead of what it should.
pub(super) enum Instead {
    Nothing,
    /// Says just this, and hangs up.
    Say(Vec<u8>),
    /// Says this, and nothing more.
    Hang(Vec<u8>),
}

type Mood = Box<dyn Fn(&Asked) -> Instead + Send>;

#[derive(Default)]
pub(super) struct Kept {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    pub(super) uploads: BTreeMap<String, (String, BTreeMap<u32, Vec<u8>>)>,
    /// Every request in a word.
    pub(super) asked: Vec<String>,
    begun: usize,
}

#[derive(Default)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Condvar,
    mood: Mutex<Option<Mood>>,
}

pub(super) struct Played {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Played {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || serve(&shared, stream.unwrap()));
            }
        });
        Self { address, shared }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap()
    }

    /// Waits until it is so.
    pub(super) fn wait_until(&self, so: impl Fn(&Kept) -> bool) {
        drop(
            self.shared
                .changed
                .wait_while(self.kept(), |kept| !so(kept))
                .unwrap(),
        );
    }

    pub(super) fn behave(&self, mood: impl Fn(&Asked) -> Instead + Send + 'static) {
        *self.shared.mood.lock().unwrap() = Some(Box::new(mood));
    }

    pub(super) fn behave_well(&self) {
        *self.shared.mood.lock().unwrap() = None;
    }

    /// The requests since it was asked last.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.kept().asked)
    }
}

fn serve(shared: &Shared, stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some(asked) = read(&mut reader) {
        let range = asked.headers.get("range").cloned().unwrap_or_default();
        let word = format!(
            "{} {}{range}",
            asked.method,
            asked.query.keys().cloned().collect::<String>()
        );
        shared.kept.lock().unwrap().asked.push(word);
        shared.changed.notify_all();
        let instead = shared.mood.lock().unwrap().as_ref().map(|mood| mood(&asked));
        match instead {
            Some(Instead::Say(bytes)) => {
                drop(writer.write_all(&bytes));
                return;
            }
            Some(Instead::Hang(bytes)) => {
                drop(writer.write_all(&bytes));
                // Until the other side has had enough.
                drop(reader.read_to_end(&mut Vec::new()));
                return;
            }
            Some(Instead::Nothing) | None => {}
        }
        let answer = answer(&mut shared.kept.lock().unwrap(), asked);
        shared.changed.notify_all();
        if writer.write_all(&answer).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let decoded = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text);
        decoded.decode_utf8().unwrap().into_owned()
    };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let key = path
        .trim_start_matches('/')
        .split_once('/')
        .map_or("", |(_, key)| key);
    Some(Asked {
        method,
        key: decoded(key),
        query: pairs
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect(),
        headers,
        body,
    })
}

pub(super) fn said(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(super) fn refused(status: &str, code: &str) -> Vec<u8> {
    let body = format!("<Error><Code>{code}</Code><Message>a word of the other side</Message></Error>");
    said(status, "", body.as_bytes())
}

fn answer(kept: &mut Kept, asked: Asked) -> Vec<u8> {
    let upload = asked.query.get("uploadId").cloned();
    match (asked.method.as_str(), upload) {
        ("GET" | "HEAD", None) if asked.query.contains_key("list-type") => list(kept, &asked),
        ("GET" | "HEAD", None) => get(kept, &asked),
        ("PUT", None) => {
            kept.objects.insert(asked.key, asked.body);
            said("200 OK", "etag: \"x\"\r\n", b"")
        }
        ("DELETE", None) => {
            kept.objects.remove(&asked.key);
            said("204 No Content", "", b"")
        }
        ("POST", None) => {
            kept.begun += 1;
            let name = format!("upload-{}", kept.begun);
            kept.uploads.insert(name.clone(), (asked.key, BTreeMap::new()));
            let body = format!(
                "<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            );
            said("200 OK", "", body.as_bytes())
        }
        ("PUT", Some(name)) => {
            let number = asked.query["partNumber"].parse().unwrap();
            match kept.uploads.get_mut(&name) {
                Some((_, parts)) => {
                    parts.insert(number, asked.body);
                    said("200 OK", &format!("etag: \"{number}\"\r\n"), b"")
                }
                None => refused("404 Not Found", "NoSuchUpload"),
            }
        }
        ("POST", Some(name)) => match kept.uploads.remove(&name) {
            Some((key, parts)) => {
                kept.objects.insert(key, parts.into_values().flatten().collect());
                let body =
                    b"<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>";
                said("200 OK", "", body)
            }
            None => refused("404 Not Found", "NoSuchUpload"),
        },
        ("DELETE", Some(name)) => match kept.uploads.remove(&name) {
            Some(_) => said("204 No Content", "", b""),
            None => refused("404 Not Found", "NoSuchUpload"),
        },
        _ => refused("400 Bad Request", "InvalidRequest"),
    }
}

fn get(kept: &Kept, asked: &Asked) -> Vec<u8> {
    let Some(bytes) = kept.objects.get(&asked.key) else {
        return refused("404 Not Found", "NoSuchKey");
    };
    let described = "etag: \"x\"\r\nlast-modified: Mon, 23 Nov 2026 00:00:00 GMT\r\n";
    if asked.method == "HEAD" {
        return format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{described}\r\n",
            bytes.len()
        )
        .into();
    }
    let range = asked.headers["range"].strip_prefix("bytes=").unwrap();
    let (from, to) = range.split_once('-').unwrap();
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    if from >= bytes.len() {
        return refused("416 Range Not Satisfiable", "InvalidRange");
    }
    let to = to.min(bytes.len() - 1);
    let ranged = format!("{described}content-range: bytes {from}-{to}/{}\r\n", bytes.len());
    said("206 Partial Content", &ranged, &bytes[from..=to])
}

/// Three names a page.
fn list(kept: &Kept, asked: &Asked) -> Vec<u8> {
    let prefix = asked.query.get("prefix").cloned().unwrap_or_default();
    let after = asked.query.get("continuation-token").cloned().unwrap_or_default();
    let mut found = kept
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix) && **key > after);
    let page: Vec<_> = found.by_ref().take(3).collect();
    let more = found.next().is_some();
    let contents: String = page
        .iter()
        .map(|(key, bytes)| {
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-23T00:00:00.000Z</LastModified><ETag>\"x\"</ETag><Size>{}</Size></Contents>",
                bytes.len()
            )
        })
        .collect();
    let next = page.last().filter(|_| more).map_or(String::new(), |(key, _)| {
        format!("<NextContinuationToken>{key}</NextContinuationToken>")
    });
    let body = format!("<ListBucketResult>{next}{contents}</ListBucketResult>");
    said("200 OK", "", body.as_bytes())
}
