//! Add the authorization URL to the document.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::{options, parameter, redirect_uri, resource};
use pkce_tools::login::authorize::Requests;
use pkce_tools::process::arguments;
use pkce_tools::{Document, Error, frame};

/// Add the authorization URL to the document.
#[derive(Parser)]
#[command(name = "pkce-url", version)]
struct Args {
    /// The client identifier (default: the document's, else $PKCE_CLIENT_ID)
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The redirect URI; port 0 is any free port
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// The requested scopes, separated by spaces (default: the document's, else $PKCE_SCOPE)
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// The server's authorization endpoint
    #[arg(long, value_name = "URL")]
    authorization_endpoint: Option<String>,
    /// The resource that the token is for, such as an API's URL; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Name no resource, not even the document's
    #[arg(long, conflicts_with = "resource")]
    no_resource: bool,
    /// What the server shows to the user [known values: none, login, consent, select_account, create]
    #[arg(long, value_name = "PROMPT")]
    prompt: Option<String>,
    /// The user who is expected to sign in, such as a mail address
    #[arg(long, value_name = "NAME")]
    login_hint: Option<String>,
    /// Maximum time since the user last signed in
    #[arg(long, value_name = "SECONDS", value_parser = |text: &str| arguments::number(text, 0, u32::MAX.into()))]
    max_age: Option<u64>,
    /// Requested authentication context classes, separated by spaces
    #[arg(long, value_name = "VALUES")]
    acr_values: Option<String>,
    /// Another parameter of the request; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter::parse)]
    param: Vec<(String, String)>,
}

fn main() -> ExitCode {
    frame::stream(|_: &Args| false, step)
}

fn step(args: Args) -> Result<impl FnMut(Document) -> Result<Document, Error>, Error> {
    parameter::check_secrets(&args.param)?;
    let given = [("prompt", &args.prompt), ("login_hint", &args.login_hint)];
    let given = given.into_iter().filter_map(|(name, value)| Some(parameter::with_value(name, value.as_deref()?)));
    let parameters = given.collect::<Result<Vec<_>, _>>().map_err(Error::usage)?;
    let set = set_by_options(&args)?;
    let mut requests = Requests::new(parameters, args.param);
    let defaults = options::defaults(&[("client_id", "PKCE_CLIENT_ID"), ("scope", "PKCE_SCOPE")]);
    Ok(move |mut document: Document| {
        document.merge(&set);
        if args.no_resource {
            document.remove(&["resource"]);
        }
        document.add_missing(&defaults);
        redirect_uri::set_default(&mut document)?;
        requests.add_url(document)
    })
}

/// The members that options set.
fn set_by_options(args: &Args) -> Result<Document, Error> {
    let mut set = options::members(&[
        ("client_id", args.client_id.as_deref()),
        ("scope", args.scope.as_deref()),
        ("redirect_uri", args.redirect_uri.as_deref()),
        ("authorization_endpoint", args.authorization_endpoint.as_deref()),
        ("acr_values", args.acr_values.as_deref()),
    ])?;
    set.set_texts("resource", &args.resource);
    resource::resources(&set)?;
    if let Some(age) = args.max_age {
        set.set_number("max_age", age);
    }
    Ok(set)
}
