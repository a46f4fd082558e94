//! One JSON object per line, flat: `timestamp`, `level`, `target`, `message`, then the fields of the spans from the
//! outermost in, and the event's own, which win.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The names that the line itself uses: a field that takes one gets an underscore.
const OWN: [&str; 3] = ["timestamp", "level", "target"];

pub(super) struct Json<W> {
    writer: W,
}

impl<W> Json<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer }
    }
}

impl<S, W> Layer<S> for Json<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.0.extend(of_span.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = line(metadata.level().as_str(), metadata.target(), fields);
        // Nobody is left to tell that stderr is gone.
        let _ = self.writer.make_writer_for(metadata).write_all(line.as_bytes());
    }
}

fn line(level: &str, target: &str, mut fields: Fields) -> String {
    // Records of the `log` crate come in with their target and place as fields.
    let of_log = fields.0.remove("log.target");
    fields.0.retain(|name, _| !name.starts_with("log."));
    let target = of_log.as_ref().and_then(Value::as_str).unwrap_or(target);
    let message = fields.0.remove("message").unwrap_or_else(|| Value::from(""));
    let mut line = format!("{{\"timestamp\":\"{}\",\"level\":\"{level}\"", timestamp());
    push(&mut line, "target", &Value::from(target));
    push(&mut line, "message", &message);
    for (name, value) in &fields.0 {
        if OWN.contains(&name.as_str()) {
            push(&mut line, &format!("{name}_"), value);
        } else {
            push(&mut line, name, value);
        }
    }
    line.push_str("}\n");
    line
}

fn push(line: &mut String, name: &str, value: &Value) {
    // Writing to a `String` cannot fail, and the display of a `Value` is JSON.
    let _ = write!(line, ",{}:{value}", Value::from(name));
}

fn timestamp() -> String {
    let mut text = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    /// With its causes, which `Display` leaves out.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.set(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
