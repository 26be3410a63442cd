//! The pages: each says what its tool's own `--help` says, and all agree with each other and with the crate.
#![cfg(test)]

mod common;

use std::collections::BTreeSet;

use common::{root, run, sources, tools};

/// The sections of a tool's page, in their order.
const SECTIONS: [&str; 10] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "ENVIRONMENT",
    "EXIT STATUS",
    "EXAMPLES",
    "SEE ALSO",
    "STANDARDS",
    "SECURITY CONSIDERATIONS",
];

/// The page that describes what all tools share.
const SHARED: &str = "pkce-tools.7";

/// The page with what other programs do with a stored login.
const USE: &str = "pkce-use.7";

/// The page with what the messages mean.
const TROUBLESHOOTING: &str = "pkce-troubleshooting.7";

/// The page with a login for each provider.
const PROVIDERS: &str = "pkce-providers.7";

/// The source of a page, named as its file.
fn source(file: &str) -> String {
    let path = root().join("man").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of all pages, sorted.
fn files() -> Vec<String> {
    let files = std::fs::read_dir(root().join("man")).unwrap();
    let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What stands after a macro that begins a line.
fn after<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(".{name} ");
    source.lines().filter_map(|line| line.strip_prefix(&start)).map(str::trim).collect()
}

/// The lines of one section.
fn section<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let heading = format!(".Sh {name}");
    let lines = source.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with(".Sh ")).collect()
}

/// The pages that these lines refer to, as their files' names.
fn references(lines: &[&str]) -> BTreeSet<String> {
    let lines = lines.iter().filter_map(|line| line.split_once("Xr ")).map(|(_, rest)| rest);
    lines
        .map(|rest| {
            let mut words = rest.split_whitespace();
            format!("{}.{}", words.next().unwrap(), words.next().unwrap())
        })
        .collect()
}

/// The options that head the items of a page's OPTIONS: words after `Fl`, up to the next macro.
fn documented(source: &str) -> Vec<String> {
    let mut options = Vec::new();
    for item in section(source, "OPTIONS").into_iter().filter_map(|line| line.strip_prefix(".It ")) {
        let mut is_flag = false;
        for word in item.split_whitespace() {
            match word {
                "Fl" => is_flag = true,
                "Ar" | "Cm" | "Ns" | "Op" => is_flag = false,
                "," | "|" => {}
                word if is_flag => options.push(format!("-{word}")),
                _ => {}
            }
        }
    }
    options
}

/// The options that a tool's `--help` lists.
fn offered(tool: &str) -> BTreeSet<String> {
    let help = run(tool, &["--help"], "");
    assert_eq!(help.status, 0, "{help:?}");
    let lines = help.stdout.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    lines
        .flat_map(|line| line.split_whitespace().take_while(|word| word.starts_with('-')))
        .map(|word| word.trim_end_matches(',').to_owned())
        .collect()
}

#[test]
fn has_a_page_for_each_tool_and_no_other() {
    let mut expected: Vec<String> = tools().iter().map(|tool| format!("{tool}.1")).collect();
    expected.extend([SHARED, USE, TROUBLESHOOTING, PROVIDERS].map(str::to_owned));
    expected.sort();
    assert_eq!(files(), expected);
}

#[test]
fn lists_the_options_of_the_help_each_once_and_no_other() {
    for tool in tools() {
        let documented = documented(&source(&format!("{tool}.1")));
        let once: BTreeSet<String> = documented.iter().cloned().collect();
        assert_eq!(once.len(), documented.len(), "{tool}: an option is listed more than once: {documented:?}");
        let offered = offered(&tool);
        assert!(offered.contains("--help") && offered.contains("-h"), "{tool}: {offered:?}");
        assert_eq!(once, offered, "{tool}");
    }
}

#[test]
fn carries_the_version_of_the_crate_and_one_date() {
    let dates: BTreeSet<String> = files().iter().map(|file| after(&source(file), "Dd").join("; ")).collect();
    assert_eq!(dates.len(), 1, "{dates:?}");
    assert!(dates.iter().all(|date| !date.is_empty()));
    for file in files() {
        let page = source(&file);
        let (name, number) = file.rsplit_once('.').unwrap();
        assert_eq!(after(&page, "Os"), [format!("pkce-tools {}", env!("CARGO_PKG_VERSION"))], "{file}");
        assert_eq!(after(&page, "Dt"), [format!("{} {number}", name.to_uppercase())], "{file}");
        assert_eq!(section(&page, "NAME").first(), Some(&format!(".Nm {name}").as_str()), "{file}");
    }
}

