import Charts
import Foundation
import Formats
import Runs

/// Proves that posts and site are what their runs' records say: every number is derived again, every file hashed again.
public struct Verification {
  let output: URL
  let site: URL
  let content: URL?

  /// - Parameters:
  ///   - output: the folder with `runs/` and `posts/`.
  ///   - site: the site, by default the `site` in it.
  ///   - content: the folder with the posts' own sources, whose prose is looked at; nil for none.
  public init(output: URL, site: URL? = nil, content: URL?) {
    self.output = output
    self.site = site ?? output.appendingPathComponent("site")
    self.content = content
  }

  /// Checks everything and reports every fault. Throws only where there is nothing to check.
  public func check() throws -> VerificationReport {
    guard FileManager.default.fileExists(atPath: site.path) else {
      throw SiteError(
        "\(site.path): there is no site here; make one with `lorapress render`, or name it with --site DIR")
    }
    let work = VerificationWork(self)
    try work.readFiles()
    work.readRecord()
    work.compareFiles()
    work.compareSources()
    work.compareRuns()
    try work.decodePictures()
    for path in work.disk.keys.sorted(by: ProvenanceRecord.order) {
      switch (path as NSString).pathExtension {
      case "html": work.checkPage(path)
      case "md": work.checkMarkdown(path)
      case "png": work.checkPicture(path)
      default: break
      }
    }
    try work.checkProse()
    return work.sorted()
  }

  /// The place of a path of the record.
  func url(_ path: String) -> URL {
    path.hasPrefix("site/")
      ? site.appendingPathComponent(String(path.dropFirst(5))) : output.appendingPathComponent(path)
  }
}

/// One check under way: what was read, and what was found so far.
final class VerificationWork {
  let verification: Verification
  var report = VerificationReport()
  /// Files of site, posts and the runs' charts, by path, with their bytes.
  private(set) var disk: [String: Data] = [:]
  private(set) var record: ProvenanceRecord?
  private(set) var runIds: Set<String> = []
  /// Files that are not what the record says.
  private(set) var changed: Set<String> = []
  private var documents: [String: Result<JSONValue, any Error>] = [:]
  private var configs: [String: YAMLNode?] = [:]
  private var hashes: [String: String?] = [:]
  private var diskHashes: [String: String] = [:]
  /// The text of each picture, or why it can't be decoded, by its hash.
  var pictures: [String: Result<[ChartMetadata], any Error>] = [:]

  static let recordPath = "site/\(ProvenanceRecord.path)"

  init(_ verification: Verification) { self.verification = verification }

  func fault(
    _ kind: VerificationFault.Kind, _ file: String, line: Int? = nil, column: Int? = nil, says: String? = nil,
    expected: String? = nil, about: String? = nil, pages: [String] = []
  ) {
    report.faults.append(
      VerificationFault(
        kind, file, line: line, column: column, says: says, expected: expected, about: about, pages: pages))
  }

  func sorted() -> VerificationReport {
    func order(_ a: VerificationFault, _ b: VerificationFault) -> Bool {
      a.file != b.file
        ? ProvenanceRecord.order(a.file, b.file) : (a.line ?? 0, a.column ?? 0) < (b.line ?? 0, b.column ?? 0)
    }
    // A stable sort: faults of one line stay in the order they were found.
    func stable(_ faults: [VerificationFault]) -> [VerificationFault] {
      faults.enumerated().sorted { a, b in
        order(a.element, b.element) || (!order(b.element, a.element) && a.offset < b.offset)
      }.map(\.element)
    }
    // Where a number tells what is wrong with a line, that is enough.
    let told = Set(report.faults.filter { $0.kind != .lineChanged }.map { "\($0.file):\($0.line ?? 0)" })
    report.faults = stable(
      report.faults.filter { $0.kind != .lineChanged || !told.contains("\($0.file):\($0.line ?? 0)") })
    report.prose = stable(report.prose)
    return report
  }

