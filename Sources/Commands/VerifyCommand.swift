import Foundation
import Formats
import Runs
import Site

enum VerifyCommand {
  static let verify = Command(
    name: "verify",
    summary: Words("proves that site and posts are what the runs' logs say", ko: "사이트와 글이 실행 기록과 같은지 확인합니다"),
    usage: "[options]",
    options: [
      Option(
        "--site", "DIR", Words("the site to check (default: DIR/site of --output)", ko: "확인할 사이트 (기본: --output의 site)")),
      Option(
        "--output", "DIR", Words("where the runs and posts are (default: output)", ko: "실행 기록과 글이 있는 폴더 (기본: output)")),
      Option("--strict", Words("a result typed in the prose is a fault too", ko: "글에 직접 쓴 결과 숫자도 잘못으로 봅니다")),
      Option("--json", Words("prints what was found as JSON", ko: "찾은 것을 JSON으로 출력합니다")),
    ], example: "lorapress verify --output output/example"
  ) { arguments, console in
    try arguments.none("verify")
    let places = Places(arguments)
    let content = try? Project.locate().content
    let report = try Verification(output: places.output, site: places.site, content: content).check()
    let isStrict = arguments.flag("--strict")
    let faults = report.faults + (isStrict ? report.prose : [])
    if arguments.flag("--json") {
      console.print(json(report, faults: faults, isStrict: isStrict, places).text(pretty: true))
    } else {
      show(report, faults: faults, isStrict: isStrict, places, console)
    }
    guard faults.isEmpty else {
      throw RunsError(
        console.text(
          Words(
            "\(places.siteName): \(faults.count) \(faults.count == 1 ? "fault" : "faults"); mend them or run `lorapress render`",
            ko: "\(places.siteName): 잘못 \(faults.count)개가 있어요. 바로잡거나 `lorapress render`로 다시 만들어 주세요")))
    }
  }

  /// The folders as they were given, so that a fault's place can be opened.
  private struct Places {
    let output: URL
    let site: URL
    let outputName: String
    let siteName: String

    init(_ arguments: Arguments) {
      let given = arguments.value("--site").map { $0.count > 1 && $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
      // A site beside its runs is checked against those.
      let parent = given.map { ($0 as NSString).deletingLastPathComponent }
      let beside = parent.flatMap { parent -> String? in
        let name = parent.isEmpty ? "." : parent
        return FileManager.default.fileExists(atPath: name + "/runs") ? name : nil
      }
      outputName = arguments.value("--output") ?? beside ?? "output"
      siteName = given ?? (outputName as NSString).appendingPathComponent("site")
      output = URL(fileURLWithPath: outputName).standardizedFileURL
      site = URL(fileURLWithPath: siteName).standardizedFileURL
    }

    func name(_ file: String) -> String {
      if file.hasPrefix("site/") { return (siteName as NSString).appendingPathComponent(String(file.dropFirst(5))) }
      let isOutput = file.hasPrefix("posts/") || file.hasPrefix("runs/")
      return isOutput ? (outputName as NSString).appendingPathComponent(file) : file
    }

    func place(_ fault: VerificationFault) -> String {
      ([name(fault.file)] + [fault.line, fault.column].compactMap { $0.map(String.init) }).joined(separator: ":")
    }
  }

  private static func show(
    _ report: VerificationReport, faults: [VerificationFault], isStrict: Bool, _ places: Places, _ console: Console
  ) {
    let language: SiteLanguage = console.isKorean ? .ko : .en
    for fault in faults { console.print("\(places.place(fault)): \(fault.message(language))") }
    let mark = console.text(Words("note", ko: "참고"))
    for fault in report.notes + (isStrict ? [] : report.prose) {
      console.print("\(places.place(fault)): \(mark): \(fault.message(language))")
    }
    console.note(
      Words(
        "Checked \(report.values) numbers on \(report.pages) pages, \(report.pictures) pictures, \(report.files) files and \(report.artifacts) files of runs",
        ko:
          "\(report.pages)쪽의 수치 \(report.values)개와 그림 \(report.pictures)개, 파일 \(report.files)개, 실행 기록의 파일 \(report.artifacts)개를 확인했습니다"
      ))
  }

  private static func json(
    _ report: VerificationReport, faults: [VerificationFault], isStrict: Bool, _ places: Places
  ) -> JSONValue {
    func entry(_ fault: VerificationFault) -> JSONValue {
      func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
      return [
        "kind": .string(fault.kind.rawValue), "file": .string(places.name(fault.file)),
        "line": fault.line.map { JSONValue($0) } ?? .null, "column": fault.column.map { JSONValue($0) } ?? .null,
        "says": text(fault.says), "expected": text(fault.expected), "about": text(fault.about),
        "pages": .array(fault.pages.map(JSONValue.string)), "message": .string(fault.message(.en)),
      ]
    }
    return [
      "ok": JSONValue(faults.isEmpty), "faults": .array(faults.map(entry)),
      "notes": .array((report.notes + (isStrict ? [] : report.prose)).map(entry)),
      "checked": [
        "values": JSONValue(report.values), "pages": JSONValue(report.pages), "pictures": JSONValue(report.pictures),
        "files": JSONValue(report.files), "run_files": JSONValue(report.artifacts),
      ],
    ]
  }
}
