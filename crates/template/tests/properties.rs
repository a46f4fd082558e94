//! Whatever the source and the data, rendering ends, stays within its bounds, is deterministic, and lets no `<` of
//! the data into HTML.

mod common;

use carillon_domain::Channel;
use carillon_template::{Engine, Limits};
use common::{content, html, text, variables};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[<>&\"'a-z {}%/\\r\\n]{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map("[a-c<]{1,2}", inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// Something that may be an expression. `safe` is never among the filters.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("c.a".to_owned()),
        Just("missing".to_owned()),
        Just("none".to_owned()),
        Just("'x'".to_owned()),
        Just("\"\"".to_owned()),
        Just("1.5".to_owned()),
        Just("loop.index".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        (0..9_i32).prop_map(|n| n.to_string()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (
                two.clone(),
                prop::sample::select(vec![
                    "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and",
                    "or"
                ])
            )
                .prop_map(|((left, right), op)| format!("({left} {op} {right})")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "upper",
                    "lower",
                    "title",
                    "capitalize",
                    "trim",
                    "length",
                    "list",
                    "items",
                    "first",
                    "last",
                    "reverse",
                    "sort",
                    "sum",
                    "min",
                    "max",
                    "abs",
                    "int",
                    "float",
                    "round",
                    "string",
                    "e",
                    "urlencode",
                    "tojson",
                    "split",
                    "map('upper')",
                    "map(attribute='a')",
                    "selectattr('a')",
                    "join('<')"
                ])
            )
                .prop_map(|(value, filter)| format!("{value}|{filter}")),
            two.clone().prop_map(|(value, other)| format!("({value})|default({other}, true)")),
            two.clone().prop_map(|(value, other)| format!("({value})|replace({other}, {value})")),
            two.clone().prop_map(|(value, other)| format!("({value})[{other}]")),
            two.clone().prop_map(|(value, other)| format!("({value})[{other}:]")),
            two.clone().prop_map(|(value, other)| format!("({value})|truncate({other})")),
            two.clone().prop_map(|(value, other)| format!("({value})|format({other})")),
            two.clone().prop_map(|(value, other)| format!("[{value}, {other}]")),
            two.prop_map(|(value, other)| format!("{{'a': {value}, 'b': {other}}}")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "defined",
                    "none",
                    "odd",
                    "even",
                    "string",
                    "number",
                    "mapping",
                    "divisibleby(2)",
                    "startingwith('x')"
                ])
            )
                .prop_map(|(value, test)| format!("({value} is {test})")),
            inner.clone().prop_map(|value| format!("(not {value})")),
            inner.clone().prop_map(|value| format!("(-{value})")),
            inner.prop_map(|value| format!("range({value})")),
        ]
    })
}

fn template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z ]{0,6}".prop_map(|text| text),
        expression().prop_map(|value| format!("{{{{ {value} }}}}")),
        expression().prop_map(|value| format!("{{{{ ({value})|default('')|tojson }}}}")),
        expression().prop_map(|value| format!("{{% set b = {value} %}}")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let body = vec(inner, 0..4).prop_map(|parts| parts.concat());
        prop_oneof![
            body.clone(),
            (expression(), body.clone(), body.clone()).prop_map(|(test, then, otherwise)| format!(
                "{{% if {test} %}}{then}{{% else %}}{otherwise}{{% endif %}}"
            )),
            (expression(), body.clone())
                .prop_map(|(items, each)| format!("{{% for a in {items} %}}{each}{{% endfor %}}")),
            body.prop_map(|kept| format!("{{% set a %}}{kept}{{% endset %}}")),
        ]
    })
}

/// 400 cases, or `PROPTEST_CASES` if that is more.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(400), failure_persistence: None, ..default }
}

/// An expression that is text: it renders, so that what it lets through is seen.
fn textual() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "b", "c.a", "c['b']", "'x'", "a[0]", "a[-1]", "b ~ c.a", "a|join", "5|string", "b[:3]",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 16, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        let filters = vec![
            "upper",
            "lower",
            "title",
            "capitalize",
            "trim",
            "string",
            "e",
            "tojson",
            "reverse",
            "truncate(9)",
            "truncate(4, true, '<')",
            "first|d('')",
            "last|d('')",
            "split('x')|join(b)",
            "split|sort|join(', ')",
            "default('-', true)",
            "replace('x', b)",
            "format_",
            "d(b)",
        ];
        prop_oneof![
            (inner.clone(), prop::sample::select(filters)).prop_map(|(value, filter)| match filter {
                "format_" => format!("('%s <%9s>'|format({value}, b))"),
                _ => format!("({value}|{filter})"),
            }),
            two.clone().prop_map(|(left, right)| format!("({left} ~ {right})")),
            two.clone().prop_map(|(left, right)| format!("({left} if {right} == b else {right})")),
            two.clone().prop_map(|(left, right)| format!("([{left}, {right}]|map('upper')|join({left}))")),
            two.prop_map(|(left, right)| format!("({{'k': {left}}}.k or {right})")),
        ]
    })
}

