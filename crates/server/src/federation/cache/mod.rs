//! An issuer's keys as they were last seen: when they are good as they are, when they are asked for again, who waits.
//!
//! Young keys are used as they are. Whoever needs older ones waits for newer, as their issuer may have taken one back; the
//! old ones are used only if it cannot be reached, and after some hours not even then. One task asks at a time, whoever
//! waits for it, and it goes on when they leave. No peer has more than its share of the places to wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moho_iam::oidc::KeySet;
use moho_terms::{Clock, Timestamp};
use tokio::sync::watch;

use super::Unreachable;
use crate::net::places::Places;
use crate::net::pool::Sharer;

/// Seconds for which keys are used without asking for newer ones.
const YOUNG: u64 = 600;
/// Seconds for which they are used by those who find no room to wait for newer ones.
const RIPE: u64 = 3_600;
/// Seconds for which they are used while their issuer cannot be reached. Long enough for somebody to mend it; and no
/// longer, as whoever has stolen a key, and can keep us from its issuer, has it until then.
const OLDEST: u64 = 4 * 3_600;
/// Seconds between the end of one try and the next one.
const PAUSE: u64 = 10;
/// How many requests wait for one issuer. Its answer ends within seconds (see `fetch`), and so does their waiting.
pub(super) const MOST_WAITING: usize = 256;

/// One try to get the keys.
pub(super) type Fetching = Pin<Box<dyn Future<Output = Result<KeySet, Unreachable>> + Send>>;
/// What begins one.
type Fetch = Box<dyn Fn() -> Fetching + Send + Sync>;

/// Keys, and which in a row of them.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) keys: Arc<KeySet>,
    number: u64,
    since: Timestamp,
}

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    fetch: Fetch,
    /// For those who wait.
    places: Places,
    shared: Arc<Shared>,
}

struct Shared {
    issuer: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// How many tries have ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    /// When the last try ended, and badly if so.
    last: Option<(Timestamp, Result<(), Unreachable>)>,
    asking: bool,
}

/// What there is for somebody who needs keys.
enum Answer {
    Keys(Kept),
    Failed(Unreachable),
    /// A try is under way.
    Wait(watch::Receiver<u64>),
}

