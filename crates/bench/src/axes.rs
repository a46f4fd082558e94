//! What is measured, each axis on a server of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::load::Load;
use crate::report::Report;
use crate::server::{Launch, Server};
use crate::stub::Stub;

/// Measures the axes named in `only`, or all.
pub(crate) async fn run(launch: &Launch, only: &[String], count: usize) -> Result<Report> {
    let mut report = Report { database: launch.database().to_owned(), axes: Vec::new() };
    let wanted = |axis: &str| only.is_empty() || only.iter().any(|name| name == axis);
    let stub = Stub::start(Duration::ZERO).await?;
    if wanted("start") {
        start(launch, &stub, &mut report).await?;
    }
    if wanted("single") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, "single", 64, 1, count, &mut report).await?;
        let (now, peak) = server.memory()?;
        report.add("rss after singles", now, "MB");
        report.add("rss peak", peak, "MB");
    }
    if wanted("batch") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, "batch of 500", 4, 500, count.max(50_000), &mut report).await?;
        report.add("rss peak, batches", server.memory()?.1, "MB");
    }
    if wanted("latency") {
        let server = launch.start(&stub.url).await?;
        load(&server, &stub, "alone", 1, 1, 2_000, &mut report).await?;
    }
    if wanted("provider50") {
        let slow = Stub::start(Duration::from_millis(50)).await?;
        let server = launch.start(&slow.url).await?;
        load(&server, &slow, "provider takes 50 ms", 64, 1, count, &mut report).await?;
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

/// One load: what was accepted per second, how long an accept took, and what was delivered per second until the last.
async fn load(
    server: &Server,
    stub: &Stub,
    name: &str,
    connections: usize,
    size: usize,
    count: usize,
    report: &mut Report,
) -> Result<()> {
    let plan = |requests| Load {
        address: server.address.clone(),
        key: server.key.clone(),
        path: if size == 1 { "send" } else { "batch" },
        requests,
        connections,
        size,
    };
    let warm = (count / 20 / size).max(1);
    plan(warm).run().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (before, began) = (stub.taken(), Instant::now());
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
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    let per_second = |took: Duration| total as f64 / took.as_secs_f64();
    report.add(&format!("{name}: accepted"), per_second(measured.took), "1/s");
    report.add(&format!("{name}: delivered"), per_second(began.elapsed()), "1/s");
    for (word, quantile) in [("P50", 0.5), ("P95", 0.95), ("P99", 0.99)] {
        #[expect(clippy::cast_precision_loss, reason = "microseconds")]
        let millis = measured.latency.value_at_quantile(quantile) as f64 / 1e3;
        report.add(&format!("{name}: accept {word}"), millis, "ms");
    }
    Ok(())
}
