"""GGUF files of a Hugging Face folder of the Llama architecture, for llama.cpp.

write FOLDER OUT        the weights as they are (float16), without a tokenizer: speed needs none
quantize IN OUT TYPE    as llama.cpp's own quantizer makes it, the mixture of types included (a tied embedding, which
                        is the head, gets more bits than the rest; rows of no whole block fall back to another type)
bytes FILE              bytes of weights that one decoded token reads

example: python tools/peers/gguf_files.py write /tmp/smol /tmp/smol.f16.gguf
         python tools/peers/gguf_files.py quantize /tmp/smol.f16.gguf /tmp/smol.Q4_0.gguf Q4_0
"""

import argparse
import json
import sys
from pathlib import Path

import gguf
import numpy
from safetensors import safe_open


def without_suffix(path):
    """Where a file is written before it has its name: a file of that name is whole."""
    return path.with_name(path.name + ".part")


def interleaved(weight, heads):
    """Rows of q or k [heads × head_dim, hidden]: from rotating a head's halves (Hugging Face) to rotating neighbours.

    Source: llama.cpp, convert_hf_to_gguf.py, LlamaModel.permute."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def add_config(writer, config):
    """The hyperparameters. What would need more than these is refused."""
    if config["architectures"] != ["LlamaForCausalLM"] or config.get("rope_scaling"):
        sys.exit("config.json: expected LlamaForCausalLM without rope_scaling")
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads") or heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("no_vocab")


def write(folder, out):
    """Writes the folder's float16 weights, one tensor in memory at a time."""
    config = json.loads((folder / "config.json").read_text())
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    part = without_suffix(out)
    writer = gguf.GGUFWriter(part, "llama")
    add_config(writer, config)
    with safe_open(folder / "model.safetensors", "np") as file:
        tensors = []
        for name in file.keys():
            shape = file.get_slice(name).get_shape()
            dtype = numpy.dtype(numpy.float32 if len(shape) == 1 else numpy.float16)
            theirs = names.get_name(name, try_suffixes=(".weight",))
            writer.add_tensor_info(theirs, shape, dtype, int(numpy.prod(shape)) * dtype.itemsize)
            tensors.append((name, theirs, dtype))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, theirs, dtype in tensors:
            weight = file.get_tensor(name).astype(dtype, copy=False)
            part_of_attention = heads.get(theirs.split(".")[-2])
            if part_of_attention:
                weight = interleaved(weight, part_of_attention)
            writer.write_tensor_data(numpy.ascontiguousarray(weight))
    writer.close()
    part.rename(out)


def quantize(source, out, kind):
    """Quantizes with llama.cpp's own function, on all processors."""
    # Only here: the rest does without llama.cpp.
    import llama_cpp
    import quiet  # noqa: F401

    kinds = {
        "Q4_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0,
        "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
        "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    }
    part = without_suffix(out)
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = kinds[kind]
    if llama_cpp.llama_model_quantize(bytes(source), bytes(part), params) != 0:
        sys.exit(f"{source}: llama.cpp cannot make {kind} of it")
    part.rename(out)


def bytes_per_token(path):
    """All weights but an embedding that is not the head, too: of that, a token reads one row."""
    tensors = {tensor.name: int(tensor.n_bytes) for tensor in gguf.GGUFReader(path).tensors}
    if "output.weight" in tensors:
        del tensors["token_embd.weight"]
    return sum(tensors.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = parser.add_subparsers(dest="task", required=True)
    task = tasks.add_parser("write")
    task.add_argument("folder", type=Path)
    task.add_argument("out", type=Path)
    task = tasks.add_parser("quantize")
    task.add_argument("source", type=Path)
    task.add_argument("out", type=Path)
    task.add_argument("type", choices=["Q4_0", "Q4_K_M", "Q8_0"])
    task = tasks.add_parser("bytes")
    task.add_argument("file", type=Path)
    args = parser.parse_args()
    if args.task == "write":
        write(args.folder, args.out)
    elif args.task == "quantize":
        quantize(args.source, args.out, args.type)
    else:
        print(bytes_per_token(args.file))


if __name__ == "__main__":
    main()
