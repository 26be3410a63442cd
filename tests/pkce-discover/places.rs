//! Where the metadata of an issuer is looked for, and what is said where it is nowhere.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::common::{Output, Server, changed, command, failure, finish, json_response, response, run};
use crate::tls::HttpsProxy;
use crate::{issuer_of, metadata, redirect, targets, with_response};

/// The three places of the issuer `/t`, in their order.
const PLACES: [&str; 3] = [
    "/t/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/t",
    "/.well-known/openid-configuration/t",
];

/// The response to a request for this path, where the issuer is `/t` and its metadata is at `place`.
fn metadata_at(place: &'static str, elsewhere: Vec<u8>) -> Server {
    Server::start(move |seen| {
        if seen.target == place {
            return json_response(&metadata(&format!("{}/t", issuer_of(seen))));
        }
        elsewhere.clone()
    })
}

/// What a place may have instead of this issuer's metadata, and the status and the message if all have it.
fn others() -> Vec<(Vec<u8>, i32, String)> {
    let large = format!("{{\"issuer\":\"{}\"}}", "a".repeat(2 * 1024 * 1024));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(65), "]".repeat(65));
    let by_hand = "\nhint: write the document by hand: \
                   {\"authorization_endpoint\":\"URL\",\"token_endpoint\":\"URL\"}; see pkce-discover(1)";
    let refused = [400, 401, 403, 405, 406, 410, 418];
    let unavailable = [429, 500, 502, 503, 504];
    let statuses = refused.map(|status| (status, 1)).into_iter().chain(unavailable.map(|status| (status, 3)));
    let mut others: Vec<(Vec<u8>, i32, String)> = statuses
        .map(|(status, ends)| (response(status, "", ""), ends, format!("the server responded with {status}")))
        .collect();
    let invalid: [(Vec<u8>, &str); 14] = [
        (response(204, "", ""), "the server responded with 204"),
        (response(200, "text/html", "<html>app</html>"), "HTML, not JSON (proxy or captive portal?)"),
        (response(200, "application/json", ""), "not a JSON object: unexpected end"),
        (response(200, "application/json", "[]"), "not a JSON object"),
        (response(200, "application/json", "{"), "not a JSON object: unexpected end"),
        (response(200, "application/json", "{}{}"), "not JSON at line 1, column 3"),
        (response(200, "application/json", "{\"issuer\":1,\"issuer\":1}"), "issuer: duplicate"),
        (response(200, "application/json", "{\"a\":{\"b\":1,\"b\":2}}"), "a: b: duplicate"),
        (response(200, "application/json", &deep), "a: nested deeper than 64"),
        (response(200, "application/json", "{\"issuer\":[\"a\"]}"), "issuer: must be a string"),
        (response(200, "application/json", &large), "the response is larger than 1 MiB"),
        (redirect(302, "http://127.0.0.1:1/"), "redirect (302) to http://127.0.0.1:1/ not followed"),
        (redirect(302, "//other.example/a"), "redirect (302) to //other.example/a not followed"),
        (response(304, "", ""), "the server responded with 304"),
    ];
    others.extend(invalid.map(|(octets, wrong)| (octets, 4, wrong.to_owned())));
    for unnamed in ["{}", "{\"issuer\":null}"] {
        others.push((response(200, "application/json", unnamed), 4, format!("issuer: missing{by_hand}")));
    }
    others
}

#[test]
fn goes_on_to_the_next_place_from_whatever_is_not_the_metadata_of_this_issuer() {
    for (octets, _, wrong) in others() {
        for (place, count) in PLACES.into_iter().zip(1..) {
            let server = metadata_at(place, octets.clone());
            let output = run("pkce-discover", &[&server.url("/t")], "");
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{wrong}: {output:?}");
            assert_eq!(output.json(), metadata(&server.url("/t")));
            assert_eq!(targets(&server), PLACES[..count], "{wrong}");
        }
    }
    // Metadata of another issuer, which one place of a server with several may have.
    let server = Server::start(|seen| {
        let issuer = if seen.target == PLACES[2] { "/t" } else { "" };
        json_response(&metadata(&format!("{}{issuer}", issuer_of(seen))))
    });
    assert_eq!(run("pkce-discover", &[&server.url("/t")], "").json(), metadata(&server.url("/t")));
}

