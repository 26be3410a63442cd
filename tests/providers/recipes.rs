//! The recipes of pkce-providers(7), each run as it stands there against a fake of its provider.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use crate::common::{Output, free_port, lacks, root};
use crate::fake::{Cause, Failure, Fake, Refresh, Running, SECRET, own_parts};
use crate::fakes::fakes;

/// The words in capitals that a user replaces.
const YOURS: [&str; 14] = [
    "APPLICATION_ID", "CLIENT_ID", "CONSUMER_KEY", "HOST", "INSTANCE", "MYDOMAIN", "ORG", "POOL_ID", "PROJECT_ID",
    "REALM", "REGION", "SLUG", "TENANT", "TENANT_ID",
];

/// The words that stand for any other in an announced message.
const ANY: [&str; 5] = ["ID", "NAME", "URL", "URL1", "URL2"];

/// The shells that every machine has on which the tests run.
const SHELLS: [&str; 2] = ["dash", "bash"];

/// A section of the page about one provider.
#[derive(Default)]
struct Recipe {
    name: String,
    /// The redirect URI to register, if one is.
    registered: Option<String>,
    /// The blocks of commands: each logs in, or does something else after the first login.
    logins: Vec<String>,
    uses: Vec<String>,
    /// The messages that are announced, with their exit statuses; 0 for a note.
    failures: Vec<(String, i32)>,
}

/// The page's sections about providers, with the user's own words, and a free port in the place of the fixed one.
fn recipes() -> Vec<Recipe> {
    let page = std::fs::read_to_string(root().join("man/pkce-providers.7")).unwrap();
    let (_, providers) = page.split_once(".Sh PROVIDERS\n").unwrap();
    let (providers, _) = providers.split_once(".Sh ").unwrap();
    let port = free_port().to_string();
    providers.split(".Ss ").skip(1).map(|section| recipe(&section.replace("8080", &port))).collect()
}

fn recipe(section: &str) -> Recipe {
    let mut lines = section.lines();
    let mut recipe = Recipe { name: lines.next().unwrap().to_owned(), ..Recipe::default() };
    let mut part = "";
    while let Some(line) = lines.next() {
        part = line.strip_prefix(".Sy ").unwrap_or(part);
        let failure = line.strip_prefix(".It Li \"").and_then(|rest| rest.split_once("\" Pq "));
        if let Some(uri) = line.strip_prefix(".Li http").filter(|_| part == "Register .") {
            // A regular expression for every port is the URI without a port.
            let uri = uri.split(' ').next().unwrap().replace(":\\ed+", "").replace("\\e.", ".");
            recipe.registered = Some(format!("http{uri}")).filter(|uri| uri.ends_with("/callback"));
        } else if line == ".Bd -literal -offset indent" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != ".Ed").collect();
            let block = your_own(&block.join("\n").replace("\\e", "\\"));
            match part {
                "Log in ." => recipe.logins.push(block),
                "Differences ." => recipe.uses.push(block),
                _ => {}
            }
        } else if let Some((message, status)) = failure {
            let status = if status == "a note" { "status 0" } else { status };
            // Another number is that of another protocol, as of SMTP.
            let status = status.strip_prefix("status ").and_then(|status| status.parse().ok());
            recipe.failures.extend(status.map(|status| (message.replace("\\(dq", "\""), status)));
        }
    }
    recipe
}

/// The commands with the user's own words instead of those in capitals.
fn your_own(commands: &str) -> String {
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut own = String::new();
    let mut rest = commands;
    while let Some(start) = rest.find(is_part) {
        let word = &rest[start..];
        let word = &word[..word.find(|c| !is_part(c)).unwrap_or(word.len())];
        own += &rest[..start];
        own += &if YOURS.contains(&word) { word.to_lowercase().replace('_', "-") } else { word.to_owned() };
        rest = &rest[start + word.len()..];
    }
    own + rest
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
                commands = commands.replace(waits, &format!("{waits} --timeout 1"));
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
}

