//! `GET /organization/usage/completions`: how much was taken, in times of equal length, as OpenAI's administration API has
//! it. An organisation is an account here, a user a principal, a project an inference profile.

use moho_terms::{ContentBytes, Timestamp};

use super::fields::invalid;
use crate::Failure;
use crate::json::Writer;
use crate::query::{Query, every};

/// Values in one list.
const LISTED: usize = 100;
/// Bytes of one value.
const VALUE: usize = 2048;
/// What a cursor begins with; the second in which the next time begins follows, in hexadecimal.
const CURSOR: &str = "page_";

/// Which usage is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUsage {
    /// Seconds in each time: 60, 3600 or 86400.
    pub width: u64,
    /// The second in which the first time begins.
    pub from: u64,
    /// The second before which the last time begins; now, if none is said.
    pub until: Option<u64>,
    /// At most so many times.
    pub limit: u64,
    /// What is told apart.
    pub group: UsageBy,
    /// Principals' ARNs; empty for all.
    pub users: Vec<String>,
    /// Models; empty for all.
    pub models: Vec<String>,
    /// Inference profiles' ARNs; empty for all, and for what named none.
    pub projects: Vec<String>,
    /// Whether only batch jobs are asked for, of which there are none.
    pub batch_only: bool,
}

/// What usage is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageBy {
    /// `project_id`
    pub project: bool,
    /// `user_id`
    pub user: bool,
    /// `model`
    pub model: bool,
    /// `batch`: nothing is.
    pub batch: bool,
    /// `service_tier`: always the default one.
    pub tier: bool,
    /// `api_source`: always unlabelled.
    pub source: bool,
}

/// What was taken in one time, by one group of those that are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageResult {
    /// The inference profile's ARN.
    pub project: Option<String>,
    /// The principal's ARN.
    pub user: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Requests.
    pub requests: u64,
    /// Tokens of prompts.
    pub input: u64,
    /// Of those, the ones that were in the prefix cache.
    pub cached: u64,
    /// Tokens of answers.
    pub output: u64,
}

/// Times, with what was taken in each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsagePage {
    /// The second in which each time begins, and what was taken in it.
    pub times: Vec<(u64, Vec<UsageResult>)>,
    /// The second in which the next one begins, if there is more.
    pub next: Option<u64>,
}

impl GetUsage {
    /// Reads the query of a request.
    ///
    /// # Errors
    /// [`Failure::Invalid`] naming the parameter.
    pub fn parse(raw_query: &str) -> Result<Self, Failure> {
        let query = Query::of_url(raw_query)?;
        let (width, usual, most) = match query.get("bucket_width") {
            Some("1m") => (60, 60, 1440),
            Some("1h") => (3600, 24, 168),
            None | Some("1d") => (86_400, 7, 31),
            Some(_) => return Err(wrong("bucket_width", "expected 1m, 1h or 1d")),
        };
        let limit = match number(&query, "limit")? {
            None => usual,
            Some(limit) if (1..=most).contains(&limit) => limit,
            Some(_) => return Err(wrong("limit", "it is out of the range for this bucket_width")),
        };
        let start = number(&query, "start_time")?;
        let start = start.ok_or_else(|| wrong("start_time", "it is required, in seconds since 1970"))?;
        let until = number(&query, "end_time")?;
        if until.is_some_and(|until| until <= start) {
            return Err(wrong("end_time", "it has to be after start_time"));
        }
        let first = start.saturating_sub(start % width);
        let from = match query.get("page") {
            None => first,
            Some(cursor) => after(cursor, (first, width))?,
        };
        if !list(raw_query, "api_key_ids")?.is_empty() {
            let message = "usage is kept by principal, not by key: filter by user_ids";
            return Err(wrong("api_key_ids", message));
        }
        Ok(Self {
            width,
            from,
            until,
            limit,
            group: group(&list(raw_query, "group_by")?)?,
            users: list(raw_query, "user_ids")?,
            models: list(raw_query, "models")?,
            projects: list(raw_query, "project_ids")?,
            batch_only: match query.get("batch") {
                None | Some("false") => false,
                Some("true") => true,
                Some(_) => return Err(wrong("batch", "expected true or false")),
            },
        })
    }

