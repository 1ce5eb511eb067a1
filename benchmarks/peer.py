#!/usr/bin/env python3
"""The same work by transformers and PEFT, llama.cpp or matplotlib, for `compare`. Each prints one JSON object.

usage: peer.py chat MODEL TRAIN.jsonl EVAL.jsonl ADAPTER f32|bf16    one pass over TRAIN in file order, 4 rows a step, padded; the adapter is saved
       peer.py step MODEL f32|bf16|nf4 ROWSxTOKENS STEPS
       peer.py generate MODEL PROMPT_TOKENS NEW_TOKENS
       peer.py tokenize MODEL FILE
       peer.py llama FILE.gguf PROMPT_TOKENS NEW_TOKENS      by llama-cpp-python, on all cores
       peer.py charts METRICS.jsonl FOLDER             four loss charts of 1600x900 pixels

MODEL is a Hugging Face folder. LoRA has rank 16 and alpha 32 on all linear layers, without dropout. `chat` supervises what the template prints
after the generation prompt and takes a learning rate of 2e-4 that falls to 0 along a line.
"""
import json
import resource
import sys
import time

# Drawing is timed with its imports, and needs neither of these; nor do llama.cpp and the metrics.
if sys.argv[1:2] not in (["charts"], ["llama"], ["metrics"]):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

LORA = dict(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def adapted(path, kind):
    from peft import LoraConfig, get_peft_model

    dtype = torch.float32 if kind == "f32" else torch.bfloat16
    more = {}
    if kind == "nf4":
        from transformers import BitsAndBytesConfig

        more["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **more), LoraConfig(**LORA))
    model.train()
    return model, [p for p in model.parameters() if p.requires_grad]


def chat(path, train, held_out, out, kind):
    tokenizer = AutoTokenizer.from_pretrained(path)

    def rows(file):
        found = []
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                messages = json.loads(line)["messages"]
                whole = tokenizer.apply_chat_template(messages, tokenize=False)
                prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
                asked = tokenizer(prompt)["input_ids"]
                found.append((asked, tokenizer(whole[len(prompt):])["input_ids"]))
        return found

    def batch(some):
        longest = max(len(a) + len(b) for a, b in some)
        ids = torch.full((len(some), longest), tokenizer.pad_token_id)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
        for row, (asked, answer) in enumerate(some):
            end = len(asked) + len(answer)
            ids[row, :end] = torch.tensor(asked + answer)
            mask[row, :end] = 1
            labels[row, len(asked):end] = torch.tensor(answer)
        return ids, mask, labels

    def loss_of(model, some):
        model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for start in range(0, len(some), 10):
                ids, mask, labels = batch(some[start:start + 10])
                logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
                total += float(torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100, reduction="sum"))
                count += int((labels[:, 1:] != -100).sum())
        model.train()
        return total / count

    torch.manual_seed(0)
    model, parameters = adapted(path, kind)
    data, held = rows(train), rows(held_out)
    steps = len(data) // 4
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    seconds = 0.0
    for step in range(steps):
        ids, mask, labels = batch(data[4 * step:4 * step + 4])
        start = time.perf_counter()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        seconds += time.perf_counter() - start
    model.save_pretrained(out)
    return {"examples_per_second": 4 * steps / seconds, "loss": loss_of(model, held)}


def step(path, kind, shape, steps):
    rows, length = map(int, shape.split("x"))
    model, parameters = adapted(path, kind)
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, weight_decay=0.0)
    seconds = []
    for _ in range(int(steps)):
        ids = torch.randint(0, model.config.vocab_size, (rows, length))
        start = time.perf_counter()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    return {"tokens_per_second": rows * length / min(seconds), "step_seconds": seconds}


def generate(path, prompt_tokens, new_tokens):
    prompt_tokens, new_tokens = int(prompt_tokens), int(new_tokens)
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.bfloat16)
    text = tokenizer("대한민국의 역사와 문화에 대해 자세히 설명해 주세요. ")["input_ids"]
    ids = torch.tensor([[text[place % len(text)] for place in range(prompt_tokens)]])

    def timed(count):
        start = time.perf_counter()
        model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=count,
                       max_new_tokens=count)
        return time.perf_counter() - start

    timed(2)
    first = timed(1)
    return {"prefill_tokens_per_second": prompt_tokens / first,
            "decode_tokens_per_second": (new_tokens - 1) / (timed(new_tokens) - first)}


def tokenize(path, file):
    tokenizer = AutoTokenizer.from_pretrained(path)
    with open(file, encoding="utf-8", newline="\n") as text:
        lines = [line for line in text.read().split("\n") if line]
    # The Rust library's own batch: all cores, its cache of words, no offsets, no attention masks.
    start = time.perf_counter()
    tokens = sum(len(row) for row in tokenizer.backend_tokenizer.encode_batch_fast(lines, add_special_tokens=False))
    seconds = time.perf_counter() - start
    return {"tokens_per_second": tokens / seconds, "tokens": tokens}


