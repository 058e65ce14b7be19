//! Looking at the bytes of a frame, after everything about them has been checked.

use std::ops::Range;

use crate::checksum::{self, BLOCK_BYTES};
use crate::io::{to_u64, to_usize};
use crate::ledger::Account;
use crate::log::position::Position;

use super::buffer::FrameBuf;
use super::entries::{
    Amendment, EpochReason, EpochStart, Genesis, HistoryRow, HistorySide, Refusal, TransferEntry,
};
use super::error::FrameError;
use super::format::{FRAME_HEADER_BYTES, FrameKind, Shape, Tail};
use super::header::{ChainValue, ClusterId, FrameHeader, RAW_HEADER_BYTES, seed};
use super::request::{CommandEntry, RequestEntry, requests_of};
use super::seal::{chain_value, trailer_bytes};

/// A frame whose every byte has been checked.
#[derive(Debug, Clone, Copy)]
pub struct FrameView<'a> {
    header: FrameHeader,
    shape: Shape,
    bytes: &'a [u8],
    chain: ChainValue,
}

impl<'a> FrameView<'a> {
    /// Checks `bytes`, which start with what should be a frame at `position`. They must be aligned
    /// to 16 bytes, which a [`super::FrameBuf`] is.
    ///
    /// # Errors
    /// The first thing wrong with them.
    pub fn parse(
        cluster: ClusterId,
        position: Position,
        bytes: &'a [u8],
    ) -> Result<Self, FrameError> {
        let header = FrameHeader::parse(cluster, position, bytes)?;
        let shape = header.shape();
        let bytes = bytes.get(..to_usize(header.frame_bytes)).ok_or(FrameError::Short)?;
        let tail = Tail::of(header.frame_bytes);
        let seed = seed(cluster, header.epoch, position);
        for index in 0..tail.blocks {
            let entry = tail.table + 4 * index;
            let crc = checksum::block(seed, &bytes[tail.block(index)]);
            if bytes[entry..entry + 4] != crc.to_le_bytes() {
                return Err(FrameError::Block(index));
            }
        }
        let header_bytes: &[u8; RAW_HEADER_BYTES] =
            bytemuck::from_bytes(&bytes[..RAW_HEADER_BYTES]);
        let table = &bytes[tail.table..tail.trailer];
        let chain = chain_value(header_bytes, &bytes[RAW_HEADER_BYTES..tail.trailer]);
        let trailer = trailer_bytes(cluster, header.epoch, position, header_bytes, table, chain);
        if bytes[tail.trailer..] != trailer {
            return Err(FrameError::Trailer);
        }
        let view = Self { header, shape, bytes, chain };
        view.check_content()?;
        Ok(view)
    }

    /// The view of a frame that [`Self::parse`] has just accepted, without checking again.
    pub(in crate::log) fn rebuild(header: FrameHeader, chain: ChainValue, bytes: &'a [u8]) -> Self {
        Self { header, shape: header.shape(), bytes, chain }
    }

    /// What the frame says about itself.
    #[must_use]
    pub const fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// The chain value after this frame.
    #[must_use]
    pub const fn chain(&self) -> ChainValue {
        self.chain
    }

