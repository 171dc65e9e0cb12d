//! A TCP proxy in front of the server whose faults are switched on and off: swallow everything, stall, cut, refuse.

use super::wire::pause;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running proxy. Ends with the test process.
pub(crate) struct Proxy {
    /// Where to connect.
    pub(crate) address: (String, u16),
    /// While true, bytes are read and dropped in both directions: the kernel still acknowledges.
    pub(crate) swallows: Arc<AtomicBool>,
    /// While true, nothing is read: what is sent piles up.
    pub(crate) stalls: Arc<AtomicBool>,
    /// Connections accepted so far.
    pub(crate) accepted: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// A proxy for `target` on a free port, or on the given one.
    pub(crate) fn start(target: &(String, u16), port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port to listen on");
        let address = ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port());
        let proxy = Self {
            address,
            swallows: Arc::default(),
            stalls: Arc::default(),
            accepted: Arc::default(),
            open: Arc::default(),
        };
        let faults = (Arc::clone(&proxy.swallows), Arc::clone(&proxy.stalls));
        let (accepted, open) = (Arc::clone(&proxy.accepted), Arc::clone(&proxy.open));
        let target = target.clone();
        thread(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((target.0.as_str(), target.1)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (swallows, stalls) = faults.clone();
                    thread(move || pump(from, to, &swallows, &stalls));
                }
                open.lock().unwrap().extend([client, server]);
                accepted.fetch_add(1, Ordering::SeqCst);
            }
        });
        proxy
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

/// A port on which nobody listens.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn pump(mut from: TcpStream, mut to: TcpStream, swallows: &AtomicBool, stalls: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    from.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    loop {
        while stalls.load(Ordering::SeqCst) {
            pause(5);
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if swallows.load(Ordering::SeqCst) => {}
            Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => pause(1),
            _ => break,
        }
    }
    drop(to.shutdown(Shutdown::Both));
}

#[expect(clippy::disallowed_methods, reason = "threads of a test proxy")]
fn thread(run: impl FnOnce() + Send + 'static) {
    drop(std::thread::spawn(run));
}
