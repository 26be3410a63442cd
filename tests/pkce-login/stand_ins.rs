//! What each tool is given: they are stand-ins, which write their arguments to a file.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::common::{self, Output, finish, write_program};
use super::home::{Home, success};
use super::terminal::Terminal;
use super::{SHELLS, login_in, said};

/// A directory of stand-ins before the tools on PATH, and a store.
struct StandIns {
    home: Home,
}

const METADATA: &str = r#"{"issuer":"https://id.example","token_endpoint":"https://id.example/token"}"#;
const TOKENS: &str = r#"{"issuer":"https://id.example","token_endpoint":"https://id.example/token","access_token":"a","token_type":"Bearer"}"#;

impl StandIns {
    /// Of a server with this metadata.
    fn new(metadata: &str) -> StandIns {
        let home = Home::new();
        fs::create_dir(home.root.path().join("bin")).unwrap();
        let stand_ins = StandIns { home };
        stand_ins.add("pkce-discover", &format!("printf '%s\\n' '{metadata}'"));
        for tool in ["pkce-url", "pkce-push", "pkce-callback", "pkce-verify"] {
            stand_ins.add(tool, "exec cat");
        }
        for tool in ["pkce-exchange", "pkce-device"] {
            stand_ins.add(tool, &format!("cat >/dev/null; printf '%s\\n' '{TOKENS}'"));
        }
        stand_ins
    }

    fn add(&self, tool: &str, script: &str) {
        let file = self.path(tool);
        let text = format!("#!/bin/sh\nprintf '%s\\0' {tool} \"$@\" >>'{}'\n{script}\n", self.path("said").display());
        write_program(Path::new(&file), &text);
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.home.root.path().join("bin").join(file)
    }

    /// Runs pkce-login; returns also what each stand-in was given.
    fn login(&self, shell: &[&str], args: &[&str], environment: &[(&str, &str)]) -> (Output, Vec<String>) {
        let path = format!("{}:{}", self.home.root.path().join("bin").display(), common::path());
        let mut command = login_in(shell, &self.home, args);
        let output =
            finish(command.env("PATH", path).current_dir(self.home.root.path()).envs(environment.to_vec()), b"");
        let said = fs::read_to_string(self.path("said")).unwrap_or_default();
        let _ = fs::remove_file(self.path("said"));
        (output, said.split_terminator('\0').map(str::to_owned).collect())
    }

    /// What this tool was given.
    fn given<'a>(said: &'a [String], tool: &str) -> Vec<&'a str> {
        let args = said.iter().map(String::as_str).skip_while(|word| *word != tool).skip(1);
        args.take_while(|word| !word.starts_with("pkce-") || word.contains(' ')).collect()
    }

    fn told(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.home.path(&format!("{name}.login"))).unwrap()).unwrap()
    }
}

/// What a shell, a tool or a file name could take for more than a text.
const HOSTILE: [&str; 8] = [
    "a b  c",
    "'\"\\\" '\\",
    "$(touch canary)",
    "`touch canary`;touch canary|touch canary",
    "*",
    "-x",
    "--version",
    "%s%d${IFS}~{\"a\":1}\\n",
];

