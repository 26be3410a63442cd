//! pkce-token: a valid token without a request where there is one, one refresh for all where there is none, and a
//! command that never starts without it.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/rotating.rs"]
mod rotating;

mod credential;
mod id_token;

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{
    Output, command, done, failure, finish, free_port, json_response, kill, lacks, lacks_root, make_fifo, response,
    start,
};
use rotating::{Session, now, number, refused, rotate};
use serde_json::{Value, json};

fn access(number: u32) -> String {
    format!("access-{number}-{}", "a".repeat(40))
}

fn bare(output: Output) -> Output {
    Output { stdout: String::new(), ..output }
}

#[test]
fn prints_the_stored_token_without_a_request_and_without_the_lock() {
    let session = Session::new(Duration::ZERO);
    let until = now() + 600;
    session.store(&session.document(0, until));
    let lock = File::options().write(true).open(session.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let before = fs::read(session.path("work.json")).unwrap();
    let output = session.token(&[]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let expected = json!({
        "access_token": access(0), "token_type": "Bearer", "expires_at": until, "scope": "openid",
        "resource": "https://api.example/", "issuer": session.server.url(""),
    });
    assert_eq!(output.json(), expected);
    assert_eq!(session.token(&["-r", "access_token"]).stdout, format!("{}\n", access(0)));
    let header = session.token(&["--header"]);
    assert_eq!((header.status, header.stdout), (0, format!("Authorization: Bearer {}\n", access(0))));
    // The refresh token is nobody's business.
    let missing = bare(failure("pkce-token", 2, "refresh_token: missing"));
    assert_eq!(session.token(&["-r", "refresh_token"]), missing);
    assert_eq!((session.refreshes(), fs::read(session.path("work.json")).unwrap()), (0, before));
}

#[test]
fn refreshes_what_is_not_valid_long_enough_and_stores_it() {
    let session = Session::new(Duration::ZERO);
    for (left, args, asked) in [
        (0, &[][..], true),
        (50, &[], true),
        (70, &[], false),
        (70, &["--min-ttl", "90"], true),
        (5, &["--min-ttl", "0"], false),
        (0, &["--min-ttl", "0"], true),
        (600, &["--refresh"], true),
    ] {
        let latest = session.grant.lock().unwrap().latest;
        session.store(&session.document(latest, now() + left));
        let before = session.refreshes();
        let output = session.token(args);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{left} {args:?}");
        let expected = if asked { latest + 1 } else { latest };
        assert_eq!(output.json()["access_token"], access(expected), "{left} {args:?}");
        assert_eq!(
            (session.refreshes() - before, session.stored()["access_token"] == access(expected)),
            (asked.into(), true)
        );
    }
    // What the server issued is stored whole, beside what was there before.
    let stored = session.stored();
    assert_eq!((number(&stored["refresh_token"]), &stored["own"]), (5, &json!(1)));
    assert!(stored["expires_at"].as_u64().unwrap() > now() + 3000);
    let form = session.server.requests().last().unwrap().form();
    let sent: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(sent, ["grant_type", "refresh_token", "resource", "client_id"]);
    let mut files: Vec<_> = fs::read_dir(session.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["work.json", "work.lock"]);
    assert_eq!(fs::metadata(session.path("work.json")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn takes_a_token_whose_end_is_not_known_for_good() {
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, 5);
    document.as_object_mut().unwrap().remove("expires_at");
    session.store(&document);
    assert_eq!((session.token(&["--min-ttl", "4000000000"]).status, session.refreshes()), (0, 0));
    assert_eq!(session.token(&["--refresh"]).json()["access_token"], access(1));
    document["expires_at"] = json!("soon");
    session.store(&document);
    let message = "expires_at: must be a whole number of seconds";
    assert_eq!(session.token(&[]), failure("pkce-token", 2, message));
}

/// Starts many at once, and gives what each said.
fn at_once(session: &Session, count: usize, args: &[&str]) -> Vec<Output> {
    let children: Vec<Child> =
        (0..count).map(|_| start(session.command("pkce-token").arg("work").args(args))).collect();
    children.into_iter().map(done).collect()
}

#[test]
fn refreshes_once_for_a_hundred_at_once() {
    let session = Session::new(Duration::from_millis(300));
    session.store_expired();
    for output in at_once(&session, 100, &["-r", "access_token"]) {
        let expected = Output { status: 0, stdout: format!("{}\n", access(1)), stderr: String::new() };
        assert_eq!(output, expected);
    }
    let grant = *session.grant.lock().unwrap();
    assert_eq!((session.refreshes(), grant.latest, grant.ended), (1, 1, false));
    // All have started before the first response comes, so a token issued after that is good enough for each.
    let session = Session::new(Duration::from_secs(2));
    session.store(&session.document(0, now() + 600));
    for output in at_once(&session, 100, &["--refresh", "-r", "access_token"]) {
        assert_eq!((output.status, output.stdout), (0, format!("{}\n", access(1))));
    }
    assert_eq!(session.refreshes(), 1);
}

#[test]
fn refreshes_once_for_a_hundred_at_pkce_idp() {
    if lacks(&["curl"]) {
        return;
    }
    let directory = common::new_directory();
    let script = "pkce-discover | pkce-gen - | pkce-url --scope 'openid offline_access' --prompt consent |
          pkce-callback | pkce-exchange | pkce-store work
        sed -i 's/\"expires_at\":[0-9]*/\"expires_at\":5/' \"$PKCE_HOME/work.json\"
        export PKCE_TRACE=1
        for i in $(seq 100); do pkce-token work -r access_token 2>>trace & done > tokens; wait
        sort tokens | uniq -c | grep -c '^ *100 '
        grep -c 'trace: POST' trace
        pkce-token work --refresh >/dev/null 2>&1; echo \"the family lives: $?\"
        sed -i 's/\"expires_at\":[0-9]*/\"expires_at\":5/' \"$PKCE_HOME/work.json\"
        for i in $(seq 100); do pkce-token work -- cat 2>>trace & done > headers; wait
        sort headers | uniq -c | grep -c '^ *100 Authorization: Bearer '
        grep -c 'trace: POST' trace
        pkce-token work -- cat | curl -s -H @- \"$PKCE_ISSUER/userinfo\"";
    let mut idp = command("pkce-idp");
    idp.args(["--auto-approve", "--", "bash", "-c", script]).current_dir(directory.path());
    let output = finish(idp.env("PKCE_HOME", directory.path().join("store")), b"");
    let person = "{\"preferred_username\":\"alice\",\"sub\":\"alice\"}";
    assert_eq!(output.stdout, format!("1\n1\nthe family lives: 0\n1\n2\n{person}"), "{output:?}");
}

#[test]
fn takes_what_another_process_has_stored_meanwhile() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let lock = File::options().write(true).open(session.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let waiting = start(session.command("pkce-token").args(["work", "-r", "access_token"]));
    thread::sleep(Duration::from_millis(300));
    // Good for five seconds, and that is good enough.
    fs::write(session.path("new"), session.document(7, now() + 5).to_string()).unwrap();
    fs::set_permissions(session.path("new"), Permissions::from_mode(0o600)).unwrap();
    fs::rename(session.path("new"), session.path("work.json")).unwrap();
    let output = done(waiting);
    assert_eq!((output.stdout, session.refreshes()), (format!("{}\n", access(7)), 0));
    // No lock was needed: a hundred that wait do not take it one after the other.
    drop(lock);
    // The lock is waited for until the time is over.
    session.store_expired();
    let lock = File::options().write(true).open(session.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let message = format!("{}: locked by another process for 1 s", session.path("work.lock").display());
    assert_eq!((session.token(&["--timeout", "1"]), session.refreshes()), (failure("pkce-token", 3, &message), 0));
}

#[test]
fn reads_again_before_it_gives_up() {
    // Another machine's process, without our lock: it has rotated the token, and stored the new one.
    let (sender, receiver) = mpsc::channel::<(std::path::PathBuf, String)>();
    let receiver = Mutex::new(receiver);
    let session = Session::responding(move |_, _| {
        let (path, text) = receiver.lock().unwrap().recv().unwrap();
        fs::write(path, text).unwrap();
        refused()
    });
    session.store_expired();
    sender.send((session.path("work.json"), session.document(9, now() + 600).to_string())).unwrap();
    let output = session.token(&["-r", "access_token"]);
    assert_eq!((output.status, output.stdout, output.stderr.as_str()), (0, format!("{}\n", access(9)), ""));
    assert_eq!((session.refreshes(), number(&session.stored()["refresh_token"])), (1, 9));
}

#[test]
fn starts_no_command_where_there_is_no_token() {
    let session = Session::responding(|_, _| refused());
    let started = session.directory.path().join("started");
    let browser = format!("touch {}", started.display());
    let without = |args: &[&str]| {
        let mut tool = session.command("pkce-token");
        tool.arg("work").args(args).args(["--", "touch"]).arg(&started).env("BROWSER", &browser);
        let output = finish(&mut tool, b"");
        assert!(!started.exists(), "{output:?}");
        // A command's output is no document, so nobody waits for a failure line.
        assert_eq!(output.stdout, "");
        output
    };
    let failed = |status, message: &str| bare(failure("pkce-token", status, message));
    let nothing = "work: nothing is stored under this name";
    assert_eq!(without(&[]), failed(115, nothing));
    assert_eq!(session.token(&["--header"]), failed(5, nothing));
    assert_eq!(session.token(&[]), failure("pkce-token", 5, nothing));
    let no_refresh = "there is no refresh token\n\
                      hint: run the login again, and store it as work; servers issue one if the scope includes \
                      offline_access; most require --prompt consent as well";
    let mut document = session.document(0, 5);
    document.as_object_mut().unwrap().remove("refresh_token");
    session.store(&document);
    assert_eq!(without(&[]), failed(115, no_refresh));
    // A login of pkce-login.
    fs::write(session.path("work.login"), "{}").unwrap();
    assert_eq!(
        without(&[]),
        failed(115, &no_refresh.replace("run the login again, and store it as work", "sign in again: pkce-login work"))
    );
    fs::remove_file(session.path("work.login")).unwrap();
    document["expires_at"] = json!(now() + 600);
    session.store(&document);
    assert_eq!(without(&["--refresh"]), failed(115, no_refresh));
    document.as_object_mut().unwrap().remove("access_token");
    session.store(&document);
    assert_eq!(without(&[]), failed(115, no_refresh));
    fs::set_permissions(session.path("work.json"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(without(&[]).status, 114);
    fs::set_permissions(session.path("work.json"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(session.refreshes(), 0);
    session.store_expired();
    assert_eq!(without(&[]), failed(115, "token endpoint: invalid_grant"));
    assert_eq!(session.refreshes(), 1);
    // The stored login stays, for a person to look at or to sign in from.
    assert_eq!(session.stored(), session.document(0, 5));
}

#[test]
fn prints_a_valid_token_where_it_cannot_be_refreshed() {
    let session = Session::responding(|_, _| refused());
    let mut document = session.document(0, now() + 40);
    session.store(&document);
    let output = session.token(&["-r", "access_token"]);
    let note = "pkce-token: note: the token expires within --min-ttl and cannot be refreshed";
    let refused = format!("{note}: token endpoint: invalid_grant\n");
    assert_eq!((output.status, output.stdout, output.stderr), (0, format!("{}\n", access(0)), refused));
    assert_eq!(session.token(&["--refresh"]).status, 5);
    document.as_object_mut().unwrap().remove("refresh_token");
    session.store(&document);
    let output = session.token(&["-r", "access_token"]);
    assert_eq!(
        (output.status, output.stdout, output.stderr),
        (0, format!("{}\n", access(0)), format!("{note}: there is no refresh token\n"))
    );
    assert_eq!(session.refreshes(), 2);
    // It is valid for longer than that: nothing to note.
    assert_eq!(session.token(&["--min-ttl", "5"]).stderr, "");
}

#[test]
fn prints_a_valid_token_where_the_server_cannot_be_reached_or_the_disk_is_full() {
    let session = Session::responding(|_, _| refused());
    let mut document = session.document(0, now() + 40);
    let port = free_port();
    document["token_endpoint"] = json!(format!("http://127.0.0.1:{port}/token"));
    session.store(&document);
    let note = "pkce-token: note: the token expires within --min-ttl and cannot be refreshed";
    let valid = (0, format!("{}\n", access(0)));
    let output = session.token(&["-r", "access_token"]);
    let why = format!("token endpoint: 127.0.0.1:{port}: connection refused");
    assert_eq!(((output.status, output.stdout), output.stderr), (valid.clone(), format!("{note}: {why}\n")));
    let script = "ulimit -f 8; pkce-token work -r access_token";
    let output = finish(session.command("bash").args(["-c", script]), b"");
    let why = format!("{}: file too large", session.path("work.json").display());
    assert_eq!(((output.status, output.stdout), output.stderr), (valid, format!("{note}: {why}\n")));
    assert_eq!(session.token(&["--refresh"]).status, 3);
}

#[test]
fn prints_a_valid_token_while_its_lock_is_held() {
    let session = Session::responding(|_, _| refused());
    session.store(&session.document(0, now() + 40));
    let lock = std::fs::File::options().write(true).open(session.path("work.lock")).unwrap();
    lock.lock().unwrap();
    let output = session.token(&["-r", "access_token", "--timeout", "1"]);
    let note = format!(
        "pkce-token: note: the token expires within --min-ttl and cannot be refreshed: {}: locked by another process for \
         1 s\n",
        session.path("work.lock").display()
    );
    assert_eq!((output.status, output.stdout, output.stderr), (0, format!("{}\n", access(0)), note));
    assert_eq!(session.token(&["--refresh", "--timeout", "1"]).status, 3);
}

#[test]
fn leaves_out_an_id_token_whose_claims_cannot_be_read() {
    for (id_token, wrong) in [("garbage", "not three parts separated by dots"), ("e30.e30.e30", "header: alg: missing")]
    {
        let response = json_response(&json!({
            "access_token": "new", "token_type": "Bearer", "refresh_token": "next", "id_token": id_token,
        }));
        let session = Session::responding(move |_, _| response.clone());
        let mut document = session.document(0, 1);
        document["id_token_claims"] = json!({ "iss": "https://id.example", "sub": "u" });
        session.store(&document);
        let output = session.token(&["-r", "access_token"]);
        let note = format!("pkce-token: note: token endpoint: id_token: {wrong}; left out\n");
        assert_eq!((output.status, output.stdout.as_str(), output.stderr), (0, "new\n", note));
        assert_eq!((&session.stored()["refresh_token"], session.stored().get("id_token")), (&json!("next"), None));
    }
}

#[test]
fn refreshes_once_for_many_at_once_where_tokens_expire_at_once() {
    let session = Session::responding(|grant, token| {
        let rotated = String::from_utf8(rotate(grant, token)).unwrap();
        let (head, body) = rotated.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut body: Value = serde_json::from_str(body).unwrap();
        body["expires_in"] = json!(0);
        thread::sleep(Duration::from_millis(300));
        json_response(&body)
    });
    session.store_expired();
    let script = "for i in $(seq 20); do pkce-token work >/dev/null & done; wait; pkce-load work -r expires_in";
    let output = finish(session.command("bash").args(["-c", script]), b"");
    assert_eq!(output, Output { status: 0, stdout: "0\n".to_owned(), stderr: String::new() });
    // One that started late finds the token of the others expired; without sharing there would be twenty.
    assert!(session.refreshes() < 20, "{}", session.refreshes());
}

#[test]
fn holds_no_lock_while_it_waits_for_a_secret() {
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, 5);
    document["revocation_endpoint"] = json!(session.server.url("/revoke"));
    session.store(&document);
    let fifo = session.directory.path().join("fifo");
    make_fifo(&fifo);
    for args in [["pkce-token", "work"], ["pkce-revoke", "work"]] {
        let mut child = start(session.command(args[0]).args([args[1], "--client-secret-file"]).arg(&fifo));
        // The writer's open waits for the reader; it then waits for the rest of the line.
        let mut writer = File::options().write(true).open(&fifo).unwrap();
        std::io::Write::write_all(&mut writer, b"s3").unwrap();
        while rustix::io::ioctl_fionread(&writer).unwrap() > 0 {
            thread::yield_now();
        }
        File::options().write(true).open(session.path("work.lock")).unwrap().try_lock().unwrap();
        kill(child.id(), "TERM");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(15));
    }
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn asks_for_no_secret_where_the_refresh_cannot_be_requested() {
    let session = Session::new(Duration::ZERO);
    let ran = session.directory.path().join("ran");
    let command = format!("touch '{}'; echo s3cret", ran.display());
    session.store_expired();
    for (changes, args, message) in [
        (json!({ "token_request": { "format": "xml" } }), vec![], "token_request: format: must be form or json"),
        (json!({}), vec!["--param", "client_id=0ther"], "--param: client_id: not the document's client_id"),
        (json!({ "token_endpoint": 5 }), vec![], "token_endpoint: must be a string"),
    ] {
        let document = common::changed(session.document(0, 5), &changes);
        fs::write(session.path("work.json"), document.to_string()).unwrap();
        let output = session.token(&[&["--client-secret-command", &command], &args[..]].concat());
        assert_eq!((output, ran.exists()), (failure("pkce-token", 2, message), false));
        assert!(!session.path("work.pending").exists());
    }
}

#[test]
fn refreshes_where_no_thread_can_be_created() {
    // A limit of processes is no limit to root.
    if lacks_root() || lacks(&["setpriv"]) {
        return;
    }
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    // Nobody's: a second process of the user would be one too many.
    let uid = (1_000_000_000 + std::process::id()).to_string();
    let own = finish(session.command("chown").args(["-R", &uid]).arg(session.home()), b"");
    assert_eq!(own.status, 0, "{own:?}");
    let opened = finish(session.command("chmod").arg("755").arg(session.home().parent().unwrap()), b"");
    assert_eq!(opened.status, 0, "{opened:?}");
    let script = "ulimit -u 0; exec setpriv --reuid \"$0\" --clear-groups pkce-token work";
    let token = || finish(session.command("bash").args(["-c", script, &uid]), b"");
    // A name is looked up in a thread, an address needs none.
    let (port, path) = (session.server.port, session.path("work.json"));
    let by_address = fs::read_to_string(&path).unwrap();
    fs::write(&path, by_address.replace("http://127.0.0.1", "http://localhost")).unwrap();
    let message = format!("token endpoint: localhost:{port}: threads: resource temporarily unavailable");
    assert_eq!(token(), failure("pkce-token", 3, &message));
    assert_eq!((session.refreshes(), session.path("work.pending").exists()), (0, false));
    fs::write(&path, by_address).unwrap();
    let output = token();
    assert_eq!((output.status, output.stderr.as_str(), session.refreshes()), (0, "", 1), "{output:?}");
}

#[test]
fn prints_a_valid_token_where_the_refresh_token_may_be_spent() {
    let closed = "127.0.0.1:PORT: the server closed the connection";
    for (octets, why) in [(Vec::new(), closed), (response(500, "", ""), "the server responded with 500")] {
        let session = Session::responding(move |_, _| octets.clone());
        session.store(&session.document(0, now() + 40));
        let output = session.token(&["-r", "access_token"]);
        let note = format!(
            "pkce-token: note: the token expires within --min-ttl and cannot be refreshed: token endpoint: {}; \
             the refresh token may be spent; try again to find out\n",
            why.replace("PORT", &session.server.port.to_string())
        );
        assert_eq!((output.status, output.stdout, output.stderr), (0, format!("{}\n", access(0)), note));
        assert!(session.path("work.pending").is_file());
        assert_ne!(session.token(&["--refresh"]).status, 0);
        assert_eq!(session.refreshes(), 2);
    }
}

#[test]
fn refreshes_a_token_of_a_minute_only_in_its_second_half() {
    let session = Session::new(Duration::ZERO);
    let half = "pkce-token: note: --min-ttl: not less than the token's lifetime; using half of the lifetime\n";
    for (lifetime, left, args, asked, note) in [
        (60, 50, &[][..], false, ""),
        (60, 20, &[], true, ""),
        (119, 70, &[], false, ""),
        (119, 50, &[], true, ""),
        (3600, 70, &[], false, ""),
        (3600, 50, &[], true, ""),
        (60, 50, &["--min-ttl", "55"], true, ""),
        (60, 50, &["--min-ttl", "60"], false, half),
        (60, 20, &["--min-ttl", "60"], true, half),
        (60, 50, &["--min-ttl", "4000000000"], false, half),
        // Whoever asks for a new token gets one, and no remark about the old one.
        (60, 50, &["--min-ttl", "60", "--refresh"], true, ""),
    ] {
        let latest = session.grant.lock().unwrap().latest;
        let mut document = session.document(latest, now() + left);
        document["expires_in"] = json!(lifetime);
        session.store(&document);
        let output = session.token(&[args, &["-r", "access_token"]].concat());
        let expected = format!("{}\n", access(if asked { latest + 1 } else { latest }));
        let case = format!("{lifetime} {left} {args:?}");
        assert_eq!((output.status, output.stdout, output.stderr.as_str()), (0, expected, note), "{case}");
    }
    // Where the lifetime is not known, it is a minute.
    for lifetime in [Value::Null, json!("soon")] {
        for (left, asked) in [(70, false), (50, true)] {
            let latest = session.grant.lock().unwrap().latest;
            session.store(&common::changed(session.document(latest, now() + left), &json!({ "expires_in": lifetime })));
            assert_eq!(
                session.token(&[]).json()["access_token"],
                access(latest + u32::from(asked)),
                "{lifetime} {left}"
            );
        }
    }
}

#[test]
fn does_not_refresh_a_token_of_a_minute_at_each_call() {
    let turns = AtomicUsize::new(0);
    let session = Session::responding(move |_, _| {
        let turn = turns.fetch_add(1, Ordering::SeqCst) + 1;
        json_response(&json!({ "access_token": access(turn as u32), "token_type": "Bearer", "expires_in": 60 }))
    });
    session.store_expired();
    for _ in 0..3 {
        assert_eq!(session.token(&[]).json()["access_token"], access(1));
    }
    assert_eq!(session.refreshes(), 1);
}

/// Sets the time of the stored file.
fn set_time(session: &Session, time: SystemTime) {
    File::options().write(true).open(session.path("work.json")).unwrap().set_modified(time).unwrap();
}

#[test]
fn takes_no_token_for_new_because_its_file_is_from_the_future() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    set_time(&session, SystemTime::now() + Duration::from_secs(3600));
    assert_eq!(session.token(&["--refresh"]).json()["access_token"], access(1));
    // A clock may be a little ahead.
    set_time(&session, SystemTime::now() + Duration::from_secs(50));
    assert_eq!(
        (session.token(&["--refresh"]).json()["access_token"].clone(), session.refreshes()),
        (json!(access(1)), 1)
    );
    // Without --refresh, it is the token's end that counts.
    set_time(&session, SystemTime::now() + Duration::from_secs(3600));
    assert_eq!((session.token(&[]).json()["access_token"].clone(), session.refreshes()), (json!(access(1)), 1));
}

#[test]
fn refreshes_once_for_a_hundred_at_once_where_the_file_is_from_the_future() {
    let session = Session::new(Duration::from_secs(2));
    session.store(&session.document(0, now() + 600));
    set_time(&session, SystemTime::now() + Duration::from_secs(3600));
    for output in at_once(&session, 100, &["--refresh", "-r", "access_token"]) {
        assert_eq!((output.status, output.stdout), (0, format!("{}\n", access(1))));
    }
    assert_eq!(session.refreshes(), 1);
}

#[test]
fn believes_no_end_that_is_further_away_than_the_token_lives() {
    let session = Session::new(Duration::ZERO);
    for (left, asked) in [(3600, false), (3630, false), (3690, true), (2_000_000_000, true)] {
        let latest = session.grant.lock().unwrap().latest;
        session.store(&session.document(latest, now() + left));
        assert_eq!(session.token(&[]).json()["access_token"], access(latest + u32::from(asked)), "{left}");
    }
    // Where the lifetime is not known, its end is what the document says.
    let latest = session.grant.lock().unwrap().latest;
    let document = common::changed(session.document(latest, 4_102_444_800), &json!({ "expires_in": null }));
    session.store(&document);
    assert_eq!(session.token(&[]).json()["access_token"], access(latest));
    // Without a refresh token, it is an expired one.
    session.store(&common::changed(session.document(latest, 4_102_444_800), &json!({ "refresh_token": null })));
    let message = "there is no refresh token\n\
                   hint: run the login again, and store it as work; servers issue one if the scope includes \
                   offline_access; most require --prompt consent as well";
    assert_eq!(session.token(&[]), failure("pkce-token", 5, message));
}

#[test]
fn gives_a_command_its_own_status_and_its_failures_others() {
    let session = Session::responding(|_, token| match number(&json!(token)) {
        0 => response(400, "application/json", "{\"error\":\"invalid_client\"}"),
        _ => refused(),
    });
    let with = |args: &[&str]| session.token(&[args, &["--", "sh", "-c", "exit 5"]].concat());
    session.store(&session.document(0, now() + 600));
    for status in [0, 1, 2, 3, 4, 5, 70, 111, 112, 115, 126, 127, 180, 255] {
        let script = format!("exit {status}");
        let output = session.token(&["--", "sh", "-c", &script]);
        assert_eq!(output, Output { status, stdout: String::new(), stderr: String::new() });
    }
    let hint = "hint: see 'pkce-token --help'";
    let said = |status: i32, message: &str| bare(failure("pkce-token", status, message));
    let public = "hint: if the client has no secret, register it with token_endpoint_auth_method none; otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";
    assert_eq!(with(&["--refresh"]), said(111, &format!("token endpoint: invalid_client\n{public}")));
    assert_eq!(with(&["--bad"]), said(112, &format!("--bad: no such option\n{hint}")));
    let secret = "--client-secret-file: not a directory";
    assert_eq!(with(&["--refresh", "--client-secret-file", "/dev/null/none"]), said(112, secret));
    session.store(&common::changed(session.document(0, 5), &json!({ "token_endpoint": "http://127.0.0.1:1/" })));
    assert_eq!(with(&[]), said(113, "token endpoint: 127.0.0.1:1: connection refused"));
    session.store(&common::changed(session.document(0, now() + 600), &json!({ "token_type": "mac" })));
    assert_eq!(with(&[]), said(114, "token_type: not Bearer, so no header can be made for it"));
    session.store(&session.document(1, 5));
    assert_eq!(with(&[]), said(115, "token endpoint: invalid_grant"));
    // In JSON, the status is that of the kind.
    let mut tool = session.command("pkce-token");
    let output = finish(tool.args(["work", "--", "true"]).env("PKCE_ERRORS", "json"), b"");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, &error["status"], &error["kind"]), (115, &json!(5), &json!("login_required")));
    // Without a command nothing is different.
    assert_eq!(session.token(&["--"]), failure("pkce-token", 5, "token endpoint: invalid_grant"));
    assert_eq!(session.token(&["--bad"]), failure("pkce-token", 2, &format!("--bad: no such option\n{hint}")));
    assert_eq!(session.token(&["--bad", "--"]), failure("pkce-token", 2, &format!("--bad: no such option\n{hint}")));
}

#[test]
fn sends_no_secret_to_a_server_that_lists_no_way_to_send_it() {
    let session = Session::new(Duration::ZERO);
    let unlisted = json!({ "client_secret": "s3cret", "token_endpoint_auth_methods_supported": ["private_key_jwt"] });
    session.store(&common::changed(session.document(0, 5), &unlisted));
    let wrong = "token_endpoint_auth_methods_supported: lists only private_key_jwt, \
                 so the client secret is not sent\n\
                 hint: choose how to send it with --auth-method, or send no secret with --auth-method none";
    assert_eq!(session.token(&[]), failure("pkce-token", 2, wrong));
    // Nothing was sent: without the secret, the same token is still good for a refresh.
    assert_eq!(session.token(&["--auth-method", "none", "-r", "token_type"]).stdout, "Bearer\n");
}

#[test]
fn tells_a_command_that_is_not_found_from_one_that_cannot_be_executed() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let directory = session.directory.path().display().to_string();
    let plain = session.directory.path().join("plain").display().to_string();
    fs::write(&plain, "exit 0").unwrap();
    for (program, status, wrong) in [
        ("/nowhere/command", 127, "no such file or directory"),
        ("no-such-command", 127, "no such file or directory"),
        ("", 127, "no such file or directory"),
        (&directory, 126, "permission denied"),
        (&plain, 126, "permission denied"),
        (&format!("{plain}/command"), 126, "not a directory"),
    ] {
        let output = session.token(&["--", program]);
        assert_eq!(output, bare(failure("pkce-token", status, &format!("{program}: {wrong}"))));
    }
    let mut tool = session.command("pkce-token");
    let output = finish(tool.args(["work", "--", "/nowhere/command"]).env("PKCE_ERRORS", "json"), b"");
    let error: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, &error["status"], &error["kind"]), (127, &json!(2), &json!("usage")));
}

#[test]
fn replaces_no_sealed_login_by_a_plain_one_whatever_the_token() {
    let session = Session::new(Duration::ZERO);
    let message = "PKCE_SEAL: not set, although PKCE_OPEN is\n\
                   hint: set PKCE_SEAL to the command that encrypts, or unset PKCE_OPEN";
    let opening = |args: &[&str]| {
        let mark = session.directory.path().join("opened").display().to_string();
        let mut tool = session.command("pkce-token");
        let output = finish(tool.arg("work").args(args).env("PKCE_OPEN", format!("touch '{mark}'; cat")), b"");
        assert!(!fs::exists(&mark).unwrap());
        output
    };
    assert_eq!(opening(&[]), failure("pkce-token", 2, message));
    session.store(&session.document(0, now() + 600));
    assert_eq!(opening(&[]), failure("pkce-token", 2, message));
    assert_eq!(opening(&["--", "true"]), bare(failure("pkce-token", 112, message)));
    session.store_expired();
    assert_eq!(opening(&["--", "true"]), bare(failure("pkce-token", 112, message)));
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn tries_a_refresh_that_was_cut_off_once_more() {
    let turns = AtomicUsize::new(0);
    let session = Session::responding(move |grant, token| match turns.fetch_add(1, Ordering::SeqCst) {
        // It never got there; then it got there, and the response was lost.
        0 => Vec::new(),
        1 => rotate(grant, token),
        2 => {
            rotate(grant, token);
            Vec::new()
        }
        _ => rotate(grant, token),
    });
    session.store_expired();
    let cut_off = |output: Output| {
        assert_eq!((output.status, output.stdout.as_str()), (3, "!3 unavailable pkce-token\n"), "{output:?}");
        assert!(output.stderr.ends_with("; the refresh token may be spent; try again to find out\n"), "{output:?}");
        assert!(session.path("work.pending").is_file());
    };
    cut_off(session.token(&[]));
    let record = fs::read_to_string(session.path("work.pending")).unwrap();
    assert!(!record.contains("refresh-") && record.len() == 44, "{record}");
    assert_eq!(session.token(&[]).json()["access_token"], access(1));
    assert!(!session.path("work.pending").exists());
    session.store_expired();
    cut_off(session.token(&[]));
    let hint = "\nhint: run the login again, and store it as work; an earlier refresh was interrupted after the server had \
                replaced this refresh token";
    assert_eq!(session.token(&[]), failure("pkce-token", 5, &format!("token endpoint: invalid_grant{hint}")));
    assert!(!session.path("work.pending").exists());
    assert_eq!(session.token(&[]), failure("pkce-token", 5, "token endpoint: invalid_grant"));
}

#[test]
fn remembers_a_refresh_that_was_cut_off_until_the_token_is_refused() {
    let turns = AtomicUsize::new(0);
    let session = Session::responding(move |grant, token| match turns.fetch_add(1, Ordering::SeqCst) {
        0 => {
            rotate(grant, token);
            Vec::new()
        }
        1 => response(400, "application/json", "{\"error\":\"invalid_scope\"}"),
        2 => response(503, "", ""),
        _ => rotate(grant, token),
    });
    session.store_expired();
    session.token(&[]);
    for _ in 0..2 {
        assert_ne!(session.token(&[]).status, 0);
        assert!(session.path("work.pending").is_file());
    }
    let hint = "hint: run the login again, and store it as work; an earlier refresh was interrupted after the server had \
                replaced this refresh token";
    assert_eq!(session.token(&[]), failure("pkce-token", 5, &format!("token endpoint: invalid_grant\n{hint}")));
    assert!(!session.path("work.pending").exists());
}

#[test]
fn takes_over_what_a_killed_process_has_written_whole() {
    let session = Session::new(Duration::ZERO);
    let whole = session.document(7, now() + 600).to_string();
    let left = session.path(".work.json.a1B2c3D4");
    let leave = |text: &str| {
        fs::write(&left, text).unwrap();
        fs::set_permissions(&left, Permissions::from_mode(0o600)).unwrap();
    };
    session.store_expired();
    leave(&whole);
    assert_eq!(session.token(&["-r", "access_token"]).stdout, format!("{}\n", access(7)));
    assert_eq!((session.refreshes(), number(&session.stored()["refresh_token"]), left.exists()), (0, 7, false));
    for half in ["", "\0\0\0\0", whole.get(..whole.len() - 1).unwrap(), &format!("{whole}\0\0")] {
        session.store_expired();
        leave(half);
        let latest = session.grant.lock().unwrap().latest;
        assert_eq!(session.token(&["-r", "access_token"]).stdout, format!("{}\n", access(latest + 1)));
        assert!(!left.exists());
    }
    // What others may have written is not taken over.
    session.store_expired();
    leave(&whole);
    fs::set_permissions(&left, Permissions::from_mode(0o622)).unwrap();
    let latest = session.grant.lock().unwrap().latest;
    assert_eq!(session.token(&["-r", "access_token"]).stdout, format!("{}\n", access(latest + 1)));
}

#[test]
fn leaves_the_stored_login_unchanged_while_the_server_is_unavailable() {
    for (octets, status, message) in [
        (
            response(503, "", ""),
            3,
            "token endpoint: the server responded with 503; the refresh token may be spent; try again to find out",
        ),
        (
            response(401, "", ""),
            5,
            "token endpoint: the server responded with 401 without an OAuth error\nhint: if the client has a secret, this step \
             needs it too: --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE; otherwise run the login again",
        ),
        (
            response(200, "text/html", "<html>"),
            4,
            "token endpoint: HTML, not JSON (proxy or captive portal?); the refresh token may be spent",
        ),
    ] {
        let session = Session::responding(move |_, _| octets.clone());
        session.store_expired();
        let before = fs::read(session.path("work.json")).unwrap();
        assert_eq!(session.token(&[]), failure("pkce-token", status, message));
        assert_eq!(session.path("work.pending").exists(), status != 5);
        assert_eq!((session.refreshes(), fs::read(session.path("work.json")).unwrap()), (1, before));
    }
}

#[test]
fn spends_nothing_where_the_new_token_could_not_be_stored() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let mut sealing = session.command("pkce-token");
    let output = finish(sealing.arg("work").env("PKCE_SEAL", "exit 1"), b"");
    assert_eq!(
        (output, session.refreshes()),
        (
            failure(
                "pkce-token",
                3,
                "PKCE_SEAL: the command failed (exit status: 1)\nhint: correct the command in PKCE_SEAL first",
            ),
            0
        )
    );
    // A file system of 64 KiB in a namespace of its own, where that is allowed: there is no room for a larger document.
    let script = format!(
        "mkdir -m 700 small && mount -t tmpfs -o size=64k,mode=700 none small || exit 99
        cp -p \"$PKCE_HOME/work.json\" small; export PKCE_HOME='{}/small'; cat small/work.json
        pkce-token work >/dev/null; echo $?; cat small/work.json; ls -A small",
        session.directory.path().display()
    );
    let mut shell = session.command("unshare");
    let output = finish(shell.args(["-Urm", "bash", "-c", &script]).current_dir(session.directory.path()), b"");
    if output.status == 99 || output.stderr.starts_with("unshare:") {
        println!("left out, since this machine mounts nothing for us: the full disk");
        return;
    }
    let stored = fs::read_to_string(session.path("work.json")).unwrap();
    assert_eq!(output.stdout, format!("{stored}3\n{stored}work.json\nwork.lock\n"), "{output:?}");
    assert!(output.stderr.ends_with("/small/work.json: no space left on device\n"), "{output:?}");
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn spends_nothing_where_the_new_token_could_not_be_opened_again() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let before = fs::read(session.path("work.json")).unwrap();
    let mut refreshing = session.command("pkce-token");
    refreshing.arg("work").env("PKCE_SEAL", "tr a-z b-za").env("PKCE_OPEN", "cat");
    let hint = "\nhint: nothing was changed; PKCE_SEAL must encrypt for the key with which PKCE_OPEN decrypts";
    let wrong = "PKCE_SEAL: its output cannot be opened: PKCE_OPEN: the result is not the document";
    assert_eq!(finish(&mut refreshing, b""), failure("pkce-token", 3, &format!("{wrong}{hint}")));
    assert_eq!((session.refreshes(), fs::read(session.path("work.json")).unwrap()), (0, before));
}

#[test]
fn opens_the_stored_login_once_and_the_trial_of_a_refresh_once() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let opened = session.directory.path().join("opened");
    let open = format!("echo >>'{}'; cat", opened.display());
    let output = finish(session.command("pkce-token").arg("work").env("PKCE_SEAL", "cat").env("PKCE_OPEN", open), b"");
    assert_eq!((output.status, session.refreshes()), (0, 1), "{output:?}");
    // Each time may be a prompt for a passphrase.
    assert_eq!(fs::read_to_string(&opened).unwrap(), "\n\n");
}

#[test]
fn spends_nothing_where_the_stored_login_is_a_mount_point() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let script = "mount --bind \"$PKCE_HOME\"/work.json \"$PKCE_HOME\"/work.json || exit 99; exec pkce-token work";
    let output = finish(session.command("unshare").args(["-Urm", "bash", "-c", script]), b"");
    if output.status == 99 || output.stderr.starts_with("unshare:") {
        println!("left out, since this machine mounts nothing for us: the stored login that is a mount point");
        return;
    }
    let (path, directory) = (session.path("work.json").display().to_string(), session.home().display().to_string());
    let hint = format!("\nhint: mount the directory {directory} instead");
    assert_eq!(output, failure("pkce-token", 3, &format!("{path}: a mount point, which cannot be replaced{hint}")));
    assert_eq!((session.refreshes(), session.path("work.pending").exists()), (0, false));
    // The whole document is read all the same.
    assert_eq!(finish(session.command("pkce-load").arg("work"), b"").status, 0);
}

