//! What nobody hears of others: which buckets, keys and aliases there are.

use super::*;

/// Who may do nothing hears the same of a bucket that another account has and of one that is not there.
#[tokio::test]
async fn refusals_tell_nobody_which_buckets_there_are() {
    let house = House::open();
    let (_, neighbour) = house.neighbour();
    for name in ["/their-bucket", "/their-bucket/k"] {
        let put = request("PUT", name, &[], b"");
        assert!(house.ask_as(&neighbour, put).await.status.is_success());
    }
    let developer = house.session("Developer");
    for (method, path) in [
        ("GET", "BUCKET"),
        ("PUT", "BUCKET"),
        ("DELETE", "BUCKET"),
        ("GET", "BUCKET?policy"),
        ("GET", "BUCKET/k"),
        ("PUT", "BUCKET/k"),
        ("DELETE", "BUCKET/k"),
        ("GET", "BUCKET/k?tagging"),
    ] {
        let mut told = Vec::new();
        for bucket in ["/their-bucket", "/absent-bucket"] {
            let asked = request(method, &path.replace("BUCKET", bucket), &[], b"");
            let refused = house.ask_as(&developer, asked).await;
            assert_eq!(refused.status.as_u16(), 403, "{method} {path}");
            let message = refused.element("Message");
            let message = message
                .replace("their-bucket", "BUCKET")
                .replace("absent-bucket", "BUCKET");
            told.push((refused.code(), message));
        }
        assert_eq!(told[0], told[1], "{method} {path}");
        // Who may make no bucket hears that of any.
        let makes = (method, path) == ("PUT", "BUCKET");
        assert_eq!(told[0].1 == "Access Denied", !makes, "{}", told[0].1);
    }
}

impl House {
    /// Gives a key an alias.
    fn alias(&self, caller: &Authenticated, name: &str, key: &Arn) -> Arn {
        let alias = format!("arn:aws:kms:{}:{}:alias/{name}", region(), key.account());
        let alias: Arn = alias.parse().unwrap();
        let permits = (&self.permit(caller, &alias), &self.permit(caller, key));
        self.store.create_alias(permits, self.world.now()).unwrap();
        alias
    }
}

/// Which aliases another account has, and the keys behind them, is told neither by a refusal nor by policies of one's own.
#[tokio::test]
async fn refusals_tell_nobody_which_aliases_others_have() {
    let house = House::open();
    let (account, neighbour) = house.neighbour();
    let key = house.store.account_key(account).unwrap().unwrap();
    house.alias(&neighbour, "theirs", &key);
    house.alias(&house.admin, "ours", &house.first.account_key);
    house.done("PUT", "/my-bucket", &[], b"").await;
    let statement = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::my-bucket/*","Condition":{{"StringLike":{{"s3:x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:*:{account}:key/*"}}}}}}}}"#
    );
    house
        .done("PUT", "/my-bucket?policy", &[], statement.as_bytes())
        .await;
    let put = async |caller: &Arc<Authenticated>, key: &str| {
        let headers = [
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", key),
        ];
        let put = house
            .ask_as(caller, request("PUT", "/my-bucket/k", &headers, b"x"))
            .await;
        (put.status.as_u16(), put.code(), put.element("Message"))
    };
    let of = |account: AccountId, name: &str| format!("arn:aws:kms:{}:{account}:alias/{name}", region());
    let denied = || (403, "AccessDenied".to_owned(), "Access Denied".to_owned());
    assert_eq!(put(&house.admin, &of(account, "theirs")).await, denied());
    assert_eq!(put(&house.admin, &of(account, "absent")).await, denied());
    house.done("DELETE", "/my-bucket?policy", &[], b"").await;
    assert_eq!(put(&house.admin, &of(account, "theirs")).await, denied());
    assert_eq!(put(&house.admin, key.as_str()).await, denied());
    // Of one's own account, whoever may do nothing hears as little; whoever may, hears what is wrong.
    let developer = house.session("Developer");
    let ours = put(&developer, "alias/ours").await;
    assert_eq!((ours.0, ours.1.as_str()), (403, "AccessDenied"));
    assert_eq!(put(&developer, "alias/absent").await, ours);
    assert_eq!(put(&house.admin, "alias/ours").await.0, 200);
    assert_eq!(put(&house.admin, "alias/absent").await.1, "KMS.NotFoundException");
}
