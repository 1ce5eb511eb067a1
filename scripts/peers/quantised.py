"""What bitsandbytes makes of two tensors of the real model, for comparison with ours.

usage: quantised.py FILE.gguf OUT.safetensors

For each tensor NAME: NAME.codes and NAME.absmax (NF4, blocks of 64), NAME.nested_codes, NAME.nested_absmax and NAME.offset (double
quantisation), NAME.dequantised (float32, of the plain maxima), NAME.int8 and NAME.row_absmax. The values are the GGUF's, dequantised
by the gguf package. Both tensors have rows of whole blocks, where all of bitsandbytes' ways to dequantise agree.
"""
import sys

import bitsandbytes.functional as bnb
import gguf
import numpy as np
import torch
from safetensors.torch import save_file

NAMES = ["blk.0.attn_q.weight", "blk.12.ffn_down.weight"]


def quantise(values):
    codes, plain = bnb.quantize_4bit(values, quant_type="nf4", blocksize=64)
    _, nested = bnb.quantize_4bit(values, quant_type="nf4", blocksize=64, compress_statistics=True)
    rows, absmax, _ = torch.ops.bitsandbytes.int8_vectorwise_quant(values.clone())
    return {"codes": codes.reshape(-1), "absmax": plain.absmax, "nested_codes": nested.absmax,
            "nested_absmax": nested.state2.absmax, "offset": nested.offset.reshape(1),
            "dequantised": bnb.dequantize_4bit(codes, plain), "int8": rows, "row_absmax": absmax}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(sys.argv[1]).tensors}
    result = {}
    for name in NAMES:
        values = gguf.dequantize(tensors[name].data, tensors[name].tensor_type)
        values = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
        result.update({f"{name}.{key}": tensor.contiguous() for key, tensor in quantise(values).items()})
        print(name, tuple(values.shape), flush=True)
    save_file(result, sys.argv[2])


main()
