//! What the requests and replies of several operations hold.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use std::collections::BTreeMap;

use moho_terms::{Secret, Timestamp};

use crate::aws::declare::{both, shape};

shape! { AccessKey {
    user_name: Option<String> = "UserName",
    access_key_id: Option<String> = "AccessKeyId",
    status: Option<String> = "Status",
    secret_access_key: Option<Secret> = "SecretAccessKey",
    create_date: Option<Timestamp> = "CreateDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AccessKeyLastUsed {
    last_used_date: Option<Timestamp> = "LastUsedDate",
    service_name: Option<String> = "ServiceName",
    region: Option<String> = "Region",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AccessKeyMetadata {
    user_name: Option<String> = "UserName",
    access_key_id: Option<String> = "AccessKeyId",
    status: Option<String> = "Status",
    create_date: Option<Timestamp> = "CreateDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AttachedPermissionsBoundary {
    permissions_boundary_type: Option<String> = "PermissionsBoundaryType",
    permissions_boundary_arn: Option<String> = "PermissionsBoundaryArn",
} }
shape! { #[derive(Debug, Clone, PartialEq)] AttachedPolicy {
    policy_name: Option<String> = "PolicyName",
    policy_arn: Option<String> = "PolicyArn",
} }
both! { #[derive(Debug, Clone, PartialEq)] ContextEntry {
    context_key_name: Option<String> = "ContextKeyName",
    context_key_values: Option<Vec<String>> = "ContextKeyValues",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DeletionTaskFailureReasonType {
    reason: Option<String> = "Reason",
    role_usage_list: Option<Vec<RoleUsageType>> = "RoleUsageList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ErrorDetails {
    message: Option<String> = "Message",
    code: Option<String> = "Code",
} }
shape! { #[derive(Debug, Clone, PartialEq)] EvaluationResult {
    eval_action_name: Option<String> = "EvalActionName",
    eval_resource_name: Option<String> = "EvalResourceName",
    eval_decision: Option<String> = "EvalDecision",
    matched_statements: Option<Vec<Statement>> = "MatchedStatements",
    missing_context_values: Option<Vec<String>> = "MissingContextValues",
    organizations_decision_detail: Option<OrganizationsDecisionDetail> = "OrganizationsDecisionDetail",
    permissions_boundary_decision_detail: Option<PermissionsBoundaryDecisionDetail> = "PermissionsBoundaryDecisionDetail",
    eval_decision_details: Option<BTreeMap<String, String>> = "EvalDecisionDetails",
    resource_specific_results: Option<Vec<ResourceSpecificResult>> = "ResourceSpecificResults",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Group {
    path: Option<String> = "Path",
    group_name: Option<String> = "GroupName",
    group_id: Option<String> = "GroupId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] GroupDetail {
    path: Option<String> = "Path",
    group_name: Option<String> = "GroupName",
    group_id: Option<String> = "GroupId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    group_policy_list: Option<Vec<PolicyDetail>> = "GroupPolicyList",
    attached_managed_policies: Option<Vec<AttachedPolicy>> = "AttachedManagedPolicies",
} }
both! { #[derive(Debug, Clone, PartialEq)] InlinePolicyIdentifierType {
    policy_name: String = "PolicyName",
    attachment_type: String = "AttachmentType",
    attachment_name: String = "AttachmentName",
} }
shape! { #[derive(Debug, Clone, PartialEq)] InstanceProfile {
    path: Option<String> = "Path",
    instance_profile_name: Option<String> = "InstanceProfileName",
    instance_profile_id: Option<String> = "InstanceProfileId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    roles: Option<Vec<Role>> = "Roles",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ManagedPolicyDetail {
    policy_name: Option<String> = "PolicyName",
    policy_id: Option<String> = "PolicyId",
    arn: Option<String> = "Arn",
    path: Option<String> = "Path",
    default_version_id: Option<String> = "DefaultVersionId",
    attachment_count: Option<i64> = "AttachmentCount",
    permissions_boundary_usage_count: Option<i64> = "PermissionsBoundaryUsageCount",
    is_attachable: Option<bool> = "IsAttachable",
    description: Option<String> = "Description",
    create_date: Option<Timestamp> = "CreateDate",
    update_date: Option<Timestamp> = "UpdateDate",
    policy_version_list: Option<Vec<PolicyVersion>> = "PolicyVersionList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] OpenIDConnectProviderListEntry {
    arn: Option<String> = "Arn",
} }
both! { #[derive(Debug, Clone, PartialEq)] OrderedOrganizationPolicyType {
    service_control_policy_input_list: Option<Vec<String>> = "ServiceControlPolicyInputList",
} }
shape! { #[derive(Debug, Clone, PartialEq)] OrganizationsDecisionDetail {
    allowed_by_organizations: Option<bool> = "AllowedByOrganizations",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PermissionsBoundaryDecisionDetail {
    allowed_by_permissions_boundary: Option<bool> = "AllowedByPermissionsBoundary",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Policy {
    policy_name: Option<String> = "PolicyName",
    policy_id: Option<String> = "PolicyId",
    arn: Option<String> = "Arn",
    path: Option<String> = "Path",
    default_version_id: Option<String> = "DefaultVersionId",
    attachment_count: Option<i64> = "AttachmentCount",
    permissions_boundary_usage_count: Option<i64> = "PermissionsBoundaryUsageCount",
    is_attachable: Option<bool> = "IsAttachable",
    description: Option<String> = "Description",
    create_date: Option<Timestamp> = "CreateDate",
    update_date: Option<Timestamp> = "UpdateDate",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyDetail {
    policy_name: Option<String> = "PolicyName",
    policy_document: Option<String> = "PolicyDocument",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyGroup {
    group_name: Option<String> = "GroupName",
    group_id: Option<String> = "GroupId",
} }
both! { #[derive(Debug, Clone, PartialEq)] PolicyIdentifier {
    policy_arn: Option<String> = "PolicyArn",
    inline_policy_identifier: Option<InlinePolicyIdentifierType> = "InlinePolicyIdentifier",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyRole {
    role_name: Option<String> = "RoleName",
    role_id: Option<String> = "RoleId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyUser {
    user_name: Option<String> = "UserName",
    user_id: Option<String> = "UserId",
} }
shape! { #[derive(Debug, Clone, PartialEq)] PolicyVersion {
    document: Option<String> = "Document",
    version_id: Option<String> = "VersionId",
    is_default_version: Option<bool> = "IsDefaultVersion",
    create_date: Option<Timestamp> = "CreateDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Position {
    line: Option<i64> = "Line",
    column: Option<i64> = "Column",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ResourceSpecificResult {
    eval_resource_name: Option<String> = "EvalResourceName",
    eval_resource_decision: Option<String> = "EvalResourceDecision",
    matched_statements: Option<Vec<Statement>> = "MatchedStatements",
    missing_context_values: Option<Vec<String>> = "MissingContextValues",
    eval_decision_details: Option<BTreeMap<String, String>> = "EvalDecisionDetails",
    permissions_boundary_decision_detail: Option<PermissionsBoundaryDecisionDetail> = "PermissionsBoundaryDecisionDetail",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Role {
    path: Option<String> = "Path",
    role_name: Option<String> = "RoleName",
    role_id: Option<String> = "RoleId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    assume_role_policy_document: Option<String> = "AssumeRolePolicyDocument",
    description: Option<String> = "Description",
    max_session_duration: Option<i64> = "MaxSessionDuration",
    permissions_boundary: Option<AttachedPermissionsBoundary> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
    role_last_used: Option<RoleLastUsed> = "RoleLastUsed",
    source_role_template: Option<SourceRoleTemplate> = "SourceRoleTemplate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RoleDetail {
    path: Option<String> = "Path",
    role_name: Option<String> = "RoleName",
    role_id: Option<String> = "RoleId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    assume_role_policy_document: Option<String> = "AssumeRolePolicyDocument",
    instance_profile_list: Option<Vec<InstanceProfile>> = "InstanceProfileList",
    role_policy_list: Option<Vec<PolicyDetail>> = "RolePolicyList",
    attached_managed_policies: Option<Vec<AttachedPolicy>> = "AttachedManagedPolicies",
    permissions_boundary: Option<AttachedPermissionsBoundary> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
    role_last_used: Option<RoleLastUsed> = "RoleLastUsed",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RoleLastUsed {
    last_used_date: Option<Timestamp> = "LastUsedDate",
    region: Option<String> = "Region",
} }
shape! { #[derive(Debug, Clone, PartialEq)] RoleUsageType {
    region: Option<String> = "Region",
    resources: Option<Vec<String>> = "Resources",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SAMLPrivateKey {
    key_id: Option<String> = "KeyId",
    timestamp: Option<Timestamp> = "Timestamp",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SAMLProviderListEntry {
    arn: Option<String> = "Arn",
    valid_until: Option<Timestamp> = "ValidUntil",
    create_date: Option<Timestamp> = "CreateDate",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ServiceLastAccessed {
    service_name: Option<String> = "ServiceName",
    last_authenticated: Option<Timestamp> = "LastAuthenticated",
    service_namespace: Option<String> = "ServiceNamespace",
    last_authenticated_entity: Option<String> = "LastAuthenticatedEntity",
    last_authenticated_region: Option<String> = "LastAuthenticatedRegion",
    total_authenticated_entities: Option<i64> = "TotalAuthenticatedEntities",
    tracked_actions_last_accessed: Option<Vec<TrackedActionLastAccessed>> = "TrackedActionsLastAccessed",
} }
shape! { ServiceSpecificCredential {
    create_date: Option<Timestamp> = "CreateDate",
    expiration_date: Option<Timestamp> = "ExpirationDate",
    service_name: Option<String> = "ServiceName",
    service_user_name: Option<String> = "ServiceUserName",
    service_password: Option<Secret> = "ServicePassword",
    service_credential_alias: Option<String> = "ServiceCredentialAlias",
    service_credential_secret: Option<Secret> = "ServiceCredentialSecret",
    service_specific_credential_id: Option<String> = "ServiceSpecificCredentialId",
    user_name: Option<String> = "UserName",
    status: Option<String> = "Status",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ServiceSpecificCredentialMetadata {
    user_name: Option<String> = "UserName",
    status: Option<String> = "Status",
    service_user_name: Option<String> = "ServiceUserName",
    service_credential_alias: Option<String> = "ServiceCredentialAlias",
    create_date: Option<Timestamp> = "CreateDate",
    expiration_date: Option<Timestamp> = "ExpirationDate",
    service_specific_credential_id: Option<String> = "ServiceSpecificCredentialId",
    service_name: Option<String> = "ServiceName",
} }
shape! { #[derive(Debug, Clone, PartialEq)] SourceRoleTemplate {
    template_arn: Option<String> = "TemplateArn",
    template_minor_version: Option<i64> = "TemplateMinorVersion",
} }
shape! { #[derive(Debug, Clone, PartialEq)] Statement {
    source_policy_id: Option<String> = "SourcePolicyId",
    source_policy_type: Option<String> = "SourcePolicyType",
    start_position: Option<Position> = "StartPosition",
    end_position: Option<Position> = "EndPosition",
} }
both! { #[derive(Debug, Clone, PartialEq)] Tag {
    key: String = "Key",
    value: String = "Value",
} }
shape! { #[derive(Debug, Clone, PartialEq)] TrackedActionLastAccessed {
    action_name: Option<String> = "ActionName",
    last_accessed_entity: Option<String> = "LastAccessedEntity",
    last_accessed_time: Option<Timestamp> = "LastAccessedTime",
    last_accessed_region: Option<String> = "LastAccessedRegion",
} }
shape! { #[derive(Debug, Clone, PartialEq)] User {
    path: Option<String> = "Path",
    user_name: Option<String> = "UserName",
    user_id: Option<String> = "UserId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    password_last_used: Option<Timestamp> = "PasswordLastUsed",
    permissions_boundary: Option<AttachedPermissionsBoundary> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UserDetail {
    path: Option<String> = "Path",
    user_name: Option<String> = "UserName",
    user_id: Option<String> = "UserId",
    arn: Option<String> = "Arn",
    create_date: Option<Timestamp> = "CreateDate",
    user_policy_list: Option<Vec<PolicyDetail>> = "UserPolicyList",
    group_list: Option<Vec<String>> = "GroupList",
    attached_managed_policies: Option<Vec<AttachedPolicy>> = "AttachedManagedPolicies",
    permissions_boundary: Option<AttachedPermissionsBoundary> = "PermissionsBoundary",
    tags: Option<Vec<Tag>> = "Tags",
} }
