//! pkce-store and pkce-load: what is stored, how, and every file that they must not use.
#![cfg(test)]

mod common;
#[path = "common/home.rs"]
mod home;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Seek;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Output, command, done, failure, finish, lacks, lacks_root, make_fifo, new_directory, start};
use home::{DOCUMENT, Home, success};
use rustix::process::geteuid;
use serde_json::{Value, json};

/// What a failure to write loses in a pipe.
const LOST: &str = "the tokens are lost unless a file has them";

/// The hint for a directory of another user, where the home directory is none of the user's own.
const OWN_DIRECTORY: &str = "hint: set PKCE_HOME to a directory of your own, such as one that 'mktemp -d' makes";

/// How Kubernetes makes one.
const EMPTY_DIR: &str = "(a Kubernetes emptyDir: mount it with medium: Memory)";

/// A failure of pkce-store: it prints nothing for a next tool.
fn refused(status: i32, message: &str) -> Output {
    Output { stdout: String::new(), ..failure("pkce-store", status, message) }
}

/// The output of a tool that has read nothing of the document on its standard input.
fn unread(command: &mut Command) -> Output {
    let mut document = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut document, DOCUMENT.as_bytes()).unwrap();
    document.rewind().unwrap();
    // Both have one position.
    command.stdin(document.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = done(command.spawn().unwrap());
    assert_eq!(document.stream_position().unwrap(), 0, "the document was read: {output:?}");
    output
}

/// The output of a script in a namespace of its own, in which it may mount; `None` where that is not allowed.
fn mounting(home: &Home, left_out: &str, script: &str) -> Option<Output> {
    let mut shell = home.command("unshare");
    let output = finish(shell.args(["-Urm", "bash", "-c", script]).current_dir(home.root.path()), DOCUMENT.as_bytes());
    if output.status == 99 || output.stderr.starts_with("unshare:") {
        println!("left out, since this machine mounts nothing for us: {left_out}");
        return None;
    }
    Some(output)
}

#[test]
fn stores_the_document_whole_and_loads_it_unchanged() {
    let home = Home::new();
    assert_eq!(home.store(DOCUMENT), success());
    assert_eq!(home.load(), Output { stdout: DOCUMENT.to_owned(), ..success() });
    assert_eq!(home.files(), ["work.json", "work.lock"]);
    let raw = finish(home.command("pkce-load").args(["work", "-r", "refresh_token"]), b"");
    assert_eq!(raw, Output { stdout: "r3fresh-r3fresh\n".to_owned(), ..success() });
    let other = DOCUMENT.replace("\"a\"", "\"b\"");
    assert_eq!((home.store(&other), home.load().stdout), (success(), other));
}

#[test]
fn is_for_its_owner_alone_whatever_the_umask() {
    for mask in ["000", "777", "022", "002"] {
        let home = Home::new();
        let output = home.bash(&format!("umask {mask}; exec pkce-store work"));
        assert_eq!(output, success(), "{mask}");
        assert_eq!((home.mode(""), home.mode("work.json")), (0o700, 0o600), "{mask}");
        assert_eq!(home.mode("work.lock") & 0o077, 0, "{mask}");
        assert_eq!(home.store(DOCUMENT), success(), "{mask}");
        assert_eq!(home.load().stdout, DOCUMENT, "{mask}");
    }
}

#[test]
fn finds_its_directory_as_the_base_directories_say() {
    let directory = new_directory();
    let at = |name: &str| directory.path().join(name).display().to_string();
    for (settings, expected) in [
        (vec![("PKCE_HOME", at("own")), ("XDG_STATE_HOME", at("no"))], "own/work.json"),
        (vec![("PKCE_HOME", String::new()), ("XDG_STATE_HOME", at("state"))], "state/pkce/work.json"),
        // A relative one is to be ignored.
        (vec![("XDG_STATE_HOME", "relative".to_owned()), ("HOME", at("home"))], "home/.local/state/pkce/work.json"),
        (vec![("HOME", at("other"))], "other/.local/state/pkce/work.json"),
    ] {
        let output = finish(command("pkce-store").arg("work").envs(settings), DOCUMENT.as_bytes());
        assert_eq!((output, directory.path().join(expected).is_file()), (success(), true), "{expected}");
    }
    let output = unread(command("pkce-store").arg("work").env_remove("HOME"));
    let hint = "\nhint: set PKCE_HOME to the directory for stored logins";
    assert_eq!(output, refused(2, &format!("HOME: not set{hint}")));
    let output = unread(command("pkce-store").arg("work").env("HOME", "/dev/null"));
    assert_eq!(output, refused(3, "/dev/null/.local/state/pkce: not a directory"));
}

#[test]
fn takes_plain_names_alone() {
    let home = Home::new();
    let long = "a".repeat(64);
    for name in ["a", "A-b_c.9", "9", "alice+ci@id.example", long.as_str()] {
        assert_eq!(finish(home.command("pkce-store").arg(name), DOCUMENT.as_bytes()), success(), "{name}");
    }
    let stored = finish(&mut home.command("pkce-load"), b"");
    assert_eq!(stored.stdout, format!("9\nA-b_c.9\na\n{long}\nalice+ci@id.example\n"));
    let longer = "a".repeat(65);
    let wrong = "must be a letter or digit, then up to 63 letters, digits, dots, hyphens, underscores, @ or +";
    for name in ["../x", "", ".", "..", ".x", "a/b", "a b", "\u{e4}", "a\n", "_x", "@x", "+x", "a:b", longer.as_str()] {
        for tool in ["pkce-store", "pkce-load"] {
            let output = finish(home.command(tool).arg("--").arg(name), DOCUMENT.as_bytes());
            assert_eq!(output.status, 2, "{tool} {name:?}: {output:?}");
            let said = output.stderr.lines().next().unwrap();
            assert!(said == format!("{tool}: NAME: {wrong}") || name.is_empty(), "{output:?}");
        }
    }
    assert_eq!(home.files().len(), 10);
    // What a killed process left belongs to the whole name alone.
    let left = ["alice+ci@id.example", "a"].map(|name| format!(".{name}.json.a1B2c3D4"));
    left.iter().for_each(|file| fs::write(home.path(file), DOCUMENT).unwrap());
    let output = finish(home.command("pkce-store").args(["--remove", "alice+ci@id.example"]), b"");
    assert_eq!((output, home.path(&left[0]).exists(), home.path(&left[1]).exists()), (success(), false, true));
    assert!(home.path("alice+ci@id.example.lock").exists());
}

#[test]
fn removes_the_stored_login_and_what_a_killed_process_left() {
    let home = Home::new();
    let remove = || finish(home.command("pkce-store").args(["--remove", "work"]), b"");
    let nothing = refused(5, "work: nothing is stored under this name");
    assert_eq!(remove(), nothing);
    home.store(DOCUMENT);
    fs::write(home.path(".work.json.a1B2c3D4"), DOCUMENT).unwrap();
    fs::write(home.path("work.pending"), "x\n").unwrap();
    fs::write(home.path("other.json"), DOCUMENT).unwrap();
    fs::write(home.path(".other.json.a1B2c3D4"), DOCUMENT).unwrap();
    assert_eq!(remove(), success());
    // The lock stays: who waits for it has it open.
    assert_eq!(home.files(), [".other.json.a1B2c3D4", "other.json", "work.lock"]);
    assert_eq!(remove(), nothing);
    assert_eq!(home.store(DOCUMENT), success());
}

#[test]
fn refuses_documents_that_cannot_be_used_later() {
    let home = Home::new();
    home.store(DOCUMENT);
    let before = home.load();
    for (document, status, message) in [
        ("{\"own\":1}", 2, "token_endpoint: missing\nhint: pkce-discover adds it"),
        ("{\"token_endpoint\":5}", 2, "token_endpoint: must be a string"),
        ("", 2, "standard input: empty (did the step before fail?)"),
    ] {
        assert_eq!(home.store(document), refused(status, message));
    }
    let output = home.store("!5 login_required pkce-exchange\n");
    assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (5, "", ""));
    assert_eq!(home.load(), before);
}