#[test]
fn sends_nothing_where_the_stored_login_cannot_be_used() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    for (name, value) in [
        ("id_token_claims", json!([])),
        ("scope", json!(5)),
        ("resource", json!({})),
        ("client_id", json!("a\nb")),
        ("refresh_token", json!("")),
        ("access_token", json!(7)),
        ("expires_at", json!(-5)),
    ] {
        let mut document = session.document(0, 5);
        document[name] = value;
        fs::write(session.path("work.json"), document.to_string()).unwrap();
        let output = session.token(&[]);
        assert_eq!((output.status, session.refreshes()), (2, 0), "{name}: {output:?}");
        assert!(output.stderr.starts_with(&format!("pkce-token: {name}: ")), "{output:?}");
        assert!(!session.path("work.pending").exists(), "{name}");
    }
    // Nobody waits for a record that is none, and no link is followed.
    session.store_expired();
    let pending = session.path("work.pending");
    make_fifo(&pending);
    let message = format!("{}: not a regular file", pending.display());
    assert_eq!((session.token(&[]), session.refreshes()), (failure("pkce-token", 4, &message), 0));
    fs::remove_file(&pending).unwrap();
    // Another file keeps its content.
    fs::write(session.path("elsewhere"), "notes\n").unwrap();
    fs::hard_link(session.path("elsewhere"), &pending).unwrap();
    let message = format!("{}: has more than one hard link", pending.display());
    assert_eq!((session.token(&[]), session.refreshes()), (failure("pkce-token", 4, &message), 0));
    assert_eq!(fs::read_to_string(session.path("elsewhere")).unwrap(), "notes\n");
    fs::remove_file(&pending).unwrap();
    // A lock that is another file is none.
    let lock = session.path("work.lock");
    fs::remove_file(&lock).unwrap();
    fs::hard_link(session.path("elsewhere"), &lock).unwrap();
    let other = format!("{}: has more than one hard link", lock.display());
    assert_eq!((session.token(&[]), session.refreshes()), (failure("pkce-token", 4, &other), 0));
    fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(session.path("elsewhere"), &pending).unwrap();
    let message = format!("{}: a symbolic link", pending.display());
    assert_eq!((session.token(&[]), session.refreshes()), (failure("pkce-token", 4, &message), 0));
}

