//! The recipes of pkce-providers(7), each run as it stands there against a fake of its provider.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use crate::common::{free_port, root};
use crate::fake::{Fake, Running, SECRET, own_parts};
use crate::fakes::{Provoked, fakes};
use crate::home::SHELLS;

/// The words in capitals that a user replaces.
const YOURS: [(&str, &str); 4] =
    [("CLIENT_ID", "cli"), ("TENANT", "acme"), ("HOST", "id.example.com"), ("REALM", "work")];

/// A section of the page about one provider.
struct Recipe {
    name: String,
    /// The redirect URI to register, if one is.
    registered: Option<String>,
    /// What to type.
    commands: String,
    /// The messages that it announces, with their exit statuses.
    failures: Vec<(String, i32)>,
}

/// The page's sections about providers, for a user's own words and with a free port.
fn recipes() -> Vec<Recipe> {
    let page = std::fs::read_to_string(root().join("man/pkce-providers.7")).unwrap();
    let (_, providers) = page.split_once(".Sh PROVIDERS\n").unwrap();
    let (providers, _) = providers.split_once(".Sh ").unwrap();
    let recipes: Vec<Recipe> = providers.split(".Ss ").skip(1).map(recipe).collect();
    assert!(!recipes.is_empty());
    recipes
}

fn recipe(section: &str) -> Recipe {
    let port = free_port().to_string();
    let section = YOURS.iter().fold(section.replace("8080", &port), |text, (yours, own)| text.replace(yours, own));
    let mut lines = section.lines();
    let name = lines.next().unwrap().to_owned();
    let mut recipe = Recipe { name, registered: None, commands: String::new(), failures: Vec::new() };
    while let Some(line) = lines.next() {
        if let Some(uri) = line.strip_prefix(".Li http").filter(|_| recipe.commands.is_empty()) {
            recipe.registered.get_or_insert(format!("http{}", uri.split(' ').next().unwrap()));
        } else if line == ".Bd -literal -offset indent" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != ".Ed").collect();
            recipe.commands += &format!("{}\n", block.join("\n").replace("\\e", "\\"));
        } else if let Some((message, status)) =
            line.strip_prefix(".It Li \"").and_then(|rest| rest.split_once("\" Pq status "))
        {
            recipe.failures.push((message.replace("\\(dq", "\""), status.parse().unwrap()));
        }
    }
    recipe
}

/// Starts the fake for the recipe, with the files that the recipe tells the user to write.
fn start(fake: Fake, recipe: &Recipe) -> Running {
    let own = own_parts(fake.own, &recipe.commands).unwrap_or_else(|| panic!("{}: no {}", recipe.name, fake.own));
    let running = fake.start(&own, recipe.registered.clone());
    for (option, file) in secret_options(&recipe.commands) {
        if option == "--client-secret-file" {
            let file = file.replace('~', running.home().to_str().unwrap());
            let mut open = std::fs::OpenOptions::new();
            open.write(true).create(true).mode(0o600).open(file).unwrap().write_all(SECRET.as_bytes()).unwrap();
        }
    }
    running
}

/// The options of a script that give the client's secret.
fn secret_options(script: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> = script.split_whitespace().collect();
    words.windows(2).filter(|pair| pair[0].starts_with("--client-secret-")).map(|pair| (pair[0], pair[1])).collect()
}

/// The name under which the commands store the login.
fn stored_as(commands: &str) -> &str {
    let words: Vec<&str> = commands.split_whitespace().collect();
    let at = words.iter().position(|word| ["pkce-login", "pkce-store"].contains(word)).unwrap();
    words[at + 1]
}

/// Whether a message is the announced one, in which a word in capitals stands for any other.
fn is_announced(announced: &str, message: &str) -> bool {
    let is_any = |word: &str| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let (announced, message): (Vec<&str>, Vec<&str>) = (announced.split(' ').collect(), message.split(' ').collect());
    announced.len() == message.len() && announced.iter().zip(message).all(|(one, other)| is_any(one) || *one == other)
}

#[test]
fn has_a_fake_for_each_recipe_and_no_other() {
    let recipes: Vec<String> = recipes().into_iter().map(|recipe| recipe.name).collect();
    let fakes: Vec<&str> = fakes().iter().map(|fake| fake.name).collect();
    assert_eq!(recipes, fakes);
}

#[test]
fn logs_in_with_each_recipe_and_refreshes() {
    for (recipe, provider) in recipes().iter().zip(fakes()) {
        let name = stored_as(&recipe.commands);
        let secret: String =
            secret_options(&recipe.commands).iter().take(1).map(|(option, file)| format!(" {option} {file}")).collect();
        for shell in &SHELLS[..2] {
            let running = start((provider.fake)(), recipe);
            let login = running.run(shell[0], &recipe.commands);
            assert_eq!(
                (login.status, login.stdout.as_str(), login.stderr.as_str()),
                (0, "", provider.notes),
                "{} in {shell:?}",
                recipe.name
            );
            let token =
                |option: &str| running.run(shell[0], &format!("pkce-token {name}{secret} {option} -r access_token"));
            for (option, token_number) in [("", 1), ("--refresh", 2), ("--refresh", 3)] {
                let output = token(option);
                assert_eq!(
                    (output.status, output.stdout),
                    (0, format!("access-{token_number}\n")),
                    "{}: {}",
                    recipe.name,
                    output.stderr
                );
            }
        }
    }
}

#[test]
fn prints_the_failures_that_each_recipe_announces() {
    for (recipe, provider) in recipes().iter().zip(fakes()) {
        for (announced, status) in &recipe.failures {
            let outputs: Vec<String> = provider
                .provoked
                .iter()
                .map(|provoked| {
                    let running = start((provider.fake)(), recipe);
                    let output = match *provoked {
                        Provoked::Instead(words, others) => {
                            assert!(recipe.commands.contains(words), "{}: {words}", recipe.name);
                            running.run("bash", &recipe.commands.replace(words, others))
                        }
                    };
                    format!("{} {}", output.status, output.stderr.lines().next().unwrap_or_default())
                })
                .collect();
            let is_provoked = outputs.iter().any(|output| is_announced(&format!("{status} {announced}"), output));
            assert!(is_provoked, "{}: {status} {announced}: {outputs:#?}", recipe.name);
        }
    }
}
