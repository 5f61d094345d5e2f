//! Weights that are not in memory: the same bits through a window of any size, each byte read once, memory as
//! planned, and every fault of the device an error that leaves the engine as it was.

use acorn_cli::convert::Quant;
use acorn_cli::file_source::FileSource;
use acorn_cli::threads::Threads;
use acorn_core::error::{EngineError, FormatErrorKind, OpenError, ReadError};
use acorn_core::format::directory::Kind;
use acorn_core::format::tensor_table::Role;
use acorn_core::plan::Part;
use acorn_core::{
    Engine, Inline, KeepLogits, Limits, Model, Plan, PlanError, Progress, Source, Workers,
};
use acorn_tests::device::{Device, FAULT, Overlap};
use acorn_tests::{Memory, converted, fixtures, model_dir, with_engine};

/// Tied and untied heads, positions rotary and learned with biases, centres of keys.
const MODELS: [&str; 4] = ["tiny-llama", "tiny-untied", "tiny-gpt2", "home"];

const LIMITS: Limits = Limits {
    context: 48,
    batch: 5,
    kv: None,
    workers: 1,
    logits: KeepLogits::All,
    window: Some(16 * 1024),
};

fn file(name: &str, quant: Quant) -> Vec<u8> {
    let own = fixtures().join("../../models").join(name);
    converted(&if own.is_dir() { own } else { model_dir(name).expect("a fixture") }, quant)
}

/// Known to all the models.
fn tokens(count: usize) -> Vec<u32> {
    (0..count as u32).map(|index| 1 + index * 37 % 90).collect()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// Logits of a prompt in batches, then of tokens one by one.
fn run(engine: &mut Engine<'_>) -> Vec<Vec<u32>> {
    let all = tokens(21);
    let (prompt, rest) = all.split_at(12);
    let mut rows = Vec::new();
    for batch in prompt.chunks(5).chain(rest.chunks(1)) {
        engine.prefill(batch).expect("tokens that fit");
        rows.extend(engine.batch_logits().map(bits));
    }
    rows
}

fn in_place(file: &[u8]) -> Vec<Vec<u32>> {
    with_engine(file, &Limits { window: None, ..LIMITS }, run)
}

/// A resident buffer of exactly the bytes that the model needs, and the model in it.
fn open<'a>(device: &Device, resident: &'a mut Vec<u8>) -> Model<'a> {
    let mut device = device.clone();
    resident.resize(Model::resident_bytes(&mut device).expect("a valid start"), 0xEE);
    Model::open(&mut device, resident).expect("a valid model")
}

/// Calls `f` with an engine that streams from the device, in exactly the memory that was planned.
fn streaming<T>(
    device: &Device,
    limits: &Limits,
    workers: &dyn Workers,
    f: impl FnOnce(&mut Engine<'_>) -> T,
) -> T {
    let mut resident = Vec::new();
    let model = open(device, &mut resident);
    let plan = Plan::new(&model, limits).expect("a plan");
    let mut memory = Memory::new(plan.arena_bytes());
    let mut source = device.clone();
    device.take_reads();
    let result = {
        let engine = Engine::streaming(&model, &plan, memory.arena(), &mut source);
        f(&mut engine.expect("an engine").with_workers(workers))
    };
    assert!(memory.guards_are_intact());
    result
}

/// The least window: the largest band, up to the arena's alignment.
fn least_window(file: &[u8]) -> usize {
    let model = Model::parse(file).expect("a valid model");
    let tensors = model.tensors().filter(|tensor| tensor.encoding.is_matrix());
    let bands = tensors.map(|tensor| tensor.bytes.len() / tensor.rows.div_ceil(8) as usize);
    bands.max().expect("a matrix").next_multiple_of(64)
}

fn window_of(plan: &Plan) -> usize {
    plan.parts().find(|(part, _)| *part == Part::Window).expect("a line of the table").1
}

#[test]
fn no_window_changes_a_bit() {
    let threads = Threads::new(3).expect("threads");
    for name in MODELS {
        for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
            let file = file(name, quant);
            let expected = in_place(&file);
            let device = Device::new(&file);
            let least = least_window(&file);
            for window in [least, least + 1, 2 * least - 1, 2 * least, 16 * 1024, 23_457, 1 << 24] {
                if window < least {
                    continue;
                }
                let what = format!("{name} {} window {window}", quant.name());
                let limits = Limits { window: Some(window), ..LIMITS };
                assert!(streaming(&device, &limits, &Inline, run) == expected, "{what}");
                let limits = Limits { workers: 3, ..limits };
                assert!(streaming(&device, &limits, &threads, run) == expected, "{what}, threads");
            }
        }
    }
}

