//! What is in a document, for people and for programs: never a secret, whatever the document.

mod discretion;
mod jwt;
mod time;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::client::endpoint::Endpoint;
use crate::document::members::{self, NO_REFRESH_TOKEN, REFUSED, TOKEN_ANSWER_MEMBERS, TOKEN_REQUEST};
use crate::document::{self, Document};
use crate::message;

use discretion::Discretion;
use jwt::Jwt;
use time::{expiry, relative};

/// What is in a document. No text has a secret, and of a secret it says only what it is.
pub struct Summary {
    issuer: Option<String>,
    client: Option<Client>,
    account: Option<Account>,
    scope: Option<String>,
    redirect_uri: Option<String>,
    resources: Vec<String>,
    /// How many resources there are beside these.
    other_resources: usize,
    access_token: Option<Token>,
    refresh_token: Option<Token>,
    id_token: Option<Token>,
    in_progress: Vec<&'static str>,
    is_refreshable: bool,
    missing: Vec<(&'static str, String)>,
    malformed: Vec<&'static str>,
    others: usize,
    now: u64,
}

struct Client {
    id: String,
    /// Whether it has no secret, if the document shows that.
    is_public: Option<bool>,
}

/// Who signed in, as this claim says.
struct Account {
    value: String,
    claim: &'static str,
    /// Whether pkce-verify has checked the claims of this person.
    is_verified: bool,
}

struct Token {
    characters: usize,
    jwt: Option<Jwt>,
    /// In Unix seconds.
    expires_at: Option<u64>,
}

impl Summary {
    /// The summary of this document, now. A member that is malformed is named, and counts as missing.
    pub fn new(document: &Document) -> Summary {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let reader = Reader { document, discretion: Discretion::for_document(document) };
        let client = reader.text("client_id").map(|id| Client { id, is_public: is_public(document) });
        let [access_token, refresh_token, id_token] = TOKENS.map(|(name, _)| reader.token(name));
        let expires_at = document.seconds("expires_at").ok().flatten();
        let access_token = access_token.map(|token| Token { expires_at, ..token });
        let is_refreshable = refresh_token.as_ref().is_some_and(|token| !token.has_expired(now))
            && client.is_some()
            && Endpoint::from_document(document, "token_endpoint").is_ok();
        let resources = document.texts("resource").ok().flatten().unwrap_or_default();
        Summary {
            issuer: reader.text("issuer"),
            client,
            account: reader.account(id_token.as_ref()),
            scope: reader.text("scope"),
            redirect_uri: reader.text("redirect_uri"),
            resources: resources.iter().take(MAX_RESOURCES).filter_map(|resource| reader.shown(resource)).collect(),
            other_resources: resources.len().saturating_sub(MAX_RESOURCES),
            in_progress: IN_PROGRESS.into_iter().filter(|name| document.has(name)).collect(),
            is_refreshable,
            missing: missing(document),
            access_token,
            refresh_token,
            id_token,
            malformed: members::names(|member| is_malformed(document, member.name)),
            others: document.names().filter(|name| members::named(name).is_none()).count(),
            now,
        }
    }

    /// Lines for people: what each thing is, and its value.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add =
            |label: &str, text: &str| lines.push(message::harmless(&format!("{:WIDTH$}{text}", format!("{label}:"))));
        self.issuer.iter().for_each(|issuer| add("issuer", &cut(issuer, MAX_VALUE)));
        self.client.iter().for_each(|client| add("client", &client.words()));
        self.account.iter().for_each(|account| add("account", &account.words()));
        self.scope.iter().for_each(|scope| add("scope", &cut(scope, MAX_VALUE)));
        self.resources.iter().for_each(|resource| add("resource", &cut(resource, MAX_VALUE)));
        if self.other_resources > 0 {
            add("resource", &format!("and {} more", grouped(self.other_resources)));
        }
        self.redirect_uri.iter().for_each(|uri| add("redirect URI", &cut(uri, MAX_VALUE)));
        let tokens = [&self.access_token, &self.refresh_token, &self.id_token];
        if tokens.iter().any(|token| token.is_some()) {
            for ((_, label), token) in TOKENS.into_iter().zip(tokens) {
                add(label, &token.as_ref().map_or("none".to_owned(), |token| token.words(self.now)));
            }
            add("refreshable", if self.is_refreshable { "yes" } else { "no" });
        }
        self.in_progress.iter().for_each(|name| add(name, "present"));
        self.missing.iter().for_each(|(name, how)| add("missing", &format!("{name} ({how})")));
        self.malformed.iter().for_each(|name| add("malformed", name));
        if self.others > 0 {
            add("other members", &grouped(self.others));
        }
        lines
    }

