//! Credit, deadlines, and how connections end.

use super::*;
use crate::wire::ErrorCode;

#[test]
fn one_request_beyond_the_credit_is_refused_and_no_other() {
    let mut bench = bench();
    let slot = bench.greeted();
    for number in 1..=5 {
        bench.ask(slot, number, &Request::Ping);
    }
    assert_eq!(bench.expect_error(slot), (ErrorCode::CreditExceeded, 5));
    let submissions = bench.submissions();
    assert_eq!(submissions.len(), 4);
    bench.answer(&submissions[2].source, &Reply::Pong);
    bench.ask(slot, 6, &Request::Ping);
    assert_eq!(bench.submissions().len(), 1, "an answer gives its credit back");
    assert_eq!(bench.hear(slot), [Said::Reply(3, Reply::Pong)]);
    let counts = bench.outbox.counts;
    assert_eq!((counts.requests_accepted, counts.requests_refused), (5, 1));
}

#[test]
fn a_node_that_drains_or_is_full_says_so() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.view.writes_refused = Some("the disk is full");
    bench.ask(slot, 1, &transfers(1));
    assert_eq!(bench.expect_error(slot), (ErrorCode::CapacityExceeded, 1));
    bench.ask(slot, 2, &lookup(1));
    assert_eq!(bench.submissions().len(), 1, "reads go on");
    bench.view.draining = true;
    bench.ask(slot, 3, &lookup(1));
    assert_eq!(bench.expect_error(slot), (ErrorCode::ShuttingDown, 3));
    assert!(bench.submissions().is_empty());
}

#[test]
fn hello_and_frames_have_a_deadline_that_no_byte_prolongs() {
    let mut bench = bench();
    let (silent, dawdler, patient) = (bench.accept(), bench.greeted(), bench.greeted());
    let bytes = frame(2, &transfers(1));
    for byte in &bytes[..9] {
        bench.send(dawdler, &[*byte]);
        bench.pass(SECOND_NS);
        assert!(bench.line(dawdler).sending.is_none());
    }
    bench.pass(SECOND_NS);
    for slot in [silent, dawdler] {
        assert_eq!(bench.expect_error(slot), (ErrorCode::TooSlow, 0));
        assert!(bench.line(slot).ended_writing && !bench.line(slot).is_shut_down);
    }
    // They were told; whoever doesn't go after that is ended.
    bench.pass(TIMEOUT_NS);
    for slot in [silent, dawdler] {
        assert!(bench.line(slot).is_shut_down);
        bench.break_down(slot);
        assert!(bench.line(slot).is_forgotten);
    }
    assert_eq!(bench.outbox.counts.connections_too_slow, 2);
    bench.pass(100 * TIMEOUT_NS);
    bench.ask(patient, 3, &Request::Ping);
    assert_eq!(bench.submissions().len(), 1, "silence between frames is no fault");
}

#[test]
fn the_time_until_there_is_room_is_not_the_client_s() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.send(slot, &frame(2, &transfers(1))[..100]);
    bench.view.has_room = false;
    bench.send(slot, &frame(2, &transfers(1))[100..150]);
    assert!(!bench.line(slot).is_receiving);
    bench.pass(5 * TIMEOUT_NS);
    bench.view.has_room = true;
    bench.send(slot, &frame(2, &transfers(1))[150..]);
    assert_eq!(bench.submissions().len(), 1);
}

#[test]
fn a_peer_that_ends_its_side_gets_what_it_has_asked_for() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.ask(slot, 1, &transfers(1));
    bench.ask(slot, 2, &lookup(1));
    bench.end(slot);
    bench.pass(3 * TIMEOUT_NS);
    let submissions = bench.submissions();
    assert!(bench.outbox.gone.is_empty(), "it still listens");
    bench.answer(&submissions[1].source, &Reply::Pong);
    assert_eq!(bench.hear(slot), [Said::Reply(2, Reply::Pong)]);
    assert!(!bench.line(slot).ended_writing);
    bench.answer(&submissions[0].source, &Reply::Pong);
    assert_eq!(bench.hear(slot), [Said::Reply(1, Reply::Pong)]);
    assert!(bench.line(slot).ended_writing && bench.line(slot).is_forgotten);
}

#[test]
fn who_breaks_off_is_forgotten_once_its_writes_are_answered() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.ask(slot, 1, &transfers(1));
    bench.ask(slot, 2, &lookup(1));
    bench.ask(slot, 3, &Request::Ping);
    let submissions = bench.submissions();
    bench.answer(&submissions[2].source, &Reply::Pong);
    // The send fails.
    let (bytes, _) = bench.line(slot).sending.take().unwrap();
    let Bench { machine, view, outbox, .. } = &mut bench;
    machine.handle_sent(slot, bytes, 0, view, outbox);
    bench.settle();
    let gone: Vec<_> = std::mem::take(&mut bench.outbox.gone);
    assert!(gone.len() == 1 && gone[0].is_same_connection(submissions[0].source), "{gone:?}");
    bench.break_down(slot);
    assert!(!bench.line(slot).is_forgotten, "a write is unanswered");
    assert_eq!(bench.machine.correlation_of(&submissions[1].source), None, "the read isn't");
    // It was too late to forget the read.
    assert_eq!(bench.answer(&submissions[1].source, &Reply::Pong), None);
    bench.answer(&submissions[0].source, &Reply::Pong);
    assert!(bench.line(slot).is_forgotten);
    assert_eq!(bench.machine.usage(), Usage::default());
    // The slot is somebody else's now.
    let next = bench.greeted();
    assert_eq!(next, slot);
    assert_eq!(bench.answer(&submissions[1].source, &Reply::Pong), None);
    assert!(bench.hear(next).is_empty());
}

#[test]
fn an_error_is_the_last_word_and_what_follows_is_not_heard() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.ask(slot, 1, &transfers(1));
    let nonsense = [vec![0x5a; 64], frame(2, &Request::Ping)].concat();
    bench.send(slot, &nonsense);
    assert_eq!(bench.outbox.gone.len(), 1);
    assert_eq!(bench.expect_error(slot), (ErrorCode::BadMagic, 0));
    assert!(bench.line(slot).ended_writing);
    bench.ask(slot, 3, &Request::Ping);
    let submissions = bench.submissions();
    assert_eq!(submissions.len(), 1);
    bench.answer(&submissions[0].source, &Reply::Pong);
    assert!(bench.hear(slot).is_empty() && !bench.line(slot).is_forgotten, "the peer is there");
    bench.end(slot);
    assert!(bench.line(slot).is_forgotten);
}

#[test]
fn a_second_hello_ends_the_connection() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.send(slot, &hello());
    assert_eq!(bench.expect_error(slot), (ErrorCode::HelloRepeated, 0));
}

#[test]
#[should_panic(expected = "an answer that nobody waits for")]
fn the_node_answers_nothing_twice() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.ask(slot, 1, &Request::Ping);
    let to = bench.submissions()[0].source;
    bench.answer(&to, &Reply::Pong);
    bench.answer(&to, &Reply::Pong);
}