#[test]
fn windows_are_planned_to_the_byte() {
    for name in MODELS {
        let file = file(name, Quant::Q8);
        let (device, mut resident) = (Device::new(&file), Vec::new());
        let model = open(&device, &mut resident);
        let least = least_window(&file);
        let plan = |window| Plan::new(&model, &Limits { window, ..LIMITS });
        let without = Model::parse(&file).expect("a valid model");
        let without = Plan::new(&without, &Limits { window: None, ..LIMITS }).expect("a plan");
        assert_eq!(window_of(&without), 0);

        let too_small = |have| Err(PlanError::WindowTooSmall { need: least, have });
        assert_eq!(plan(None), too_small(0), "this model needs one");
        for have in 0..least {
            assert_eq!(plan(Some(have)), too_small(have));
        }
        let largest = model.tensors().filter(|tensor| tensor.encoding.is_matrix());
        let largest = largest.map(|tensor| tensor.len).max().expect("a matrix") as usize;
        for have in (least..3 * least).chain([16 * 1024, 32 * 1024, usize::MAX]) {
            let plan = plan(Some(have)).expect("a plan");
            // One part; two equal ones as soon as both take a band; no more than a matrix each.
            let one = have - have % 64;
            let two = have / 128 * 64;
            let most = largest.next_multiple_of(64);
            let expected = if two < least { one.min(most) } else { 2 * two.min(most) };
            assert_eq!(window_of(&plan), expected, "{name}, window {have}");
            assert_eq!(plan.arena_bytes(), without.arena_bytes() + expected);
        }
        let kib_16 = window_of(&plan(Some(16 * 1024)).expect("a plan"));
        assert!(kib_16 == 16 * 1024 || largest < 8 * 1024, "{name}: {kib_16}");
    }
}

/// Every byte of the layers' matrices and of the head is read once per pass, in file order; of an embedding
/// the token's band, unless the window has it still.
#[test]
fn each_byte_is_read_once_per_pass() {
    for name in MODELS {
        for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
            let file = file(name, quant);
            let model = Model::parse(&file).expect("a valid model");
            let matrices: Vec<_> = model.tensors().filter(|t| t.encoding.is_matrix()).collect();
            let head = if model.recipe().tied_head { Role::Embedding } else { Role::Head };
            let rows = |role| matches!(role, Role::Embedding | Role::PositionEmbedding);
            // What one token needs: a band of each embedding, then the layers, then the head.
            let mut bands = 0;
            let mut expected = Vec::new();
            for tensor in &matrices {
                if rows(tensor.role) {
                    bands += tensor.len / u64::from(tensor.rows.div_ceil(8));
                }
                if !rows(tensor.role) && tensor.role != head {
                    expected.push((tensor.offset, tensor.len));
                }
            }
            let head = matrices.iter().find(|tensor| tensor.role == head).expect("a head");
            expected.push((head.offset, head.len));
            let layers_and_head: u64 = expected.iter().map(|(_, len)| len).sum();

            let device = Device::new(&file);
            let embeddings = matrices.iter().filter(|tensor| rows(tensor.role)).count();
            for (window, budget) in
                [(least_window(&file), 1), (32 * 1024, 3000), (1 << 24, u64::MAX)]
            {
                let limits = Limits { window: Some(window), batch: 1, ..LIMITS };
                streaming(&device, &limits, &Inline, |engine| {
                    for &token in &tokens(3) {
                        engine.begin(&[token]).expect("a token that fits");
                        while engine.poll(budget) == Ok(Progress::Pending) {}
                        let reads = device.take_reads();
                        let what = format!("{name} {} window {window}", quant.name());
                        let total: u64 = reads.iter().map(|&(_, len)| len as u64).sum();
                        let least = layers_and_head..=layers_and_head + bands;
                        assert!(least.contains(&total), "{what}: {total} bytes, not {least:?}");
                        // Neighbouring reads put together are the matrices, one after another.
                        let layers = reads.iter().position(|&(offset, _)| offset == expected[0].0);
                        let layers = layers.expect("the first layer is read");
                        assert!(layers <= embeddings, "{what}");
                        let mut rest = reads[layers..].iter();
                        for &(offset, len) in &expected {
                            let mut at = offset;
                            while at < offset + len {
                                let &(start, len) = rest.next().expect("more reads");
                                assert_eq!(start, at, "{what}");
                                assert!(len <= window);
                                at += len as u64;
                            }
                            assert_eq!(at, offset + len, "{what}");
                        }
                        assert_eq!(rest.next(), None);
                    }
                });
            }
        }
    }
}

