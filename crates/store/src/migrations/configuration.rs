//! The configuration tables: tenants, keys, templates. Small and rarely written, so one description serves both
//! databases. Lists and maps that we only carry are JSON text. Nothing on the hot path refers to them by foreign key.

use sea_orm::DbErr;
use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_query::{
    Alias, ColumnDef, Expr, ExprTrait as _, ForeignKey, Index, IndexCreateStatement, Table, TableCreateStatement,
};

pub(super) async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for table in [tenants(), api_keys(), templates(), template_versions(), template_localizations()] {
        manager.create_table(table).await?;
    }
    let indexes = [
        unique_alive("tenants_code", "tenants", &["code"]),
        index("tenants_deleted", "tenants", &["deleted_at"]),
        index("api_keys_revoked", "api_keys", &["revoked_at"]),
        index("api_keys_tenant", "api_keys", &["tenant_id", "id"]),
        index("templates_tenant", "templates", &["tenant_id", "id"]),
        index("templates_changed", "templates", &["updated_at"]),
        unique_alive("templates_code", "templates", &["tenant_id", "code"]),
        unique("template_versions_number", "template_versions", &["template_id", "version"]),
        unique("template_localizations_locale", "template_localizations", &["version_id", "locale"]),
    ];
    for index in indexes {
        manager.create_index(index).await?;
    }
    Ok(())
}

fn tenants() -> TableCreateStatement {
    object("tenants")
        .col(column("code").text().not_null())
        .col(column("name").text().not_null())
        .col(column("created_at").timestamp_with_time_zone().not_null())
        .col(column("updated_at").timestamp_with_time_zone().not_null())
        .col(column("deleted_at").timestamp_with_time_zone())
        .take()
}

fn api_keys() -> TableCreateStatement {
    object("api_keys")
        .col(column("tenant_id").big_integer().not_null())
        .col(column("name").text().not_null())
        .col(column("kind").text().not_null())
        .col(column("prefix").text().not_null())
        .col(column("hash").binary().not_null().unique_key())
        .col(column("roles").text().not_null())
        .col(column("scopes").text())
        .col(column("expires_at").timestamp_with_time_zone())
        .col(column("revoked_at").timestamp_with_time_zone())
        .col(column("created_at").timestamp_with_time_zone().not_null())
        .foreign_key(ForeignKey::create().from(name("api_keys"), name("tenant_id")).to(name("tenants"), name("id")))
        .take()
}

fn templates() -> TableCreateStatement {
    object("templates")
        .col(column("tenant_id").big_integer().not_null())
        .col(column("code").text().not_null())
        .col(column("name").text().not_null())
        .col(column("description").text())
        .col(column("current_version").integer())
        .col(column("next_version").integer().not_null().default(1))
        .col(column("created_at").timestamp_with_time_zone().not_null())
        .col(column("updated_at").timestamp_with_time_zone().not_null())
        .col(column("deleted_at").timestamp_with_time_zone())
        .foreign_key(ForeignKey::create().from(name("templates"), name("tenant_id")).to(name("tenants"), name("id")))
        .take()
}

fn template_versions() -> TableCreateStatement {
    object("template_versions")
        .col(column("template_id").big_integer().not_null())
        .col(column("tenant_id").big_integer().not_null())
        .col(column("version").integer().not_null())
        .col(column("status").text().not_null())
        .col(column("default_locale").text().not_null())
        .col(column("variables").text().not_null())
        .col(column("created_at").timestamp_with_time_zone().not_null())
        .col(column("published_at").timestamp_with_time_zone())
        .foreign_key(
            ForeignKey::create().from(name("template_versions"), name("template_id")).to(name("templates"), name("id")),
        )
        .take()
}

fn template_localizations() -> TableCreateStatement {
    Table::create()
        .table(name("template_localizations"))
        .col(column("id").big_integer().not_null().auto_increment().primary_key())
        .col(column("version_id").big_integer().not_null())
        .col(column("locale").text().not_null())
        .col(column("parts").text().not_null())
        .foreign_key(
            ForeignKey::create()
                .from(name("template_localizations"), name("version_id"))
                .to(name("template_versions"), name("id")),
        )
        .take()
}

/// A table whose rows have an id and a public uuid.
fn object(table: &str) -> TableCreateStatement {
    Table::create()
        .table(name(table))
        .col(column("id").big_integer().not_null().auto_increment().primary_key())
        .col(column("uuid").uuid().not_null().unique_key())
        .take()
}

fn name(word: &str) -> Alias {
    Alias::new(word)
}

fn column(word: &str) -> ColumnDef {
    ColumnDef::new(name(word))
}

fn index(index: &str, table: &str, columns: &[&str]) -> IndexCreateStatement {
    let mut statement = Index::create();
    statement.name(index).table(name(table));
    for column in columns {
        statement.col(name(column));
    }
    statement
}

fn unique(index_name: &str, table: &str, columns: &[&str]) -> IndexCreateStatement {
    index(index_name, table, columns).unique().take()
}

/// Unique among the rows that are not deleted: a deleted row's code is free again.
fn unique_alive(index_name: &str, table: &str, columns: &[&str]) -> IndexCreateStatement {
    use sea_orm_migration::sea_query::ConditionalStatement as _;
    unique(index_name, table, columns).and_where(Expr::col(name("deleted_at")).is_null()).take()
}
