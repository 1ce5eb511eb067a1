import Charts
import Foundation
import Formats
import Runs

/// Two or more runs side by side: what was set differently, where they ran, what came out.
public struct Comparison: Sendable {
  /// A setting, or a fact of the environment, that is not the same in all runs.
  public struct Difference: Sendable, Equatable {
    /// "training.learning_rate", or a JSON Pointer into run.json.
    public var path: String
    /// One a run; nil where the run has no such entry.
    public var values: [String?]
  }

  let runs: [RunData]
  public let settings: [Difference]
  public let environment: [Difference]
  public let metrics: [ComparedMetric]
  /// Whether all runs were measured on the same rows, by hash; nil where a run doesn't tell.
  public let hasSameValidation: Bool?
  public let hasSameTest: Bool?
  /// Whether the models cut text into the same number of token kinds; losses a token can't be set against each other otherwise.
  public let hasSameVocabulary: Bool?
  public let answers: ComparedAnswers?

  public var ids: [String] { runs.map(\.id) }

  /// The runs' names without the words that all begin with, and those words: "korean-textbooks-weights-nf4" beside "…-bf16" is "nf4". A
  /// word stays where a bare number would be left, and short beginnings stay altogether.
  static func shortNames(_ ids: [String]) -> (prefix: String, names: [String]) {
    let words = ids.map { $0.split(separator: "-", omittingEmptySubsequences: false) }
    guard let first = words.first, words.count > 1 else { return ("", ids) }
    var shared = 0
    while words.allSatisfy({ $0.count > shared + 1 && $0[shared] == first[shared] }) { shared += 1 }
    func rest(_ words: [Substring]) -> String { words[shared...].joined(separator: "-") }
    if shared > 0, words.contains(where: { !rest($0).contains(where: \.isLetter) }) { shared -= 1 }
    let prefix = first[..<shared].map { $0 + "-" }.joined()
    return prefix.count < 8 ? ("", ids) : (prefix, words.map(rest))
  }

  /// Reads the runs from their folders.
  public init(folders: [RunFolder]) throws { self.init(runs: try folders.map { try RunData(folder: $0) }) }

  init(runs: [RunData]) {
    self.runs = runs
    settings = Self.settings(runs)
    environment = Self.environment(runs)
    let sameValidation = Self.same(runs, file: "dataset/validation.jsonl")
    let sameTest = Self.same(runs, file: "dataset/test.jsonl")
    let sizes = runs.map { $0.record.model?.vocabularySize }
    let sameVocabulary = sizes.contains(nil) ? nil : sizes.allSatisfy { $0 == sizes.first }
    metrics = ComparedMetric.all(runs).map { metric in
      var metric = metric
      if metric.name.hasSuffix("loss") { metric.isComparable = sameValidation != false && sameVocabulary != false }
      if metric.path == "evaluation/metrics.json", !metric.name.hasSuffix("loss") {
        metric.isComparable = sameTest != false
      }
      return metric
    }
    hasSameValidation = sameValidation
    hasSameTest = sameTest
    hasSameVocabulary = sameVocabulary
    answers = ComparedAnswers(runs)
  }

  // MARK: What differs

  /// The run's own name and its post always differ, and tell nothing.
  private static let unshown = ["name", "post"]

  private static func settings(_ runs: [RunData]) -> [Difference] {
    var paths: [String] = []
    for run in runs {
      for path in run.settingPaths where !paths.contains(path) && !unshown.contains(path) { paths.append(path) }
    }
    return paths.compactMap { path in
      let values = runs.map { run -> String? in
        guard let node = run.setting(path)?.node, !node.isNull else { return nil }
        return node.written
      }
      // 2e-4 and 0.0002 are the same setting.
      let numbers = runs.map { $0.setting(path)?.node.double }
      if !numbers.contains(nil), numbers.allSatisfy({ $0 == numbers.first }) { return nil }
      return values.allSatisfy { $0 == values.first } ? nil : Difference(path: path, values: values)
    }
  }

  static let environmentPointers = [
    "/program/version", "/environment/cpu", "/environment/cpu_features", "/environment/cores", "/environment/threads",
    "/environment/memory_bytes", "/environment/os", "/environment/backend", "/model/file", "/model/sha256",
    "/model/file_weights", "/model/weights", "/model/compute",
  ]

