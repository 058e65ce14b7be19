//! Sockets against real peers in the same process.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use super::*;
use crate::io::{Waker, sleeper};

const LONG: Duration = Duration::from_secs(30);

fn sockets() -> (Sockets<Vec<u8>>, Arc<Waker>) {
    let (bell, waker) = sleeper().unwrap();
    (Sockets::new(bell).unwrap(), waker)
}

fn pair() -> (SocketHandle, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Rc::new(ours.into()), theirs)
}

fn next(sockets: &mut Sockets<Vec<u8>>) -> SocketEvent<Vec<u8>> {
    loop {
        if let Some(event) = sockets.next_event().unwrap() {
            return event;
        }
        sockets.sleep(1, LONG, || true).unwrap();
    }
}

fn received(sockets: &mut Sockets<Vec<u8>>) -> (u64, Vec<u8>) {
    let SocketEvent::Received { tag, result } = next(sockets) else { panic!("another event") };
    let chunk = result.unwrap();
    let bytes = sockets.bytes(&chunk).to_vec();
    sockets.give_back(chunk);
    (tag, bytes)
}

#[test]
fn bytes_go_both_ways_and_the_end_is_told() {
    let (mut sockets, _waker) = sockets();
    let (ours, mut theirs) = pair();
    sockets.start_receive(7, &ours, false).unwrap();
    sockets.submit().unwrap();
    assert!(sockets.next_event().unwrap().is_none(), "nothing has come");
    theirs.write_all(b"question").unwrap();
    assert_eq!(received(&mut sockets), (7, b"question".to_vec()));
    sockets.start_send(8, &ours, b"??answer".to_vec(), 2).unwrap();
    let SocketEvent::Sent { tag: 8, bytes, result } = next(&mut sockets) else {
        panic!("another event")
    };
    assert_eq!((bytes.as_slice(), result.unwrap()), (b"??answer".as_slice(), 6));
    let mut answer = [0; 6];
    theirs.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"answer");
    drop(theirs);
    sockets.start_receive(9, &ours, true).unwrap();
    assert_eq!(received(&mut sockets), (9, Vec::new()));
    sockets.start_send(10, &ours, vec![1], 0).unwrap();
    let SocketEvent::Sent { result, .. } = next(&mut sockets) else { panic!("another event") };
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_body_is_filled_in_place_or_says_how_far_it_came() {
    let (mut sockets, _waker) = sockets();
    let (ours, mut theirs) = pair();
    sockets.start_fill(1, &ours, b"abcdef".to_vec(), 2).unwrap();
    sockets.submit().unwrap();
    theirs.write_all(b"12").unwrap();
    sockets.submit().unwrap();
    assert!(sockets.next_event().unwrap().is_none(), "it isn't full");
    theirs.write_all(b"345").unwrap();
    let SocketEvent::Filled { tag: 1, body, result } = next(&mut sockets) else {
        panic!("another event")
    };
    assert_eq!((body.as_slice(), result.unwrap()), (b"ab1234".as_slice(), 4));
    sockets.start_fill(2, &ours, vec![0; 9], 0).unwrap();
    sockets.submit().unwrap();
    shut_down(&ours);
    let SocketEvent::Filled { result, .. } = next(&mut sockets) else { panic!("another event") };
    assert_eq!(result.unwrap(), 1);
}

#[test]
fn a_filling_that_is_ended_early_says_how_far_it_came() {
    let (mut sockets, _waker) = sockets();
    let (ours, mut theirs) = pair();
    let filling = sockets.start_fill(1, &ours, b"abcdef".to_vec(), 1).unwrap();
    sockets.submit().unwrap();
    theirs.write_all(b"12").unwrap();
    sockets.submit().unwrap();
    sockets.cancel(filling).unwrap();
    let SocketEvent::Filled { tag: 1, body, result } = next(&mut sockets) else {
        panic!("another event")
    };
    assert_eq!((body.as_slice(), result.unwrap()), (b"a12def".as_slice(), 2));
    let filling = sockets.start_fill(1, &ours, body, 3).unwrap();
    sockets.cancel(filling).unwrap();
    let SocketEvent::Filled { tag: 1, body, result } = next(&mut sockets) else {
        panic!("another event")
    };
    assert_eq!(result.unwrap_or(0), 0);
    sockets.start_fill(1, &ours, body, 3).unwrap();
    theirs.write_all(b"345").unwrap();
    let SocketEvent::Filled { tag: 1, body, result } = next(&mut sockets) else {
        panic!("another event")
    };
    assert_eq!((body.as_slice(), result.unwrap()), (b"a12345".as_slice(), 3));
}

#[test]
fn more_connections_than_buffers_are_all_heard() {
    let (mut sockets, _waker) = sockets();
    let pairs: Vec<_> = (0..700).map(|_| pair()).collect();
    for (tag, (ours, theirs)) in (0..).zip(&pairs) {
        sockets.start_receive(tag, ours, false).unwrap();
        (&mut &*theirs).write_all(&tag.to_le_bytes()).unwrap();
    }
    let mut heard: Vec<u64> = (0..700)
        .map(|_| {
            let (tag, bytes) = received(&mut sockets);
            assert_eq!(bytes, tag.to_le_bytes());
            tag
        })
        .collect();
    heard.sort_unstable();
    assert!(heard.into_iter().eq(0..700));
}

#[test]
fn the_bell_ends_a_sleep_and_work_prevents_it() {
    let (mut sockets, waker) = sockets();
    sockets.sleep(1, LONG, || false).unwrap();
    for _ in 0..3 {
        let waker = Arc::clone(&waker);
        let (asleep, wait) = std::sync::mpsc::channel();
        let ringer = std::thread::spawn(move || {
            wait.recv().unwrap();
            waker.wake(1);
        });
        sockets
            .sleep(1, LONG, || {
                asleep.send(()).unwrap();
                true
            })
            .unwrap();
        ringer.join().unwrap();
        assert!(sockets.next_event().unwrap().is_none());
    }
    sockets.sleep(1, Duration::from_millis(1), || true).unwrap();
}

#[test]
fn a_million_idle_polls_leave_nothing_behind() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
    };
    let (mut sockets, _waker) = sockets();
    let (ours, mut theirs) = pair();
    sockets.start_receive(1, &ours, false).unwrap();
    let mut poll = |count: usize| {
        for number in 0..count {
            if number % 8 == 0 {
                sockets.sleep(1, Duration::ZERO, || true).unwrap();
            } else {
                sockets.submit().unwrap();
            }
            assert!(sockets.next_event().unwrap().is_none());
        }
    };
    poll(10_000);
    let before = resident();
    poll(1_000_000);
    // In pages; other tests of a shared process may take some.
    assert!(resident() < before + 2_048, "{before} pages before, {} after", resident());
    assert_eq!((sockets.active.len(), sockets.free.len()), (1, 0));
    theirs.write_all(b"at last").unwrap();
    assert_eq!(received(&mut sockets), (1, b"at last".to_vec()));
}

#[test]
fn what_is_in_flight_at_the_end_is_left_to_the_kernel() {
    let (mut sockets, _waker) = sockets();
    let (ours, mut theirs) = pair();
    sockets.start_fill(1, &ours, vec![0; 8], 0).unwrap();
    sockets.submit().unwrap();
    drop(sockets);
    theirs.write_all(b"12345678").unwrap();
}
