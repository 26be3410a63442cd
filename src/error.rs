//! The error type of all tools: its kinds are the exit statuses.

use crate::message;

/// The kind of a failure; scripts distinguish the kinds by exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server or the user refused.
    Refused,
    /// The command line or the document is invalid.
    Usage,
    /// Something outside failed, and no code or token was spent.
    Unavailable,
    /// A check failed.
    Untrusted,
    /// The grant is spent or expired, or may be.
    LoginRequired,
    /// A fault in the tool itself.
    Fault,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] =
        [Kind::Refused, Kind::Usage, Kind::Unavailable, Kind::Untrusted, Kind::LoginRequired, Kind::Fault];

    /// The exit status of this kind.
    pub fn status(self) -> u8 {
        match self {
            Kind::Refused => 1,
            Kind::Usage => 2,
            Kind::Unavailable => 3,
            Kind::Untrusted => 4,
            Kind::LoginRequired => 5,
            Kind::Fault => 70,
        }
    }

    /// The name of this kind in the failure line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::Usage => "usage",
            Kind::Unavailable => "unavailable",
            Kind::Untrusted => "untrusted",
            Kind::LoginRequired => "login_required",
            Kind::Fault => "fault",
        }
    }
}

/// A failure: its kind, one message, and details. It never holds a secret or a personal value of the document.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    report: Box<Report>,
}

/// The details of an error, as text for the user and as members for a program.
#[derive(Debug, Default)]
struct Report {
    message: String,
    hint: Option<String>,
    member: Option<String>,
    is_missing: bool,
    oauth: OauthError,
    mismatch: Option<Mismatch>,
    attempts: Vec<(String, String)>,
    http_status: Option<u16>,
    is_spent: bool,
    loses_input: bool,
    is_silent: bool,
    is_one_line: bool,
    tool: Option<String>,
    exit_status: Option<u8>,
}

/// What was expected, and what came instead: both public, and at most 200 characters.
#[derive(Debug)]
pub struct Mismatch {
    /// The expected value, or several.
    pub expected: String,
    /// The value that came.
    pub received: String,
}

