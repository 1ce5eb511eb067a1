import Formats
import Foundation
import Jinja
import TestSupport
import Testing

@testable import Tokenizers

/// The small fixture: a pruned Qwen2.5 vocabulary (`scripts/fixtures/tokenizer_fixtures.py`).
enum Small {
  static func json(_ name: String) throws -> JSONValue {
    try JSONValue(parsing: Fixtures.data("Tokenizers", name), file: name)
  }

  static func tokenizer() throws -> Tokenizer { try Tokenizer(folder: Fixtures.url("Tokenizers", "small")) }

  /// The fixture as a folder with another pre-tokeniser, normaliser and chat template.
  static func tokenizer(
    variant: JSONValue? = nil, template: String? = nil, bos: String? = nil
  ) throws -> Tokenizer {
    try Fixtures.withTemporaryFolder { folder in
      guard var root = try json("small/tokenizer.json").object, var model = root["model"]?.object else {
        throw TokenizerError(file: "small/tokenizer.json", message: "no object")
      }
      if let variant {
        root["normalizer"] = variant["normalizer"]
        root["pre_tokenizer"] = variant["pre_tokenizer"]
        model["ignore_merges"] = variant["ignore_merges"]
        root["model"] = .object(model)
      }
      var config: JSONObject = ["eos_token": "<|im_end|>"]
      config["chat_template"] = template.map { .string($0) }
      config["bos_token"] = bos.map { .string($0) }
      try Data(JSONValue.object(root).text().utf8).write(to: folder.appendingPathComponent("tokenizer.json"))
      try Data(JSONValue.object(config).text().utf8).write(to: folder.appendingPathComponent("tokenizer_config.json"))
      return try Tokenizer(folder: folder)
    }
  }