/// A template that renders.
fn rendering() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        textual().prop_map(|value| format!("{{{{ {value} }}}}")),
        textual().prop_map(|value| format!("{{% set d = {value} %}}{{{{ d }}}}")),
        textual()
            .prop_map(|value| format!("{{% set d %}}({{{{ {value} }}}}){{% endset %}}{{{{ d }}}}{{{{ d|upper }}}}")),
        textual().prop_map(|value| format!(
            "{{% for d in a %}}{{{{ d ~ ({value}) }}}}{{{{ loop.cycle(d, b) }}}}{{% endfor %}}"
        )),
        textual().prop_map(|value| format!(
            "{{% for k, v in c|items %}}{{{{ k }}}}{{{{ v }}}}{{{{ {value} }}}}{{% endfor %}}"
        )),
    ];
    vec(part, 1..4).prop_map(|parts| parts.concat())
}

/// Data for [`rendering`], with all that means something in HTML and in headers.
fn evil() -> impl Strategy<Value = Value> {
    let text = || "[<>&\"'\r\nax{%]{0,8}";
    (vec(text(), 1..4), text(), text(), text())
        .prop_map(|(a, b, c, d)| json!({ "a": a, "b": b, "c": { "a": c, "b": d } }))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn data_never_becomes_html(source in rendering(), given in evil()) {
        // A longer one may have too many words in a tag.
        if source.len() > 600 {
            return Ok(());
        }
        let out = html(&source, given.clone());
        prop_assert!(out.is_ok(), "{source}: {out:?}");
        let out = out.unwrap();
        prop_assert!(!out.contains(['<', '>']), "{source} gave {out}");
        prop_assert_eq!(html(&source, given).unwrap(), out, "the same again");
    }

    #[test]
    fn a_printed_value_is_the_value_escaped(value in any::<String>().prop_filter("no NUL", |value| !value.contains('\0'))) {
        let out = html("{{ v }}|<a title=\"{{ v }}\">", json!({ "v": value })).unwrap();
        let back = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
        let (first, rest) = out.split_once("|<a title=\"").unwrap();
        let second = rest.strip_suffix("\">").unwrap();
        prop_assert!(!first.contains(['<', '>', '"', '\'']));
        prop_assert_eq!(back(first), value.clone());
        prop_assert_eq!(second, first);
        prop_assert_eq!(text("{{ v }}", json!({ "v": value })).unwrap(), value);
    }

    #[test]
    fn any_source_ends_in_text_or_in_an_error(source in prop_oneof![any::<String>(), template(), "[{}%#'\"a-z|.()\\[\\]=<>+*/~ \\n-]{0,80}"], a in data()) {
        let given = variables(json!({ "a": a.clone(), "b": [a.clone()], "c": { "a": a } }));
        for (channel, part) in [
            (Channel::Email, json!({ "subject": source, "html": source, "replyTo": source })),
            (Channel::Push, json!({ "title": source, "body": source, "data": { "a": [source] } })),
        ] {
            match Engine::default().render_once(&content(channel, part), &given, "/x") {
                Ok(rendered) => prop_assert!(rendered.weight() <= 256 * 1024),
                Err(error) => {
                    prop_assert_eq!(error.code.as_str(), "validation_failed");
                    prop_assert!(!error.fields.is_empty());
                    for field in &error.fields {
                        prop_assert!(field.pointer.starts_with("/x/") || field.pointer.starts_with("/variables/"), "{}", field.pointer);
                    }
                }
            }
        }
    }

    #[test]
    fn subjects_are_one_line(source in rendering(), given in evil()) {
        let part = content(Channel::InApp, json!({ "title": source, "body": "" }));
        if let Ok(rendered) = Engine::default().render_once(&part, &variables(given), "") {
            let rendered = serde_json::to_value(rendered).unwrap();
            prop_assert!(!rendered["title"].as_str().unwrap().contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn small_limits_are_kept(source in template(), fuel in 0..300_u64, output_bytes in 0..100_usize, a in data()) {
        let limits = Limits { fuel, output_bytes, ..Limits::default() };
        let given = variables(json!({ "a": a.clone(), "b": a.clone(), "c": a }));
        let part = content(Channel::Sms, json!({ "text": source }));
        if let Ok(rendered) = Engine::new(limits).render_once(&part, &given, "") {
            prop_assert!(rendered.weight() <= output_bytes);
        }
    }
}
