//! Who is asking, and what they may do. A principal is a function of verified credentials only.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::tenant::KeyKind;
use crate::{ApiKeyId, Error, ErrorCode, TenantId};

/// A verified caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The tenant that the credentials belong to.
    pub home: TenantId,
    /// Which credentials.
    pub subject: Subject,
    /// What they allow.
    pub roles: Arc<[Role]>,
    /// Narrows the roles, if there.
    pub scopes: Option<Arc<BTreeSet<String>>>,
    /// Whether real providers can be reached.
    pub kind: KeyKind,
}

/// Which credentials a principal came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An API key.
    ApiKey(ApiKeyId),
    /// The process itself: workers, the command line on the machine.
    System,
}

impl Principal {
    /// The process itself, for background work.
    pub fn system(tenant: TenantId) -> Self {
        Self {
            home: tenant,
            subject: Subject::System,
            roles: Arc::new([Role::PlatformAdmin]),
            scopes: None,
            kind: KeyKind::Live,
        }
    }

    /// Whether this is a platform administrator, who may choose a tenant.
    pub fn is_platform_admin(&self) -> bool {
        self.roles.contains(&Role::PlatformAdmin)
    }

    /// Whether one of the roles allows `action` and no scope forbids it.
    ///
    /// # Errors
    /// `forbidden`, naming the scope that is missing.
    pub fn may(&self, action: Action) -> Result<(), Error> {
        let scope = action.scope();
        let narrowed = self.scopes.as_ref().is_some_and(|scopes| !scopes.contains(scope));
        if narrowed || !self.roles.iter().any(|role| role.allows(action)) {
            return Err(Error::new(ErrorCode::Forbidden, format!("these credentials do not allow {scope}")));
        }
        Ok(())
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident $scope:literal [$($role:ident)*];)*) => {
        /// Everything that can be asked of a service, and which roles may (platform administrators and a tenant's own
        /// administrators are named too: the table is the whole truth).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant,)* }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The scope that names it.
            pub const fn scope(self) -> &'static str {
                match self { $(Self::$variant => $scope,)* }
            }

            const fn roles(self) -> &'static [Role] {
                match self { $(Self::$variant => &[$(Role::$role,)*],)* }
            }
        }
    };
}

actions! {
    /// Send, one or a batch.
    NotificationSend "notifications:send" [PlatformAdmin Admin Send];
    /// List, get, content, timeline.
    NotificationRead "notifications:read" [PlatformAdmin Admin Operator Send Viewer];
    /// Cancel, retry.
    NotificationOperate "notifications:operate" [PlatformAdmin Admin Operator];
    /// Mark as read.
    NotificationMarkRead "notifications:mark-read" [PlatformAdmin Admin Operator Send];
    /// List and get dead letters.
    DeadLetterRead "dead-letters:read" [PlatformAdmin Admin Operator Viewer];
    /// Replay dead letters.
    DeadLetterReplay "dead-letters:replay" [PlatformAdmin Admin Operator];
    /// List, get, preview templates.
    TemplateRead "templates:read" [PlatformAdmin Admin Editor Operator Send Viewer];
    /// Create, change, publish, roll back, delete templates.
    TemplateEdit "templates:edit" [PlatformAdmin Admin Editor];
    /// Create, change, delete tenants; list all of them.
    TenantManage "tenants:manage" [PlatformAdmin];
    /// Get one's own tenant.
    TenantRead "tenants:read" [PlatformAdmin Admin Editor Operator Send Viewer];
    /// Create, list, revoke API keys.
    ApiKeyManage "api-keys:manage" [PlatformAdmin Admin];
    /// See captured sandbox messages.
    SandboxRead "sandbox:read" [PlatformAdmin Admin Editor Operator Send Viewer];
    /// Empty the sandbox.
    SandboxClear "sandbox:clear" [PlatformAdmin Admin Editor Operator];
}

/// A bundle of permissions, as a key's `roles` or a token's `notifications-…` claim names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, in every tenant.
    PlatformAdmin,
    /// Everything in its tenant.
    Admin,
    /// Templates: edit, publish, preview, test.
    Editor,
    /// Deliveries: read, retry, cancel, replay.
    Operator,
    /// Send, and read what it sent.
    Send,
    /// Read.
    Viewer,
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 6] =
        [Self::PlatformAdmin, Self::Admin, Self::Editor, Self::Operator, Self::Send, Self::Viewer];

    /// The canonical word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform-admin",
            Self::Admin => "admin",
            Self::Editor => "editor",
            Self::Operator => "operator",
            Self::Send => "send",
            Self::Viewer => "viewer",
        }
    }

    /// The role with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the role alone allows `action`.
    pub fn allows(self, action: Action) -> bool {
        action.roles().contains(&self)
    }
}

impl Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The tenant in which an authorised operation happens. Only [`Principal::scope`] makes one, so a store method that
/// asks for it cannot be reached without authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantScope(TenantId);

impl TenantScope {
    /// The tenant.
    pub const fn tenant(self) -> TenantId {
        self.0
    }
}

impl Principal {
    /// Authorises `action` in `tenant` (the principal's own, or any for a platform administrator).
    ///
    /// # Errors
    /// `forbidden` if the roles do not allow it, or the tenant is another's.
    pub fn scope(&self, action: Action, tenant: TenantId) -> Result<TenantScope, Error> {
        self.may(action)?;
        if tenant != self.home && !self.is_platform_admin() {
            return Err(Error::new(ErrorCode::Forbidden, "these credentials belong to another tenant"));
        }
        Ok(TenantScope(tenant))
    }
}
