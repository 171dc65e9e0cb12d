//! TLS of a Redis connection: the connector, and what goes wrong under Node's names.

use super::error::ConnectError;
use crate::tls::{TlsError, TlsOptions};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, Error};

/// A connector and the name to verify.
pub(crate) fn connector(options: &TlsOptions, host: &str) -> Result<(TlsConnector, ServerName<'static>), ConnectError> {
    let config = options.client_config().map_err(unusable)?;
    let name = options.name_for(host).map_err(unusable)?;
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

fn unusable(error: TlsError) -> ConnectError {
    match &error {
        TlsError::ServerName => ConnectError::tls("ERR_TLS_INVALID_NAME", error.to_string()),
        TlsError::Rejected(inner) => failed(inner),
        TlsError::Unreadable(_) | TlsError::Unpaired => ConnectError::tls("ERR_INVALID_ARG_VALUE", error.to_string()),
    }
}
