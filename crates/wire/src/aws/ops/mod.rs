//! Typed requests and replies of the AWS operations moho serves.

mod iam;
mod sts;

pub use iam::{CreateOpenIdConnectProvider, CreateOpenIdConnectProviderReply};
pub use sts::{AssumeRole, AssumeRoleReply, CallerIdentityReply};
