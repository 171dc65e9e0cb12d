//! The I/O thread: one per process, a tokio current-thread runtime started by the first connect, on which every client has one driver task.
//!
//! A driver does what its state machine plans and decides nothing. It holds nothing of a client that has ended.

use super::client::Shared;
use super::connection::Plan;
use super::error::{ConnectError, WireError};
use super::gate::{self, Pass};
use super::sentinel;
use super::socket::{self, Socket};
use bytes::BytesMut;
use futures_util::FutureExt;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Builder, Handle};
use tokio::time::{Instant, Sleep, sleep_until};

/// Room for one read, and the most that one read brings.
const READ_BYTES: usize = 64 * 1024;
/// A buffer beyond this size is given back when it is empty.
const KEEP_BYTES: usize = 1024 * 1024;
/// Where a timer points that has nothing to wait for.
const FAR: Duration = Duration::from_hours(24);

/// Runs a driver on the I/O thread. False when the thread cannot be had.
pub(crate) fn spawn(driver: impl Future<Output = ()> + Send + 'static) -> bool {
    static THREAD: OnceLock<Option<Handle>> = OnceLock::new();
    let Some(handle) = THREAD.get_or_init(start) else {
        return false;
    };
    drop(handle.spawn(driver));
    true
}

fn start() -> Option<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let handle = runtime.handle().clone();
    let run = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("mooring-redis-io".to_owned()).spawn(run).ok()?;
    Some(handle)
}

/// The life of one client's connections, until its machine is over.
pub(crate) async fn drive(shared: Arc<Shared>) {
    loop {
        let end = AssertUnwindSafe(run(&shared)).catch_unwind().await;
        if let Err(panic) = end {
            let text = panic.downcast_ref::<&str>().map_or("no message", |text| *text).to_owned();
            shared.with(|machine, _| machine.broke(&WireError::Internal(text)));
        }
        if shared.driver_may_end() {
            return;
        }
    }
}

async fn run(shared: &Shared) {
    loop {
        let (plan, until) = shared.with(|machine, now| {
            machine.on_time(now);
            (machine.plan(), machine.next_time())
        });
        match plan {
            Plan::Over => return,
            Plan::Rest => {
                tokio::select! {
                    () = shared.woken() => {}
                    () = sleep_until(until.unwrap_or_else(|| Instant::now() + FAR)) => {}
                }
            }
            Plan::Open(generation) => attempt(shared, generation).await,
            // The socket of this generation was dropped with its driver's turn: it has ended.
            Plan::Serve(generation) => shared.with(|machine, now| machine.socket_ended(generation, None, now)),
        }
    }
}

/// One attempt to connect, and the connection that comes of it.
async fn attempt(shared: &Shared, generation: u32) {
    let mut opening = pin!(open(shared));
    let opened = loop {
        let until = shared.with(|machine, now| {
            machine.on_time(now);
            (machine.plan() == Plan::Open(generation)).then(|| machine.next_time())
        });
        let Some(until) = until else {
            return;
        };
        tokio::select! {
            opened = &mut opening => break opened,
            () = shared.woken() => {}
            () = sleep_until(until.unwrap_or_else(|| Instant::now() + FAR)) => {}
        }
    };
    match opened {
        Err(error) => shared.with(|machine, now| machine.open_failed(generation, error, now)),
        Ok((socket, pass)) => {
            shared.set_peer(socket.peer);
            if shared.with(|machine, now| machine.opened(generation, now)) {
                let error = serve(shared, Served::new(shared, generation, socket), pass).await;
                let served = shared.with(|machine, now| {
                    machine.socket_ended(generation, error, now);
                    machine.was_ready_in(generation)
                });
                if !served {
                    shared.sentinels.doubt();
                }
            }
            shared.set_peer(None);
        }
    }
}

async fn open(shared: &Shared) -> Result<(Socket, Pass), WireError> {
    let options = sentinel::resolve(shared).await?;
    let endpoint = options.endpoint();
    let pass = gate::pass(&endpoint, socket::patience(&options), options.urgent).await.map_err(WireError::Connect)?;
    let socket = socket::open(&options).await.inspect_err(|_| shared.sentinels.doubt())?;
    Ok((socket, pass))
}

/// Serves a connection, and listens to sentinels meanwhile if that is wanted.
async fn serve(shared: &Shared, served: Served<'_>, pass: Pass) -> Option<WireError> {
    let Some(options) = shared.options.sentinel.as_ref().filter(|options| options.failover_detector) else {
        return served.run(Some(pass)).await;
    };
    let mut serving = pin!(served.run(Some(pass)));
    tokio::select! {
        error = &mut serving => error,
        () = sentinel::watch(shared, options) => serving.await,
    }
}

/// One open connection.
struct Served<'a> {
    shared: &'a Shared,
    generation: u32,
    socket: Socket,
    input: BytesMut,
    output: Vec<u8>,
    /// Bytes of the output that were written, and how many of those the machine does not know of yet.
    sent: usize,
    news: usize,
    flushed: bool,
    shut: bool,
}

