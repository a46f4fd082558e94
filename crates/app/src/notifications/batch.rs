use std::fmt::Write as _;

use carillon_domain::{Action, Error, ErrorCode};
use carillon_ports::accept::Submission;
use carillon_ports::work::Accepted;
use serde_json::{Value, json};

use super::{BatchAnswer, IdempotencyKey, NotificationService, SendNotification, fingerprint, idempotency, mismatch};
use super::{accepted_body, millis, plan, set_id};
use crate::OpCtx;

impl NotificationService {
    /// Accepts 1 to 1,000 notifications as one unit in one transaction. An item is `Err` if it could not even be read.
    ///
    /// # Errors
    /// With `atomic`, or when all items are bad: `validation_failed` with pointers under `/notifications/…`, and nothing
    /// is stored. Otherwise bad items are answered one by one in the body.
    pub async fn notification_send_batch(
        &self,
        ctx: &OpCtx,
        items: Vec<Result<SendNotification, Error>>,
        atomic: bool,
        key: Option<&IdempotencyKey>,
    ) -> Result<BatchAnswer, Error> {
        let scope = ctx.authorize(Action::NotificationSend)?;
        let fingerprint = key.map(|_| fingerprint(&readable(&items, atomic))).transpose()?;
        let mut planned = Vec::with_capacity(items.len());
        let mut results = Vec::with_capacity(items.len());
        for command in items {
            let item = match command {
                Ok(command) => plan::plan(&self.parts, ctx, scope, command).await,
                Err(error) => Err(error),
            };
            match item {
                Ok(item) => {
                    planned.push(item);
                    results.push(Ok(()));
                }
                // Only the input can be at fault item by item; anything else is the whole request's trouble.
                Err(error) if error.code != ErrorCode::ValidationFailed => return Err(error),
                Err(error) => results.push(Err(error)),
            }
        }
        if planned.is_empty() || (atomic && planned.len() < results.len()) {
            return Err(refused(results));
        }

        let first = self.parts.acceptor.ids(planned.len()).await?;
        for (item, id) in planned.iter_mut().zip(first..) {
            set_id(item, id);
        }
        let at = millis(ctx.now);
        let bodies =
            planned.iter().map(|item| accepted_body(&item.notification, &at)).collect::<Result<Vec<_>, _>>()?;
        let body = answer(results, bodies, ctx)?;
        let idempotency = idempotency(ctx, key, fingerprint, &body);
        match self.parts.acceptor.accept(Submission { items: planned, idempotency }).await? {
            Accepted::Stored { .. } => Ok(BatchAnswer { body, replayed: false }),
            Accepted::Replayed(body) => Ok(BatchAnswer { body, replayed: true }),
            Accepted::Mismatch => Err(mismatch()),
        }
    }
}

/// What the fingerprint is made of: an unreadable item counts by its findings.
fn readable(items: &[Result<SendNotification, Error>], atomic: bool) -> Value {
    let items = items.iter().map(|item| match item {
        Ok(command) => json!(command),
        Err(error) => json!(error.fields),
    });
    json!({ "atomic": atomic, "notifications": items.collect::<Vec<_>>() })
}

fn refused(results: Vec<Result<(), Error>>) -> Error {
    let findings = results.into_iter().enumerate().filter_map(|(index, result)| {
        let error = result.err()?;
        Some(error.under(&format!("/notifications/{index}")).fields)
    });
    Error::invalid_fields(findings.flatten().collect())
}

/// The wire's answer, in input order.
fn answer(results: Vec<Result<(), Error>>, bodies: Vec<String>, ctx: &OpCtx) -> Result<String, Error> {
    let accepted = bodies.len();
    let rejected = results.len() - accepted;
    let mut bodies = bodies.into_iter();
    let mut text = String::with_capacity(bodies.len() * 180 + 100);
    write!(text, "{{\"accepted\":{accepted},\"rejected\":{rejected},\"results\":[").map_err(Error::internal)?;
    for (index, result) in results.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        match result {
            // `{"id":…}` becomes `{"index":0,"id":…}`
            Ok(()) => {
                let body = bodies.next().unwrap_or_default();
                write!(text, "{{\"index\":{index},{}", &body[1..]).map_err(Error::internal)?;
            }
            Err(error) => {
                let error = error.under(&format!("/notifications/{index}"));
                let problem = json!({
                    "type": format!("/problems/{}", error.code),
                    "title": error.code.title(),
                    "status": error.code.http_status(),
                    "code": error.code,
                    "detail": error.detail,
                    "requestId": ctx.request_id,
                    "errors": error.fields,
                });
                write!(text, "{}", json!({ "index": index, "error": problem })).map_err(Error::internal)?;
            }
        }
    }
    text.push_str("]}");
    Ok(text)
}