#[test]
fn stores_no_login_that_is_not_finished() {
    let home = Home::new();
    let missing = refused(2, "access_token: missing\nhint: pkce-exchange adds it");
    let revoked =
        "{\"client_id\":\"cli\",\"issuer\":\"https://id.example\",\"token_endpoint\":\"https://id.example/token\"}\n";
    let unfinished = ["code", "code_verifier"].map(|name| revoked.replace('}', &format!(",\"{name}\":\"c0de\"}}")));
    for is_stored in [false, true] {
        if is_stored {
            assert_eq!(home.store(DOCUMENT), success());
        }
        let before = home.load();
        for document in &unfinished {
            assert_eq!(home.store(document), missing);
        }
        assert_eq!(home.load(), before);
    }
    // What pkce-revoke leaves.
    assert_eq!((home.store(revoked), home.load().stdout), (success(), revoked.to_owned()));
}

#[test]
fn notes_another_issuer_or_person() {
    let home = Home::new();
    home.store(DOCUMENT);
    let note = |document: &str| home.store(document).stderr;
    let issuer = DOCUMENT.replace("https://id.example\"", "https://other.example\"");
    assert_eq!(note(&issuer), "pkce-store: note: the issuer differs from the one stored before\n");
    let alice = issuer.replace("\"issuer\"", "\"id_token_claims\":{\"sub\":\"alice\"},\"issuer\"");
    let mallory = alice.replace("alice", "mallory");
    // Of a login that was not verified, nobody knows whose it is.
    assert_eq!((note(&alice), note(&issuer), note(&alice)), Default::default());
    assert_eq!(note(&alice), "");
    assert_eq!(note(&mallory), "pkce-store: note: the user (sub) differs from the one stored before\n");
    assert_eq!(home.load().stdout, mallory);
    // What is odd about the one before is no reason to refuse this one.
    fs::write(home.path("work.json"), "{\"issuer\":5,\"id_token_claims\":[]}").unwrap();
    assert_eq!(note(&mallory), "pkce-store: note: the issuer differs from the one stored before\n");
    assert_eq!(home.load().stdout, mallory);
}

/// What was stored before stays unchanged, to the octet.
fn stays(home: &Home, wrong: impl Fn(&str) -> Output) {
    let before = fs::read(home.path("work.json")).unwrap();
    let message = |tool: &str| {
        let output = wrong(tool);
        let next = if tool == "pkce-load" { output.stdout.clone() } else { String::new() };
        Output { stdout: next, ..output }
    };
    assert_eq!(unread(home.command("pkce-store").arg("work")), message("pkce-store"));
    assert_eq!(home.load(), message("pkce-load"));
    assert_eq!(fs::read(home.path("work.json")).unwrap(), before);
}

#[test]
fn refuses_what_others_may_use_and_leaves_it_as_it_is() {
    let home = Home::new();
    home.store(DOCUMENT);
    for (file, mode, right) in
        [("work.json", 0o644, 0o600), ("work.json", 0o620, 0o600), ("", 0o755, 0o700), ("", 0o777, 0o700)]
    {
        fs::set_permissions(home.path(file), Permissions::from_mode(mode)).unwrap();
        let path = home.path(file).display().to_string();
        let path = path.trim_end_matches('/');
        let hint = format!("\nhint: check its content, then run: chmod {right:o} {path}");
        stays(&home, |tool| failure(tool, 4, &format!("{path}: accessible to other users{hint}")));
        fs::set_permissions(home.path(file), Permissions::from_mode(right)).unwrap();
    }
    assert_eq!(home.load().stdout, DOCUMENT);
}

#[test]
fn does_not_advise_to_close_a_directory_that_is_not_its_own() {
    let home = Home::new();
    let own = home.root.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
    let at = |directory: &Path, of: &Path| {
        let at = |tool: &str| {
            let mut command = command(tool);
            command.arg("work").env("PKCE_HOME", directory).env("HOME", of);
            command
        };
        let [store, load] = [unread(&mut at("pkce-store")), finish(&mut at("pkce-load"), b"")];
        assert_eq!(load.stderr, store.stderr.replace("pkce-store:", "pkce-load:"));
        assert_eq!((load.status, load.stdout.as_str()), (4, "!4 untrusted pkce-load\n"));
        store
    };
    let is = |directory: &str, hint: &str| refused(4, &format!("{directory}: accessible to other users\nhint: {hint}"));
    let shown = own.display().to_string();
    let close = format!("check its content, then run: chmod 700 {shown}");
    let inside = |directory: &str| {
        format!("set PKCE_HOME to a directory in it, such as {directory}/pkce, which pkce-store creates")
    };
    let elsewhere = Path::new("/dev/null");
    assert_eq!(at(&own, elsewhere), is(&shown, &close));
    // A home directory, and one with anything else in it.
    assert_eq!(at(&own, &own), is(&shown, &inside(&shown)));
    for name in ["work.lock", "work.json", "work.pending", ".work.json.a1B2c3D4"] {
        fs::write(own.join(name), DOCUMENT).unwrap();
        assert_eq!(at(&own, elsewhere), is(&shown, &close), "{name}");
    }
    // What only looks like it, as in a project's directory.
    for name in ["package.json", "work.json.old", "work.lock.json", ".work.json.a1B2", ".work.json", "-.lock", ".lock"]
    {
        fs::write(own.join(name), "").unwrap();
        assert_eq!(at(&own, elsewhere), is(&shown, &inside(&shown)), "{name}");
        fs::remove_file(own.join(name)).unwrap();
    }
    assert_eq!(at(&own, elsewhere), is(&shown, &close));
    // A home directory by any name.
    let mut here = command("pkce-load");
    let here = here.arg("work").envs([("PKCE_HOME", "."), ("HOME", &shown)]).current_dir(&own);
    let hint = "set PKCE_HOME to a directory in it, such as ./pkce, which pkce-store creates";
    let message = format!(".: accessible to other users\nhint: {hint}");
    assert_eq!(finish(here, b""), failure("pkce-load", 4, &message));
    fs::write(own.join("notes"), "").unwrap();
    assert_eq!(at(&own, elsewhere), is(&shown, &inside(&shown)));
    // As the hint says.
    let mut store = command("pkce-store");
    let output = finish(store.arg("work").env("PKCE_HOME", own.join("pkce")), DOCUMENT.as_bytes());
    assert_eq!(output, success());
    if !lacks_root() {
        assert_eq!(at(Path::new("/"), elsewhere), is("/", &inside("")));
    }
}

#[test]
fn says_in_one_hint_how_to_use_a_directory_that_everybody_may_change() {
    let home = Home::new();
    let script = "mkdir w4; touch w4/notes; chmod 777 w4; PKCE_HOME=w4 pkce-store work";
    let message = "w4: accessible to other users\n\
                   hint: run: chmod +t w4; then set PKCE_HOME to a directory in it, such as w4/pkce";
    assert_eq!(home.bash(script), refused(4, message));
    // As the hint says.
    assert_eq!(home.bash("chmod +t w4; PKCE_HOME=w4/pkce pkce-store work"), success());
}

#[test]
fn says_what_is_of_no_use_below_what_others_may_replace() {
    if lacks_root() {
        return;
    }
    let home = Home::new();
    let script = "mkdir -p above/own; touch above/own/notes; chown 4321 above; PKCE_HOME=above/own pkce-load work";
    let message = format!("above/own: accessible to other users\n{OWN_DIRECTORY}");
    assert_eq!(home.bash(script), failure("pkce-load", 4, &message));
    let script = "HOME=$PWD; PKCE_HOME=above/own pkce-load work";
    let message = message.replace("one that 'mktemp -d' makes", "one below your home directory");
    assert_eq!(home.bash(script), failure("pkce-load", 4, &message));
    // As the hints say.
    assert_eq!(home.bash("PKCE_HOME=$PWD/more/pkce pkce-store work"), success());
    let output = home.bash("PKCE_HOME=$(mktemp -d); export PKCE_HOME; pkce-store work && rm -r \"$PKCE_HOME\"");
    assert_eq!(output, success());
}

