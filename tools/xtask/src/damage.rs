//! Flash that rots: firmware with a flipped bit in its models, on an emulated board.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSection};

use crate::boards::Board;
use crate::command::Result;
use crate::emulated::with_patience;
use crate::qemu::{PROMPT, Program};
use crate::toolchain::Toolchain;

/// Builds `generate` with the model in both slots and flips a bit in one, then in both: it must name
/// the damage and answer from the other slot, then name the damage and end.
pub(crate) fn check(board: Board, toolchain: &Toolchain, model: &Path) -> Result<()> {
    let build = board.build("release");
    let mut cargo = board.cargo(toolchain, "build", build, model, &["--bin", "generate"]);
    cargo.env("ACORN_MODEL_B", model);
    crate::command::run(cargo)?;
    let program = board.programs(build).join("generate");
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
    let mut bytes = fs::read(&program).map_err(|error| failed(&error))?;
    let file = object::File::parse(&*bytes).map_err(|error| failed(&error))?;
    let section = file.section_by_name(".model").and_then(|section| section.file_range());
    let (start, len) = section.ok_or_else(|| failed(&"no section .model"))?;
    // Two slots of the same length: a quarter in lies the first model's middle.
    let places = [start + len / 4, start + 3 * len / 4].map(|place| place as usize);

    let answer = Program::Generate.expected()?;
    let outcomes: [(&[&str], &str, i32); 2] = [
        (&["slot A: at byte"], &answer, 0),
        (&["slot A: at byte", "slot B: at byte", "error: model in flash: at byte"], "", 1),
    ];
    for (place, (messages, answer, status)) in places.into_iter().zip(outcomes) {
        bytes[place] ^= 0x10;
        let damaged = program.with_extension("damaged");
        fs::write(&damaged, &bytes).map_err(|error| failed(&error))?;
        let output = with_patience(&board.emulator(&damaged, &[PROMPT])).output();
        let output = output.map_err(|error| failed(&error))?;
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let said = messages.iter().all(|message| err.contains(message));
        if !said || out != answer || output.status.code() != Some(status) {
            return Err(format!(
                "generate on {} with a damaged model: expected {messages:?}, {answer:?} and status {status}, found {}:\n{out}{err}",
                board.name(),
                output.status
            ));
        }
        println!("{}", err.trim_end());
    }
    Ok(())
}
