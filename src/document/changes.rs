//! Changes of a document: members that are set, removed or added from another one.

use std::collections::BTreeSet;

use crate::error::Error;

use super::members::{self, Member, TOKEN_ANSWER_MEMBERS};
use super::object::{check, is_simple};
use super::text::{Text, escape};
use super::{Document, Place};

impl Document {
    /// Sets the member to this text.
    pub fn set(&mut self, name: &str, text: &str) {
        self.put(name, |json| json.push_quoted(text));
    }

    /// Sets the member to this text, with escapes for all that a terminal or a CI runner could take for a command.
    pub fn set_escaped(&mut self, name: &str, text: &str) {
        let escaped = |c: char| match c {
            ' ' | '!'..='~' if c != '#' && c != ':' => c.to_string(),
            _ => escape(c),
        };
        let mut quoted = Text::default();
        quoted.push_quoted(text);
        self.put(name, |json| quoted.chars().for_each(|character| json.push(&escaped(character))));
    }

    /// Sets the member if there is a text, else leaves it unchanged.
    pub fn set_given(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.set(name, text);
        }
    }

    /// Sets the member to the only text, or to an array of several; without a text it stays unchanged.
    pub fn set_texts(&mut self, name: &str, texts: &[String]) {
        match texts {
            [] => {}
            [text] => self.set(name, text),
            texts => self.set_list(name, texts),
        }
    }

    /// Sets the member to an array of any number of texts.
    pub fn set_list(&mut self, name: &str, texts: &[impl AsRef<str>]) {
        self.put_list(name, texts, |text, json| json.push_quoted(text.as_ref()));
    }

    /// Sets the member to a whole number.
    pub fn set_number(&mut self, name: &str, number: u64) {
        self.put(name, |json| json.push(&number.to_string()));
    }

    /// Sets the member to `true` or `false`.
    pub fn set_flag(&mut self, name: &str, flag: bool) {
        self.put(name, |json| json.push(if flag { "true" } else { "false" }));
    }

    /// Sets the member to an array of whole numbers.
    pub fn set_numbers(&mut self, name: &str, numbers: &[u64]) {
        self.put_list(name, numbers, |number, json| json.push(&number.to_string()));
    }

    /// Sets the member to an object. One that would be nested too deep there is an error about the object.
    pub fn set_object(&mut self, name: &str, object: &Document) -> Result<(), Error> {
        for member in &object.members {
            let json = member.json(&object.text);
            if !is_simple(json) {
                let value = serde_json::from_str(json).map_err(|_| "not JSON".to_owned());
                let checked = value.and_then(|value| check(value, 3));
                checked.map_err(|wrong| object.wrong(member.name(&object.text), &wrong))?;
            }
        }
        self.put(name, |json| object.write(json));
        Ok(())
    }

    /// Sets the member to an array of objects.
    pub fn set_objects(&mut self, name: &str, objects: &[Document]) {
        self.put_list(name, objects, Document::write);
    }

    /// Removes the members of these names.
    pub fn remove(&mut self, names: &[&str]) {
        for name in names {
            if let Ok(place) = self.find(name) {
                self.members.remove(place);
            }
        }
    }

    /// Removes the members of an earlier login: code, tokens, claims, and others of its token response.
    pub fn forget_login(&mut self) -> Result<(), Error> {
        let added: BTreeSet<String> = self.texts(TOKEN_ANSWER_MEMBERS)?.unwrap_or_default().into_iter().collect();
        // A revocation removes the access token, but not the scope granted with it.
        if ["access_token", "id_token", "id_token_claims"].into_iter().any(|name| self.has(name)) {
            // The scope of an earlier login is the granted one, not the one to request now.
            self.remove(&["scope"]);
        }
        self.remove(&members::names(|member: &Member| member.is_of_login));
        // A document may be written by hand: a list in it must not remove members that control a login.
        self.retain(|name, _| members::named(name).is_some() || !added.contains(name));
        Ok(())
    }

    /// Retains the members with matching name and JSON text, and removes all others.
    pub fn retain(&mut self, fits: impl Fn(&str, &str) -> bool) {
        self.members.retain(|member| fits(member.name(&self.text), member.json(&self.text)));
    }

    /// The document without null values, which some servers send for missing members.
    pub fn without_nulls(mut self) -> Document {
        self.retain(|_, json| json != "null");
        self
    }

    /// Adds all members of `later`, which override existing ones.
    pub fn merge(&mut self, later: &Document) {
        self.put_all(later, &later.members);
    }

    /// Adds the members of `other` that are missing.
    pub fn add_missing(&mut self, other: &Document) {
        let is_missing = |member: &&Place| !self.has(member.name(&other.text));
        let missing: Vec<&Place> = other.members.iter().filter(is_missing).collect();
        self.put_all(other, missing);
    }

    /// Sets the member to the JSON text that `write` appends, which is on one line.
    fn put(&mut self, name: &str, write: impl FnOnce(&mut Text)) {
        let new = self.append(name, write);
        match self.find(name) {
            Ok(place) => drop(self.members.splice(place..=place, [new])),
            Err(place) => self.members.insert(place, new),
        }
    }

    /// Sets these members of another document, however many, in one go.
    fn put_all<'a>(&mut self, other: &Document, members: impl IntoIterator<Item = &'a Place>) {
        for member in members {
            let new = self.append(member.name(&other.text), |json| json.push(member.json(&other.text)));
            self.members.push(new);
        }
        let text = &self.text;
        self.members.sort_by(|a, b| a.prefix.cmp(&b.prefix).then_with(|| a.name(text).cmp(b.name(text))));
        // The order is stable: of two with one name, the new one comes later.
        self.members.dedup_by(|later, member| {
            let is_same = later.name(text) == member.name(text);
            if is_same {
                *member = *later;
            }
            is_same
        });
    }

    fn put_list<T>(&mut self, name: &str, values: &[T], write: impl Fn(&T, &mut Text)) {
        self.put(name, |json| {
            json.push("[");
            for (count, value) in values.iter().enumerate() {
                if count > 0 {
                    json.push(",");
                }
                write(value, json);
            }
            json.push("]");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::FEW;
    use super::*;

    #[test]
    fn merges_two_documents_so_that_the_later_one_wins() {
        let members = |from: usize, to: usize, value: &str| {
            let members: Vec<String> = (from..to).map(|n| format!("\"m{n:03}\":{value}")).collect();
            Document::parse(format!("{{{}}}", members.join(",")).as_bytes()).unwrap()
        };
        for count in [2, FEW, 200] {
            let (early, late) = (members(0, count, "1"), members(count / 2, count + 1, "2"));
            let (mut merged, mut filled) = (early.clone(), early.clone());
            merged.merge(&late);
            filled.add_missing(&late);
            assert!(merged.names().eq((0..=count).map(|n| format!("m{n:03}"))));
            assert!(filled.names().eq(merged.names()));
            for n in 0..=count {
                let name = format!("m{n:03}");
                assert_eq!(merged.json(&name), Some(if n < count / 2 { "1" } else { "2" }), "{name} of {count}");
                assert_eq!(filled.json(&name), Some(if n < count { "1" } else { "2" }), "{name} of {count}");
            }
        }
    }

    #[test]
    fn escapes_what_a_runner_would_obey_so_that_it_is_the_same_text() {
        for (text, expected) in [
            ("a b~!", "a b~!"),
            ("##[x]", "\\u0023\\u0023[x]"),
            ("::a::", "\\u003a\\u003aa\\u003a\\u003a"),
            ("\"\\#", "\\\"\\\\\\u0023"),
            ("\\u0023", "\\\\u0023"),
            ("é\u{9b}\u{7f}\n\u{200b}", "\\u00e9\\u009b\\u007f\\n\\u200b"),
            ("\u{1f511}", "\\ud83d\\udd11"),
            ("\u{1b}", "\\u001b"),
            ("", ""),
        ] {
            let mut document = Document::default();
            document.set_escaped("a", text);
            assert_eq!(document.json("a"), Some(format!("\"{expected}\"").as_str()));
            assert_eq!(document.text("a").ok().flatten().as_deref(), Some(text));
        }
    }
}
