//! A test network: plain http to a host that PKCE_HTTP_HOSTS names.

use serde_json::json;

use crate::common::{Output, changed, failure, finish, new_directory};
use crate::{OPENID, Provider, Running, assert_granted, endpoints, quiet, usual};

/// Runs a script where the name keycloak leads to this machine; nothing where the system lets nobody arrange that.
fn at_keycloak(running: &Running, hosts: &str, script: &str) -> Option<Output> {
    let directory = new_directory();
    let (names, browser) = (directory.path().join("hosts"), directory.path().join("browser"));
    std::fs::write(&names, "127.0.0.1 localhost keycloak\n").unwrap();
    // The browser is outside, where the name means nothing.
    let visit = format!("exec pkce-idp --visit \"{}?${{1#*\\?}}\"", running.server.url("/authorize"));
    std::fs::write(&browser, visit).unwrap();
    let mount = format!("mount --bind '{}' /etc/hosts", names.display());
    let inside = |unshare: &str, script: &str| {
        let mut command = running.command("bash");
        command.args(["-c", &format!("{unshare} bash -c \"$INSIDE\"")]).env("INSIDE", format!("{mount} && {script}"));
        command.env("BROWSER", format!("bash {} %s", browser.display())).env("PKCE_HTTP_HOSTS", hosts);
        command.env("PKCE_ISSUER", running.issuer.replace("127.0.0.1", "keycloak"));
        finish(&mut command, b"")
    };
    let ways = ["unshare --mount --map-root-user", "unshare --mount"];
    let Some(unshare) = ways.into_iter().find(|unshare| inside(unshare, "true").status == 0) else {
        println!("left out, since unshare is not permitted here: a server at http://keycloak");
        return None;
    };
    Some(quiet(inside(unshare, script)))
}

#[test]
fn logs_in_at_a_test_networks_keycloak_where_its_name_is_given() {
    let keycloak = || Provider { path: "/realms/x", ..Provider::default() }.start();
    for hosts in ["keycloak", "other:1 keycloak:PORT"] {
        let running = keycloak();
        let port = running.server.port.to_string();
        let Some(output) = at_keycloak(&running, &hosts.replace("PORT", &port), OPENID) else { return };
        assert_granted(&output, "", usual(json!({})));
        assert_eq!(output.json()["issuer"], format!("http://keycloak:{port}/realms/x"));
    }
    let running = keycloak();
    let message = "issuer: plain http is only allowed to this machine; use https\n\
                   hint: for a test network, list its hosts in PKCE_HTTP_HOSTS, such as keycloak:8080";
    for hosts in ["", "keycloak:1", "cloak"] {
        let output = at_keycloak(&running, hosts, OPENID).unwrap();
        assert_eq!(output, failure("pkce-discover", 4, message), "{hosts}");
    }
    assert_eq!(running.server.requests().len(), 0);
}

#[test]
fn lets_no_server_elsewhere_have_a_test_networks_host_called() {
    let login = "pkce-gen <(echo \"$DOCUMENT\") | pkce-url | pkce-callback | pkce-exchange";
    for (name, path, script, tool) in [
        ("authorization_endpoint", "/authorize", login, "pkce-url"),
        ("token_endpoint", "/token", login, "pkce-exchange"),
        ("token_endpoint", "/token", "echo \"$DOCUMENT\" | pkce-refresh", "pkce-refresh"),
        ("revocation_endpoint", "/revoke", "echo \"$DOCUMENT\" | pkce-revoke", "pkce-revoke"),
    ] {
        let running = Provider::default().start();
        let here = format!("http://keycloak:{}{path}", running.server.port);
        let known = json!({
            "issuer": "https://id.example", "client_id": "cli", "access_token": "a", "refresh_token": "r", name: here,
        });
        let document = changed(endpoints("https://id.example"), &known);
        let script = format!("export DOCUMENT='{document}'; {script}");
        let Some(output) = at_keycloak(&running, "keycloak", &script) else { return };
        let message = format!("{name}: a remote server must not point to this machine");
        assert_eq!((output, running.requests_to(path)), (failure(tool, 4, &message), 0));
    }
}
