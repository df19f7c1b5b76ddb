//! The posture: what stands open, what is for development only, what bounds hold, which models answer.
//!
//! Said once, when moho begins to serve, one line each; every line has a field `posture` that names its subject, so
//! that a program can pick them out of the JSON log. Content-free, like every line of the log.

use std::net::SocketAddr;

use moho_engine::ModelCard;
use moho_iam::bootstrap::Attestation;
use moho_terms::AccountId;

use super::listeners::Listening;
use super::serve::Opened;
use crate::config::{Config, EndpointConfig, Place, TlsConfig};
use crate::door::{self, DoorState};
use crate::net::Limits;

/// Says all of it but the bounds.
pub(super) fn say_posture<R>(config: &Config, listening: &Listening, opened: &Opened<R>) {
    tracing::info!(
        posture = "version",
        version = env!("CARGO_PKG_VERSION"),
        data = %config.data.display(),
        region = %config.region,
        "moho serves; {}",
        opened.attestation
    );
    say_listeners(config, listening, opened.attestation);
    say_certificate(config);
    say_development(config, opened);
    if let Some(objects) = &config.objects {
        let place = objects.place();
        tracing::info!(posture = "objects", %place, "the bytes of objects rest, sealed, in {place}");
    }
    for issuer in &config.federation.issuers {
        tracing::info!(
            posture = "provider",
            %issuer,
            "identity tokens of this issuer are taken, and its keys are asked for: {issuer}"
        );
    }
    say_engine(config);
    if opened.models.is_empty() {
        tracing::warn!(
            posture = "model",
            "no model is loaded: name one with --model ID=FILE.gguf"
        );
    }
    for model in &opened.models {
        say_model(config, model);
    }
    for line in &opened.posture {
        tracing::warn!(posture = "notice", "{line}; {}", opened.attestation);
    }
}

/// Every way in, and what it takes to use it.
fn say_listeners(config: &Config, listening: &Listening, attestation: Attestation) {
    for address in &listening.public {
        say_listener(*address);
    }
    if listening.public.is_empty() {
        tracing::info!(
            posture = "listener",
            exposure = "none",
            "there is no public listener"
        );
    }
    for (endpoint, (_, place)) in config.endpoints.iter().zip(&listening.private) {
        say_endpoint(endpoint, place);
    }
    if let Some(address) = listening.plain {
        tracing::warn!(
            posture = "listener",
            %address,
            exposure = "plain",
            "listening on http://{address} WITHOUT encryption: every program on this machine can read what passes; {attestation}"
        );
    }
}

fn say_endpoint(endpoint: &EndpointConfig, place: &Place) {
    let accounts: Vec<&str> = endpoint.accounts.iter().map(AccountId::as_str).collect();
    let accounts = if accounts.is_empty() {
        "the first account".to_owned()
    } else {
        accounts.join(",")
    };
    tracing::info!(
        posture = "listener",
        address = %place,
        exposure = "private",
        endpoint = %endpoint.id,
        vpc = %endpoint.vpc,
        accounts,
        client_ca = %endpoint.client_ca.display(),
        "the private endpoint {} is on {place} (TLS 1.3 and 1.2, clients need a certificate)",
        endpoint.id
    );
}

fn say_listener(address: SocketAddr) {
    let loopback = address.ip().is_loopback();
    let exposure = if loopback { "loopback" } else { "network" };
    let (protocols, tls) = ("HTTP/2 and HTTP/1.1", "TLS 1.3 and 1.2");
    if loopback {
        tracing::info!(posture = "listener", %address, exposure, "listening on https://{address} ({tls}, {protocols})");
    } else {
        tracing::warn!(
            posture = "listener",
            %address,
            exposure,
            "listening on https://{address} ({tls}, {protocols}), which other machines can reach"
        );
    }
}

fn say_certificate(config: &Config) {
    match &config.tls {
        TlsConfig::Generated(names) => {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            tracing::info!(
                posture = "certificate",
                kind = "generated",
                names = names.join(","),
                file = %config.data.join("ca.pem").display(),
                "clients have to trust this generated authority"
            );
        }
        TlsConfig::Given { certificate, .. } => tracing::info!(
            posture = "certificate",
            kind = "given",
            file = %certificate.display(),
            "the certificate is the operator's"
        ),
    }
}

/// What is open, and for development only.
fn say_development<R>(config: &Config, opened: &Opened<R>) {
    let door = *opened.door.borrow();
    match door {
        DoorState::Open => tracing::warn!(
            posture = "door",
            open = true,
            socket = %door::socket_path(&config.data).display(),
            "the bootstrap door is open to this user: `moho credentials` gets credentials without a password; {}",
            opened.attestation
        ),
        DoorState::Closed => tracing::info!(posture = "door", open = false, "the bootstrap door is closed"),
    }
    if opened.attestation == Attestation::Development {
        tracing::warn!(
            posture = "attestation",
            "the root key is a file on this disk, and nothing about this machine is proven; {}",
            opened.attestation
        );
    }
    if moho_os::own_user() == 0 {
        tracing::warn!(
            posture = "user",
            "moho runs as root and needs no privilege: run it as a user of its own (deploy/systemd/moho.service)"
        );
    }
}

fn say_engine(config: &Config) {
    let kernels = moho_engine::kernels();
    tracing::info!(
        posture = "engine",
        kernels = kernels.first().copied().unwrap_or_default(),
        threads = config.threads,
        kv_bytes = config.engine.kv_bytes,
        sequences = config.engine.max_sequences,
        queue = config.engine.queue,
        "the engine computes on this machine's processors"
    );
}

fn say_model(config: &Config, model: &ModelCard) {
    let digest: String = model.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    tracing::info!(
        posture = "model",
        model = %model.id,
        sha256 = digest,
        parameters = model.parameters,
        quantisation = model.quantisation,
        context = model.context_length,
        granted_here = config.bootstrap_grants.contains(&model.id),
        "a model is loaded"
    );
}

/// Says the bounds, and which of them is tighter than what was asked for.
pub(super) fn say_limits(config: &Config, limits: &Limits) {
    tracing::info!(
        posture = "limits",
        body = limits.body,
        body_memory = limits.body_memory,
        head = limits.head,
        connections = limits.connections,
        connections_per_peer = limits.connections_per_peer,
        requests = limits.requests,
        streams = limits.streams,
        idle_seconds = limits.idle.as_secs(),
        body_seconds = limits.body_wait.as_secs(),
        stall_seconds = limits.stall.as_secs(),
        drain_seconds = limits.drain.as_secs(),
        "what one client, and all of them, may take"
    );
    if limits.connections < config.limits.connections {
        tracing::warn!(
            posture = "limits",
            connections = limits.connections,
            wanted = config.limits.connections,
            "the system allows too few open files for as many connections as `limits.connections`: raise `ulimit -n`, or LimitNOFILE of the unit"
        );
    }
}
