//! Every channel's fields, what each may hold, and where the errors point.

mod common;

use carillon_domain::Channel;
use carillon_template::Engine;
use common::{content, field, variables};
use serde_json::{Value, json};

fn render(channel: Channel, source: Value, given: Value) -> Result<Value, carillon_domain::Error> {
    let rendered = Engine::default().render_once(&content(channel, source), &variables(given), "/directContent")?;
    assert_eq!(rendered.channel(), channel);
    Ok(json!(rendered))
}

#[test]
fn every_string_of_every_channel_is_a_template() {
    let v = json!({ "v": "<&>", "n": 1 });
    for (channel, source, expected) in [
        (
            Channel::Email,
            json!({ "subject": "s {{ v }}", "text": "t {{ v }}", "html": "<p>{{ v }}</p>", "replyTo": "a{{ n }}@b.example",
                "attachments": [{ "filename": "{{ v }}.pdf", "contentType": "application/pdf", "contentBase64": "e3sgdiB9fQ==" }] }),
            json!({ "subject": "s <&>", "text": "t <&>", "html": "<p>&lt;&amp;&gt;</p>", "replyTo": "a1@b.example",
                "attachments": [{ "filename": "{{ v }}.pdf", "contentType": "application/pdf", "contentBase64": "e3sgdiB9fQ==" }] }),
        ),
        (Channel::Sms, json!({ "text": "a {{ v }}" }), json!({ "text": "a <&>" })),
        (
            Channel::Push,
            json!({ "title": "{{ v }}", "body": "{{ v }}\n", "image": "https://i/{{ n }}", "link": "https://l/{{ n }}",
                "data": { "html": "{{ v }}", "{{ k }}": [1, true, null, { "deep": ["{{ n }}", 2.5] }] } }),
            json!({ "title": "<&>", "body": "<&>\n", "image": "https://i/1", "link": "https://l/1",
                "data": { "html": "<&>", "{{ k }}": [1, true, null, { "deep": ["1", 2.5] }] } }),
        ),
        (Channel::Whatsapp, json!({ "text": "{{ v }}\n" }), json!({ "text": "<&>\n" })),
        (
            Channel::Whatsapp,
            json!({ "templateName": "hi_{{ n }}", "language": "de", "parameters": ["{{ v }}", "x"] }),
            json!({ "templateName": "hi_1", "language": "de", "parameters": ["<&>", "x"] }),
        ),
        (
            Channel::InApp,
            json!({ "title": "{{ v }}", "body": "{{ v }}", "link": "/o/{{ n }}", "data": { "n": "{{ n }}" } }),
            json!({ "title": "<&>", "body": "<&>", "link": "/o/1", "data": { "n": "1" } }),
        ),
    ] {
        assert_eq!(render(channel, source.clone(), v.clone()).unwrap(), expected, "{source}");
    }
}

#[test]
fn a_line_break_in_a_value_never_reaches_a_header() {
    for (channel, source, at_field) in [
        (Channel::Email, json!({ "subject": "s {{ v }}", "text": "" }), "/subject"),
        (Channel::Email, json!({ "subject": "s", "text": "", "replyTo": "{{ v }}" }), "/replyTo"),
        (Channel::Push, json!({ "title": "{{ v }}", "body": "" }), "/title"),
        (Channel::Push, json!({ "title": "", "body": "", "link": "{{ v }}" }), "/link"),
        (Channel::Push, json!({ "title": "", "body": "", "image": "{{ v }}" }), "/image"),
        (Channel::InApp, json!({ "title": "{{ v }}", "body": "" }), "/title"),
        (
            Channel::Whatsapp,
            json!({ "templateName": "n", "language": "de", "parameters": ["a", "{{ v }}"] }),
            "/parameters/1",
        ),
    ] {
        for value in ["a\r\nBcc: b@c.example", "a\nb", "a\rb", "a\0b"] {
            let found = field(render(channel, source.clone(), json!({ "v": value })));
            assert_eq!(found, ("/variables/v".into(), "control_character".into()), "{source}");
        }
        // Made by the template, or not by one variable: the field is at fault.
        let made = Value::from(source.to_string().replace("{{ v }}", "{{ v ~ v }}"));
        let made: Value = serde_json::from_str(made.as_str().unwrap()).unwrap();
        let found = field(render(channel, made, json!({ "v": "a\nb" })));
        assert_eq!(found, (format!("/directContent{at_field}"), "control_character".into()), "{source}");
        // Written into the template: found when it compiles.
        let written = serde_json::from_str(&source.to_string().replace("{{ v }}", "x\\n{{ v }}")).unwrap();
        let found = field(render(channel, written, json!({ "v": "a" })));
        assert_eq!(found, (format!("/directContent{at_field}"), "control_character".into()), "{source}");
    }
}

