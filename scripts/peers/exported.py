"""What `lorapress export` writes, opened by other programs: PEFT and transformers, and llama.cpp.

usage: exported.py PROGRAM RUN_FOLDER BASE.gguf MODEL

PROGRAM is lorapress, RUN_FOLDER a trained run of BASE.gguf, whose float32 Hugging Face
folder is MODEL (see logits.py). Prints one line a check
("ok" or "FAIL") and one a note; ends with 1 if a check fails.

1. The model merged in float32 gives the logits of PEFT's merged model within 1e-3.
2. GGUF files in F16 and Q8_0, answered greedily by llama.cpp: the first twenty tokens are those of `lorapress generate` on the same file. A
   difference counts only where llama.cpp's two best logits are more than 0.1 apart.
3. The adapter as a GGUF file, applied by llama.cpp to the base's own file, moves the logits to where the merged file's are.
4. Q8_0 and Q4_0 files hold the numbers that llama.cpp's own quantiser makes of the F32 file, or numbers as near to it. Noted: sizes,
   reconstruction errors and load times of both.
5. The example beside each export answers.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import gguf
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


def note(text):
    print("note  " + text, flush=True)


def run(words, **more):
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: ended with {done.returncode}\n{done.stderr[-1500:]}")
    return done.stdout


class Exports:
    """Exports of the run, each made once, in a folder of its own."""

    def __init__(self, program, run_folder, place):
        self.program, self.run_folder, self.place = program, run_folder, place

    def folder(self, kind, *options):
        path = os.path.join(self.place, "-".join([kind, *(option.lstrip("-") for option in options)]))
        if not os.path.exists(path):
            said = run([self.program, "export", kind, self.run_folder, *options, "--to", path])
            loss = [line for line in said.splitlines() if line.startswith("validation loss")]
            note(" ".join(["export", kind, *options]) + "".join(": " + line for line in loss[:1]))
        return path

    def file(self, kind, *options):
        path = self.folder(kind, *options)
        return os.path.join(path, next(name for name in os.listdir(path) if name.endswith(".gguf")))


def merged(exports, folder):
    place = exports.folder("merged", "--type", "f32", "--base", "original")
    tokenizer = AutoTokenizer.from_pretrained(place)
    ids = tokenizer(" ".join(QUESTIONS), return_tensors="pt")["input_ids"]
    ours = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, exports.folder("adapter"))
    with torch.no_grad():
        beside = theirs(ids).logits
        inside = theirs.merge_and_unload()(ids).logits
        apart = (ours(ids).logits - inside).abs().max().item()
    say(apart < 1e-3, f"merged in float32: logits at most {apart:.2e} from PEFT's merge (whose own are {(inside - beside).abs().max().item():.2e} from its adapter's)")


def opened(path, **more):
    return llama_cpp.Llama(path, n_ctx=512, n_threads=2, logits_all=True, verbose=False, **more)


def greedy(model, prompt, ends):
    """The text after each greedy token, and how far apart the two best logits were before it."""
    ids = model.tokenize(prompt.encode(), add_bos=False, special=True)
    model.reset()
    text = b""
    for _ in range(NEW_TOKENS):
        model.eval(ids)
        scores = numpy.asarray(model.scores[model.n_tokens - 1])
        best, second = (int(index) for index in numpy.argsort(scores)[::-1][:2])
        if best in ends:
            return
        text += model.detokenize([best])
        yield text.decode("utf-8", "ignore").strip(), float(scores[best] - scores[second])
        ids = [best]


def answers(exports, kind):
    tokenizer = AutoTokenizer.from_pretrained(exports.folder("adapter"))
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|endoftext|>")}
    path = exports.file("gguf", "--type", kind)
    model = opened(path)
    for question in QUESTIONS:
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True)
        ours = run([exports.program, "generate", "--model", path, "--prompt", question, "--max-new-tokens", str(NEW_TOKENS), "--weights", "f32"]).strip()
        count = 0
        for text, gap in greedy(model, prompt, ends):
            count += 1
            if not ours.startswith(text):
                say(gap <= 0.1, f"{kind}: {question} token {count} differs where the best two are {gap:.3f} apart")
                break
        else:
            say(count > 0, f"{kind}: {question} {count} tokens alike")


def adapter_beside_base(exports, base):
    """llama.cpp's logits with the adapter applied to the file that the run was trained on, against its logits of the merged file."""
    logits = []
    for model in (opened(base, lora_path=exports.file("lora-gguf")), opened(exports.file("gguf", "--type", "f16", "--base", "original")), opened(base)):
        model.eval(model.tokenize(" ".join(QUESTIONS).encode(), add_bos=False))
        logits.append(numpy.array(model.scores[: model.n_tokens]))
    beside, merged_logits, alone = logits
    apart, moved = (float(numpy.abs(other - beside).mean()) for other in (merged_logits, alone))
    say(apart < moved / 10, f"adapter as GGUF: logits on average {apart:.3f} from the merged file's; without it they are {moved:.3f} apart")


