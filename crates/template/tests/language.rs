//! The language: what templates may say, and what comes out.

mod common;

use common::{field, html, text};
use serde_json::{Value, json};

fn vars() -> Value {
    json!({
        "name": "Ada", "none": null, "yes": true, "n": 7, "big": 18_446_744_073_709_551_615_u64, "x": 12.5, "whole": 1e3,
        "total": "12.00", "tags": ["vip", "new"], "user": { "name": "Grace", "mail": "g@h.example", "a/b": 1 },
        "items": [{ "sku": "b", "price": 2.5, "qty": 2 }, { "sku": "A", "price": 1, "qty": 3, "gift": true }],
        "text": "one two  three", "long": "The quick brown fox",
    })
}

#[track_caller]
fn is(source: &str, expected: &str) {
    assert_eq!(text(source, vars()).unwrap_or_else(|error| panic!("{source}: {error}")), expected, "{source}");
}

#[track_caller]
fn fails(source: &str, code: &str, says: &str) {
    let Err(error) = text(source, vars()) else { panic!("{source} renders") };
    assert_eq!(error.fields[0].code, code, "{source}: {error}");
    assert!(error.detail.contains(says), "{source}: {error}");
}

#[test]
fn values_print_as_json_writes_them_and_null_is_empty() {
    is(
        "{{ name }} {{ n }} {{ big }} {{ x }} {{ whole }} {{ total }} {{ yes }} [{{ none }}]",
        "Ada 7 18446744073709551615 12.5 1000.0 12.00 true []",
    );
    fails("{{ tags }}", "template_failed", "a list cannot be printed");
    fails("{{ user }}", "template_failed", "a map cannot be printed");
}

#[test]
fn text_without_tags_stays_as_it_is() {
    is("50 % { } # \n", "50 % { } # \n");
    is("{{ name }}\n", "Ada\n");
    is("{% raw %}{{ name }}{% endraw %}{# not this #}", "{{ name }}");
}

#[test]
fn a_tag_alone_on_its_line_leaves_no_line() {
    is("a\n  {% for t in tags %}\n- {{ t }}\n  {% endfor %}\nb\n", "a\n- vip\n- new\nb\n");
}

#[test]
fn members_elements_and_slices() {
    is(
        "{{ user.name }} {{ user['name'] }} {{ user[\"a/b\"] }} {{ tags[0] }} {{ tags[-1] }} {{ items[1].sku }}",
        "Grace Grace 1 vip new A",
    );
    is("{{ name[0] }} {{ name[:2] }} {{ name[-2:] }} {{ tags[1:]|join }} {{ tags[5:]|length }}", "A Ad da new 0");
    is("{{ {'de': 'Hallo', 'en': 'Hello'}['en'] }} {{ [1, 2, 3][1] }}", "Hello 2");
}

#[test]
fn operators() {
    is(
        "{{ 1 + 2 * 3 - 4 }} {{ 7 / 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 2 ** 10 }} {{ 6 / 2 }}",
        "3 3.5 3 -4 2 1024 3.0",
    );
    is("{{ 'a' ~ 1 ~ true }} {{ 'a' + 'b' }} {{ '-' * 3 }} {{ x * 2 }}", "a1true ab --- 25.0");
    is("{{ 1 < 2 <= 2 }} {{ 1 == 1.0 }} {{ 'a' != 'b' }} {{ 'A' < 'a' }} {{ 2 >= 3 }}", "true true true true false");
    is(
        "{{ 'vip' in tags }} {{ 'x' not in tags }} {{ 'da' in name }} {{ 'name' in user }} {{ 7 in [1, 7] }}",
        "true true true true true",
    );
    is(
        "{{ tags == ['vip', 'new'] }} {{ user == user }} {{ items == [] }} {{ none == null_ if false else none is none }}",
        "true true false true",
    );
    is(
        "{{ yes and name }} {{ '' or 'else' }} {{ not yes }} {{ 'a' if yes else 'b' }}[{{ 'a' if not yes }}]",
        "Ada else false a[]",
    );
    fails("{{ total * 2 + 1 }}", "template_failed", "int and float");
    fails("{{ name < 1 }}", "template_failed", "no order");
    fails("{{ 1 / 0 }}", "template_failed", "division by zero");
    fails("{{ 2 ** 999 }}", "template_failed", "too large");
}

