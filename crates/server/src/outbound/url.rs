//! Addresses of servers elsewhere, as settings and providers write them: `https` only.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::Uri;

/// Host and port that `https` is spoken with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// A name in lower case, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// An `https` URL without user, query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsUrl {
    text: String,
    origin: Origin,
    path: String,
}

/// Text that is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as https://login.example.com/realm, without user, query or fragment")]
pub struct UrlError;

/// Text that is no such host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected HOST or HOST:PORT, such as keys.example.com")]
pub struct OriginError;

impl HttpsUrl {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whom it leads to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path, with a slash at its front.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for HttpsUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let plain = |b: u8| b.is_ascii_graphic() && !b"#?@\\\"'<>^`{|}".contains(&b);
        let rest = text.strip_prefix("https://").ok_or(UrlError)?;
        if text.len() > 2048 || !rest.bytes().all(plain) {
            return Err(UrlError);
        }
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at_checked(slash).ok_or(UrlError)?,
            None => (rest, ""),
        };
        let origin = authority.parse().map_err(|_no_origin| UrlError)?;
        let path = if path.is_empty() { "/" } else { path };
        path.parse::<Uri>().map_err(|_no_path| UrlError)?;
        Ok(Self {
            text: text.to_owned(),
            origin,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for HttpsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(OriginError)?;
                let address: Ipv6Addr = address.parse().map_err(|_no_address| OriginError)?;
                (address.to_string(), port)
            }
            None => {
                let colon = text.find(':').unwrap_or(text.len());
                let (name, port) = text.split_at_checked(colon).ok_or(OriginError)?;
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
                if name.is_empty() || !name.bytes().all(plain) {
                    return Err(OriginError);
                }
                (name.to_ascii_lowercase(), port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => 443,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_no_port| OriginError)?
            }
            None | Some(_) => return Err(OriginError),
        };
        if port == 0 {
            return Err(OriginError);
        }
        Ok(Self { host, port })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_lead_where_they_say() {
        let url: HttpsUrl = "https://Login.example.com/realms/a".parse().unwrap();
        assert_eq!(
            (url.origin().host.as_str(), url.origin().port),
            ("login.example.com", 443)
        );
        assert_eq!(
            (url.path(), url.as_str()),
            ("/realms/a", "https://Login.example.com/realms/a")
        );
        let url: HttpsUrl = "https://[::1]:8443".parse().unwrap();
        assert_eq!(
            (url.origin().host.as_str(), url.origin().port, url.path()),
            ("::1", 8443, "/")
        );
    }

    proptest! {
        #[test]
        fn what_is_taken_leads_where_other_parsers_say(text in "https://[a-z0-9.:/\\[\\]@?#%~-]{0,40}") {
            if let Ok(url) = text.parse::<HttpsUrl>() {
                let other: Uri = text.parse().unwrap();
                let host = other.host().unwrap().trim_matches(['[', ']']);
                let same_address = host.parse::<Ipv6Addr>().map(|address| address.to_string());
                prop_assert_eq!(&url.origin().host, &same_address.unwrap_or_else(|_name| host.to_owned()));
                prop_assert_eq!(url.origin().port, other.port_u16().unwrap_or(443));
                prop_assert_eq!(url.path(), other.path());
                prop_assert_eq!(other.query(), None);
            }
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_url() {
        for text in [
            "",
            "https://",
            "http://example.com",
            "HTTPS://example.com",
            "https:///path",
            "https://user@example.com",
            "https://example.com@127.0.0.1",
            "https://example.com\\@127.0.0.1/",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:70000",
            "https://example.com/?a=b",
            "https://example.com/#x",
            "https://exa mple.com/",
            "https://example.com/\r\nHost: x",
            "https://exämple.com/",
            "//example.com",
        ] {
            assert!(text.parse::<HttpsUrl>().is_err(), "{text}");
        }
        for text in ["", ":443", "a:b", "a/b", "a?b", "u@h", "[::1", "h:"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
