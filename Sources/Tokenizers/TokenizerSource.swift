/// What a GGUF file's metadata says about its tokeniser (`tokenizer.ggml.…`), read or not by whoever opened the file.
public struct TokenizerSource: Sendable {
  /// The file's name, for errors.
  public var file: String
  /// `tokenizer.ggml.model`; only "gpt2", byte-level BPE, is known here.
  public var model: String
  /// `tokenizer.ggml.pre`, the name of the pre-tokeniser.
  public var pre: String
  public var tokens: [String]
  /// `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. May be empty.
  public var types: [Int32]
  /// "left right", in the order they were learned.
  public var merges: [String]
  public var bosID: Int32?
  public var eosID: Int32?
  public var padID: Int32?
  /// `tokenizer.ggml.add_bos_token`.
  public var addsBOS: Bool
  public var chatTemplate: String?

  public init(
    file: String, model: String, pre: String, tokens: [String], types: [Int32] = [], merges: [String],
    bosID: Int32? = nil, eosID: Int32? = nil, padID: Int32? = nil, addsBOS: Bool = false, chatTemplate: String? = nil
  ) {
    self.file = file
    self.model = model
    self.pre = pre
    self.tokens = tokens
    self.types = types
    self.merges = merges
    self.bosID = bosID
    self.eosID = eosID
    self.padID = padID
    self.addsBOS = addsBOS
    self.chatTemplate = chatTemplate
  }
}
