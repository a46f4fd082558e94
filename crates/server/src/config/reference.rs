//! `docs/configuration.md` and `.env.example`, made from the table. `cargo xtask generate` writes them.

use std::fmt::Write as _;

use super::setting::{Group, Kind, Setting};
use super::table::SETTINGS;

const HEAD: &str = "\
# Configuration

Made by `cargo xtask generate` from the table in `crates/server/src/config/table.rs`; edit that.

A setting is looked for in this order, and the first that has it wins:

1. a flag of `carillon`, `carillon serve`, `migrate`, `config` or `doctor`: `--data-dir /var/lib/carillon`;
2. the environment: `CARILLON_DATA_DIR=/var/lib/carillon` (a main name before its aliases; set to nothing means not set);
3. for secrets and URLs a file that the environment names: `SMTP_URL_FILE=/run/secrets/smtp`;
4. `carillon.toml` in the working folder, or the file that `CARILLON_CONFIG` names: `data_dir = \"/var/lib/carillon\"`;
5. the default.

An unknown `CARILLON_…` variable, an unknown key of the file or an impossible value stops the start with one line, and the exit code is 5.
`carillon config` shows what is in force and where each value came from, with secrets masked.
Client commands (`carillon send`, …) read `CARILLON_URL` and `CARILLON_API_KEY`.
";

/// `docs/configuration.md`.
pub(crate) fn markdown() -> String {
    let mut page = HEAD.to_owned();
    for group in Group::ALL {
        let _ = write!(page, "\n## {}\n", group.title());
        if group == Group::Later {
            page.push_str("\nOne line at the start says which of them are set.\n\n| variable | key | what it is for |\n|---|---|---|\n");
        }
        for setting in SETTINGS.iter().filter(|setting| setting.group == group) {
            if group == Group::Later {
                let _ = writeln!(page, "| {} | `{}` | {} |", names(setting), setting.key, setting.doc);
            } else {
                entry(&mut page, setting);
            }
        }
    }
    page
}

fn names(setting: &Setting) -> String {
    let mut names = format!("`{}`", setting.name);
    for alias in setting.aliases {
        let _ = write!(names, ", `{alias}`");
    }
    names
}

fn entry(page: &mut String, setting: &Setting) {
    let _ = write!(page, "\n### `{}`\n\n{}\n\n", setting.name, setting.doc);
    let default = setting.default.map_or_else(|| "none".to_owned(), |value| format!("`{value}`"));
    let _ = writeln!(page, "* default: {default}");
    if let Some(expected) = setting.expects() {
        let _ = writeln!(page, "* value: {expected}");
    }
    if setting.name != "CARILLON_CONFIG" {
        let _ = writeln!(page, "* key: `{}`", setting.key);
    }
    match setting.flag() {
        Some(flag) => {
            let _ = writeln!(page, "* flag: `--{flag}`");
        }
        None => page.push_str("* flag: none, because flags can be seen by other users\n"),
    }
    if setting.takes_file() {
        let _ = writeln!(page, "* from a file: `{}_FILE`", setting.name);
    }
    if !setting.aliases.is_empty() {
        let aliases: Vec<_> = setting.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = writeln!(page, "* aliases: {}", aliases.join(", "));
    }
}

/// `.env.example`: every setting that has an effect, commented out at its default.
pub(crate) fn env_example() -> String {
    let mut text =
        "# Made by `cargo xtask generate`. Copy to .env and load it with your process manager or `set -a; . ./.env`.\n\
                    # docs/configuration.md says more about each.\n"
            .to_owned();
    for group in Group::ALL.into_iter().filter(|group| *group != Group::Later) {
        let _ = write!(text, "\n# --- {} ---\n", group.title());
        for setting in SETTINGS.iter().filter(|setting| setting.group == group) {
            let doc = setting.doc.replace('`', "");
            let value = setting.default.unwrap_or_default();
            let value = if value.contains([' ', '<', '>']) { format!("'{value}'") } else { value.to_owned() };
            let secret = if setting.kind == Kind::Secret { " Secret." } else { "" };
            let _ = write!(text, "\n# {doc}{secret}\n# {}={value}\n", setting.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{env_example, markdown};

    /// A reader of the repository sees what the program does.
    #[test]
    fn the_committed_pages_are_those_of_the_table() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (file, made) in [("docs/configuration.md", markdown()), (".env.example", env_example())] {
            let committed = std::fs::read_to_string(root.join(file)).unwrap_or_default();
            assert_eq!(committed.trim_end(), made.trim_end(), "{file} is out of date: cargo xtask generate");
        }
    }
}