    /// All bytes of the frame.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The accounts of a `create_accounts` frame, else none.
    #[must_use]
    pub fn accounts(&self) -> &'a [Account] {
        self.entries(FrameKind::CreateAccounts)
    }

    /// The transfers of a `create_transfers` frame, else none.
    #[must_use]
    pub fn transfers(&self) -> &'a [TransferEntry] {
        self.entries(FrameKind::CreateTransfers)
    }

    /// The ids of a `fence` or `expire` frame, else none.
    #[must_use]
    pub fn ids(&self) -> &'a [u128] {
        match self.header.kind {
            kind @ (FrameKind::Fence | FrameKind::Expire) => self.entries(kind),
            _ => &[],
        }
    }

    /// The entry of a genesis frame.
    #[must_use]
    pub fn genesis(&self) -> Option<&'a Genesis> {
        self.entries(FrameKind::Genesis).first()
    }

    /// The entry of an epoch frame.
    #[must_use]
    pub fn epoch_start(&self) -> Option<&'a EpochStart> {
        self.entries(FrameKind::Epoch).first()
    }

    /// The commands of a `command` frame, else none.
    #[must_use]
    pub fn commands(&self) -> &'a [CommandEntry] {
        self.entries(FrameKind::Command)
    }

    /// The requests of the batch. In version 1 they are nobody's.
    pub fn requests(&self) -> impl ExactSizeIterator<Item = RequestEntry> + use<'a> {
        let rows = self.shape.requests_range(self.header.version, self.header.counts);
        requests_of(self.header.version, &self.bytes[rows])
    }

    /// What some created events looked like on arrival, by ascending index.
    #[must_use]
    pub fn amendments(&self) -> &'a [Amendment] {
        self.section(self.shape.amendments, self.header.counts.amendments)
    }

    /// The events that are not `created`, by ascending index.
    #[must_use]
    pub fn refusals(&self) -> &'a [Refusal] {
        self.section(self.shape.refusals, self.header.counts.refusals)
    }

    /// Balances after transfers.
    #[must_use]
    pub fn history(&self) -> &'a [HistoryRow] {
        self.section(self.shape.history, self.header.counts.history)
    }

    /// The notes: text that belongs to commands.
    #[must_use]
    pub fn notes(&self) -> &'a [u8] {
        self.section(self.shape.notes, self.header.counts.note_bytes)
    }

    fn entries<T: bytemuck::Pod>(&self, kind: FrameKind) -> &'a [T] {
        if self.header.kind == kind {
            self.section(FRAME_HEADER_BYTES, self.header.counts.entries)
        } else {
            &[]
        }
    }

    fn section<T: bytemuck::Pod>(&self, start: u64, count: u32) -> &'a [T] {
        let start = to_usize(start);
        let end = start + to_usize(u64::from(count)) * size_of::<T>();
        bytemuck::cast_slice(&self.bytes[start..end])
    }

    /// What the sums can't know: a writer with a fault. Only what this module is in charge of; what
    /// outcomes mean is the engine's to check.
    fn check_content(&self) -> Result<(), FrameError> {
        let counts = self.header.counts;
        let in_order = |index: u32, next: &mut u32| {
            let fits = index >= *next && index < counts.entries;
            *next = index.saturating_add(1);
            fits
        };
        let mut next = 0;
        let refusals = self.refusals().iter().all(|row| in_order(row.index, &mut next));
        let mut next = 0;
        let amendments =
            self.amendments().iter().all(|row| row.reserved == 0 && in_order(row.index, &mut next));
        let history = self.history().iter().all(|row| {
            row.index < counts.entries
                && row.side <= HistorySide::Credit as u32
                && row.reserved == 0
        });
        let events: u64 = self.requests().map(|request| u64::from(request.events)).sum();
        let requests = (counts.requests == 0 || events == u64::from(counts.entries))
            && self.requests().all(|request| request.is_known());
        let entries = match self.header.kind {
            FrameKind::Genesis => counts.entries == 1,
            FrameKind::Epoch => self.epoch_start().is_some_and(|start| {
                start.epoch == self.header.epoch.0 && EpochReason::from_code(start.reason).is_some()
            }),
            FrameKind::CreateTransfers => self
                .transfers()
                .iter()
                .zip(0_u32..)
                .all(|(entry, index)| u32::from(entry.index()) == index),
            FrameKind::Command => self.commands().iter().all(|command| command.reserved == 0),
            FrameKind::CreateAccounts | FrameKind::Fence | FrameKind::Expire => true,
        };
        let padding = self.bytes[to_usize(self.shape.content_end)..self.shape.tail().table]
            .iter()
            .all(|&byte| byte == 0);
        if refusals && amendments && history && requests && entries && padding {
            Ok(())
        } else {
            Err(FrameError::Content)
        }
    }
}

/// Reads and checks the blocks of a frame that cover `range` (offsets in the frame), without reading
/// the rest of it. `read` fills a slice from an offset in the frame. Gives the range of `scratch`
/// that then holds the bytes asked for.
pub(in crate::log) fn check_blocks<E>(
    cluster: ClusterId,
    header: &FrameHeader,
    range: Range<usize>,
    mut read: impl FnMut(u64, &mut [u8]) -> Result<(), E>,
    scratch: &mut FrameBuf,
) -> Result<Result<Range<usize>, FrameError>, E> {
    let tail = Tail::of(header.frame_bytes);
    let seed = seed(cluster, header.epoch, header.position);
    let first = range.start / BLOCK_BYTES;
    let last = (range.end - 1) / BLOCK_BYTES;
    let start = tail.block(first).start;
    let bytes = tail.block(last).end - start;
    // The sums go behind the blocks in the same scratch memory.
    scratch.resize(bytes + 4 * (last - first + 1));
    let (blocks, sums) = scratch.bytes_mut().split_at_mut(bytes);
    read(to_u64(start), blocks)?;
    read(to_u64(tail.table + 4 * first), sums)?;
    for (index, sum) in (first..=last).zip(sums.chunks_exact(4)) {
        let block = tail.block(index);
        let crc = checksum::block(seed, &blocks[block.start - start..block.end - start]);
        if sum != crc.to_le_bytes() {
            return Ok(Err(FrameError::Block(index)));
        }
    }
    Ok(Ok(range.start - start..range.end - start))
}
