//! What an IAM request names, as it is decided on.
//!
//! A request names a role without its path, but policies may speak of paths. So where the role is, is looked up first; the
//! decision is made on that, and on the bare name if there is no such role. Whoever is denied what is there is answered as if
//! it were not: by the decision on the bare name, which may well be that there is nothing of that name. Nobody learns by
//! asking what is there.

use moho_iam::action::Action;
use moho_iam::authz::{Context, Permit};
use moho_store::iam::{EntityKind, IamCode, Tag};
use moho_terms::Arn;
use moho_wire::Failure;

use super::super::Trip;
use crate::handlers::iam::{from_iam, refusal};
use crate::road::from_store;

/// A thing of the caller's account that a request names.
pub(super) struct Named {
    /// What is decided on.
    decided: Arn,
    /// What the caller said.
    said: Arn,
    /// What is answered if there is nothing of this name.
    absent: Failure,
    context: Context,
}

impl Named {
    /// What a request is about to make, with its path.
    pub(super) fn new(trip: &Trip<'_>, kind: &str, path: Option<&str>, name: &str) -> Result<Self, Failure> {
        let arn = arn(trip, kind, path.unwrap_or("/"), name)?;
        Ok(Self::of(arn))
    }

    /// All of a kind under a path, as lists are decided on.
    pub(super) fn all(trip: &Trip<'_>, kind: &str, prefix: Option<&str>) -> Result<Self, Failure> {
        arn(trip, kind, prefix.unwrap_or("/"), "").map(Self::of)
    }

    /// Everything of the caller's account, as AWS decides on what has no resource of its own.
    pub(super) fn everything(trip: &Trip<'_>) -> Result<Self, Failure> {
        arn(trip, "*", "", "").map(Self::of)
    }

    /// By its ARN.
    pub(super) fn of(arn: Arn) -> Self {
        Self {
            absent: absent(&arn),
            said: arn.clone(),
            decided: arn,
            context: Context::new(),
        }
    }

    /// The role of this name.
    pub(super) fn role(trip: &Trip<'_>, name: &str) -> Result<Self, Failure> {
        let account = trip.caller.session().account();
        let found = trip.platform.store.role_by_name(account, name);
        let found = found.map_err(|error| from_store(&error))?;
        let named = Self::new(trip, "role", None, name)?;
        let Some(found) = found else { return Ok(named) };
        let mut named = Self {
            decided: found.role.arn().map_err(|error| from_store(&error))?,
            ..named
        };
        named.tagged(&found.tags);
        if let Some(boundary) = found.role.boundary {
            named.context = named.context.with("iam:PermissionsBoundary", boundary);
        }
        Ok(named)
    }

    /// The user of this name.
    pub(super) fn user(trip: &Trip<'_>, name: &str) -> Result<Self, Failure> {
        Self::identity(trip, EntityKind::User, name)
    }

    /// The group of this name.
    pub(super) fn group(trip: &Trip<'_>, name: &str) -> Result<Self, Failure> {
        Self::identity(trip, EntityKind::Group, name)
    }

    /// The user who has this access key; all users, if nobody of the account has it.
    pub(super) fn owner_of_key(trip: &Trip<'_>, key: &str) -> Result<Self, Failure> {
        let account = trip.caller.session().account();
        let found = trip.platform.store.access_key_owner(account, key);
        let owner = match found.map_err(|error| from_store(&error))? {
            Some(name) => Self::user(trip, &name)?,
            None => Self::all(trip, "user", Some("/*"))?,
        };
        let message = format!("The Access Key with id {key} cannot be found.");
        Ok(Self {
            said: Self::all(trip, "user", Some("/*"))?.said,
            absent: refusal(IamCode::NoSuchEntity, message),
            ..owner
        })
    }

    fn identity(trip: &Trip<'_>, kind: EntityKind, name: &str) -> Result<Self, Failure> {
        let account = trip.caller.session().account();
        let found = trip.platform.store.identity_facts(account, kind, name);
        let named = Self::new(trip, kind.as_str(), None, name)?;
        let Some(found) = found.map_err(|error| from_iam(&error))? else {
            return Ok(named);
        };
        let mut named = Self {
            decided: found.arn,
            ..named
        };
        named.tagged(&found.tags);
        if let Some(boundary) = found.boundary {
            named.context = named.context.with("iam:PermissionsBoundary", boundary.as_str());
        }
        Ok(named)
    }

