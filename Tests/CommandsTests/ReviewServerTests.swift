import Formats
import Foundation
import Runs
import TestSupport
import Testing

@testable import Commands

/// The review page's server on real sockets: what it tells, what it keeps, whom it refuses.
@Suite struct ReviewServerTests {
  @Test func thePageDoesNotTellWhoseAnswerIsWhose() throws {
    try withReview { server in
      let page = try server.get("\(server.base)")
      #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
      #expect(page.headers["content-security-policy"]?.contains("frame-ancestors 'none'") == true)
      #expect(page.headers["cache-control"] == "no-store")
      let state = try server.state("reader")
      let questions = try #require(state["questions"]?.array)
      #expect(questions.count == server.samples.count)
      var first: Set<Bool> = []
      for (question, sample) in zip(questions, server.samples) {
        #expect(question["question"]?.string == sample.question && question["reference"]?.string == sample.reference)
        let (a, b) = (question["answers"]?["A"]?.string, question["answers"]?["B"]?.string)
        #expect(Set([a, b]) == Set([sample.base.text, sample.tuned.text]))
        first.insert(a == sample.base.text)
        #expect(question.object?.keys == ["number", "question", "reference", "answers"])
      }
      #expect(first == [true, false])
      #expect(try server.state("reader")["questions"] == state["questions"])
      let text = try server.get("\(server.base)state/reader").text
      for word in ["\"base\"", "\"tuned\""] { #expect(!page.text.contains(word) && !text.contains(word), "\(word)") }
      // No text of an answer either, before anybody said who reads.
      #expect(!page.text.contains(server.samples[0].question))
    }
  }

  @Test func verdictsAreKeptAtOnceAndTakenBack() throws {
    try withReview { server in
      #expect(try server.state("reader")["verdicts"]?.array?.isEmpty == true)
      #expect(!FileManager.default.fileExists(atPath: server.run.review.path))
      let first = try server.judge(1, "A", "natural")
      #expect(first.status == 200)
      let model = BlindOrder.model(.a, answers: server.answers, reviewer: "reader", number: 1)
      var verdicts = try ReviewFile(server.run).read().verdicts(by: "reader", of: server.answers)
      #expect(verdicts.count == 1 && verdicts[0].answer == model && verdicts[0].verdict == .natural)
      #expect(verdicts[0].note == nil && verdicts[0].time.hasSuffix("Z") && verdicts[0].time.count == 20)
      #expect(try server.judge(1, "B", "wrong", note: "연도가 <틀렸다>").status == 200)
      #expect(try server.judge(1, "A", "awkward", by: "%EC%9D%BD%EB%8A%94%20%EC%9D%B4").status == 200)
      let record = try ReviewFile(server.run).read()
      #expect(record.reviews.map(\.reviewer) == ["reader", "읽는 이"])
      verdicts = record.verdicts(by: "reader", of: server.answers)
      #expect(verdicts.map(\.verdict) == [.natural, .wrong] && verdicts[1].note == "연도가 <틀렸다>")
      // Another page of the same reviewer goes on from there.
      #expect(
        try server.state("reader")["verdicts"]
          == [
            ["number": 1, "side": "A", "verdict": "natural", "note": ""],
            ["number": 1, "side": "B", "verdict": "wrong", "note": "연도가 <틀렸다>"],
          ])
      let undone = try server.send("DELETE", server.verdicts("reader"), server.origin)
      #expect(undone.status == 200)
      let reply = try JSONValue(parsing: undone.body, file: "reply")
      #expect(reply["removed"]?["side"] == "B" && reply["verdicts"]?.array?.count == 1)
      #expect(try server.send("DELETE", server.verdicts("reader"), server.origin).status == 200)
      let nothing = try server.send("DELETE", server.verdicts("reader"), server.origin)
      #expect(nothing.status == 200 && nothing.text.contains("\"removed\":null"))
      #expect(try ReviewFile(server.run).read().verdicts(by: "읽는 이", of: server.answers).count == 1)
    }
  }

  @Test func pagesOfOthersCanNotWrite() throws {
    try withReview { (server) throws -> Void in
      let path = server.verdicts("reader")
      let body = server.body(1, "A", "natural")
      for origin in [
        [], ["Origin: http://evil.example"], ["Origin: null"], ["Origin: https://127.0.0.1:\(server.port)"],
        ["Origin: http://127.0.0.1"], ["Origin: http://localhost:\(server.port)"],
      ] {
        #expect(try server.send("POST", path, origin + server.json, body).status == 403, "\(origin)")
        #expect(try server.send("DELETE", path, origin).status == 403, "\(origin)")
      }
      for host in ["evil.example", "evil.example:\(server.port)", "127.0.0.1.evil.example"] {
        let headers = ["Origin: http://\(host)"] + server.json
        #expect(try server.send("POST", path, headers, body, host: host).status == 403, "\(host)")
        #expect(try server.send("GET", "\(server.base)state/reader", [], host: host).status == 403, "\(host)")
        #expect(try server.send("GET", server.base, [], host: host).status == 403, "\(host)")
      }
      #expect(!FileManager.default.fileExists(atPath: server.run.review.path))
      // By another of its own names it is the same server.
      let headers = ["Origin: http://localhost:\(server.port)"] + server.json
      #expect(try server.send("POST", path, headers, body, host: "localhost:\(server.port)").status == 200)
    }
  }

