//! The meta file: who the cluster is, how the log is laid out, and a hint how far it was committed.
//!
//! Two slots of 4 KiB are written in turn, so that a torn write never costs the other one. The hint
//! lags behind; recovery uses it only as evidence against cutting off what was acknowledged.

use std::io;

use bytemuck::{Pod, Zeroable};
use thiserror::Error;

use crate::checksum;
use crate::io::{Open, Storage, StorageFile};
use crate::ledger::{Op, RULES_VERSION};

use super::frame::{ClusterId, Genesis};
use super::position::{Epoch, Layout, Position};

/// The name of the file.
pub(crate) const META_NAME: &str = "meta";
/// Its name until it is whole.
pub(crate) const META_NEW_NAME: &str = "meta.new";

/// The version of this file. The frames of the log have a version of their own.
const META_VERSION: u16 = 1;
const SLOT_BYTES: usize = 4096;
const META_MAGIC: [u8; 8] = *b"PARTITAm";

/// What never changes in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Its identity.
    pub cluster: ClusterId,
    /// Size of a segment of the log.
    pub segment_bytes: u64,
    /// How many accounts there can be.
    pub accounts_max: u64,
    /// How many open holds there can be.
    pub holds_max: u64,
    /// Version of the rules that decide.
    pub rules_version: u32,
}

impl ClusterConfig {
    /// How the log is cut.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        Layout { segment_bytes: self.segment_bytes }
    }

    /// As the first frame of the log records it.
    #[must_use]
    pub fn to_genesis(self) -> Genesis {
        Genesis {
            cluster: self.cluster.0,
            segment_bytes: self.segment_bytes,
            accounts_max: self.accounts_max,
            holds_max: self.holds_max,
            rules_version: self.rules_version,
            ..Genesis::default()
        }
    }
}

/// How far the log was known to be committed at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CommitHint {
    /// Everything before was acknowledged, or may have been.
    pub committed: Position,
    /// The last op before it.
    pub op: Op,
    /// The epoch of the writer.
    pub epoch: Epoch,
}

/// The content of the meta file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What never changes.
    pub config: ClusterConfig,
    /// What was known last.
    pub hint: CommitHint,
    /// Number of the write; the higher of two slots is the newer one.
    pub sequence: u64,
}

/// Why the meta file can't be used.
#[derive(Debug, Error)]
pub enum MetaError {
    /// The operating system says no.
    #[error("reading or writing the meta file failed: {0}")]
    Io(#[from] io::Error),
    /// Neither slot is whole.
    #[error("the meta file is damaged: neither of its two slots is whole")]
    Damaged,
    /// Written by a newer version.
    #[error("the data directory has format version {found}; this program knows {META_VERSION}")]
    Version {
        /// The version in the file.
        found: u16,
    },
    /// Its log is decided by newer rules.
    #[error(
        "the data directory has a newer format: its log is decided by version {found} of the \
         rules, and this program knows {RULES_VERSION}; use a newer program"
    )]
    Rules {
        /// The version in the file.
        found: u32,
    },
}

#[repr(C, align(16))]
#[derive(Clone, Copy, Pod, Zeroable)]
struct RawMeta {
    magic: [u8; 8],
    version: u16,
    reserved: [u16; 3],
    cluster: u128,
    sequence: u64,
    segment_bytes: u64,
    accounts_max: u64,
    holds_max: u64,
    committed: u64,
    op: u64,
    epoch: u64,
    rules_version: u32,
    reserved_end: [u32; 4],
    crc: u32,
}

const RAW_BYTES: usize = size_of::<RawMeta>();
const _: () = assert!(RAW_BYTES == 112);

impl Meta {
    fn to_slot(self) -> Vec<u8> {
        let mut raw = RawMeta {
            magic: META_MAGIC,
            version: META_VERSION,
            reserved: [0; 3],
            cluster: self.config.cluster.0,
            sequence: self.sequence,
            segment_bytes: self.config.segment_bytes,
            accounts_max: self.config.accounts_max,
            holds_max: self.config.holds_max,
            committed: self.hint.committed.0,
            op: self.hint.op.0,
            epoch: self.hint.epoch.0,
            rules_version: self.config.rules_version,
            reserved_end: [0; 4],
            crc: 0,
        };
        raw.crc = checksum::block(0, &bytemuck::bytes_of(&raw)[..RAW_BYTES - 4]);
        let mut slot = vec![0_u8; SLOT_BYTES];
        slot[..RAW_BYTES].copy_from_slice(bytemuck::bytes_of(&raw));
        slot
    }

