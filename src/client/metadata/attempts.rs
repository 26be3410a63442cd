//! The places without usable metadata, and why.

use crate::document::Document;
use crate::error::{Error, Kind};
use crate::message;
use crate::wire::http::{Client, Response};
use crate::wire::reference;
use crate::wire::url::Url;

/// The URLs that gave no metadata that can be used, each with its error.
#[derive(Default)]
pub struct Attempts(Vec<(String, Error)>);

impl Attempts {
    /// What `read` makes of the first of these places that it accepts; `None` if it accepts none. A failed connection ends
    /// the search, unless a place at another server follows.
    pub fn first<T>(
        &mut self,
        client: &Client,
        subject: &str,
        places: &[&Url],
        mut read: impl FnMut(Document) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        for (at, place) in places.iter().enumerate() {
            let is_elsewhere = places.iter().skip(at + 1).any(|next| !next.is_same_origin(place));
            let response = match fetch(client, place) {
                Err(error) if !is_elsewhere => return Err(self.ended(place, error)),
                response => response,
            };
            let object = response.and_then(|response| response.required_object(subject));
            match object.map(Document::without_nulls).and_then(&mut read) {
                Ok(found) => return Ok(Some(found)),
                Err(error) => self.add(place.without_query(), error),
            }
        }
        Ok(None)
    }

    /// Adds an attempt in vain.
    pub fn add(&mut self, place: &str, error: Error) {
        let words: Vec<&str> = error.message().split(' ').map(without_query).collect();
        message::trace(&format!("{}: {}", without_query(place), words.join(" ")));
        self.0.push((place.to_owned(), error));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no metadata at these places: nothing but refusals came, such as 404. With `lenient`, a response that
    /// is no metadata counts too, such as a page with status 200, but not metadata of something else.
    pub fn mean_none(&self, lenient: bool) -> bool {
        let is_none = |error: &Error| match error.kind() {
            Kind::Refused => true,
            Kind::Untrusted => lenient && error.mismatched().is_none(),
            _ => false,
        };
        self.0.iter().all(|(_, error)| is_none(error))
    }

    /// The most telling error of those after the first `skipped`, with the list of all: an overloaded server may have what
    /// is missing, and a response that cannot be trusted says more than that there is none.
    pub fn error(self, skipped: usize) -> Error {
        let list = self.list();
        let errors = self.0.into_iter().skip(skipped).map(|(_, error)| error);
        let telling = errors.reduce(|first, next| if rank(&next) > rank(&first) { next } else { first });
        telling.unwrap_or_else(|| Error::refused("metadata: not found")).attempts(list)
    }

    /// The error that ends the search at this place.
    fn ended(&self, place: &Url, error: Error) -> Error {
        let mut list = self.list();
        list.push((place.without_query().to_owned(), error.message().to_owned()));
        error.attempts(list)
    }

    /// Each URL and what it said.
    fn list(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(place, error)| (place.clone(), error.message().to_owned())).collect()
    }
}

/// The word, without the query of a URL, which a trace must not show.
fn without_query(word: &str) -> &str {
    match word.split_once('?') {
        Some((before, _)) if before.contains("://") => before,
        _ => word,
    }
}

/// How much an error says about why there is no metadata.
fn rank(error: &Error) -> u8 {
    match error.kind() {
        Kind::Unavailable => 4,
        Kind::Untrusted if error.mismatched().is_some() => 3,
        Kind::Untrusted => 2,
        _ if error.response_status() != Some(404) => 1,
        _ => 0,
    }
}

/// The response to a GET; a redirect within the origin is followed.
fn fetch(client: &Client, place: &Url) -> Result<Response, Error> {
    let (mut url, mut response) = (place.clone(), client.get(place)?);
    for _ in 0..REDIRECTS_FOLLOWED {
        let next = response.redirect_target().and_then(|target| reference::resolved(&url, target).ok());
        let Some(next) = next.filter(|next| next.is_same_origin(place)) else { break };
        response = client.get(&next)?;
        url = next;
    }
    Ok(response)
}

/// How many redirects are followed.
const REDIRECTS_FOLLOWED: usize = 3;