#[test]
fn says_what_is_lost_where_it_cannot_be_stored_after_all() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let before = fs::read(session.path("work.json")).unwrap();
    // Seals once, when it is tried out.
    let seal = format!("cd '{}' && mkdir once && cat", session.directory.path().display());
    let output = finish(session.command("pkce-token").arg("work").env("PKCE_SEAL", seal), b"");
    let lost = "the new tokens issued by the server are lost";
    let message = format!("pkce-token: PKCE_SEAL: the command failed (exit status: 1); {lost}\n");
    assert_eq!((output.status, output.stderr.contains(&message)), (5, true), "{output:?}");
    assert_eq!(fs::read(session.path("work.json")).unwrap(), before);
}

#[test]
fn stores_no_token_of_another_person() {
    let id_token = |sub: &str, iss: &str| {
        let part = |json: Value| {
            use base64::Engine;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
        };
        format!("{}.{}.AA", part(json!({ "alg": "ES256" })), part(json!({ "iss": iss, "sub": sub })))
    };
    for (sub, iss, wrong) in [("mallory", "i", "sub"), ("alice", "other", "iss"), ("alice", "i", "")] {
        let id_token = id_token(sub, iss);
        let session = Session::responding(move |_, _| {
            json_response(&json!({ "access_token": access(1), "token_type": "Bearer", "id_token": id_token }))
        });
        let mut document = session.document(0, 5);
        document["id_token_claims"] = json!({ "iss": "i", "sub": "alice" });
        session.store(&document);
        if wrong.is_empty() {
            assert_eq!(session.token(&[]).json()["access_token"], access(1));
            continue;
        }
        let differs = if wrong == "iss" { "other instead of i" } else { "differs from that of the login" };
        let message = format!("id_token: {wrong}: {differs}; the refreshed tokens are not stored");
        assert_eq!(session.token(&[]), failure("pkce-token", 4, &message));
        assert_eq!(session.stored(), document);
    }
}

