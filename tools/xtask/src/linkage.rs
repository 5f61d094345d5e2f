//! Whether a program needs anything of the machine that it runs on: read from its ELF file.

use object::elf::{DT_NEEDED, FileHeader32, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

use crate::command::Result;

/// What the program in these bytes loads before it starts: its interpreter, and how many libraries. Nothing
/// for a static one.
pub(crate) fn loads(bytes: &[u8]) -> Result<Vec<String>> {
    let failed = |error: object::Error| format!("cannot read the program: {error}");
    match FileKind::parse(bytes).map_err(failed)? {
        FileKind::Elf32 => of::<FileHeader32<Endianness>>(bytes).map_err(failed),
        FileKind::Elf64 => of::<FileHeader64<Endianness>>(bytes).map_err(failed),
        other => Err(format!("expected an ELF file, found {other:?}")),
    }
}

fn of<E: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> object::Result<Vec<String>> {
    let header = E::parse(bytes)?;
    let endian = header.endian()?;
    let mut loads = Vec::new();
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP {
            let name = segment.interpreter(endian, bytes)?.unwrap_or_default();
            loads.push(String::from_utf8_lossy(name).into_owned());
        }
        if let Some(entries) = segment.dynamic(endian, bytes)? {
            let libraries = entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED).count();
            if libraries > 0 {
                loads.push(format!("{libraries} libraries"));
            }
        }
    }
    Ok(loads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn this_test_is_linked_dynamically() {
        let program = std::env::current_exe().expect("its path");
        let loads = loads(&std::fs::read(program).expect("its bytes")).expect("a program");
        assert!(loads.len() == 2 && loads[0].contains("ld") && loads[1].contains("libraries"));
    }

    #[test]
    fn other_files_are_no_programs() {
        assert!(loads(b"#!/bin/sh\nexec acorn \"$@\"\n").is_err());
        assert!(loads(b"\x7fELF").is_err());
    }
}
