//! `GET /keys` and `GET /keys/{key}`: what is sealed under each key of an account, and who can use one and why. moho's own, in
//! the manner of OpenAI's lists; keys are made and changed by the operations of KMS.

use moho_terms::ContentBytes;

use super::fields::invalid;
use crate::Failure;
use crate::json::Writer;
use crate::query::Query;

/// Keys in one page if nobody says, and at most.
const SIZES: (usize, usize) = (100, 1000);

/// Which keys are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListKeys {
    /// At most so many.
    pub limit: usize,
    /// After the key of this id.
    pub after: Option<String>,
}

/// Things of one kind that are sealed under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Such as `stored responses`.
    pub what: &'static str,
    /// How many.
    pub count: u64,
    /// How many bytes together.
    pub bytes: u64,
}

/// A key and what is sealed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its id.
    pub id: String,
    /// Whether it is still there: what was sealed under a key that is gone can never be opened.
    pub exists: bool,
    /// Whether it is the account's own, under which is sealed what names no other.
    pub accounts_own: bool,
    /// What is sealed under it.
    pub sealed: Vec<Sealed>,
}

/// A page of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, by their ids.
    pub keys: Vec<KeyEntry>,
    /// Whether there are more.
    pub more: bool,
}

/// A statement or grant that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding {
    /// In which policy, or `grant/ID`.
    pub policy: String,
    /// Its `Sid` or number, or the grant's name.
    pub statement: String,
}

/// Actions that are decided alike for a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Which.
    pub actions: Vec<&'static str>,
    /// `allowed`, `conditional` or `denied`.
    pub decision: &'static str,
    /// Why, as the journal has it.
    pub reason: &'static str,
    /// By what.
    pub by: Vec<Deciding>,
    /// On which condition keys it depends.
    pub conditions: Vec<String>,
}

/// What a principal can do to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalAccess {
    /// A role's or user's ARN.
    pub principal: String,
    /// Using it.
    pub uses: Vec<Decided>,
    /// Changing it, and who may use it.
    pub manages: Vec<Decided>,
}

/// One key as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyOverview {
    /// The key and what is sealed under it.
    pub entry: KeyEntry,
    /// Its ARN.
    pub arn: String,
    /// Its aliases.
    pub aliases: Vec<String>,
    /// AWS's word for its state.
    pub state: String,
    /// When it is to be deleted, in seconds since 1970.
    pub deleted_at: Option<u64>,
    /// What kind of key it is.
    pub spec: String,
    /// What it is for.
    pub usage: String,
    /// The roles and users of its account.
    pub principals: Vec<PrincipalAccess>,
    /// Whether there are more than these.
    pub more_principals: bool,
    /// Whom its policy or a grant names besides, and by what: policies of their own accounts decide, too.
    pub named: Vec<(String, Deciding)>,
}

impl ListKeys {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the parameter.
    pub fn parse(raw_query: &str) -> Result<Self, Failure> {
        let query = Query::of_url(raw_query)?;
        let (usual, most) = SIZES;
        let limit = match query.get("limit").map(str::parse) {
            None => usual,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => {
                return Err(invalid(
                    "Invalid 'limit': expected a number from 1 to 1000.".to_owned(),
                    "limit",
                    "invalid_value",
                ));
            }
        };
        Ok(Self {
            limit,
            after: query.get("after").map(str::to_owned),
        })
    }
}

impl KeyPage {
    /// The reply on the wire.
    #[must_use]
    pub fn reply(&self) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("object", "list");
            w.key("data")
                .array(|w| self.keys.iter().for_each(|key| w.object(|w| key.write(w))));
            w.fixed("has_more", truth(self.more));
            w.text_or_null("last_id", self.keys.last().map(|key| key.id.as_str()));
        });
        w.finish()
    }
}

impl KeyEntry {
    fn write(&self, w: &mut Writer) {
        w.text("object", "moho.key");
        w.text("id", &self.id);
        w.fixed("exists", truth(self.exists));
        w.fixed("accounts_own", truth(self.accounts_own));
        w.key("sealed").array(|w| {
            for sealed in &self.sealed {
                w.object(|w| {
                    w.text("what", sealed.what);
                    w.number("count", sealed.count);
                    w.number("bytes", sealed.bytes);
                });
            }
        });
    }
}

