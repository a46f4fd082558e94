//! Pages as a client sees them: an opaque, URL-safe cursor that belongs to one list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use carillon_domain::{Error, ErrorCode, FieldError};
use carillon_ports::{Page, Slice};

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// 1 to 200; 50 unless told.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// A page as a client gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows.
    pub data: Vec<T>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<String>,
}

impl PageRequest {
    /// Reads limit and cursor for the list `list`, whose word is part of its cursors.
    ///
    /// # Errors
    /// `validation_failed` for the limit, `invalid_request` for a cursor that this list did not make.
    pub(crate) fn page(&self, list: &str) -> Result<Page, Error> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(Error::invalid(FieldError::new("/limit", "out_of_range", "limit is 1 to 200")));
        }
        let after = self.cursor.as_deref().map(|cursor| position(cursor, list)).transpose()?;
        Ok(Page { limit, after })
    }
}

impl<T> Listed<T> {
    pub(crate) fn from_slice<U>(slice: Slice<U>, list: &str, convert: impl Fn(U) -> T) -> Self {
        Self {
            data: slice.items.into_iter().map(convert).collect(),
            next: slice.next.map(|next| URL_SAFE_NO_PAD.encode(format!("{list}:{next}"))),
        }
    }

    /// Converts the rows.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Listed<U> {
        Listed { data: self.data.into_iter().map(convert).collect(), next: self.next }
    }
}

fn position(cursor: &str, list: &str) -> Result<i64, Error> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        text.strip_prefix(list)?.strip_prefix(':')?.parse().ok()
    };
    read().ok_or_else(|| Error::new(ErrorCode::InvalidRequest, "the cursor is not one of this list's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_in_its_own_list_only() {
        let listed = Listed::from_slice(Slice { items: vec![1], next: Some(42) }, "things", |n| n);
        let request = PageRequest { limit: None, cursor: listed.next };
        assert_eq!(request.page("things").unwrap(), Page { limit: 50, after: Some(42) });
        assert_eq!(request.page("others").unwrap_err().code, ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_tampered_cursor_and_an_impossible_limit_are_refused() {
        let cursor = |text: &str| PageRequest { limit: None, cursor: Some(text.to_owned()) };
        assert_eq!(cursor("!").page("things").unwrap_err().code, ErrorCode::InvalidRequest);
        assert_eq!(cursor("dGhpbmdzOng").page("things").unwrap_err().code, ErrorCode::InvalidRequest);
        for limit in [0, 201] {
            let request = PageRequest { limit: Some(limit), cursor: None };
            assert_eq!(request.page("things").unwrap_err().code, ErrorCode::ValidationFailed);
        }
    }
}
