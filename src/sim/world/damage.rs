//! What a power cut leaves, and what rots on a disk.

use crate::io::memory::{MemoryStorage, SECTOR_BYTES};
use crate::io::{Storage, to_u64, to_usize};
use crate::log::{LogIdentity, LogReader, Meta, Position, segment_name};
use crate::sim::random::Random;

/// Bytes of a file.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) length: usize,
}

/// Sectors that were written and not synced survive or not, in one of the ways in which disks and
/// their caches lose them.
pub(super) fn power_cut(disk: &MemoryStorage, random: &mut Random) -> MemoryStorage {
    let style = random.below(6);
    let percent = random.between(5, 95);
    let page = 4096;
    let mut last = (String::new(), 0, false);
    disk.crash(|name, offset| {
        if offset == u64::MAX {
            return random.percent(50);
        }
        match style {
            0 => false,
            1 => true,
            2 => random.percent(percent),
            3 => {
                // Whole pages.
                if last.0 != name || last.1 != offset / page {
                    last = (name.to_owned(), offset / page, random.percent(percent));
                }
                last.2
            }
            4 => {
                // A prefix of each file's writes.
                if last.0 != name {
                    last = (name.to_owned(), 0, true);
                }
                last.2 &= !random.percent(10);
                last.2
            }
            _ => {
                // All but a beginning.
                if last.0 != name {
                    last = (name.to_owned(), 0, false);
                }
                last.2 |= random.percent(30);
                last.2
            }
        }
    })
}

/// Flips one bit somewhere in the files, where it can be told from a tear. Says where.
pub(super) fn flip_bit(
    disk: &MemoryStorage,
    identity: LogIdentity,
    random: &mut Random,
) -> Option<String> {
    let mut names = Vec::new();
    for directory in ["", "log", "quarantine"] {
        let found = disk.list(directory).unwrap_or_default();
        let path = |name| if directory.is_empty() { name } else { format!("{directory}/{name}") };
        names.extend(found.into_iter().map(path));
    }
    let name = names.get(random.index(names.len().max(1)))?.clone();
    let bytes = disk.bytes(&name).ok()?;
    if bytes.is_empty() {
        return None;
    }
    // Mostly where something is written.
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(bytes.len(), |last| last + 1);
    let at = if random.percent(90) { random.index(end) } else { random.index(bytes.len()) };
    let bit = random.below(8);
    if passes_for_a_tear(disk, identity, &name, at) {
        return None;
    }
    disk.damage(&name, |bytes| bytes[at] ^= 1 << bit).ok()?;
    Some(format!("bit {bit} of byte {at} of {name}"))
}

/// Whether a bit flipped there may look like a tear: nobody has noted that its frame is committed, and
/// a sector of the frame's content, or the end of a page, is zeros although it arrived. The format's
/// description says so, too.
fn passes_for_a_tear(disk: &MemoryStorage, identity: LogIdentity, name: &str, at: usize) -> bool {
    let layout = identity.layout;
    let Ok(Some(meta)) = Meta::load(disk) else { return false };
    let Ok(mut reader) = LogReader::open(disk.clone(), identity) else { return false };
    // The end of the frame with that bit, and whether it holds such zeros.
    let mut hit = None;
    let mut committed = meta.hint.committed;
    while let Ok(Some(frame)) = reader.next_frame() {
        let header = *frame.header();
        if hit.is_some() {
            committed = committed.max(header.committed);
        }
        let start = to_usize(layout.offset_in_segment(header.position));
        let is_here = name == segment_name(layout.segment_of(header.position));
        if is_here && (start..start + frame.bytes().len()).contains(&at) {
            let content = &frame.bytes()[..to_usize(header.shape().content_end)];
            let zero = |bytes: &[u8]| bytes.iter().all(|&byte| byte == 0);
            let is_gap = content.chunks(SECTOR_BYTES).any(zero)
                || content.chunks_exact(4096).any(|page| zero(&page[4096 - 128..]));
            hit = Some((header.position.plus(header.frame_bytes), is_gap));
        }
    }
    hit.is_some_and(|(end, is_gap)| is_gap && end > committed)
}

/// Takes sectors away that the disk itself knows to be committed: they read as zeros, as if they had
/// never been written. Says where.
pub(super) fn lose_sectors(
    disk: &MemoryStorage,
    identity: LogIdentity,
    random: &mut Random,
) -> Option<String> {
    let stretch = committed_frame(disk, identity, random)?;
    let sectors = to_u64(stretch.length / SECTOR_BYTES);
    let (first, count) = match random.below(3) {
        0 => (0, sectors),
        1 => (random.below(sectors), 1),
        _ => (0, 1),
    };
    let start = to_usize(stretch.offset + first * to_u64(SECTOR_BYTES));
    let end = start + to_usize(count) * SECTOR_BYTES;
    disk.damage(&stretch.file, |bytes| bytes[start..end].fill(0)).ok()?;
    Some(format!("bytes {start}..{end} of {} are lost", stretch.file))
}

/// A frame that lies below what the meta file, or a frame behind it, says is committed.
fn committed_frame(
    disk: &MemoryStorage,
    identity: LogIdentity,
    random: &mut Random,
) -> Option<Stretch> {
    let hint = Meta::load(disk).ok()??.hint.committed;
    let mut reader = LogReader::open(disk.clone(), identity).ok()?;
    let mut frames = Vec::new();
    let mut committed = hint;
    while let Some(frame) = reader.next_frame().ok()? {
        let header = frame.header();
        frames.push((header.position, header.frame_bytes));
        committed = committed.max(header.committed);
    }
    frames.retain(|(position, bytes): &(Position, u64)| position.plus(*bytes) <= committed);
    if frames.is_empty() {
        return None;
    }
    // Mostly the last ones: with them a careless recovery would just cut.
    let (position, bytes) = frames[frames.len() - 1 - random.skewed_index(frames.len())];
    let layout = identity.layout;
    Some(Stretch {
        file: segment_name(layout.segment_of(position)),
        offset: layout.offset_in_segment(position),
        length: to_usize(bytes),
    })
}

/// Fills a sector of a write that was interrupted with what no one wrote. Says where.
pub(super) fn scribble(
    disk: &MemoryStorage,
    interrupted: &[Stretch],
    random: &mut Random,
) -> Option<String> {
    let stretch = interrupted.get(random.index(interrupted.len().max(1)))?;
    let sectors = stretch.length / SECTOR_BYTES;
    let start = to_usize(stretch.offset) + random.index(sectors.max(1)) * SECTOR_BYTES;
    let noise: Vec<u8> = (0..SECTOR_BYTES).map(|_| random.next_u64().to_le_bytes()[0]).collect();
    if disk.bytes(&stretch.file).ok()?.len() < start + SECTOR_BYTES {
        return None;
    }
    disk.damage(&stretch.file, |bytes| bytes[start..start + SECTOR_BYTES].copy_from_slice(&noise))
        .ok()?;
    Some(format!("noise at {start} of {}", stretch.file))
}

/// Whether two directories hold the same files with the same bytes.
pub(super) fn same(one: &MemoryStorage, other: &MemoryStorage) -> bool {
    ["", "log", "quarantine"].into_iter().all(|directory| {
        let names = one.list(directory).unwrap_or_default();
        names == other.list(directory).unwrap_or_default()
            && names.iter().all(|name| {
                let path = match directory {
                    "" => name.clone(),
                    directory => format!("{directory}/{name}"),
                };
                one.bytes(&path).ok() == other.bytes(&path).ok()
            })
    })
}
