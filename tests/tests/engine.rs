//! The engine's promises: the same bits in whatever pieces, memory as planned, calls refused whole.

use acorn_cli::convert::Quant;
use acorn_cli::threads::Threads;
use acorn_core::error::EngineError;
use acorn_core::kernel::{self, Kernel};
use acorn_core::{Engine, KeepLogits, KvKind, Limits, Model, Plan, PlanError, Progress};
use acorn_tests::{Memory, converted, model_dir, reference, with_engine, with_engine_on};

const QUANTS: [Quant; 3] = [Quant::F32, Quant::Q8, Quant::Q4];
const KVS: [KvKind; 3] = [KvKind::F32, KvKind::F16, KvKind::Int8];

/// More than two chunks of attention's running softmax.
fn tokens() -> Vec<u32> {
    let tokens: Vec<u32> = reference("tiny-llama.tokens.json");
    tokens.iter().cycle().take(150).copied().collect()
}

fn file(quant: Quant) -> Vec<u8> {
    converted(&model_dir("tiny-llama").expect("a fixture"), quant)
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// Token by token, one thread: what all other ways must equal.
fn decoded(file: &[u8], kv: KvKind) -> Vec<Vec<u32>> {
    let limits = Limits { context: 160, kv: Some(kv), ..Limits::default() };
    with_engine(file, &limits, |engine| {
        let decode = |&token| bits(engine.decode(token).expect("a token that fits"));
        tokens().iter().map(decode).collect()
    })
}

#[test]
fn prefill_in_any_batch_equals_decoding_bit_for_bit() {
    for quant in QUANTS {
        let file = file(quant);
        for kv in KVS {
            let expected = decoded(&file, kv);
            for batch in [2, 7, 8, 9, 32, 64] {
                let limits = Limits {
                    context: 160,
                    batch,
                    kv: Some(kv),
                    logits: KeepLogits::All,
                    workers: 1,
                    window: None,
                };
                with_engine(&file, &limits, |engine| {
                    let mut found = Vec::new();
                    for part in tokens().chunks(batch as usize) {
                        engine.prefill(part).expect("tokens that fit");
                        found.extend(engine.batch_logits().map(bits));
                    }
                    assert_eq!(found, expected, "{} {} batch {batch}", quant.name(), kv.name());
                });
            }
        }
    }
}

#[test]
fn decoding_after_a_prefill_equals_decoding_all() {
    for quant in QUANTS {
        let file = file(quant);
        let expected = decoded(&file, KvKind::Int8);
        let limits =
            Limits { context: 160, batch: 16, kv: Some(KvKind::Int8), ..Limits::default() };
        with_engine(&file, &limits, |engine| {
            let all = tokens();
            let (prompt, rest) = all.split_at(37);
            assert_eq!(bits(engine.prefill(prompt).expect("a prompt that fits")), expected[36]);
            for (&token, expected) in rest.iter().zip(&expected[37..]) {
                assert_eq!(bits(engine.decode(token).expect("a token that fits")), *expected);
            }
        });
    }
}

/// What one kernel has quantized another can read, whatever else it wants.
#[test]
fn a_kernel_takes_over_in_the_middle_of_a_prompt() {
    for quant in QUANTS {
        let file = file(quant);
        let expected = decoded(&file, KvKind::Int8);
        let model = Model::parse(&file).expect("a valid model");
        let kv = Some(KvKind::Int8);
        let limits = Limits { context: 160, batch: 40, kv, ..Limits::default() };
        let plan = Plan::new(&model, &limits).expect("a plan");
        let mut memory = Memory::new(plan.arena_bytes());
        for first in kernel::available() {
            for then in kernel::available() {
                let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
                let mut engine = engine.with_kernel(first);
                let mut kernels = [then, first].into_iter().cycle();
                engine.begin(&tokens()[..40]).expect("tokens that fit");
                while engine.poll(1) == Ok(Progress::Pending) {
                    engine = engine.with_kernel(kernels.next().expect("no end"));
                }
                let names = (first.name, then.name);
                assert!(bits(engine.logits()) == expected[39], "{} {names:?}", quant.name());
            }
        }
    }
}

#[test]
fn threads_change_no_bit() {
    for quant in QUANTS {
        let file = file(quant);
        let expected = decoded(&file, KvKind::Int8);
        let model = Model::parse(&file).expect("a valid model");
        // More threads than planned for, too: the others do the work.
        // In small parts, in parts of which each thread has its own half, and in one so large that threads share all there is.
        for (threads, planned, batch) in [
            (2, 2, 16),
            (3, 3, 16),
            (4, 4, 16),
            (4, 2, 16),
            (2, 2, 71),
            (3, 3, 71),
            (2, 2, 64),
            (2, 2, 150),
            (3, 2, 150),
        ] {
            let pool = Threads::new(threads).expect("threads");
            let limits = Limits {
                context: 160,
                batch,
                kv: Some(KvKind::Int8),
                workers: planned,
                logits: KeepLogits::All,
                window: None,
            };
            let plan = Plan::new(&model, &limits).expect("a plan");
            let mut memory = Memory::new(plan.arena_bytes());
            {
                let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
                let mut engine = engine.with_workers(&pool);
                let mut found = Vec::new();
                for part in tokens().chunks(batch as usize) {
                    engine.prefill(part).expect("tokens that fit");
                    found.extend(engine.batch_logits().map(bits));
                }
                assert_eq!(found, expected, "{} {threads} threads by {batch}", quant.name());
            }
            assert!(memory.guards_are_intact());

            // Of which only the last has logits.
            let plan = Plan::new(&model, &Limits { logits: KeepLogits::Last, ..limits });
            let plan = plan.expect("a plan");
            let mut memory = Memory::new(plan.arena_bytes());
            let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
            let mut engine = engine.with_workers(&pool);
            let last = bits(engine.prefill(&tokens()).expect("tokens that fit"));
            assert!(last == expected[149], "{} {threads} threads by {batch}", quant.name());
        }
    }
}

#[test]
fn kernels_change_no_bit() {
    let mut tried = 0;
    for quant in QUANTS {
        let file = file(quant);
        for kv in KVS {
            let limits = Limits { context: 160, batch: 16, kv: Some(kv), ..Limits::default() };
            let last = |kernel: &'static Kernel| {
                with_engine_on(kernel, &file, &limits, |engine| {
                    tried += 1;
                    bits(engine.prefill(&tokens()).expect("tokens that fit"))
                })
            };
            let mut all: Vec<_> = kernel::available().map(last).collect();
            all.dedup();
            assert_eq!(all.len(), 1, "{} {}", quant.name(), kv.name());
        }
    }
    assert!(tried >= 9);
}