#[test]
fn passes_the_header_to_the_command_and_nothing_else() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let bash = |args: &str, script: &str| {
        let line = format!("pkce-token work {args} -- bash -c '{script}'");
        finish(session.command("bash").args(["-c", &line]), b"typed\n")
    };
    let header = format!("Authorization: Bearer {}\n", access(1));
    assert_eq!(bash("", "cat; exit 7"), Output { status: 7, stdout: header.clone(), stderr: String::new() });
    // With a descriptor its standard input is its own.
    for fd in [3, 4, 9, 255] {
        let output = bash(&format!("--fd {fd}"), &format!("cat; cat {}{fd}", if fd == 4 { "/dev/fd/" } else { "<&" }));
        assert_eq!(output, Output { status: 0, stdout: format!("typed\n{header}"), stderr: String::new() }, "{fd}");
    }
    let output = bash("--fd 8 8</dev/null", "true");
    let message = "--fd: already open; try another number";
    assert_eq!(output, bare(failure("pkce-token", 112, message)));
    // Nothing of it is in the arguments, the environment or an open file, and the lock is not held.
    let output = bash(
        "",
        "tr \"\\0\" \"\\n\" < /proc/self/cmdline; env; cd /proc/self/fd; readlink *; flock -n $PKCE_HOME/work.lock true && echo free",
    );
    assert!(!output.stdout.contains("access-") && !output.stdout.contains("refresh-"), "{output:?}");
    assert!(!output.stdout.contains("work.") || output.stdout.contains("PKCE_HOME"), "{output:?}");
    assert!(output.stdout.ends_with("free\n"), "{output:?}");
    // Nobody waits for a command that does not read.
    assert_eq!(bash("", "exec true").status, 0);
    // Its end by a signal is ours.
    assert_eq!(bash("", "kill -TERM $$").status, 143);
    assert_eq!(session.refreshes(), 1);
}

