//! Addresses, contents, templates and times that cannot be; and whatever would break a header.

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::case::Case;
use crate::shape::set;
use crate::world::World;

/// A good one, as far as the address is good.
pub(crate) fn email(to: &str) -> Value {
    json!({"channel": "email", "recipient": {"email": to}, "directContent": {"subject": "Hello", "text": "It works."}})
}

#[expect(clippy::needless_pass_by_value, reason = "its callers write literals")]
fn to(channel: &str, recipient: Value, content: Value) -> Value {
    json!({"channel": channel, "recipient": recipient, "directContent": content})
}

pub(crate) fn cases(world: &World) -> Vec<Case> {
    let mut cases = addresses();
    cases.extend(contents(world));
    cases.extend(headers());
    cases.extend(times());
    cases
}

fn addresses() -> Vec<Case> {
    let mut cases: Vec<_> = [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@[IPv6:::1]",
        "a b@example.com",
        "ada@exa mple.com",
        "a@b@example.com",
        "ada@-example.com",
        "ada@example..com",
        ".ada@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "\"ada\"@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada\n@example.com",
        "ada\u{2028}@example.com",
        "ada\u{7f}@example.com",
    ]
    .map(|address| Case::send(&email(address)).at("/recipient/email"))
    .into();
    cases.push(Case::send(&email(&format!("{}@example.com", "x".repeat(310)))).at("/recipient/email"));
    for phone in [
        "",
        "12345",
        "441632960961",
        "+999123456789",
        "+1555",
        "+44163296096112345",
        "+44x1632960961",
        "+44163296\r\n0961",
    ] {
        cases.push(Case::send(&to("sms", json!({"phone": phone}), json!({"text": "x"}))).at("/recipient/phone"));
    }
    for (channel, missing) in
        [("email", "email"), ("sms", "phone"), ("whatsapp", "phone"), ("push", "pushToken"), ("in_app", "userId")]
    {
        let content = match channel {
            "email" => json!({"subject": "s", "text": "t"}),
            "push" | "in_app" => json!({"title": "t", "body": "b"}),
            _ => json!({"text": "t"}),
        };
        cases.push(Case::send(&to(channel, json!({"name": "Ada"}), content)).at(format!("/recipient/{missing}")));
    }
    cases
}

fn contents(world: &World) -> Vec<Case> {
    let ada = json!({"email": "ada@example.com"});
    let phone = json!({"phone": "+441632960961"});
    let direct = |content: Value| Case::send(&to("email", ada.clone(), content));
    let template = |mut extra: Value| {
        extra["channel"] = json!("email");
        extra["recipient"] = ada.clone();
        Case::send(&extra)
    };
    let two =
        json!({"template": "welcome", "variables": {"name": "x"}, "directContent": {"subject": "s", "text": "t"}});
    vec![
        template(json!({})).at(""),
        template(two).at(""),
        template(json!({"template": "welcom", "variables": {"name": "x"}}))
            .at("/template")
            .says("did you mean \"welcome\"?"),
        template(json!({"template": "nothing-like-it"})).at("/template"),
        template(json!({"template": "draft"})).at("/template"),
        template(json!({"template": "wel\ncome"})).at("/template"),
        template(json!({"templateId": 424_242})).at("/templateId"),
        template(json!({"templateId": -1})).at("/templateId"),
        template(json!({"templateId": "nothing"})).at("/templateId"),
        template(json!({"templateId": world.theirs.template_id, "variables": {"name": "x"}})).at("/templateId"),
        template(json!({"templateId": world.theirs.template, "variables": {"name": "x"}})).at("/templateId"),
        template(json!({"template": "welcome"})).at("/variables/name"),
        template(json!({"template": "welcome", "variables": {"name": null}})).at("/variables/name"),
        Case::send(&json!({"channel": "sms", "recipient": phone, "template": "welcome", "variables": {"name": "x"}}))
            .at("/channel"),
        direct(json!({"text": "t"})).at("/directContent/subject"),
        direct(json!({"subject": "s"})).at("/directContent"),
        direct(json!({"subject": "s", "text": "{{ name"})).at("/directContent/text"),
        direct(json!({"subject": "s", "text": "t", "html": "{% if %}"})).at("/directContent/html"),
        direct(json!({"subject": "{{ name }}", "text": "t"})).at("/variables/name"),
        direct(json!({"subject": "s", "text": "x".repeat(256 * 1024 + 1)})),
        Case::send(&to("sms", phone.clone(), json!({}))).at("/directContent/text"),
        Case::send(&to("sms", phone.clone(), json!({"text": "t", "subject": "s"}))).at("/directContent/subject"),
        Case::send(&to("whatsapp", phone.clone(), json!({}))).at("/directContent"),
        Case::send(&to("whatsapp", phone, json!({"templateName": "t"}))).at("/directContent"),
        Case::send(&to("in_app", json!({"userId": "u"}), json!({"title": "t"}))).at("/directContent/body"),
        Case::send(&to("push", json!({"pushToken": "t"}), json!({"title": "t", "body": "b", "data": []})))
            .at("/directContent/data"),
    ]
}

