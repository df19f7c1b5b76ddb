//! The listeners of `moho serve`: public ones, private endpoints, and the plain one for local tools.
//!
//! All are taken before anything else happens, so that an address in use fails first, and served only once everything
//! behind them is there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use moho_iam::bootstrap::Attestation;
use moho_terms::EndpointId;

use crate::config::{Config, Place};
use crate::net::tls::{Certificates, ClientAuthorities};
use crate::net::{Entrance, Listener, Road, Server, SocketListener};

/// Sockets that listen, but are not served yet.
pub(super) struct Listeners {
    public: Vec<Listener>,
    private: Vec<Private>,
    plain: Option<Listener>,
}

struct Private {
    id: EndpointId,
    clients: ClientAuthorities,
    socket: Socket,
}

enum Socket {
    Address(Listener),
    Socket(SocketListener),
}

/// Where everything listens.
pub(super) struct Listening {
    /// Public addresses.
    pub(super) public: Vec<SocketAddr>,
    /// Private endpoints.
    pub(super) private: Vec<(EndpointId, Place)>,
    /// Plain HTTP.
    pub(super) plain: Option<SocketAddr>,
}

impl Listeners {
    /// Takes every address and socket.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let public = config.listen.iter().map(|address| Listener::bind(*address));
        let mut private = Vec::with_capacity(config.endpoints.len());
        for endpoint in &config.endpoints {
            let named = || format!("the private endpoint {}", endpoint.id);
            let clients = ClientAuthorities::read(&endpoint.client_ca).with_context(named)?;
            let socket = match &endpoint.listen {
                Place::Address(address) => Socket::Address(Listener::bind(*address).with_context(named)?),
                Place::Socket(path) => Socket::Socket(SocketListener::bind(path).with_context(named)?),
            };
            let id = endpoint.id.clone();
            private.push(Private { id, clients, socket });
        }
        let plain = config.plain_http.map(Listener::bind).transpose();
        Ok(Self {
            public: public.collect::<Result<_, _>>()?,
            private,
            plain: plain.context("`dev.plain_http`")?,
        })
    }

    /// Refuses plain HTTP where anything is proven: credentials and content would pass in the clear.
    pub(super) fn suit(&self, attestation: Attestation) -> anyhow::Result<()> {
        match (&self.plain, attestation) {
            (None, _) | (Some(_), Attestation::Development) => Ok(()),
            (Some(_), Attestation::Measured) => anyhow::bail!(
                "plain HTTP (`dev.plain_http`) is served under the development root only: leave the setting out"
            ),
        }
    }

    /// Makes ready whatever can fail before anybody is served.
    pub(super) fn ready(self, certificates: &Arc<Certificates>) -> anyhow::Result<Entrances> {
        let tls = Arc::clone(certificates).acceptor()?;
        let public = self.public.into_iter();
        let mut private = Vec::with_capacity(self.private.len());
        for Private { id, clients, socket } in self.private {
            let tls = Arc::clone(certificates).private_acceptor(&clients)?;
            private.push((id.clone(), Entrance::private(id, tls), socket));
        }
        Ok(Entrances {
            public: public
                .map(|listener| (listener, Entrance::public(tls.clone())))
                .collect(),
            private,
            plain: self.plain,
        })
    }
}

/// Sockets that listen, and what is behind each.
pub(super) struct Entrances {
    public: Vec<(Listener, Entrance)>,
    private: Vec<(EndpointId, Entrance, Socket)>,
    plain: Option<Listener>,
}

impl Entrances {
    /// Where they are.
    pub(super) fn listening(&self) -> Listening {
        let place = |socket: &Socket| match socket {
            Socket::Address(listener) => Place::Address(listener.address()),
            Socket::Socket(listener) => Place::Socket(listener.path().to_owned()),
        };
        let private = self.private.iter();
        Listening {
            public: self
                .public
                .iter()
                .map(|(listener, _)| listener.address())
                .collect(),
            private: private
                .map(|(id, _, socket)| (id.clone(), place(socket)))
                .collect(),
            plain: self.plain.as_ref().map(Listener::address),
        }
    }

    /// Serves them all from now on.
    pub(super) fn serve<R: Road>(self, server: &Server<R>) {
        for (listener, entrance) in self.public {
            server.listen(listener, entrance);
        }
        for (_id, entrance, socket) in self.private {
            match socket {
                Socket::Address(listener) => server.listen(listener, entrance),
                Socket::Socket(listener) => server.listen_on_socket(listener, entrance),
            }
        }
        if let Some(listener) = self.plain {
            server.listen(listener, Entrance::plain());
        }
    }
}

