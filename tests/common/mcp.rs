//! An MCP server in miniature and its authorization server, strict about scopes.
#![allow(dead_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::common::{Request, Server, json_response, response};

/// Each access token begins so; the scope follows.
pub const TOKEN: &str = "s3cret-t0ken";

/// Where the server ends a session, as those before 2026-07-28 do.
const SESSION: &str = "s3ssion";

/// The scopes of the registered clients, `c1`, `c2` and so on; and how many of them are forgotten.
#[derive(Default)]
struct Clients {
    scopes: Mutex<Vec<String>>,
    forgotten: AtomicUsize,
}

/// Starts the server. Each path is another MCP server: `/mcp` as of 2026-07-28, `/stream` responds with event streams,
/// `/session` is as of 2025-11-25, `/writing` requires the scope to write at once, `/strong` a strong login, `/refusing`
/// accepts no token, `/scopes` no scope, `/page` shows a page, `/forbidden` refuses. A POST to `/forget` makes it forget
/// each client that is registered so far, one to `/forget?all` also those to come.
pub fn start() -> Server {
    let clients = Clients::default();
    Server::start(move |request| {
        let origin = format!("http://{}", request.header("Host").unwrap());
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if let Some(resource) = path.strip_prefix("/.well-known/oauth-protected-resource") {
            return json_response(
                &json!({ "resource": format!("{origin}{resource}"), "authorization_servers": [origin] }),
            );
        }
        match path {
            "/.well-known/oauth-authorization-server" => json_response(&json!({
                "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
                "token_endpoint": format!("{origin}/token"), "registration_endpoint": format!("{origin}/register"),
                "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            })),
            "/register" => register(&clients, &json(request)),
            "/authorize" => authorize(&clients, query),
            "/token" => token(&clients, request),
            "/forget" => {
                let all = if query == "all" { usize::MAX } else { clients.scopes.lock().unwrap().len() };
                clients.forgotten.store(all, Ordering::SeqCst);
                response(204, "", "")
            }
            _ => protected(request, path, &origin),
        }
    })
}

fn json(request: &Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

fn register(clients: &Clients, metadata: &Value) -> Vec<u8> {
    let mut scopes = clients.scopes.lock().unwrap();
    scopes.push(metadata["scope"].as_str().unwrap_or_default().to_owned());
    json_response(&json!({ "client_id": format!("c{}", scopes.len()), "redirect_uris": metadata["redirect_uris"] }))
}

fn number(client: &str) -> usize {
    client.strip_prefix('c').unwrap().parse().unwrap()
}

fn authorize(clients: &Clients, query: &str) -> Vec<u8> {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value.as_str());
    let scopes = clients.scopes.lock().unwrap();
    let registered = &scopes[number(value("client_id")) - 1];
    let all = value("scope").split(' ').all(|scope| registered.split(' ').any(|other| other == scope));
    let code = format!("c0de.{}", value("scope").replace(' ', "."));
    let result = if all { ("code", code.as_str()) } else { ("error", "invalid_scope") };
    let parameters =
        form_urlencoded::Serializer::new(String::new()).extend_pairs([result, ("state", value("state"))]).finish();
    let head = format!("HTTP/1.1 302 X\r\nLocation: {}?{parameters}\r\nContent-Length: 0", value("redirect_uri"));
    format!("{head}\r\nConnection: close\r\n\r\n").into_bytes()
}

fn token(clients: &Clients, request: &Request) -> Vec<u8> {
    let form = request.form();
    let value = |name: &str| form.iter().find(|(other, _)| other == name).unwrap().1.as_str();
    if value("grant_type") == "refresh_token" {
        return response(400, "application/json", "{\"error\":\"invalid_grant\"}");
    }
    if number(value("client_id")) <= clients.forgotten.load(Ordering::SeqCst) {
        return response(401, "application/json", "{\"error\":\"invalid_client\"}");
    }
    let scope = value("code").strip_prefix("c0de.").unwrap();
    json_response(&json!({
        "access_token": format!("{TOKEN}.{scope}"), "token_type": "Bearer", "expires_in": 3600,
        "scope": scope.replace('.', " "),
    }))
}

/// A request to a server of these, with its token if it has one.
fn protected(request: &Request, path: &str, origin: &str) -> Vec<u8> {
    let metadata = format!("resource_metadata=\"{origin}/.well-known/oauth-protected-resource{path}\"");
    let refused = |status: u16, challenge: &str| {
        let head = format!("HTTP/1.1 {status} X\r\nWWW-Authenticate: Bearer {challenge}, {metadata}\r\n");
        format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let token = request.header("Authorization").and_then(|value| value.strip_prefix("Bearer "));
    let granted: Vec<&str> = token.and_then(|token| token.strip_prefix(TOKEN)).unwrap_or_default().split('.').collect();
    if token.is_none() || path == "/refusing" {
        let challenge = match path {
            "/writing" => "scope=\"write\"",
            "/strong" => "scope=\"read\", acr_values=\"silver\", max_age=60",
            _ => "scope=\"read\"",
        };
        return refused(401, challenge);
    }
    let body = json(request);
    let required = if path == "/scopes" { "admin" } else { scope_of(&body) };
    if path == "/scopes" || !granted.contains(&required) {
        return refused(403, &format!("error=\"insufficient_scope\", scope=\"{required}\""));
    }
    match path {
        "/page" => response(200, "text/html", "<html>"),
        "/forbidden" => response(403, "text/plain", ""),
        "/session" => session(request, &body),
        _ => modern(request, &body, path == "/stream"),
    }
}

fn scope_of(body: &Value) -> &str {
    if body["params"]["name"] == "write" { "write" } else { "read" }
}

/// A server of 2026-07-28: each request says what it is.
fn modern(request: &Request, body: &Value, streams: bool) -> Vec<u8> {
    let version = "2026-07-28";
    assert_eq!(request.header("MCP-Protocol-Version"), Some(version));
    assert_eq!(request.header("Mcp-Method"), body["method"].as_str());
    assert_eq!(request.header("Mcp-Name"), body["params"]["name"].as_str());
    assert_eq!(body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], version);
    let (status, result) = result(body);
    if !streams {
        return response(status, "application/json", &result.to_string());
    }
    let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": {} });
    let lines = format!("{result:#}").replace('\n', "\r\ndata: ");
    response(200, "text/event-stream", &format!("id: 0\r\ndata: \r\n\r\ndata: {progress}\r\n\r\ndata: {lines}\r\n\r\n"))
}

/// A server of 2025-11-25: nothing without a session, except to begin one.
fn session(request: &Request, body: &Value) -> Vec<u8> {
    if body["method"] == "initialize" {
        let result = json!({ "jsonrpc": "2.0", "id": body["id"], "result": { "protocolVersion": "2025-11-25" } });
        let response = String::from_utf8(json_response(&result)).unwrap();
        return response.replacen("\r\n", &format!("\r\nMcp-Session-Id: {SESSION}\r\n"), 1).into_bytes();
    }
    if request.header("Mcp-Session-Id") != Some(SESSION) {
        let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32000, "message": "no session" } });
        return response(400, "application/json", &error.to_string());
    }
    assert_eq!(request.header("MCP-Protocol-Version"), Some("2025-11-25"));
    if body["method"] == "notifications/initialized" {
        return response(202, "", "");
    }
    json_response(&result(body).1)
}

/// The status and the response to a request for the list of tools or to one of them.
fn result(body: &Value) -> (u16, Value) {
    let ok = |result: Value| (200, json!({ "jsonrpc": "2.0", "id": body["id"], "result": result }));
    let arguments = &body["params"]["arguments"];
    match (body["method"].as_str().unwrap(), body["params"]["name"].as_str().unwrap_or_default()) {
        ("tools/list", _) => ok(json!({ "tools": [{ "name": "add" }, { "name": "wr\u{1b}ite" }] })),
        (_, "add") => ok(json!({ "sum": arguments["a"].as_i64().unwrap() + arguments["b"].as_i64().unwrap() })),
        (_, "write") => ok(json!({ "written": true })),
        (_, "broken") => ok(json!({ "isError": true })),
        _ => {
            let error = json!({ "code": -32602, "message": "no such\n\u{1b}[31mtool" });
            (400, json!({ "jsonrpc": "2.0", "id": body["id"], "error": error }))
        }
    }
}