/// At every read of a pass the device fails once.
#[test]
fn a_failed_read_is_an_error_that_leaves_no_trace() {
    for (name, quant) in [("tiny-llama", Quant::Q8), ("tiny-gpt2", Quant::Q4), ("home", Quant::Q8)]
    {
        let file = file(name, quant);
        let expected = in_place(&file);
        let device = Device::new(&file);
        let all = tokens(21);
        streaming(&device, &LIMITS, &Inline, |engine| {
            engine.prefill(&all[..5]).expect("tokens that fit");
            device.take_reads();
            engine.prefill(&all[5..10]).expect("tokens that fit");
            let reads = device.take_reads();
            assert!(reads.len() > 10, "{name}: {} reads", reads.len());
            let fails = |n: usize| {
                let (offset, len) = reads[n];
                Some(EngineError::Read(ReadError { offset, len, code: FAULT }))
            };
            for n in 0..reads.len() {
                // Dropped by a prefill, and fed again.
                engine.reset();
                engine.prefill(&all[..5]).expect("tokens that fit");
                device.take_reads();
                device.record().fail_in = Some(n);
                let error = engine.prefill(&all[5..10]).err();
                // The first pass left what follows it in no half, so the reads are the same.
                assert_eq!(error, fails(n), "{name}, read {n}");
                assert_eq!((engine.position(), engine.logits().len()), (5, 0));
                engine.prefill(&all[5..10]).expect("tokens that fit");
                let rows: Vec<_> = engine.batch_logits().map(bits).collect();
                assert!(rows == expected[5..10], "{name}, read {n}");

                // Gone on with by polling: nothing that was read is read again.
                device.take_reads();
                device.record().fail_in = Some(n);
                engine.begin(&all[10..12]).expect("tokens that fit");
                let mut failed = 0;
                while engine.poll(u64::MAX).inspect_err(|_| failed += 1) != Ok(Progress::Done) {
                    assert_eq!(engine.position(), 10);
                }
                let rows: Vec<_> = engine.batch_logits().map(bits).collect();
                assert!(rows == expected[10..12], "{name}, read {n}");
                let again = device.take_reads();
                // Two tokens read fewer rows than five, so the last reads do not come.
                let missed = usize::from(device.record().fail_in.take().is_none());
                assert_eq!(failed, missed, "{name}, read {n}");
                let mut distinct = again.clone();
                distinct.dedup();
                // But for rows of embeddings, which are few: two of each at most.
                assert!(n < 4 || again.len() == distinct.len() + failed, "{name}, read {n}");
            }
        });
    }
}

#[test]
fn a_device_that_fails_at_every_turn_gets_there_in_the_end() {
    let file = file("tiny-untied", Quant::Q8);
    let expected = in_place(&file);
    let device = Device::new(&file);
    streaming(&device, &LIMITS, &Inline, |engine| {
        engine.begin(&tokens(5)).expect("tokens that fit");
        let mut failed = 0;
        loop {
            assert_eq!(engine.position(), 0);
            device.record().fail_in = Some(0);
            failed += usize::from(engine.poll(1).is_err());
            device.record().fail_in = None;
            if engine.poll(1).expect("a healthy device") == Progress::Done {
                break;
            }
        }
        assert!(failed > 5, "{failed}");
        let rows: Vec<_> = engine.batch_logits().map(bits).collect();
        assert!(rows == expected[..5]);
    });
}

#[test]
fn work_is_done_once_whatever_a_source_makes_of_it() {
    let file = file("home", Quant::Q4);
    let expected = in_place(&file);
    for overlap in [Overlap::Within, Overlap::Never, Overlap::Twice] {
        let device = Device::new(&file);
        device.record().overlap = overlap;
        assert!(streaming(&device, &LIMITS, &Inline, run) == expected, "{overlap:?}");
    }
}

