//! Users whom key policies name.

use super::*;
use crate::tests::roles::key_policies::letting;

#[test]
fn a_user_is_shown_under_the_name_it_has_and_then_under_its_id() {
    let office = Office::open();
    let (house, admin) = (&office.house, &office.admin);
    let key = house.new_key(admin);
    let made = office.user("/ann").unwrap();
    let arn = |resource: &str| format!("arn:aws:iam::{}:{resource}", house.first.account);
    let (root, ann, bo) = (arn("root"), arn("user/ann"), arn("user/team/bo"));
    let (root, id) = (root.as_str(), made.id.as_str());
    let policy = house.key_policy(&[letting(&ann, "Encrypt"), letting(id, "Decrypt")]);
    house.put_key_policy(admin, &key, &policy).unwrap();
    assert_eq!(house.named(admin, &key), [root, &ann, &ann]);
    let renamed = house
        .store
        .update_user(&office.on("user/ann"), &office.on("user/team/bo"));
    renamed.unwrap();
    office.user("/ann").unwrap();
    assert_eq!(house.named(admin, &key), [root, &bo, &bo]);
    house.store.delete_user(&office.on("user/team/bo")).unwrap();
    assert_eq!(house.named(admin, &key), [root, id, id]);
}
