//! Building a frame: entries go straight into its buffer, small sections are gathered beside it.
//!
//! A frame is complete but for what only the writer knows: the committed position, the chain and the
//! sums. The writer adds them while copying (see `seal`), so a frame can be shared and read from
//! the moment it is finished.

use crate::io::{to_u64, to_usize};
use crate::ledger::{Account, Op, Timestamp, Transfer};
use crate::log::commit::CommitRule;
use crate::log::position::{Epoch, Position};

use super::buffer::{FrameBuffer, FramePool};
use super::entries::{Amendment, EpochStart, Genesis, HistoryRow, Links, Refusal, TransferEntry};
use super::format::{
    FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameCounts, FrameKind, FrameVersion, NOTE_BYTES_MAX,
    entry_position,
};
use super::header::{ChainValue, FrameHeader};
use super::request::{CommandEntry, RequestEntry, requests_of};
use super::view::FrameView;

/// What is known when a frame is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameStart {
    /// What it records.
    pub kind: FrameKind,
    /// Its number.
    pub op: Op,
    /// The base of its events' timestamps.
    pub timestamp: Timestamp,
    /// The reign in which it is written.
    pub epoch: Epoch,
}

/// A frame in the making. Keep it for the next frame: it keeps its memory.
#[derive(Debug)]
pub struct FrameBuilder {
    pool: FramePool,
    buffer: FrameBuffer,
    version: FrameVersion,
    start: FrameStart,
    entries_end: usize,
    entries: u32,
    requests: Vec<RequestEntry>,
    amendments: Vec<Amendment>,
    refusals: Vec<Refusal>,
    history: Vec<HistoryRow>,
    notes: Vec<u8>,
}

impl FrameBuilder {
    /// A builder whose frames take their buffers from `pool` and return them to it.
    #[must_use]
    pub fn new(pool: FramePool, start: FrameStart) -> Self {
        let mut builder = Self {
            buffer: pool.take(),
            pool,
            version: FrameVersion::CURRENT,
            start,
            entries_end: 0,
            entries: 0,
            requests: Vec::new(),
            amendments: Vec::new(),
            refusals: Vec::new(),
            history: Vec::new(),
            notes: Vec::new(),
        };
        builder.restart(start);
        builder
    }

    /// Forgets what was pushed and begins another frame.
    pub fn restart(&mut self, start: FrameStart) {
        self.restart_in(FrameVersion::CURRENT, start);
    }

    /// The same, in a version that may be an old one: a log is decided again as it was written. Such
    /// a frame is compared and never sealed.
    pub fn restart_in(&mut self, version: FrameVersion, start: FrameStart) {
        self.version = version;
        self.start = start;
        self.entries = 0;
        self.entries_end = to_usize(FRAME_HEADER_BYTES);
        self.requests.clear();
        self.amendments.clear();
        self.refusals.clear();
        self.history.clear();
        self.notes.clear();
    }

    /// The size of a frame of that version and kind with those counts, padding included.
    #[must_use]
    pub const fn frame_bytes_for(
        version: FrameVersion,
        kind: FrameKind,
        counts: FrameCounts,
    ) -> u64 {
        counts.shape(version, kind).frame_bytes
    }

    /// What was begun.
    #[must_use]
    pub const fn start(&self) -> FrameStart {
        self.start
    }

    /// How much has been pushed.
    #[must_use]
    pub fn counts(&self) -> FrameCounts {
        FrameCounts {
            entries: self.entries,
            requests: count(self.requests.len()),
            amendments: count(self.amendments.len()),
            refusals: count(self.refusals.len()),
            history: count(self.history.len()),
            note_bytes: count(self.notes.len()),
        }
    }

