//! Damage to a file is found: by `parse` where it is structure, by `verify` everywhere.

use std::fs;

use acorn_cli::convert::Quant;
use acorn_core::Model;
use acorn_core::format::crc32c::crc32c;
use acorn_core::format::directory::{ENTRY_LEN, Kind};

use super::folder::{Folder, convert_folder};

/// A few KiB, with sections of every kind but a tokenizer.
fn small() -> Vec<u8> {
    let dir = Folder::llama(1, 32, 8, 2, 1, 3).write();
    // Without it, metadata relabelled as a chat template would be a valid file.
    fs::write(dir.path().join("chat_template.jinja"), "{{ messages }}").expect("written");
    convert_folder(dir.path(), Quant::Q4).expect("converts").0
}

fn accepted(file: &[u8]) -> bool {
    Model::parse(file).is_ok_and(|model| model.verify().is_ok())
}

/// Where header and directory end.
fn directory_end(file: &[u8]) -> usize {
    64 + ENTRY_LEN * usize::from(u16::from_le_bytes([file[10], file[11]]))
}

/// Makes the checksums of header and directory true again.
fn mend(file: &mut [u8]) {
    let directory = crc32c(&file[64..directory_end(file).min(file.len())]);
    file[12..16].copy_from_slice(&directory.to_le_bytes());
    mend_header(file);
}

fn mend_header(file: &mut [u8]) {
    let header = crc32c(&file[..60]);
    file[60..64].copy_from_slice(&header.to_le_bytes());
}

/// Makes the checksum of a section true again, and then those of directory and header.
fn mend_section(file: &mut [u8], kind: Kind, range: core::ops::Range<usize>) {
    let crc = crc32c(&file[range]);
    let entries = file[64..].chunks_mut(ENTRY_LEN);
    for entry in entries.take_while(|entry| entry[0] != 0) {
        if entry[..4] == kind.id().to_le_bytes() {
            entry[4..8].copy_from_slice(&crc.to_le_bytes());
            break;
        }
    }
    mend(file);
}

/// The file with each other value of each byte of `range`, after `mend`, must be refused.
fn every_edit_is_refused(range: core::ops::Range<usize>, mend: impl Fn(&mut [u8])) {
    let file = small();
    assert!(accepted(&file));
    for place in range {
        for edit in 1..=255 {
            let mut file = file.clone();
            file[place] ^= edit;
            mend(&mut file);
            assert!(!accepted(&file), "byte {place} ^ {edit} is not noticed");
        }
    }
}

#[test]
fn every_prefix() {
    let file = small();
    for len in 0..file.len() {
        assert!(Model::parse(&file[..len]).is_err(), "the first {len} bytes are accepted");
    }
    let longer = [file.as_slice(), &[0]].concat();
    assert!(Model::parse(&longer).is_err());
}

#[test]
fn every_edit_of_the_header() {
    let file = small();
    for place in 0..64 {
        for edit in 1..=255 {
            let mut file = file.clone();
            file[place] ^= edit;
            assert!(Model::parse(&file).is_err(), "byte {place} ^ {edit} is accepted");
        }
    }
}

#[test]
fn every_edit_of_the_header_with_a_true_checksum() {
    every_edit_is_refused(0..60, mend_header);
}

#[test]
fn every_edit_of_the_directory() {
    let end = directory_end(&small());
    every_edit_is_refused(64..end, |_| {});
    every_edit_is_refused(64..end, mend);
}

#[test]
fn every_edit_of_the_tensor_table() {
    let file = small();
    let model = Model::parse(&file).expect("valid");
    let table = model.sections().find(|section| section.kind == Kind::Tensors).expect("there");
    let range = table.offset as usize..table.offset as usize + table.bytes.len();
    every_edit_is_refused(range.clone(), |_| {});
    every_edit_is_refused(range.clone(), |file| mend_section(file, Kind::Tensors, range.clone()));
}

/// With true checksums some edits of the recipe are valid recipes of other models: none may panic.
#[test]
fn no_edit_of_the_recipe_panics() {
    no_edit_of_a_recipe_panics(&small());
    no_edit_of_a_recipe_panics(&Folder::gpt2().convert(Quant::Q4).expect("converts").0);
}

fn no_edit_of_a_recipe_panics(file: &[u8]) {
    let model = Model::parse(file).expect("valid");
    let recipe = model.sections().find(|section| section.kind == Kind::Recipe).expect("there");
    let range = recipe.offset as usize..recipe.offset as usize + recipe.bytes.len();
    for place in range.clone() {
        for edit in 1..=255 {
            let mut file = file.to_vec();
            file[place] ^= edit;
            assert!(!accepted(&file), "byte {place} ^ {edit} is not noticed");
            mend_section(&mut file, Kind::Recipe, range.clone());
            let _ = accepted(&file);
        }
    }
}

#[test]
fn every_bit_flip() {
    let mut file = small();
    for place in 0..file.len() {
        for bit in 0..8 {
            file[place] ^= 1 << bit;
            assert!(!accepted(&file), "bit {bit} of byte {place} is not noticed");
            file[place] ^= 1 << bit;
        }
    }
    assert!(accepted(&file));
}
