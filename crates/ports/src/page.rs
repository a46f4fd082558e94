//! Pages: a position and a bound, never a count.

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// 1 to 200.
    pub limit: u32,
    /// The position that the last page ended at; what it means is the list's own business.
    pub after: Option<i64>,
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The rows, in the list's order. May be fewer than asked for although more follow (a row budget was used up).
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<i64>,
}
