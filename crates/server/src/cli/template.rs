//! `carillon template`: the list, and templates as files. A file is `CODE.json`:
//!
//! ```json
//! { "code": "welcome", "name": "Welcome", "description": "optional",
//!   "version": { "defaultLocale": "en", "variables": [], "localizations": {} } }
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::args::{TemplateArgs, TemplateCommand};
use super::http::Client;
use super::output::{Output, text};
use crate::exit::Failure;

/// What of a version is the author's; the rest is the server's.
const VERSION: [&str; 3] = ["defaultLocale", "variables", "localizations"];

/// Does it.
pub(crate) async fn run(args: TemplateArgs) -> Result<(), Failure> {
    let client = Client::new(&args.reach)?;
    let out = Output::new(args.reach.output);
    match args.command {
        TemplateCommand::List => {
            let rows = client.all(&["templates"], &[], usize::MAX).await?;
            out.show(&json!({"data": rows}), &["ID", "CODE", "NAME", "VERSION", "UPDATED"], || {
                rows.iter().map(|template| row(out, template)).collect()
            })
        }
        TemplateCommand::Push { folder, publish } => push(&client, out, &folder, publish).await,
        TemplateCommand::Pull { folder } => pull(&client, out, &folder).await,
    }
}

fn row(out: Output, template: &Value) -> Vec<String> {
    let version = match &template["currentVersion"] {
        Value::Null => "draft".to_owned(),
        version => text(version),
    };
    vec![
        text(&template["id"]),
        text(&template["code"]),
        text(&template["name"]),
        version,
        out.time(&template["updatedAt"]),
    ]
}

/// Reads every file before it sends one: a typing error in the last must not leave half of a folder behind.
async fn push(client: &Client, out: Output, folder: &Path, publish: bool) -> Result<(), Failure> {
    let files = read(folder)?;
    let mut done = Vec::new();
    for file in &files {
        let code = text(&file["code"]);
        let said = push_one(client, file, &code, publish).await.inspect_err(|_| {
            let _ = out.line(&format!("{code}: refused"));
        })?;
        if !out.is_json() {
            out.line(&format!("{code}: {}", text(&said["result"])))?;
        }
        done.push(said);
    }
    if out.is_json() { out.json(&json!({"data": done})) } else { Ok(()) }
}

async fn push_one(client: &Client, file: &Value, code: &str, publish: bool) -> Result<Value, Failure> {
    let made = match client.get(&["templates", code], &[]).await {
        Ok(template) => {
            if template["name"] != file["name"] || template["description"] != file["description"] {
                let patch = json!({"name": file["name"], "description": file["description"]});
                client.patch(&["templates", code], &patch).await?;
            }
            if let Some(latest) = latest(client, code).await?
                && author(&latest) == author(&file["version"])
            {
                return settle(client, code, &latest, publish, "unchanged").await;
            }
            "new version"
        }
        Err(Failure::Problem(problem)) if problem.status == 404 => {
            let mut new = json!({"code": code, "name": file["name"]});
            if !file["description"].is_null() {
                new["description"] = file["description"].clone();
            }
            client.post(&["templates"], Some(&new)).await?;
            "made"
        }
        Err(other) => return Err(other),
    };
    let version = client.post(&["templates", code, "versions"], Some(&file["version"])).await?;
    settle(client, code, &version, publish, made).await
}

async fn settle(client: &Client, code: &str, version: &Value, publish: bool, made: &str) -> Result<Value, Failure> {
    let number = text(&version["version"]);
    let published = version["status"] == "published";
    if publish && !published {
        client.post(&["templates", code, "versions", &number, "publish"], None).await?;
    }
    let state = if publish || published { "published" } else { "draft" };
    Ok(json!({"code": code, "version": version["version"], "result": format!("{made}, version {number} ({state})")}))
}

/// The highest version there is.
async fn latest(client: &Client, code: &str) -> Result<Option<Value>, Failure> {
    let versions = client.all(&["templates", code, "versions"], &[], usize::MAX).await?;
    let Some(version) = versions.into_iter().max_by_key(|version| version["version"].as_i64()) else { return Ok(None) };
    if version["localizations"].is_object() {
        return Ok(Some(version));
    }
    Ok(Some(client.get(&["templates", code, "versions", &text(&version["version"])], &[]).await?))
}

/// The author's part of a version, with what may be left out filled in.
fn author(version: &Value) -> Value {
    let mut kept: serde_json::Map<String, Value> =
        VERSION.iter().map(|key| ((*key).to_owned(), version[*key].clone())).collect();
    if kept["variables"].is_null() {
        kept.insert("variables".to_owned(), json!([]));
    }
    for variable in kept.get_mut("variables").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(fields) = variable.as_object_mut() {
            fields.entry("required").or_insert(json!(false));
        }
    }
    strip_nulls(Value::Object(kept))
}