#[test]
fn has_the_same_sections_in_the_same_order() {
    for tool in tools() {
        let page = source(&format!("{tool}.1"));
        assert_eq!(after(&page, "Sh"), SECTIONS, "{tool}");
        for name in SECTIONS {
            assert!(!section(&page, name).is_empty(), "{tool}: {name} is empty");
        }
    }
}

#[test]
fn refers_to_pages_that_are_there() {
    let files = files();
    for file in &files {
        let page = source(file);
        let references = references(&page.lines().collect::<Vec<_>>());
        assert!(references.len() > 1, "{file}");
        for reference in references.iter().filter(|reference| reference.starts_with("pkce-")) {
            assert!(files.contains(reference), "{file}: {reference}");
        }
        assert!(file == SHARED || references.contains(SHARED), "{file} does not refer to {SHARED}");
    }
}

#[test]
fn names_every_tool_on_the_page_of_what_they_share() {
    let page = source(SHARED);
    let named = references(&section(&page, "SEE ALSO"));
    for tool in tools() {
        assert!(named.contains(&format!("{tool}.1")), "{tool}");
    }
}

/// The sentence in one of its places, compared without the case of its first letter and a final full stop.
fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[test]
fn describes_each_tool_with_the_same_sentence_everywhere() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let shared = source(SHARED);
    let list = section(&shared, "DESCRIPTION");
    for file in sources() {
        let tool = file.file_stem().unwrap().to_str().unwrap();
        let page = source(&format!("{tool}.1"));
        let code = std::fs::read_to_string(&file).unwrap();
        let comment = code.lines().find_map(|line| line.strip_prefix("//!").or(line.strip_prefix("# ")));
        let help = run(tool, &["--help"], "").stdout;
        let row = readme.lines().find_map(|line| line.strip_prefix(&format!("| `{tool}` | ")));
        let item = list.iter().position(|line| *line == format!(".It Xr {tool} 1"));
        let places = [
            ("the page's .Nd", after(&page, "Nd").first().copied()),
            ("the first comment of the source", comment),
            ("the first line of --help", help.lines().next()),
            ("the table in README.md", row.and_then(|row| row.split(" | ").next())),
            ("the list in pkce-tools(7)", item.and_then(|item| list.get(item + 1)).copied()),
        ];
        let expected = sentence(places[0].1.unwrap_or_default());
        assert!(!expected.is_empty(), "{tool}");
        for (place, text) in places {
            assert_eq!(text.map(sentence), Some(expected.clone()), "{tool}: {place}");
        }
    }
}

/// A text without the marks of comments and of continued lines, and with a single space between words.
fn words(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches('#').trim_end_matches('\\'));
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[test]
fn has_lines_to_copy_that_stand_in_the_examples() {
    let page = source(USE);
    let programs = section(&page, "PROGRAMS").join("\n").replace("\\e", "\\");
    let blocks = programs.split(".Bd ").skip(1).map(|block| block.split("\n.Ed").next().unwrap());
    let blocks: Vec<Vec<String>> = blocks.map(|block| block.lines().skip(1).map(words).collect()).collect();
    let files = std::fs::read_dir(root().join("examples/use")).unwrap().map(|file| file.unwrap().path());
    let examples: Vec<_> = files.map(|file| (words(&std::fs::read_to_string(&file).unwrap()), file)).collect();
    let stands_in = |block: &[String], example: &str| block.iter().all(|line| example.contains(line));
    for block in &blocks {
        assert!(examples.iter().any(|(example, _)| stands_in(block, example)), "no example has: {block:#?}");
    }
    for (example, file) in &examples {
        let name = file.file_name().unwrap().to_str().unwrap();
        let is_shown = blocks.iter().any(|block| stands_in(block, example));
        assert!(is_shown || page.contains(&format!("examples/use/{name}")), "{name}: not on the page");
    }
}