#[test]
fn stores_the_new_token_in_the_directory_that_it_checked() {
    // While the server responds, another directory takes the place of the store.
    let (sender, receiver) = mpsc::channel::<std::path::PathBuf>();
    let receiver = Mutex::new(receiver);
    let session = Session::responding(move |grant, token| {
        let store = receiver.lock().unwrap().recv().unwrap();
        fs::rename(&store, store.with_extension("moved")).unwrap();
        fs::create_dir(&store).unwrap();
        rotate(grant, token)
    });
    session.store_expired();
    sender.send(session.home()).unwrap();
    let output = session.token(&["-r", "access_token"]);
    assert_eq!(output, Output { status: 0, stdout: format!("{}\n", access(1)), stderr: String::new() });
    let moved = session.home().with_extension("moved");
    let stored: Value = serde_json::from_str(&fs::read_to_string(moved.join("work.json")).unwrap()).unwrap();
    assert_eq!((number(&stored["refresh_token"]), moved.join("work.pending").exists()), (1, false));
    assert_eq!(fs::read_dir(session.home()).unwrap().count(), 0);
}

/// Prints which of the descriptors from 5 to 9 are open.
const OPEN: &str = "for n in 5 6 7 8 9; do if (: <&$n) 2>/dev/null; then echo $n; fi; done";

