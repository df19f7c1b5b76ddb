//! What is logged of one call, gathered while it is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moho_iam::action::kms;
use moho_iam::authz::Permit;
use moho_store::invocations::{InvocationDestination, NewInvocation};
use moho_terms::{AccountId, Arn, ContentBytes, RequestId, Timestamp};
use moho_wire::invocation_log::{
    InvocationFacts, InvocationTokens, KeptInvocation, StreamedEvents, TooLarge,
};
use moho_wire::openai::Usage;
use moho_wire::{ErrorShape, Failure};
use tokio::runtime::Handle;

use super::taken::Taken;
use super::{InvocationLog, REPLY, cannot_be_logged, told};
use crate::handlers::Named;
use crate::net::{Body, Outbound};

/// What a call is told of whose client left before its end: there is no such answer.
const GONE: (&str, u16) = ("ClientClosedRequest", 499);

/// What is known of a call as it begins.
pub(super) struct Called {
    pub(super) time: Timestamp,
    pub(super) account: AccountId,
    /// Who calls.
    pub(super) identity: Arn,
    pub(super) request: RequestId,
    pub(super) operation: &'static str,
    pub(super) shape: ErrorShape,
    pub(super) destinations: Vec<InvocationDestination>,
    pub(super) metadata: Option<ContentBytes>,
}

/// How a reply is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// As server-sent events.
    Lines,
    /// In frames of AWS's event streams.
    Frames,
}

/// A call that is logged, once it may be made. Clones are of the same call; when the last of them is dropped, what there is of
/// it is kept as that of a call whose client left.
#[derive(Clone)]
pub(crate) struct Invocation(Arc<Gathering>);

struct Gathering {
    log: Arc<InvocationLog>,
    called: Arc<Called>,
    logs_text: bool,
    state: Mutex<State>,
}

struct State {
    /// The name of the model, and leave to seal for each destination; nothing before the call may be made.
    permitted: Option<(String, Vec<Sealing>)>,
    input: Option<ContentBytes>,
    output: Output,
    tokens: InvocationTokens,
    failure: Option<(String, u16)>,
    /// Whether it was kept, or is not to be.
    concluded: bool,
    taken: Taken,
}

type Sealing = (InvocationDestination, Permit<kms::GenerateDataKey>);

enum Output {
    Nothing,
    Whole(ContentBytes),
    Events(StreamedEvents),
}

impl Invocation {
    pub(super) fn begin(
        log: &Arc<InvocationLog>,
        called: Called,
        input: Option<&[u8]>,
    ) -> Result<Self, Failure> {
        let mut taken = Taken::new(log, called.account);
        if !taken.more(input.map_or(0, <[u8]>::len)) {
            return Err(Failure::Unavailable);
        }
        Ok(Self(Arc::new(Gathering {
            log: Arc::clone(log),
            called: Arc::new(called),
            logs_text: input.is_some(),
            state: Mutex::new(State {
                permitted: None,
                input: input.map(|input| ContentBytes::new(input.to_vec())),
                output: Output::Nothing,
                tokens: InvocationTokens::default(),
                failure: None,
                concluded: false,
                taken,
            }),
        })))
    }

    /// The caller may make the call. From here on it is logged, whatever comes of it.
    ///
    /// # Errors
    /// A [`Failure`] if it cannot be logged: nothing was asked of a model yet.
    pub(crate) fn permitted(&self, named: &Named) -> Result<(), Failure> {
        let (log, called) = (&self.0.log, &self.0.called);
        log.room_left(called.account)
            .map_err(|error| refused(log, called, &error))?;
        let mut sealings = Vec::with_capacity(called.destinations.len());
        for destination in &called.destinations {
            let permit = log
                .key_of(called.account, destination)
                .and_then(|key| log.on_key(called.account, &key, &called.request))
                .map_err(|error| refused(log, called, &error))?;
            sealings.push((destination.clone(), permit));
        }
        let ways: Vec<_> = sealings.iter().map(|(to, key)| (to, key.resource())).collect();
        log.ways_left(called.account, &ways)
            .map_err(|error| refused(log, called, &error))?;
        let model = match &named.profile {
            Some(profile) => profile.to_string(),
            None => named.model.to_string(),
        };
        self.0.state().permitted = Some((model, sealings));
        Ok(())
    }

    /// What was found out of the prompt.
    pub(crate) fn admitted(&self, tokens: u32, cached: u32) {
        let tokens_so_far = &mut self.0.state().tokens;
        tokens_so_far.input = Some(tokens.into());
        tokens_so_far.cached = Some(cached.into());
    }

    /// What it took.
    pub(crate) fn took(&self, usage: Usage) {
        self.0.state().tokens = InvocationTokens {
            input: Some(usage.input_tokens),
            cached: Some(usage.cached_tokens),
            output: Some(usage.output_tokens),
        };
    }

    /// It did not end well. The first reason counts.
    pub(crate) fn failed(&self, failure: &Failure) {
        let told = told(failure, self.0.called.shape);
        self.0.state().failure.get_or_insert(told);
    }

