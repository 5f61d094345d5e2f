//! What a product calls that answers prompts, its model in flash: the model is verified, text becomes tokens,
//! these become logits, a token is drawn, tokens become text. Linked without the core's feature `full`.
#![no_std]
#![no_main]

mod linked;

use core::hint::black_box;

use acorn_core::tokenizer::{Decoder, EncodeOptions, Slot};
use acorn_core::{Engine, Limits, Model, Plan, Sampler, SamplerOptions};

/// Where the linker script says execution starts.
#[unsafe(no_mangle)]
extern "C" fn probe() -> ! {
    loop {
        let (file, arena) = (black_box(&[]), black_box(&mut []));
        black_box(answer(file, arena, black_box(""), |text| _ = black_box(text)));
    }
}

#[inline(never)]
fn answer(file: &[u8], arena: &mut [u8], prompt: &str, show: impl Fn(&str)) -> Option<()> {
    let model = Model::parse(file).ok()?;
    model.verify().ok()?;
    let tokenizer = model.tokenizer()?;
    let plan = Plan::new(&model, &Limits { context: black_box(64), ..Limits::default() }).ok()?;
    let mut engine = Engine::new(&model, &plan, arena).ok()?;
    let mut sampler = Sampler::new(black_box(SamplerOptions::default())).ok()?;

    let (mut scratch, mut tokens) = ([Slot::EMPTY; 256], [0; 64]);
    let options = EncodeOptions::default();
    let count = tokenizer.encode(prompt, options, &mut scratch, &mut tokens).ok()?;
    let mut token = sampler.sample(engine.prefill(tokens.get(..count)?).ok()?, &tokens);
    let mut decoder = Decoder::new(tokenizer);
    while !tokenizer.is_stop(token) && engine.position() < engine.context() {
        decoder.push(token, &show);
        token = sampler.sample(engine.decode(token).ok()?, &tokens);
    }
    decoder.finish(show);
    Some(())
}
