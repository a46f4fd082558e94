//! `carillon tenant`.

use serde_json::{Value, json};

use super::args::{TenantArgs, TenantCommand};
use super::http::Client;
use super::output::{Output, text};
use crate::exit::Failure;

/// Does it.
pub(crate) async fn run(args: TenantArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    match args.command {
        TenantCommand::Create { code, name } => {
            let name = name.unwrap_or_else(|| code.clone());
            let tenant = client.post(&["tenants"], Some(&json!({"code": code, "name": name}))).await?;
            if out.is_json() {
                return out.json(&tenant);
            }
            out.line(&format!("made tenant {code} with id {}", text(&tenant["id"])))?;
            out.line(&out.dim(&format!("carillon api-key create NAME --tenant {code} makes its first key")))
        }
        TenantCommand::List => {
            let tenants = client.all(&["tenants"], &[], usize::MAX).await?;
            let shown = json!({"data": tenants});
            out.show(&shown, &["ID", "CODE", "NAME", "CREATED"], || {
                tenants.iter().map(|tenant| row(out, tenant)).collect()
            })
        }
    }
}

fn row(out: Output, tenant: &Value) -> Vec<String> {
    vec![text(&tenant["id"]), text(&tenant["code"]), text(&tenant["name"]), out.time(&tenant["createdAt"])]
}
