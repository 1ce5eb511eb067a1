import Formats
import Runs

/// All that was found in a folder, gathered source by source.
struct ImportedLog {
  var curve = Curve()
  /// Totals that a tool writes at the end, by its own names: "train_runtime", "train_loss".
  var totals: [String: Double] = [:]
  /// The file the curves come from, in the imported folder.
  var log = ""
  var steps: Int?
  var epochs: Double?
  /// Tokens that went through the model, where they were counted.
  var tokens: Int?
  /// When the first line was written, seconds since 1970.
  var begun: Double?
  /// Steps between two lines of training.
  var loggingSteps: Int?
  var notes: [OriginRecord.Note] = []
  /// Values that were NaN or infinite.
  var notNumbers = 0
  var settings = ImportedSettings()
  var versions: [String: String] = [:]
  /// Words that tell the tool: tags of the model card, keys of the log.
  var signs: Set<String> = []

  mutating func note(_ note: OriginRecord.Note) {
    if !notes.contains(note) { notes.append(note) }
  }

  /// A logged number; NaN and the infinities, which Python writes as they are, count and become nil.
  mutating func number(_ value: JSONValue?) -> Double? {
    switch value {
    case .number(let number) where number.double.isFinite: return number.double
    case .string(let text):
      guard let number = Double(text), number.isFinite else { break }
      return number
    case nil, .bool, .array, .object: return nil
    case .null, .number: break
    }
    notNumbers += 1
    return nil
  }

  /// A step from a log's line; `place` names the line in errors.
  static func step(_ value: JSONValue?, place: String, key: String) throws -> Int {
    let number = value?.integer ?? value?.double.flatMap { Int(exactly: $0) }
    guard let number, (0...EventFile.mostSteps).contains(number) else {
      let found: String =
        switch value {
        case .number(let number): String(number.text.prefix(40))
        case nil: "nothing"
        case .some(let other): other.kind
        }
      throw RunsError(
        "\(place): '\(key)' must be a whole number from 0 to \(EventFile.mostSteps), not \(found); the log is damaged or of something else"
      )
    }
    return number
  }

  /// The tool that trained, as its traces tell.
  var tool: String {
    if signs.contains("llama-factory") { return "LLaMA-Factory" }
    if signs.contains("unsloth") { return signs.contains("trl") ? "Unsloth (TRL)" : "Unsloth" }
    if signs.contains("trl") { return "TRL" }
    if signs.contains("trainer") { return "transformers Trainer" }
    return "TensorBoard"
  }
}
