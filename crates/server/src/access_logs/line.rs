//! A line of a server access log, field by field as S3 documents it.

use std::fmt::{self, Write};
use std::net::IpAddr;

use moho_s3::DeletionNote;
use moho_terms::{AccountId, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands as it is in a key that is URL-encoded.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');
/// What of a header or a request line would break the line it stands in.
const QUOTED: &AsciiSet = &percent_encoding::CONTROLS.add(b'"').add(b'\\');
/// Parts of a query that let whoever reads them act, or could.
const REDACTED: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "x-amz-credential"];

/// One request, once its reply was sent.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Whose bucket it is.
    pub(crate) owner: AccountId,
    pub(crate) bucket: String,
    pub(crate) time: Timestamp,
    pub(crate) remote: Option<IpAddr>,
    pub(crate) requester: Option<String>,
    pub(crate) request_id: String,
    pub(crate) operation: String,
    /// As it was sent: percent-encoded once.
    pub(crate) raw_key: Option<String>,
    /// `None` of a key among several that one request names.
    pub(crate) asked: Option<Asked>,
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) sent: Option<u64>,
    pub(crate) object_size: Option<u64>,
    pub(crate) total_micros: Option<u64>,
    pub(crate) turn_around_micros: Option<u64>,
    pub(crate) referrer: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) version_id: Option<String>,
    /// How the signature came, if there was one.
    pub(crate) auth_type: Option<&'static str>,
    pub(crate) host: Option<String>,
    /// `1.2` or `1.3`.
    pub(crate) tls: Option<&'static str>,
    /// As OpenSSL names it.
    pub(crate) cipher_suite: Option<&'static str>,
}

/// The line of a request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) raw_path: String,
    pub(crate) raw_query: String,
    pub(crate) version: &'static str,
}

/// Bytes of a key, of which none has more.
const LONGEST_KEY: usize = 1024;
/// Bytes of a request line, and of whatever else a request says of itself.
const LONGEST: usize = 8 << 10;
/// Bytes of a header whose end nobody needs.
const LONGEST_HEADER: usize = 1024;

/// `-` of what is not there.
struct Or<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for Or<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_char('-'),
        }
    }
}

impl Line {
    /// The line, with its end.
    pub(super) fn written(&self) -> String {
        let millis = |micros: u64| micros / 1000;
        let mut line = format!(
            "{owner:0>64} {bucket} [{time}] {remote} {requester} {id} {operation} {key} {uri} {status} {error} {sent} {size} \
             {total} {around} {referrer} {agent} {version_id} {id} {signature} {suite} {auth} {host} {tls} - -",
            owner = self.owner.to_string(),
            bucket = quoted(&self.bucket),
            time = clf(self.time),
            remote = Or(self.remote.map(|remote| remote.to_canonical())),
            requester = Or(self.requester.as_deref().map(quoted)),
            id = self.request_id,
            operation = self.operation,
            key = Or(self.raw_key.as_deref().map(twice_encoded)),
            uri = Or(self
                .asked
                .as_ref()
                .map(|asked| format!("\"{}\"", quoted(&asked.line())))),
            status = self.status,
            error = Or(self.error.as_deref().map(quoted)),
            sent = Or(self.sent.filter(|sent| *sent > 0)),
            size = Or(self.object_size),
            total = Or(self.total_micros.map(millis)),
            around = Or(self.turn_around_micros.map(millis)),
            referrer = self.in_quotes(self.referrer.as_deref()),
            agent = self.in_quotes(self.user_agent.as_deref()),
            version_id = Or(self.version_id.as_deref().map(quoted)),
            signature = Or(self.auth_type.map(|_| "SigV4")),
            suite = Or(self.cipher_suite),
            auth = Or(self.auth_type),
            host = Or(self.host.as_deref().map(quoted)),
            tls = Or(self.tls.map(|version| format!("TLSv{version}"))),
        );
        line.push('\n');
        line
    }

