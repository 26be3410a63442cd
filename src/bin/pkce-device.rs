//! Show a code to enter in a browser on any device, and wait for the tokens.

use std::process::ExitCode;

use clap::Parser;
use pkce_tools::client::authentication::Caller;
use pkce_tools::client::{options, parameter, resource};
use pkce_tools::frame::{self, Input};
use pkce_tools::login::device::{self, Options};
use pkce_tools::process::reader::HeadStart;
use pkce_tools::{Document, Error};

/// Show a code to enter in a browser on any device, and wait for the tokens.
#[derive(Parser)]
#[command(name = "pkce-device", version, mut_arg("timeout", |timeout| timeout.default_value("300")))]
struct Args {
    /// The client identifier (default: the document's, else $PKCE_CLIENT_ID)
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The requested scopes, separated by spaces (default: the document's, else $PKCE_SCOPE)
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// The resource that the token is for, such as an API's URL; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Another parameter of the device authorization request; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parameter::parse)]
    param: Vec<(String, String)>,
    /// Show a QR code even where the terminal has no room for it
    #[arg(long, conflicts_with = "no_qr")]
    qr: bool,
    /// Show no QR code
    #[arg(long)]
    no_qr: bool,
    #[command(flatten)]
    caller: Caller,
}

fn main() -> ExitCode {
    frame::filter(step)
}

fn step(args: &Args, input: Input) -> Result<Document, Error> {
    let head_start = HeadStart::begin();
    let mut set = options::members(&[("client_id", args.client_id.as_deref()), ("scope", args.scope.as_deref())])?;
    set.set_texts("resource", &args.resource);
    resource::resources(&set)?;
    let qr = (args.qr || args.no_qr).then_some(args.qr);
    let options = Options::new(&args.param, qr, &args.caller)?;
    let defaults = options::defaults(&[("client_id", "PKCE_CLIENT_ID"), ("scope", "PKCE_SCOPE")]);
    let mut document = input.document()?;
    document.merge(&set);
    document.add_missing(&defaults);
    device::log_in(document, &options, &args.caller, &head_start)
}
