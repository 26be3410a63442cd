//! Any response to a code: tokens come only from it, and what controls later steps stays as it was.
#![no_main]

use clap::Parser;
use libfuzzer_sys::fuzz_target;
use pkce_tools::Document;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::token_request::TokenRequest;
use pkce_tools::document::members;
use pkce_tools::login::token;

mod server;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    caller: Caller,
}

/// Members that a token response sets.
const SET: [&str; 8] = [
    "access_token",
    "expires_at",
    "expires_in",
    "id_token",
    "refresh_token",
    "scope",
    "token_answer_members",
    "token_type",
];

fuzz_target!(|input: ([u8; 3], &[u8])| {
    let (choice, body) = input;
    let port = server::serving(server::response(choice, body));
    let arguments = Arguments::parse_from(["fuzz", "--timeout", "5"]);
    let before = Document::parse(
        format!(
            "{{\"client_id\":\"cli\",\"code\":\"SECRETCODE\",\"code_verifier\":\"{}\",\"redirect_uri\":\"http://127.0.0.1/cb\",\
             \"revocation_endpoint\":\"https://id.example/revoke\",\"scope\":\"a\",\
             \"token_endpoint\":\"http://127.0.0.1:{port}/token\"}}",
            "v".repeat(43)
        )
        .as_bytes(),
    )
    .expect("a document");
    match token::exchange(before.clone(), &TokenRequest::default(), &arguments.caller) {
        Ok(after) => {
            let line = after.line();
            assert!(Document::parse(line.as_bytes()).is_ok(), "a document that cannot be read");
            assert!(
                !line.contains("SECRETCODE")
                    || String::from_utf8_lossy(body).contains("SECRETCODE")
                    || choice[2] % 5 > 1
            );
            after.need_visible("access_token").unwrap_or_else(|error| panic!("{}", error.message()));
            assert!(after.need("token_type").is_ok_and(|name| name.eq_ignore_ascii_case("bearer")));
            for name in after.names().filter(|name| !SET.contains(name)) {
                assert!(
                    after.json(name) == before.json(name) || members::named(name).is_none(),
                    "the response sets {name}"
                );
            }
        }
        Err(error) => {
            assert!(matches!(error.kind().status(), 1 | 3 | 4 | 5), "{}", error.message());
            assert!(!error.message().contains("SECRETCODE"), "{}", error.message());
        }
    }
});
