//! The files of the repository.

use std::path::{Path, PathBuf};

/// A text file: its path from the root, with `/`, and its content.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file, sorted by path, without what git ignores or builds write.
pub(crate) fn text_files() -> Vec<TextFile> {
    let mut files = Vec::new();
    collect(root(), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 20, "the walk found only {} files", files.len());
    files
}

/// Every Rust file, sorted by path.
pub(crate) fn rust_files() -> Vec<TextFile> {
    text_files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

fn collect(directory: &Path, files: &mut Vec<TextFile>) {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let ignored = name == ".git" || name == "target" || name.ends_with("-data");
            if !ignored {
                collect(&path, files);
            }
        } else if let Some(text) = read_text(&path) {
            files.push(TextFile { path: relative(&path), text });
        }
    }
}

/// None for what isn't text (and for a worktree's `.git` file, which holds a path of the machine).
fn read_text(path: &PathBuf) -> Option<String> {
    if path.file_name().is_some_and(|name| name == ".git") {
        return None;
    }
    String::from_utf8(std::fs::read(path).unwrap()).ok()
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}