#[test]
fn closes_the_descriptor_of_the_secret_for_the_command_and_no_other() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let secret = session.directory.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    std::os::unix::fs::symlink("/dev/fd/5", session.directory.path().join("link")).unwrap();
    let open = |before: &str, args: &str| {
        let line = format!(
            "cd '{}'; exec 5<secret 6<secret 7</dev/null; {before} pkce-token work {args} -- sh -c '{OPEN}'",
            session.directory.path().display()
        );
        let output = finish(session.command("bash").args(["-c", &line]), b"");
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{before} {args}");
        output.stdout
    };
    assert_eq!(open("", ""), "5\n6\n7\n");
    // The file itself, and a descriptor of another process, are not this one.
    assert_eq!(open("", "--client-secret-file secret"), "5\n6\n7\n");
    let mut paths = vec!["/dev/fd/5", "/dev/../dev/fd/5", "link", "./link"];
    if fs::exists("/proc/self/fd").unwrap() {
        paths.extend(["/proc/self/fd/5", "/proc/thread-self/fd/5", "/proc/self/task/../fd/5"]);
    }
    for path in paths {
        assert_eq!(open("", &format!("--client-secret-file {path}")), "6\n7\n", "{path}");
        assert_eq!(open(&format!("PKCE_CLIENT_SECRET_FILE={path}"), ""), "6\n7\n", "{path}");
        // With --fd too, and after a refresh.
        assert_eq!(open("", &format!("--client-secret-file {path} --fd 9")), "6\n7\n9\n", "{path}");
        assert_eq!(open("", &format!("--client-secret-file {path} --refresh")), "6\n7\n", "{path}");
    }
    if fs::exists("/proc/self/fd").unwrap() {
        // The descriptor of the shell, from which this one is inherited, itself and by a link.
        for path in ["/proc/$BASHPID/fd/5", "/proc/$BASHPID/task/$BASHPID/fd/5", "to_shell"] {
            let link = "ln -sf /proc/$BASHPID/fd/5 to_shell;";
            assert_eq!(open(link, &format!("--client-secret-file {path}")), "6\n7\n", "{path}");
            assert_eq!(open(&format!("{link} PKCE_CLIENT_SECRET_FILE={path}"), ""), "6\n7\n", "{path}");
        }
        // Another file has this number here.
        let other = "exec 8<secret; ln -sf /proc/$BASHPID/fd/8 to_shell; exec 9</dev/null;";
        assert_eq!(open(other, "--client-secret-file to_shell 8</dev/null"), "5\n6\n7\n8\n9\n");
    }
    // What the option overrides is named all the same.
    assert_eq!(open("PKCE_CLIENT_SECRET_FILE=/dev/fd/5", "--client-secret-file /dev/fd/6"), "7\n");
    // Of a pipe that was not needed, the command could read the secret.
    assert_eq!(open("exec 5< <(cat secret);", "--client-secret-file /dev/fd/5"), "6\n7\n");
}

