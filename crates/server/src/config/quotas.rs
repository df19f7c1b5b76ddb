//! The tables `[[quotas]]` of the settings file: whom each is for, and how much they may use.
//!
//! They stand in the file only, as no flag or variable could hold them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::ConfigError;
use crate::quota::{Caps, Limits, Quota, Tag};

/// Their key in the settings file.
pub(super) const KEY: &str = "quotas";
/// Quotas in one file: each costs every question a comparison.
const MOST: usize = 256;
/// Bytes of a pattern.
const PATTERN: usize = 2048;

/// Every key of a table, and what it means.
pub(super) const KEYS: [(&str, &str); 12] = [
    ("principal", "ARN of roles and users, where `*` is any characters and `?` is one: each is counted apart"),
    ("tag", "`KEY` or `KEY=VALUE`: principals with this tag, each value counted apart"),
    ("model", "id of models, with `*` and `?`: each is counted apart"),
    ("requests_per_minute", "requests in any sixty seconds"),
    ("requests_per_day", "requests in a day of UTC"),
    ("input_tokens_per_minute", "tokens of prompts in any sixty seconds"),
    ("input_tokens_per_day", "tokens of prompts in a day of UTC"),
    ("output_tokens_per_minute", "tokens of answers in any sixty seconds"),
    ("output_tokens_per_day", "tokens of answers in a day of UTC"),
    ("tokens_per_minute", "tokens of both in any sixty seconds"),
    ("tokens_per_day", "tokens of both in a day of UTC"),
    ("concurrent_sequences", "answers that are being written, or wait for it, at once"),
];

/// The tables as text.
pub(super) fn tables(value: &Value) -> Result<Vec<BTreeMap<String, String>>, ConfigError> {
    let wrong = || problem("`quotas` in the settings file".to_owned(), "expected tables: `[[quotas]]`");
    let Value::Array(tables) = value else { return Err(wrong()) };
    if tables.len() > MOST {
        let place = "`quotas` in the settings file".to_owned();
        return Err(problem(place, "there may be 256 of them at most"));
    }
    let tables = (1..).zip(tables).map(|(number, value)| match value {
        Value::Table(table) => lines(number, table),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_)
        | Value::Array(_) => Err(wrong()),
    });
    tables.collect()
}

fn lines(number: usize, table: &Table) -> Result<BTreeMap<String, String>, ConfigError> {
    let lines = table.iter().map(|(key, value)| {
        if !KEYS.iter().any(|(known, _)| known == key) {
            return Err(ConfigError::Unknown {
                key: format!("{KEY}.{key}"),
                nearest: nearest(key),
            });
        }
        match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Integer(number) => Ok((key.clone(), number.to_string())),
            Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                Err(problem(place(number, key), "expected a text or a whole number"))
            }
        }
    });
    lines.collect()
}

/// The key that is spelled most like it, if any is near.
fn nearest(key: &str) -> Option<String> {
    let near = KEYS.iter().map(|(known, _)| (super::settings::edits(key, known), known));
    let (distance, known) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 3).then(|| format!("{KEY}.{known}"))
}

/// What the tables mean.
pub(super) fn read(tables: &[BTreeMap<String, String>]) -> Result<Vec<Quota>, ConfigError> {
    let mut quotas: Vec<Quota> = Vec::new();
    for (number, table) in (1..).zip(tables) {
        let quota = quota(number, table)?;
        let whole = format!("`quotas` ({number}) in the settings file");
        if quota.limits.are_empty() {
            return Err(problem(whole, "it limits nothing: set at least one of its numbers"));
        }
        if quotas.iter().any(|other| other.selects() == quota.selects()) {
            return Err(problem(whole, "another one is for the same principals, tags and models: make one of them"));
        }
        quotas.push(quota);
    }
    Ok(quotas)
}

