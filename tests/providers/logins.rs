//! Logins, as each server has them.

use serde_json::{Value, json};

use crate::common::{Output, Request, changed, failure, free_port, json_response, response};
use crate::{BY_HAND, FORM, JSON, OPENID, Provider, assert_granted, refusal, usual};

const SECRET: &str = "--client-secret-file <(echo s3cret-s3cret)";

const NARROWER: &str = "pkce-exchange: note: the granted scope lacks offline_access\n";

const NO_ISSUER: &str = "pkce-callback: note: the document has no issuer, so the redirect's issuer cannot be checked\n";

#[test]
fn logs_in_whatever_the_wire_looks_like() {
    let wires: [fn(&Request, &Value) -> Vec<u8>; 6] = [
        |_, body| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").into(),
        |_, body| format!("HTTP/1.1 200\r\nContent-Length: {}\r\n\r\n{body}", body.to_string().len()).into(),
        |_, body| format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{body}").into(),
        |_, body| response(200, "text/html; charset=utf-8", &body.to_string()),
        |_, body| response(200, "", &body.to_string()),
        |_, body| {
            let (head, body) = ("HTTP/1.1 200 OK\r\nset-cookie: a=b\r\nset-cookie: c=d", body.to_string());
            format!("{head}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into()
        },
    ];
    for wire in wires {
        assert_granted(&Provider { wire, ..Provider::default() }.run(OPENID), "", usual(json!({})));
    }
}

#[test]
fn logs_in_at_keycloak_with_all_that_it_adds() {
    let keycloak = Provider {
        path: "/realms/x",
        metadata: json!({ "authorization_response_iss_parameter_supported": true }),
        redirect: Box::new(|asked| {
            format!("state={}&session_state=s3ss10n&iss=ORIGIN%2Frealms%2Fx&code={}", asked.state, asked.code)
        }),
        tokens: json!({
            "iat": 5, "refresh_expires_in": 1800, "not-before-policy": 0, "session_state": "s3ss10n",
            "token_type": "bearer", "scope": "openid email profile",
        }),
        claims: json!({ "typ": "ID", "azp": "cli", "session_state": "s3ss10n", "acr": "1", "sid": "s3ss10n" }),
        instead: vec![("revoke", response(204, "", ""))],
        ..Provider::default()
    };
    let running = keycloak.start();
    let expected = usual(json!({
        "iat": 5, "refresh_expires_in": 1800, "not-before-policy": 0, "session_state": "s3ss10n",
        "token_type": "bearer", "scope": "openid email profile",
        "id_token_claims": {
            "aud": "cli", "sub": "alice", "typ": "ID", "azp": "cli", "session_state": "s3ss10n", "acr": "1",
            "sid": "s3ss10n",
        },
        "redirect_parameters": { "session_state": "s3ss10n" },
    }));
    assert_granted(&running.run(OPENID), "", expected.clone());
    let refreshed = running.run(&format!("{OPENID} | pkce-refresh | pkce-verify"));
    let latest = json!({ "access_token": "access-3", "refresh_token": "refresh-3" });
    assert_granted(&refreshed, "", changed(expected.clone(), &latest));
    let revoked = running.run(&format!("{OPENID} | pkce-revoke"));
    let gone = json!({ "access_token": null, "refresh_token": null, "token_type": null, "expires_in": null });
    assert_granted(&revoked, "", changed(expected, &gone));
    assert_eq!(running.requests_to("/revoke"), 2);
}

#[test]
fn takes_a_token_of_several_audiences_only_where_each_is_trusted() {
    let provider = || Provider { claims: json!({ "aud": ["account", "cli"], "azp": "cli" }), ..Provider::default() };
    let wrong =
        "id_token: aud: account, cli instead of cli\nhint: if it may have the token too: --trust-audience account";
    assert_eq!(provider().run(OPENID), failure("pkce-verify", 4, wrong));
    let claims = json!({ "id_token_claims": { "aud": ["account", "cli"], "azp": "cli", "sub": "alice" } });
    assert_granted(&provider().run(&format!("{OPENID} --trust-audience account")), "", usual(claims));
}

#[test]
fn logs_in_at_auth0_whose_issuer_ends_in_a_slash() {
    let auth0 = Provider {
        path: "/",
        redirect: Box::new(|asked| format!("code={}&iss=ORIGIN%2F&state={}", asked.code, asked.state)),
        // Without an audience it is encrypted, for nobody here to read.
        tokens: json!({ "access_token": "e.n.c.r.ypted" }),
        claims: json!({ "at_hash": null }),
        ..Provider::default()
    };
    let running = auth0.start();
    let login = OPENID.replace("pkce-url", "pkce-url --param audience=https://api.example/");
    assert_granted(&running.run(&login), "", usual(json!({ "access_token": "e.n.c.r.ypted" })));
    let asked =
        running.server.requests().into_iter().find(|seen| seen.target.starts_with("/authorize")).unwrap().target;
    assert!(asked.ends_with("&audience=https%3A%2F%2Fapi.example%2F"), "{asked}");
}

#[test]
fn requests_oktas_endpoints_with_two_slashes_unchanged() {
    let okta = Provider {
        path: "/oauth2/default",
        metadata: json!({
            "authorization_endpoint": "ORIGIN//oauth2//v1/authorize", "token_endpoint": "ORIGIN/oauth2//v1//token",
            "jwks_uri": "ORIGIN//jwks",
        }),
        ..Provider::default()
    };
    let running = okta.start();
    assert_granted(&running.run(OPENID), "", usual(json!({})));
    for path in ["//oauth2//v1/authorize", "/oauth2//v1//token", "//jwks"] {
        assert_eq!(running.requests_to(path), 1, "{path}");
    }
}

#[test]
fn redirects_to_the_exact_port_that_okta_auth0_dex_and_kanidm_require() {
    let uri = format!("http://127.0.0.1:{}/callback", free_port());
    let registered = uri.clone();
    let exact = Provider { registered: Box::new(move |uri| uri == registered), ..Provider::default() };
    let running = exact.start();
    let login = OPENID.replace("pkce-url", &format!("pkce-url --redirect-uri {uri}"));
    assert_granted(&running.run(&login), "", usual(json!({})));
    let message = "BROWSER: pkce-idp ended with status 1, and there is no terminal\n\
                   hint: the server may not know the client_id or the redirect URI; to see why, use pkce-callback --no-browser, and run the program in BROWSER with the new URL";
    assert_eq!((running.run(OPENID), running.requests_to("/token")), (failure("pkce-callback", 3, message), 1));
}

#[test]
fn redirects_to_what_each_server_accepts() {
    let usual = usual(json!({}));
    let login = |uri: &str, registered: fn(&str) -> bool| {
        let provider = Provider { registered: Box::new(registered), ..Provider::default() };
        provider.run(&OPENID.replace("pkce-url", &format!("pkce-url {uri}")))
    };
    // Spotify and Xero let no name in, Zoom any port; Duende no slash at the end; Entra gives a URI without a path one.
    let address = |uri: &str| uri.starts_with("http://127.0.0.1:") && !uri.contains(":0/");
    assert_granted(&login("", address), "", usual.clone());
    assert_eq!(login("--redirect-uri http://localhost:0/callback", address).status, 3);
    assert_granted(&login("--redirect-uri http://127.0.0.1:0", |uri| !uri.ends_with('/')), "", usual.clone());
    assert_granted(&login("--redirect-uri http://127.0.0.1:0/", |uri| uri.ends_with('/')), "", usual.clone());
    let name = |uri: &str| uri.starts_with("http://localhost:");
    assert_granted(&login("--redirect-uri http://localhost:0", name), "", usual);
}

#[test]
fn sends_google_the_secret_of_a_desktop_client_and_the_verifier() {
    let google = || Provider {
        secret: &["basic", "post"],
        unknown: refusal("invalid_request", "client_secret is missing."),
        metadata: json!({ "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"] }),
        code: format!("4/0A{}", "dFl-_x".repeat(12)),
        redirect: Box::new(|asked| {
            let rest = "scope=email+openid&authuser=0&hd=example.com&prompt=consent";
            format!("state={}&code={}&{rest}", asked.state, asked.code)
        }),
        tokens: json!({ "expires_in": 3599, "scope": "openid email" }),
        instead: vec![("revoke", refusal("invalid_token", "Token expired or revoked"))],
        ..Provider::default()
    };
    let login = OPENID.replace("openid", "'email openid'");
    let message = "token endpoint: invalid_request: client_secret is missing.\n\
                   hint: the server requires a client secret: use --client-secret-file, --client-secret-command or PKCE_CLIENT_SECRET_FILE";
    assert_eq!(google().run(&login), failure("pkce-exchange", 1, message));
    let rest = json!({ "authuser": "0", "hd": "example.com", "prompt": "consent", "scope": "email openid" });
    let expected = usual(json!({ "expires_in": 3599, "scope": "openid email", "redirect_parameters": rest }));
    for way in ["", " --auth-method client_secret_post"] {
        let login = login.replace("exchange", &format!("exchange {SECRET}{way}"));
        assert_granted(&google().run(&login), "", expected.clone());
    }
    let login = login.replace("exchange", &format!("exchange {SECRET}"));
    let gone = json!({ "access_token": null, "refresh_token": null, "token_type": null, "expires_in": null });
    let revoked = google().run(&format!("{login} | pkce-revoke {SECRET}"));
    assert_granted(&revoked, "", changed(expected, &gone));
}

