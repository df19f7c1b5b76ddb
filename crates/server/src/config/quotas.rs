//! Quotas: whom each is for, and how much they may use.

use moho_iam::policy::TextPattern;

use super::ConfigError;
use super::resolve::{each, wrong};
use super::typed::{Typed, TypedTable};
use crate::quota::{Caps, Limits, Quota, Tag};

/// Quotas in one file: each costs every question a comparison.
const MOST: usize = 256;
/// Bytes of a pattern.
const PATTERN: usize = 2048;

/// What the tables mean.
pub(super) fn resolve(typed: &Typed) -> Result<Vec<Quota>, ConfigError> {
    let tables = typed.tables("quotas");
    if tables.len() > MOST {
        return Err(wrong(
            "`quotas` in the settings file",
            &"there may be 256 of them at most",
        ));
    }
    let mut quotas: Vec<Quota> = Vec::new();
    for table in tables {
        let quota = quota(table)?;
        if quota.limits.are_empty() {
            return Err(wrong(
                &table.place,
                &"it limits nothing: set at least one of its numbers",
            ));
        }
        if quotas.iter().any(|other| other.selects() == quota.selects()) {
            let twice = "another one is for the same principals, tags and models: make one of them";
            return Err(wrong(&table.place, &twice));
        }
        quotas.push(quota);
    }
    Ok(quotas)
}

fn quota(table: &TypedTable) -> Result<Quota, ConfigError> {
    let pattern = |key: &str| {
        let patterns = each(table.get(key), |text| {
            let fits = !text.is_empty() && text.len() <= PATTERN;
            fits.then(|| TextPattern::new(text))
                .flatten()
                .ok_or("expected a pattern of 1 to 2048 bytes")
        })?;
        Ok::<_, ConfigError>(patterns.into_iter().next())
    };
    let amount = |key: &str| {
        let amounts = each(table.get(key), |text| {
            // The store keeps counts in 63 bits.
            let amount = text.parse::<u64>().ok().filter(|amount| *amount <= u64::MAX / 4);
            amount.ok_or("expected a whole number from 0")
        })?;
        Ok::<_, ConfigError>(amounts.into_iter().next())
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
        tag: each(table.get("tag"), tag)?.into_iter().next(),
        model: pattern("model")?,
        limits: Limits {
            minute: caps("minute")?,
            day: caps("day")?,
            sequences: amount("concurrent_sequences")?,
        },
    })
}

fn tag(text: &str) -> Result<Tag, &'static str> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    let fits = (1..=128).contains(&key.chars().count());
    let tag = Tag {
        key: key.to_owned(),
        value,
    };
    fits.then_some(tag)
        .ok_or("expected KEY or KEY=VALUE, the key having 1 to 128 characters")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Typed;

    fn read_file(text: &str) -> Result<Vec<Quota>, String> {
        let typed = Typed::from_file(text).map_err(|error| error.to_string())?;
        resolve(&typed).map_err(|error| error.to_string())
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
            [
                "principal `arn:aws:iam::*:role/Dev*`, model `small-*`",
                "tag `team=red`",
                "tag `team`"
            ]
        );
        let first = &quotas[0].limits;
        assert_eq!(
            (first.minute.requests, first.day.tokens, first.sequences),
            (Some(60), Some(1000), None)
        );
        assert_eq!(quotas[1].limits.sequences, Some(0));
        assert_eq!(quotas[2].limits.minute.output, Some(5));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let said = |text: &str| read_file(text).unwrap_err();
        for (text, expected) in [
            ("quotas = 3", "array of tables"),
            ("quotas = [3]", "expected a table"),
            ("[quotas]\nmodel = \"m\"", "array of tables"),
            ("[[quotas]]\nmodel = \"m\"", "it limits nothing"),
            ("[[quotas]]\nrequest_per_day = 3", "quotas.requests_per_day"),
            (
                "[[quotas]]\nrequests_per_day = -3",
                "`requests_per_day` of the 1.",
            ),
            ("[[quotas]]\nrequests_per_day = 1.5", "whole number"),
            ("[[quotas]]\nmodel = \"\"\nrequests_per_day = 3", "pattern"),
            ("[[quotas]]\ntag = \"=red\"\nrequests_per_day = 3", "KEY"),
            (
                "[[quotas]]\nrequests_per_day = 3\n[[quotas]]\ntokens_per_day = 3",
                "the 2.",
            ),
            (
                "[[quotas]]\ntag = \"Team=a\"\nrequests_per_day = 3\n[[quotas]]\ntag = \"team=a\"\nrequests_per_day = 3",
                "the 2.",
            ),
        ] {
            assert!(said(text).contains(expected), "{text}: {}", said(text));
        }
    }
}
