//! Organisational units, and which account is in which.

use moho_iam::action::organizations;
use moho_iam::authz::Permit;
use moho_terms::{Entropy, Timestamp};
use rusqlite::{Transaction, params};

use super::error::Stopped;
use super::tags::{check_tags, put_tags};
use super::{Constraint, NodeId, Organisation, OrganisationError, OrganisationNames, PolicyType, Tags};
use crate::Store;
use crate::database::micros;

/// Organisational units in an organisation: AWS's quota.
const UNITS: usize = 2000;
/// Organisational units inside each other: AWS's quota.
const DEPTH: usize = 5;

impl Store {
    /// Makes a unit in the root or unit that the permit is for.
    ///
    /// # Errors
    /// [`OrganisationError`]; then nothing was made.
    pub fn create_unit(
        &self,
        permit: &Permit<organizations::CreateOrganizationalUnit>,
        (name, tags): (&str, &Tags),
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> Result<NodeId, OrganisationError> {
        let parent: NodeId =
            OrganisationNames::named(permit.resource()).ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            if !organisation.can_hold(&parent) {
                return Err(OrganisationError::ParentNotFound.into());
            }
            if organisation.units_of(&parent).any(|(_, unit)| unit.name == name) {
                return Err(OrganisationError::DuplicateUnit.into());
            }
            if organisation.units.len() >= UNITS {
                return Err(Constraint::Units.into());
            }
            // The root is the first of a lineage, and no unit.
            if organisation.lineage(&parent).len() > DEPTH {
                return Err(Constraint::Depth.into());
            }
            check_tags(tags)?;
            let id =
                NodeId::new_unit(&organisation.names().root, entropy).map_err(OrganisationError::from)?;
            transaction.execute(
                "INSERT INTO organisation_node VALUES (?1, 'ORGANIZATIONAL_UNIT', ?2, ?3)",
                params![id.as_str(), parent.as_str(), name],
            )?;
            attach_defaults(organisation, transaction, &id, now)?;
            put_tags(transaction, id.as_str(), &Tags::new(), tags)?;
            Ok(id)
        })
    }

    /// Renames the unit that the permit is for.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn rename_unit(
        &self,
        permit: &Permit<organizations::UpdateOrganizationalUnit>,
        name: Option<&str>,
    ) -> Result<NodeId, OrganisationError> {
        let id: NodeId = OrganisationNames::named(permit.resource()).ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            let unit = organisation.unit(&id).ok_or(OrganisationError::UnitNotFound)?;
            let name = name.unwrap_or(&unit.name);
            let taken = |(other, unit): (&NodeId, &super::Unit)| *other != id && unit.name == name;
            if organisation.units_of(&unit.parent).any(taken) {
                return Err(OrganisationError::DuplicateUnit.into());
            }
            transaction.execute(
                "UPDATE organisation_node SET name = ?2 WHERE node_id = ?1",
                params![id.as_str(), name],
            )?;
            Ok(())
        })?;
        Ok(id)
    }

    /// Deletes the unit that the permit is for, if nothing is in it, with what is attached to it.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is as it was.
    pub fn delete_unit(
        &self,
        permit: &Permit<organizations::DeleteOrganizationalUnit>,
    ) -> Result<(), OrganisationError> {
        let id: NodeId = OrganisationNames::named(permit.resource()).ok_or(OrganisationError::OtherPermit)?;
        self.change_organisation(|organisation, transaction| {
            organisation.unit(&id).ok_or(OrganisationError::UnitNotFound)?;
            let in_use =
                organisation.units_of(&id).next().is_some() || organisation.accounts_of(&id).next().is_some();
            if in_use {
                return Err(OrganisationError::UnitNotEmpty.into());
            }
            put_tags(
                transaction,
                id.as_str(),
                organisation.tags(id.as_str()).unwrap_or(&Tags::new()),
                &Tags::new(),
            )?;
            transaction.execute("DELETE FROM organisation_node WHERE node_id = ?1", [id.as_str()])?;
            Ok(())
        })
    }

    /// Moves an account from where it is to another root or unit; the permits are for the three.
    ///
    /// # Errors
    /// [`OrganisationError`]; then it is where it was.
    pub fn move_account(
        &self,
        account: &Permit<organizations::MoveAccount>,
        source: &Permit<organizations::MoveAccount>,
        destination: &Permit<organizations::MoveAccount>,
    ) -> Result<(), OrganisationError> {
        let named = |permit: &Permit<organizations::MoveAccount>| {
            OrganisationNames::named::<NodeId>(permit.resource()).ok_or(OrganisationError::OtherPermit)
        };
        let (account, source, destination) = (named(account)?, named(source)?, named(destination)?);
        self.change_organisation(|organisation, transaction| {
            let here = account.account().and_then(|_| organisation.parent(&account));
            let here = here.ok_or(OrganisationError::AccountNotFound)?;
            if !organisation.can_hold(&destination) {
                return Err(OrganisationError::DestinationParentNotFound.into());
            }
            if *here != source {
                return Err(OrganisationError::SourceParentNotFound.into());
            }
            if source == destination {
                return Err(OrganisationError::DuplicateAccount.into());
            }
            transaction.execute(
                "UPDATE organisation_node SET parent_id = ?2 WHERE node_id = ?1",
                params![account.as_str(), destination.as_str()],
            )?;
            Ok(())
        })
    }
}

/// Attaches what AWS attaches to every new unit and account.
pub(super) fn attach_defaults(
    organisation: &Organisation,
    transaction: &Transaction<'_>,
    node: &NodeId,
    now: Timestamp,
) -> Result<(), Stopped> {
    for policy in organisation.enabled().filter_map(PolicyType::full_access) {
        transaction.execute(
            "INSERT INTO organisation_attachment VALUES (?1, ?2, ?3)",
            params![policy, node.as_str(), micros(now)],
        )?;
    }
    Ok(())
}
