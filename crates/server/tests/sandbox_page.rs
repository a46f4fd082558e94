//! The sandbox in a real browser: by keyboard alone, on a phone's screen, with HTML that means harm.
#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use carillon_testkit::browser::{Browser, keys};
use carillon_testkit::port::free_port;
use carillon_testkit::process::{Client, Launch};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_carillon");

const HARM: &str = "<h1>Welcome, Ada</h1><a href='https://example.com/start'>Start</a>\
    <script>document.body.innerHTML = 'harm'; top.document.title = 'harm'</script>\
    <img src=x onerror=\"document.body.innerHTML = 'harm'\"><form action='/sandbox/logout' method=post><button>x</button></form>";

/// Every control has a name, there is one main heading, and nothing is wider than the screen.
const SOUND: &str = "document.documentElement.lang === 'en' && document.title.endsWith('· Carillon') \
    && document.querySelectorAll('h1').length === 1 \
    && [...document.querySelectorAll('input, select')].every(one => one.labels.length === 1) \
    && document.documentElement.scrollWidth <= innerWidth";

/// WCAG's contrast of the text of each element against what is behind it, at least 4.5 : 1.
const CONTRAST: &str = "(() => { \
    const probe = document.createElement('canvas').getContext('2d', {willReadFrequently: true}); \
    const mix = (css, under) => { probe.fillStyle = under; probe.fillRect(0, 0, 1, 1); probe.fillStyle = css; \
        probe.fillRect(0, 0, 1, 1); return `rgb(${[...probe.getImageData(0, 0, 1, 1).data].slice(0, 3)})` }; \
    const light = css => { const [r, g, b] = css.match(/\\d+/g).map(Number).map(c => c / 255) \
        .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b }; \
    const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#ffffff'; \
    const behind = one => one ? mix(getComputedStyle(one).backgroundColor, behind(one.parentElement)) : mix(canvas, canvas); \
    const poor = [...document.querySelectorAll('a, p, b, span, time, label, h1, dt, dd, code')] \
        .filter(one => one.checkVisibility() && !one.closest('.phone')).filter(one => { \
            const under = behind(one), text = mix(getComputedStyle(one).color, under); \
            const [high, low] = [light(text), light(under)].sort((a, b) => b - a); \
            return (high + .05) / (low + .05) < 4.5 }); \
    return poor.map(one => one.outerHTML.slice(0, 80)).join('\\n') })()";

#[tokio::test]
async fn a_person_reads_captured_messages_by_keyboard() {
    let Some(browser) = Browser::start(360, 740).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let carillon = Launch::new(BINARY, &folder.path().join("data"), free_port().unwrap()).start();
    let client = Client::new(carillon.url(""), carillon.key());
    let email = json!({"channel": "email", "recipient": {"email": "ada@example.com"},
        "directContent": {"subject": "Welcome", "text": "Hello in words", "html": HARM}});
    let sms = json!({"channel": "sms", "recipient": {"phone": "+441632960961"},
        "directContent": {"text": "A code that is long enough to need more than one line of a phone: 4711"}});
    for message in [&email, &sms] {
        let (_, accepted) = client.post("/api/v1/notifications/send", message).await;
        client.until_status(accepted["uuid"].as_str().unwrap(), &["sent"], std::time::Duration::from_secs(10)).await;
    }

    browser.go(&carillon.url("/sandbox")).await;
    sound(&browser).await;
    browser.press("ck_live_wrong").await;
    browser.press(keys::ENTER).await;
    browser.until("document.querySelector('[role=alert]') !== null").await;
    browser.press(carillon.key()).await;
    browser.press(keys::ENTER).await;
    browser.until("document.querySelectorAll('.inbox a').length === 2").await;
    sound(&browser).await;

    tab_to(&browser, "document.activeElement.matches('a') && document.activeElement.textContent.includes('Welcome')")
        .await;
    browser.press(keys::ENTER).await;
    browser.until("document.querySelector('iframe') !== null").await;
    sound(&browser).await;
    nothing_ran(&browser).await;

    tab_to(&browser, "document.activeElement.id === 'html'").await;
    browser.press(keys::RIGHT).await;
    browser.until("document.querySelector('iframe').clientWidth <= 375").await;
    sound(&browser).await;
    browser.press(keys::RIGHT).await;
    browser.until("document.querySelector('pre').innerText === 'Hello in words'").await;
    assert_eq!(browser.ask("document.querySelector('iframe').checkVisibility()").await, false);

    browser.go(&carillon.url("/sandbox?channel=sms")).await;
    tab_to(&browser, "document.activeElement.matches('a') && document.activeElement.textContent.includes('4711')")
        .await;
    browser.press(keys::ENTER).await;
    browser.until("document.querySelector('.phone .bubble') !== null").await;
    sound(&browser).await;
}

/// In light and in dark.
async fn sound(browser: &Browser) {
    for scheme in ["dark", "light"] {
        browser.prefer(scheme).await;
        assert_eq!(browser.ask(SOUND).await, true, "{}", browser.ask("document.documentElement.outerHTML").await);
        assert_eq!(browser.ask(CONTRAST).await, Value::from(""), "too little contrast in {scheme}");
    }
}

/// A person without a mouse gets there.
async fn tab_to(browser: &Browser, there: &str) {
    for _ in 0..20 {
        if browser.ask(there).await == true {
            let ring = "getComputedStyle(document.activeElement.id ? document.activeElement.nextElementSibling \
                        : document.activeElement).outlineStyle";
            assert_eq!(browser.ask(ring).await, "solid", "the focus is not seen");
            return;
        }
        browser.press(keys::TAB).await;
    }
    panic!("not within 20 steps: {there}");
}

/// The message is shown, and its scripts had no effect, inside or outside of the frame.
async fn nothing_ran(browser: &Browser) {
    assert_eq!(browser.ask("document.title").await, "Welcome · Carillon");
    assert_eq!(browser.ask("document.querySelector('iframe').contentDocument").await, Value::Null, "the frame is ours");
    browser.enter_frame().await;
    let text = browser.ask("document.body.innerText").await;
    assert!(text.as_str().unwrap().contains("Welcome, Ada") && !text.as_str().unwrap().contains("harm"), "{text}");
    browser.leave_frame().await;
}
