//! Compiled content and variables → what the person gets.

use carillon_domain::content::{Content, Email, InApp, Push, Sms, Whatsapp};
use carillon_domain::{Error, FieldError};
use serde_json::{Map, Value};

use crate::compiled::{Data, Parts, Piece};
use crate::lang::{Budget, Problem, render};
use crate::{Limits, address};

/// Renders one message: its strings share one [`Budget`].
pub(crate) struct Renderer<'r> {
    pub variables: &'r Map<String, Value>,
    pub limits: &'r Limits,
    pub at: &'r str,
    pub budget: Budget,
}

impl Renderer<'_> {
    pub(crate) fn content(&mut self, parts: &Parts) -> Result<Content, Error> {
        Ok(match parts {
            Parts::Email { subject, text, html, reply_to, attachments } => Content::Email(Email {
                subject: self.text(subject)?,
                text: self.maybe(text.as_ref())?,
                html: self.maybe(html.as_ref())?,
                reply_to: self.reply_to(reply_to.as_ref())?,
                attachments: attachments.to_vec(),
            }),
            Parts::Sms { text } => Content::Sms(Sms { text: self.text(text)? }),
            Parts::Push { title, body, image, link, data } => Content::Push(Push {
                title: self.text(title)?,
                body: self.text(body)?,
                image: self.unless_empty(image.as_ref())?,
                data: data.as_ref().map(|data| self.map(data)).transpose()?,
                link: self.unless_empty(link.as_ref())?,
            }),
            Parts::Whatsapp { text, template_name, language, parameters } => Content::Whatsapp(Whatsapp {
                text: self.maybe(text.as_ref())?,
                template_name: self.maybe(template_name.as_ref())?,
                language: self.maybe(language.as_ref())?,
                parameters: parameters.iter().map(|parameter| self.text(parameter)).collect::<Result<_, _>>()?,
            }),
            Parts::InApp { title, body, link, data } => Content::InApp(InApp {
                title: self.text(title)?,
                body: self.text(body)?,
                link: self.unless_empty(link.as_ref())?,
                data: data.as_ref().map(|data| self.map(data)).transpose()?,
            }),
        })
    }

    fn text(&mut self, piece: &Piece) -> Result<String, Error> {
        render(&piece.program, piece.slot, self.variables, &mut self.budget)
            .map_err(|failure| Error::invalid(self.explain(piece, failure.line, failure.problem)))
    }

    fn maybe(&mut self, piece: Option<&Piece>) -> Result<Option<String>, Error> {
        piece.map(|piece| self.text(piece)).transpose()
    }

    /// A link that a condition left out is no link.
    fn unless_empty(&mut self, piece: Option<&Piece>) -> Result<Option<String>, Error> {
        Ok(self.maybe(piece)?.filter(|text| !text.trim().is_empty()))
    }

    fn reply_to(&mut self, piece: Option<&Piece>) -> Result<Option<String>, Error> {
        let Some(text) = self.unless_empty(piece)? else {
            return Ok(None);
        };
        if address::is_plausible(text.trim()) {
            return Ok(Some(text.trim().to_owned()));
        }
        let message = "replyTo is not one e-mail address once its variables are filled in";
        Err(Error::invalid(FieldError::new(format!("{}/replyTo", self.at), "invalid_email", message)))
    }

    fn map(&mut self, data: &Data) -> Result<Map<String, Value>, Error> {
        match self.data(data)? {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    fn data(&mut self, data: &Data) -> Result<Value, Error> {
        Ok(match data {
            Data::Fixed(value) => value.clone(),
            Data::Text(piece) => Value::String(self.text(piece)?),
            Data::List(items) => Value::Array(items.iter().map(|item| self.data(item)).collect::<Result<_, _>>()?),
            Data::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.to_string(), self.data(value)?)));
                Value::Object(entries.collect::<Result<_, Error>>()?)
            }
        })
    }

    /// What the sender is told.
    fn explain(&self, piece: &Piece, line: u32, problem: Problem) -> FieldError {
        let here = format!("{}{}", self.at, piece.field);
        let field = piece.field.trim_start_matches('/');
        match problem {
            Problem::Missing { name, pointer } => {
                let message = format!("\"{name}\" is missing: {field} uses it in line {line}");
                FieldError::new(pointer.unwrap_or(here), "missing_variable", message)
            }
            Problem::Control { pointer } => {
                let what = if piece.slot.is_line() { "a line break or NUL" } else { "the character NUL" };
                let message = format!("this value has {what}, which {field} cannot hold");
                FieldError::new(pointer.unwrap_or(here), "control_character", message)
            }
            Problem::Fuel => {
                let message = format!("line {line} of {field}: this takes more work than one message may");
                FieldError::new(here, "template_too_expensive", message)
            }
            Problem::Time => {
                let message =
                    format!("line {line} of {field}: this takes longer than {} ms", self.limits.time.as_millis());
                FieldError::new(here, "template_too_expensive", message)
            }
            Problem::Output => {
                let message = format!("the message would have more than {} bytes", self.limits.output_bytes);
                FieldError::new(here, "template_output_too_large", message)
            }
            Problem::Failed(message) => {
                FieldError::new(here, "template_failed", format!("line {line} of {field}: {message}"))
            }
        }
    }
}
