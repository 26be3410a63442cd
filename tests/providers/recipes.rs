//! The recipes of pkce-providers(7), each run as it stands there against a fake of its provider.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;

use serde_json::Value;

use crate::common::{Output, free_port, has, lacks, root};
use crate::fake::{Asked, Cause, Fake, Refresh, Running, SECRET, own_parts};
use crate::fakes::fakes;

/// The words in capitals that a user replaces; one that begins with another stands before it.
const YOURS: [&str; 14] = [
    "APPLICATION_ID",
    "CLIENT_ID",
    "CONSUMER_KEY",
    "HOST",
    "INSTANCE",
    "MYDOMAIN",
    "ORG",
    "POOL_ID",
    "PROJECT_ID",
    "REALM",
    "REGION",
    "SLUG",
    "TENANT_ID",
    "TENANT",
];

/// The words that stand for any other in an announced message.
const ANY: [&str; 3] = ["ID", "NAME", "URL"];

/// The shells into which the commands can be pasted.
const SHELLS: [&str; 4] = ["bash", "dash", "zsh", "fish"];

/// A section of the page about one provider.
#[derive(Default)]
struct Recipe {
    name: String,
    /// The redirect URI to register, if one is.
    registered: Option<String>,
    /// The blocks of commands: each logs in, or does something else after the first login.
    logins: Vec<String>,
    uses: Vec<String>,
    /// The messages that are announced, with their exit statuses.
    failures: Vec<(String, i32)>,
}

/// The page's sections about providers, with the user's own words, and a free port in the place of the fixed one.
fn recipes() -> Vec<Recipe> {
    let with_port = |section: &str| section.replace("8080", &free_port().to_string());
    section(".Sh PROVIDERS\n", ".Sh ").split(".Ss ").skip(1).map(|section| recipe(&with_port(section))).collect()
}

/// A section of the page.
fn section(begin: &str, end: &str) -> String {
    let page = std::fs::read_to_string(root().join("man/pkce-providers.7")).unwrap();
    let (_, rest) = page.split_once(begin).unwrap();
    rest.split_once(end).unwrap().0.to_owned()
}

/// A message that this line of the page announces, and the exit status; 0 for a note. None for another protocol's.
fn announced(line: &str) -> Option<(String, i32)> {
    let (message, status) = line.strip_prefix(".It Li \"")?.split_once('"')?;
    let status = match status {
        "" | " Pq a note" => 0,
        _ => status.strip_prefix(" Pq status ")?.parse().ok()?,
    };
    Some((message.replace("\\(dq", "\""), status))
}

/// Checks all recipes at once, since they mostly wait.
fn check_each(check: impl Fn(&Recipe) + Sync) {
    thread::scope(|scope| {
        for recipe in recipes() {
            let check = &check;
            scope.spawn(move || check(&recipe));
        }
    });
}

fn recipe(section: &str) -> Recipe {
    let mut lines = section.lines();
    let mut recipe = Recipe { name: lines.next().unwrap().to_owned(), ..Recipe::default() };
    let mut part = "";
    while let Some(line) = lines.next() {
        part = line.strip_prefix(".Sy ").unwrap_or(part);
        if let Some(uri) = line.strip_prefix(".Li http").filter(|_| part == "Register .") {
            // A regular expression for every port is the URI without a port.
            let uri = uri.split(' ').next().unwrap().replace(":\\ed+", "").replace("\\e.", ".");
            recipe.registered = Some(format!("http{uri}")).filter(|uri| uri.ends_with("/callback"));
        } else if line == ".Bd -literal -offset indent" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != ".Ed").collect();
            let block = your_own(block.join("\n").replace("\\e", "\\"));
            match part {
                "Log in ." => recipe.logins.push(block),
                "Differences ." => recipe.uses.push(block),
                _ => {}
            }
        }
        recipe.failures.extend(announced(line));
    }
    recipe
}

/// The commands with the user's own words instead of those in capitals.
fn your_own(commands: String) -> String {
    YOURS.iter().fold(commands, |text, word| text.replace(word, &word.to_lowercase().replace('_', "-")))
}

impl Recipe {
    fn fake(&self) -> Fake {
        fakes().into_iter().find(|fake| fake.name == self.name).unwrap_or_else(|| panic!("no fake: {}", self.name))
    }

    /// Starts this fake for the commands, with the secret in the files that the page tells the user to write.
    fn start(&self, fake: Fake, secret: &str) -> Running {
        let own = own_parts(fake.own, &self.logins[0]).unwrap_or_else(|| panic!("{}: no {}", self.name, fake.own));
        let running = fake.start(&own, self.registered.clone());
        if let Some(file) = self.secret_file() {
            let file = file.replace('~', running.home().to_str().unwrap());
            let mut open = std::fs::OpenOptions::new();
            open.write(true).create(true).mode(0o600).open(file).unwrap().write_all(secret.as_bytes()).unwrap();
        }
        running
    }

