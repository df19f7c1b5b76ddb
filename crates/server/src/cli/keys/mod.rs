//! `moho keys`: the keys of an account, who can use each and why, and what is sealed under each, before one is disabled or
//! deleted.
//!
//! It asks a running moho as any client does, with the credentials that `moho credentials` or `moho login` printed, so that it
//! shows nobody more than they may see.

mod client;
mod shown;
mod told;

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use self::client::{Client, Refused};
use self::told::{Key, Page};
use super::{Exit, Failure, say, surroundings, typed};
use crate::config;

/// Keys whose users are told in one list; of the others only what is sealed under them.
const MOST_DETAILED: usize = 100;

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
            Arg::new("endpoint")
                .long("endpoint")
                .value_name("URL")
                .env("MOHO_ENDPOINT")
                .help("Where moho is, such as https://moho.example.com:8443"),
            Arg::new("ca-file")
                .long("ca-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Authority to trust for moho's certificate, in PEM; else AWS_CA_BUNDLE, SSL_CERT_FILE, the data directory's, the system's"),
        ])
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let data = config::data(&typed(matches)?, &surroundings())?;
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let ca = matches.get_one::<PathBuf>("ca-file").cloned();
    let client = Client::found(&data, text("endpoint"), ca).map_err(Failure::of(Exit::Usage))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let told = match text("key") {
        Some(key) => {
            let found = runtime.block_on(client.key(&key))?;
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

/// All keys of the account, with all that the caller may see of each.
async fn every(client: &Client) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page: Page = client.page(after.as_deref()).await?;
        after = page.last_id.filter(|_| page.has_more);
        keys.extend(page.data);
        if after.is_none() {
            break;
        }
    }
    for key in keys.iter_mut().filter(|key| key.exists).take(MOST_DETAILED) {
        match client.asked_key(&key.id).await? {
            Ok(whole) => *key = whole,
            Err(Refused { message, .. }) => key.not_shown = Some(message),
        }
    }
    Ok(keys)
}
