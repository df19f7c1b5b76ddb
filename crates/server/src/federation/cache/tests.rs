//! When keys are asked for, and who waits for them: with an issuer that the tests play, and time that they set.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

const ISSUER: &str = "https://issuer.example";
/// Who asks, where it makes no difference.
const PEER: Sharer = Sharer::User(0);
/// How many of one peer wait.
const EACH: usize = MOST_WAITING / 2;

struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// An issuer that answers as often as it is let, with as many keys as it had been asked before, or not at all.
struct Scene {
    clock: Arc<Hands>,
    asked: Arc<AtomicUsize>,
    answers: Arc<Semaphore>,
    up: Arc<AtomicUsize>,
    keys: IssuerKeys,
}

fn set_of(count: usize) -> KeySet {
    let key = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let keys = vec![key; count].join(",");
    KeySet::parse(ISSUER, format!("{{\"keys\":[{keys}]}}").as_bytes()).unwrap()
}

impl Scene {
    fn set(answers: usize) -> Self {
        let clock = Arc::new(Hands(AtomicU64::new(1_000_000)));
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(Semaphore::new(answers));
        let up = Arc::new(AtomicUsize::new(1));
        let fetch = {
            let (asked, answers, up) = (Arc::clone(&asked), Arc::clone(&answers), Arc::clone(&up));
            move || {
                let count = asked.fetch_add(1, Ordering::SeqCst) + 1;
                let (answers, up) = (Arc::clone(&answers), Arc::clone(&up));
                Box::pin(async move {
                    answers.acquire().await.unwrap().forget();
                    match up.load(Ordering::SeqCst) {
                        0 => Err(Unreachable::Connect),
                        _ => Ok(set_of(count)),
                    }
                }) as Fetching
            }
        };
        let keys = IssuerKeys::new(
            ISSUER.to_owned(),
            (Box::new(fetch), EACH),
            Arc::clone(&clock) as _,
        );
        Self {
            clock,
            asked,
            answers,
            up,
            keys,
        }
    }

