//! The structure of the library: the rooms stand in the order of the table in src/lib.rs, and no imports run in a circle.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module by its path: `["wire", "http", "proxy"]`.
type Module = Vec<String>;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The rooms from the top, as the table in src/lib.rs lists them.
fn rooms() -> Vec<String> {
    let text = read(&source().join("lib.rs"));
    let cells = text.lines().filter_map(|line| line.strip_prefix("//! | ")?.split(" | ").next());
    let names = cells.flat_map(|cell| cell.split(", ")).filter_map(|name| name.strip_prefix("[`")?.strip_suffix("`]"));
    names.map(str::to_owned).collect()
}

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The module in a file.
fn module(file: &Path) -> Module {
    let path = file.strip_prefix(source()).unwrap().with_extension("");
    let names = path.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// The paths that a file imports: those of its `use` lines, others in its code, and the children that it names.
fn imports(file: &Path) -> Vec<Module> {
    let text = read(file);
    let code = text.split("#[cfg(test)]").next().unwrap();
    let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join(" ");
    let module = module(file);
    let crate_root = code.split("crate::").skip(1).flat_map(paths);
    let relative =
        code.split("super::").skip(1).flat_map(paths).map(|path| [module[..module.len() - 1].to_vec(), path].concat());
    let children = code.split("mod ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(name, _)| name.trim());
    let children = children.filter(|child| code.contains(&format!("{child}::")));
    let children = children.map(|child| [module.clone(), vec![child.to_owned()]].concat());
    crate_root.chain(relative).chain(children).collect()
}

/// The paths at the start of a text; `a::{b::C, d}` is two.
fn paths(text: &str) -> Vec<Module> {
    if let Some(list) = text.strip_prefix('{') {
        return items(list).iter().flat_map(|item| paths(item.trim())).collect();
    }
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    match text.strip_prefix(&name).and_then(|rest| rest.strip_prefix("::")) {
        Some(rest) => paths(rest).into_iter().map(|path| [vec![name.clone()], path].concat()).collect(),
        None => vec![vec![name]],
    }
}

/// What stands between the commas of a list, up to the brace that ends it.
fn items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in list.chars() {
        depth += i32::from(character == '{') - i32::from(character == '}');
        match character {
            _ if depth < 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            character => items.last_mut().unwrap().push(character),
        }
    }
    items
}

/// Which module of the library imports which.
fn arrows() -> BTreeMap<Module, BTreeSet<Module>> {
    let files = files(&source());
    let is_code = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == "rs");
    let library =
        |file: &&PathBuf| is_code(file) && !file.starts_with(source().join("bin")) && !file.ends_with("lib.rs");
    let modules: BTreeSet<Module> = files.iter().filter(library).map(|file| module(file)).collect();
    let enclosing =
        |path: Module| (1..=path.len()).rev().map(|end| path[..end].to_vec()).find(|it| modules.contains(it));
    let arrows = files.iter().filter(library).map(|file| {
        let from = module(file);
        let to = imports(file).into_iter().filter_map(enclosing).filter(|to| *to != from).collect();
        (from, to)
    });
    arrows.collect()
}

#[test]
fn imports_rooms_further_down_only() {
    let (rooms, arrows) = (rooms(), arrows());
    let floor = |module: &Module| rooms.iter().position(|room| *room == module[0]);
    assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > 100, "{arrows:?}");
    for (from, imported) in &arrows {
        assert!(floor(from).is_some(), "{} is not in the table of src/lib.rs", from[0]);
        for to in imported {
            assert!(floor(from) <= floor(to), "{} imports {}", from.join("::"), to.join("::"));
        }
    }
}

#[test]
fn has_no_imports_in_a_circle() {
    let arrows = arrows();
    for start in arrows.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Module> = arrows[start].iter().collect();
        while let Some(module) = next.pop() {
            assert!(module != start, "{} is in a circle of imports", start.join("::"));
            if seen.insert(module) {
                next.extend(&arrows[module]);
            }
        }
    }
}

/// What is written there replaces the line that counts down; the macros that print are denied by clippy.
#[test]
fn writes_to_standard_error_in_one_place() {
    let writes =
        |file: &PathBuf| read(file).lines().any(|line| line.contains("stderr()") && !line.contains("is_terminal"));
    let writers: BTreeSet<PathBuf> = files(&source()).into_iter().filter(writes).collect();
    assert_eq!(writers, [source().join("standard_error.rs")].into());
}

#[test]
fn reads_the_paths_of_a_use_line() {
    let read = |text: &str| paths(text).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(read("a::b::C;"), ["a::b::C"]);
    assert_eq!(read("a::{self, b::{C, d}, E}; use f::G;"), ["a::self", "a::b::C", "a::b::d", "a::E"]);
    assert_eq!(read("error::Error> {"), ["error::Error"]);
}
