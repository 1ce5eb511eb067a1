import Foundation
import Formats
import Runs
import Site

/// The page on which a reader judges a run's answers without knowing whose they are: one file, nothing fetched from elsewhere. Served, it
/// keeps each verdict on the server; opened from disk, in the browser until they are exported.
struct ReviewPage {
  /// A page and the rule of what it may load and run.
  struct Text {
    let html: String
    let policy: String
  }

  private let sheet: ReviewSheet
  private let language: SiteLanguage

  init(_ sheet: ReviewSheet, language: SiteLanguage) {
    self.sheet = sheet
    self.language = language
  }

  /// The page of a server, which tells it the answers once it says who reads.
  func served(reviewer: String?) -> Text {
    text(["kind": "server", "run": .string(sheet.run.id), "reviewer": reviewer.map { JSONValue.string($0) } ?? .null])
  }

  /// The page that holds the answers itself.
  func alone(reviewer: String?) -> Text {
    text([
      "kind": "file", "run": .string(sheet.run.id), "reviewer": reviewer.map { JSONValue.string($0) } ?? .null,
      "format": .string(ReviewExport.format), "version": JSONValue(ReviewExport.version),
      "answers_sha256": .string(sheet.answers), "questions": sheet.openQuestions,
    ])
  }

  /// A page of links to the runs' pages, in both languages.
  static func list(_ runs: [(id: String, path: String)]) -> Text {
    let links = runs.map { "<li><a href=\"\(escaped($0.path))\">\(escaped($0.id))</a></li>\n" }.joined()
    let words =
      runs.isEmpty
      ? "아직 판정할 답이 없어요. 실행을 평가하면 여기에 나와요. · There are no answers yet: evaluate a run."
      : "판정할 실행을 고르세요. · Choose the run whose answers you judge."
    let body = "<main>\n<h1>답 판정 · Review</h1>\n<p>\(words)</p>\n<ul>\n\(links)</ul>\n</main>\n"
    return page(
      lang: "ko", title: "답 판정 · Review", body: runs.isEmpty ? body.replacing("<ul>\n</ul>\n", with: "") : body)
  }

  private func text(_ setup: JSONObject) -> Text {
    var setup = setup
    let words = Self.words.mapValues { language == .ko ? $0.ko : $0.en }
    setup["words"] = .object(
      JSONObject(words.sorted { $0.key < $1.key }.map { JSONObject.Entry(key: $0.key, value: .string($0.value)) }))
    // "</script>" in an answer must not end the element.
    let data = JSONValue.object(setup).text().replacing("<", with: "\\u003c")
    var body = ReviewPageMarkup.body
    for (name, word) in words { body = body.replacing("{\(name)}", with: Self.escaped(word)) }
    body = body.replacing("{title}", with: Self.escaped(sheet.title))
    return Self.page(
      lang: language.rawValue, title: "\(words["heading"] ?? "") · \(sheet.title)",
      body: body + "<script type=\"application/json\" id=\"setup\">\(data)</script>\n", script: ReviewPageScript.source)
  }

  private static func page(lang: String, title: String, body: String, script: String? = nil) -> Text {
    // The one script that may run is known by its hash.
    let allowed = script.map { "; script-src 'sha256-\(digest($0))'; connect-src 'self'" } ?? ""
    let policy =
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'" + allowed
    let html = """
      <!doctype html>
      <html lang="\(lang)">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="\(policy)">
      <meta name="color-scheme" content="light dark">
      <meta name="robots" content="noindex">
      <title>\(escaped(title))</title>
      <link rel="icon" href="data:,">
      <style>
      \(ReviewPageMarkup.style)
      </style>
      </head>
      <body>
      \(body)\(script.map { "<script>\($0)</script>\n" } ?? "")</body>
      </html>

      """
    return Text(html: html, policy: policy)
  }

