import Formats
import Foundation
import Runs
import Workers

/// `site/provenance.json`: every file of posts, site and charts with its hash, every run file they were made from with the
/// hash it had, and for each page which of those. `lorapress verify` compares all of it with what is there.
///
/// One entry a line, sorted, nothing of the moment: the same build gives the same bytes.
struct ProvenanceRecord: Sendable, Equatable {
  struct File: Sendable, Equatable {
    /// Below the output folder: "site/index.html", "runs/<id>/log/metrics.jsonl".
    var path: String
    var bytes: Int
    var sha256: String
    /// A check sum a line, so that a change can be named by its line; nil for pictures.
    var lines: String? = nil
  }

  static let path = "provenance.json"
  private static let version = 1

  var files: [File]
  var sources: [File]
  /// Page → paths of `sources`.
  var pages: [String: [String]]

  /// The record of a build: `plan` maps each path below the output folder to its bytes.
  init(plan: [String: Data], runs: [RunData]) throws {
    files = try Parallel.map(plan.sorted { Self.order($0.key, $1.key) }) { path, data in
      File(path: path, bytes: data.count, sha256: SHA256.hex(of: data), lines: LineSums.text(of: data, path: path))
    }
    let known = Dictionary(runs.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
    let found = try Parallel.map(plan.filter { Self.isPage($0.key) }) { path, data in
      let names = PageNames(path: path, data: data, isRun: { known[$0] != nil })
      return (
        path,
        names.sources { run, file in
          known[run].map { data in
            file.map { FileManager.default.fileExists(atPath: data.folder.at($0).path) ? [$0] : [] }
              ?? Array(data.hashes.keys)
          } ?? []
        }
      )
    }
    pages = [:]
    var used: Set<String> = []
    for (path, sources) in found {
      if !sources.isEmpty { pages[path] = sources }
      used.formUnion(sources)
    }
    sources = try Parallel.map(used.sorted(by: Self.order)) { path -> File? in
      guard let (id, file) = Self.runFile(path), let run = known[id] else { return nil }
      let url = run.folder.at(file)
      let data: Data
      do { data = try Data(contentsOf: url) } catch { throw RunsError.unreadable(url.path, error) }
      return File(
        path: path, bytes: data.count, sha256: run.hashes[file] ?? SHA256.hex(of: data),
        lines: LineSums.text(ofRecord: data, path: path))
    }.compactMap { $0 }
  }

  static func order(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }

  static func isPage(_ path: String) -> Bool { path.hasSuffix(".html") || path.hasSuffix(".md") }

  /// The run and the path inside its folder.
  static func runFile(_ path: String) -> (run: String, file: String)? {
    let parts = path.split(separator: "/", maxSplits: 2).map(String.init)
    return parts.count == 3 && parts[0] == "runs" ? (parts[1], parts[2]) : nil
  }

  // MARK: Text

  /// The line an entry of `files` stands in, from its place in the list.
  static func line(ofFile index: Int) -> Int { index + 3 }

  var text: String {
    func file(_ file: File) -> JSONValue {
      let lines = file.lines.map { [JSONObject.Entry(key: "lines", value: .string($0))] } ?? []
      return .object(
        JSONObject(
          [JSONObject.Entry(key: "bytes", value: JSONValue(file.bytes))] + lines + [
            JSONObject.Entry(key: "path", value: .string(file.path)),
            JSONObject.Entry(key: "sha256", value: .string(file.sha256)),
          ]))
    }
    func list(_ name: String, _ entries: [JSONValue]) -> String {
      let lines = entries.map { $0.text() }.joined(separator: ",\n")
      return "\"\(name)\":[\n" + lines + (lines.isEmpty ? "" : "\n") + "]"
    }
    let pages = self.pages.keys.sorted(by: Self.order).map { page -> JSONValue in
      ["path": .string(page), "sources": .array((self.pages[page] ?? []).map(JSONValue.string))]
    }
    let parts = [
      list("files", files.map(file)), list("pages", pages), list("sources", sources.map(file)),
      "\"version\":\(Self.version)",
    ]
    return "{\n" + parts.joined(separator: ",\n") + "\n}\n"
  }

  var data: Data { Data(text.utf8) }

  /// Reads what `text` wrote.
  init(parsing data: Data, file: String) throws {
    let json = try JSONValue(parsing: data, file: file)
    func wrong(_ what: String) -> SiteError { SiteError("\(file): \(what); render again") }
    guard json["version"]?.integer == Self.version else { throw wrong("\"version\" is not \(Self.version)") }
    func list(_ name: String) throws -> [JSONValue] {
      guard let list = json[name]?.array else { throw wrong("\"\(name)\" is no list") }
      return list
    }
    func entries(_ name: String) throws -> [File] {
      try list(name).map { entry in
        guard let path = entry["path"]?.string, let bytes = entry["bytes"]?.integer, let hash = entry["sha256"]?.string
        else { throw wrong("an entry of \"\(name)\" lacks path, bytes or sha256") }
        return File(path: path, bytes: bytes, sha256: hash, lines: entry["lines"]?.string)
      }
    }
    files = try entries("files")
    sources = try entries("sources")
    pages = [:]
    for entry in try list("pages") {
      guard let path = entry["path"]?.string, let sources = entry["sources"]?.array?.compactMap(\.string) else {
        throw wrong("an entry of \"pages\" lacks path or sources")
      }
      pages[path] = sources
    }
  }
}

/// Check sums of a text's lines: 24 bits each, as base64. They only tell where a change is; that there is one, the hash tells.
enum LineSums {
  private static let texts: Set<String> = ["html", "md", "css", "xml", "txt", "json", "js"]

