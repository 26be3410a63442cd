//! Refusals, in the words of each server.

use serde_json::json;

use crate::common::{Output, failure, free_port, response, without_ports};
use crate::{AuthorizationRequest, JSON, OPENID, Provider, assert_granted, refusal, usual};

const PUBLIC: &str = "\nhint: if the client has no secret, register it with token_endpoint_auth_method none; \
                      otherwise use --client-secret-file or PKCE_CLIENT_SECRET_FILE";

#[test]
fn refuses_an_id_token_of_an_issuer_that_is_not_to_the_letter() {
    // Google once had no scheme, Entra's first version another host; others drop or add a slash.
    for issuer in ["accounts.google.com", "https://sts.windows.net/tenant/", "ORIGIN/", "ORIGIN/{tenantid}/v2.0"] {
        let output = Provider { claims: json!({ "iss": issuer }), ..Provider::default() }.run(OPENID);
        let shown = Output { stderr: without_ports(&output.stderr), ..output };
        let came = issuer.replace("ORIGIN", "http://127.0.0.1:PORT");
        let message = format!("id_token: iss: {came} instead of http://127.0.0.1:PORT");
        assert_eq!(shown, failure("pkce-verify", 4, &message));
    }
}

#[test]
fn refuses_entras_issuer_template() {
    let template = json!({ "issuer": "ORIGIN/{tenantid}/v2.0" });
    let entra = Provider { path: "/common/v2.0", metadata: template, ..Provider::default() };
    let message = "metadata: issuer: http://127.0.0.1:PORT/{tenantid}/v2.0 instead of \
                   http://127.0.0.1:PORT/common/v2.0\n\
                   hint: the metadata names a template for all tenants; use your tenant's own issuer";
    let output = entra.run(OPENID);
    let shown = Output { stderr: without_ports(&output.stderr), ..output };
    assert_eq!(shown, failure("pkce-discover", 4, message));
}

/// The output of a whole login with this response of the token endpoint to a valid request.
fn with_response(status: u16, media_type: &str, body: &str) -> Output {
    Provider { instead: vec![("token", response(status, media_type, body))], ..Provider::default() }.run(OPENID)
}

#[test]
fn tells_each_servers_refusal_in_its_own_words() {
    let entra = json!({
        "error": "invalid_grant", "error_codes": [70008], "suberror": "bad_token", "trace_id": "0-0",
        "error_description": "AADSTS70008: It has expired.\r\nTrace ID: 0-0\r\nTimestamp: 2026-01-01 00:00:00Z",
    });
    for (name, status, body, ends, message) in [
        ("Auth0", 403, json!({ "error": "invalid_grant", "error_description": "No." }), 5, "invalid_grant: No."),
        ("glewlwyd", 403, json!({ "error": "invalid_code" }), 1, "invalid_code"),
        ("Slack", 200, json!({ "ok": false, "error": "invalid_code" }), 1, "invalid_code"),
        ("Slack", 200, json!({ "ok": false }), 1, "unnamed error"),
        ("GitHub", 200, json!({ "error": "redirect_uri_mismatch" }), 1, "redirect_uri_mismatch"),
        (
            "Entra",
            400,
            entra,
            5,
            "invalid_grant: AADSTS70008: It has expired.  Trace ID: 0-0  Timestamp: 2026-01-01 00:00:00Z",
        ),
        ("Google", 401, json!({ "error": "invalid_client" }), 1, &format!("invalid_client{PUBLIC}")),
        ("Entra", 400, json!({ "error": "invalid_client" }), 1, &format!("invalid_client{PUBLIC}")),
    ] {
        let expected = failure("pkce-exchange", ends, &format!("token endpoint: {message}"));
        assert_eq!(with_response(status, JSON, &body.to_string()), expected, "{name}");
    }
    let challenges = "www-authenticate: Basic realm=\"a\"\r\nwww-authenticate: Bearer error=\"invalid_token\"";
    let twice = format!("HTTP/1.1 401\r\n{challenges}\r\n\r\n{{\"error\":\"unauthorized_client\"}}").into_bytes();
    let output = Provider { instead: vec![("token", twice)], ..Provider::default() }.run(OPENID);
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: unauthorized_client{PUBLIC}")));
}

