//! The worked examples of `core/FORMAT.md` are what the code writes.

use std::fs;
use std::path::Path;

use acorn_cli::convert::Quant;
use acorn_core::format::encoding::{Band, Encoding, q4};
use acorn_tests::{converted, model_dir};

/// The bytes of the ```hex block after `<!-- dump: NAME -->`.
fn dump(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/FORMAT.md");
    let text = fs::read_to_string(path).expect("FORMAT.md");
    let (_, after) =
        text.split_once(&format!("<!-- dump: {name} -->\n```hex\n")).expect("the dump");
    let (block, _) = after.split_once("```").expect("its end");
    let bytes = block.lines().flat_map(|line| {
        let (_, bytes) = line.split_once("  ").expect("an offset, two spaces, bytes");
        bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).expect("a byte"))
    });
    bytes.collect()
}

/// Bytes as FORMAT.md shows them, 16 to a line.
fn show(bytes: &[u8]) -> String {
    let line = |(index, line): (usize, &[u8])| {
        let bytes: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:03}  {}\n", index * 16, bytes.join(" "))
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

#[test]
fn the_start_of_a_file_is_as_written() {
    let file = converted(&model_dir("tiny-llama").expect("a fixture"), Quant::Q8);
    assert_eq!(dump("start of tiny-llama.q8"), file[..320], "now it is:\n{}", show(&file[..320]));
}

#[test]
fn the_q4_band_is_as_written() {
    let nibbles: [[u8; 32]; 8] =
        std::array::from_fn(|r| std::array::from_fn(|k| ((r + k) % 16) as u8));
    let sub_scales: [[u8; 1]; 8] = std::array::from_fn(|r| [2 * r as u8 + 1]);
    let zeros: [[i8; 1]; 8] = std::array::from_fn(|r| [r as i8 - 8]);
    let rows: [q4::Row<'_>; 8] = std::array::from_fn(|r| q4::Row {
        nibbles: &nibbles[r],
        sub_scales: &sub_scales[r],
        zeros: &zeros[r],
        scale: 0.5f32.powi(r as i32),
    });
    let mut bytes = vec![0; Encoding::Q4.band_len(32).expect("a size") as usize];
    q4::pack(&rows, &mut bytes);
    assert_eq!(dump("q4 band"), bytes, "now it is:\n{}", show(&bytes));

    let mut row = [0.0; 32];
    Band::new(Encoding::Q4, 32, &bytes).row(1, &mut row);
    assert_eq!(row[0], -52.5);
}
