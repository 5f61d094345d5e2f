//! Where a firmware lies in flash and RAM.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};

use crate::command::Result;

/// Prints the sections that are loaded or reserved, and sums. What lies between the last one in RAM
/// and its end is the stack's.
pub(crate) fn print(program: &Path) -> Result<()> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
    let bytes = fs::read(program).map_err(|error| failed(&error))?;
    let file = object::File::parse(&*bytes).map_err(|error| failed(&error))?;
    let (mut flash, mut ram) = (0, 0);
    println!("{:16} {:>10} {:>10}", "section", "address", "bytes");
    for section in file.sections().filter(|section| section.size() > 0) {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if (sh_flags & elf::SHF_ALLOC).0 == 0 {
            continue;
        }
        let name = section.name().map_err(|error| failed(&error))?;
        let size = section.size();
        match section.kind() {
            SectionKind::UninitializedData if name.contains("stack") => continue,
            SectionKind::UninitializedData => ram += size,
            SectionKind::Data => (flash, ram) = (flash + size, ram + size),
            _ => flash += size,
        }
        println!("{name:16} {:>#10x} {size:>10}", section.address());
    }
    println!("flash {flash} bytes, RAM {ram} bytes and the stack");
    Ok(())
}