  /// The same vocabulary as a GGUF file would give it.
  static func gguf(pre: String) throws -> Tokenizer {
    let root = try json("small/tokenizer.json")
    let vocabulary = try #require(root["model"]?["vocab"]?.object)
    let added = try #require(root["added_tokens"]?.array)
    var tokens = vocabulary.entries.map(\.key)
    var types = tokens.map { _ in Int32(1) }
    for token in added {
      tokens.append(try #require(token["content"]?.string))
      types.append(token["special"]?.bool == true ? 3 : 4)
    }
    return try Tokenizer(
      gguf: TokenizerSource(
        file: "small.gguf", model: "gpt2", pre: pre, tokens: tokens, types: types,
        merges: try #require(root["model"]?["merges"]?.array).compactMap(\.string),
        eosID: Int32(vocabulary.entries.count + 2),
        chatTemplate: "{{ messages[0].content }}{{ eos_token }}"))
  }
}

func ids(_ value: JSONValue?) -> [Int32] { (value?.array ?? []).compactMap { $0.integer.map(Int32.init) } }

@Suite struct EncodingTests {
  @Test func equalsHuggingFaceWithEveryPreTokeniser() throws {
    let fixture = try Small.json("lines.json")
    let rows = try #require(fixture["rows"]?.array)
    #expect(rows.count > 250)
    for (index, variant) in try #require(fixture["variants"]?.object).entries.enumerated() {
      let folder = try Small.tokenizer(variant: variant.value)
      let gguf = try Small.gguf(pre: variant.key)
      for row in rows {
        let text = try #require(row["text"]?.string)
        let expected = ids(row["ids"]?[index])
        #expect(
          folder.encode(text) == expected,
          "\(variant.key), \(row["kind"]?.string ?? ""): \(text.debugDescription.prefix(200))")
        #expect(gguf.encode(text) == expected, "GGUF \(variant.key): \(text.debugDescription.prefix(200))")
      }
    }
  }

  /// On all cores and with kept words as one by one: several times over, so that every word is met again.
  @Test func manyTextsAreEncodedAsOneByOne() throws {
    let fixture = try Small.json("lines.json")
    let texts = try #require(fixture["rows"]?.array).compactMap { $0["text"]?.string }
    // NUL fills up short words in the table and may be part of one.
    let more = ["", "a\0", "a", "\0", "\0\0", String(repeating: "가", count: 40), "<|im_end|>"]
    let all = Array(repeating: texts + more, count: 4).flatMap { $0 }
    for (index, variant) in try #require(fixture["variants"]?.object).entries.enumerated() {
      let tokenizer = try Small.tokenizer(variant: variant.value)
      #expect(tokenizer.encode(all: all) == all.map { tokenizer.encode($0) }, "\(variant.key)")
      if index == 0 {
        #expect(tokenizer.encode(all: all, special: true) == all.map { tokenizer.encode($0, special: true) })
      }
    }
    #expect(try Small.tokenizer().encode(all: []) == [])
  }

  /// More words than the table has places: those that lose theirs are encoded anew.
  @Test func wordsBeyondTheTableAreEncodedAnew() throws {
    let tokenizer = try Small.tokenizer()
    let words = (0..<200_000).map { String($0 % 90_000 &* 2_654_435_761 % 99_999_989, radix: 36) }
    let lines = stride(from: 0, to: words.count, by: 100).map { words[$0..<$0 + 100].joined(separator: " ") }
    #expect(tokenizer.encode(all: lines) == lines.map { tokenizer.encode($0) })
  }

  @Test func specialAndAddedTokensWhereAskedFor() throws {
    let tokenizer = try Small.tokenizer()
    for row in try #require(try Small.json("lines.json")["rows"]?.array) {
      let text = try #require(row["text"]?.string)
      let expected = ids(row["special"] ?? row["ids"]?[0])
      #expect(tokenizer.encode(text, special: true) == expected, "\(text.debugDescription.prefix(200))")
    }
  }

  @Test func roundTripIsTheNormalisedText() throws {
    let tokenizer = try Small.tokenizer()
    for row in try #require(try Small.json("lines.json")["rows"]?.array) {
      let text = try #require(row["text"]?.string)
      // Python's normal form: Foundation's leaves a syllable and its final consonant apart.
      let normal = Array((row["nfc"]?.string ?? text).utf8)
      let encoded = tokenizer.encode(text)
      #expect(Array(tokenizer.decode(encoded, skipSpecial: false).utf8) == normal)
      #expect(Array(UnicodeText.nfc(text).utf8) == normal)
      var decoder = tokenizer.streamingDecoder(skipSpecial: false)
      var streamed = ""
      for id in encoded { streamed += decoder.push(id) }
      #expect(Array((streamed + decoder.finish()).utf8) == normal)
    }
  }

  /// The heap for long pieces must do what the plain search for short ones does.
  @Test func longPiecesMergeAsShortOnesDo() throws {
    let tokenizer = try Small.tokenizer()
    for text in ["aaaaaaaa", "abababab", "anananas", "the there then", "  ", "가나다라"] {
      let long = String(repeating: text, count: 400)
      let pieces = tokenizer.encode(long)
      #expect(tokenizer.decode(pieces, skipSpecial: false) == long)
    }
    let started = ContinuousClock.now
    #expect(
      tokenizer.decode(tokenizer.encode(String(repeating: "ab", count: 200_000)), skipSpecial: false).utf8.count
        == 400_000)
    #expect(ContinuousClock.now - started < .seconds(5))
  }

  @Test func streamingHoldsBackIncompleteCharacters() throws {
    let tokenizer = try Small.tokenizer()
    let bytes = Array("한😀".utf8).map { byte in tokenizer.encoder.byteTokens[Int(byte)] }
    var decoder = tokenizer.streamingDecoder(skipSpecial: true)
    #expect(bytes.map { decoder.push($0) } == ["", "", "한", "", "", "", "😀"])
    #expect(decoder.push(bytes[0]) == "")
    #expect(decoder.finish() == "\u{FFFD}")
    var broken = tokenizer.streamingDecoder(skipSpecial: true)
    #expect(broken.push(bytes[0]) + broken.push(tokenizer.encoder.byteTokens[0x41]) == "\u{FFFD}A")
  }

  /// A stop text is found wherever tokens end, and what only begins like one is given out once that is known.
  @Test func stopTextsEndTheTextBeforeThem() throws {
    let tokenizer = try Small.tokenizer()
    func said(_ text: String, stops: [String]) -> (pieces: [String], isStopped: Bool) {
      var decoder = StoppingDecoder(tokenizer, stops: stops, skipSpecial: true)
      // Byte by byte, the hardest case.
      var pieces = Array(text.utf8).map { decoder.push(tokenizer.encoder.byteTokens[Int($0)]) }
      pieces.append(decoder.finish())
      return (pieces, decoder.isStopped)
    }
    func whole(_ text: String, _ stops: [String]) -> String {
      // The text as its own tokens gives the same.
      var decoder = StoppingDecoder(tokenizer, stops: stops, skipSpecial: true)
      let bytes = said(text, stops: stops).pieces.joined()
      #expect(tokenizer.encode(text).map { decoder.push($0) }.joined() + decoder.finish() == bytes)
      return bytes
    }
    #expect(said("ab\n\ncd", stops: ["\n\n"]).pieces == ["a", "b", "", "", "", "", ""])
    #expect(said("a\nb", stops: ["\n\n"]).pieces == ["a", "", "\nb", ""])
    #expect(said("a\n", stops: ["\n\n"]).pieces == ["a", "", "\n"])
    #expect(said("a\n", stops: ["\n\n"]).isStopped == false && said("a\n\n", stops: ["\n\n"]).isStopped)
    #expect(whole("질문: 무엇? 질문: 또", ["답변", "? 질문:"]) == "질문: 무엇")
    #expect(whole("aaab", ["aab"]) == "a")
    // The one that is whole first; of two that end together the longer.
    #expect(whole("xyz", ["xyz", "y"]) == "x")
    #expect(whole("axyz", ["z", "xyz"]) == "a")
    #expect(whole("stop", ["stop"]) == "")
    #expect(whole("가나", ["", "ㄱ"]) == "가나")
    // Composed and decomposed text are different texts.
    #expect(whole("x가y", ["\u{1100}\u{1161}"]) == "x가y")
  }

  @Test func knowsItsNames() throws {
    let tokenizer = try Small.tokenizer()
    let turnEnd = try #require(tokenizer.id(ofAddedToken: "<|im_end|>"))
    let textEnd = try #require(tokenizer.id(ofAddedToken: "<|endoftext|>"))
    #expect(tokenizer.eosTokens == [turnEnd, textEnd])
    #expect(tokenizer.padToken == textEnd)
    #expect(tokenizer.bosToken == nil)
    #expect(tokenizer.isSpecial(turnEnd))
    #expect(tokenizer.decode([turnEnd], skipSpecial: true) == "")
    #expect(tokenizer.decode([turnEnd, 99_999_999, -1], skipSpecial: false) == "<|im_end|>")
    let gguf = try Small.gguf(pre: "qwen2")
    #expect(gguf.eosTokens.count == 3)
    #expect(gguf.vocabularySize == tokenizer.vocabularySize)
    #expect(try gguf.renderChat([ChatMessage(role: "user", content: "x")], addGenerationPrompt: true) == "x<|im_end|>")
  }
}

