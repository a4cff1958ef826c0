//! Which path means what.

use super::page;
use super::request::Method;
use super::response::Response;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The page, or the form for the token in its place.
    Page,
    /// A file of the page; all of them are the same for everybody.
    File(&'static page::File),
    /// Alive.
    Healthz,
    /// Signed in and syncing.
    Readyz,
    /// For Prometheus.
    Metrics,
    /// `status --json`.
    Status,
    /// The status as it changes.
    Events,
    /// The deletions that are held.
    Held,
    /// The ways to get a code.
    CodeWays,
    /// The local trash.
    Trash,
    /// Gives the token for a cookie.
    SignIn,
    /// Gives the cookie back.
    SignOut,
    /// Changes something.
    Act(Action),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Code,
    CodeSend,
    Approve,
    SyncNow,
    Pause,
    Resume,
    Restore,
}

/// Whether the token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Open,
    Token,
}

/// Every path but those of the page's files.
const ROUTES: [(Method, &str, Route); 18] = [
    (Method::Get, "/", Route::Page),
    (Method::Get, "/healthz", Route::Healthz),
    (Method::Get, "/readyz", Route::Readyz),
    (Method::Get, "/metrics", Route::Metrics),
    (Method::Get, "/api/status", Route::Status),
    (Method::Get, "/api/events", Route::Events),
    (Method::Get, "/api/held", Route::Held),
    (Method::Get, "/api/code", Route::CodeWays),
    (Method::Get, "/api/trash", Route::Trash),
    (Method::Post, "/api/sign-in", Route::SignIn),
    (Method::Post, "/api/sign-out", Route::SignOut),
    (Method::Post, "/api/code", Route::Act(Action::Code)),
    (Method::Post, "/api/code/send", Route::Act(Action::CodeSend)),
    (Method::Post, "/api/approve", Route::Act(Action::Approve)),
    (Method::Post, "/api/sync-now", Route::Act(Action::SyncNow)),
    (Method::Post, "/api/pause", Route::Act(Action::Pause)),
    (Method::Post, "/api/resume", Route::Act(Action::Resume)),
    (Method::Post, "/api/trash/restore", Route::Act(Action::Restore)),
];

impl Route {
    /// Whether the token is needed. What is open says nothing of anybody's files.
    pub(super) fn door(self) -> Door {
        match self {
            Self::Page | Self::File(_) | Self::Healthz | Self::Readyz | Self::SignIn | Self::SignOut => {
                Door::Open
            }
            Self::Metrics
            | Self::Status
            | Self::Events
            | Self::Held
            | Self::CodeWays
            | Self::Trash
            | Self::Act(_) => Door::Token,
        }
    }

    /// Whether a supervisor asks, who must hear something even when everybody else has to wait.
    pub(super) fn is_probe(self) -> bool {
        matches!(self, Self::Healthz | Self::Readyz)
    }
}

/// The route of a request.
pub(super) fn find(method: Method, path: &str) -> Result<Route, Response> {
    let method = if method == Method::Head { Method::Get } else { method };
    if method == Method::Get
        && let Some(file) = page::FILES.iter().find(|file| file.path == path)
    {
        return Ok(Route::File(file));
    }
    let mut at_path = ROUTES.iter().filter(|(_, known, _)| *known == path).peekable();
    if at_path.peek().is_none() {
        return Err(Response::error(404, "there is nothing at this path"));
    }
    match at_path.clone().find(|(known, ..)| *known == method) {
        Some((.., route)) => Ok(*route),
        None => {
            let allowed: Vec<&str> =
                at_path.map(|(method, ..)| if *method == Method::Get { "GET" } else { "POST" }).collect();
            let allowed = allowed.join(", ");
            Err(Response::error(405, &format!("only {allowed} is possible here")).with("Allow", allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        for (method, path, route) in [
            (Method::Get, "/", Ok(Route::Page)),
            (Method::Head, "/healthz", Ok(Route::Healthz)),
            (Method::Get, "/api/code", Ok(Route::CodeWays)),
            (Method::Post, "/api/code", Ok(Route::Act(Action::Code))),
            (Method::Get, "/api/pause", Err(405)),
            (Method::Other, "/api/pause", Err(405)),
            (Method::Post, "/", Err(405)),
            (Method::Post, "/page.js", Err(404)),
            (Method::Get, "/../etc/passwd", Err(404)),
            (Method::Get, "/api/status/", Err(404)),
            (Method::Get, "", Err(404)),
        ] {
            assert_eq!(find(method, path).map_err(|answer| answer.status), route, "{method:?} {path}");
        }
        assert!(matches!(find(Method::Get, "/page.js"), Ok(Route::File(_))));
    }

    #[test]
    fn everything_that_tells_or_changes_something_needs_the_token() {
        for (_, path, route) in ROUTES {
            let open = ["/", "/healthz", "/readyz", "/api/sign-in", "/api/sign-out"].contains(&path);
            assert_eq!(route.door() == Door::Open, open, "{path}");
        }
    }
}
