//! Writing through a mapping of the segment, made durable by a sync of the group's range.
//!
//! A sync vouches only for what was stored before it was started, so each group has its own. Frames
//! start at page boundaries, so no page of a group in flight is ever stored to.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::io::{Completion, FileMap, Ring, forget_cached, to_u64, to_usize};
use crate::log::frame::FRAME_ALIGNMENT;
use crate::log::group::WriteRequest;
use crate::log::position::Layout;

use super::device::Device;
use super::machine::Place;

const RING_ENTRIES: u32 = 32;

pub(super) struct Mapped {
    ring: Ring,
    layout: Layout,
    /// The segment in use last, and those before it with groups that may not be durable.
    segments: Vec<(u64, Arc<File>)>,
    /// The mapping of the segment in use last.
    map: Option<FileMap>,
    /// Syncs in flight.
    syncs: Vec<Sync>,
    /// Syncs that have ended, whose memory can go.
    durable: Vec<Sync>,
}

/// A sync in flight.
struct Sync {
    write: u64,
    file: Arc<File>,
    offset: u64,
    bytes: usize,
}

impl Mapped {
    /// # Errors
    /// If the kernel doesn't allow rings.
    pub(super) fn new(layout: Layout) -> io::Result<Self> {
        let ring = Ring::new(RING_ENTRIES, 4096)?;
        Ok(Self {
            ring,
            layout,
            segments: Vec::new(),
            map: None,
            syncs: Vec::with_capacity(to_usize(u64::from(RING_ENTRIES))),
            durable: Vec::new(),
        })
    }
}

impl Device for Mapped {
    fn open_segment(&mut self, segment: u64, path: &Path, oldest: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        assert!(oldest <= segment, "what is written now isn't let go");
        assert!(
            self.segments.last().is_none_or(|(last, _)| *last < segment),
            "segments are opened in their order"
        );
        self.map = Some(FileMap::new(&file)?);
        self.segments.retain(|(number, _)| *number >= oldest);
        self.segments.push((segment, Arc::new(file)));
        Ok(())
    }

    fn target(&mut self, place: Place) -> io::Result<&mut [u8]> {
        assert_eq!(
            self.segments.last().map(|(number, _)| *number),
            Some(self.layout.segment_of(place.position)),
            "frames are stored into the segment that is mapped"
        );
        let offset = to_usize(self.layout.offset_in_segment(place.position));
        let range = offset..offset + place.bytes;
        let map = self.map.as_mut().ok_or_else(|| io::Error::other("no segment is mapped"))?;
        map.populate(range.clone())?;
        Ok(map.bytes_mut(range))
    }

    fn start(&mut self, write: &WriteRequest) -> io::Result<()> {
        let number = self.layout.segment_of(write.position);
        let file = self.segments.iter().find(|(segment, _)| *segment == number);
        let (_, file) =
            file.ok_or_else(|| io::Error::other(format!("segment {number} is not open")))?;
        let file = Arc::clone(file);
        let offset = self.layout.offset_in_segment(write.position);
        let bytes = write.bytes;
        // The mapping of an earlier segment has gone altogether.
        if let Some(map) = &mut self.map
            && self.segments.last().is_some_and(|(last, _)| *last == number)
        {
            map.release(to_usize(offset)..to_usize(offset) + bytes)?;
        }
        assert!(
            (offset | to_u64(bytes)).is_multiple_of(FRAME_ALIGNMENT),
            "two groups never share a page"
        );
        let length = u32::try_from(bytes).map_err(io::Error::other)?;
        self.ring.start_sync(write.id, &file, offset, length)?;
        self.syncs.push(Sync { write: write.id, file, offset, bytes });
        Ok(())
    }

    fn finish(&mut self, completion: Completion) -> io::Result<usize> {
        completion.bytes()?;
        let index = self.syncs.iter().position(|sync| sync.write == completion.tag);
        let index = index.ok_or_else(|| io::Error::other("a sync ended that was not started"))?;
        let sync = self.syncs.swap_remove(index);
        let bytes = sync.bytes;
        self.durable.push(sync);
        Ok(bytes)
    }

    /// The next frames take the same memory, which is far cheaper than memory not used before.
    fn tidy(&mut self) {
        for Sync { file, offset, bytes, .. } in self.durable.drain(..) {
            forget_cached(&file, offset, to_u64(bytes));
        }
    }

    fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }
}
