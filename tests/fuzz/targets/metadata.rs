//! Any response as a server's metadata: the issuer is the requested one, and no remote server names an endpoint of this
//! machine.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pkce_tools::Document;
use pkce_tools::client::metadata::{self, Issuer, Resource, Start};
use pkce_tools::document::members;
use pkce_tools::process::Deadline;
use pkce_tools::wire::http::Client;
use pkce_tools::wire::url::Url;

mod server;

fuzz_target!(|input: ([u8; 3], &str)| {
    let (choice, body) = input;
    // The port is not known to the input, so `ISSUER` stands for the requested one.
    let port = server::serving(Vec::new());
    let issuer = format!("http://127.0.0.1:{port}");
    server::serving(server::response(choice, body.replace("ISSUER", &issuer).as_bytes()));
    let client = Client::new(Deadline::after(Duration::from_secs(5)));
    let identifier = Issuer::parse(&issuer).unwrap_or_else(|_| panic!("an issuer"));
    let resource = Resource::parse(&issuer).unwrap_or_else(|_| panic!("a resource"));
    let start = Start { challenge: None, issuer: None, scope: None };
    let found = [metadata::for_issuer(&client, &identifier), metadata::for_resource(&client, &resource, start)];
    for found in found {
        match found {
            Ok(metadata) => {
                assert_eq!(metadata.need("issuer").ok(), Some(issuer.clone()));
                let known = metadata::known_members(metadata);
                assert!(Document::parse(known.line().as_bytes()).is_ok());
                for name in known.names() {
                    assert!(members::named(name).is_some(), "{name} is not in the table");
                    assert!(!members::is_token(name), "{name} comes from the metadata");
                    if name.ends_with("_endpoint") || name == "jwks_uri" {
                        let url = known.need(name).unwrap_or_else(|error| panic!("{}", error.message()));
                        assert!(Url::parse(&url).is_ok(), "{name}: {url}");
                    }
                }
            }
            Err(error) => assert!(matches!(error.kind().status(), 1 | 3 | 4), "{}", error.message()),
        }
    }
});
