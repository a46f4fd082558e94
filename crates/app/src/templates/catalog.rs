use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carillon_domain::content::Content;
use carillon_domain::notification::PinnedTemplate;
use carillon_domain::principal::TenantScope;
use carillon_domain::template::{Template, TemplateVersion};
use carillon_domain::{Channel, Error, FieldError, Ref, TemplateId, TenantId, Timestamp};
use carillon_ports::TemplateStore;
use carillon_template::{Cache, Engine, check_variables, choose_part};
use chrono::TimeDelta;
use moka::future::Cache as Moka;
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::no_part;

/// A change is forgotten within about a second, by [`Catalog::follow`]; this is for what a follower may have missed.
const CURRENT_FOR: Duration = Duration::from_mins(1);
/// How far back a follower looks: for clocks that differ, and for changes that were slow to commit.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(15);
/// Each change is forgotten twice: somebody may just be putting back what he read before it.
const FORGOTTEN: u32 = 2;
/// More changes than this at once, and everything is forgotten.
const MOST_CHANGES: u32 = 10_000;

/// Templates as sending needs them: which version is current, what it says, compiled. Versions never change once they
/// are published, so only "which is current" grows old.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn TemplateStore>,
    current: Moka<(TenantId, Ref), Arc<Template>>,
    versions: Moka<(TenantId, TemplateId, i32), Arc<TemplateVersion>>,
    compiled: Cache,
    engine: Engine,
    /// The changes that were followed, and how often, as far back as a follower looks.
    followed: Arc<Mutex<HashMap<TemplateId, (Timestamp, u32)>>>,
}

/// A message that was rendered, and from what.
pub(crate) struct Rendered {
    pub(crate) content: Content,
    pub(crate) template: PinnedTemplate,
    pub(crate) locale: String,
}

impl Catalog {
    /// A catalog over `store`, bounded in bytes.
    pub fn new(store: Arc<dyn TemplateStore>) -> Self {
        let engine = Engine::default();
        Self {
            store,
            current: Moka::builder().max_capacity(100_000).time_to_live(CURRENT_FOR).build(),
            versions: Moka::builder()
                .weigher(|_, version: &Arc<TemplateVersion>| weight(version))
                .max_capacity(64 * 1024 * 1024)
                .build(),
            compiled: Cache::new(engine.clone(), Cache::DEFAULT_BYTES),
            engine,
            followed: Arc::default(),
        }
    }

    /// The engine, for content that is not a template's.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Forgets which version of `template` is current: it was changed.
    pub(crate) async fn forget(&self, template: &Template) {
        let names = [Ref::Id(template.id.0), Ref::Uuid(template.uuid), Ref::Code(template.code.clone())];
        for name in names {
            self.current.invalidate(&(template.tenant_id, name)).await;
        }
    }

    /// Forgets what other processes have changed lately. To be called every second.
    ///
    /// # Errors
    /// What the store says when it is away; the next call makes up for it.
    pub async fn follow(&self, now: Timestamp) -> Result<(), Error> {
        let mut changed = self.store.template_changes(now - LOOK_BACK, MOST_CHANGES).await?;
        if changed.len() >= MOST_CHANGES as usize {
            self.current.invalidate_all();
            return Ok(());
        }
        {
            let mut followed = self.followed.lock();
            followed.retain(|_, (at, _)| *at >= now - LOOK_BACK);
            changed.retain(|template| {
                let (at, times) = followed.entry(template.id).or_default();
                *times = if *at == template.updated_at { *times + 1 } else { 1 };
                *at = template.updated_at;
                *times <= FORGOTTEN
            });
        }
        for template in &changed {
            self.forget(template).await;
        }
        Ok(())
    }

    /// Resolves, checks the variables and renders what is current.
    pub(crate) async fn render_current(
        &self,
        scope: TenantScope,
        template: &Ref,
        at: &str,
        channel: Channel,
        locale: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<Rendered, Error> {
        let found = self.current(scope, template, at).await?;
        let number = found.current_version.ok_or_else(|| {
            let message = format!("the template \"{}\" has no published version", found.code);
            Error::invalid(FieldError::new(at, "not_published", message))
        })?;
        let pinned = PinnedTemplate { id: found.id, version: number };
        let version = self.version(scope, pinned).await?;
        check_variables(&version.body.variables, variables)?;
        let (locale, part) = choose_part(&version.body, channel, locale).ok_or_else(|| no_part(channel))?;
        let content = self.render_part(pinned, locale, channel, part, variables)?;
        Ok(Rendered { content, template: pinned, locale: locale.to_owned() })
    }

    /// Renders a pinned version again.
    pub(crate) async fn render_pinned(
        &self,
        scope: TenantScope,
        pinned: PinnedTemplate,
        channel: Channel,
        locale: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<Content, Error> {
        let version = self.version(scope, pinned).await?;
        let (locale, part) = choose_part(&version.body, channel, locale).ok_or_else(|| no_part(channel))?;
        self.render_part(pinned, locale, channel, part, variables)
    }

    fn render_part(
        &self,
        pinned: PinnedTemplate,
        locale: &str,
        channel: Channel,
        part: &Content,
        variables: &Map<String, Value>,
    ) -> Result<Content, Error> {
        let compiled = self.compiled.compiled(pinned, locale, channel, || Ok(part))?;
        self.engine.render(&compiled, variables, "/template")
    }

    async fn current(&self, scope: TenantScope, template: &Ref, at: &str) -> Result<Arc<Template>, Error> {
        let key = (scope.tenant(), template.clone());
        if let Some(found) = self.current.get(&key).await {
            return Ok(found);
        }
        match self.store.template_get(scope, template).await {
            Ok(found) => {
                let found = Arc::new(found);
                self.current.insert(key, Arc::clone(&found)).await;
                Ok(found)
            }
            Err(error) if error.code == carillon_domain::ErrorCode::NotFound => {
                Err(self.unknown(scope, template, at).await)
            }
            Err(error) => Err(error),
        }
    }

    async fn unknown(&self, scope: TenantScope, template: &Ref, at: &str) -> Error {
        let codes = self.store.template_codes(scope, 1_000).await.unwrap_or_default();
        let name = template.to_string();
        let near = carillon_domain::json::nearest(&name, codes.iter().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!(" (did you mean \"{near}\"?)"));
        let message = format!("no template \"{name}\" in tenant {}{hint}", scope.tenant());
        Error::invalid(FieldError::new(at, "unknown_template", message))
    }

    async fn version(&self, scope: TenantScope, pinned: PinnedTemplate) -> Result<Arc<TemplateVersion>, Error> {
        let key = (scope.tenant(), pinned.id, pinned.version);
        if let Some(version) = self.versions.get(&key).await {
            return Ok(version);
        }
        let version = Arc::new(self.store.template_version_pinned(scope, pinned.id, pinned.version).await?);
        self.versions.insert(key, Arc::clone(&version)).await;
        Ok(version)
    }
}

fn weight(version: &TemplateVersion) -> u32 {
    let parts = version.body.localizations.values().flat_map(|parts| parts.values());
    let text: usize = parts.map(|part| part.weight() + 200).sum();
    u32::try_from(text + 500).unwrap_or(u32::MAX)
}
