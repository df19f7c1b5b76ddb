//! Organizations' operations: which action each takes, and on what.
//!
//! The organisation's things are the management account's, so that nobody of another account is let near them. What any
//! member may ask (which organisation, what binds its own account) is asked of its own account.

use moho_iam::action::{Action, organizations as action};
use moho_iam::authz::{Context, Permit};
use moho_store::organizations::{NodeId, OrganisationNames, PolicyId};
use moho_terms::{AccountId, Arn, ArnError};
use moho_wire::Failure;
use moho_wire::Reply;
use moho_wire::aws::ops::organizations::shapes::Tag;
use moho_wire::aws::ops::organizations::{Request, organization, policies};

use super::Trip;
use crate::handlers::organizations::{accounts, policies as handlers, shown, tags, units};
use crate::net::Outbound;
use crate::road::reply;

/// The condition key for a policy's type.
const POLICY_TYPE: &str = "organizations:PolicyType";

pub(super) async fn dispatch(trip: &Trip<'_>, request: Request) -> Result<Outbound, Failure> {
    let replied = match request {
        Request::Organization(request) => of_organization(trip, request).await,
        Request::Policies(request) => of_policies(trip, request).await,
    };
    replied.map(reply::whole)
}

impl Trip<'_> {
    fn names(&self) -> &OrganisationNames {
        &self.platform.organisation
    }

    fn account(&self) -> AccountId {
        self.caller.session().account()
    }

    /// Leave to do `A` on something of the organisation's. Who is of another account than the one that manages it hears
    /// AWS's one sentence for that, and nothing of what there is.
    fn administer<A: Action>(
        &self,
        arn: Result<Arn, ArnError>,
        context: &Context,
    ) -> Result<Permit<A>, Failure> {
        let mut arn = arn.map_err(|_never| Failure::Internal)?;
        let foreign = self.account() != self.names().management;
        // What AWS made belongs to nobody, but what is asked of it here is the organisation's.
        if foreign && arn.account() != self.names().management.as_str() {
            arn = self.names().anything_arn().map_err(|_never| Failure::Internal)?;
        }
        self.permit_with(&arn, context).map_err(|failure| {
            if foreign && matches!(failure, Failure::AccessDenied(_)) {
                return shown::no_access();
            }
            failure
        })
    }

    /// On nothing that has a name yet.
    fn anywhere<A: Action>(&self) -> Result<Permit<A>, Failure> {
        self.administer(self.names().anything_arn(), &Context::new())
    }

    fn on_node<A: Action>(&self, id: &str) -> Result<Permit<A>, Failure> {
        self.administer(self.names().node_arn(&node(id)?), &Context::new())
    }

    /// On a policy, whose type follows from its id.
    fn on_policy<A: Action>(&self, id: &str) -> Result<Permit<A>, Failure> {
        let id = policy(id)?;
        let context = Context::new().with(POLICY_TYPE, id.policy_type().as_str());
        self.administer(self.names().policy_arn(&id), &context)
    }

    /// On all policies of a type.
    fn on_type<A: Action>(&self, kind: &str) -> Result<Permit<A>, Failure> {
        let context = Context::new().with(POLICY_TYPE, kind);
        self.administer(self.names().anything_arn(), &context)
    }

    /// On a target of policies of a type.
    fn on_target<A: Action>(&self, id: &str, kind: &str) -> Result<Permit<A>, Failure> {
        let context = Context::new().with(POLICY_TYPE, kind);
        self.administer(self.names().node_arn(&node(id)?), &context)
    }

    /// On whatever can have tags.
    fn on_tagged<A: Action>(&self, id: &str, context: &Context) -> Result<Permit<A>, Failure> {
        let arn = match (id.parse::<NodeId>(), id.parse::<PolicyId>()) {
            (Ok(node), _) => self.names().node_arn(&node),
            (Err(_), Ok(policy)) => self.names().policy_arn(&policy),
            (Err(_), Err(_)) => return Err(shown::no_such_target()),
        };
        self.administer(arn, context)
    }

    /// To make something with tags; that is tagging it, too.
    fn making<A: Action>(
        &self,
        arn: Result<Arn, ArnError>,
        mut context: Context,
        tags: Option<&Vec<Tag>>,
    ) -> Result<Permit<A>, Failure> {
        let arn = arn.map_err(|_never| Failure::Internal)?;
        context = tags::context(context, tags);
        let permit = self.administer(Ok(arn.clone()), &context)?;
        if tags.is_some_and(|tags| !tags.is_empty()) {
            self.administer::<action::TagResource>(Ok(arn), &context)?;
        }
        Ok(permit)
    }

    /// On something of the caller's own account, which every member may ask about if its policies let it.
    fn own<A: Action>(&self, kind: &str, rest: &str, context: &Context) -> Result<Permit<A>, Failure> {
        let resource = format!("{kind}/{}{rest}", self.names().id);
        let arn = Arn::of("organizations", "", self.account().as_str(), &resource);
        self.permit_with(&arn.map_err(|_never| Failure::Internal)?, context)
    }
}

