import Formats
import Foundation

extension Tokenizer {
  /// The tokeniser of a Hugging Face folder: `tokenizer.json`, with the names and chat template of
  /// `tokenizer_config.json` and `chat_template.jinja`, and the ends of `generation_config.json` and `config.json`.
  public init(folder: URL) throws {
    try self.init(try FolderReader(folder: folder).parts())
  }
}

extension TokenizerSource {
  /// What a GGUF file would say of the tokeniser of a Hugging Face folder whose model has so many ids; ids without a token are unused ones.
  public init(folder: URL, vocabularySize: Int) throws {
    try self.init(FolderReader(folder: folder), vocabularySize: vocabularySize)
  }

  private init(_ reader: FolderReader, vocabularySize: Int) throws {
    let parts = try reader.parts()
    guard
      let pre = KnownPreTokenizers.table.filter({
        $0.value.patterns == parts.patterns && $0.value.nfc == parts.nfc
          && $0.value.ignoresMerges == parts.ignoresMerges
      }).keys.min(by: { ($0.utf8.count, $0) > ($1.utf8.count, $1) })
    else {
      throw reader.failure("its pre-tokeniser has no name in GGUF files; export a model of the Qwen2 or Llama 3 type")
    }
    let vocabulary = try reader.vocabulary()
    var tokens = (0..<max(vocabularySize, parts.tokens.count)).map { "[PAD\($0)]" }
    var types = [Int32](repeating: 5, count: tokens.count)
    for (id, token) in vocabulary where tokens.indices.contains(id) {
      tokens[id] = token
      types[id] = 1
    }
    for token in parts.added where tokens.indices.contains(Int(token.id)) {
      tokens[Int(token.id)] = token.content
      types[Int(token.id)] = token.special ? 3 : 4
    }
    self.init(
      file: parts.file, model: "gpt2", pre: pre, tokens: tokens, types: types, merges: try reader.mergeLines(),
      bosID: parts.bos, eosID: parts.eos.first, padID: parts.pad, addsBOS: parts.addsBOS,
      chatTemplate: parts.chatTemplate)
  }
}

/// Reads the files of a Hugging Face folder.
private struct FolderReader {
  let folder: URL
  var file: String { folder.appendingPathComponent("tokenizer.json").path }

  func failure(_ message: String, file: String? = nil) -> TokenizerError {
    TokenizerError(file: file ?? self.file, message: message)
  }

