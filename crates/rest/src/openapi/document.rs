use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::components;
use super::operation::{Answer, Operation};

/// The document: pretty, keys in alphabetical order, so that it can be committed and compared.
pub(crate) fn document(operations: &[Operation], server: Option<&str>) -> String {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let method = operation.method.as_str().to_ascii_lowercase();
        let path = operation.path.split("{*").next().unwrap_or(operation.path);
        paths.entry(path).or_default().insert(method, describe(operation));
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Carillon",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sends notifications by e-mail, SMS, push, WhatsApp and in-app. What is answered with 202 is never lost.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": tags(operations),
        "paths": paths,
        "components": {
            "schemas": components::schemas(),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An API key: ck_live_… or ck_test_…" },
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
            },
        },
    });
    if let Some(url) = server {
        document["servers"] = json!([{ "url": url }]);
    }
    document.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// In the order in which the routes are mounted: what a reader wants first comes first.
fn tags(operations: &[Operation]) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for operation in operations {
        if !names.contains(&operation.tag()) {
            names.push(operation.tag());
        }
    }
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag()],
        "parameters": parameters(operation),
        "responses": responses(operation),
        "security": [],
    });
    if let Some(action) = operation.action {
        described["security"] = json!([{ "bearer": [] }, { "apiKey": [] }]);
        described["description"] = json!(format!("Needs the scope `{}`.", action.scope()));
    }
    if let Some(schema) = operation.body {
        described["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": reference(schema) } } });
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for part in operation.path.split('{').skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        let description = match name {
            "version" => "The number of the version: 1, 2, 3.",
            "locale" => "A locale, such as de-CH.",
            "code" => "The code of an error.",
            _ => "The id, the uuid, or the code where there is one.",
        };
        parameters.push(parameter("path", name, description, true));
    }
    for (name, description) in operation.query {
        parameters.push(parameter("query", name, description, false));
    }
    if operation.idempotent {
        let description =
            "1 to 255 printable characters: the same key and body happen once and get the same answer, for 72 h.";
        parameters.push(parameter("header", "Idempotency-Key", description, false));
    }
    if operation.action.is_some() {
        let description = "The tenant in which it happens (id, uuid or code); for platform administrators.";
        parameters.push(parameter("header", "X-Tenant-ID", description, false));
    }
    parameters
}

fn parameter(place: &str, name: &str, description: &str, required: bool) -> Value {
    let schema = if name == "limit" {
        json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 })
    } else {
        json!({ "type": "string" })
    };
    json!({ "in": place, "name": name, "description": description, "required": required, "schema": schema })
}

fn responses(operation: &Operation) -> Map<String, Value> {
    let mut responses = Map::new();
    let (status, mut good) = match operation.answer {
        Answer::One(status, schema) => (status, content("application/json", &reference(schema))),
        Answer::Page(schema) => (200, content("application/json", &page(schema))),
        Answer::Nothing => (204, json!({ "description": "Done." })),
        Answer::Text(media_type) => (200, content(media_type, &json!({ "type": "string" }))),
    };
    good["headers"] = headers(operation, status);
    responses.insert(status.to_string(), good);
    if operation.path == "/health/ready" {
        responses.insert("503".to_owned(), content("application/json", &reference("HealthWord")));
    }
    let mut failures: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in operation.failures() {
        failures.entry(code.http_status()).or_default().push(code.as_str());
    }
    for (status, codes) in failures {
        let mut problem = content("application/problem+json", &reference("Problem"));
        problem["description"] = json!(format!("`{}`", codes.join("`, `")));
        responses.entry(status.to_string()).or_insert(problem);
    }
    responses
}

fn headers(operation: &Operation, status: u16) -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut headers = json!({
        "X-Request-ID": text("The request's id: yours, if it was sane."),
        "X-Correlation-ID": text("The id of the chain of requests that this one belongs to."),
    });
    if operation.idempotent {
        headers["Idempotency-Replayed"] = text("`true`: the first call's answer again.");
    }
    if status == 201 || operation.id == "sendNotification" {
        headers["Location"] = text("Where it is.");
    }
    headers
}

fn content(media_type: &str, schema: &Value) -> Value {
    json!({ "description": "Done.", "content": { media_type: { "schema": schema } } })
}

fn page(schema: &str) -> Value {
    json!({
        "type": "object",
        "required": ["data", "next"],
        "properties": {
            "data": { "type": "array", "items": reference(schema) },
            "next": { "type": ["string", "null"], "description": "The cursor of the next page." },
        },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn it_is_the_same_every_time_and_every_reference_leads_somewhere() {
        let text = crate::openapi_json();
        assert_eq!(text, crate::openapi_json());
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut references = text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
        let missing = references.find(|name| document["components"]["schemas"].get(*name).is_none());
        assert_eq!(missing, None);
    }

    #[test]
    fn operations_have_names_of_their_own_and_problems() {
        let operations = crate::routes::all().operations;
        let mut ids = HashSet::new();
        for operation in &operations {
            assert!(ids.insert(operation.id), "{} is there twice", operation.id);
            assert!(!operation.failures().is_empty());
            let inside = operation.path.starts_with("/api/v1/");
            assert_eq!(inside, operation.action.is_some(), "{}", operation.path);
        }
    }
}
