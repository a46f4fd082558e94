//! The pages' bodies.

use std::fmt::Write as _;

use carillon_app::Listed;
use carillon_app::view::{SandboxFilter, SandboxMessage};
use carillon_domain::Channel;
use carillon_domain::content::{Content, Email};

use crate::html::Escaped;
use crate::phone;

/// Asks for a key.
pub(crate) fn login(tried: bool) -> String {
    let said = if tried { "<p class=\"bad\" role=\"alert\">This key is not valid.</p>" } else { "" };
    format!(
        "<main class=\"login\"><h1>Sandbox</h1><p>See captured messages as a person would.</p>{said}\
         <form method=\"post\" action=\"/sandbox/login\"><label>API key \
         <input name=\"key\" type=\"password\" required autocomplete=\"off\" placeholder=\"ck_live_…\"></label>\
         <button>Open</button></form></main>"
    )
}

/// The list.
pub(crate) fn inbox(listed: &Listed<SandboxMessage>, filter: &SandboxFilter) -> String {
    let mut body = head();
    body.push_str("<main>");
    filters(&mut body, filter);
    if listed.data.is_empty() {
        body.push_str(
            "<p class=\"empty\">Nothing here yet. What is sent with a test key, or without a provider, ends here.</p>",
        );
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
        let _ = write!(body, "<p><a href=\"/sandbox?cursor={next}{}\">Older</a></p>", kept(filter));
    }
    body.push_str("</main>");
    body
}

/// One message.
pub(crate) fn message(message: &SandboxMessage) -> String {
    let mut body = head();
    let _ = write!(
        body,
        "<main><p><a href=\"/sandbox\">← Inbox</a></p><p class=\"meta\"><span class=\"tag\">{}</span> to <b>{}</b> {} \
         <span class=\"uuid\">{}</span></p>",
        message.channel,
        Escaped(&message.to),
        time(message),
        message.notification_uuid
    );
    match &message.content {
        Content::Email(email) => mail(&mut body, email, &message.to),
        other => phone::show(&mut body, other),
    }
    body.push_str("</main>");
    body
}

/// The e-mail, its HTML in a frame that may do nothing.
fn mail(body: &mut String, email: &Email, to: &str) {
    let _ = write!(
        body,
        "<article class=\"mail\"><h1>{}</h1><dl><dt>To</dt><dd>{}</dd>",
        Escaped(&email.subject),
        Escaped(to)
    );
    if let Some(reply_to) = &email.reply_to {
        let _ = write!(body, "<dt>Reply to</dt><dd>{}</dd>", Escaped(reply_to));
    }
    body.push_str("</dl>");
    if let Some(html) = &email.html {
        let _ = write!(
            body,
            "<details open><summary>HTML</summary><iframe sandbox title=\"The message\" srcdoc=\"{}\"></iframe></details>",
            Escaped(html)
        );
    }
    if let Some(text) = &email.text {
        let open = if email.html.is_none() { " open" } else { "" };
        let _ = write!(body, "<details{open}><summary>Text</summary><pre>{}</pre></details>", Escaped(text));
    }
    for file in &email.attachments {
        let (name, kind) = (Escaped(&file.filename), Escaped(&file.content_type));
        let _ = write!(body, "<p class=\"file\">{name} <small>{kind}</small></p>");
    }
    body.push_str("</article>");
}

fn head() -> String {
    "<header><a href=\"/sandbox\">Carillon sandbox</a><form method=\"post\" action=\"/sandbox/logout\">\
     <button>Log out</button></form></header>"
        .to_owned()
}

fn filters(body: &mut String, filter: &SandboxFilter) {
    body.push_str("<form class=\"filter\"><label>Channel <select name=\"channel\"><option value=\"\">all</option>");
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
    format!("<time>{}</time>", message.at.format("%Y-%m-%d %H:%M:%S UTC"))
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
