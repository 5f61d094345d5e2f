//! A linked program: its sizes, its functions, and who refers to whom.

use std::collections::{BTreeMap, BTreeSet};

use object::{
    Architecture, Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionKind, SymbolKind,
};

use crate::command::Result;

/// What a program is made of. Built with `--emit-relocs`, so that references are known.
pub(crate) struct Image {
    /// Bytes of code.
    pub(crate) code: u64,
    /// Bytes of constants.
    pub(crate) constants: u64,
    /// Bytes of static memory.
    pub(crate) memory: u64,
    /// Per function its names (one function can have several), by address.
    pub(crate) functions: BTreeMap<u64, Vec<String>>,
    /// References from code to functions.
    pub(crate) references: Vec<Reference>,
}

/// A call, jump, or pointer from code to a function.
pub(crate) struct Reference {
    /// The instruction that refers.
    pub(crate) at: u64,
    /// The function that it lies in.
    pub(crate) from: u64,
    /// The function that it refers to.
    pub(crate) to: u64,
}

impl Image {
    /// Reads an ELF file for Arm's Thumb state (where bit 0 of a function's address is the state), RISC-V or
    /// AArch64.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let failed = |error: object::Error| format!("cannot read the program: {error}");
        let file = object::File::parse(bytes).map_err(failed)?;
        let mut functions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let thumb = file.architecture() == Architecture::Arm;
        // Where Thumb instructions begin and where data does: the ABI's mapping symbols.
        let mut is_code = BTreeMap::new();
        for symbol in file.symbols() {
            let name = symbol.name().map_err(failed)?;
            if let Some(kind) = name.strip_prefix('$') {
                is_code.insert(symbol.address(), kind.starts_with('t'));
            } else if symbol.is_definition() && symbol.kind() == SymbolKind::Text {
                functions.entry(symbol.address() & !1).or_default().push(name.to_owned());
            }
        }
        let mut image = Self { code: 0, constants: 0, memory: 0, functions, references: vec![] };
        for section in file.sections() {
            match section.kind() {
                SectionKind::Text => image.code += section.size(),
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => {
                    image.constants += section.size();
                }
                SectionKind::Data => {
                    image.constants += section.size();
                    image.memory += section.size();
                }
                SectionKind::UninitializedData => image.memory += section.size(),
                _ => {}
            }
            if section.kind() != SectionKind::Text {
                continue;
            }
            let code = section.data().map_err(failed)?;
            if thumb {
                image.add_calls_of_self(section.address(), code, &is_code);
            }
            for (at, relocation) in section.relocations() {
                let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                let symbol = file.symbol_by_index(index).map_err(failed)?;
                // Jump tables refer to the section, functions are referred to by name.
                if symbol.kind() != SymbolKind::Text {
                    continue;
                }
                let to = symbol.address() & !1;
                if let (Some(from), true) = (image.around(at), image.functions.contains_key(&to)) {
                    image.references.push(Reference { at, from, to });
                }
            }
        }
        Ok(image)
    }

    /// The function that an instruction lies in.
    fn around(&self, at: u64) -> Option<u64> {
        self.functions.range(..=at).next_back().map(|(&address, _)| address)
    }

    /// Calls from a function to itself. Arm's compiler resolves them on its own, so the linker keeps
    /// no record of them: they are decoded. (On RISC-V the linker may move any of them.)
    fn add_calls_of_self(&mut self, start: u64, code: &[u8], is_code: &BTreeMap<u64, bool>) {
        let half = |at: usize| Some(u16::from_le_bytes(*code.get(at..)?.first_chunk()?));
        let mut offset = 0;
        while let (Some(first), second) = (half(offset), half(offset + 2).unwrap_or(0)) {
            let at = start + offset as u64;
            let in_code = is_code.range(..=at).next_back().is_some_and(|(_, &code)| code);
            if let (true, Some(to)) = (in_code, call_target(at, first, second))
                && self.around(at) == Some(to)
            {
                self.references.push(Reference { at, from: to, to });
            }
            // An instruction is a half word, or two where the first starts with 0b11101 or more.
            offset += if in_code && first >> 11 >= 0b11101 { 4 } else { 2 };
        }
    }

    /// Cycles of references between functions: each is a recursion, given as addresses.
    pub(crate) fn cycles(&self) -> Vec<Vec<u64>> {
        let mut edges: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for reference in &self.references {
            edges.entry(reference.from).or_default().insert(reference.to);
        }
        let mut cycles: Vec<Vec<u64>> = Vec::new();
        for &start in self.functions.keys() {
            if !cycles.iter().any(|cycle| cycle.contains(&start)) {
                cycles.extend(path_back(&edges, start));
            }
        }
        cycles
    }
}

/// Where the Thumb instruction `BL`, encoding T1, leads (Armv7-M Architecture Reference Manual,
/// §A7.7.18); `None` for other instructions.
fn call_target(at: u64, first: u16, second: u16) -> Option<u64> {
    if first >> 11 != 0b11110 || second & 0xD000 != 0xD000 {
        return None;
    }
    let (first, second) = (u32::from(first), u32::from(second));
    let sign = first >> 10 & 1;
    let i1 = !(second >> 13 ^ sign) & 1;
    let i2 = !(second >> 11 ^ sign) & 1;
    let (imm10, imm11) = (first & 0x3FF, second & 0x7FF);
    let imm25 = sign << 24 | i1 << 23 | i2 << 22 | imm10 << 12 | imm11 << 1;
    let distance = (imm25 << 7).cast_signed() >> 7;
    Some((at + 4).wrapping_add_signed(distance.into()))
}

/// A shortest way from `start` back to it.
fn path_back(edges: &BTreeMap<u64, BTreeSet<u64>>, start: u64) -> Option<Vec<u64>> {
    let mut ways = vec![vec![start]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for &next in way.last().and_then(|last| edges.get(last)).into_iter().flatten() {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    longer.push([&way[..], &[next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_decoded() {
        assert_eq!(call_target(0x100, 0xF7FF, 0xFFFE), Some(0x100));
        assert_eq!(call_target(0x100, 0xF000, 0xF802), Some(0x108));
        assert_eq!(call_target(0x2000, 0xF7FE, 0xFFFE), Some(0x1000));
        assert_eq!(call_target(0x100, 0xF000, 0xB802), None, "B.W");
        assert_eq!(call_target(0x100, 0x4770, 0xF802), None, "BX LR");
    }

    #[test]
    fn cycles_are_found_once() {
        let references = [(1, 2), (2, 3), (3, 2), (4, 4), (1, 4), (5, 1)];
        let image = Image {
            code: 0,
            constants: 0,
            memory: 0,
            functions: (1..=5).map(|address| (address, vec![])).collect(),
            references: references.map(|(from, to)| Reference { at: 0, from, to }).into(),
        };
        assert_eq!(image.cycles(), [vec![2, 3], vec![4]]);
    }
}
