import Charts
import Foundation
import Runs

/// The text of a model card: what the adapter is, how to load it, what it was trained on and how, what came out, what not to
/// expect, and where each number stands.
struct HubCard {
  let run: RunData
  /// The result in a short line, from the post that tells of the run.
  let finding: String?
  let title: String
  let base: HubBase
  /// The adapter's own, "USER/NAME"; nil where it is not known yet.
  let repository: String?
  let blocks: Blocks

  private var words: SiteWords { blocks.words }

  /// The card and its pictures, as they lie beside the adapter.
  static func files(
    of run: RunData, finding: String?, title: String, base: HubBase, repository: String? = nil, language: SiteLanguage,
    charts: RunCharts
  ) throws -> ProfileOutput {
    let ledger = Ledger()
    let blocks = Blocks(run: run, words: SiteWords(language: language), ledger: ledger, charts: charts)
    let card = HubCard(run: run, finding: finding, title: title, base: base, repository: repository, blocks: blocks)
    var output = ProfileOutput()
    output.add("README.md", try card.text())
    let state = ledger.read { $0 }
    for (name, data) in state.images where !name.hasSuffix(".dark.png") && !name.hasSuffix(".phone.png") {
      output.files[name] = data
    }
    if base.repository == nil {
      output.warnings.append("the Hub name of the base model is not known; add base_model to README.md")
    }
    output.warnings += state.warnings
    return output
  }

  func text() throws -> String {
    var parts = [introduction]
    parts.append(try blocks.summary(finding: finding).markdown)
    parts += [heading("사용법", "How to use"), usage, loading]
    parts += [heading("학습 데이터", "Training data"), blocks.datasetCounts(caption: nil).markdown]
    if let files = dataFiles { parts.append(files) }
    parts += [
      heading("하이퍼파라미터", "Hyper-parameters"),
      try blocks.hyperparameters(section: nil, caption: nil).markdown,
    ]
    if !run.events.isEmpty {
      let chart = try blocks.chart(.loss, finding: nil, caption: nil, logScale: false)
      parts += [heading("학습", "Training"), chart.markdown]
    }
    if run.evaluation != nil {
      parts += [
        heading("평가 결과", "Evaluation"), blocks.lossTable(caption: nil).markdown,
        blocks.metricsTable(caption: nil).markdown,
      ]
    }
    parts += [heading("한계", "Limits"), limits.map { "- \($0)\n" }.joined()]
    let traces = blocks.ledger.read { $0.traces }
    parts.append(SourcesTable(traces: traces, words: words).markdown)
    parts.append(hashes)
    let body = parts.map { $0.trimmingCharacters(in: .newlines) }.filter { !$0.isEmpty }.joined(separator: "\n\n")
    var writer = MarkdownWriter(.hub, words: words)
    return HubMetadata(run: run, base: base, words: words).text + "# \(Escape.markdown(title))\n\n"
      + (try writer.write(markdown: body))
  }

  private func heading(_ ko: String, _ en: String) -> String { "## " + words.pick(ko, en) }

  private var introduction: String {
    let name = base.repository ?? run.record.model?.name ?? ""
    let shown =
      base.repository.map { "[\(Escape.markdown($0))](https://huggingface.co/\($0))" } ?? Escape.markdown(name)
    let program = "\(run.record.program.name) \(run.record.program.version)"
    return words.pick(
      "\(shown) 모델을 미세 조정한 LoRA 어댑터(PEFT 형식)이다. 기반 모델의 가중치는 들어 있지 않다. 아래 표와 그림은 실행 기록에서 \(Escape.markdown(program)) 프로그램이 만들었다.",
      "A LoRA adapter (PEFT) for \(shown); the base model's weights are not part of it. \(Escape.markdown(program)) made the tables and charts below from the run's records."
    )
  }

  // MARK: Use

  /// The very file that was trained on where it can be had, for its weights are what the scores were measured with.
  private var isGGUF: Bool { base.fileRepository != nil && base.file.lowercased().hasSuffix(".gguf") }

  private var usage: String {
    let question = run.samples.first?.question ?? words.pick("대한민국의 수도는?", "What is the capital of Korea?")
    func text(_ value: String) -> String { FrontMatter.quoted(value) }
    let source = isGGUF ? base.fileRepository : base.repository
    let options = isGGUF ? ", gguf_file=file" : ""
    var lines = [
      "import torch", "from peft import PeftModel", "from transformers import AutoModelForCausalLM, AutoTokenizer", "",
      "base = \(text(source ?? words.pick("기반 모델의 폴더", "folder of the base model")))",
    ]
    if isGGUF { lines.append("file = \(text(base.file))") }
    lines += [
      "adapter = " + (repository.map(text) ?? "\(text("USER/\(run.id)"))  # \(ownName)"), "",
      "tokenizer = AutoTokenizer.from_pretrained(base\(options))",
      "model = AutoModelForCausalLM.from_pretrained(base\(options), dtype=torch.float32)",
      "model = PeftModel.from_pretrained(model, adapter)", "",
      "messages = [{\"role\": \"user\", \"content\": \(text(question))}]",
      "inputs = tokenizer.apply_chat_template(",
      "    messages, add_generation_prompt=True, return_tensors=\"pt\", return_dict=True)",
      "output = model.generate(", "    **inputs, \(generation.joined(separator: ", ")))",
      "print(tokenizer.decode(output[0, inputs[\"input_ids\"].shape[1]:], skip_special_tokens=True))",
    ]
    return Escape.markdownBlock(lines.joined(separator: "\n"), language: "python")
  }

