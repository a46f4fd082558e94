//! `carillon doctor`: from where it stands, checks what Carillon depends on and says what to fix.

use std::fs;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use super::args::{DoctorArgs, Reach};
use super::http::Client;
use super::output::Output;
use crate::config::resolve::Sources;
use crate::config::{Config, Mail};
use crate::exit::Failure;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a check found: a sentence, and what to do if it is bad.
type Finding = Result<String, (String, &'static str)>;

/// Does it; fails if a check does.
pub(crate) async fn run(args: DoctorArgs) -> Result<(), Failure> {
    let out = Output::new(args.output);
    let config = Config::load(&Sources::of_process(args.settings.0))?;
    let checks = [
        ("configuration", Ok(configuration(&config))),
        ("data folder", folder(&config)),
        ("database", database(&config).await),
        ("e-mail", mail(&config).await),
        ("server", server(&config).await),
    ];
    let bad = checks.iter().filter(|(_, finding)| finding.is_err()).count();
    if out.is_json() {
        let checks: Vec<_> = checks.iter().map(|(name, finding)| as_json(name, finding)).collect();
        out.json(&json!({"ok": bad == 0, "checks": checks}))?;
    } else {
        for (name, finding) in &checks {
            let (word, text) = match finding {
                Ok(text) => ("ok", text),
                Err((text, _)) => ("bad", text),
            };
            out.line(&format!("{}  {name:<14}  {text}", out.status(word, 3)))?;
            if let Err((_, fix)) = finding {
                out.line(&format!("     {:<14}  → {fix}", ""))?;
            }
        }
    }
    if bad == 0 { Ok(()) } else { Err(Failure::plain(format!("{bad} of {} checks failed", checks.len()))) }
}

fn as_json(name: &str, finding: &Finding) -> serde_json::Value {
    match finding {
        Ok(text) => json!({"name": name, "ok": true, "message": text}),
        Err((text, fix)) => json!({"name": name, "ok": false, "message": text, "fix": fix}),
    }
}

fn configuration(config: &Config) -> String {
    match config.unused.as_slice() {
        [] => "every setting is known and possible".to_owned(),
        unused => format!("possible; not used by this version: {}", unused.join(", ")),
    }
}

/// Tries the folder, or the nearest one above that exists, by writing a file that vanishes with its handle.
fn folder(config: &Config) -> Finding {
    if config.database_url.is_some() {
        return Ok("not needed with PostgreSQL".to_owned());
    }
    let path = &config.data_dir;
    let here = path.ancestors().find(|folder| folder.is_dir()).unwrap_or_else(|| std::path::Path::new("."));
    let probe = here.join(format!(".carillon-doctor-{}", std::process::id()));
    match fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)) {
        Ok(()) if path.is_dir() => Ok(format!("{} is writable", path.display())),
        Ok(()) => Ok(format!("{} will be made", path.display())),
        Err(error) => Err((
            format!("cannot write to {}: {error}", here.display()),
            "give this user the folder, or choose another with CARILLON_DATA_DIR",
        )),
    }
}

async fn database(config: &Config) -> Finding {
    let Some(url) = &config.database_url else {
        return Ok("SQLite, inside the data folder".to_owned());
    };
    match dial(url, 5432).await {
        Ok((_, place)) => Ok(format!("PostgreSQL answers at {place}")),
        Err(why) => {
            Err((why, "start PostgreSQL there, or correct DATABASE_URL; `carillon config` shows where it came from"))
        }
    }
}

async fn mail(config: &Config) -> Finding {
    match &config.mail {
        Mail::Sandbox => Ok("lands in the sandbox; SMTP_URL or SENDGRID_API_KEY make it real".to_owned()),
        Mail::SendGrid { base_url, .. } => match dial(&SecretString::from(base_url.as_str()), 443).await {
            Ok((_, place)) => Ok(format!("SendGrid can be reached at {place}")),
            Err(why) => Err((why, "let this machine reach SendGrid, or correct SENDGRID_BASE_URL")),
        },
        Mail::Smtp { url, ca_file } => {
            if let Some(file) = ca_file
                && let Err(error) = fs::File::open(file)
            {
                return Err((format!("cannot read {}: {error}", file.display()), "correct SMTP_CA_FILE"));
            }
            smtp(url).await.map_err(|why| (why, "correct SMTP_URL, or ask whoever runs the mail server"))
        }
    }
}

/// With TLS from the start the greeting comes inside it: then being reachable must do.
async fn smtp(url: &SecretString) -> Result<String, String> {
    let implicit = url.expose_secret().starts_with("smtps");
    let (mut stream, place) = dial(url, if implicit { 465 } else { 587 }).await?;
    if implicit {
        return Ok(format!("the mail server can be reached at {place}"));
    }
    let mut greeting = [0; 512];
    match timeout(PATIENCE, stream.read(&mut greeting)).await {
        Ok(Ok(length)) if greeting[..length].starts_with(b"220") => Ok(format!("the mail server greets at {place}")),
        Ok(Ok(_)) => Err(format!("what answers at {place} is no mail server")),
        Ok(Err(error)) => Err(format!("the mail server at {place} hung up: {error}")),
        Err(_) => Err(format!("the mail server at {place} says nothing")),
    }
}

/// Connects to the host of a URL; what fails is told without its password.
async fn dial(url: &SecretString, default_port: u16) -> Result<(TcpStream, String), String> {
    let url = Url::parse(url.expose_secret()).map_err(|error| error.to_string())?;
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let place = format!("{host}:{}", url.port_or_known_default().unwrap_or(default_port));
    match timeout(PATIENCE, TcpStream::connect(&place)).await {
        Ok(Ok(stream)) => Ok((stream, place)),
        Ok(Err(error)) => Err(format!("cannot reach {place}: {error}")),
        Err(_) => Err(format!("cannot reach {place}: no answer in {} s", PATIENCE.as_secs())),
    }
}

/// Either the port is free, or Carillon has it.
async fn server(config: &Config) -> Finding {
    if let Ok(listener) = TcpListener::bind((config.host.as_str(), config.port)).await {
        drop(listener);
        return Ok(format!("not running; port {} is free", config.port));
    }
    let reach = Reach {
        url: Some(format!("http://localhost:{}", config.port)),
        api_key: None,
        tenant: None,
        output: super::output::Format::Table,
    };
    let asked = async { Client::new(&reach)?.get_plain(&["health"]).await };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(health)) if health["status"] == "ok" => Ok(format!("running on port {}", config.port)),
        Ok(Ok(health)) if health["status"].is_string() => Err((
            format!("running on port {}, but {}", config.port, health["status"]),
            "`carillon health` says what is wrong",
        )),
        _ => Err((
            format!("something else has {}:{}", config.host, config.port),
            "stop it, or choose another port with PORT",
        )),
    }
}