    /// The line of one of the keys that this request deletes several of.
    pub(crate) fn of_batch(&self, key: &DeletionNote) -> Self {
        Self {
            operation: "BATCH.DELETE.OBJECT".to_owned(),
            raw_key: Some(percent_encoding::percent_encode(key.key.as_bytes(), KEY).to_string()),
            asked: None,
            status: key.status,
            error: key.error_code.clone(),
            sent: None,
            object_size: None,
            total_micros: None,
            turn_around_micros: None,
            referrer: None,
            user_agent: None,
            version_id: key.named_version.clone(),
            ..self.clone()
        }
    }

    /// A header, where there is a request to have it.
    fn in_quotes(&self, text: Option<&str>) -> String {
        match (text, &self.asked) {
            (Some(text), Some(_)) => format!("\"{}\"", quoted(cut(text, LONGEST_HEADER))),
            (None, Some(_)) => "\"-\"".to_owned(),
            (_, None) => "-".to_owned(),
        }
    }
}

impl Asked {
    fn line(&self) -> String {
        format!(
            "{} {}{} {}",
            self.method,
            self.raw_path,
            self.query(),
            self.version
        )
    }

    /// The query with its `?`, without what lets whoever reads it act.
    fn query(&self) -> String {
        if self.raw_query.is_empty() {
            return String::new();
        }
        let shown = self.raw_query.split('&').map(|pair| {
            let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase();
            if REDACTED.contains(&decoded.as_str()) {
                format!("{name}=REDACTED")
            } else {
                pair.to_owned()
            }
        });
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    }
}

/// The beginning of a text, of at most so many bytes: whoever asks decides how long it is.
fn cut(text: &str, most: usize) -> &str {
    let end = text.floor_char_boundary(most);
    text.get(..end).unwrap_or(text)
}

/// What cannot break out of its field: no quotes, no spaces at the ends of a line, no control characters.
fn quoted(text: &str) -> String {
    utf8_percent_encode(cut(text, LONGEST), QUOTED).to_string()
}

/// A key as access logs have it: URL-encoded twice.
fn twice_encoded(raw_key: &str) -> String {
    let key: Vec<u8> = percent_decode_str(raw_key).take(LONGEST_KEY).collect();
    let once = percent_encoding::percent_encode(&key, KEY).to_string();
    utf8_percent_encode(&once, KEY).to_string()
}

