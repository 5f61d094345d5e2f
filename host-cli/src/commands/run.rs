//! `acorn run`: a prompt goes in, text streams out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use acorn_core::{KeepLogits, Model, Sampler, SamplerOptions, Tokenizer};
use serde::Serialize;
use serde_json::Value;

use super::options::{self, Kv, Memory, Threads, weights};
use super::print;
use crate::error::Error;
use crate::memory::budget::Placement;
use crate::progress::Bar;
use crate::session::{self, Session};
use crate::source;
use crate::text;
use crate::threads;
use crate::tuning::Tuning;

/// Continue a text
///
/// The continuation streams to standard output, figures go to standard error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  acorn run -p \"turn the kitchen lights down to thirty percent\"\n  acorn run stories.acorn -p \"Once upon a time\" --temp 0 -n 100\n  acorn run larger-than-memory.acorn -p \"Hello\" --max-memory 200M"
)]
pub(super) struct Args {
    /// An .acorn file, a Hugging Face folder, or a bundled model
    #[arg(default_value = "home")]
    file: PathBuf,
    /// The text to continue; - reads it from standard input
    #[arg(short, long, value_name = "TEXT")]
    prompt: String,
    /// The most tokens to generate
    #[arg(short = 'n', long, value_name = "N", default_value_t = 256)]
    tokens: u32,
    /// Randomness; 0 takes the most likely token [default: the model's, else 0.8]
    #[arg(long, value_name = "T")]
    temp: Option<f32>,
    /// Only the K most likely tokens; 0 for all [default: the model's, else 40]
    #[arg(long, value_name = "K")]
    top_k: Option<u32>,
    /// Only the most likely tokens that together reach probability P [default: the model's, else 0.95]
    #[arg(long, value_name = "P")]
    top_p: Option<f32>,
    /// Only tokens at least P times as probable as the most likely one [default: the model's, else 0]
    #[arg(long, value_name = "P")]
    min_p: Option<f32>,
    /// Divide the logits of the last 64 tokens by this [default: the model's, else 1]
    #[arg(long, value_name = "R")]
    repeat_penalty: Option<f32>,
    /// Start of the random numbers [default: the clock]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Positions in the KV cache [default: what prompt and -n need, at most the model's]
    #[arg(long, value_name = "N")]
    context: Option<u32>,
    /// How keys and values are stored [default: int8; f32 for f32 models]
    #[arg(long, value_enum)]
    kv: Option<Kv>,
    /// Threads; auto: all processors for the prompt, then as many as the first tokens are fastest with [default:
    /// auto; 1 for models below 8 MiB]
    #[arg(long, value_name = "N|auto")]
    threads: Option<Threads>,
    #[command(flatten)]
    memory: Memory,
    /// Go on after a token that ends the text
    #[arg(long)]
    ignore_eos: bool,
    /// Print one JSON object, at the end
    #[arg(long)]
    json: bool,
}

/// Tokens that the repeat penalty looks back on.
const RECENT: usize = 64;

#[derive(Serialize)]
struct Answer {
    text: String,
    tokens: Vec<u32>,
    stats: Stats,
}

#[derive(Serialize)]
struct Stats {
    prompt_tokens: usize,
    generated_tokens: usize,
    prompt_tps: f64,
    decode_tps: f64,
    time_to_first_token_ms: f64,
    arena_bytes: usize,
    #[serde(flatten)]
    placement: Placement,
    context: usize,
    /// That decoded last; the prompt was fed by `threads_most`.
    threads: u32,
    threads_most: u32,
    kernel: &'static str,
    seed: u64,
    stop: Stop,
}

