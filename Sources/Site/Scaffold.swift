/// The first text of a new post or experiment.
public enum Scaffold {
  /// A post about the run of the same name, with the sections such a post usually has. Every block in it works for any run; no
  /// result is typed.
  public static func post(name: String, language: SiteLanguage) -> String {
    (language == .ko ? koreanPost : englishPost).replacing("NAME", with: name)
  }

  /// Every setting of an experiment with its default.
  public static func experiment(name: String, language: SiteLanguage) -> String {
    var out = ""
    for line in experimentLines {
      let note = language == .ko ? line.ko : line.en
      // A remark on a line of its own stands at the column of what follows.
      out += line.yaml.isEmpty ? note.isEmpty ? "" : "# \(note)" : note.isEmpty ? line.yaml : "\(line.yaml)  # \(note)"
      out += "\n"
    }
    return out.replacing("NAME", with: name)
  }

  private static let koreanPost = """
    ---
    title: 글의 제목
    description: 무엇을 왜 했는지 한두 문장으로 적는다.
    lang: ko
    tags: [LoRA]
    run: "NAME"
    # finding: 결과를 짧은 한 줄로
    # date: 2026-01-31   (없으면 실행한 날)
    # compare: [이 실행, 다른 실행]
    ---

    {#- 결과를 손으로 적지 않는다. 수치는 value()와 setting()으로 실행 기록에서 가져온다. 이 줄은 글에 나오지 않는다. -#}

    ## 개요

    무엇을 가르쳤고 왜 가르쳤는지 적는다.
    {% if report %}
    학습에는 {{ value("dataset/report.json#/counts/train", "count") }}행을 썼다.
    {% endif %}

    ## 환경

    {{ environment() }}

    ## 데이터

    {{ dataset_counts() }}

    {{ dataset_samples(3) }}

    ## 설정

    {{ hyperparameters() }}

    ## 학습

    {{ chart("loss") }}

    {{ stages() }}

    ## 결과

    {{ loss_table() }}

    {{ metrics_table() }}

    {{ qa() }}

    {{ review() }}

    ## 한계

    > **한계** {% if not reviewed %}답이 맞는지 사람이 판정하지 않았다. {% endif %}이 결과로 알 수 없는 것을 적는다.

    """

  private static let englishPost = """
    ---
    title: The title of the post
    description: What was done, and why, in one or two sentences.
    lang: en
    tags: [LoRA]
    run: "NAME"
    # finding: the result in one short line
    # date: 2026-01-31   (without it, the day of the run)
    # compare: [this run, another run]
    ---

    {#- No result is typed: numbers come from the run's records by value() and setting(). This line is not in the post. -#}

    ## Overview

    What was taught, and why.
    {% if report %}
    Training used {{ value("dataset/report.json#/counts/train", "count") }} rows.
    {% endif %}

    ## Environment

    {{ environment() }}

    ## Data

    {{ dataset_counts() }}

    {{ dataset_samples(3) }}

    ## Settings

    {{ hyperparameters() }}

    ## Training

    {{ chart("loss") }}

    {{ stages() }}

    ## Results

    {{ loss_table() }}

    {{ metrics_table() }}

    {{ qa() }}

    {{ review() }}

    ## Limits

    > **Limits** {% if not reviewed %}No person has judged the answers. {% endif %}What these results can't tell.

    """

