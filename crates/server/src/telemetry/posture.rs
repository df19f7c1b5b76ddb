//! What the start-up lines say about who can see what is measured.

use std::net::{IpAddr, SocketAddr};

use tracing::{info, warn};

use crate::config::OtlpConfig;

/// Says where metrics and traces go: loudly if others on the network can read them.
pub fn say_posture(metrics: Option<SocketAddr>, otlp: Option<&OtlpConfig>) {
    match metrics {
        None => info!(
            posture = "metrics",
            "metrics are served nowhere; --metrics-listen 127.0.0.1:9464 serves them on this machine"
        ),
        Some(address) if is_here(address.ip()) => info!(
            posture = "metrics",
            %address,
            exposure = "loopback",
            "metrics and probes for everybody on this machine: http://{address}/metrics"
        ),
        Some(address) => warn!(
            posture = "metrics",
            %address,
            exposure = "network",
            "metrics and probes are open, unencrypted, to everybody who reaches http://{address}/metrics: \
             keep that network private, or listen on a loopback address"
        ),
    }
    let Some(otlp) = otlp else { return };
    let scheme = if otlp.tls { "https" } else { "http" };
    let url = format!("{scheme}://{}{}", otlp.authority(), otlp.path);
    let here = otlp.host == "localhost" || otlp.host.parse().is_ok_and(is_here);
    if otlp.tls || here {
        info!(
            posture = "traces",
            share = otlp.share,
            "traces without content go to {url}"
        );
    } else {
        warn!(
            posture = "traces",
            share = otlp.share,
            "traces without content go to {url} unencrypted: use https, or a collector on this machine"
        );
    }
}

fn is_here(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}