/// Where CR, LF or NUL would end a header or begin one.
fn headers() -> Vec<Case> {
    let mut cases = Vec::new();
    let file = json!({"filename": "a.txt", "contentType": "text/plain", "contentBase64": "aGk="});
    for breaker in ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\u{0}b"] {
        for pointer in [
            "/recipient/name",
            "/recipient/userId",
            "/recipient/pushToken",
            "/recipient/email",
            "/directContent/subject",
            "/directContent/replyTo",
            "/directContent/attachments/0/filename",
            "/directContent/attachments/0/contentType",
            "/orderingKey",
            "/locale",
        ] {
            let mut body = email("ada@example.com");
            body["directContent"]["attachments"] = json!([file]);
            // The value itself, and for a template's string also a variable in it.
            if let Some(member) = pointer.strip_prefix("/directContent/").filter(|member| !member.contains('/')) {
                let mut filled = body.clone();
                filled["directContent"][member] = json!("{{ v }}");
                filled["variables"] = json!({"v": breaker});
                cases.push(Case::send(&filled));
            }
            if let Some(member) = pointer.strip_prefix("/directContent/attachments/0/") {
                body["directContent"]["attachments"][0][member] = json!(breaker);
            } else {
                set(&mut body, pointer, json!(breaker));
            }
            cases.push(Case::send(&body).at(pointer));
        }
    }
    for (member, value) in [
        ("filename", ""),
        ("filename", "../etc/passwd"),
        ("filename", "a\u{2028}b"),
        ("contentType", "pdf"),
        ("contentType", "text/plain; x"),
        ("contentBase64", "%"),
    ] {
        let mut body = email("ada@example.com");
        let mut bad = file.clone();
        bad[member] = json!(value);
        body["directContent"]["attachments"] = json!([file, bad]);
        cases.push(Case::send(&body).at(format!("/directContent/attachments/1/{member}")));
    }
    for name in ["\u{2028}", "\u{1b}[31m", &"x".repeat(201)] {
        let mut body = email("ada@example.com");
        body["recipient"]["name"] = json!(name);
        cases.push(Case::send(&body).at("/recipient/name"));
    }
    cases
}

fn times() -> Vec<Case> {
    let at = |ahead: TimeDelta| (Utc::now() + ahead).to_rfc3339_opts(SecondsFormat::Millis, true);
    let with = |scheduled: Option<TimeDelta>, expires: Option<TimeDelta>| {
        let mut body = email("ada@example.com");
        body["scheduledAt"] = json!(scheduled.map(at));
        body["expiresAt"] = json!(expires.map(at));
        Case::send(&body)
    };
    let (hour, day) = (TimeDelta::hours(1), TimeDelta::days(1));
    vec![
        with(None, Some(-hour)).at("/expiresAt"),
        with(None, Some(TimeDelta::zero())).at("/expiresAt"),
        with(Some(day), Some(hour)).at("/expiresAt"),
        with(Some(day), Some(TimeDelta::hours(-30))).at("/expiresAt"),
        with(Some(TimeDelta::days(366)), None).at("/scheduledAt"),
        with(Some(TimeDelta::days(300_000)), None).at("/scheduledAt"),
    ]
}
