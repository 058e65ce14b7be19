//! Small file systems of their own, which can be filled up.
//!
//! A process that may not mount runs the test once more in a user namespace of its own, where it may.
//! Where not even that is allowed, the test says so and leaves the full disk to the simulator; with
//! `PARTITA_MUST_MOUNT` set it fails instead.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in the process that runs in a namespace of its own.
const INSIDE: &str = "PARTITA_TEST_IN_NAMESPACE";

/// A file system in memory, unmounted at the end.
pub(crate) struct SmallDisk {
    path: PathBuf,
    _home: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(mib: u64) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "partita-test"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self { path, _home: home })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn resize(&self, mib: u64) {
        let options = format!("remount,size={mib}m");
        let remounted =
            Command::new("mount").args(["-o", &options]).arg(&self.path).status().unwrap();
        assert!(remounted.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// Runs a test on a disk of that size. `name` is the test's, with its module.
pub(crate) fn on_small_disk(name: &str, mib: u64, test: impl FnOnce(&SmallDisk)) {
    if let Some(disk) = SmallDisk::mount(mib) {
        return test(&disk);
    }
    let inside = std::env::var_os(INSIDE).is_some();
    let may_unshare = || {
        Command::new("unshare")
            .args(["-rm", "mount", "-t", "tmpfs", "partita-test", "/tmp"])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if inside || !may_unshare() {
        let why = "no file system may be mounted here: a full disk is left to the simulator";
        assert!(std::env::var_os("PARTITA_MUST_MOUNT").is_none(), "{why}");
        println!("{why}");
        return;
    }
    let again = Command::new("unshare")
        .arg("-rm")
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}\n{}", String::from_utf8_lossy(&again.stderr));
    assert!(said.contains("1 passed"), "{said}");
}