  @Test func whatIsNoVerdictIsRefusedByName() throws {
    try withReview { server in
      let path = server.verdicts("reader")
      func post(_ body: String, _ headers: [String]? = nil, to place: String? = nil) throws -> Answer {
        try server.send("POST", place ?? path, headers ?? server.origin + server.json, Data(body.utf8))
      }
      let good = String(decoding: server.body(1, "A", "natural"), as: UTF8.self)
      #expect(try post(good, server.origin).status == 415)
      #expect(try post(good, server.origin + ["Content-Type: text/plain"]).status == 415)
      #expect(try post(good, server.origin + ["Content-Type: application/jsonl"]).status == 415)
      for (body, wanted) in [
        ("", "the request"), ("{", "the request:1:2"), ("[]", "\"number\""), ("{\"number\": 99}", "\"number\""),
        ("{\"number\": 1, \"side\": \"base\"}", "\"side\" must be A or B"),
        ("{\"number\": 1, \"side\": \"A\", \"verdict\": \"good\"}", "\"verdict\" must be"),
        ("{\"number\": 1, \"side\": \"A\", \"verdict\": \"wrong\", \"note\": 5}", "\"note\" must be"),
        (
          "{\"number\": 1, \"side\": \"A\", \"verdict\": \"wrong\", \"note\": \"\(String(repeating: "x", count: 2001))\"}",
          "\"note\" must be"
        ),
      ] {
        let answer = try post(body)
        #expect(answer.status == 400 && answer.text.contains(wanted), "\(body): \(answer.text)")
        #expect(answer.headers["content-type"] == "text/plain; charset=utf-8")
      }
      let other = "\(server.base)verdicts/\(String(repeating: "0", count: 64))/reader"
      #expect(try post(good, to: other).status == 409)
      #expect(try server.send("DELETE", other, server.origin).status == 409)
      for name in ["%20", "a%01", String(repeating: "a", count: 41)] {
        #expect(try post(good, to: server.verdicts(name)).status == 400, "\(name)")
        #expect(try server.get("\(server.base)state/\(name)").status == 400, "\(name)")
      }
      #expect(try post(good, to: server.verdicts("reader").replacing("/fixture-run/", with: "/lost/")).status == 404)
      #expect(try server.get("/.lorapress/review/lost/").status == 404)
      #expect(!FileManager.default.fileExists(atPath: server.run.review.path))
    }
  }

  @Test func longBodiesAreNotRead() throws {
    try withReview { server in
      let head = ["POST \(server.verdicts("reader")) HTTP/1.1", "Host: 127.0.0.1:\(server.port)", "Connection: close"]
      func start(_ headers: [String]) -> Data {
        Data(((head + server.origin + server.json + headers + ["", ""]).joined(separator: "\r\n")).utf8)
      }
      // Refused by its length alone: not a byte of it was sent.
      for length in ["32769", "1000000000000", "99999999999999999999", "-1", "x"] {
        let answer = try exchange(port: server.port, start(["Content-Length: \(length)"]))
        let status = String(decoding: answer.prefix(12), as: UTF8.self)
        #expect(["HTTP/1.1 413", "HTTP/1.1 400"].contains(status), "\(length): \(status)")
      }
      // Without a length it is cut off where it grows too long, and nothing is kept.
      let chunk = "8000\r\n" + String(repeating: " ", count: 0x8000) + "\r\n"
      let answer = try? exchange(
        port: server.port, start(["Transfer-Encoding: chunked"]) + Data((chunk + chunk + "0\r\n\r\n").utf8))
      #expect(answer.map { !$0.starts(with: Data("HTTP/1.1 200".utf8)) } ?? true)
      // One that fits may come in chunks.
      let body = String(decoding: server.body(2, "B", "awkward"), as: UTF8.self)
      let small = "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      let taken = try exchange(port: server.port, start(["Transfer-Encoding: chunked"]) + Data(small.utf8))
      #expect(taken.starts(with: Data("HTTP/1.1 200".utf8)))
      #expect(try ReviewFile(server.run).read().verdicts(by: "reader", of: server.answers).count == 1)
    }
  }

