//! The one error of all tools: its kinds are the exit statuses.

/// Why a tool could not do its step; a script tells them apart by their status.
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
    /// The kind, and with it the exit status.
    pub kind: Kind,
    /// What is told of it.
    pub report: Box<Report>,
}

/// What an error tells, in words for a person and in members for a program.
#[derive(Debug, Default)]
pub struct Report {
    /// `subject: what is wrong`, lower case, one line.
    pub message: String,
    /// What to do about it, where there is a known cure.
    pub hint: Option<String>,
    /// Whether another tool says it: one before this, which handed its failure on, or the one that stopped reading.
    pub quiet: bool,
    /// Whether a code or a refresh token was sent, and what came back settles nothing: it may be spent.
    pub spent: bool,
    /// The tool that failed, where it was one before this in the pipeline.
    pub tool: Option<String>,
    /// The document's member at fault.
    pub member: Option<String>,
    /// The server's `error` (RFC 6749 4.1.2.1 and 5.2).
    pub error: Option<String>,
    /// The server's `error_description`.
    pub error_description: Option<String>,
    /// The server's `error_uri`.
    pub error_uri: Option<String>,
    /// The status of the server's answer.
    pub http_status: Option<u16>,
}

impl Error {
    /// An error of this kind with this message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Error {
        let report = Report { message: message.into(), ..Report::default() };
        Error { kind, report: Box::new(report) }
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

    /// A member of the document cannot be used: status 2.
    pub fn member(name: &str, wrong: &str) -> Error {
        let mut error = Error::usage(format!("{name}: {wrong}"));
        error.report.member = Some(name.to_owned());
        error
    }

    /// The same, with a cure.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.report.hint = Some(hint.into());
        self
    }

    /// The same, after `what` was sent and nothing came back that settles whether it is spent: then a failure that would
    /// have been one to try again asks for a login.
    pub fn maybe_spent(mut self, what: &str) -> Error {
        if self.kind == Kind::Unavailable {
            self.kind = Kind::LoginRequired;
        }
        self.report.message.push_str(&format!("; {what} may be spent"));
        self.report.spent = true;
        self
    }

    /// The same, said of an answer of `subject`, which broke the protocol: status 4.
    pub fn of_answer(mut self, subject: &str) -> Error {
        self.kind = Kind::Untrusted;
        self.report.message = format!("{subject}: {}", self.report.message);
        self.report.hint = None;
        self
    }
}