    fn pass(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn down(&self) {
        self.up.store(0, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn young_keys_are_used_and_older_ones_are_not() {
    let scene = Scene::set(10);
    assert!(scene.keys.last_seen().is_none() && scene.asked() == 0);
    assert_eq!(scene.keys.keys(PEER).await.unwrap().keys.len(), 1);
    scene.pass(YOUNG - 1);
    assert!(scene.keys.last_seen().is_some());
    assert_eq!(scene.keys.keys(PEER).await.unwrap().keys.len(), 1);
    assert_eq!(scene.asked(), 1);
    scene.pass(1);
    assert!(
        scene.keys.last_seen().is_some() && scene.asked() == 1,
        "nobody is asked"
    );
    assert_eq!(
        (scene.keys.keys(PEER).await.unwrap().keys.len(), scene.asked()),
        (2, 2),
        "what the issuer took back is gone"
    );
    scene.pass(RIPE);
    assert_eq!(scene.keys.keys(PEER).await.unwrap().keys.len(), 3);
    scene.pass(OLDEST);
    assert!(scene.keys.last_seen().is_none());
}

#[tokio::test]
async fn who_asks_whether_it_can_be_reached_hears_of_now_and_not_of_older_keys() {
    let scene = Scene::set(10);
    assert_eq!((scene.keys.reach().await, scene.asked()), (Ok(()), 1));
    scene.pass(YOUNG - 1);
    assert_eq!((scene.keys.reach().await, scene.asked()), (Ok(()), 1));
    scene.down();
    scene.pass(1);
    assert_eq!(
        (scene.keys.reach().await, scene.asked()),
        (Err(Unreachable::Connect), 2)
    );
    assert!(scene.keys.keys(PEER).await.is_ok(), "tokens are taken still");
    assert_eq!(
        (scene.keys.reach().await, scene.asked()),
        (Err(Unreachable::Connect), 2),
        "not asked again so soon"
    );
    scene.up.store(1, Ordering::SeqCst);
    scene.pass(PAUSE);
    assert_eq!((scene.keys.reach().await, scene.asked()), (Ok(()), 3));

    // A token by an unknown key asks while it is away; young keys are no news of it then.
    let seen = scene.keys.keys(PEER).await.unwrap();
    scene.down();
    scene.pass(PAUSE);
    assert!(scene.keys.newer(&seen, PEER).await.is_err());
    assert_eq!(
        (scene.keys.reach().await, scene.asked()),
        (Err(Unreachable::Connect), 4)
    );
    scene.up.store(1, Ordering::SeqCst);
    scene.pass(PAUSE);
    assert_eq!((scene.keys.reach().await, scene.asked()), (Ok(()), 5));
}

#[tokio::test]
async fn keys_stay_good_for_hours_without_their_issuer() {
    let scene = Scene::set(100);
    scene.keys.keys(PEER).await.unwrap();
    scene.down();
    scene.pass(RIPE);
    assert_eq!(scene.keys.keys(PEER).await.unwrap().keys.len(), 1);
    assert_eq!(scene.asked(), 2);
    assert_eq!(scene.keys.keys(PEER).await.unwrap().keys.len(), 1);
    assert_eq!(scene.asked(), 2, "not asked again so soon");
    scene.pass(OLDEST - RIPE - 1);
    assert!(scene.keys.keys(PEER).await.is_ok());
    scene.pass(1);
    assert!(matches!(scene.keys.keys(PEER).await, Err(Unreachable::Connect)));
    let asked = scene.asked();
    assert!(matches!(scene.keys.keys(PEER).await, Err(Unreachable::Connect)));
    assert_eq!(scene.asked(), asked, "told at once");
    scene.pass(PAUSE);
    scene.up.store(1, Ordering::SeqCst);
    assert!(scene.keys.keys(PEER).await.is_ok());
}

#[tokio::test]
async fn one_try_serves_all_who_wait_and_goes_on_without_them() {
    let scene = Scene::set(0);
    let mut first = Box::pin(scene.keys.keys(PEER));
    assert!(look(&mut first).await.is_none());
    drop(first);
    let both = async { tokio::join!(scene.keys.keys(PEER), scene.keys.keys(PEER)) };
    let freed = async { scene.answers.add_permits(1) };
    let ((one, other), ()) = tokio::join!(both, freed);
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_but_not_often() {
    let scene = Scene::set(10);
    let seen = scene.keys.keys(PEER).await.unwrap();
    assert!(
        scene.keys.newer(&seen, PEER).await.unwrap().is_none(),
        "they are from just now"
    );
    assert_eq!(scene.asked(), 1);
    scene.pass(PAUSE);
    let newer = scene.keys.newer(&seen, PEER).await.unwrap().unwrap();
    assert_eq!((newer.keys.len(), scene.asked()), (2, 2));
    assert!(scene.keys.newer(&newer, PEER).await.unwrap().is_none());
    assert_eq!(
        scene.keys.newer(&seen, PEER).await.unwrap().unwrap().keys.len(),
        2
    );
    assert_eq!(scene.asked(), 2);
    scene.down();
    scene.pass(PAUSE);
    assert!(matches!(
        scene.keys.newer(&newer, PEER).await,
        Err(Unreachable::Connect)
    ));
    assert!(scene.keys.keys(PEER).await.is_ok(), "what is known stays good");
}

#[tokio::test]
async fn whoever_finds_no_room_to_wait_takes_what_is_kept() {
    let scene = Scene::set(1);
    scene.keys.keys(PEER).await.unwrap();
    scene.pass(RIPE - 1);
    let mut waiting = Vec::new();
    for number in 0..MOST_WAITING {
        let mut one = Box::pin(scene.keys.keys(peer(number / EACH)));
        assert!(look(&mut one).await.is_none());
        waiting.push(one);
    }
    assert_eq!(
        scene.keys.keys(peer(2)).await.unwrap().keys.len(),
        1,
        "not that old"
    );
    scene.pass(1);
    assert!(matches!(
        scene.keys.keys(peer(2)).await,
        Err(Unreachable::Crowded)
    ));
    scene.answers.add_permits(1);
    for one in waiting {
        assert_eq!(one.await.unwrap().keys.len(), 2);
    }
}

#[tokio::test]
async fn no_more_wait_than_may() {
    let scene = Scene::set(0);
    let mut waiting = Vec::new();
    for number in 0..MOST_WAITING {
        let mut one = Box::pin(scene.keys.keys(peer(number / EACH)));
        assert!(look(&mut one).await.is_none());
        waiting.push(one);
    }
    assert!(matches!(
        scene.keys.keys(peer(2)).await,
        Err(Unreachable::Crowded)
    ));
    scene.answers.add_permits(1);
    for one in waiting {
        assert!(one.await.is_ok());
    }
}

#[tokio::test]
async fn no_peer_takes_the_places_of_others() {
    let scene = Scene::set(0);
    let mut waiting = Vec::new();
    for _ in 0..EACH {
        let mut one = Box::pin(scene.keys.keys(peer(0)));
        assert!(look(&mut one).await.is_none());
        waiting.push(one);
    }
    assert!(matches!(
        scene.keys.keys(peer(0)).await,
        Err(Unreachable::Crowded)
    ));
    let mut other = Box::pin(scene.keys.keys(peer(1)));
    assert!(look(&mut other).await.is_none(), "there is room to wait");
    drop(waiting.pop());
    let mut again = Box::pin(scene.keys.keys(peer(0)));
    assert!(look(&mut again).await.is_none(), "who left made room");
    scene.answers.add_permits(1);
    assert!(other.await.is_ok() && again.await.is_ok());
    for one in waiting {
        assert!(one.await.is_ok());
    }
}

fn peer(number: usize) -> Sharer {
    Sharer::User(u32::try_from(number).unwrap())
}

/// One look at a future.
async fn look<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        let polled = Pin::new(&mut *future).poll(cx);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
