//! Private endpoints: made once, changed and deleted by whose they are, and found by network and service.

use std::collections::BTreeMap;

use moho_iam::action::ec2;
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_terms::{AccountId, EndpointId, VpcId};

use super::*;
use crate::{EndpointCreated, NewEndpoint};

const STS: &str = "com.amazonaws.moho-local-1.sts";
const ONLY_STS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:*","Resource":"*"}]}"#;

fn new(house: &House, service: &str, token: Option<&str>) -> NewEndpoint {
    NewEndpoint {
        id: EndpointId::random(&*house.world).unwrap(),
        vpc: vpc(),
        service: service.to_owned(),
        policy: None,
        tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        client_token: token.map(str::to_owned),
    }
}

fn vpc() -> VpcId {
    "vpc-0a1b2c3d".parse().unwrap()
}

fn policy() -> PolicyDocument {
    PolicyDocument::parse(PolicyKind::Endpoint, ONLY_STS).unwrap()
}

impl House {
    fn of_ec2<A: Action>(&self) -> Permit<A> {
        let resource = format!("arn:aws:ec2:moho-local-1:{}:vpc-endpoint/*", self.first.account);
        self.ask(&self.session("Admin"), &resource).unwrap()
    }

    fn make(&self, new: &NewEndpoint) -> EndpointCreated {
        let permit = self.of_ec2::<ec2::CreateVpcEndpoint>();
        self.store
            .create_endpoint(&permit, new, self.world.now())
            .unwrap()
    }
}

#[test]
fn a_network_has_one_endpoint_for_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path());
    let first = new(&house, STS, Some("once"));
    let EndpointCreated::Done(made) = house.make(&first) else {
        panic!("not made")
    };
    assert_eq!((&made.id, made.account), (&first.id, house.first.account));
    assert_eq!((made.policy.as_deref(), &made.tags), (None, &first.tags));
    // The same request again gives the same endpoint, whatever id would have been next.
    let again = house.make(&new(&house, STS, Some("once")));
    assert_eq!(again, EndpointCreated::Done(made.clone()));
    let other = new(&house, "com.amazonaws.moho-local-1.iam", Some("once"));
    assert_eq!(house.make(&other), EndpointCreated::TokenReused);
    assert_eq!(house.make(&new(&house, STS, None)), EndpointCreated::Conflict);
    let listed = house.store.endpoints(&house.of_ec2()).unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    let found = house
        .store
        .endpoint_for(house.first.account, &vpc(), STS)
        .unwrap()
        .unwrap();
    assert_eq!(found.id, made.id);
    let nobody: AccountId = "999999999999".parse().unwrap();
    assert!(house.store.endpoint_for(nobody, &vpc(), STS).unwrap().is_none());
    assert!(house.store.endpoint_tags(nobody, &made.id).unwrap().is_empty());
    assert_eq!(
        house.store.endpoint_tags(house.first.account, &made.id).unwrap(),
        made.tags
    );
}

#[test]
fn policies_change_and_endpoints_go() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path());
    let made = new(&house, STS, None);
    house.make(&made);
    let modify = house.of_ec2::<ec2::ModifyVpcEndpoint>();
    let set = |id: &EndpointId, policy: Option<&PolicyDocument>| {
        house.store.set_endpoint_policy(&modify, id, policy).unwrap()
    };
    let kept = || {
        let found = house.store.endpoint_for(house.first.account, &vpc(), STS);
        found.unwrap().unwrap().policy
    };
    assert!(set(&made.id, Some(&policy())));
    assert_eq!(kept().as_deref(), Some(ONLY_STS));
    assert!(set(&made.id, None));
    assert_eq!(kept(), None);
    let absent: EndpointId = "vpce-1a1b2c3d".parse().unwrap();
    assert!(!set(&absent, Some(&policy())));
    let delete = |ids: &[&EndpointId]| {
        let with_permit = |id: &&EndpointId| ((*id).clone(), house.of_ec2::<ec2::DeleteVpcEndpoints>());
        let endpoints: Vec<_> = ids.iter().map(with_permit).collect();
        house.store.delete_endpoints(&endpoints).unwrap()
    };
    assert_eq!(delete(&[&absent, &made.id, &made.id]), [false, true, false]);
    assert_eq!(delete(&[&made.id]), [false]);
    assert!(house.store.endpoints(&house.of_ec2()).unwrap().is_empty());
    assert!(
        matches!(house.make(&new(&house, STS, None)), EndpointCreated::Done(_)),
        "there is room again"
    );
}

#[test]
fn what_the_settings_name_keeps_its_policy_and_its_first_day() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::open(folder.path());
    let id: EndpointId = "vpce-0a1b2c3d".parse().unwrap();
    assert!(house.store.configured_endpoint(&id).unwrap().is_none());
    let now = house.world.now();
    let note = |owner: AccountId, seconds: u64| {
        let at = Timestamp::from_unix_seconds(now.unix_seconds() + seconds);
        let noted = house
            .store
            .note_configured_endpoints([(&id, owner)].into_iter(), at);
        noted.unwrap();
        let kept = house.store.configured_endpoint(&id).unwrap().unwrap();
        (kept.policy, kept.created.unix_seconds() - now.unix_seconds())
    };
    let set = || {
        let modify = house.of_ec2::<ec2::ModifyVpcEndpoint>();
        let set = house
            .store
            .set_configured_endpoint_policy(&modify, &id, Some(&policy()));
        set.unwrap()
    };
    let (ours, other) = (house.first.account, "999999999999".parse().unwrap());
    assert_eq!(note(ours, 0), (None, 0));
    assert!(set());
    assert_eq!(note(ours, 1), (Some(ONLY_STS.to_owned()), 0));
    assert_eq!(note(other, 2), (None, 2), "its former owner has no say");
    assert!(!set(), "nor any more");
    assert_eq!(note(ours, 3), (None, 3));
}
