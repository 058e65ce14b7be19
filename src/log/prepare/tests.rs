//! Creating a log, at any interruption, and preparing segments on a full disk.

use crate::io::memory::{Fault, MemoryStorage};
use crate::log::frame::ClusterId;
use crate::log::reader::LogReader;

use super::*;

const CONFIG: ClusterConfig = ClusterConfig {
    cluster: ClusterId(4),
    segment_bytes: 32 * 1024,
    accounts_max: 5,
    holds_max: 6,
    rules_version: 1,
};

fn identity() -> LogIdentity {
    LogIdentity { cluster: CONFIG.cluster, layout: CONFIG.layout() }
}

#[test]
fn a_new_log_begins_with_its_configuration() {
    let disk = MemoryStorage::new();
    let meta = create_log(&disk, CONFIG, Timestamp(77)).unwrap();
    assert_eq!(meta.config, CONFIG);
    let mut reader = LogReader::open(disk.crash(|_, _| false), identity()).unwrap();
    let view = reader.next_frame().unwrap().unwrap();
    assert_eq!(view.genesis(), Some(&CONFIG.to_genesis()));
    assert_eq!(view.header().timestamp, Timestamp(77));
    assert_eq!(view.header().op, Op(1));
    assert_eq!(meta.hint.committed, view.header().end());
    assert!(reader.next_frame().unwrap().is_none());
    assert!(matches!(create_log(&disk, CONFIG, Timestamp(1)), Err(CreateError::Exists)));
}

#[test]
fn a_creation_that_is_interrupted_is_done_again() {
    for sync in 0..10 {
        for kept in [false, true] {
            let disk = MemoryStorage::new();
            disk.freeze_at_sync(sync);
            create_log(&disk, CONFIG, Timestamp(1)).unwrap();
            let after = disk.crash(|name, _| kept && name != META_NAME);
            match create_log(&after, CONFIG, Timestamp(2)) {
                Ok(_) => {}
                Err(error) => assert!(matches!(error, CreateError::Exists), "{error}"),
            }
            let mut reader = LogReader::open(after.clone(), identity()).unwrap();
            assert!(reader.next_frame().unwrap().is_some(), "sync {sync} kept {kept}");
            assert!(Meta::load(&after).unwrap().is_some());
        }
    }
}

#[test]
fn a_log_without_its_meta_file_is_never_overwritten() {
    let disk = MemoryStorage::new();
    create_log(&disk, CONFIG, Timestamp(1)).unwrap();
    disk.remove(META_NAME).unwrap();
    let more = disk.after_kill();
    prepare_segment(&more, identity(), 1, Preparation::Reserved).unwrap();
    let refused = create_log(&more, CONFIG, Timestamp(1));
    assert!(matches!(refused, Err(CreateError::MetaMissing)));
    let more = disk.after_kill();
    more.damage(&segment_name(0), |bytes| bytes[9_000] = 1).unwrap();
    let refused = create_log(&more, CONFIG, Timestamp(1));
    assert!(matches!(refused, Err(CreateError::MetaMissing)));
}

#[test]
fn a_segment_that_cannot_be_made_leaves_nothing_behind() {
    let disk = MemoryStorage::new();
    create_log(&disk, CONFIG, Timestamp(1)).unwrap();
    let zeroed = Preparation::Zeroed { piece_bytes: 4096, keep_cached: true };
    for preparation in [Preparation::Reserved, zeroed] {
        disk.plant(Fault::Full(CONFIG.segment_bytes + 20_000));
        let full = prepare_segment(&disk, identity(), 1, preparation).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.list(LOG_DIRECTORY).unwrap().len(), 1);
        disk.heal();
        disk.plant(Fault::SyncFails(0));
        assert!(prepare_segment(&disk, identity(), 1, preparation).is_err());
        assert_eq!(disk.list(LOG_DIRECTORY).unwrap().len(), 1);
        disk.heal();
    }
    prepare_segment(&disk, identity(), 1, zeroed).unwrap();
    let bytes = disk.crash(|_, _| false).bytes(&segment_name(1)).unwrap();
    assert_eq!(bytes.len(), 32 * 1024);
    assert!(bytes[4096..].iter().all(|&byte| byte == 0));
}