def numbers(path):
    return {tensor.name: gguf.quants.dequantize(tensor.data, tensor.tensor_type) for tensor in gguf.GGUFReader(path).tensors}


def quantised(exports):
    exact = exports.file("gguf", "--type", "f32")
    reference = numbers(exact)
    for kind, file_type in (("q8_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0), ("q4_0", llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0)):
        ours = exports.file("gguf", "--type", kind, "--max-difference", "1")
        theirs = os.path.join(exports.place, f"llama-{kind}.gguf")
        parameters = llama_cpp.llama_model_quantize_default_params()
        parameters.ftype, parameters.pure, parameters.nthread = file_type, True, 2
        if llama_cpp.llama_model_quantize(exact.encode(), theirs.encode(), parameters) != 0:
            sys.exit(f"{exact}: llama.cpp can't quantise it")
        errors = []
        for path in (ours, theirs):
            squares = sizes = 0.0
            for name, values in numbers(path).items():
                squares += float(((values - reference[name]).astype(numpy.float64) ** 2).sum())
                sizes += float((reference[name].astype(numpy.float64) ** 2).sum())
            errors.append((squares / sizes) ** 0.5)
        say(errors[0] <= errors[1] * 1.02, f"{kind}: relative error {errors[0]:.5f}, of llama.cpp's file {errors[1]:.5f}")
        bytes_ours, bytes_theirs = os.path.getsize(ours), os.path.getsize(theirs)
        say(bytes_ours <= bytes_theirs * 1.01, f"{kind}: {bytes_ours:,} bytes, llama.cpp's file {bytes_theirs:,}")
        times = []
        for _ in range(3):
            start = time.perf_counter()
            opened(ours)
            middle = time.perf_counter()
            run([exports.program, "generate", "--model", ours, "--prompt", "물", "--max-new-tokens", "1"])
            times.append((time.perf_counter() - middle, middle - start))
        note(f"{kind}: program start to first token {sorted(t[0] for t in times)[1]:.2f} s; llama.cpp opens the file in {sorted(t[1] for t in times)[1]:.2f} s")
        os.remove(theirs)


def examples(exports, folder):
    environment = dict(os.environ, PATH=os.path.dirname(os.path.abspath(exports.program)) + ":" + os.environ["PATH"])
    for kind, name in (("adapter", "generate_peft.py"), ("merged", "generate.py"), ("gguf", "generate_llama_cpp.py"), ("ollama", "generate_llama_cpp.py"),
                       ("adapter", "generate.swift"), ("merged", "generate.swift"), ("gguf", "generate.swift")):
        options = ["--max-difference", "1"] if kind != "adapter" else []
        path = os.path.join(exports.folder(kind, *options), name)
        command = ["swift", path] if name.endswith(".swift") else [sys.executable, path]
        if name == "generate_peft.py":
            # Its base is fetched from the Hub; here the folder of the same model stands in for it.
            text = open(path, encoding="utf-8").read()
            line = next(line for line in text.splitlines() if line.startswith("base = "))
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(line, f"base = AutoModelForCausalLM.from_pretrained({folder!r}, dtype=torch.bfloat16)"))
        answer = run([*command, QUESTIONS[0]], env=environment).strip()
        say("서울" in answer or len(answer) > 5, f"{kind}/{name}: {answer[:60]!r}")


def main():
    program, run_folder, base, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as place:
        exports = Exports(program, run_folder, place)
        merged(exports, folder)
        shutil.rmtree(exports.folder("merged", "--type", "f32", "--base", "original"))
        answers(exports, "f16")
        answers(exports, "q8_0")
        adapter_beside_base(exports, base)
        examples(exports, folder)
        quantised(exports)
    sys.exit(failed)


main()
