#!/usr/bin/env python3
"""Makes a Hugging Face folder of a known model's shape with random bf16 weights in shards: does a machine hold this model?

usage: random_model.py SHAPE FOLDER        SHAPE: qwen1.5-1.8b, qwen2.5-1.5b or qwen3-0.6b (as their config.json says)

Needs numpy alone. The weights are uniform with standard deviation 0.02; there is no tokeniser.
"""
import json
import os
import sys

import numpy as np

COMMON = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 32768, "vocab_size": 151936,
          "rope_theta": 1e6, "use_sliding_window": False, "torch_dtype": "bfloat16"}
SHAPES = {
    "qwen1.5-1.8b": {"model_type": "qwen2", "hidden_size": 2048, "intermediate_size": 5504, "num_hidden_layers": 24,
                     "num_attention_heads": 16, "num_key_value_heads": 16, "tie_word_embeddings": False},
    "qwen2.5-1.5b": {"model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
                     "num_attention_heads": 12, "num_key_value_heads": 2, "tie_word_embeddings": True},
    "qwen3-0.6b": {"model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
                   "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True},
}
SHARD_BYTES = 1 << 30


def shapes(config):
    """(name, shape) of every tensor, in the order of the layers."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    size = config.get("head_dim", width // config["num_attention_heads"])
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    yield "model.embed_tokens.weight", (config["vocab_size"], width)
    for layer in range(config["num_hidden_layers"]):
        place = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"{place}.{norm}.weight", (width,)
        for name, rows, columns in [("q", queries, width), ("k", keys, width), ("v", keys, width), ("o", width, queries)]:
            yield f"{place}.self_attn.{name}_proj.weight", (rows, columns)
            if config["model_type"] == "qwen2" and name != "o":
                yield f"{place}.self_attn.{name}_proj.bias", (rows,)
        if config["model_type"] == "qwen3":
            yield f"{place}.self_attn.q_norm.weight", (size,)
            yield f"{place}.self_attn.k_norm.weight", (size,)
        for name, rows, columns in [("gate", inner, width), ("up", inner, width), ("down", width, inner)]:
            yield f"{place}.mlp.{name}_proj.weight", (rows, columns)
    yield "model.norm.weight", (width,)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (config["vocab_size"], width)


def numbers(name, shape, random):
    """bf16 numbers as 16-bit integers: the upper half of float32, 1 for the gain of a norm."""
    if "norm" in name:
        return np.full(shape, 0x3F80, dtype=np.uint16)
    values = (random.random(shape, dtype=np.float32) - np.float32(0.5)) * np.float32(0.02 * 12**0.5)
    return (values.view(np.uint32) >> 16).astype(np.uint16)


def write_shard(path, tensors, random):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors:
            numbers(name, shape, random).tofile(file)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES:
        sys.exit(__doc__)
    config, folder = {**COMMON, **SHAPES[sys.argv[1]]}, sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    shards, size = [[]], 0
    for name, shape in shapes(config):
        count = 2 * int(np.prod(shape))
        if size and size + count > SHARD_BYTES:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += count
    random, weight_map = np.random.default_rng(1), {}
    for number, tensors in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        write_shard(os.path.join(folder, file), tensors, random)
        weight_map.update({name: file for name, _ in tensors})
    total = sum(2 * int(np.prod(shape)) for _, shape in shapes(config))
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, file, indent=2)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file, indent=2)
    print(f"{folder}: {total // 2:,} parameters in {len(shards)} shards")


main()
