use clap::{CommandFactory as _, Parser as _};

use super::{ApiKeyCommand, Cli, Command, DeadLetterCommand, NotificationCommand};
use crate::cli::output::Format;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_it_serves_and_takes_settings() {
    assert!(parse("carillon").unwrap().command.is_none());
    assert_eq!(parse("carillon --port 3001").unwrap().settings.0["PORT"], "3001");
    let Some(Command::Serve(settings)) = parse("carillon serve --data-dir /x --on-unknown hold").unwrap().command
    else {
        panic!()
    };
    assert_eq!((settings.0["CARILLON_DATA_DIR"].as_str(), settings.0["CARILLON_ON_UNKNOWN"].as_str()), ("/x", "hold"));
    assert!(parse("carillon --sendgrid-api-key x").is_err(), "secrets are no flags");
}

#[test]
fn sending_in_one_line() {
    let line =
        "carillon send email you@example.com --template welcome --var name=Ada --var order.total=12 --watch -o json";
    let Some(Command::Send(send)) = parse(line).unwrap().command else { panic!() };
    assert_eq!((send.channel.as_str(), send.address.as_str()), ("email", "you@example.com"));
    assert_eq!(send.variables[1], ("order.total".to_owned(), "12".to_owned()));
    assert!(send.watch && send.reach.output == Format::Json);
    for wrong in
        ["send email", "send email a@b --var x", "send email a@b --template t --text x", "send email a@b --at soon"]
    {
        assert_eq!(parse(&format!("carillon {wrong}")).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn options_of_the_server_stand_before_or_after_the_verb() {
    for line in ["notification -o json --url http://h:1 get 7", "notification get 7 -o json --url http://h:1"] {
        let Some(Command::Notification(args)) = parse(&format!("carillon {line}")).unwrap().command else { panic!() };
        assert_eq!((args.reach.output, args.reach.url.as_deref()), (Format::Json, Some("http://h:1")));
        assert!(matches!(args.command, NotificationCommand::Get { id } if id == "7"));
    }
}

#[test]
fn a_replay_takes_one_id_or_a_filter() {
    assert!(parse("carillon dead-letter replay 7 --since 1h").is_err());
    let Some(Command::DeadLetter(args)) =
        parse("carillon dead-letter replay --since 12h --provider smtp").unwrap().command
    else {
        panic!()
    };
    let DeadLetterCommand::Replay { id, all, filter } = args.command else { panic!() };
    assert!(id.is_none() && !all && filter.since.is_some() && filter.provider.as_deref() == Some("smtp"));
}

#[test]
fn a_key_with_roles_and_an_end() {
    let Some(Command::ApiKey(args)) =
        parse("carillon api-key create shop --tenant acme --role send --expires-in 90d").unwrap().command
    else {
        panic!()
    };
    assert_eq!(args.reach.tenant.as_deref(), Some("acme"));
    assert!(matches!(args.command, ApiKeyCommand::Create { roles, test: false, .. } if roles == ["send"]));
}