/// The members of an OAuth error response or redirect (RFC 6749 sections 4.1.2.1 and 5.2).
#[derive(Debug, Default)]
pub struct OauthError {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`, which may be longer than what a message repeats.
    pub description: Option<String>,
    /// `error_uri`.
    pub uri: Option<String>,
    /// Entra's `claims`, which the next request must send.
    pub claims: Option<String>,
    /// Entra's `suberror`.
    pub suberror: Option<String>,
    /// Entra's `error_codes`.
    pub codes: Vec<u64>,
}

impl Error {
    /// An error of this kind, with a message `subject: what is wrong`: lower case, one line.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        let report = Report { message: message.into(), ..Report::default() };
        Error { kind, report: Box::new(report) }
    }

    /// The server or the user refused: status 1.
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, message)
    }

    /// The command line or the document is invalid: status 2.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// Something outside failed, and no code or token was spent: status 3.
    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unavailable, message)
    }

    /// A check failed: status 4.
    pub fn untrusted(message: impl Into<String>) -> Error {
        Error::new(Kind::Untrusted, message)
    }

    /// A new login is required: status 5.
    pub fn login_required(message: impl Into<String>) -> Error {
        Error::new(Kind::LoginRequired, message)
    }

    /// A required member is missing from the document: status 2.
    pub fn missing(member: &str) -> Error {
        let mut error = Error::usage(format!("{member}: missing")).about(member);
        error.report.is_missing = true;
        error
    }

    /// Names the member of the document or of a response that the error is about.
    pub fn about(mut self, member: &str) -> Error {
        self.report.member = Some(member.to_owned());
        self
    }

    /// Makes it the error of a failed check: status 4.
    pub fn as_untrusted(mut self) -> Error {
        self.kind = Kind::Untrusted;
        self
    }

    /// Makes it a failure of something outside: status 3.
    pub fn as_unavailable(mut self) -> Error {
        self.kind = Kind::Unavailable;
        self
    }

    /// Makes it an error that requires a new login: status 5.
    pub fn as_login_required(mut self) -> Error {
        self.kind = Kind::LoginRequired;
        self
    }

    /// Makes a failure that could have been retried one that requires a new login.
    pub fn or_login_required(self) -> Error {
        if self.kind == Kind::Unavailable { self.as_login_required() } else { self }
    }

    /// Changes each text by this function, such as one that redacts secrets: the message, the hint, and what a program
    /// is told beside them.
    pub fn with_texts(mut self, change: impl Fn(&str) -> String) -> Error {
        let report = &mut *self.report;
        report.message = change(&report.message);
        if let Some(values) = &mut report.mismatch {
            values.received = change(&values.received);
        }
        for (url, outcome) in &mut report.attempts {
            (*url, *outcome) = (change(url), change(outcome));
        }
        let oauth = &mut report.oauth;
        let texts = [&mut oauth.error, &mut oauth.description, &mut oauth.uri, &mut oauth.claims, &mut oauth.suberror];
        for text in texts.into_iter().chain([&mut report.hint, &mut report.member]) {
            *text = text.as_deref().map(&change);
        }
        self
    }

    /// Prefixes the message with this subject.
    pub fn within(mut self, subject: &str) -> Error {
        self.report.message = format!("{subject}: {}", self.report.message);
        self
    }

    /// Adds to the message that `received` came instead of what was expected. Both are public; a mail address in them is
    /// not shown.
    pub fn mismatch(mut self, expected: &str, received: &str) -> Error {
        let [expected, received] = [expected, received].map(message::public);
        let [shown, came] = [&expected, &received].map(|text| if text.is_empty() { "nothing" } else { text });
        self.report.message = format!("{}: {came} instead of {shown}", self.report.message);
        self.report.mismatch = Some(Mismatch { expected, received });
        self
    }

    /// Adds the URLs that were tried, each with its outcome.
    pub fn attempts(mut self, attempts: Vec<(String, String)>) -> Error {
        self.report.attempts = attempts;
        self
    }

    /// Adds the HTTP status of the response that the error is about.
    pub fn http_status(mut self, status: u16) -> Error {
        self.report.http_status = Some(status);
        self
    }

    /// Sets an exit status other than that of the kind, for a command that cannot be started.
    pub fn with_exit_status(mut self, status: u8) -> Error {
        self.report.exit_status = Some(status);
        self
    }

    /// Adds the server's OAuth error.
    pub fn oauth(mut self, oauth: OauthError) -> Error {
        self.report.oauth = oauth;
        self
    }

    /// Adds a hint: what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.report.hint = Some(hint.into());
        self
    }

    /// Adds what to do about it, if that is known.
    pub fn hint_if_any(self, hint: Option<impl Into<String>>) -> Error {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds the server's own words to the message, if there are any.
    pub fn quoting(mut self, words: Option<&str>) -> Error {
        if let Some(words) = words {
            self.report.message = format!("{}: {words}", self.report.message);
        }
        self
    }

    /// Adds to the message what else should be known; the kind stays.
    pub fn appending(mut self, text: &str) -> Error {
        self.report.message = format!("{}; {text}", self.report.message);
        self
    }

    /// Removes a hint that does not apply.
    pub fn without_hint(mut self) -> Error {
        self.report.hint = None;
        self
    }

    /// Puts the hint on the line of the message, for a program that shows no more.
    pub fn on_one_line(mut self) -> Error {
        self.report.is_one_line = true;
        self
    }

    /// Suppresses the message, since another tool reports the failure.
    pub fn silent(mut self) -> Error {
        self.report.is_silent = true;
        self
    }

    /// Makes it the failure of `tool`, earlier in the pipeline, which has reported it.
    pub fn passed_on_from(mut self, tool: &str) -> Error {
        self.report.tool = Some(tool.to_owned());
        self.silent()
    }

    /// Adds that a code or a refresh token was sent, and no response shows whether it is spent.
    pub fn maybe_spent(mut self, consequence: &str) -> Error {
        self.report.is_spent = true;
        self.appending(consequence)
    }

    /// Marks a failure that is not the document's fault, so that with it what only a pipe had is lost.
    pub fn losing_input(mut self) -> Error {
        self.report.loses_input = true;
        self
    }

    /// Adds what is lost: a failure that could have been retried then requires a login, and is never silent.
    pub fn with_loss(mut self, lost: &str) -> Error {
        self.report.is_silent = false;
        self.or_login_required().appending(lost)
    }

    /// The kind, which determines the exit status.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message, `subject: what is wrong`.
    pub fn message(&self) -> &str {
        &self.report.message
    }

    /// The hint, if any: what to do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.report.hint.as_deref()
    }

    /// The member that the error is about.
    pub fn member(&self) -> Option<&str> {
        self.report.member.as_deref()
    }

    /// The member that is missing from the user's document, if that is the error.
    pub fn missing_member(&self) -> Option<&str> {
        self.member().filter(|_| self.report.is_missing)
    }

    /// What was expected and what came, if the error is about that.
    pub fn mismatched(&self) -> Option<&Mismatch> {
        self.report.mismatch.as_ref()
    }

    /// The URLs that were tried, each with its outcome.
    pub fn attempted(&self) -> &[(String, String)] {
        &self.report.attempts
    }

    /// The server's OAuth error.
    pub fn oauth_error(&self) -> &OauthError {
        &self.report.oauth
    }

    /// The server's `error` code.
    pub fn oauth_code(&self) -> Option<&str> {
        self.report.oauth.error.as_deref()
    }

    /// The HTTP status of the server's response.
    pub fn response_status(&self) -> Option<u16> {
        self.report.http_status
    }

    /// The exit status, if it is not that of the kind.
    pub fn exit_status(&self) -> Option<u8> {
        self.report.exit_status
    }

    /// Whether a code or a refresh token was sent, and no response shows whether it is spent.
    pub fn is_spent(&self) -> bool {
        self.report.is_spent
    }

    /// Whether the document, if only a pipe had it, is lost with this failure.
    pub fn loses_input(&self) -> bool {
        self.report.loses_input || self.kind == Kind::Unavailable
    }

    /// Whether another tool reports it.
    pub fn is_silent(&self) -> bool {
        self.report.is_silent
    }

    /// Whether the hint belongs on the line of the message.
    pub fn is_one_line(&self) -> bool {
        self.report.is_one_line
    }

    /// The tool that failed, if it was an earlier one in the pipeline.
    pub fn tool(&self) -> Option<&str> {
        self.report.tool.as_deref()
    }
}
