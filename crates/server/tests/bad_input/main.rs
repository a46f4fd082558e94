//! A table of bad requests: each is refused with the right status, code and pointer, and leaves nothing behind.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test ends where it is surprised")]

mod access;
mod case;
mod content;
mod lists;
mod resources;
mod shape;
mod world;

use carillon_testkit::house::House;
use carillon_testkit::on_both_databases;
use case::Case;
use world::World;

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");

async fn malformed_and_mistyped_bodies(house: &House) {
    all_are_refused(house, |_| shape::cases()).await;
}

async fn addresses_contents_and_times(house: &House) {
    all_are_refused(house, content::cases).await;
}

async fn credentials_and_foreign_ids(house: &House) {
    all_are_refused(house, access::cases).await;
}

async fn lists_cursors_methods_and_keys_that_were_used(house: &House) {
    all_are_refused(house, lists::cases).await;
}

async fn templates_tenants_and_api_keys(house: &House) {
    all_are_refused(house, resources::cases).await;
}

async fn a_refused_request_does_not_use_up_its_key(house: &House) {
    let (_carillon, root) = house.open();
    let key = Some("order-1");
    for (body, status) in [
        (content::email("nobody"), 422),
        (content::email("ada@example.com"), 202),
        (content::email("eve@example.com"), 422),
    ] {
        let (got, answer) = root.try_post(case::SEND, &body, key).await.unwrap();
        assert_eq!(got, status, "{answer}");
    }
}

/// What a parser or PostgreSQL cannot hold is its item's own trouble.
async fn a_poisoned_item_is_refused_beside_good_ones(house: &House) {
    let (_carillon, root) = house.open();
    let poisons = [r#""\u0000""#, r#""\ud800""#, "1e400000", r#"{"\u0000":1}"#, r#"["a",{"b":"\udfff"}]"#];
    for poison in poisons {
        let good = content::email("ada@example.com").to_string();
        let bad = good.replacen('{', &format!(r#"{{"variables":{{"v":{poison}}},"#), 1);
        let batch = |atomic: bool| format!(r#"{{"notifications":[{good},{bad},{good}],"atomic":{atomic}}}"#);
        let json = [("content-type", "application/json")];
        let answer = root.ask("POST", case::BATCH, &json, batch(false)).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (202, &2.into()), "{poison}: {}", answer.body);
        let refused = &answer.body["results"][1]["error"];
        assert_eq!((&refused["code"], &refused["status"]), (&"validation_failed".into(), &422.into()), "{poison}");
        let pointer = refused["errors"][0]["pointer"].as_str().unwrap();
        assert!(pointer.starts_with("/notifications/1"), "{poison}: {pointer}");
        assert_eq!(root.ask("POST", case::BATCH, &json, batch(true)).await.status, 422, "{poison}");
    }
    let (_, list) = root.get("/api/v1/notifications").await;
    assert_eq!(list["data"].as_array().unwrap().len(), 2 * poisons.len());
}

async fn all_are_refused(house: &House, cases: impl Fn(&World) -> Vec<Case>) {
    let (_carillon, root) = house.open();
    let world = World::make(&root).await;
    let before = world.rows().await;
    for case in cases(&world) {
        case.check(&world).await;
        let after = world.rows().await;
        assert_eq!(after, before, "{case:?} left something behind");
    }
}

on_both_databases!(
    malformed_and_mistyped_bodies,
    addresses_contents_and_times,
    credentials_and_foreign_ids,
    lists_cursors_methods_and_keys_that_were_used,
    templates_tenants_and_api_keys,
    a_refused_request_does_not_use_up_its_key,
    a_poisoned_item_is_refused_beside_good_ones,
);