@Suite struct BadInputTests {
  func source() -> TokenizerSource {
    TokenizerSource(
      file: "m.gguf", model: "gpt2", pre: "qwen2", tokens: ["a", "b", "ab"], types: [1, 1, 1], merges: ["a b"])
  }

  @Test func ggufErrorsNameFileAndRemedy() throws {
    #expect(try Tokenizer(gguf: source()).encode("ab") == [2])
    var bad = source()
    bad.model = "llama"
    expect(bad, "m.gguf: the tokeniser 'llama' is not supported")
    bad = source()
    bad.pre = "zz"
    expect(bad, "m.gguf: the pre-tokeniser 'zz' is not known; known are command-r")
    bad = source()
    bad.types = [1]
    expect(bad, "m.gguf: 3 tokens with 1 token types; the file is damaged")
    bad = source()
    bad.merges = ["ab"]
    expect(bad, "m.gguf: merge 1 is no pair of tokens")
    bad = source()
    bad.merges = ["b a"]
    expect(bad, "m.gguf: merge 1 names a token that the vocabulary has not")
  }

  func expect(_ source: TokenizerSource, _ message: String) {
    #expect { try Tokenizer(gguf: source) } throws: { "\($0)".hasPrefix(message) && !"\($0)".contains("\n") }
  }

  @Test(arguments: [
    ("{", "an object opened"), ("{}", "the model is no BPE"), ("[]", "the model is no BPE"),
    (#"{"model":{"vocab":{"a":-1},"merges":[]}}"#, "the token 'a' has no usable id"),
    (#"{"model":{"vocab":{"a":0},"merges":[[1]]}}"#, "merge 1 is no pair"),
    (
      #"{"model":{"vocab":{"a":0},"merges":[]},"normalizer":{"type":"NFKC"}}"#, "the normaliser 'NFKC' is not supported"
    ),
    (#"{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Metaspace"}}"#, "the pre-tokeniser 'Metaspace'"),
    (
      #"{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"("}}}"#,
      "the pre-tokeniser's pattern cannot be used"
    ),
    (
      #"{"model":{"vocab":{"a":0},"merges":[]},"added_tokens":[{"id":4000000000,"content":"x"}]}"#,
      "an added token has no id"
    ),
    (
      #"{"model":{"vocab":{"a":0},"merges":[]},"added_tokens":[{"id":2000000000,"content":"x"}]}"#,
      "the added token 'x' has the id"
    ),
  ])
  func folderErrors(json: String, message: String) throws {
    try Fixtures.withTemporaryFolder { folder in
      try Data(json.utf8).write(to: folder.appendingPathComponent("tokenizer.json"))
      #expect { try Tokenizer(folder: folder) } throws: {
        "\($0)".contains("tokenizer.json") && "\($0)".contains(message)
      }
    }
  }

  @Test func missingFolderAndTemplate() throws {
    #expect { try Tokenizer(folder: URL(fileURLWithPath: "/nowhere")) } throws: {
      "\($0)".hasPrefix("/nowhere/tokenizer.json: not there")
    }
    let tokenizer = try Tokenizer(gguf: source())
    #expect { try tokenizer.encodeChat([], addGenerationPrompt: true) } throws: {
      "\($0)".hasPrefix("m.gguf: the model has no chat template")
    }
  }
}
