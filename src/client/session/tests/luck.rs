//! Whole lives of a session, with a network and a server driven by a seed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What a server that is driven by luck did with each call.
#[derive(Default)]
struct Ledger {
    bytes: BTreeMap<u64, Vec<u8>>,
    applied: BTreeSet<u64>,
}

/// One life of a session, with a network and a server driven by a seed.
fn live(seed: u64) -> [usize; 3] {
    let mut state = seed;
    let mut chance = move |of: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 33) % of
    };
    let mut world = World::new(SessionConfig { seed, connect_deadline_ns: u64::MAX, ..config() });
    let mut ledger = Ledger::default();
    let mut done: BTreeMap<u64, Completion> = BTreeMap::new();
    let mut deadlines = BTreeMap::new();
    let mut open = false;
    for step in 1..=400_u64 {
        if chance(3) == 0 {
            let deadline = world.now / MS + 1 + chance(200);
            world.submit(step, &transfers(&[u128::from(step)]), deadline);
            deadlines.insert(step, deadline * MS);
        }
        while let Some(action) = world.session.poll_action() {
            open = match action {
                Action::Close => false,
                Action::Connect { .. } if chance(4) == 0 => {
                    world.lose();
                    false
                }
                Action::Connect { .. } => {
                    world.inbox.clear();
                    world.session.handle_connected(world.now);
                    true
                }
            };
        }
        if open {
            world.flush();
            serve(&mut world, &mut ledger, &mut chance);
            if chance(12) == 0 && world.session.poll_action().is_none() {
                world.lose();
                open = false;
            }
        }
        let due = world.session.poll_timeout().map_or(u64::MAX, |at| at.max(world.now));
        let mut told = world.done();
        world.now = due.min(world.now + chance(20) * MS + 1);
        world.session.handle_timeout(world.now);
        for (correlation, _) in &told {
            assert!(deadlines.contains_key(correlation), "seed {seed}: never asked");
        }
        for (correlation, completion) in world.done() {
            assert!(world.now <= deadlines[&correlation], "seed {seed}: late");
            told.push((correlation, completion));
        }
        for (correlation, completion) in told {
            assert!(done.insert(correlation, completion).is_none(), "seed {seed}: twice");
        }
    }
    world.session.close();
    done.extend(world.done());
    assert_eq!(done.len(), deadlines.len(), "seed {seed}: every call is completed");
    let mut tally = [0; 3];
    for (correlation, completion) in done {
        let applied = ledger.applied.contains(&correlation);
        match completion {
            Ok(_) => assert!(applied, "seed {seed}: {correlation} is said to be done"),
            Err(CallError::Refused(_)) => {
                assert!(!applied, "seed {seed}: {correlation} is said to have had no effect");
            }
            Err(CallError::Unknown(_)) => {}
        }
        tally[usize::from(matches!(completion, Err(CallError::Refused(_))))
            + 2 * usize::from(matches!(completion, Err(CallError::Unknown(_))))] += 1;
    }
    tally
}

fn serve(world: &mut World, ledger: &mut Ledger, chance: &mut impl FnMut(u64) -> u64) {
    let mut pending = Vec::new();
    while let Some((header, body)) = world.receive() {
        pending.push((header, body));
    }
    assert!(pending.len() <= 5, "more requests than credit");
    while !pending.is_empty() {
        let at = usize::try_from(chance(pending.len() as u64)).unwrap();
        let (header, body) = pending.swap_remove(at);
        let correlation = header.correlation;
        if let Ok(hello) = Hello::decode(&header, &body) {
            let limits = Limits { cluster: 1, in_flight_max: 5, idle_seconds_max: 0 };
            let mut out = Vec::new();
            let to = ReplyTo { correlation, ..Default::default() };
            hello.accept(&limits).unwrap().encode(to, &mut out);
            world.session.handle_bytes(&out, world.now);
            continue;
        }
        let known = ledger.bytes.entry(correlation).or_insert_with(|| body.clone());
        assert_eq!(*known, body, "an attempt differs from the first");
        match chance(8) {
            0 => world.refuse(correlation, &RequestError::new(ErrorCode::Overloaded)),
            1 => world.refuse(correlation, &RequestError::new(ErrorCode::CapacityExceeded)),
            2 => {
                world.session.handle_bytes(&[7; 64], world.now);
                return;
            }
            outcome => {
                ledger.applied.insert(correlation);
                if outcome == 3 {
                    world.lose();
                    return;
                }
                world.answer(correlation, &created(1));
            }
        }
    }
}

#[test]
fn whatever_happens_each_call_ends_once_in_time_and_truthfully() {
    let mut tally = [0; 3];
    for seed in 0..500 {
        for (sum, count) in tally.iter_mut().zip(live(seed)) {
            *sum += count;
        }
    }
    let [definite, refused, unknown] = tally;
    assert!(definite > 5_000 && refused > 1_000 && unknown > 500, "{tally:?}");
}
