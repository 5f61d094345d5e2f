//! UF2, the file that a board takes as a USB drive (github.com/microsoft/uf2): blocks of 512 bytes, each
//! with 256 bytes and the address that they belong to.

use std::collections::BTreeMap;

use object::read::elf::ProgramHeader;
use object::{Object, ObjectSegment};

use crate::command::Result;

/// The bytes that a block carries.
const PAYLOAD: usize = 256;

/// Arm code for RP2350, Secure state.
pub(crate) const RP2350_ARM_SECURE: u32 = 0xE48B_FF59;

/// Makes a UF2 file of what a linked program has in flash.
pub(crate) fn from_elf(elf: &[u8], family: u32) -> Result<Vec<u8>> {
    let failed = |error: object::Error| format!("cannot read the program: {error}");
    let file = object::File::parse(elf).map_err(failed)?;
    let object::File::Elf32(elf) = &file else { return Err("not a 32-bit program".into()) };
    let mut pages: BTreeMap<u32, [u8; PAYLOAD]> = BTreeMap::new();
    for segment in elf.segments() {
        // Where it lies in flash, not where the program finds it at run time.
        let start = segment.elf_program_header().p_paddr(elf.endian());
        let data = segment.data().map_err(failed)?;
        for (address, &byte) in (start..).zip(data) {
            let (page, offset) = (address & !(PAYLOAD as u32 - 1), address as usize % PAYLOAD);
            pages.entry(page).or_insert([0xFF; PAYLOAD])[offset] = byte;
        }
    }
    let total = pages.len() as u32;
    let mut blocks = Vec::new();
    for (number, (address, bytes)) in (0..).zip(pages) {
        let flags = 0x2000; // the family is given
        let header =
            [0x0A32_4655, 0x9E5D_5157, flags, address, PAYLOAD as u32, number, total, family];
        let mut block = header.map(u32::to_le_bytes).concat();
        block.extend(bytes);
        block.resize(508, 0);
        block.extend(0x0AB1_6F30u32.to_le_bytes());
        blocks.extend(block);
    }
    Ok(blocks)
}

/// Checks what RP2350's boot ROM looks for: an image definition in the first 4 KiB of flash (datasheet,
/// 5.9), for Arm code in the Secure state, in a loop of blocks of which it is the only one.
pub(crate) fn check_rp2350(uf2: &[u8]) -> Result<()> {
    let blocks: Vec<_> = uf2.chunks(512).collect();
    let word = |bytes: &[u8], at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let mut flash = Vec::new();
    for block in &blocks {
        let address = word(block, 12).unwrap_or_default();
        if address != 0x1000_0000 + flash.len() as u32 {
            break; // a gap
        }
        flash.extend_from_slice(&block[32..32 + PAYLOAD]);
    }
    flash.truncate(4096);
    let definition = [0xFFFF_DED3, 0x1021_0142, 0x0000_01FF, 0, 0xAB12_3579];
    let mut places = (0..flash.len()).step_by(4);
    let found = places.any(|place| {
        (0..).zip(definition).all(|(i, expected)| word(&flash, place + 4 * i) == Some(expected))
    });
    if found { Ok(()) } else { Err("no image definition in the first 4 KiB of flash".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one segment of these bytes.
    fn elf(address: u32, bytes: &[u8]) -> Vec<u8> {
        let mut file = b"\x7FELF\x01\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([2u16, 40].map(u16::to_le_bytes).concat()); // executable, Arm
        file.extend([1u32, address, 52, 0, 0].map(u32::to_le_bytes).concat());
        file.extend([52u16, 32, 1, 40, 0, 0].map(u16::to_le_bytes).concat());
        let size = bytes.len() as u32;
        // It runs at another address than it lies at.
        let header = [1, 84, 0x2000_0000, address, size, size, 5, 4];
        file.extend(header.map(u32::to_le_bytes).concat());
        file.extend(bytes);
        file
    }

    #[test]
    fn pages_are_whole_and_lie_where_the_program_does_in_flash() {
        let file = from_elf(&elf(0x1000_0010, &[7; 300]), RP2350_ARM_SECURE).unwrap();
        assert_eq!(file.len(), 2 * 512);
        for (number, block) in (0u32..).zip(file.chunks(512)) {
            let words: Vec<_> =
                block.chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
            let address = 0x1000_0000 + 256 * number;
            let header =
                [0x0A32_4655, 0x9E5D_5157, 0x2000, address, 256, number, 2, RP2350_ARM_SECURE];
            assert_eq!(words[..8], header);
            assert_eq!(words[127], 0x0AB1_6F30);
        }
        assert_eq!(file[32..48], [0xFF; 16]);
        assert_eq!(file[48..288], [7; 240]);
        assert_eq!(file[512 + 32..512 + 92], [7; 60]);
        assert_eq!(file[512 + 92..512 + 288], [0xFF; 196]);
    }

    #[test]
    fn the_image_definition_is_found_or_missed() {
        let definition = [0xFFFF_DED3u32, 0x1021_0142, 0x0000_01FF, 0, 0xAB12_3579];
        let mut flash = vec![0; 0x114];
        flash.extend(definition.map(u32::to_le_bytes).concat());
        let check = |flash: &[u8]| check_rp2350(&from_elf(&elf(0x1000_0000, flash), 0)?);
        assert_eq!(check(&flash), Ok(()));
        flash[0x118] ^= 1;
        assert!(check(&flash).is_err());
        let mut late = vec![0; 4096];
        late.extend(definition.map(u32::to_le_bytes).concat());
        assert!(check(&late).is_err());
    }
}
