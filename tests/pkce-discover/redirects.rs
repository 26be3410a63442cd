//! Which redirects are followed on the way to metadata: those within the origin, three at most.

use serde_json::json;

use crate::common::{Server, command, failure, finish, json_response, response, run};
use crate::tls::HttpsProxy;
use crate::{issuer_of, metadata, redirect};

const PLACE: &str = "/.well-known/openid-configuration";

#[test]
fn are_followed_within_the_origin_however_they_are_written() {
    for status in [301, 302, 303, 307, 308] {
        for (location, target) in [
            ("/index.php/.well-known/openid-configuration", "/index.php/.well-known/openid-configuration"),
            ("ORIGIN/m?a=b#c", "/m?a=b"),
            ("//AUTHORITY/m", "/m"),
            ("m", "/.well-known/m"),
            ("../m", "/m"),
            ("?a", "/.well-known/openid-configuration?a"),
            ("HTTP://AUTHORITY/m", "/m"),
        ] {
            let server = Server::start(move |seen| {
                let authority = seen.header("Host").unwrap();
                let location = location.replace("ORIGIN", "http://AUTHORITY").replace("AUTHORITY", authority);
                match seen.target.as_str() {
                    PLACE => redirect(status, &location),
                    found if found == target => json_response(&metadata(&issuer_of(seen))),
                    _ => response(404, "", ""),
                }
            });
            let output = run("pkce-discover", &[&server.url("")], "");
            assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{status} {location}: {output:?}");
            assert_eq!(output.json(), metadata(&server.url("")));
            let targets: Vec<String> = server.requests().into_iter().map(|seen| seen.target).collect();
            assert_eq!(targets, [PLACE, target]);
        }
    }
}

#[test]
fn are_followed_three_times_at_most() {
    let server = Server::start(|seen| match seen.target.as_str() {
        PLACE => redirect(302, "/1"),
        "/1" => redirect(302, "/2"),
        "/2" => redirect(302, "/3"),
        "/3" => json_response(&metadata(&issuer_of(seen))),
        _ => response(404, "", ""),
    });
    assert_eq!(run("pkce-discover", &[&server.url("")], "").json(), metadata(&server.url("")));
    let server = Server::start(|seen| match seen.target.as_str() {
        "/.well-known/oauth-authorization-server" => response(404, "", ""),
        at => redirect(302, &format!("{at}/a")),
    });
    let output = run("pkce-discover", &[&server.url("")], "");
    let message = format!("metadata: redirect (302) to {PLACE}/a/a/a/a not followed");
    assert_eq!((output, server.requests().len()), (failure("pkce-discover", 4, &message), 5));
}

#[test]
fn are_not_followed_to_another_origin_which_is_named() {
    let other = Server::start(|seen| json_response(&metadata(&issuer_of(seen))));
    let elsewhere = other.url(PLACE);
    let localhost = elsewhere.replace("127.0.0.1", "localhost");
    for status in [301, 302, 303, 307, 308] {
        for location in [
            elsewhere.as_str(),
            &localhost,
            &elsewhere.replace("http:", ""),
            "https://id.example/.well-known/openid-configuration",
            "http://127.0.0.1/",
            "file:///etc/passwd",
            "//",
            "http://user@127.0.0.1/",
        ] {
            let octets = redirect(status, location);
            let server = Server::start(move |_| octets.clone());
            let output = run("pkce-discover", &[&server.url("")], "");
            let shown = location.replace("user@", "...@");
            let message = format!("metadata: redirect ({status}) to {shown} not followed");
            assert_eq!((output, server.requests().len()), (failure("pkce-discover", 4, &message), 2));
        }
    }
    // To another origin and back again.
    let back = Server::start(|seen| match seen.target.as_str() {
        PLACE => redirect(302, "http://localhost:9/"),
        _ => json_response(&metadata(&issuer_of(seen))),
    });
    assert_eq!(run("pkce-discover", &[&back.url("/")], "").status, 4);
    assert_eq!(other.requests().len(), 0);
}

