//! Paths and names of AWS's own, which nobody else's thing may have.

use super::*;
use crate::identities::NewUser;

fn invalid<T>(made: Result<T, IamError>) {
    let refused = made.map(|_| ());
    assert!(
        refused.as_ref().is_err_and(|error| error
            .to_string()
            .ends_with("can only be used for AWS Service linked Roles")),
        "{refused:?}"
    );
    assert_eq!(code(refused), IamCode::InvalidInput);
}

#[test]
fn nothing_is_made_under_a_reserved_path() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let root = house.arn("root");
    let (store, world, now) = (&house.store, &*house.world, house.world.now());
    for path in [
        "/aws-service-role/macie.amazonaws.com/",
        "/aws-reserved/",
        "/aws-reserved/sso.amazonaws.com/",
    ] {
        let on = |kind: &str| house.arn(&format!("{kind}{path}mine"));
        invalid(house.new_role(&admin, &format!("role{path}mine"), root.as_str()));
        let policy = NewPolicy {
            id: unique_id(IdKind::Policy, world).unwrap(),
            document: allow("s3:*"),
            description: None,
            tags: Vec::new(),
        };
        invalid(store.create_policy(&house.permit(&admin, &on("policy")), &policy, now));
        invalid(store.create_group(&house.permit(&admin, &on("group")), world, now));
        let profile = house.permit(&admin, &on("instance-profile"));
        invalid(store.create_instance_profile(&profile, "AIPA00000000000000001", &[], now));
        let user: Permit<iam::CreateUser> = house.permit(&admin, &on("user"));
        invalid(store.create_user(&user, &NewUser::default(), world, now));
        let plain = house.permit(&admin, &house.arn("user/mine"));
        invalid(store.update_user(&plain, &house.permit(&admin, &on("user"))));
    }
    let near = house.new_role(&admin, "role/aws-service-roles/mine", root.as_str());
    assert!(near.is_ok());
}

#[test]
fn names_of_service_linked_roles_are_left_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let root = house.arn("root");
    for name in [
        "AWSServiceRoleForAmazonMacie",
        "awsservicerolefor",
        "AWSServiceROLEForMe",
    ] {
        invalid(house.new_role(&admin, &format!("role/{name}"), root.as_str()));
    }
    assert!(
        house
            .new_role(&admin, "role/MyAWSServiceRoleForMe", root.as_str())
            .is_ok()
    );
    let service = moho_iam::managed::linked_service("macie.amazonaws.com").unwrap();
    let role = house.arn(&format!("role{}{}", service.path(), service.role));
    let id = unique_id(IdKind::Role, &*house.world).unwrap();
    let made = house.store.create_service_linked_role(
        &house.permit(&admin, &role),
        &service,
        (id, None),
        house.world.now(),
    );
    assert_eq!(made.unwrap().role.arn().unwrap(), role);
}
