//! A real browser without a window: Chromium through its `WebDriver` (W3C), as a person with a keyboard would use it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::Client;
use crate::require::leave_out;

/// How long the driver may take to start, and a page to show what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The keys, as `WebDriver` writes them.
pub mod keys {
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// The right arrow.
    pub const RIGHT: &str = "\u{e014}";
    /// Tab.
    pub const TAB: &str = "\u{e004}";
}

/// A running browser; ends when it is dropped.
pub struct Browser {
    driver: Child,
    client: Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one with a screen of this size. `None` if `CARILLON_TEST_CHROMEDRIVER` is not set or `none`: the test is then
    /// left out, and standard error says so.
    ///
    /// # Panics
    /// If it does not start, or there is none and `CARILLON_TEST_REQUIRE` is 1.
    pub async fn start(width: u32, height: u32) -> Option<Self> {
        let program = match std::env::var_os("CARILLON_TEST_CHROMEDRIVER") {
            None => {
                leave_out("the browser", "CARILLON_TEST_CHROMEDRIVER is not set");
                return None;
            }
            Some(none) if none == "none" => return None,
            Some(program) => PathBuf::from(program),
        };
        let port = crate::port::free_port().expect("a free port");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let driver = Command::new(program)
            .arg(format!("--port={port}"))
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let client = Client::new(format!("http://127.0.0.1:{port}"), "");
        let mut browser = Self { driver, client, session: String::new(), _profile: profile };
        browser.open(width, height).await;
        Some(browser)
    }

    async fn open(&mut self, width: u32, height: u32) {
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
        ];
        let wished = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {
            "args": arguments,
            // Without this a window is never narrower than 500 pixels.
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1.0, "touch": false, "mobile": false}},
        }}}});
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((200, answer)) = self.client.try_post("/session", &wished, None).await {
                answer["value"]["sessionId"].as_str().expect("a session").clone_into(&mut self.session);
                return;
            }
            assert!(Instant::now() < until, "chromedriver does not open a session");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, mut answer) = self.client.post(&format!("/session/{}{path}", self.session), body).await;
        assert_eq!(status, 200, "{path}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    async fn get(&self, path: &str) -> Value {
        let (status, mut answer) = self.client.get(&format!("/session/{}{path}", self.session)).await;
        assert_eq!(status, 200, "{path}: {}", answer["value"]["message"]);
        answer["value"].take()
    }

    /// Goes to a page, and waits until it is loaded.
    pub async fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url })).await;
    }

    /// Types where the focus is.
    pub async fn press(&self, keys: &str) {
        let actions: Vec<_> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()})))
            .collect();
        self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})).await;
    }

    /// What the page's own JavaScript engine says of `expression`; the page's policy does not stop the driver.
    pub async fn ask(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return ({expression})"), "args": []})).await
    }

    /// Asks until the answer is true.
    ///
    /// # Panics
    /// If it is not within 20 s.
    pub async fn until(&self, expression: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ask(expression).await != true {
            assert!(Instant::now() < until, "never true: {expression}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// From here on the first frame of the page is looked at.
    pub async fn enter_frame(&self) {
        self.post("/frame", &json!({"id": 0})).await;
    }

    /// From here on the whole page again.
    pub async fn leave_frame(&self) {
        self.post("/frame", &json!({"id": null})).await;
    }

    /// As if the person preferred `dark` or `light`.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        let command = json!({"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}});
        self.post("/goog/cdp/execute", &command).await;
    }

    /// The screen as a PNG in base64.
    pub async fn screenshot(&self) -> String {
        self.get("/screenshot").await.as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes its browser with it when it is asked to end, and not when it is killed.
        let asked = Command::new("kill").arg(self.driver.id().to_string()).status();
        let until = Instant::now() + Duration::from_secs(5);
        while asked.is_ok() && Instant::now() < until && matches!(self.driver.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