/// An absent part and a null one are the same.
fn strip_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, strip_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(strip_nulls).collect(),
        other => other,
    }
}

async fn pull(client: &Client, out: Output, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::plain(format!("cannot make {}: {error}", folder.display())))?;
    let mut done = Vec::new();
    for template in client.all(&["templates"], &[], usize::MAX).await? {
        let code = text(&template["code"]);
        let Some(version) = latest(client, &code).await? else { continue };
        let mut file = json!({"code": code, "name": template["name"]});
        if !template["description"].is_null() {
            file["description"] = template["description"].clone();
        }
        file["version"] = author(&version);
        let path = path(folder, &code)?;
        fs::write(&path, format!("{file:#}\n"))
            .map_err(|error| Failure::plain(format!("cannot write {}: {error}", path.display())))?;
        if !out.is_json() {
            out.line(&path.display().to_string())?;
        }
        done.push(json!({"code": code, "file": path}));
    }
    if out.is_json() { out.json(&json!({"data": done})) } else { Ok(()) }
}

/// A code comes from a server: it must not lead out of the folder.
fn path(folder: &Path, code: &str) -> Result<PathBuf, Failure> {
    if code.is_empty() || code.starts_with('.') || code.contains(['/', '\\', '\0']) {
        return Err(Failure::plain(format!("the template code \"{code}\" cannot be a file name")));
    }
    Ok(folder.join(format!("{code}.json")))
}

fn read(folder: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| Failure::plain(format!("{}: {why}", path.display()));
    let entries = fs::read_dir(folder).map_err(|error| wrong(folder, &error))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    if paths.is_empty() {
        return Err(wrong(folder, &"no template files (CODE.json) in here"));
    }
    let load = |path: &PathBuf| {
        let bytes = fs::read(path).map_err(|error| wrong(path, &error))?;
        let file: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(path, &error))?;
        check(&file, path).map_err(|why| wrong(path, &why))?;
        Ok(file)
    };
    paths.iter().map(load).collect()
}

/// The frame of a file; what is inside `version` is the server's to judge.
fn check(file: &Value, path: &Path) -> Result<(), String> {
    let fields = file.as_object().ok_or("not a JSON object")?;
    if let Some(unknown) = fields.keys().find(|key| !["code", "name", "description", "version"].contains(&key.as_str()))
    {
        return Err(format!("\"{unknown}\" does not belong there: code, name, description and version do"));
    }
    let code = file["code"].as_str().ok_or("\"code\" is missing")?;
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(code) {
        return Err(format!("the code is \"{code}\", so the file must be called {code}.json"));
    }
    if !file["name"].is_string() {
        return Err("\"name\" is missing".to_owned());
    }
    if file["version"].is_object() { Ok(()) } else { Err("\"version\" is missing".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{author, check, path, read};

    #[test]
    fn a_file_must_have_its_frame() {
        let good = json!({"code": "welcome", "name": "Welcome", "version": {"defaultLocale": "en"}});
        assert_eq!(check(&good, Path::new("x/welcome.json")), Ok(()));
        assert!(check(&good, Path::new("x/other.json")).unwrap_err().contains("welcome.json"));
        assert!(check(&json!({"code": "a", "nam": 1}), Path::new("a.json")).unwrap_err().contains("\"nam\""));
        assert!(check(&json!([]), Path::new("a.json")).is_err());
    }

    #[test]
    fn a_code_stays_in_the_folder() {
        assert!(path(Path::new("d"), "order.shipped").is_ok());
        for code in ["", "..", "../x", "a/b", ".hidden"] {
            assert!(path(Path::new("d"), code).is_err(), "{code}");
        }
    }

    #[test]
    fn what_the_server_adds_is_no_difference() {
        let file = json!({"defaultLocale": "en", "variables": [{"name": "n"}], "localizations": {"en": {"sms": {"text": "x"}}}});
        let server = json!({"id": 1, "uuid": "u", "version": 3, "status": "draft", "defaultLocale": "en",
            "variables": [{"name": "n", "required": false}], "localizations": {"en": {"sms": {"text": "x", "more": null}}}});
        assert_eq!(author(&file), author(&server));
    }

    #[test]
    fn an_empty_folder_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("no template files"));
        std::fs::write(folder.path().join("a.json"), "{").unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("a.json: EOF"));
    }
}
