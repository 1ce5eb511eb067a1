"""Reads a run folder as other people's tools do: datasets, TensorBoard, a strict JSON reader.

usage: check RUN_FOLDER

1. `datasets.load_dataset` on dataset/ gives the rows of the split files, in order;
2. TensorBoard's reader finds every logged scalar of log/metrics.jsonl, as float32, and no other, and the settings as a text, whose
   table has those of config.yaml;
3. log/trainer_state.json is JSON without NaN, and its history has the losses of the log.

Prints one line a fault and exits 1 if there is any.
"""
import json
import math
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy

SCALARS = ("loss", "learning_rate", "grad_norm", "tokens_per_second")


def rows(file):
    with open(file, encoding="utf-8", newline="\n") as lines:
        return [json.loads(line, parse_constant=refuse) for line in lines]


def refuse(name):
    raise ValueError(f"{name} is no JSON")


def dataset(run):
    from datasets import load_dataset
    with tempfile.TemporaryDirectory() as cache:
        loaded = load_dataset(str(run / "dataset"), cache_dir=cache)
        found = {split: list(loaded[split]) for split in loaded}
    faults = []
    expected = {split: rows(run / "dataset" / f"{split}.jsonl") for split in ("train", "validation", "test")
                if (run / "dataset" / f"{split}.jsonl").exists()}
    expected = {split: lines for split, lines in expected.items() if lines}
    if found.keys() != expected.keys():
        return [f"dataset: load_dataset gives the splits {sorted(found)}, the folder holds {sorted(expected)}"]
    for split, lines in expected.items():
        if len(found[split]) != len(lines):
            faults.append(f"dataset/{split}.jsonl: has {len(lines)} rows, load_dataset gives {len(found[split])}")
        for number, (there, here) in enumerate(zip(found[split], lines), 1):
            if there["messages"] != here["messages"]:
                faults.append(f"dataset/{split}.jsonl:{number}: load_dataset gives other messages")
                break
    return faults


def events(run, logged):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    files = sorted((run / "log").glob("events.out.tfevents.*"))
    if len(files) != 1:
        return [f"log: has {len(files)} event files, not one"]
    reader = EventAccumulator(str(files[0]), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    found = {tag: [(e.step, numpy.float32(e.value)) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    expected = {}
    for event in logged:
        for name in SCALARS:
            if event.get(name) is not None:
                expected.setdefault(f"{event['split']}/{name}", []).append((event["step"], numpy.float32(event[name])))
    faults = [f"log: TensorBoard has {tag!r}, the log has not" for tag in sorted(found.keys() - expected.keys())]
    for tag, values in sorted(expected.items()):
        if found.get(tag) != values:
            faults.append(f"log: TensorBoard reads {len(found.get(tag, []))} values of {tag!r}, the log has {len(values)}, or they differ")
    return faults + settings(run, reader)


def settings(run, reader):
    """A run of this program has its settings under the tag that transformers' callback writes its arguments to."""
    config = (run / "config.yaml").read_text(encoding="utf-8")
    texts = {tag: reader.Tensors(tag) for tag in reader.Tags()["tensors"]}
    if not texts:
        return []  # Runs of version 0.1 were recorded without.
    if list(texts) != ["args/text_summary"] or len(texts["args/text_summary"]) != 1:
        return [f"log: TensorBoard has the texts {sorted(texts)}, not args/text_summary alone"]
    plugin = reader.SummaryMetadata("args/text_summary").plugin_data.plugin_name
    if plugin != "text":
        return [f"log: TensorBoard's plugin of args/text_summary is {plugin!r}, not 'text'"]
    table = texts["args/text_summary"][0].tensor_proto.string_val[0].decode("utf-8").splitlines()
    shown = dict(re.fullmatch(r"\| (\S+) \| (.*) \|", line).groups() for line in table[2:])
    faults = []
    for name in ("learning_rate", "lr_scheduler_type", "seed", "max_grad_norm"):
        # config.yaml is two levels deep here: "training:" and its settings, each perhaps with a reason.
        found = re.search(rf"^  {name}:(?:\n    value:)? \"?([^\s\"]+)", config, re.M)
        if not found or shown.get(f"training.{name}") != found[1]:
            faults.append(f"log: TensorBoard's text has training.{name} {shown.get(f'training.{name}')!r}, config.yaml has not")
    return faults


def trainer_state(run, logged):
    with open(run / "log" / "trainer_state.json", encoding="utf-8") as file:
        history = json.load(file, parse_constant=refuse)["log_history"]
    faults = []
    for split, key in (("train", "loss"), ("eval", "eval_loss")):
        here = [(e["step"], e["loss"]) for e in logged if e["split"] == split]
        there = [(e["step"], e[key]) for e in history if key in e]
        same = len(here) == len(there) and all(
            a == b and (x is y or (x is not None and y is not None and math.isclose(x, y, rel_tol=1e-12)))
            for (a, x), (b, y) in zip(here, there))
        if not same:
            faults.append(f"log/trainer_state.json: its {len(there)} values of {key!r} are not the {len(here)} of the log")
    return faults


def check(run):
    logged = rows(run / "log" / "metrics.jsonl")
    if not logged:
        return ["log/metrics.jsonl: is empty"]
    return dataset(run) + events(run, logged) + trainer_state(run, logged)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: Tests/records/check RUN_FOLDER", file=sys.stderr)
        return 64
    run = Path(sys.argv[1]).resolve()
    faults = check(run)
    for fault in faults:
        print(fault)
    print(f"{run}: {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    # Set before `datasets` is imported: a check must not ask the network.
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    sys.exit(main())