  private static let experimentLines: [(yaml: String, ko: String, en: String)] = [
    (
      "", "lorapress run content/experiments/NAME.yaml 로 실행한다. 값은 모두 기본값이다.",
      "Run it with: lorapress run content/experiments/NAME.yaml. All values are the defaults."
    ),
    (
      "", "어느 설정이든 {value: 16, why: \"이유\"}로 쓰면 글에 이유가 함께 실린다.",
      "Any setting may be {value: 16, why: \"a reason\"}; the post prints the reason."
    ),
    ("name: \"NAME\"", "실행 폴더의 이름", "names the run folder"),
    ("", "", ""),
    ("model:", "", ""),
    (
      "  name: qwen2.5-coder-0.5b-instruct", "content/models.yaml의 이름, GGUF 파일, Hugging Face 폴더",
      "a name of content/models.yaml, a GGUF file or a Hugging Face folder"
    ),
    (
      "  weights: f32", "메모리에 두는 형식: f32, bf16, nf4, int8, gguf",
      "how the weights are held in memory: f32, bf16, nf4, int8, gguf"
    ),
    (
      "  double_quant: null", "nf4일 때 블록의 배율도 8비트로 둔다(기본 true)",
      "with nf4: the blocks' scales in 8 bits too (default true)"
    ),
    ("", "", ""),
    ("dataset:", "", ""),
    (
      "  files: [content/data/NAME.json]", "JSON, JSONL, CSV, TSV, Parquet 파일, 폴더, 패턴(data/*.jsonl)",
      "JSON, JSONL, CSV, TSV or Parquet files, folders, patterns (data/*.jsonl)"
    ),
    ("  validation_files: []", "미리 나눈 데이터라면 split: none과 함께", "for data split already, with split: none"),
    ("  test_files: []", "", ""),
    (
      "  hub: none", "files 대신 Hub의 데이터셋: {path: 소유자/이름, name: config, split: train, revision: main}",
      "instead of files, a data set of the Hub: {path: OWNER/NAME, name: CONFIG, split: train, revision: main}"
    ),
    ("  format:", "생략하면 열의 이름으로 알아낸다", "left out, it is found by the columns' names"),
    ("    input: \"{question}\"", "중괄호 안은 열의 이름", "columns in braces"),
    ("    output: \"{answer}\"", "", ""),
    (
      "    messages: null", "input, output 대신 대화 목록의 열: \"{messages}\"",
      "a column of conversations instead of input and output: \"{messages}\""
    ),
    (
      "    text: null", "input, output 대신 글 하나로 된 열: \"{text}\"",
      "a column of plain text instead of input and output: \"{text}\""
    ),
    (
      "    rules: [roles, instruction, heading, continuation]", "글을 질문과 답으로 바꾸는 규칙. 처음으로 맞는 것을 쓴다",
      "how text becomes question and answer: the first that fits"
    ),
    ("  max_tokens: 4096", "이보다 긴 행은 cleaning.over_long을 따른다", "cleaning.over_long says what becomes of longer rows"),
    ("  offset: 0", "앞에서 건너뛸 행의 수", "rows passed over first"),
    ("  sample: null", "무작위로 뽑을 행의 수", "draw so many rows at random"),
    ("  limit: null", "읽을 행의 최대 수", "read at most so many rows"),
    ("  cleaning:", "", ""),
    ("    unicode: nfc", "또는 keep", "or keep"),
    ("    control_characters: remove", "또는 keep", "or keep"),
    ("    duplicates: drop", "또는 keep", "or keep"),
    ("    near_duplicates: null", "0.8이면 글자 5-gram이 80% 겹치는 행을 버린다", "0.8 drops rows that share 80% of their 5-grams"),
    (
      "    leaks: drop", "시험 질문을 묻는 학습 행: drop, drop_near, count",
      "training rows that ask a test question: drop, drop_near, count"
    ),
    ("    near_leaks: 0.8", "비슷한 질문으로 보는 기준", "from when on a question is nearly the same"),
    ("    min_korean: null", "한글이 이 비율보다 적은 행을 버린다", "rows with a smaller share of Hangul are dropped"),
    (
      "    over_long: drop", "긴 행을 버린다. truncate는 답을 자르고 split은 여러 행으로 나눈다",
      "long rows are rejected; truncate cuts the answer, split makes several rows of it"
    ),
    ("  split:", "", ""),
    ("    validation: 0.08", "검증 데이터의 비율", "share of rows for validation"),
    ("    test: 10", "시험 질문의 수", "number of test questions"),
    ("    seed: 42", "", ""),
    ("    group: null", "같은 사실의 여러 표현을 묶는 열", "column that names what several wordings share"),
    ("    groups: spread", "together면 묶음을 나누지 않는다", "together keeps each group in one split"),
    ("    test_seen: 0", "배운 사실을 새로운 표현으로 묻는 시험 질문의 수", "test questions that reword taught facts"),
    ("  output: jsonl", "parquet이면 Parquet 파일도 만든다", "parquet writes Parquet files too"),
    ("", "", ""),
    ("lora:", "", ""),
    ("  r: 16", "", ""),
    ("  lora_alpha: 32", "", ""),
    ("  lora_dropout: 0", "", ""),
    ("  target_modules: [all-linear]", "또는 [q_proj, v_proj] 같은 층 이름", "or layer names like [q_proj, v_proj]"),
    ("  rank_pattern: {}", "층마다 다른 r: {q_proj: 8}", "an r of its own for some layers: {q_proj: 8}"),
    ("  alpha_pattern: {}", "", ""),
    ("  use_rslora: false", "", ""),
    ("  use_dora: false", "", ""),
    ("  modules_to_save: null", "통째로 학습할 lm_head, embed_tokens", "lm_head, embed_tokens: trained whole"),
    ("  bias: none", "", ""),
    ("", "", ""),
    ("training:", "", ""),
    ("  learning_rate: 2e-4", "", ""),
    ("  per_device_train_batch_size: 4", "", ""),
    ("  gradient_accumulation_steps: 1", "", ""),
    (
      "  gradient_checkpointing: false", "메모리를 줄이고 시간을 더 쓴다. 결과는 같다",
      "less memory, more time, the same result"
    ),
    ("  num_train_epochs: 3", "", ""),
    ("  max_steps: null", "정하면 num_train_epochs보다 앞선다", "overrides num_train_epochs"),
    ("  max_seq_length: 512", "", ""),
    ("  overflow: drop", "drop 또는 truncate", "drop or truncate"),
    ("  packing: false", "true면 max_seq_length까지 행을 채워 넣는다", "true fills sequences of max_seq_length with rows"),
    ("  group_by_length: false", "", ""),
    ("  train_on_inputs: false", "true면 질문에서도 배운다", "true: the loss counts the prompt too"),
    ("  shuffle: true", "", ""),
    (
      "  lr_scheduler_type: linear", "linear, cosine, cosine_with_min_lr, constant, constant_with_warmup",
      "linear, cosine, cosine_with_min_lr, constant or constant_with_warmup"
    ),
    (
      "  lr_scheduler_kwargs: none", "cosine_with_min_lr만: {min_lr_rate: 0.1}", "cosine_with_min_lr: {min_lr_rate: 0.1}"
    ),
    ("  warmup_ratio: 0", "", ""),
    ("  warmup_steps: null", "정하면 warmup_ratio보다 앞선다", "overrides warmup_ratio"),
    ("  weight_decay: 0", "", ""),
    ("  adam_beta1: 0.9", "", ""),
    ("  adam_beta2: 0.999", "", ""),
    ("  adam_epsilon: 1e-8", "", ""),
    ("  max_grad_norm: 1", "0이면 자르지 않는다", "0: no clipping"),
    ("  loraplus_lr_ratio: null", "LoRA+: B의 학습률을 A의 몇 배로 할지", "LoRA+: B's learning rate, in A's"),
    ("  neftune_noise_alpha: null", "NEFTune: 임베딩에 더하는 잡음", "NEFTune: noise on the embeddings"),
    ("  eval_strategy: steps", "no, steps, epoch", "no, steps or epoch"),
    ("  eval_steps: 20", "", ""),
    ("  save_strategy: steps", "no, steps, epoch", "no, steps or epoch"),
    ("  save_steps: 20", "", ""),
    ("  save_total_limit: 1", "1보다 크면 checkpoint-<step>도 남긴다", "above 1 checkpoint-<step> are kept too"),
    ("  load_best_model_at_end: true", "", ""),
    ("  metric_for_best_model: eval_loss", "", ""),
    ("  early_stopping_patience: null", "이만큼 잇달아 나아지지 않으면 멈춘다", "ends after so many evaluations without a better one"),
    ("  early_stopping_threshold: 0", "", ""),
    ("  seed: 42", "", ""),
    ("", "", ""),
    ("evaluation:", "", ""),
    ("  max_new_tokens: 128", "", ""),
    (
      "  do_sample: false", "true면 temperature, top_k, top_p, seed로 뽑는다. 아니면 greedy",
      "true draws by temperature, top_k, top_p and seed; else greedy"
    ),
    ("  temperature: 1", "", ""),
    ("  top_k: 50", "0이면 모든 토큰", "0: all tokens"),
    ("  top_p: 1", "", ""),
    ("  seed: 42", "", ""),
    ("  repetition_penalty: 1", "1보다 크면 나온 토큰이 덜 되풀이된다", "above 1 tokens so far are repeated less"),
    ("  stop_strings: []", "답은 이 글자 앞에서 끝난다", "texts before which an answer ends"),
    (
      "  metrics: [bleu, rouge, chrf]", "chrf++, rougeLsum, exact_match, f1, perplexity도 있다",
      "also chrf++, rougeLsum, exact_match, f1, perplexity"
    ),
    ("  bleu_tokenize: auto", "auto, 13a, char, intl, none", "auto, 13a, char, intl, none"),
    ("", "", ""),
    ("post: content/posts/NAME.md", "lorapress new post NAME 로 만든다", "made by lorapress new post NAME"),
  ]
}