    /// The same as one line of JSON, with the name of a stored login.
    pub fn json(&self, name: Option<&str>) -> String {
        let token = |token: &Option<Token>| token.as_ref().map_or(Value::Null, |token| token.json(self.now));
        let missing = self.missing.iter().map(|(name, how)| json!({ "member": name, "hint": how }));
        let object = json!({
            "name": name,
            "issuer": self.issuer,
            "client_id": self.client.as_ref().map(|client| &client.id),
            "public_client": self.client.as_ref().and_then(|client| client.is_public),
            "account": self.account.as_ref().map(Account::json),
            "scope": self.scope,
            "resource": self.resources,
            "other_resources": self.other_resources,
            "redirect_uri": self.redirect_uri,
            "access_token": token(&self.access_token),
            "refresh_token": token(&self.refresh_token),
            "id_token": token(&self.id_token),
            "refreshable": self.is_refreshable,
            "in_progress": self.in_progress,
            "missing": missing.collect::<Vec<_>>(),
            "malformed": self.malformed,
            "other_members": self.others,
        });
        escaped(&object.to_string())
    }

    /// The row of [`table`] for the login stored under this name.
    pub fn row(&self, name: &str) -> [String; 6] {
        let expires = self.access_token.as_ref().map_or("-".to_owned(), |token| match token.expires_at {
            Some(REFUSED) => REFUSED_WORDS.to_owned(),
            Some(time) => relative(time, self.now),
            None => "unknown".to_owned(),
        });
        let cell = |text: &str| cut(text, MAX_CELL);
        let account = self
            .account
            .as_ref()
            .map(|account| cell(&account.value) + if account.is_verified { "" } else { " (not verified)" });
        let [issuer, scope] = [&self.issuer, &self.scope].map(|text| text.as_deref().map(cell));
        let [issuer, account, scope] = [issuer, account, scope].map(|text| text.unwrap_or("-".to_owned()));
        let refreshable = if self.is_refreshable { "yes" } else { "no" };
        [name.to_owned(), issuer, account, scope, expires, refreshable.to_owned()]
    }
}

/// The rows below headings, as lines with aligned columns; without rows, none.
pub fn table(rows: &[[String; 6]]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let rows: Vec<[String; 6]> = [HEADINGS.map(str::to_owned)].into_iter().chain(rows.iter().cloned()).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let lines = rows.iter().map(|row| {
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}  ", width(column).unwrap_or_default()));
        message::harmless(cells.collect::<String>().trim_end())
    });
    lines.collect()
}

/// Reads members of a document; one that is malformed counts as missing.
struct Reader<'a> {
    document: &'a Document,
    discretion: Discretion,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.shown(&self.document.text(name).ok().flatten()?)
    }

    /// What may be shown of this text, if that is anything.
    fn shown(&self, text: &str) -> Option<String> {
        Some(self.discretion.text(text)).filter(|text| !text.is_empty())
    }

    fn token(&self, name: &str) -> Option<Token> {
        let token: Zeroizing<String> = self.document.visible(name).ok().flatten()?;
        let jwt = Jwt::parse(&token);
        Some(Token { characters: token.chars().count(), expires_at: jwt.as_ref().and_then(Jwt::expires_at), jwt })
    }

    /// The account of the verified claims, else of the ID token's own. Claims of another person are not those that
    /// pkce-verify has checked.
    fn account(&self, id_token: Option<&Token>) -> Option<Account> {
        let verified = self.document.object(CLAIMS).ok().flatten();
        let claimed = id_token.and_then(|token| token.jwt.as_ref()?.claims.as_ref());
        let sub = |claims: &Document| claims.text("sub").ok().flatten();
        let is_other = claimed.is_some_and(|claimed| {
            claimed.has("sub") && verified.as_ref().is_some_and(|verified| sub(verified) != sub(claimed))
        });
        let account = |claims: Option<&Document>, is_verified| {
            let claims = claims?;
            let usable = |claim: &&str| *claim != "email" || !is_refuted(claims, "email_verified");
            ACCOUNT.into_iter().filter(usable).find_map(|claim| {
                let value = self.shown(&claims.text(claim).ok().flatten()?)?;
                Some(Account { value, claim, is_verified })
            })
        };
        account(verified.as_ref(), !is_other).or_else(|| account(claimed, false))
    }
}

