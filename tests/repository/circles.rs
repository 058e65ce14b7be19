//! No circles among the files of a folder: each folder reads from top to bottom, like the crate.
//!
//! A folder's files (and its sub-folders, each taken whole) may use each other in one direction
//! only. What a file uses is followed through the re-exports of `mod.rs`, so that a circle doesn't
//! hide behind them. `mod.rs` itself is the folder's face and doesn't count, nor do tests.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::paths::paths_of;
use crate::tree::{TextFile, rust_files};

/// Folders that are being made anew, and those below them.
const BEING_REBUILT: [&str; 3] = ["log", "server", "sim"];

/// Of a folder: which of its files uses which other, and where that shows.
type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// Files of the library by module path (`log::frame::view`), without those that only tests see.
struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

struct Module {
    /// Paths that its code uses, each absolute.
    used: Vec<Vec<String>>,
    /// Names that it gives on: name and the absolute path behind it.
    given: Vec<(String, Vec<String>)>,
    /// Where it stands.
    file: String,
}

impl Crate {
    fn read(files: &[TextFile]) -> Self {
        let mut tests = BTreeSet::new();
        let mut modules = BTreeMap::new();
        for file in files {
            let Some(path) = module_path(&file.path) else { continue };
            for (index, line) in file.text.lines().enumerate() {
                let next = file.text.lines().nth(index + 1).unwrap_or_default();
                let declared = next.trim().trim_start_matches("pub(crate) ");
                let name = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
                if let (true, Some(name)) = (line.trim().starts_with("#[cfg(test)"), name) {
                    tests.insert([path.clone(), vec![name.to_owned()]].concat());
                }
            }
            let mut module =
                Module { used: Vec::new(), given: Vec::new(), file: file.path.clone() };
            for found in paths_of(&file.text) {
                let Some(absolute) = absolute(&path, &found.segments) else { continue };
                if found.is_public {
                    module.given.push((found.name, absolute));
                } else {
                    module.used.push(absolute);
                }
            }
            modules.insert(path, module);
        }
        modules.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        Self { modules }
    }

    /// The module that defines what a path names, through re-exports.
    fn home_of(&self, path: &[String], hops: usize) -> Option<Vec<String>> {
        let mut at = 0;
        while at < path.len() && self.modules.contains_key(&path[..=at]) {
            at += 1;
        }
        let module = self.modules.get(&path[..at])?;
        let Some(name) = path.get(at) else { return Some(path.to_vec()) };
        match module.given.iter().find(|(given, _)| given == name) {
            Some((_, behind)) if hops > 0 => {
                self.home_of(&[behind, &path[at + 1..]].concat(), hops - 1)
            }
            _ => Some(path[..at].to_vec()),
        }
    }

    fn uses(&self) -> BTreeMap<Vec<String>, Uses> {
        let mut folders: BTreeMap<_, Uses> = BTreeMap::new();
        for (from, module) in &self.modules {
            for used in &module.used {
                let Some(to) = self.home_of(used, 8) else { continue };
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                let (Some(user), Some(other)) = (from.get(common), to.get(common)) else {
                    continue;
                };
                if common > 0 {
                    let folder = folders.entry(from[..common].to_vec()).or_default();
                    let why = format!("{} uses {}", module.file, used.join("::"));
                    folder.entry(user.clone()).or_default().entry(other.clone()).or_insert(why);
                }
            }
        }
        folders
    }
}

/// `src/log/frame/mod.rs` is `log::frame`.
fn module_path(file: &str) -> Option<Vec<String>> {
    let inner = file.strip_prefix("src/")?.strip_suffix(".rs")?;
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    let path: Vec<String> = inner.split('/').map(str::to_owned).collect();
    (path != ["lib"] && path != ["main"]).then_some(path)
}

/// A path as it stands in a module, from the root of the crate; none for other crates.
fn absolute(module: &[String], segments: &[String]) -> Option<Vec<String>> {
    let climbs = segments.iter().take_while(|segment| *segment == "super").count();
    match segments.first()?.as_str() {
        "crate" => Some(segments[1..].to_vec()),
        "self" => Some([module, &segments[1..]].concat()),
        "super" if climbs <= module.len() => {
            Some([&module[..module.len() - climbs], &segments[climbs..]].concat())
        }
        // A child, if there is one of that name: `home_of` decides.
        _ => Some([module, segments].concat()),
    }
}

/// A way from a file back to itself.
fn circle_from(start: &str, uses: &Uses) -> Option<Vec<String>> {
    let mut ways: Vec<Vec<String>> = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in uses.get(way.last()?).into_iter().flat_map(BTreeMap::keys) {
            let longer = [way.clone(), vec![next.clone()]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.insert(0, longer);
            }
        }
    }
    None
}

fn complaints_of(files: &[TextFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (folder, uses) in Crate::read(files).uses() {
        let mut told = BTreeSet::new();
        for start in uses.keys() {
            let Some(circle) = circle_from(start, &uses) else { continue };
            if !circle.iter().any(|name| told.contains(name)) {
                let steps = circle.windows(2).map(|pair| uses[&pair[0]][&pair[1]].clone());
                let steps: Vec<_> = steps.collect();
                complaints.push(format!(
                    "{}: {}\n    {}",
                    folder.join("/"),
                    circle.join(" → "),
                    steps.join("\n    ")
                ));
            }
            told.extend(circle);
        }
    }
    complaints
}

#[test]
fn the_files_of_a_folder_use_each_other_in_one_direction() {
    let rebuilt = |file: &TextFile| {
        let top = file.path.strip_prefix("src/").and_then(|rest| rest.split('/').next());
        top.is_some_and(|top| BEING_REBUILT.contains(&top))
    };
    let files: Vec<_> = rust_files().into_iter().filter(|file| !rebuilt(file)).collect();
    assert_none("circles among the files of a folder", &complaints_of(&files));
}

mod samples {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| TextFile {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        complaints_of(&files.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_is_found_also_behind_a_re_export() {
        let mod_rs = ("src/a/mod.rs", "mod b;\nmod c;\npub use b::B;\npub use c::C;\n");
        let b = ("src/a/b.rs", "use super::C;\n");
        let found = complaints(&[mod_rs, b, ("src/a/c.rs", "fn f() { crate::a::b::g() }\n")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("a: b → c → b"), "{found:?}");
        assert!(complaints(&[mod_rs, b, ("src/a/c.rs", "use crate::d::B;\n")]).is_empty());
    }

    #[test]
    fn a_sub_folder_counts_as_one_file() {
        let files = [
            ("src/a/mod.rs", "mod b;\nmod c;\n"),
            ("src/a/b/mod.rs", "mod inner;\n"),
            ("src/a/b/inner.rs", "use super::super::c::D;\n"),
            ("src/a/c.rs", "use super::b::E;\n"),
        ];
        assert_eq!(complaints(&files).len(), 1);
        assert!(complaints(&files[..3]).is_empty());
    }

    #[test]
    fn tests_may_use_everything() {
        let files = [
            ("src/a/mod.rs", "mod b;\n#[cfg(test)]\nmod tests;\n"),
            ("src/a/b.rs", "#[cfg(test)]\nmod more {\n    use super::super::tests::T;\n}\n"),
            ("src/a/tests.rs", "use super::b::B;\n"),
        ];
        assert!(complaints(&files).is_empty());
    }
}
