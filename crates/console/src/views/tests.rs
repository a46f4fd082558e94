use carillon_domain::content::{Email, InApp, Push, Sms};
use serde_json::json;

use super::*;

fn caught(content: Content) -> SandboxMessage {
    SandboxMessage {
        id: 7,
        channel: content.channel(),
        to: "<ada>@example.com".to_owned(),
        content,
        notification_uuid: uuid::Uuid::nil(),
        at: carillon_domain::Timestamp::default(),
    }
}

#[test]
fn an_email_is_in_a_frame_that_may_do_nothing() {
    let email = Email {
        subject: "<b>Hi</b>".to_owned(),
        html: Some("<script>alert(\"1\")</script>".to_owned()),
        text: Some("</pre><script>".to_owned()),
        ..Email::default()
    };
    let page = message(&caught(Content::Email(email))).body;
    assert!(page.contains("<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\""), "{page}");
    assert!(page.contains("_blank&quot;&gt;&lt;script&gt;alert(&quot;1&quot;)"), "{page}");
    assert!(page.contains("&lt;b&gt;Hi&lt;/b&gt;") && page.contains("&lt;ada&gt;@example.com"));
    assert!(!page.contains("<script"));
}

#[test]
fn a_phone_shows_what_a_phone_would() {
    let sms = message(&caught(Content::Sms(Sms { text: "Your code: 1 < 2".to_owned() }))).body;
    assert!(sms.contains("<p class=\"bubble sms\">Your code: 1 &lt; 2</p>"), "{sms}");
    let link = |link: &str| {
        let push = Push { title: "T".to_owned(), link: Some(link.to_owned()), ..Push::default() };
        message(&caught(Content::Push(push))).body
    };
    assert!(link("https://example.com/a").contains("href=\"https://example.com/a\""));
    assert!(!link("javascript:alert(1)").contains("href=\"javascript"));
    let whatsapp = json!({ "templateName": "t", "language": "de", "parameters": ["<1>"] });
    let whatsapp = Content::parse(Channel::Whatsapp, whatsapp, "").unwrap();
    assert!(message(&caught(whatsapp)).body.contains("<li>&lt;1&gt;</li>"));
}

#[test]
fn the_list_keeps_its_filter() {
    let content = Content::InApp(InApp { title: "Hello".to_owned(), ..InApp::default() });
    let listed = Listed { data: vec![caught(content)], next: Some("abc".to_owned()) };
    let filter = SandboxFilter { channel: Some(Channel::InApp), recipient: Some("a&\"b".to_owned()), since: None };
    let page = inbox(&listed, &filter).body;
    assert!(page.contains("/sandbox?cursor=abc&amp;channel=in_app&amp;recipient=a%26%22b"), "{page}");
    assert!(page.contains("value=\"a&amp;&quot;b\"") && page.contains("<option selected>in_app</option>"));
    assert!(page.contains("href=\"/sandbox/7\""));
}
