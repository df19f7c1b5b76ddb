//! `moho audit`: who did what, for people and programs, with proofs for those who believe neither.
//!
//! It asks a running moho as any client does, with the credentials that `moho credentials` or `moho login` printed.

mod explained;
mod proof;
mod shown;
mod told;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use moho_terms::Timestamp;

use self::proof::Believed;
use self::shown::Format;
use self::told::{Page, Record};
use super::client::{self, Client, refused};
use super::sts::encoded;
use super::{Exit, Failure, say};

/// How it is called.
const COMMAND: &str = "moho audit";
/// Records in one answer.
const AT_ONCE: usize = 1000;
/// Seconds between two looks for more.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) fn command(placed: &dyn Fn(Command) -> Command) -> Command {
    let with_form = |command| placed(with_form(command));
    Command::new("audit")
        .about("Shows who did what: the journal's decisions and calls, searched and proven")
        .long_about(
            "Shows what the journal has: every decision with the policy and statement that decided, every call with what came of it, \
             failed authentications, what moho did by itself, and what was done to the installation.\n\nIt asks a moho that runs, with the \
             credentials of the environment: OPENAI_API_KEY or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as \
             `moho credentials` and `moho login` print them. It takes leave for moho:ReadJournal on \
             arn:aws:moho:REGION:ACCOUNT:journal/*, and for bedrock-mantle:CallWithBearerToken. Principals of the management account see all of it, others what concerns their \
             account.\n\nWith --proof every record comes with the proof that it is in the log which moho publishes (/v1/log/), and the \
             proof is checked here before the record is shown: against the log's key, which --key names, or which moho is asked for.",
        )
        .after_help(
            "Examples:\n  moho audit tail -n 50 --follow\n  moho audit search --principal role/Reader --outcome deny --from 2026-11-01\n  \
             moho audit search --resource key/1234 --format csv > key.csv\n  moho audit explain 5d0ff6fd-4e3e-4a0b-8d26-6ef1c8c5ff3b\n  moho \
             audit search --action kms:Decrypt --proof --format json",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            with_form(Command::new("tail").about("The last records, and those that come").args([
                Arg::new("lines")
                    .short('n')
                    .long("lines")
                    .value_name("N")
                    .value_parser(value_parser!(u16))
                    .default_value("20")
                    .help("How many of the last"),
                Arg::new("follow")
                    .short('f')
                    .long("follow")
                    .action(ArgAction::SetTrue)
                    .help("Goes on with those that come, until it is ended"),
            ])),
            with_form(Command::new("search").about("Records by principal, resource, action, outcome and time").args(searched())),
            with_form(
                Command::new("explain")
                    .about("Why a request was allowed or denied: each decision, the policy and the statement that decided")
                    .arg(
                        Arg::new("request")
                            .value_name("REQUEST-ID")
                            .required(true)
                            .help("The id that the reply had: x-request-id, x-amzn-requestid, or an SDK's RequestId"),
                    ),
            ),
        ])
}

/// By what records are looked for.
fn searched() -> [Arg; 8] {
    let by = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    [
        by(
            "principal",
            "TEXT",
            "Whose ARN has this in it, such as role/Reader",
        ),
        by("resource", "TEXT", "On what: its ARN has this in it"),
        by("action", "ACTION", "Such as kms:Decrypt, kms:* or CreateKey"),
        by(
            "outcome",
            "WORD",
            "allow, deny, unauthenticated; or call, data-event, service-event, finding",
        ),
        by("request", "ID", "In which request"),
        by(
            "from",
            "TIME",
            "Not before, such as 2026-11-23, 2026-11-23T10:00:00Z or 3h (ago)",
        ),
        by("to", "TIME", "Not after"),
        Arg::new("limit")
            .long("limit")
            .value_name("N")
            .value_parser(value_parser!(u32))
            .default_value("1000")
            .help("At most so many, the newest"),
    ]
}

