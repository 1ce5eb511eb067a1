import Charts
import Foundation
import Formats
import Runs

extension Blocks {
  /// The opening list: base model, data, method, result, machine. Its numbers are traced like those of the text.
  func summary(finding: String?) throws -> Rich {
    var entries: [(String, Rich)] = []
    // Of a run from elsewhere the page says what is not known, instead of leaving it out.
    let unknown: Rich? = run.record.origin == nil ? nil : .text(words.notRecorded)
    if let model = run.record.model.map(modelLine) ?? unknown { entries.append((words.baseModel, model)) }
    if let data = run.report.map(dataLine) ?? unknown { entries.append((words.data, data)) }
    entries.append((words.method, try methodLine()))
    if let result = try resultLine(finding: finding) { entries.append((words.result, result)) }
    entries.append((words.machine, try machineLine()))
    let html =
      "<dl class=\"summary\">\n" + entries.map { "<dt>\($0.0)</dt><dd>\($0.1.html)</dd>\n" }.joined() + "</dl>\n"
    let markdown = "| | |\n| --- | --- |\n" + entries.map { "| **\($0.0)** | \($0.1.markdown) |\n" }.joined()
    return Rich(html: html, markdown: markdown, plain: "")
  }

  /// A number of the run's own records, traced.
  private func traced(_ path: String, _ pointer: String, _ format: ValueFormat) throws -> Rich {
    guard try run.document(path).value(at: pointer) != nil else { return .text("—") }
    return try Tracer(run: run, words: words, ledger: ledger).value(path, pointer, format)
  }

  private func modelLine(_ model: ModelRecord) -> Rich {
    let size = model.parameters.map(NumberFormat.parameters)
    let facts = [size.map { words.pick("매개변수 \($0)", "\($0) parameters") }, model.fileWeights].compactMap { $0 }
    return .text(facts.isEmpty ? model.name : "\(model.name) (\(facts.joined(separator: ", ")))")
  }

  private func dataLine(_ report: DatasetReport) -> Rich {
    let counts = report.counts
    func count(_ value: Int) -> String { NumberFormat.grouped(value) }
    return .text(
      words.pick(
        "\(count(counts.kept))행(학습 \(count(counts.train)) · 검증 \(count(counts.validation)) · 시험 \(count(counts.test)))",
        "\(count(counts.kept)) rows (train \(count(counts.train)) · validation \(count(counts.validation)) · test \(count(counts.test)))"
      ))
  }

  private func methodLine() throws -> Rich {
    var parts: [Rich] = []
    if let rank = run.setting("lora.r")?.node.written { parts.append(.text("LoRA r=\(rank)")) }
    if let rate = run.setting("training.learning_rate")?.node.double {
      parts.append(.text(words.pick("학습률 ", "learning rate ") + NumberFormat.learningRate(rate)))
    }
    if let training = run.record.training, training.steps > 0 {
      let steps = try traced("run.json", "/training/steps", .count)
      let epochs = training.epochs.map { "(\(NumberFormat.recorded($0, decimals: 1)) epoch)" } ?? ""
      parts.append(steps + .text(words.pick(" step\(epochs)", (training.steps == 1 ? " step " : " steps ") + epochs)))
    }
    if let origin = run.record.origin { parts.append(.text(origin.tool)) }
    return parts.isEmpty ? .text("LoRA") : parts.joined(" · ")
  }

  /// The author's finding, then validation loss and, with the number of questions, chrF.
  private func resultLine(finding: String?) throws -> Rich? {
    var parts: [Rich] = []
    if let finding { parts.append(.text(finding)) }
    if let evaluation = run.evaluation {
      let file = "evaluation/metrics.json"
      let tokens = NumberFormat.grouped(evaluation.validationSupervisedTokens)
      parts.append(
        .text(words.pick("검증 손실 ", "validation loss ")) + (try traced(file, "/validation_loss/base", .loss))
          + .text(" → ")
          + (try traced(file, "/validation_loss/tuned", .loss))
          + .text(words.pick("(n = \(tokens)토큰)", " (n = \(tokens) tokens)")))
      if let all = evaluation.sets["all"], all.base.scores["chrf"] != nil, all.tuned.scores["chrf"] != nil {
        parts.append(
          .text("chrF ") + (try traced(file, "/sets/all/base/scores/chrf/value", .score1)) + .text(" → ")
            + (try traced(file, "/sets/all/tuned/scores/chrf/value", .score1))
            + .text(words.pick("(n = \(all.tuned.questions)문항)", " (n = \(all.tuned.questions) questions)"))
            + .text(evaluation.deltas?["all"]?["chrf"]?.isClear == false ? ", \(words.noDifference)" : ""))
      }
    } else if let training = run.record.training, training.bestEvalLoss != nil, let step = training.bestStep {
      let number = NumberFormat.grouped(step)
      parts.append(
        .text(words.pick("최저 검증 손실 ", "lowest evaluation loss "))
          + (try traced("run.json", "/training/best_eval_loss", .loss))
          + .text(words.pick("(step \(number))", " (step \(number))")))
    }
    return parts.isEmpty ? nil : parts.joined(" · ")
  }

  private func machineLine() throws -> Rich {
    var parts: [Rich] = []
    if let machine = run.record.environment {
      let cores = words.pick("\(machine.cores)코어", machine.cores == 1 ? "1 core" : "\(machine.cores) cores")
      let memory = ValueFormat.bytes.shown(Double(machine.memoryBytes), language: language)
      parts.append(.text("\(machine.cpu), \(cores), \(words.pick("메모리 ", "memory "))\(memory)"))
    } else {
      parts.append(.text(words.notRecorded))
    }
    if run.record.stages["train"] != nil {
      parts.append(.text(words.pick("학습 ", "training ")) + (try traced("run.json", "/stages/train/seconds", .duration)))
    }
    return parts.joined(" · ")
  }
}
