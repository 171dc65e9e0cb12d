//! The I/O of one websocket: connects, sends what its state has to say, hands over what comes, and ends when either side is gone.

use crate::error::redact_text;
use crate::solana::endpoint::Endpoint;
use crate::solana::endpoint::connect::Stream;
use crate::solana::pool::Pool;
use crate::solana::subscription::book::Opening;
use crate::solana::subscription::protocol::read;
use crate::solana::subscription::socket::Outgoing;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Name, TCP, TLS and handshake.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const PING_EVERY: Duration = Duration::from_secs(5);
const PONG_LIMIT: Duration = Duration::from_secs(10);
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// For the closing handshake.
const GOODBYE: Duration = Duration::from_millis(500);

type WebSocket = WebSocketStream<TokioIo<Stream>>;

impl Pool {
    /// The life of one socket.
    pub(super) async fn run_socket(self: Arc<Self>, opening: Opening, endpoint: Arc<Endpoint>) {
        let id = opening.socket;
        let connected = tokio::select! {
            connected = timeout(CONNECT_LIMIT, self.connect_socket(&endpoint)) => {
                connected.unwrap_or_else(|_| Err("connect timed out".to_owned()))
            }
            () = self.stop.cancelled() => return self.socket_lost(id, None),
        };
        let mut socket = match connected {
            Ok(socket) => socket,
            Err(why) => return self.socket_lost(id, Some(&why)),
        };
        self.socket_opened(id);
        match self.talk(id, &mut socket, &endpoint, &opening.wake).await {
            Ok(()) => {
                say_goodbye(&mut socket).await;
                self.socket_lost(id, None);
            }
            Err(why) => {
                // Subscriptions move at once; the goodbye is for a node that is only slow.
                self.socket_lost(id, Some(&why));
                say_goodbye(&mut socket).await;
            }
        }
    }

    async fn connect_socket(&self, endpoint: &Endpoint) -> Result<WebSocket, String> {
        let stream = endpoint.open_websocket().await.map_err(|error| error.to_string())?;
        let mut request = endpoint.ws_uri.clone().into_client_request().map_err(|error| failure(&error, endpoint))?;
        request.headers_mut().extend(endpoint.ws_headers.clone());
        let (socket, _) = client_async(request, stream).await.map_err(|error| failure(&error, endpoint))?;
        Ok(socket)
    }

    /// Talks until it is told to close (`Ok`) or cannot go on.
    async fn talk(
        self: &Arc<Self>,
        id: u64,
        socket: &mut WebSocket,
        endpoint: &Endpoint,
        wake: &Notify,
    ) -> Result<(), String> {
        let mut ping_at = Instant::now() + PING_EVERY;
        let mut pong_by: Option<Instant> = None;
        loop {
            let again = match self.socket_outgoing(id, endpoint) {
                Outgoing::Send(texts, again) => {
                    self.write_messages(socket, texts.into_iter().filter_map(message).collect(), endpoint).await?;
                    again
                }
                Outgoing::Close(None) => return Ok(()),
                Outgoing::Close(Some(why)) => return Err(why),
            };
            let due = pong_by.into_iter().chain(again).fold(ping_at, Instant::min);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = endpoint.removed.cancelled() => return Err("endpoint was removed".to_owned()),
                () = wake.notified() => {}
                received = socket.next() => match received {
                    Some(Ok(Message::Text(text))) => self.socket_received(id, endpoint, read(&Bytes::from(text))),
                    Some(Ok(Message::Binary(bytes))) => self.socket_received(id, endpoint, read(&bytes)),
                    Some(Ok(Message::Pong(_))) => pong_by = None,
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.map_or(1005, |frame| u16::from(frame.code));
                        return Err(format!("closed by the node with code {code}"));
                    }
                    Some(Ok(Message::Ping(_) | Message::Frame(_))) => {}
                    Some(Err(error)) => return Err(failure(&error, endpoint)),
                    None => return Err("connection lost".to_owned()),
                },
                () = tokio::time::sleep_until(due) => {
                    let now = Instant::now();
                    if pong_by.is_some_and(|by| by <= now) {
                        return Err("no pong".to_owned());
                    }
                    if ping_at <= now {
                        self.write_messages(socket, vec![Message::Ping(Bytes::new())], endpoint).await?;
                        ping_at = now + PING_EVERY;
                        pong_by.get_or_insert(now + PONG_LIMIT);
                    }
                }
            }
        }
    }

    /// Sends, unless the pool closes or the endpoint goes: `talk` sees those next.
    async fn write_messages(
        &self,
        socket: &mut WebSocket,
        messages: Vec<Message>,
        endpoint: &Endpoint,
    ) -> Result<(), String> {
        if messages.is_empty() {
            return Ok(());
        }
        let all = async {
            for message in messages {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        tokio::select! {
            sent = timeout(WRITE_LIMIT, all) => match sent {
                Ok(sent) => sent.map_err(|error| failure(&error, endpoint)),
                Err(_) => Err("write timed out".to_owned()),
            },
            () = self.stop.cancelled() => Ok(()),
            () = endpoint.removed.cancelled() => Ok(()),
        }
    }
}

fn message(text: Bytes) -> Option<Message> {
    Utf8Bytes::try_from(text).ok().map(Message::Text)
}

async fn say_goodbye(socket: &mut WebSocket) {
    let all = async {
        if socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Dropping the socket ends it in any case.
    drop(timeout(GOODBYE, all).await);
}

/// What went wrong, without the endpoint's secrets.
fn failure(error: &Error, endpoint: &Endpoint) -> String {
    match error {
        Error::Http(response) => format!("http status {}", response.status().as_u16()),
        other => endpoint.cut_secrets(&redact_text(&other.to_string())).into_owned(),
    }
}