#[test]
fn bodies_hold_line_breaks_but_nothing_holds_nul() {
    let bodies = |value: &str| {
        [
            render(
                Channel::Email,
                json!({ "subject": "s", "text": "{{ v }}", "html": "{{ v }}" }),
                json!({ "v": value }),
            ),
            render(Channel::Sms, json!({ "text": "{{ v }}" }), json!({ "v": value })),
            render(
                Channel::Push,
                json!({ "title": "", "body": "{{ v }}", "data": { "a": "{{ v }}" } }),
                json!({ "v": value }),
            ),
        ]
    };
    assert!(bodies("a\r\nb\tc").iter().all(Result::is_ok));
    for body in bodies("a\0b") {
        assert_eq!(field(body), ("/variables/v".into(), "control_character".into()));
    }
    let fixed = render(Channel::Sms, json!({ "text": "a\0b" }), json!({}));
    assert_eq!(field(fixed), ("/directContent/text".into(), "control_character".into()));
    let constant = render(Channel::Sms, json!({ "text": "{{ 'a\\u0000b' }}" }), json!({}));
    assert_eq!(field(constant), ("/directContent/text".into(), "template_syntax".into()));
}

#[test]
fn tags_on_lines_of_their_own_do_not_break_a_subject() {
    let source = json!({ "subject": "{% if vip %}\nDear {{ v }}{% endif %}\n{# who else #}\n", "text": "" });
    let found = render(Channel::Email, source, json!({ "v": "Ada", "vip": true })).unwrap();
    assert_eq!(found["subject"], "Dear Ada");
    let source = json!({ "subject": "Dear {{ v\n|upper }}", "text": "" });
    assert_eq!(render(Channel::Email, source, json!({ "v": "Ada" })).unwrap()["subject"], "Dear ADA");
    let fixed = json!({ "subject": "Dear\nAda", "text": "" });
    let found = field(render(Channel::Email, fixed, json!({})));
    assert_eq!(found, ("/directContent/subject".into(), "control_character".into()));
}

#[test]
fn reply_to_is_one_address_or_nothing() {
    let reply = |source: &str, value: &str| {
        let source = json!({ "subject": "s", "text": "t", "replyTo": source });
        render(Channel::Email, source, json!({ "v": value })).map(|rendered| rendered.get("replyTo").cloned())
    };
    assert_eq!(reply("{{ v }}", " ada@example.com ").unwrap(), Some(json!("ada@example.com")));
    assert_eq!(reply("{{ v }}", "").unwrap(), None);
    assert_eq!(reply("", "").unwrap(), None);
    for bad in ["ada", "ada@b.example, c@d.example", "Ada <ada@b.example>", "ada@b.example>"] {
        assert_eq!(field(reply("{{ v }}", bad)), ("/directContent/replyTo".into(), "invalid_email".into()), "{bad}");
        assert_eq!(field(reply(bad, "")), ("/directContent/replyTo".into(), "invalid_email".into()), "{bad}");
    }
}

#[test]
fn a_link_that_a_condition_leaves_out_is_no_link() {
    let source = json!({ "title": "t", "body": "b", "link": "{% if v %}https://x.example{% endif %}", "image": " " });
    assert_eq!(render(Channel::Push, source, json!({ "v": false })).unwrap(), json!({ "title": "t", "body": "b" }));
}

#[test]
fn all_syntax_errors_of_a_content_come_at_once_with_their_pointers() {
    let source =
        json!({ "title": "{{ a", "body": "{{ a|nope }}", "data": { "a/b": [{ "c": "{% if %}" }] }, "link": "ok" });
    let error = Engine::default().compile(&content(Channel::Push, source), "/localizations/de/push").unwrap_err();
    let mut pointers: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(
        pointers,
        ["/localizations/de/push/body", "/localizations/de/push/data/a~1b/0/c", "/localizations/de/push/title"]
    );
    assert!(error.fields.iter().all(|field| field.code == "template_syntax" && field.message.contains("line 1")));
}

#[test]
fn attachments_names_are_headers() {
    let source = json!({ "subject": "s", "text": "t", "attachments": [{ "filename": "a\r\nb", "contentType": "text/plain", "contentBase64": "" }] });
    let found = field(render(Channel::Email, source, json!({})));
    assert_eq!(found, ("/directContent/attachments/0/filename".into(), "control_character".into()));
}

#[test]
fn a_value_that_looks_like_a_template_is_not_rendered_again() {
    let found =
        render(Channel::Sms, json!({ "text": "{{ v }}" }), json!({ "v": "{{ w }}{% if %}", "w": "x" })).unwrap();
    assert_eq!(found["text"], "{{ w }}{% if %}");
}
