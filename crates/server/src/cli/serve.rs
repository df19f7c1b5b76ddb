//! `moho serve`: everything from the first check to the last goodbye, in order.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use clap::ArgMatches;
use http::HeaderValue;
use moho_audit::AuditError;
use moho_engine::ModelCard;
use moho_iam::bootstrap::Attestation;
use moho_os::FileLock;
use moho_terms::{Clock, Entropy};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::listeners::{Listeners, Listening};
use super::loading::Loading;
use super::posture::{say_limits, say_posture};
use super::{Exit, Failure, Progress, supervisor, surroundings, typed};
use crate::closing::{Closing, Stage};
use crate::config::{Config, TlsConfig};
use crate::door::{self, DoorSocket, DoorState};
use crate::endpoint_file::{Endpoint, Published};
use crate::net::tls::{Certificates, Identity};
use crate::net::{Limits, Listener, RimSettings, Road, Server};
use crate::system::{Supervisor, SystemClock, SystemEntropy, start_log};
use crate::telemetry::{self, MetricsListener, Observed};

/// What of the outside world the platform may use.
pub struct Surface {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// A platform that is ready to be reached.
pub struct Opened<R> {
    /// The road to it. Dropping the last reference ends the platform.
    pub road: Arc<R>,
    /// What can be proven about it.
    pub attestation: Attestation,
    /// Where the platform is told which certificate is shown.
    pub shown: Arc<OnceLock<Arc<Certificates>>>,
    /// The way down, which the platform's requests in progress watch.
    pub closing: Closing,
    /// Whether the bootstrap door is open, now and from now on.
    pub door: watch::Receiver<DoorState>,
    /// What keeps every other moho out of the data directory, and where objects rest where it is.
    pub locks: (FileLock, FileLock),
    /// What observers may see of it.
    pub observed: Arc<Observed>,
    /// The models that answer.
    pub models: Vec<ModelCard>,
    /// Whether it can still work, or has to be started again.
    pub lives: Box<dyn Fn() -> bool + Send + Sync>,
    /// What else the start-up lines have to say: what is open, what is only for development. Content-free.
    pub posture: Vec<String>,
}

/// How often the certificate is looked at: daily.
const CERTIFICATE_CHECK: std::time::Duration = std::time::Duration::from_secs(86_400);

/// How long the process waits at its very end for what the system does not give back.
const LAST_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

pub(super) fn run<R: Road>(
    matches: &ArgMatches,
    open: impl FnOnce(&Config, &Surface, Progress<'_>) -> anyhow::Result<Opened<R>>,
) -> Result<(), Failure> {
    let config = Config::resolve(&typed(matches)?, &surroundings())?;
    // Before the first thread, as some of it holds for one thread only.
    let gives_back = moho_os::give_back_large_blocks();
    moho_os::harden_process().map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let open_files = moho_os::raise_open_files();
    start_log(config.log.format, &config.log.filter).map_err(|error| Failure::new(Exit::Usage, error))?;
    if !gives_back {
        tracing::warn!(
            "the allocator keeps what large blocks took: memory may stay larger than what is in use"
        );
    }
    let supervisor = supervisor();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::InTheWay, error))?;
    let result = {
        let _inside = runtime.enter();
        let prepared = Prepared::make(&config, open_files).map_err(Failure::of(Exit::InTheWay))?;
        let mut loading = Loading::new(&supervisor);
        let opened = open(&config, &prepared.surface, &mut |model, done, total| {
            loading.show(model, done, total)
        })
        .map_err(unopened)?;
        runtime
            .block_on(prepared.serve(&config, opened, &supervisor))
            .map_err(Failure::of(Exit::Failed))
    };
    end(runtime);
    result
}

/// Ends what is left of the work in the background, when nothing needs it any more. A look-up of a name goes on for as
/// long as a resolver leaves it without an answer, and nobody could stop it.
fn end(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(LAST_WAIT);
}

/// Why the platform cannot be opened: something is in the way, or the journal is damaged.
fn unopened(error: anyhow::Error) -> Failure {
    let damaged = error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(AuditError::Broken { .. })));
    let exit = if damaged { Exit::Damaged } else { Exit::InTheWay };
    Failure::new(exit, error)
}

/// What is there before the platform: cheap things that can fail, so that they fail first.
struct Prepared {
    limits: Limits,
    surface: Surface,
    listeners: Listeners,
    /// For observers.
    metrics: Option<Listener>,
    /// A given certificate. A generated one has to wait until the data directory is ours.
    given: Option<Arc<Certificates>>,
    terminate: Signal,
    interrupt: Signal,
}

