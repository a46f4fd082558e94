//! F30: what a hostile template tries. Each is refused with the right code; the process, its stack and its memory
//! stay as they were.

mod common;

use std::time::Duration;

use carillon_domain::Channel;
use carillon_template::{Engine, Limits};
use common::{content, field, text, variables};
use serde_json::{Value, json};

const SYNTAX: &str = "template_syntax";
const LARGE: &str = "template_too_large";
const EXPENSIVE: &str = "template_too_expensive";
const FAILED: &str = "template_failed";
const OUTPUT: &str = "template_output_too_large";

fn chain(start: &str, link: &str, times: usize) -> String {
    format!("{{{{ {start}{} }}}}", link.repeat(times))
}

fn bombs() -> Vec<(&'static str, String, &'static str)> {
    let mut bombs: Vec<(&str, String, &str)> = vec![
        ("nested loops", "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}".into(), EXPENSIVE),
        ("empty nested loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}".into(), EXPENSIVE),
        ("a long range", "{% for i in range(1000000000) %}{% endfor %}".into(), FAILED),
        ("a range to the end of numbers", "{{ range(-170141183460469231731687303715884105728, 9, 1) }}".into(), SYNTAX),
        ("ranges", "{% for i in range(99) %}{{ range(10000)|length }}{% endfor %}".into(), EXPENSIVE),
        ("repeated text", "{{ 'x' * 1000000000 }}".into(), EXPENSIVE),
        ("repeated text, often", "{% for i in range(1000) %}{% set a = 'x' * 1000000 %}{% endfor %}".into(), EXPENSIVE),
        ("repeated lists", "{{ ([1] * 1000000000)|length }}".into(), FAILED),
        ("output", "{% for i in range(9) %}{{ 'x' * 100000 }}{% endfor %}".into(), OUTPUT),
        ("kept output", "{% set a %}{% for i in range(9) %}{{ 'x' * 100000 }}{% endfor %}{% endset %}".into(), OUTPUT),
        ("doubled text", format!("{{% set a = 'xxxxxxxx' %}}{}", "{% set a = a ~ a %}".repeat(60)), EXPENSIVE),
        ("doubled lists", format!("{{% set a = [1] %}}{}", "{% set a = a + a %}".repeat(60)), FAILED),
        ("laughing lists", format!("{{% set a = [1] %}}{}{{{{ a|tojson }}}}", "{% set a = [a, a, a, a, a, a, a, a] %}".repeat(7)), EXPENSIVE),
        ("laughing maps", format!("{{% set a = {{'a': 1}} %}}{}{{{{ a|tojson }}}}", "{% set a = {'a': a, 'b': a, 'c': a, 'd': a, 'e': a, 'f': a, 'g': a, 'h': a} %}".repeat(7)), EXPENSIVE),
        ("laughing comparison", format!("{{% set a = [1] %}}{{% set b = [1] %}}{}{{{{ a == b }}}}", "{% set a = [a, a, a, a, a, a, a, a] %}{% set b = [b, b, b, b, b, b, b, b] %}".repeat(7)), EXPENSIVE),
        ("laughing defaults", format!("{{% set a = [{{}}, {{}}, {{}}, {{}}, {{}}] %}}{}{{{{ a|tojson }}}}", "{% set a = [{}, {}, {}, {}, {}, {}, {}, {}]|map(attribute='x', default=a) %}".repeat(5)), EXPENSIVE),
        ("nested lists", "{% set x = [x] %}".repeat(1200).replacen("[x]", "[1]", 1), FAILED),
        ("replace", "{{ ('a' * 100000)|replace('a', 'b' * 100000) }}".into(), EXPENSIVE),
        ("join", "{{ range(10000)|join('x' * 10000) }}".into(), EXPENSIVE),
        ("join of text", "{{ ('x ' * 100000)|split|join('x' * 1000) }}".into(), EXPENSIVE),
        ("split", "{% for i in range(1000) %}{{ long|split('y')|length }}{% endfor %}".into(), EXPENSIVE),
        ("format width", "{{ '%1000000000d'|format(1) }}".into(), FAILED),
        ("format decimals", "{{ '%.1000000000f'|format(1.5) }}".into(), FAILED),
        ("power", "{{ 10 ** 1000000000 }}".into(), FAILED),
        ("power of powers", "{{ 9 ** 9 ** 9 ** 9 }}".into(), FAILED),
        ("sort", "{% for i in range(1000) %}{% set a = many|sort %}{% endfor %}".into(), EXPENSIVE),
        ("map", "{% for i in range(1000) %}{% set a = many|map('upper') %}{% endfor %}".into(), EXPENSIVE),
        ("comparing text", "{% for i in range(10000) %}{% if long == long2 %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("ordering text", "{% for i in range(10000) %}{% if long < long2 %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("searching text", "{% for i in range(10000) %}{% if 'z' in long %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("searching lists", "{% for i in range(10000) %}{% if 'z' in many %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("indexing text", "{% for i in range(10000) %}{% if long[500000] %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("slicing text", "{% for i in range(10000) %}{% if long[500000:] %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("testing text", "{% for i in range(10000) %}{% if long is startingwith(long2) %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("comparing trees", "{% for i in range(10000) %}{% if tree == tree2 %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("keys", "{% for i in range(10000) %}{% if tree[long] is defined %}{% endif %}{% endfor %}".into(), EXPENSIVE),
        ("printing JSON", "{% for i in range(10000) %}{% set a = many|tojson %}{% endfor %}".into(), EXPENSIVE),
        ("macros", "{% macro m(x) %}{{ m([x]) }}{% endmacro %}{{ m(1) }}".into(), SYNTAX),
        ("recursive loops", "{% for i in [1] recursive %}{{ loop([[i]]) }}{% endfor %}".into(), SYNTAX),
        ("itself", "{% include 'template' %}".into(), SYNTAX),
        ("brackets", format!("{{{{ {}{} }}}}", "[".repeat(30_000), "]".repeat(30_000)), LARGE),
        ("brackets that fit a tag", format!("{{{{ {}{} }}}}", "[".repeat(190), "]".repeat(190)), SYNTAX),
        ("parentheses", format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000)), LARGE),
        ("nested if", format!("{}{}", "{%if 1%}".repeat(3500), "{%endif%}".repeat(3500)), LARGE),
        ("nested if that fits", format!("{}{}", "{%if 1%}".repeat(33), "{%endif%}".repeat(33)), SYNTAX),
        ("a tag too long", chain("1", "+1", 200), LARGE),
        ("a deep expression", chain("1", "+1", 64), SYNTAX),
        ("a deep expression that fits a tag", chain("1", "+1", 198), SYNTAX),
        ("nots that fit a tag", format!("{{{{ {}1 }}}}", "not ".repeat(397)), SYNTAX),
        ("signs that fit a tag", format!("{{{{ {}1 }}}}", "-".repeat(397)), SYNTAX),
        ("dots that fit a tag", chain("x", ".a", 198), SYNTAX),
        ("nested for", format!("{}{}", "{%for i in x%}".repeat(1000), "{%endfor%}".repeat(1000)), SYNTAX),
        ("elif", format!("{{%if 0%}}{}{{%endif%}}", "{%elif 0%}".repeat(6000)), LARGE),
        ("else if", format!("{{%if 0%}}{}{}", "{%else%}{%if 0%}".repeat(900), "{%endif%}".repeat(901)), SYNTAX),
        ("too much text", "x".repeat(64 * 1024 + 1), LARGE),
        ("too much code", "{{ 1 }}".repeat(9000), LARGE),
    ];
    for (name, start, link) in [
        ("slices", "x", "[:]"),
        ("filters", "x", "|list"),
        ("sums", "1", "+1"),
        ("joins", "1", "~1"),
        ("ands", "1", " and 1"),
        ("dots", "x", ".a"),
        ("choices", "1", " if 1 else 1"),
        ("comparisons", "1", "<1"),
        ("powers", "1", "**1"),
        ("tests", "1", " is odd"),
    ] {
        bombs.push((name, chain(start, link, 65_000 / link.len()), LARGE));
    }
    bombs.push(("nots", format!("{{{{ {}1 }}}}", "not ".repeat(16_000)), LARGE));
    bombs.push(("signs", format!("{{{{ {}1 }}}}", "-".repeat(60_000)), LARGE));
    bombs
}

fn ammunition() -> Value {
    let long = "y".repeat(1 << 20);
    let many = vec!["y"; 20_000];
    json!({ "x": [1, 2, 3], "long": long, "long2": long.clone(), "many": many, "tree": { "a": [many.clone()] }, "tree2": { "a": [many.clone()] } })
}

#[test]
fn bombs_are_refused() {
    let given = ammunition();
    for (name, source, code) in bombs() {
        assert_eq!(field(text(&source, given.clone())).1, code, "{name}");
    }
}

#[test]
fn bombs_at_once_do_not_hurt_each_other_and_fit_a_small_stack() {
    let given = ammunition();
    std::thread::scope(|scope| {
        for which in 0..32 {
            let given = given.clone();
            let bombs = std::thread::Builder::new().stack_size(1 << 20).spawn_scoped(scope, move || {
                for (name, source, code) in bombs().into_iter().skip(which % 4).step_by(4) {
                    assert_eq!(field(text(&source, given.clone())).1, code, "{name}");
                }
            });
            assert!(bombs.is_ok());
        }
    });
}

#[test]
fn what_is_just_below_the_limits_compiles_and_runs() {
    let within = [
        chain("1", "+1", 63),
        chain("1", "~1", 63),
        chain("x", "[:]", 63),
        chain("({})", ".a", 62),
        chain("x", "|list", 63),
        format!("{{{{ {}1 }}}}", "not ".repeat(63)),
        format!("{{{{ {}1 }}}}", "-".repeat(63)),
        format!("{{{{ {}1{} }}}}", "[".repeat(63), "]".repeat(63)),
        format!("{{%if 0%}}{}{{%endif%}}", "{%elif 0%}".repeat(100)),
        format!("{}{{{{ {}1 }}}}{}", "{%if 1%}".repeat(32), "not ".repeat(63), "{%endif%}".repeat(32)),
        format!("{}{{{{ i }}}}{}", "{%for i in [1]%}".repeat(32), "{%endfor%}".repeat(32)),
        format!("{{{{ {}1{} }}}}", "(".repeat(60), ")".repeat(60)),
        "\n".repeat(64 * 1024 - 7) + "{{ 1 }}",
        " ".repeat(64 * 1024 - 7) + "{{ 1 }}",
        "{{ 1 }}".repeat(3300),
    ];
    for source in within {
        let shown: String = source.trim().chars().take(60).collect();
        let result = std::thread::Builder::new().stack_size(1 << 20).spawn(move || text(&source, json!({ "x": [1] })));
        let code = field(result.unwrap().join().unwrap()).1;
        assert!(["", "missing_variable", FAILED].contains(&code.as_str()), "{code}: {shown}");
    }
}

#[test]
fn the_budget_is_the_message_s_and_not_each_string_s() {
    let spend = "{% for i in range(4000) %}{% endfor %}";
    assert_eq!(text(spend, json!({})).unwrap(), "");
    let data: Vec<_> = (0..20).map(|_| spend).collect();
    let push = content(Channel::Push, json!({ "title": "t", "body": "b", "data": { "a": data } }));
    let result = Engine::default().render_once(&push, &variables(json!({})), "/directContent");
    let (pointer, code) = field(result);
    assert_eq!(code, EXPENSIVE);
    assert!(pointer.starts_with("/directContent/data/a/"), "{pointer}");
}

#[test]
fn output_is_counted_over_the_whole_message() {
    let part = "x".repeat(60_000);
    let mail = content(Channel::Email, json!({ "subject": "s", "text": part, "html": format!("{part}{{{{ v }}}}") }));
    let engine = Engine::default();
    assert!(engine.render_once(&mail, &variables(json!({ "v": "y".repeat(100_000) })), "").is_ok());
    let result = engine.render_once(&mail, &variables(json!({ "v": "y".repeat(150_000) })), "/template");
    assert_eq!(field(result), ("/template/html".into(), OUTPUT.into()));
    let result = engine.render_once(&mail, &variables(json!({ "v": "<".repeat(100_000) })), "/template");
    assert_eq!(field(result).1, OUTPUT, "escaping counts");
}

#[test]
fn time_is_a_backstop_for_those_who_have_used_some_fuel() {
    let limits = Limits { time: Duration::ZERO, ..Limits::default() };
    let sms = |text: &str| content(Channel::Sms, json!({ "text": text }));
    let engine = Engine::new(limits);
    let none = variables(json!({}));
    assert!(engine.render_once(&sms("{% for i in range(100) %}{{ i }}{% endfor %}"), &none, "").is_ok());
    let result = engine.render_once(&sms("{% for i in range(5000) %}{{ i }}{% endfor %}"), &none, "");
    assert_eq!(field(result).1, EXPENSIVE);
}

#[test]
fn an_honest_message_is_far_from_the_limits() {
    let items: Vec<_> = (0..300).map(|n| json!({ "name": format!("Thing {n}"), "price": 1.25, "qty": n })).collect();
    let source = "{% for i in items %}{% if i.qty > 0 %}<tr><td>{{ loop.index }}</td><td>{{ i.name|title }}</td><td>{{ '%.2f'|format(i.price * i.qty) }}</td></tr>{% endif %}{% endfor %}{{ items|sum(attribute='price') }}";
    let limits = Limits { fuel: 50_000 / 4, ..Limits::default() };
    let mail = content(Channel::Email, json!({ "subject": "s", "html": source }));
    assert!(Engine::new(limits).render_once(&mail, &variables(json!({ "items": items })), "").is_ok());
}
