"""Model cards as huggingface_hub reads them, against the records they were made from."""
import ast
import json
import re

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
from huggingface_hub.utils import validate_repo_id
from markdown_it import MarkdownIt

import text


def cards(profile, output):
    faults = []
    for folder in sorted(profile.iterdir()):
        name = f"hub: {folder.name}"
        source = (folder / "README.md").read_text(encoding="utf-8")
        card = ModelCard.load(folder / "README.md")
        written = yaml.safe_load(source.split("---\n", 2)[1])
        lost = [key for key in written if key != "model-index" and card.data.get(key) != written[key]]
        faults += [f"{name}: {key} does not come back as it went in" for key in lost]
        faults += [f"{name}: {fault}" for fault in metadata(card.data, source)]
        faults += [f"{name}: {fault}" for fault in results(card.data, output / "runs" / folder.name)]
        page = text.Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(card.text))
        for address, alt in page.images:
            if not (folder / address).is_file() or not alt:
                faults.append(f"{name}: the picture {address} is not there or has no alternative text")
        for block in re.findall(r"```python\n(.*?)```", card.text, re.S):
            ast.parse(block)
        if not re.search(r"```python\n(.*?)PeftModel", card.text, re.S):
            faults.append(f"{name}: does not tell how to load the adapter")
    return faults


def metadata(data, source):
    wanted = {"library_name": "peft", "pipeline_tag": "text-generation"}
    faults = [f"{key} is {data.get(key)!r}, not {value!r}" for key, value in wanted.items() if data.get(key) != value]
    if data.get("base_model"):
        validate_repo_id(data.base_model)
        if data.get("base_model_relation") != "adapter":
            faults.append("base_model_relation is not adapter")
    if data.get("license") and not re.fullmatch(r"[a-z0-9.-]+", data.license):
        faults.append(f"license {data.license!r} is no identifier")
    if not isinstance(data.get("tags"), list) or "lora" not in data.tags:
        faults.append("the tags lack lora")
    return faults


def results(data, run):
    metrics = run / "evaluation/metrics.json"
    if not metrics.is_file():
        return ["has results without an evaluation"] if data.get("eval_results") else []
    record = json.loads(metrics.read_text(encoding="utf-8"))
    found = data.eval_results or []
    values = [round(score["value"], 4) for scores in record["sets"].values() for score in scores["tuned"]["scores"].values()]
    values.append(round(record["validation_loss"]["tuned"], 4))
    faults = []
    if sorted(values) != sorted(round(result.metric_value, 4) for result in found):
        faults.append("its results are not those of evaluation/metrics.json")
    for result in found:
        if not (result.task_type == "text-generation" and result.dataset_name and result.dataset_type and result.metric_name):
            faults.append(f"the result {result.metric_type} lacks its task, dataset or name")
        if "n = " not in result.metric_name:
            faults.append(f"the result {result.metric_name} does not say n")
    name, again = model_index_to_eval_results(data.to_dict()["model-index"])
    if name != run.name or len(again) != len(found):
        faults.append("the model index does not come back")
    return faults