impl Listening {
    /// The URL that clients on this machine begin with, the endpoint's id if it is a private one, and its socket if it has
    /// no address: a public address, or else a private one, or else the plain one.
    pub(super) fn first(&self) -> Option<(String, Option<EndpointId>, Option<PathBuf>)> {
        let https = |address: SocketAddr| format!("https://{}", super::serve::reachable(address));
        if let Some(address) = self.public.first() {
            return Some((https(*address), None, None));
        }
        let addresses = self.private.iter().filter_map(|(id, place)| match place {
            Place::Address(address) => Some((https(*address), Some(id.clone()), None)),
            Place::Socket(_) => None,
        });
        let sockets = self.private.iter().filter_map(|(id, place)| match place {
            Place::Socket(path) => Some((
                "https://localhost".to_owned(),
                Some(id.clone()),
                Some(path.clone()),
            )),
            Place::Address(_) => None,
        });
        let plain = self
            .plain
            .map(|address| (format!("http://{address}"), None, None));
        addresses.chain(sockets).next().or(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, Typed};

    #[test]
    fn authorities_that_cannot_be_used_are_found_before_anybody_is_served() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clients.pem");
        let bound = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let settings = format!(
                "listen = []\n[endpoints.vpce-0a1b2c3d]\nlisten = '127.0.0.1:0'\nvpc = 'vpc-0a1b2c3d'\nclient_ca = '{}'\n",
                file.display()
            );
            let surroundings = Surroundings {
                cores: 1,
                data_home: Some(folder.path().to_owned()),
            };
            let config = Config::resolve(&Typed::from_file(&settings).unwrap(), &surroundings).unwrap();
            Listeners::bind(&config).map(|bound| bound.private.len())
        };
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        assert_eq!(bound(&authority.self_signed(&key).unwrap().pem()).unwrap(), 1);
        // PEM, but no certificate.
        let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let refused = format!("{:#}", bound(nonsense).unwrap_err());
        assert!(refused.contains("vpce-0a1b2c3d"), "{refused}");
        assert!(
            refused.contains("holds no usable certificate authority"),
            "{refused}"
        );
    }

    #[test]
    fn plain_http_is_for_the_development_root_alone() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let listeners = |plain: Option<SocketAddr>| Listeners {
            public: Vec::new(),
            private: Vec::new(),
            plain: plain.map(|address| Listener::bind(address).unwrap()),
        };
        let with = listeners(Some("127.0.0.1:0".parse().unwrap()));
        assert!(with.suit(Attestation::Development).is_ok());
        let refused = with.suit(Attestation::Measured).unwrap_err().to_string();
        assert!(refused.contains("`dev.plain_http`"), "{refused}");
        assert!(listeners(None).suit(Attestation::Measured).is_ok());
    }

    fn listening(public: &[&str], private: &[Place], plain: Option<&str>) -> Listening {
        let id: EndpointId = "vpce-0a1b2c3d".parse().unwrap();
        Listening {
            public: public.iter().map(|address| address.parse().unwrap()).collect(),
            private: private.iter().map(|place| (id.clone(), place.clone())).collect(),
            plain: plain.map(|address| address.parse().unwrap()),
        }
    }

    #[test]
    fn clients_of_this_machine_are_told_the_way_in_that_takes_least() {
        let socket = Place::Socket("/run/moho/a.sock".into());
        let address = Place::Address("10.0.0.5:8443".parse().unwrap());
        let first = |listening: Listening| {
            let (url, endpoint, socket) = listening.first().unwrap();
            (url, endpoint.is_some(), socket.is_some())
        };
        let both = [socket.clone(), address];
        assert_eq!(
            first(listening(&["0.0.0.0:1"], &both, Some("127.0.0.1:2"))),
            ("https://127.0.0.1:1".to_owned(), false, false)
        );
        assert_eq!(
            first(listening(&[], &both, Some("127.0.0.1:2"))),
            ("https://10.0.0.5:8443".to_owned(), true, false)
        );
        assert_eq!(
            first(listening(&[], &[socket], None)),
            ("https://localhost".to_owned(), true, true)
        );
        assert_eq!(
            first(listening(&[], &[], Some("127.0.0.1:2"))),
            ("http://127.0.0.1:2".to_owned(), false, false)
        );
        assert!(listening(&[], &[], None).first().is_none());
    }
}
