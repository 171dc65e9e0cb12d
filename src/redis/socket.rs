//! Opening a socket: names resolved afresh, TCP with its keep-alive settings, unix sockets, TLS. Reads and writes nothing itself.

use super::direct::Writer;
use super::error::{ConnectError, WireError};
use super::options::{Options, millis};
use super::tls;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::net::TcpStream;

/// Keep-alive probes after the idle time.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// An open connection.
pub(crate) struct Socket {
    pub(crate) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) writer: Writer,
    /// The peer's address.
    pub(crate) peer: Option<SocketAddr>,
}

/// How long a step of connecting may take.
pub(super) fn patience(options: &Options) -> Duration {
    millis(options.connect_timeout_ms).unwrap_or(Duration::from_hours(1))
}

/// Opens a connection within `connectTimeout`.
pub(crate) async fn open(options: &Options) -> Result<Socket, WireError> {
    let result = tokio::time::timeout(patience(options), open_any(options)).await;
    result.unwrap_or_else(|_| Err(ConnectError::timeout())).map_err(WireError::Connect)
}

async fn open_any(options: &Options) -> Result<Socket, ConnectError> {
    if let Some(path) = &options.path {
        return open_path(path).await;
    }
    let stream = open_tcp(options).await?;
    let peer = stream.peer_addr().ok();
    let Some(tls) = &options.tls else {
        let (reader, writer) = stream.into_split();
        return Ok(Socket { reader: Box::new(reader), writer: Writer::new(writer), peer });
    };
    let (connector, name) = tls::connector(tls, &options.host)?;
    let stream = connector.connect(name, stream).await.map_err(|error| tls::handshake_error(&error))?;
    let (reader, writer) = tokio::io::split(stream);
    Ok(Socket { reader: Box::new(reader), writer: Writer::new(writer), peer })
}

#[cfg(unix)]
async fn open_path(path: &str) -> Result<Socket, ConnectError> {
    let stream = tokio::net::UnixStream::connect(path).await;
    let stream = stream.map_err(|error| ConnectError::from_io(&error, "connect", Some((path.to_owned(), None))))?;
    let (reader, writer) = stream.into_split();
    Ok(Socket { reader: Box::new(reader), writer: Writer::new(writer), peer: None })
}

#[cfg(not(unix))]
async fn open_path(path: &str) -> Result<Socket, ConnectError> {
    let error = io::Error::from(io::ErrorKind::Unsupported);
    Err(ConnectError::from_io(&error, "connect", Some((path.to_owned(), None))))
}

/// Tries every address of the host, in the resolver's order.
async fn open_tcp(options: &Options) -> Result<TcpStream, ConnectError> {
    let found = tokio::net::lookup_host((options.host.as_str(), options.port)).await;
    let found = found.map_err(|error| ConnectError::lookup(&error, &options.host))?;
    let wanted = found.filter(|address| match options.family {
        4 => address.is_ipv4(),
        6 => address.is_ipv6(),
        _ => true,
    });
    let mut last = ConnectError::lookup(&io::Error::other("no address of this family"), &options.host);
    for address in wanted {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                tune(&stream, options);
                return Ok(stream);
            }
            Err(error) => {
                let place = (address.ip().to_string(), Some(address.port()));
                last = ConnectError::from_io(&error, "connect", Some(place));
            }
        }
    }
    Err(last)
}

/// Socket options. A kernel that refuses one still gives a working connection.
fn tune(stream: &TcpStream, options: &Options) {
    drop(stream.set_nodelay(options.no_delay));
    let socket = SockRef::from(stream);
    if options.keep_alive_ms == Some(0) {
        drop(socket.set_keepalive(true));
    }
    if let Some(idle) = options.keep_alive_ms.and_then(millis) {
        let keep_alive = TcpKeepalive::new().with_time(idle).with_interval(PROBE_INTERVAL);
        #[cfg(not(windows))]
        let keep_alive = keep_alive.with_retries(PROBES);
        drop(socket.set_tcp_keepalive(&keep_alive));
    }
    #[cfg(target_os = "linux")]
    drop(socket.set_tcp_user_timeout(millis(options.tcp_user_timeout_ms)));
}
