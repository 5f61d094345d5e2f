//! How the model's makers want its tokens drawn: `generation_config.json`.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Error;

/// Fields of `generation_config.json` that `acorn run` takes its defaults from.
const FIELDS: [&str; 5] = ["temperature", "top_k", "top_p", "min_p", "repetition_penalty"];

/// The folder's sampling options, under their names there; `do_sample: false` is temperature 0.
///
/// # Errors
/// The file cannot be read, is no JSON object, or an option is no number.
pub fn sampling(dir: &Path) -> Result<Map<String, Value>, Error> {
    let path = dir.join("generation_config.json");
    let mut options = Map::new();
    if !path.exists() {
        return Ok(options);
    }
    let text = fs::read(&path).map_err(Error::io(&path, "read it"))?;
    let config: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|error| Error::input(&path, format!("not a JSON object: {error}")))?;
    for field in FIELDS {
        match config.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Number(number)) => {
                options.insert(field.into(), number.clone().into());
            }
            Some(other) => {
                let problem = format!("is {other}, but must be a number");
                return Err(Error::Config { path, field: field.into(), problem });
            }
        }
    }
    if config.get("do_sample") == Some(&Value::Bool(false)) {
        options.insert("temperature".into(), 0.into());
    }
    Ok(options)
}
