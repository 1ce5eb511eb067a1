import Formats

extension TokenizerSource {
  /// The files of a Hugging Face folder that say the same: `tokenizer.json`, and `tokenizer_config.json` with the chat template.
  public func huggingFaceFiles() throws -> [(name: String, content: JSONValue)] {
    [("tokenizer.json", try tokenizerJSON()), ("tokenizer_config.json", try configurationJSON())]
  }

  private func known() throws -> KnownPreTokenizers.Entry {
    guard let known = KnownPreTokenizers.table[pre] else { throw Self.unknownPreTokenizer(pre, file: file) }
    return known
  }

  private func isAdded(_ id: Int) -> Bool { types.indices.contains(id) && [2, 3, 4].contains(types[id]) }
  private func isUsed(_ id: Int) -> Bool { !types.indices.contains(id) || types[id] != 5 }

  /// The token of an id, where there is one.
  private func token(_ id: Int32?) -> String? {
    id.flatMap { tokens.indices.contains(Int($0)) ? tokens[Int($0)] : nil }
  }

  private func tokenizerJSON() throws -> JSONValue {
    let known = try known()
    var vocabulary: [JSONObject.Entry] = []
    var added: [JSONValue] = []
    for (id, token) in tokens.enumerated() where isUsed(id) {
      guard isAdded(id) else {
        vocabulary.append(.init(key: token, value: JSONValue(id)))
        continue
      }
      added.append([
        "id": JSONValue(id), "content": .string(token), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": .bool(types[id] != 4),
      ])
    }
    let splits = known.patterns.map { pattern -> JSONValue in
      ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
    }
    let byteLevel: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    ]
    return [
      "version": "1.0", "truncation": .null, "padding": .null, "added_tokens": .array(added),
      "normalizer": known.nfc ? ["type": "NFC"] : .null,
      "pre_tokenizer": ["type": "Sequence", "pretokenizers": .array(splits + [byteLevel])],
      "post_processor": postProcessor(byteLevel), "decoder": byteLevel,
      "model": [
        "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": .bool(known.ignoresMerges),
        "vocab": .object(JSONObject(vocabulary)), "merges": .array(merges.map { .string($0) }),
      ],
    ]
  }

  /// What is put around a text: the BOS token where the model expects one.
  private func postProcessor(_ byteLevel: JSONValue) -> JSONValue {
    guard addsBOS, let id = bosID, let bos = token(id) else { return byteLevel }
    func begin(_ type: Int) -> JSONValue { ["SpecialToken": ["id": .string(bos), "type_id": JSONValue(type)]] }
    func text(_ name: String, _ type: Int) -> JSONValue {
      ["Sequence": ["id": .string(name), "type_id": JSONValue(type)]]
    }
    let entry: JSONValue = ["id": .string(bos), "ids": [JSONValue(Int(id))], "tokens": [.string(bos)]]
    return [
      "type": "TemplateProcessing", "single": [begin(0), text("A", 0)],
      "pair": [begin(0), text("A", 0), begin(1), text("B", 1)],
      "special_tokens": .object(JSONObject([.init(key: bos, value: entry)])),
    ]
  }

  private func configurationJSON() throws -> JSONValue {
    var object: JSONObject = [
      // Takes tokenizer.json as it is, whatever the family.
      "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": .bool(addsBOS), "add_prefix_space": false,
      "clean_up_tokenization_spaces": false,
    ]
    for (key, id) in [("bos_token", bosID), ("eos_token", eosID), ("pad_token", padID)] {
      object[key] = token(id).map { .string($0) } ?? .null
    }
    if let chatTemplate { object["chat_template"] = .string(chatTemplate) }
    return .object(object)
  }

  static func unknownPreTokenizer(_ name: String, file: String) -> TokenizerError {
    TokenizerError(
      file: file,
      message:
        "the pre-tokeniser '\(name)' is not known; known are \(KnownPreTokenizers.table.keys.sorted().joined(separator: ", "))"
    )
  }
}
