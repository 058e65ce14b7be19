//! Bytes into requests and answers into bytes.

use super::*;
use crate::wire::{BODY_BYTES_MAX, ErrorCode, FRAME_BODY_BYTES_MAX, FrameFields, append_frame};

#[test]
fn every_split_of_the_bytes_gives_the_same_requests() {
    let asked = [transfers(2), lookup(3), Request::Ping, transfers(0), Request::Status];
    let mut bytes = hello();
    (2..).zip(&asked).for_each(|(number, request)| bytes.extend(frame(number, request)));
    for first in 1..bytes.len() {
        let mut bench = bench();
        bench.view.limits.in_flight_max = 100;
        let slot = bench.accept();
        bench.send(slot, &bytes[..first]);
        bench.send(slot, &bytes[first..]);
        let submissions = bench.submissions();
        let requests: Vec<_> = submissions.iter().map(|one| &one.request).collect();
        assert_eq!(requests, asked.iter().collect::<Vec<_>>(), "cut at {first}");
        for (number, one) in (2..).zip(&submissions) {
            assert_eq!((one.source.core, one.source.slot), (2, slot));
            assert_eq!(bench.machine.correlation_of(&one.source), Some(number));
        }
        assert_eq!(bench.hear(slot), [Said::Hello]);
    }
}

#[test]
fn byte_after_byte_gives_the_same_requests() {
    let mut bench = bench();
    bench.chunk_bytes = 1;
    let slot = bench.accept();
    let bytes = [hello(), frame(2, &transfers(3)), frame(3, &lookup(1))].concat();
    bench.send(slot, &bytes);
    let requests: Vec<_> = bench.submissions().into_iter().map(|one| one.request).collect();
    assert_eq!(requests, [transfers(3), lookup(1)]);
}

#[test]
fn a_large_body_comes_whole_however_it_was_cut() {
    // One that is received into its own room, wherever the bytes before it end.
    let request = transfers(1_000);
    let bytes = [frame(2, &Request::Ping), frame(3, &request), frame(4, &Request::Ping)].concat();
    for first in [1, 63, 64, 65, 127, 128, 129, 200, 40_000, 128_127, 128_128, 128_191] {
        let mut bench = bench();
        let slot = bench.greeted();
        bench.send(slot, &bytes[..first]);
        bench.send(slot, &bytes[first..]);
        let requests: Vec<_> = bench.submissions().into_iter().map(|one| one.request).collect();
        assert_eq!(requests, [Request::Ping, request.clone(), Request::Ping], "cut at {first}");
        assert_eq!(bench.machine.usage().large_bodies, 0);
    }
}

#[test]
fn hostile_lengths_end_the_connection_and_take_no_room() {
    for length in [FRAME_BODY_BYTES_MAX + 1, u32::MAX, 1 << 31] {
        let mut bench = bench();
        let slot = bench.greeted();
        let mut header = Header::parse(frame(9, &Request::Ping).first_chunk().unwrap()).unwrap();
        header.body_bytes = length;
        header.header_checksum = crate::checksum::block(0, &bytemuck::bytes_of(&header)[..60]);
        bench.send(slot, bytemuck::bytes_of(&header));
        assert_eq!(bench.expect_error(slot), (ErrorCode::BodyTooLarge, 0));
        let line = bench.line(slot);
        assert!(line.ended_writing && line.filling.is_none());
        bench.end(slot);
        assert!(bench.line(slot).is_forgotten);
    }
}

#[test]
fn a_length_that_fits_no_request_is_read_off_and_refused() {
    let mut bench = bench();
    let slot = bench.greeted();
    for count in [1, 127, 129, 40_001, BODY_BYTES_MAX as usize - 1] {
        let mut bytes = Vec::new();
        let fields = FrameFields::request(Kind::CreateTransfers, 8);
        append_frame(&mut bytes, fields, &vec![0; count]);
        bench.send(slot, &bytes);
        let (code, correlation) = bench.expect_error(slot);
        assert!(matches!(code, ErrorCode::RaggedBody | ErrorCode::TooManyEvents), "{code}");
        assert_eq!(correlation, 8);
    }
    bench.ask(slot, 9, &Request::Ping);
    assert_eq!(bench.submissions().len(), 1, "the connection lives on");
}

#[test]
fn a_large_body_before_the_hello_gets_no_room() {
    let mut bench = bench();
    let slot = bench.accept();
    bench.send(slot, &frame(1, &transfers(8_000))[..5_000]);
    assert_eq!(bench.expect_error(slot), (ErrorCode::HelloExpected, 0));
}

#[test]
fn any_flipped_bit_of_a_frame_is_refused() {
    let bytes = frame(5, &transfers(1));
    for bit in 0..bytes.len() * 8 {
        let mut bench = bench();
        let slot = bench.greeted();
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bench.send(slot, &bytes);
        assert!(bench.submissions().is_empty(), "bit {bit}");
        assert_eq!(bench.expect_error(slot).1, 0, "bit {bit}");
        assert!(bench.line(slot).ended_writing, "bit {bit}");
    }
}

#[test]
fn answers_go_out_in_the_order_of_the_node_under_the_client_s_numbers() {
    let mut bench = bench();
    let slot = bench.greeted();
    for number in [30, 10, 10, 20] {
        bench.ask(slot, number, &Request::Ping);
    }
    let submissions = bench.submissions();
    for at in [2, 0, 3, 1] {
        bench.view.now_ns += 5;
        assert_eq!(bench.answer(&submissions[at].source, &Reply::Pong), Some(5 * SECOND_NS));
    }
    let numbers = [10, 30, 20, 10].map(|number| Said::Reply(number, Reply::Pong));
    assert_eq!(bench.hear(slot), numbers);
    assert_eq!(bench.outbox.counts.requests_answered, 4);
    assert_eq!(bench.machine.usage().answer_bytes, 0);
}

#[test]
fn answers_of_one_turn_go_out_together() {
    let mut bench = bench();
    let slot = bench.greeted();
    (1..=3).for_each(|number| bench.ask(slot, number, &Request::Ping));
    for one in bench.submissions() {
        let Bench { machine, view, outbox, .. } = &mut bench;
        machine.handle_answer(&one.source, Op(42), &Reply::Pong, view, outbox);
    }
    bench.settle();
    let (bytes, from) = bench.line(slot).sending.as_ref().unwrap();
    assert_eq!((bytes.len(), *from), (3 * HEADER_BYTES, 0));
}

#[test]
fn an_answer_that_is_sent_in_bits_arrives_whole() {
    let mut bench = bench();
    let slot = bench.greeted();
    bench.ask(slot, 6, &transfers(4));
    let to = bench.submissions()[0].source;
    let result = crate::ledger::CreateResult { timestamp: 5, status: 6, reserved: 0 };
    let reply = Reply::CreateResults(vec![result; 4]);
    bench.answer(&to, &reply);
    for _ in 0..HEADER_BYTES + 4 * 16 {
        assert!(bench.read(slot, 1));
    }
    assert!(!bench.read(slot, 1));
    assert_eq!(bench.hear(slot), [Said::Reply(6, reply)]);
}
