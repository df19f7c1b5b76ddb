//! `GET /restore` and `POST /restore/accept`: that an installation was restored from a backup, and that a customer accepts it.
//! moho's own, in the manner of OpenAI's objects.

use moho_terms::{ContentBytes, Timestamp};

use super::fields::{Fields, body};
use crate::Failure;
use crate::json::Writer;

/// What a customer accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptRestore {
    /// The restoration that they have read of.
    pub id: String,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreTold {
    /// The restoration's id.
    pub id: String,
    /// When it was done.
    pub restored_at: Timestamp,
    /// When the backup was made.
    pub made_at: Timestamp,
    /// How many changes the backup knows of.
    pub epoch: u64,
    /// How many changes were known to have been made before; `None` if that was known no more.
    pub known_epoch: Option<u64>,
    /// When it was accepted, and by whom.
    pub accepted: Option<(Timestamp, String)>,
}

impl AcceptRestore {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the field.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let json = body(bytes)?;
        let fields = Fields::top(&json);
        Ok(Self {
            id: fields.required_text("id")?.to_owned(),
        })
    }
}

impl RestoreTold {
    /// The reply on the wire.
    #[must_use]
    pub fn reply(&self) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("object", "moho.restore");
            w.text("id", &self.id);
            w.text(
                "status",
                if self.accepted.is_some() {
                    "accepted"
                } else {
                    "pending"
                },
            );
            w.number("restored_at", self.restored_at.unix_seconds());
            w.number("backup_made_at", self.made_at.unix_seconds());
            w.number("epoch", self.epoch);
            match self.known_epoch {
                Some(known) => w.number("known_epoch", known),
                None => w.fixed("known_epoch", "null"),
            }
            match &self.accepted {
                Some((at, by)) => {
                    w.number("accepted_at", at.unix_seconds());
                    w.text("accepted_by", by);
                }
                None => {
                    w.fixed("accepted_at", "null");
                    w.fixed("accepted_by", "null");
                }
            }
        });
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_has_a_name() {
        let accept = AcceptRestore::parse(br#"{"id":"restore_1"}"#).unwrap();
        assert_eq!(accept.id, "restore_1");
        for bad in ["", "{}", r#"{"id":7}"#, "[]"] {
            assert!(AcceptRestore::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_restored_is_told() {
        let told = RestoreTold {
            id: "restore_1".to_owned(),
            restored_at: Timestamp::from_unix_seconds(20),
            made_at: Timestamp::from_unix_seconds(10),
            epoch: 7,
            known_epoch: Some(9),
            accepted: None,
        };
        let text = |told: &RestoreTold| String::from_utf8(told.reply().expose().to_vec()).unwrap();
        let begin = r#"{"object":"moho.restore","id":"restore_1","status":"#;
        assert_eq!(
            text(&told),
            format!(
                r#"{begin}"pending","restored_at":20,"backup_made_at":10,"epoch":7,"known_epoch":9,"accepted_at":null,"accepted_by":null}}"#
            )
        );
        let accepted = RestoreTold {
            known_epoch: None,
            accepted: Some((Timestamp::from_unix_seconds(30), "arn:x".to_owned())),
            ..told
        };
        assert_eq!(
            text(&accepted),
            format!(
                r#"{begin}"accepted","restored_at":20,"backup_made_at":10,"epoch":7,"known_epoch":null,"accepted_at":30,"accepted_by":"arn:x"}}"#
            )
        );
    }
}
