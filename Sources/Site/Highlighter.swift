import Foundation
import Runs
import Synchronization

/// Colours code. Nil where it can't: the code is then shown plain.
public protocol CodeHighlighter: Sendable {
  /// The code as HTML whose only tags are `<span class="…">` with the classes k (keyword), t (type), f (function), s (string),
  /// n (number), c (comment) and m (meta).
  func html(code: String, language: String) -> String?
}

/// Debian's `highlight` as a child process; each piece of code once.
public final class HighlightCommand: CodeHighlighter {
  private let executable: URL?
  private let cache = Mutex<[String: String?]>([:])
  private let store: CacheStore?

  /// Takes `highlight` from the search path; without it all code is plain. A store keeps what it made from one build to the next.
  public init(
    searchPath: String? = ProcessInfo.processInfo.environment["PATH"], store: CacheStore? = nil
  ) {
    self.store = store
    executable = SearchPath.program("highlight", path: searchPath)
  }

  public var isAvailable: Bool { executable != nil }

  private static let syntaxes: [String: String] = [
    "swift": "swift", "python": "python", "py": "python", "yaml": "yaml", "yml": "yaml", "json": "json",
    "jsonl": "json",
    "bash": "sh", "sh": "sh", "shell": "sh", "console": "sh", "c": "c", "h": "c", "cpp": "c", "js": "js",
    "javascript": "js",
    "html": "html", "xml": "xml", "css": "css", "sql": "sql", "make": "make", "rust": "rs", "go": "go", "java": "java",
  ]

  /// highlight's classes. Identifiers it takes for keywords of a third kind, and operators, stay in ink.
  private static let classes: [String: String] = [
    "kwa": "k", "kwb": "t", "kwd": "f", "str": "s", "sng": "s", "num": "n", "com": "c", "slc": "c", "ppc": "m",
    "pps": "m",
    "esc": "m", "ipl": "m",
  ]

  public func html(code: String, language: String) -> String? {
    guard let executable, let syntax = Self.syntaxes[language.lowercased()] else { return nil }
    let key = syntax + "\0" + code
    if let known = cache.withLock({ $0[key] }) {
      store?.markUsed("code", Self.key(executable, syntax, code))
      return known
    }
    let html = stored(executable, syntax: syntax, code: code)
    cache.withLock { $0[key] = html }
    return html
  }

  /// The HTML of `highlight` is kept, and read anew each time: a kept text can't bring in what a fresh one couldn't.
  private func stored(_ executable: URL, syntax: String, code: String) -> String? {
    let key = Self.key(executable, syntax, code)
    if let data = store?.data("code", key), let html = Self.mapped(String(decoding: data, as: UTF8.self), code: code) {
      return html
    }
    guard let made = Self.run(executable, syntax: syntax, code: code) else { return nil }
    store?.keep(Data(made.utf8), "code", key)
    return Self.mapped(made, code: code)
  }

  private static func key(_ executable: URL, _ syntax: String, _ code: String) -> String {
    CacheStore.key([version(of: executable), syntax, code])
  }

  /// Another size or date of the program is another version of it.
  private static func version(of executable: URL) -> String {
    var status = stat()
    guard stat(executable.path, &status) == 0 else { return "" }
    return "\(status.st_size) \(status.st_mtim.tv_sec)"
  }

  /// Standard input comes from a file, so that neither pipe can fill up while the other is waited for.
  private static func run(_ executable: URL, syntax: String, code: String) -> String? {
    let input = FileManager.default.temporaryDirectory.appendingPathComponent("lorapress-code-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: input) }
    guard (try? Data(code.utf8).write(to: input)) != nil, let handle = try? FileHandle(forReadingFrom: input) else {
      return nil
    }
    let process = Process()
    process.executableURL = executable
    process.arguments = ["--out-format=html", "--fragment", "--encoding=UTF-8", "--syntax=\(syntax)"]
    process.environment = ["LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
    let output = Pipe()
    process.standardInput = handle
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
  }

  /// highlight's HTML with our classes; nil unless its text is the code again, so that nothing can be lost or slipped in.
  static func mapped(_ html: String, code: String) -> String? {
    var out = ""
    var text = ""
    var open: [Bool] = []
    var rest = html[...]
    while let first = rest.first {
      if first == "<" {
        guard let end = rest.firstIndex(of: ">") else { return nil }
        let tag = rest[rest.index(after: rest.startIndex)..<end]
        rest = rest[rest.index(after: end)...]
        if tag == "/span" {
          guard let isShown = open.popLast() else { return nil }
          if isShown { out += "</span>" }
        } else if tag.hasPrefix("span class=\"hl "), tag.hasSuffix("\"") {
          let name = classes[String(tag.dropFirst(15).dropLast())]
          open.append(name != nil)
          if let name { out += "<span class=\"\(name)\">" }
        } else {
          return nil
        }
      } else {
        let piece = rest.prefix { $0 != "<" }
        rest = rest[piece.endIndex...]
        let plain = unescaped(piece)
        text += plain
        out += Escape.html(plain)
      }
    }
    func trimmed(_ text: String) -> String { String(text.reversed().drop { $0 == "\n" }.reversed()) }
    guard open.isEmpty, trimmed(text) == trimmed(code) else { return nil }
    return trimmed(out)
  }

  static func unescaped(_ text: Substring) -> String {
    guard text.contains("&") else { return String(text) }
    // "&amp;" last, or "&amp;lt;" would become "<".
    return String(text).replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
      .replacing("&apos;", with: "'").replacing("&#64;", with: "@").replacing("&amp;", with: "&")
  }
}

/// Code on a page.
enum CodeBlock {
  /// `inner` is HTML already.
  static func html(_ inner: String, label: String) -> String {
    "<pre tabindex=\"0\" role=\"group\" aria-label=\"\(Escape.html(label))\"><code>\(inner)</code></pre>\n"
  }
}