#[test]
fn logs_in_at_entra_with_its_long_codes_and_plain_keys() {
    let entra = Provider {
        path: "/tenant/v2.0",
        key: json!({ "alg": null }),
        code: format!("1.A{}", "b-_.".repeat(700)),
        redirect: Box::new(|asked| format!("code={}&state={}&session_state=0-0", asked.code, asked.state)),
        tokens: json!({ "expires_in": "3599", "ext_expires_in": "3599", "scope": "openid profile" }),
        claims: json!({ "tid": "tenant", "ver": "2.0" }),
        ..Provider::default()
    };
    let login = OPENID.replace("openid", "'openid profile offline_access' --redirect-uri http://localhost:0");
    let expected = json!({
        "expires_in": 3599, "ext_expires_in": "3599", "scope": "openid profile",
        "id_token_claims": { "aud": "cli", "sub": "alice", "tid": "tenant", "ver": "2.0" },
        "redirect_parameters": { "session_state": "0-0" },
    });
    assert_granted(&entra.run(&login), NARROWER, usual(expected));
}

#[test]
fn logs_in_at_github_which_writes_forms_unless_json_is_asked_for() {
    let scope = "repo,user:email";
    let as_asked: fn(&Request, &Value) -> Vec<u8> = |seen, body| match seen.header("Accept") {
        Some(JSON) => json_response(body),
        _ => response(200, FORM, "error=not+asked+for+json"),
    };
    let github = |instead| Provider {
        secret: &["basic", "post"],
        unknown: response(200, FORM, "error=incorrect_client_credentials&error_description=It+is+wrong."),
        tokens: json!({ "token_type": "bearer", "scope": scope, "expires_in": null, "refresh_token": null }),
        wire: as_asked,
        instead,
        ..Provider::default()
    };
    let login = BY_HAND.replace("url", "url --scope 'user:email repo'");
    let with_secret = login.replace("exchange", &format!("exchange {SECRET}"));
    let expected = json!({ "access_token": "access-1", "token_type": "bearer", "scope": scope });
    assert_granted(&github(vec![]).run(&with_secret), NO_ISSUER, expected.clone());
    let always = response(200, FORM, "access_token=access-1&scope=repo%2Cuser%3Aemail&token_type=bearer");
    assert_granted(&github(vec![("token", always)]).run(&with_secret), NO_ISSUER, expected);
    let old = response(200, JSON, "{\"error\":\"bad_verification_code\",\"error_description\":\"Old.\"}");
    for (login, instead, wrong) in [
        (&login, vec![], "incorrect_client_credentials: It is wrong."),
        (&with_secret, vec![("token", old)], "bad_verification_code: Old."),
    ] {
        let expected = failure("pkce-exchange", 1, &format!("token endpoint: {wrong}"));
        let expected = Output { stderr: format!("{NO_ISSUER}{}", expected.stderr), ..expected };
        assert_eq!(github(instead).run(login), expected);
    }
}

