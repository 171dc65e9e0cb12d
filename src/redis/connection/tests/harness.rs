//! A model of a server and of JavaScript, for the machine.

use super::super::{Machine, Plan};
use crate::redis::command::{STRIDE, Submission, arguments, encode};
use crate::redis::error::{ConnectError, WireError};
use crate::redis::options::Options;
use crate::redis::reply::{Inbox, token};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

pub(super) const READ: i32 = 1;

/// Something that left the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happened {
    Reply(u32, String),
    Failed(u32, String, bool),
    Status(&'static str),
    AskRetry,
    Error(String),
    Message,
    AskReconnect(u32, String),
    Notice(i32, i32),
    Other(i32),
}

/// Answers `+<second argument>` to everything it does not know.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) received: Vec<Vec<String>>,
    pub(super) refuse: Option<(&'static str, &'static str)>,
    pub(super) loading: bool,
    /// What INFO says of it; nothing for a server that does not tell.
    pub(super) role: Option<&'static str>,
    pub(super) mute: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    subscribed: usize,
}

impl Server {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(length) = whole_command(&self.input) {
            let command = Bytes::from(self.input.drain(..length).collect::<Vec<u8>>());
            let mut args: Vec<String> =
                arguments(&command).iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
            args.iter_mut().take(1).for_each(|name| name.make_ascii_uppercase());
            if !self.mute {
                self.answer(&args);
            }
            if self.refuse.is_some_and(|(name, _)| args.first().is_some_and(|first| first == name)) {
                // Received, but not run.
                args.insert(0, "REFUSED".to_owned());
            }
            self.received.push(args);
        }
    }

    fn answer(&mut self, args: &[String]) {
        let name = args[0].as_str();
        let text = match self.refuse {
            Some((refused, error)) if refused == name => format!("-{error}\r\n"),
            _ if name == "INFO" => {
                let role = self.role.map_or(String::new(), |role| format!("role:{role}\r\n"));
                let info = format!("loading:{}\r\n{role}", u8::from(self.loading));
                format!("${}\r\n{info}\r\n", info.len())
            }
            _ if name.ends_with("UNSUBSCRIBE") => {
                let one = |left| format!("*3\r\n$11\r\nunsubscribe\r\n$1\r\n{}\r\n:{left}\r\n", ["a", "b"][left]);
                let all: Vec<String> = (0..self.subscribed).rev().map(one).collect();
                all.concat()
            }
            _ if name == "SUBSCRIBE" => {
                self.subscribed = args.len() - 1;
                let one = |(i, channel): (usize, &String)| {
                    format!("*3\r\n$9\r\nsubscribe\r\n${}\r\n{channel}\r\n:{}\r\n", channel.len(), i + 1)
                };
                args[1..].iter().enumerate().map(one).collect()
            }
            _ if args.len() == 1 => "+OK\r\n".to_owned(),
            _ => format!("+{}\r\n", args[1]),
        };
        self.output.extend_from_slice(text.as_bytes());
    }

    fn restart(&mut self) {
        (self.input, self.output, self.subscribed) = (Vec::new(), Vec::new(), 0);
    }
}

