//! At half-open there are never more probes than allowed, and no permit gets lost,
//! whatever order results, cancellations and time come in.

use std::time::{Duration, Instant};

use carillon_resilience::breaker::{Admission, Breaker, Permit, Settings, State};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Ask,
    Succeed(usize),
    Fail(usize),
    Cancel(usize),
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Ask),
        2 => any::<usize>().prop_map(Step::Succeed),
        3 => any::<usize>().prop_map(Step::Fail),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => (0_u64..40_000).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..300)
}

fn take(flying: &mut Vec<Permit>, index: usize) -> Option<Permit> {
    (!flying.is_empty()).then(|| flying.swap_remove(index % flying.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn probes_are_limited_and_permits_conserved(steps in steps(), probes in 1_u32..5, successes in 1_u32..5) {
        let settings = Settings { probes, successes, failures: 3, open_for: Duration::from_mins(1) };
        let mut breaker = Breaker::new(settings);
        let mut flying = Vec::new();
        let mut now = Instant::now();
        for step in steps {
            let before = breaker.state();
            match step {
                Step::Ask => match breaker.admit(now) {
                    Admission::Go(permit) => {
                        prop_assert_eq!(before, State::Closed);
                        flying.push(permit);
                    }
                    Admission::Probe(permit) => {
                        prop_assert_eq!(breaker.state(), State::HalfOpen);
                        // Equal permits are of one era: older probes were given up, or are of an earlier half-open.
                        let out = 1 + flying.iter().filter(|other| **other == permit).count();
                        prop_assert!(out <= probes as usize, "{} probes are out", out);
                        flying.push(permit);
                    }
                    Admission::Refused { until } => {
                        prop_assert!(until > now, "refused until a time that has passed");
                        prop_assert_ne!(before, State::Closed);
                    }
                },
                Step::Succeed(index) => take(&mut flying, index).into_iter().for_each(|p| breaker.on_success(p)),
                Step::Fail(index) => take(&mut flying, index).into_iter().for_each(|p| breaker.on_failure(p, now)),
                Step::Cancel(index) => take(&mut flying, index).into_iter().for_each(|p| breaker.on_ignored(p)),
                Step::Wait(millis) => now += Duration::from_millis(millis),
            }
        }
        // All that fly are cancelled: a half-open circuit then has all its places again.
        for permit in flying {
            breaker.on_ignored(permit);
        }
        if breaker.state() == State::HalfOpen {
            let places = (0..probes).filter(|_| matches!(breaker.admit(now), Admission::Probe(_))).count();
            prop_assert_eq!(places, probes as usize);
        }
    }
}
