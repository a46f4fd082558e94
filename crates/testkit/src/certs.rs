//! Certificates for servers on this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// A self-signed certificate for `localhost` and 127.0.0.1, with its PEM files in a folder.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate; also the authority to trust.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// Makes one, and writes `cert.pem` and `key.pem` into `folder`.
    ///
    /// # Errors
    /// If the files cannot be written or the certificate cannot be made.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let der = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], der))
            .map_err(io::Error::other)?;
        Ok(Self { cert, key, config: Arc::new(config) })
    }

    /// For a TLS server.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}
