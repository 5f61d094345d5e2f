//! The hash of the logits of random tokens with every kernel of this machine, where the tool does not run:
//! what `acorn logits FILE --random STEPS --context CONTEXT` prints.
//!
//!     fingerprint STEPS CONTEXT < FILE

use std::env;
use std::error::Error;
use std::io::{self, Read};

use acorn_core::fingerprint::{Hash, tokens};
use acorn_core::{Engine, Limits, Model, Plan, kernel, plan};

fn main() -> Result<(), Box<dyn Error>> {
    let number = |index| env::args().nth(index).ok_or("expected STEPS CONTEXT < FILE");
    let (steps, context) = (number(1)?.parse()?, number(2)?.parse()?);
    let mut file = Vec::new();
    io::stdin().lock().read_to_end(&mut file)?;
    let model = Model::parse(&file)?;
    model.verify()?;
    let plan = Plan::new(&model, &Limits { context, ..Limits::default() })?;
    let mut memory = vec![0; plan.arena_bytes() + plan::ALIGNMENT];
    let start = memory.as_ptr().align_offset(plan::ALIGNMENT);
    let arena = &mut memory[start..start + plan.arena_bytes()];
    for kernel in kernel::available() {
        let mut engine = Engine::new(&model, &plan, &mut *arena)?.with_kernel(kernel);
        let mut hash = Hash::default();
        for token in tokens(model.recipe().vocab_size).take(steps) {
            if engine.position() == engine.context() {
                engine.reset();
            }
            hash.add(engine.decode(token)?);
        }
        println!("{} {:016x}", kernel.name, hash.value());
    }
    Ok(())
}
