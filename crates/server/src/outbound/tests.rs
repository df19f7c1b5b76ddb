//! Exchanges with servers that the tests play.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What one exchange says when the server answers so.
async fn told(answer: &'static [u8], longest: usize) -> Result<Answer, ExchangeError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
        }
        // Whoever has heard enough may leave before the end.
        drop(stream.write_all(answer).await);
        String::from_utf8(head).unwrap()
    };
    let request = Request::get("/x").body(Full::default()).unwrap();
    let peer = Peer::plain("127.0.0.1", port);
    let (told, head) = tokio::join!(peer.exchange(request, longest), server);
    let host = format!("host: 127.0.0.1:{port}\r\n");
    assert!(
        head.starts_with("GET /x HTTP/1.1\r\n") && head.contains(&host),
        "{head}"
    );
    told
}

#[tokio::test]
async fn an_answer_is_as_long_as_it_may_be() {
    let answer = told(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody", 4)
        .await
        .unwrap();
    assert_eq!(answer.body.unwrap(), "body");
    let answer = told(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nlonge", 4)
        .await
        .unwrap();
    assert!(answer.body.is_none());
    let answer = told(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbroke", 100)
        .await
        .unwrap();
    assert!(answer.body.is_none());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_no_way() {
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(told(redirect, 100).await.unwrap().status, StatusCode::FOUND);
}

#[tokio::test]
async fn what_is_no_http_is_none() {
    assert!(matches!(
        told(b"220 ready\r\n\r\n", 100).await,
        Err(ExchangeError::Http(_))
    ));
}

#[test]
fn authorities_are_there_or_missed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    assert!(matches!(
        connector(Some(&file)),
        Err(AuthoritiesError::Unreadable { .. })
    ));
    std::fs::write(&file, "no certificate").unwrap();
    assert!(matches!(connector(Some(&file)), Err(AuthoritiesError::None)));
}
