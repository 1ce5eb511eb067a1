extension Tokenizer {
  /// The names that end a turn or a text, taken as ends where a GGUF file has them besides its own end-of-text id.
  static let endNames = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>"]

  /// The tokeniser of a GGUF file.
  public init(gguf source: TokenizerSource) throws {
    guard source.model == "gpt2" else {
      throw TokenizerError(
        file: source.file,
        message:
          "the tokeniser '\(source.model)' is not supported; use a model with byte-level BPE ('gpt2'), such as Qwen2.5, Llama 3 or SmolLM2"
      )
    }
    guard let known = KnownPreTokenizers.table[source.pre] else {
      throw TokenizerSource.unknownPreTokenizer(source.pre, file: source.file)
    }
    guard source.types.isEmpty || source.types.count == source.tokens.count, !source.tokens.isEmpty else {
      throw TokenizerError(
        file: source.file,
        message:
          "\(source.tokens.count) tokens with \(source.types.count) token types; the file is damaged, get it again")
    }
    var tokens: [[UInt8]?] = []
    tokens.reserveCapacity(source.tokens.count)
    var added: [AddedToken] = []
    for (id, token) in source.tokens.enumerated() {
      let type = source.types.isEmpty ? 1 : source.types[id]
      if type == 3 || type == 4 || type == 2 {
        added.append(AddedToken(id: Int32(id), content: token, special: type != 4))
        tokens.append(nil)
      } else {
        tokens.append(type == 5 ? nil : ByteAlphabet.bytes(of: token) ?? Array(token.utf8))
      }
    }
    let merges = try source.merges.enumerated().map { try Self.merge($1, rank: $0, file: source.file) }
    func name(_ id: Int32?) -> String? {
      id.flatMap { source.tokens.indices.contains(Int($0)) ? source.tokens[Int($0)] : nil }
    }
    var names: [String: String] = [:]
    names["bos_token"] = name(source.bosID)
    names["eos_token"] = name(source.eosID)
    names["pad_token"] = name(source.padID)
    var ends = source.eosID.map { [$0] } ?? []
    for end in Self.endNames { ends += added.filter { $0.content == end }.map(\.id) }
    try self.init(
      Parts(
        file: source.file, tokens: tokens, merges: merges, added: added, patterns: known.patterns, nfc: known.nfc,
        ignoresMerges: known.ignoresMerges, bos: source.bosID, pad: source.padID, addsBOS: source.addsBOS, eos: ends,
        chatTemplate: source.chatTemplate, names: names))
  }

  /// "left right": the tokens of a merge have no space in them.
  static func merge(_ text: String, rank: Int, file: String) throws -> (left: [UInt8], right: [UInt8]) {
    let parts = text.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw TokenizerError(
        file: file, message: "merge \(rank + 1) is no pair of tokens; the file is damaged, get it again")
    }
    return (bytes(ofModelToken: String(parts[0]) ?? ""), bytes(ofModelToken: String(parts[1]) ?? ""))
  }

  static func bytes(ofModelToken token: String) -> [UInt8] { ByteAlphabet.bytes(of: token) ?? Array(token.utf8) }
}