def llama(file, prompt_tokens, new_tokens):
    import os

    from llama_cpp import Llama

    prompt_tokens, new_tokens = int(prompt_tokens), int(new_tokens)
    cores = len(os.sched_getaffinity(0))
    model = Llama(file, n_ctx=prompt_tokens + new_tokens + 8, n_threads=cores, n_threads_batch=cores, n_batch=512, verbose=False)
    text = model.tokenize("대한민국의 역사와 문화에 대해 자세히 설명해 주세요. ".encode(), add_bos=False)
    prompt = [text[place % len(text)] for place in range(prompt_tokens)]
    model.eval(prompt[:8])
    model.reset()
    start = time.perf_counter()
    model.eval(prompt)
    token = model.sample(temp=0)
    first = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(new_tokens - 1):
        model.eval([token])
        token = model.sample(temp=0)
    return {"prefill_tokens_per_second": prompt_tokens / first,
            "decode_tokens_per_second": (new_tokens - 1) / (time.perf_counter() - start)}


def charts(log, folder):
    """The same picture as the product's: the losses faint, their moving mean, the evaluations with the lowest one ringed, ends labelled."""
    start = time.perf_counter()
    import os

    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot
    import numpy

    curves = {"train": ([], []), "eval": ([], [])}
    epochs, points = {}, 0
    with open(log, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            points += 1
            steps, losses = curves[event["split"]]
            steps.append(event["step"])
            losses.append(event["loss"])
            if event["split"] == "train" and event["epoch"] >= 1:
                epochs.setdefault(int(event["epoch"]), event["step"])
    steps, losses = curves["train"]
    window = max(len(losses) // 20, 1)
    totals = numpy.concatenate([[0.0], numpy.cumsum(losses)])
    ends = numpy.arange(1, len(losses) + 1)
    begins = numpy.maximum(ends - window, 0)
    smooth = (totals[ends] - totals[begins]) / (ends - begins)
    size = 0
    for number in range(1, 5):
        figure, axes = pyplot.subplots(figsize=(8, 4.5), dpi=200)
        axes.plot(steps, losses, color="tab:blue", alpha=0.3, linewidth=0.8)
        axes.plot(steps, smooth, color="tab:blue", linewidth=2, label="train")
        axes.annotate(f"{smooth[-1]:.3f}", (steps[-1], smooth[-1]), xytext=(6, 0), textcoords="offset points", va="center")
        measured, values = curves["eval"]
        axes.plot(measured, values, color="tab:orange", linewidth=2, marker="o", markersize=4, label="evaluation")
        axes.annotate(f"{values[-1]:.3f}", (measured[-1], values[-1]), xytext=(6, 0), textcoords="offset points", va="center")
        best = min(range(len(values)), key=values.__getitem__)
        axes.plot(measured[best], values[best], "o", color="none", markeredgecolor="tab:orange", markeredgewidth=2, markersize=11)
        axes.annotate(f"lowest {values[best]:.3f} at step {measured[best]}", (measured[best], values[best]), xytext=(0, -18),
                      textcoords="offset points", ha="center")
        for epoch, step in epochs.items():
            axes.axvline(step, color="0.8", linewidth=0.8)
        axes.set(title=f"Training and evaluation loss, chart {number}", xlabel="step", ylabel="loss (nats per token)")
        axes.grid(axis="y", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        path = os.path.join(folder, f"chart-{number}.png")
        figure.savefig(path)
        pyplot.close(figure)
        size += os.path.getsize(path)
    return {"seconds": time.perf_counter() - start, "charts": 4, "points": points, "bytes": size}


def metrics(file):
    """sacreBLEU's BLEU by characters and chrF, rouge-score's ROUGE-1, -2 and -L over words of any script."""
    import math
    import re
    import unicodedata

    from rouge_score import rouge_scorer, tokenizers
    from sacrebleu.metrics import BLEU, CHRF

    class Words(tokenizers.Tokenizer):
        words = re.compile(r"[^\W_]+")

        def tokenize(self, text):
            return self.words.findall(unicodedata.normalize("NFC", text).lower())

    with open(file, encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines]
    answers, references = [pair["hypothesis"] for pair in pairs], [pair["reference"] for pair in pairs]
    start = time.perf_counter()
    scores = {"bleu": BLEU(tokenize="char").corpus_score(answers, [references]).score,
              "chrf": CHRF().corpus_score(answers, [references]).score}
    kinds = ["rouge1", "rouge2", "rougeL"]
    scorer = rouge_scorer.RougeScorer(kinds, tokenizer=Words())
    rouge = [scorer.score(reference, answer) for reference, answer in zip(references, answers)]
    scores |= {kind: math.fsum(row[kind].fmeasure for row in rouge) / len(rouge) for kind in kinds}
    seconds = time.perf_counter() - start
    return {"pairs_per_second": len(pairs) / seconds, "pairs": len(pairs), "seconds": seconds, "scores": scores}


def main():
    works = {"chat": chat, "step": step, "generate": generate, "tokenize": tokenize, "charts": charts, "llama": llama, "metrics": metrics}
    if len(sys.argv) < 3 or sys.argv[1] not in works:
        sys.exit(__doc__.strip())
    result = works[sys.argv[1]](*sys.argv[2:])
    # Linux counts in KiB.
    result["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


main()
