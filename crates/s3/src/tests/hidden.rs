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
            told.push((refused.code(), refused.element("Message")));
        }
        assert_eq!(told[0], told[1], "{method} {path}");
        assert_eq!(told[0].1, "Access Denied");
    }
}