#[test]
fn takes_what_has_no_tokens_and_no_oauth_error_for_the_end_of_the_code() {
    let slack = "{\"ok\":true,\"authed_user\":{\"access_token\":\"xoxp-1\",\"token_type\":\"user\"}}";
    let facebook = "{\"error\":{\"message\":\"This code has been used.\",\"type\":\"OAuthException\",\"code\":100}}";
    for (name, status, media_type, body, ends, message) in [
        ("", 400, "", "", 5, "the server responded with 400 without an OAuth error"),
        (
            "Twitch",
            400,
            JSON,
            "{\"status\":400,\"message\":\"Invalid authorization code\"}",
            5,
            "the server responded with 400 without an OAuth error: Invalid authorization code",
        ),
        (
            "Facebook",
            400,
            JSON,
            facebook,
            5,
            "the server responded with 400 without an OAuth error: This code has been used.",
        ),
        // A form is read only where the server says that it is one.
        ("Facebook", 200, "text/plain", "access_token=AT&expires=5183974", 4, "not JSON at line 1, column 1"),
        ("Slack", 200, JSON, slack, 4, "access_token: missing"),
        (
            "atproto",
            200,
            JSON,
            "{\"access_token\":\"AT\",\"token_type\":\"DPoP\"}",
            4,
            "token_type: not Bearer, the only supported type",
        ),
    ] {
        let message = format!("token endpoint: {message}; the code may be spent");
        assert_eq!(with_response(status, media_type, body), failure("pkce-exchange", ends, &message), "{name}");
    }
}

#[test]
fn tells_what_each_server_says_in_its_redirect() {
    for (name, query, status, message) in [
        (
            "Entra",
            "error=invalid_target&error_description=AADSTS901002%3a+No+'resource'.%0d%0aTrace+ID%3a+0-0&error_uri=a",
            1,
            "authorization endpoint: invalid_target: AADSTS901002: No 'resource'.  Trace ID: 0-0",
        ),
        ("Okta", "error=login_required&error_description=", 5, "authorization endpoint: login_required"),
        (
            "Facebook",
            "error=access_denied&error_code=200&error_reason=user_denied",
            1,
            "authorization endpoint: access_denied",
        ),
    ] {
        let redirect = Box::new(move |asked: &AuthorizationRequest| format!("{query}&state={}", asked.state));
        let output = Provider { redirect, ..Provider::default() }.run(OPENID);
        assert_eq!(output, failure("pkce-callback", status, message), "{name}");
    }
}

#[test]
fn says_that_a_server_lets_no_public_client_revoke_and_keeps_the_tokens() {
    let running = Provider { instead: vec![("revoke", response(401, "", ""))], ..Provider::default() }.start();
    let output = running.run(&format!("{OPENID} | pkce-revoke"));
    let message = "revocation endpoint: the server responded with 401";
    assert_eq!((output, running.requests_to("/revoke")), (failure("pkce-revoke", 1, message), 1));
}

#[test]
fn says_that_atproto_requires_dpop() {
    let nonce = refusal("use_dpop_nonce", "Authorization server requires nonce in DPoP proof");
    let said = "use_dpop_nonce: Authorization server requires nonce in DPoP proof\n\
                hint: the server requires DPoP (RFC 9449), which is not supported";
    let metadata = json!({
        "require_pushed_authorization_requests": true, "authorization_response_iss_parameter_supported": true,
    });
    let atproto = |instead| Provider {
        metadata: metadata.clone(),
        redirect: Box::new(|asked| format!("iss=ORIGIN&state={}&code={}", asked.state, asked.code)),
        instead,
        ..Provider::default()
    };
    let port = format!("pkce-url --redirect-uri http://127.0.0.1:{}/callback", free_port());
    let pushing = OPENID.replace("pkce-url", &port).replace("| pkce-callback", "| pkce-push | pkce-callback");
    assert_granted(&atproto(vec![]).run(&pushing), "", usual(json!({})));
    let message = "authorization_url: the server accepts pushed requests only\n\
                   hint: put pkce-push between pkce-url and pkce-callback";
    assert_eq!(atproto(vec![]).run(OPENID), failure("pkce-callback", 2, message));
    let output = atproto(vec![("par", nonce.clone())]).run(&pushing);
    assert_eq!(output, failure("pkce-push", 1, &format!("pushed authorization request endpoint: {said}")));
    let output = atproto(vec![("token", nonce)]).run(&pushing);
    assert_eq!(output, failure("pkce-exchange", 1, &format!("token endpoint: {said}")));
}
