//! A client as JavaScript would use it: encodes commands, fetches the stream, keeps what settled.

use mooring::lifecycle::Registry;
use mooring::redis::reply::{Chunk, Inbox, ReplySink, token};
use mooring::redis::{Client, Options};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A value, flattened to text.
    Value(String),
    /// Kind of the failure, and whether the server may have the command.
    Failed(String, bool),
}

/// The server's address from `MOORING_TEST_REDIS_URL`.
pub(crate) fn server() -> (String, u16) {
    let Ok(url) = std::env::var("MOORING_TEST_REDIS_URL") else {
        panic!(
            "MOORING_TEST_REDIS_URL must name a running redis-server, such as redis://127.0.0.1:6379 (`npm run stack` starts one)"
        );
    };
    let rest = url.strip_prefix("redis://").unwrap_or(&url);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    let (host, port) = rest.split_once(':').unwrap_or((rest, "6379"));
    (host.to_owned(), port.parse().expect("the port of MOORING_TEST_REDIS_URL must be a number"))
}

#[derive(Default)]
struct Sink(Mutex<Inbox>);

impl ReplySink for Sink {
    fn deliver(&self, chunk: Chunk) {
        self.0.lock().unwrap().push(chunk);
    }

    fn backlog(&self) -> usize {
        self.0.lock().unwrap().bytes()
    }
}

/// A client and everything that came out of it.
pub(crate) struct Wire {
    pub(crate) client: Client,
    pub(crate) registry: Arc<Registry>,
    sink: Arc<Sink>,
    next: u32,
    outcomes: HashMap<u32, Outcome>,
    /// Status numbers in order.
    pub(crate) statuses: Vec<i32>,
    /// Numbers of other control tokens.
    pub(crate) others: Vec<i32>,
    meta: Vec<i32>,
    blob: Vec<u8>,
}

impl Wire {
    /// A client of the server at `address`, with further options as JSON fields.
    pub(crate) fn open(address: &(String, u16), fields: &str) -> Self {
        let comma = if fields.is_empty() { "" } else { "," };
        let json = format!(r#"{{"host":"{}","port":{},"family":4{comma}{fields}}}"#, address.0, address.1);
        let (sink, registry) = (Arc::<Sink>::default(), Arc::<Registry>::default());
        let options = Options::parse(&json).expect("usable options");
        let client = Client::open(options, Arc::clone(&sink) as Arc<dyn ReplySink>, &registry);
        Self {
            client,
            registry,
            sink,
            next: 0,
            outcomes: HashMap::new(),
            statuses: Vec::new(),
            others: Vec::new(),
            meta: vec![0; 1 << 16],
            blob: vec![0; 1 << 20],
        }
    }

    /// Sends a command; returns its number.
    pub(crate) fn send(&mut self, args: &[&str]) -> u32 {
        self.send_as(args, [0, 0, 0, -1])
    }

    /// Sends a command with flags, deadline in milliseconds, group, and own timeout if blocking.
    pub(crate) fn send_as(&mut self, args: &[&str], [flags, deadline_ms, group, blocking_ms]: [i32; 4]) -> u32 {
        let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            bytes.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
        }
        let length = i32::try_from(bytes.len()).unwrap();
        self.client.flush(&bytes, &[length, flags, group, 0, deadline_ms, 0, blocking_ms, 1], 1).unwrap();
        self.next += 1;
        self.next - 1
    }

    /// Sends a command and waits for its end.
    pub(crate) fn call(&mut self, args: &[&str]) -> Outcome {
        let seq = self.send(args);
        self.outcome(seq)
    }

    /// The value of a command.
    pub(crate) fn value(&mut self, args: &[&str]) -> String {
        match self.call(args) {
            Outcome::Value(value) => value,
            failed @ Outcome::Failed(..) => panic!("{args:?} ended with {failed:?}"),
        }
    }

    /// Waits for the end of a command.
    pub(crate) fn outcome(&mut self, seq: u32) -> Outcome {
        self.until(&format!("command {seq}"), |wire| wire.outcomes.contains_key(&seq));
        self.outcomes[&seq].clone()
    }

    /// Whether a command has ended.
    pub(crate) fn has_settled(&mut self, seq: u32) -> bool {
        self.fetch();
        self.outcomes.contains_key(&seq)
    }

