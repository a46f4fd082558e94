//! Every setting, once.

use super::setting::{Group, Kind, Setting};

/// Environment names with our prefix that are not settings of the server: the client's, and those of tests.
pub(crate) const FOREIGN: [&str; 3] = ["CARILLON_URL", "CARILLON_API_KEY", "CARILLON_CRASH_AT"];

/// A prefix that tests own.
pub(crate) const FOREIGN_PREFIX: &str = "CARILLON_TEST_";

const fn used(name: &'static str, key: &'static str, kind: Kind, group: Group, doc: &'static str) -> Setting {
    Setting { name, key, aliases: &[], default: None, kind, group, doc }
}

const fn later(name: &'static str, key: &'static str, doc: &'static str) -> Setting {
    Setting { name, key, aliases: &[], default: None, kind: Kind::Ignored(false), group: Group::Later, doc }
}

const fn later_secret(name: &'static str, key: &'static str, doc: &'static str) -> Setting {
    Setting { kind: Kind::Ignored(true), ..later(name, key, doc) }
}

impl Setting {
    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
}

use Group::{Database, Delivery, Observability, Process};

/// All settings, in the order of the reference.
pub(crate) const SETTINGS: &[Setting] = &[
    used("PORT", "port", Kind::Port, Process, "The port of REST, the pages, `/health` and `/metrics`. `0` takes a free one; the banner says which.")
        .or("3000")
        .alias(&["CARILLON_PORT"]),
    used("HOST", "host", Kind::Host, Process, "The address to listen on. The default serves this machine only; `0.0.0.0` serves everybody who can reach it, as in a container.")
        .or("127.0.0.1")
        .alias(&["CARILLON_HOST"]),
    used("PUBLIC_URL", "public_url", Kind::Url(&["https", "http"]), Process, "What the outside calls this service, such as `https://notify.example.com`; links and the addresses in the banner are made from it. Without it: `http://localhost:PORT`."),
    used("CARILLON_DATA_DIR", "data_dir", Kind::Path, Process, "The folder of the SQLite database, made with mode 0700. One process at a time may have it.").or("./carillon-data"),
    used("CARILLON_CONFIG", "config", Kind::Path, Process, "The settings file. The default may be absent; a file that is named must exist. Not a key of the file itself.").or("carillon.toml"),
    used("DATABASE_URL", "database_url", Kind::Url(&["postgres", "postgresql"]), Database, "PostgreSQL 15 or newer, such as `postgres://user:password@host:5432/name?sslmode=require`. Without it: SQLite in `CARILLON_DATA_DIR`."),
    used("CARILLON_DATABASE_CONNECTIONS", "database_connections", Kind::Number(2, 1000), Database, "The most connections that this process opens to PostgreSQL. SQLite ignores it.").or("16"),
    used("CARILLON_LEASE_SECONDS", "lease_seconds", Kind::Number(5, 3600), Database, "How long a process may be silent, in seconds, before others take over what it held. Shorter rescues sooner and tolerates shorter pauses.").or("60"),
    used("SMTP_URL", "smtp_url", Kind::Url(&["smtp", "smtps"]), Delivery, "Sends e-mail through this server: `smtps://user:password@host` (TLS from the start), `smtp://user:password@host:587?tls=required` (STARTTLS) or `smtp://host` (STARTTLS if offered). Percent-encode what is special in the password. Without it and without `SENDGRID_API_KEY` e-mail lands in the sandbox."),
    used("SMTP_CA_FILE", "smtp_ca_file", Kind::Path, Delivery, "A PEM file with certificates to trust for `SMTP_URL`, besides those of the system."),
    used("SENDGRID_API_KEY", "sendgrid_api_key", Kind::Secret, Delivery, "Sends e-mail through SendGrid. Not together with `SMTP_URL`."),
    used("SENDGRID_BASE_URL", "sendgrid_base_url", Kind::Url(&["https", "http"]), Delivery, "Where SendGrid's API is, for its European region or a stand-in.").or("https://api.sendgrid.com"),
    used("MAIL_FROM", "mail_from", Kind::Mailbox, Delivery, "The sender of e-mail, such as `Acme <noreply@acme.example>`. Real servers refuse the default.")
        .or("Carillon <noreply@localhost>")
        .alias(&["SMTP_FROM", "SENDGRID_FROM_EMAIL"]),
    used("CARILLON_ON_UNKNOWN", "on_unknown", Kind::Word(&["resend", "hold"]), Delivery, "What happens to a message that a provider may have taken without saying so: `resend` never loses one and may send it twice, `hold` parks it as `unknown` for a person to decide.").or("resend"),
    used("CARILLON_PROVIDER_CONCURRENCY", "provider_concurrency", Kind::Number(1, 512), Delivery, "Pins the number of calls in flight to the provider. Without it the number starts at 10 and adapts, up to 512."),
    used("CARILLON_LOG", "log", Kind::Text, Observability, "What is logged, on stderr: `error`, `warn`, `info`, `debug`, `trace` or `off`, also per part, as in `info,carillon_pipeline=debug`.").or("info"),
    used("CARILLON_LOG_FORMAT", "log_format", Kind::Word(&["auto", "text", "json"]), Observability, "`text` for people, `json` for machines (one object per line), `auto`: text on a terminal and JSON elsewhere. `NO_COLOR` turns colours off.").or("auto"),
    used("METRICS_TOKEN", "metrics_token", Kind::Secret, Observability, "If set, `/metrics` asks for it: `Authorization: Bearer …`."),
    used("METRICS_TENANTS", "metrics_tenants", Kind::Number(0, 10_000), Observability, "How many tenants get a `tenant_id` of their own in metrics; the others share `other`.").or("100"),
    later("NODE_ENV", "node_env", "Has no meaning here; taken so that existing deployments start."),
    later("SERVICE_NAME", "service_name", "The name of this service in traces."),
    later("GRPC_PORT", "grpc_port", "The port of gRPC."),
    later("GRAPHQL_PORT", "graphql_port", "The port of GraphQL."),
    later_secret("REDIS_URL", "redis_url", "Redis, for several processes.").alias(&["REDIS_HOST", "REDIS_PORT"]),
    later("KAFKA_BROKERS", "kafka_brokers", "Kafka, for events in and out."),
    later("KAFKA_CLIENT_ID", "kafka_client_id", "How Kafka knows this service."),
    later("KAFKA_GROUP_ID", "kafka_group_id", "The consumer group."),
    later("KAFKA_INGRESS_TRUST", "kafka_ingress_trust", "Who decides for which tenant a message is."),
    later("KEYCLOAK_SERVER_URL", "keycloak_server_url", "Keycloak, for people's and services' tokens."),
    later("KEYCLOAK_REALM", "keycloak_realm", "The realm."),
    later("KEYCLOAK_AUDIENCE", "keycloak_audience", "The audience that tokens name."),
    later("KEYCLOAK_USER_CLIENT_ID", "keycloak_user_client_id", "The client of people."),
    later("KEYCLOAK_SERVICE_CLIENT_ID", "keycloak_service_client_id", "The client of services.").alias(&["KEYCLOAK_CLIENT_ID"]),
    later("OIDC_ISSUER", "oidc_issuer", "Any other OpenID Connect provider."),
    later("OIDC_AUDIENCE", "oidc_audience", "The audience that its tokens name."),
    later("OBSERVABILITY_PROMETHEUS_ENABLED", "observability_prometheus_enabled", "`/metrics` is always there."),
    later("OBSERVABILITY_GRAFANA_ENABLED", "observability_grafana_enabled", "Dashboards."),
    later("OBSERVABILITY_ELK_ENABLED", "observability_elk_enabled", "Logs by network; logs go to stderr."),
    later("OBSERVABILITY_TRACING_ENABLED", "observability_tracing_enabled", "Traces."),
    later("ELASTICSEARCH_URL", "elasticsearch_url", "Logs by network.").alias(&["OBSERVABILITY_ELK_URL"]),
    later("LOGSTASH_HOST", "logstash_host", "Logs by network."),
    later("LOGSTASH_PORT", "logstash_port", "Logs by network."),
    later("JAEGER_ENDPOINT", "jaeger_endpoint", "Traces."),
    later("PROMETHEUS_PORT", "prometheus_port", "`/metrics` is on `PORT`."),
    later("FEATURE_FLAG_GRPC", "feature_flag_grpc", "Turns gRPC on."),
    later("FEATURE_FLAG_GRAPHQL", "feature_flag_graphql", "Turns GraphQL on."),
    later("FEATURE_FLAG_KAFKA_EVENTS", "feature_flag_kafka_events", "Turns events on Kafka on."),
    later("WORKER_TYPE", "worker_type", "One process does all work."),
    later("WORKER_EMAIL_CONCURRENCY", "worker_email_concurrency", "The calls in flight adapt to the provider; `CARILLON_PROVIDER_CONCURRENCY` pins them."),
    later("WORKER_SMS_CONCURRENCY", "worker_sms_concurrency", "As `WORKER_EMAIL_CONCURRENCY`."),
    later("WORKER_PUSH_CONCURRENCY", "worker_push_concurrency", "As `WORKER_EMAIL_CONCURRENCY`.").alias(&["WORKER_FCM_CONCURRENCY"]),
    later("WORKER_WHATSAPP_CONCURRENCY", "worker_whatsapp_concurrency", "As `WORKER_EMAIL_CONCURRENCY`."),
    later("TWILIO_ACCOUNT_SID", "twilio_account_sid", "SMS through Twilio."),
    later_secret("TWILIO_AUTH_TOKEN", "twilio_auth_token", "SMS through Twilio."),
    later("TWILIO_FROM", "twilio_from", "The number or messaging service of SMS."),
    later("TWILIO_WHATSAPP_FROM", "twilio_whatsapp_from", "The number of WhatsApp through Twilio."),
    later("TWILIO_BASE_URL", "twilio_base_url", "Where Twilio's API is."),
    later("FCM_PROJECT_ID", "fcm_project_id", "Push through Firebase."),
    later("FCM_CLIENT_EMAIL", "fcm_client_email", "Push through Firebase."),
    later_secret("FCM_PRIVATE_KEY", "fcm_private_key", "Push through Firebase."),
    later("FCM_BASE_URL", "fcm_base_url", "Where Firebase's API is."),
    later_secret("WHATSAPP_TOKEN", "whatsapp_token", "WhatsApp through Meta."),
    later("WHATSAPP_PHONE_NUMBER_ID", "whatsapp_phone_number_id", "The number of WhatsApp through Meta."),
    later("WHATSAPP_BASE_URL", "whatsapp_base_url", "Where Meta's API is."),
    later("EGRESS_ALLOW", "egress_allow", "Networks that addresses given through the API may name; there are none such yet."),
    later_secret("CARILLON_MASTER_KEY", "master_key", "Encrypts credentials in the database; there are none yet."),
];

/// The setting with that main name.
pub(crate) fn by_name(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The setting with that key.
pub(crate) fn by_key(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
