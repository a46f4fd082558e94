//! The delay is bounded, the budget only shrinks, nothing goes past its end.

use std::time::Duration;

use carillon_domain::Timestamp;
use carillon_domain::delivery::Fault;
use carillon_resilience::retry::{Attempt, Decision, Policy, next};
use carillon_resilience::retry_after::LONGEST;
use chrono::TimeDelta;
use proptest::prelude::*;

prop_compose! {
    fn policies()(
        first in 0_u64..100_000,
        factor in 0_u32..10,
        cap in 0_u64..1_000_000,
        message_retries in 0_u32..20,
        patience in 0_u64..200_000,
    ) -> Policy {
        Policy {
            first: Duration::from_millis(first),
            factor,
            cap: Duration::from_millis(cap),
            message_retries,
            provider_patience: Duration::from_secs(patience),
        }
    }
}

prop_compose! {
    fn attempts()(
        fault in prop_oneof![Just(Fault::Message), Just(Fault::Provider)],
        failures in (any::<u32>(), any::<u32>()),
        small in (0_u32..30, 0_u32..30),
        large in any::<bool>(),
        since in proptest::option::of(-1000_i64..200_000),
        end in proptest::option::of(-1_000_000_i64..10_000_000),
        asked in proptest::option::of(prop_oneof![
            (0_u64..10_000_000_000_000).prop_map(Duration::from_nanos),
            any::<u64>().prop_map(Duration::from_secs),
        ]),
        fraction in prop_oneof![9 => 0.0..1.0_f64, 1 => any::<f64>()],
    ) -> Attempt {
        let now = Timestamp::UNIX_EPOCH + TimeDelta::days(20_000);
        let (message_failures, provider_failures) = if large { failures } else { small };
        Attempt {
            now,
            fault,
            message_failures,
            provider_failures,
            trouble_since: since.map(|seconds| now - TimeDelta::seconds(seconds)),
            expires_at: end.map(|millis| now + TimeDelta::milliseconds(millis)),
            retry_after: asked,
            fraction,
        }
    }
}

fn wait(attempt: &Attempt, at: Timestamp) -> Duration {
    (at - attempt.now).to_std().unwrap_or(Duration::MAX)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_delay_is_between_nothing_and_the_cap(policy in policies(), attempt in attempts()) {
        if let Decision::At(at) = next(&policy, attempt) {
            prop_assert!(at >= attempt.now);
            let asked = attempt.retry_after.unwrap_or_default().min(LONGEST);
            let bound = if asked.is_zero() { policy.cap } else { policy.cap.max((asked + asked / 10).min(LONGEST)) };
            prop_assert!(wait(&attempt, at) <= bound.saturating_add(Duration::from_micros(1)));
        }
    }

    #[test]
    fn a_provider_is_not_asked_before_the_time_it_named(policy in policies(), attempt in attempts()) {
        if let (Decision::At(at), Some(asked)) = (next(&policy, attempt), attempt.retry_after) {
            prop_assert!(wait(&attempt, at) >= asked.min(LONGEST));
        }
    }

    #[test]
    fn nothing_is_tried_at_or_after_its_end(policy in policies(), attempt in attempts()) {
        if let (Decision::At(at), Some(end)) = (next(&policy, attempt), attempt.expires_at) {
            prop_assert!(at < end);
        }
    }

    #[test]
    fn what_is_used_up_stays_used_up(policy in policies(), attempt in attempts(), more in 1_u32..100, later in 1_i64..1_000_000) {
        if next(&policy, attempt) != Decision::Exhausted {
            return Ok(());
        }
        let now = attempt.now + TimeDelta::seconds(later);
        let then = Attempt {
            now,
            message_failures: attempt.message_failures.saturating_add(more),
            provider_failures: attempt.provider_failures.saturating_add(more),
            trouble_since: Some(attempt.trouble_since.unwrap_or(attempt.now)),
            ..attempt
        };
        prop_assert_eq!(next(&policy, then), Decision::Exhausted);
    }

    #[test]
    fn a_message_is_tried_once_and_its_retries(policy in policies(), attempt in attempts()) {
        let tries = (1_u32..1000)
            .map(|n| next(&policy, Attempt { fault: Fault::Message, message_failures: n, expires_at: None, ..attempt }))
            .take_while(|decision| matches!(decision, Decision::At(_)))
            .count();
        prop_assert_eq!(u32::try_from(tries), Ok(policy.message_retries));
    }
}