#[test]
fn a_model_opened_is_the_model_parsed() {
    for name in MODELS {
        let file = file(name, Quant::Q8);
        let parsed = Model::parse(&file).expect("a valid model");
        // A device is larger than the file on it.
        let device = Device::new(&[&file[..], &[0xFF; 5000]].concat());
        let mut resident = Vec::new();
        let opened = open(&device, &mut resident);
        assert!(parsed.is_in_place() && !opened.is_in_place());
        assert_eq!(opened.recipe(), parsed.recipe());
        assert_eq!(
            (opened.chat_template(), opened.metadata()),
            (parsed.chat_template(), parsed.metadata())
        );
        assert_eq!(opened.tokenizer().is_some(), parsed.tokenizer().is_some());
        for (opened, parsed) in opened.tensors().zip(parsed.tensors()) {
            let place = parsed.offset as usize..(parsed.offset + parsed.len) as usize;
            assert_eq!(parsed.bytes, &file[place]);
            assert_eq!((opened.offset, opened.len), (parsed.offset, parsed.len));
            let expected = if parsed.encoding.is_matrix() { &[] } else { parsed.bytes };
            assert_eq!(opened.bytes, expected, "{name} {:?} {}", opened.role, opened.layer);
        }
        assert!(opened.tensors().count() == parsed.tensors().count());
        for (opened, parsed) in opened.sections().zip(parsed.sections()) {
            assert_eq!((opened.kind, opened.len), (parsed.kind, parsed.len));
            let expected = if parsed.kind == Kind::Weights { &[] } else { parsed.bytes };
            assert_eq!(opened.bytes, expected);
        }
        let matrices: u64 = parsed.tensors().map(|t| t.len).sum::<u64>()
            - opened.tensors().map(|t| t.bytes.len() as u64).sum::<u64>();
        let weights = parsed.sections().find(|section| section.kind == Kind::Weights);
        let padding = weights.expect("weights").len - parsed.tensors().map(|t| t.len).sum::<u64>();
        let starts = 4 * parsed.tensors().count() as u64;
        let rest = resident.len() as u64 - starts;
        assert_eq!(rest + matrices + padding, file.len() as u64, "{name}");
        assert_eq!(Model::resident_bytes(&mut &file[..]), Ok(resident.len()));
    }
}

#[test]
fn buffers_and_devices_that_are_too_small_are_refused() {
    let file = file("tiny-llama", Quant::Q8);
    let mut device = Device::new(&file);
    let need = Model::resident_bytes(&mut device).expect("a valid start");
    let mut resident = vec![0; need];
    for have in 0..need {
        let error = Model::open(&mut device, &mut resident[..have]).err();
        assert_eq!(error, Some(OpenError::BufferTooSmall { need, have }));
    }
    // Every read of opening it may fail.
    device.take_reads();
    Model::open(&mut device, &mut resident).expect("a valid model");
    for (n, (offset, len)) in device.take_reads().into_iter().enumerate() {
        device.record().fail_in = Some(n);
        let error = Model::open(&mut device, &mut resident).err();
        assert_eq!(error, Some(OpenError::Read(ReadError { offset, len, code: FAULT })));
    }
    // A file that was cut off is found by its last section.
    for len in (0..file.len()).step_by(997).chain([file.len() - 1]) {
        let mut device = Device::new(&file[..len]);
        let error = Model::open(&mut device, &mut resident).err();
        assert!(matches!(error, Some(OpenError::Read(_))), "{len} bytes: {error:?}");
    }
}

/// Every damaged byte is found when the model is opened or verified, through a buffer of any size.
#[test]
fn a_damaged_device_is_found() {
    for (name, quant, step) in [("tiny-llama", Quant::Q8, 211), ("tiny-gpt2", Quant::F32, 1009)] {
        let file = file(name, quant);
        let mut device = Device::new(&file);
        let band = least_window(&file);
        let verify = |device: &mut Device, buffer: usize| {
            let need = Model::resident_bytes(device)?;
            let mut resident = vec![0; need];
            Model::open(device, &mut resident)?.verify_through(device, &mut vec![0; buffer])
        };
        for buffer in [band, band + 1, 1 << 14, 1 << 20] {
            assert_eq!(verify(&mut device, buffer), Ok(()), "{name}, buffer {buffer}");
        }
        let error = verify(&mut device, 100);
        assert!(
            matches!(error, Err(OpenError::BufferTooSmall { need, have: 100 }) if need <= band),
            "{name}: {error:?}"
        );
        for place in (0..file.len()).step_by(step).chain(0..400) {
            for bit in [1, 0x80] {
                device.bytes[place] ^= bit;
                let found = verify(&mut device, 1 << 14);
                assert!(matches!(found, Err(OpenError::Format(_))), "byte {place}: {found:?}");
                device.bytes[place] ^= bit;
            }
        }
    }
}