  static func text(of data: Data, path: String) -> String? {
    texts.contains((path as NSString).pathExtension) ? sums(data) : nil
  }

  private static func sums(_ data: Data) -> String {
    // Raw bytes: a large site has tens of megabytes of text, and `Data`'s own iteration and splitting take ten times as long.
    var sums: [UInt8] = []
    data.withUnsafeBytes { bytes in
      // FNV-1a, folded.
      let start: UInt64 = 0xCBF2_9CE4_8422_2325
      var hash = start
      func endLine() {
        let sum = hash ^ (hash >> 24) ^ (hash >> 48)
        for shift in [16, 8, 0] as [UInt64] { sums.append(UInt8(truncatingIfNeeded: sum >> shift)) }
        hash = start
      }
      for byte in bytes {
        if byte == 0x0A { endLine() } else { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      }
      endLine()
    }
    return Data(sums).base64EncodedString()
  }

  /// The same for a run's record, where it is short: a log of a hundred thousand lines would make a long list.
  static func text(ofRecord data: Data, path: String) -> String? {
    let isText = ["json", "jsonl", "yaml"].contains((path as NSString).pathExtension)
    guard isText, data.withUnsafeBytes({ $0.count { $0 == 0x0A } }) <= 2000 else { return nil }
    return sums(data)
  }

  /// The lines, from 0, whose sums differ; nil where the texts have different numbers of lines.
  static func differences(_ a: String, _ b: String) -> [Int]? {
    guard a.utf8.count == b.utf8.count else { return nil }
    // Three bytes are four characters.
    let (left, right) = (Array(a.utf8), Array(b.utf8))
    return stride(from: 0, to: left.count, by: 4).filter {
      left[$0..<min($0 + 4, left.count)] != right[$0..<min($0 + 4, left.count)]
    }
    .map { $0 / 4 }
  }
}

/// The runs that a page names, in its own address or anywhere in its bytes as `runs/<id>/`, and files of them as
/// `runs/<id>/<file>#`. A page counts as made from all records of a run that it names: tables and pictures carry no places.
struct PageNames {
  private var runs: Set<String> = []
  private var files: Set<[String]> = []

  init(path: String, data: Data, isRun: (String) -> Bool) {
    read(Array(path.utf8), isRun)
    read([UInt8](data), isRun)
  }

  private mutating func read(_ bytes: [UInt8], _ isRun: (String) -> Bool) {
    let mark = Array("runs/".utf8)
    let stops = Set("\"'#<>()| \n?&\\".utf8)
    var index = 0
    while index + mark.count < bytes.count {
      guard mark.indices.allSatisfy({ bytes[index + $0] == mark[$0] }) else {
        index += 1
        continue
      }
      index += mark.count
      guard
        let slash = bytes[index...].prefix(400).firstIndex(where: { $0 == UInt8(ascii: "/") || stops.contains($0) }),
        bytes[slash] == UInt8(ascii: "/")
      else { continue }
      let id = String(decoding: bytes[index..<slash], as: UTF8.self)
      guard isRun(id) else { continue }
      runs.insert(id)
      let end = bytes[(slash + 1)...].prefix(1000).firstIndex { stops.contains($0) }
      if let end, bytes[end] == UInt8(ascii: "#"), end > slash + 1 {
        let file = Reference.decoded(String(decoding: bytes[(slash + 1)..<end], as: UTF8.self))
        if !file.split(separator: "/", omittingEmptySubsequences: false).contains(where: {
          $0.isEmpty || $0.hasPrefix(".")
        }) {
          files.insert([id, file])
        }
      }
    }
  }

  /// The paths of the sources, sorted. `list` gives a run's own list, or one file of it if it is there.
  func sources(_ list: (_ run: String, _ file: String?) -> [String]) -> [String] {
    var paths: Set<String> = []
    for run in runs { paths.formUnion(list(run, nil).map { "runs/\(run)/\($0)" }) }
    for file in files { paths.formUnion(list(file[0], file[1]).map { "runs/\(file[0])/\($0)" }) }
    return paths.sorted(by: ProvenanceRecord.order)
  }
}
