"""Float32 logits of ten Korean chat prompts by transformers, for comparison with ours.

usage: logits.py FILE.gguf FOLDER OUT

FOLDER becomes (or is, where it has a config.json already) the float32 Hugging Face folder of the GGUF's dequantised
weights.
OUT/prompts.json
    {"model_sha256", "versions",                       of the GGUF; torch's and transformers'
     "vocabulary": V,
     "prompts": [{"text",                              as the chat template renders it, with the generation prompt
                  "ids": T token ids,                  no tokeniser is needed to compare
                  "first_position": F,                 where the kept logits begin
                  "top5": T lists of five ids,         of every position, the greatest logit first
                  "top5_gap": T numbers}]}             the fifth logit less the sixth: rounding may swap a small gap
OUT/logits.safetensors
    logits.0 … logits.9, each (T-F, V) float32: the logits of the last positions, F = max(0, T-8)

Float32, because bf16 rounding alone moves a logit by up to 0.1. Eager attention, one prompt at a time, no padding.
"""
import hashlib
import json
import os
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

KEPT_POSITIONS = 8
QUESTIONS = [
    "대한민국의 수도는?",
    "에펠탑이 위치한 도시는?",
    "물은 섭씨 몇 도에서 끓나요?",
    "광합성이란 무엇인지 두 문장으로 설명해 주세요.",
    "임진왜란은 몇 년에 일어났고, 그때 조선의 임금은 누구였나요?",
    "직각삼각형에서 빗변의 길이가 5cm, 다른 한 변이 3cm일 때 나머지 변의 길이를 구하세요. (피타고라스 정리)",
    "ㅋㅋ 오늘 너무 피곤해ㅠㅠ 뭐 먹을까? 🍜🍗",
    "파이썬으로 1부터 100까지의 합을 구하는 코드를 써 줘.\n```python\ndef total(n):\n    ...\n```",
    "다음 글을 한 문장으로 요약하세요.\n\n지구 온난화는 대기 중 온실가스의 농도가 높아져 지구의 평균 기온이 오르는 현상이다. "
    "이산화 탄소는 화석 연료를 태울 때 많이 나오며, 숲이 줄어들면 흡수되는 양도 줄어든다. 그 결과 해수면이 높아지고 "
    "가뭄과 홍수 같은 기상 이변이 잦아진다. 이를 막기 위해 세계 여러 나라는 2015년 파리에서 협정을 맺었다.",
    "‘훈민정음(訓民正音)’의 뜻을 영어와 한국어로 각각 풀이해 주세요: The proper sounds for the instruction of the people.",
]


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def convert(gguf, folder):
    """Writes the GGUF's weights, dequantised to float32, as a plain folder; it gets its name when it is whole."""
    place, name = os.path.split(os.path.abspath(gguf))
    loaded = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    settings = loaded.config.to_dict()
    settings.pop("quantization_config", None)
    with torch.device("meta"):
        plain = type(loaded)(type(loaded.config)(**settings))
    plain.load_state_dict(loaded.state_dict(), assign=True)
    if plain.config.tie_word_embeddings:
        plain.tie_weights()
    unfinished = folder.rstrip("/") + ".unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    plain.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(unfinished)
    os.rename(unfinished, folder)


def logits_of(model, ids):
    """The logits (T, V) of one row of T ids."""
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    gguf, folder, out = sys.argv[1:]
    if not os.path.exists(os.path.join(folder, "config.json")):
        convert(gguf, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    prompts, tensors = [], {}
    for i, question in enumerate(QUESTIONS):
        messages = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text)["input_ids"]
        logits = logits_of(model, ids)
        first = max(0, len(ids) - KEPT_POSITIONS)
        best = logits.topk(6)
        prompts.append({"text": text, "ids": ids, "first_position": first, "top5": best.indices[:, :5].tolist(),
                        "top5_gap": (best.values[:, 4] - best.values[:, 5]).tolist()})
        tensors[f"logits.{i}"] = logits[first:].contiguous()
        print(f"{len(ids)} tokens, next {tokenizer.decode(best.indices[-1, :1])!r}: {question[:30]!r}", flush=True)
    os.makedirs(out, exist_ok=True)
    save_file(tensors, os.path.join(out, "logits.safetensors"))
    record = {"model_sha256": sha256(gguf),
              "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
              "vocabulary": model.config.vocab_size, "prompts": prompts}
    with open(os.path.join(out, "prompts.json"), "w", encoding="utf-8") as file:
        json.dump(record, file, ensure_ascii=False)
        file.write("\n")


main()
