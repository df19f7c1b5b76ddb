//! Copies and what else takes long: in turn, and only while somebody waits for it.

use std::task::{Context as Polled, Poll, Waker};

use super::*;
use crate::turns::{IN_LINE, OF_ACCOUNT, Turns};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Whoever goes away while their copy is made has none made, and what was written of it is gone.
#[test]
fn a_copy_ends_when_nobody_waits_for_it() {
    let house = House::open();
    let document = |key: &str| {
        format!("<ObjectEncryption><SSE-KMS><KMSKeyArn>{key}</KMSKeyArn></SSE-KMS></ObjectEncryption>")
    };
    let before = runtime().block_on(async {
        house.done("PUT", "/my-bucket", &[], b"").await;
        house.done("PUT", "/my-bucket/k", &[], &vec![7; 3 << 20]).await;
        house.plain("GET", "/my-bucket/k").await
    });
    let source = [("x-amz-copy-source", "my-bucket/k")];
    let key = house.first.account_key.as_str();
    for (path, headers, body) in [
        ("/my-bucket/copy", &source[..], String::new()),
        ("/my-bucket/k?encryption", &[], document(key)),
    ] {
        let abandoning = runtime();
        let (reached, go_on) = house.world.pause_at("kms:GenerateDataKey");
        abandoning.block_on(async {
            let mut asked = Box::pin(house.ask(request("PUT", path, headers, body.as_bytes())));
            tokio::select! {
                reply = &mut asked => panic!("{}", reply.text()),
                reached = reached => reached.unwrap(),
            }
        });
        drop(go_on);
        // This waits for what goes on still.
        drop(abandoning);
    }
    runtime().block_on(async {
        assert_eq!(house.plain("GET", "/my-bucket/copy").await.code(), "NoSuchKey");
        let after = house.plain("GET", "/my-bucket/k").await;
        assert_eq!(after.header("etag"), before.header("etag"));
        assert_eq!(after.bytes(), before.bytes());
    });
    let swept = |house: &House| {
        let now = Timestamp::from_unix_seconds(BEGINNING + 10_000);
        house.store.objects().sweep(now, 10).unwrap().deleted
    };
    assert_eq!(swept(&house), 0, "something was sealed again");
}

/// Who has a full line before them is told to come later; all that is no copy goes on.
#[tokio::test]
async fn copies_beyond_an_accounts_line_are_refused() {
    let house = House::open();
    house.done("PUT", "/my-bucket", &[], b"").await;
    house.done("PUT", "/my-bucket/k", &[], b"x").await;
    let upload = house.done("POST", "/my-bucket/parts?uploads", &[], b"").await;
    let upload = upload.element("UploadId");
    let part = format!("/my-bucket/parts?partNumber=1&uploadId={upload}");
    let whole = format!("/my-bucket/parts?uploadId={upload}");
    let source = &[("x-amz-copy-source", "my-bucket/k")][..];
    let parts = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part></CompleteMultipartUpload>";
    let sealing = b"<ObjectEncryption><SSE-KMS><KMSKeyArn>arn</KMSKeyArn></SSE-KMS></ObjectEncryption>";
    let work = house.gateway.work();
    let copies: [Asked<'_>; 3] = [
        ("PUT", "/my-bucket/copy", source, &b""[..]),
        ("PUT", &part, source, b""),
        ("PUT", "/my-bucket/k?encryption", &[], sealing),
    ];
    refused_in_a_full_line(&house, &work.copies, &copies).await;
    let completions: [Asked<'_>; 1] = [("POST", whole.as_str(), &[][..], &parts[..])];
    refused_in_a_full_line(&house, &work.completions, &completions).await;
    house.done("PUT", "/my-bucket/copy", source, b"").await;
}

type Asked<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8]);

async fn refused_in_a_full_line(house: &House, turns: &Turns, requests: &[Asked<'_>]) {
    let account = house.first.account;
    let mut taken = Vec::new();
    for _ in 0..OF_ACCOUNT {
        taken.push(turns.turn(account).await.ok().unwrap());
    }
    let mut waiting: Vec<_> = (OF_ACCOUNT..IN_LINE)
        .map(|_| Box::pin(turns.turn(account)))
        .collect();
    for turn in &mut waiting {
        let polled = turn.as_mut().poll(&mut Polled::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
    }
    for (method, path, headers, body) in requests {
        let refused = house.ask(request(method, path, headers, body)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (503, "SlowDown"),
            "{path}"
        );
    }
    assert_eq!(house.plain("GET", "/my-bucket/k").await.bytes(), b"x");
}