    fn secret_file(&self) -> Option<&str> {
        let (_, rest) = self.logins[0].split_once("--client-secret-file ")?;
        rest.split_whitespace().next()
    }

    /// The name under which the login is stored.
    fn stored(&self) -> &str {
        let words: Vec<&str> = self.logins[0].split_whitespace().collect();
        let at = words.iter().position(|word| ["pkce-login", "pkce-store"].contains(word)).unwrap();
        words[at + 1]
    }

    /// Refreshes as a user would, and prints the access token.
    fn refresh(&self) -> String {
        let secret = self.secret_file().map(|file| format!("--client-secret-file {file}")).unwrap_or_default();
        format!("pkce-token {} {secret} --refresh -r access_token", self.stored())
    }

    /// Runs the recipe to this end.
    fn meet(&self, cause: Cause) -> Output {
        let (mut fake, mut commands, mut secret, mut then) = (self.fake(), self.logins[0].clone(), SECRET, None);
        match cause {
            Cause::Instead(words, others) => {
                assert!(commands.contains(words), "{}: {words}", self.name);
                commands = commands.replace(words, others);
            }
            Cause::Unlike(change) => change(&mut fake),
            Cause::WrongSecret => secret = "wr0ng",
            Cause::Unregistered => {
                fake.registers = |_| false;
                let waits = if commands.contains("pkce-login") { "pkce-login" } else { "pkce-callback" };
                commands = format!("export PATIENT=yes; {}", commands.replace(waits, &format!("{waits} --timeout 1")));
            }
            Cause::Then(change, command) => {
                change(&mut fake);
                then = Some(command.to_owned());
            }
            Cause::Expired => then = Some(self.refresh()),
        }
        let running = self.start(fake, secret);
        let output = running.run("bash", &commands);
        let Some(then) = then else { return output };
        assert_eq!(output.status, 0, "{}: {output:?}", self.name);
        if let Cause::Expired = cause {
            running.state().expire();
        }
        running.run("bash", &then)
    }

    /// The first login without an option and its value.
    fn without(&self, option: &str) -> String {
        let login = &self.logins[0];
        let (before, rest) = login.split_once(option).unwrap_or_else(|| panic!("{}: {option}", self.name));
        let value = rest.trim_start();
        let after = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap().1,
            None => value.trim_start_matches(|c: char| !c.is_whitespace()),
        };
        format!("{before}{after}")
    }
}

/// What a tool says, without hints; without notes if it fails.
fn said(output: &Output) -> Vec<&str> {
    let is_left_out = |line: &&str| line.starts_with("hint: ") || output.status != 0 && line.contains(": note: ");
    let lines = output.stderr.lines().filter(|line| !is_left_out(line));
    // The browser has ended by then, or not.
    lines.map(|line| line.trim_end_matches("; the program in BROWSER ended with status 0")).collect()
}

/// Whether a message begins with the announced one, in which some words stand for any others.
fn is_announced(announced: &str, message: &str) -> bool {
    // The whole wait is too long for a test.
    let announced = announced.replace("within 300 s", "within 1 s");
    let is_same = |one: &str, other: &str| {
        let bare = one.trim_matches(|c: char| !c.is_alphanumeric());
        ANY.contains(&bare) || one == other || one == other.trim_end_matches([':', ';'])
    };
    let mut words = message.split(' ');
    announced.split(' ').all(|one| words.next().is_some_and(|other| is_same(one, other)))
}

#[test]
fn has_a_fake_for_each_recipe_and_no_other() {
    let recipes: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
    let fakes: Vec<&str> = fakes().iter().map(|fake| fake.name).collect();
    assert_eq!(recipes, fakes);
}