#[test]
fn polling_in_small_pieces_equals_one_call() {
    for quant in QUANTS {
        let file = file(quant);
        let expected = decoded(&file, KvKind::Int8);
        for budget in [0, 1, 1000, 20_000] {
            let limits =
                Limits { context: 160, batch: 8, kv: Some(KvKind::Int8), ..Limits::default() };
            with_engine(&file, &limits, |engine| {
                let mut polls = 0;
                for (index, part) in tokens().chunks(8).enumerate() {
                    engine.begin(part).expect("tokens that fit");
                    while engine.poll(budget) == Ok(Progress::Pending) {
                        polls += 1;
                        assert_eq!(engine.begin(part), Err(EngineError::Busy));
                        assert_eq!(
                            engine.position(),
                            index * 8,
                            "a pass under way takes no position"
                        );
                    }
                    assert_eq!(bits(engine.logits()), expected[index * 8 + part.len() - 1]);
                }
                assert!(polls > 8 * 20, "budget {budget}: {polls} polls");
            });
        }
    }
}

#[test]
fn a_pass_given_up_leaves_no_trace() {
    let file = file(Quant::Q8);
    let expected = decoded(&file, KvKind::Int8);
    let limits = Limits { context: 160, batch: 8, ..Limits::default() };
    with_engine(&file, &limits, |engine| {
        engine.begin(&tokens()[8..16]).expect("tokens that fit");
        for _ in 0..30 {
            assert_eq!(engine.poll(1), Ok(Progress::Pending));
        }
        engine.reset();
        assert!(engine.logits().is_empty());
        for (&token, expected) in tokens().iter().zip(&expected) {
            assert_eq!(bits(engine.decode(token).expect("a token that fits")), *expected);
        }
    });
}

