//! `docs/templates.md` does not rot: its example is compiled and rendered, and gives what the page says.

mod common;

use carillon_domain::Channel;
use carillon_domain::template::TemplateBody;
use carillon_template::{Engine, check_variables, choose_part, validate};
use common::{content, variables};
use serde_json::{Map, Value, json};

const PAGE: &str = include_str!("../../../docs/templates.md");

fn examples() -> Vec<Value> {
    let blocks = PAGE.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error} in {block}"))).collect()
}

fn version(body: &Value) -> TemplateBody {
    let parts = |parts: &Value| {
        let parts = variables(parts.clone()).into_iter().map(|(word, part)| {
            let channel = word.parse::<Channel>().unwrap_or_else(|error| panic!("{error}"));
            (channel, content(channel, part))
        });
        parts.collect()
    };
    let localizations = variables(body["localizations"].clone());
    TemplateBody {
        default_locale: body["defaultLocale"].as_str().unwrap_or_default().to_owned(),
        variables: serde_json::from_value(body["variables"].clone()).unwrap_or_else(|error| panic!("{error}")),
        localizations: localizations.iter().map(|(locale, each)| (locale.clone(), parts(each))).collect(),
    }
}

#[test]
fn the_example_gives_what_the_page_says() {
    let [body, given, expected] = &examples()[..] else { panic!("three examples") };
    let (engine, body, given) = (Engine::default(), version(body), variables(given.clone()));
    validate(&engine, &body).unwrap();
    check_variables(&body.variables, &given).unwrap();
    let (locale, part) = choose_part(&body, Channel::Email, Some("en-GB")).unwrap();
    assert_eq!(locale, "en");
    assert_eq!(json!(engine.render_once(part, &given, "").unwrap()), *expected);
}

#[test]
fn every_part_of_the_example_renders() {
    let examples = examples();
    let (engine, body, given) = (Engine::default(), version(&examples[0]), variables(examples[1].clone()));
    for content in body.localizations.values().flat_map(|parts| parts.values()) {
        assert!(engine.render_once(content, &given, "").is_ok(), "{content:?}");
    }
    let (locale, _) = choose_part(&body, Channel::Email, Some("de_ch")).unwrap();
    assert_eq!(locale, "de");
    let error = check_variables(&body.variables, &Map::new()).unwrap_err();
    let pointers: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/variables/name", "/variables/order"]);
}
