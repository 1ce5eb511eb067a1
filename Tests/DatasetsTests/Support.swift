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

/// Prepares files given as name → text; `configure` changes the settings, whose `files` are all of them.
func prepare(_ files: [String: String], _ configure: (inout DatasetSettings) -> Void = { _ in }) throws
  -> PreparedDataset
{
  try Fixtures.withTemporaryFolder { folder in
    for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
    var settings = DatasetSettings()
    settings.files = files.keys.sorted()
    settings.split = nil
    configure(&settings)
    return try Preparation(settings: settings, base: folder, encode: measure).run()
  }
}

func failure(_ body: () throws -> PreparedDataset) -> String {
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

func prepareTextbook(_ configure: (inout DatasetSettings) -> Void = { _ in }) throws -> PreparedDataset {
  var settings = textbookSettings()
  configure(&settings)
  return try Preparation(settings: settings, base: Fixtures.root, encode: measure).run()
}