#[test]
fn statements() {
    is("{% if n > 9 %}a{% elif n == 7 %}b{% elif n == 8 %}c{% else %}d{% endif %}", "b");
    is(
        "{% for i in items %}{{ loop.index }}/{{ loop.length }}:{{ i.sku }}{{ '' if loop.last else ',' }}{% endfor %}",
        "1/2:b,2/2:A",
    );
    is("{% for i in [] %}x{% else %}nothing{% endfor %}", "nothing");
    is("{% for i in items if i.gift is defined %}{{ i.sku }}{% endfor %}", "A");
    is("{% for k, v in {'a': 1, 'b': 2}|items %}{{ k }}={{ v }} {% endfor %}", "a=1 b=2 ");
    is("{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}", "ab");
    is(
        "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
        "02",
    );
    is(
        "{% for i in range(3) %}{{ loop.cycle('a', 'b') }}{{ loop.revindex }}{{ loop.first }} {% endfor %}",
        "a3true b2false a1false ",
    );
    is(
        "{% for i in range(2) %}{% for j in range(2) %}{{ i }}{{ j }}{{ loop.depth }} {% endfor %}{% endfor %}",
        "002 012 102 112 ",
    );
    is(
        "{{ range(3)|join(',') }} {{ range(1, 3)|join(',') }} {{ range(9, 0, -4)|join(',') }} {{ range(3, 1)|length }}",
        "0,1,2 1,2 9,5,1 0",
    );
    is("{% set a = 1 %}{% for i in [5] %}{% set a = i %}{{ a }}{% endfor %}{{ a }}", "51");
    is("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "3false");
    is("{% set greeting %}Hi {{ name }}{% endset %}{{ greeting }}, {{ greeting|upper }}", "Hi Ada, HI ADA");
}

#[test]
fn filters_on_text() {
    is(
        "{{ name|upper }} {{ name|lower }} {{ 'a bc'|title }} {{ 'aBC'|capitalize }} {{ '  a '|trim }}{{ 'xax'|trim('x') }}",
        "ADA ada A Bc Abc aa",
    );
    is(
        "{{ 'a-b-c'|replace('-', '+') }} {{ 'a,b'|split(',')|join('|') }} {{ text|split|join('|') }}",
        "a+b+c a|b one|two|three",
    );
    is(
        "{{ long|truncate(11) }}|{{ long|truncate(12, true) }}|{{ long|truncate(9, end='') }}|{{ long|truncate(99) }}|{{ long|truncate(2) }}",
        "The...|The quick...|The quick|The quick brown fox|..",
    );
    is(
        "{{ 'a b&ü/'|urlencode }} {{ '<a>'|e }} {{ user|tojson }}",
        "a%20b%26%C3%BC/ &lt;a&gt; {\"a/b\":1,\"mail\":\"g@h.example\",\"name\":\"Grace\"}",
    );
    is("{{ '%s has %03d of %5.1f%%'|format(name, 7, 12.5) }}", "Ada has 007 of  12.5%");
    is("{{ '%.2f'|format(total|float) }} {{ '%+d'|format(3) }} {{ '%-4s|'|format('a') }}", "12.00 +3 a   |");
    is(
        "{{ missing|default('-') }} {{ none|d('-') }} {{ ''|default('-', true) }} {{ user.address.city|default('?') }}",
        "- - - ?",
    );
    is("{{ name|default(missing) }} {{ missing|default(none)|default(name) }}", "Ada Ada");
}

#[test]
fn filters_on_numbers_and_lists() {
    is(
        "{{ total|float }} {{ '12.9'|int }} {{ 'x'|int }} {{ 'x'|int(5) }} {{ -3|abs }} {{ 2.345|round(2) }} {{ 2.5|round }} {{ 2.1|round(method='ceil') }}",
        "12.0 12 0 5 3 2.35 3.0 3.0",
    );
    is(
        "{{ tags|length }} {{ name|count }} {{ tags|first }} {{ tags|last }} {{ tags|reverse|join }} {{ 'abc'|reverse }} [{{ []|first }}]",
        "2 3 vip new newvip cba []",
    );
    is(
        "{{ items|map(attribute='sku')|join(', ') }} {{ items|join('-', attribute='sku') }} {{ items|sum(attribute='price') }} {{ ['1', '2']|map('int')|sum }}",
        "b, A b-A 3.5 3",
    );
    is(
        "{{ items|sort(attribute='sku')|map(attribute='sku')|join }} {{ ['b', 'A']|sort(case_sensitive=true)|join }} {{ [3, 1, 2]|sort(reverse=true)|join }}",
        "Ab Ab 321",
    );
    is("{{ [3, 1, 2]|min }} {{ (items|max(attribute='price')).sku }} {{ {'b': 1, 'a': 2}|list|join }}", "1 b ba");
    is(
        "{{ items|selectattr('gift')|map(attribute='sku')|join }} {{ items|rejectattr('gift')|map(attribute='sku')|join }} {{ items|selectattr('price', 'gt', 2)|map(attribute='sku')|join }}",
        "A b b",
    );
    is(
        "{{ items|selectattr('gift', 'defined')|length }} {{ items|map(attribute='gift', default=false)|join(',') }}",
        "1 false,true",
    );
    fails("{{ items|sum(attribute='sku') }}", "template_failed", "sum: text is no number");
    fails("{{ items|map(attribute='colour')|join }}", "template_failed", "an item has no \"colour\"");
}

#[test]
fn tests_of_values() {
    is(
        "{{ name is defined }} {{ missing is defined }} {{ missing is undefined }} {{ none is none }} {{ user.x.y is defined }}",
        "true false true true false",
    );
    is(
        "{{ n is number }} {{ n is integer }} {{ x is float }} {{ name is string }} {{ user is mapping }} {{ tags is sequence }} {{ yes is boolean }}",
        "true true true true true true true",
    );
    is(
        "{{ n is odd }} {{ n is even }} {{ 9 is divisibleby(3) }} {{ 9 is divisibleby 0 }} {{ name is startingwith('A') }} {{ name is endingwith 'x' }}",
        "true false true false true false",
    );
    is("{{ n is eq 7 }} {{ n is gt(8) }} {{ n is not in [1, 2] }} {{ yes is true }}", "true false true true");
}

#[test]
fn what_is_not_there_is_an_error_that_names_it() {
    for (source, pointer) in [
        ("{{ missing }}", "/variables/missing"),
        ("{{ user.address }}", "/variables/user/address"),
        ("{{ user.address.city }}", "/variables/user/address"),
        ("{{ user['x/y'] }}", "/variables/user/x~1y"),
        ("{{ items[7].sku }}", "/variables/items/7"),
        ("{{ {'a': 1}[name] }}", "/text"),
        ("{% if missing %}{% endif %}", "/variables/missing"),
        ("{% for i in missing %}{% endfor %}", "/variables/missing"),
        ("{{ 'a' ~ missing }}", "/variables/missing"),
        ("{{ missing|upper }}", "/variables/missing"),
        ("{{ none|default(missing) }}", "/variables/missing"),
        ("{{ missing == 1 }}", "/variables/missing"),
        ("{% for i in items %}{{ i.gift }}{% endfor %}", "/text"),
        ("{% set user = {} %}{{ user.name }}", "/text"),
        ("{% for i in [1] %}{% endfor %}{{ i }}", "/variables/i"),
    ] {
        assert_eq!(field(text(source, vars())), (pointer.to_owned(), "missing_variable".to_owned()), "{source}");
    }
    let error = text("a\nb {{ user.address.city }}", vars()).unwrap_err();
    assert_eq!(error.detail, "\"user.address\" is missing: text uses it in line 2");
}

#[test]
fn syntax_errors_say_the_line_and_what_was_meant() {
    for (source, says) in [
        ("a\n{{ name|uper }}", "line 2: there is no filter \"uper\"; did you mean \"upper\"?"),
        ("{{ name is definde }}", "did you mean \"defined\"?"),
        ("{{ name", "line 1: "),
        ("{% if %}", "line 1: "),
        ("\n{% for x in y %}", "line 2: "),
        ("{% include 'other' %}", "include, import, extends and block are not available"),
        ("{% extends 'other' %}", "include, import, extends and block are not available"),
        ("{% import 'other' as o %}", "include, import, extends and block are not available"),
        ("{% block a %}{% endblock %}", "include, import, extends and block are not available"),
        ("{% macro m() %}{% endmacro %}", "macros are not available"),
        ("{% autoescape false %}{% endautoescape %}", "autoescape cannot be switched"),
        ("{% for x in y recursive %}{% endfor %}", "recursive loops are not available"),
        ("{{ namespace(a=1) }}", "functions take plain arguments only"),
        ("{{ lipsum() }}", "there is no function lipsum"),
        ("{{ name.upper() }}", "values have no methods: .upper(); try |upper"),
        ("{{ loop.index }}", "loop belongs in a for"),
        ("{% for x in y %}{{ loop.indx }}{% endfor %}", "did you mean \"index\"?"),
        ("{% break %}", "must be placed inside a loop"),
        ("{{ name|replace('a') }}", "the filter replace wants 2: old, new"),
        ("{{ name|round(presicion=2) }}", "does not take argument 1"),
        ("{{ name|upper(1) }}", "does not take argument 1"),
        ("{{ name is odd(1) }}", "the test odd wants no argument"),
        ("{{ name[::2] }}", "slices have no step"),
    ] {
        let error = text(source, vars()).expect_err(source);
        assert_eq!(
            (error.fields[0].pointer.as_str(), &*error.fields[0].code),
            ("/text", "template_syntax"),
            "{source}: {error}"
        );
        assert!(error.detail.contains(says), "{source}: {error}");
    }
}

#[test]
fn html_escapes_values_in_text_and_in_attributes() {
    let evil = json!({ "v": "<b>\"'&</b>", "list": ["<", "'"], "n": -1.5 });
    let out = |source: &str| html(source, evil.clone()).unwrap();
    assert_eq!(
        out("<p title=\"{{ v }}\">{{ v }}</p>"),
        "<p title=\"&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;\">&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;</p>"
    );
    assert_eq!(out("{{ v|safe }}"), "<b>\"'&</b>");
    assert_eq!(
        out("{{ v|safe|upper }}{{ v|e }}"),
        "&lt;B&gt;&quot;&#39;&amp;&lt;/B&gt;&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;"
    );
    assert_eq!(out("{{ list|join(', ') }} {{ list|join|safe }} {{ n }}"), "&lt;, &#39; <' -1.5");
    assert_eq!(out("{{ '<b>' }}{{ v ~ '<' }}"), "&lt;b&gt;&lt;b&gt;&quot;&#39;&amp;&lt;/b&gt;&lt;");
    assert_eq!(out("{% set b %}<i>{{ v[:1] }}</i>{% endset %}{{ b }}"), "<i>&lt;</i>");
    assert_eq!(out("<script>x = {{ list|tojson }}</script>"), "<script>x = [\"\\u003c\",\"\\u0027\"]</script>");
    assert_eq!(text("{{ v }}", evil).unwrap(), "<b>\"'&</b>", "plain text is not escaped");
}
