//! Where a firmware lies in flash and RAM.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};

use crate::command::Result;

/// The sections of a program that are loaded or reserved, and sums. What lies between the last one in RAM
/// and its end is the stack's.
pub(crate) struct Map {
    /// Name, address and bytes of each.
    sections: Vec<(String, u64, u64)>,
    /// Bytes of flash without the model.
    pub(crate) code: u64,
    /// Bytes of the model.
    pub(crate) model: u64,
    /// Bytes of RAM.
    pub(crate) ram: u64,
}

impl Map {
    /// Reads it from a linked program.
    pub(crate) fn read(program: &Path) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
        let bytes = fs::read(program).map_err(|error| failed(&error))?;
        let file = object::File::parse(&*bytes).map_err(|error| failed(&error))?;
        let mut map = Self { sections: vec![], code: 0, model: 0, ram: 0 };
        for section in file.sections().filter(|section| section.size() > 0) {
            let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
            if (sh_flags & elf::SHF_ALLOC).0 == 0 {
                continue;
            }
            let name = section.name().map_err(|error| failed(&error))?;
            let size = section.size();
            match section.kind() {
                SectionKind::UninitializedData if name.contains("stack") => continue,
                SectionKind::UninitializedData => map.ram += size,
                SectionKind::Data => (map.code, map.ram) = (map.code + size, map.ram + size),
                _ if name == ".model" => map.model += size,
                _ => map.code += size,
            }
            map.sections.push((name.to_owned(), section.address(), size));
        }
        Ok(map)
    }

    /// Bytes of flash.
    pub(crate) fn flash(&self) -> u64 {
        self.code + self.model
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        println!("{:16} {:>10} {:>10}", "section", "address", "bytes");
        for (name, address, size) in &self.sections {
            println!("{name:16} {address:>#10x} {size:>10}");
        }
        println!("flash {} bytes, RAM {} bytes and the stack", self.flash(), self.ram);
    }
}