  /// A JSON file of the folder, nil where there is none.
  func json(_ name: String) throws -> JSONValue? {
    let url = folder.appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: url.path) else { return nil }
    return try JSONValue(parsing: try read(url), file: url.path, allowNaN: true)
  }

  func read(_ url: URL) throws -> Data {
    do { return try Data(contentsOf: url) } catch {
      throw failure("cannot be read (\(error.localizedDescription)); check its permissions", file: url.path)
    }
  }

  func parts() throws -> Tokenizer.Parts {
    guard let root = try json("tokenizer.json") else {
      throw failure("not there; a model folder needs its tokenizer.json (AutoTokenizer's save_pretrained writes it)")
    }
    let config = try json("tokenizer_config.json") ?? .object(JSONObject())
    guard let model = root["model"], let vocabulary = model["vocab"]?.object, let merges = model["merges"]?.array,
      model["type"]?.string ?? "BPE" == "BPE"
    else {
      throw failure("the model is no BPE with 'vocab' and 'merges'; only byte-level BPE is supported")
    }
    if model["byte_fallback"]?.bool == true || !(model["end_of_word_suffix"]?.string ?? "").isEmpty {
      throw failure("this BPE is not byte-level; use a model such as Qwen2.5, Llama 3 or SmolLM2")
    }
    let added = try addedTokens(root, config)
    func id(_ name: String?) -> Int32? { name.flatMap { name in added.first { $0.content == name }?.id } }
    var names: [String: String] = [:]
    for key in ["bos_token", "eos_token", "pad_token", "unk_token"] { names[key] = tokenName(config[key]) }
    return Tokenizer.Parts(
      file: file, tokens: try tokens(vocabulary), merges: try pairs(merges), added: added,
      patterns: try patterns(root["pre_tokenizer"]), nfc: try isNFC(root["normalizer"]),
      ignoresMerges: model["ignore_merges"]?.bool ?? false, bos: id(names["bos_token"]), pad: id(names["pad_token"]),
      addsBOS: config["add_bos_token"]?.bool ?? false,
      eos: (id(names["eos_token"]).map { [$0] } ?? []) + (try configuredEnds()),
      chatTemplate: try chatTemplate(config), names: names)
  }

  /// Ids and tokens of the model proper, as they are written in `tokenizer.json`.
  func vocabulary() throws -> [(id: Int, token: String)] {
    try json("tokenizer.json")?["model"]?["vocab"]?.object?.entries.compactMap { entry in
      entry.value.integer.map { ($0, entry.key) }
    } ?? []
  }

  /// "left right", in the order they were learned.
  func mergeLines() throws -> [String] {
    try json("tokenizer.json")?["model"]?["merges"]?.array?.map { merge in
      merge.string ?? (merge.array ?? []).compactMap(\.string).joined(separator: " ")
    } ?? []
  }

  private func tokens(_ vocabulary: JSONObject) throws -> [[UInt8]?] {
    var tokens: [[UInt8]?] = Array(repeating: nil, count: vocabulary.entries.count)
    for entry in vocabulary.entries {
      guard let id = entry.value.integer, id >= 0, id < 1 << 24 else {
        throw failure("the token '\(entry.key)' has no usable id; the file is damaged, get it again")
      }
      while tokens.count <= id { tokens.append(nil) }
      tokens[id] = Tokenizer.bytes(ofModelToken: entry.key)
    }
    return tokens
  }

  /// Merges are "left right", or pairs in newer files.
  private func pairs(_ merges: [JSONValue]) throws -> [(left: [UInt8], right: [UInt8])] {
    try merges.enumerated().map { rank, merge in
      if let text = merge.string { return try Tokenizer.merge(text, rank: rank, file: file) }
      guard let pair = merge.array, pair.count == 2, let left = pair[0].string, let right = pair[1].string else {
        throw failure("merge \(rank + 1) is no pair of tokens; the file is damaged, get it again")
      }
      return (Tokenizer.bytes(ofModelToken: left), Tokenizer.bytes(ofModelToken: right))
    }
  }

  private func addedTokens(_ root: JSONValue, _ config: JSONValue) throws -> [AddedToken] {
    var tokens: [AddedToken] = []
    for item in root["added_tokens"]?.array ?? [] {
      guard let id = item["id"]?.integer, let content = item["content"]?.string, let id = Int32(exactly: id) else {
        throw failure("an added token has no id or content; the file is damaged, get it again")
      }
      tokens.append(addedToken(id, content, item))
    }
    // Older folders list some tokens only here.
    for entry in config["added_tokens_decoder"]?.object?.entries ?? [] {
      guard let id = Int32(entry.key), let content = entry.value["content"]?.string else { continue }
      if !tokens.contains(where: { $0.id == id }) { tokens.append(addedToken(id, content, entry.value)) }
    }
    return tokens
  }

  private func addedToken(_ id: Int32, _ content: String, _ item: JSONValue) -> AddedToken {
    var token = AddedToken(id: id, content: content, special: item["special"]?.bool ?? false)
    token.lstrip = item["lstrip"]?.bool ?? false
    token.rstrip = item["rstrip"]?.bool ?? false
    token.singleWord = item["single_word"]?.bool ?? false
    token.normalized = item["normalized"]?.bool ?? false
    return token
  }

  private func tokenName(_ value: JSONValue?) -> String? { value?.string ?? value?["content"]?.string }

  private func isNFC(_ normalizer: JSONValue?) throws -> Bool {
    guard let normalizer, !normalizer.isNull else { return false }
    switch normalizer["type"]?.string {
    case "NFC": return true
    case "Sequence": return try (normalizer["normalizers"]?.array ?? []).contains { try isNFC($0) }
    default: throw failure("the normaliser '\(normalizer["type"]?.string ?? "?")' is not supported; only NFC is")
    }
  }

  /// The patterns that cut a text, one after another.
  private func patterns(_ preTokenizer: JSONValue?) throws -> [String] {
    guard let preTokenizer, !preTokenizer.isNull else { return [] }
    let type = preTokenizer["type"]?.string ?? "?"
    switch type {
    case "Sequence": return try (preTokenizer["pretokenizers"]?.array ?? []).flatMap { try patterns($0) }
    case "ByteLevel":
      if preTokenizer["add_prefix_space"]?.bool == true {
        throw failure("the pre-tokeniser's 'add_prefix_space' is not supported")
      }
      return preTokenizer["use_regex"]?.bool ?? true ? [KnownPreTokenizers.gpt2] : []
    case "Digits":
      return [preTokenizer["individual_digits"]?.bool == true ? KnownPreTokenizers.eachDigit : #"\p{N}+"#]
    case "Split":
      guard preTokenizer["behavior"]?.string == "Isolated", preTokenizer["invert"]?.bool != true else {
        throw failure(
          "the pre-tokeniser's Split '\(preTokenizer["behavior"]?.string ?? "?")' is not supported; only Isolated is")
      }
      if let regex = preTokenizer["pattern"]?["Regex"]?.string { return [regex] }
      if let text = preTokenizer["pattern"]?["String"]?.string {
        return [text.unicodeScalars.map { "\\x{\(String($0.value, radix: 16))}" }.joined()]
      }
      throw failure("the pre-tokeniser's Split has no pattern; the file is damaged")
    default:
      throw failure("the pre-tokeniser '\(type)' is not supported; byte-level BPE models have Split and ByteLevel")
    }
  }

  /// The `eos_token_id` of the generation settings, one or several; the model's own where there are none.
  private func configuredEnds() throws -> [Int32] {
    for name in ["generation_config.json", "config.json"] {
      guard let value = try json(name)?["eos_token_id"], !value.isNull else { continue }
      let ids = (value.array ?? [value]).compactMap { $0.integer.flatMap { Int32(exactly: $0) } }
      if !ids.isEmpty { return ids }
    }
    return []
  }

  private func chatTemplate(_ config: JSONValue) throws -> String? {
    let url = folder.appendingPathComponent("chat_template.jinja")
    if FileManager.default.fileExists(atPath: url.path) {
      let data = try read(url)
      guard let text = String(validating: data, as: UTF8.self) else {
        throw failure("not valid UTF-8; save the file as UTF-8", file: url.path)
      }
      return text
    }
    if let text = config["chat_template"]?.string { return text }
    // Several templates by name: the one called default is for chat.
    let named = config["chat_template"]?.array ?? []
    return (named.first { $0["name"]?.string == "default" } ?? named.first)?["template"]?.string
  }
}