impl IssuerKeys {
    /// Keys that are fetched so, with so many of the [`MOST_WAITING`] places for one peer.
    pub(super) fn new(issuer: String, (fetch, each): (Fetch, usize), clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            issuer,
            clock,
            state: Mutex::new(State::default()),
            ended: watch::Sender::new(0),
        };
        Self {
            fetch,
            places: Places::new(MOST_WAITING, each),
            shared: Arc::new(shared),
        }
    }

    /// Keys that are good to use now, for `peer`.
    pub(super) async fn keys(&self, peer: Sharer) -> Result<Kept, Unreachable> {
        match self.answer() {
            Answer::Keys(kept) => Ok(kept),
            Answer::Failed(why) => Err(why),
            Answer::Wait(ending) => {
                let waited = self.wait(ending, peer).await;
                let state = self.shared.state();
                let now = self.shared.clock.now();
                if let Err(crowded) = waited {
                    let kept = state.kept.clone().filter(|kept| kept.age(now) < RIPE);
                    return kept.ok_or(crowded);
                }
                match (&state.kept, state.last) {
                    (Some(kept), _) if kept.age(now) < OLDEST => Ok(kept.clone()),
                    (_, Some((_, Err(why)))) => Err(why),
                    (_, _) => Err(Unreachable::Answer),
                }
            }
        }
    }

    /// Whether the issuer gives its keys now: by its last answer, if keys of it are used as they are, or else by asking it. That
    /// takes no place of those who wait with tokens, as only who may set providers asks it.
    pub(super) async fn reach(&self) -> Result<(), Unreachable> {
        let ending = match self.answer() {
            Answer::Wait(ending) => Some(ending),
            // Keys may be young, and a later try have failed.
            Answer::Keys(_) | Answer::Failed(_) => self.again_if_failed(),
        };
        if let Some(mut ending) = ending {
            ending.changed().await.map_err(|_gone| Unreachable::Answer)?;
        }
        let last = self.shared.state().last;
        last.map_or(Err(Unreachable::Answer), |(_, ended)| ended)
    }

    /// Keys as they were last seen, if that is not too long ago: nobody is asked, and nobody waits.
    pub(super) fn last_seen(&self) -> Option<Kept> {
        let now = self.shared.clock.now();
        let state = self.shared.state();
        state.kept.clone().filter(|kept| kept.age(now) < OLDEST)
    }

    /// Keys that are newer than `seen`, asked for if nobody did just now; `None` if there are none.
    pub(super) async fn newer(&self, seen: &Kept, peer: Sharer) -> Result<Option<Kept>, Unreachable> {
        let ending = {
            let mut state = self.shared.state();
            if let Some(newer) = state.newer(seen) {
                return Ok(Some(newer));
            }
            if !state.asking && state.pauses(self.shared.clock.now()) {
                return match state.last {
                    Some((_, Err(why))) => Err(why),
                    Some((_, Ok(()))) | None => Ok(None),
                };
            }
            self.ask(&mut state)
        };
        self.wait(ending, peer).await?;
        let state = self.shared.state();
        match (state.newer(seen), state.last) {
            (Some(newer), _) => Ok(Some(newer)),
            (None, Some((_, Err(why)))) => Err(why),
            (None, _) => Ok(None),
        }
    }

    fn answer(&self) -> Answer {
        let mut state = self.shared.state();
        let now = self.shared.clock.now();
        let age = state.kept.as_ref().map_or(u64::MAX, |kept| kept.age(now));
        let kept = state.kept.clone().filter(|_| age < OLDEST);
        match (kept, state.pauses(now)) {
            (Some(kept), _) if age < YOUNG => Answer::Keys(kept),
            // The last try failed just now, or these would be young.
            (Some(kept), true) if !state.asking => Answer::Keys(kept),
            (None, true) if !state.asking => match state.last {
                Some((_, Err(why))) => Answer::Failed(why),
                Some((_, Ok(()))) | None => Answer::Wait(self.ask(&mut state)),
            },
            (Some(_) | None, _) => Answer::Wait(self.ask(&mut state)),
        }
    }

    /// Another try, if the last one failed and that is not just now.
    fn again_if_failed(&self) -> Option<watch::Receiver<u64>> {
        let mut state = self.shared.state();
        let failed = matches!(state.last, Some((_, Err(_))));
        (failed && (state.asking || !state.pauses(self.shared.clock.now()))).then(|| self.ask(&mut state))
    }

    /// Begins a try unless one is under way; its end is told to the receiver.
    fn ask(&self, state: &mut State) -> watch::Receiver<u64> {
        let ending = self.shared.ended.subscribe();
        if !state.asking {
            state.asking = true;
            let trying = Trying(Arc::clone(&self.shared));
            let fetching = (self.fetch)();
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends within seconds, changes nothing but these keys, and others wait for it than who began it"
            )]
            drop(tokio::spawn(async move { trying.end(fetching.await) }));
        }
        ending
    }

    async fn wait(&self, mut ending: watch::Receiver<u64>, peer: Sharer) -> Result<(), Unreachable> {
        let place = self.places.take(peer);
        let _place = place.map_err(|_full| Unreachable::Crowded)?;
        ending.changed().await.map_err(|_gone| Unreachable::Answer)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the last try is so recent that there is no next one yet.
    fn pauses(&self, now: Timestamp) -> bool {
        self.last
            .is_some_and(|(ended, _)| ended.abs_diff_seconds(now) < PAUSE)
    }

    fn newer(&self, seen: &Kept) -> Option<Kept> {
        self.kept.clone().filter(|kept| kept.number > seen.number)
    }
}

impl Kept {
    fn age(&self, now: Timestamp) -> u64 {
        self.since.abs_diff_seconds(now)
    }
}

/// A try that is under way, until it is dropped.
struct Trying(Arc<Shared>);

impl Trying {
    fn end(self, fetched: Result<KeySet, Unreachable>) {
        let now = self.0.clock.now();
        let mut state = self.0.state();
        let was_well = !matches!(state.last, Some((_, Err(_))));
        let issuer = self.0.issuer.as_str();
        match &fetched {
            Err(why) if was_well => {
                tracing::warn!(issuer, %why, "the keys of an identity provider are not to be had");
            }
            Ok(_) if !was_well => {
                tracing::info!(issuer, "the keys of an identity provider are to be had again")
            }
            Ok(_) | Err(_) => {}
        }
        state.last = Some((now, fetched.as_ref().map(|_keys| ()).map_err(|why| *why)));
        if let Ok(keys) = fetched {
            let number = state.kept.as_ref().map_or(0, |kept| kept.number);
            state.kept = Some(Kept {
                keys: Arc::new(keys),
                number: number.saturating_add(1),
                since: now,
            });
        }
    }
}

impl Drop for Trying {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.asking = false;
        self.0.ended.send_modify(|ended| *ended = ended.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests;
