//! TLS of a client: what the caller configured, read and checked once; rustls with ring. Roots of the system plus Mozilla's, or the caller's own.
//!
//! Option names are those of Node. Opens no connection; what goes wrong is said without quoting any of the material.

use serde::Deserialize;
use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// TLS settings. Their debug form shows no key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TlsOptions {
    /// PEM roots; replace the system's.
    pub ca: Vec<String>,
    /// PEM client certificate chain.
    pub cert: Option<String>,
    /// PEM private key.
    pub key: Option<String>,
    /// Whether the server's certificate must be valid. Default true.
    pub reject_unauthorized: bool,
    /// Name to verify and to send. Default the host.
    pub servername: Option<String>,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { ca: Vec::new(), cert: None, key: None, reject_unauthorized: true, servername: None }
    }
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions").field("servername", &self.servername).finish_non_exhaustive()
    }
}

/// What is wrong with [`TlsOptions`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TlsError {
    /// This option is no usable PEM.
    #[error("tls {0} is no usable PEM")]
    Unreadable(&'static str),
    /// Only one of `cert` and `key` was given.
    #[error("tls needs cert and key together")]
    Unpaired,
    /// `servername` is no host name.
    #[error("tls servername is no host name")]
    ServerName,
    /// rustls refuses the pair of `cert` and `key`.
    #[error("tls cert and key cannot be used: {0}")]
    Rejected(Error),
}

impl TlsError {
    /// The option it is about: `ca`, `cert`, `key` or `servername`.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Unreadable(option) => option,
            Self::Unpaired | Self::Rejected(_) => "key",
            Self::ServerName => "servername",
        }
    }
}

impl TlsOptions {
    /// Checks everything that can be without I/O: the system's roots are not read.
    pub fn check(&self) -> Result<(), TlsError> {
        let own = self.own_roots()?.unwrap_or_else(RootCertStore::empty);
        self.config_over(Arc::new(own))?;
        self.own_name().map(drop)
    }

    /// A configuration for connections. Reads the system's roots when it has none of its own, once per process; that takes a while.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let roots = match self.own_roots()? {
            Some(own) => Arc::new(own),
            None => system_roots(),
        };
        self.config_over(roots)
    }

    /// The name to send and to verify when connecting to `host`.
    pub fn name_for(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        self.own_name()?.map_or_else(|| server_name(host), Ok)
    }

    /// The name given instead of the host, if one is.
    pub fn own_name(&self) -> Result<Option<ServerName<'static>>, TlsError> {
        self.servername.as_deref().map(server_name).transpose()
    }

    fn config_over(&self, roots: Arc<RootCertStore>) -> Result<ClientConfig, TlsError> {
        // The provider is named: another crate of the process may have installed a different default, or none.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Rejected)?;
        let builder = if self.reject_unauthorized {
            builder.with_root_certificates(roots)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        };
        match (&self.cert, &self.key) {
            (None, None) => Ok(builder.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| TlsError::Unreadable("key"))?;
                builder.with_client_auth_cert(certificates(cert, "cert")?, key).map_err(TlsError::Rejected)
            }
            _ => Err(TlsError::Unpaired),
        }
    }

    fn own_roots(&self) -> Result<Option<RootCertStore>, TlsError> {
        if self.ca.is_empty() {
            return Ok(None);
        }
        let mut store = RootCertStore::empty();
        for pem in &self.ca {
            for cert in certificates(pem, "ca")? {
                store.add(cert).map_err(|_| TlsError::Unreadable("ca"))?;
            }
        }
        Ok(Some(store))
    }
}

/// The certificates of one PEM text; at least one.
fn certificates(pem: &str, option: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    all.ok().filter(|all| !all.is_empty()).ok_or(TlsError::Unreadable(option))
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName)
}

/// Read once per process: the system's store is a directory of files.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    Arc::clone(ROOTS.get_or_init(|| {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    }))
}

/// Accepts any certificate (`rejectUnauthorized: false`), but still checks that the peer holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::{TlsError, TlsOptions};

    fn with(change: impl FnOnce(&mut TlsOptions)) -> Result<(), TlsError> {
        let mut options = TlsOptions::default();
        change(&mut options);
        options.check()
    }

    #[test]
    fn says_which_option_is_wrong_and_quotes_none_of_it() {
        let text = || "-----BEGIN S3CR3T-----".to_owned();
        let ca = with(|options| options.ca = vec![text()]);
        assert_eq!(ca, Err(TlsError::Unreadable("ca")));
        assert_eq!(with(|options| options.cert = Some(text())), Err(TlsError::Unpaired));
        let both = with(|options| (options.cert, options.key) = (Some(text()), Some(text())));
        assert_eq!(both.as_ref().map_err(TlsError::option), Err("key"));
        assert!(!both.unwrap_err().to_string().contains("S3CR3T"));
        assert_eq!(with(|options| options.servername = Some("no host".to_owned())), Err(TlsError::ServerName));
        assert_eq!(with(|options| options.servername = Some("a.example".to_owned())), Ok(()));
    }
}
