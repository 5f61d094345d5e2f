//! A strict reader of JSON objects: every field is used, known to be harmless, or refused by name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Error;

/// What is left to read of a JSON object. A field that is `null` counts as absent.
#[derive(Debug)]
pub(crate) struct Fields {
    path: PathBuf,
    /// The objects that this one lies in: `rope_scaling.`.
    prefix: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The object in a file.
    pub(crate) fn load(path: &Path) -> Result<Self, Error> {
        let text = fs::read(path).map_err(Error::io(path, "read it"))?;
        match serde_json::from_slice(&text) {
            Ok(Value::Object(map)) => {
                Ok(Self { path: path.to_owned(), prefix: String::new(), map })
            }
            Ok(_) => Err(Error::input(path, "expected a JSON object")),
            Err(error) => Err(Error::input(path, format!("not valid JSON: {error}"))),
        }
    }

    /// The error about a field of this object.
    pub(crate) fn error(&self, name: &str, problem: impl Into<String>) -> Error {
        let field = format!("{}{name}", self.prefix);
        Error::Config { path: self.path.clone(), field, problem: problem.into() }
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// A field read with `read`; `expected` says what that takes.
    fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let wrong = || self.error(name, format!("expected {expected}, found {value}"));
        read(&value).ok_or_else(wrong).map(Some)
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<Option<u32>, Error> {
        let expected = "a whole number from 1 to 4294967295";
        self.read(name, expected, |value| u32::try_from(value.as_u64()?).ok().filter(|&n| n > 0))
    }

    pub(crate) fn required_count(&mut self, name: &str) -> Result<u32, Error> {
        let missing = "is missing, and has no safe default: take it from the model's authors";
        self.count(name)?.ok_or_else(|| self.error(name, missing))
    }

    /// A finite number above zero.
    pub(crate) fn positive(&mut self, name: &str) -> Result<Option<f64>, Error> {
        let positive = |value: &Value| value.as_f64().filter(|n| n.is_finite() && *n > 0.0);
        self.read(name, "a number above 0", positive)
    }

    pub(crate) fn required_positive(&mut self, name: &str) -> Result<f64, Error> {
        self.positive(name)?.ok_or_else(|| self.error(name, "is missing"))
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.read(name, "text", |value| value.as_str().map(str::to_owned))
    }

    /// The texts of an array.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        self.read(name, "an array of texts", |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    /// An object inside this one.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>, Error> {
        let map = self.read(name, "an object", |value| value.as_object().cloned())?;
        let (path, prefix) = (self.path.clone(), format!("{}{name}.", self.prefix));
        Ok(map.map(|map| Self { path, prefix, map }))
    }

    /// Refuses a field unless it is absent or exactly `only`.
    pub(crate) fn only(&mut self, name: &str, only: &Value, why: &str) -> Result<(), Error> {
        match self.take(name) {
            Some(found) if found != *only => {
                Err(self.error(name, format!("is {found}, but only {only} is supported: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// Drops fields that cannot change a result.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        names.iter().for_each(|name| drop(self.map.remove(*name)));
    }

    /// Refuses what is left: fields that nobody knows may change the maths.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.map.retain(|_, value| !value.is_null());
        let Some((first, value)) = self.map.iter().next() else { return Ok(()) };
        let all: Vec<&str> = self.map.keys().map(String::as_str).collect();
        let more = match all.as_slice() {
            [_] => String::new(),
            all => format!(" (unknown here: {})", all.join(", ")),
        };
        Err(self.error(
            first,
            format!(
                "is {value}, and this release does not know whether that changes the maths{more}: \
                 remove it from the file if it does not, or ask for its support"
            ),
        ))
    }
}
