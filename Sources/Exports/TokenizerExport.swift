import Formats
import Foundation
import Models
import Tokenizers

/// A model's tokeniser for other programs: a folder's own files, or files that say the same as a GGUF file's metadata.
public struct TokenizerExport {
  public let base: ModelFile
  public let source: TokenizerSource

  public init(_ source: TokenizerSource, base: ModelFile) {
    self.source = source
    self.base = base
  }

  /// Files of a base folder that say nothing of its weights.
  private static let copied = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "chat_template.jinja", "generation_config.json",
  ]

  /// Puts them into a folder, with `generation_config.json`.
  public func write(to folder: URL) throws {
    guard case .folder(let files, _) = base else {
      for (name, content) in try source.huggingFaceFiles() { try ExportedFile.write(content, folder, name) }
      return try ExportedFile.write(generationConfiguration, folder, "generation_config.json")
    }
    for name in Self.copied {
      let file = URL(fileURLWithPath: files.file).appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      try FileManager.default.copyItem(at: file, to: folder.appendingPathComponent(name))
    }
  }

  /// "bos_token_id" … with the ids that the model has.
  var ids: [(key: String, id: Int)] {
    [("bos_token_id", source.bosID), ("eos_token_id", source.eosID), ("pad_token_id", source.padID)].compactMap {
      key, id in id.map { (key, Int($0)) }
    }
  }

  private var generationConfiguration: JSONValue {
    .object(JSONObject(ids.map { .init(key: $0.key, value: JSONValue($0.id)) }))
  }
}

enum ExportedFile {
  static func write(_ content: JSONValue, _ folder: URL, _ name: String) throws {
    try Data((content.text(pretty: true) + "\n").utf8).write(to: folder.appendingPathComponent(name))
  }
}
