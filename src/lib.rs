//! What the tools of pkce-tools share. No API promise: this library serves the tools.
//!
//! The rooms, from the top; a room imports rooms further down only, and no two files import each other:
//!
//! | room | holds |
//! |---|---|
//! | `bin` | one file per tool: its options and one step |
//! | [`frame`] | what surrounds a step: the six verbs, standard input and output, failures |
//! | [`idp`] | pkce-idp, the authorization server for testing |
//! | [`stored`] | the store, and what is handed out of it |
//! | [`login`] | the steps of a login |
//! | [`id_token`] | the ID token, its keys and claims |
//! | [`client`] | what each step of a client shares: metadata, authentication, one POST, and the types of its values |
//! | [`wire`] | URLs, forms, HTTP, pages |
//! | [`document`] | the JSON object that flows between the tools, and the table of its members |
//! | [`process`] | environment, arguments, the deadline, signals, the reader of the output |
//! | [`error`], [`message`] | how a tool fails, and what it says |

pub mod client;
pub mod document;
pub mod error;
pub mod frame;
pub mod id_token;
pub mod idp;
pub mod login;
pub mod message;
pub mod process;
pub mod stored;
pub mod wire;

pub use document::Document;
pub use error::Error;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    /// The rooms from the top, as the table above lists them.
    const ROOMS: [&str; 11] = [
        "frame", "idp", "stored", "login", "id_token", "client", "wire", "document", "process", "error", "message",
    ];

    fn source() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
    }

    /// The files below a directory of the library.
    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let below = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
        below.filter(|path| !path.starts_with(source().join("bin")) && *path != source().join("lib.rs")).collect()
    }

    /// The path of the module in a file: `wire::http::proxy` of `src/wire/http/proxy.rs`.
    fn module(file: &Path) -> Vec<String> {
        let path = file.strip_prefix(source()).unwrap().with_extension("");
        let mut names: Vec<String> = path.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        names.pop_if(|last| last == "mod");
        names
    }

    /// The paths that a file imports from the crate, by its `use` lines and by paths in its code, without its tests.
    fn imports(file: &Path) -> BTreeSet<Vec<String>> {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join(" ");
        let module = module(file);
        let is_root = file.ends_with("mod.rs");
        let mut found = BTreeSet::new();
        for (start, base) in [("crate::", Vec::new()), ("super::", module[..module.len() - 1].to_vec())] {
            for (at, _) in code.match_indices(start) {
                let rest: String = code[at + start.len()..].chars().take_while(|c| *c != ';').collect();
                found.extend(paths(&rest).into_iter().map(|path| [base.clone(), path].concat()));
            }
        }
        // A module's file imports its children by their bare names.
        let children = code.split("mod ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(name, _)| name.trim());
        for child in children.filter(|_| is_root) {
            if code.contains(&format!("{child}::")) {
                found.insert([module.clone(), vec![child.to_owned()]].concat());
            }
        }
        found
    }

    /// The paths in the rest of a `use` line, up to the first name that is not a module's: `a::{b::C, d}` is two.
    fn paths(text: &str) -> Vec<Vec<String>> {
        let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let rest = &text[name.len()..];
        if let Some(list) = text.strip_prefix('{') {
            let mut depth = 0;
            let end = list.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth < 0
            });
            let list = &list[..end.unwrap_or(list.len())];
            let mut depth = 0;
            let items = list.split(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                c == ',' && depth == 0
            });
            return items.flat_map(|item| paths(item.trim())).collect();
        }
        match rest.strip_prefix("::") {
            Some(rest) => paths(rest).into_iter().map(|path| [vec![name.clone()], path].concat()).collect(),
            None => vec![vec![name]],
        }
    }

    /// Which file imports which, of the files of the library.
    fn arrows() -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
        let files = files(&source());
        let modules: BTreeSet<Vec<String>> = files.iter().map(|file| module(file)).collect();
        let file_of = |path: Vec<String>| {
            let mut path = path;
            while !path.is_empty() && !modules.contains(&path) {
                path.pop();
            }
            path
        };
        let arrows = files.iter().map(|file| {
            let from = module(file);
            let to = imports(file).into_iter().map(file_of).filter(|to| !to.is_empty() && *to != from);
            (from.clone(), to.collect())
        });
        arrows.collect()
    }

    #[test]
    fn imports_rooms_further_down_only() {
        let floor = |module: &[String]| {
            let room = ROOMS.iter().position(|room| *room == module[0]);
            room.unwrap_or_else(|| panic!("{} is no room", module[0]))
        };
        let arrows = arrows();
        assert!(arrows.len() > 50, "{}", arrows.len());
        for (from, imported) in &arrows {
            for to in imported {
                assert!(floor(from) <= floor(to), "{} imports {}", from.join("::"), to.join("::"));
            }
        }
        let rooms: BTreeSet<&str> = arrows.keys().map(|module| module[0].as_str()).collect();
        assert_eq!(rooms, BTreeSet::from(ROOMS));
    }

    #[test]
    fn has_no_two_files_that_import_each_other_in_a_circle() {
        let arrows = arrows();
        for start in arrows.keys() {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&Vec<String>> = arrows[start].iter().collect();
            while let Some(module) = next.pop() {
                assert!(module != start, "{} is in a circle of imports", start.join("::"));
                if seen.insert(module) {
                    next.extend(&arrows[module]);
                }
            }
        }
    }

    #[test]
    fn reads_what_a_use_line_imports() {
        let read = |text: &str| paths(text).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
        assert_eq!(read("a::b::C"), ["a::b::C"]);
        assert_eq!(read("a::{self, b::{C, d}, E}"), ["a::self", "a::b::C", "a::b::d", "a::E"]);
        assert_eq!(read("error::Error) -> T {"), ["error::Error"]);
    }
}
