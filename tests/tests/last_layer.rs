//! What the last layer leaves out: of tokens without logits all but their keys and values. It changes no bit of
//! what follows, and what nobody needs is not there.

use acorn_cli::convert::Quant;
use acorn_cli::threads::Threads;
use acorn_core::error::EngineError;
use acorn_core::format::tensor_table::Role;
use acorn_core::{Engine, KeepLogits, KvKind, Limits, Model, Plan, Progress};
use acorn_tests::device::Device;
use acorn_tests::{Memory, converted, fixtures, model_dir, with_engine};

/// Rotary and learned positions, gated or not, with biases and centres of keys.
const MODELS: [&str; 3] = ["tiny-llama", "tiny-gpt2", "home"];

const LIMITS: Limits =
    Limits { context: 48, batch: 16, kv: None, workers: 1, logits: KeepLogits::Last, window: None };

fn file(name: &str, quant: Quant) -> Vec<u8> {
    let own = fixtures().join("../../models").join(name);
    converted(&if own.is_dir() { own } else { model_dir(name).expect("a fixture") }, quant)
}

/// Known to all the models.
fn tokens() -> Vec<u32> {
    (0..40).map(|index| 1 + index * 37 % 90).collect()
}

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|logit| logit.to_bits()).collect()
}

/// Logits after each token, one by one.
fn decoded(file: &[u8], kv: KvKind) -> Vec<Vec<u32>> {
    let limits = Limits { batch: 1, kv: Some(kv), ..LIMITS };
    with_engine(file, &limits, |engine| {
        let decode = |&token: &u32| bits(engine.decode(token).expect("a token that fits"));
        tokens().iter().map(decode).collect()
    })
}

/// Polls the pass under way to its end.
fn finish(engine: &mut Engine<'_>, budget: u64) {
    while engine.poll(budget) == Ok(Progress::Pending) {}
}

#[test]
fn tokens_without_logits_leave_the_same_keys_and_values() {
    let pool = Threads::new(2).expect("threads");
    for name in MODELS {
        for quant in [Quant::F32, Quant::Q8, Quant::Q4] {
            let file = file(name, quant);
            let model = Model::parse(&file).expect("a valid model");
            for kv in [KvKind::F32, KvKind::F16, KvKind::Int8] {
                let expected = decoded(&file, kv);
                for (batch, logits) in [1, 5, 16].into_iter().zip([
                    KeepLogits::Last,
                    KeepLogits::All,
                    KeepLogits::LastOfAll,
                ]) {
                    let limits = Limits { batch, logits, kv: Some(kv), workers: 2, ..LIMITS };
                    let plan = Plan::new(&model, &limits).expect("a plan");
                    let mut memory = Memory::new(plan.arena_bytes());
                    let engine = Engine::new(&model, &plan, memory.arena()).expect("an engine");
                    let mut engine = engine.with_workers(&pool);
                    let what = format!("{name} {} {} by {batch}", quant.name(), kv.name());
                    let all = tokens();
                    for (part, budget) in all[..35].chunks(batch as usize).zip([1, 3000].repeat(18))
                    {
                        engine.begin_without_logits(part).expect("tokens that fit");
                        assert_eq!(engine.begin(part), Err(EngineError::Busy));
                        finish(&mut engine, budget);
                        assert!(engine.logits().is_empty(), "{what}");
                        assert_eq!(engine.batch_logits().count(), 0, "{what}");
                    }
                    assert_eq!(engine.position(), 35);
                    for (token, expected) in all.iter().zip(&expected).skip(35) {
                        assert!(
                            bits(engine.decode(*token).expect("it fits")) == *expected,
                            "{what}"
                        );
                    }
                }
            }
        }
    }
}

/// What goes into each matrix in one pass.
fn inputs(file: &[u8], logits: KeepLogits, with: bool) -> Vec<((Role, u32), Vec<f32>)> {
    with_engine(file, &Limits { logits, ..LIMITS }, |engine| {
        let mut seen = Vec::new();
        let all = tokens();
        let begun =
            if with { engine.begin(&all[..9]) } else { engine.begin_without_logits(&all[..9]) };
        begun.expect("tokens that fit");
        loop {
            if let Some(pending) = engine.pending_product() {
                seen.push(((pending.role, pending.layer), pending.input.to_vec()));
            }
            if engine.poll(1) == Ok(Progress::Done) {
                return seen;
            }
        }
    })
}

#[test]
fn the_last_layer_does_what_the_logits_need() {
    for name in MODELS {
        let file = file(name, Quant::Q8);
        let last = Model::parse(&file).expect("a valid model").recipe().layers - 1;
        let all = inputs(&file, KeepLogits::LastOfAll, true);
        let some = inputs(&file, KeepLogits::Last, true);
        assert_eq!(all.len(), some.len());
        for ((place, all), (_, some)) in all.iter().zip(&some) {
            let (role, layer) = *place;
            let whole = layer < last || matches!(role, Role::Key | Role::Value | Role::Head);
            let expected = if whole { &all[..] } else { &all[all.len() / 9 * 8..] };
            assert_eq!(bits(some), bits(expected), "{name}: {place:?}");
        }
        let none = inputs(&file, KeepLogits::Last, false);
        let kept = |((role, layer), _): &&((Role, u32), _)| {
            *layer < last || (*layer == last && matches!(role, Role::Key | Role::Value))
        };
        assert!(all.iter().filter(kept).eq(&none), "{name}");
    }
}

/// From a device: neither the head nor what logits need of the last layer.
#[test]
fn what_is_left_out_is_not_read() {
    for name in MODELS {
        for quant in [Quant::Q8, Quant::Q4] {
            let file = file(name, quant);
            let device = Device::new(&file);
            let (mut source, mut resident) = (device.clone(), Vec::new());
            resident.resize(Model::resident_bytes(&mut source).expect("a valid start"), 0);
            let model = Model::open(&mut source, &mut resident).expect("a valid model");
            let last = model.recipe().layers - 1;
            let (mut expected, mut bands) = (0, 0);
            for tensor in model.tensors().filter(|tensor| tensor.encoding.is_matrix()) {
                match tensor.role {
                    Role::Embedding | Role::PositionEmbedding => {
                        bands += tensor.len / u64::from(tensor.rows.div_ceil(8));
                    }
                    Role::Key | Role::Value => expected += tensor.len,
                    role if Role::LAYER.contains(&role) && tensor.layer < last => {
                        expected += tensor.len;
                    }
                    _ => {}
                }
            }
            let limits = Limits { window: Some(1 << 20), ..LIMITS };
            let plan = Plan::new(&model, &limits).expect("a plan");
            let mut memory = Memory::new(plan.arena_bytes());
            let engine = Engine::streaming(&model, &plan, memory.arena(), &mut source);
            let mut engine = engine.expect("an engine");
            for budget in [u64::MAX, 1] {
                device.take_reads();
                engine.begin_without_logits(&tokens()[..1]).expect("a token that fits");
                finish(&mut engine, budget);
                let found: u64 = device.take_reads().iter().map(|&(_, len)| len as u64).sum();
                let least = expected..=expected + bands;
                assert!(least.contains(&found), "{name}: {found} bytes, not {least:?}");
            }
        }
    }
}
