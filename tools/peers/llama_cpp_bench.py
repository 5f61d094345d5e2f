"""Tokens per second of llama.cpp, measured as its llama-bench does, through the C functions of llama-cpp-python.

A prompt is one call of llama_decode on an empty context, in passes of 512 tokens; decoding starts from an empty
context, too, one token per call. Logits are computed for the last token of a call; nothing is sampled. A prompt and
one token before that warm up. Flash attention and the types of the KV cache (float16) are llama.cpp's defaults.

Prints one JSON object: prefill_tps, decode_tps (a list with the figure of each run), engine.

example: python tools/peers/llama_cpp_bench.py smol.Q4_0.gguf --prompt 128 --decode 64 --threads 1 --runs 5
"""

import argparse
import json
import random
import sys
import time

import llama_cpp
import quiet  # noqa: F401

UBATCH = 512


def open_context(path, tokens, threads):
    """(model, context) for that many tokens."""
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    if not model:
        sys.exit(f"{path}: llama.cpp cannot load it")
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = tokens
    params.n_ubatch = min(UBATCH, tokens)
    params.n_threads = params.n_threads_batch = threads
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        sys.exit(f"{path}: no context of {tokens} tokens")
    return model, context


def seconds(context, tokens, at_once):
    """How long llama.cpp takes for the tokens, in calls of `at_once` of them, from an empty context on."""
    calls = [tokens[at : at + at_once] for at in range(0, len(tokens), at_once)]
    arrays = [(llama_cpp.llama_token * len(call))(*call) for call in calls]
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), False)
    start = time.perf_counter()
    for array in arrays:
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(array))) != 0:
            sys.exit("llama_decode failed")
        llama_cpp.llama_synchronize(context)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--prompt", type=int, default=128, help="tokens of the prompt (%(default)s)")
    parser.add_argument("--decode", type=int, default=64, help="tokens decoded (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--runs", type=int, default=1, help="runs after the one that warms up (%(default)s)")
    args = parser.parse_args()

    llama_cpp.llama_backend_init()
    model, context = open_context(args.model, max(args.prompt, args.decode), args.threads)
    draw = random.Random(0)
    vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    prompt, decoded = ([draw.randrange(vocabulary) for _ in range(n)] for n in (args.prompt, args.decode))

    seconds(context, prompt, args.prompt)
    seconds(context, decoded[:1], 1)
    figures = {"prefill_tps": [], "decode_tps": []}
    for _ in range(args.runs):
        figures["prefill_tps"].append(args.prompt / seconds(context, prompt, args.prompt))
        figures["decode_tps"].append(args.decode / seconds(context, decoded, 1))
    system = llama_cpp.llama_print_system_info().decode().strip(" |")
    print(json.dumps({**figures, "engine": f"llama-cpp-python {llama_cpp.__version__} ({system})"}))


if __name__ == "__main__":
    main()