impl KeyOverview {
    /// The reply on the wire.
    #[must_use]
    pub fn reply(&self) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            self.entry.write(w);
            w.text("arn", &self.arn);
            w.key("aliases")
                .array(|w| self.aliases.iter().for_each(|alias| w.string(alias)));
            w.text("state", &self.state);
            match self.deleted_at {
                Some(at) => w.number("deleted_at", at),
                None => w.fixed("deleted_at", "null"),
            }
            w.text("spec", &self.spec);
            w.text("usage", &self.usage);
            w.key("principals").array(|w| {
                for principal in &self.principals {
                    w.object(|w| principal.write(w));
                }
            });
            w.fixed("has_more_principals", truth(self.more_principals));
            w.key("named").array(|w| {
                for (principal, by) in &self.named {
                    w.object(|w| {
                        w.text("principal", principal);
                        w.key("by").object(|w| by.write(w));
                    });
                }
            });
        });
        w.finish()
    }
}

impl PrincipalAccess {
    fn write(&self, w: &mut Writer) {
        w.text("principal", &self.principal);
        for (name, decided) in [("use", &self.uses), ("manage", &self.manages)] {
            w.key(name)
                .array(|w| decided.iter().for_each(|decided| w.object(|w| decided.write(w))));
        }
    }
}

impl Decided {
    fn write(&self, w: &mut Writer) {
        w.key("actions")
            .array(|w| self.actions.iter().for_each(|action| w.string(action)));
        w.text("decision", self.decision);
        w.text("reason", self.reason);
        w.key("by")
            .array(|w| self.by.iter().for_each(|by| w.object(|w| by.write(w))));
        w.key("conditions")
            .array(|w| self.conditions.iter().for_each(|key| w.string(key)));
    }
}

impl Deciding {
    fn write(&self, w: &mut Writer) {
        w.text("policy", &self.policy);
        w.text("statement", &self.statement);
    }
}

fn truth(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_by_its_size_and_where_it_begins() {
        let asked = |query| ListKeys::parse(query);
        let page = |limit, after: Option<&str>| ListKeys {
            limit,
            after: after.map(str::to_owned),
        };
        assert_eq!(asked("").unwrap(), page(100, None));
        assert_eq!(asked("limit=1000&after=x").unwrap(), page(1000, Some("x")));
        for query in ["limit=0", "limit=1001", "limit=", "limit=-1", "limit=x"] {
            let Err(Failure::Invalid { param, .. }) = asked(query) else {
                panic!("{query}");
            };
            assert_eq!(param.unwrap(), "limit", "{query}");
        }
    }

    fn entry() -> KeyEntry {
        KeyEntry {
            id: "k".to_owned(),
            exists: true,
            accounts_own: false,
            sealed: vec![Sealed {
                what: "stored responses",
                count: 2,
                bytes: 30,
            }],
        }
    }

    const ENTRY: &str = r#""object":"moho.key","id":"k","exists":true,"accounts_own":false,"sealed":[{"what":"stored responses","count":2,"bytes":30}]"#;

    fn text(bytes: &ContentBytes) -> String {
        String::from_utf8(bytes.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let page = KeyPage {
            keys: vec![entry()],
            more: true,
        };
        let expected = format!(r#"{{"object":"list","data":[{{{ENTRY}}}],"has_more":true,"last_id":"k"}}"#);
        assert_eq!(text(&page.reply()), expected);
    }

    #[test]
    fn a_key_is_told_with_who_may_and_why() {
        let by = Deciding {
            policy: "grant/1".to_owned(),
            statement: "backup".to_owned(),
        };
        let told = KeyOverview {
            entry: entry(),
            arn: "a".to_owned(),
            aliases: vec!["alias/x".to_owned()],
            state: "Enabled".to_owned(),
            deleted_at: None,
            spec: "SYMMETRIC_DEFAULT".to_owned(),
            usage: "ENCRYPT_DECRYPT".to_owned(),
            principals: vec![PrincipalAccess {
                principal: "r".to_owned(),
                uses: vec![Decided {
                    actions: vec!["kms:Decrypt"],
                    decision: "conditional",
                    reason: "allowed",
                    by: vec![by.clone()],
                    conditions: vec!["aws:SourceIp".to_owned()],
                }],
                manages: vec![],
            }],
            more_principals: false,
            named: vec![("*".to_owned(), by)],
        };
        let grant = r#"{"policy":"grant/1","statement":"backup"}"#;
        let uses = format!(
            r#"[{{"actions":["kms:Decrypt"],"decision":"conditional","reason":"allowed","by":[{grant}],"conditions":["aws:SourceIp"]}}]"#
        );
        let expected = format!(
            r#"{{{ENTRY},"arn":"a","aliases":["alias/x"],"state":"Enabled","deleted_at":null,"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","principals":[{{"principal":"r","use":{uses},"manage":[]}}],"has_more_principals":false,"named":[{{"principal":"*","by":{grant}}}]}}"#
        );
        assert_eq!(text(&told.reply()), expected);
    }
}
