//! One localization's part for one channel, compiled.

use std::borrow::Cow;

use carillon_domain::content::{Attachment, Content};
use carillon_domain::{Error, FieldError};
use serde_json::{Map, Value};

use crate::lang::{Program, Slot, compile};
use crate::{Limits, address};

/// Compiled content: what [`Engine::render`](crate::Engine::render) wants. Owns its text; share it in an `Arc`.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) parts: Parts,
    weight: usize,
}

impl Compiled {
    /// Bytes in memory, nearly: what a cache counts.
    pub fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn new(content: &Content, at: &str, limits: &Limits) -> Result<Self, Error> {
        let mut compiler = Compiler { limits, at, weight: size_of::<Self>(), errors: Vec::new() };
        let parts = compiler.parts(content);
        if compiler.errors.is_empty() {
            Ok(Self { parts, weight: compiler.weight })
        } else {
            Err(Error::invalid_fields(compiler.errors))
        }
    }
}

/// The fields of [`Content`], compiled.
#[derive(Debug)]
pub(crate) enum Parts {
    Email {
        subject: Piece,
        text: Option<Piece>,
        html: Option<Piece>,
        reply_to: Option<Piece>,
        attachments: Box<[Attachment]>,
    },
    Sms {
        text: Piece,
    },
    Push {
        title: Piece,
        body: Piece,
        image: Option<Piece>,
        link: Option<Piece>,
        data: Option<Data>,
    },
    Whatsapp {
        text: Option<Piece>,
        template_name: Option<Piece>,
        language: Option<Piece>,
        parameters: Box<[Piece]>,
    },
    InApp {
        title: Piece,
        body: Piece,
        link: Option<Piece>,
        data: Option<Data>,
    },
}

/// One string.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Its JSON pointer below the content, such as `/subject`.
    pub field: Cow<'static, str>,
    pub slot: Slot,
    pub program: Program,
}

/// A value of a `data` map: its strings are templates, at any depth; its keys are not.
#[derive(Debug)]
pub(crate) enum Data {
    Fixed(Value),
    Text(Box<Piece>),
    List(Box<[Self]>),
    Map(Box<[(Box<str>, Self)]>),
}

struct Compiler<'c> {
    limits: &'c Limits,
    at: &'c str,
    weight: usize,
    errors: Vec<FieldError>,
}

impl Compiler<'_> {
    fn parts(&mut self, content: &Content) -> Parts {
        match content {
            Content::Email(email) => Parts::Email {
                subject: self.piece("/subject", Slot::Line, &email.subject),
                text: self.maybe("/text", Slot::Text, email.text.as_ref()),
                html: self.maybe("/html", Slot::Html, email.html.as_ref()),
                reply_to: self.reply_to(email.reply_to.as_ref()),
                attachments: self.attachments(&email.attachments),
            },
            Content::Sms(sms) => Parts::Sms { text: self.piece("/text", Slot::Text, &sms.text) },
            Content::Push(push) => Parts::Push {
                title: self.piece("/title", Slot::Line, &push.title),
                body: self.piece("/body", Slot::Text, &push.body),
                image: self.maybe("/image", Slot::Line, push.image.as_ref()),
                link: self.maybe("/link", Slot::Line, push.link.as_ref()),
                data: push.data.as_ref().map(|data| self.map("/data", data)),
            },
            Content::Whatsapp(message) => Parts::Whatsapp {
                text: self.maybe("/text", Slot::Text, message.text.as_ref()),
                template_name: self.maybe("/templateName", Slot::Line, message.template_name.as_ref()),
                language: self.maybe("/language", Slot::Line, message.language.as_ref()),
                parameters: message
                    .parameters
                    .iter()
                    .enumerate()
                    .map(|(at, text)| self.piece(format!("/parameters/{at}"), Slot::Line, text))
                    .collect(),
            },
            Content::InApp(message) => Parts::InApp {
                title: self.piece("/title", Slot::Line, &message.title),
                body: self.piece("/body", Slot::Text, &message.body),
                link: self.maybe("/link", Slot::Line, message.link.as_ref()),
                data: message.data.as_ref().map(|data| self.map("/data", data)),
            },
        }
    }

    fn piece(&mut self, field: impl Into<Cow<'static, str>>, slot: Slot, source: &str) -> Piece {
        let field = field.into();
        let program = compile(source, slot, self.limits).unwrap_or_else(|refusal| {
            self.error(&field, refusal.code, refusal.message);
            Program::Fixed(Box::default())
        });
        self.weight += program.weight() + field.len();
        Piece { field, slot, program }
    }

    fn maybe(&mut self, field: &'static str, slot: Slot, source: Option<&String>) -> Option<Piece> {
        source.map(|source| self.piece(field, slot, source))
    }

    fn reply_to(&mut self, source: Option<&String>) -> Option<Piece> {
        let piece = self.maybe("/replyTo", Slot::Line, source)?;
        if let Program::Fixed(text) = &piece.program
            && !(text.trim().is_empty() || address::is_plausible(text.trim()))
        {
            self.error("/replyTo", "invalid_email", "replyTo is not one e-mail address".to_owned());
        }
        Some(piece)
    }

    fn attachments(&mut self, attachments: &[Attachment]) -> Box<[Attachment]> {
        for (at, attachment) in attachments.iter().enumerate() {
            for (name, text) in [("filename", &attachment.filename), ("contentType", &attachment.content_type)] {
                if text.contains(['\0', '\r', '\n']) {
                    let message = format!("{name} cannot hold a line break or NUL");
                    self.error(&format!("/attachments/{at}/{name}"), "control_character", message);
                }
            }
            self.weight += size_of::<Attachment>() + attachment.content_base64.len() + attachment.filename.len();
        }
        attachments.into()
    }

    fn map(&mut self, field: &str, map: &Map<String, Value>) -> Data {
        let entries: Box<[_]> = map
            .iter()
            .map(|(key, value)| {
                self.weight += key.len() + size_of::<(Box<str>, Data)>();
                let segment = key.replace('~', "~0").replace('/', "~1");
                (key.as_str().into(), self.data(&format!("{field}/{segment}"), value))
            })
            .collect();
        Data::Map(entries)
    }

    fn data(&mut self, field: &str, value: &Value) -> Data {
        match value {
            Value::String(source) => Data::Text(Box::new(self.piece(field.to_owned(), Slot::Text, source))),
            Value::Array(items) => {
                self.weight += items.len() * size_of::<Data>();
                Data::List(
                    items.iter().enumerate().map(|(at, item)| self.data(&format!("{field}/{at}"), item)).collect(),
                )
            }
            Value::Object(map) => self.map(field, map),
            fixed => Data::Fixed(fixed.clone()),
        }
    }

    fn error(&mut self, field: &str, code: &'static str, message: String) {
        self.errors.push(FieldError::new(format!("{}{field}", self.at), code, message));
    }
}
