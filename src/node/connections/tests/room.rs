//! Room for large bodies.

use super::*;
use crate::wire::ErrorCode;

/// A request with a large body.
fn large() -> Vec<u8> {
    frame(5, &transfers(8_000))
}

fn stalled(bench: &mut Bench, count: usize) -> Vec<u32> {
    let slots: Vec<u32> = (0..count).map(|_| bench.greeted()).collect();
    slots.iter().for_each(|&slot| bench.send(slot, &large()[..200_000]));
    slots
}

#[test]
fn strangers_leave_room_for_those_that_have_sent_one_before() {
    let mut bench = bench();
    let known = bench.greeted();
    bench.send(known, &large());
    assert_eq!(bench.submissions().len(), 1);
    let strangers = stalled(&mut bench, 10);
    assert_eq!(bench.machine.usage().large_bodies, 3, "a quarter is kept");
    assert_eq!(bench.machine.usage().waiting_for_body, 7);
    for _ in 0..3 {
        bench.send(known, &large());
        assert_eq!(bench.submissions().len(), 1);
    }
    // Those that have room end it; the others get it in their order.
    bench.send(strangers[0], &large()[200_000..]);
    assert_eq!(bench.submissions().len(), 1);
    assert!(bench.line(strangers[3]).filling.is_some());
    assert!(bench.line(strangers[4]).filling.is_none());
}

#[test]
fn who_stalls_while_others_wait_loses_its_room() {
    let mut bench = bench();
    let holders = stalled(&mut bench, 3);
    bench.pass(5 * SECOND_NS);
    assert!(holders.iter().all(|&slot| bench.lines[&slot].filling.is_some()), "nobody waits");
    let waiting = bench.greeted();
    bench.send(waiting, &large());
    assert!(bench.submissions().is_empty());
    bench.pass(SECOND_NS);
    for &slot in &holders {
        assert_eq!(bench.expect_error(slot), (ErrorCode::TooSlow, 0));
    }
    bench.deliver(waiting);
    assert_eq!(bench.submissions().len(), 1);
    assert_eq!(bench.machine.usage().large_bodies, 0);
    assert_eq!(bench.outbox.counts.connections_too_slow, 3);
}

#[test]
fn who_sends_fast_enough_goes_on_where_it_was() {
    let mut bench = bench();
    let holders = stalled(&mut bench, 3);
    let waiting = bench.greeted();
    bench.send(waiting, &large());
    let bytes = large();
    // 200,000 bytes each second are more than is asked for.
    for part in bytes[200_000..].chunks(200_000) {
        for &slot in &holders {
            bench.send(slot, part);
        }
        bench.pass(SECOND_NS);
    }
    let requests: Vec<_> = bench.submissions().into_iter().map(|one| one.request).collect();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|request| *request == transfers(8_000)));
    assert_eq!(bench.outbox.counts.connections_too_slow, 0);
}

#[test]
fn a_body_has_the_deadline_of_any_frame_once_it_has_its_room() {
    let mut bench = bench();
    let holders = stalled(&mut bench, 3);
    bench.pass(TIMEOUT_NS - 1);
    assert!(bench.lines[&holders[0]].filling.is_some());
    bench.pass(1);
    for &slot in &holders {
        assert_eq!(bench.expect_error(slot), (ErrorCode::TooSlow, 0));
    }
    assert_eq!(bench.machine.usage().large_bodies, 0);
}

#[test]
fn a_peer_that_goes_inside_a_body_gives_its_room_back() {
    let mut bench = bench();
    let holders = stalled(&mut bench, 3);
    for &slot in &holders {
        bench.end(slot);
        assert!(bench.line(slot).is_forgotten);
    }
    assert_eq!(bench.machine.usage(), Usage::default());
    assert!(bench.submissions().is_empty(), "half a request is none");
}

#[test]
fn a_body_waits_for_the_memory_of_its_answer_without_taking_room() {
    let mut bench = Bench::new(Bounds { answer_bytes: 1 << 20, large_bodies: 4 });
    let hog = bench.greeted();
    bench.ask(hog, 1, &lookup(8_190));
    let to = bench.submissions()[0].source;
    let slot = bench.greeted();
    bench.send(slot, &large());
    assert!(bench.line(slot).filling.is_none(), "its answer may have 128 KiB");
    assert_eq!(bench.machine.usage().large_bodies, 0);
    bench.answer(&to, &Reply::Accounts(Vec::new()));
    bench.hear(hog);
    bench.deliver(slot);
    assert_eq!(bench.submissions().len(), 1);
}