/// How records are shown, whether they are proven, and where moho is.
fn with_form(command: Command) -> Command {
    command
        .args([
            Arg::new("format")
                .long("format")
                .value_name("FORM")
                .value_parser(value_parser!(Format))
                .default_value("table")
                .help("How records are shown"),
            Arg::new("proof")
                .long("proof")
                .action(ArgAction::SetTrue)
                .help("Checks that each is in the published log, and shows the proof"),
            Arg::new("key")
                .long("key")
                .value_name("KEY")
                .help("The log's key, NAME+ID+KEY, for --proof; else moho is asked for it"),
        ])
        .args(client::given())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let Some((which, asked)) = matches.subcommand() else {
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    runtime.block_on(async {
        let asking = Asking::of(asked).await?;
        match which {
            "tail" => asking.tail(asked).await,
            "search" => asking.search(asked).await,
            _ => asking.explain(asked).await,
        }
    })
}

struct Asking {
    client: Client,
    format: Format,
    /// Whom proofs are checked by, if they are asked for.
    believed: Option<Believed>,
}

impl Asking {
    async fn of(asked: &ArgMatches) -> Result<Self, Failure> {
        let client = Client::of(asked)?;
        let believed = if asked.get_flag("proof") {
            let named = asked.get_one::<String>("key").cloned();
            let key = match named {
                Some(key) => key,
                None => client.text("/v1/log/key").await?,
            };
            Some(Believed::new(&key)?)
        } else {
            None
        };
        Ok(Self {
            client,
            format: asked.get_one::<Format>("format").copied().unwrap_or_default(),
            believed,
        })
    }

    /// A page of records, each proven if that was asked for.
    async fn page(&self, query: &str) -> Result<Page, Failure> {
        let proof = if self.believed.is_some() {
            "&proof=true"
        } else {
            ""
        };
        let page = self
            .client
            .get(&format!("/v1/audit/records?{query}{proof}"))
            .await?;
        let page: Page = page.map_err(|no| refused(&no, COMMAND))?;
        if let Some(believed) = &self.believed {
            for record in &page.data {
                believed.check(record)?;
            }
        }
        Ok(page)
    }

    async fn tail(&self, asked: &ArgMatches) -> Result<(), Failure> {
        let lines = asked
            .get_one::<u16>("lines")
            .copied()
            .unwrap_or(20)
            .clamp(1, 1000);
        let last = self.page(&format!("order=desc&limit={lines}")).await?;
        let mut records = last.data;
        records.reverse();
        self.begin()?;
        self.show(&records)?;
        let mut after = last.size;
        while asked.get_flag("follow") {
            tokio::time::sleep(LOOK).await;
            let page = self.page(&format!("after={after}&limit={AT_ONCE}")).await?;
            after = page.next.unwrap_or(page.size).max(after);
            self.show(&page.data)?;
        }
        Ok(())
    }

    async fn search(&self, asked: &ArgMatches) -> Result<(), Failure> {
        let mut query = String::from("order=desc");
        for (name, parameter) in [
            ("principal", "principal"),
            ("resource", "resource"),
            ("action", "action"),
            ("outcome", "outcome"),
            ("request", "request_id"),
        ] {
            if let Some(text) = asked.get_one::<String>(name) {
                query.push_str(&format!("&{parameter}={}", encoded(text)));
            }
        }
        let now = moho_terms::Clock::now(&crate::system::SystemClock);
        for name in ["from", "to"] {
            if let Some(text) = asked.get_one::<String>(name) {
                let time = moment(text, now, name == "to").ok_or_else(|| {
                    Failure::new(
                        Exit::Usage,
                        anyhow::anyhow!("--{name} {text} is no time: 2026-11-23, 2026-11-23T10:00:00Z or 3h"),
                    )
                })?;
                query.push_str(&format!("&{name}={}", time.unix_seconds()));
            }
        }
        let limit = asked.get_one::<u32>("limit").copied().unwrap_or(1000);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut records: Vec<Record> = Vec::new();
        let mut before: Option<u64> = None;
        loop {
            let left = limit.saturating_sub(records.len()).clamp(1, AT_ONCE);
            let place = before
                .map(|before| format!("&before={before}"))
                .unwrap_or_default();
            let page = self.page(&format!("{query}&limit={left}{place}")).await?;
            records.extend(page.data);
            before = page.next;
            if before.is_none() || records.len() >= limit {
                break;
            }
        }
        records.reverse();
        self.begin()?;
        self.show(&records)
    }

    async fn explain(&self, asked: &ArgMatches) -> Result<(), Failure> {
        let request = asked.get_one::<String>("request").cloned().unwrap_or_default();
        let mut records = Vec::new();
        let mut before: Option<u64> = None;
        loop {
            let place = before
                .map(|before| format!("&before={before}"))
                .unwrap_or_default();
            let query = format!(
                "order=desc&limit={AT_ONCE}&details=true&request_id={}{place}",
                encoded(&request)
            );
            let page = self.page(&query).await?;
            records.extend(page.data);
            before = page.next;
            // All of a request is close together.
            if before.is_none() || !records.is_empty() {
                break;
            }
        }
        records.reverse();
        if records.is_empty() {
            return Err(Failure::new(
                Exit::Failed,
                anyhow::anyhow!(
                    "the journal has nothing of request {} that you may see",
                    request.escape_debug()
                ),
            ));
        }
        match self.format {
            Format::Table => say(&explained::explained(&records)),
            Format::Json | Format::Csv => {
                self.begin()?;
                self.show(&records)
            }
        }
    }

    fn begin(&self) -> Result<(), Failure> {
        match self.format.begin() {
            Some(line) => say(&line),
            None => Ok(()),
        }
    }

    fn show(&self, records: &[Record]) -> Result<(), Failure> {
        if records.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = records.iter().map(|record| self.format.line(record)).collect();
        say(&lines.join("\n"))
    }
}

/// A moment as people say it: a day, a time, or how long ago. Of a day its end, if it is said until when.
fn moment(text: &str, now: Timestamp, end: bool) -> Option<Timestamp> {
    if let Some((number, unit)) = text.split_at_checked(text.len().saturating_sub(1))
        && let Some(seconds) = match unit {
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3600),
            "d" => Some(86_400),
            _ => None,
        }
    {
        let ago = number.parse::<u64>().ok()?.checked_mul(seconds)?;
        return Some(Timestamp::from_unix_seconds(
            now.unix_seconds().saturating_sub(ago),
        ));
    }
    let basic = text.replace(['-', ':'], "");
    if basic.len() == 8 {
        let time = if end { "T235959Z" } else { "T000000Z" };
        return Timestamp::parse_iso8601_basic(&format!("{basic}{time}")).ok();
    }
    let zone = if basic.ends_with('Z') { "" } else { "Z" };
    Timestamp::parse_iso8601_basic(&format!("{basic}{zone}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_in_many_ways() {
        let at = |text: &str| Timestamp::parse_iso8601_basic(text).ok();
        let now = at("20261123T120000Z").unwrap();
        assert_eq!(moment("3h", now, false), at("20261123T090000Z"));
        assert_eq!(moment("1d", now, false), at("20261122T120000Z"));
        assert_eq!(moment("2026-11-23", now, false), at("20261123T000000Z"));
        assert_eq!(moment("2026-11-23", now, true), at("20261123T235959Z"));
        assert_eq!(moment("2026-11-23T10:00:00Z", now, false), at("20261123T100000Z"));
        assert_eq!(moment("2026-11-23T10:00:00", now, false), at("20261123T100000Z"));
        for wrong in ["", "h", "-1h", "yesterday", "2026-13-01", "99999999999999999999d"] {
            assert_eq!(moment(wrong, now, false), None, "{wrong}");
        }
    }
}
