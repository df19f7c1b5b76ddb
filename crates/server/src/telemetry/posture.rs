//! What the start-up lines say about who can see what is measured.

use std::net::SocketAddr;

use tracing::{info, warn};

use crate::config::OtlpConfig;

/// Says where metrics and traces go: loudly if others on the network can read them.
pub fn say_posture(metrics: Option<SocketAddr>, otlp: Option<&OtlpConfig>) {
    match metrics {
        None => info!(
            "metrics are served nowhere: --metrics-listen 127.0.0.1:9464 would serve them on this machine"
        ),
        Some(address) if address.ip().to_canonical().is_loopback() => {
            info!("metrics and probes for everybody on this machine: http://{address}/metrics");
        }
        Some(address) => warn!(
            "metrics and probes are open to everybody who reaches http://{address}/metrics, unencrypted: \
             keep that network private, or listen on a loopback address"
        ),
    }
    let Some(otlp) = otlp else { return };
    let (authority, path) = (otlp.authority(), &otlp.path);
    let here = otlp.host == "localhost"
        || otlp
            .host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback());
    if otlp.tls {
        info!("traces without content go to https://{authority}{path}");
    } else if here {
        info!("traces without content go to http://{authority}{path}");
    } else {
        warn!(
            "traces without content go to http://{authority}{path} unencrypted: use https, or a collector on this machine"
        );
    }
}
