//! Templates and their versions, which the sends after them use.

use serde_json::json;

use crate::transcript::Transcript;

pub(crate) async fn play(t: &mut Transcript) {
    t.post("/api/v1/templates", json!({"code": "shipped", "name": "Shipped", "description": "An order left."})).await;
    t.post("/api/v1/templates", json!({"code": "shipped"})).await;
    t.post("/api/v1/templates", json!({"code": "7"})).await;
    let doomed = t.post("/api/v1/templates", json!({"code": "doomed"})).await;
    t.post("/api/v1/templates", json!({"code": "drafty"})).await;
    let version = |word: &str| {
        json!({
            "defaultLocale": "en",
            "variables": [{"name": "order", "required": true, "description": "The order"}, {"name": "coupon"}],
            "localizations": {
                "en": {
                    "email": {"subject": format!("{word} {{{{ order.id }}}}"), "html": "<p>{{ order.id }}</p>", "text": "{{ order.id }}"},
                    "sms": {"text": format!("{word} {{{{ order.id }}}}")},
                    "push": {"title": word, "body": "{{ order.id }}", "data": {"order": "{{ order.id }}"}, "link": "https://x.example/{{ order.id }}"},
                    "whatsapp": {"templateName": "shipped", "language": "en", "parameters": ["{{ order.id }}"]},
                    "in_app": {"title": word, "body": "{{ order.id }}"},
                },
                "de": {"email": {"subject": "Versandt {{ order.id }}", "text": "Grüße"}},
            }
        })
    };
    for word in ["Shipped", "Sent"] {
        t.post("/api/v1/templates/shipped/versions", version(word)).await;
    }
    t.post("/api/v1/templates/drafty/versions", version("Draft")).await;
    let id = doomed["uuid"].as_str().unwrap();
    t.post(&format!("/api/v1/templates/{id}/versions"), version("Doomed")).await;
    let fr = json!({"email": {"subject": "Expédiée {{ order.id }}", "text": "{{ order.id }}"}});
    let localization =
        |version: u32, locale: &str| format!("/api/v1/templates/shipped/versions/{version}/localizations/{locale}");
    t.call("PUT", &localization(1, "fr"), &[], Some(fr.clone())).await;
    t.call("PUT", &localization(1, "no_locale!"), &[], Some(fr.clone())).await;
    t.act("/api/v1/templates/shipped/versions/1/publish").await;
    t.call("PUT", &localization(1, "es"), &[], Some(fr)).await;
    t.act("/api/v1/templates/shipped/versions/9/publish").await;
    let broken = json!({"defaultLocale": "en", "localizations": {"en": {"sms": {"text": "{{ order.id"}}, "de": {"sms": {"text": "{% for %}"}}}});
    t.post("/api/v1/templates/shipped/versions", broken).await;
    t.post("/api/v1/templates/shipped/rollback", json!({"version": 2})).await;
    t.act("/api/v1/templates/shipped/versions/2/publish").await;
    t.post("/api/v1/templates/shipped/rollback", json!({"version": 1})).await;
    for preview in [
        json!({"channel": "email", "locale": "de-CH", "variables": {"order": {"id": "<7>"}}}),
        json!({"channel": "push", "version": 2, "variables": {"order": {"id": "<7>"}}}),
        json!({"channel": "email"}),
        json!({"channel": "email", "version": 9, "variables": {"order": {"id": 7}}}),
    ] {
        t.post("/api/v1/templates/shipped/preview", preview).await;
    }
    t.call("PATCH", "/api/v1/templates/shipped", &[], Some(json!({"name": "Shipped!", "description": null}))).await;
    t.call("PATCH", "/api/v1/templates/shipped", &[], Some(json!({"code": "other"}))).await;
    t.delete("/api/v1/templates/doomed").await;
    t.delete("/api/v1/templates/doomed").await;
    t.get("/api/v1/templates/doomed").await;
    t.post("/api/v1/templates", json!({"code": "doomed"})).await;
    t.get("/api/v1/templates/shipped/versions/1").await;
    t.get("/api/v1/templates/shipped/versions/9").await;
    t.pages("/api/v1/templates?limit=1").await;
    t.pages("/api/v1/templates/shipped/versions?limit=1").await;
    let first = t.get("/api/v1/templates/shipped").await;
    for id in [first["id"].to_string(), first["uuid"].as_str().unwrap().to_owned(), "shipped".to_owned()] {
        t.get(&format!("/api/v1/templates/{id}")).await;
    }
}