#[test]
fn refuses_links_and_what_is_no_file() {
    let home = Home::new();
    home.store(DOCUMENT);
    let (path, aside) = (home.path("work.json"), home.root.path().join("aside.json"));
    let shown = path.display().to_string();
    let is = |tool: &str, wrong: &str| failure(tool, 4, &format!("{shown}: {wrong}"));
    fs::rename(&path, &aside).unwrap();
    symlink(&aside, &path).unwrap();
    stays(&home, |tool| is(tool, "a symbolic link"));
    assert_eq!(fs::read_to_string(&aside).unwrap(), DOCUMENT);
    fs::remove_file(&path).unwrap();
    fs::hard_link(&aside, &path).unwrap();
    stays(&home, |tool| is(tool, "has more than one hard link"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let none = |output: Output| Output { stdout: String::new(), ..output };
    let nothing_regular = || {
        assert_eq!(home.load(), is("pkce-load", "not a regular file"));
        let output = unread(home.command("pkce-store").arg("work"));
        assert_eq!(output, none(is("pkce-store", "not a regular file")));
    };
    nothing_regular();
    fs::remove_dir(&path).unwrap();
    // A FIFO keeps nobody waiting.
    make_fifo(&path);
    nothing_regular();
    fs::remove_file(&path).unwrap();
    fs::remove_file(home.path("work.lock")).unwrap();
    symlink(&aside, home.path("work.lock")).unwrap();
    let lock = home.path("work.lock");
    let lock_is = |status: i32, wrong: &str| {
        assert_eq!(
            unread(home.command("pkce-store").arg("work")),
            refused(status, &format!("{}: {wrong}", lock.display()))
        );
    };
    lock_is(4, "a symbolic link");
    fs::remove_file(&lock).unwrap();
    make_fifo(&lock);
    lock_is(4, "not a regular file");
    fs::remove_file(&lock).unwrap();
    // Another file, whose mode stays what it is.
    fs::set_permissions(&aside, Permissions::from_mode(0o644)).unwrap();
    fs::hard_link(&aside, &lock).unwrap();
    lock_is(4, "has more than one hard link");
    let output = finish(home.command("pkce-store").args(["--remove", "work"]), b"");
    assert_eq!(output, refused(4, &format!("{}: has more than one hard link", lock.display())));
    assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o7777, 0o644);
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    lock_is(3, "is a directory");
    let whole = home.directory();
    fs::remove_dir_all(&whole).unwrap();
    fs::create_dir(home.root.path().join("elsewhere")).unwrap();
    symlink(home.root.path().join("elsewhere"), &whole).unwrap();
    let message = format!("{}: {LINK}", whole.display());
    assert_eq!(unread(home.command("pkce-store").arg("work")), refused(4, &message));
    assert_eq!(home.load(), failure("pkce-load", 4, &message));
}

/// What is wrong with a link.
const LINK: &str = "a symbolic link\nhint: set PKCE_HOME to the directory that it leads to";

/// A directory `above` the store, in the home's own directory, with this mode.
fn below(home: &Home, mode: u32) -> Below {
    let above = home.root.path().join("above");
    fs::create_dir(&above).unwrap();
    fs::set_permissions(&above, Permissions::from_mode(mode)).unwrap();
    Below { store: above.join("more/store"), shown: fs::canonicalize(&above).unwrap().display().to_string() }
}

struct Below {
    store: std::path::PathBuf,
    shown: String,
}

impl Below {
    fn command(&self, tool: &str) -> Command {
        let mut command = command(tool);
        command.env("PKCE_HOME", &self.store);
        command
    }

    fn store(&self) -> Output {
        finish(self.command("pkce-store").arg("work"), DOCUMENT.as_bytes())
    }

    /// That all tools refuse what is stored, and pkce-store before it has read its document.
    fn is_refused(&self, wrong: &str) {
        let message = format!("{}: {wrong}", self.shown);
        assert_eq!(unread(self.command("pkce-store").arg("work")), refused(4, &message));
        assert_eq!(finish(self.command("pkce-store").args(["--remove", "work"]), b""), refused(4, &message));
        assert_eq!(finish(self.command("pkce-load").arg("work"), b""), failure("pkce-load", 4, &message));
        let names = finish(&mut self.command("pkce-load"), b"");
        assert_eq!(names, Output { stdout: String::new(), ..failure("pkce-load", 4, &message) });
        assert_eq!(finish(self.command("pkce-token").arg("work"), b""), failure("pkce-token", 4, &message));
        let revoked = finish(self.command("pkce-revoke").arg("work"), b"");
        assert_eq!(revoked, Output { stdout: String::new(), ..failure("pkce-revoke", 4, &message) });
        let output = finish(self.command("pkce-token").args(["work", "--", "true"]), b"");
        assert_eq!(output, Output { status: 114, stdout: String::new(), stderr: format!("pkce-token: {message}\n") });
    }
}

/// What is wrong with a directory of the user's own that all users can write to.
fn without_sticky_bit(directory: &str) -> String {
    format!("writable by all users, without the sticky bit\nhint: run: chmod +t {directory} {EMPTY_DIR}")
}

/// What is wrong with another user's.
fn another_s_without_sticky_bit(directory: &str) -> String {
    format!(
        "writable by all users, without the sticky bit\n\
         hint: its owner must run: chmod +t {directory}; or set PKCE_HOME to a directory of your own {EMPTY_DIR}"
    )
}

#[test]
fn refuses_a_directory_that_everybody_may_replace() {
    let home = Home::new();
    let below = below(&home, 0o777);
    let wrong = without_sticky_bit(&below.shown);
    // Nothing is made there.
    let message = format!("{}: {wrong}", below.shown);
    assert_eq!(unread(below.command("pkce-store").arg("work")), refused(4, &message));
    assert!(!below.store.parent().unwrap().exists());
    // What is there already is no safer.
    fs::set_permissions(&below.shown, Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(below.store(), success());
    for mode in [0o777, 0o772, 0o2777] {
        fs::set_permissions(&below.shown, Permissions::from_mode(mode)).unwrap();
        below.is_refused(&wrong);
    }
    // With the sticky bit, each can rename only what is their own.
    fs::set_permissions(&below.shown, Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(
        (below.store(), finish(below.command("pkce-load").arg("work"), b"").stdout),
        (success(), DOCUMENT.into())
    );
}

#[test]
fn refuses_a_directory_that_another_user_may_replace() {
    if lacks_root() {
        return;
    }
    let home = Home::new();
    let below = below(&home, 0o755);
    let give = |owner: u32| chown(&below.shown, Some(owner), None).unwrap();
    let wrong = &format!("owned by another user\n{OWN_DIRECTORY}");
    give(4321);
    let message = format!("{}: {wrong}", below.shown);
    assert_eq!(unread(below.command("pkce-store").arg("work")), refused(4, &message));
    assert!(!below.store.parent().unwrap().exists());
    give(0);
    assert_eq!(below.store(), success());
    // The user ID 65534 is an ordinary one here, and the sticky bit does not bind the owner.
    for (owner, mode) in [(4321, 0o755), (65534, 0o755), (4321, 0o1777)] {
        give(owner);
        fs::set_permissions(&below.shown, Permissions::from_mode(mode)).unwrap();
        below.is_refused(wrong);
    }
    give(0);
    assert_eq!(below.store(), success());
}

#[test]
fn stores_below_directories_of_root_and_of_the_user() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let home = Home::new();
    fs::set_permissions(home.root.path(), Permissions::from_mode(0o755)).unwrap();
    // As OpenShift does: any user, in the group 0, whose home the group may write.
    let below = below(&home, 0o775);
    let as_any = |tool: &str, group: &str| {
        let mut any = below.command("setpriv");
        any.args(["--reuid", "1000680000", "--regid", group, "--clear-groups", tool, "work"]);
        finish(&mut any, DOCUMENT.as_bytes())
    };
    let note = format!(
        "pkce-store: note: {0}: its group can replace the stored logins; chmod g-w {0} prevents that\n",
        below.shown
    );
    assert_eq!(as_any("pkce-store", "0"), Output { stderr: note, ..success() });
    assert_eq!(as_any("pkce-load", "0"), Output { stdout: DOCUMENT.to_owned(), ..success() });
    // A home of its own.
    fs::set_permissions(&below.shown, Permissions::from_mode(0o755)).unwrap();
    chown(&below.shown, Some(1_000_680_000), None).unwrap();
    assert_eq!(as_any("pkce-store", "1000680000"), success());
}

#[test]
fn notes_once_a_login_that_a_group_may_replace_its_directory() {
    let home = Home::new();
    let below = below(&home, 0o775);
    let note = |directory: &str| Output {
        stderr: format!(
            "pkce-store: note: {directory}: its group can replace the stored logins; chmod g-w {directory} prevents that\n"
        ),
        ..success()
    };
    assert_eq!(below.store(), note(&below.shown));
    // Of more than one, the nearest.
    let more = format!("{}/more", below.shown);
    fs::set_permissions(&more, Permissions::from_mode(0o770)).unwrap();
    assert_eq!(below.store(), note(&more));
    fs::set_permissions(&more, Permissions::from_mode(0o755)).unwrap();
    // Who uses what is stored hears nothing of it.
    assert_eq!(finish(below.command("pkce-load").arg("work"), b""), Output { stdout: DOCUMENT.into(), ..success() });
    let token = finish(below.command("pkce-token").args(["work", "-r", "access_token"]), b"");
    assert_eq!(token, Output { stdout: "a\n".to_owned(), ..success() });
    assert_eq!(finish(below.command("pkce-store").args(["--remove", "work"]), b""), success());
    // Nor is there anything to hear of /tmp, or of a program's line of JSON.
    fs::set_permissions(&below.shown, Permissions::from_mode(0o1775)).unwrap();
    assert_eq!(below.store(), success());
    fs::set_permissions(&below.shown, Permissions::from_mode(0o775)).unwrap();
    let output = finish(below.command("pkce-store").arg("work").env("PKCE_ERRORS", "json"), DOCUMENT.as_bytes());
    assert_eq!(output, success());
}

#[test]
fn refuses_a_link_whatever_follows_its_name() {
    let home = Home::new();
    home.store(DOCUMENT);
    let link = home.root.path().join("link");
    symlink(home.directory(), &link).unwrap();
    let message = format!("{}: {LINK}", link.display());
    for end in ["", "/", "//", "/.", "/./", "/.//."] {
        let at = |tool: &str| {
            let mut command = command(tool);
            command.arg("work").env("PKCE_HOME", format!("{}{end}", link.display()));
            command
        };
        assert_eq!(unread(&mut at("pkce-store")), refused(4, &message), "{end}");
        for tool in ["pkce-load", "pkce-token"] {
            assert_eq!(finish(&mut at(tool), b""), failure(tool, 4, &message), "{tool} {end}");
        }
    }
    // One that leads nowhere is a link too.
    fs::remove_dir_all(home.directory()).unwrap();
    let mut store = command("pkce-store");
    assert_eq!(unread(store.arg("work").env("PKCE_HOME", format!("{}/", link.display()))), refused(4, &message));
    assert!(!home.directory().exists());
    // One that leads to no directory cannot be used at all.
    let no_use = refused(4, &format!("{}: a symbolic link", link.display()));
    for target in [Path::new("/dev/null"), &link] {
        fs::remove_file(&link).unwrap();
        symlink(target, &link).unwrap();
        assert_eq!(unread(command("pkce-store").arg("work").env("PKCE_HOME", &link)), no_use);
    }
    let file = home.root.path().join("file");
    fs::write(&file, "").unwrap();
    let message = format!("{}: not a directory", file.display());
    assert_eq!(unread(command("pkce-store").arg("work").env("PKCE_HOME", &file)), refused(4, &message));
    // A directory may have a slash at its end.
    let mut store = command("pkce-store");
    let store = store.arg("work").env("PKCE_HOME", format!("{}/", home.directory().display()));
    assert_eq!((finish(store, DOCUMENT.as_bytes()), home.load().stdout), (success(), DOCUMENT.to_owned()));
}

#[test]
fn follows_the_links_above_its_directory_and_checks_where_they_lead() {
    let home = Home::new();
    let below = below(&home, 0o755);
    let link = home.root.path().join("link");
    symlink(&below.shown, &link).unwrap();
    let through = || {
        let mut command = command("pkce-store");
        finish(command.arg("work").env("PKCE_HOME", link.join("more/store")), DOCUMENT.as_bytes())
    };
    assert_eq!((through(), below.store.join("work.json").exists()), (success(), true));
    fs::set_permissions(&below.shown, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(through(), refused(4, &format!("{0}: {1}", below.shown, without_sticky_bit(&below.shown))));
}

#[test]
fn stores_below_a_working_directory_that_only_another_user_can_reach() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let home = Home::new();
    let root = fs::canonicalize(home.root.path()).unwrap();
    let inside = root.join("closed/open");
    fs::create_dir_all(&inside).unwrap();
    fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("closed"), Permissions::from_mode(0o700)).unwrap();
    chown(&inside, Some(4321), None).unwrap();
    let any = |directory: &str, script: &str| {
        let mut any = command("setpriv");
        any.args(["--reuid", "4321", "--regid", "4321", "--clear-groups", "sh", "-c", script]);
        finish(any.env("PKCE_HOME", directory).current_dir(&inside), DOCUMENT.as_bytes())
    };
    for directory in ["store", "./more/store"] {
        let output = any(directory, "pkce-store work && pkce-load work");
        assert_eq!(output, Output { stdout: DOCUMENT.to_owned(), ..success() }, "{directory}");
    }
    // An absolute path leads nowhere.
    let absolute = inside.join("store").display().to_string();
    let message = format!("{absolute}: permission denied\n{OWN_DIRECTORY}");
    assert_eq!(any(&absolute, "pkce-store work"), refused(3, &message));
    // What can be looked at is checked.
    let is_refused = |wrong: &str| assert_eq!(any("store", "pkce-store work"), refused(4, wrong));
    fs::set_permissions(&inside, Permissions::from_mode(0o777)).unwrap();
    is_refused(&format!("store/..: {}", without_sticky_bit("store/..")));
    fs::set_permissions(&inside, Permissions::from_mode(0o755)).unwrap();
    chown(root.join("closed"), Some(1234), None).unwrap();
    is_refused(&format!("store/../..: owned by another user\n{OWN_DIRECTORY}"));
}

#[test]
fn makes_what_is_missing_for_the_user_alone() {
    for (path, made) in [("a", vec!["a"]), ("./a/b/c", vec!["a", "a/b", "a/b/c"]), ("a/../b", vec!["a", "b"])] {
        for mask in ["000", "777"] {
            let home = Home::new();
            let script = format!("umask {mask}; PKCE_HOME={path} exec pkce-store work");
            assert_eq!(home.bash(&script), success(), "{path} {mask}");
            for made in &made {
                let mode = fs::metadata(home.root.path().join(made)).unwrap().permissions().mode();
                assert_eq!(mode & 0o7777, 0o700, "{path} {mask} {made}");
            }
            assert_eq!(home.bash(&format!("PKCE_HOME={path} pkce-load work")).stdout, DOCUMENT, "{path} {mask}");
        }
    }
}

#[test]
fn stores_in_the_directory_that_it_checked_whatever_takes_its_place() {
    for (moved, replaced) in [
        ("mv store moved", "mkdir -m 700 store"),
        ("mv store moved", "mkdir -m 700 elsewhere; ln -s elsewhere store"),
        ("mv store moved", "true"),
    ] {
        let home = Home::new();
        home.store(&DOCUMENT.replace("\"a\"", "\"b\""));
        // The command runs between the check and the first new file, and again before the last.
        let seal = format!("{{ [ -e moved ] || {{ {moved}; {replaced}; }}; }} >&2; cat");
        let output = home.bash(&format!("PKCE_SEAL='{seal}' PKCE_OPEN=cat pkce-store work"));
        assert_eq!(output, success(), "{replaced}");
        let names = |directory: &str| {
            let files = fs::read_dir(home.root.path().join(directory)).into_iter().flatten();
            let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!((names("moved"), names("store").len()), (vec!["work.json".to_owned(), "work.lock".to_owned()], 0));
        assert_eq!(fs::read_to_string(home.root.path().join("moved/work.json")).unwrap(), DOCUMENT, "{replaced}");
    }
}

#[test]
fn stores_in_a_user_namespace_where_root_has_no_number() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let home = Home::new();
    let below = below(&home, 0o755);
    fs::set_permissions(home.root.path(), Permissions::from_mode(0o755)).unwrap();
    chown(&below.shown, Some(4321), None).unwrap();
    let inside = |script: &str| {
        let mut any = below.command("setpriv");
        any.args(["--reuid", "4321", "--clear-groups", "unshare", "-Ur", "sh", "-c", script]);
        let output = finish(&mut any, DOCUMENT.as_bytes());
        if output.stderr.starts_with("unshare:") {
            println!("left out, since this machine makes no namespace for us");
            return None;
        }
        Some(output)
    };
    let Some(output) = inside("pkce-store work && pkce-load work && stat -c %u / \"$PKCE_HOME\"") else { return };
    assert_eq!(output, Output { stdout: format!("{DOCUMENT}65534\n0\n"), ..success() });
    // Outside, it is the store of another user.
    let message = format!("{}: owned by another user\n{OWN_DIRECTORY}", below.store.display());
    assert_eq!(finish(below.command("pkce-load").arg("work"), b""), failure("pkce-load", 4, &message));
}

#[test]
fn stores_in_a_volume_in_memory_and_not_in_one_that_everybody_may_change() {
    let home = Home::new();
    // As Kubernetes mounts an emptyDir: in memory with a tmpfs's own mode, else 0777.
    let script = "mkdir data && mount -t tmpfs none data || exit 99
        stat -c %a data; PKCE_HOME=$PWD/data/pkce pkce-store work && PKCE_HOME=$PWD/data/pkce pkce-load work
        chmod 777 data; PKCE_HOME=$PWD/data/pkce pkce-load work; echo $?
        PKCE_HOME=$PWD/data/pkce/more pkce-load work; echo $?
        PKCE_HOME=$PWD/data pkce-load work; echo $?";
    let Some(output) = mounting(&home, "the volume of a container", script) else { return };
    let data = fs::canonicalize(home.root.path()).unwrap().join("data").display().to_string();
    let stderr = format!(
        "pkce-load: {data}: {}\n\
         pkce-load: work: nothing is stored under this name\n\
         hint: pkce-load lists the names; pkce-login NAME adds one\n\
         pkce-load: {data}: accessible to other users\n\
         hint: run: chmod +t {data}; then set PKCE_HOME to a directory in it, such as {data}/pkce\n",
        without_sticky_bit(&data)
    );
    let refused = "!4 untrusted pkce-load\n4\n";
    let stdout = format!("1777\n{DOCUMENT}{refused}!5 login_required pkce-load\n5\n{refused}");
    assert_eq!(output, Output { stdout, stderr, ..success() });
}

#[test]
fn stores_below_a_volume_of_root_and_says_so_where_it_is_the_volume_itself() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    // As Kubernetes mounts it: an emptyDir, one in memory, one with fsGroup, a claim with fsGroup.
    for (mode, group, safe) in [(0o777, 0, false), (0o1777, 0, true), (0o2777, 4321, false), (0o2775, 4321, true)] {
        let home = Home::new();
        fs::set_permissions(home.root.path(), Permissions::from_mode(0o755)).unwrap();
        let volume = fs::canonicalize(home.root.path()).unwrap().join("data");
        fs::create_dir(&volume).unwrap();
        chown(&volume, Some(0), Some(group)).unwrap();
        fs::set_permissions(&volume, Permissions::from_mode(mode)).unwrap();
        let volume = volume.display().to_string();
        let store = |directory: &str, tool: &str| {
            let mut any = command("setpriv");
            any.args(["--reuid", "4321", "--regid", "4321", "--clear-groups", tool, "work"]);
            finish(any.env("PKCE_HOME", directory), DOCUMENT.as_bytes())
        };
        let inside = format!("set PKCE_HOME to a directory in it, such as {volume}/pkce");
        let hint = if safe {
            format!("hint: {inside}, which pkce-store creates")
        } else {
            format!("hint: its owner must run: chmod +t {volume}; then {inside} {EMPTY_DIR}")
        };
        let message = format!("{volume}: owned by another user\n{hint}");
        assert_eq!(store(&volume, "pkce-store"), refused(4, &message), "{mode:o}");
        assert_eq!(store(&volume, "pkce-load"), failure("pkce-load", 4, &message), "{mode:o}");
        // As the hint says.
        let inside = format!("{volume}/pkce");
        if safe {
            let note = format!("{volume}: its group can replace the stored logins; chmod g-w {volume} prevents that");
            let note = if mode == 0o1777 { String::new() } else { format!("pkce-store: note: {note}\n") };
            assert_eq!(store(&inside, "pkce-store"), Output { stderr: note, ..success() }, "{mode:o}");
            assert_eq!(store(&inside, "pkce-load"), Output { stdout: DOCUMENT.to_owned(), ..success() }, "{mode:o}");
        } else {
            let message = format!("{volume}: {}", another_s_without_sticky_bit(&volume));
            assert_eq!(store(&inside, "pkce-store"), refused(4, &message), "{mode:o}");
            assert!(!Path::new(&inside).exists(), "{mode:o}");
            // As the hint says.
            fs::set_permissions(&volume, Permissions::from_mode(mode | 0o1000)).unwrap();
            assert_eq!(store(&inside, "pkce-store"), success(), "{mode:o}");
        }
    }
}

