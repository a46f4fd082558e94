use std::time::Instant;

use super::*;

/// Full cycles (accept, then outcome) per second, as in `PERFORMANCE.md`. Run it by name, in release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn full_cycles_per_second() {
    for size in [1, 8, 32, 128, 500] {
        let f = fixture().await;
        let rounds = (60_000 / size).min(2_000);
        let mut busy = Duration::ZERO;
        let mut hand = 0;
        for _ in 0..rounds {
            let group: Vec<_> = (0..size)
                .map(|_| {
                    hand += 1;
                    unit(vec![f.mail(held(hand))])
                })
                .collect();
            let outcomes: Vec<_> = group
                .iter()
                .map(|u| {
                    let Birth::Leased(hold) = u.items[0].birth else { unreachable!() };
                    finish(u.items[0].notification.id, hold, sent())
                })
                .collect();
            let began = Instant::now();
            assert!(f.store.accept(&group).await.iter().all(Result::is_ok));
            let finished = f.store.finish(&outcomes, &[Raise { lane: 1, hi: hand }]).await.unwrap();
            busy += began.elapsed();
            assert!(finished.lost.is_empty());
        }
        let cycles = f64::from(size * rounds) / busy.as_secs_f64();
        let wal = std::fs::metadata(f.folder.path().join("carillon.db-wal")).unwrap().len() / 1_048_576;
        println!("groups of {size}: {cycles:.0} full cycles/s, log {wal} MiB");
    }
}
