//! Whether a notification costs more when there are many tenants and templates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::axes;
use crate::load::{Sender, exchange, request};
use crate::report::Report;
use crate::server::{Launch, Server};
use crate::stub::Stub;

/// Templates of each tenant.
const TEMPLATES: usize = 4;
/// Connections that make the tenants.
const MAKERS: usize = 16;

/// Singles for a hundred tenants, then for `tenants`; the second as a share of the first.
pub(crate) async fn run(launch: &Launch, stub: &Stub, tenants: usize, count: usize, report: &mut Report) -> Result<()> {
    let mut delivered = Vec::new();
    for tenants in [100, tenants] {
        let server = launch.start(&stub.url).await?;
        let senders = settle(&server, tenants).await?;
        let name = format!("{tenants} tenants, {} templates", tenants * TEMPLATES);
        axes::load(&server, stub, axes::Shape::singles(&name, senders), count, report).await?;
        delivered.push(report.value(&format!("{name}: delivered")).context("no figure")?);
    }
    report.add("many tenants and templates to few", delivered[1] / delivered[0], "ratio");
    Ok(())
}

/// Makes tenants with a key and templates each.
async fn settle(server: &Server, tenants: usize) -> Result<Arc<[Sender]>> {
    let (next, senders) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let makers: Vec<_> = (0..MAKERS)
        .map(|_| {
            let (next, senders) = (Arc::clone(&next), Arc::clone(&senders));
            let (address, admin) = (server.address.clone(), server.key.clone());
            tokio::spawn(async move {
                let mut maker = Maker { stream: TcpStream::connect(&address).await?, answer: Vec::new() };
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= tenants {
                        return anyhow::Ok(());
                    }
                    let key = maker.tenant(&admin, nth).await?;
                    senders
                        .lock()
                        .extend((0..TEMPLATES).map(|t| Sender { key: key.clone(), template: format!("t{t}") }));
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await??;
    }
    let senders = std::mem::take(&mut *senders.lock());
    Ok(senders.into())
}

struct Maker {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Maker {
    /// A tenant; its key.
    async fn tenant(&mut self, admin: &str, nth: usize) -> Result<String> {
        let tenant =
            self.post("/api/v1/tenants", admin, &format!(r#"{{"code":"t-{nth}","name":"T {nth}"}}"#), 201).await?;
        let path = format!("/api/v1/tenants/{}/api-keys", tenant["id"]);
        let key = self.post(&path, admin, r#"{"name":"bench"}"#, 201).await?;
        let key = key["key"].as_str().context("no key")?.to_owned();
        for template in 0..TEMPLATES {
            let new = format!(r#"{{"code":"t{template}","name":"Bench"}}"#);
            self.post("/api/v1/templates", &key, &new, 201).await?;
            let path = format!("/api/v1/templates/t{template}/versions");
            self.post(&path, &key, crate::server::VERSION, 201).await?;
            self.post(&format!("{path}/1/publish"), &key, "{}", 200).await?;
        }
        Ok(key)
    }

    async fn post(&mut self, path: &str, key: &str, body: &str, wanted: u16) -> Result<Value> {
        exchange(&mut self.stream, &request("POST", path, key, body), &mut self.answer, wanted).await?;
        let body = self.answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        Ok(serde_json::from_slice(&self.answer[body..])?)
    }
}