#[test]
fn says_what_to_do_where_the_home_directory_belongs_to_another_user() {
    if lacks_root() {
        return;
    }
    let home = Home::new();
    let own = home.root.path().join("own");
    fs::create_dir(&own).unwrap();
    let own = fs::canonicalize(own).unwrap();
    chown(&own, Some(1001), None).unwrap();
    let at = |tool: &str| {
        let mut command = command(tool);
        command.arg("work").env("HOME", &own);
        command
    };
    // As root with sudo, or in a container whose home a runner mounts.
    let message = format!("{}: owned by another user\n{OWN_DIRECTORY}", own.display());
    assert_eq!(unread(&mut at("pkce-store")), refused(4, &message));
    let directory = own.join(".local/state/pkce");
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(unread(&mut at("pkce-store")), refused(4, &message));
    for tool in ["pkce-load", "pkce-token"] {
        assert_eq!(unread(&mut at(tool)), failure(tool, 4, &message));
    }
    // The user's own store there is refused itself.
    chown(&directory, Some(1001), None).unwrap();
    let message = format!("{}: owned by another user\n{OWN_DIRECTORY}", directory.display());
    assert_eq!(unread(&mut at("pkce-store")), refused(4, &message));
    assert_eq!(unread(&mut at("pkce-load")), failure("pkce-load", 4, &message));
    // As the hint says: the home's own directory is below the one for temporary files.
    assert_eq!(finish(at("pkce-store").env("PKCE_HOME", home.directory()), DOCUMENT.as_bytes()), success());
    assert_eq!(home.load().stdout, DOCUMENT);
}

