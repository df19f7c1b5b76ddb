//! The organisation, its accounts and its units.
//!
//! Made from AWS's published model: one request per operation, one shape per reply.

use moho_terms::Secret;

use super::shapes::{
    Account, Child, CreateAccountStatus, Organization, OrganizationalUnit, Parent, Root, Tag,
};
use crate::aws::declare::{operations, request, shape};

request! { #[derive(Debug, Clone, PartialEq)] CreateOrganization {
    feature_set: Option<String> = "FeatureSet",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeOrganization {} }
request! { CreateAccount {
    email: Secret = "Email",
    account_name: Secret = "AccountName",
    role_name: Option<String> = "RoleName",
    iam_user_access_to_billing: Option<String> = "IamUserAccessToBilling",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeCreateAccountStatus {
    create_account_request_id: String = "CreateAccountRequestId",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeAccount {
    account_id: String = "AccountId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAccounts {
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListAccountsForParent {
    parent_id: String = "ParentId",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListRoots {
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] CreateOrganizationalUnit {
    parent_id: String = "ParentId",
    name: String = "Name",
    tags: Option<Vec<Tag>> = "Tags",
} }
request! { #[derive(Debug, Clone, PartialEq)] DescribeOrganizationalUnit {
    organizational_unit_id: String = "OrganizationalUnitId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListOrganizationalUnitsForParent {
    parent_id: String = "ParentId",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] UpdateOrganizationalUnit {
    organizational_unit_id: String = "OrganizationalUnitId",
    name: Option<String> = "Name",
} }
request! { #[derive(Debug, Clone, PartialEq)] DeleteOrganizationalUnit {
    organizational_unit_id: String = "OrganizationalUnitId",
} }
request! { #[derive(Debug, Clone, PartialEq)] MoveAccount {
    account_id: String = "AccountId",
    source_parent_id: String = "SourceParentId",
    destination_parent_id: String = "DestinationParentId",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListParents {
    child_id: String = "ChildId",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] ListChildren {
    parent_id: String = "ParentId",
    child_type: String = "ChildType",
    next_token: Option<String> = "NextToken",
    max_results: Option<i64> = "MaxResults",
} }
request! { #[derive(Debug, Clone, PartialEq)] CloseAccount {
    account_id: String = "AccountId",
} }
shape! { CreateOrganizationResponse {
    organization: Option<Organization> = "Organization",
} }
shape! { DescribeOrganizationResponse {
    organization: Option<Organization> = "Organization",
} }
shape! { CreateAccountResponse {
    create_account_status: Option<CreateAccountStatus> = "CreateAccountStatus",
} }
shape! { DescribeCreateAccountStatusResponse {
    create_account_status: Option<CreateAccountStatus> = "CreateAccountStatus",
} }
shape! { DescribeAccountResponse {
    account: Option<Account> = "Account",
} }
shape! { ListAccountsResponse {
    accounts: Option<Vec<Account>> = "Accounts",
    next_token: Option<String> = "NextToken",
} }
shape! { ListAccountsForParentResponse {
    accounts: Option<Vec<Account>> = "Accounts",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListRootsResponse {
    roots: Option<Vec<Root>> = "Roots",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] CreateOrganizationalUnitResponse {
    organizational_unit: Option<OrganizationalUnit> = "OrganizationalUnit",
} }
shape! { #[derive(Debug, Clone, PartialEq)] DescribeOrganizationalUnitResponse {
    organizational_unit: Option<OrganizationalUnit> = "OrganizationalUnit",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListOrganizationalUnitsForParentResponse {
    organizational_units: Option<Vec<OrganizationalUnit>> = "OrganizationalUnits",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] UpdateOrganizationalUnitResponse {
    organizational_unit: Option<OrganizationalUnit> = "OrganizationalUnit",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListParentsResponse {
    parents: Option<Vec<Parent>> = "Parents",
    next_token: Option<String> = "NextToken",
} }
shape! { #[derive(Debug, Clone, PartialEq)] ListChildrenResponse {
    children: Option<Vec<Child>> = "Children",
    next_token: Option<String> = "NextToken",
} }
operations! {
    CreateOrganization,
    DescribeOrganization,
    CreateAccount,
    DescribeCreateAccountStatus,
    DescribeAccount,
    ListAccounts,
    ListAccountsForParent,
    ListRoots,
    CreateOrganizationalUnit,
    DescribeOrganizationalUnit,
    ListOrganizationalUnitsForParent,
    UpdateOrganizationalUnit,
    DeleteOrganizationalUnit,
    MoveAccount,
    ListParents,
    ListChildren,
    CloseAccount,
}
