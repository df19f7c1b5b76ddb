//! The AWS protocols, interpreted from trimmed service models.

pub mod ops;

/// An AWS service of the query protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryService {
    /// Security Token Service.
    Sts,
    /// Identity and Access Management.
    Iam,
}