/// Whether the claim is false; some servers send a string.
fn is_refuted(claims: &Document, claim: &str) -> bool {
    claims.json(claim).is_some_and(|json| json.trim_matches('"').eq_ignore_ascii_case("false"))
}

impl Client {
    fn words(&self) -> String {
        let kind = self.is_public.map_or("", |is_public| if is_public { ", public" } else { ", with a secret" });
        cut(&self.id, MAX_VALUE) + kind
    }
}

impl Account {
    fn words(&self) -> String {
        format!(
            "{} ({}{})",
            cut(&self.value, MAX_VALUE),
            self.claim,
            if self.is_verified { "" } else { ", not verified" }
        )
    }

    fn json(&self) -> Value {
        json!({ "value": self.value, "claim": self.claim, "verified": self.is_verified })
    }
}

impl Token {
    fn has_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|time| time <= now)
    }

    /// `present, 1,204 characters, JWT (RS256), expires in 43 minutes`.
    fn words(&self, now: u64) -> String {
        let plural = if self.characters == 1 { "" } else { "s" };
        let mut words = format!("present, {} character{plural}", grouped(self.characters));
        if let Some(jwt) = &self.jwt {
            let kind = if jwt.is_encrypted { Some("encrypted") } else { jwt.algorithm };
            words.push_str(&kind.map_or(", JWT".to_owned(), |kind| format!(", JWT ({kind})")));
        }
        match self.expires_at {
            Some(REFUSED) => words.push_str(&format!(", {REFUSED_WORDS}")),
            Some(time) => words.push_str(&format!(", {}", expiry(time, now))),
            None => {}
        }
        words
    }

    fn json(&self, now: u64) -> Value {
        let left = |time: u64| i64::try_from(i128::from(time) - i128::from(now)).unwrap_or(i64::MAX);
        json!({
            "characters": self.characters,
            "jwt": self.jwt.is_some(),
            "encrypted": self.jwt.as_ref().is_some_and(|jwt| jwt.is_encrypted),
            "alg": self.jwt.as_ref().and_then(|jwt| jwt.algorithm),
            "expires_at": self.expires_at,
            "expires_in": self.expires_at.filter(|time| *time != REFUSED).map(left),
            "expired": self.has_expired(now),
            "refused": self.expires_at == Some(REFUSED),
        })
    }
}

/// Whether the client has no secret, if the document shows that: a secret from a file leaves no trace in it.
fn is_public(document: &Document) -> Option<bool> {
    let request = document.object(TOKEN_REQUEST).ok().flatten();
    let method = request.and_then(|request| request.text("auth_method").ok().flatten());
    let method = method.or_else(|| document.text("token_endpoint_auth_method").ok().flatten());
    match method.as_deref() {
        Some("none") => Some(true),
        Some(method) => method.starts_with("client_secret_").then_some(false),
        None => document.text("client_secret").ok().flatten().filter(|secret| !secret.is_empty()).map(|_| false),
    }
}

/// Whether the document has the member, and no tool can use its value.
fn is_malformed(document: &Document, name: &str) -> bool {
    match name {
        "access_token" | "refresh_token" | "id_token" => document.visible(name).is_err(),
        "max_age" | "expires_in" | "expires_at" => document.seconds(name).is_err(),
        "redirect_parameters" | TOKEN_REQUEST | CLAIMS => document.object(name).is_err(),
        "authorization_response_iss_parameter_supported"
        | "require_pushed_authorization_requests"
        | "client_id_metadata_document_supported" => document.flag(name).is_err(),
        "redirect_uris" | "resource" | TOKEN_ANSWER_MEMBERS => document.texts(name).is_err(),
        "token_endpoint" => document.has(name) && Endpoint::from_document(document, name).is_err(),
        _ if name.ends_with("_supported") => document.texts(name).is_err(),
        _ => document.text(name).is_err(),
    }
}