#[test]
fn looks_at_each_place_once_where_the_issuer_has_no_path() {
    for (octets, status, wrong) in others() {
        let (output, targets) = with_response(octets);
        assert_eq!(output, failure("pkce-discover", status, &format!("metadata: {wrong}")));
        assert_eq!(targets, ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]);
    }
}

#[test]
fn says_what_tells_most_where_no_place_has_the_metadata() {
    let other = |issuer: &str| json_response(&metadata(issuer));
    let page = || response(200, "text/html", "<html>");
    let (none, denied, busy) = (|| response(404, "", ""), || response(401, "", ""), || response(503, "", ""));
    let (is_page, is_busy) = ("HTML, not JSON (proxy or captive portal?)", "the server responded with 503");
    for (octets, status, wrong) in [
        ([busy(), other("https://a.example"), page()], 3, is_busy),
        ([none(), page(), busy()], 3, is_busy),
        ([busy(), response(429, "", ""), none()], 3, is_busy),
        ([page(), other("https://a.example"), none()], 4, "issuer: https://a.example instead of "),
        ([other("https://a.example"), other("https://b.example"), page()], 4, "issuer: https://a.example instead of "),
        (
            [denied(), redirect(302, "https://a.example/x"), page()],
            4,
            "redirect (302) to https://a.example/x not followed",
        ),
        ([none(), denied(), page()], 4, is_page),
        ([none(), denied(), none()], 1, "the server responded with 401"),
        ([denied(), response(403, "", ""), none()], 1, "the server responded with 401"),
    ] {
        let server =
            Server::start(move |seen| octets[PLACES.iter().position(|place| seen.target == *place).unwrap()].clone());
        let issuer = server.url("/t");
        let wrong = if wrong.ends_with(' ') { format!("{wrong}{issuer}") } else { wrong.to_owned() };
        let output = run("pkce-discover", &[&issuer], "");
        assert_eq!(output, failure("pkce-discover", status, &format!("metadata: {wrong}")));
        assert_eq!(targets(&server), PLACES);
    }
}

#[test]
fn says_where_else_to_look_where_nothing_is_found() {
    let server = Server::start(|_| response(404, "text/html", "<h1>none"));
    let by_hand = "if there is no metadata, write the document by hand: \
                   {\"authorization_endpoint\":\"URL\",\"token_endpoint\":\"URL\"}; see pkce-discover(1)";
    let path = format!("an issuer may have a path, such as {}/realms/NAME", server.url(""));
    let api = format!(
        "check the path (realm, tenant) first; if this is an API or an MCP server: pkce-discover --resource {}",
        server.url("/t")
    );
    let [hint, api] = [path, api].map(|hint| format!("\nhint: {hint}; {by_hand}"));
    for (path, hint) in [("", &hint), ("/", &hint), ("/t", &api)] {
        let output = run("pkce-discover", &[&server.url(path)], "");
        assert_eq!(output, failure("pkce-discover", 1, &format!("metadata: not found (404){hint}")));
    }
}

