//! Memory for answers that nobody reads.

use super::*;
use crate::ledger::{Account, AccountFilter, AccountFilterFlags};
use crate::limits::{ANSWER_BYTES_OWN, ANSWER_BYTES_PER_CONNECTION};
use crate::wire::{BODY_BYTES_MAX, ErrorCode};

const MEBIBYTE: usize = 1 << 20;
const LARGEST: usize = HEADER_BYTES + BODY_BYTES_MAX as usize;

/// 192 bytes that may be answered with a megabyte.
fn greedy() -> Request {
    let flags = AccountFilterFlags::DEBITS;
    let filter =
        AccountFilter { account_id: 1, limit: 8_190, flags, ..bytemuck::Zeroable::zeroed() };
    Request::GetAccountTransfers(filter)
}

/// As many accounts as fill a pool of a few MiB soon.
fn accounts(count: usize) -> Reply {
    Reply::Accounts(vec![Account::default(); count])
}

fn bench(answer_bytes: usize) -> Bench {
    let mut bench = Bench::new(Bounds { answer_bytes, large_bodies: 4 });
    bench.view.limits.in_flight_max = 256;
    bench
}

#[test]
fn one_connection_is_promised_no_more_than_its_bound() {
    let mut bench = bench(64 * MEBIBYTE);
    let slot = bench.greeted();
    let asked: Vec<u8> = (1..=40).flat_map(|number| frame(number, &greedy())).collect();
    bench.send(slot, &asked);
    let mut answered = 0;
    let mut submissions = bench.submissions();
    while answered < 40 {
        let promised = submissions.len() * LARGEST;
        assert!(promised < ANSWER_BYTES_PER_CONNECTION + LARGEST, "{promised} bytes promised");
        assert!(!submissions.is_empty(), "it never starves: {answered}");
        for one in submissions {
            bench.answer(&one.source, &accounts(1));
            answered += 1;
        }
        assert!(!bench.hear(slot).is_empty());
        submissions = bench.submissions();
    }
    assert_eq!(bench.machine.usage().answer_bytes, 0);
}

#[test]
fn all_together_are_promised_no_more_than_the_pool_and_their_own() {
    let mut bench = bench(2 * MEBIBYTE);
    let slots: Vec<u32> = (0..50).map(|_| bench.greeted()).collect();
    for &slot in &slots {
        bench.ask(slot, 1, &greedy());
    }
    let submissions = bench.submissions();
    assert_eq!(submissions.len(), 2, "two of the largest answers fit, with what is their own");
    assert!(bench.machine.usage().answer_bytes <= 2 * MEBIBYTE);
    assert_eq!(bench.machine.usage().waiting_for_memory, 48);
    // Whoever asks for little is answered, however many wait for much.
    let modest = bench.greeted();
    bench.ask(modest, 1, &Request::Status);
    bench.ask(slots[0], 2, &greedy());
    assert_eq!(bench.submissions().len(), 1, "the first one waits behind the others");
    // Memory goes round in the order in which it was asked for.
    let mut served: Vec<u32> = submissions.iter().map(|one| one.source.slot).collect();
    let mut waiting = submissions;
    while let Some(one) = waiting.pop() {
        bench.answer(&one.source, &accounts(1));
        bench.hear(one.source.slot);
        let next = bench.submissions();
        served.extend(next.iter().map(|one| one.source.slot));
        waiting.splice(0..0, next);
        assert!(bench.machine.usage().answer_bytes <= 2 * MEBIBYTE);
    }
    let (first, again): (Vec<u32>, Vec<u32>) = (served[..50].to_vec(), served[50..].to_vec());
    assert_eq!((first, again), (slots.clone(), vec![slots[0]]));
}