  private var ownName: String { words.pick("이 저장소의 이름", "the name of this repository") }

  /// How the answers below were generated, as `generate` takes it. A penalty of 1 is written too, since the generation_config.json of many
  /// models holds another one, which greedy answers heed.
  private var generation: [String] {
    func number(_ key: String) -> Double? { run.setting("evaluation.\(key)")?.node.double }
    let limit = "max_new_tokens=\(run.evaluation?.maxNewTokens ?? 128)"
    let penalty = "repetition_penalty=\(number("repetition_penalty") ?? 1)"
    guard run.setting("evaluation.do_sample")?.node.written == "true" else {
      return [limit, "do_sample=False", penalty]
    }
    return [
      limit, "do_sample=True", "temperature=\(number("temperature") ?? 1)",
      "top_k=\(number("top_k").flatMap(Int.init(exactly:)) ?? 0)",
      "top_p=\(number("top_p") ?? 1)", penalty,
    ]
  }

  private var loading: String {
    isGGUF
      ? words.pick(
        "`torch`, `transformers`, `peft`, `gguf` 패키지가 필요하다. 학습과 평가에 쓴 것과 같은 GGUF 파일을 풀어 쓰므로 아래의 점수와 같은 가중치이다.",
        "It needs the packages `torch`, `transformers`, `peft` and `gguf`. It unpacks the GGUF file used in training and evaluation, so the weights are those of the scores below."
      )
      : words.pick(
        "`torch`, `transformers`, `peft` 패키지가 필요하다.", "It needs the packages `torch`, `transformers` and `peft`.")
  }

  private var dataFiles: String? {
    guard !run.record.datasetFiles.isEmpty else { return nil }
    let columns = [
      DataTable.Column(name: words.pick("데이터 파일", "Data file")),
      DataTable.Column(name: words.pick("크기", "Size"), isNumeric: true), DataTable.Column(name: "SHA-256"),
    ]
    let rows = run.record.datasetFiles.map { file -> [Rich] in
      let name = file.path.split(separator: "/").last.map(String.init) ?? file.path
      return [
        .code(name), .text(ValueFormat.bytes.shown(Double(file.bytes), language: words.language)), .code(file.sha256),
      ]
    }
    return DataTable(columns: columns, rows: rows).markdown
  }

  // MARK: Limits and sources

  private var limits: [String] {
    var lines: [String] = []
    if let evaluation = run.evaluation, let all = evaluation.sets["all"] ?? evaluation.sets.values.first {
      let count = NumberFormat.grouped(all.tuned.questions)
      lines.append(
        evaluation.bootstrap == nil
          ? words.pick(
            "시험 질문은 \(count)개이고 신뢰구간을 구하지 않았다. 다른 질문에서는 점수가 달라질 수 있다.",
            "The test has \(count) questions and no confidence interval; other questions may score otherwise.")
          : words.pick(
            "시험 질문은 \(count)개이다. 신뢰구간은 질문을 고른 우연만 담고, 다시 학습할 때의 차이는 담지 않는다.",
            "The test has \(count) questions; its intervals tell of their choice alone, not of another training."))
      let unclear = ScoreName.all.filter { evaluation.deltas?["all"]?[$0]?.isClear == false }.map(ScoreName.label)
      if !unclear.isEmpty {
        let names = unclear.joined(separator: ", ")
        lines.append(
          words.pick(
            "학습 전과 후에 뚜렷한 차이가 없는 점수(차이의 신뢰구간에 0이 든다): \(names).",
            "No real difference between base and tuned model (the interval includes 0): \(names)."))
      }
      lines.append(
        words.pick(
          "BLEU, chrF, ROUGE는 기준 답과 글자나 낱말이 겹치는 정도이다. 답이 참인지는 재지 않는다.",
          "BLEU, chrF and ROUGE count overlap with the reference answers; they do not tell whether an answer is true."))
      if run.review.isEmpty {
        lines.append(words.pick("답이 맞는지 사람이 판정하지 않았다.", "No person has judged the answers."))
      }
    } else {
      lines.append(
        words.pick("학습한 모델의 답을 평가한 기록이 없다.", "There is no record of an evaluation of the tuned model's answers."))
    }
    if let seed = run.record.seeds["training"] {
      lines.append(
        words.pick(
          "seed \(seed) 하나로 한 번 학습한 결과이다.", "It is the outcome of one training with one seed (\(seed))."))
    }
    if let license = run.record.model?.license, !license.isEmpty {
      lines.append(
        words.pick(
          "기반 모델의 라이선스는 \(Escape.markdown(license))이다. 어댑터를 쓸 때도 이를 따른다.",
          "The base model's licence is \(Escape.markdown(license)); it holds for use of the adapter too."))
    }
    return lines
  }

  /// The files behind the tables, and the adapter that was evaluated.
  private var hashes: String {
    var files = run.hashes.map { ($0.key, $0.value) }.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
    if let adapter = run.record.training?.adapterSha256 { files.append(("adapter_model.safetensors", adapter)) }
    if let model = run.record.model, let file = model.file, let hash = model.sha256 { files.append((file, hash)) }
    let columns = [DataTable.Column(name: words.pick("파일", "File")), DataTable.Column(name: "SHA-256")]
    return DataTable(columns: columns, rows: files.map { [.code($0.0), .code($0.1)] }).markdown
  }
}