/// Whether a message begins with the announced one, in which some words stand for any others.
fn is_announced(announced: &str, message: &str) -> bool {
    // The whole wait is too long for a test.
    let announced = announced.replace("within 300 s", "within 1 s");
    let is_same = |one: &str, other: &str| {
        let bare = one.trim_matches(|c: char| !c.is_alphanumeric());
        ANY.contains(&bare) || one == other.trim_end_matches([':', ';', '.']) || one == other
    };
    let (announced, mut message) = (announced.split(' '), message.split(' '));
    announced.into_iter().all(|one| message.next().is_some_and(|other| is_same(one, other)))
}

#[test]
fn has_a_fake_for_each_recipe_and_no_other() {
    let recipes: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
    let fakes: Vec<&str> = fakes().iter().map(|fake| fake.name).collect();
    assert_eq!(recipes, fakes);
}

#[test]
fn logs_in_with_each_recipe_and_refreshes() {
    for recipe in recipes() {
        let fake = recipe.fake();
        let refreshes = fake.refreshes != Refresh::Never;
        assert_eq!(recipe.logins.len(), fake.logins.len(), "{}", recipe.name);
        for shell in SHELLS {
            let running = recipe.start(recipe.fake(), SECRET);
            for (login, said) in recipe.logins.iter().zip(&fake.logins) {
                let Output { status, stdout, stderr } = running.run(shell, login);
                assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", *said), "{} in {shell}", recipe.name);
                let latest = running.state().latest;
                let token = format!("pkce-token {} -r access_token", recipe.stored());
                let steps = [(&token, latest), (&recipe.refresh(), latest + 1), (&recipe.refresh(), latest + 2)];
                for (command, number) in steps.into_iter().take(if refreshes { 3 } else { 1 }) {
                    let Output { status, stdout, stderr } = running.run(shell, command);
                    assert_eq!((status, stdout), (0, format!("access-{number}\n")), "{}: {stderr}", recipe.name);
                }
            }
        }
    }
}

#[test]
fn uses_the_token_as_each_recipe_does() {
    if lacks(&["curl"]) {
        return;
    }
    for recipe in recipes() {
        let fake = recipe.fake();
        assert_eq!(recipe.uses.len(), fake.uses.len(), "{}", recipe.name);
        for (commands, printed) in recipe.uses.iter().zip(&fake.uses) {
            let running = recipe.start(recipe.fake(), SECRET);
            running.run("bash", &recipe.logins[0]);
            let output = running.run("bash", commands);
            assert_eq!((output.status, output.stdout.as_str()), (0, *printed), "{}: {}", recipe.name, output.stderr);
        }
    }
}

#[test]
fn fails_as_each_recipe_says() {
    for recipe in recipes() {
        let fake = recipe.fake();
        let mut outputs: Vec<Output> = Vec::new();
        for Failure { cause, status, message } in fake.failures {
            let output = recipe.meet(cause);
            let show = std::env::var("SHOW").is_ok();
            if show { eprintln!("MEET {} {:?}", recipe.name, output); } else {
            assert_eq!((output.status, output.stderr.as_str()), (status, message), "{}", recipe.name);
            }
            outputs.push(output);
        }
        let notes = fake.logins.iter().map(|said| Output { status: 0, stdout: String::new(), stderr: (*said).to_owned() });
        outputs.extend(notes);
        for (announced, status) in &recipe.failures {
            let is_met = |output: &Output| output.stderr.lines().any(|line| is_announced(announced, line));
            let is_met = outputs.iter().any(|output| output.status == *status && is_met(output));
            if std::env::var("SHOW").is_ok() && !is_met { eprintln!("UNMET {} {status} {announced}", recipe.name); continue }
            assert!(is_met, "{}: {status} {announced}: {outputs:#?}", recipe.name);
        }
    }
}
