//! TLS configuration of one client: rustls with ring; roots of the system plus Mozilla's, or the caller's own.

use super::error::ConnectError;
use super::options::TlsOptions;
use std::sync::{Arc, OnceLock};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// A connector and the name to verify.
pub(crate) fn connector(options: &TlsOptions, host: &str) -> Result<(TlsConnector, ServerName<'static>), ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    let builder = if options.reject_unauthorized {
        builder.with_root_certificates(roots(options)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    };
    let config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = CertificateDer::pem_slice_iter(cert.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| unreadable("cert"))?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unreadable("key"))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| failed(&error))?
        }
        _ => builder.with_no_client_auth(),
    };
    let name = options.servername.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name)
        .map_err(|_| ConnectError::tls("ERR_TLS_INVALID_NAME", "tls servername is no host name".to_owned()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// What went wrong in a TLS handshake, with Node's name for it.
pub(crate) fn handshake_error(error: &std::io::Error) -> ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner.map_or_else(|| ConnectError::from_io(error, "connect", None), failed)
}

fn failed(error: &Error) -> ConnectError {
    let code = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "CERT_HAS_EXPIRED"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "ERR_TLS_CERT_ALTNAME_INVALID",
        Error::InvalidCertificate(_) => "CERT_REJECTED",
        _ => "ERR_SSL",
    };
    ConnectError::tls(code, format!("tls handshake failed: {error}"))
}

fn unreadable(what: &str) -> ConnectError {
    ConnectError::tls("ERR_INVALID_ARG_VALUE", format!("tls {what} is no usable PEM"))
}

fn roots(options: &TlsOptions) -> Result<Arc<RootCertStore>, ConnectError> {
    if options.ca.is_empty() {
        return Ok(system_roots());
    }
    let mut store = RootCertStore::empty();
    for pem in &options.ca {
        for cert in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            store.add(cert.map_err(|_| unreadable("ca"))?).map_err(|_| unreadable("ca"))?;
        }
    }
    if store.is_empty() { Err(unreadable("ca")) } else { Ok(Arc::new(store)) }
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
