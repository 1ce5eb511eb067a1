import Foundation
import Formats
import Runs
import TestSupport
import Testing

@testable import Commands

/// `lorapress chat` as a person and a script use it, on a tiny random model.
@Suite struct ChatTests {
  private func inProgram(_ body: (Program, [String]) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let model = try program.makeModel()
      try body(program, ["--model", model.path, "--max-new-tokens", "12", "--repetition-penalty", "1.3"])
    }
  }

  /// What `generate` answers to whole conversations, each from its beginning.
  private func generated(
    _ program: Program, _ options: [String], _ conversations: [[(String, String)]]
  ) throws -> [String] {
    let file = program.folder.appendingPathComponent("in.jsonl")
    let out = program.folder.appendingPathComponent("out.jsonl")
    let rows = conversations.map { turns -> String in
      let messages = turns.map { ["role": .string($0.0), "content": .string($0.1)] as JSONValue }
      return (["messages": .array(messages)] as JSONValue).text() + "\n"
    }
    try rows.joined().write(to: file, atomically: true, encoding: .utf8)
    let result = try program.run(["generate"] + options + ["--file", file.path, "--out", out.path])
    try #require(result.code == 0, "\(result.errors)")
    return try JSONValue.lines(of: Data(contentsOf: out), file: "out").compactMap { $0.value["answer"]?.string }
  }

  /// What the line after each answer says of the prompt: how many tokens were read, and of how many.
  private func prompts(_ errors: String) -> [(read: Int, all: Int)] {
    errors.matches(of: /prompt read (\d+)\/(\d+)/).compactMap { match in
      guard let read = Int(match.1), let all = Int(match.2) else { return nil }
      return (read, all)
    }
  }

  @Test func aConversationIsAnsweredAsAWholeOne() throws {
    try inProgram { program, options in
      let (a, b, c) = ("안녕하세요?", "수도는 어디인가요?", "물은 몇 도에서 끓나요?")
      let first = try generated(program, options, [[("user", a)]])[0]
      let later = try generated(
        program, options,
        [
          [("user", a), ("assistant", first), ("user", b)], [("user", b)],
          [("user", a), ("assistant", first), ("user", c)],
          [("system", "짧게 답하세요."), ("user", a)],
        ])
      #expect(later[0] != later[1], "what was said before must matter")
      let lines = [a, "  ", b, "/undo", c, "/reset", b, "/system 짧게 답하세요.", "/reset", a, "/nope", "/help"]
      let chat = try program.run(["chat"] + options, input: lines.joined(separator: "\n"))
      #expect(chat.code == 0, "\(chat.errors)")
      let expected = [first, later[0], later[2], later[1], later[3]]
      #expect(chat.output == expected.map { $0 + "\n" }.joined())
      #expect(chat.errors.contains("/nope: no such command") && chat.errors.contains("/retry"))

      // Of the second turn only what is new was read; the third shares the first turn with it.
      let read = prompts(chat.errors)
      #expect(read.count == 5)
      #expect(read[0].read == read[0].all && read[1].all > read[0].all)
      #expect(read[1].read <= read[1].all - read[0].all + 1 && read[2].read <= read[2].all - read[0].all + 1)
      // The template's system prompt stands before every question until another one takes its place.
      #expect(read[3].read < read[3].all && read[4].read > read[4].all / 2)
    }
  }

  /// Two voices on the same weights, each with what itself has said.
  @Test func baseAndTuned() throws {
    try inProgram { program, _ in
      let model = program.folder.appendingPathComponent("model")
      let experiment = try program.makeExperiment(model: model)
      let output = ["--output", program.output.path]
      let made = try program.run(
        ["train", experiment.path, "--set", "model.weights=f32", "--set", "evaluation.repetition_penalty=1.2"] + output)
      try #require(made.code == 0, "\(made.errors)")
      let (a, b) = ("3번 사실을 설명해 주세요.", "5번 사실은?")
      func both(_ turns: [(String, String)]) throws -> (base: String, tuned: String) {
        let tuned = try generated(program, ["tiny"] + output, [turns])[0]
        return (try generated(program, ["tiny", "--base"] + output, [turns])[0], tuned)
      }
      let first = try both([("user", a)])
      #expect(first.base != first.tuned)
      // The run's settings, written out.
      let plain = [
        "--model", model.path, "--weights", "f32", "--max-new-tokens", "8", "--repetition-penalty", "1.2",
      ]
      #expect(try generated(program, plain, [[("user", a)]])[0] == first.base)
      #expect(try generated(program, plain + ["--adapter", "tiny"] + output, [[("user", a)]])[0] == first.tuned)

      let secondBase = try both([("user", a), ("assistant", first.base), ("user", b)]).base
      let secondTuned = try both([("user", a), ("assistant", first.tuned), ("user", b)]).tuned
      let baseAfterTuned = try both([("user", a), ("assistant", first.tuned), ("user", b)]).base
      let lines = [
        a, "/base", b, "/retry", "/reset", "/both", a, b, "/undo", "/undo", "/retry", "/tuned", a, "/quit",
        "never asked",
      ]
      let chat = try program.run(["chat", "tiny"] + output, input: lines.joined(separator: "\n"))
      #expect(chat.code == 0, "\(chat.errors)")
      let expected = [
        first.tuned, baseAfterTuned, baseAfterTuned, first.base, first.tuned, secondBase, secondTuned, first.tuned,
      ]
      #expect(chat.output == expected.map { $0 + "\n" }.joined())
      #expect(chat.errors.contains("Nothing was asked yet."))
      let voices = chat.errors.matches(of: /(?m)^(base|tuned) · \d+ tokens/).map { String($0.1) }
      #expect(voices == ["tuned", "base", "base", "base", "tuned", "base", "tuned", "tuned"])

      let other = try program.run(["chat", "tiny", "--base"] + output, input: a)
      #expect(other.output == first.base + "\n")
      let without = try program.run(["chat", "--model", model.path], input: "/tuned\n")
      #expect(without.code == 0 && without.errors.contains("There is no adapter"))
    }
  }

  @Test func aFullContextForgetsTheOldest() throws {
    try inProgram { program, options in
      let question = String(repeating: "오래된 이야기를 하나 더 들려주세요. ", count: 2)
      let lines = (0..<16).map { "\($0)번째 질문입니다. \(question)" }
      let chat = try program.run(["chat"] + options, input: lines.joined(separator: "\n"))
      #expect(chat.code == 0, "\(chat.errors)")
      let read = prompts(chat.errors)
      #expect(read.count == 16 && read.allSatisfy { $0.all < 512 && $0.read <= $0.all })
      let dropped = zip(read, read.dropFirst()).filter { $1.all < $0.all }
      #expect(!dropped.isEmpty && dropped.allSatisfy { $1.all <= 256 })
      #expect(chat.errors.components(separatedBy: "The model's context was full").count == dropped.count + 1)

      // An answer that may be longer than the rest of the context ends there.
      let long = options.map { $0 == "12" ? "4000" : $0 }
      let rest = try program.run(["chat"] + long, input: "안녕?\n또?\n")
      #expect(rest.code == 0 && prompts(rest.errors).count == 2, "\(rest.errors)")

      let huge = String(repeating: "너무 긴 질문입니다. ", count: 200)
      let refused = try program.run(["chat"] + options, input: "안녕?\n\(huge)\n안녕?\n")
      #expect(refused.code == 1 && refused.errors.contains("the model's context holds 512; shorten it"))
      #expect(prompts(refused.errors).count == 1)
    }
  }

  @Test func ordersOfALine() {
    let cases: [(String, ChatOrder)] = [
      ("안녕 ", .ask("안녕")), (" /help", .ask("/help")), ("", .nothing), ("  \t", .nothing), ("/help ", .help),
      ("/both", .answerBy([.base, .tuned])), ("/system  짧게. ", .system("짧게.")), ("/system", .system("")),
      ("/base now", .unknown("/base now")), ("/systems x", .unknown("/systems x")), ("/", .unknown("/")),
    ]
    for (line, order) in cases { #expect(ChatOrder(line) == order, "\(line)") }
  }

  @Test func badInputIsOneLine() throws {
    try inProgram { program, options in
      func fails(_ words: [String], bytes: Data = Data("안녕\n".utf8), code: Int32 = 1, _ parts: String...) throws {
        let result = try program.run(words, bytes: bytes)
        #expect(result.code == code, "\(result.errors)")
        let complaints = result.errors.split(separator: "\n").filter { $0.hasPrefix("lorapress: ") }
        #expect(complaints.count == 1, "\(result.errors)")
        for part in parts { #expect(result.errors.contains(part), "\(result.errors)") }
      }
      let output = ["--output", program.output.path]
      let model = program.folder.appendingPathComponent("model")
      try fails(["chat"], code: 64, "RUN or --model is missing")
      try fails(["chat", "nobody"] + output, "no such run")
      try fails(["chat", "--model", model.path, "--adapter", "nobody"] + output, "no such run")
      try fails(["chat"] + options, bytes: Data("안녕\n\u{1B}[2J\n".utf8), "standard input: line 2", "U+001B")
      try fails(["chat"] + options, bytes: Data([0xEC, 0x95, 0x0A]), "standard input: line 1", "UTF-8")
      try fails(["generate", "--prompt", "a\u{7}"] + options, "--prompt", "U+0007")
      try fails(["chat", "--system", "a\u{7}"] + options, "--system", "U+0007")

      let experiment = try program.makeExperiment(model: model)
      #expect(try program.run(["prepare", experiment.path] + output).code == 0)
      try fails(["chat", "tiny"] + output, "no finished checkpoint")
      #expect(try program.run(["train", experiment.path, "--set", "training.max_steps=2"] + output).code == 0)
      try fails(["chat", "tiny"] + options + output, code: 64, "without --model")
      // An adapter of another shape.
      let folder = Fixtures.url("Models", "qwen2-gqa/adapter").path
      try fails(["chat", "--model", model.path, "--adapter", folder], "use the model it was trained on")
      // The model of the run is another one now.
      let weights = model.appendingPathComponent("model.safetensors")
      var bytes = try Data(contentsOf: weights)
      bytes[bytes.count - 1] ^= 1
      try bytes.write(to: weights)
      try fails(["generate", "tiny", "--prompt", "안녕"] + output, "is not the model that", "--adapter")
    }
  }

  /// A line a question, and what stood in the answers' place stays where a question is bad.
  @Test func questionsFromATextFile() throws {
    try inProgram { program, options in
      let file = program.folder.appendingPathComponent("질문.txt")
      let out = program.folder.appendingPathComponent("answers.jsonl")
      let words = ["generate"] + options + ["--file", file.path, "--out", out.path]
      try "안녕?\r\n\n 수도는? \n".write(to: file, atomically: true, encoding: .utf8)
      let done = try program.run(words)
      #expect(done.code == 0 && done.lastLine == out.path)
      #expect(done.errors.contains("2 answers · ") && done.errors.contains(" tokens/s"))
      let rows = try JSONValue.lines(of: Data(contentsOf: out), file: "out").map(\.value)
      #expect(rows.compactMap { $0["prompt"]?.string } == ["안녕?", "수도는?"])
      let alone = try generated(program, options, [[("user", "안녕?")], [("user", "수도는?")]])
      #expect(rows.compactMap { $0["answer"]?.string } == alone)
      let before = try Data(contentsOf: out)
      for (text, part) in [
        ("안녕\n가\u{0}나\n", "질문.txt: line 2: holds the control character U+0000"), ("\n", "no question"),
      ] {
        try text.write(to: file, atomically: true, encoding: .utf8)
        let result = try program.run(words)
        #expect(result.code == 1 && result.errors.contains(part), "\(result.errors)")
        #expect(try Data(contentsOf: out) == before)
      }
    }
  }
}