#[test]
fn ends_at_once_where_the_server_cannot_be_reached() {
    for (octets, status, wrong) in [
        (Vec::new(), 3, "the server closed the connection"),
        (b"no HTTP at all\r\n\r\n".to_vec(), 4, "the response is not valid HTTP"),
    ] {
        let server = Server::start(move |_| octets.clone());
        let output = run("pkce-discover", &["--timeout", "5", &server.url("")], "");
        let message = format!("127.0.0.1:{}: {wrong}", server.port);
        assert_eq!((output, targets(&server).len()), (failure("pkce-discover", status, &message), 1));
    }
    // The second place, in the time that the first has left.
    let slow = Server::speaking(|seen, stream| {
        if seen.target == PLACES[0] {
            std::thread::sleep(std::time::Duration::from_millis(300));
            let _ = stream.write_all(&response(404, "", ""));
            return;
        }
        for octet in b"HTTP/1.1 200 OK\r\nX-Long: ".iter().chain(std::iter::repeat_n(&b'a', 400)) {
            if stream.write_all(&[*octet]).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    });
    let output = run("pkce-discover", &["--timeout", "1", &slow.url("/t")], "");
    assert_eq!(output, failure("pkce-discover", 3, &format!("127.0.0.1:{}: no response within 1 s", slow.port)));
    assert_eq!(targets(&slow), PLACES[..2]);
}

#[test]
fn says_that_the_url_may_be_an_api_s_where_its_origin_is_the_issuer() {
    let server = Server::start(|seen| json_response(&metadata(&issuer_of(seen))));
    let (issuer, url) = (server.url(""), server.url("/mcp"));
    let message = format!(
        "metadata: issuer: {issuer} instead of {url}\n\
         hint: if this is an API or an MCP server: pkce-discover --resource {url}"
    );
    assert_eq!(run("pkce-discover", &[&url], ""), failure("pkce-discover", 4, &message));
}

#[test]
fn names_both_issuers_and_the_right_command_where_only_a_final_slash_differs() {
    let server = Server::start(|seen| {
        let path =
            if seen.target.contains("/without") || seen.target.contains("/other") { "/without" } else { "/with/" };
        json_response(&metadata(&format!("{}{path}", issuer_of(seen))))
    });
    for (asked, named, only_slash) in
        [("/with", "/with/", true), ("/without/", "/without", true), ("/other", "/without", false)]
    {
        let (asked, named) = (server.url(asked), server.url(named));
        let hint = format!("\nhint: only the trailing slash differs; use: pkce-discover {named}");
        let message = format!("metadata: issuer: {named} instead of {asked}{}", if only_slash { &hint } else { "" });
        assert_eq!(run("pkce-discover", &[&asked], ""), failure("pkce-discover", 4, &message));
        assert_eq!(run("pkce-discover", &[&named], "").status, 0);
    }
}

#[test]
fn names_the_issuer_where_only_the_spelling_of_this_machine_differs() {
    let server = Server::start(|seen| {
        json_response(&metadata(&format!("http://{}", seen.header("Host").unwrap().replace("localhost", "127.0.0.1"))))
    });
    let requested = server.url("").replace("127.0.0.1", "localhost");
    let output = run("pkce-discover", &[&requested], "");
    let message = format!(
        "metadata: issuer: {issuer} instead of {requested}\n\
         hint: different spellings are different issuers; use: pkce-discover {issuer}",
        issuer = server.url("")
    );
    assert_eq!(output, failure("pkce-discover", 4, &message));
}

#[test]
fn requires_one_tenant_where_the_issuer_is_a_pattern_for_many() {
    let server = Server::start(|seen| json_response(&metadata(&format!("{}/{{tenantid}}/v2.0", issuer_of(seen)))));
    for asked in ["/common/v2.0", "/organizations/v2.0"] {
        let (named, asked) = (server.url("/{tenantid}/v2.0"), server.url(asked));
        let hint = "hint: the metadata names a template for all tenants; use your tenant's own issuer";
        let message = format!("metadata: issuer: {named} instead of {asked}\n{hint}");
        assert_eq!(run("pkce-discover", &[&asked], ""), failure("pkce-discover", 4, &message));
    }
}

#[test]
fn fetches_metadata_elsewhere_alone_where_it_is_told_to() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/policies?p=B2C_1_sign%20in&x" => json_response(&metadata(&format!("{}/t", issuer_of(seen)))),
        "/other" => json_response(&metadata("https://id.example")),
        _ => response(404, "", ""),
    });
    let (issuer, place) = (server.url("/t"), server.url("/policies?p=B2C_1_sign%20in&x"));
    let discover = |url: &str| run("pkce-discover", &[&issuer, "--metadata-url", url], "");
    let output = discover(&place);
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, metadata(&issuer), ""));
    let mut by_environment = command("pkce-discover");
    let output = finish(by_environment.env("PKCE_ISSUER", &issuer).args(["--metadata-url", &place]), b"");
    assert_eq!(output.json(), metadata(&issuer));
    let message = format!("metadata: issuer: https://id.example instead of {issuer}");
    assert_eq!(discover(&server.url("/other")), failure("pkce-discover", 4, &message));
    assert_eq!(discover(&server.url("/none")), failure("pkce-discover", 1, "metadata: not found (404)"));
    assert_eq!(server.requests().len(), 4);
    let hint = "hint: see 'pkce-discover --help'";
    for (args, message) in [
        (&["https://a.example", "--metadata-url", "b.example"][..], "--metadata-url: must begin with https://"),
        (
            &["https://a.example", "--metadata-url", "https://b.example/#c"],
            "--metadata-url: must not have a fragment (#)",
        ),
        (&["--metadata-url", "https://b.example"], "issuer: missing\nhint: give it as an argument, or set PKCE_ISSUER"),
        (
            &["--metadata-url", "https://b.example", "--resource", "https://c.example"],
            &format!("--metadata-url: repeated, or conflicts with another argument\n{hint}"),
        ),
    ] {
        assert_eq!(run("pkce-discover", args, ""), failure("pkce-discover", 2, message), "{args:?}");
    }
    let local = "--metadata-url: on this machine, but the issuer is not";
    for url in [&place, "https://localhost/m"] {
        let output = run("pkce-discover", &["https://id.example", "--metadata-url", url], "");
        assert_eq!(output, failure("pkce-discover", 4, local));
    }
}

