use axum::extract::{Path, State};
use carillon_app::view::DeadLetterFilter;
use carillon_domain::{Action, Channel, ErrorCode, Timestamp};
use serde::Deserialize;

use super::Routes;
use crate::Shared;
use crate::answer::{self, Answer};
use crate::caller::Caller;
use crate::dto;
use crate::json::{Json, NoBody};
use crate::openapi::{Operation, operation::Answer as Good};
use crate::query::Raw;

const FILTERS: &[(&str, &str)] = &[
    ("channel", "By which way."),
    ("reason", "permanent, exhausted, technical, expired or unknown."),
    ("provider", "The provider that was tried last."),
    ("since", "Parked at or after (RFC 3339)."),
    ("until", "Parked before (RFC 3339)."),
    ("limit", "1 to 200."),
    ("cursor", "next of the page before."),
];

pub(super) fn mount(routes: Routes) -> Routes {
    routes
        .add(
            Operation::get("/api/v1/dead-letters", "listDeadLetters", "List dead letters, newest first")
                .needs(Action::DeadLetterRead)
                .query(FILTERS)
                .answers(Good::Page("DeadLetter")),
            list,
        )
        .add(
            Operation::get("/api/v1/dead-letters/{id}", "getDeadLetter", "Get a dead letter")
                .needs(Action::DeadLetterRead)
                .answers(Good::One(200, "DeadLetter")),
            get,
        )
        .add(
            Operation::post("/api/v1/dead-letters/{id}/replay", "replayDeadLetter", "Send one again")
                .needs(Action::DeadLetterReplay)
                .answers(Good::One(200, "Notification"))
                .fails(ErrorCode::InvalidState),
            replay,
        )
        .add(
            Operation::post(
                "/api/v1/dead-letters/replay",
                "replayDeadLetters",
                "Send those that match again, at most 200 a call",
            )
            .needs(Action::DeadLetterReplay)
            .body("DeadLetterFilter")
            .answers(Good::One(200, "Replayed")),
            replay_all,
        )
}

/// Which dead letters to replay.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(crate) struct Filter {
    channel: Option<Channel>,
    reason: Option<String>,
    provider: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

async fn list(State(state): State<Shared>, Caller(ctx): Caller, raw: Raw) -> Answer {
    let query = raw.only(FILTERS)?;
    let filter = DeadLetterFilter {
        channel: query.channel()?,
        reason: query.text("reason").map(str::to_owned),
        provider: query.text("provider").map(str::to_owned),
        since: query.time("since")?,
        until: query.time("until")?,
    };
    let listed = state.app.dead_letters.dead_letter_list(&ctx, &filter, &query.page()?).await?;
    answer::list(listed, dto::DeadLetter::from)
}

async fn get(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>) -> Answer {
    let letter = state.app.dead_letters.dead_letter_get(&ctx, id.parse()?).await?;
    answer::ok(&dto::DeadLetter::from(letter))
}

async fn replay(State(state): State<Shared>, Caller(ctx): Caller, Path(id): Path<String>, _: NoBody) -> Answer {
    let notification = state.app.dead_letters.dead_letter_replay(&ctx, id.parse()?).await?;
    answer::ok(&dto::Notification::from(notification))
}

async fn replay_all(State(state): State<Shared>, Caller(ctx): Caller, Json(filter): Json<Filter>) -> Answer {
    let Filter { channel, reason, provider, since, until } = filter;
    let filter = DeadLetterFilter { channel, reason, provider, since, until };
    let done = state.app.dead_letters.dead_letter_replay_all(&ctx, &filter).await?;
    answer::ok(&dto::Replayed::from(done))
}
