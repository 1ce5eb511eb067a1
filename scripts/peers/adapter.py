"""Loss of a model with a PEFT adapter on chat rows, by PEFT itself: what `lorapress score --adapter` is compared with.

usage: adapter.py MODEL ADAPTER DATA.jsonl

MODEL is a Hugging Face folder (float32, see logits.py), ADAPTER a folder with adapter_config.json and
adapter_model.safetensors, DATA {"messages": [user, assistant]} lines. Prints one JSON object: loss (summed over the
supervised tokens of all rows, divided by their number), perplexity, supervised_tokens, rows, adapter_tensors.

Supervised is all that the chat template prints after the generation prompt; prompt and answer are tokenised apart.
Ten rows at a time in float32; logits are computed where a token is supervised.
"""
import json
import math
import os
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROWS_AT_ONCE = 10


def rows_of(tokenizer, path):
    """(prompt ids, answer ids) of every line."""
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            messages = json.loads(line)["messages"]
            prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
            whole = tokenizer.apply_chat_template(messages, tokenize=False)
            if not whole.startswith(prompt):
                sys.exit(f"{path}:{number}: the chat does not begin with its prompt; the row can't be scored")
            yield tokenizer(prompt)["input_ids"], tokenizer(whole[len(prompt):])["input_ids"]


def load(folder, adapter):
    """The model with the adapter on it, after a check that each tensor of the file is in the model with its values."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    saved = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    loaded = get_peft_model_state_dict(model)
    if saved.keys() != loaded.keys():
        odd = sorted(saved.keys() ^ loaded.keys())
        sys.exit(f"{adapter}: {len(odd)} tensors are only in the file or only in the model, {odd[0]} the first")
    for name, tensor in saved.items():
        if not torch.equal(tensor.float(), loaded[name].float()):
            sys.exit(f"{adapter}: {name} in the model is not the tensor of the file")
    return model, len(saved)


def batch_loss(model, rows):
    """Cross-entropy summed over the answers' tokens of some rows, padded on the right to the longest."""
    longest = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    mask = torch.zeros_like(ids)
    for i, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[i, :end] = torch.tensor(prompt + answer)
        labels[i, len(prompt):end] = torch.tensor(answer)
        mask[i, :end] = 1
    with torch.no_grad():
        hidden = model.get_base_model().model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]
        supervised = labels[:, 1:] != -100
        logits = model.get_base_model().lm_head(hidden[supervised])
    return torch.nn.functional.cross_entropy(logits, labels[:, 1:][supervised], reduction="sum").item()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, adapter, data = sys.argv[1:]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, tensors = load(folder, adapter)
    rows = list(rows_of(tokenizer, data))
    if not rows:
        sys.exit(f"{data}: no rows; give a file of {{\"messages\"}} lines")
    total = sum(batch_loss(model, rows[i:i + ROWS_AT_ONCE]) for i in range(0, len(rows), ROWS_AT_ONCE))
    tokens = sum(len(answer) for _, answer in rows)
    loss = total / tokens
    print(json.dumps({"loss": loss, "perplexity": math.exp(loss), "supervised_tokens": tokens, "rows": len(rows),
                      "adapter_tensors": tensors}))


main()
