//! The pairs of PKCE_SEAL and PKCE_OPEN in examples/seal, each with the programs and the place for the key that it names.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Output, command, finish, lacks, lacks_root, root, write_program};
use home::{DOCUMENT, Home};

/// A login that is stored, then encrypted, refreshed, stored under another name, and read without its key and with a
/// wrong one. The functions `make` and `lose` are those of the key.
const LIFE: &str = "
    pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent |
      pkce-callback 2>/dev/null | pkce-exchange | pkce-store work; echo stored=$?
    (make) >made 2>&1 || cat made
    . \"$EXAMPLE\"
    echo test | sh -c \"$PKCE_SEAL\" >sealed; sh -c \"$PKCE_OPEN\" <sealed
    pkce-load work >/dev/null; echo plain=$?
    env -u PKCE_SEAL -u PKCE_OPEN pkce-load work | env -u PKCE_OPEN pkce-store work; echo sealed=$?
    pkce-token work -r access_token >before; echo token=$?
    pkce-token work --refresh -r access_token >after; echo refreshed=$?
    pkce-load work | pkce-store other; echo other=$?
    pkce-load work -r refresh_token >refresh; pkce-load other -r refresh_token | cmp - refresh; echo same=$?
    lose
    pkce-token work >/dev/null; echo lost=$?
    (make) >made 2>&1 || cat made
    pkce-token work --refresh >/dev/null; echo wrong=$?";

const STATUSES: &str = "stored=0\ntest\nplain=3\nsealed=0\ntoken=0\nrefreshed=0\nother=0\nsame=0\nlost=3\nwrong=3\n";

/// A file of examples/seal.
fn example(name: &str) -> PathBuf {
    root().join("examples/seal").join(name)
}