/// Why the text ended.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stop {
    /// The model ended it.
    EndOfText,
    /// As many tokens as asked for.
    Length,
    /// No position left in the context.
    Context,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let started = Instant::now();
    let file = source::open_to_run(&args.file, args.memory.max_memory, &Bar::default())?;
    let mut resident = Vec::new();
    let model = file.model(&mut resident)?;
    let prompt = options::prompt(&args.prompt)?;
    let prompt = text::encode(&args.file, &model, &prompt, true)?;
    let threads = args.threads.unwrap_or_else(|| Threads::for_file(file.len()));
    let options = session_options(args, &model, prompt.len(), threads)?;
    let mut session = Session::new(&file, model, &options)?;
    let (arena_bytes, placement) = (session.plan().arena_bytes(), session.placement());
    let seed = args.seed.unwrap_or_else(clock);
    let sampler = sampler(args, &model, seed)?;
    let tokenizer = text::tokenizer(&args.file, &model)?;
    let crew = session.threads().filter(|_| threads == Threads::Auto);
    let tuning = Tuning::new(options.threads);
    let recent = prompt.clone();
    let mut generation = Generation { args, tokenizer, sampler, recent, started, crew, tuning };

    let mut engine = session.engine()?;
    let answer = generation.run(&mut engine, &prompt)?;
    let (context, kernel) = (engine.context(), engine.kernel());
    let Timing { text, tokens, prompt_seconds, decode_seconds, first_token, stop } = answer;
    let per_second =
        |count: usize, seconds: f64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let stats = Stats {
        prompt_tokens: prompt.len(),
        generated_tokens: tokens.len(),
        prompt_tps: per_second(prompt.len(), prompt_seconds),
        decode_tps: per_second(tokens.len().saturating_sub(1), decode_seconds),
        time_to_first_token_ms: first_token * 1e3,
        arena_bytes,
        placement,
        context,
        threads: generation.tuning.count(),
        threads_most: options.threads,
        kernel,
        seed,
        stop,
    };
    if args.json {
        return print::json(&Answer { text, tokens, stats });
    }
    print::text("")?;
    eprintln!("{}", describe(&stats));
    Ok(())
}

fn describe(stats: &Stats) -> String {
    let stop = match stats.stop {
        Stop::EndOfText => "end of text",
        Stop::Length => "as long as asked for (-n)",
        Stop::Context => "the context is full (--context)",
    };
    let threads = match (stats.threads, stats.threads_most) {
        (count, most) if count < most => format!("{count} of {most} threads"),
        (count, _) => format!("{count} thread(s)"),
    };
    format!(
        "\nprompt {} tokens, {:.1} tok/s · generated {} tokens, {:.1} tok/s · first token after {:.1} ms\n\
         arena {} bytes, context {} · {}, kernel {} · seed {} · stopped: {stop}{}",
        stats.prompt_tokens,
        stats.prompt_tps,
        stats.generated_tokens,
        stats.decode_tps,
        stats.time_to_first_token_ms,
        stats.arena_bytes,
        stats.context,
        threads,
        stats.kernel,
        stats.seed,
        weights(stats.placement),
    )
}

fn session_options(
    args: &Args,
    model: &Model<'_>,
    prompt: usize,
    threads: Threads,
) -> Result<session::Options, Error> {
    let most = model.recipe().context;
    // The last token generated is not fed again.
    let wanted = (prompt as u64 + u64::from(args.tokens)).saturating_sub(1).max(1);
    let context = args.context.unwrap_or(u32::try_from(wanted).unwrap_or(most).min(most));
    if prompt as u64 > u64::from(context) {
        let problem = format!(
            "the prompt has {prompt} tokens, but the context {context} positions (the model takes {most}): \
             shorten it, or give a larger --context"
        );
        return Err(Error::input(&args.file, problem));
    }
    let threads = threads.most();
    let batch = session::BATCH.min(u32::try_from(prompt).unwrap_or(u32::MAX).max(1));
    let kv = args.kv.map(Into::into);
    Ok(session::Options { context, batch, kv, threads, logits: KeepLogits::Last })
}