#[test]
fn knows_the_ports_secrets_and_refresh_tokens_of_the_table() {
    let table = section(".It Sy Provider Ta ", ".El");
    let rows = table.lines().filter_map(|line| line.strip_prefix(".It "));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split(" Ta ").collect()).collect();
    for recipe in recipes() {
        let (name, fake, login) = (&recipe.name, recipe.fake(), &recipe.logins[0]);
        let is_its = |row: &&Vec<&str>| row[0].split(", ").any(|short| name.starts_with(short));
        let row = rows.iter().find(is_its).unwrap_or_else(|| panic!("no row: {name}"));
        let port = if fake.any_port { "every" } else { "registered" };
        let secret = if fake.secret.is_empty() { "no" } else { "yes" };
        assert_eq!((port, secret), (row[1], row[2]), "{name}");
        let unasked = (fake.tokens)(&Asked::default()).get("refresh_token") != Some(&Value::Null);
        match row[3] {
            "not issued" => assert!(fake.refreshes == Refresh::Never, "{name}"),
            // Token rotation is a setting of the app.
            "every login" | "token rotation" => assert!(unasked && fake.refreshes != Refresh::Never, "{name}"),
            // What pkce-login requests without --scope.
            "offline_access" if !login.contains("scope") => assert!(!unasked, "{name}"),
            requested => assert!(!unasked && login.contains(requested), "{name}: {requested}"),
        }
    }
    let names: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
    for short in rows.iter().flat_map(|row| row[0].split(", ")) {
        assert!(names.iter().any(|name| name.starts_with(short)), "no recipe: {short}");
    }
}

#[test]
fn logs_in_with_each_recipe_and_refreshes() {
    check_each(|recipe| {
        let fake = recipe.fake();
        let tokens = if fake.refreshes == Refresh::Never { 1 } else { 3 };
        assert_eq!(recipe.logins.len(), fake.logins.len(), "{}", recipe.name);
        let shells: Vec<&str> = SHELLS.into_iter().filter(|shell| has(shell)).collect();
        assert!(!shells.is_empty());
        for shell in shells {
            let running = recipe.start(recipe.fake(), SECRET);
            for (login, said) in recipe.logins.iter().zip(&fake.logins) {
                let Output { status, stdout, stderr } = running.run(shell, login);
                assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", *said), "{} in {shell}", recipe.name);
                let first = format!("pkce-token {} -r access_token", recipe.stored());
                let latest = running.state().latest;
                for (number, command) in (latest..).zip([&first, &recipe.refresh(), &recipe.refresh()]).take(tokens) {
                    let Output { status, stdout, stderr } = running.run(shell, command);
                    assert_eq!((status, stdout), (0, format!("access-{number}\n")), "{}: {stderr}", recipe.name);
                }
            }
        }
    });
}

#[test]
fn needs_each_option_that_the_provider_requires() {
    check_each(|recipe| {
        for option in recipe.fake().needs {
            let running = recipe.start(recipe.fake(), SECRET);
            let output = running.run("bash", &format!("{} && {}", recipe.without(option), recipe.refresh()));
            assert_ne!(output.status, 0, "{}: {}: {output:?}", recipe.name, recipe.without(option));
        }
    });
}

#[test]
fn uses_the_token_as_each_recipe_does() {
    if lacks(&["curl"]) {
        return;
    }
    check_each(|recipe| {
        let fake = recipe.fake();
        assert_eq!(recipe.uses.len(), fake.uses.len(), "{}", recipe.name);
        for (commands, printed) in recipe.uses.iter().zip(&fake.uses) {
            let running = recipe.start(recipe.fake(), SECRET);
            running.run("bash", &recipe.logins[0]);
            let output = running.run("bash", commands);
            assert_eq!((output.status, output.stdout.as_str()), (0, *printed), "{}: {}", recipe.name, output.stderr);
        }
    });
}

/// All that the fake is known to bring about, with the exit statuses.
fn known(fake: &Fake) -> Vec<(i32, &'static str)> {
    let notes = fake.logins.iter().flat_map(|said| said.lines()).map(|note| (0, note));
    notes.chain(fake.failures.iter().map(|(_, status, message)| (*status, *message))).collect()
}

/// Whether something of this is announced so.
fn is_known(known: &[(i32, &str)], announced: &(String, i32)) -> bool {
    known.iter().any(|(status, message)| *status == announced.1 && is_announced(&announced.0, message))
}

#[test]
fn fails_as_each_recipe_says() {
    check_each(|recipe| {
        let fake = recipe.fake();
        for (cause, status, message) in &fake.failures {
            let output = recipe.meet(*cause);
            assert_eq!((output.status, said(&output)), (*status, vec![*message]), "{}", recipe.name);
        }
        let known = known(&fake);
        for announced in &recipe.failures {
            assert!(is_known(&known, announced), "{}: {announced:?}: {known:#?}", recipe.name);
        }
    });
}

#[test]
fn causes_the_notes_that_the_page_explains_for_all() {
    let known: Vec<(i32, &str)> = fakes().iter().flat_map(known).collect();
    let section = section(".Ss Messages\n", ".Ss ");
    let announced: Vec<(String, i32)> = section.lines().filter_map(announced).collect();
    assert!(!announced.is_empty());
    for announced in announced {
        assert!(is_known(&known, &announced), "{announced:?}");
    }
}
