//! Random frames of every kind, of both versions: what is pushed comes back, and nothing else does.

use crate::io::to_usize;
use crate::ledger::{Account, Op, Timestamp, Transfer};
use crate::log::position::{Epoch, Position};

use super::*;

const ROUNDS: u64 = 400;

/// Numbers that follow from a seed alone.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap()
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

/// What a frame is made of.
#[derive(Debug, Default, PartialEq)]
struct Content {
    accounts: Vec<Account>,
    transfers: Vec<TransferEntry>,
    ids: Vec<u128>,
    commands: Vec<CommandEntry>,
    requests: Vec<RequestEntry>,
    amendments: Vec<Amendment>,
    refusals: Vec<Refusal>,
    history: Vec<HistoryRow>,
    notes: Vec<u8>,
}

impl Content {
    fn random(numbers: &mut Numbers, version: FrameVersion, kind: FrameKind) -> Self {
        let mut content = Self::default();
        // Mostly small, now and then large.
        let most = if numbers.below(8) == 0 { 3_000 } else { 30 };
        let entries = 1 + numbers.below(most);
        for index in 0..entries {
            let id = numbers.wide();
            match kind {
                FrameKind::CreateAccounts => {
                    content.accounts.push(Account { id, ledger: 3, ..Account::default() });
                }
                FrameKind::CreateTransfers => {
                    let transfer = Transfer { id, amount: id >> 7, ..Transfer::default() };
                    let links =
                        Links { debit_previous: Position(16), credit_previous: Position::NONE };
                    let index = u16::try_from(index).unwrap();
                    content.transfers.push(TransferEntry::new(transfer, index, links));
                }
                FrameKind::Command => content.commands.push(CommandEntry {
                    kind: u16::try_from(index).unwrap(),
                    principal: Principal(numbers.below(9)),
                    arguments: [numbers.next(); 6],
                    ..CommandEntry::default()
                }),
                _ => content.ids.push(id),
            }
            let row = numbers.below(6);
            if row == 0 {
                content.refusals.push(Refusal { index, status: 1 + numbers.below(60) });
            } else if row == 1 {
                content.amendments.push(Amendment::new(index, numbers.below(128), numbers.wide()));
            } else if row == 2 {
                let side = numbers.below(2);
                let debits_posted = numbers.wide();
                content.history.push(HistoryRow {
                    index,
                    side,
                    debits_posted,
                    ..HistoryRow::default()
                });
            }
        }
        content.share_out(numbers, version, entries);
        if kind.has_notes() {
            content.notes = (0..numbers.below(9_000)).map(|at| at.to_le_bytes()[0] | 1).collect();
        }
        content
    }

    /// Divides the entries among requests; those of version 1 are nobody's.
    fn share_out(&mut self, numbers: &mut Numbers, version: FrameVersion, entries: u32) {
        let mut left = entries;
        while left > 0 {
            let events = 1 + numbers.below(left);
            let principal = match version {
                FrameVersion::One => Principal::NOBODY,
                FrameVersion::Two => Principal(numbers.below(u32::MAX)),
            };
            self.requests.push(RequestEntry::new(events, principal));
            left -= events;
        }
    }

    fn push(&self, builder: &mut FrameBuilder) {
        self.accounts.iter().for_each(|account| builder.push_account(account));
        for entry in &self.transfers {
            builder.push_transfer(&entry.transfer, entry.index(), entry.links());
        }
        self.ids.iter().for_each(|&id| builder.push_id(id));
        self.commands.iter().for_each(|command| builder.push_command(command));
        self.requests.iter().for_each(|&request| builder.push_request(request));
        self.amendments.iter().for_each(|&row| builder.push_amendment(row));
        self.refusals.iter().for_each(|&row| builder.push_refusal(row));
        self.history.iter().for_each(|&row| builder.push_history(row));
        if !self.notes.is_empty() {
            builder.push_notes(&self.notes);
        }
    }

    fn of(view: &FrameView<'_>) -> Self {
        Self {
            accounts: view.accounts().to_vec(),
            transfers: view.transfers().to_vec(),
            ids: view.ids().to_vec(),
            commands: view.commands().to_vec(),
            requests: view.requests().collect(),
            amendments: view.amendments().to_vec(),
            refusals: view.refusals().to_vec(),
            history: view.history().to_vec(),
            notes: view.notes().to_vec(),
        }
    }
}

const CLUSTER: ClusterId = ClusterId(0xABCD);

/// A random frame as it lies on the disk, with what went into it.
fn sealed(numbers: &mut Numbers, version: FrameVersion, kind: FrameKind) -> (FrameBuf, Content) {
    let content = Content::random(numbers, version, kind);
    let place = Position(4096 * (1 + u64::from(numbers.below(1_000_000))));
    let (op, timestamp) = (Op(numbers.next()), Timestamp(numbers.next()));
    let epoch = Epoch(numbers.next());
    let mut builder =
        FrameBuilder::new(FramePool::new(1), FrameStart { kind, op, timestamp, epoch });
    builder.restart_in(version, FrameStart { kind, op, timestamp, epoch });
    content.push(&mut builder);
    let frame = builder.finish(place, numbers.next(), numbers.next());
    assert!(frame.requests().eq(content.requests.iter().copied()));
    let mut bytes = FrameBuf::new();
    bytes.resize(to_usize(frame.header().frame_bytes));
    bytes.bytes_mut().fill(0xAA);
    let mut sealer = Sealer::new(CLUSTER, ChainValue([7; 32]));
    sealer.seal_any(&frame, Position(16), bytes.bytes_mut());
    {
        let view = FrameView::parse(CLUSTER, place, bytes.bytes()).unwrap();
        let header = FrameHeader {
            committed: Position(16),
            previous_chain: ChainValue([7; 32]),
            ..*frame.header()
        };
        assert_eq!(*view.header(), header);
        assert_eq!(view.chain(), sealer.chain());
        assert_eq!(Content::of(&view), content);
        assert!(frame.same_content(&view));
    }
    (bytes, content)
}

fn kinds_of(version: FrameVersion) -> impl Iterator<Item = FrameKind> {
    FrameKind::ALL.into_iter().filter(move |kind| {
        kind.since() <= version && !matches!(kind, FrameKind::Genesis | FrameKind::Epoch)
    })
}

#[test]
fn whatever_is_pushed_comes_back() {
    let mut frames = 0;
    for seed in 0..ROUNDS {
        let mut numbers = Numbers(seed);
        for version in [FrameVersion::One, FrameVersion::Two] {
            for kind in kinds_of(version) {
                let (_, content) = sealed(&mut numbers, version, kind);
                assert!(!content.requests.is_empty());
                frames += 1;
            }
        }
    }
    assert_eq!(frames, ROUNDS * 9);
}

#[test]
fn any_flipped_bit_of_a_random_frame_is_noticed() {
    for seed in 0..ROUNDS {
        let mut numbers = Numbers(seed + 1_000_000);
        for kind in kinds_of(FrameVersion::Two) {
            let (mut bytes, _) = sealed(&mut numbers, FrameVersion::Two, kind);
            let place = Position(u64::from_le_bytes(*bytes.bytes()[16..].first_chunk().unwrap()));
            let bits = u32::try_from(bytes.bytes().len() * 8).unwrap();
            for _ in 0..8 {
                let bit = to_usize(u64::from(numbers.below(bits)));
                bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
                assert!(FrameView::parse(CLUSTER, place, bytes.bytes()).is_err(), "bit {bit}");
                bytes.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}
