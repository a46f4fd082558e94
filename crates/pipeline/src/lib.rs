//! Accepting, claiming, delivering and finishing work, in batches. `docs/delivery.md` tells the whole path.
//!
//! * [`acceptor`](Pipeline::accept): what arrives while a commit runs is written by the next one.
//! * `lanes`: which row may be sent now; pure state, one lock.
//! * `sender`: one provider call. `verdict`: what follows from its outcome.
//! * `outcomes`: what ended together is written together, and the same commit permits the next sends.
//! * `claims`: what lies in the table comes into memory, as much as fits.
//! * `lease`, `janitor`, `drain`: being alive, cleaning up, leaving.

mod acceptor;
mod claims;
mod crash;
mod drain;
mod ids;
mod janitor;
mod lanes;
mod lease;
mod outcomes;
mod pipeline;
mod sender;
mod settings;
mod shared;
mod tally;
mod task;
mod verdict;
mod wake;

pub use pipeline::{Health, Pipeline};
pub use settings::Settings;
