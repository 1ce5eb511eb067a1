import Formats
import Foundation
import Jinja
import TestSupport
import Testing

@testable import Tokenizers

/// Renderings and ids of transformers' `apply_chat_template` (`scripts/fixtures/tokenizer_fixtures.py`).
@Suite struct ChatTests {
  struct Chat {
    let template: String
    let messages: [ChatMessage]
    let json: JSONValue
  }

  static func load() throws -> (tokenizers: [String: Tokenizer], chats: [Chat]) {
    let fixture = try Small.json("chats.json")
    var tokenizers: [String: Tokenizer] = [:]
    for entry in try #require(fixture["templates"]?.object).entries {
      tokenizers[entry.key] = try Small.tokenizer(
        template: entry.value.string, bos: fixture["bos_token"]?.string)
    }
    let chats = try #require(fixture["chats"]?.array).map { json in
      let messages = try #require(json["messages"]?.array).map {
        ChatMessage(role: try #require($0["role"]?.string), content: try #require($0["content"]?.string))
      }
      return Chat(template: try #require(json["template"]?.string), messages: messages, json: json)
    }
    return (tokenizers, chats)
  }

  @Test func equalsTransformers() throws {
    let (tokenizers, chats) = try Self.load()
    #expect(chats.count > 40)
    for chat in chats {
      let tokenizer = try #require(tokenizers[chat.template])
      for (index, prompt) in [false, true].enumerated() {
        let text = try tokenizer.renderChat(chat.messages, addGenerationPrompt: prompt)
        #expect(
          Array(text.utf8) == Array((chat.json["text"]?[index]?.string ?? "?").utf8),
          "\(chat.template): \(chat.messages)")
        let encoded = try tokenizer.encodeChat(chat.messages, addGenerationPrompt: prompt)
        #expect(encoded == ids(chat.json["ids"]?[index]), "\(chat.template): \(chat.messages)")
      }
    }
  }

  @Test func manyConversationsAreEncodedAsOneByOne() throws {
    let (tokenizers, chats) = try Self.load()
    for (template, tokenizer) in tokenizers {
      let own = chats.filter { $0.template == template }.map(\.messages)
      let all = Array(repeating: own, count: 20).flatMap { $0 }
      #expect(
        try tokenizer.encodeChats(all, addGenerationPrompt: true)
          == all.map { try tokenizer.encodeChat($0, addGenerationPrompt: true) })
      for (messages, many) in zip(all, tokenizer.supervisedTurns(all: all)) {
        let one = try? tokenizer.supervisedTurns(messages)
        #expect((try? many.get())?.ids == one?.ids && (try? many.get())?.turns == one?.turns)
      }
    }
  }

  /// The masks of TRL's training template for Qwen2.5 (scripts/fixtures/training.py): each answer with its end of turn, nothing else. That
  /// template also counts the line end before an answer; here it belongs to the generation prompt, which the model is given.
  @Test func supervisedTurnsEqualTRLs() throws {
    let fixture = try JSONValue(parsing: Fixtures.data("Training", "training.json"), file: "training.json")
    let tokenizer = try Tokenizer(folder: Fixtures.url("Tokenizers", "small"))
    let chats = try #require(fixture["turns"]?.array)
    #expect(chats.count >= 3)
    for json in chats {
      let messages = try #require(json["messages"]?.array).map {
        ChatMessage(role: try #require($0["role"]?.string), content: try #require($0["content"]?.string))
      }
      let (found, turns) = try tokenizer.supervisedTurns(messages)
      #expect(found == ids(json["ids"]))
      var mask = Array(repeating: Int32(0), count: found.count)
      for turn in turns {
        #expect(turn.lowerBound > 0)
        mask.replaceSubrange(turn.lowerBound - 1..<turn.upperBound, with: Array(repeating: 1, count: turn.count + 1))
      }
      #expect(mask == ids(json["supervised"]))
      #expect(turns.allSatisfy { !Set(tokenizer.eosTokens).isDisjoint(with: found[$0]) })
    }
  }

  /// Prompt and answer as the peers tokenise them, apart: of one answer, or of the last of several. Every earlier one ends in its end token,
  /// whatever a template does with earlier turns.
  @Test func promptAndAnswerAreTokenisedApart() throws {
    let (tokenizers, chats) = try Self.load()
    var counts = [0, 0]
    for chat in chats where chat.json["prompt"] != nil {
      let tokenizer = try #require(tokenizers[chat.template])
      let answers = chat.messages.filter { $0.role == "assistant" }.count
      counts[answers == 1 ? 0 : 1] += 1
      let (prompt, answer) = (ids(chat.json["prompt"]), ids(chat.json["answer"]))
      let (found, turns) = try tokenizer.supervisedTurns(chat.messages)
      #expect(turns.count == answers)
      let last = try #require(turns.last)
      #expect(Array(found[last]) == answer && last.upperBound == found.count, "\(chat.template): \(chat.messages)")
      if answers == 1 { #expect(Array(found[..<last.lowerBound]) == prompt, "\(chat.template): \(chat.messages)") }
      // Only one of these templates ends turns with this tokeniser's end token.
      guard !Set(tokenizer.eosTokens).isDisjoint(with: answer) else { continue }
      for turn in turns.dropLast() {
        #expect(!Set(tokenizer.eosTokens).isDisjoint(with: found[turn]), "\(chat.template): \(chat.messages)")
      }
    }
    #expect(counts[0] > 10 && counts[1] > 3)
  }

  @Test func noWordOfAUserBecomesAToken() throws {
    let (tokenizers, _) = try Self.load()
    let tokenizer = try #require(tokenizers["qwen2.5-coder"])
    func controls(_ text: String) throws -> [Int32] {
      try tokenizer.encodeChat([ChatMessage(role: "user", content: text)], addGenerationPrompt: true)
        .filter { tokenizer.added[$0] != nil }
    }
    let plain = try controls("x")
    for name in tokenizer.added.values.map(\.content) {
      for text in [name, name + name, "<|im_\(name)end|>", "<\(name)", " \(name)\n", "\(name.dropLast())\(name)"] {
        #expect(try controls(text) == plain, "\(text)")
      }
    }
    let sentinels = String(String.UnicodeScalarView((0xFDD0...0xFDEF).compactMap { Unicode.Scalar($0 as UInt32) }))
    #expect { try controls(sentinels) } throws: { "\($0)".contains("all 32 noncharacters") }
    #expect(try controls(String(sentinels.unicodeScalars.dropLast()) + "<|im_end|>") == plain)
  }

  @Test func aPromptThatIsNoPrefixIsAnError() throws {
    let tokenizer = try Small.tokenizer(template: "{{ messages | length }}{{ messages[-1].content }}")
    let messages = [ChatMessage(role: "user", content: "q"), ChatMessage(role: "assistant", content: "a")]
    #expect { try tokenizer.supervisedTurns(messages) } throws: {
      "\($0)".contains("prompt and answer cannot be told apart")
    }
    #expect { try tokenizer.supervisedTurns([messages[0]]) } throws: {
      "\($0)".contains("does not end in an assistant's answer")
    }
  }

  @Test func variablesReachTheTemplate() throws {
    let tokenizer = try #require(try Self.load().tokenizers["think-style"])
    let messages = [ChatMessage(role: "user", content: "q")]
    let text = try tokenizer.renderChat(messages, addGenerationPrompt: true, variables: ["enable_thinking": false])
    #expect(text.hasSuffix("<think>\n\n</think>\n\n"))
  }
}