    fn from_slot(slot: &[u8]) -> Result<Self, MetaError> {
        let fields = slot.get(..RAW_BYTES).ok_or(MetaError::Damaged)?;
        let raw: RawMeta = bytemuck::pod_read_unaligned(fields);
        if raw.magic != META_MAGIC || checksum::block(0, &fields[..RAW_BYTES - 4]) != raw.crc {
            return Err(MetaError::Damaged);
        }
        if raw.version != META_VERSION {
            return Err(MetaError::Version { found: raw.version });
        }
        if raw.rules_version > RULES_VERSION {
            return Err(MetaError::Rules { found: raw.rules_version });
        }
        Ok(Self {
            config: ClusterConfig {
                cluster: ClusterId(raw.cluster),
                segment_bytes: raw.segment_bytes,
                accounts_max: raw.accounts_max,
                holds_max: raw.holds_max,
                rules_version: raw.rules_version,
            },
            hint: CommitHint {
                committed: Position(raw.committed),
                op: Op(raw.op),
                epoch: Epoch(raw.epoch),
            },
            sequence: raw.sequence,
        })
    }

    /// Reads the newer whole slot; nothing if there is no meta file.
    ///
    /// # Errors
    /// If it can't be read, is of a newer version, or neither slot is whole.
    pub fn load<S: Storage>(storage: &S) -> Result<Option<Self>, MetaError> {
        let file = match storage.open(META_NAME, Open::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut bytes = vec![0_u8; 2 * SLOT_BYTES];
        let length = file.read_at(0, &mut bytes)?;
        bytes.truncate(length);
        let mut newest: Option<Self> = None;
        let mut newer_format = None;
        for slot in bytes.chunks(SLOT_BYTES) {
            match Self::from_slot(slot) {
                Ok(meta) if newest.is_none_or(|other| meta.sequence > other.sequence) => {
                    newest = Some(meta);
                }
                Err(error @ (MetaError::Version { .. } | MetaError::Rules { .. })) => {
                    newer_format = Some(error)
                }
                Ok(_) | Err(_) => {}
            }
        }
        match (newer_format, newest) {
            (Some(error), _) => Err(error),
            (None, Some(meta)) => Ok(Some(meta)),
            (None, None) => Err(MetaError::Damaged),
        }
    }
}

/// The open meta file, in the hands of the one that writes hints.
#[derive(Debug)]
pub struct MetaFile<F> {
    file: F,
    last: Meta,
}

impl<F: StorageFile> MetaFile<F> {
    /// Opens the meta file of a directory to write hints.
    ///
    /// # Errors
    /// As [`Meta::load`]; a missing file is an error too.
    pub fn open<S: Storage<File = F>>(storage: &S) -> Result<Self, MetaError> {
        let last = Meta::load(storage)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no meta file"))?;
        Ok(Self { file: storage.open(META_NAME, Open::Write)?, last })
    }

    /// Creates the meta file: the last step of creating a data directory.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn create<S: Storage<File = F>>(
        storage: &S,
        config: ClusterConfig,
        hint: CommitHint,
    ) -> Result<Meta, MetaError> {
        let meta = Meta { config, hint, sequence: 1 };
        let file = storage.open(META_NEW_NAME, Open::Create)?;
        // Both slots are the same: neither is ever empty, and space for both is claimed.
        let slot = meta.to_slot();
        file.write_at(0, &slot)?;
        file.write_at(SLOT_BYTES as u64, &slot)?;
        file.sync_data()?;
        storage.rename(META_NEW_NAME, META_NAME)?;
        storage.sync_directory("")?;
        Ok(meta)
    }

    /// What the file says now.
    #[must_use]
    pub const fn last(&self) -> &Meta {
        &self.last
    }

