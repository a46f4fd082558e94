//! Whether the key is accepted, without sending anything.

use std::time::Duration;

use carillon_domain::delivery::Failure;
use tokio::time::Instant;

use super::{SendGrid, said};
use crate::http::beginning;
use crate::text;

impl SendGrid {
    /// Asks SendGrid what the key may do (`GET /v3/scopes`).
    ///
    /// # Errors
    /// If SendGrid cannot be reached, refuses the key, or the key may not send mail.
    pub async fn check(&self, timeout: Duration) -> Result<String, Failure> {
        #[derive(serde::Deserialize)]
        struct Answer {
            scopes: Vec<String>,
        }
        let deadline = Instant::now() + timeout;
        let mut url = self.url.clone();
        url.set_path(&url.path().replace("/v3/mail/send", "/v3/scopes"));
        let place = url.host_str().unwrap_or_default().to_owned();
        let mut response = match self.client.get(url, self.headers.clone(), deadline).await {
            Ok(response) => response,
            Err(none) => return Err(Failure::of_provider(none.code, format!("{}, at {place}", none.message))),
        };
        let status = response.status().as_u16();
        let body = beginning(&mut response, deadline).await;
        match (status, serde_json::from_slice::<Answer>(&body)) {
            (200, Ok(answer)) if answer.scopes.iter().any(|scope| scope == "mail.send") => {
                Ok(format!("SendGrid at {place} accepts the key, which may send mail"))
            }
            (200, Ok(_)) => Err(Failure::of_provider(
                "forbidden_by_provider",
                "SendGrid accepts the key, but it has no permission to send mail (scope mail.send)",
            )),
            (401 | 403, _) => {
                let told = text::tell(&said(&body), "");
                Err(Failure::of_provider(
                    "authentication_refused",
                    format!("SendGrid refuses the key: {status} {told}"),
                ))
            }
            (200, Err(_)) => {
                Err(Failure::of_provider("unexpected_answer", format!("what answers at {place} is not SendGrid")))
            }
            _ => Err(Failure::of_provider("provider_error", format!("SendGrid at {place} answers {status}"))),
        }
    }
}
