//! Writing from the thread that hands commands over: a few commands that find nothing ahead of them are on their way one change of threads earlier.
//!
//! Guarantees: one thread writes at a time, and bytes leave in the order in which the machine gave them out; what the network did not take at once, the driver
//! writes before anything else. Waits for nothing.

use super::connection::{Machine, Plan};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// Beyond this the I/O thread writes: a batch is worth its change of threads, and costs the caller less.
const COMMANDS: usize = 4;
const BYTES: usize = 4 * 1024;

type Boxed = Box<dyn AsyncWrite + Send + Unpin>;

/// The writer of a connection, for its driver and for callers. They never want it at once: [`Direct`] sees to that.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<Boxed>>);

impl Writer {
    pub(super) fn new(writer: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    fn lock(&self) -> MutexGuard<'_, Boxed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is taken at once: how much that is, and whether all of it is on its way. Nobody is woken for the rest: the driver must ask again.
    fn write_now(&self, bytes: &[u8]) -> (usize, bool) {
        let mut context = Context::from_waker(Waker::noop());
        let mut writer = self.lock();
        let written = match Pin::new(&mut *writer).poll_write(&mut context, bytes) {
            Poll::Ready(Ok(written)) => written,
            // An error is the driver's to find, who meets the same one.
            Poll::Ready(Err(_)) | Poll::Pending => return (0, false),
        };
        (written, matches!(Pin::new(&mut *writer).poll_flush(&mut context), Poll::Ready(Ok(()))))
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writer")
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.lock()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(context)
    }
}

/// What a driver and the threads that hand commands over know of each other's writing.
#[derive(Debug, Default)]
pub(super) struct Direct {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    writer: Writer,
    generation: u32,
    hand: Hand,
    /// Given out by the machine and not taken by the network.
    rest: Vec<u8>,
    /// Taken by the writer, and not yet by the network: a TLS stream keeps bytes of its own.
    unflushed: bool,
    /// Until when the driver sleeps at most.
    alarm: Instant,
    /// The driver waits for the caller to end.
    wanted: bool,
}

/// In whose hand the writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    Nobody,
    Driver,
    /// A thread that hands commands over.
    Caller,
}

/// Bytes that a caller writes, with no lock held: whoever is woken by them may want it.
#[derive(Debug)]
pub(super) struct Writing {
    writer: Writer,
    generation: u32,
    bytes: Vec<u8>,
    is_flushed: bool,
    /// Something is due before the driver wakes.
    is_due: bool,
}

impl Writing {
    /// Writes what is taken at once.
    pub(super) fn send(&mut self) {
        if !self.bytes.is_empty() {
            let (written, is_flushed) = self.writer.write_now(&self.bytes);
            self.bytes.drain(..written);
            self.is_flushed = is_flushed;
        }
    }
}

impl Direct {
    /// A driver serves this connection from now on.
    pub(super) fn open(&mut self, writer: Writer, generation: u32) {
        let (hand, alarm) = (Hand::Driver, Instant::now());
        self.open = Some(Open { writer, generation, hand, rest: Vec::new(), unflushed: false, alarm, wanted: false });
    }

    /// It does no longer.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// The driver wants to write: gives it what callers have left over, ahead of what the machine has, and whether the writer is flushed. False while a caller
    /// writes, who wakes the driver then.
    pub(super) fn admit_driver(&mut self, machine: &mut Machine, output: &mut Vec<u8>, flushed: &mut bool) -> bool {
        let Some(open) = &mut self.open else {
            return true;
        };
        if open.hand == Hand::Caller {
            open.wanted = machine.has_output() || machine.wants_shutdown();
            return false;
        }
        machine.unwrote(open.rest.len());
        output.append(&mut open.rest);
        *flushed &= !std::mem::take(&mut open.unflushed);
        true
    }

    /// The driver goes to sleep, until `alarm` at most; `writes` if it has bytes to write.
    pub(super) fn driver_rests(&mut self, writes: bool, alarm: Instant) {
        if let Some(open) = &mut self.open {
            open.alarm = alarm;
            if open.hand != Hand::Caller {
                open.hand = if writes { Hand::Driver } else { Hand::Nobody };
            }
        }
    }

    /// Whether commands of this size may be written by a caller.
    pub(super) fn takes(&self, machine: &Machine, bytes: usize, commands: usize) -> bool {
        let fits = bytes <= BYTES && commands <= COMMANDS;
        fits && self.open.as_ref().is_some_and(|open| {
            open.hand == Hand::Nobody && machine.is_ready() && machine.plan() == Plan::Serve(open.generation)
        })
    }

    /// What the machine gives out is the caller's to write, until it calls [`Direct::finish`].
    pub(super) fn begin(&mut self, machine: &mut Machine, now: Instant) -> Option<Writing> {
        let open = self.open.as_mut()?;
        let mut bytes = Vec::new();
        machine.take_output(&mut bytes, now);
        // Counted before they are written: to whoever loses the connection meanwhile they may have been sent. The driver counts a rest back.
        machine.wrote(bytes.len());
        open.hand = Hand::Caller;
        let is_due = !machine.is_ready() || machine.next_time().is_some_and(|at| at < open.alarm);
        Some(Writing { writer: open.writer.clone(), generation: open.generation, bytes, is_flushed: true, is_due })
    }