  @Test func methodsAndPlaces() throws {
    try withReview { server in
      for method in ["PUT", "PATCH", "POST", "DELETE", "OPTIONS"] {
        let page = try server.send(method, server.base, server.origin + server.json)
        #expect(page.status == 405 && page.headers["allow"] == "GET, HEAD", "\(method)")
      }
      for method in ["GET", "HEAD", "PUT", "PATCH", "OPTIONS"] {
        let answer = try server.send(method, server.verdicts("reader"), server.origin + server.json)
        #expect(answer.status == 405 && answer.headers["allow"] == "POST, DELETE", "\(method)")
      }
      #expect(try server.send("HEAD", server.base, []).body.isEmpty)
      for path in [
        "\(server.base)other", "\(server.base)state/", "\(server.base)state/a/b", "\(server.base)verdicts/x",
      ] {
        #expect(try server.get(path).status == 404, "\(path)")
      }
      #expect(try server.get("/.lorapress/review").headers["location"] == "/.lorapress/review/")
      #expect(try server.get("/.lorapress/review/fixture-run").headers["location"] == server.base)
      // One run alone is what one comes to judge.
      let list = try server.get("/.lorapress/review/")
      #expect(list.status == 302 && list.headers["location"] == server.base)
      // The site is as it was: read only.
      #expect(try server.get("/").text == "<p>홈</p>")
      #expect(try server.send("POST", "/", server.origin + server.json, Data("{}".utf8)).status == 405)
    }
  }

  @Test func newAnswersAreJudgedAnew() throws {
    try withReview { server in
      #expect(try server.judge(1, "A", "natural").status == 200)
      var samples = server.samples
      samples[0].tuned.text += " 더"
      try RecordFile.writeLines(samples, to: server.run.samples)
      // The page that is still open may not write; a new one begins anew.
      #expect(try server.judge(1, "B", "natural").status == 409)
      #expect(try server.state("reader")["verdicts"]?.array?.isEmpty == true)
      #expect(try ReviewFile(server.run).read().reviews.count == 1)
    }
  }
}

// MARK: - A run, and a server to judge it on

private struct ReviewServer {
  let port: Int
  let run: RunFolder
  let samples: [AnswerSample]

  var base: String { "/.lorapress/review/fixture-run/" }
  var answers: String { AnswerSample.readingHash(samples) }
  var origin: [String] { ["Origin: http://127.0.0.1:\(port)"] }
  var json: [String] { ["Content-Type: application/json"] }

  func verdicts(_ reviewer: String) -> String { "\(base)verdicts/\(answers)/\(reviewer)" }

  func get(_ path: String) throws -> Answer { try send("GET", path, []) }

  func state(_ reviewer: String) throws -> JSONValue {
    try JSONValue(parsing: get("\(base)state/\(reviewer)").body, file: "state")
  }

  func body(_ number: Int, _ side: String, _ verdict: String, note: String = "") -> Data {
    let value: JSONValue = [
      "number": JSONValue(number), "side": .string(side), "verdict": .string(verdict), "note": .string(note),
    ]
    return Data(value.text().utf8)
  }

  func judge(_ number: Int, _ side: String, _ verdict: String, note: String = "", by reviewer: String = "reader")
    throws -> Answer
  {
    try send("POST", verdicts(reviewer), origin + json, body(number, side, verdict, note: note))
  }

  func send(_ method: String, _ path: String, _ headers: [String], _ body: Data? = nil, host: String? = nil) throws
    -> Answer
  {
    let length = body.map { ["Content-Length: \($0.count)"] } ?? []
    let lines =
      ["\(method) \(path) HTTP/1.1", "Host: \(host ?? "127.0.0.1:\(port)")", "Connection: close"] + headers + length
      + ["", ""]
    return try Answer(try exchange(port: port, Data(lines.joined(separator: "\r\n").utf8) + (body ?? Data())))
  }
}

private func withReview(_ body: (ReviewServer) throws -> Void) throws {
  try Fixtures.withTemporaryFolder { folder in
    let run = RunFolder(output: folder, id: "fixture-run")
    try FileManager.default.createDirectory(
      at: run.url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: Fixtures.url("Site", "run"), to: run.url)
    let site = folder.appendingPathComponent("site")
    try FileManager.default.createDirectory(at: site, withIntermediateDirectories: true)
    try Data("<p>홈</p>".utf8).write(to: site.appendingPathComponent("index.html"))
    let hosts = try #require(PreviewHosts(host: "127.0.0.1"))
    let desk = ReviewDesk(runs: { [run] }, reviewer: nil, language: { _ in .ko })
    let server = try PreviewServer(folder: site, news: nil, review: ReviewAnswers(desk, hosts: hosts))
    defer { server.stop() }
    try body(
      ReviewServer(
        port: server.port, run: run, samples: try RecordFile.readLines(AnswerSample.self, from: run.samples)))
  }
}
