//! The status lattice: every order and repetition of reports ends alike, and what is final is not left.

use carillon_domain::Status;
use proptest::prelude::*;

/// What providers and people may report about a notification that was handed over.
const REPORTS: [Status; 5] = [Status::Unknown, Status::Sent, Status::Delivered, Status::Failed, Status::Read];

fn all(start: Status, reports: &[Status]) -> Status {
    reports.iter().fold(start, |status, report| status.join(*report))
}

fn any_status() -> impl Strategy<Value = Status> {
    proptest::sample::select(&Status::ALL[..])
}

fn reports() -> impl Strategy<Value = (Vec<Status>, Vec<Status>)> {
    proptest::collection::vec(proptest::sample::select(&REPORTS[..]), 0..8)
        .prop_flat_map(|reports| (Just(reports.clone()), Just(reports).prop_shuffle()))
}

proptest! {
    #[test]
    fn every_order_of_reports_ends_alike((reports, shuffled) in reports(), start in any_status()) {
        prop_assert_eq!(all(start, &reports), all(start, &shuffled));
    }

    #[test]
    fn a_repeated_report_changes_nothing((reports, again) in reports(), start in any_status()) {
        let once = all(start, &reports);
        prop_assert_eq!(all(once, &again), once);
    }

    #[test]
    fn a_report_never_moves_it_down(reports in proptest::collection::vec(any_status(), 0..8), start in any_status()) {
        let mut status = start;
        for report in reports {
            let next = status.join(report);
            prop_assert!(next.number() >= status.number(), "{} became {}", status, next);
            status = next;
        }
    }

    #[test]
    fn cancelled_and_skipped_are_never_left(
        start in proptest::sample::select(&[Status::Cancelled, Status::Skipped][..]),
        reports in proptest::collection::vec(any_status(), 0..8),
    ) {
        prop_assert_eq!(all(start, &reports), start);
    }
}

#[test]
fn every_permutation_of_the_five_reports_ends_as_read() {
    fn permutations(rest: &[Status], chosen: &mut Vec<Status>, seen: &mut Vec<Vec<Status>>) {
        if rest.is_empty() {
            seen.push(chosen.clone());
        }
        for (index, status) in rest.iter().enumerate() {
            let mut others = rest.to_vec();
            others.remove(index);
            chosen.push(*status);
            permutations(&others, chosen, seen);
            chosen.pop();
        }
    }
    let mut seen = Vec::new();
    permutations(&REPORTS, &mut Vec::new(), &mut seen);
    assert_eq!(seen.len(), 120);
    for start in [Status::Accepted, Status::Queued, Status::Sending] {
        assert!(seen.iter().all(|order| all(start, order) == Status::Read));
    }
}

#[test]
fn what_is_final_is_left_by_a_new_run_only() {
    for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
        assert!(status.cancel().is_err() || status == Status::Cancelled, "{status}");
        assert!(!status.is_pending(), "{status}");
        let again = status.retry();
        assert_eq!(again.is_ok(), status != Status::Read, "{status}");
        assert!(again.is_err() || again == Ok(Status::Queued), "{status}");
    }
}