#[test]
fn closes_the_descriptor_of_the_secret_for_the_commands_that_seal() {
    let session = Session::new(Duration::ZERO);
    session.store_expired();
    let seen = session.directory.path().join("seen").display().to_string();
    let seal = format!("{{ {OPEN}; }} >>{seen}; cat");
    let line = "exec 5< <(echo s3cret) 6</dev/null; pkce-token work --client-secret-file /dev/fd/5 -r access_token";
    let mut shell = session.command("bash");
    let output = finish(shell.args(["-c", line]).env("PKCE_SEAL", &seal).env("PKCE_OPEN", &seal), b"");
    assert_eq!(output, Output { status: 0, stdout: format!("{}\n", access(1)), stderr: String::new() });
    // Opened, sealed and opened for a trial, sealed.
    assert_eq!(fs::read_to_string(seen).unwrap(), "6\n".repeat(4));
}

#[test]
fn leaves_the_command_no_standard_input_that_names_the_secret() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let script = "cat; echo end; cat <&9";
    for path in ["/dev/stdin", "/dev/fd/0"] {
        let args = ["work", "--client-secret-file", path, "--fd", "9", "--", "sh", "-c", script];
        let output = finish(session.command("pkce-token").args(args), b"s3cret\n");
        let expected = format!("end\nAuthorization: Bearer {}\n", access(0));
        assert_eq!(output, Output { status: 0, stdout: expected, stderr: String::new() }, "{path}");
    }
    let args = ["work", "--fd", "9", "--", "sh", "-c", script];
    let output = finish(session.command("pkce-token").args(args), b"typed\n");
    assert_eq!(output.stdout, format!("typed\nend\nAuthorization: Bearer {}\n", access(0)));
}

#[test]
fn occupies_no_descriptor_that_fd_may_name() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let secret = session.directory.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    for fd in ["3", "4", "5", "6"] {
        let mut tool = session.command("pkce-token");
        tool.args(["work", "--fd", fd, "--client-secret-file"]).arg(&secret);
        let output = finish(tool.args(["--", "sh", "-c", &format!("cat <&{fd}")]), b"");
        let stdout = format!("Authorization: Bearer {}\n", access(0));
        assert_eq!(output, Output { status: 0, stdout, stderr: String::new() }, "{fd}");
    }
}

#[test]
fn starts_the_command_with_the_default_action_of_a_broken_pipe() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let signal = |before: &str, fd: &str, name: &str| {
        let line = format!("{before} pkce-token work {fd} -- sh -c 'kill -{name} $$; echo ignored'");
        let output = finish(session.command("bash").args(["-c", &line]), b"");
        (output.status, output.stdout)
    };
    for before in ["", "trap \"\" PIPE;"] {
        for fd in ["", "--fd 9"] {
            assert_eq!(signal(before, fd, "PIPE"), (141, String::new()), "{before} {fd}");
        }
    }
    // What else the caller ignores stays ignored, as under nohup.
    assert_eq!(signal("trap \"\" HUP;", "", "HUP"), (0, "ignored\n".to_owned()));
}

#[test]
fn passes_on_tokens_of_any_length() {
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, now() + 600);
    document["access_token"] = json!("a".repeat(300_000));
    session.store(&document);
    let output = session.token(&["--", "wc", "-c"]);
    assert_eq!((output.status, output.stdout.trim()), (0, "300023"), "{output:?}");
}

#[test]
fn makes_a_header_of_a_bearer_token_alone() {
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, now() + 600);
    for (token_type, status) in [("bearer", 0), ("BEARER", 0), ("DPoP", 4), ("mac", 4)] {
        document["token_type"] = json!(token_type);
        session.store(&document);
        for (args, more) in [(&["--header"][..], 0), (&["--", "true"], 110)] {
            let output = session.token(args);
            let message = "token_type: not Bearer, so no header can be made for it";
            let refused = bare(failure("pkce-token", status + more, message));
            assert!(if status == 0 { output.status == 0 } else { output == refused }, "{output:?}");
        }
        assert_eq!(session.token(&[]).json()["token_type"], token_type);
    }
    document["token_type"] = json!("Bearer");
    document["access_token"] = json!("a\r\nX: y");
    session.store(&document);
    let message = "access_token: must be one or more visible ASCII characters";
    assert_eq!(session.token(&["--header"]), bare(failure("pkce-token", 2, message)));
}

