//! What is measured, each axis on a server of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::load::{Load, Sender};
use crate::report::Report;
use crate::server::{Launch, Server};
use crate::stub::Stub;
use crate::{claim, scale};

/// How much of each.
pub(crate) struct Sizes {
    /// Notifications per load.
    pub(crate) count: usize,
    /// Tenants of the large house.
    pub(crate) tenants: usize,
    /// Rows of the longest backlog.
    pub(crate) backlog: u64,
}

/// Measures the axes named in `only`, or all.
pub(crate) async fn run(launch: &Launch, only: &[String], sizes: &Sizes) -> Result<Report> {
    let count = sizes.count;
    let mut report = Report { database: launch.database().to_owned(), axes: Vec::new() };
    let wanted = |axis: &str| only.is_empty() || only.iter().any(|name| name == axis);
    let stub = Stub::start(Duration::ZERO).await?;
    if wanted("start") {
        start(launch, &stub, &mut report).await?;
    }
    if wanted("single") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, Shape::of("single", 64, 1, &server), count, &mut report).await?;
        let (now, peak) = server.memory()?;
        report.add("rss after singles", now, "MB");
        report.add("rss peak", peak, "MB");
    }
    if wanted("batch") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, Shape::of("batch of 500", 4, 500, &server), count.max(50_000), &mut report).await?;
        report.add("rss peak, batches", server.memory()?.1, "MB");
    }
    if wanted("latency") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, Shape::of("alone", 1, 1, &server), 2_000, &mut report).await?;
    }
    if wanted("provider50") {
        let slow = Stub::start(Duration::from_millis(50)).await?;
        let server = launch.start(&slow.url).await?;
        load(&server, &slow, Shape::of("provider takes 50 ms", 64, 1, &server), count, &mut report).await?;
    }
    if wanted("scale") {
        scale::run(launch, &stub, sizes.tenants, count, &mut report).await?;
    }
    if wanted("claim") {
        claim::run(launch.postgres(), sizes.backlog, &mut report).await?;
    }
    Ok(report)
}

async fn start(launch: &Launch, stub: &Stub, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..3 {
        let server = launch.start(&stub.url).await?;
        times.push(server.first_202);
        if times.len() == 3 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            report.add("rss idle", server.memory()?.0, "MB");
        }
    }
    times.sort();
    report.add("start to first 202", times[1].as_secs_f64() * 1e3, "ms");
    Ok(())
}

/// How a load is sent.
pub(crate) struct Shape {
    name: String,
    connections: usize,
    size: usize,
    senders: Arc<[Sender]>,
}

impl Shape {
    /// One notification per request, 64 connections.
    pub(crate) fn singles(name: &str, senders: Arc<[Sender]>) -> Self {
        Self { name: name.to_owned(), connections: 64, size: 1, senders }
    }

    fn of(name: &str, connections: usize, size: usize, server: &Server) -> Self {
        let sender = Sender { key: server.key.clone(), template: "bench".to_owned() };
        Self { name: name.to_owned(), connections, size, senders: [sender].into() }
    }
}

/// One load: what was accepted per second, how long an accept took, and what was delivered per second until the last.
pub(crate) async fn load(server: &Server, stub: &Stub, shape: Shape, count: usize, report: &mut Report) -> Result<()> {
    let Shape { name, connections, size, senders } = shape;
    let plan = |requests| Load {
        address: server.address.clone(),
        senders: Arc::clone(&senders),
        path: if size == 1 { "send" } else { "batch" },
        requests,
        connections,
        size,
    };
    // Each sender at least once: what is measured is not the first look at a key and a template.
    let warm = (count / 20 / size).max(senders.len()).max(1);
    plan(warm).run().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, began, processor) = (stub.taken(), Instant::now(), server.processor()?);
    let requests = count / size;
    let measured = plan(requests).run().await?;
    let total = (requests * size) as u64;
    let until = began + Duration::from_mins(2);
    while stub.taken() - before < total {
        if Instant::now() > until {
            bail!("{name}: {} of {total} delivered in 120 s", stub.taken() - before);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let delivered = began.elapsed();
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let total = total as f64;
    report.add(&format!("{name}: accepted"), total / measured.took.as_secs_f64(), "1/s");
    report.add(&format!("{name}: delivered"), total / delivered.as_secs_f64(), "1/s");
    let each = (server.processor()? - processor) * 1e6 / total;
    report.add(&format!("{name}: server's processor time each"), each, "µs");
    for (word, quantile) in [("P50", 0.5), ("P95", 0.95), ("P99", 0.99)] {
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let millis = measured.latency.value_at_quantile(quantile) as f64 / 1e3;
        report.add(&format!("{name}: accept {word}"), millis, "ms");
    }
    Ok(())
}
