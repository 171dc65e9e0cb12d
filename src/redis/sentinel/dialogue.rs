//! A conversation with one sentinel: connect, authenticate, one command after another, or one subscription. Every step has a limit of time and size.

use super::options::{Address, SentinelOptions};
use crate::redis::command::encode;
use crate::redis::error::{WireError, without_secret};
use crate::redis::gate;
use crate::redis::options::{Options, millis};
use crate::redis::reply::{Tokens, has_bytes, token};
use crate::redis::resp::{Parser, ProtocolError};
use crate::redis::socket::{self, Socket};
use bytes::{Buf, BytesMut};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The most that a sentinel may say at once.
const MAX_REPLY: usize = 1024 * 1024;
/// Keep-alive probes find out that a sentinel which is only listened to has gone.
const KEEP_ALIVE_MS: u32 = 30_000;

/// One connection to a sentinel.
pub(super) struct Dialogue {
    socket: Socket,
    parser: Parser,
    input: BytesMut,
    tokens: Tokens,
    limit: Duration,
}

/// A sentinel's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Any text, and numbers as text.
    Text(String),
    /// An error.
    Error(String),
    /// Several values.
    Array(Vec<Self>),
    /// Null, and what a sentinel never says.
    Nothing,
}

impl Dialogue {
    /// Connects and, when there are credentials, authenticates.
    pub(super) async fn open(options: &SentinelOptions, address: &Address, family: u8) -> Result<Self, WireError> {
        let target = Options {
            host: address.host.clone(),
            port: address.port,
            family: address.family.unwrap_or(family),
            tls: options.tls.clone(),
            connect_timeout_ms: options.connect_timeout_ms,
            keep_alive_ms: Some(KEEP_ALIVE_MS),
            ..Options::default()
        };
        let patience = socket::patience(&target);
        // As for servers: many clients that have lost their master must not storm a sentinel.
        let pass = gate::pass(&target.endpoint(), patience, false).await.map_err(WireError::Connect)?;
        let socket = socket::open(&target).await?;
        let mut dialogue = Self {
            socket,
            parser: Parser::default(),
            input: BytesMut::new(),
            tokens: Tokens::default(),
            limit: millis(options.command_timeout_ms).unwrap_or(patience),
        };
        dialogue.authenticate(options).await?;
        drop(pass);
        Ok(dialogue)
    }

    async fn authenticate(&mut self, options: &SentinelOptions) -> Result<(), WireError> {
        let user = options.username.as_deref();
        let Some(password) = options.password.as_deref().or(user.map(|_| "")) else {
            return Ok(());
        };
        let mut args: Vec<&[u8]> = vec![b"auth"];
        args.extend(user.map(str::as_bytes));
        args.push(password.as_bytes());
        match self.call(&args).await? {
            Value::Error(text) if !is_needless(&text) => {
                Err(WireError::Reply { command: "AUTH", text: without_secret(&text, Some(password)) })
            }
            _ => Ok(()),
        }
    }

    /// Sends a command and waits for its answer.
    pub(super) async fn call(&mut self, args: &[&[u8]]) -> Result<Value, WireError> {
        let limit = self.limit;
        let answer = async {
            let command = encode(args);
            self.socket.writer.write_all(&command).await.map_err(|_| gone())?;
            self.socket.writer.flush().await.map_err(|_| gone())?;
            self.next().await
        };
        tokio::time::timeout(limit, answer).await.unwrap_or(Err(WireError::Timeout))
    }

    /// The same for a command of SENTINEL, whose error answers are errors here.
    pub(super) async fn sentinel(&mut self, what: &str, name: &str) -> Result<Value, WireError> {
        match self.call(&[b"sentinel", what.as_bytes(), name.as_bytes()]).await? {
            Value::Error(text) => Err(WireError::Reply { command: "SENTINEL", text }),
            value => Ok(value),
        }
    }

    /// The next thing the sentinel says. Safe to cancel.
    pub(super) async fn next(&mut self) -> Result<Value, WireError> {
        loop {
            let step = self.parser.advance(&self.input, &mut self.tokens)?;
            self.input.advance(step.consumed);
            if step.complete {
                let value = Value::read(&self.tokens);
                self.tokens = Tokens::default();
                return Ok(value);
            }
            if self.input.len().max(self.tokens.blob.len()).max(self.tokens.meta.len()) > MAX_REPLY {
                return Err(ProtocolError::TooLarge("an answer of 1 MiB").into());
            }
            if self.socket.reader.read_buf(&mut self.input).await.map_err(|_| gone())? == 0 {
                return Err(gone());
            }
        }
    }
}

fn gone() -> WireError {
    WireError::Closed { lost: true }
}

/// A server that asks for no password, or only for one word, is as good as one that took it.
fn is_needless(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("no password is set") || text.contains("without any password configured for the default user")
}

impl Value {
    fn read(tokens: &Tokens) -> Self {
        let mut reader = Reader { meta: &tokens.meta, blob: &tokens.blob };
        reader.value().unwrap_or(Self::Nothing)
    }

    /// The items of an array.
    pub(super) fn items(self) -> Vec<Self> {
        if let Self::Array(items) = self { items } else { Vec::new() }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Names and values in turn, as sentinels describe a server.
    pub(super) fn record(&self) -> BTreeMap<String, String> {
        let Self::Array(items) = self else {
            return BTreeMap::new();
        };
        let texts: Vec<&str> = items.iter().map(|item| item.text().unwrap_or_default()).collect();
        let pairs = texts.chunks_exact(2);
        pairs.filter_map(|pair| Some(((*pair.first()?).to_owned(), (*pair.last()?).to_owned()))).collect()
    }
}

struct Reader<'a> {
    meta: &'a [i32],
    blob: &'a [u8],
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Value> {
        let (&[kind, number], rest) = self.meta.split_first_chunk::<2>()?;
        self.meta = rest;
        if has_bytes(kind) {
            let (bytes, rest) = self.blob.split_at_checked(usize::try_from(number).ok()?)?;
            self.blob = rest;
            let text = String::from_utf8_lossy(bytes).into_owned();
            return Some(if kind == token::ERROR { Value::Error(text) } else { Value::Text(text) });
        }
        Some(match kind {
            token::INT => Value::Text(number.to_string()),
            token::ARRAY | token::SET | token::PUSH => Value::Array((0..number).map_while(|_| self.value()).collect()),
            _ => Value::Nothing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Value;
    use crate::redis::reply::Tokens;
    use crate::redis::resp::Parser;

    fn value(text: &[u8]) -> Value {
        let mut tokens = Tokens::default();
        assert!(Parser::default().advance(text, &mut tokens).unwrap().complete);
        Value::read(&tokens)
    }

    #[test]
    fn reads_what_a_sentinel_says() {
        let replicas =
            value(b"*1\r\n*4\r\n$2\r\nip\r\n$3\r\n::1\r\n$4\r\nport\r\n$4\r\n6379\r\n").items().swap_remove(0).record();
        assert_eq!(replicas.get("ip").map(String::as_str), Some("::1"));
        assert_eq!(replicas.get("port").map(String::as_str), Some("6379"));
        assert_eq!(value(b"*-1\r\n"), Value::Nothing);
        assert_eq!(value(b"*2\r\n:1\r\n$-1\r\n"), Value::Array(vec![Value::Text("1".to_owned()), Value::Nothing]));
        assert_eq!(value(b"-ERR x\r\n"), Value::Error("ERR x".to_owned()));
        assert!(value(b"*3\r\n+a\r\n+b\r\n+c\r\n").record().len() == 1);
    }
}
