//! The dependency graph keeps to `.deny.toml`: licences, sources, and versions with a known fault.
//!
//! The same rules as `cargo deny check licenses bans sources`, with nothing but cargo at hand.

use std::process::Command;

use serde::Deserialize;

use crate::assert_none;
use crate::tree::root;

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Floor>,
}

/// `crate = "name:<1.2.3"`
#[derive(Deserialize)]
struct Floor {
    #[serde(rename = "crate")]
    range: String,
    reason: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is an old way to say OR.
fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&tokens, &mut at, allowed);
    met && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = all_of(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(tokens, at, allowed);
    }
    met
}

fn all_of(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, allowed);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = any_of(tokens, at, allowed);
        *at += 1;
        return met;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = tokens.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allowed(&format!("{token} WITH {exception}"));
    }
    allowed(token)
}

/// Numeric parts of a version, without a pre-release or build tail.
fn parts(version: &str) -> Vec<u64> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    core.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn complaints_of(rules: &Rules, package: &Package) -> Vec<String> {
    let mut complaints = Vec::new();
    let Package { name, version, .. } = package;
    let exceptions = rules.licenses.exceptions.iter().filter(|e| e.name == *name);
    let more: Vec<&String> = exceptions.flat_map(|e| &e.allow).collect();
    let allowed = |license: &str| {
        let license = license.trim_end_matches('+');
        rules.licenses.allow.iter().chain(more.iter().copied()).any(|a| a == license)
    };
    let license = package.license.as_deref().unwrap_or("none");
    if !is_met(license, &allowed) {
        complaints.push(format!("{name} {version}: licence {license}"));
    }
    // Our own package has no source; everything else comes from an allowed registry.
    let from = package.source.as_deref();
    let allowed_source = |source: &str| {
        let registry = source.strip_prefix("registry+");
        registry.is_some_and(|r| rules.sources.allow_registry.iter().any(|a| a == r))
    };
    if !from.map_or(name == "partita", allowed_source) {
        complaints.push(format!("{name} {version}: source {}", from.unwrap_or("a path")));
    }
    for floor in &rules.bans.deny {
        let (denied, below) = floor.range.split_once(":<").expect("a floor is name:<version");
        if name == denied && parts(version) < parts(below) {
            complaints.push(format!("{name} {version}: below {below}, {}", floor.reason));
        }
    }
    complaints
}

fn rules() -> Rules {
    toml::from_str(&std::fs::read_to_string(root().join(".deny.toml")).unwrap()).unwrap()
}

/// The packages that this machine's build needs; all of them are on the disk by now.
fn packages() -> Vec<Package> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", &host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

#[test]
fn dependencies_keep_to_the_rules() {
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let rules = rules();
    let complaints: Vec<_> = packages.iter().flat_map(|p| complaints_of(&rules, p)).collect();
    assert_none(".deny.toml", &complaints);
}

mod samples {
    use super::*;

    fn package(name: &str, version: &str, license: &str, source: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: Some(license.to_owned()),
            source: Some(source.to_owned()),
        }
    }

    const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

    #[test]
    fn dependencies_expressions_are_read_as_spdx_reads_them() {
        let allowed = |license: &str| license == "MIT" || license == "Apache-2.0 WITH X";
        for met in ["MIT", "GPL-3.0 OR MIT", "Apache-2.0/MIT", "(GPL OR MIT) AND MIT"] {
            assert!(is_met(met, &allowed), "{met}");
        }
        assert!(is_met("Apache-2.0 WITH X", &allowed));
        for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "none", "", "MIT MIT"] {
            assert!(!is_met(unmet, &allowed), "{unmet}");
        }
    }

    #[test]
    fn dependencies_that_break_a_rule_are_found() {
        let rules = rules();
        let count = |p: &Package| complaints_of(&rules, p).len();
        assert_eq!(count(&package("a", "1.0.0", "MIT", CRATES_IO)), 0);
        assert_eq!(count(&package("a", "1.0.0", "GPL-3.0-only", CRATES_IO)), 1);
        assert_eq!(count(&package("a", "1.0.0", "MPL-2.0", CRATES_IO)), 1);
        assert_eq!(count(&package("a", "1.0.0", "MIT", "git+https://example.org/a")), 1);
        assert_eq!(count(&package("memmap2", "0.9.10", "MIT", CRATES_IO)), 1);
        assert_eq!(count(&package("memmap2", "0.10.0", "MIT", CRATES_IO)), 0);
        let unlicensed = Package { license: None, ..package("a", "1.0.0", "", CRATES_IO) };
        assert_eq!(count(&unlicensed), 1);
        let vendored = Package { source: None, ..package("a", "1.0.0", "MIT", CRATES_IO) };
        assert_eq!(count(&vendored), 1);
    }
}
