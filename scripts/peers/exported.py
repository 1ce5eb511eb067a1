"""What `lorapress export` writes, opened by other programs: PEFT's own merge, and llama.cpp on the GGUF files.

usage: exported.py PROGRAM RUN_FOLDER MODEL

PROGRAM is lorapress, RUN_FOLDER a trained run of the model whose float32 Hugging Face folder is MODEL (see logits.py). Prints one line a check;
ends with 1 if one fails.

1. The model merged in float32 gives PEFT's merged model's logits within 1e-3.
2. The GGUF files in F16 and Q8_0, greedily answered by llama.cpp: the first twenty tokens are `lorapress generate`'s on the same file. A
   difference counts only where llama.cpp's two best logits are more than 0.1 apart.
"""
import json
import os
import subprocess
import sys
import tempfile

import llama_cpp
import numpy
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

QUESTIONS = ["대한민국의 수도는 어디야?", "물의 끓는점을 알려 줘.", "광합성이 뭐야?", "What is the capital of France?"]
NEW_TOKENS = 20
failed = False


def say(passed, text):
    global failed
    failed = failed or not passed
    print(("ok    " if passed else "FAIL  ") + text, flush=True)


def lorapress(program, *words):
    done = subprocess.run([program, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"lorapress {' '.join(words)}: ended with {done.returncode}\n{done.stderr[-1500:]}")
    return done.stdout


def logits_of(model, tokenizer):
    ids = tokenizer(QUESTIONS[0] + " " + QUESTIONS[2], return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(ids).logits[0]


def merged(program, run, folder, place):
    print(lorapress(program, "export", "merged", run, "--type", "f32", "--base", "original", "--to", place).splitlines()[0])
    tokenizer = AutoTokenizer.from_pretrained(place)
    ours = logits_of(AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32), tokenizer)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = logits_of(PeftModel.from_pretrained(base, os.path.join(run, "checkpoints/best")).merge_and_unload(), tokenizer)
    apart = (ours - theirs).abs().max().item()
    say(apart < 1e-3, f"merged in float32: logits at most {apart:.2e} from PEFT's merge")


def llama_tokens(model, tokenizer_prompt):
    """Greedy ids with the distance of the two best logits before each, and the text after each."""
    ids = model.tokenize(tokenizer_prompt.encode(), add_bos=False, special=True)
    model.reset()
    steps, text = [], b""
    for _ in range(NEW_TOKENS):
        model.eval(ids)
        scores = numpy.asarray(model.scores[model.n_tokens - 1])
        best, second = numpy.argsort(scores)[::-1][:2]
        if best in (model.token_eos(), 151643, 151645):
            break
        text += model.detokenize([int(best)])
        steps.append((float(scores[best] - scores[second]), text))
        ids = [int(best)]
    return steps


def gguf(program, run, kind, tokenizer, place):
    print(lorapress(program, "export", "gguf", run, "--type", kind, "--to", place).splitlines()[0])
    path = os.path.join(place, next(name for name in os.listdir(place) if name.endswith(".gguf")))
    model = llama_cpp.Llama(path, n_ctx=512, n_threads=2, logits_all=True, verbose=False)
    for question in QUESTIONS:
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
        ours = lorapress(program, "generate", "--model", path, "--prompt", question, "--max-new-tokens", str(NEW_TOKENS),
                         "--weights", "f32").strip().encode()
        steps = llama_tokens(model, prompt)
        for index, (gap, text) in enumerate(steps):
            if not ours.startswith(text.strip()[:len(ours)]) and not text.decode("utf-8", "ignore").strip() in ours.decode("utf-8", "ignore"):
                say(gap <= 0.1, f"{kind}: {question} token {index + 1} differs where the best two are {gap:.3f} apart")
                break
        else:
            say(True, f"{kind}: {question} {len(steps)} tokens alike")


def main():
    program, run, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        merged(program, run, folder, os.path.join(place, "merged"))
        tokenizer = AutoTokenizer.from_pretrained(os.path.join(place, "merged"))
        for kind in ("f16", "q8_0"):
            gguf(program, run, kind, tokenizer, os.path.join(place, kind))
    print(json.dumps({"failed": failed}))
    sys.exit(failed)


main()
