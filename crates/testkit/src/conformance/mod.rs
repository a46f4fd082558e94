//! The promises of the store, each a case that runs on every engine. A case is written against the traits of `ports`
//! alone; a trait method without a case fails the build's tests.
//!
//! `conformance_cases!` (in `cases`) is the one list: it makes the table [`CASES`] here and the tests of an engine there.
#![expect(clippy::unwrap_used, reason = "cases are tests: what fails here is the finding")]

#[macro_use]
mod cases;

mod coverage;
mod db;
mod draft;
mod verdicts;

mod cancelling;
mod intake;
mod leases;
mod log;
mod model;
mod months;
mod ordering;
mod outcomes;
mod queue;
mod reading;
mod sandbox;
mod templates;
mod tenants;

use std::pin::Pin;

pub use db::{Db, Engine};

/// A promise and the code that proves it.
pub struct Case {
    /// Reads as the promise.
    pub name: &'static str,
    /// The trait methods that it proves.
    pub proves: &'static [&'static str],
    run: for<'a> fn(&'a Db) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

impl Case {
    /// The case called `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn named(name: &str) -> &'static Self {
        CASES.iter().find(|case| case.name == name).unwrap()
    }

    /// Whether it must be the first to write to the database.
    pub fn wants_empty(&self) -> bool {
        self.proves.contains(&"first_start")
    }

    /// Runs it.
    ///
    /// # Panics
    /// If the promise is broken.
    pub async fn run(&self, db: &Db) {
        (self.run)(db).await;
    }
}

macro_rules! table {
    ($($module:ident { $($case:ident [$($method:ident)*])* })*) => {
        /// Every case.
        pub const CASES: &[Case] = &[$($(Case {
            name: stringify!($case),
            proves: &[$(stringify!($method)),*],
            run: |db| Box::pin($module::$case(db)),
        },)*)*];
    };
}
conformance_cases!(table);