    /// Commands that have ended.
    pub(crate) fn settled(&self) -> usize {
        self.outcomes.len()
    }

    /// Fetches until `holds`, at most ten seconds.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            self.fetch();
            if holds(self) {
                return;
            }
            assert!(Instant::now() < end, "{what} did not happen within 10 s; statuses {:?}", self.statuses);
            pause(2);
        }
    }

    /// Fetches what has come.
    pub(crate) fn fetch(&mut self) {
        loop {
            let mut inbox = self.sink.0.lock().unwrap();
            let count = inbox.drain(&mut self.meta, &mut self.blob);
            if count < 0 {
                let need = (usize::try_from(self.meta[0]).unwrap(), usize::try_from(self.meta[1]).unwrap());
                self.meta.resize(need.0.max(self.meta.len()), 0);
                self.blob.resize(need.1.max(self.blob.len()), 0);
                continue;
            }
            if count == 0 {
                return;
            }
            let mut reader = Reader { meta: &self.meta[4..usize::try_from(count).unwrap()], blob: &self.blob };
            while !reader.meta.is_empty() {
                read(&mut reader, &inbox, (&mut self.outcomes, &mut self.statuses, &mut self.others));
            }
            drop(inbox);
            self.client.fetched();
        }
    }

    /// Bytes that were not fetched.
    pub(crate) fn backlog(&self) -> usize {
        self.sink.backlog()
    }
}

/// Sleeps; these tests run on plain threads.
#[expect(clippy::disallowed_methods, reason = "a test thread, no runtime worker")]
pub(crate) fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

struct Reader<'a> {
    meta: &'a [i32],
    blob: &'a [u8],
}

impl Reader<'_> {
    fn int(&mut self) -> i32 {
        let (first, rest) = self.meta.split_first().unwrap();
        self.meta = rest;
        *first
    }

    fn skip(&mut self, count: usize) {
        self.meta = &self.meta[count..];
    }

    fn value(&mut self) -> String {
        let (kind, value) = (self.int(), self.int());
        match kind {
            token::NIL | token::NIL_ARRAY => "nil".to_owned(),
            token::INT | token::BOOLEAN => value.to_string(),
            token::ARRAY | token::PUSH | token::SET => (0..value).map(|_| self.value()).collect::<Vec<_>>().join(","),
            token::MAP => (0..value * 2).map(|_| self.value()).collect::<Vec<_>>().join(","),
            _ => {
                let (head, rest) = self.blob.split_at(usize::try_from(value).unwrap());
                self.blob = rest;
                String::from_utf8_lossy(head).into_owned()
            }
        }
    }
}

fn read(
    reader: &mut Reader<'_>,
    inbox: &Inbox,
    (outcomes, statuses, others): (&mut HashMap<u32, Outcome>, &mut Vec<i32>, &mut Vec<i32>),
) {
    let mut settle = |seq: u32, outcome: Outcome| {
        let before = outcomes.insert(seq, outcome);
        assert_eq!(before, None, "command {seq} settled twice");
    };
    match reader.int() {
        token::RUN => {
            let (first, count) = (reader.int().cast_unsigned(), reader.int().cast_unsigned());
            for i in 0..count {
                settle(first.wrapping_add(i), Outcome::Value(reader.value()));
            }
        }
        token::FAIL => {
            let (seq, id, sent) = (reader.int().cast_unsigned(), reader.int(), reader.int());
            let failure = inbox.failure(id).expect("a failure that is spoken of");
            let kind = failure.details.iter().find(|(name, _)| *name == "kind").expect("a kind");
            settle(seq, Outcome::Failed(format!("{:?}", kind.1), sent == 1));
        }
        token::STATUS => {
            statuses.push(reader.int());
            reader.int();
            reader.int();
        }
        kind @ token::NOTICE => {
            others.push(kind);
            reader.skip(3);
        }
        kind @ (token::ASK_RETRY | token::ERROR_EVENT) => {
            others.push(kind);
            reader.skip(2);
        }
        kind @ (token::MESSAGE | token::MONITOR) => {
            others.push(kind);
            reader.int();
            reader.value();
        }
        kind => {
            others.push(kind);
            reader.int();
        }
    }
}
