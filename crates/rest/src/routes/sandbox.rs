use axum::extract::{Path, State};
use carillon_app::view::SandboxFilter;
use carillon_domain::Action;

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::caller::{Caller, named};
use crate::dto;
use crate::openapi::{Operation, operation::Answer as Good};
use crate::query::Raw;

const FILTERS: &[(&str, &str)] = &[
    ("channel", "By which way."),
    ("recipient", "To exactly this address."),
    ("since", "At or after (RFC 3339)."),
    ("limit", "1 to 200."),
    ("cursor", "next of the page before."),
];

pub(super) fn mount(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get(
                "/api/v1/sandbox/messages",
                "listSandboxMessages",
                "List what the sandbox caught, newest first",
            )
            .needs(Action::SandboxRead)
            .query(FILTERS)
            .answers(Good::Page("SandboxMessage")),
            list,
        )
        .add(
            Operation::get(
                "/api/v1/sandbox/messages/{id}",
                "getSandboxMessage",
                "Get one, by its id or the notification's uuid",
            )
            .needs(Action::SandboxRead)
            .answers(Good::One(200, "SandboxMessage")),
            get,
        )
        .add(
            Operation::delete("/api/v1/sandbox/messages", "clearSandbox", "Delete what the sandbox caught")
                .needs(Action::SandboxClear)
                .answers(Good::One(200, "Deleted")),
            clear,
        )
}

async fn list(State(state): State<Shared>, Caller(ctx): Caller, raw: Raw) -> Answer {
    let query = raw.only(FILTERS)?;
    let filter = SandboxFilter {
        channel: query.channel()?,
        recipient: query.text("recipient").map(str::to_owned),
        since: query.time("since")?,
    };
    answer::list(state.app.sandbox.sandbox_list(&ctx, &filter, &query.page()?).await?, dto::SandboxMessage::from)
}

async fn get(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    answer::ok(&dto::SandboxMessage::from(state.app.sandbox.sandbox_get(&ctx, &named(&id)?).await?))
}

async fn clear(State(state): State<Shared>, Caller(ctx): Caller) -> Answer {
    answer::ok(&dto::Deleted { deleted: state.app.sandbox.sandbox_clear(&ctx).await? })
}
