//! The log's witnesses (C2SP tlog-witness): each is sent every checkpoint with the proof that it continues the one it saw before, and
//! says so by a cosignature.
//!
//! They are asked by the thread that lets the tree grow, which waits for them within a bound; no request does. A witness that
//! has seen more entries than there are, or others, is told of in the journal: then records were taken away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use moho_attest::log::NoteKey;
use moho_audit::{Prove, Published, Witnesses};
use moho_iam::authz::{Event, EventIdentity, EventKind, Journal as _};
use moho_terms::{Clock, Entropy, RequestId};
use tokio::runtime::Handle;

use crate::config::WitnessConfig;
use crate::outbound::{Answer, ExchangeError, Peer, connector};
use crate::road::chain;
use crate::startup::watched::WatchedJournal;

/// For all that one witness is asked about one checkpoint.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer: a few lines of signatures.
const ANSWER: usize = 64 << 10;

/// Why a witness cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WitnessError {
    #[error("the certificate of a witness cannot be checked: `audit.ca` names the authorities to trust")]
    Authorities(#[from] crate::outbound::AuthoritiesError),
    #[error("no certificate can be for the host of the witness {0}")]
    Name(String),
}

/// Who is asked, and by what.
pub(crate) struct AskedWitnesses {
    keys: Vec<NoteKey>,
    witnesses: Vec<Arc<Witness>>,
    runtime: Handle,
    telling: Telling,
}

/// Where it is written down that a witness has seen what is not there.
pub(crate) struct Telling {
    /// The journal keeps the tree, which keeps the witnesses.
    pub(crate) journal: Weak<WatchedJournal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
}

struct Witness {
    key: NoteKey,
    peer: Peer,
    path: String,
    /// How many entries it saw last, as far as is known.
    seen: AtomicU64,
    /// Whether its contradiction was told.
    told: AtomicBool,
}

/// What a witness says.
enum Said {
    /// Lines of its signatures.
    Cosigned(String),
    /// It has seen another number of entries before.
    Seen(u64),
    /// What it saw is not what there is.
    Contradicts,
    /// It said something else, or nothing.
    Nothing(String),
}

impl AskedWitnesses {
    /// Those of the settings; `None` if there are none.
    ///
    /// # Errors
    /// [`WitnessError`]: what the settings name cannot be asked.
    pub(crate) fn of(config: &WitnessConfig, telling: Telling) -> Result<Option<Self>, WitnessError> {
        if config.witnesses.is_empty() {
            return Ok(None);
        }
        let connector = connector(config.ca.as_deref())?;
        let witnesses = config.witnesses.iter().map(|(key, url)| {
            let origin = url.origin();
            let peer = Peer::over_tls(&origin.host, origin.port, connector.clone());
            Ok(Arc::new(Witness {
                key: key.clone(),
                peer: peer.map_err(|_no_name| WitnessError::Name(key.name().as_str().to_owned()))?,
                path: format!("{}/add-checkpoint", url.path().trim_end_matches('/')),
                seen: AtomicU64::new(0),
                told: AtomicBool::new(false),
            }))
        });
        Ok(Some(Self {
            keys: config.witnesses.iter().map(|(key, _)| key.clone()).collect(),
            witnesses: witnesses.collect::<Result<_, WitnessError>>()?,
            runtime: Handle::current(),
            telling,
        }))
    }

    /// What a witness says of a checkpoint that continues the `old` entries; in time, or that it said nothing.
    fn ask(&self, witness: &Arc<Witness>, body: String) -> mpsc::Receiver<Said> {
        let (say, said) = mpsc::channel();
        let witness = Arc::clone(witness);
        drop(self.runtime.spawn(async move {
            let answer = tokio::time::timeout(PATIENCE, witness.exchange(body)).await;
            // Who asked may have ended.
            drop(say.send(match answer {
                Ok(Ok(answer)) => said_by(&answer),
                Ok(Err(error)) => Said::Nothing(chain(&error)),
                Err(_elapsed) => Said::Nothing("it does not answer in time".to_owned()),
            }));
        }));
        said
    }

