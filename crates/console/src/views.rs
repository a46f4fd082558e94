//! The pages' bodies.

use std::fmt::Write as _;

use carillon_app::Listed;
use carillon_app::view::{SandboxFilter, SandboxMessage};
use carillon_domain::Channel;
use carillon_domain::content::Content;

use crate::html::Escaped;
use crate::page::Page;
use crate::{mail, phone};

/// Asks for a key.
pub(crate) fn login(tried: bool) -> Page {
    let said = if tried { "<p class=\"bad\" role=\"alert\">This key is not valid.</p>" } else { "" };
    let body = format!(
        "<main class=\"login\"><h1>Sandbox</h1><p>Captured messages, as the person would see them.</p>{said}\
         <form method=\"post\" action=\"/sandbox/login\"><label for=\"key\">API key</label>\
         <input id=\"key\" name=\"key\" type=\"password\" required autofocus autocomplete=\"off\" spellcheck=\"false\" \
         aria-describedby=\"where\" placeholder=\"ck_live_…\"><button>Open</button></form>\
         <p id=\"where\" class=\"meta\">The first start printed one. <code>carillon api-key create NAME</code> makes \
         another.</p></main>"
    );
    Page { title: "Sandbox".to_owned(), body }
}

/// The list.
pub(crate) fn inbox(listed: &Listed<SandboxMessage>, filter: &SandboxFilter) -> Page {
    let mut body = head();
    body.push_str("<main><h1>Inbox</h1>");
    filters(&mut body, filter);
    if listed.data.is_empty() {
        let filtered = filter.channel.is_some() || filter.recipient.is_some();
        body.push_str(if filtered {
            "<p class=\"empty\">Nothing matches. <a href=\"/sandbox\">Show all</a></p>"
        } else {
            "<p class=\"empty\">Nothing here yet. What is sent with a test key, or without a provider, lands here:</p>\
             <pre>carillon send email you@example.com --subject Hello --text 'It works.'</pre>"
        });
    }
    body.push_str("<ul class=\"inbox\">");
    for message in &listed.data {
        let (to, line) = (Escaped(&message.to), summary(&message.content));
        let _ = write!(
            body,
            "<li><a href=\"/sandbox/{}\"><span class=\"tag\">{}</span><span class=\"to\">{to}</span>\
             <span class=\"line\">{}</span>{}</a></li>",
            message.id,
            message.channel,
            Escaped(&line),
            time(message)
        );
    }
    body.push_str("</ul>");
    if let Some(next) = &listed.next {
        let _ = write!(body, "<p><a rel=\"next\" href=\"/sandbox?cursor={next}{}\">Older</a></p>", kept(filter));
    }
    body.push_str("</main>");
    Page { title: "Inbox".to_owned(), body }
}

/// One message.
pub(crate) fn message(message: &SandboxMessage) -> Page {
    let mut body = head();
    let _ = write!(
        body,
        "<main><p><a href=\"/sandbox\">← Inbox</a></p><h1><span class=\"tag\">{}</span> to {}</h1><p class=\"meta\">{}</p>",
        message.channel,
        Escaped(&message.to),
        time(message),
    );
    match &message.content {
        Content::Email(email) => mail::show(&mut body, email, &message.to),
        other => phone::show(&mut body, other),
    }
    let _ = write!(
        body,
        "<p class=\"meta\">Its timeline: <code>carillon notification get {}</code></p></main>",
        message.notification_uuid
    );
    Page { title: summary(&message.content), body }
}

fn head() -> String {
    "<header><a href=\"/sandbox\">Carillon sandbox</a><a class=\"docs\" href=\"/api\">API</a>\
     <form method=\"post\" action=\"/sandbox/logout\"><button>Log out</button></form></header>"
        .to_owned()
}

fn filters(body: &mut String, filter: &SandboxFilter) {
    body.push_str("<form class=\"filter\" role=\"search\"><label>Channel <select name=\"channel\"><option value=\"\">all</option>");
    for channel in Channel::ALL {
        let selected = if filter.channel == Some(channel) { " selected" } else { "" };
        let _ = write!(body, "<option{selected}>{channel}</option>");
    }
    let recipient = filter.recipient.as_deref().unwrap_or_default();
    let _ = write!(
        body,
        "</select></label><label>To <input name=\"recipient\" value=\"{}\"></label><button>Show</button></form>",
        Escaped(recipient)
    );
}

/// The filter, for the link to the next page.
fn kept(filter: &SandboxFilter) -> String {
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    if let Some(channel) = filter.channel {
        kept.append_pair("channel", channel.as_str());
    }
    if let Some(recipient) = &filter.recipient {
        kept.append_pair("recipient", recipient);
    }
    let kept = kept.finish();
    if kept.is_empty() { kept } else { format!("&amp;{}", Escaped(&kept)) }
}

fn time(message: &SandboxMessage) -> String {
    let exact = message.at.format("%Y-%m-%dT%H:%M:%SZ");
    format!("<time datetime=\"{exact}\">{}</time>", message.at.format("%Y-%m-%d %H:%M:%S UTC"))
}

/// The line by which a person knows the message.
fn summary(content: &Content) -> String {
    let text = match content {
        Content::Email(email) => email.subject.as_str(),
        Content::Sms(sms) => &sms.text,
        Content::Push(push) => &push.title,
        Content::Whatsapp(message) => {
            message.text.as_ref().or(message.template_name.as_ref()).map_or("", String::as_str)
        }
        Content::InApp(message) => &message.title,
    };
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests;
