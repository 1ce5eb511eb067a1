import Foundation
import Testing

@testable import Formats

@Suite struct JSONTests {
  @Test func keepsOrderDigitsAndBytes() throws {
    let composed = "가"
    let decomposed = "\u{1100}\u{1161}"
    let text = "{\"b\":1.50,\"a\":[true,null,-0.5e3],\"\(composed)\":1,\"\(decomposed)\":2}"
    let value = try JSONValue(parsing: text, file: "t.json")
    #expect(value.text() == text)
    #expect(value[composed]?.integer == 1)
    #expect(value[decomposed]?.integer == 2)
    #expect(value.value(at: "/a/2")?.double == -500)
    #expect(value.value(at: "/a/02") == nil)
  }

  @Test func readsEscapesAndSurrogates() throws {
    let value = try JSONValue(parsing: #""\ud55c\n\ud83d\ude00\ud800x\"""#, file: "t")
    #expect(value.string == "한\n😀\u{FFFD}x\"")
  }

  @Test(arguments: [
    ("{\"a\": 1,\n \"b\": oops}", "t.json:2:7: not a JSON value (a text needs double quotes)"),
    ("[1, 2", "t.json:1:6: a list opened at line 1, column 1 is never closed"),
    ("{\"가나\" 1}", "t.json:1:7: ':' was expected after the key \"가나\""),
    ("01", "t.json:1:1: a number must not start with 0"),
    ("\"a\nb\"", "t.json:1:3: a text must not run over the end of the line"),
    ("1 2", "t.json:1:3: more text after the end of the JSON value"),
    ("", "t.json:1:1: empty, where JSON was expected"),
    ("NaN", "t.json:1:1: not a JSON value (a text needs double quotes)"),
  ])
  func errorsNameThePlace(text: String, message: String) {
    #expect { try JSONValue(parsing: text, file: "t.json") } throws: { "\($0)" == message }
  }

  @Test func deepNestingIsAnErrorNotACrash() {
    #expect(throws: FormatError.self) {
      try JSONValue(parsing: String(repeating: "[", count: 100_000), file: "deep.json")
    }
  }

  @Test func infinityIsNull() throws {
    #expect(JSONValue(Double.infinity) == .null)
    #expect(try JSONValue(parsing: Data("[NaN,-Infinity]".utf8), file: "t", allowNaN: true) == [.null, .null])
  }

  @Test func linesCarryTheirNumbers() throws {
    let lines = try JSONValue.lines(of: Data("1\n\n{\"a\":2}\r\n".utf8), file: "x.jsonl")
    #expect(lines.map(\.line) == [1, 3])
    #expect { try JSONValue.lines(of: Data("1\n\n{".utf8), file: "x.jsonl") } throws: {
      "\($0)".hasPrefix("x.jsonl:3:")
    }
  }
}

@Suite struct YAMLTests {
  @Test func readsTheFieldsNumbersAndTexts() throws {
    let node = try YAMLNode(
      parsing: "lr: 2e-4\nn: 16\nyes: no\nquoted: \"12\"\nlist: [a, 'b c']\nempty:\nkorean: 한국어 설명\n", file: "e.yaml")
    #expect(node["lr"]?.double == 2e-4)
    #expect(node["n"]?.integer == 16)
    #expect(node["yes"]?.bool == nil && node["yes"]?.string == "no")
    #expect(node["quoted"]?.integer == nil && node["quoted"]?.string == "12")
    #expect(node["list"]?.sequence?.compactMap(\.string) == ["a", "b c"])
    #expect(node["empty"]?.isNull == true)
    #expect(node["korean"]?.line == 7)
  }

  @Test func writesWhatItReads() throws {
    let node = YAMLNode.mapping([
      ("name", .text("a: b")), ("n", .plain("16")), ("text", .text("16")),
      ("list", YAMLNode(.sequence([.text("x"), .text("true")]))),
      ("inner", .mapping([("why", .text("한 줄\n두 줄")), ("none", YAMLNode(.mapping([])))])),
    ])
    #expect(try YAMLNode(parsing: node.yaml(), file: "x").json == node.json)
  }

  @Test(arguments: [
    ("a: 1\na: 2", "e.yaml:2:1: the key 'a' stands here twice"),
    ("a: &x 1", "e.yaml:1:4: YAML anchors and aliases (& and *) are not supported; write the value out"),
    ("a: [1", "e.yaml:2:1: not valid YAML: did not find expected ',' or ']'"),
  ])
  func errorsNameThePlace(text: String, message: String) {
    #expect { try YAMLNode(parsing: text, file: "e.yaml") } throws: { "\($0)" == message }
  }
}
