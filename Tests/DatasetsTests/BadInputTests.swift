import Foundation
import Runs
import Testing

@testable import Datasets

/// Each is one line that names file, place and remedy.
@Suite struct BadInputTests {
  @Test(arguments: [
    ("a.json", "", "a.json: is empty; give it at least one question with its answer"),
    ("a.jsonl", " \n\n", "a.jsonl: is empty; give it at least one question with its answer"),
    ("a.json", "[]", "a.json: holds no rows; give it at least one question with its answer"),
    ("a.json", "{}", "a.json: holds no rows; give it at least one question with its answer"),
    ("a.csv", "question,answer\n", "a.csv: holds no rows; give it at least one question with its answer"),
    (
      "a.json", "[{\"question\": \"ㄱ\"\n \"answer\": 1}]",
      "a.json:2:2: ',' or '}' was expected here; correct the file there"
    ),
    (
      "a.jsonl", "{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}\n{\"question\": ",
      "a.jsonl:2:14: the text ends where a value was expected; correct the file there"
    ),
    (
      "a.json", "{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}\n{\"question\": 1}",
      "a.json:2:1: more text after the end of the JSON value; name the file .jsonl if it holds one object a line"
    ),
    (
      "a.json", "3",
      "a.json: holds a number, not a list of rows; write a list of objects: [{\"question\": …, \"answer\": …}, …]"
    ),
    (
      "a.json", "{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}",
      "a.json: is one object whose \"question\" is a text, not a list; write a list of objects, or an object of equally long lists"
    ),
    (
      "a.json", "{\"question\": [\"ㄱ\"], \"answer\": []}",
      "a.json: \"question\" has 1 values and \"answer\" has 0; make all columns equally long"
    ),
    (
      "a.json", "[1, 2]",
      "a.json: no row is an object with columns; write each row like {\"question\": …, \"answer\": …}"
    ),
    (
      "a.xlsx", "PK",
      "a.xlsx: files ending in '.xlsx' are not read; use .json, .jsonl, .csv, .tsv or .parquet, the text files also with .gz or .zst"
    ),
    (
      "a.csv", "question,answer\nㄱ,ㄴ\nㄷ\n",
      "a.csv:3: 1 fields, where the heading has 2; put double quotes around a field that holds a separator, a quote or a line end"
    ),
    (
      "a.csv", "question,answer\n\"ㄱ\nㄴ\",\"ㄷ",
      "a.csv:3: a double quote opened here is never closed; close it, or double it"
    ),
    (
      "a.csv", "question,answer\r\n\"ㄱ\" ㄴ,ㄷ\r\n",
      "a.csv:2: text after the closing double quote of a field; double the quotes inside a quoted field"
    ),
    ("a.csv", "question, question\nㄱ,ㄴ\n", "a.csv:1: the column \"question\" stands there twice; rename one"),
    (
      "a.json", "[{\"문제\": \"ㄱ\", \"풀이\": \"ㄴ\"}]",
      "a.json: no known pair of question and answer among the columns \"문제\", \"풀이\"; say which they are: dataset.format: {input: \"{COLUMN}\", output: \"{COLUMN}\"}"
    ),
    (
      "a.json", "[{\"question\": \"ㄱ\", \"answer\": \"ㄴ\", \"prompt\": \"ㄱ\", \"completion\": \"ㄴ\"}]",
      "a.json: the columns fit question/answer and prompt/completion equally; say which is meant: dataset.format: {input: \"{question}\", output: \"{answer}\"} or {input: \"{prompt}\", output: \"{completion}\"}"
    ),
    (
      "a.json", "[{\"messages\": [], \"Q\": \"ㄱ\", \"A\": \"ㄴ\"}]",
      "a.json: the columns fit messages and Q/A equally; say which is meant: dataset.format: {messages: \"{messages}\"} or {input: \"{Q}\", output: \"{A}\"}"
    ),
    (
      "a.json", "[{\"question\": \"ㄱ\", \"answer\": \"\"}]",
      "a.json: all 1 rows were rejected (row 1: \"answer\" is empty); correct the rows, dataset.format or dataset.max_tokens"
    ),
  ])
  func filesThatCannotBeUsed(_ name: String, _ text: String, _ message: String) {
    #expect(failure { try prepare([name: text]) } == message)
  }

