//! Events of an installation of its own.

use moho_iam::authn::AuthnError;
use moho_iam::authz::RequestFacts;
use moho_terms::RequestId;
use tokio::task::JoinSet;

use super::*;
use crate::config::{Config, Surroundings, Typed};
use crate::startup::{self, Platform, Started};

pub(crate) struct House {
    pub(crate) platform: Arc<Platform>,
    _folder: tempfile::TempDir,
    _locks: (moho_os::FileLock, moho_os::FileLock),
}

impl House {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(folder.path().to_owned()),
        };
        let config = Config::resolve(&Typed::default(), &surroundings).unwrap();
        let Started { platform, locks, .. } = startup::open(&config, &mut |_, _, _| {}).unwrap();
        Self {
            platform,
            _folder: folder,
            _locks: locks,
        }
    }
}

#[test]
fn however_many_wait_for_events_one_gathers_and_the_others_hold_no_thread() {
    let serving = tokio::runtime::Runtime::new().unwrap();
    let house = serving.block_on(async { House::open() });
    let (platform, kept) = (&house.platform, &house.platform.events);
    let two_threads = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let gathering = kept.gathering.lock().unwrap();
    let facts = RequestFacts::new(RequestId::random(&*platform.entropy).unwrap());
    let written = platform
        .authorizer
        .journal_authn_failure(&facts, &AuthnError::Missing);
    assert!(written.is_ok());
    let (waiting, other_work) = two_threads.block_on(async {
        let published = kept.journal.log().published(kept.journal.last());
        assert!(published.await.is_ok());
        let mut waiting = JoinSet::new();
        for _ in 0..8 {
            let kept = Arc::clone(kept);
            waiting.spawn(async move { kept.caught_up().await });
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let other_work = tokio::task::spawn_blocking(|| ());
        (waiting, tokio::time::timeout(PATIENCE, other_work).await)
    });
    drop(gathering);
    assert!(other_work.is_ok(), "all threads wait");
    let all = two_threads.block_on(waiting.join_all());
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(kept.gathered().unwrap(), kept.journal.last().0);
}