#[test]
fn says_how_an_issuer_is_written() {
    let web_finger = "an account, not an issuer; WebFinger can find its issuer\n\
                      hint: replace USER: curl -sSfG https://id.example/.well-known/webfinger -d resource=acct:USER@id.example \
                      -d rel=http://openid.net/specs/connect/1.0/issuer | jq -r '.links[] | select(.rel | endswith(\"/issuer\")).href'";
    for (issuer, wrong) in [
        ("id.example", "must begin with https://\nhint: try https://id.example"),
        ("id.example:8443/t", "must begin with https://\nhint: try https://id.example:8443/t"),
        ("alice@id.example", web_finger),
        ("acct:alice@id.example", web_finger),
        ("alice@", "must begin with https://"),
        ("a b", "must begin with https://"),
        ("https://alice@id.example", "must not have a user name or password"),
        ("ftp://id.example", "must begin with https://"),
        ("https://id.example/t?a=b", "must not have a query (?)"),
        (
            "https://id.example/.well-known/openid-configuration",
            "the URL of a metadata document, not of the server or resource\nhint: try https://id.example",
        ),
        (
            "https://id.example/realms/x/.well-known/openid-configuration",
            "the URL of a metadata document, not of the server or resource\nhint: try https://id.example/realms/x",
        ),
        (
            "https://id.example/.well-known/oauth-authorization-server/realms/x",
            "the URL of a metadata document, not of the server or resource\nhint: try https://id.example/realms/x",
        ),
    ] {
        let output = run("pkce-discover", &[issuer], "");
        assert_eq!(output, failure("pkce-discover", 2, &format!("issuer: {wrong}")), "{issuer}");
        assert!(!output.stderr.contains("alice"));
    }
}

/// What a server with these changes in its metadata leads to.
fn with_changes(changes: &Value) -> (Output, Value) {
    let changes = changes.clone();
    let server = Server::start(move |seen| json_response(&changed(metadata(&issuer_of(seen)), &changes)));
    (run("pkce-discover", &[&server.url("")], ""), metadata(&server.url("")))
}