#[test]
fn verifying_in_steps_goes_on_after_a_failed_read() {
    let file = file("tiny-llama", Quant::Q4);
    let device = Device::new(&file);
    let mut resident = Vec::new();
    let model = open(&device, &mut resident);
    let missing = model.verify().map_err(|error| error.kind);
    assert_eq!(missing, Err(FormatErrorKind::NotInMemory { kind: Kind::Weights }));

    let (mut source, mut buffer) = (device.clone(), vec![0; 2048]);
    let (mut verifier, mut steps, mut bytes) = (model.verifier(), 0, 0);
    loop {
        if steps % 3 == 0 {
            device.record().fail_in = Some(0);
        }
        steps += 1;
        match verifier.step_through(&mut source, &mut buffer, 1500) {
            Ok(0) => break,
            Ok(looked_at) => {
                assert!(looked_at <= 2048 || steps < 20, "step {steps}: {looked_at}");
                bytes += looked_at;
            }
            Err(error) => assert!(matches!(error, OpenError::Read(_)), "{error}"),
        }
    }
    let weights = model.sections().find(|section| section.kind == Kind::Weights);
    assert!(bytes as u64 >= 2 * weights.expect("weights").len - 4096);
}

/// Padding between tensors is part of the structure.
#[test]
fn padding_that_is_not_zero_is_refused() {
    let file = file("tiny-llama", Quant::Q8);
    let model = Model::parse(&file).expect("a valid model");
    let rotary = model.tensors().find(|tensor| tensor.role == Role::Rotary).expect("rotary");
    let padding = (rotary.offset + rotary.len) as usize;
    assert!(!padding.is_multiple_of(64));
    let mut device = Device::new(&file);
    device.bytes[padding + 3] = 1;
    let expected = FormatErrorKind::NonZeroPadding.at(padding as u64);
    assert_eq!(Model::parse(&device.bytes).err(), Some(expected));
    let mut resident = vec![0; Model::resident_bytes(&mut device).expect("a valid start")];
    let error = Model::open(&mut device, &mut resident).err();
    assert_eq!(error, Some(OpenError::Format(expected)));
}

#[test]
fn engines_without_what_they_need_are_refused() {
    let (q8, q4) = (file("tiny-llama", Quant::Q8), file("tiny-llama", Quant::Q4));
    let (mut device, mut resident) = (Device::new(&q8), Vec::new());
    let opened = open(&device, &mut resident);
    let parsed = Model::parse(&q8).expect("a valid model");
    let plan = Plan::new(&opened, &LIMITS).expect("a plan");
    let mut memory = Memory::new(1 << 20);
    let error = Engine::new(&opened, &plan, memory.arena()).err();
    assert_eq!(error, Some(EngineError::NoSource));
    let no_window = Plan::new(&parsed, &Limits { window: None, ..LIMITS }).expect("a plan");
    let error = Engine::streaming(&parsed, &no_window, memory.arena(), &mut device).err();
    assert_eq!(error, Some(EngineError::NoWindow));
    // A plan for smaller bands.
    let smaller = Plan::new(&Model::parse(&q4).expect("a valid model"), &LIMITS).expect("a plan");
    let error = Engine::streaming(&opened, &smaller, memory.arena(), &mut device).err();
    assert_eq!(error, Some(EngineError::OtherModel));
    // A model in memory may be streamed too.
    let mut engine = Engine::streaming(&parsed, &plan, memory.arena(), &mut device);
    let engine = engine.as_mut().expect("an engine");
    assert!(run(engine) == in_place(&q8));
}

#[test]
fn a_file_is_a_source() {
    let bytes = file("home", Quant::Q8);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("model.acorn");
    std::fs::write(&path, &bytes).expect("written");
    let mut source = FileSource::open(&path).expect("the file");
    let mut resident = vec![0; Model::resident_bytes(&mut source).expect("a valid start")];
    let model = Model::open(&mut source, &mut resident).expect("a valid model");
    model.verify_through(&mut source, &mut vec![0; 1 << 16]).expect("an undamaged file");
    // Reads large enough for a thread, too.
    for window in [16 * 1024, 1 << 20] {
        let plan = Plan::new(&model, &Limits { window: Some(window), ..LIMITS }).expect("a plan");
        let mut memory = Memory::new(plan.arena_bytes());
        let engine = Engine::streaming(&model, &plan, memory.arena(), &mut source);
        assert!(run(&mut engine.expect("an engine")) == in_place(&bytes), "window {window}");
    }
    let end = source.read(bytes.len() as u64 - 3, &mut [0; 4]);
    assert_eq!(end.map_err(|fault| fault.0), Err(-1));
}