#[test]
fn what_is_each_one_s_own_serves_small_requests_in_any_case() {
    let mut bench = bench(MEBIBYTE);
    let hog = bench.greeted();
    bench.ask(hog, 1, &greedy());
    let to = bench.submissions()[0].source;
    bench.answer(&to, &accounts(8_190));
    for number in 1..=100 {
        let slot = bench.greeted();
        bench.ask(slot, number, &lookup(ANSWER_BYTES_OWN / 128 - 1));
        let to = bench.submissions()[0].source;
        bench.answer(&to, &accounts(3));
        assert_eq!(bench.hear(slot), [Said::Reply(number, accounts(3))]);
    }
}

#[test]
fn who_reads_nothing_is_ended_after_a_while() {
    let mut bench = bench(64 * MEBIBYTE);
    let slot = bench.greeted();
    bench.ask(slot, 1, &Request::Ping);
    let to = bench.submissions()[0].source;
    bench.answer(&to, &Reply::Pong);
    bench.ask(slot, 2, &lookup(1));
    bench.pass(3 * TIMEOUT_NS - 1);
    assert!(!bench.line(slot).is_shut_down);
    bench.pass(1);
    assert!(bench.line(slot).is_shut_down);
    bench.break_down(slot);
    assert!(bench.line(slot).is_forgotten, "its read was given up");
    assert_eq!(bench.outbox.counts.connections_unread, 1);
    assert_eq!(bench.machine.usage(), Usage::default());
}

#[test]
fn who_reads_slowly_is_left_alone_until_others_wait() {
    let mut bench = bench(MEBIBYTE);
    let slow = bench.greeted();
    bench.ask(slow, 1, &greedy());
    let to = bench.submissions()[0].source;
    bench.answer(&to, &accounts(8_190));
    for _ in 0..100 {
        assert!(bench.read(slow, 100));
        bench.pass(SECOND_NS);
    }
    assert!(!bench.line(slow).is_shut_down, "nobody waits for what it holds");
    let other = bench.greeted();
    bench.ask(other, 1, &greedy());
    assert!(bench.submissions().is_empty());
    for _ in 0..3 {
        assert!(bench.read(slow, 100));
        bench.pass(SECOND_NS);
    }
    assert!(bench.line(slow).is_shut_down);
    bench.break_down(slow);
    assert_eq!(bench.submissions().len(), 1, "the other's turn has come");
    assert_eq!(bench.outbox.counts.connections_unread, 1);
}

#[test]
fn who_reads_fast_enough_keeps_its_answers_while_others_wait() {
    let mut bench = bench(MEBIBYTE);
    let reader = bench.greeted();
    bench.ask(reader, 1, &greedy());
    let to = bench.submissions()[0].source;
    bench.answer(&to, &accounts(8_190));
    let other = bench.greeted();
    bench.ask(other, 1, &greedy());
    let mut passed = 0;
    while bench.submissions().is_empty() {
        assert!(bench.read(reader, 80 << 10));
        bench.pass(SECOND_NS / 2);
        passed += 1;
        assert!(passed < 100 && !bench.line(reader).is_shut_down);
    }
    bench.hear(reader);
    bench.ask(reader, 2, &Request::Ping);
    assert_eq!(bench.submissions().len(), 1, "it lives on");
}

#[test]
fn refusals_take_memory_like_answers_do() {
    let mut bench = bench(0);
    bench.view.limits.in_flight_max = 0;
    let slot = bench.greeted();
    let asked: Vec<u8> = (1..=10_000).flat_map(|number| frame(number, &Request::Ping)).collect();
    bench.send(slot, &asked);
    let unread = bench.line(slot).sending.as_ref().map_or(0, |(bytes, _)| bytes.len());
    assert!(unread <= ANSWER_BYTES_OWN, "{unread} bytes of refusals");
    let mut refused = 0;
    loop {
        let said = bench.hear(slot);
        if said.is_empty() {
            break;
        }
        refused += said.len();
        for one in said {
            let Said::Reply(_, Reply::Error(error)) = one else { panic!("{one:?}") };
            assert_eq!(error.code(), Some(ErrorCode::CreditExceeded));
        }
    }
    assert_eq!(refused, 10_000);
}