  // MARK: Reading

  func readFiles() throws {
    runIds = Set(try RunLibrary(output: verification.output).ids())
    for (folder, place) in [
      ("site", verification.site), ("posts", verification.output.appendingPathComponent("posts")),
    ] {
      for path in try CodeRegions.files(below: place) { read("\(folder)/\(path)") }
    }
    for id in runIds.sorted(by: ProvenanceRecord.order) {
      for path in try CodeRegions.files(below: RunFolder(output: verification.output, id: id).charts) {
        read("runs/\(id)/charts/\(path)")
      }
    }
    report.files = disk.count
  }

  private func read(_ path: String) {
    do { disk[path] = try Data(contentsOf: verification.url(path)) } catch {
      fault(.fileMissing, path)
    }
  }

  func readRecord() {
    guard let data = disk[Self.recordPath] else { return fault(.recordMissing, Self.recordPath) }
    do { record = try ProvenanceRecord(parsing: data, file: ProvenanceRecord.path) } catch let error as FormatError {
      return fault(.recordUnreadable, Self.recordPath, line: error.line, column: error.column, about: error.message)
    } catch {
      return fault(.recordUnreadable, Self.recordPath, about: "\(error)")
    }
    guard let canonical = record?.text, canonical != String(decoding: data, as: UTF8.self) else { return }
    let found = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    let wanted = canonical.split(separator: "\n", omittingEmptySubsequences: false)
    let place =
      zip(found, wanted).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(found.count, wanted.count)
    fault(
      .recordChanged, Self.recordPath, line: place + 1, says: found.indices.contains(place) ? String(found[place]) : "",
      expected: wanted.indices.contains(place) ? String(wanted[place]) : "")
  }

  /// The hash a file of a run has now; nil where it is not there.
  func hash(_ run: String, _ file: String) -> String? {
    let path = "runs/\(run)/\(file)"
    if let known = hashes[path] { return known }
    let isSafe = RunFolder.isSafeName(run) && Self.isInside(file)
    let found = isSafe ? try? SHA256.hex(ofFile: verification.output.appendingPathComponent(path)) : nil
    hashes[path] = .some(found)
    return found
  }

  /// The hash of a file of site, posts or charts.
  func hash(of path: String) -> String {
    if let known = diskHashes[path] { return known }
    let hash = SHA256.hex(of: disk[path] ?? Data())
    diskHashes[path] = hash
    return hash
  }

  /// A path that can't lead out of its folder.
  static func isInside(_ path: String) -> Bool {
    !path.isEmpty
      && !path.split(separator: "/", omittingEmptySubsequences: false).contains { ["", ".", ".."].contains($0) }
  }

  func document(_ reference: Reference) throws -> JSONValue {
    let path = "runs/\(reference.run)/\(reference.path)"
    if let known = documents[path] { return try known.get() }
    let result = Result { () throws -> JSONValue in
      guard RunFolder.isSafeName(reference.run), Self.isInside(reference.path) else {
        throw SiteError("not a file of a run")
      }
      return try RunData.document(verification.output.appendingPathComponent(path))
    }
    documents[path] = result
    return try result.get()
  }

  /// A setting as `config.yaml` has it written.
  func written(_ reference: Reference) -> (raw: String, isNumber: Bool)? {
    if configs[reference.run] == nil {
      let url = verification.output.appendingPathComponent("runs/\(reference.run)/config.yaml")
      let text = try? String(contentsOf: url, encoding: .utf8)
      configs[reference.run] = .some(text.flatMap { try? YAMLNode(parsing: $0, file: "config.yaml") })
    }
    guard var node = configs[reference.run] ?? nil else { return nil }
    for part in reference.pointer.split(separator: "/") {
      guard let next = node[JSONPointer.key(part)] else { return nil }
      node = next
    }
    return (node.written, node.double != nil)
  }

  func markChanged(_ path: String) { changed.insert(path) }
}
