//! TLS: one provider (aws-lc), hybrid post-quantum key exchange first, and a certificate that is given or generated.

mod authority;
mod files;
mod suite;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use moho_terms::{Clock, Timestamp};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

pub use authority::HostName;
pub(crate) use suite::cipher_suite;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("the file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error("the file {} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("the file {} holds no usable {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate and the key do not belong together, or cannot be used.
    #[error("the certificate and its key cannot be used together")]
    Key(#[source] rustls::Error),
    /// No certificate could be made.
    #[error("no certificate could be generated")]
    Generate(#[from] rcgen::Error),
    /// A name that no certificate can hold.
    #[error("`{0}` is no host name and no address")]
    Name(String),
}

/// Where the certificate comes from.
pub enum Identity {
    /// An own certification authority in the data directory, which vouches for these names only.
    Generated {
        /// The data directory.
        data: PathBuf,
        /// The names that clients use.
        names: Vec<HostName>,
    },
    /// Files of the operator's.
    Given {
        /// The certificate chain, in PEM.
        certificate: PathBuf,
        /// Its private key, in PEM.
        key: PathBuf,
    },
}

/// The certificate in use, which can be replaced while connections go on.
pub struct Certificates {
    identity: Identity,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificates {
    /// Reads the certificate, or makes one.
    ///
    /// # Errors
    /// [`TlsError`]: there is none, and none can be made.
    pub fn open(identity: Identity, clock: &dyn Clock) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(load(&identity, clock.now())?));
        Ok(Arc::new(Self { identity, current }))
    }

    /// Looks at the files again, and renews a generated certificate that ends soon. To be called about daily.
    ///
    /// # Errors
    /// [`TlsError`]: there is nothing better; the certificate in use stays.
    pub fn refresh(&self, clock: &dyn Clock) -> Result<(), TlsError> {
        let fresh = Arc::new(load(&self.identity, clock.now())?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// The SubjectPublicKeyInfo of the certificate in use, in DER; `None` if its key does not tell.
    #[must_use]
    pub fn public_key(&self) -> Option<Vec<u8>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.key.public_key().map(|key| key.to_vec())
    }

    /// The certificate that clients have to trust, when it is a generated one.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        match &self.identity {
            Identity::Generated { data, .. } => Some(authority::certificate_path(data)),
            Identity::Given { .. } => None,
        }
    }

    /// What accepts TLS connections: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// [`TlsError::Key`]: the provider has no usable protocol version.
    pub fn acceptor(self: Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let config = self.server_config(WebPkiClientVerifier::no_client_auth())?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// What accepts TLS connections of those who show a certificate of one of these authorities, and of nobody else:
    /// without one, the handshake fails. Each connection shows it anew, as a session that was resumed would go on with one
    /// that has expired since.
    ///
    /// # Errors
    /// [`TlsError::Key`]: the provider has no usable protocol version.
    pub(crate) fn private_acceptor(
        self: Arc<Self>,
        clients: &ClientAuthorities,
    ) -> Result<PrivateAcceptor, TlsError> {
        let mut config = self.server_config(Arc::clone(&clients.0))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(PrivateAcceptor(TlsAcceptor::from(Arc::new(config))))
    }

    fn server_config(
        self: Arc<Self>,
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<rustls::ServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Key)?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // No early data: it can be replayed.
        config.max_early_data_size = 0;
        Ok(config)
    }
}

/// The authorities of the certificates that clients of a private endpoint have to show.
pub(crate) struct ClientAuthorities(Arc<dyn ClientCertVerifier>);

impl ClientAuthorities {
    /// Those in a file, in PEM.
    ///
    /// # Errors
    /// [`TlsError`]: it cannot be read, or holds no usable authority.
    pub(crate) fn read(path: &Path) -> Result<Self, TlsError> {
        let unusable = || TlsError::Content {
            path: path.to_owned(),
            what: "certificate authority",
        };
        let mut roots = RootCertStore::empty();
        for authority in authorities(path)? {
            roots.add(authority).map_err(|_unsuitable| unusable())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        verifier.map(Self).map_err(|_no_authority| unusable())
    }
}

/// What accepts TLS connections of clients with a certificate only: made by [`Certificates::private_acceptor`].
pub struct PrivateAcceptor(TlsAcceptor);

impl PrivateAcceptor {
    pub(super) fn into_inner(self) -> TlsAcceptor {
        self.0
    }
}

/// The authorities in a file, in PEM; at least one.
///
/// # Errors
/// [`TlsError`]: it cannot be read, or holds none.
pub(crate) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = files::read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| TlsError::Content {
        path: path.to_owned(),
        what: "certificate authority",
    })
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.current.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificates")
    }
}

fn load(identity: &Identity, now: Timestamp) -> Result<CertifiedKey, TlsError> {
    match identity {
        Identity::Given { certificate, key } => read_pair(certificate, key),
        Identity::Generated { data, names } => {
            let (certificate, key) = authority::current(data, names, now)?;
            read_pair(&certificate, &key)
        }
    }
}

fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let chain = files::read(certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let unusable = |path: &Path, what| TlsError::Content {
        path: path.to_owned(),
        what,
    };
    let chain = chain.map_err(|_not_pem| unusable(certificate, "certificate"))?;
    if chain.is_empty() {
        return Err(unusable(certificate, "certificate"));
    }
    let secret = files::read(key)?;
    let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(|_not_pem| unusable(key, "private key"))?;
    CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider()).map_err(TlsError::Key)
}
