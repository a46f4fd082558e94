//! The configuration tables through SeaORM, once for both databases. Nothing of the hot path is in here.

mod api_keys;
mod db;
mod entity;
mod localizations;
mod templates;
mod tenants;
mod versions;

use carillon_ports::{Page, Slice};

pub(crate) use db::Db;

/// The stores of configuration, over one database.
pub(crate) struct Repo {
    db: Db,
}

impl Repo {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

/// One row more than the page is asked for tells whether another page follows.
fn slice<R, T, E>(
    page: Page,
    mut rows: Vec<R>,
    position: impl Fn(&R) -> i64,
    convert: impl FnMut(R) -> Result<T, E>,
) -> Result<Slice<T>, E> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(position) } else { None };
    Ok(Slice { items: rows.into_iter().map(convert).collect::<Result<_, E>>()?, next })
}
