//! The parts of the engine stand in one order, and a part uses only those above it. The list in `lib.rs` is that order;
//! this test reads it, and the `use crate::` lines of every file, and keeps it true.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has to fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// The parts in the order of the list in `lib.rs`.
fn parts(lib: &str) -> Vec<String> {
    let lines = lib.lines().filter_map(|line| line.strip_prefix("//! "));
    let items = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_digit()) && line.contains("[`"));
    items
        .flat_map(|item| item.split("[`").skip(1).filter_map(|rest| rest.split('`').next()).map(str::to_owned))
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The parts that a file names after `crate::`.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split("crate::").skip(1)).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    })
}

#[test]
fn a_part_uses_only_those_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let order = parts(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert!(order.len() >= 12, "the list in lib.rs was not understood: {order:?}");
    let place = |part: &str| order.iter().position(|known| known == part);
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let part = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if part == "lib" {
            continue;
        }
        let own = place(&part).unwrap_or_else(|| panic!("{part} is missing in the list in lib.rs"));
        for used in used(&fs::read_to_string(&file).unwrap()) {
            let other = place(used).unwrap_or_else(|| panic!("{}: crate::{used} is no part", inside.display()));
            assert!(other <= own, "{}: {part} uses {used}, which stands below it", inside.display());
        }
    }
}
