//! A store method without a case is not finished: this compares the list of cases with the traits' sources.

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::CASES;

    const SOURCES: [&str; 6] = [
        include_str!("../../../ports/src/work.rs"),
        include_str!("../../../ports/src/notifications.rs"),
        include_str!("../../../ports/src/events.rs"),
        include_str!("../../../ports/src/templates.rs"),
        include_str!("../../../ports/src/tenants.rs"),
        include_str!("../../../ports/src/sandbox.rs"),
    ];

    fn methods() -> BTreeSet<&'static str> {
        let lines = SOURCES.iter().flat_map(|source| source.lines());
        lines.filter_map(|line| line.trim().strip_prefix("async fn ")?.split(['(', '<']).next()).collect()
    }

    #[test]
    fn every_method_of_every_store_trait_has_a_case() {
        let proven: BTreeSet<_> = CASES.iter().flat_map(|case| case.proves.iter().copied()).collect();
        let methods = methods();
        assert!(methods.len() > 40, "the traits' sources were read");
        assert_eq!(methods.difference(&proven).collect::<Vec<_>>(), [] as [&&str; 0], "methods without a case");
        assert_eq!(proven.difference(&methods).collect::<Vec<_>>(), [] as [&&str; 0], "cases of no method");
    }

    #[test]
    fn no_two_cases_share_a_name() {
        let names: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