    /// One round: what each of `asked` says, who are asked at once.
    fn round(
        &self,
        asked: Vec<&Arc<Witness>>,
        published: &Published,
        prove: &Prove<'_>,
    ) -> Vec<(Arc<Witness>, Said)> {
        let asking = asked.into_iter().map(|witness| {
            let seen = witness.seen.load(Ordering::Relaxed);
            let body = request(seen, published, prove);
            (witness, body.map(|body| self.ask(witness, body)))
        });
        let asking: Vec<_> = asking.collect();
        asking
            .into_iter()
            .map(|(witness, asked)| {
                let nothing = || Said::Nothing("nobody could be asked".to_owned());
                let said = asked.map_or(Said::Contradicts, |asked| {
                    asked.recv().unwrap_or_else(|_ended| nothing())
                });
                (Arc::clone(witness), said)
            })
            .collect()
    }

    /// What comes of an answer: lines, or that it is to be asked again.
    fn heard(&self, witness: &Witness, said: Said, size: u64) -> Option<Result<String, ()>> {
        let name = witness.key.name().as_str();
        match said {
            Said::Cosigned(lines) => {
                witness.seen.store(size, Ordering::Relaxed);
                return Some(Ok(lines));
            }
            Said::Seen(seen) if seen <= size && seen != witness.seen.load(Ordering::Relaxed) => {
                witness.seen.store(seen, Ordering::Relaxed);
                return Some(Err(()));
            }
            Said::Seen(_) | Said::Contradicts => self.contradicted(witness),
            Said::Nothing(why) => {
                tracing::warn!(witness = name, why, "a witness of the log has not cosigned it")
            }
        }
        None
    }

    /// Tells, once, that a witness has seen what is not there.
    fn contradicted(&self, witness: &Witness) {
        let name = witness.key.name().as_str();
        tracing::error!(
            witness = name,
            "a witness has seen a log that this one does not continue: records were taken away, or altered"
        );
        let Some(journal) = self.telling.journal.upgrade() else {
            return;
        };
        if witness.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let Ok(id) = RequestId::random(&*self.telling.entropy) else {
            return;
        };
        let identity = EventIdentity::of_service("moho", None);
        let what = (EventKind::Finding, "LogContradicted");
        let mut event = Event::new(what, id, identity, self.telling.clock.now());
        event.read_only = true;
        event.damage = Some(format!("the witness {name} has seen another log of this name"));
        if let Err(error) = journal.record_event(&event) {
            tracing::error!(error = %chain(&error), "that a witness contradicts the log is not in the journal");
        }
    }
}

impl Witnesses for AskedWitnesses {
    fn keys(&self) -> &[NoteKey] {
        &self.keys
    }

    fn cosign(&self, published: &Published, prove: &Prove<'_>) -> Vec<String> {
        let size = published.checkpoint.size;
        let mut lines = Vec::new();
        let mut again = Vec::new();
        for (witness, said) in self.round(self.witnesses.iter().collect(), published, prove) {
            match self.heard(&witness, said, size) {
                Some(Ok(cosigned)) => lines.push(cosigned),
                Some(Err(())) => again.push(witness),
                None => {}
            }
        }
        // Who had seen another size said which: with the proof from there it is asked once more.
        for (witness, said) in self.round(again.iter().collect(), published, prove) {
            if let Some(Ok(cosigned)) = self.heard(&witness, said, size) {
                lines.push(cosigned);
            }
        }
        lines
    }
}

/// The body of `add-checkpoint`; `None` if what the witness saw is not what the log was.
fn request(seen: u64, published: &Published, prove: &Prove<'_>) -> Option<String> {
    let proof = prove(seen)?;
    let hashes: String = proof.path.iter().map(|hash| hash.to_base64() + "\n").collect();
    Some(format!("old {seen}\n{hashes}\n{}", published.note))
}

fn said_by(answer: &Answer) -> Said {
    let body = answer
        .body
        .as_deref()
        .and_then(|body| std::str::from_utf8(body).ok());
    match (answer.status, body) {
        (StatusCode::OK, Some(lines)) => Said::Cosigned(lines.to_owned()),
        (StatusCode::CONFLICT, Some(size)) => match size.trim_end_matches('\n').parse() {
            Ok(seen) => Said::Seen(seen),
            Err(_no_number) => Said::Contradicts,
        },
        (StatusCode::UNPROCESSABLE_ENTITY, _) => Said::Contradicts,
        (status, _) => Said::Nothing(format!("it answers {status}")),
    }
}

impl Witness {
    async fn exchange(&self, body: String) -> Result<Answer, ExchangeError> {
        let request = Request::post(&self.path).body(Full::new(Bytes::from(body)))?;
        self.peer.exchange(request, ANSWER).await
    }
}
