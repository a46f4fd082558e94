//! `carillon api-key`.

use carillon_domain::time::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::args::{ApiKeyArgs, ApiKeyCommand};
use super::http::Client;
use super::output::{Output, text};
use crate::exit::Failure;

/// Does it.
pub(crate) async fn run(args: ApiKeyArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    let tenant = match &args.reach.tenant {
        Some(tenant) => tenant.clone(),
        None => own_tenant(&client).await?,
    };
    let keys = ["tenants", tenant.as_str(), "api-keys"];
    match args.command {
        ApiKeyCommand::Create { name, test, roles, scopes, expires_in } => {
            let mut body = json!({"name": name, "kind": if test { "test" } else { "live" }});
            if !roles.is_empty() {
                body["roles"] = json!(roles);
            }
            if !scopes.is_empty() {
                body["scopes"] = json!(scopes);
            }
            if let Some(moment) = expires_in {
                body["expiresAt"] = json!(moment.ahead_of(SystemClock.now()));
            }
            let key = client.post(&keys, Some(&body)).await?;
            if out.is_json() {
                return out.json(&key);
            }
            out.line(&text(&key["key"]))?;
            out.line(&out.dim("shown this once; keep it"))
        }
        ApiKeyCommand::List => {
            let rows = client.all(&keys, &[], usize::MAX).await?;
            out.show(&json!({"data": rows}), &["ID", "NAME", "KEY", "KIND", "ROLES", "EXPIRES", "REVOKED"], || {
                rows.iter().map(|key| row(out, key)).collect()
            })
        }
        ApiKeyCommand::Revoke { id } => {
            let answer = client.delete(&["tenants", &tenant, "api-keys", &id]).await?;
            if out.is_json() { out.json(&answer) } else { out.line(&format!("revoked key {id}")) }
        }
    }
}

/// The first tenant that the key may see: its own, unless it belongs to a platform administrator, whose home is tenant 1.
async fn own_tenant(client: &Client) -> Result<String, Failure> {
    let tenants = client.all(&["tenants"], &[], 1).await?;
    match tenants.first() {
        Some(tenant) => Ok(text(&tenant["id"])),
        None => Err(Failure::Usage("this key sees no tenant; name one with --tenant".to_owned())),
    }
}

fn row(out: Output, key: &Value) -> Vec<String> {
    let roles: Vec<_> = key["roles"].as_array().into_iter().flatten().map(text).collect();
    let prefix = key["prefix"].as_str().map_or_else(|| "-".to_owned(), |prefix| format!("{prefix}…"));
    vec![
        text(&key["id"]),
        text(&key["name"]),
        prefix,
        text(&key["kind"]),
        roles.join(","),
        out.time(&key["expiresAt"]),
        out.time(&key["revokedAt"]),
    ]
}
