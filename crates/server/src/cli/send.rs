//! `carillon send`.

use carillon_domain::Channel;
use carillon_domain::Timestamp;
use carillon_domain::time::{Clock as _, SystemClock};
use serde_json::{Map, Value, json};

use super::args::SendArgs;
use super::http::Client;
use super::output::{Output, text};
use super::watch;
use crate::exit::Failure;

/// Does it.
pub(crate) async fn run(args: SendArgs) -> Result<(), Failure> {
    let body = body(&args, SystemClock.now())?;
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    let accepted = client.post_once(&["notifications", "send"], &body, args.key.as_deref()).await?;
    let uuid = text(&accepted["uuid"]);
    if out.is_json() {
        out.json(&accepted)?;
    } else {
        let status = out.status(&text(&accepted["status"]), watch::WIDTH);
        out.line(&format!("{status}  {uuid}  {} → {}", text(&accepted["channel"]), args.address))?;
    }
    if args.watch { watch::follow(&client, out, &uuid).await } else { Ok(()) }
}

/// The request. What the server can judge better is left to it.
fn body(args: &SendArgs, now: Timestamp) -> Result<Value, Failure> {
    let channel: Channel = args.channel.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
    let address = match channel {
        Channel::Email => "email",
        Channel::Sms | Channel::Whatsapp => "phone",
        Channel::Push => "pushToken",
        Channel::InApp => "userId",
    };
    let mut recipient = Map::from_iter([(address.to_owned(), json!(args.address))]);
    recipient.extend(args.name.as_ref().map(|name| ("name".to_owned(), json!(name))));
    let mut body = json!({"channel": channel, "recipient": recipient});
    match &args.template {
        Some(code) => body["template"] = json!(code),
        None => body["directContent"] = Value::Object(content(args)?),
    }
    let variables = variables(args)?;
    if !variables.is_empty() {
        body["variables"] = Value::Object(variables);
    }
    for (name, value) in [("locale", &args.locale), ("priority", &args.priority)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    for (name, moment) in [("scheduledAt", args.at), ("expiresAt", args.expires_in)] {
        if let Some(moment) = moment {
            body[name] = json!(moment.ahead_of(now));
        }
    }
    Ok(body)
}

fn content(args: &SendArgs) -> Result<Map<String, Value>, Failure> {
    let parts = [
        ("subject", &args.subject),
        ("text", &args.text),
        ("html", &args.html),
        ("title", &args.title),
        ("body", &args.body),
        ("link", &args.link),
    ];
    let content: Map<_, _> =
        parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?)))).collect();
    if content.is_empty() {
        return Err(Failure::Usage(
            "say what to send: --template CODE, or --subject and --text, or --title and --body".to_owned(),
        ));
    }
    Ok(content)
}

/// `order.total=12` becomes `{"order":{"total":"12"}}`.
fn variables(args: &SendArgs) -> Result<Map<String, Value>, Failure> {
    let mut variables = args.json_vars.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    for (path, value) in &args.variables {
        let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut place = &mut variables;
        for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
            let inner = place.entry(parent).or_insert_with(|| Value::Object(Map::new()));
            place = inner
                .as_object_mut()
                .ok_or_else(|| Failure::Usage(format!("--var {path}: \"{parent}\" has a value already")))?;
        }
        place.insert(name.to_owned(), json!(value));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use clap::Parser as _;
    use serde_json::{Value, json};

    use super::body;
    use crate::cli::args::{Cli, Command};

    fn request(words: &[&str]) -> Result<Value, String> {
        let words = ["carillon", "send"].iter().chain(words);
        let Some(Command::Send(args)) = Cli::try_parse_from(words).unwrap().command else { panic!() };
        body(&args, DateTime::from_timestamp(1_790_000_000, 0).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_body_is_what_the_wire_wants() {
        let made = request(&[
            "email",
            "a@b.c",
            "--template",
            "welcome",
            "--var",
            "order.total=12",
            "--var",
            "name=Ada",
            "--json-vars",
            r#"{"order":{"id":7}}"#,
            "--locale",
            "de",
            "--at",
            "1m",
            "--name",
            "Ada",
        ]);
        assert_eq!(
            made.unwrap(),
            json!({
            "channel": "email", "recipient": {"email": "a@b.c", "name": "Ada"}, "template": "welcome", "locale": "de",
            "variables": {"order": {"id": 7, "total": "12"}, "name": "Ada"}, "scheduledAt": "2026-09-21T14:14:20.000Z"})
        );
        let made = request(&["in-app", "u-42", "--title", "T", "--body", "B"]).unwrap();
        assert_eq!(
            made,
            json!({"channel": "in_app", "recipient": {"userId": "u-42"}, "directContent": {"title": "T", "body": "B"}})
        );
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        assert!(request(&["fax", "1", "--text", "x"]).unwrap_err().contains("\"fax\" is not a channel"));
        assert!(request(&["sms", "1"]).unwrap_err().contains("say what to send"));
        assert!(request(&["sms", "1", "--text", "x", "--var", "a=1", "--var", "a.b=1"]).unwrap_err().contains("a.b"));
    }
}