    /// The second in which the last time has ended at the latest, of those that are asked for.
    #[must_use]
    pub fn end(&self, now: Timestamp) -> u64 {
        let until = self.until.unwrap_or_else(|| now.unix_seconds().saturating_add(1));
        let most = self.limit.saturating_mul(self.width).saturating_add(self.from);
        let whole = until.div_ceil(self.width).saturating_mul(self.width);
        whole.min(most).max(self.from)
    }

    /// The second in which the first time begins that is not told, if there is one.
    #[must_use]
    pub fn next(&self, end: u64, now: Timestamp) -> Option<u64> {
        let until = self.until.unwrap_or_else(|| now.unix_seconds().saturating_add(1));
        (end < until).then_some(end)
    }

    /// The reply on the wire.
    #[must_use]
    pub fn reply(&self, page: &UsagePage) -> ContentBytes {
        let mut w = Writer::new();
        w.object(|w| {
            w.text("object", "page");
            w.key("data").array(|w| {
                for (from, results) in &page.times {
                    self.write_time(w, *from, results);
                }
            });
            w.fixed("has_more", if page.next.is_some() { "true" } else { "false" });
            let next = page.next.map(|next| format!("{CURSOR}{next:x}"));
            w.text_or_null("next_page", next.as_deref());
        });
        w.finish()
    }

    fn write_time(&self, w: &mut Writer, from: u64, results: &[UsageResult]) {
        w.object(|w| {
            w.text("object", "bucket");
            w.number("start_time", from);
            w.number("end_time", from.saturating_add(self.width));
            w.key("results").array(|w| {
                for result in results {
                    self.write_result(w, result);
                }
            });
        });
    }

    fn write_result(&self, w: &mut Writer, result: &UsageResult) {
        w.object(|w| {
            w.text("object", "organization.usage.completions.result");
            w.number("input_tokens", result.input);
            w.number("output_tokens", result.output);
            w.number("input_cached_tokens", result.cached);
            w.number("input_audio_tokens", 0);
            w.number("output_audio_tokens", 0);
            w.number("num_model_requests", result.requests);
            w.text_or_null("project_id", result.project.as_deref());
            w.text_or_null("user_id", result.user.as_deref());
            w.text_or_null("api_key_id", None);
            w.text_or_null("model", result.model.as_deref());
            w.fixed("batch", if self.group.batch { "false" } else { "null" });
            w.text_or_null("service_tier", self.group.tier.then_some("default"));
            w.text_or_null("api_source", self.group.source.then_some("unlabeled"));
        });
    }
}

/// The second that a cursor names: a beginning of one of these times.
fn after(cursor: &str, (first, width): (u64, u64)) -> Result<u64, Failure> {
    let digits = cursor.strip_prefix(CURSOR).filter(|digits| digits.len() <= 10);
    let second = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let fits = |second: &u64| *second >= first && second.checked_rem(width) == Some(0);
    second
        .filter(fits)
        .ok_or_else(|| wrong("page", "it is no next_page of this query"))
}

fn group(names: &[String]) -> Result<UsageBy, Failure> {
    let mut by = UsageBy::default();
    for name in names {
        match name.as_str() {
            "project_id" => by.project = true,
            "user_id" => by.user = true,
            "model" => by.model = true,
            "batch" => by.batch = true,
            "service_tier" => by.tier = true,
            "api_source" => by.source = true,
            // There are none to tell apart.
            "api_key_id" => {}
            _ => {
                let message =
                    "expected project_id, user_id, api_key_id, model, batch, service_tier or api_source";
                return Err(wrong("group_by", message));
            }
        }
    }
    Ok(by)
}

