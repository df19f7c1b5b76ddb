//! Records of the journal as an account is shown them that may not know all that they say.

use std::collections::BTreeMap;

use moho_terms::AccountId;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::blinding::BLIND;
use crate::calls;

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRecord {
    /// The record, as the journal has it.
    pub record: Vec<u8>,
    /// What is shown instead, if not all of it may be: a JSON object with the same members where it has them, `"partial":true` among
    /// them.
    pub part: Option<Vec<u8>>,
}

type Members<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
struct Line<'a> {
    sequence: u64,
    #[serde(borrow)]
    entry: Members<'a>,
    digest: &'a str,
}

#[derive(Serialize)]
struct Part<'a, E> {
    sequence: u64,
    /// The digest is of all of it, so that nobody can make it of this.
    partial: bool,
    entry: E,
    digest: &'a str,
}

/// What of an event others than the caller's account are shown as it is.
const OF_CALL: [&str; 9] = [
    "kind",
    "form",
    "time",
    "request_id",
    "source",
    "event",
    "category",
    "read_only",
    "answer",
];
/// And of its subject, if that is in a bucket of theirs.
const OF_BUCKET: [&str; 10] = [
    "bucket",
    "bucket_account",
    "key",
    "version_id",
    "requested_version_id",
    "delete_marker",
    "upload_id",
    "part",
    "keys",
    "part_of",
];

/// How much of a record an account is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// All.
    Whole,
    /// An event of a call that another account made: which account, and what is one's own of what it is about.
    AnothersCall,
    /// An event of one's own call: not whose it is what it was about.
    NotWhose,
    /// A decision that was another's to make: what the caller was told.
    ToldDenial,
}

impl View {
    /// Makes what is shown of a record; `None` if it cannot be understood.
    pub(crate) fn of(self, record: &[u8], account: AccountId) -> Option<Vec<u8>> {
        let line: Line<'_> = serde_json::from_slice(record).ok()?;
        let entry = match self {
            Self::Whole => return Some(record.to_vec()),
            Self::AnothersCall => anothers_call(&line.entry, account)?,
            Self::NotWhose => not_whose(&line.entry, account)?,
            Self::ToldDenial => told_denial(&line.entry)?,
        };
        let part = Part {
            sequence: line.sequence,
            partial: true,
            entry,
            digest: line.digest,
        };
        serde_json::to_vec(&part).ok()
    }
}

type Made = BTreeMap<String, Box<RawValue>>;

fn kept(members: &Members<'_>, names: &[&str]) -> Made {
    let kept = names.iter().filter_map(|name| {
        let value = members.get(name)?;
        Some(((*name).to_owned(), (*value).to_owned()))
    });
    kept.collect()
}

