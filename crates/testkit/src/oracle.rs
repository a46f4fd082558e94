//! The judge after the storm: what was accepted has arrived, what arrived was asked for, what arrived twice says so, and
//! every timeline is one that could have happened.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::load::Taken;
use crate::process::Client;
use crate::rows::{Rows, Story};

mod lattice;

/// How long nothing may arrive any more before it is believed that nothing will.
const QUIET: Duration = Duration::from_millis(300);

/// What is compared.
pub struct Oracle<'a> {
    /// What the load was told.
    pub taken: &'a Taken,
    /// What the provider has taken.
    pub ledger: &'a Ledger,
    /// A client of a living process for each tenant.
    pub tenants: Vec<Client>,
    /// The server's database.
    pub rows: Rows,
}

/// What was found: numbers for further questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Findings {
    /// Notifications that were answered with 202.
    pub accepted: usize,
    /// Repeats at the provider.
    pub duplicates: usize,
    /// Notifications whose timeline says that the provider may have had it.
    pub doubted: usize,
}

impl Oracle<'_> {
    /// Waits at most `patience` until nothing is under way (I6), and judges: nothing lost (I1), at most `duplicates`
    /// repeats and each of them told (I2), nothing that nobody asked for (I3), no impossible timeline (I5).
    ///
    /// # Panics
    /// With all that is wrong, under the name `what`.
    pub async fn judge(&self, what: &str, duplicates: usize, patience: Duration) -> Findings {
        self.quiet(what, patience).await;
        let stories = self.rows.stories().await;
        let known = self.known(what).await;
        let mut wrong = Vec::new();
        self.lost(&stories, &known, &mut wrong).await;
        self.phantoms(&known, &mut wrong);
        self.repeats(&stories, duplicates, &mut wrong);
        for (uuid, story) in &stories {
            if let Err(why) = lattice::check(story) {
                wrong.push(format!("impossible timeline of {uuid}: {why}"));
            }
        }
        let shown: Vec<_> = wrong.iter().take(20).map(String::as_str).collect();
        assert!(wrong.is_empty(), "{what}: {} mistakes:\n{}", wrong.len(), shown.join("\n"));
        Findings {
            accepted: self.taken.receipts.len(),
            duplicates: usize::try_from(self.ledger.duplicates()).unwrap_or(usize::MAX),
            doubted: stories.values().filter(|story| story.is_doubted()).count(),
        }
    }

    /// I6: no work is left, no lease of nobody, and nothing arrives.
    async fn quiet(&self, what: &str, patience: Duration) {
        let until = Instant::now() + patience;
        let mut arrived = (self.ledger.total(), Instant::now());
        loop {
            let (working, orphans) = (self.rows.working().await, self.rows.orphans().await);
            if self.ledger.total() != arrived.0 {
                arrived = (self.ledger.total(), Instant::now());
            }
            if working == 0 && orphans == 0 && arrived.1.elapsed() >= QUIET {
                return;
            }
            assert!(
                Instant::now() < until,
                "{what}: after {patience:?}, {working} rows wait and {orphans} leases are nobody's"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Uuid and status of all that the API lists.
    async fn known(&self, what: &str) -> HashMap<String, String> {
        let mut known = HashMap::new();
        for client in &self.tenants {
            let mut cursor = String::new();
            loop {
                let (status, page) = client.get(&format!("/api/v1/notifications?limit=200{cursor}")).await;
                assert_eq!(status, 200, "{what}: {page}");
                for row in page["data"].as_array().into_iter().flatten() {
                    let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
                    let again = known.insert(word("uuid"), word("status"));
                    assert_eq!(again, None, "{what}: listed twice: {row}");
                }
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
        }
        known
    }

    /// I1: each accepted one has ended or is parked, and an e-mail that was sent is in the ledger.
    async fn lost(&self, stories: &HashMap<String, Story>, known: &HashMap<String, String>, wrong: &mut Vec<String>) {
        let parked: HashSet<String> = self.rows.parked().await.into_iter().collect();
        for receipt in &self.taken.receipts {
            let uuid = &receipt.uuid;
            let (Some(shown), Some(story)) = (known.get(uuid), stories.get(uuid)) else {
                wrong.push(format!("lost: {uuid} is nowhere"));
                continue;
            };
            if shown != story.status.as_str() {
                wrong.push(format!("{uuid} is {} on disk and {shown} in the API", story.status));
            }
            if !lattice::is_settled(story.status) && !parked.contains(uuid) {
                wrong.push(format!("lost: {uuid} is {shown} and nobody works on it"));
            }
            if receipt.email && shown == "sent" && self.ledger.count(uuid) == 0 {
                wrong.push(format!("lost: {uuid} is sent, and nobody has it"));
            }
        }
    }

    /// I3: what arrived was accepted, or asked for without an answer; and no request has made two.
    fn phantoms(&self, known: &HashMap<String, String>, wrong: &mut Vec<String>) {
        let accepted: HashSet<&str> = self.taken.receipts.iter().map(|receipt| receipt.uuid.as_str()).collect();
        let doubtful: HashSet<&str> = self.taken.unanswered.iter().map(String::as_str).collect();
        let mut names: HashMap<String, String> = HashMap::new();
        for effect in self.ledger.effects() {
            let name = effect.to.split('@').next().unwrap_or_default().to_owned();
            if !known.contains_key(&effect.id) {
                wrong.push(format!("phantom: {} was sent and the API does not know it", effect.id));
            }
            if !accepted.contains(effect.id.as_str()) && !doubtful.contains(name.as_str()) {
                wrong.push(format!("phantom: {} for {name} was sent and never accepted", effect.id));
            }
            if let Some(other) = names.insert(name, effect.id.clone())
                && other != effect.id
            {
                wrong.push(format!("one request has made {other} and {}", effect.id));
            }
        }
    }

    /// I2: repeats are few, and each is told.
    fn repeats(&self, stories: &HashMap<String, Story>, most: usize, wrong: &mut Vec<String>) {
        let repeats = self.ledger.duplicates();
        if repeats > most as u64 {
            wrong.push(format!("{repeats} were sent twice; at most {most} may be"));
        }
        let arrived: BTreeSet<String> = self.ledger.effects().into_iter().map(|effect| effect.id).collect();
        for uuid in arrived.iter().filter(|uuid| self.ledger.count(uuid) > 1) {
            if !stories.get(uuid).is_some_and(Story::is_doubted) {
                wrong.push(format!("{uuid} was sent twice, and its timeline does not say so"));
            }
        }
    }
}
