//! Calls everything a firmware calls, on bytes the compiler knows nothing about, so that all of it
//! is linked. Nothing runs this program: `cargo xtask firmware` reads what the linker kept.
#![no_std]
#![no_main]

mod linked;

use core::hint::black_box;

use acorn_core::engine::Progress;
use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot};
use acorn_core::{
    Arena, Engine, Fault, Inline, KvKind, Limits, Model, Plan, Sampler, SamplerOptions, Source,
};

/// Where the linker script says execution starts.
#[unsafe(no_mangle)]
extern "C" fn probe() -> ! {
    let mut arena = Arena::<{ 64 * 1024 }>::new();
    loop {
        black_box(verify(black_box(&[])));
        black_box(tokens(black_box(&[]), black_box(""), black_box(&mut [])));
        black_box(generate(black_box(&[]), &mut arena, black_box(&[]), black_box(&mut [])));
        black_box(streamed(black_box(&mut Device), black_box(&mut []), &mut arena));
    }
}

/// Bytes to a verified model, and what of it is for people.
#[inline(never)]
fn verify(file: &[u8]) -> Option<usize> {
    let model = Model::parse(file).ok()?;
    let mut verifier = model.verifier();
    while verifier.step(black_box(4096)).ok()? > 0 {}
    black_box((model.chat_template(), model.metadata(), model.is_quantized(), model.recipe()));
    Some(model.sections().count() + model.tensors().count())
}

/// Text to tokens, and back piece by piece.
#[inline(never)]
fn tokens(file: &[u8], text: &str, out: &mut [u32]) -> Option<()> {
    let tokenizer = Model::parse(file).ok()?.tokenizer()?;
    let mut scratch = [Slot::EMPTY; 256];
    let options = black_box(EncodeOptions::default());
    let count = tokenizer.encode(text, options, &mut scratch, out).ok()?;
    let ids = out.get(..count)?;
    tokenizer.decode(ids, |piece| _ = black_box(piece));
    let mut decoder = Decoder::new(tokenizer);
    for &id in ids {
        decoder.push(id, |piece| _ = black_box(piece));
        black_box((tokenizer.is_stop(id), tokenizer.is_special(id), tokenizer.token_bytes(id)));
    }
    decoder.finish(|piece| _ = black_box(piece));
    black_box((tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()));
    Some(())
}

/// Tokens to logits to tokens: all kinds of KV cache and encodings, since the compiler knows none.
#[inline(never)]
fn generate(file: &[u8], arena: &mut [u8], prompt: &[u32], out: &mut [u32]) -> Option<()> {
    let model = Model::parse(file).ok()?;
    let kv = black_box(Some(KvKind::Int8));
    let limits = Limits { context: black_box(64), batch: black_box(4), kv, ..Limits::default() };
    let plan = Plan::new(&model, &limits).ok()?;
    black_box((plan.arena_bytes(), plan.kv_bytes_per_token(), plan.parts().count()));

    let mut engine = Engine::new(&model, &plan, arena).ok()?.with_workers(&Inline);
    let mut sampler = Sampler::new(black_box(SamplerOptions::default())).ok()?;
    engine.prefill(prompt).ok()?;
    for index in 0..out.len() {
        let (recent, rest) = out.split_at_mut_checked(index)?;
        let token = sampler.sample(engine.logits(), recent);
        *rest.first_mut()? = token;
        engine.begin(&[token]).ok()?;
        while engine.poll(black_box(10_000)).ok()? == Progress::Pending {}
        black_box(engine.batch_logits().count());
    }
    black_box((engine.kernel(), engine.position(), engine.decode(0).ok()?));
    engine.reset();
    Some(())
}

/// A device that weights are read from.
struct Device;

impl Source for Device {
    fn read(&mut self, _: u64, into: &mut [u8]) -> Result<(), Fault> {
        black_box(into);
        black_box(Ok(()))
    }
}

/// The same for weights that are not in memory.
#[inline(never)]
fn streamed(source: &mut dyn Source, resident: &mut [u8], arena: &mut [u8]) -> Option<u32> {
    black_box(Model::resident_bytes(source).ok()?);
    let model = Model::open(source, resident).ok()?;
    model.verify_through(source, arena).ok()?;
    let limits = Limits { window: black_box(Some(16 * 1024)), ..Limits::default() };
    let plan = Plan::new(&model, &limits).ok()?;
    let mut engine = Engine::streaming(&model, &plan, arena, source).ok()?;
    Some(acorn_core::greedy(engine.decode(0).ok()?))
}