/// All that may be shown of it: what blinds the rest would let it be guessed.
fn all(members: &Members<'_>) -> Made {
    let all = members.iter().filter(|(name, _)| **name != BLIND);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn set(made: &mut Made, name: &str, value: &impl Serialize) -> Option<()> {
    made.insert(name.to_owned(), to_raw_value(value).ok()?);
    Some(())
}

fn anothers_call(entry: &Members<'_>, account: AccountId) -> Option<Made> {
    let mut made = kept(entry, &OF_CALL);
    if let Some(id) = entry.get("event_id") {
        let id: String = serde_json::from_str(id.get()).ok()?;
        set(&mut made, "event_id", &calls::id_for(&id, account))?;
    }
    let identity: Members<'_> = serde_json::from_str(entry.get("identity")?.get()).ok()?;
    let shown = if identity.contains_key("invoked_by") {
        // A service of moho's own.
        all(&identity)
    } else {
        let mut shown = kept(&identity, &["principal_id", "account"]);
        set(&mut shown, "type", &"AWSAccount")?;
        shown
    };
    set(&mut made, "identity", &shown)?;
    if let Some(subject) = entry.get("subject") {
        let own = own_of(subject, account)?;
        // It names the key of whoever has the bucket.
        if let Some(sealing) = entry.get("sealing").filter(|_| own.contains_key("bucket")) {
            set(&mut made, "sealing", sealing)?;
        }
        set(&mut made, "subject", &own)?;
    }
    set(&mut made, "recipients", &[account])?;
    Some(made)
}

/// What an account has of what a call was about.
fn own_of(subject: &RawValue, account: AccountId) -> Option<Made> {
    let subject: Members<'_> = serde_json::from_str(subject.get()).ok()?;
    let text = |name: &str| -> Option<String> { serde_json::from_str(subject.get(name)?.get()).ok() };
    let is_own = |arn: &String| arn.split(':').nth(4) == Some(account.as_str());
    let mut own = if text("bucket_account").as_deref() == Some(account.as_str()) {
        kept(&subject, &OF_BUCKET)
    } else {
        // What was copied is theirs then.
        kept(&subject, &["copy_source"])
    };
    if let Some(resource) = text("resource").filter(is_own) {
        set(&mut own, "resource", &resource)?;
    }
    if let Some(resources) = subject.get("resources") {
        let mut resources: Vec<String> = serde_json::from_str(resources.get()).ok()?;
        resources.retain(is_own);
        set(&mut own, "resources", &resources)?;
    }
    Some(own)
}

fn not_whose(entry: &Members<'_>, account: AccountId) -> Option<Made> {
    let mut made = all(entry);
    if let Some(subject) = entry.get("subject") {
        let subject: Members<'_> = serde_json::from_str(subject.get()).ok()?;
        let mut shown = all(&subject);
        shown.remove("bucket_account");
        if let Some(source) = subject.get("copy_source") {
            let source: Members<'_> = serde_json::from_str(source.get()).ok()?;
            let mut of_source = all(&source);
            of_source.remove("account");
            set(&mut shown, "copy_source", &of_source)?;
        }
        set(&mut made, "subject", &shown)?;
    }
    set(&mut made, "recipients", &[account])?;
    Some(made)
}

fn told_denial(entry: &Members<'_>) -> Option<Made> {
    let mut made = all(entry);
    let Some(told) = made.remove("told") else {
        return Some(made);
    };
    let told: Members<'_> = serde_json::from_str(told.get()).ok()?;
    for name in ["reason", "policy", "statement"] {
        made.insert(name.to_owned(), (*told.get(name)?).to_owned());
    }
    Some(made)
}

#[cfg(test)]
mod tests {
    use moho_iam::authz::{Entry, Journal as _, Outcome, ToldDenial};
    use moho_terms::AccountId;

    use super::*;
    use crate::FileJournal;
    use crate::chain::Link;
    use crate::search::Search;
    use crate::tests::{entry, keys};

    const CALLER: &str = "111111111111";
    const OWNER: &str = "222222222222";

    fn shown(line: &str, account: &str) -> String {
        let search = Search {
            account: Some(account.parse::<AccountId>().unwrap()),
            ..Search::default()
        };
        let shown = search.find(line.as_bytes().to_vec()).unwrap();
        assert_eq!(shown.record, line.as_bytes());
        String::from_utf8(shown.part.unwrap_or(shown.record)).unwrap()
    }

    fn call(subject: &str, answer: &str) -> String {
        format!(
            r#"{{"sequence":7,"previous":"aa","entry":{{"kind":"call","form":1,"time":"2026-01-02T03:04:05Z","request_id":"r",
            "event_id":"00112233-4455-4677-8899-aabbccddeeff","source":"kms.amazonaws.com","event":"ReEncrypt",
            "category":"management","read_only":false,"identity":{{"type":"AssumedRole","principal_id":"AROA:me",
            "principal":"arn:aws:sts::{CALLER}:assumed-role/Secret/me","account":"{CALLER}","access_key_id":"ASIASECRET",
            "issuer":"arn:aws:iam::{CALLER}:role/Secret","source_identity":"Secret"}},
            "origin":{{"source_ip":"192.0.2.7","secure":true}},"subject":{subject},"answer":{answer},
            "recipients":["{CALLER}","{OWNER}"],"record":"U2VjcmV0"}},"digest":"bb"}}"#
        )
    }

    const DONE: &str = r#"{"status":200,"bytes_in":1,"bytes_out":2,"delivery":"complete"}"#;

    #[test]
    fn others_are_shown_which_account_called_and_what_is_theirs() {
        let keys = [CALLER, OWNER].map(|account| format!("arn:aws:kms:eu:{account}:key/k"));
        let line = call(&format!(r#"{{"resources":["{}","{}"]}}"#, keys[0], keys[1]), DONE);
        assert_eq!(shown(&line, CALLER), line);
        let others = shown(&line, OWNER);
        for hidden in [
            "Secret",
            "ASIASECRET",
            "192.0.2.7",
            "U2VjcmV0",
            "aabbccddeeff",
            "previous",
            &keys[0],
        ] {
            assert!(!others.contains(hidden), "{hidden}: {others}");
        }
        let identity =
            format!(r#""identity":{{"account":"{CALLER}","principal_id":"AROA:me","type":"AWSAccount"}}"#);
        let told = format!(r#""recipients":["{OWNER}"]"#);
        for there in [
            &identity,
            &told,
            &keys[1],
            r#""partial":true"#,
            r#""event":"ReEncrypt""#,
            r#""digest":"bb""#,
        ] {
            assert!(others.contains(there), "{there}: {others}");
        }
        // Nor is it found by what is not shown.
        for (principal, resource) in [(Some("Secret"), None), (None, Some(keys[0].as_str()))] {
            let mut search = Search {
                principal: principal.map(str::to_owned),
                resource: resource.map(str::to_owned),
                account: Some(OWNER.parse().unwrap()),
                ..Search::default()
            };
            assert_eq!(search.find(line.clone().into_bytes()), None);
            search.account = Some(CALLER.parse().unwrap());
            assert!(search.find(line.clone().into_bytes()).is_some());
        }
    }

    #[test]
    fn of_a_copy_each_owner_is_shown_its_own_half() {
        let copy = |bucket_account| {
            let source = r#"{"bucket":"from","key":"one"}"#;
            let to = format!(r#""bucket":"to","key":"two","bucket_account":"{bucket_account}""#);
            shown(&call(&format!(r#"{{{to},"copy_source":{source}}}"#), DONE), OWNER)
        };
        let (to, from) = (copy(OWNER), copy(CALLER));
        assert!(to.contains("two") && !to.contains("one"), "{to}");
        assert!(from.contains("one") && !from.contains("two"), "{from}");
    }

    #[test]
    fn who_is_refused_is_not_shown_whose_it_is() {
        let refused =
            r#"{"status":403,"error_code":"AccessDenied","bytes_in":0,"bytes_out":9,"delivery":"complete"}"#;
        let of = |owner: &str| call(&format!(r#"{{"bucket":"b","key":"k"{owner}}}"#), refused);
        let line = of(&format!(r#","bucket_account":"{OWNER}""#));
        let own = shown(&line, CALLER);
        assert!(!own.contains(OWNER), "{own}");
        assert!(own.contains(r#""source_ip":"192.0.2.7""#) && own.contains("AccessDenied"));
        assert_eq!(own, shown(&of(""), CALLER), "as if it were not there");
        assert!(shown(&line, OWNER).contains(r#""bucket":"b""#));
        let in_own = of(&format!(r#","bucket_account":"{CALLER}""#));
        assert_eq!(shown(&in_own, CALLER), in_own);
    }

    #[test]
    fn whose_a_bucket_is_is_shown_to_whom_something_was_allowed_on_it() {
        let unanswered = r#"{"status":null,"bytes_in":0,"bytes_out":0,"delivery":"unanswered"}"#;
        let to =
            |allowed: &str| format!(r#"{{"bucket":"to","key":"k","bucket_account":"{OWNER}"{allowed}}}"#);
        let from = |allowed: &str| {
            let source = format!(r#""copy_source":{{"bucket":"from","key":"k","account":"{OWNER}"}}"#);
            format!(r#"{{"bucket":"to","key":"k","bucket_account":"{CALLER}",{source}{allowed}}}"#)
        };
        // A batch of which nothing was allowed is answered, and so may be a call that nobody has waited for.
        for answer in [DONE, unanswered] {
            for subject in [to(""), from(""), from(r#","allowed_on":["to"]"#)] {
                let line = call(&subject, answer);
                let own = shown(&line, CALLER);
                assert!(!own.contains(OWNER) && own.contains(r#""partial":true"#), "{own}");
            }
            for subject in [
                to(r#","allowed_on":["to"]"#),
                from(r#","allowed_on":["from","to"]"#),
            ] {
                let line = call(&subject, answer);
                assert_eq!(shown(&line, CALLER), line);
            }
        }
    }

    #[test]
    fn only_whoever_has_the_bucket_is_shown_under_which_key_it_is_sealed() {
        let sealed = |subject: &str| {
            let line = call(subject, DONE);
            let line = line.replace(r#""answer""#, r#""sealing":{"sse":"aws:kms","key":"k"},"answer""#);
            shown(&line, OWNER).contains("aws:kms")
        };
        assert!(sealed(&format!(
            r#"{{"bucket":"to","key":"k","bucket_account":"{OWNER}"}}"#
        )));
        let source = r#""copy_source":{"bucket":"from","key":"k"}"#;
        assert!(!sealed(&format!(
            r#"{{"bucket":"to","bucket_account":"{CALLER}",{source}}}"#
        )));
    }

    #[test]
    fn what_a_service_did_for_an_account_is_shown_to_it_wholly() {
        let refused =
            r#"{"status":403,"error_code":"AccessDenied","bytes_in":0,"bytes_out":9,"delivery":"complete"}"#;
        let line = call(r#"{"bucket":"b","key":"k"}"#, refused);
        let by_service = line.replace(
            r#""issuer""#,
            r#""invoked_by":"cloudtrail.amazonaws.com","issuer""#,
        );
        assert_eq!(shown(&by_service, CALLER), by_service);
        assert_ne!(shown(&line, CALLER), line);
    }

    #[test]
    fn a_denial_by_anothers_policy_is_shown_as_the_caller_was_told() {
        let denied = |by: &str, told: &str| {
            format!(
                r#"{{"sequence":7,"previous":"aa","entry":{{"outcome":"deny",{by},"account":"{CALLER}","action":"s3:GetObject",
                "resource":"arn:aws:s3:::b/k"{told}}},"digest":"bb"}}"#
            )
        };
        let theirs = r#""reason":"explicit-deny/resource","policy":"arn:aws:s3:::b","statement":"Theirs""#;
        let as_told = r#""reason":"not-allowed/identity","policy":null,"statement":null"#;
        let hidden = denied(theirs, &format!(r#","told":{{{as_told}}}"#));
        let own = shown(&hidden, CALLER);
        assert!(!own.contains("Theirs") && !own.contains("told"), "{own}");
        assert_eq!(
            own,
            shown(&denied(as_told, ""), CALLER),
            "as if it were not there"
        );
        let all = Search::default().find(hidden.clone().into_bytes()).unwrap();
        assert_eq!((all.record, all.part), (hidden.into_bytes(), None));
    }

    #[test]
    fn what_a_part_hides_cannot_be_tried_against_its_digest() {
        let denied = Entry {
            outcome: Outcome::Deny,
            reason: "explicit-deny/resource",
            resource: Some("arn:aws:s3:::anothers-bucket".parse().unwrap()),
            statement: Some("Secret".to_owned()),
            told: Some(ToldDenial {
                reason: "implicit-deny",
                policy: None,
                statement: None,
            }),
            ..entry(1)
        };
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = FileJournal::open(directory.path(), &keys()).unwrap();
        journal.record(&denied).unwrap();
        drop(journal);
        let file = directory.path().join("journal-00000000000000000001.jsonl");
        let record = std::fs::read(file).unwrap();
        let search = Search {
            account: Some("123456789012".parse().unwrap()),
            ..Search::default()
        };
        let part = String::from_utf8(search.find(record.clone()).unwrap().part.unwrap()).unwrap();
        assert!(!part.contains("Secret") && !part.contains(BLIND), "{part}");
        // Who guesses all that is not shown, and has the digest of the record before from the log, has another digest.
        let guessed = serde_json::to_string(&denied).unwrap();
        let (mine, _) = Link::START.record(&guessed).unwrap();
        let digest =
            |record: &[u8]| String::from_utf8(record[record.len() - 67..record.len() - 3].to_vec()).unwrap();
        assert!(part.contains(&digest(&record)));
        assert_ne!(digest(&mine), digest(&record));
        let whole = String::from_utf8(record.clone()).unwrap();
        let (_, rest) = whole.split_once(&format!(",\"{BLIND}\":")).unwrap();
        let (blind, _) = rest.split_once('}').unwrap();
        let guessed = format!("{},\"{BLIND}\":{blind}}}", guessed.strip_suffix('}').unwrap());
        assert_eq!(
            Link::START.record(&guessed).unwrap().0,
            record,
            "it was that alone"
        );
    }
}
