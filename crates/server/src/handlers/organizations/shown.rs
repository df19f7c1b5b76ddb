//! The organisation in Organizations' own shapes and words.

use moho_store::organizations::{
    AccountCreation, AccountState, CreationOutcome, MemberAccount, NodeId, Organisation, OrganisationError,
    OrganisationPolicy,
};
use moho_terms::Secret;
use moho_wire::Failure;
use moho_wire::aws::ops::organizations::shapes;

use crate::road::from_store;

fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.as_bytes().to_vec()))
}

fn arn(organisation: &Organisation, node: &NodeId) -> Option<String> {
    organisation.arn(node).ok().map(|arn| arn.to_string())
}

pub(super) fn organization(whole: &Organisation) -> shapes::Organization {
    let names = whole.names();
    let management = whole.account(names.management);
    shapes::Organization {
        id: Some(names.id.clone()),
        arn: names.organisation_arn().ok().map(|arn| arn.to_string()),
        feature_set: Some("ALL".to_owned()),
        master_account_arn: arn(whole, &names.management.into()),
        master_account_id: Some(names.management.to_string()),
        master_account_email: management.and_then(|account| secret(&account.email)),
        available_policy_types: Some(policy_types(whole)),
    }
}

fn policy_types(whole: &Organisation) -> Vec<shapes::PolicyTypeSummary> {
    let summary = |kind: moho_store::organizations::PolicyType| shapes::PolicyTypeSummary {
        kind: Some(kind.as_str().to_owned()),
        status: Some("ENABLED".to_owned()),
    };
    whole.enabled().map(summary).collect()
}

pub(super) fn root(whole: &Organisation) -> shapes::Root {
    let root = &whole.names().root;
    shapes::Root {
        id: Some(root.to_string()),
        arn: arn(whole, root),
        name: Some("Root".to_owned()),
        policy_types: Some(policy_types(whole)),
    }
}

pub(super) fn unit(whole: &Organisation, id: &NodeId) -> Result<shapes::OrganizationalUnit, Failure> {
    let unit = whole
        .unit(id)
        .ok_or_else(|| from_organisation(&OrganisationError::UnitNotFound))?;
    Ok(shapes::OrganizationalUnit {
        id: Some(id.to_string()),
        arn: arn(whole, id),
        name: Some(unit.name.clone()),
        path: Some(whole.path(id)),
    })
}

pub(super) fn account(whole: &Organisation, account: &MemberAccount) -> shapes::Account {
    let node = account.id.into();
    shapes::Account {
        id: Some(account.id.to_string()),
        arn: arn(whole, &node),
        email: secret(&account.email),
        name: secret(&account.name),
        status: Some(account.state.as_str().to_owned()),
        state: Some(match account.state {
            AccountState::Active => "ACTIVE".to_owned(),
            AccountState::Suspended => "SUSPENDED".to_owned(),
        }),
        paths: Some(vec![format!("{}{node}/", whole.path(&node))]),
        joined_method: Some(account.joined_method.as_str().to_owned()),
        joined_timestamp: Some(account.joined_at),
    }
}

pub(super) fn creation(creation: AccountCreation) -> shapes::CreateAccountStatus {
    let (state, account, failure) = match creation.outcome {
        CreationOutcome::Created(account) => ("SUCCEEDED", Some(account.to_string()), None),
        CreationOutcome::Failed(why) => ("FAILED", None, Some(why.as_str().to_owned())),
    };
    shapes::CreateAccountStatus {
        id: Some(creation.id),
        account_name: secret(&creation.name),
        state: Some(state.to_owned()),
        requested_timestamp: Some(creation.requested_at),
        completed_timestamp: Some(creation.completed_at),
        account_id: account,
        gov_cloud_account_id: None,
        failure_reason: failure,
    }
}

pub(super) fn summary(whole: &Organisation, policy: &OrganisationPolicy) -> shapes::PolicySummary {
    shapes::PolicySummary {
        id: Some(policy.id.to_string()),
        arn: whole
            .names()
            .policy_arn(&policy.id)
            .ok()
            .map(|arn| arn.to_string()),
        name: Some(policy.name.clone()),
        description: Some(policy.description.clone()),
        kind: Some(policy.id.policy_type().as_str().to_owned()),
        aws_managed: Some(policy.id.is_managed()),
    }
}