#[test]
fn executes_nothing_and_mistakes_nothing_for_an_option() {
    for shell in SHELLS {
        for hostile in HOSTILE {
            let all = StandIns::new(METADATA);
            let option = |name: &str| format!("--{name}={hostile}");
            let names = ["issuer", "client-id", "scope", "redirect-uri", "audience", "prompt", "login-hint"];
            let args = names.map(option);
            let args: Vec<&str> = args.iter().map(String::as_str).chain(["work"]).collect();
            let (output, said) = all.login(shell, &args, &[]);
            assert_eq!(output, success(), "{shell:?} {hostile}");
            assert_eq!(StandIns::given(&said, "pkce-discover"), ["--", hostile]);
            let url = [
                format!("--client-id={hostile}"),
                format!("--scope={hostile}"),
                format!("--param=audience={hostile}"),
                format!("--redirect-uri={hostile}"),
                format!("--prompt={hostile}"),
                format!("--login-hint={hostile}"),
            ];
            assert_eq!(StandIns::given(&said, "pkce-url"), url, "{shell:?}");
            let told = json!({
                "issuer": "https://id.example", "client_id": hostile, "scope": hostile, "audience": hostile,
                "redirect_uri": hostile, "prompt": hostile, "login_hint": hostile,
            });
            assert_eq!(all.told("work"), told, "{shell:?}");
            // Remembered, it is the same.
            let remove = finish(all.home.command("pkce-store").args(["--remove", "work"]), b"");
            assert_eq!(remove, success());
            let (output, said) = all.login(shell, &["work"], &[]);
            assert_eq!(
                (output, StandIns::given(&said, "pkce-url")),
                (success(), url.each_ref().map(String::as_str).to_vec())
            );
            let (output, said) = all.login(shell, &["mcp", &option("resource"), "--client-id=cli"], &[]);
            assert_eq!(output, success(), "{shell:?} {hostile}");
            assert_eq!(StandIns::given(&said, "pkce-discover"), [format!("--resource={hostile}")], "{shell:?}");
            assert_eq!(all.told("mcp")["resource"], hostile);
            assert!(!all.home.root.path().join("canary").exists(), "{shell:?} {hostile}");
        }
    }
}

#[test]
fn refuses_hostile_names_and_values_that_no_server_could_have() {
    let wrong_name =
        "NAME: must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +";
    let wrong_value = "must be one or more visible ASCII characters";
    let hint = "\nhint: see 'pkce-login --help'";
    let long = "a".repeat(65);
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        for name in
            HOSTILE.into_iter().chain(["", ".", "..", "../x", "a/b", "a\nb", "a\n", "ä", "aé", "\u{1b}[31m", &long])
        {
            let (output, seen) = all.login(shell, &["--issuer", "x", "--client-id", "y", "--", name], &[]);
            assert_eq!(
                (output, seen.len()),
                (said(2, &format!("pkce-login: {wrong_name}{hint}")), 0),
                "{shell:?} {name:?}"
            );
        }
        for value in ["", "a\nb", "a\n", "\n", "é", "\u{1b}[31m", "\u{7f}", "a\tb"] {
            for option in
                ["issuer", "resource", "client-id", "scope", "redirect-uri", "audience", "prompt", "login-hint"]
            {
                let expected = said(2, &format!("pkce-login: --{option}: {wrong_value}{hint}"));
                let (output, seen) = all.login(shell, &["work", &format!("--{option}={value}")], &[]);
                assert_eq!((output, seen.len()), (expected, 0), "{shell:?} {value:?}");
            }
        }
        assert!(!all.home.root.path().join("canary").exists() && !all.home.directory().exists(), "{shell:?}");
    }
}

#[test]
fn signs_in_on_another_device_and_remembers_that() {
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        let args = [
            "work",
            "--issuer=https://id.example",
            "--client-id=cli",
            "--scope=read openid",
            "--device",
            "--audience=api",
        ];
        let (output, said) = all.login(shell, &args, &[]);
        assert_eq!(output, success(), "{shell:?}");
        let given = ["--client-id=cli", "--scope=read openid", "--param=audience=api"];
        assert_eq!(StandIns::given(&said, "pkce-device"), given);
        assert!(said.contains(&"pkce-verify".to_owned()) && !said.contains(&"pkce-url".to_owned()), "{said:?}");
        let told = json!({
            "issuer": "https://id.example", "client_id": "cli", "scope": "read openid", "audience": "api",
            "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        });
        assert_eq!(all.told("work"), told);
        assert_eq!(finish(all.home.command("pkce-store").args(["--remove", "work"]), b""), success());
        let (output, said) = all.login(shell, &["work"], &[]);
        assert_eq!((output, StandIns::given(&said, "pkce-device")), (success(), given.to_vec()), "{shell:?}");
    }
}

#[test]
fn signs_in_on_this_device_again_where_it_is_told_so() {
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        let args = ["work", "--issuer=https://id.example", "--client-id=cli", "--device"];
        assert_eq!(all.login(shell, &args, &[]).0, success(), "{shell:?}");
        assert!(all.told("work").get("grant_types").is_some());
        assert_eq!(finish(all.home.command("pkce-store").args(["--remove", "work"]), b""), success());
        let (output, said) = all.login(shell, &["work", "--no-device"], &[]);
        assert_eq!((output, said.contains(&"pkce-callback".to_owned())), (success(), true), "{shell:?}: {said:?}");
        assert!(!said.contains(&"pkce-device".to_owned()), "{said:?}");
        assert_eq!(all.told("work"), json!({ "issuer": "https://id.example", "client_id": "cli" }));
    }
}