    /// Writes a hint into the older slot and makes it durable. A hint that says nothing new, or
    /// less, is not written.
    ///
    /// # Errors
    /// If it can't be written. What the slot holds is then unknown; never try again.
    pub fn write(&mut self, hint: CommitHint) -> Result<(), MetaError> {
        if hint <= self.last.hint {
            return Ok(());
        }
        self.replace(hint)
    }

    /// Writes a hint that may say less than the last one: after an operator accepted a loss.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn replace(&mut self, hint: CommitHint) -> Result<(), MetaError> {
        let meta = Meta { hint, sequence: self.last.sequence + 1, ..self.last };
        let offset = if meta.sequence.is_multiple_of(2) { SLOT_BYTES as u64 } else { 0 };
        self.file.write_at(offset, &meta.to_slot())?;
        self.file.sync_data()?;
        self.last = meta;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::memory::{Fault, MemoryStorage};

    const CONFIG: ClusterConfig = ClusterConfig {
        cluster: ClusterId(42),
        segment_bytes: 64 << 20,
        accounts_max: 1_000,
        holds_max: 100,
        rules_version: 1,
    };

    fn hint(at: u64) -> CommitHint {
        CommitHint { committed: Position(at), op: Op(at / 4096), epoch: Epoch(1) }
    }

    fn written() -> MemoryStorage {
        let disk = MemoryStorage::new();
        assert!(Meta::load(&disk).unwrap().is_none());
        MetaFile::create(&disk, CONFIG, hint(4096)).unwrap();
        let mut file = MetaFile::open(&disk).unwrap();
        file.write(hint(8192)).unwrap();
        file.write(hint(4096)).unwrap();
        assert_eq!(file.last().hint, hint(8192));
        disk
    }

    #[test]
    fn the_newest_hint_is_read_back() {
        let disk = written();
        let meta = Meta::load(&disk).unwrap().unwrap();
        assert_eq!((meta.config, meta.hint, meta.sequence), (CONFIG, hint(8192), 2));
        let after = Meta::load(&disk.crash(|_, _| false)).unwrap().unwrap();
        assert_eq!(after, meta);
    }

    #[test]
    fn one_damaged_slot_costs_at_most_the_newest_hint_and_two_are_refused() {
        for at in 0..2 * SLOT_BYTES {
            let disk = written();
            disk.damage(META_NAME, |bytes| bytes[at] ^= 1).unwrap();
            let meta = Meta::load(&disk).unwrap().unwrap();
            assert_eq!(meta.config, CONFIG, "byte {at}");
            if at % SLOT_BYTES >= RAW_BYTES {
                assert_eq!(meta.hint, hint(8192), "byte {at} means nothing");
            }
        }
        let disk = written();
        disk.damage(META_NAME, |bytes| {
            bytes[0] ^= 1;
            bytes[SLOT_BYTES] ^= 1;
        })
        .unwrap();
        assert!(matches!(Meta::load(&disk), Err(MetaError::Damaged)));
        disk.damage(META_NAME, Vec::clear).unwrap();
        assert!(matches!(Meta::load(&disk), Err(MetaError::Damaged)));
    }

    #[test]
    fn an_unreadable_file_is_an_error_and_not_an_absent_one() {
        let disk = written();
        disk.plant(Fault::ReadFails(META_NAME, 0, 1));
        assert!(matches!(Meta::load(&disk), Err(MetaError::Io(_))));
    }

    #[test]
    fn a_newer_format_is_told_apart_from_damage() {
        let disk = written();
        disk.damage(META_NAME, |bytes| {
            bytes[8] = 9;
            let crc = checksum::block(0, &bytes[..RAW_BYTES - 4]);
            bytes[RAW_BYTES - 4..RAW_BYTES].copy_from_slice(&crc.to_le_bytes());
        })
        .unwrap();
        assert!(matches!(Meta::load(&disk), Err(MetaError::Version { found: 9 })));
    }

    #[test]
    fn newer_rules_are_refused() {
        let disk = MemoryStorage::new();
        let config = ClusterConfig { rules_version: RULES_VERSION + 1, ..CONFIG };
        MetaFile::create(&disk, config, hint(4096)).unwrap();
        assert!(matches!(Meta::load(&disk), Err(MetaError::Rules { found: 2 })));
    }
}
