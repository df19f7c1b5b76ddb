//! The little of the STS query protocol that a client at the bootstrap door needs, over a Unix socket.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use moho_iam::authn::TemporaryCredentials;
use moho_terms::{AccountId, Secret, Timestamp};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// The version that every STS request names.
const VERSION: &str = "2011-06-15";
const LONGEST_REPLY: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the door.
pub(super) struct Sts {
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<UnixStream>, Full<Bytes>>,
}

impl Sts {
    pub(super) async fn at(socket: &Path) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| socket.display().to_string())?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        Ok(Self { sender, connection })
    }

    /// The account behind the door.
    pub(super) async fn account(&mut self) -> anyhow::Result<AccountId> {
        let reply = self.call("GetCallerIdentity", &[]).await?;
        Ok(element(&reply, "Account")
            .context("the reply names no account")?
            .parse()?)
    }

    pub(super) async fn assume_role(
        &mut self,
        role: &str,
        session: &str,
        seconds: u32,
    ) -> anyhow::Result<TemporaryCredentials> {
        let seconds = seconds.to_string();
        let parameters = [
            ("RoleArn", role),
            ("RoleSessionName", session),
            ("DurationSeconds", &*seconds),
        ];
        credentials(&self.call("AssumeRole", &parameters).await?)
    }

    async fn call(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let mut all = vec![("Action", action), ("Version", VERSION)];
        all.extend_from_slice(parameters);
        let form = form(&all);
        let exchanging = tokio::time::timeout(PATIENCE, self.exchange(form));
        let (status, body) = exchanging.await.context("the door does not answer in time")??;
        if status.is_success() {
            return Ok(body);
        }
        let part = |name: &str| {
            element(&body, name)
                .map(|text| text.to_string())
                .unwrap_or_default()
        };
        bail!(
            "{action} was refused ({status}, {}): {}",
            part("Code"),
            part("Message")
        )
    }

    async fn exchange(&mut self, form: String) -> anyhow::Result<(StatusCode, Zeroizing<Vec<u8>>)> {
        let request = Request::post("/")
            .header(HOST, "sts.amazonaws.com")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
            .body(Full::new(Bytes::from(form)))?;
        let sender = &mut self.sender;
        let answer = async {
            let reply = sender.send_request(request).await?;
            let status = reply.status();
            let body = Limited::new(reply.into_body(), LONGEST_REPLY).collect().await;
            let body = body
                .map_err(|error| anyhow::anyhow!(error))
                .context("the reply broke off")?
                .to_bytes();
            anyhow::Ok((status, Zeroizing::new(body.to_vec())))
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            ended = &mut self.connection => match ended {
                Ok(()) => bail!("the door closed the connection"),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// The credentials in a reply to one of the requests that assume roles.
pub(super) fn credentials(reply: &[u8]) -> anyhow::Result<TemporaryCredentials> {
    let text = |name: &str| element(reply, name).with_context(|| format!("the reply has no {name}"));
    let secret = |name: &str| text(name).map(|value| Secret::new(value.as_bytes().to_vec()));
    Ok(TemporaryCredentials {
        access_key_id: text("AccessKeyId")?.parse()?,
        secret_access_key: secret("SecretAccessKey")?,
        session_token: secret("SessionToken")?,
        expires_at: moment(&text("Expiration")?)?,
        principal_arn: text("Arn")?.parse()?,
        user_id: text("AssumedRoleId")?.to_string(),
        packed_percent: None,
        source_identity: None,
    })
}

/// The text of the first element of this name.
pub(super) fn element(xml: &[u8], name: &str) -> Option<Zeroizing<String>> {
    let mut reader = Reader::from_reader(xml);
    let mut found: Option<Zeroizing<String>> = None;
    let mut buffer = Zeroizing::new(Vec::new());
    loop {
        match (reader.read_event_into(&mut buffer).ok()?, found.as_mut()) {
            (Event::Start(start), None) if start.local_name().as_ref() == name.as_bytes() => {
                found = Some(Zeroizing::new(String::new()));
            }
            (Event::Text(text), Some(found)) => found.push_str(&text.decode().ok()?),
            (Event::GeneralRef(reference), Some(found)) => found.push(character(&reference)?),
            (Event::End(end), Some(_)) if end.local_name().as_ref() == name.as_bytes() => return found,
            (Event::Eof, _) => return None,
            (_, _) => {}
        }
        buffer.clear();
    }
}

fn character(reference: &BytesRef<'_>) -> Option<char> {
    if let Some(character) = reference.resolve_char_ref().ok()? {
        return Some(character);
    }
    match reference.decode().ok()?.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// `2026-09-21T14:13:20Z`, without its punctuation as SigV4 writes it.
fn moment(text: &str) -> anyhow::Result<Timestamp> {
    let bare: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    Ok(Timestamp::parse_iso8601_basic(&bare)?)
}

/// Names and values as a form.
pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    pairs.join("&")
}

/// Percent-encoded for a form: everything but RFC 3986's unreserved characters.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_and_unescaped() {
        let xml = b"<?xml version=\"1.0\"?><a xmlns=\"x\"><b><Code>Access&amp;Denied</Code></b><Message>role/&quot;A&#34;</Message><Empty/></a>";
        assert_eq!(element(xml, "Code").unwrap().as_str(), "Access&Denied");
        assert_eq!(element(xml, "Message").unwrap().as_str(), "role/\"A\"");
        assert!(element(xml, "Absent").is_none());
        assert!(element(b"<Code>cut off", "Code").is_none());
    }

    #[test]
    fn times_and_forms_are_written_as_sts_wants_them() {
        assert_eq!(
            moment("2015-08-30T12:36:00Z").unwrap().unix_seconds(),
            1_440_938_160
        );
        assert!(moment("tomorrow").is_err());
        assert_eq!(
            encoded("arn:aws:iam::1:role/A b"),
            "arn%3Aaws%3Aiam%3A%3A1%3Arole%2FA%20b"
        );
    }
}
