//! What a JSON parser lets pass and we do not: nesting beyond 32, a key that is there twice (parsers disagree on which
//! one counts, so a proxy and we could read different messages), and NUL, which no PostgreSQL text can hold.
//!
//! One pass over the bytes, without building anything. It does not decide whether the input is JSON: the parser does
//! that afterwards, so on nonsense this may return early and say nothing.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write as _;

use carillon_domain::{Error, ErrorCode, FieldError};

/// The deepest nesting of arrays and objects.
const DEEPEST: usize = 32;
/// Objects with more keys than this look them up in a set.
const FEW: usize = 24;

/// Checks `bytes`.
///
/// # Errors
/// `invalid_request` for depth and duplicates, `validation_failed` for NUL.
pub(super) fn check(bytes: &[u8]) -> Result<(), Error> {
    Scan::new(bytes, true).run().map(drop)
}

/// Checks all but NUL: whether there is one, so that whoever reads the parts one by one can refuse just theirs.
///
/// # Errors
/// `invalid_request` for depth and duplicates.
pub(super) fn check_but_nul(bytes: &[u8]) -> Result<bool, Error> {
    Scan::new(bytes, false).run()
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Open<'a>>,
    /// The keys so far of all open objects, innermost last.
    keys: Vec<Cow<'a, [u8]>>,
    /// The next string is a key.
    key_next: bool,
    /// The first NUL ends it.
    refuses_nul: bool,
    has_nul: bool,
}

/// An object or array that is open.
struct Open<'a> {
    is_object: bool,
    /// Where its keys begin.
    keys_from: usize,
    /// Which element of an array comes next.
    index: usize,
    /// All keys of an object with many.
    seen: Option<HashSet<Cow<'a, [u8]>>>,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8], refuses_nul: bool) -> Self {
        let (open, keys) = (Vec::with_capacity(8), Vec::with_capacity(16));
        Self { bytes, at: 0, open, keys, key_next: false, refuses_nul, has_nul: false }
    }

    fn run(mut self) -> Result<bool, Error> {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => self.string()?,
                b'{' | b'[' => self.enter(byte == b'{')?,
                b'}' | b']' => self.leave(),
                b',' => self.next(),
                _ => {}
            }
        }
        Ok(self.has_nul)
    }

    fn enter(&mut self, is_object: bool) -> Result<(), Error> {
        if self.open.len() == DEEPEST {
            let detail = format!("the body is nested more than {DEEPEST} deep at {}", short(&self.pointer()));
            return Err(Error::new(ErrorCode::InvalidRequest, detail));
        }
        self.open.push(Open { is_object, keys_from: self.keys.len(), index: 0, seen: None });
        self.key_next = is_object;
        Ok(())
    }

    fn leave(&mut self) {
        if let Some(closed) = self.open.pop() {
            self.keys.truncate(closed.keys_from);
        }
        self.key_next = false;
    }

    fn next(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.index += 1;
            self.key_next = open.is_object;
        }
    }

    /// The opening quote is behind us.
    fn string(&mut self) -> Result<(), Error> {
        let from = self.at;
        let mut escaped = false;
        let mut nul = false;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    nul |= self.bytes[self.at + 1..].starts_with(b"u0000");
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
        let bytes: &'a [u8] = self.bytes;
        let text = bytes.get(from..self.at).unwrap_or_default();
        self.at += 1;
        if std::mem::take(&mut self.key_next) {
            self.key(text, escaped)?;
        }
        self.has_nul |= nul;
        if nul && self.refuses_nul {
            let message = "the character U+0000 is not allowed";
            return Err(Error::invalid(FieldError::new(self.pointer(), "control_character", message)));
        }
        Ok(())
    }

    fn key(&mut self, text: &'a [u8], escaped: bool) -> Result<(), Error> {
        let key = if escaped { unescape(text) } else { Cow::Borrowed(text) };
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let known = &self.keys[open.keys_from..];
        let twice = match &mut open.seen {
            Some(seen) => !seen.insert(key.clone()),
            None => known.contains(&key),
        };
        if open.seen.is_none() && known.len() >= FEW {
            open.seen = Some(known.iter().cloned().chain([key.clone()]).collect());
        }
        self.keys.push(key);
        if twice {
            let detail = format!("a key is there twice: {}", short(&self.pointer()));
            return Err(Error::new(ErrorCode::InvalidRequest, detail));
        }
        Ok(())
    }

    /// Where we are. Only for errors.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for (depth, open) in self.open.iter().enumerate() {
            let keys_to = self.open.get(depth + 1).map_or(self.keys.len(), |inner| inner.keys_from);
            let key = self.keys[open.keys_from..keys_to].last();
            match (open.is_object, key) {
                (true, Some(key)) => {
                    let key =
                        String::from_utf8_lossy(key).replace('~', "~0").replace('/', "~1").replace('\0', "\u{fffd}");
                    pointer.push('/');
                    pointer.push_str(&key);
                }
                (true, None) => {}
                (false, _) => {
                    let _ = write!(pointer, "/{}", open.index);
                }
            }
        }
        pointer
    }
}

/// The key as it is meant: `"\u0061"` and `"a"` are the same. What cannot be read is left to the parser to refuse.
fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    let mut quoted = Vec::with_capacity(raw.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(raw);
    quoted.push(b'"');
    serde_json::from_slice::<String>(&quoted).map_or(Cow::Borrowed(raw), |key| Cow::Owned(key.into_bytes()))
}

/// A pointer that a client may have made megabytes long.
fn short(pointer: &str) -> Cow<'_, str> {
    match pointer.char_indices().nth(200) {
        Some((end, _)) => Cow::Owned(format!("{}…", &pointer[..end])),
        None => Cow::Borrowed(pointer),
    }
}
