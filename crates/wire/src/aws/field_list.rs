//! What happens to each modelled member of a request: used, refused or ignored. Nothing is dropped silently.

use super::document::Document;
use crate::Failure;

const FIELDS: &str = include_str!("../../models/fields.tsv");

/// One line of the list.
pub(super) struct Field<'a> {
    pub(super) service: &'a str,
    pub(super) operation: &'a str,
    pub(super) member: &'a str,
    /// `used`, `refused` or `ignored`.
    pub(super) fate: &'a str,
    pub(super) reason: &'a str,
}

/// All lines.
pub(super) fn fields() -> impl Iterator<Item = Field<'static>> {
    FIELDS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        Field {
            service: next(),
            operation: next(),
            member: next(),
            fate: next(),
            reason: next(),
        }
    })
}

/// Refuses a request with a member that is not served, by name. A member that is on no list is a fault of ours.
pub(super) fn refuse_unserved(service: &str, operation: &str, input: &Document) -> Result<(), Failure> {
    let Document::Structure(members) = input else {
        return Err(Failure::Internal);
    };
    for (name, _) in members {
        let mut all = fields();
        let field = all.find(|f| f.service == service && f.operation == operation && f.member == name);
        let field = field.ok_or(Failure::Internal)?;
        if field.fate == "refused" {
            return Err(Failure::Validation(format!(
                "The parameter {name} is not supported: {}",
                field.reason
            )));
        }
    }
    Ok(())
}