pub(super) fn target(whole: &Organisation, node: &NodeId, name: &str) -> shapes::PolicyTargetSummary {
    shapes::PolicyTargetSummary {
        target_id: Some(node.to_string()),
        arn: arn(whole, node),
        name: Some(name.to_owned()),
        kind: Some(node.kind().as_str().to_owned()),
    }
}

/// Somebody of an account that does not manage the organisation wanted to.
pub(crate) fn no_access() -> Failure {
    Failure::AccessDenied("You don't have permissions to access this resource.".to_owned())
}

/// An id that none of the kind can have.
pub(crate) fn no_pattern() -> Failure {
    invalid(
        "INVALID_PATTERN",
        "You provided a value that does not match the required pattern.",
    )
}

/// What cannot have tags.
pub(crate) fn no_such_target() -> Failure {
    from_organisation(&OrganisationError::TargetNotFound)
}

/// A type of policies that is not served.
pub(super) fn no_such_type() -> Failure {
    service(
        "PolicyTypeNotAvailableForOrganizationException",
        "This policy type is not available here: SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY, TAG_POLICY and \
         AISERVICES_OPT_OUT_POLICY are.",
    )
}

pub(super) fn bad_token() -> Failure {
    invalid(
        "INVALID_NEXT_TOKEN",
        "The NextToken is not one of this list, or it is older than a day: list from the beginning.",
    )
}

pub(super) fn invalid(reason: &'static str, message: &str) -> Failure {
    Failure::ServiceReason {
        code: "InvalidInputException",
        reason,
        message: message.to_owned(),
    }
}

pub(super) fn service(code: &'static str, message: impl Into<String>) -> Failure {
    Failure::Service {
        code,
        message: message.into(),
        status: 400,
    }
}

/// A refusal of the store's, in Organizations' words.
pub(super) fn from_organisation(error: &OrganisationError) -> Failure {
    use OrganisationError as E;
    let code = match error {
        E::AccountNotFound => "AccountNotFoundException",
        E::AccountAlreadyClosed => "AccountAlreadyClosedException",
        E::ParentNotFound => "ParentNotFoundException",
        E::ChildNotFound => "ChildNotFoundException",
        E::SourceParentNotFound => "SourceParentNotFoundException",
        E::DestinationParentNotFound => "DestinationParentNotFoundException",
        E::DuplicateAccount => "DuplicateAccountException",
        E::UnitNotFound => "OrganizationalUnitNotFoundException",
        E::UnitNotEmpty => "OrganizationalUnitNotEmptyException",
        E::DuplicateUnit => "DuplicateOrganizationalUnitException",
        E::RootNotFound => "RootNotFoundException",
        E::TargetNotFound => "TargetNotFoundException",
        E::PolicyNotFound => "PolicyNotFoundException",
        E::DuplicatePolicy => "DuplicatePolicyException",
        E::DuplicatePolicyAttachment => "DuplicatePolicyAttachmentException",
        E::PolicyNotAttached => "PolicyNotAttachedException",
        E::PolicyInUse => "PolicyInUseException",
        E::PolicyTypeAlreadyEnabled => "PolicyTypeAlreadyEnabledException",
        E::PolicyTypeNotEnabled => "PolicyTypeNotEnabledException",
        E::MalformedPolicyDocument(_) => "MalformedPolicyDocumentException",
        E::CreateAccountStatusNotFound => "CreateAccountStatusNotFoundException",
        E::EffectivePolicyNotFound => "EffectivePolicyNotFoundException",
        E::Constraint(constraint) => {
            return Failure::ServiceReason {
                code: "ConstraintViolationException",
                reason: constraint.as_str(),
                message: constraint.to_string(),
            };
        }
        E::InvalidInput(input) => return invalid(input.as_str(), &input.to_string()),
        E::Store(error) => return from_store(error),
        E::Kms(_) | E::Entropy(_) => {
            tracing::error!(error = %crate::road::chain(error), "an account could not be made");
            return Failure::Unavailable;
        }
        E::OtherPermit | E::Name(_) | _ => {
            tracing::error!(error = %crate::road::chain(error), "the organization failed by a fault of ours");
            return Failure::Internal;
        }
    };
    service(code, error.to_string())
}