    /// The caller has written. Whether the driver must look: there is a rest, it waits, or something is due.
    pub(super) fn finish(&mut self, writing: Writing) -> bool {
        let Some(open) = self.open.as_mut().filter(|open| open.generation == writing.generation) else {
            return true;
        };
        (open.rest, open.unflushed) = (writing.bytes, !writing.is_flushed);
        let (left, wanted) = (!open.rest.is_empty() || open.unflushed, std::mem::take(&mut open.wanted));
        open.hand = if left { Hand::Driver } else { Hand::Nobody };
        left || wanted || writing.is_due
    }
}

#[cfg(test)]
mod tests {
    use super::{Direct, Writer};
    use crate::redis::command::{Submission, encode};
    use crate::redis::connection::{Machine, Plan};
    use crate::redis::options::Options;
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::net::TcpStream;
    use tokio::time::Instant;

    const MANY: usize = 100_000;

    fn ready() -> Machine {
        let options = r#"{"disableClientInfo":true,"enableReadyCheck":false}"#;
        let mut machine = Machine::new(Arc::new(Options::parse(options).unwrap()), || 0.5);
        machine.connect();
        assert!(machine.opened(machine.generation(), Instant::now()));
        assert_eq!(machine.plan(), Plan::Serve(machine.generation()));
        machine
    }

    fn hand_over(machine: &mut Machine, number: usize, deadline_ms: i32) -> Vec<u8> {
        let bytes = encode(&[b"set", number.to_string().as_bytes(), &[b'x'; 3000]]);
        let descriptor = [i32::try_from(bytes.len()).unwrap(), 0, 0, 0, deadline_ms, 0, -1, 1];
        machine.ingest(Submission::new(&bytes, &descriptor, 1).unwrap(), Instant::now());
        bytes.to_vec()
    }

    /// As a client does; whether the driver must look.
    fn write(direct: &mut Direct, machine: &mut Machine) -> bool {
        let mut writing = direct.begin(machine, Instant::now()).unwrap();
        writing.send();
        direct.finish(writing)
    }

    async fn pair() -> (Writer, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        stream.writable().await.unwrap();
        (Writer::new(stream.into_split().1), listener.accept().unwrap().0)
    }

    #[tokio::test]
    async fn what_the_network_does_not_take_is_left_to_the_driver_and_not_overtaken() {
        let (writer, mut peer) = pair().await;
        let (mut machine, mut direct, mut expected) = (ready(), Direct::default(), Vec::new());
        direct.open(writer, machine.generation());
        assert!(!direct.takes(&machine, 1, 1), "the driver has not said yet that it rests");
        direct.driver_rests(false, Instant::now() + Duration::from_hours(1));
        assert!(!direct.takes(&machine, 5000, 1) && !direct.takes(&machine, 1, 5), "a batch is the driver's");
        let mut sent = 0;
        while direct.takes(&machine, 3100, 1) && sent < MANY {
            expected.extend(hand_over(&mut machine, sent, 0));
            sent += 1;
            assert_eq!(write(&mut direct, &mut machine), !direct.takes(&machine, 3100, 1));
        }
        assert!((2..MANY).contains(&sent), "{sent} commands were taken by a peer that reads nothing");
        let (mut rest, mut flushed) = (Vec::new(), true);
        assert!(direct.admit_driver(&mut machine, &mut rest, &mut flushed));
        let mut received = vec![0; expected.len() - rest.len()];
        peer.read_exact(&mut received).unwrap();
        received.append(&mut rest);
        assert!(received == expected);
        direct.driver_rests(false, Instant::now() + Duration::from_hours(1));
        assert!(direct.takes(&machine, 1, 1));
    }

    #[tokio::test]
    async fn the_driver_is_woken_for_what_is_due_before_its_alarm_and_by_that_alone() {
        let (writer, _peer) = pair().await;
        let (mut machine, mut direct) = (ready(), Direct::default());
        direct.open(writer, machine.generation());
        direct.driver_rests(false, Instant::now() + Duration::from_secs(10));
        for (deadline_ms, wakes) in [(0, false), (20_000, false), (5000, true)] {
            hand_over(&mut machine, 0, deadline_ms);
            assert_eq!(write(&mut direct, &mut machine), wakes, "{deadline_ms}");
        }
        direct.close();
        assert!(!direct.takes(&machine, 1, 1));
    }

    #[tokio::test]
    async fn a_driver_waits_for_a_caller_and_is_woken_if_it_has_something_to_write() {
        let (writer, _peer) = pair().await;
        let (mut machine, mut direct, mut output, mut flushed) = (ready(), Direct::default(), Vec::new(), true);
        direct.open(writer, machine.generation());
        direct.driver_rests(false, Instant::now() + Duration::from_secs(10));
        for writes in [false, true] {
            hand_over(&mut machine, 0, 0);
            let mut writing = direct.begin(&mut machine, Instant::now()).unwrap();
            assert!(!direct.takes(&machine, 1, 1), "one at a time");
            if writes {
                hand_over(&mut machine, 1, 0);
            }
            assert!(!direct.admit_driver(&mut machine, &mut output, &mut flushed));
            direct.driver_rests(false, Instant::now() + Duration::from_secs(10));
            writing.send();
            assert!(writing.bytes.is_empty());
            assert_eq!(direct.finish(writing), writes);
        }
        assert!(direct.admit_driver(&mut machine, &mut output, &mut flushed));
    }
}
