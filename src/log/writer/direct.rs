//! Writing past the page cache: from registered memory, with `O_DIRECT` and `RWF_DSYNC`.
//!
//! One operation writes a group and makes it durable, and its completion says which group failed.
//! Where the filesystem has no direct writes (tmpfs), they are buffered, but still durable each.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::io::{Completion, Ring, to_u64, to_usize};
use crate::log::frame::FRAME_ALIGNMENT;
use crate::log::group::{GroupConfig, WriteRequest};
use crate::log::position::Layout;

use super::device::Device;
use super::machine::Place;

/// Operations in the ring: the writes and a poll.
const RING_ENTRIES: u32 = 32;

pub(super) struct Direct {
    ring: Ring,
    layout: Layout,
    /// The segment in use last, and those before it with groups that may not be durable.
    segments: Vec<(u64, Arc<File>)>,
}

impl Direct {
    /// # Errors
    /// If the kernel doesn't allow rings.
    pub(super) fn new(layout: Layout, groups: &GroupConfig) -> io::Result<Self> {
        let ring = Ring::new(RING_ENTRIES, to_usize(groups.staging_bytes))?;
        if !ring.is_registered() {
            tracing::warn!(
                bytes = groups.staging_bytes,
                "the limit on locked memory is too low for the log's staging memory; writes cost \
                 more (LimitMEMLOCK=64M helps)"
            );
        }
        Ok(Self { ring, layout, segments: Vec::new() })
    }

    fn file(&self, segment: u64) -> io::Result<&Arc<File>> {
        self.segments
            .iter()
            .find(|(number, _)| *number == segment)
            .map(|(_, file)| file)
            .ok_or_else(|| io::Error::other(format!("segment {segment} is not open")))
    }
}

impl Device for Direct {
    fn open_segment(&mut self, segment: u64, path: &Path, oldest: u64) -> io::Result<()> {
        assert!(oldest <= segment, "what is written now isn't let go");
        assert!(
            self.segments.last().is_none_or(|(last, _)| *last < segment),
            "segments are opened in their order"
        );
        self.segments.retain(|(number, _)| *number >= oldest);
        self.segments.push((segment, Arc::new(open_direct(path)?)));
        Ok(())
    }

    fn target(&mut self, place: Place) -> io::Result<&mut [u8]> {
        Ok(self.ring.staging_mut(place.staging_offset..place.staging_offset + place.bytes))
    }

    fn start(&mut self, write: &WriteRequest) -> io::Result<()> {
        let file = Arc::clone(self.file(self.layout.segment_of(write.position))?);
        let offset = self.layout.offset_in_segment(write.position);
        assert!(
            (offset | to_u64(write.bytes)).is_multiple_of(FRAME_ALIGNMENT),
            "direct writes are of whole pages"
        );
        assert!(
            offset + to_u64(write.bytes) <= self.layout.segment_bytes,
            "a write stays in its segment"
        );
        let range = write.staging_offset..write.staging_offset + write.bytes;
        self.ring.start_write(write.id, &file, offset, range)
    }

    fn finish(&mut self, completion: Completion) -> io::Result<usize> {
        completion.bytes()
    }

    fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }
}

fn open_direct(path: &Path) -> io::Result<File> {
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    match OpenOptions::new().write(true).custom_flags(direct).open(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            tracing::warn!(
                path = %path.display(),
                "the filesystem has no direct writes; the log is written through the page cache"
            );
            OpenOptions::new().write(true).open(path)
        }
        other => other,
    }
}