#[test]
fn a_full_context_is_refused_and_changes_nothing() {
    let file = file(Quant::Q8);
    let limits = Limits { context: 10, batch: 4, ..Limits::default() };
    with_engine(&file, &limits, |engine| {
        engine.prefill(&tokens()[..8]).expect("tokens that fit");
        let before = bits(engine.logits());
        let full = |tokens| Err(EngineError::ContextFull { context: 10, position: 8, tokens });
        assert_eq!(engine.prefill(&tokens()[8..11]).map(|_| ()), full(3));
        assert_eq!(engine.prefill(&vec![1; 100_000]).map(|_| ()), full(100_000));
        assert_eq!((engine.position(), bits(engine.logits())), (8, before));
        engine.prefill(&tokens()[8..10]).expect("two more fit");
        let position = engine.position();
        assert_eq!(
            engine.decode(1).map(|_| ()),
            Err(EngineError::ContextFull { context: 10, position, tokens: 1 })
        );
    });
}

#[test]
fn bad_tokens_are_refused_and_change_nothing() {
    let file = file(Quant::Q4);
    let limits = Limits { context: 16, batch: 4, ..Limits::default() };
    with_engine(&file, &limits, |engine| {
        assert!(engine.logits().is_empty());
        engine.decode(3).expect("a known token");
        let before = bits(engine.logits());
        for token in [512, 513, u32::MAX] {
            let error = Err(EngineError::TokenOutOfRange { token, vocab_size: 512 });
            assert_eq!(engine.prefill(&[1, 2, token, 3]).map(|_| ()), error);
        }
        assert_eq!(engine.prefill(&[]).map(|_| ()), Err(EngineError::NoTokens));
        let error = Err(EngineError::BatchTooLarge { batch: 4, tokens: 5 });
        assert_eq!(engine.begin(&[1; 5]), error);
        assert_eq!((engine.position(), bits(engine.logits())), (1, before));
    });
}

#[test]
fn every_arena_below_the_plan_is_refused_and_not_written() {
    for quant in QUANTS {
        let file = file(quant);
        let model = Model::parse(&file).expect("a valid model");
        let limits = Limits { context: 8, batch: 2, ..Limits::default() };
        let plan = Plan::new(&model, &limits).expect("a plan");
        let need = plan.arena_bytes();
        let mut memory = Memory::new(need);
        for have in 0..need {
            let arena = &mut memory.arena()[..have];
            let error = Engine::new(&model, &plan, arena).err();
            assert_eq!(error, Some(EngineError::ArenaTooSmall { need, have }));
        }
        assert!(memory.arena().iter().all(|&byte| byte == 0xA5));
        assert_eq!(plan.parts().map(|(_, bytes)| bytes).sum::<usize>(), need);
    }
}

#[test]
fn arenas_at_any_offset_work_or_are_refused() {
    let file = file(Quant::Q8);
    let model = Model::parse(&file).expect("a valid model");
    let plan = Plan::new(&model, &Limits { context: 8, ..Limits::default() }).expect("a plan");
    let mut memory = Memory::new(plan.arena_bytes() + 64);
    for offset in 0..=64 {
        let error = Engine::new(&model, &plan, &mut memory.arena()[offset..]).err();
        let expected = (offset % 64 != 0).then_some(EngineError::ArenaMisaligned { need: 64 });
        assert_eq!(error, expected, "offset {offset}");
    }
}

