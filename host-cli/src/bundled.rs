//! The models that come with the tool, inside the binary: the project's own.
//!
//! A plain build holds their Hugging Face folders. A build for distribution holds the `.acorn` files that these
//! are converted to, half as large (`ACORN_BUNDLED`, see build.rs); `cargo xtask dist` checks that they are.

/// A bundled model.
#[derive(Debug)]
pub struct Bundled {
    /// What commands call it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// A prompt to try.
    pub example: &'static str,
    /// The model.
    pub(crate) content: Content,
}

/// What a model is stored as; one of them per build.
#[derive(Debug, Hash)]
#[allow(dead_code)]
pub(crate) enum Content {
    /// The names and bytes of a folder's files.
    Folder(&'static [(&'static str, &'static [u8])]),
    /// An `.acorn` file.
    File(&'static [u8]),
}

/// The file `NAME.acorn`.
#[cfg(acorn_packed)]
macro_rules! content {
    ($name:literal) => {
        Content::File(include_bytes!(concat!(env!("ACORN_BUNDLED"), "/", $name, ".acorn")))
    };
}

/// The files of the folder `models/NAME`.
#[cfg(not(acorn_packed))]
macro_rules! content {
    ($name:literal) => {
        Content::Folder(&[
            ("config.json", include_bytes!(concat!("../../models/", $name, "/config.json"))),
            (
                "generation_config.json",
                include_bytes!(concat!("../../models/", $name, "/generation_config.json")),
            ),
            (
                "model.safetensors",
                include_bytes!(concat!("../../models/", $name, "/model.safetensors")),
            ),
            ("tokenizer.json", include_bytes!(concat!("../../models/", $name, "/tokenizer.json"))),
            (
                "tokenizer_config.json",
                include_bytes!(concat!("../../models/", $name, "/tokenizer_config.json")),
            ),
        ])
    };
}

/// All bundled models; the first is the default.
pub static MODELS: [Bundled; 2] = [
    Bundled {
        name: "home",
        about: "turns an English household command into a JSON object",
        example: "turn the kitchen lights down to thirty percent",
        content: content!("home"),
    },
    Bundled {
        name: "bard",
        about: "goes on in the manner of Shakespeare's plays",
        example: "ROMEO:",
        content: content!("bard"),
    },
];

/// The bundled model of that name.
pub fn find(name: &str) -> Option<&'static Bundled> {
    MODELS.iter().find(|model| model.name == name)
}
