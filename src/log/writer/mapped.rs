//! Writing through a mapping of the segment, made durable by a sync of the group's range.
//!
//! A sync vouches only for what was stored before it was started, so each group has its own. Frames
//! start at page boundaries, so no page of a group in flight is ever stored to.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::io::{Completion, FileMap, Ring, to_usize};
use crate::log::group::WriteRequest;
use crate::log::position::Layout;

use super::device::{Device, Place};

const RING_ENTRIES: u32 = 32;

pub(super) struct Mapped {
    ring: Ring,
    layout: Layout,
    /// The segment in use last, and those before it with groups that may not be durable.
    segments: Vec<(u64, Arc<File>)>,
    /// The mapping of the segment in use last.
    map: Option<FileMap>,
    /// Syncs in flight: write and size.
    syncs: Vec<(u64, usize)>,
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
        })
    }
}

impl Device for Mapped {
    fn open_segment(&mut self, segment: u64, path: &Path, oldest: u64) -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        self.map = Some(FileMap::new(&file)?);
        self.segments.retain(|(number, _)| *number >= oldest);
        self.segments.push((segment, Arc::new(file)));
        Ok(())
    }

    fn target(&mut self, place: Place) -> io::Result<&mut [u8]> {
        debug_assert_eq!(
            self.segments.last().map(|(number, _)| *number),
            Some(self.layout.segment_of(place.position))
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
        let offset = self.layout.offset_in_segment(write.position);
        let length = u32::try_from(write.bytes).map_err(io::Error::other)?;
        self.ring.start_sync(write.id, file, offset, length)?;
        self.syncs.push((write.id, write.bytes));
        Ok(())
    }

    fn finish(&mut self, completion: Completion) -> io::Result<usize> {
        completion.bytes()?;
        let index = self.syncs.iter().position(|(id, _)| *id == completion.tag);
        let index = index.ok_or_else(|| io::Error::other("a sync ended that was not started"))?;
        Ok(self.syncs.swap_remove(index).1)
    }

    fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }
}
