//! Measurements, not tests: `cargo test --release -p carillon-template --test measure -- --ignored --nocapture`.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use carillon_domain::content::Content;
use carillon_domain::notification::PinnedTemplate;
use carillon_domain::{Channel, TemplateId};
use carillon_template::{Cache, Engine};
use common::{content, variables};
use serde_json::{Value, json};

fn simple() -> Content {
    content(
        Channel::Email,
        json!({
            "subject": "Your order {{ order.id }} has shipped",
            "text": "Hello {{ name }},\n\nyour order {{ order.id }} over {{ order.total }} EUR is on its way.\n\nYours, Acme\n",
            "html": "<html><body><h1>Hello {{ name }}</h1><p>Your order <b>{{ order.id }}</b> over {{ order.total }} EUR is on its way.</p></body></html>",
        }),
    )
}

fn long() -> Content {
    let rows =
        "<tr><td style=\"padding:8px\">some fixed text of a mail, as builders of mails make it</td></tr>\n".repeat(100);
    content(
        Channel::Email,
        json!({
            "subject": "Your order {{ order.id }}",
            "html": format!("{rows}{{% for i in items %}}<tr><td>{{{{ loop.index }}}}</td><td>{{{{ i.name|upper }}}}</td><td>{{{{ '%.2f'|format(i.price) }}}}</td></tr>{{% endfor %}}{rows}"),
        }),
    )
}

fn given() -> Value {
    let items: Vec<_> = (0..20).map(|n| json!({ "name": format!("Thing number {n}"), "price": 1.25 })).collect();
    json!({ "name": "Ada & Grace", "order": { "id": "A-1000234", "total": "12.00" }, "items": items })
}

fn timed<T>(what: &str, times: u32, mut run: impl FnMut() -> T) {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..times {
            black_box(run());
        }
        best = best.min(start.elapsed());
    }
    println!("{what:<60} {:>10.2} µs", best.as_secs_f64() * 1e6 / f64::from(times));
}

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[test]
#[ignore = "a measurement"]
fn speed() {
    let engine = Engine::default();
    let variables = variables(given());
    for (name, part) in
        [("e-mail with 7 variables, 300 bytes", simple()), ("e-mail of 18 kB with a loop over 20", long())]
    {
        timed(&format!("compile {name}"), 2_000, || engine.compile(&part, "").is_ok());
        let compiled = engine.compile(&part, "").unwrap();
        timed(&format!("render {name}"), 20_000, || engine.render(&compiled, &variables, "").is_ok());
        timed(&format!("once {name}"), 2_000, || engine.render_once(&part, &variables, "").is_ok());
    }
    for (name, source) in [
        ("dense code", "{{ 1 }}".repeat(3_300)),
        ("tags", "{%if 1%}{%endif%}".repeat(1_200)),
        ("brackets", "{{ [".repeat(16_000)),
        ("comments", "{##}".repeat(16_000)),
        ("raw", "{%raw%}{%endraw%}".repeat(3_800)),
        ("unclosed raw", "{%raw%}".repeat(9_000)),
        ("escapes", format!("{{{{ '{}' }}}}", "\\n".repeat(32_000))),
        ("blanks", " ".repeat(32_000) + &" {%if 1%}{%endif%}".repeat(1_200)),
    ] {
        let part = content(Channel::Sms, json!({ "text": source }));
        timed(&format!("compile {name}"), 20, || engine.compile(&part, "").is_ok());
    }
    let fixed = content(Channel::Sms, json!({ "text": "Your code is on its way" }));
    let compiled = engine.compile(&fixed, "").unwrap();
    timed("render fixed text", 100_000, || engine.render(&compiled, &variables, "").is_ok());
    let cache = Cache::new(engine, Cache::DEFAULT_BYTES);
    let part = simple();
    let pin = PinnedTemplate { id: TemplateId(1), version: 1 };
    timed("cache hit", 100_000, || cache.compiled(pin, "de-CH", Channel::Email, || Ok(&part)).is_ok());
}

#[test]
#[ignore = "a measurement"]
fn memory() {
    for (name, make) in [("simple", simple as fn() -> Content), ("long", long)] {
        let engine = Engine::default();
        let part = make();
        let before = resident();
        let kept: Vec<_> = (0..10_000).map(|_| std::sync::Arc::new(engine.compile(&part, "").unwrap())).collect();
        let each = (resident() - before) / kept.len();
        println!("{name}: weight {} bytes, resident {each} bytes, content's text {}", kept[0].weight(), part.weight());
    }
    for count in [400, 40_000] {
        let before = resident();
        let cache = Cache::new(Engine::default(), Cache::DEFAULT_BYTES);
        let start = Instant::now();
        let part = simple();
        let mut missed = 0;
        for round in 0..3 {
            for id in 0..count {
                let pin = PinnedTemplate { id: TemplateId(id), version: 1 };
                let asked = cache.compiled(pin, "en", Channel::Email, || {
                    missed += i32::from(round > 0);
                    Ok(&part)
                });
                assert!(asked.is_ok());
            }
        }
        let each = start.elapsed() / u32::try_from(3 * count).unwrap();
        println!(
            "{count} templates, 3 rounds: {each:?} each, {missed} missed after the first, weight {}, resident +{}",
            cache.weight(),
            resident().saturating_sub(before)
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn worst() {
    let long = "y".repeat(1 << 20);
    let many = vec!["y"; 20_000];
    let given = variables(
        json!({ "long": long, "long2": long.clone(), "many": many, "tree": { "a": [many.clone()] }, "tree2": { "a": [many.clone()] } }),
    );
    let engine = Engine::default();
    for source in [
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{{ i }}{% endfor %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = (i * 3.5 + 1) / 7 %}{% endfor %}",
        "{% for i in range(9999) %}{% if long == long2 %}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% if long[500000] %}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = long|upper %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = many|sort %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = many|tojson %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = many|map('upper') %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = [1,2,3,4,5,6,7,8] %}{% endfor %}",
        "{% for i in range(9999) %}{% if tree == tree2 %}{% endif %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = long|split('y')|length %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = long|urlencode %}{% endfor %}",
        "{% for i in range(9999) %}{% set a = long|replace('y', 'yy') %}{% endfor %}",
        "{% for i in range(9999) %}{{ '%100.100f'|format(i) }}{% endfor %}",
        "{% for i in range(9999) %}{% set a = i ** 5.5 %}{% endfor %}",
        "{% for i in range(9999) %}{{ long|truncate(9) }}{% endfor %}",
        "{% set x = 'x' * 1000000 %}{% for i in range(9999) %}{% if x < long %}{% endif %}{% endfor %}",
    ] {
        let part = content(Channel::Sms, json!({ "text": source }));
        let compiled = engine.compile(&part, "").unwrap();
        let before = resident();
        timed(source, 5, || engine.render(&compiled, &given, "").is_err());
        println!("{:>60} resident +{} kB", "", resident().saturating_sub(before) / 1024);
    }
}