  /// SHA-256 in base 64, as a Content-Security-Policy names a script.
  private static func digest(_ text: String) -> String {
    let hex = Array(SHA256.hex(of: text).utf8)
    let bytes = stride(from: 0, to: hex.count - 1, by: 2).compactMap {
      UInt8(String(decoding: hex[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
    return Data(bytes).base64EncodedString()
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }

  /// Words of the page and of its script, which fills in `{…}`.
  private static let words: [String: Words] = [
    "heading": Words("Read the answers", ko: "답 판정"),
    "intro": Words(
      "Two answers to each question, in a hidden order. Judge how each one reads.",
      ko: "질문마다 답이 두 개 있고, 어느 모델의 답인지는 숨겨져 있어요. 답을 하나씩 읽고 판정해 주세요."),
    "name": Words("Your name", ko: "이름"),
    "name_hint": Words(
      "Keeps your verdicts apart from others'. It is not shown in the post.",
      ko: "다른 사람의 판정과 구별하는 데만 쓰고, 글에는 나오지 않아요."),
    "start": Words("Start", ko: "시작"),
    "rename": Words("Another reviewer", ko: "다른 사람으로 바꾸기"),
    "progress": Words("{done}/{all} questions judged", ko: "질문 {all}개 중 {done}개 판정"),
    "question": Words("Question {at}/{all}", ko: "질문 {at}/{all}"),
    "reference": Words("Reference", ko: "기준 답"),
    "answer_A": Words("Answer A", ko: "답 A"),
    "answer_B": Words("Answer B", ko: "답 B"),
    "empty": Words("(no text)", ko: "(빈 답)"),
    "natural": Words("Natural", ko: "자연스러움"),
    "awkward": Words("Awkward", ko: "어색함"),
    "wrong": Words("Wrong", ko: "틀림"),
    "note": Words("Note on {answer}", ko: "{answer} 메모"),
    "note_hint": Words("Enter keeps it, Shift+Enter starts a line.", ko: "Enter로 저장, Shift+Enter로 줄 바꿈."),
    "previous": Words("Previous question", ko: "이전 질문"),
    "next": Words("Next question", ko: "다음 질문"),
    "undo": Words("Undo", ko: "되돌리기"),
    "keys": Words("Keys", ko: "단축키"),
    "key_note": Words("note", ko: "메모"),
    "key_questions": Words("question", ko: "질문 이동"),
    "key_answers": Words("answer", ko: "답 이동"),
    "saved": Words("Saved: {answer}, {verdict}.", ko: "저장했어요: {answer} {verdict}."),
    "undone": Words("Taken back: {answer}, {verdict}.", ko: "되돌렸어요: {answer} {verdict}."),
    "nothing": Words("There is nothing to take back.", ko: "되돌릴 판정이 없어요."),
    "finished": Words("All answers are judged. Thank you.", ko: "모두 판정했어요. 고맙습니다."),
    "failed": Words("Not saved: {why}", ko: "저장하지 못했어요: {why}"),
    "unreachable": Words(
      "the server does not answer; is `lorapress serve --review` still running?",
      ko: "서버가 답하지 않아요. `lorapress serve --review`가 실행 중인지 확인해 주세요."),
    "changed": Words(
      "the run has new answers since this page was opened; load it again", ko: "페이지를 연 뒤에 답이 새로 만들어졌어요. 페이지를 새로 열어 주세요."
    ),
    "forgetful": Words(
      "This browser keeps nothing. Export before you close the page.", ko: "이 브라우저는 판정을 보관하지 않아요. 닫기 전에 내보내 주세요."),
    "export": Words("Export verdicts (JSON)", ko: "판정 내보내기 (JSON)"),
    "exported": Words(
      "Exported. Now: lorapress review import RUN FILE", ko: "내보냈어요. 다음: lorapress review import RUN FILE"),
    "no_script": Words("This page needs JavaScript.", ko: "이 페이지는 JavaScript가 있어야 해요."),
  ]
}