#[test]
fn leaves_out_an_endpoint_that_cannot_be_used_unless_a_login_needs_it() {
    for (value, wrong) in [
        (json!(""), "not a URL"),
        (json!("http://id.example/x"), "plain http is only allowed to this machine; use https"),
        (json!("javascript:alert(1)"), "not an absolute URL with a host"),
        (json!("https://id.example/#x"), "must not have a fragment (#)"),
        (json!("http://0x7f.1/x"), "the host must not be another spelling of an IP address or of localhost"),
        (json!(5), "must be a string"),
    ] {
        for name in [
            "jwks_uri",
            "revocation_endpoint",
            "registration_endpoint",
            "pushed_authorization_request_endpoint",
            "userinfo_endpoint",
            "end_session_endpoint",
            "device_authorization_endpoint",
        ] {
            let (output, metadata) = with_changes(&json!({ name: value }));
            let note = format!("pkce-discover: note: metadata: {name}: {wrong}; left out\n");
            assert_eq!((output.status, output.stderr.as_str()), (0, note.as_str()));
            assert_eq!(output.json(), changed(metadata, &json!({ name: null })));
        }
        for name in ["authorization_endpoint", "token_endpoint"] {
            let (output, _) = with_changes(&json!({ name: value }));
            assert_eq!(output, failure("pkce-discover", 4, &format!("metadata: {name}: {wrong}")));
        }
    }
}

#[test]
fn refuses_lists_and_flags_that_are_none_if_they_decide_how_a_login_is_done() {
    for (name, value, wrong) in [
        ("code_challenge_methods_supported", json!(5), "must be a string or an array of strings"),
        ("id_token_signing_alg_values_supported", json!({}), "must be a string or an array of strings"),
        ("token_endpoint_auth_methods_supported", json!([5]), "must be an array of strings"),
        ("require_pushed_authorization_requests", json!("true"), "must be true or false"),
        ("authorization_response_iss_parameter_supported", json!([]), "must be true or false"),
    ] {
        let (output, _) = with_changes(&json!({ name: value }));
        assert_eq!(output, failure("pkce-discover", 4, &format!("metadata: {name}: {wrong}")));
    }
}

#[test]
fn leaves_out_other_lists_and_flags_that_are_none() {
    for (name, value, wrong) in [
        ("scopes_supported", json!({}), "must be a string or an array of strings"),
        ("grant_types_supported", json!([5]), "must be an array of strings"),
        ("response_modes_supported", json!(5), "must be a string or an array of strings"),
        ("dpop_signing_alg_values_supported", json!([[]]), "must be an array of strings"),
        ("client_id_metadata_document_supported", json!(1), "must be true or false"),
    ] {
        let (output, mut expected) = with_changes(&json!({ name: value }));
        expected.as_object_mut().unwrap().remove(name);
        let note = format!("pkce-discover: note: metadata: {name}: {wrong}; left out\n");
        assert_eq!((output.status, output.json(), output.stderr), (0, expected, note));
    }
}

#[test]
fn prints_what_later_steps_may_need() {
    let more = json!({
        "device_authorization_endpoint": "https://id.example/device", "client_id_metadata_document_supported": true,
        "scopes_supported": ["openid"], "grant_types_supported": ["authorization_code"],
        "response_modes_supported": ["query"], "dpop_signing_alg_values_supported": ["ES256"],
    });
    let (output, metadata) = with_changes(&more);
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, changed(metadata, &more), ""));
}