fn node(id: &str) -> Result<NodeId, Failure> {
    id.parse().map_err(|_unsuitable| shown::no_pattern())
}

fn policy(id: &str) -> Result<PolicyId, Failure> {
    id.parse().map_err(|_unsuitable| shown::no_pattern())
}

async fn of_organization(trip: &Trip<'_>, request: organization::Request) -> Result<Reply, Failure> {
    use organization::Request;
    let asked = &trip.asked();
    match request {
        Request::CreateOrganization(_) => accounts::create_organization(trip.anywhere()?),
        Request::DescribeOrganization(_) => {
            accounts::describe_organization(asked, trip.own("organization", "", &Context::new())?).await
        }
        Request::CreateAccount(request) => {
            let permit = trip.making(trip.names().anything_arn(), Context::new(), request.tags.as_ref())?;
            accounts::create(asked, permit, *request).await
        }
        Request::DescribeCreateAccountStatus(request) => {
            accounts::creation(asked, trip.anywhere()?, *request).await
        }
        Request::DescribeAccount(request) => {
            accounts::describe(asked, trip.on_node(&request.account_id)?).await
        }
        Request::ListAccounts(request) => accounts::list(asked, trip.anywhere()?, *request).await,
        Request::ListAccountsForParent(request) => {
            accounts::list_in(asked, trip.on_node(&request.parent_id)?, *request).await
        }
        Request::CloseAccount(request) => accounts::close(asked, trip.on_node(&request.account_id)?).await,
        Request::MoveAccount(request) => {
            let permits = accounts::MovePermits {
                account: trip.on_node(&request.account_id)?,
                source: trip.on_node(&request.source_parent_id)?,
                destination: trip.on_node(&request.destination_parent_id)?,
            };
            accounts::shift(asked, permits).await
        }
        Request::ListRoots(request) => units::roots(asked, trip.anywhere()?, *request).await,
        Request::CreateOrganizationalUnit(request) => {
            let parent = trip.names().node_arn(&node(&request.parent_id)?);
            let permit = trip.making(parent, Context::new(), request.tags.as_ref())?;
            units::create(asked, permit, *request).await
        }
        Request::DescribeOrganizationalUnit(request) => {
            units::describe(asked, trip.on_node(&request.organizational_unit_id)?).await
        }
        Request::UpdateOrganizationalUnit(request) => {
            units::rename(asked, trip.on_node(&request.organizational_unit_id)?, *request).await
        }
        Request::DeleteOrganizationalUnit(request) => {
            units::delete(asked, trip.on_node(&request.organizational_unit_id)?).await
        }
        Request::ListOrganizationalUnitsForParent(request) => {
            units::list_in(asked, trip.on_node(&request.parent_id)?, *request).await
        }
        Request::ListParents(request) => {
            units::parents(asked, trip.on_node(&request.child_id)?, *request).await
        }
        Request::ListChildren(request) => {
            units::children(asked, trip.on_node(&request.parent_id)?, *request).await
        }
    }
}

