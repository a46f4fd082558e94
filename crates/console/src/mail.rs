//! An e-mail in its views: the HTML on a wide and on a narrow screen, and the text. Radio buttons switch between them,
//! so that it works by keyboard and without scripts.

use std::fmt::Write as _;

use carillon_domain::content::Email;

use crate::html::Escaped;

/// Before the HTML, so that a click opens a tab as in a mail program, and one's own page stays.
const LINKS: &str = "<base target=\"_blank\">";

/// Draws it.
pub(crate) fn show(body: &mut String, email: &Email, to: &str) {
    let (subject, to) = (Escaped(&email.subject), Escaped(to));
    let _ = write!(body, "<article class=\"mail\"><h2>{subject}</h2><dl><dt>To</dt><dd>{to}</dd>");
    if let Some(reply_to) = &email.reply_to {
        let _ = write!(body, "<dt>Reply to</dt><dd>{}</dd>", Escaped(reply_to));
    }
    body.push_str("</dl>");
    match (&email.html, &email.text) {
        (Some(html), text) => views(body, html, text.as_deref()),
        (None, Some(text)) => {
            let _ = write!(body, "<pre>{}</pre>", Escaped(text));
        }
        (None, None) => {}
    }
    for file in &email.attachments {
        let (name, kind) = (Escaped(&file.filename), Escaped(&file.content_type));
        let _ = write!(body, "<p class=\"file\">{name} <small>{kind}</small></p>");
    }
    body.push_str("</article>");
}

/// The frame may run nothing, and knows nothing of us: its origin is its own.
fn views(body: &mut String, html: &str, text: Option<&str>) {
    body.push_str("<fieldset class=\"views\"><legend>View</legend>");
    let all = [("html", "HTML"), ("phone", "Phone"), ("text", "Text")];
    for (id, name) in all.iter().filter(|(id, _)| *id != "text" || text.is_some()) {
        let checked = if *id == "html" { " checked" } else { "" };
        let _ =
            write!(body, "<input type=\"radio\" name=\"view\" id=\"{id}\"{checked}><label for=\"{id}\">{name}</label>");
    }
    let _ = write!(
        body,
        "<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" title=\"The message\" srcdoc=\"{}{}\"></iframe>",
        Escaped(LINKS),
        Escaped(html)
    );
    if let Some(text) = text {
        let _ = write!(body, "<pre>{}</pre>", Escaped(text));
    }
    body.push_str("</fieldset>");
}