fn quota(number: usize, table: &BTreeMap<String, String>) -> Result<Quota, ConfigError> {
    let pattern = |key: &str| match table.get(key) {
        Some(text) if text.is_empty() || text.len() > PATTERN => {
            Err(problem(place(number, key), "expected a pattern of 1 to 2048 bytes"))
        }
        text => Ok(text.cloned()),
    };
    let amount = |key: &str| match table.get(key).map(|text| text.parse::<u64>()) {
        None => Ok(None),
        // The store keeps counts in 63 bits.
        Some(Ok(amount)) if amount <= u64::MAX / 4 => Ok(Some(amount)),
        Some(_) => Err(problem(place(number, key), "expected a whole number from 0")),
    };
    let caps = |per: &str| {
        Ok::<_, ConfigError>(Caps {
            requests: amount(&format!("requests_per_{per}"))?,
            input: amount(&format!("input_tokens_per_{per}"))?,
            output: amount(&format!("output_tokens_per_{per}"))?,
            tokens: amount(&format!("tokens_per_{per}"))?,
        })
    };
    Ok(Quota {
        principal: pattern("principal")?,
        tag: pattern("tag")?.map(|text| tag(&text)),
        model: pattern("model")?,
        limits: Limits {
            minute: caps("minute")?,
            day: caps("day")?,
            sequences: amount("concurrent_sequences")?,
        },
    })
}

fn tag(text: &str) -> Tag {
    match text.split_once('=') {
        Some((key, value)) => Tag {
            key: key.to_owned(),
            value: Some(value.to_owned()),
        },
        None => Tag {
            key: text.to_owned(),
            value: None,
        },
    }
}

fn place(number: usize, key: &str) -> String {
    format!("`{KEY}.{key}` ({number}) in the settings file")
}

fn problem(place: String, problem: &str) -> ConfigError {
    ConfigError::Value {
        place,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Typed;

    fn read_file(text: &str) -> Result<Vec<Quota>, String> {
        let typed = Typed::from_file(text).map_err(|error| error.to_string())?;
        read(typed.quotas()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_says_whom_it_is_for_and_how_much() {
        let quotas = read_file(
            "[[quotas]]\nprincipal = \"arn:aws:iam::*:role/Dev*\"\nmodel = \"small-*\"\nrequests_per_minute = 60\n\
             tokens_per_day = 1000\n[[quotas]]\ntag = \"team=red\"\nconcurrent_sequences = 0\n[[quotas]]\ntag = \"team\"\n\
             output_tokens_per_minute = 5",
        );
        let quotas = quotas.unwrap();
        let said: Vec<String> = quotas.iter().map(Quota::selects).collect();
        assert_eq!(
            said,
            ["principal `arn:aws:iam::*:role/Dev*`, model `small-*`", "tag `team=red`", "tag `team`"]
        );
        let first = &quotas[0].limits;
        assert_eq!((first.minute.requests, first.day.tokens, first.sequences), (Some(60), Some(1000), None));
        assert_eq!(quotas[1].limits.sequences, Some(0));
        assert_eq!(quotas[2].limits.minute.output, Some(5));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |text: &str| read_file(text).unwrap_err();
        for (text, expected) in [
            ("quotas = 3", "`[[quotas]]`"),
            ("quotas = [3]", "`[[quotas]]`"),
            ("[quotas]\nmodel = \"m\"", "`[[quotas]]`"),
            ("[[quotas]]\nmodel = \"m\"", "it limits nothing"),
            ("[[quotas]]\nrequest_per_day = 3", "`quotas.requests_per_day`"),
            ("[[quotas]]\nrequests_per_day = -3", "`quotas.requests_per_day` (1)"),
            ("[[quotas]]\nrequests_per_day = 1.5", "whole number"),
            ("[[quotas]]\nmodel = \"\"\nrequests_per_day = 3", "pattern"),
            ("[[quotas]]\nrequests_per_day = 3\n[[quotas]]\ntokens_per_day = 3", "(2)"),
        ] {
            assert!(said(text).contains(expected), "{text}: {}", said(text));
        }
    }
}
