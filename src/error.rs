//! The one error of all tools: its kinds are the exit statuses.

/// Why a tool could not do its step; a script tells the kinds apart by their status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server or the person said no.
    Refused,
    /// The call or the document cannot be used.
    Usage,
    /// Something outside failed, and nothing was spent.
    Unavailable,
    /// A check failed.
    Untrusted,
    /// The grant is gone, or may be.
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

    /// The word for this kind in the failure line and in JSON.
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

/// A failure: its kind, one message, and what is known beside it. It never holds a value of the document.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    report: Box<Report>,
}

/// What an error says, in words for a person and in members for a program.
#[derive(Debug, Default)]
struct Report {
    message: String,
    hint: Option<String>,
    member: Option<String>,
    is_missing: bool,
    oauth: OauthError,
    http_status: Option<u16>,
    is_spent: bool,
    is_silent: bool,
    tool: Option<String>,
}

/// The members of an OAuth error response or redirect (RFC 6749 sections 4.1.2.1 and 5.2).
#[derive(Clone, Debug, Default)]
pub struct OauthError {
    /// `error`.
    pub error: Option<String>,
    /// `error_description`.
    pub description: Option<String>,
    /// `error_uri`.
    pub uri: Option<String>,
}

impl Error {
    /// An error of this kind, with a message `subject: what is wrong`: lower case, one line.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        let report = Report { message: message.into(), ..Report::default() };
        Error { kind, report: Box::new(report) }
    }

    /// The server or the person said no: status 1.
    pub fn refused(message: impl Into<String>) -> Error {
        Error::new(Kind::Refused, message)
    }

    /// The call or the document cannot be used: status 2.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// Something outside failed, and nothing was spent: status 3.
    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Kind::Unavailable, message)
    }

    /// A check failed: status 4.
    pub fn untrusted(message: impl Into<String>) -> Error {
        Error::new(Kind::Untrusted, message)
    }

    /// Only a new login helps: status 5.
    pub fn login_required(message: impl Into<String>) -> Error {
        Error::new(Kind::LoginRequired, message)
    }

    /// A member that the step cannot do without is missing from the document: status 2.
    pub fn missing(member: &str) -> Error {
        let mut error = Error::usage(format!("{member}: missing")).about(member);
        error.report.is_missing = true;
        error
    }

    /// The same, said of this member of the document or of a response.
    pub fn about(mut self, member: &str) -> Error {
        self.report.member = Some(member.to_owned());
        self
    }

    /// The same, where a check failed: status 4.
    pub fn as_untrusted(mut self) -> Error {
        self.kind = Kind::Untrusted;
        self
    }

    /// The same, with this subject before its message.
    pub fn within(mut self, subject: &str) -> Error {
        self.report.message = format!("{subject}: {}", self.report.message);
        self
    }

    /// The same, with the status of the response that it is about.
    pub fn http_status(mut self, status: u16) -> Error {
        self.report.http_status = Some(status);
        self
    }

    /// The same, with what the server said.
    pub fn oauth(mut self, oauth: OauthError) -> Error {
        self.report.oauth = oauth;
        self
    }

    /// The same, with a cure.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.report.hint = Some(hint.into());
        self
    }

    /// The same without a cure, where the one it had does not help.
    pub fn without_hint(mut self) -> Error {
        self.report.hint = None;
        self
    }

    /// The same, left unsaid: another tool says what happened.
    pub fn silent(mut self) -> Error {
        self.report.is_silent = true;
        self
    }

    /// The same as the failure of `tool`, which stood before this one in the pipeline and has said it.
    pub fn passed_on_from(mut self, tool: &str) -> Error {
        self.report.tool = Some(tool.to_owned());
        self.silent()
    }

    /// The same, after `what` was sent and nothing came back that settles whether it is spent: then a failure that would
    /// have been one to try again asks for a login.
    pub fn maybe_spent(mut self, what: &str) -> Error {
        self.report.is_spent = true;
        self.or_login_required().adding(&format!("{what} may be spent"))
    }

    /// The same, with what is lost by it: a failure that could have been tried again then requires a login, and it is
    /// never silent.
    pub fn losing(mut self, lost: &str) -> Error {
        self.report.is_silent = false;
        self.or_login_required().adding(lost)
    }

    /// The kind, and with it the exit status.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `subject: what is wrong`.
    pub fn message(&self) -> &str {
        &self.report.message
    }

    /// What to do about it, where there is a known cure.
    pub fn cure(&self) -> Option<&str> {
        self.report.hint.as_deref()
    }

    /// The member that it is about.
    pub fn member(&self) -> Option<&str> {
        self.report.member.as_deref()
    }

    /// The member of the user's document that is missing, where that is what is wrong.
    pub fn missing_member(&self) -> Option<&str> {
        self.member().filter(|_| self.report.is_missing)
    }

    /// What the server said.
    pub fn said(&self) -> &OauthError {
        &self.report.oauth
    }

    /// The server's `error`.
    pub fn code(&self) -> Option<&str> {
        self.report.oauth.error.as_deref()
    }

    /// The status of the server's response.
    pub fn response_status(&self) -> Option<u16> {
        self.report.http_status
    }

    /// Whether a code or a refresh token was sent, and nothing came back that settles whether it is spent.
    pub fn is_spent(&self) -> bool {
        self.report.is_spent
    }

    /// Whether another tool says it.
    pub fn is_silent(&self) -> bool {
        self.report.is_silent
    }

    /// The tool that failed, where it was one before this in the pipeline.
    pub fn tool(&self) -> Option<&str> {
        self.report.tool.as_deref()
    }

    fn or_login_required(mut self) -> Error {
        if self.kind == Kind::Unavailable {
            self.kind = Kind::LoginRequired;
        }
        self
    }

    fn adding(mut self, text: &str) -> Error {
        self.report.message = format!("{}; {text}", self.report.message);
        self
    }
}