#[test]
fn lets_no_server_elsewhere_name_endpoints_on_this_machine() {
    let endpoint: Arc<Mutex<(String, String)>> = Arc::default();
    let change = Arc::clone(&endpoint);
    let proxy = HttpsProxy::start(move |_, _| {
        let (name, url) = change.lock().unwrap().clone();
        json_response(&changed(metadata("https://id.example"), &json!({ name: url })))
    });
    for (name, is_required) in [
        ("authorization_endpoint", true),
        ("token_endpoint", true),
        ("jwks_uri", false),
        ("revocation_endpoint", false),
        ("registration_endpoint", false),
        ("pushed_authorization_request_endpoint", false),
        ("userinfo_endpoint", false),
        ("end_session_endpoint", false),
        ("device_authorization_endpoint", false),
    ] {
        for url in [
            "http://127.0.0.1:9/x",
            "https://127.0.0.1/x",
            "http://[::1]:9/x",
            "http://localhost:9/x",
            "https://LOCALHOST:18445/x",
            "https://id.localhost/x",
        ] {
            *endpoint.lock().unwrap() = (name.to_owned(), url.to_owned());
            let mut tool = command("pkce-discover");
            proxy.trusted_by(tool.arg("https://id.example"));
            let output = finish(&mut tool, b"");
            let message = format!("metadata: {name}: a remote server must not point to this machine");
            if is_required {
                assert_eq!(output, failure("pkce-discover", 4, &message), "{url}");
                continue;
            }
            let note = format!("pkce-discover: note: {message}; left out\n");
            assert_eq!((output.status, output.stderr.as_str(), &output.json()[name]), (0, note.as_str(), &Value::Null));
        }
    }
}

#[test]
fn lists_each_url_with_its_outcome_for_a_program_and_in_a_trace() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/t/.well-known/openid-configuration" => response(200, "text/html", "<html>"),
        "/.well-known/oauth-authorization-server/t" => json_response(&metadata("https://other.example")),
        _ => response(404, "", ""),
    });
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_ERRORS", "json").arg(server.url("/t")), b"");
    let wrong = format!("metadata: issuer: https://other.example instead of {}", server.url("/t"));
    let outcomes = ["metadata: HTML, not JSON (proxy or captive portal?)", &wrong, "metadata: not found (404)"];
    let attempts =
        PLACES.iter().zip(outcomes).map(|(place, outcome)| json!({ "url": server.url(place), "outcome": outcome }));
    let expected = json!({
        "tool": "pkce-discover", "status": 4, "kind": "untrusted", "message": wrong, "member": "issuer",
        "expected": server.url("/t"), "received": "https://other.example", "attempts": attempts.collect::<Vec<_>>(),
    });
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    assert_eq!((output.status, output.stderr.lines().count(), said), (4, 1, expected));
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_TRACE", "1").arg(server.url("/t")), b"");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let length = metadata("https://other.example").to_string().len();
    let got = ["200, 6 bytes".to_owned(), format!("200, {length} bytes"), "404, 0 bytes".to_owned()];
    assert_eq!(lines.len(), 7, "{output:?}");
    for (at, place) in PLACES.into_iter().enumerate() {
        let start = format!("pkce-discover: trace: GET {}: {}, ", server.url(place), got[at]);
        assert!(lines[2 * at].starts_with(&start) && lines[2 * at].ends_with(" ms"), "{output:?}");
        assert_eq!(lines[2 * at + 1], format!("pkce-discover: trace: {}: {}", server.url(place), outcomes[at]));
    }
}

#[test]
fn lists_the_places_up_to_a_connection_that_fails() {
    let server = Server::start(|seen| if seen.target == PLACES[0] { response(404, "", "") } else { Vec::new() });
    let mut tool = command("pkce-discover");
    let output = finish(tool.env("PKCE_ERRORS", "json").arg(server.url("/t")), b"");
    let said: Value = serde_json::from_str(&output.stderr).unwrap();
    let closed = format!("127.0.0.1:{}: the server closed the connection", server.port);
    let attempts = json!([
        { "url": server.url(PLACES[0]), "outcome": "metadata: not found (404)" },
        { "url": server.url(PLACES[1]), "outcome": closed },
    ]);
    assert_eq!((output.status, &said["attempts"]), (3, &attempts));
}