/// `06/Feb/2019:00:00:38 +0000`
fn clf(time: Timestamp) -> String {
    // `Wed, 06 Feb 2019 00:00:38 GMT`
    let date = time.http_date();
    let mut words = date.split(' ').skip(1);
    let mut next = || words.next().unwrap_or("-");
    let (day, month, year, clock) = (next(), next(), next(), next());
    format!("{day}/{month}/{year}:{clock} +0000")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn line() -> Line {
        Line {
            owner: "123456789012".parse().unwrap(),
            bucket: "source".to_owned(),
            time: Timestamp::from_unix_seconds(1_549_411_238),
            remote: Some("::ffff:192.0.2.3".parse().unwrap()),
            requester: Some("arn:aws:sts::123456789012:assumed-role/R/me".to_owned()),
            request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
            operation: "REST.PUT.OBJECT".to_owned(),
            raw_key: Some("a%20b/%C3%A4".to_owned()),
            asked: Some(Asked {
                method: "PUT".to_owned(),
                raw_path: "/source/a%20b/%C3%A4".to_owned(),
                raw_query: String::new(),
                version: "HTTP/1.1",
            }),
            status: 200,
            error: None,
            sent: None,
            object_size: Some(113),
            total_micros: Some(12_345),
            turn_around_micros: Some(7_900),
            referrer: None,
            user_agent: Some("S3Console/0.4".to_owned()),
            version_id: None,
            auth_type: Some("AuthHeader"),
            host: Some("moho.example:8443".to_owned()),
            tls: Some("1.3"),
            cipher_suite: Some("TLS_AES_128_GCM_SHA256"),
        }
    }

    #[test]
    fn a_line_has_s3_s_fields_in_their_order() {
        assert_eq!(
            line().written(),
            "0000000000000000000000000000000000000000000000000000123456789012 source [06/Feb/2019:00:00:38 +0000] 192.0.2.3 \
             arn:aws:sts::123456789012:assumed-role/R/me 11111111-2222-4333-8444-555555555555 REST.PUT.OBJECT \
             a%2520b/%25C3%25A4 \"PUT /source/a%20b/%C3%A4 HTTP/1.1\" 200 - - 113 12 7 \"-\" \"S3Console/0.4\" - \
             11111111-2222-4333-8444-555555555555 SigV4 TLS_AES_128_GCM_SHA256 AuthHeader moho.example:8443 TLSv1.3 - -\n"
        );
    }

    #[test]
    fn what_lets_whoever_reads_it_act_is_not_in_it() {
        let mut line = line();
        if let Some(asked) = &mut line.asked {
            asked.raw_query =
                "X-Amz-Signature=abc&prefix=x&X-Amz-Security%2DToken=tok&x-amz-credential=AK%2F1&X-Amz-Date=2"
                    .to_owned();
        }
        let written = line.written();
        assert!(
            written.contains("?X-Amz-Signature=REDACTED&prefix=x&X-Amz-Security%2DToken=REDACTED&x-amz-credential=REDACTED&X-Amz-Date=2 HTTP"),
            "{written}"
        );
        assert!(!written.contains("abc") && !written.contains("tok"));
    }

    #[test]
    fn each_key_of_a_batch_has_a_line_of_its_own() {
        let key = DeletionNote {
            key: "a b/\u{e4}\n".to_owned(),
            named_version: Some("null".to_owned()),
            version_id: None,
            delete_marker: false,
            error_code: Some("AccessDenied".to_owned()),
            status: 403,
        };
        let written = line().of_batch(&key).written();
        assert!(
            written.ends_with(
                " BATCH.DELETE.OBJECT a%2520b/%25C3%25A4%250A - 403 AccessDenied - - - - - - null \
                 11111111-2222-4333-8444-555555555555 SigV4 TLS_AES_128_GCM_SHA256 AuthHeader moho.example:8443 TLSv1.3 - -\n"
            ),
            "{written}"
        );
        let deleted = DeletionNote {
            error_code: None,
            status: 204,
            ..key
        };
        assert!(line().of_batch(&deleted).written().contains(" - 204 - - - "));
    }

    #[test]
    fn no_field_is_longer_than_it_may_be() {
        let long = |text: &str| text.repeat(60_000 / text.len());
        let longest = line().written().len() + 5 * LONGEST_KEY + 3 * (LONGEST + 2 * LONGEST_HEADER);
        for text in ["!", "\u{1}", "\u{20ac}", "%21"] {
            let asked = Asked {
                raw_path: long(text),
                ..line().asked.unwrap()
            };
            let line = Line {
                raw_key: Some(long(text)),
                asked: Some(asked),
                user_agent: Some(long(text)),
                referrer: Some(long(text)),
                ..line()
            };
            let written = line.written();
            assert!(written.len() <= longest, "{} of {text:?}", written.len());
            assert!(written.ends_with("TLSv1.3 - -\n"));
        }
    }

    #[test]
    fn no_field_breaks_out_of_its_place() {
        let hostile = "x\" 200 - \n\r\\";
        let line = Line {
            user_agent: Some(hostile.to_owned()),
            referrer: Some(hostile.to_owned()),
            host: Some("a\nb".to_owned()),
            raw_key: Some("%0A%22%00".to_owned()),
            ..line()
        };
        let written = line.written();
        assert_eq!(written.matches('\n').count(), 1);
        assert_eq!(written.matches('"').count(), 6);
        assert!(written.contains("%250A%2522%2500"));
    }
}