fn whole_command(input: &[u8]) -> Option<usize> {
    let mut at = input.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let count: usize = std::str::from_utf8(&input[1..at - 2]).ok()?.parse().ok()?;
    for _ in 0..count {
        let line = input.get(at..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let length: usize = std::str::from_utf8(&input[at + 1..at + line]).ok()?.parse().ok()?;
        at += line + 2 + length + 2;
    }
    (at <= input.len()).then_some(at)
}

pub(super) struct Harness {
    pub(super) machine: Machine,
    pub(super) server: Server,
    pub(super) now: Instant,
    pub(super) generation: u32,
    output: Vec<u8>,
    input: BytesMut,
    happened: Vec<Happened>,
    texts: Vec<String>,
    inbox: Inbox,
}

impl Harness {
    pub(super) fn new(options: &str) -> Self {
        let options = Arc::new(Options::parse(options).unwrap());
        Self {
            machine: Machine::new(options, || 0.5),
            server: Server::default(),
            now: Instant::now(),
            generation: 0,
            output: Vec::new(),
            input: BytesMut::new(),
            happened: Vec::new(),
            texts: Vec::new(),
            inbox: Inbox::default(),
        }
    }

    pub(super) fn flush(&mut self, args: &[&str], flags: i32) {
        self.submit(args, [0, flags, 0, 0, 0, 0, -1, 1]);
    }

    pub(super) fn flush_until(&mut self, args: &[&str], flags: i32, deadline_ms: i32) {
        self.submit(args, [0, flags, 0, 0, deadline_ms, 0, -1, 1]);
    }

    pub(super) fn flush_blocking(&mut self, args: &[&str], blocking_ms: i32) {
        self.submit(args, [0, 4, 0, 0, 0, 0, blocking_ms, 1]);
    }

    pub(super) fn script(&mut self, args: &[&str], id: i32) {
        self.submit(args, [0, 16, 0, 0, 0, id, -1, 1]);
    }

    pub(super) fn subscribe(&mut self, args: &[&str], due: i32) {
        self.submit(args, [0, 32, 0, 0, 0, 0, -1, due]);
    }

    pub(super) fn submit(&mut self, args: &[&str], mut descriptor: [i32; STRIDE]) {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        let bytes = encode(&args);
        descriptor[0] = i32::try_from(bytes.len()).unwrap();
        let mut submission = Submission::new(&bytes, &descriptor, 1).unwrap();
        submission.at = self.now;
        self.machine.ingest(submission, self.now);
    }

    /// Connects and opens the socket.
    pub(super) fn connect(&mut self) {
        self.machine.connect();
        self.open();
    }

    pub(super) fn open(&mut self) {
        if let Plan::Open(generation) = self.machine.plan() {
            self.generation = generation;
            self.server.restart();
            self.output.clear();
            self.input.clear();
            assert!(self.machine.opened(generation, self.now));
        }
    }

    pub(super) fn fail_to_open(&mut self) {
        if let Plan::Open(generation) = self.machine.plan() {
            self.machine.open_failed(generation, WireError::Connect(ConnectError::timeout()), self.now);
        }
    }

    /// Everything goes to the server; nothing comes back.
    pub(super) fn pump(&mut self) {
        if self.machine.plan() != Plan::Serve(self.generation) {
            return;
        }
        self.machine.take_output(&mut self.output, self.now);
        self.write(usize::MAX);
    }

    /// As the driver does: takes output when the last is gone, and writes some of it.
    pub(super) fn take_and_write(&mut self, most: usize) {
        if self.machine.plan() != Plan::Serve(self.generation) {
            return;
        }
        if self.output.is_empty() {
            self.machine.take_output(&mut self.output, self.now);
        }
        self.write(most);
    }

    /// The network accepts some bytes.
    pub(super) fn write(&mut self, most: usize) {
        let count = most.min(self.output.len());
        let bytes: Vec<u8> = self.output.drain(..count).collect();
        self.machine.wrote(count);
        self.server.take(&bytes);
    }

    /// The server's answers arrive, up to `most` bytes.
    pub(super) fn answers(&mut self, most: usize) {
        let count = most.min(self.server.output.len());
        let bytes: Vec<u8> = self.server.output.drain(..count).collect();
        self.receive(&bytes);
    }

    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.machine.received(self.generation, &mut self.input, self.now);
    }

    /// To and fro until nothing moves.
    pub(super) fn exchange(&mut self) {
        loop {
            let before = self.server.received.len();
            self.pump();
            let quiet = self.server.received.len() == before && self.server.output.is_empty();
            self.answers(usize::MAX);
            if quiet {
                return;
            }
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.machine.on_time(self.now);
    }

    pub(super) fn commands(&self) -> Vec<String> {
        self.server.received.iter().map(|args| args[0].clone()).collect()
    }

    pub(super) fn statuses(&mut self) -> Vec<&'static str> {
        self.collect(|event| if let Happened::Status(status) = event { Some(*status) } else { None })
    }

    pub(super) fn replies(&mut self) -> Vec<(u32, String)> {
        self.collect(|event| if let Happened::Reply(seq, text) = event { Some((*seq, text.clone())) } else { None })
    }

    pub(super) fn failures(&mut self) -> Vec<(u32, String, bool)> {
        self.collect(|event| match event {
            Happened::Failed(seq, kind, maybe) => Some((*seq, kind.clone(), *maybe)),
            _ => None,
        })
    }

    fn collect<T>(&mut self, pick: impl Fn(&Happened) -> Option<T>) -> Vec<T> {
        self.events().iter().filter_map(pick).collect()
    }

    /// The texts of the failures and notices so far.
    pub(super) fn texts(&mut self) -> Vec<String> {
        self.events();
        self.texts.clone()
    }

    /// Everything that has happened since the beginning.
    pub(super) fn events(&mut self) -> &[Happened] {
        if let Some(chunk) = self.machine.take_chunk() {
            self.inbox.push(chunk);
        }
        let (mut meta, mut blob) = (vec![0; 1 << 13], vec![0; 1 << 14]);
        loop {
            let count = self.inbox.drain(&mut meta, &mut blob);
            if count == 0 {
                return &self.happened;
            }
            self.texts.extend((1..100).filter_map(|id| self.inbox.failure(id)).map(|failure| failure.message.clone()));
            let mut reader =
                Reader { meta: meta[4..usize::try_from(count).unwrap()].iter().copied().collect(), blob: &blob };
            while let Some(kind) = reader.meta.pop_front() {
                read(kind, &mut reader, &self.inbox, &mut self.happened);
            }
        }
    }
}