impl Prepared {
    fn make(config: &Config, open_files: usize) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let listeners = Listeners::bind(config)?;
        let metrics = match config.metrics {
            Some(address) => Some(Listener::bind(address).context("`metrics.listen`")?),
            None => None,
        };
        let given = match config.tls {
            TlsConfig::Given { .. } => Some(Certificates::open(identity(config), clock.as_ref())?),
            TlsConfig::Generated(_) => None,
        };
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        Ok(Self {
            limits: config.limits.within(open_files),
            surface: Surface { clock, entropy },
            listeners,
            metrics,
            given,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn serve<R: Road>(
        self,
        config: &Config,
        opened: Opened<R>,
        supervisor: &Supervisor,
    ) -> anyhow::Result<()> {
        let Self {
            limits,
            surface,
            listeners,
            metrics,
            given,
            mut terminate,
            mut interrupt,
        } = self;
        listeners.suit(opened.attestation)?;
        let certificates = match given {
            Some(certificates) => certificates,
            None => Certificates::open(identity(config), surface.clock.as_ref())?,
        };
        // It is told once, here.
        let _first = opened.shown.set(Arc::clone(&certificates));
        let settings = RimSettings {
            clock: Arc::clone(&surface.clock),
            entropy: Arc::clone(&surface.entropy),
            limits,
            attestation: HeaderValue::from_static(attestation_word(opened.attestation)),
            closing: opened.closing.clone(),
        };
        let server = Server::new(Arc::clone(&opened.road), settings);
        let entrances = listeners.ready(&certificates)?;
        let seen_on = metrics.as_ref().map(Listener::address);
        let listening = entrances.listening();
        let endpoint = endpoint(config, (&listening, seen_on), &certificates)?;
        // Who finds moho answering finds the door and where it is, too; what listens already is only served after that.
        open_door(&server, config, &opened.door)?;
        let endpoint = Published::write(&config.data, &endpoint)?;
        let measured = opened.observed.telemetry();
        let metrics = metrics.map(|listener| MetricsListener::open(listener, Arc::clone(&opened.observed)));
        entrances.serve(&server);
        say_posture(config, &listening, &opened);
        telemetry::say_posture(seen_on, config.otlp.as_ref());
        say_limits(config, &limits);
        supervisor.ready(&format!("serving {} models", opened.models.len()));
        tokio::select! {
            () = wait_for_stop(&mut terminate, &mut interrupt, &certificates, &surface) => {}
            () = live(supervisor, &*opened.lives) => {}
        }
        supervisor.stopping();
        tracing::info!(
            limit_seconds = config.limits.drain.as_secs(),
            "stopping: requests in progress may end"
        );
        drop(endpoint);
        let whole = server
            .finish(async || either(&mut terminate, &mut interrupt).await)
            .await;
        // Nobody waits for what is elsewhere any more, either.
        opened.closing.advance(Stage::Cut);
        measured.finish().await;
        drop(metrics);
        tracing::info!(everything_ended = whole, "stopped");
        drop(opened);
        Ok(())
    }
}

fn identity(config: &Config) -> Identity {
    match &config.tls {
        TlsConfig::Generated(names) => Identity::Generated {
            data: config.data.clone(),
            names: names.clone(),
        },
        TlsConfig::Given { certificate, key } => Identity::Given {
            certificate: certificate.clone(),
            key: key.clone(),
        },
    }
}

fn attestation_word(attestation: Attestation) -> &'static str {
    match attestation {
        Attestation::Development => "development",
        Attestation::Measured => "measured",
    }
}

fn open_door<R: Road>(
    server: &Server<R>,
    config: &Config,
    state: &watch::Receiver<DoorState>,
) -> anyhow::Result<()> {
    let now = *state.borrow();
    match now {
        DoorState::Open => {
            door::serve(
                server,
                DoorSocket::open(&config.data)?,
                moho_os::own_user(),
                state.clone(),
            );
            Ok(())
        }
        DoorState::Closed => Ok(DoorSocket::remove_stale(&config.data)?),
    }
}

/// Waits for a signal, and looks after the certificate meanwhile.
async fn wait_for_stop(
    terminate: &mut Signal,
    interrupt: &mut Signal,
    certificates: &Certificates,
    surface: &Surface,
) {
    let mut daily = tokio::time::interval(CERTIFICATE_CHECK);
    daily.tick().await;
    loop {
        tokio::select! {
            () = either(terminate, interrupt) => return,
            _instant = daily.tick() => {
                if let Err(error) = certificates.refresh(surface.clock.as_ref()) {
                    tracing::error!(%error, "the certificate could not be renewed; the present one stays in use");
                }
            }
        }
    }
}

/// Tells the service manager, as often as it wants to hear it, that moho lives. When it does not any more, the manager
/// hears nothing, and starts it again.
async fn live(supervisor: &Supervisor, lives: &(dyn Fn() -> bool + Send + Sync)) {
    let Some(interval) = supervisor.interval() else {
        return std::future::pending().await;
    };
    let mut beat = tokio::time::interval(interval);
    loop {
        beat.tick().await;
        if lives() {
            supervisor.alive();
        }
    }
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    let (terminated, interrupted) = (terminate.recv(), interrupt.recv());
    tokio::pin!(terminated, interrupted);
    std::future::poll_fn(|cx| {
        if terminated.as_mut().poll(cx).is_ready() {
            std::task::Poll::Ready(())
        } else {
            interrupted.as_mut().poll(cx).map(|_| ())
        }
    })
    .await;
}

/// Where moho is, for the commands beside it.
fn endpoint(
    config: &Config,
    (listening, metrics): (&Listening, Option<SocketAddr>),
    certificates: &Certificates,
) -> anyhow::Result<Endpoint> {
    let (url, private, socket) = listening.first().context("there is nothing to listen on")?;
    let ca = certificates
        .authority()
        .map(|path| path.canonicalize().unwrap_or(path).to_string_lossy().into_owned());
    Ok(Endpoint {
        url,
        private,
        socket,
        region: config.region.to_string(),
        ca,
        metrics: metrics.map(|address| format!("http://{}", reachable(address))),
    })
}

/// The address as a client on this machine reaches it.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let here = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(here, address.port())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_call_that_never_returns_does_not_hold_the_end_up() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let (began, begun) = std::sync::mpsc::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let call = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            held.recv()
        });
        begun.recv().unwrap();
        super::end(runtime);
        assert!(!call.is_finished(), "it was left alone");
        drop(release);
    }
}