    /// The instance profile of this name.
    pub(super) fn instance_profile(trip: &Trip<'_>, name: &str) -> Result<Self, Failure> {
        let account = trip.caller.session().account();
        let found = trip.platform.store.instance_profile_place(account, name);
        let found = found.map_err(|error| from_store(&error))?;
        let named = Self::new(trip, "instance-profile", None, name)?;
        let Some((path, kept, tags)) = found else {
            return Ok(named);
        };
        let mut named = Self {
            decided: arn(trip, "instance-profile", &path, &kept)?,
            ..named
        };
        named.tagged(&tags);
        Ok(named)
    }

    /// The managed policy of this ARN, whoever's it is.
    pub(super) fn policy(trip: &Trip<'_>, text: &str) -> Result<Self, Failure> {
        let arn = policy_arn(text)?;
        let account = trip.caller.session().account();
        let tags = trip.platform.store.policy_tags(account, &arn);
        let tags = tags.map_err(|error| from_store(&error))?;
        let mut named = Self::of(arn);
        named.tagged(&tags);
        Ok(named)
    }

    fn tagged(&mut self, tags: &[Tag]) {
        for (key, value) in tags {
            self.context
                .set(&format!("iam:ResourceTag/{key}"), vec![value.clone()]);
        }
    }

    /// With what else conditions can ask about.
    pub(super) fn with(mut self, key: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.context = self.context.with(key, value);
        }
        self
    }

    /// With a request's tags.
    pub(super) fn requesting(mut self, tags: &[Tag]) -> Self {
        self.context = crate::handlers::iam::tagged::context(self.context, tags);
        self
    }

    /// With the keys of tags that a request takes away.
    pub(super) fn untagging(mut self, keys: &[String]) -> Self {
        self.context = crate::handlers::iam::tagged::keys(self.context, keys.to_vec());
        self
    }

    /// Leave to do `A` on it.
    pub(super) fn permit<A: Action>(&self, trip: &Trip<'_>) -> Result<Permit<A>, Failure> {
        match trip.permit_with(&self.decided, &self.context) {
            Err(Failure::AccessDenied(_)) if self.decided != self.said => Err(self.as_if_absent::<A>(trip)),
            decided => decided,
        }
    }

    /// What whoever may not see it is answered: what they would be if there were nothing of this name.
    fn as_if_absent<A: Action>(&self, trip: &Trip<'_>) -> Failure {
        match trip.judge_absent::<A>(&self.said, &self.context) {
            Ok(()) => self.absent.clone(),
            Err(failure) => failure,
        }
    }
}

/// That there is nothing of this name.
fn absent(arn: &Arn) -> Failure {
    let resource = arn.resource();
    let name = resource.rsplit('/').next().unwrap_or("");
    let message = match resource.split_once('/') {
        Some(("instance-profile", _)) => format!("Instance Profile {name} cannot be found."),
        Some((kind, _)) => format!("The {kind} with name {name} cannot be found."),
        None => format!("{arn} cannot be found."),
    };
    refusal(IamCode::NoSuchEntity, message)
}

/// The ARN of a managed policy.
pub(super) fn policy_arn(text: &str) -> Result<Arn, Failure> {
    let arn = text.parse::<Arn>().ok();
    let arn = arn.filter(|arn| arn.service() == "iam" && arn.resource().starts_with("policy/"));
    arn.ok_or_else(|| refusal(IamCode::InvalidInput, format!("ARN {text} is not valid.")))
}

fn arn(trip: &Trip<'_>, kind: &str, path: &str, name: &str) -> Result<Arn, Failure> {
    let account = trip.caller.session().account();
    let resource = format!("{kind}{path}{name}");
    Arn::of("iam", "", account.as_str(), &resource).map_err(|_invalid| {
        let message = "The specified value is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";
        refusal(IamCode::ValidationError, message)
    })
}