#[test]
fn reads_lifetimes_scopes_and_claims_as_each_server_writes_them() {
    for (tokens, claims, expected) in [
        // PayPal, whose responses have a nonce of their own, and reddit.
        (json!({ "expires_in": "28800", "nonce": "other" }), json!({}), json!({ "expires_in": 28800 })),
        (json!({ "expires_in": 3599.97 }), json!({}), json!({ "expires_in": 3599 })),
        // Twitch; and who names no lifetime.
        (json!({ "scope": ["openid"], "token_type": "bearer" }), json!({}), json!({ "token_type": "bearer" })),
        (json!({ "expires_in": null }), json!({}), json!({ "expires_in": null })),
        // GitLab, which rotates, as all do here.
        (
            json!({ "expires_in": 7200, "created_at": 1764000000 }),
            json!({}),
            json!({ "expires_in": 7200, "created_at": 1764000000 }),
        ),
        // Apple and Cognito.
        (
            json!({}),
            json!({ "email_verified": "true" }),
            json!({ "id_token_claims": { "aud": "cli", "sub": "alice", "email_verified": "true" } }),
        ),
    ] {
        let login = format!("{OPENID} | pkce-refresh | pkce-verify | pkce-refresh | pkce-verify");
        let latest = json!({ "access_token": "access-3", "refresh_token": "refresh-3" });
        let output = Provider { tokens, claims, ..Provider::default() }.run(&login);
        assert_granted(&output, "", changed(usual(expected), &latest));
    }
}

#[test]
fn shows_who_the_client_is_in_the_one_way_that_each_server_takes() {
    let ways = |ways: &[&str]| json!({ "token_endpoint_auth_methods_supported": ways });
    for (secret, metadata, option) in [
        // reddit and Twitch say nothing of what they take; Dropbox takes either, and never both.
        (&["basic"] as &[&str], json!({}), ""),
        (&["post"], json!({}), " --auth-method client_secret_post"),
        (&["post"], ways(&["client_secret_post"]), ""),
        (&["basic", "post"], ways(&["client_secret_post", "client_secret_basic"]), ""),
    ] {
        let wire: fn(&Request, &Value) -> Vec<u8> = |seen, body| match seen.header("User-Agent") {
            Some(agent) if agent.starts_with("pkce-tools/") => json_response(body),
            _ => response(429, "", ""),
        };
        let login = OPENID.replace("exchange", &format!("exchange {SECRET}{option}"));
        let login = format!("{login} | pkce-refresh {SECRET}{option} | pkce-verify");
        let output = Provider { secret, metadata, wire, ..Provider::default() }.run(&login);
        assert_granted(&output, "", usual(json!({ "access_token": "access-2", "refresh_token": "refresh-2" })));
    }
}
