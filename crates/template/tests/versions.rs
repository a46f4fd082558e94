//! Whole versions: validation, the choice of a part, and the cache of compiled parts.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use carillon_domain::notification::PinnedTemplate;
use carillon_domain::template::{TemplateBody, Variable};
use carillon_domain::{Channel, Error, TemplateId};
use carillon_template::{Cache, Engine, choose_part, validate};
use common::{content, variables};
use serde_json::{Value, json};

fn body(default: &str, localizations: Value) -> TemplateBody {
    let localizations = variables(localizations).into_iter().map(|(locale, parts)| {
        let parts = variables(parts).into_iter().map(|(channel, part)| {
            let channel = channel.parse::<Channel>().unwrap_or_else(|error| panic!("{error}"));
            (channel, content(channel, part))
        });
        (locale, parts.collect())
    });
    TemplateBody {
        default_locale: default.to_owned(),
        variables: Vec::new(),
        localizations: localizations.collect::<BTreeMap<_, _>>(),
    }
}

fn findings(body: &TemplateBody) -> Vec<(String, String)> {
    let Err(error) = validate(&Engine::default(), body) else {
        return Vec::new();
    };
    error.fields.into_iter().map(|field| (field.pointer, field.code.into_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect()
}

#[test]
fn a_good_version_is_good() {
    let good = body(
        "en",
        json!({ "en": { "email": { "subject": "{{ a }}", "text": "" } }, "de-CH": { "sms": { "text": "{{ b }}" } } }),
    );
    assert_eq!(findings(&good), []);
}

#[test]
fn every_finding_has_its_pointer() {
    let mut bad = body(
        "fr",
        json!({
            "en": { "email": { "subject": "a\n", "text": "{{", "html": "{{ x|nope }}" }, "sms": { "text": "ok" } },
            "EN": { "sms": { "text": "{% endif %}" } },
            "deutsch/x": {},
        }),
    );
    let variable = |name: &str| Variable { name: name.into(), required: true, description: None };
    bad.variables = vec![variable("order"), variable("or der"), variable("order")];
    assert_eq!(
        findings(&bad),
        pairs(&[
            ("/defaultLocale", "unknown_locale"),
            ("/localizations/deutsch~1x", "invalid_locale"),
            ("/localizations/en", "duplicate_locale"),
            ("/variables/1/name", "invalid_name"),
            ("/variables/2/name", "duplicate_name"),
            ("/localizations/EN/sms/text", "template_syntax"),
            ("/localizations/en/email/subject", "control_character"),
            ("/localizations/en/email/text", "template_syntax"),
            ("/localizations/en/email/html", "template_syntax"),
        ])
    );
}

#[test]
fn the_part_is_chosen_among_the_locales_that_have_the_channel() {
    let version = body(
        "en",
        json!({ "en": { "email": { "subject": "en", "text": "" }, "sms": { "text": "en" } }, "de": { "email": { "subject": "de", "text": "" } } }),
    );
    let chosen = |channel, wanted| choose_part(&version, channel, wanted).map(|(locale, _)| locale);
    assert_eq!(chosen(Channel::Email, Some("de-AT")), Some("de"));
    assert_eq!(chosen(Channel::Sms, Some("de-AT")), Some("en"));
    assert_eq!(chosen(Channel::Push, Some("de")), None);
}

fn pin(id: i64) -> PinnedTemplate {
    PinnedTemplate { id: TemplateId(id), version: 1 }
}

#[test]
fn a_part_is_compiled_once_however_many_ask_at_once() {
    let cache = Cache::new(Engine::default(), Cache::DEFAULT_BYTES);
    let asked = AtomicUsize::new(0);
    let part = content(Channel::Sms, json!({ "text": "Hi {{ name }}" }));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let compiled = cache.compiled(pin(1), "de", Channel::Sms, || {
                        asked.fetch_add(1, Ordering::SeqCst);
                        Ok(&part)
                    });
                    assert!(compiled.is_ok());
                }
            });
        }
    });
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(cache.get(pin(1), "de", Channel::Sms).is_some());
    for (id, version, locale, channel) in [
        (2, 1, "de", Channel::Sms),
        (1, 2, "de", Channel::Sms),
        (1, 1, "en", Channel::Sms),
        (1, 1, "de", Channel::Push),
    ] {
        assert!(cache.get(PinnedTemplate { id: TemplateId(id), version }, locale, channel).is_none());
    }
}

#[test]
fn errors_are_not_kept() {
    let cache = Cache::new(Engine::default(), Cache::DEFAULT_BYTES);
    let missing = cache.compiled::<carillon_domain::content::Content>(pin(1), "de", Channel::Sms, || {
        Err(Error::not_found("template"))
    });
    assert_eq!(missing.unwrap_err().code.as_str(), "not_found");
    let broken = content(Channel::Sms, json!({ "text": "{{" }));
    let broken = cache.compiled(pin(1), "de", Channel::Sms, || Ok(&broken));
    assert_eq!(broken.unwrap_err().fields[0].pointer, "/template/text");
    let good = content(Channel::Sms, json!({ "text": "{{ a }}" }));
    assert!(cache.compiled(pin(1), "de", Channel::Sms, || Ok(&good)).is_ok());
}

#[test]
fn forty_thousand_templates_stay_within_the_bound() {
    let bytes = 1 << 20;
    let cache = Cache::new(Engine::default(), bytes);
    for id in 0..40_000 {
        let part = content(Channel::Sms, json!({ "text": format!("Hi {{{{ name }}}}, {id}") }));
        assert!(cache.compiled(pin(id), "de", Channel::Sms, || Ok(part)).is_ok());
    }
    // Housekeeping runs beside the insertions, so the bound is kept nearly at all times and exactly in the end.
    assert!(cache.weight() <= bytes * 2, "{cache:?}");
}