#[test]
fn finishes_a_refresh_before_a_signal_ends_it() {
    for (name, number) in [
        ("TERM", 143),
        ("INT", 130),
        ("HUP", 129),
        ("QUIT", 131),
        ("USR1", 138),
        ("USR2", 140),
        ("ALRM", 142),
        ("VTALRM", 154),
        ("PROF", 155),
        ("XCPU", 152),
    ] {
        // The response comes after the signal.
        let (signaled, wait) = mpsc::channel();
        let wait = Mutex::new(wait);
        let session = Session::responding(move |grant, token| {
            wait.lock().unwrap().recv().unwrap();
            rotate(grant, token)
        });
        session.store_expired();
        let child = start(
            session.command("pkce-token").args(["work", "--", "touch"]).arg(session.directory.path().join("ran")),
        );
        while session.refreshes() == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        kill(child.id(), name);
        signaled.send(()).unwrap();
        let output = done(child);
        assert_eq!((output.status, output.stdout.as_str(), output.stderr.as_str()), (number, "", ""), "{name}");
        assert_eq!(crate::number(&session.stored()["refresh_token"]), 1, "{name}");
        assert!(!session.directory.path().join("ran").exists() && !session.path("work.pending").exists());
        let files: HashSet<_> = fs::read_dir(session.home()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, HashSet::from(["work.json".into(), "work.lock".into()]), "{name}");
    }
}

#[test]
fn refuses_options_that_do_not_go_together() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let hint = "\nhint: see 'pkce-token --help'";
    for (args, message) in [
        (&["--header", "-r", "access_token"][..], "--header: repeated, or conflicts with another argument"),
        (&["--header", "--", "true"], "--header: repeated, or conflicts with another argument"),
        (&["--fd", "3"], "COMMAND: missing"),
        (&["--fd", "2", "--", "true"], "--fd: must be a whole number from 3 to 255"),
        (&["--min-ttl=-1"], "--min-ttl: must be a whole number from 0 to 4294967295"),
        (&["--timeout", "0"], "--timeout: must be a whole number from 1 to 4294967295"),
        (&["--as", "bearer", "--header"], "--as: repeated, or conflicts with another argument"),
        (&["--as", "bearer", "--", "true"], "--as: repeated, or conflicts with another argument"),
        (&["--host", "api.example"], "--as: missing"),
        (&["--host", "api.example", "get"], "--as: missing"),
        (&["--bogus", "--", "x", "--assume"], "--bogus: no such option"),
        (&["--as", "curl", "--fd", "5"], "--as: repeated, or conflicts with another argument"),
    ] {
        let output = session.token(args);
        let status = if args.contains(&"--") { 112 } else { 2 };
        // A program that runs it shows one line at most.
        let hint = if args.contains(&"--as") { hint.replace("\nhint: ", "; ") } else { hint.to_owned() };
        assert_eq!((output.status, output.stderr), (status, format!("pkce-token: {message}{hint}\n")), "{args:?}");
    }
    assert_eq!(session.token(&["-r", "access_token", "--", "true"]).status, 112);
    assert_eq!(session.refreshes(), 0);
}

#[test]
fn says_what_to_do_where_the_server_has_forgotten_a_registered_client() {
    let session = Session::responding(|_, _| {
        response(401, "application/json", r#"{"error":"invalid_client","error_description":"Client not found"}"#)
    });
    let registered = json!({ "redirect_uris": ["http://127.0.0.1/callback"] });
    session.store(&common::changed(session.document(0, 5), &registered));
    let hint = "hint: the server may not know the client any more: register another one (pkce-register, or pkce-login --register), then sign in";
    let message = format!("token endpoint: invalid_client: Client not found\n{hint}");
    assert_eq!(session.token(&[]), failure("pkce-token", 1, &message));
}

#[test]
fn refreshes_as_the_exchange_was_told_and_remembers_its_own_options() {
    let session = Session::new(Duration::ZERO);
    let mut document = session.document(0, 5);
    document["token_request"] = json!({ "parameters": { "action": "requesttoken" } });
    session.store(&document);
    let output = session.token(&["--scope", "openid", "--param", "client_key=cli"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(output.json().get("token_request"), None);
    let sent = |place: usize| {
        let own = ["action", "client_key", "scope"];
        let form = session.server.requests()[place].form();
        form.into_iter().filter(|(name, _)| own.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let expected = [("action", "requesttoken"), ("client_key", "cli"), ("scope", "openid")];
    assert_eq!(sent(0), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let parameters = json!({ "action": "requesttoken", "client_key": "cli", "scope": "openid" });
    assert_eq!(session.stored()["token_request"], json!({ "parameters": parameters }));
    // The next one needs no options; another scope takes the place of the remembered one.
    assert_eq!(session.token(&["--refresh"]).status, 0);
    assert_eq!(sent(1), sent(0));
    assert_eq!(session.token(&["--refresh", "--scope", "other"]).status, 0);
    assert_eq!(session.stored()["token_request"]["parameters"]["scope"], "other");
}

#[test]
fn remembers_no_option_that_did_not_work() {
    let session = Session::responding(|_, _| response(400, "application/json", "{\"error\":\"invalid_scope\"}"));
    session.store_expired();
    let before = fs::read(session.path("work.json")).unwrap();
    let output = session.token(&["--scope", "wrong"]);
    assert_eq!((output.status, fs::read(session.path("work.json")).unwrap()), (1, before), "{output:?}");
    let mut document = session.document(0, 5);
    document["token_request"] = json!({ "format": "xml" });
    session.store(&document);
    let requests = session.refreshes();
    let wrong = "token_request: format: must be form or json";
    assert_eq!((session.token(&[]), session.refreshes()), (failure("pkce-token", 2, wrong), requests));
    for (args, wrong) in [
        (["--scope", "a\"b"], "scope: must be names separated by single spaces, without \" and \\"),
        (["--param", "grant_type=a"], "--param: grant_type: reserved"),
    ] {
        assert_eq!(session.token(&args), failure("pkce-token", 2, wrong));
    }
}

#[test]
fn runs_the_command_of_the_secret_only_to_refresh_and_without_the_lock() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    // It fails if the lock is held.
    let line = "flock --nonblock store/work.lock true && echo run >> runs && echo s3cret";
    if lacks(&["flock"]) {
        return;
    }
    let runs = session.directory.path().join("runs");
    let token = |args: &[&str]| {
        let mut tool = session.command("pkce-token");
        let line = line.replace("store/work.lock", session.path("work.lock").to_str().unwrap());
        tool.args(["work", "--client-secret-command", &line]).args(args).current_dir(session.directory.path());
        finish(&mut tool, b"")
    };
    assert_eq!((token(&[]).status, runs.exists()), (0, false));
    let output = token(&["--refresh"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert_eq!(fs::read_to_string(runs).unwrap(), "run\n");
    let header = session.server.requests()[0].header("Authorization").map(str::to_owned);
    assert_eq!(header.as_deref(), Some("Basic Y2xpOnMzY3JldA=="));
    assert!(!fs::read_to_string(session.path("work.json")).unwrap().contains("s3cret"));
}

#[test]
fn says_where_a_command_begins_that_has_no_dashes_before_it() {
    let session = Session::new(Duration::ZERO);
    session.store(&session.document(0, now() + 600));
    let hint = "hint: a command must follow --, as in: pkce-token NAME -- COMMAND; quote a value that contains spaces";
    for args in [&["curl", "https://id.example"][..], &["curl", "-H", "@-", "https://id.example"]] {
        assert_eq!(session.token(args), failure("pkce-token", 2, &format!("arguments: too many\n{hint}")));
    }
    let hint = "hint: a command must follow --, as in: pkce-idp -- COMMAND; quote a value that contains spaces";
    assert_eq!(common::run("pkce-idp", &["true"], ""), failure("pkce-idp", 2, &format!("arguments: too many\n{hint}")));
}