    /// More of a reply that is streamed.
    ///
    /// # Errors
    /// [`TooLarge`]: it cannot be logged, so that no more of it may be sent.
    pub(crate) fn streamed(&self, streaming: Streaming, piece: &ContentBytes) -> Result<(), TooLarge> {
        let mut state = self.0.state();
        if state.concluded || !self.0.logs_text {
            return Ok(());
        }
        let State { output, taken, .. } = &mut *state;
        if !matches!(output, Output::Events(_)) {
            *output = Output::Events(StreamedEvents::new(REPLY));
        }
        let Output::Events(events) = output else {
            return Ok(());
        };
        // An event is never longer than what carried it.
        let gathered = taken.more(piece.len()).then_some(()).ok_or(TooLarge);
        let gathered = gathered.and_then(|()| match streaming {
            Streaming::Lines => events.lines(piece),
            Streaming::Frames => events.frames(piece),
        });
        if gathered.is_err() {
            let failure = told(&Failure::Internal, self.0.called.shape);
            state.failure.get_or_insert(failure);
        }
        gathered
    }

    /// Keeps what was gathered: the last byte of the reply may be sent once this has returned. The second time there is nothing
    /// to be kept.
    ///
    /// # Errors
    /// A [`Failure`]: the reply may not be sent.
    pub(crate) async fn conclude(&self) -> Result<(), Failure> {
        let Some(finished) = self.0.take() else {
            return Ok(());
        };
        let (log, called) = (Arc::clone(&self.0.log), Arc::clone(&self.0.called));
        tokio::task::spawn_blocking(move || keep(&log, &called, finished))
            .await
            .unwrap_or(Err(Failure::Internal))
    }

    /// Keeps what came of a call that is answered whole or refused, and gives the answer if that is kept. A reply that is
    /// streamed concludes by itself.
    pub(crate) async fn answered(&self, answer: Result<Outbound, Failure>) -> Result<Outbound, Failure> {
        let answer = match answer {
            Ok(Outbound {
                body: Body::Stream(_),
                ..
            }) => return answer,
            Ok(outbound) => self.0.whole(&outbound).map(|()| outbound),
            Err(failure) => Err(failure),
        };
        if let Err(failure) = &answer {
            self.failed(failure);
        }
        self.conclude().await?;
        answer
    }
}

/// A call of which nothing more comes.
struct Finished {
    model: String,
    sealings: Vec<Sealing>,
    input: Option<ContentBytes>,
    output: Output,
    tokens: InvocationTokens,
    failure: Option<(String, u16)>,
}

impl Gathering {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be kept; nothing if it was taken before, or the caller may not make the call.
    fn take(&self) -> Option<Finished> {
        let mut state = self.state();
        if std::mem::replace(&mut state.concluded, true) {
            return None;
        }
        let (model, sealings) = state.permitted.take()?;
        Some(Finished {
            model,
            sealings,
            input: state.input.take(),
            output: std::mem::replace(&mut state.output, Output::Nothing),
            tokens: state.tokens,
            failure: state.failure.take(),
        })
    }

    /// Gathers a reply that is all there.
    fn whole(&self, outbound: &Outbound) -> Result<(), Failure> {
        let mut state = self.state();
        if let (Body::Full(bytes), true) = (&outbound.body, self.logs_text) {
            if !state.taken.more(bytes.len()) {
                return Err(Failure::Unavailable);
            }
            state.output = Output::Whole(ContentBytes::new(bytes.to_vec()));
        }
        Ok(())
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let Some(mut finished) = self.take() else { return };
        finished
            .failure
            .get_or_insert_with(|| (GONE.0.to_owned(), GONE.1));
        let (log, called) = (Arc::clone(&self.log), Arc::clone(&self.called));
        // Nobody is left who could be told whether that went well, but for operators.
        let keep = move || drop(keep(&log, &called, finished));
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(keep)),
            Err(_outside) => keep(),
        }
    }
}

/// Seals and keeps a call. Blocks until it is on the disk.
fn keep(log: &InvocationLog, called: &Called, finished: Finished) -> Result<(), Failure> {
    let failure = finished.failure.as_ref();
    let facts = InvocationFacts {
        time: called.time,
        account: called.account,
        identity: &called.identity,
        region: &log.backing.region,
        request: &called.request,
        operation: called.operation,
        model: &finished.model,
        tokens: finished.tokens,
        failure: failure.map(|(code, status)| (code.as_str(), *status)),
    };
    let output = match finished.output {
        Output::Nothing => None,
        Output::Whole(whole) => Some(whole),
        Output::Events(events) => Some(events.finish()),
    };
    let input = finished.input.as_ref().map_or(&[][..], ContentBytes::expose);
    let output = output.as_ref().map_or(&[][..], ContentBytes::expose);
    let record = KeptInvocation::written(&facts, called.metadata.as_ref(), (input, output));
    let new = finished.sealings.iter().map(|(destination, key)| NewInvocation {
        destination,
        key,
        record: &record,
    });
    let (backing, new): (_, Vec<_>) = (&log.backing, new.collect());
    backing
        .store
        .keep_invocations(&backing.kms, &new, backing.clock.now())
        .map_err(|error| refused(log, called, &error))
}

fn refused(log: &InvocationLog, called: &Called, error: &(dyn std::error::Error + 'static)) -> Failure {
    log.meters.refused();
    cannot_be_logged(error, &called.request)
}
