//! The chat template: Jinja source, from its own file or from the tokenizer's configuration.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::error::Error;

/// The folder's chat template, if it has one. Of several named ones, the one named `default`.
///
/// # Errors
/// A file cannot be read, or is not what it should be.
pub fn chat_template(dir: &Path) -> Result<Option<String>, Error> {
    let own = dir.join("chat_template.jinja");
    if own.exists() {
        return fs::read_to_string(&own).map(Some).map_err(Error::io(&own, "read it as text"));
    }
    let path = dir.join("tokenizer_config.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read(&path).map_err(Error::io(&path, "read it"))?;
    let config: Value = serde_json::from_slice(&text)
        .map_err(|error| Error::input(&path, format!("not valid JSON: {error}")))?;
    match config.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(template)) => Ok(Some(template.clone())),
        Some(Value::Array(named)) => Ok(named
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|entry| entry.get("template")?.as_str().map(str::to_owned))),
        Some(_) => Err(Error::Config {
            path,
            field: "chat_template".into(),
            problem: "expected text, or an array of named templates".into(),
        }),
    }
}
