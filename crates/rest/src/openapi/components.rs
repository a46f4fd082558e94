//! The schemas. Answers describe themselves; what clients send is described in `inputs.json`, whose examples are read
//! with the real types in a test.

use carillon_domain::{Channel, ErrorCode, Priority, Status};
use serde_json::{Map, Value, json};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::{dto, health, problem};

const INPUTS: &str = include_str!("inputs.json");

/// All schemas by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas: Map<String, Value> = serde_json::from_str(INPUTS).unwrap_or_default();
    add::<dto::Time>(&mut schemas);
    add::<dto::Notification>(&mut schemas);
    add::<dto::Fault>(&mut schemas);
    add::<dto::TimelineEntry>(&mut schemas);
    add::<dto::DeadLetter>(&mut schemas);
    add::<dto::Replayed>(&mut schemas);
    add::<dto::Template>(&mut schemas);
    add::<dto::TemplateVersion>(&mut schemas);
    add::<dto::Tenant>(&mut schemas);
    add::<dto::ApiKey>(&mut schemas);
    add::<dto::NewApiKey>(&mut schemas);
    add::<dto::SandboxMessage>(&mut schemas);
    add::<dto::Deleted>(&mut schemas);
    add::<health::HealthReport>(&mut schemas);
    add::<health::HealthStatus>(&mut schemas);
    add::<problem::FieldProblem>(&mut schemas);
    schemas.insert("Problem".to_owned(), schema_of::<problem::ProblemBody<'_>>());
    words(&mut schemas, "Channel", &Channel::ALL.map(Channel::as_str));
    words(&mut schemas, "Status", &Status::ALL.map(Status::as_str));
    words(&mut schemas, "Priority", &Priority::ALL.map(Priority::as_str));
    words(&mut schemas, "ErrorCode", &ErrorCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>());
    schemas
}

fn add<T: ToSchema>(schemas: &mut Map<String, Value>) {
    schemas.insert(T::name().into_owned(), schema_of::<T>());
}

fn schema_of<T: PartialSchema>() -> Value {
    serde_json::to_value(T::schema()).unwrap_or_default()
}

fn words(schemas: &mut Map<String, Value>, name: &str, words: &[&str]) {
    schemas.insert(name.to_owned(), json!({ "type": "string", "enum": words }));
}

/// A reference to the channels.
pub(crate) fn channel() -> RefOr<Schema> {
    Ref::from_schema_name("Channel").into()
}

/// A reference to the statuses.
pub(crate) fn status() -> RefOr<Schema> {
    Ref::from_schema_name("Status").into()
}

/// A reference to the priorities.
pub(crate) fn priority() -> RefOr<Schema> {
    Ref::from_schema_name("Priority").into()
}

/// A reference to the recipient.
pub(crate) fn recipient() -> RefOr<Schema> {
    Ref::from_schema_name("Recipient").into()
}

#[cfg(test)]
mod tests {
    use carillon_app::{SendNotification, VersionInput};
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::routes;

    /// The example of a schema shows every field that the schema has and that the type takes.
    fn reads<T: DeserializeOwned>(name: &str) {
        let schemas = schemas();
        let schema = &schemas[name];
        let example = &schema["examples"][0];
        let shown: Vec<_> = example.as_object().unwrap().keys().collect();
        let described: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(shown, described, "{name}");
        serde_json::from_value::<T>(example.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut unknown = example.clone();
        unknown["surelyNot"] = json!(1);
        assert!(serde_json::from_value::<T>(unknown).is_err(), "{name} takes unknown fields");
    }

    #[test]
    fn what_is_described_is_what_is_read() {
        reads::<SendNotification>("SendNotification");
        reads::<VersionInput>("NewTemplateVersion");
        reads::<routes::templates::NewTemplate>("NewTemplate");
        reads::<routes::templates::Patch>("TemplatePatch");
        reads::<routes::templates::Rollback>("Rollback");
        reads::<routes::templates::Preview>("Preview");
        reads::<routes::tenants::NewTenant>("NewTenant");
        reads::<routes::tenants::Rename>("TenantPatch");
        reads::<routes::tenants::NewKey>("NewKey");
        reads::<routes::dead_letters::Filter>("DeadLetterFilter");
    }
}
