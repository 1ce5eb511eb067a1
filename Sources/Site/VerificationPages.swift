import Charts
import Foundation
import Formats
import Runs
import Workers

// Traced numbers of pages and Markdown posts, derived again; pictures and the log they were drawn from.

extension VerificationWork {
  /// A `<data>` element as a page has it.
  private struct Element {
    var line: Int
    var attributes: [HTMLScanner.Attribute]
    var language: SiteLanguage
    var text = ""

    func value(_ name: String) -> String? { attributes.first { $0.name == name }?.value }
  }

  func checkPage(_ path: String) {
    guard let data = disk[path] else { return }
    report.pages += 1
    var languages: [(tag: String, language: SiteLanguage)] = []
    var open: Element?
    for item in HTMLScanner([UInt8](data)) {
      switch item.token {
      case .start(let name, let attributes):
        let inherited = languages.last?.language ?? .ko
        let own = attributes.first { $0.name == "lang" }.flatMap { SiteLanguage(rawValue: $0.value) }
        if name == "data" { open = Element(line: item.line, attributes: attributes, language: own ?? inherited) }
        if !HTMLScanner.empty.contains(name) { languages.append((name, own ?? inherited)) }
      case .end(let name):
        if name == "data", let element = open {
          open = nil
          check(element, path)
        }
        if let place = languages.lastIndex(where: { $0.tag == name }) { languages.removeSubrange(place...) }
      case .text(let text): open?.text += text
      case .other: break
      }
    }
    if let open { fault(.bindingBroken, path, line: open.line, about: "<data> has no end") }
  }

  private func check(_ element: Element, _ path: String) {
    guard let raw = element.value("value"), let places = element.value("data-source"),
      let format = element.value("data-format")
    else {
      return fault(.bindingBroken, path, line: element.line, about: "value, data-source or data-format is missing")
    }
    let words = SiteWords(language: element.language)
    let title = element.value("title") ?? ""
    let kind = element.value("data-operation") ?? (title.hasPrefix(words.setting) ? "setting" : "measured")
    let list = places.split(separator: " ").map(String.init)
    guard
      let trace = derived(
        list, kind: kind, format: format, language: element.language, shown: element.text, path, element.line)
    else { return }
    compare(trace, raw: raw, shown: element.text, places: list, path, element.line)
    let wanted = trace.title(words)
    if title != wanted, title != Self.asWritten(wanted) {
      fault(.titleDiffers, path, line: element.line, says: title, expected: wanted)
    }
  }

  /// A page writes characters that it may not hold as U+FFFD, and no carriage return.
  private static func asWritten(_ text: String) -> String { HTMLScanner.unescaped(Escape.html(text)) }

  private func compare(_ trace: Trace, raw: String, shown: String, places: [String], _ path: String, _ line: Int) {
    let about = places.joined(separator: " ")
    if raw != trace.raw, raw != Self.asWritten(trace.raw) {
      fault(.valueDiffers, path, line: line, says: raw, expected: trace.raw, about: about)
    }
    if shown != trace.shown, shown != Self.asWritten(trace.shown) {
      fault(.textDiffers, path, line: line, says: shown, expected: trace.shown, about: about)
    }
  }

  /// The trace that the places give today; a fault and nil where they give none.
  private func derived(
    _ places: [String], kind: String, format name: String, language: SiteLanguage, shown: String, _ path: String,
    _ line: Int
  ) -> Trace? {
    report.values += 1
    let format = ValueFormat(rawValue: name)
    guard format != nil || name == ValueFormat.written, !places.isEmpty else {
      fault(
        .bindingBroken, path, line: line, says: shown,
        about: "data-format=\"\(name)\" data-source=\"\(places.joined(separator: " "))\"")
      return nil
    }
    var inputs: [JSONValue] = []
    var sources: [Trace.Source] = []
    for place in places {
      guard let reference = Reference(written: place[...]), let document = try? document(reference),
        let value = document.value(at: reference.pointer)
      else {
        fault(.placeMissing, path, line: line, says: shown, about: place)
        return nil
      }
      inputs.append(value)
      var source = Derivation.source(reference, value: value, in: document)
      if Derivation.isOverFile(kind) { source = Trace.Source(reference: reference, raw: "", step: nil) }
      if kind == "setting" { source.step = nil }
      sources.append(source)
    }
    do { return try trace(inputs, sources, kind: kind, format: format, language: language) } catch {
      fault(.bindingBroken, path, line: line, says: shown, about: "\(error)")
      return nil
    }
  }

