//! The models that come with the tool: Hugging Face folders of the project's own, inside the binary.

/// A bundled model.
#[derive(Debug)]
pub struct Bundled {
    /// What commands call it.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// A prompt to try.
    pub example: &'static str,
    /// The folder's files.
    pub(crate) files: &'static [(&'static str, &'static [u8])],
}

/// The files of the folder `models/NAME`.
macro_rules! folder {
    ($name:literal) => {
        &[
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
        ]
    };
}

/// All bundled models; the first is the default.
pub static MODELS: [Bundled; 2] = [
    Bundled {
        name: "home",
        about: "turns an English household command into a JSON object",
        example: "turn the kitchen lights down to thirty percent",
        files: folder!("home"),
    },
    Bundled {
        name: "bard",
        about: "goes on in the manner of Shakespeare's plays",
        example: "ROMEO:",
        files: folder!("bard"),
    },
];

/// The bundled model of that name.
pub fn find(name: &str) -> Option<&'static Bundled> {
    MODELS.iter().find(|model| model.name == name)
}