/// The members that the next step needs or adds, and how each comes into the document.
fn missing(document: &Document) -> Vec<(&'static str, String)> {
    // An empty client ID is none.
    let is_blank = |name: &str| document.text(name).ok().flatten().is_some_and(|id| id.trim().is_empty());
    let lacks = |name: &&&str| !document.has(name) || (**name == "client_id" && is_blank(name));
    let added = |name: &&'static str| (*name, added_by(name));
    if !["access_token", "refresh_token"].into_iter().any(|name| document.has(name)) {
        let members = match () {
            () if document.has("code") => EXCHANGE,
            () if document.has("authorization_url") => CALLBACK,
            () => BEGINNING,
        };
        return members.iter().filter(lacks).take(1).map(added).collect();
    }
    let mut missing: Vec<(&'static str, String)> =
        ["token_endpoint", "client_id"].iter().filter(lacks).map(added).collect();
    if !document.has("access_token") {
        missing.push(("access_token", "pkce-refresh adds it".to_owned()));
    }
    if !document.has("refresh_token") {
        missing.push(("refresh_token", NO_REFRESH_TOKEN.to_owned()));
    }
    if document.has("id_token") && !document.has(CLAIMS) {
        missing.push(added(&CLAIMS));
    }
    missing
}

fn added_by(name: &str) -> String {
    let tool = members::named(name).map_or("", |member| member.added_by);
    if name == "client_id" { format!("{tool} --client-id adds it") } else { format!("{tool} adds it") }
}

/// The number with a comma between each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let places = (1..=digits.len()).rev();
    let digits = digits.chars().zip(places);
    digits.flat_map(|(digit, place)| [Some(digit), (place % 3 == 1 && place > 1).then_some(',')]).flatten().collect()
}

/// The text, cut to this number of characters.
fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    let start: String = text.chars().take(length - 3).collect();
    format!("{start}...")
}

/// The JSON with escapes in its strings for all that a terminal or a CI runner could take for a command. Outside of them, it
/// has nothing like that.
fn escaped(json: &str) -> String {
    let ascii = json.chars().map(|character| match character {
        ' '..='~' => character.to_string(),
        _ => document::escape(character),
    });
    ascii.collect::<String>().replace("::", "\\u003a\\u003a").replace("##", "\\u0023\\u0023")
}

/// The columns of the table.
const HEADINGS: [&str; 6] = ["NAME", "ISSUER", "ACCOUNT", "SCOPE", "EXPIRES", "REFRESHABLE"];

/// The tokens, and what they are called.
const TOKENS: [(&str, &str); 3] =
    [("access_token", "access token"), ("refresh_token", "refresh token"), ("id_token", "ID token")];

/// Claims that say who signed in, the most telling first (OpenID Connect Core section 5.1).
const ACCOUNT: [&str; 4] = ["preferred_username", "email", "name", "sub"];

/// The claims that pkce-verify has checked.
const CLAIMS: &str = "id_token_claims";

/// The members that a login in progress has.
const IN_PROGRESS: [&str; 4] = ["code_verifier", "state", "authorization_url", "code"];

/// What each next step needs, in the order of a login, and what it adds.
const BEGINNING: &[&str] =
    &["authorization_endpoint", "token_endpoint", "code_verifier", "client_id", "authorization_url"];
const CALLBACK: &[&str] = &["state", "redirect_uri", "code"];
const EXCHANGE: &[&str] = &["token_endpoint", "client_id", "code_verifier", "redirect_uri", "access_token"];

/// What is said of an access token that a server refused.
const REFUSED_WORDS: &str = "refused by a server";

/// Characters of a label and the space after it.
const WIDTH: usize = 19;

/// Maximum number of characters of a value in a cell of the table, and in a line.
const MAX_CELL: usize = 60;
const MAX_VALUE: usize = 1000;

/// Maximum number of resources that are shown.
const MAX_RESOURCES: usize = 20;
