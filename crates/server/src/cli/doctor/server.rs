//! The port: free, or ours.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::super::args::Reach;
use super::super::http::Client;
use super::super::output::Format;
use super::Finding;
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn check(config: &Config) -> Finding {
    let (host, port) = (config.host.as_str(), config.port);
    match TcpListener::bind((host, port)).await {
        Ok(listener) => {
            drop(listener);
            Finding::ok("port", format!("{host}:{port} is free"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => running(config).await,
        Err(error) => {
            Finding::bad("port", format!("cannot listen on {host}:{port}: {error}"), crate::serve::listen_hint(&error))
        }
    }
}

/// Whoever has the port is asked how it is.
async fn running(config: &Config) -> Finding {
    let (host, port) = (config.host.as_str(), config.port);
    let name = if host == "0.0.0.0" || host == "::" { "localhost".to_owned() } else { host.to_owned() };
    let name = if name.contains(':') { format!("[{name}]") } else { name };
    let reach =
        Reach { url: Some(format!("http://{name}:{port}")), api_key: None, tenant: None, output: Format::Table };
    let asked = async { Client::new(&reach)?.get_plain(&["health"]).await };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(health)) if health["status"] == "ok" => {
            let version = health["version"].as_str().unwrap_or("?");
            Finding::ok("port", format!("Carillon {version} runs at {host}:{port}, and is well"))
        }
        Ok(Ok(health)) if health["status"].is_string() => Finding::bad(
            "port",
            format!("Carillon runs at {host}:{port}, but is {}", super::super::output::text(&health["status"])),
            "`carillon health` and its log say what is wrong",
        ),
        _ => Finding::bad(
            "port",
            format!("something else has {host}:{port}"),
            "stop it, or choose another port with PORT",
        ),
    }
}
