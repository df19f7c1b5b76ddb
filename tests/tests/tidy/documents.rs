//! What documents promise is compared with what the code is made from.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use moho_tests::Checkout;

use super::verdict;

const SERVED: &str = "crates/wire/models/operations.txt";
const TOLD: &str = "docs/api.md";
/// What the table of operations begins with.
const HEAD: &str = "| service | operations |";

/// Refusals send people to that table to look an operation up.
#[test]
fn every_operation_that_is_served_is_listed() -> Result<()> {
    let checkout = Checkout::read()?;
    let text = |path: &str| {
        checkout
            .file(path)
            .map(|file| file.text.as_str())
            .context(path.to_owned())
    };
    let served = served(text(SERVED)?);
    let told = told(text(TOLD)?);
    let services: Vec<&String> = served.keys().chain(told.keys()).collect();
    let mut offences = Vec::new();
    for service in services {
        let (served, told) = (served.get(service), told.get(service));
        if served != told {
            offences.push(format!("{service}: {SERVED} has {served:?}, {TOLD} {told:?}"));
        }
    }
    offences.dedup();
    verdict(
        "the table of operations is another, or not in alphabetical order",
        &offences,
    )
}

/// The operations of each service, in alphabetical order.
fn served(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (service, operation) in text.lines().filter_map(|line| line.split_once(' ')) {
        if service != "#" {
            services
                .entry(service.to_owned())
                .or_default()
                .push(operation.to_owned());
        }
    }
    for operations in services.values_mut() {
        operations.sort();
    }
    services
}

/// The operations of each service, as the table has them.
fn told(text: &str) -> BTreeMap<String, Vec<String>> {
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(str::trim);
        let (service, operations) = (cells.next()?, cells.next()?);
        let operations = operations
            .split(", ")
            .map(|name| name.trim_matches('`').to_owned());
        Some((service.trim_matches('`').to_owned(), operations.collect()))
    })
    .collect()
}

#[test]
fn the_detectors_see_what_they_look_for() {
    let listed = served("# head\nsts B\nsts A\niam C\n");
    let table = format!("{HEAD}\n|---|---|\n| `iam` | `C` |\n| `sts` | `A`, `B` |\n\n| `ec2` | `D` |\n");
    assert_eq!(told(&table), listed);
    assert_ne!(told(&table.replace(", `B`", "")), listed);
    assert_ne!(told(&table.replace("`A`, `B`", "`B`, `A`")), listed);
}
