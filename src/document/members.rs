//! The table of the document's members: which tool adds each, and when it is removed.

/// A member of the document that a tool uses.
pub struct Member {
    /// The name in the RFCs and the IANA OAuth registries; a few are our own.
    pub name: &'static str,
    /// The tool that adds it.
    pub added_by: &'static str,
    /// Whether it is missing from some servers' metadata.
    pub is_optional: bool,
    /// Whether the code exchange spends and removes it.
    pub is_spent: bool,
    /// Whether it belongs to one login, and a new login removes it.
    pub is_of_login: bool,
}

/// The member of this name.
pub fn named(name: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| member.name == name)
}

/// Whether `tool` adds the member of this name.
pub fn is_added_by(tool: &str, name: &str) -> bool {
    named(name).is_some_and(|member| member.added_by == tool)
}

/// Whether the member belongs to a token response; these replace those of an earlier response as a set.
pub fn is_token(name: &str) -> bool {
    ![TOKEN_ANSWER_MEMBERS, TOKEN_REQUEST].contains(&name) && is_added_by("pkce-exchange", name)
}

/// The names of the members that match.
pub fn names(fits: impl Fn(&Member) -> bool) -> Vec<&'static str> {
    MEMBERS.iter().filter(|member| fits(member)).map(|member| member.name).collect()
}

const fn member(added_by: &'static str, name: &'static str) -> Member {
    Member { name, added_by, is_optional: false, is_spent: false, is_of_login: false }
}

impl Member {
    const fn optional(self) -> Member {
        Member { is_optional: true, ..self }
    }

    const fn spent(self) -> Member {
        Member { is_spent: true, ..self }
    }

    const fn of_login(self) -> Member {
        Member { is_of_login: true, ..self }
    }
}

/// The names that a token response added beyond this table; a new login removes those members too.
pub const TOKEN_ANSWER_MEMBERS: &str = "token_answer_members";

/// The `expires_at` of tokens that a server refused: earlier than any process started, so that none counts them as new.
pub const REFUSED: u64 = 0;

/// What the exchange and later refreshes were told about their requests, so that the next refresh does the same.
pub const TOKEN_REQUEST: &str = "token_request";

/// The hint for a missing refresh token (OpenID Connect Core section 11).
pub const NO_REFRESH_TOKEN: &str =
    "servers issue one if the scope includes offline_access; most require --prompt consent as well";

/// All members, in the order of a login.
const MEMBERS: &[Member] = &[
    member("pkce-discover", "issuer"),
    member("pkce-discover", "authorization_endpoint"),
    member("pkce-discover", "token_endpoint"),
    member("pkce-discover", "jwks_uri").optional(),
    member("pkce-discover", "revocation_endpoint").optional(),
    member("pkce-discover", "registration_endpoint").optional(),
    member("pkce-discover", "pushed_authorization_request_endpoint").optional(),
    member("pkce-discover", "userinfo_endpoint"),
    member("pkce-discover", "device_authorization_endpoint").optional(),
    member("pkce-discover", "end_session_endpoint"),
    member("pkce-discover", "code_challenge_methods_supported"),
    member("pkce-discover", "id_token_signing_alg_values_supported"),
    member("pkce-discover", "token_endpoint_auth_methods_supported"),
    member("pkce-discover", "authorization_response_iss_parameter_supported"),
    member("pkce-discover", "require_pushed_authorization_requests"),
    member("pkce-discover", "client_id_metadata_document_supported"),
    member("pkce-discover", "scopes_supported"),
    member("pkce-discover", "grant_types_supported"),
    member("pkce-discover", "response_modes_supported"),
    member("pkce-discover", "dpop_signing_alg_values_supported"),
    member("pkce-register", "redirect_uris"),
    member("pkce-register", "client_secret"),
    member("pkce-register", "token_endpoint_auth_method"),
    member("pkce-gen", "code_verifier").spent(),
    member("pkce-gen", "code_challenge").spent(),
    member("pkce-gen", "code_challenge_method").spent(),
    member("pkce-gen", "state").spent(),
    member("pkce-gen", "nonce"),
    member("pkce-url", "client_id"),
    member("pkce-url", "redirect_uri").spent(),
    member("pkce-url", "scope"),
    member("pkce-url", "resource"),
    member("pkce-url", "max_age"),
    member("pkce-url", "acr_values"),
    member("pkce-url", "authorization_url").spent().of_login(),
    member("pkce-callback", "code").spent().of_login(),
    member("pkce-callback", "iss").spent().of_login(),
    member("pkce-callback", "redirect_parameters").of_login(),
    member("pkce-exchange", "access_token").of_login(),
    member("pkce-exchange", "token_type").of_login(),
    member("pkce-exchange", "expires_in").of_login(),
    member("pkce-exchange", "expires_at").of_login(),
    member("pkce-exchange", "id_token").of_login(),
    member("pkce-exchange", "refresh_token").of_login(),
    member("pkce-exchange", TOKEN_ANSWER_MEMBERS).of_login(),
    member("pkce-exchange", TOKEN_REQUEST).of_login(),
    member("pkce-verify", "id_token_claims").of_login(),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the member list in pkce-tools(7): a tool and its members.
    fn documented() -> Vec<(String, Vec<String>)> {
        let page = include_str!("../../man/pkce-tools.7");
        let list = page.split(".Ss The document\n").nth(1).unwrap().split(".El").next().unwrap();
        let rows = list.split("\n.It ").skip(1).map(|row| row.split_once('\n').unwrap());
        let members = |lines: &str| {
            let lines = lines.lines().filter_map(|line| line.strip_prefix(".Va "));
            let names = lines.flat_map(|line| line.split([' ', ',']));
            names.filter(|name| name.contains(|c: char| c.is_alphanumeric())).map(str::to_owned).collect()
        };
        rows.map(|(tool, lines)| (tool.trim_start_matches("Xr ").replace(" 1", ""), members(lines))).collect()
    }

    #[test]
    fn is_what_the_manual_says() {
        let documented = documented();
        for member in MEMBERS {
            let named = documented
                .iter()
                .any(|(tool, names)| *tool == member.added_by && names.iter().any(|name| name == member.name));
            assert!(named, "pkce-tools(7) does not list {} at {}", member.name, member.added_by);
        }
        for (tool, names) in &documented {
            assert!(!names.is_empty(), "{tool}");
            for name in names {
                assert!(super::named(name).is_some(), "pkce-tools(7) lists {name} at {tool}");
            }
        }
    }

    #[test]
    fn has_each_name_once() {
        let mut names = names(|_| true);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MEMBERS.len());
    }
}