fn number(query: &Query, name: &'static str) -> Result<Option<u64>, Failure> {
    let Some(text) = query.get(name) else {
        return Ok(None);
    };
    // Times end with the year 9999.
    let number = text.parse().ok().filter(|number| *number <= 253_402_300_799);
    number
        .map(Some)
        .ok_or_else(|| wrong(name, "expected a whole number"))
}

fn list(raw_query: &str, name: &'static str) -> Result<Vec<String>, Failure> {
    let values = every(raw_query, name)?;
    if values.len() > LISTED || values.iter().any(|value| value.len() > VALUE) {
        return Err(wrong(name, "there are at most 100 values of at most 2048 bytes"));
    }
    Ok(values)
}

fn wrong(name: &'static str, why: &str) -> Failure {
    invalid(format!("Invalid '{name}': {why}."), name, "invalid_value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(query: &str) -> GetUsage {
        GetUsage::parse(query).unwrap()
    }

    fn refused(query: &str) -> String {
        match GetUsage::parse(query) {
            Err(Failure::Invalid { param, .. }) => param.unwrap(),
            other => panic!("{query}: {other:?}"),
        }
    }

    #[test]
    fn a_query_of_openai_s_client_is_read() {
        let usage = parse(
            "start_time=1700000050&bucket_width=1h&group_by[]=model&group_by%5B%5D=user_id&limit=3&models[]=a&models[]=b",
        );
        assert_eq!((usage.width, usage.from, usage.limit), (3600, 1_699_999_200, 3));
        assert!(usage.group.model && usage.group.user && !usage.group.project);
        assert_eq!(usage.models, ["a", "b"]);
        assert_eq!(parse("start_time=0").limit, 7);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, param) in [
            ("", "start_time"),
            ("start_time=-1", "start_time"),
            ("start_time=99999999999999", "start_time"),
            ("start_time=10&end_time=10", "end_time"),
            ("start_time=10&bucket_width=1w", "bucket_width"),
            ("start_time=10&limit=32", "limit"),
            ("start_time=10&limit=0", "limit"),
            ("start_time=10&group_by=tenant", "group_by"),
            ("start_time=10&batch=maybe", "batch"),
            ("start_time=10&api_key_ids=k", "api_key_ids"),
            ("start_time=86400&page=page_0", "page"),
            ("start_time=0&page=page_7", "page"),
            ("start_time=0&page=page_fffffffffffffffff", "page"),
            ("start_time=0&page=0", "page"),
        ] {
            assert_eq!(refused(query), param, "{query}");
        }
        let many = "&models=m".repeat(101);
        assert_eq!(refused(&format!("start_time=0{many}")), "models");
    }

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let now = Timestamp::from_unix_seconds(10 * 86_400 + 5);
        let first = parse("start_time=5&limit=4");
        let end = first.end(now);
        assert_eq!(
            (first.from, end, first.next(end, now)),
            (0, 4 * 86_400, Some(4 * 86_400))
        );
        let body = first.reply(&UsagePage {
            times: vec![],
            next: first.next(end, now),
        });
        let text = String::from_utf8(body.expose().to_vec()).unwrap();
        let cursor = text.split("page_").nth(1).unwrap().split('"').next().unwrap();
        let last = parse(&format!("start_time=5&limit=31&page=page_{cursor}"));
        let end = last.end(now);
        assert_eq!(
            (last.from, end, last.next(end, now)),
            (4 * 86_400, 11 * 86_400, None)
        );
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "[a-z_=&%0-9\\[\\]]{0,80}", more in "\\PC{0,40}") {
            for query in [query.clone(), format!("start_time=7&{query}"), format!("start_time=7&page={more}")] {
                if let Ok(usage) = GetUsage::parse(&query) {
                    let now = Timestamp::from_unix_seconds(1_795_312_800);
                    let end = usage.end(now);
                    prop_assert!(end >= usage.from);
                    prop_assert!((end - usage.from) / usage.width <= usage.limit);
                }
            }
        }
    }
}
