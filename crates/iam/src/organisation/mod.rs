//! What an organisation's policies say beyond single decisions: which are policies of their type at all, what those of
//! management come to on the way from the root to an account, and whether long-lived credentials are let in.

mod control;
mod inheritance;
mod json;

pub use control::{ControlPolicyError, check_resource_control, lets_in_long_lived_credentials};
pub use inheritance::{ManagementPolicyError, check_management, effective};