  private static func environment(_ runs: [RunData]) -> [Difference] {
    var found = environmentPointers.compactMap { pointer -> Difference? in
      let values = runs.map { run -> String? in
        guard let value = try? run.document("run.json").value(at: pointer), !value.isNull else { return nil }
        if let list = value.array { return list.compactMap(\.string).joined(separator: ", ") }
        return value.string ?? value.text()
      }
      return values.allSatisfy { $0 == values.first } ? nil : Difference(path: pointer, values: values)
    }
    let data = runs.map { run -> String? in
      run.record.datasetFiles.isEmpty ? nil : run.record.datasetFiles.map(\.sha256).joined(separator: " ")
    }
    if !data.allSatisfy({ $0 == data.first }) { found.append(Difference(path: "/dataset_files", values: data)) }
    return found
  }

  private static func same(_ runs: [RunData], file: String) -> Bool? {
    let hashes = runs.map { run in run.record.artifacts.first { $0.path == file }?.sha256 }
    return hashes.contains(nil) ? nil : hashes.allSatisfy { $0 == hashes.first }
  }

  /// A value as a reader sees it: hashes shortened, bytes in units.
  public func shown(_ difference: Difference, language: SiteLanguage) -> [String] {
    difference.values.map { value in
      guard let value else { return "—" }
      switch difference.path {
      case "/environment/memory_bytes":
        return Double(value).map { ValueFormat.bytes.shown($0, language: language) } ?? value
      case "/model/sha256": return String(value.prefix(12))
      case "/dataset_files":
        return value.split(separator: " ").map { String($0.prefix(12)) }.joined(separator: ", ")
      case "training.learning_rate": return Double(value).map(NumberFormat.learningRate) ?? value
      default: return value.isEmpty ? "—" : value
      }
    }
  }

  /// Words for an entry of the environment; a setting is called by its path.
  public static func label(_ path: String, language: SiteLanguage) -> String {
    let words = SiteWords(language: language)
    switch path {
    case "/program/version": return words.pick("프로그램", "Program")
    case "/environment/cpu": return "CPU"
    case "/environment/cpu_features": return words.pick("명령어 집합", "Instruction sets")
    case "/environment/cores": return words.pick("코어", "Cores")
    case "/environment/threads": return words.pick("스레드", "Threads")
    case "/environment/memory_bytes": return words.pick("메모리", "Memory")
    case "/environment/os": return words.pick("운영체제", "Operating system")
    case "/environment/backend": return words.pick("행렬 연산", "Matrix products")
    case "/model/file": return words.pick("모델 파일", "Model file")
    case "/model/sha256": return words.pick("모델의 SHA-256", "SHA-256 of the model")
    case "/model/file_weights": return words.pick("파일의 가중치", "Weights in the file")
    case "/model/weights": return words.pick("학습할 때의 가중치", "Weights in training")
    case "/model/compute": return words.pick("연산", "Compute")
    case "/dataset_files": return words.pick("데이터의 SHA-256", "SHA-256 of the data")
    default: return path
    }
  }
}

/// How the answers of the tuned models differ, question by question.
public struct ComparedAnswers: Sendable, Equatable {
  /// Questions that every run answered, the same in wording and reference.
  public var common: Int
  /// Those whose answers are not all the same text.
  public var different: Int
  /// For each run, the questions where its answer alone has the highest chrF; nil where a run has no such scores.
  public var best: [Int]?
}

extension ComparedAnswers {
  /// Nil where a run has no answers.
  init?(_ runs: [RunData]) { self.init(samples: runs.map(\.samples)) }

  /// Each run's answers; nil where one has none.
  init?(samples runs: [[AnswerSample]]) {
    guard runs.allSatisfy({ !$0.isEmpty }), let first = runs.first else { return nil }
    func key(_ sample: AnswerSample) -> [UInt8] { Array((sample.question + "\u{0}" + sample.reference).utf8) }
    let tables = runs.map { run in
      Dictionary(run.map { (key($0), $0) }, uniquingKeysWith: { first, _ in first })
    }
    self.init(common: 0, different: 0, best: nil)
    var best = runs.map { _ in 0 }
    var isScored = true
    var seen: Set<[UInt8]> = []
    for sample in first where seen.insert(key(sample)).inserted {
      let answers = tables.compactMap { $0[key(sample)] }
      guard answers.count == runs.count else { continue }
      common += 1
      // By bytes: Swift's == holds composed and decomposed Hangul for equal.
      if !answers.allSatisfy({ Array($0.tuned.text.utf8) == Array(sample.tuned.text.utf8) }) { different += 1 }
      let scores = answers.compactMap { $0.tuned.scores["chrf"] }
      guard scores.count == runs.count, let top = scores.max() else {
        isScored = false
        continue
      }
      if scores.filter({ $0 == top }).count == 1, let place = scores.firstIndex(of: top) { best[place] += 1 }
    }
    self.best = isScored && common > 0 ? best : nil
  }
}
