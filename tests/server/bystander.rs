//! A well-behaved client that must notice nothing of what happens to others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use crate::peer::{CREATED, Peer, transfer};
use crate::process::eventually;

const CASH: u128 = 900_001;
const SALES: u128 = 900_002;
/// Ids of its transfers count from here.
const FIRST: u128 = 1 << 100;

/// Creates transfers on one connection until it is told to stop.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    created: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    events: u64,
    address: SocketAddr,
}

impl Bystander {
    /// Starts with requests of one transfer each.
    pub(crate) fn start(address: SocketAddr) -> Self {
        Self::with_batches(address, 1)
    }

    /// Starts with requests of so many transfers.
    pub(crate) fn with_batches(address: SocketAddr, events: u64) -> Self {
        let mut peer = Peer::greeted(address);
        peer.create_accounts(&[CASH, SALES]);
        let stop = Arc::new(AtomicBool::new(false));
        let created = Arc::new(AtomicU64::new(0));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&created));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let first = counted.load(Ordering::Relaxed);
                let batch = first..first + events;
                let batch =
                    batch.map(|number| transfer(FIRST + u128::from(number), CASH, SALES)).collect();
                let results = peer.create_transfers(batch);
                assert!(results.iter().all(|result| result.status == CREATED), "{results:?}");
                counted.fetch_add(events, Ordering::Relaxed);
            }
        });
        Self { stop, created, thread: Some(thread), events, address }
    }

    /// Waits until it has got answers to requests that were sent after now.
    pub(crate) fn expect_progress(&self) {
        let before = self.created.load(Ordering::Relaxed);
        let moved = eventually(|| {
            let thread = self.thread.as_ref().unwrap();
            assert!(!thread.is_finished(), "a bystander was hurt");
            // Two answers: the second request was sent after `before` was read.
            self.created.load(Ordering::Relaxed) >= before + 2 * self.events
        });
        assert!(moved, "a bystander gets no answers");
    }

    /// Stops it, and checks that every transfer is there exactly once.
    pub(crate) fn finish(mut self) {
        self.expect_progress();
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let created = u128::from(self.created.load(Ordering::Relaxed));
        let accounts = Peer::greeted(self.address).lookup_accounts(&[CASH, SALES]);
        assert_eq!(accounts[0].debits_posted, created);
        assert_eq!(accounts[1].credits_posted, created);
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