    /// The size that the frame would have now, padding included.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        Self::frame_bytes_for(self.version, self.start.kind, self.counts())
    }

    /// Appends an account to a `create_accounts` frame.
    #[inline]
    pub fn push_account(&mut self, account: &Account) {
        self.push_entry(FrameKind::CreateAccounts, bytemuck::bytes_of(account));
    }

    /// Appends a transfer to a `create_transfers` frame; `index` is that of the entry.
    #[inline]
    pub fn push_transfer(&mut self, transfer: &Transfer, index: u16, links: Links) {
        debug_assert_eq!(u32::from(index), self.entries, "entries come in order");
        let entry = TransferEntry::new(*transfer, index, links);
        self.push_entry(FrameKind::CreateTransfers, bytemuck::bytes_of(&entry));
    }

    /// Appends an id to a `fence` or `expire` frame.
    #[inline]
    pub fn push_id(&mut self, id: u128) {
        self.push_entry(self.start.kind, &id.to_le_bytes());
    }

    /// The entry of a genesis frame.
    pub fn push_genesis(&mut self, genesis: &Genesis) {
        self.push_entry(FrameKind::Genesis, bytemuck::bytes_of(genesis));
    }

    /// The entry of an epoch frame.
    pub fn push_epoch(&mut self, epoch: &EpochStart) {
        self.push_entry(FrameKind::Epoch, bytemuck::bytes_of(epoch));
    }

    /// Appends a command to a `command` frame.
    pub fn push_command(&mut self, command: &CommandEntry) {
        self.push_entry(FrameKind::Command, bytemuck::bytes_of(command));
    }

    /// The next request of the batch.
    #[inline]
    pub fn push_request(&mut self, request: RequestEntry) {
        self.requests.push(request);
    }

    /// What a created event looked like on arrival.
    #[inline]
    pub fn push_amendment(&mut self, amendment: Amendment) {
        self.amendments.push(amendment);
    }

    /// An event that is not `created`.
    #[inline]
    pub fn push_refusal(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// A balance after a transfer.
    #[inline]
    pub fn push_history(&mut self, row: HistoryRow) {
        self.history.push(row);
    }

    /// Appends to the notes of a frame of a kind that has some.
    ///
    /// # Panics
    /// If the kind has none, or they become longer than [`NOTE_BYTES_MAX`].
    pub fn push_notes(&mut self, bytes: &[u8]) {
        assert!(self.start.kind.has_notes(), "the kind of a frame says whether it has notes");
        self.notes.extend_from_slice(bytes);
        assert!(count(self.notes.len()) <= NOTE_BYTES_MAX, "notes keep to their bound");
    }

    /// Writes header and sections, and gives the frame away. The builder is then empty and must be
    /// restarted.
    ///
    /// # Panics
    /// If the frame is larger than a batch can be.
    pub fn finish(&mut self, position: Position, outcome_digest: u64, state_digest: u64) -> Frame {
        let counts = self.counts();
        let shape = counts.shape(self.version, self.start.kind);
        assert!(shape.frame_bytes <= FRAME_BYTES_MAX, "a batch keeps to its bounds");
        let header = FrameHeader {
            version: self.version,
            kind: self.start.kind,
            position,
            op: self.start.op,
            epoch: self.start.epoch,
            timestamp: self.start.timestamp,
            committed: Position::NONE,
            commit_rule: CommitRule::Local,
            frame_bytes: shape.frame_bytes,
            counts,
            outcome_digest,
            state_digest,
            previous_chain: ChainValue::START,
        };
        self.buffer.reserve(to_usize(shape.frame_bytes));
        let bytes = self.buffer.bytes_mut();
        let sizes: Vec<u32>;
        let requests: &[u8] = match self.version {
            FrameVersion::One => {
                sizes = self.requests.iter().map(|request| request.events).collect();
                bytemuck::cast_slice(&sizes)
            }
            FrameVersion::Two => bytemuck::cast_slice(&self.requests),
        };
        let sections: [(u64, &[u8]); 5] = [
            (shape.requests, requests),
            (shape.amendments, bytemuck::cast_slice(&self.amendments)),
            (shape.refusals, bytemuck::cast_slice(&self.refusals)),
            (shape.history, bytemuck::cast_slice(&self.history)),
            (shape.notes, &self.notes),
        ];
        let mut end = self.entries_end;
        for (start, content) in sections {
            let start = to_usize(start);
            bytes[end..start].fill(0);
            bytes[start..start + content.len()].copy_from_slice(content);
            end = start + content.len();
        }
        bytes[end..shape.tail().table].fill(0);
        let buffer = self.take_buffer(to_usize(shape.frame_bytes));
        self.restart_in(self.version, self.start);
        Frame { header, buffer, pool: self.pool.clone() }
    }

    /// The buffer with the first `bytes` of what was built. A small frame gets one of its own size:
    /// frames are kept for a while, and must not keep the room of the largest one.
    fn take_buffer(&mut self, bytes: usize) -> FrameBuffer {
        if self.buffer.capacity_bytes() <= 2 * bytes {
            return std::mem::replace(&mut self.buffer, self.pool.take());
        }
        let mut own = FrameBuffer::new();
        own.reserve(bytes);
        own.bytes_mut()[..bytes].copy_from_slice(&self.buffer.bytes()[..bytes]);
        own
    }

    #[inline]
    fn push_entry(&mut self, kind: FrameKind, bytes: &[u8]) {
        debug_assert_eq!(kind, self.start.kind, "the frame's kind decides what it holds");
        debug_assert_eq!(to_u64(bytes.len()), kind.entry_bytes());
        let end = self.entries_end + bytes.len();
        self.buffer.reserve(end);
        self.buffer.bytes_mut()[self.entries_end..end].copy_from_slice(bytes);
        self.entries_end = end;
        self.entries += 1;
    }
}

