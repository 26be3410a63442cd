//! The pages: each says what its tool's own `--help` says, and all agree with each other and with the crate.
#![cfg(test)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{command, finish, lacks, root, run, sources, tools};

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

/// Options that mean something else on this page than on the others.
const DIFFERENT: [(&str, &str); 4] = [
    ("pkce-idp.1", "Fl -redirect-uri Ar URI"),
    ("pkce-register.1", "Fl -device"),
    ("pkce-register.1", "Fl -redirect-uri Ar URI"),
    ("pkce-show.1", "Fl -all"),
];

/// The items in the lists of a section: the head, and the source of the first sentence.
fn items(source: &str, name: &str) -> Vec<(String, String)> {
    let section = section(source, name).join("\n");
    let items = section.split(".It ").skip(1).map(|item| item.split_once('\n').unwrap());
    let items = items.map(|(head, text)| (head, text.split_inclusive(".\n").next().unwrap().trim_end()));
    items.map(|(head, sentence)| (head.to_owned(), sentence.to_owned())).collect()
}

#[test]
fn describes_an_option_and_a_variable_with_the_same_sentence_on_all_pages() {
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    for file in files() {
        let page = source(&file);
        for (head, sentence) in [items(&page, "OPTIONS"), items(&page, "ENVIRONMENT")].concat() {
            if !DIFFERENT.contains(&(&file, &head)) {
                let (first, expected) = known.entry(head.clone()).or_insert((file.clone(), sentence.clone()));
                assert_eq!(sentence, *expected, "{head}: {file}, and {first}");
            }
        }
    }
}

