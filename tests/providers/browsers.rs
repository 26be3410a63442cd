//! Browsers: what they send beside the redirect, and what only they send.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::common::{free_port, talk};
use crate::{AuthorizationRequest, OPENID, Provider, assert_granted, usual};

#[test]
fn never_sends_what_only_a_browser_sends() {
    let running = Provider::default().start();
    let port = format!("pkce-url --redirect-uri http://127.0.0.1:{}/callback", free_port());
    let login = OPENID.replace("pkce-url", &port).replace("| pkce-callback", "| pkce-push | pkce-callback");
    let output = running.run(&format!("{login} | pkce-refresh | pkce-verify | pkce-revoke"));
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let seen = running.server.requests();
    let paths = ["/.well-known/openid-configuration", "/par", "/authorize", "/token", "/jwks", "/revoke"];
    assert!(paths.iter().all(|path| running.requests_to(path) > 0), "{seen:?}");
    let plain = ["accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"];
    for (name, _) in seen.iter().flat_map(|seen| &seen.headers) {
        assert!(plain.contains(&name.to_ascii_lowercase().as_str()), "{name}");
    }
}

/// The response of the listener that waits for this to another request.
fn listener(asked: &AuthorizationRequest, method: &str, target: &str, rest: &str) -> String {
    let authority = asked.redirect_uri.split('/').nth(2).unwrap();
    let port = authority.rsplit(':').next().unwrap().parse().unwrap();
    talk(port, format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\n{rest}").as_bytes())
}

/// Logs in at a server in whose login the browser sends something else before the redirect, and gives the pages that it
/// gets for that.
fn beside(requests: impl Fn(&AuthorizationRequest) -> Vec<String> + Send + Sync + 'static) -> Vec<String> {
    let pages: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&pages);
    let redirect = Box::new(move |asked: &AuthorizationRequest| {
        *seen.lock().unwrap() = requests(asked);
        format!("code={}&state={}", asked.code, asked.state)
    });
    assert_granted(&Provider { redirect, ..Provider::default() }.run(OPENID), "", usual(json!({})));
    std::mem::take(&mut pages.lock().unwrap())
}

#[test]
fn responds_to_apples_form_and_waits_for_the_query() {
    let pages = beside(|asked| {
        let body = format!("state={}&code=of-the-form&user=%7B%7D", asked.state);
        let origin = "Origin: https://appleid.apple.com\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let rest = format!("{origin}Content-Length: {}\r\n\r\n{body}", body.len());
        vec![listener(asked, "POST", "/callback", &rest)]
    });
    let told = |page: &String| page.starts_with("HTTP/1.1 405 ") && page.contains("(response_mode=query)");
    assert!(pages.len() == 1 && pages.iter().all(told), "{pages:?}");
}

#[test]
fn spends_no_code_on_what_chrome_sends_before_and_beside_the_redirect() {
    let silent = Mutex::new(Vec::new());
    let pages = beside(move |asked| {
        let target = format!("/callback?code={}&state={}", asked.code, asked.state);
        let requests = [
            ("GET", "/favicon.ico", "\r\n"),
            ("OPTIONS", &target, "Origin: https://id.example\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"),
            ("HEAD", &target, "\r\n"),
            ("GET", &target, "Sec-Fetch-Mode: cors\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
            ("GET", &target, "Sec-Purpose: prefetch\r\n\r\n"),
        ];
        let responses = requests.map(|(method, target, rest)| {
            // A connection that is open for the case that it is needed, and never is.
            let authority = asked.redirect_uri.split('/').nth(2).unwrap();
            silent.lock().unwrap().push(TcpStream::connect(authority).unwrap());
            listener(asked, method, target, rest)
        });
        responses.to_vec()
    });
    let statuses: Vec<&str> = pages.iter().map(|page| page.split(' ').nth(1).unwrap()).collect();
    assert_eq!(statuses, ["404", "405", "405", "403", "425"]);
    assert!(pages.iter().all(|page| page.contains("\r\nConnection: close\r\n")), "{pages:?}");
}