#[test]
fn show_a_long_or_strange_target_only_as_far_as_it_is_harmless() {
    let long = format!("https://id.example/{}", "a".repeat(300));
    for (location, shown) in [
        (long.as_str(), long.get(..200).unwrap()),
        ("https://id.example/::error::x", "https://id.example/: :error::x"),
        ("https://id.example/m?sig=s3cr3t#s3cr3t", "https://id.example/m"),
        ("https://user:s3cr3t@id.example/m", "https://...@id.example/m"),
    ] {
        let octets = redirect(302, location);
        let server = Server::start(move |_| octets.clone());
        let output = run("pkce-discover", &[&server.url("")], "");
        assert_eq!(output, failure("pkce-discover", 4, &format!("metadata: redirect (302) to {shown} not followed")));
    }
}

#[test]
fn are_followed_to_the_same_origin_in_another_letter_case_or_with_the_usual_port() {
    for (issuer, location, is_followed) in [
        ("https://id.example", "https://ID.Example/m", true),
        ("https://id.example", "https://id.example:443/m", true),
        ("https://ID.example:443", "https://id.example/m", true),
        ("https://id.example", "HTTPS://id.example/m", true),
        ("https://id.example", "https://id.example:8443/m", false),
        ("https://id.example", "https://id.example./m", false),
        ("https://id.example", "https://www.id.example/m", false),
        ("https://id.example", "http://id.example/m", false),
        ("https://id.example", "https://id.example@other.example/m", false),
        ("https://id.example", "//other.example/m", false),
    ] {
        let proxy = HttpsProxy::start(move |url, _| match url.ends_with("/m") {
            true => json_response(&metadata(issuer)),
            false => redirect(301, location),
        });
        let mut tool = command("pkce-discover");
        proxy.trusted_by(tool.arg(issuer));
        let output = finish(&mut tool, b"");
        if is_followed {
            assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, metadata(issuer), ""), "{location}");
        } else {
            let shown = location.replace("id.example@", "...@");
            let message = format!("metadata: redirect (301) to {shown} not followed");
            assert_eq!(output, failure("pkce-discover", 4, &message));
        }
        assert_eq!(proxy.requested().len(), 2, "{location}");
    }
}

#[test]
fn are_followed_for_metadata_that_is_elsewhere_or_of_a_resource_too() {
    let server = Server::start(|seen| {
        let host = issuer_of(seen);
        match seen.target.as_str() {
            "/policies?a" => redirect(307, "policies?b"),
            "/policies?b" => json_response(&metadata(&host)),
            "/policies?c" => redirect(307, "https://other.example/policies"),
            "/.well-known/oauth-protected-resource/mcp" => redirect(308, "/prm"),
            "/prm" => json_response(&json!({ "resource": format!("{host}/mcp"), "authorization_servers": [host] })),
            "/.well-known/oauth-protected-resource/away" => redirect(308, "https://other.example/prm"),
            "/.well-known/oauth-authorization-server" => json_response(&metadata(&host)),
            _ => response(404, "", ""),
        }
    });
    let issuer = server.url("");
    let output = run("pkce-discover", &[&issuer, "--metadata-url", &server.url("/policies?a")], "");
    assert_eq!((output.status, output.json(), output.stderr.as_str()), (0, metadata(&issuer), ""));
    let output = run("pkce-discover", &[&issuer, "--metadata-url", &server.url("/policies?c")], "");
    let message = "metadata: redirect (307) to https://other.example/policies not followed";
    assert_eq!(output, failure("pkce-discover", 4, message));
    let output = run("pkce-discover", &["--resource", &server.url("/mcp"), "-r", "resource"], "");
    assert_eq!((output.status, output.stdout, output.stderr), (0, server.url("/mcp\n"), String::new()));
    let output = run("pkce-discover", &["--resource", &server.url("/away")], "");
    let message = format!(
        "resource metadata: redirect (308) to https://other.example/prm not followed\n\
         hint: if you know its authorization server: pkce-discover --resource {} --issuer ISSUER",
        server.url("/away")
    );
    assert_eq!(output, failure("pkce-discover", 4, &message));
}
