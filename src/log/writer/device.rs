//! What the two writers differ in.

use std::io;
use std::path::Path;

use crate::io::{Completion, Ring};
use crate::log::group::WriteRequest;

use super::machine::Place;

/// A way to get frames onto the disk.
pub(super) trait Device {
    /// Begins to use a segment, which is prepared. Groups of those before, from `oldest` on, may
    /// still have to be started.
    fn open_segment(&mut self, segment: u64, path: &Path, oldest: u64) -> io::Result<()>;

    /// Memory for the bytes of a frame, in a segment that was opened. Fails if the disk doesn't provide
    /// it.
    fn target(&mut self, place: Place) -> io::Result<&mut [u8]>;

    /// Starts to make a group durable, all frames of which have been put where `target` said.
    fn start(&mut self, write: &WriteRequest) -> io::Result<()>;

    /// How many bytes of write `completion.tag` are durable now.
    fn finish(&mut self, completion: Completion) -> io::Result<usize>;

    /// Does what has time until everybody knows what is durable.
    fn tidy(&mut self) {}

    /// The ring in which it works.
    fn ring(&mut self) -> &mut Ring;
}