/// An engine writes only what was planned: with a larger arena the rest stays as it was; and its
/// result does not depend on what the arena held.
#[test]
fn planned_is_used() {
    for quant in QUANTS {
        let file = file(quant);
        let model = Model::parse(&file).expect("a valid model");
        let plan = Plan::new(&model, &Limits { context: 160, batch: 4, ..Limits::default() });
        let plan = plan.expect("a plan");
        let need = plan.arena_bytes();
        let mut memory = Memory::new(need + 4096);
        let run = |arena: &mut [u8]| {
            let mut engine = Engine::new(&model, &plan, arena).expect("an engine");
            bits(engine.prefill(&tokens()).expect("tokens that fit"))
        };
        let first = run(memory.arena());
        assert!(memory.arena()[need..].iter().all(|&byte| byte == 0xA5));
        assert_eq!(run(memory.arena()), first, "a used arena");
        memory.arena().fill(0xFF);
        assert_eq!(run(memory.arena()), first, "an arena of ones");
    }
}

#[test]
fn models_at_any_offset_give_the_same_bits() {
    let file = file(Quant::Q4);
    let expected = decoded(&file, KvKind::Int8);
    let mut shifted = vec![0; file.len() + 64];
    for offset in 0..64 {
        shifted[offset..offset + file.len()].copy_from_slice(&file);
        let limits = Limits { context: 8, batch: 8, ..Limits::default() };
        with_engine(&shifted[offset..offset + file.len()], &limits, |engine| {
            let found = bits(engine.prefill(&tokens()[..8]).expect("tokens that fit"));
            assert_eq!(found, expected[7], "offset {offset}");
        });
    }
}

#[test]
fn plans_are_exact_or_refused() {
    let file = file(Quant::Q8);
    let model = Model::parse(&file).expect("a valid model");
    let plan = |limits| Plan::new(&model, &limits);
    let limits = Limits { context: 256, ..Limits::default() };
    let full = plan(limits).expect("a plan");
    // 2 layers, 2 key/value heads of 16, keys and values, a byte each and two per vector.
    assert_eq!(full.kv_bytes_per_token(), 2 * 2 * 2 * (16 + 2));
    let kv = |plan: &Plan| plan.parts().next().map_or(0, |(_, bytes)| bytes);
    assert_eq!(kv(&full), 256 * full.kv_bytes_per_token());

    let refused = |limits| plan(limits).expect_err("a refusal");
    assert_eq!(
        refused(Limits { context: 257, ..limits }),
        PlanError::Context { found: 257, most: 256 }
    );
    assert_eq!(
        refused(Limits { context: 0, ..limits }),
        PlanError::Context { found: 0, most: 256 }
    );
    assert_eq!(refused(Limits { batch: 0, ..limits }), PlanError::Zero { name: "batch" });
    assert_eq!(refused(Limits { workers: 0, ..limits }), PlanError::Zero { name: "workers" });
    // Of the arena, a microcontroller's second core needs scores, sums and weights of 128 positions; other threads need
    // nothing: what they work with lies on their stacks.
    let many = plan(Limits { workers: u32::MAX, ..limits }).expect("a plan");
    assert_eq!(many.arena_bytes(), full.arena_bytes() + 128 * (4 + 4 + 2));
    // A batch beyond the context is the context.
    assert_eq!(plan(Limits { batch: u32::MAX, ..limits }).map(|plan| plan.batch()), Ok(256));
}

#[test]
fn a_plan_for_another_model_is_refused() {
    let (one, other) =
        (file(Quant::Q8), converted(&model_dir("tiny-untied").expect("a fixture"), Quant::Q8));
    let (one, other) =
        (Model::parse(&one).expect("a model"), Model::parse(&other).expect("a model"));
    let plan = Plan::new(&one, &Limits { context: 8, ..Limits::default() }).expect("a plan");
    let mut memory = Memory::new(1 << 20);
    assert_eq!(Engine::new(&other, &plan, memory.arena()).err(), Some(EngineError::OtherModel));
}