fn count(length: usize) -> u32 {
    // Sections are bounded by the events of a batch.
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A finished frame: it never changes, and is shared behind an `Arc` between the engine, which looks
/// up its records, and the writer, which copies it. Its buffer goes back to the pool at the end.
#[derive(Debug)]
pub struct Frame {
    header: FrameHeader,
    buffer: FrameBuffer,
    pool: FramePool,
}

impl Frame {
    /// What it says about itself. Committed position and chain are not known yet.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Where it goes.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.header.position
    }

    /// How much memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        to_u64(self.buffer.capacity_bytes())
    }

    /// Where it will end.
    #[must_use]
    pub const fn end(&self) -> Position {
        self.header.end()
    }

    /// Its entries as raw bytes, sections and padding, up to the table of sums; what comes before
    /// the entries is undefined.
    pub(super) fn body(&self) -> &[u8] {
        &self.buffer.bytes()[..self.header.shape().tail().table]
    }

    /// The accounts of a `create_accounts` frame.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        self.entries(FrameKind::CreateAccounts)
    }

    /// The transfers of a `create_transfers` frame.
    #[must_use]
    pub fn transfers(&self) -> &[TransferEntry] {
        self.entries(FrameKind::CreateTransfers)
    }

    /// The ids of a `fence` or `expire` frame.
    #[must_use]
    pub fn ids(&self) -> &[u128] {
        match self.header.kind {
            kind @ (FrameKind::Fence | FrameKind::Expire) => self.entries(kind),
            _ => &[],
        }
    }

    /// The commands of a `command` frame.
    #[must_use]
    pub fn commands(&self) -> &[CommandEntry] {
        self.entries(FrameKind::Command)
    }

    /// The requests of the batch.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = RequestEntry> {
        let rows = self.header.shape().requests_range(self.header.version, self.header.counts);
        requests_of(self.header.version, &self.buffer.bytes()[rows])
    }

    /// The notes: text that belongs to commands.
    #[must_use]
    pub fn notes(&self) -> &[u8] {
        self.section(self.header.shape().notes, self.header.counts.note_bytes)
    }

    /// The rows of history.
    #[must_use]
    pub fn history(&self) -> &[HistoryRow] {
        self.section(self.header.shape().history, self.header.counts.history)
    }

    /// The events that are not `created`, by ascending index.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        self.section(self.header.shape().refusals, self.header.counts.refusals)
    }

    /// Whether the event of that index is not `created`.
    #[must_use]
    pub fn is_refused(&self, index: u16) -> bool {
        self.refusals().binary_search_by_key(&u32::from(index), |refusal| refusal.index).is_ok()
    }

    /// Whether a frame of the log holds exactly these entries and sections.
    #[must_use]
    pub fn same_content(&self, other: &FrameView<'_>) -> bool {
        let entries = to_usize(FRAME_HEADER_BYTES);
        let body = self.body();
        other.bytes().get(entries..body.len()) == Some(&body[entries..])
    }

    /// The transfer whose record stands at `position`, if it is one of this frame's.
    #[must_use]
    pub fn transfer_at(&self, position: Position) -> Option<&TransferEntry> {
        let first = entry_position(self.header.position, self.header.kind, 0);
        let offset = position.0.checked_sub(first.0)?;
        let entry_bytes = self.header.kind.entry_bytes();
        if !offset.is_multiple_of(entry_bytes) {
            return None;
        }
        self.transfers().get(to_usize(offset / entry_bytes))
    }

    fn entries<T: bytemuck::Pod>(&self, kind: FrameKind) -> &[T] {
        if self.header.kind != kind {
            return &[];
        }
        self.section(FRAME_HEADER_BYTES, self.header.counts.entries)
    }

    fn section<T: bytemuck::Pod>(&self, start: u64, count: u32) -> &[T] {
        let start = to_usize(start);
        let bytes = to_usize(u64::from(count)) * size_of::<T>();
        bytemuck::cast_slice(&self.buffer.bytes()[start..start + bytes])
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.buffer));
    }
}