/// The sampler that the options ask for; what they leave open the model's makers decide.
fn sampler(args: &Args, model: &Model<'_>, seed: u64) -> Result<Sampler, Error> {
    let metadata: Value = serde_json::from_str(model.metadata()).unwrap_or_default();
    let of_model = |name: &str| metadata["sampling"][name].as_f64();
    let or = |given: Option<f32>, name, default| {
        given.unwrap_or_else(|| of_model(name).map_or(default, |value| value as f32))
    };
    let top_k = args.top_k.unwrap_or_else(|| of_model("top_k").map_or(40, |k| k as u32));
    let options = SamplerOptions {
        temperature: or(args.temp, "temperature", 0.8),
        top_k,
        top_p: or(args.top_p, "top_p", 0.95),
        min_p: or(args.min_p, "min_p", 0.0),
        repeat_penalty: or(args.repeat_penalty, "repetition_penalty", 1.0),
        seed,
    };
    Sampler::new(options).map_err(|error| Error::Usage { problem: error.to_string() })
}

/// A seed that differs from run to run; the statistics tell it, so that a run can be repeated.
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::from(now.subsec_nanos()) ^ (now.as_secs() << 30)) & 0xFFFF_FFFF
}

struct Generation<'a> {
    args: &'a Args,
    tokenizer: Tokenizer<'a>,
    sampler: Sampler,
    recent: Vec<u32>,
    started: Instant,
    /// Threads that are to be as many as decode fastest.
    crew: Option<Arc<threads::Threads>>,
    tuning: Tuning,
}

struct Timing {
    text: String,
    tokens: Vec<u32>,
    prompt_seconds: f64,
    decode_seconds: f64,
    first_token: f64,
    stop: Stop,
}

impl Generation<'_> {
    fn run(
        &mut self,
        engine: &mut acorn_core::Engine<'_>,
        prompt: &[u32],
    ) -> Result<Timing, Error> {
        let path: &Path = &self.args.file;
        let failed = |error| Error::engine(path, error);
        let mut stream = text::Stream::new(self.tokenizer, prompt);
        let mut out = Timing {
            text: String::new(),
            tokens: Vec::new(),
            prompt_seconds: 0.0,
            decode_seconds: 0.0,
            first_token: 0.0,
            stop: Stop::Length,
        };
        if prompt.is_empty() {
            return Err(Error::input(
                path,
                "an empty prompt, and this model starts with no token of its own",
            ));
        }
        let before = Instant::now();
        engine.prefill(prompt).map_err(failed)?;
        out.prompt_seconds = before.elapsed().as_secs_f64();
        let before = Instant::now();
        while out.tokens.len() < self.args.tokens as usize {
            let recent = &self.recent[self.recent.len().saturating_sub(RECENT)..];
            let token = self.sampler.sample(engine.logits(), recent);
            if out.tokens.is_empty() {
                out.first_token = self.started.elapsed().as_secs_f64();
            }
            if !self.args.ignore_eos && self.tokenizer.is_stop(token) {
                out.stop = Stop::EndOfText;
                break;
            }
            out.tokens.push(token);
            self.recent.push(token);
            self.show(&mut out.text, &stream.push(token))?;
            if out.tokens.len() == self.args.tokens as usize {
                break;
            }
            if engine.position() == engine.context() {
                out.stop = Stop::Context;
                break;
            }
            let step = Instant::now();
            engine.decode(token).map_err(failed)?;
            self.tune(step.elapsed().as_secs_f64());
        }
        out.decode_seconds = before.elapsed().as_secs_f64();
        self.show(&mut out.text, &stream.finish())?;
        Ok(out)
    }

    /// Told that a token took `seconds`: chooses the threads of the next.
    fn tune(&mut self, seconds: f64) {
        if let Some(crew) = self.crew.as_ref().filter(|_| !self.tuning.is_settled()) {
            self.tuning.took(seconds);
            crew.limit(self.tuning.count() as usize);
        }
    }

    fn show(&self, text: &mut String, piece: &str) -> Result<(), Error> {
        text.push_str(piece);
        if self.args.json { Ok(()) } else { print::bytes(piece.as_bytes()) }
    }
}
