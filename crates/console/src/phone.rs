//! What arrives on a phone: bubbles, a card on the lock screen, a row in an inbox.

use std::fmt::Write as _;

use carillon_domain::content::{Content, InApp, Push, Whatsapp};

use crate::html::{Escaped, is_web};

/// Draws the screen. E-mails are no business of a phone's here.
pub(crate) fn show(body: &mut String, content: &Content) {
    body.push_str("<div class=\"phone\">");
    match content {
        Content::Email(_) => {}
        Content::Sms(sms) => bubble(body, "sms", &sms.text),
        Content::Whatsapp(message) => whatsapp(body, message),
        Content::Push(push) => card(body, push),
        Content::InApp(message) => row(body, message),
    }
    body.push_str("</div>");
    if let Content::Sms(sms) = content {
        let _ = write!(body, "<p class=\"meta\">{} characters</p>", sms.text.chars().count());
    }
}

fn bubble(body: &mut String, class: &str, text: &str) {
    let _ = write!(body, "<p class=\"bubble {class}\">{}</p>", Escaped(text));
}

fn whatsapp(body: &mut String, message: &Whatsapp) {
    if let Some(text) = &message.text {
        bubble(body, "whatsapp", text);
    }
    if let Some(template) = &message.template_name {
        let language = message.language.as_deref().unwrap_or_default();
        let _ = write!(
            body,
            "<div class=\"bubble whatsapp\"><b>{}</b> <small>{}</small><ol>",
            Escaped(template),
            Escaped(language)
        );
        for parameter in &message.parameters {
            let _ = write!(body, "<li>{}</li>", Escaped(parameter));
        }
        body.push_str("</ol></div>");
    }
}

fn card(body: &mut String, push: &Push) {
    body.push_str("<article class=\"card\">");
    if let Some(image) = push.image.as_deref().filter(|image| image.starts_with("https://")) {
        let _ = write!(body, "<img src=\"{}\" alt=\"\">", Escaped(image));
    }
    words(body, &push.title, &push.body, push.link.as_deref());
    body.push_str("</article>");
}

fn row(body: &mut String, message: &InApp) {
    body.push_str("<article class=\"card row\">");
    words(body, &message.title, &message.body, message.link.as_deref());
    body.push_str("</article>");
}

fn words(body: &mut String, title: &str, text: &str, link: Option<&str>) {
    let _ = write!(body, "<h2>{}</h2><p>{}</p>", Escaped(title), Escaped(text));
    if let Some(link) = link {
        let shown = Escaped(link);
        let _ = if is_web(link) {
            write!(body, "<p><a rel=\"noreferrer noopener\" href=\"{shown}\">{shown}</a></p>")
        } else {
            write!(body, "<p><code>{shown}</code></p>")
        };
    }
}