struct Reader<'a> {
    meta: VecDeque<i32>,
    blob: &'a [u8],
}

impl Reader<'_> {
    fn int(&mut self) -> i32 {
        self.meta.pop_front().unwrap()
    }

    fn value(&mut self) -> String {
        let (kind, value) = (self.int(), self.int());
        match kind {
            token::NIL | token::NIL_ARRAY => "nil".to_owned(),
            token::INT | token::BOOLEAN => value.to_string(),
            token::ARRAY | token::PUSH => (0..value).map(|_| self.value()).collect::<Vec<_>>().join(","),
            _ => {
                let (head, rest) = self.blob.split_at(usize::try_from(value).unwrap());
                self.blob = rest;
                String::from_utf8_lossy(head).into_owned()
            }
        }
    }
}

fn read(kind: i32, reader: &mut Reader<'_>, inbox: &Inbox, out: &mut Vec<Happened>) {
    let kind_of = |id: i32| {
        let failure = inbox.failure(id).unwrap();
        let kind = failure.details.iter().find(|(name, _)| *name == "kind").unwrap();
        if let crate::error::Detail::Text(kind) = &kind.1 { kind.clone() } else { String::new() }
    };
    match kind {
        token::RUN => {
            let (first, count) = (reader.int().cast_unsigned(), reader.int());
            for i in 0..count.cast_unsigned() {
                let value = reader.value();
                out.push(Happened::Reply(first.wrapping_add(i), value));
            }
        }
        token::FAIL => {
            let (seq, id, sent) = (reader.int().cast_unsigned(), reader.int(), reader.int());
            out.push(Happened::Failed(seq, kind_of(id), sent == 1));
        }
        token::STATUS => {
            let names = ["wait", "connecting", "connect", "ready", "close", "reconnecting", "end", "monitoring"];
            out.push(Happened::Status(names[usize::try_from(reader.int()).unwrap()]));
            reader.int();
            reader.int();
        }
        token::ASK_RETRY => {
            reader.int();
            reader.int();
            out.push(Happened::AskRetry);
        }
        token::ERROR_EVENT => {
            let id = reader.int();
            reader.int();
            out.push(Happened::Error(kind_of(id)));
        }
        token::MESSAGE => {
            reader.int();
            reader.value();
            out.push(Happened::Message);
        }
        token::NOTICE => {
            let (kind, number) = (reader.int(), reader.int());
            reader.int();
            out.push(Happened::Notice(kind, number));
        }
        token::ASK_RECONNECT => {
            let seq = reader.int().cast_unsigned();
            reader.int();
            let text = reader.value();
            out.push(Happened::AskReconnect(seq, text));
        }
        other => {
            reader.int();
            out.push(Happened::Other(other));
        }
    }
}