#[test]
fn requests_the_account_that_it_is_told_and_remembers_that() {
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        let args = ["work", "--issuer=https://id.example", "--client-id=cli", "--scope=openid offline_access"];
        let url = |said: &[String]| StandIns::given(said, "pkce-url")[2..].join(" ");
        let (output, said) = all.login(shell, &args, &[]);
        assert_eq!((output, url(&said).as_str()), (success(), "--prompt=consent"), "{shell:?}");
        // Another prompt or user requires another login, and what is remembered does not.
        let account = ["work", "--prompt", "select_account", "--login-hint", "bob@example.com"];
        let (output, said) = all.login(shell, &account, &[]);
        let given = "--prompt=select_account --login-hint=bob@example.com";
        assert_eq!((output, url(&said).as_str()), (success(), given), "{shell:?}");
        assert_eq!(all.login(shell, &account, &[]), (success(), vec![]), "{shell:?}");
        assert_eq!(all.told("work")["prompt"], "select_account");
        assert_eq!(all.told("work")["login_hint"], "bob@example.com");
        // On another device they are not sent; told anew, they require a browser on this one.
        let (output, said) = all.login(shell, &["work", "--device", "--scope=openid"], &[]);
        let device = ["--client-id=cli", "--scope=openid"];
        assert_eq!((output, StandIns::given(&said, "pkce-device")), (success(), device.to_vec()), "{shell:?}");
        let (output, said) = all.login(shell, &["work", "--prompt=login"], &[]);
        let given = "--prompt=login --login-hint=bob@example.com";
        assert_eq!((output, url(&said).as_str()), (success(), given), "{shell:?}");
        assert!(all.told("work").get("grant_types").is_none());
    }
}

