//! The modules of the sandbox stand in one order, and a module uses only those above it. The table in `lib.rs` is that
//! order; this test reads it, and what every file names after `crate::`, and keeps it true.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has to fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order of the table in `lib.rs`: the names in the first cell of each row.
fn modules(lib: &str) -> Vec<String> {
    let cells = lib.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('|').next());
    cells.flat_map(|cell| cell.split(|c: char| !is_of_name(c))).filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The modules that a file names after `crate::`, one or, as in `crate::{gate, page}`, several.
fn used(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let rests = lines.flat_map(|line| line.split("crate::").skip(1));
    let named = rests.flat_map(|rest| match rest.strip_prefix('{') {
        Some(several) => several.split('}').next().unwrap_or_default().split(", ").collect(),
        None => vec![rest],
    });
    named.map(|rest| rest.split(|c: char| !is_of_name(c)).next().unwrap_or_default()).collect()
}

#[test]
fn a_module_uses_only_those_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let order = modules(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert!(order.len() >= 20, "the table in lib.rs was not understood: {order:?}");
    let place = |module: &str| order.iter().position(|known| known == module);
    for file in rust_files(&src) {
        let inside = file.strip_prefix(&src).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let own = place(&module).unwrap_or_else(|| panic!("{module} is missing in the table in lib.rs"));
        for used in used(&fs::read_to_string(&file).unwrap()) {
            let other = place(used).unwrap_or_else(|| panic!("{}: crate::{used} is no module", inside.display()));
            assert!(other <= own, "{}: {module} uses {used}, which stands below it", inside.display());
        }
    }
}
