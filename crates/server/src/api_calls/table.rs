//! The table of all operations and the events they leave, which docs/audit.md has: generated here, and compared.

use std::collections::BTreeMap;
use std::path::Path;

use moho_iam::authz::EventCategory;
use moho_wire::ApiCall;

use crate::object_calls;

const BEGIN: &str = "<!-- events: generated from the code and compared with it by a test -->\n";
const END: &str = "<!-- /events -->";

/// Operations of one service that are told alike, in one row.
type Alike = BTreeMap<(String, &'static str, &'static str, bool), Vec<&'static str>>;

fn table() -> String {
    let mut rows = Alike::new();
    for call in ApiCall::all() {
        let alike = (call.source.to_owned(), "call", "management", call.read_only);
        rows.entry(alike).or_default().push(call.name);
    }
    for (name, category, read_only) in object_calls::operations() {
        let category = match category {
            EventCategory::Data => "data",
            EventCategory::Management => "management",
        };
        let alike = ("s3.amazonaws.com".to_owned(), "data-event", category, read_only);
        rows.entry(alike).or_default().push(name);
    }
    let mut lines = vec![
        "| source | kind | category | read-only | events, named as the operation |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for ((source, kind, category, read_only), names) in rows {
        let read_only = if read_only { "yes" } else { "no" };
        lines.push(format!(
            "| {source} | {kind} | {category} | {read_only} | {} |",
            names.join(", ")
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn docs_have_the_event_of_every_operation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/audit.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let (_, rest) = docs.split_once(BEGIN).unwrap();
    let (there, _) = rest.split_once(END).unwrap();
    let table = table();
    assert!(
        there == table,
        "docs/audit.md has another table of events than the code. This is the code's:\n{table}"
    );
}
