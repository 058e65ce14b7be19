//! The log on the disk, as the engine and its queries read it.

use std::ops::ControlFlow;

use super::past::Records;
use super::query::{CommittedLog, Scanned};
use crate::io::Storage;
use crate::ledger::{AccountBalance, Op, Transfer};
use crate::log::{
    ClusterId, FrameBuf, FrameError, FrameKind, FrameView, HistoryRow, Layout, Position,
    RecordError, RecordReader, TransferEntry,
};

/// Reads old records and whole frames. One per thread.
pub struct StoredLog<S: Storage> {
    records: RecordReader<S>,
    layout: Layout,
    /// The frame that was read last, for the next record of the same one.
    frame: FrameBuf,
    frame_position: Position,
    cluster: ClusterId,
}

impl<S: Storage> StoredLog<S> {
    /// A reader of the log of that cluster.
    #[must_use]
    pub fn new(storage: S, layout: Layout, cluster: ClusterId) -> Self {
        Self {
            records: RecordReader::new(storage, layout, cluster),
            layout,
            frame: FrameBuf::new(),
            frame_position: Position::NONE,
            cluster,
        }
    }

    fn view(&mut self, position: Position) -> Result<FrameView<'_>, RecordError> {
        if self.frame_position == position {
            return FrameView::parse(self.cluster, position, self.frame.bytes())
                .map_err(|source| RecordError::Damaged { position, source });
        }
        assert!(!position.is_none(), "no frame stands at the position that means none");
        self.frame_position = Position::NONE;
        let view = self.records.read_frame(position, &mut self.frame)?;
        self.frame_position = position;
        Ok(view)
    }

    /// The frame after the one of number `op` that ends at `end`: right there, or at the start of
    /// the next segment when nothing was written there. There is one.
    fn next_frame(&mut self, op: Op, end: Position) -> Result<Position, RecordError> {
        let at_hand = self.layout.place(end, crate::log::FRAME_ALIGNMENT);
        let (position, header) = match self.records.read_header(at_hand) {
            Err(RecordError::Damaged { source: FrameError::Unwritten, .. }) => {
                let next = self.layout.start_of_frames(self.layout.segment_of(end) + 1);
                (next, self.records.read_header(next)?)
            }
            read => (at_hand, read?),
        };
        if header.op == op.next() { Ok(position) } else { Err(RecordError::NoRecord(position)) }
    }
}

impl<S: Storage> Records for StoredLog<S> {
    fn transfer(&mut self, position: Position) -> Result<Transfer, RecordError> {
        self.records.read_transfer(position).map(|stored| stored.entry.transfer)
    }

    fn created_at(
        &mut self,
        first: Position,
        until: Position,
        timestamp: u64,
    ) -> Result<bool, RecordError> {
        let mut found = false;
        self.scan(first, until, &mut |scanned| created_in(scanned, timestamp, &mut found))?;
        Ok(found)
    }
}

/// Goes on until a frame tells whether any transfer was created at that timestamp.
pub fn created_in(scanned: Scanned<'_>, timestamp: u64, found: &mut bool) -> ControlFlow<()> {
    let Scanned::Created(transfers) = scanned else { return ControlFlow::Continue(()) };
    // Transfers are created in the order of their timestamps.
    assert!(
        transfers.first().map(|first| first.timestamp)
            <= transfers.last().map(|last| last.timestamp),
        "transfers stand in the order of their timestamps"
    );
    let at = transfers.partition_point(|transfer| transfer.timestamp < timestamp);
    match transfers.get(at) {
        None => ControlFlow::Continue(()),
        Some(transfer) => {
            *found = transfer.timestamp == timestamp;
            ControlFlow::Break(())
        }
    }
}

impl<S: Storage> CommittedLog for StoredLog<S> {
    fn entry(&mut self, position: Position) -> Result<TransferEntry, RecordError> {
        self.records.read_transfer(position).map(|stored| stored.entry)
    }

    fn balance(
        &mut self,
        position: Position,
        credited: bool,
    ) -> Result<Option<AccountBalance>, RecordError> {
        let stored = self.records.read_transfer(position)?;
        let index = u32::from(stored.entry.index());
        let view = self.view(stored.frame)?;
        Ok(balance_of(view.history(), index, credited))
    }

    fn scan(
        &mut self,
        first: Position,
        end: Position,
        visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
    ) -> Result<Option<Position>, RecordError> {
        let mut position = first;
        while position < end {
            let view = self.view(position)?;
            let (op, after) = (view.header().op, view.header().end());
            assert!(after > position, "each frame ends behind its start");
            let visited = visit_frame(&view, visit);
            if after >= end {
                break;
            }
            position = self.next_frame(op, after)?;
            if visited.is_break() {
                return Ok((position < end).then_some(position));
            }
        }
        Ok(None)
    }
}

/// Shows a frame to a scan.
pub fn visit_frame(
    view: &FrameView<'_>,
    visit: &mut dyn FnMut(Scanned<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match view.header().kind {
        FrameKind::CreateTransfers => visit(Scanned::Created(&created(view))),
        FrameKind::Expire => visit(Scanned::Released(view.ids())),
        FrameKind::Genesis
        | FrameKind::CreateAccounts
        | FrameKind::Fence
        | FrameKind::Epoch
        | FrameKind::Command => ControlFlow::Continue(()),
    }
}

/// The transfers that a frame created.
pub fn created(view: &FrameView<'_>) -> Vec<Transfer> {
    let mut refusals = view.refusals().iter().peekable();
    let created = (0_u32..)
        .zip(view.transfers())
        .filter(|(index, _)| refusals.next_if(|refusal| refusal.index == *index).is_none())
        .map(|(_, entry)| entry.transfer)
        .collect();
    assert!(refusals.peek().is_none(), "refusals stand in the order of the events");
    created
}

/// The balance of one side after the event of that index.
pub fn balance_of(history: &[HistoryRow], index: u32, credited: bool) -> Option<AccountBalance> {
    let from = history.partition_point(|row| row.index < index);
    let row = history[from..]
        .iter()
        .take_while(|row| row.index == index)
        .find(|row| (row.side == 1) == credited)?;
    Some(AccountBalance {
        debits_pending: row.debits_pending,
        debits_posted: row.debits_posted,
        credits_pending: row.credits_pending,
        credits_posted: row.credits_posted,
        ..AccountBalance::default()
    })
}