  private func trace(
    _ inputs: [JSONValue], _ sources: [Trace.Source], kind: String, format: ValueFormat?, language: SiteLanguage
  ) throws -> Trace {
    switch kind {
    case "measured":
      guard sources.count == 1, let format else { throw SiteError("a measured value has one source and a format") }
      return try Derivation.measured(sources[0], inputs[0], format, language: language)
    case "setting":
      guard sources.count == 1, let setting = written(sources[0].reference) else {
        throw SiteError("a setting has one source in config.yaml")
      }
      var source = sources[0]
      source.raw = setting.raw
      return try Derivation.setting(source, inputs[0], isNumber: setting.isNumber, format, language: language)
    default:
      guard let format else { throw SiteError("a computed value has a format") }
      return try Derivation.trace(
        kind, Derivation.value(kind, inputs), format, sources: sources, language: language)
    }
  }

  // MARK: Markdown

  /// The comment at a post's end, the table of sources before it, and the text.
  func checkMarkdown(_ path: String) {
    guard let data = disk[path] else { return }
    report.pages += 1
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard let comment = SourcesComment.read(lines) else {
      let titles = SiteLanguage.allCases.map { "## " + Escape.markdown(SiteWords(language: $0).sources) }
      if let place = lines.firstIndex(where: { titles.contains(String($0)) }) {
        fault(.bindingBroken, path, line: place + 1, about: "the comment with the places is missing")
      }
      return
    }
    for line in comment.broken { fault(.bindingBroken, path, line: line, about: "a line of the sources' comment") }
    var traces: [Trace] = []
    for entry in comment.entries {
      guard
        let trace = derived(
          entry.places, kind: entry.kind, format: entry.format, language: comment.language, shown: entry.shown, path,
          entry.line)
      else { continue }
      compare(trace, raw: entry.raw, shown: entry.shown, places: entry.places, path, entry.line)
      traces.append(trace)
    }
    let words = SiteWords(language: comment.language)
    let heading = "## " + Escape.markdown(words.sources)
    let start = lines[..<(comment.line - 1)].lastIndex { $0 == heading } ?? 0
    checkRows(lines, from: start, traces, words, path)
    guard changed.contains(path) else { return }
    let body = lines[..<start].joined(separator: "\n")
    for trace in traces where !body.contains(Escape.markdown(trace.shown)) && !body.contains(trace.shown) {
      fault(.numberGone, path, expected: trace.shown, about: trace.sources.map(\.reference.text).joined(separator: " "))
    }
  }

  private func checkRows(_ lines: [Substring], from start: Int, _ traces: [Trace], _ words: SiteWords, _ path: String) {
    let wanted = SourcesTable(traces: traces, words: words).markdown.split(
      separator: "\n", omittingEmptySubsequences: false)
    for (offset, row) in wanted.enumerated() where !row.isEmpty {
      let place = start + offset
      let found = lines.indices.contains(place) ? lines[place] : ""
      if found != row { fault(.sourceRowDiffers, path, line: place + 1, says: String(found), expected: String(row)) }
    }
  }

  // MARK: Pictures

  /// Decodes every picture, each once however many places hold it, on all cores.
  func decodePictures() throws {
    var unique: [String: Data] = [:]
    for (path, data) in disk where path.hasSuffix(".png") { unique[hash(of: path)] = data }
    let work = unique.map { ($0.key, $0.value) }
    let decoded = try Parallel.map(work) { _, data in Result { try PNGFile.decode([UInt8](data)).texts } }
    pictures = Dictionary(zip(work.map(\.0), decoded)) { first, _ in first }
  }

  func checkPicture(_ path: String) {
    report.pictures += 1
    guard let decoded = pictures[hash(of: path)] else { return }
    let texts: [ChartMetadata]
    do { texts = try decoded.get() } catch { return fault(.pictureBroken, path, about: "\(error)") }
    func values(_ key: String) -> [String] { texts.filter { $0.key == key }.map(\.value) }
    // A picture of the author's own has no such text; one of several runs has a triple for each, in order.
    let runs = values(ChartMetadata.runKey)
    let sources = values(ChartMetadata.sourceKey)
    let hashes = values(ChartMetadata.sourceHashKey)
    for (index, run) in runs.enumerated() {
      guard sources.count == runs.count, hashes.count == runs.count else {
        if !runIds.contains(run) { fault(.pictureSource, path, says: "run \(run)", expected: nil, about: "run \(run)") }
        continue
      }
      checkSource(of: path, run: run, source: sources[index], drawn: hashes[index])
    }
  }

  private func checkSource(of path: String, run: String, source: String, drawn: String) {
    let place = "runs/\(run)/\(source)"
    let now = hash(run, source)
    guard now != drawn else { return }
    // Its pages are named already where the log changed after the build.
    if changed.contains(place), record?.sources.contains(where: { $0.path == place && $0.sha256 == drawn }) == true {
      return
    }
    fault(.pictureSource, path, says: drawn, expected: now, about: place)
  }
}
