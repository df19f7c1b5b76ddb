//! The organisation and its accounts.

use moho_iam::action::organizations as action;
use moho_iam::authz::Permit;
use moho_store::organizations::{NewAccount, NodeId, OrganisationError};
use moho_terms::RoleName;
use moho_wire::aws::ops::Service;
use moho_wire::aws::ops::organizations::organization as ops;
use moho_wire::{Failure, Reply};

use super::policies::warn;
use super::{Asked, Asking, act, done, named, organisation, page, parent, shown, tags};

/// The role of a new account, unless its maker names another.
const ROLE: &str = "OrganizationAccountAccessRole";

/// `CreateOrganization`: there is one from the start.
pub(crate) fn create_organization(_permit: Permit<action::CreateOrganization>) -> Result<Reply, Failure> {
    Err(shown::service(
        "AlreadyInOrganizationException",
        "The AWS account is already a member of an organization.",
    ))
}

/// `DescribeOrganization`
pub(crate) async fn describe_organization(
    asked: &Asked,
    permit: Permit<action::DescribeOrganization>,
) -> Result<Reply, Failure> {
    let (whole, _permit) = organisation(asked, permit).await?;
    let reply = ops::DescribeOrganizationResponse {
        organization: Some(shown::organization(&whole)),
    };
    reply.reply(Service::Organizations, "DescribeOrganization", &asked.request)
}

/// `CreateAccount`
pub(crate) async fn create(
    asked: &Asked,
    permit: Permit<action::CreateAccount>,
    request: ops::CreateAccount,
) -> Result<Reply, Failure> {
    let role: Result<RoleName, _> = request.role_name.as_deref().unwrap_or(ROLE).parse();
    let new = NewAccount {
        name: text(&request.account_name)?,
        email: text(&request.email)?,
        role: role.map_err(|_unsuitable| {
            shown::invalid("INVALID_ROLE_NAME", "You provided a role name that isn't valid.")
        })?,
        tags: tags::of(request.tags)?,
        region: asked.platform.region.clone(),
    };
    let created = act(asked, move |platform| {
        let (kms, entropy) = (&platform.kms, &*platform.entropy);
        let now = platform.clock.now();
        platform.store.create_account(&permit, (kms, entropy), &new, now)
    });
    let reply = ops::CreateAccountResponse {
        create_account_status: Some(shown::creation(created.await?)),
    };
    reply.reply(Service::Organizations, "CreateAccount", &asked.request)
}

/// What the model calls sensitive, and is kept as what it is: names and addresses of accounts.
fn text(secret: &moho_terms::Secret) -> Result<String, Failure> {
    String::from_utf8(secret.expose().to_vec()).map_err(|_never| Failure::Internal)
}

/// `DescribeCreateAccountStatus`
pub(crate) async fn creation(
    asked: &Asked,
    permit: Permit<action::DescribeCreateAccountStatus>,
    request: ops::DescribeCreateAccountStatus,
) -> Result<Reply, Failure> {
    let found = act(asked, move |platform| {
        let id = &request.create_account_request_id;
        platform.store.account_creation(&permit, id)
    });
    let reply = ops::DescribeCreateAccountStatusResponse {
        create_account_status: Some(shown::creation(found.await?)),
    };
    reply.reply(
        Service::Organizations,
        "DescribeCreateAccountStatus",
        &asked.request,
    )
}

/// `DescribeAccount`
pub(crate) async fn describe(
    asked: &Asked,
    permit: Permit<action::DescribeAccount>,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let node: NodeId = named(&permit)?;
    let account = node
        .account()
        .and_then(|id| whole.account(id))
        .ok_or_else(|| shown::from_organisation(&OrganisationError::AccountNotFound))?;
    let reply = ops::DescribeAccountResponse {
        account: Some(shown::account(&whole, account)),
    };
    reply.reply(Service::Organizations, "DescribeAccount", &asked.request)
}

/// `ListAccounts`
pub(crate) async fn list(
    asked: &Asked,
    permit: Permit<action::ListAccounts>,
    request: ops::ListAccounts,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let asking = Asking::all(request.next_token, request.max_results);
    let all = whole
        .accounts()
        .map(|account| (account.id.to_string(), shown::account(&whole, account)));
    let (accounts, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListAccountsResponse {
        accounts: Some(accounts),
        next_token,
    };
    reply.reply(Service::Organizations, "ListAccounts", &asked.request)
}

/// `ListAccountsForParent`
pub(crate) async fn list_in(
    asked: &Asked,
    permit: Permit<action::ListAccountsForParent>,
    request: ops::ListAccountsForParent,
) -> Result<Reply, Failure> {
    let (whole, permit) = organisation(asked, permit).await?;
    let parent = parent(&whole, &permit)?;
    let asking = Asking::all(request.next_token, request.max_results);
    let all = whole
        .accounts_of(&parent)
        .map(|account| (account.id.to_string(), shown::account(&whole, account)));
    let (accounts, next_token) = page(asked, &permit, &asking, all)?;
    let reply = ops::ListAccountsForParentResponse {
        accounts: Some(accounts),
        next_token,
    };
    reply.reply(Service::Organizations, "ListAccountsForParent", &asked.request)
}

/// `CloseAccount`
pub(crate) async fn close(asked: &Asked, permit: Permit<action::CloseAccount>) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        platform.store.close_account(&permit, platform.clock.now())
    })
    .await?;
    done(asked, "CloseAccount")
}

/// Leave to move an account: it, from where, and to where.
pub(crate) struct MovePermits {
    pub(crate) account: Permit<action::MoveAccount>,
    pub(crate) source: Permit<action::MoveAccount>,
    pub(crate) destination: Permit<action::MoveAccount>,
}

/// `MoveAccount`
pub(crate) async fn shift(asked: &Asked, permits: MovePermits) -> Result<Reply, Failure> {
    act(asked, move |platform| {
        let MovePermits {
            account,
            source,
            destination,
        } = permits;
        let before = platform.store.accounts_with_long_lived_credentials()?;
        platform.store.move_account(&account, &source, &destination)?;
        warn(&before, &platform.store.accounts_with_long_lived_credentials()?);
        Ok(())
    })
    .await?;
    done(asked, "MoveAccount")
}