  @Test(
    arguments: [
      (
        [0xFF, 0xFE, 0x5B, 0x00],
        "a.json: is UTF-16 text, not UTF-8; save it as UTF-8 (`iconv -f UTF-16 -t UTF-8 OLD > NEW`)"
      ),
      (
        [0x51, 0x2C, 0x41, 0x0A, 0xB0, 0xA1, 0x2C, 0xFF, 0xAA],
        "a.json:2: is neither UTF-8 nor CP949 text; save it as UTF-8 (`iconv -f ENCODING -t UTF-8 OLD > NEW`)"
      ),
      ([0x5B, 0x00, 0x5D], "a.json: holds zero bytes, so it is no UTF-8 text; check that it is a text file"),
    ] as [([UInt8], String)])
  func otherEncodings(_ bytes: [UInt8], _ message: String) {
    #expect(failure { try prepare(bytes: ["a.json": Data(bytes)]) } == message)
  }

  @Test func aMissingFile() {
    #expect(
      failure { try prepare([:]) { $0.files = ["data/none.json"] } }
        == "data/none.json: can't be read (No such file or directory); check that the file exists and may be read")
  }

  @Test(arguments: [
    (
      "{question}", "{anwser}",
      "a.json: no row has the column \"anwser\" of dataset.format.output; did you mean {answer}? (columns: \"question\", \"answer\")"
    ),
    (
      "{q", "{answer}",
      "dataset.format.input: a '{' is never closed in \"{q\"; write a column as {name}, and a plain brace twice: {{ or }}"
    ),
    (
      "{}", "{answer}",
      "dataset.format.input: a pair of braces names no column in \"{}\"; write a column as {name}, and a plain brace twice: {{ or }}"
    ),
    (
      "{question}", "answer}",
      "dataset.format.output: a '}' closes nothing in \"answer}\"; write a column as {name}, and a plain brace twice: {{ or }}"
    ),
    ("질문", "{answer}", "dataset.format.input: \"질문\" names no column; write one of {question}, {answer} into it"),
  ])
  func formatsThatDoNotFit(_ input: String, _ output: String, _ message: String) {
    let error = failure {
      try prepare(["a.json": "[{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}]"]) {
        var format = FormatSettings()
        format.input = input
        format.output = output
        $0.format = format
      }
    }
    #expect(error == message)
  }

  @Test func aGroupColumnThatIsMissing() {
    let error = failure {
      try prepare(["a.json": "[{\"question\": \"ㄱ\", \"answer\": \"ㄴ\"}]"]) {
        var split = SplitSettings()
        split.group = "fact"
        $0.split = split
      }
    }
    #expect(
      error
        == "a.json: no row has the column \"fact\" of dataset.split.group; change it to one that exists (columns: \"question\", \"answer\"), or leave it out"
    )
  }

  @Test(
    arguments: [
      (nil, 0, "dataset.split: needs 10 test rows whose question no other row asks, and there are 6, of 6 rows kept; "),
      (
        "fact", 5,
        "dataset.split: needs 5 groups (by \"fact\") that are never taught and 5 others with two rows or more, and there are 3 groups, 3 of them with two rows or more, of 6 rows kept; "
      ),
    ] as [(String?, Int, String)])
  func fewerRowsThanTheSplitNeeds(_ group: String?, _ testSeen: Int, _ message: String) {
    let rows = (0..<6).map { "{\"fact\": \($0 / 2), \"question\": \"질문 \($0)\", \"answer\": \"답\"}" }
    let error = failure {
      try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
        var split = SplitSettings()
        split.group = group
        split.testSeen = testSeen
        $0.split = split
      }
    }
    #expect(error == message + "add rows, or lower test, test_seen, validation or raise limit")
  }

  @Test func noRowLeftToTrain() {
    let rows = (0..<3).map { "{\"question\": \"질문 \($0)\", \"answer\": \"답\"}" }
    let error = failure {
      try prepare(["a.jsonl": rows.joined(separator: "\n")]) {
        var split = SplitSettings()
        split.test = 2
        $0.split = split
      }
    }
    #expect(error.hasPrefix("dataset.split: needs 2 test, 1 validation and at least 1 training row, of 3 rows kept; "))
  }
}
