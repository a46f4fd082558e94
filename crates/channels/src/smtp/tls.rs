//! TLS towards the server: ring, the system's authorities, and those of a file.

use std::path::Path;
use std::sync::Arc;

use carillon_domain::Error;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::config::refuse;
use super::line::{Duplex, Lost};

/// How connections to one server are secured.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// For the server `host`; trusts what the system trusts, and the certificates in `ca_file`.
    pub(super) fn new(host: &str, ca_file: Option<&Path>) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "a system certificate cannot be read");
        }
        roots.add_parsable_certificates(system.certs);
        if let Some(path) = ca_file {
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| refuse(&format!("{}: {error}", path.display())))?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                return Err(refuse(&format!("{}: no certificate authority in it", path.display())));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned()).map_err(|_| refuse("the host is not a name"))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Secures `stream`; the certificate must be the host's.
    pub(super) async fn secure(&self, stream: Box<dyn Duplex>) -> Result<Box<dyn Duplex>, Lost> {
        match self.connector.connect(self.name.clone(), stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(Lost::Policy("tls_failed", crate::text::tell(&error.to_string(), ""))),
        }
    }
}
