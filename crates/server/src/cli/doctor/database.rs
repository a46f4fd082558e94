//! The database: what a start would meet.

use carillon_domain::time::{Clock as _, SystemClock};
use carillon_store::{Inspection, OpenError, Options, ServerFacts, inspect};

use super::Finding;
use crate::config::Config;
use crate::serve;

/// Clocks further apart make schedules and retries run early or late.
const SKEW_SECONDS: i64 = 2;

pub(super) async fn check(config: &Config) -> Vec<Finding> {
    let found = inspect(Options { target: serve::target(config) }).await;
    let asked = SystemClock.now();
    match found {
        Err(error) => vec![Finding::bad("database", error.to_string(), fix(config, &error))],
        Ok(found) => {
            let mut findings = vec![schema(&found)];
            if let Some(server) = &found.server {
                findings.push(clock((server.now - asked).num_seconds()));
                findings.push(connections(server, i64::from(config.database_connections)));
            }
            findings
        }
    }
}

fn fix(config: &Config, error: &OpenError) -> String {
    match error {
        OpenError::NotDurable { setting, .. } => {
            format!(
                "ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();   (or ALTER ROLE, ALTER DATABASE … RESET)"
            )
        }
        OpenError::TooOld { .. } => "upgrade the server, or name another with DATABASE_URL".to_owned(),
        OpenError::Newer { .. } => {
            "install that version of Carillon again, or restore the backup from before".to_owned()
        }
        OpenError::Unreachable { reason, .. } if reason.contains("authentication") || reason.contains("role") => {
            format!("correct user and password in DATABASE_URL (from {})", config.database_source)
        }
        OpenError::Unreachable { reason, .. } if reason.contains("database") && reason.contains("does not exist") => {
            "createdb it, or correct the name in DATABASE_URL".to_owned()
        }
        _ if config.database_url.is_some() => {
            format!("start PostgreSQL there, or correct DATABASE_URL (from {})", config.database_source)
        }
        _ => "CARILLON_DATA_DIR chooses another folder".to_owned(),
    }
}

fn schema(found: &Inspection) -> Finding {
    let place = &found.description;
    if found.server.as_ref().is_some_and(|server| server.standby) {
        return Finding::bad(
            "database",
            format!("{place} is a standby and takes no writes"),
            "name the primary in DATABASE_URL",
        );
    }
    let may_not = found.server.as_ref().is_some_and(|server| !server.may_create);
    match (found.fresh, found.pending) {
        (false, 0) => Finding::ok("database", format!("{place}, up to date")),
        _ if may_not => Finding::bad(
            "database",
            format!("{place}: this user may not make tables, and {} migrations are missing", found.pending),
            "GRANT CREATE ON SCHEMA public TO the user, or run `carillon migrate` as the owner",
        ),
        (true, _) => Finding::ok("database", format!("{place} will be made at the first start")),
        (false, pending) => Finding::ok("database", format!("{place}; the next start applies {pending} migrations")),
    }
}

fn clock(ahead: i64) -> Finding {
    if ahead.abs() < SKEW_SECONDS {
        return Finding::ok("clock", "agrees with the database's");
    }
    let word = if ahead > 0 { "ahead" } else { "behind" };
    Finding::warn(
        "clock",
        format!("the database's is {} s {word}", ahead.abs()),
        "run a time service (NTP) on both machines",
    )
}

fn connections(server: &ServerFacts, ours: i64) -> Finding {
    let free = (server.connections - server.taken).max(0);
    let told = format!("this process may open {ours} of {}; {} are taken", server.connections, server.taken);
    if ours <= free {
        return Finding::ok("connections", told);
    }
    let fix = format!("raise max_connections, or set CARILLON_DATABASE_CONNECTIONS to {free} or less");
    if ours > server.connections {
        Finding::bad("connections", told, fix)
    } else {
        Finding::warn("connections", told, fix)
    }
}

#[cfg(test)]
mod tests {
    use carillon_store::{Inspection, ServerFacts};

    use super::super::Grade;
    use super::{clock, connections, schema};

    fn server() -> ServerFacts {
        ServerFacts {
            now: carillon_domain::Timestamp::default(),
            may_create: true,
            standby: false,
            connections: 97,
            taken: 90,
        }
    }

    #[test]
    fn what_will_not_work_is_bad_and_what_may_hurt_is_a_warning() {
        assert_eq!([connections(&server(), 7).grade, connections(&server(), 8).grade], [Grade::Ok, Grade::Warn]);
        assert_eq!(connections(&server(), 98).grade, Grade::Bad);
        assert_eq!([clock(1).grade, clock(-2).grade], [Grade::Ok, Grade::Warn]);
        let shaped =
            |fresh, pending, server| Inspection { description: "x".to_owned(), fresh, pending, server: Some(server) };
        assert_eq!(schema(&shaped(true, 1, server())).grade, Grade::Ok);
        assert_eq!(schema(&shaped(true, 1, ServerFacts { may_create: false, ..server() })).grade, Grade::Bad);
        assert_eq!(schema(&shaped(false, 0, ServerFacts { may_create: false, ..server() })).grade, Grade::Ok);
        assert_eq!(schema(&shaped(false, 0, ServerFacts { standby: true, ..server() })).grade, Grade::Bad);
    }
}