/// What the machine wants of this turn.
struct Turn {
    /// When to look again.
    alarm: Instant,
    shutdown: bool,
    shaking_hands: bool,
}

impl<'a> Served<'a> {
    fn new(shared: &'a Shared, generation: u32, socket: Socket) -> Self {
        shared.direct().open(socket.writer.clone(), generation);
        let input = BytesMut::with_capacity(READ_BYTES);
        Self { shared, generation, socket, input, output: Vec::new(), sent: 0, news: 0, flushed: true, shut: false }
    }

    /// Reads and writes until the connection or the machine's wish for it ends. The error, if the connection broke.
    async fn run(mut self, mut pass: Option<Pass>) -> Option<WireError> {
        let mut sleep = pin!(sleep_until(Instant::now() + FAR));
        let mut received = false;
        loop {
            let turn = self.turn(received, sleep.deadline())?;
            if !turn.shaking_hands {
                pass = None;
            }
            if turn.shutdown && !self.shut {
                self.shut = true;
                drop(tokio::time::timeout(Duration::from_millis(100), self.socket.writer.shutdown()).await);
            }
            if sleep.deadline() != turn.alarm {
                sleep.as_mut().reset(turn.alarm);
            }
            received = match self.step(sleep.as_mut()).await {
                Ok(received) => received,
                Err(end) => {
                    drop(pass);
                    // What was written in this step counts before the loss is judged.
                    self.tell_written();
                    return end;
                }
            };
        }
    }

    /// Tells the machine what happened and takes what is to be sent. `None`: this connection is no longer wanted.
    fn turn(&mut self, received: bool, alarm: Instant) -> Option<Turn> {
        let Self { shared, generation, input, output, sent, news, flushed, .. } = self;
        shared.with(|machine, now| {
            machine.wrote(std::mem::take(news));
            if received {
                machine.received(*generation, input, now);
            }
            if shared.is_paused() {
                machine.paused(now);
            }
            machine.on_time(now);
            if machine.plan() != Plan::Serve(*generation) {
                return None;
            }
            let mut admitted = true;
            if *sent == output.len() {
                output.clear();
                output.shrink_to(KEEP_BYTES);
                *sent = 0;
                admitted = shared.direct().admit_driver(machine, output, flushed);
                if admitted {
                    machine.take_output(output, now);
                }
            }
            let until = machine.next_time().unwrap_or_else(|| now + FAR);
            // An alarm that comes too early is left as it is: to move it for every command costs more.
            let alarm = if until < alarm || alarm <= now { until } else { alarm };
            shared.direct().driver_rests(!output.is_empty() || !*flushed, alarm);
            let shutdown = admitted && output.is_empty() && machine.wants_shutdown();
            let shaking_hands = machine.is_shaking_hands(*generation);
            Some(Turn { alarm, shutdown, shaking_hands })
        })
    }

    fn tell_written(&mut self) {
        let news = std::mem::take(&mut self.news);
        self.shared.with(|machine, _| machine.wrote(news));
    }

    /// Waits for the first thing to happen. True: bytes were received. The error says how the connection ended.
    async fn step(&mut self, sleep: Pin<&mut Sleep>) -> Result<bool, Option<WireError>> {
        let Self { shared, socket, input, output, sent, news, flushed, .. } = self;
        let rest = output.get(*sent..).unwrap_or_default();
        let reading = !shared.is_paused();
        if input.is_empty() && input.capacity() > KEEP_BYTES {
            *input = BytesMut::new();
        }
        input.reserve(READ_BYTES);
        tokio::select! {
            result = push(&mut socket.writer, rest), if !rest.is_empty() || !*flushed => {
                let count = result.map_err(|error| broken(&error, "write"))?;
                *sent += count;
                *news += count;
                *flushed = count == 0;
                Ok(false)
            }
            result = socket.reader.read_buf(input), if reading => match result {
                Ok(0) => Err(None),
                Ok(_) => Ok(true),
                Err(error) => Err(broken(&error, "read")),
            },
            () = shared.woken() => Ok(false),
            () = sleep => Ok(false),
        }
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.shared.direct().close();
    }
}

/// Writes some of `rest`, or flushes when nothing is left: a TLS writer keeps bytes of its own. Safe to cancel.
async fn push(writer: &mut (impl AsyncWrite + Unpin), rest: &[u8]) -> io::Result<usize> {
    if rest.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    match writer.write(rest).await? {
        0 => Err(io::ErrorKind::BrokenPipe.into()),
        count => Ok(count),
    }
}

fn broken(error: &io::Error, syscall: &'static str) -> Option<WireError> {
    // A TLS peer that goes without saying goodbye has just gone.
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return None;
    }
    Some(WireError::Connect(ConnectError::from_io(error, syscall, None)))
}
