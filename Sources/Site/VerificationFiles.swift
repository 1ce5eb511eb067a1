import Foundation
import Runs

// Hashes: files of the build, records they were made from, files that runs list.

extension VerificationWork {
  /// Every file of posts, site and charts against the record.
  func compareFiles() {
    guard let record else { return }
    var listed: Set<String> = [Self.recordPath]
    for (index, file) in record.files.enumerated() {
      listed.insert(file.path)
      let place = "\(Self.recordPath):\(ProvenanceRecord.line(ofFile: index))"
      guard let data = disk[file.path] else {
        fault(.fileMissing, file.path, about: place)
        continue
      }
      let hash = hash(of: file.path)
      if hash != file.sha256 {
        markChanged(file.path)
        reportChange(file, data, hash: hash, place: place)
      } else if file.lines != LineSums.text(of: data, path: file.path) {
        fault(.recordChanged, Self.recordPath, line: ProvenanceRecord.line(ofFile: index), says: "lines", expected: "—")
      } else if data.count != file.bytes {
        fault(.fileChanged, file.path, says: "\(data.count) bytes", expected: "\(file.bytes) bytes", about: place)
      }
    }
    for path in disk.keys.sorted(by: ProvenanceRecord.order) where !listed.contains(path) {
      // Charts of an earlier build stay in the run's folder.
      if !path.hasPrefix("runs/") { fault(.fileUnlisted, path) }
    }
  }

  /// The changed lines where the record can tell them, else the file.
  private func reportChange(_ file: ProvenanceRecord.File, _ data: Data, hash: String, place: String) {
    guard let old = file.lines, let new = LineSums.text(of: data, path: file.path),
      let changed = LineSums.differences(old, new), (1...20).contains(changed.count)
    else { return fault(.fileChanged, file.path, says: hash, expected: file.sha256, about: place) }
    let lines = data.split(separator: 0x0A, omittingEmptySubsequences: false)
    for index in changed where lines.indices.contains(index) {
      fault(.lineChanged, file.path, line: index + 1, says: Self.visible(lines[index], file.path), about: place)
    }
  }

  /// A page's line without its tags, as far as any text stands between them.
  private static func visible(_ line: Data, _ path: String) -> String {
    let raw = String(decoding: line, as: UTF8.self)
    guard path.hasSuffix(".html") else { return raw }
    var text = ""
    for item in HTMLScanner(raw) {
      if case .text(let part) = item.token { text += part }
      // Cells stand apart.
      if case .end(let name) = item.token, ["th", "td"].contains(name) { text += " " }
    }
    let shown = text.trimmingCharacters(in: .whitespaces)
    return shown.isEmpty ? raw : shown
  }

  /// The runs' records that pages were made from, and which page was made from which.
  func compareSources() {
    guard let record else { return }
    var pages: [String: [String]] = [:]
    for page in record.pages.keys.sorted(by: ProvenanceRecord.order) {
      for source in record.pages[page] ?? [] { pages[source, default: []].append(page) }
    }
    var listed: Set<String> = []
    for file in record.sources {
      listed.insert(file.path)
      guard let (run, path) = ProvenanceRecord.runFile(file.path), let hash = hash(run, path) else {
        fault(.sourceMissing, file.path, pages: pages[file.path] ?? [])
        continue
      }
      if hash != file.sha256 {
        markChanged(file.path)
        fault(
          .sourceChanged, file.path, line: firstChange(file), says: hash, expected: file.sha256, about: Self.recordPath,
          pages: pages[file.path] ?? [])
      } else if let data = recordData(file.path), file.lines != LineSums.text(ofRecord: data, path: file.path) {
        fault(.recordChanged, Self.recordPath, says: "\(file.path): lines", expected: "—")
      } else if size(file.path) != file.bytes {
        fault(
          .recordChanged, Self.recordPath, says: "\(file.path): \(file.bytes) bytes",
          expected: "\(size(file.path)) bytes")
      }
    }
    comparePages(record, listed: listed)
  }

  private func recordData(_ path: String) -> Data? {
    try? Data(contentsOf: verification.output.appendingPathComponent(path))
  }

  /// The first line of a run's record that changed, where the number of its lines is still the same.
  private func firstChange(_ file: ProvenanceRecord.File) -> Int? {
    guard let old = file.lines, let data = recordData(file.path),
      let new = LineSums.text(ofRecord: data, path: file.path)
    else { return nil }
    return LineSums.differences(old, new)?.first.map { $0 + 1 }
  }

  private func comparePages(_ record: ProvenanceRecord, listed: Set<String>) {
    var new: [String: [String]] = [:]
    for path in Set(disk.keys.filter(ProvenanceRecord.isPage)).union(record.pages.keys).sorted(
      by: ProvenanceRecord.order)
    {
      guard let data = disk[path] else { continue }
      let names = PageNames(path: path, data: data, isRun: runIds.contains)
      let found = names.sources { run, file in
        let candidates = file.map { [$0] } ?? RunData.sources
        return candidates.filter { hash(run, $0) != nil }
      }
      let recorded = record.pages[path] ?? []
      for source in found where !listed.contains(source) { new[source, default: []].append(path) }
      let known = found.filter(listed.contains)
      let lost = recorded.filter {
        !known.contains($0) && (ProvenanceRecord.runFile($0).flatMap { hash($0.run, $0.file) } != nil)
      }
      let more = known.filter { !recorded.contains($0) }
      for source in lost {
        fault(.recordChanged, Self.recordPath, says: "\(path): \(source)", expected: "—")
      }
      for source in more { fault(.recordChanged, Self.recordPath, says: "\(path): —", expected: source) }
    }
    for source in new.keys.sorted(by: ProvenanceRecord.order) { fault(.sourceNew, source, pages: new[source] ?? []) }
  }

  private func size(_ path: String) -> Int {
    let url = verification.output.appendingPathComponent(path)
    return (try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int) ?? 0
  }

  /// Every file that a run lists.
  func compareRuns() {
    for id in runIds.sorted(by: ProvenanceRecord.order) {
      let folder = RunFolder(output: verification.output, id: id)
      let name = "runs/\(id)/run.json"
      let run: RunRecord
      do { run = try RecordFile.read(RunRecord.self, from: folder.record) } catch {
        fault(.runUnreadable, name, about: "\(error)")
        continue
      }
      if [.running, .interrupted, .failed].contains(run.status) {
        report.notes.append(VerificationFault(.unfinished, name))
        continue
      }
      var leftOut = 0
      for artifact in run.artifacts {
        guard artifact.kept != false else {
          leftOut += 1
          continue
        }
        report.artifacts += 1
        let path = "runs/\(id)/\(artifact.path)"
        guard let hash = hash(id, artifact.path) else {
          fault(.artifactMissing, path, about: name)
          continue
        }
        if hash != artifact.sha256 {
          fault(.artifactChanged, path, says: hash, expected: artifact.sha256, about: name)
        } else if size(path) != artifact.bytes {
          fault(.artifactChanged, path, says: "\(size(path)) bytes", expected: "\(artifact.bytes) bytes", about: name)
        }
      }
      if leftOut > 0 { report.notes.append(VerificationFault(.notKept, name, says: "\(leftOut)")) }
    }
  }
}