#[test]
fn has_environment_and_exit_status_in_one_form() {
    for tool in tools() {
        let page = source(&format!("{tool}.1"));
        let environment = section(&page, "ENVIRONMENT");
        let lists = environment.iter().filter(|line| line.starts_with(".Bl "));
        assert!(lists.eq(environment.first().filter(|line| **line == ".Bl -tag -width Ds")), "{tool}: {environment:?}");
        assert!(environment.join(" ").contains("described in .Xr pkce-"), "{tool}: {environment:?}");
        let status = section(&page, "EXIT STATUS");
        assert!(status.starts_with(&[".Bl -tag -width Ds -compact", ".It 0"]), "{tool}: {status:?}");
        assert!(status.ends_with(&[".Xr pkce-tools 7", "describes all exit statuses."]), "{tool}: {status:?}");
        let numbers: Vec<u8> = items(&page, "EXIT STATUS").iter().map(|(head, _)| head.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{tool}: {numbers:?}");
    }
}

#[test]
fn names_each_standard_with_its_title_and_the_same_one_on_all_pages() {
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    for file in files() {
        let page = source(&file);
        for line in section(&page, "STANDARDS").into_iter().filter(|line| line.starts_with("RFC ")) {
            let mut parts = line.trim_end_matches(['.', ';']).split(", ");
            let (number, title) = (parts.next().unwrap(), parts.next().unwrap_or_default());
            let expected = titles.entry(number.to_owned()).or_insert(title.to_owned());
            assert_eq!(title, expected, "{file}: {line}");
            assert!(!title.is_empty() && !title.starts_with("section"), "{file}: {line}");
        }
    }
}

#[test]
fn explains_each_term_in_one_sentence_in_alphabetical_order() {
    let page = source(SHARED);
    let glossary = section(&page, "GLOSSARY").join("\n");
    let terms: Vec<_> = glossary.split("\n.It Sy ").skip(1).map(|item| item.split_once('\n').unwrap()).collect();
    assert!(terms.is_sorted_by(|(a, _), (b, _)| a.to_lowercase() < b.to_lowercase()), "{terms:?}");
    assert!(terms.len() > 30, "{terms:?}");
    for (term, text) in terms {
        let sentence = text.trim_end_matches("\n.El");
        assert!(sentence.ends_with('.') && !sentence.contains(".\n"), "{term}: {sentence}");
    }
}

/// Macros whose names are also words of a text, where they are called if they stand on the line of another macro.
const WORDS: [&str; 8] = ["Ad", "An", "At", "Do", "Em", "In", "No", "St"];

#[test]
fn takes_no_word_of_the_text_for_a_macro() {
    for file in files() {
        for line in source(&file).lines().filter(|line| line.starts_with('.')) {
            let taken = line.split_whitespace().skip(1).find(|word| WORDS.contains(word));
            assert_eq!(taken, None, "{file}: {line}: write \\& before it");
        }
    }
}

/// What groff 1.23 does in UTF-8, unless a distribution prevents it: it shows typographic characters instead of these.
const TYPOGRAPHIC: &str = "\
.if '\\*(.T'utf8' \\{\\
.  char - \\[u2010]
.  char ' \\[u2019]
.  char ` \\[u2018]
.  char ^ \\[u02C6]
.  char ~ \\[u02DC]
.\\}
";

/// What a terminal of 80 columns shows of a page in UTF-8: by groff, much as man(1) runs it, and by mandoc.
fn shown(file: &str) -> [(&'static str, String); 2] {
    let local = tempfile::tempdir().unwrap();
    std::fs::write(local.path().join("mdoc.local"), TYPOGRAPHIC).unwrap();
    let groff = ["-k", "-Tutf8", "-mandoc", "-rLL=78n", "-dAD=l", "-P-cbou", "-M", local.path().to_str().unwrap()];
    let mandoc = ["-T", "utf8", "-O", "width=78"];
    [("groff", groff.as_slice()), ("mandoc", &mandoc)].map(|(program, options)| {
        let output = finish(command(program).args(options).arg(root().join("man").join(file)), b"");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{program} {file}");
        // mandoc prints a character twice in one place to make it bold, and an underscore there to underline it.
        let mut text = String::new();
        for character in output.stdout.chars() {
            if character == '\u{8}' {
                text.pop();
            } else {
                text.push(character);
            }
        }
        (program, text)
    })
}

#[test]
fn fits_a_terminal_of_80_columns() {
    if lacks(&["groff", "mandoc"]) {
        return;
    }
    for file in files() {
        // groff 1.23 indents the text by two columns more than mandoc.
        for ((program, text), width) in shown(&file).into_iter().zip([80, 78]) {
            let long: Vec<_> = text.lines().filter(|line| line.chars().count() > width).collect();
            assert!(long.is_empty(), "{program} {file}, {width} columns: {long:#?}");
        }
    }
}

/// The words that are shown, without header and footer. The parts of a word that is broken at a hyphen are one word.
fn words_shown(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.trim().lines().collect();
    let mut words: Vec<String> = Vec::new();
    for word in lines[1..lines.len() - 1].iter().flat_map(|line| line.split_whitespace()) {
        match words.last_mut() {
            Some(last) if last.ends_with(['-', '\u{2010}']) => {
                *last = format!("{}{word}", last.trim_end_matches('\u{2010}'))
            }
            // The dash after the name differs, and groff 1.23 quotes the name of a section.
            _ => words.push(word.replace('\u{2014}', "\u{2013}").replace(['\u{201c}', '\u{201d}'], "")),
        }
    }
    words
}

#[test]
fn shows_the_same_words_in_groff_and_mandoc() {
    if lacks(&["groff", "mandoc"]) {
        return;
    }
    for file in files() {
        let [groff, mandoc] = shown(&file).map(|(_, text)| words_shown(&text));
        let same = groff.iter().zip(&mandoc).take_while(|(groff, mandoc)| groff == mandoc).count();
        assert!(groff.len() > 50 && groff == mandoc, "{file}: {:?} {:?}", groff.get(same), mandoc.get(same));
    }
}

/// The blocks of lines that are shown as they stand in the source.
fn literal(source: &str) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut is_inside = false;
    for line in source.lines() {
        match line.strip_prefix(".Dl ") {
            Some(line) => blocks.push(vec![line]),
            None if line.starts_with(".Bd -literal") => {
                is_inside = true;
                blocks.push(Vec::new());
            }
            None if line == ".Ed" => is_inside = false,
            None if is_inside => blocks.last_mut().unwrap().push(line),
            None => {}
        }
    }
    let escapes =
        [("\\&", ""), ("\\-", "-"), ("\\(aq", "'"), ("\\(dq", "\""), ("\\(ha", "^"), ("\\(ti", "~"), ("\\e", "\\")];
    let plain = |line: &str| escapes.iter().fold(line.to_owned(), |line, (escape, plain)| line.replace(escape, plain));
    blocks.iter().map(|block| block.iter().map(|line| plain(line)).collect()).collect()
}

#[test]
fn shows_lines_to_copy_unbroken_and_unchanged() {
    if lacks(&["groff", "mandoc"]) {
        return;
    }
    for file in files() {
        let blocks = literal(&source(&file));
        for (program, text) in shown(&file) {
            let lines: Vec<&str> = text.lines().collect();
            for block in &blocks {
                assert!(block.iter().all(|line| line.chars().count() <= 72), "{file}: {block:#?}");
                let is_shown = lines.windows(block.len()).any(|lines| {
                    let indent = lines[0].strip_suffix(block[0].as_str()).filter(|indent| indent.trim().is_empty());
                    let expected =
                        |line: &String| format!("{}{line}", indent.unwrap_or_default()).trim_end().to_owned();
                    indent.is_some() && block.iter().map(expected).eq(lines.iter().map(|line| line.trim_end()))
                });
                assert!(is_shown, "{program} {file}: {block:#?}");
            }
        }
    }
}

/// The values of an attribute in a page of HTML.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn is_written_as_html_in_which_each_link_leads_somewhere() {
    if lacks(&["mandoc"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = finish(command("sh").arg(root().join("docs/html.sh")).arg(directory.path()), b"");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (0, "", ""));
    let html = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap_or_default();
    let index = html("index.html");
    for file in files() {
        let (name, number) = file.rsplit_once('.').unwrap();
        let purpose = after(&source(&file), "Nd").join("");
        let entry = format!("<dt><a href=\"{file}.html\">{name}({number})</a></dt>\n<dd>{purpose}</dd>\n");
        assert!(index.contains(&entry), "{file}: {index}");
    }
    for page in files().iter().map(|file| format!("{file}.html")).chain(["index.html".to_owned()]) {
        let text = html(&page);
        let ids = attributes(&text, "id");
        assert_eq!(
            ids.iter().collect::<BTreeSet<_>>().len(),
            ids.len(),
            "{page}: an id occurs more than once: {ids:?}"
        );
        for link in
            attributes(&text, "href").into_iter().filter(|link| !link.starts_with("https://manpages.debian.org/"))
        {
            let (target, fragment) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { text.clone() } else { html(target) };
            assert!(!target.is_empty(), "{page}: {link}");
            assert!(fragment.is_empty() || attributes(&target, "id").contains(&fragment), "{page}: {link}");
        }
    }
}
