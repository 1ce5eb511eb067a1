import Foundation
import Runs
import TestSupport

@testable import Datasets

/// A measure that needs no tokenizer: one token a character, two for the template around each message, ChatML in little.
func measure(_ messages: [ChatRow.Message]) -> (promptTokens: Int, answerTokens: Int, rendered: String) {
  let rendered = messages.map { "<\($0.role)>\($0.content)</>" }.joined(separator: "\n")
  let prompt = messages.dropLast().reduce(0) { $0 + $1.content.unicodeScalars.count + 2 }
  return (prompt, (messages.last?.content.unicodeScalars.count ?? 0) + 1, rendered)
}

extension Preparation {
  typealias Encode = ([ChatRow.Message]) throws -> (promptTokens: Int, answerTokens: Int, rendered: String)

  /// With a measure of single conversations; relative paths are taken from `base`.
  init(settings: DatasetSettings, base: URL, encode: @escaping Encode) throws {
    let measure = ChatMeasure { conversations in
      try conversations.map {
        let length = try encode($0)
        return .init(prompt: length.promptTokens, answer: length.answerTokens)
      }
    } rendered: {
      try encode($0).rendered
    }
    self.init(settings: settings, files: try DataSources(settings, base: base), measure: measure)
  }
}

/// A prepared data set with its rows in memory.
struct Prepared: Equatable {
  let dataset: PreparedDataset
  let train: [ChatRow]
  let validation: [ChatRow]
  let test: [ChatRow]
  let rejected: [RejectedRow]
  var report: DatasetReport { dataset.report }

  init(_ dataset: PreparedDataset) throws {
    self.dataset = dataset
    train = try dataset.rows(.train)
    validation = try dataset.rows(.validation)
    test = try dataset.rows(.test)
    rejected = try dataset.rejected()
  }

  func rows(_ split: DatasetSplit) -> [ChatRow] {
    switch split {
    case .train: train
    case .validation: validation
    case .test: test
    }
  }

  func write(to run: RunFolder) throws { try dataset.write(to: run) }

  static func == (left: Prepared, right: Prepared) -> Bool {
    left.train == right.train && left.validation == right.validation && left.test == right.test
      && left.rejected == right.rejected && left.report == right.report
  }
}

/// Prepares files given as name → text; `configure` changes the settings, whose `files` are all of them.
func prepare(_ files: [String: String], _ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
  try prepare(bytes: files.mapValues { Data($0.utf8) }, configure)
}

func prepare(bytes files: [String: Data], _ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
  try Fixtures.withTemporaryFolder { folder in
    for (name, data) in files {
      let url = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }
    var settings = DatasetSettings()
    settings.files = files.keys.sorted()
    settings.split = nil
    configure(&settings)
    return try Prepared(Preparation(settings: settings, base: folder, encode: measure).run())
  }
}

func failure(_ body: () throws -> Prepared) -> String {
  do {
    _ = try body()
    return "no error"
  } catch { return "\(error)" }
}

let textbookFile = "content/data/korean-textbook-qa.json"

/// The split of the main experiment.
func textbookSettings() -> DatasetSettings {
  var settings = DatasetSettings()
  settings.files = [textbookFile]
  settings.format = FormatSettings()
  var split = SplitSettings()
  split.group = "fact"
  split.testSeen = 5
  settings.split = split
  return settings
}

func prepareTextbook(_ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> Prepared {
  var settings = textbookSettings()
  configure(&settings)
  return try Prepared(Preparation(settings: settings, base: Fixtures.root, encode: measure).run())
}