#[test]
fn says_what_to_do_where_its_directory_cannot_be_made_or_used() {
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let home = Home::new();
    fs::set_permissions(home.root.path(), Permissions::from_mode(0o755)).unwrap();
    let closed = home.root.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let any = |variable: &str, value: &Path| {
        let mut any = command("setpriv");
        any.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "pkce-store", "work"]).env(variable, value);
        finish(&mut any, DOCUMENT.as_bytes())
    };
    let hint = "hint: set HOME or PKCE_HOME to a directory of your own";
    let denied = |path: &Path, hint: &str| refused(3, &format!("{}: permission denied\n{hint}", path.display()));
    assert_eq!(any("HOME", &closed), denied(&closed.join(".local/state/pkce"), hint));
    // The one that cannot be made is named.
    let missing = home.root.path().join("missing");
    assert_eq!(any("HOME", &missing), denied(&missing, hint));
    for (variable, place) in [("XDG_STATE_HOME", &closed), ("PKCE_HOME", &closed.join("pkce"))] {
        assert_eq!(any(variable, place), denied(&closed.join("pkce"), OWN_DIRECTORY));
    }
    assert_eq!(any("PKCE_HOME", &missing.join("pkce")), denied(&missing, OWN_DIRECTORY));
    // As the hint says; a directory that its own mode closes.
    let own = home.root.path().join("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(65534), None).unwrap();
    assert_eq!([any("HOME", &own), any("PKCE_HOME", &own.join("pkce"))], [success(), success()]);
    let shown = own.join("pkce").display().to_string();
    let message = format!("{shown}: permission denied\nhint: run: chmod 700 {shown}");
    for mode in [0o000, 0o600] {
        fs::set_permissions(own.join("pkce"), Permissions::from_mode(mode)).unwrap();
        assert_eq!(any("PKCE_HOME", &own.join("pkce")), refused(3, &message), "{mode:o}");
    }
    fs::set_permissions(own.join("pkce"), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(any("PKCE_HOME", &own.join("pkce")), success());
}

#[test]
fn refuses_what_another_user_owns() {
    if lacks_root() {
        return;
    }
    let home = Home::new();
    home.store(DOCUMENT);
    for (file, hint) in [("work.json", String::new()), ("", format!("\n{OWN_DIRECTORY}"))] {
        let path = home.path(file);
        chown(&path, Some(65534), None).unwrap();
        let shown = path.display().to_string();
        let shown = shown.trim_end_matches('/');
        stays(&home, |tool| failure(tool, 4, &format!("{shown}: owned by another user{hint}")));
        chown(&path, Some(0), None).unwrap();
    }
    chown(home.path("work.lock"), Some(65534), None).unwrap();
    let lock = home.path("work.lock").display().to_string();
    let output = unread(home.command("pkce-store").arg("work"));
    assert_eq!(output, refused(4, &format!("{lock}: owned by another user")));
}

#[test]
fn replaces_no_file_that_it_may_not_read() {
    let home = Home::new();
    home.store(DOCUMENT);
    fs::set_permissions(home.path("work.json"), Permissions::from_mode(0o200)).unwrap();
    let message = refused(3, &format!("{}: permission denied", home.path("work.json").display()));
    if geteuid().is_root() {
        // Modes say nothing to root, but to root without this capability.
        let mut plain = home.command("setpriv");
        plain.args(["--bounding-set", "-dac_override,-dac_read_search", "pkce-store", "work"]);
        assert_eq!(unread(&mut plain), message);
    } else {
        assert_eq!(unread(home.command("pkce-store").arg("work")), message);
    }
}

#[test]
fn overwrites_nothing_that_it_cannot_read() {
    let home = Home::new();
    home.store(DOCUMENT);
    let path = home.path("work.json").display().to_string();
    let hint = "\nhint: the file is damaged, or encrypted: then set PKCE_OPEN; pkce-store --remove work removes it";
    for (content, wrong) in [
        ("", "not a JSON object: unexpected end"),
        ("{\"access_token\":\"a", "not a JSON object: unexpected end"),
        ("[]", "not a JSON object"),
        ("{\"a\":1,\"a\":2}", "a: duplicate"),
    ] {
        fs::write(&path, content).unwrap();
        stays(&home, |tool| failure(tool, 4, &format!("{path}: {wrong}{hint}")));
    }
    assert_eq!(finish(home.command("pkce-store").args(["--remove", "work"]), b""), success());
    assert_eq!(home.store(DOCUMENT), success());
}

/// Mounts a small file system on the store's directory.
fn small(options: &str) -> String {
    format!("mkdir -m 700 \"$PKCE_HOME\" && mount -t tmpfs -o {options},mode=700 none \"$PKCE_HOME\" || exit 99\n")
}

#[test]
fn leaves_the_old_document_where_the_new_one_finds_no_room() {
    let home = Home::new();
    // There is room for most documents, but not for this one.
    let large = DOCUMENT.replace("1.10", &format!("\"{}\"", "x".repeat(300_000)));
    fs::write(home.root.path().join("large"), large).unwrap();
    let script = small("size=256k")
        + "pkce-store work || exit 98
        pkce-store work <large; echo $?
        pkce-load work; ls -A \"$PKCE_HOME\"";
    let Some(output) = mounting(&home, "the document without room", &script) else { return };
    let path = home.path("work.json").display().to_string();
    assert_eq!(output.stderr, format!("pkce-store: {path}: no space left on device\n"), "{output:?}");
    assert_eq!(output.stdout, format!("3\n{DOCUMENT}work.json\nwork.lock\n"));
}

#[test]
fn says_before_it_reads_the_document_that_the_disk_is_full() {
    for (options, fill) in [("size=256k", "head -c 230k /dev/zero >\"$PKCE_HOME\"/full"), ("nr_inodes=4", ":")] {
        let home = Home::new();
        let script = small(options)
            + &format!(
                "printf '{{\"token_endpoint\":\"https://id.example/token\"}}' | pkce-store work || exit 98
                touch \"$PKCE_HOME\"/full; {fill}
                pkce-store work; echo $?; cat
                pkce-load work; ls -A \"$PKCE_HOME\""
            );
        let Some(output) = mounting(&home, "the full disk", &script) else { return };
        let path = home.path("work.json").display().to_string();
        assert_eq!(output.stderr, format!("pkce-store: {path}: no space left on device\n"), "{output:?}");
        // The next program on the same standard input gets the whole document.
        let before = "{\"token_endpoint\":\"https://id.example/token\"}\n";
        assert_eq!(output.stdout, format!("3\n{DOCUMENT}{before}full\nwork.json\nwork.lock\n"));
    }
}

#[test]
fn says_before_it_reads_the_document_that_no_file_may_be_so_large() {
    let home = Home::new();
    home.store(&DOCUMENT.replace("\"a\"", "\"b\""));
    let before = home.load().stdout;
    let limited = |limit: u32, rest: &str| home.bash(&format!("ulimit -f {limit}; {rest}"));
    let message = format!("pkce-store: {}: file too large\n", home.path("work.json").display());
    let output = limited(0, "pkce-store work; echo $?; cat");
    assert_eq!(output, Output { status: 0, stdout: format!("3\n{DOCUMENT}"), stderr: message.clone() });
    // A document that is larger than most.
    let large = DOCUMENT.replace("1.10", &format!("\"{}\"", "x".repeat(100_000)));
    fs::write(home.root.path().join("large"), &large).unwrap();
    assert_eq!(limited(90, "pkce-store work <large"), Output { status: 3, stdout: String::new(), stderr: message });
    assert_eq!((home.load().stdout, home.files()), (before, vec!["work.json".to_owned(), "work.lock".to_owned()]));
    assert_eq!((limited(1000, "pkce-store work <large"), home.load().stdout), (success(), large));
}

#[test]
fn replaces_no_file_that_is_a_mount_point() {
    let home = Home::new();
    home.store(DOCUMENT);
    let script = "mount --bind \"$PKCE_HOME\"/work.json \"$PKCE_HOME\"/work.json || exit 99
        pkce-store work; echo $?; cat
        pkce-store --remove work; echo $?
        pkce-load work
        pkce-token work -r access_token
        ls -A \"$PKCE_HOME\"";
    let Some(output) = mounting(&home, "the stored login that is a mount point", script) else { return };
    let path = home.path("work.json").display().to_string();
    let hint = format!("hint: mount the directory {} instead", home.directory().display());
    let message = format!("pkce-store: {path}: a mount point, which cannot be replaced\n{hint}\n");
    assert_eq!(output.stderr, message.repeat(2), "{output:?}");
    assert_eq!(output.stdout, format!("3\n{DOCUMENT}3\n{DOCUMENT}a\nwork.json\nwork.lock\n"));
    assert_eq!(home.store(DOCUMENT), success());
}

#[test]
fn replaces_a_file_in_a_directory_that_is_a_mount_point() {
    let home = Home::new();
    home.store(DOCUMENT);
    let script = "mount --bind \"$PKCE_HOME\" \"$PKCE_HOME\" || exit 99
        pkce-store work && pkce-load work && pkce-store --remove work; echo $?";
    let Some(output) = mounting(&home, "the directory that is a mount point", script) else { return };
    assert_eq!(output, Output { stdout: format!("{DOCUMENT}0\n"), ..success() });
}

#[test]
fn leaves_the_old_document_in_a_directory_that_cannot_be_written() {
    let home = Home::new();
    home.store(DOCUMENT);
    fs::set_permissions(home.directory(), Permissions::from_mode(0o500)).unwrap();
    let script = "pkce-store work; echo $?; cat; pkce-load work";
    let read_only = format!("mount --bind -o ro \"$PKCE_HOME\" \"$PKCE_HOME\" || exit 99; {script}");
    // Modes say nothing to root; a mount does.
    let output = if geteuid().is_root() {
        mounting(&home, "the directory that cannot be written", &read_only)
    } else {
        Some(home.bash(script))
    };
    fs::set_permissions(home.directory(), Permissions::from_mode(0o700)).unwrap();
    let Some(output) = output else { return };
    assert_eq!(output.stdout, format!("3\n{DOCUMENT}{DOCUMENT}"), "{output:?}");
    let wrong = |file: &str, wrong: &str| format!("pkce-store: {}: {wrong}\n", home.path(file).display());
    let expected = if geteuid().is_root() {
        wrong("work.lock", "read-only file system")
    } else {
        wrong("work.json", "permission denied")
    };
    assert_eq!(output.stderr, expected);
    assert_eq!(home.load().stdout, DOCUMENT);
}

#[test]
fn waits_for_the_lock_and_not_for_ever() {
    let home = Home::new();
    home.store(DOCUMENT);
    let lock = File::options().write(true).open(home.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let path = home.path("work.lock").display().to_string();
    let locked = format!("{path}: locked by another process for 1 s");
    for (args, expected) in [
        (&["work", "--timeout", "1"][..], refused(5, &format!("{locked}; {LOST}"))),
        (&["--remove", "work", "--timeout", "1"], refused(3, &locked)),
    ] {
        assert_eq!(finish(home.command("pkce-store").args(args), DOCUMENT.as_bytes()), expected);
    }
    // Reading needs no lock.
    assert_eq!(home.load().stdout, DOCUMENT);
    let waiting = start(home.command("pkce-store").args(["--remove", "work"]));
    drop(lock);
    assert_eq!(done(waiting), success());
}

#[test]
fn runs_no_command_and_takes_no_lock_before_the_document_is_there() {
    let home = Home::new();
    home.store(DOCUMENT);
    let lock = File::options().write(true).open(home.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let ran = home.root.path().join("ran");
    let run = format!("touch '{}'; cat", ran.display());
    let output = finish(home.command("pkce-store").arg("work").env("PKCE_SEAL", &run).env("PKCE_OPEN", &run), b"");
    assert_eq!(output, refused(2, "standard input: empty (did the step before fail?)"));
    assert!(!ran.exists());
    assert_eq!(home.files(), ["work.json", "work.lock"]);
    // Another process has read nothing of a FIFO either.
    drop(lock);
    let fifo = home.path("other.json");
    make_fifo(&fifo);
    let mut both = File::options().read(true).write(true).open(&fifo).unwrap();
    std::io::Write::write_all(&mut both, b"{}").unwrap();
    let message = format!("{}: not a regular file", fifo.display());
    assert_eq!(unread(home.command("pkce-store").arg("other")), refused(4, &message));
    let mut content = [0; 2];
    std::io::Read::read_exact(&mut both, &mut content).unwrap();
    assert_eq!(&content, b"{}");
}

#[test]
fn hides_the_descriptor_of_the_client_secret_from_the_commands_and_no_other() {
    let home = Home::new();
    home.store(DOCUMENT);
    fs::write(home.root.path().join("secret"), "s3cret\n").unwrap();
    // Says what it can read, and filters.
    let seal = "for n in 5 6; do cat <&$n; done >>seen 2>/dev/null; cat";
    let script = format!(
        "exec 5<secret 6< <(echo other); export PKCE_CLIENT_SECRET_FILE=/dev/fd/5 PKCE_SEAL='{seal}' PKCE_OPEN='{seal}'
         pkce-store work && cat seen && rm seen && exec 5<secret 6< <(echo again) && pkce-load work && cat seen"
    );
    let stdout = format!("other\n{DOCUMENT}again\n");
    assert_eq!(home.bash(&script), Output { stdout, ..success() });
}

#[test]
fn has_every_file_go_through_the_commands() {
    let home = Home::new();
    let sealed = |tool: &str, args: &[&str], seal: &str, open: &str| {
        let mut command = home.command(tool);
        finish(command.args(args).env("PKCE_SEAL", seal).env("PKCE_OPEN", open), DOCUMENT.as_bytes())
    };
    let (seal, open) = ("base64 | tr A-Za-z N-ZA-Mn-za-m", "tr A-Za-z N-ZA-Mn-za-m | base64 -d");
    assert_eq!(sealed("pkce-store", &["work"], seal, open), success());
    let stored = fs::read(home.path("work.json")).unwrap();
    assert!(!String::from_utf8_lossy(&stored).contains("r3fresh"));
    assert_eq!(sealed("pkce-load", &["work"], seal, open).stdout, DOCUMENT);
    // Without its command the file is nothing that is known, and stays.
    assert_eq!((home.load().status, home.store(DOCUMENT).status), (4, 4));
    let message = "PKCE_SEAL: not set, although PKCE_OPEN is\n\
                   hint: set PKCE_SEAL to the command that encrypts, or unset PKCE_OPEN";
    assert_eq!(unread(home.command("pkce-store").arg("work").env("PKCE_OPEN", open)), refused(2, message));
    let path = home.path("work.json").display().to_string();
    let hint = "\nhint: the stored login is unchanged; PKCE_OPEN must open what PKCE_SEAL sealed";
    // One that was stored before the variables were set.
    let plain = Home::new();
    plain.store(DOCUMENT);
    let output = finish(plain.command("pkce-load").arg("work").env("PKCE_OPEN", "cat >&2; exit 1"), b"");
    // What the command says is not shown, since it may repeat the login.
    let message = format!(
        "{}: PKCE_OPEN: the command failed (exit status: 1)\n\
         hint: not encrypted; run: env -u PKCE_SEAL -u PKCE_OPEN pkce-load work | env -u PKCE_OPEN pkce-store work",
        plain.path("work.json").display()
    );
    assert_eq!(output, failure("pkce-load", 3, &message));
    let encrypt = format!(
        "export PKCE_SEAL='{seal}' PKCE_OPEN='{open}'
         env -u PKCE_SEAL -u PKCE_OPEN pkce-load work | env -u PKCE_OPEN pkce-store work && pkce-load work"
    );
    assert_eq!(plain.bash(&encrypt), Output { stdout: DOCUMENT.to_owned(), ..success() });
    for (open, wrong) in [
        ("cat >/dev/null; exit 7", "the command failed (exit status: 7)"),
        ("true", "the command wrote nothing"),
        ("yes", "the command wrote nothing"),
        ("kill -9 $$", "the command failed (signal: 9 (SIGKILL))"),
        ("no-such-command-here 2>/dev/null", "the command failed (exit status: 127)"),
    ] {
        let message = format!("{path}: PKCE_OPEN: {wrong}{hint}");
        let output = sealed("pkce-load", &["work"], seal, open);
        let piped = wrong.starts_with("the command wrote nothing") && open == "yes";
        assert!(output == failure("pkce-load", 3, &message) || piped && output.status == 3, "{open}: {output:?}");
        assert_eq!(sealed("pkce-store", &["work"], seal, open).status, 5, "{open}");
        assert_eq!(sealed("pkce-token", &["work"], seal, open).status, 3, "{open}");
    }
    for (seal, wrong) in
        [("exit 1", "the command failed (exit status: 1)"), ("cat >/dev/null", "the command wrote nothing")]
    {
        let output = sealed("pkce-store", &["work"], seal, open);
        let hint = "hint: correct the command in PKCE_SEAL first";
        assert_eq!(output, refused(5, &format!("PKCE_SEAL: {wrong}; {LOST}\n{hint}")));
    }
    assert_eq!(fs::read(home.path("work.json")).unwrap(), stored);
    // A machine that can seal and not open stores what it cannot compare.
    assert_eq!(sealed("pkce-store", &["work"], "base64", ""), success());
    assert_eq!(sealed("pkce-load", &["work"], "", "base64 -d").stdout, DOCUMENT);
    // One that can open and not seal removes.
    assert_eq!(sealed("pkce-store", &["--remove", "work"], "", open), success());
}

#[test]
fn replaces_nothing_by_what_cannot_be_opened_again() {
    let home = Home::new();
    let hint = "\nhint: nothing was changed; PKCE_SEAL must encrypt for the key with which PKCE_OPEN decrypts";
    let cannot =
        |wrong: &str| refused(5, &format!("PKCE_SEAL: its output cannot be opened: PKCE_OPEN: {wrong}; {LOST}{hint}"));
    let store = |seal: &str, open: &str| {
        let mut command = home.command("pkce-store");
        finish(command.arg("work").env("PKCE_SEAL", seal).env("PKCE_OPEN", open), DOCUMENT.as_bytes())
    };
    let faults = [
        ("cat >/dev/null; echo garbage", "cat", "the result is not the document"),
        ("tr a-z b-za", "cat", "the result is not the document"),
        ("echo '{\"token_endpoint\":\"https://id.example/token\"}'", "cat", "the result is not the document"),
        ("sed 's/1.10/1.2/'", "cat", "the result is not the document"),
        ("sed 's/\"own\"/\"access_token\"/'", "cat", "the result is not the document"),
        ("cat; echo", "head -c 20", "the result is not the document"),
        ("cat; echo sealed", "grep sealed >/dev/null && exit 7; cat", "the command failed (exit status: 7)"),
        ("cat; echo sealed", "grep -v sealed >/dev/null; exit 0", "the command wrote nothing"),
    ];
    // Of a new name nothing is stored.
    for (seal, open, wrong) in faults {
        assert_eq!((store(seal, open), home.files()), (cannot(wrong), vec!["work.lock".to_owned()]), "{seal}");
    }
    // A plain one stays, and so does a sealed one that was opened before.
    home.store(&DOCUMENT.replace("\"a\"", "\"b\""));
    let plain = fs::read(home.path("work.json")).unwrap();
    for (seal, open, wrong) in faults.iter().filter(|(_, open, _)| *open == "cat") {
        assert_eq!((store(seal, open), fs::read(home.path("work.json")).unwrap()), (cannot(wrong), plain.clone()));
    }
    fs::remove_file(home.path("work.json")).unwrap();
    assert_eq!(store("tr a-z b-za", "tr b-za a-z"), success());
    let sealed = fs::read(home.path("work.json")).unwrap();
    assert_eq!(store("tr a-z c-zab", "tr b-za a-z"), cannot("the result is not the document"));
    assert_eq!(fs::read(home.path("work.json")).unwrap(), sealed);
}

#[test]
fn opens_what_is_another_form_of_the_same_json() {
    if lacks(&["jq"]) {
        return;
    }
    let home = Home::new();
    let document = "{\"z\":{\"b\":[1.10,\"\\u00e4\"],\"a\":null},\"token_endpoint\":\"https://id.example/token\"}";
    let mut store = home.command("pkce-store");
    let output = finish(store.arg("work").env("PKCE_SEAL", "cat").env("PKCE_OPEN", "jq -S ."), document.as_bytes());
    assert_eq!(output, success());
}

#[test]
fn has_no_command_that_is_not_utf8_pass_for_none() {
    let home = Home::new();
    let seal = OsStr::from_bytes(b"exit 3 # \xff");
    let output = finish(home.command("pkce-store").arg("work").env("PKCE_SEAL", seal), DOCUMENT.as_bytes());
    assert_eq!(output, refused(2, "PKCE_SEAL: not UTF-8"));
    assert!(!home.directory().exists());
}

#[test]
fn ends_a_command_that_hangs_with_all_it_started() {
    let home = Home::new();
    home.store(DOCUMENT);
    let started = Instant::now();
    for (tool, args) in [("pkce-load", &["work", "--timeout", "1"]), ("pkce-store", &["work", "--timeout", "1"])] {
        // In a session of its own there is no terminal to ask for a passphrase.
        let mut alone = home.command("setsid");
        alone.args(["--wait", tool]).args(args).env("PKCE_SEAL", "sleep 77 | cat").env("PKCE_OPEN", "sleep 77; cat");
        let output = finish(&mut alone, DOCUMENT.as_bytes());
        let (status, end) = if tool == "pkce-store" { (5, format!("; {LOST}\n")) } else { (3, "\n".to_owned()) };
        assert_eq!(output.status, status, "{output:?}");
        assert!(output.stderr.contains(&format!("PKCE_OPEN: not finished within 1 s{end}")), "{output:?}");
    }
    // Its standard error was open all the time, and was waited for above.
    assert!(started.elapsed().as_secs() < 60);
    assert_eq!(home.load().stdout, DOCUMENT);
}

#[test]
fn seals_with_age_as_the_manual_says() {
    if lacks(&["age"]) {
        return;
    }
    let home = Home::new();
    let output = home.bash(
        "age-keygen -o key 2>/dev/null; age-keygen -o wrong 2>/dev/null
        export PKCE_SEAL=\"age -r $(age-keygen -y key)\" PKCE_OPEN='age -d -i key'
        pkce-store work; echo stored=$?
        grep -ac 'r3fresh\\|access_token' store/work.json; head -c 21 store/work.json; echo
        pkce-load work -r refresh_token; cp store/work.json before
        PKCE_OPEN='age -d -i wrong' pkce-load work; echo load=$?
        PKCE_OPEN='age -d -i wrong' pkce-token work; echo token=$?
        printf '{\"token_endpoint\":\"https://a/b\"}' | PKCE_OPEN='age -d -i wrong' pkce-store work; echo store=$?
        cmp before store/work.json; echo same=$?
        pkce-load work | PKCE_SEAL=\"age -r $(age-keygen -y wrong)\" pkce-store work; echo recipient=$?
        cmp before store/work.json; echo same=$?",
    );
    let expected = "stored=0\n0\nage-encryption.org/v1\nr3fresh-r3fresh\n!3 unavailable pkce-load\nload=3\n\
                    !3 unavailable pkce-token\ntoken=3\nstore=3\nsame=0\nrecipient=5\nsame=0\n";
    assert_eq!(output.stdout, expected, "{output:?}");
    let path = home.path("work.json").display().to_string();
    for tool in ["pkce-load", "pkce-token", "pkce-store"] {
        let said = format!("{tool}: {path}: PKCE_OPEN: the command failed (exit status: 1)\n");
        assert!(output.stderr.contains(&said), "{output:?}");
    }
}

#[test]
fn carries_nothing_of_one_person_over_to_the_next() {
    let home = Home::new();
    let login =
        "pkce-url --scope 'openid offline_access' --prompt consent | pkce-callback | pkce-exchange | pkce-verify";
    let again = login.replace("pkce-url", "pkce-url --login-hint bob");
    let script = format!(
        "pkce-discover | pkce-gen - | {login} | pkce-store work
        pkce-load work > first
        pkce-load work | pkce-gen - > between
        pkce-load work | pkce-gen - | {again} | pkce-store work
        pkce-load work > second"
    );
    let mut idp = home.command("pkce-idp");
    let output = finish(idp.args(["--auto-approve", "--", "bash", "-ec", &script]).current_dir(home.root.path()), b"");
    assert_eq!(output.status, 0, "{output:?}");
    let document = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(home.root.path().join(name)).unwrap()).unwrap()
    };
    let (first, between, second) = (document("first"), document("between"), document("second"));
    for name in ["access_token", "refresh_token", "id_token", "nonce", "expires_at"] {
        assert!(first.get(name).is_some(), "{name}");
        assert!(between.get(name).is_none() || name == "nonce", "{name}");
        assert!(second[name] != first[name] || name == "expires_at", "{name}");
    }
    for name in ["id_token_claims", "scope", "token_type", "expires_in"] {
        assert!(first.get(name).is_some() && between.get(name).is_none(), "{name}");
    }
    assert_ne!(between["nonce"], first["nonce"]);
    assert_eq!((&second["client_id"], &second["issuer"]), (&first["client_id"], &first["issuer"]));
    assert_eq!((&first["id_token_claims"]["sub"], &second["id_token_claims"]["sub"]), (&json!("alice"), &json!("bob")));
    assert!(!second.to_string().contains("alice"), "{second}");
    assert!(output.stderr.contains("pkce-store: note: the user (sub) differs from the one stored before\n"));
}
