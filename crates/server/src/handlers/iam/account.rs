//! An account seen as a whole: how much of what there is.

use std::collections::BTreeMap;

use moho_iam::action::iam;
use moho_iam::authz::Permit;
use moho_store::iam::quotas;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::iam::account as ops;
use moho_wire::{Failure, Reply};

use super::act;
use crate::handlers::Asked;

/// `GetAccountSummary`
pub(crate) async fn summary(asked: &Asked, permit: Permit<iam::GetAccountSummary>) -> Result<Reply, Failure> {
    let counts = act(asked, move |platform| platform.store.account_counts(&permit)).await?;
    // What does not exist here is there none times; the rest are AWS's quotas, which hold here too.
    let fixed = [
        ("AccessKeysPerUserQuota", 2),
        ("AccountAccessKeysPresent", 0),
        ("AccountMFAEnabled", 0),
        ("AccountPasswordPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
        ("AssumeRolePolicySizeQuota", 4096),
        ("AttachedPoliciesPerGroupQuota", 10),
        ("AttachedPoliciesPerUserQuota", 10),
        ("GlobalEndpointTokenVersion", 2),
        ("GroupPolicySizeQuota", 5120),
        ("GroupsPerUserQuota", 10),
        ("GroupsQuota", 300),
        ("MFADevices", 0),
        ("MFADevicesInUse", 0),
        ("PolicySizeQuota", 6144),
        ("RolePolicySizeQuota", 10_240),
        ("ServerCertificates", 0),
        ("ServerCertificatesQuota", 0),
        ("SigningCertificatesPerUserQuota", 0),
        ("UserPolicySizeQuota", 2048),
        ("UsersQuota", 5000),
        ("VersionsPerPolicyQuota", 5),
    ];
    let counted = [
        ("Groups", counts.groups),
        ("InstanceProfiles", counts.instance_profiles),
        ("Policies", counts.policies),
        ("PolicyVersionsInUse", counts.versions),
        ("Providers", counts.providers),
        ("Roles", counts.roles),
        ("Users", counts.users),
    ];
    let all = fixed.into_iter().chain(counted).chain(quotas());
    let map: BTreeMap<String, i64> = all
        .map(|(name, count)| (name.to_owned(), i64::from(count)))
        .collect();
    ops::GetAccountSummaryResponse {
        summary_map: Some(map),
    }
    .reply(Service::Iam, "GetAccountSummary", &asked.request)
}