#[test]
fn passes_on_where_the_client_secret_is_and_does_not_remember_that() {
    let pushes = METADATA.replace('}', r#","require_pushed_authorization_requests":true}"#);
    for shell in SHELLS {
        for secret in ["--client-secret-file=ä b", "--client-secret-command=pass show $(id)"] {
            let all = StandIns::new(&pushes);
            all.add("pkce-token", "exit 5");
            let args = ["work", "--issuer=https://id.example", "--client-id=cli", secret];
            let (output, said) = all.login(shell, &args, &[]);
            assert_eq!(output, success(), "{shell:?}");
            for tool in ["pkce-push", "pkce-exchange"] {
                assert_eq!(StandIns::given(&said, tool), [secret], "{shell:?} {tool}");
            }
            assert_eq!(all.told("work"), json!({ "issuer": "https://id.example", "client_id": "cli" }));
            let (output, said) = all.login(shell, &["work", "--device", secret], &[]);
            assert_eq!((output, StandIns::given(&said, "pkce-device")), (success(), vec!["--client-id=cli", secret]));
            assert_eq!(StandIns::given(&said, "pkce-token"), ["--raw", "issuer", secret, "work"]);
            // A client that is registered each time has its own.
            all.add("pkce-register", "exec cat");
            let told = json!({ "issuer": "https://id.example", "redirect_uris": ["http://127.0.0.1/callback"] });
            fs::write(all.home.path("work.login"), told.to_string()).unwrap();
            let (_, said) = all.login(shell, &["work", secret], &[]);
            assert!(said.contains(&"pkce-register".to_owned()), "{said:?}");
            assert_eq!(StandIns::given(&said, "pkce-exchange"), [""; 0], "{shell:?}");
        }
    }
}

#[test]
fn passes_on_where_the_initial_access_token_is() {
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        all.add("pkce-register", "exec cat");
        let tokens = TOKENS.replace('}', r#","client_id":"c1","redirect_uris":["http://127.0.0.1/callback"]}"#);
        all.add("pkce-exchange", &format!("cat >/dev/null; printf '%s\\n' '{tokens}'"));
        let args = ["work", "--issuer=https://id.example", "--register", "--access-token-file", "initial token"];
        let (output, said) = all.login(shell, &args, &[]);
        assert_eq!(output, success(), "{shell:?}");
        assert_eq!(StandIns::given(&said, "pkce-register").last(), Some(&"--access-token-file=initial token"));
        let told = json!({
            "issuer": "https://id.example", "client_id": "c1", "redirect_uris": ["http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
        });
        assert_eq!(all.told("work"), told, "{shell:?}");
    }
}

#[test]
fn writes_nothing_that_it_could_not_read() {
    let told = json!({
        "issuer": "https://id.example", "client_id": "cli", "redirect_uris": "no list",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
    });
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        assert_eq!(all.home.store(TOKENS), success());
        assert_eq!(finish(all.home.command("pkce-store").args(["--remove", "work"]), b""), success());
        fs::write(all.home.path("work.login"), told.to_string()).unwrap();
        let note = format!(
            "pkce-login: note: {}: not written (not JSON at line 1, column 67)",
            all.home.path("work.login").display()
        );
        assert_eq!(all.login(shell, &["work"], &[]).0, said(0, &note), "{shell:?}");
        assert_eq!((all.told("work"), all.home.files().len()), (told.clone(), 3), "{shell:?}");
    }
}

#[test]
fn says_why_it_remembers_nothing() {
    for shell in SHELLS {
        let all = StandIns::new(METADATA);
        all.add("mv", "echo \"mv: cannot move '$2' to '$3': Read-only file system\" >&2; exit 1");
        let args = ["work", "--issuer=https://id.example", "--client-id=cli"];
        let file = all.home.path("work.login").display().to_string();
        let note = format!("pkce-login: note: {file}: not written (Read-only file system)");
        assert_eq!(all.login(shell, &args, &[]).0, said(0, &note), "{shell:?}");
        assert_eq!(all.home.files(), ["work.json", "work.lock"], "{shell:?}");
    }
}

#[test]
fn requests_by_default_what_the_server_has() {
    let metadata = |more: Value| {
        let mut metadata: Value = serde_json::from_str(METADATA).unwrap();
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        metadata.to_string()
    };
    let signed = json!({ "id_token_signing_alg_values_supported": ["RS256"] });
    let only_openid =
        json!({ "id_token_signing_alg_values_supported": ["RS256"], "scopes_supported": ["openid", "email"] });
    let own = json!({ "id_token_signing_alg_values_supported": ["RS256"], "scope": "tools offline_access" });
    let (issuer, resource) = ("--issuer=https://id.example", "--resource=https://api.example");
    for (more, from, environment, expected) in [
        (json!({}), issuer, None, vec![]),
        (signed.clone(), issuer, None, vec!["--scope=openid offline_access", "--prompt=consent"]),
        (only_openid, issuer, None, vec!["--scope=openid"]),
        (signed.clone(), issuer, Some("mail"), vec!["--scope=mail"]),
        (signed, resource, None, vec![]),
        (own, resource, Some("mail"), vec!["--scope=tools offline_access", "--prompt=consent"]),
    ] {
        let all = StandIns::new(&metadata(more));
        let environment: Vec<_> = environment.map(|scope| ("PKCE_SCOPE", scope)).into_iter().collect();
        let (output, said) = all.login(&["dash"], &["work", from, "--client-id=cli"], &environment);
        assert_eq!(output, success());
        assert_eq!(StandIns::given(&said, "pkce-url"), [vec!["--client-id=cli"], expected.clone()].concat());
        let verifies = expected.iter().any(|option| option.contains("openid"));
        assert_eq!(said.contains(&"pkce-verify".to_owned()), verifies, "{said:?}");
        assert_eq!(all.told("work").get("scope").is_some(), expected == ["--scope=mail"]);
    }
}

#[test]
fn says_what_fits_where_the_browser_is_on_another_machine() {
    let with_device = METADATA.replace('}', r#","device_authorization_endpoint":"https://id.example/device"}"#);
    let args = ["work", "--issuer=https://id.example", "--client-id=cli"];
    let (ssh, container) = (("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"), ("container", "podman"));
    let note =
        |place: &str| said(0, &format!("pkce-login: note: {place}: to sign in on any other device, add --device"));
    for (metadata, environment, expected) in [
        (METADATA, vec![ssh], success()),
        (&with_device, vec![ssh], note("over SSH")),
        (&with_device, vec![ssh, container], note("over SSH")),
        (&with_device, vec![container], note("in a container")),
        (&with_device, vec![ssh, ("BROWSER", "firefox")], success()),
        (&with_device, vec![ssh, ("PKCE_ERRORS", "json")], success()),
    ] {
        let all = StandIns::new(metadata);
        // A new session has no terminal.
        let shell = ["setsid", "--wait", "dash"];
        let (output, said) = all.login(&shell, &args, &environment);
        assert_eq!(output, expected);
        // So that the wait goes on for a port that is forwarded.
        let is_for_ssh = environment.contains(&ssh) && !environment.iter().any(|(name, _)| *name == "BROWSER");
        let given: &[&str] = if is_for_ssh { &["--no-browser"] } else { &[] };
        assert_eq!(StandIns::given(&said, "pkce-callback"), given, "{environment:?}");
        let device = [&args[..], &["--device", "--scope=x"]].concat();
        assert_eq!(all.login(&shell, &device, &environment).0, success());
    }
}

#[test]
fn says_at_a_terminal_in_a_container_how_to_bring_the_redirect_there() {
    let all = StandIns::new(METADATA);
    let path = format!("{}:{}", all.home.root.path().join("bin").display(), common::path());
    let terminal = Terminal::start("pkce-login", all.home.root.path(), |command| {
        let command = command.args(["work", "--issuer=https://id.example", "--client-id=cli"]);
        command.env("PATH", path).env("PKCE_HOME", all.home.directory()).env("container", "podman")
    });
    let note =
        "pkce-login: note: in a container, a browser outside may not load the last page: then paste its address here";
    let last = "pkce-login: work: signed in; for example: pkce-token work -- curl -H @- URL";
    assert_eq!(terminal.end(), (Some(0), format!("{note}\r\n{last}\r\n")));
}

#[test]
fn waits_as_long_as_it_is_told() {
    let args = ["work", "--issuer=https://id.example", "--client-id=cli", "--timeout", "900"];
    for (more, tool) in [(&["--no-device"][..], "pkce-callback"), (&["--device"], "pkce-device")] {
        let (output, said) = StandIns::new(METADATA).login(&["dash"], &[&args[..], more].concat(), &[]);
        assert_eq!(output, success());
        assert!(StandIns::given(&said, tool).contains(&"--timeout=900"), "{said:?}");
    }
}

#[test]
fn finds_the_tools_beside_itself_where_path_is_short() {
    let all = StandIns::new(METADATA);
    for tool in ["pkce-gen", "pkce-store", "pkce-load", "pkce-show", "pkce-token", "pkce-login"] {
        std::os::unix::fs::symlink(common::tool(tool), all.path(tool)).unwrap();
    }
    let mut command = all.home.command("dash");
    command.arg(all.path("pkce-login")).args(["work", "--issuer=https://id.example", "--client-id=cli"]);
    assert_eq!(finish(command.env("PATH", "/usr/bin:/bin"), b""), success());
}

#[test]
fn takes_no_directory_with_a_colon_into_path() {
    let home = Home::new();
    let at = home.root.path();
    for directory in ["a:b", "b"] {
        fs::create_dir(at.join(directory)).unwrap();
        write_program(&at.join(directory).join("pkce-gen"), "#!/bin/sh\ntouch canary\n");
    }
    for script in ["pkce-login", "pkce-logout"] {
        let copy = at.join("a:b").join(script);
        fs::copy(common::tool(script), &copy).unwrap();
        let output = finish(home.command("dash").arg(&copy).args(["work", "-V"]).current_dir(at), b"");
        assert_eq!((output.status, output.stderr.as_str(), at.join("canary").exists()), (0, "", false), "{script}");
    }
}