async fn of_policies(trip: &Trip<'_>, request: policies::Request) -> Result<Reply, Failure> {
    use policies::Request;
    let asked = &trip.asked();
    match request {
        Request::CreatePolicy(request) => {
            let context = Context::new().with(POLICY_TYPE, request.kind.as_str());
            let permit = trip.making(trip.names().anything_arn(), context, request.tags.as_ref())?;
            handlers::create(asked, permit, *request).await
        }
        Request::UpdatePolicy(request) => {
            handlers::update(asked, trip.on_policy(&request.policy_id)?, *request).await
        }
        Request::DeletePolicy(request) => handlers::delete(asked, trip.on_policy(&request.policy_id)?).await,
        Request::DescribePolicy(request) => {
            handlers::describe(asked, trip.on_policy(&request.policy_id)?).await
        }
        Request::ListPolicies(request) => {
            handlers::list(asked, trip.on_type(&request.filter)?, *request).await
        }
        Request::AttachPolicy(request) => {
            let (policy, target) =
                both::<action::AttachPolicy>(trip, &request.policy_id, &request.target_id)?;
            handlers::attach(asked, policy, target).await
        }
        Request::DetachPolicy(request) => {
            let (policy, target) =
                both::<action::DetachPolicy>(trip, &request.policy_id, &request.target_id)?;
            handlers::detach(asked, policy, target).await
        }
        Request::ListPoliciesForTarget(request) => {
            let permit = trip.on_target(&request.target_id, &request.filter)?;
            handlers::of_target(asked, permit, *request).await
        }
        Request::ListTargetsForPolicy(request) => {
            handlers::targets(asked, trip.on_policy(&request.policy_id)?, *request).await
        }
        Request::EnablePolicyType(request) => {
            let permit = trip.on_target(&request.root_id, &request.policy_type)?;
            handlers::enable(asked, permit, *request).await
        }
        Request::DisablePolicyType(request) => {
            let permit = trip.on_target(&request.root_id, &request.policy_type)?;
            handlers::disable(asked, permit, *request).await
        }
        Request::DescribeEffectivePolicy(request) => effective(trip, *request).await,
        Request::TagResource(request) => {
            let context = tags::context(Context::new(), Some(&request.tags));
            tags::put(asked, trip.on_tagged(&request.resource_id, &context)?, *request).await
        }
        Request::UntagResource(request) => {
            let mut context = Context::new();
            context.set("aws:TagKeys", request.tag_keys.clone());
            tags::remove(asked, trip.on_tagged(&request.resource_id, &context)?, *request).await
        }
        Request::ListTagsForResource(request) => {
            let permit = trip.on_tagged(&request.resource_id, &Context::new())?;
            tags::list(asked, permit, *request).await
        }
    }
}

/// Leave to bring a policy and a target together, or apart.
fn both<A: Action>(
    trip: &Trip<'_>,
    policy_id: &str,
    target: &str,
) -> Result<(Permit<A>, Permit<A>), Failure> {
    let kind = policy(policy_id)?.policy_type();
    Ok((trip.on_policy(policy_id)?, trip.on_target(target, kind.as_str())?))
}

/// What binds an account, every account may ask about itself.
async fn effective(trip: &Trip<'_>, request: policies::DescribeEffectivePolicy) -> Result<Reply, Failure> {
    let own = trip.account();
    let target = match &request.target_id {
        Some(id) => node(id)?,
        None => NodeId::from(own),
    };
    let kind = request.policy_type.as_str();
    let permit = if target.account() == Some(own) {
        let context = Context::new().with(POLICY_TYPE, kind);
        trip.own("account", &format!("/{own}"), &context)?
    } else {
        trip.on_target(target.as_str(), kind)?
    };
    handlers::effective(&trip.asked(), permit, request).await
}
