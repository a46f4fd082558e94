//! The adaptive limit against simulated providers that are kept as busy as the limit allows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use carillon_resilience::limit::Adaptive;

/// One account's calls in a closed loop: whenever the limit allows, the next call starts.
struct Simulation {
    limit: Adaptive,
    now: u64,
    /// (end, start, ok), in microseconds.
    calls: BinaryHeap<Reverse<(u64, u64, bool)>>,
    chance: u64,
    done: usize,
    failed: usize,
}

impl Simulation {
    fn new() -> Self {
        Self { limit: Adaptive::default(), now: 0, calls: BinaryHeap::new(), chance: 1, done: 0, failed: 0 }
    }

    /// Uniform in `0..bound`.
    fn draw(&mut self, bound: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % bound
    }

    /// Runs for `span`; `provider` says how long a call takes in microseconds with so many in flight, and whether it
    /// succeeds. Each latency varies by ± 10 %. Gives the lowest and highest limit of that time.
    fn run(&mut self, span: Duration, mut provider: impl FnMut(&mut Self, u64) -> (u64, bool)) -> (usize, usize) {
        let end = self.now + u64::try_from(span.as_micros()).unwrap_or(0);
        let (mut low, mut high) = (usize::MAX, 0);
        while self.now < end {
            while self.calls.len() < self.limit.limit() {
                let in_flight = self.calls.len() as u64 + 1;
                let (latency, ok) = provider(self, in_flight);
                let latency = latency * (90 + self.draw(21)) / 100;
                self.calls.push(Reverse((self.now + latency.max(1), self.now, ok)));
            }
            let in_flight = self.calls.len();
            let Some(Reverse((ended, started, ok))) = self.calls.pop() else { break };
            self.now = ended;
            self.done += 1;
            self.failed += usize::from(!ok);
            self.limit.on_result(Duration::from_micros(ended - started), ok, in_flight);
            (low, high) = (low.min(self.limit.limit()), high.max(self.limit.limit()));
        }
        (low, high)
    }
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_provider_that_takes_50_ms_gets_hundreds_within_a_second() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(1), |_, _| (50_000, true));
    assert!(simulation.limit.limit() >= 300, "{}", simulation.limit.limit());
    simulation.run(seconds(1), |_, _| (50_000, true));
    assert!(simulation.limit.limit() >= 400, "{}", simulation.limit.limit());
    let before = simulation.done;
    simulation.run(seconds(60), |_, _| (50_000, true));
    let per_second = (simulation.done - before) / 60;
    assert!(per_second >= 512 * 20 * 97 / 100, "and stays there: {per_second}/s");
}

#[test]
fn a_provider_that_slows_down_after_64_is_not_drowned() {
    let mut simulation = Simulation::new();
    let provider = |_: &mut Simulation, in_flight: u64| (50_000 * in_flight.max(64) / 64, true);
    simulation.run(seconds(60), provider);
    let (low, high) = simulation.run(seconds(120), provider);
    assert!(low >= 50 && high <= 120, "{low}..{high}");
}

#[test]
fn a_provider_on_this_machine_gets_enough_and_is_left_alone() {
    let mut simulation = Simulation::new();
    // Two cores: what is more than two calls waits for them.
    let provider = |_: &mut Simulation, in_flight: u64| (300 * in_flight.max(2) / 2, true);
    simulation.run(seconds(2), provider);
    let (low, high) = simulation.run(seconds(20), provider);
    assert!(low >= 32, "{low}..{high}");
    assert!(high <= 200, "{low}..{high}");
    assert!(high <= low * 2, "it oscillates: {low}..{high}");
}

#[test]
fn a_provider_in_process_that_answers_at_once_reaches_the_top() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(1), |_, _| (300, true));
    assert_eq!(simulation.limit.limit(), 512);
}

#[test]
fn errors_shrink_it_and_their_end_brings_it_back() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(2), |_, _| (50_000, true));
    simulation.run(seconds(3), |simulation, _| (50_000, simulation.draw(100) < 50));
    assert!(simulation.limit.limit() <= 10, "{}", simulation.limit.limit());
    simulation.run(seconds(4), |_, _| (50_000, true));
    assert!(simulation.limit.limit() >= 200, "{}", simulation.limit.limit());
}

#[test]
fn a_provider_that_refuses_more_than_four_at_once_settles_at_four() {
    let mut simulation = Simulation::new();
    let provider = |_: &mut Simulation, in_flight: u64| (20_000, in_flight <= 4);
    simulation.run(seconds(10), provider);
    let (all, refused) = (simulation.done, simulation.failed);
    let (low, high) = simulation.run(seconds(60), provider);
    assert!(low >= 2 && high <= 5, "{low}..{high}");
    let (all, refused) = (simulation.done - all, simulation.failed - refused);
    assert!(refused * 20 < all, "{refused} of {all} refused");
}

#[test]
fn rare_errors_do_not_hold_it_down() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(5), |simulation, _| (50_000, simulation.draw(1000) >= 5));
    assert!(simulation.limit.limit() >= 400, "{}", simulation.limit.limit());
}

#[test]
fn slow_outliers_do_not_hold_it_down() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(5), |simulation, _| (if simulation.draw(100) < 10 { 2_000_000 } else { 50_000 }, true));
    assert!(simulation.limit.limit() >= 400, "{}", simulation.limit.limit());
}

#[test]
fn a_provider_that_has_become_slower_by_itself_is_not_starved() {
    for slower in [130_000, 500_000] {
        let mut simulation = Simulation::new();
        simulation.run(seconds(2), |_, _| (50_000, true));
        simulation.run(seconds(30), |_, _| (slower, true));
        assert!(simulation.limit.limit() >= 400, "{slower} µs: {}", simulation.limit.limit());
    }
}

#[test]
fn an_account_met_in_its_best_hour_still_grows_later() {
    let mut simulation = Simulation::new();
    simulation.run(Duration::from_millis(50), |_, _| (20_000, true));
    simulation.run(seconds(60), |_, _| (55_000, true));
    assert!(simulation.limit.limit() >= 400, "{}", simulation.limit.limit());
}

#[test]
fn a_provider_that_gets_slower_and_recovers_is_used_fully_again() {
    let mut simulation = Simulation::new();
    simulation.run(seconds(2), |_, _| (50_000, true));
    simulation.run(seconds(10), |_, in_flight| (400 * in_flight * 20, true));
    let squeezed = simulation.limit.limit();
    simulation.run(seconds(20), |_, _| (50_000, true));
    assert!(squeezed < 400, "{squeezed}");
    assert!(simulation.limit.limit() >= 400, "{}", simulation.limit.limit());
}
