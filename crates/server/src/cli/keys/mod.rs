//! `moho keys`: the keys of an account, who can use each and why, and what is sealed under each, before one is disabled or
//! deleted.
//!
//! It asks a running moho as any client does, with the credentials that `moho credentials` or `moho login` printed, so that it
//! shows nobody more than they may see.

mod shown;
mod told;

use clap::{Arg, ArgAction, ArgMatches, Command};

use self::told::{Key, Page};
use super::client::{self, Client, Refused, refused};
use super::sts::encoded;
use super::{Exit, Failure, say};

/// Keys whose users are told in one list; of the others only what is sealed under them.
const MOST_DETAILED: usize = 100;

/// How it is called.
const COMMAND: &str = "moho keys";

pub(super) fn command() -> Command {
    Command::new("keys")
        .about("Shows the account's keys: who can use each and why, and what is sealed under each")
        .long_about(
            "Shows the keys of the caller's account (KMS): their aliases and states, which roles and users can use and manage \
             each, by which statement of which policy or by which grant, and what moho keeps sealed under each. So it is known \
             what disabling or deleting a key does before it is done.\n\nIt asks a moho that runs, with the credentials of the \
             environment: OPENAI_API_KEY or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, as `moho \
             credentials` and `moho login` print them. Where moho is, --endpoint says, else OPENAI_BASE_URL or \
             AWS_ENDPOINT_URL, else the data directory.\n\nThe list takes leave for kms:ListKeys; who can use a key for \
             kms:DescribeKey, kms:GetKeyPolicy and kms:ListGrants on it, and for iam:GetAccountAuthorizationDetails. What was \
             encrypted under a key and is kept elsewhere, moho does not know.",
        )
        .after_help(
            "Examples:\n  eval \"$(moho credentials --role Admin)\" && moho keys\n  moho keys alias/finance\n  moho keys --json | jq \
             '.[] | select(.sealed != [])'",
        )
        .args([
            Arg::new("key")
                .value_name("KEY")
                .help("One key: its id, its ARN or alias/NAME; else all of the account"),
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Everything, for programs"),
        ])
        .args(client::given())
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let client = Client::of(matches)?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let told = match text("key") {
        Some(key) => {
            let found = runtime
                .block_on(asked_key(&client, &key))?
                .map_err(|no| refused(&no, COMMAND))?;
            if matches.get_flag("json") {
                json(&found)?
            } else {
                format!("{}\n\n{}", shown::key(&found, true), shown::consequences(&found))
            }
        }
        None => {
            let keys = runtime.block_on(every(&client))?;
            if matches.get_flag("json") {
                json(&keys)?
            } else {
                shown::keys(&keys)
            }
        }
    };
    say(&told)
}

fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    super::credentials::json(value).map_err(Failure::of(Exit::Failed))
}

/// A page of the list.
async fn page(client: &Client, after: Option<&str>) -> Result<Page, Failure> {
    let query = after
        .map(|after| format!("&after={}", encoded(after)))
        .unwrap_or_default();
    let page = client.get(&format!("/v1/keys?limit=1000{query}")).await?;
    page.map_err(|no| refused(&no, COMMAND))
}

/// One key, or why it is not shown.
async fn asked_key(client: &Client, name: &str) -> Result<Result<Key, Refused>, Failure> {
    client.get(&format!("/v1/keys/{}", encoded(name))).await
}

/// All keys of the account, with all that the caller may see of each.
async fn every(client: &Client) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page: Page = page(client, after.as_deref()).await?;
        after = page.last_id.filter(|_| page.has_more);
        keys.extend(page.data);
        if after.is_none() {
            break;
        }
    }
    for key in keys.iter_mut().filter(|key| key.exists).take(MOST_DETAILED) {
        match asked_key(client, &key.id).await? {
            Ok(whole) => *key = whole,
            Err(Refused { message, .. }) => key.not_shown = Some(message),
        }
    }
    Ok(keys)
}