/// What its head says to make the key: the lines that are indented by three spaces and begin with one of these programs.
fn recipe(name: &str, programs: &[&str]) -> String {
    let text = fs::read_to_string(example(name)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
    let lines: Vec<&str> = lines.filter(|line| programs.iter().any(|program| line.starts_with(program))).collect();
    assert!(!lines.is_empty(), "{name}");
    lines.join("\n")
}

/// Runs the login's life with this example; `around` starts the shell in which it runs.
fn live(home: &Home, example: &Path, make: &str, lose: &str, around: &mut Command) -> Output {
    let script = format!("make() {{\nset -e\n{make}\n}}\nlose() {{\n{lose}\n}}\n{LIFE}");
    let idp = common::tool("pkce-idp");
    around.arg(idp).args(["--auto-approve", "--", "sh", "-c", &script]).current_dir(home.root.path());
    finish(around.env("PKCE_HOME", home.directory()).env("EXAMPLE", example), b"")
}

/// Asserts that all went well until the key was lost, what was said then, and that the files show no token. `exit` is the
/// status of the command that opens, without the key and with a wrong one; `said` is what it says itself.
fn assert_lived(home: &Home, output: &Output, exit: [i32; 2], said: [&str; 2]) {
    assert_eq!(output.stdout, STATUSES, "{output:?}");
    let path = home.path("work.json").display().to_string();
    let own = |line: &&str| line.starts_with("pkce-") || line.starts_with("hint:");
    let failed = |exit: i32| format!("pkce-token: {path}: PKCE_OPEN: the command failed (exit status: {exit})");
    let plain = output.stderr.lines().find(|line| line.starts_with("pkce-load: ")).unwrap();
    let expected = [
        plain.to_owned(),
        "hint: not encrypted; run: env -u PKCE_SEAL -u PKCE_OPEN pkce-load work | env -u PKCE_OPEN pkce-store work"
            .to_owned(),
        failed(exit[0]),
        UNCHANGED.to_owned(),
        failed(exit[1]),
        UNCHANGED.to_owned(),
    ];
    assert_eq!(output.stderr.lines().filter(own).collect::<Vec<_>>(), expected, "{output:?}");
    assert!(plain.starts_with(&format!("pkce-load: {path}: PKCE_OPEN: the command failed (exit status: ")), "{plain}");
    for said in said {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    let read = |file: &str| fs::read_to_string(home.root.path().join(file)).unwrap();
    let tokens = ["before", "after", "refresh"].map(|file| read(file).trim().to_owned());
    assert!(tokens.iter().all(|token| token.len() > 10) && tokens[0] != tokens[1], "the token was not refreshed");
    for name in ["work.json", "other.json"] {
        let sealed = fs::read(home.path(name)).unwrap();
        let sealed = String::from_utf8_lossy(&sealed);
        for clear in tokens.iter().map(String::as_str).chain(["access_token", "token_endpoint", "127.0.0.1"]) {
            assert!(!sealed.contains(clear), "{name} has {clear} in clear");
        }
    }
}

/// The hint where a file cannot be opened.
const UNCHANGED: &str = "hint: the stored login is unchanged; PKCE_OPEN must open what PKCE_SEAL sealed";

/// What age says without a key.
const NO_KEY: &str = "no secret keys found";

/// What age says with another key.
const OTHER_KEY: &str = "no identity matched any of the recipients";

#[test]
fn encrypts_with_a_key_in_the_secret_service() {
    if lacks(&["age", "secret-tool", "gnome-keyring-daemon", "dbus-run-session"]) {
        return;
    }
    let (home, name) = (Home::new(), "age-secret-service.sh");
    let mut session = command("dbus-run-session");
    // The daemon takes the password of the keyring from standard input.
    let unlock = "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec \"$@\"";
    session.args(["--", "sh", "-c", unlock, "sh"]);
    session.env("HOME", home.root.path()).env("XDG_RUNTIME_DIR", home.root.path());
    let lose = "secret-tool clear application pkce-tools";
    let output = live(&home, &example(name), &recipe(name, &["age-keygen"]), lose, &mut session);
    assert_lived(&home, &output, [1, 1], [NO_KEY, OTHER_KEY]);
    // As in cron, without a session.
    let mut alone = home.command("sh");
    alone.args(["-c", ". \"$0\"; pkce-token work"]).arg(example(name)).env("HOME", home.root.path());
    let output = finish(&mut alone, b"");
    let failed = "PKCE_OPEN: the command failed (exit status: 1)";
    let message = format!("pkce-token: {}: {failed}\n{UNCHANGED}\n", home.path("work.json").display());
    assert_eq!((output.status, output.stderr.ends_with(&message)), (3, true), "{output:?}");
}

/// The TPM of this machine, as the example names it.
const DEVICE: &str = "device:/dev/tpmrm0";

/// A TPM in software, which ends with the test.
struct Tpm(Child);

impl Tpm {
    /// The TPM, and its device; in the environment of the command is how systemd reaches it.
    fn start(home: &Home, user: &mut Command) -> (Tpm, String) {
        let path = |name: &str| home.root.path().join(name);
        fs::create_dir(path("tpm")).unwrap();
        let socket = |name: &str| format!("type=unixio,path={}", path(name).display());
        let mut tpm = command("swtpm");
        tpm.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear", "--tpmstate"]);
        tpm.arg(format!("dir={}", path("tpm").display()));
        tpm.args(["--server", &socket("tpm.sock"), "--ctrl", &socket("tpm.sock.ctrl")]);
        let mut tpm = Tpm(tpm.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        while UnixStream::connect(path("tpm.sock.ctrl")).is_err() {
            assert_eq!(tpm.0.try_wait().unwrap(), None, "swtpm ended");
            thread::sleep(Duration::from_millis(5));
        }
        let device = format!("swtpm:path={}", path("tpm.sock").display());
        // The kernel's /dev/tpmrm0 clears the memory of the TPM after each program; here, each program does it first.
        for program in ["tpm2_createprimary", "tpm2_create", "tpm2_evictcontrol", "systemd-creds"] {
            let script = format!(
                "#!/bin/sh\nPATH=${{PATH#*:}}; tpm2_flushcontext -T {device} -t; tpm2_flushcontext -T {device} -l\n\
                 exec {program} \"$@\"\n"
            );
            write_program(&path(program), &script);
        }
        user.env("PATH", format!("{}:{}", home.root.path().display(), common::path()));
        user.env("SYSTEMD_TPM2_DEVICE", &device);
        (tpm, device)
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn encrypts_with_a_key_in_the_tpm() {
    if lacks(&["age", "tpm2_unseal", "swtpm"]) {
        return;
    }
    let (home, name) = (Home::new(), "age-tpm.sh");
    let mut session = command("env");
    let (_tpm, device) = Tpm::start(&home, &mut session);
    // A program of tpm2-tools that is not told the device may use TCP, where any user can be its TPM.
    let with_device = home.root.path().join(name);
    fs::write(&with_device, fs::read_to_string(example(name)).unwrap().replace(DEVICE, &device)).unwrap();
    let make = recipe(name, &["tpm2_", "age-keygen", "rm"]).replace(DEVICE, &device);
    let lose = format!("tpm2_evictcontrol -T {device} -Q -C o -c 0x81008000");
    let output = live(&home, &with_device, &make, &lose, &mut session);
    assert_lived(&home, &output, [1, 1], ["the handle is not correct for the use", OTHER_KEY]);
}

#[test]
fn encrypts_with_a_key_that_systemd_decrypts_for_a_service() {
    if lacks(&["age", "systemd-creds"]) || lacks_root() {
        return;
    }
    let (home, name) = (Home::new(), "age-systemd.sh");
    // What systemd does before it starts the service.
    let make = recipe(name, &["age-keygen"]).replace("/etc/", "")
        + "\nsystemd-creds decrypt --name=pkce-tools pkce-tools.cred credentials/pkce-tools";
    let mut session = command("env");
    fs::create_dir(home.root.path().join("credentials")).unwrap();
    session.env("CREDENTIALS_DIRECTORY", home.root.path().join("credentials"));
    session.env("SYSTEMD_CREDENTIAL_SECRET", home.root.path().join("secret"));
    let output = live(&home, &example(name), &make, "rm credentials/pkce-tools", &mut session);
    assert_lived(&home, &output, [1, 1], ["no such file or directory", OTHER_KEY]);
    // Outside the service, no file of another place is the key.
    let mut outside = home.command("sh");
    outside.args(["-c", ". \"$0\"; pkce-token work"]).arg(example(name));
    let output = finish(&mut outside, b"");
    let said = output.stderr.lines().next().unwrap().contains("CREDENTIALS_DIRECTORY: ");
    assert_eq!((output.status, said), (3, true), "{output:?}");
}

#[test]
fn encrypts_with_the_key_of_the_machine_or_of_its_tpm() {
    if lacks(&["systemd-creds"]) || lacks_root() {
        return;
    }
    let home = Home::new();
    let mut session = command("env");
    session.env("SYSTEMD_CREDENTIAL_SECRET", home.root.path().join("secret"));
    let output = live(&home, &example("systemd-creds.sh"), "systemd-creds setup", "rm secret", &mut session);
    assert_lived(&home, &output, [1, 1], ["Failed to determine local credential key", "incorrect key"]);
    if lacks(&["tpm2_unseal", "swtpm"]) {
        return;
    }
    let home = Home::new();
    let mut session = command("env");
    let (_tpm, device) = Tpm::start(&home, &mut session);
    let with_tpm = home.root.path().join("systemd-creds.sh");
    let text = fs::read_to_string(example("systemd-creds.sh")).unwrap();
    fs::write(&with_tpm, text.replace("encrypt --name", "encrypt --with-key=tpm2 --name")).unwrap();
    // Clearing a TPM replaces its primary keys.
    let output = live(&home, &with_tpm, "", &format!("tpm2_clear -T {device}"), &mut session);
    assert_lived(&home, &output, [1, 1], ["TPM", "TPM"]);
}

#[test]
fn encrypts_with_the_users_gnupg_key() {
    if lacks(&["gpg"]) {
        return;
    }
    let home = Home::new();
    let at = |name: &str| home.root.path().join(name);
    let mut session = command("env");
    session.env("GNUPGHOME", at("gnupg"));
    // The recipe of the example prompts for a passphrase.
    let make = "mkdir -m 700 gnupg; gpg --batch --quiet --passphrase '' --quick-generate-key pkce-tools";
    let end = "gpgconf --kill all";
    let output = live(
        &home,
        &example("gpg.sh"),
        make,
        &format!(
            "{end}; rm -r gnupg; mkdir -m 700 gnupg; \
        pkce-load work >/dev/null 2>&1; {end}; rm -r gnupg"
        ),
        &mut session,
    );
    assert_lived(&home, &output, [2, 2], ["No secret key", "No secret key"]);
    finish(home.command("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", at("gnupg")), b"");
}

#[test]
fn fails_where_nobody_can_enter_the_passphrase() {
    if lacks(&["gpg", "setsid"]) {
        return;
    }
    let home = Home::new();
    let script = "mkdir -m 700 gnupg; export GNUPGHOME=$PWD/gnupg
        gpg --batch --quiet --pinentry-mode loopback --passphrase secret --quick-generate-key pkce-tools 2>/dev/null
        . \"$EXAMPLE\"
        env -u PKCE_OPEN pkce-store work; echo stored=$?
        gpgconf --kill all; setsid --wait pkce-token work; echo token=$?; gpgconf --kill all";
    let mut shell = home.command("sh");
    shell.args(["-c", script]).current_dir(home.root.path()).env("EXAMPLE", example("gpg.sh"));
    let output = finish(&mut shell, DOCUMENT.as_bytes());
    assert_eq!(output.stdout, "stored=0\n!3 unavailable pkce-token\ntoken=3\n", "{output:?}");
    let path = home.path("work.json").display().to_string();
    let message = format!("pkce-token: {path}: PKCE_OPEN: the command failed (exit status: 2)\n{UNCHANGED}\n");
    assert!(output.stderr.starts_with("gpg: ") && output.stderr.ends_with(&message), "{output:?}");
}

/// Its shell lines alone: there is no keychain here.
#[test]
fn encrypts_with_what_stands_in_for_a_keychain() {
    if lacks(&["age"]) {
        return;
    }
    let (home, name) = (Home::new(), "age-keychain.sh");
    let keychain = "#!/bin/sh
        case \"$*\" in
        -i) read -r command && echo \"${command#add-generic-password -s pkce-tools -a pkce-tools -w }\" >keychain ;;
        'find-generic-password -s pkce-tools -w') cat keychain ;;
        *) exit 2 ;;
        esac\n";
    write_program(&home.root.path().join("security"), keychain.trim_start());
    let mut session = command("env");
    session.env("PATH", format!("{}:{}", home.root.path().display(), common::path()));
    let output = live(&home, &example(name), &recipe(name, &["age-keygen"]), "rm keychain", &mut session);
    assert_lived(&home, &output, [1, 1], [NO_KEY, OTHER_KEY]);
}

#[test]
fn sets_both_variables_alike_in_each_shell_as_the_manual_shows_them() {
    let own = fs::read_to_string(root().join("tests/seal.rs")).unwrap();
    let page = fs::read_to_string(root().join("man/pkce-store.1")).unwrap();
    let page: Vec<&str> = page.split_whitespace().collect();
    let page = page.join(" ");
    let home = Home::new();
    let files = fs::read_dir(root().join("examples/seal")).unwrap().map(|file| file.unwrap().path());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(own.contains(&format!("\"{name}\"")), "{name} has no test");
        let text = fs::read_to_string(&file).unwrap();
        let pair: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(page.contains(&pair.join(" ")), "pkce-store(1) does not show {name}");
        let unquoted = |line: &str| line.replacen("export ", "", 1).replace('\'', "");
        let expected = format!("{}\n{}\n", unquoted(pair[1]), unquoted(pair[0]));
        for shell in ["sh", "dash", "bash", "zsh", "fish"] {
            if lacks(&[shell]) {
                continue;
            }
            let script = format!(". '{}'; env | grep '^PKCE_' | sort", file.display());
            let output = finish(command(shell).args(["-c", &script]).env("HOME", home.root.path()), b"");
            assert_eq!(output, Output { status: 0, stdout: expected.clone(), stderr: String::new() }, "{shell}");
        }
    }
}
