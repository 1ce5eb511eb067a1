import Foundation
import Runs

/// The folder that is imported: what lies in it, and the bytes of what was read. Nothing outside it is ever read.
struct ImportFolder {
  /// A file that was read whole.
  struct Contents {
    var data: Data
    var sha256: String
    /// False for a file of which the run folder keeps the hash alone.
    var isCopied: Bool
  }

  /// The most bytes of a log, and of a small file beside it.
  static let longestLog = 1 << 28
  static let longestNote = 1 << 22
  private static let deepest = 5
  private static let mostFiles = 20_000

  /// As the user gave it, for messages.
  let name: String
  private let root: URL
  /// Paths of files in the folder, sorted by their bytes; a link counts as the file it seems to be until it is read.
  let files: [String]
  private(set) var read: [String: Contents] = [:]

  /// `path` is a folder, or one log file: then nothing beside it is looked at.
  init(_ path: String) throws {
    guard let real = Self.realPath(path) else {
      throw RunsError(
        "\(path): can't be read (\(String(cString: strerror(errno)))); name an output folder, or a log file")
    }
    let url = URL(fileURLWithPath: real)
    switch Self.kind(real) {
    case .folder:
      name = path
      root = url
      var found: [String] = []
      try Self.list(url, "", depth: 0, into: &found, name: path)
      files = found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    case .file:
      name = (path as NSString).deletingLastPathComponent
      root = url.deletingLastPathComponent()
      files = [url.lastPathComponent]
    default: throw RunsError("\(path): neither a folder nor a file; name an output folder, or a log file")
    }
  }

  func has(_ path: String) -> Bool { files.contains(path) }

  /// The path as messages show it.
  func shown(_ path: String) -> String { name.isEmpty ? path : "\(name)/\(path)" }

  /// The whole file, which must be a plain one, inside the folder and of at most `most` bytes. Read files are noted with their hash.
  mutating func data(_ path: String, most: Int) throws -> Data {
    if let known = read[path] { return known.data }
    let url = try place(of: path)
    let size = try Self.size(url, shown(path))
    guard size <= most else {
      throw RunsError("\(shown(path)): \(size) bytes, over the limit of \(most); this is no log of a training")
    }
    let data: Data
    do { data = try Data(contentsOf: url) } catch { throw RunsError.unreadable(shown(path), error) }
    read[path] = Contents(data: data, sha256: SHA256.hex(of: data), isCopied: true)
    return data
  }

  /// The run folder gets this file's hash, and no copy.
  mutating func keepBack(_ path: String) { read[path]?.isCopied = false }

  /// Size and hash of a file that stays where it is, such as weights.
  func fingerprint(_ path: String) throws -> FileRecord {
    let url = try place(of: path)
    return FileRecord(
      path: path, bytes: try Self.size(url, shown(path)), sha256: try SHA256.hex(ofFile: url), kept: false)
  }

  /// Where the file really is; an error for links that lead out, and for what is no plain file.
  func place(of path: String) throws -> URL {
    guard let real = Self.realPath(root.appendingPathComponent(path).path) else {
      throw RunsError("\(shown(path)): can't be read (\(String(cString: strerror(errno)))); check the file")
    }
    guard real.hasPrefix(root.path == "/" ? "/" : root.path + "/") else {
      throw RunsError("\(shown(path)): a link that leads out of the folder; put the file itself there")
    }
    guard Self.kind(real) == .file else {
      throw RunsError("\(shown(path)): not a plain file; put the file itself there")
    }
    return URL(fileURLWithPath: real)
  }

  // MARK: The file system

  private enum Kind { case folder, file, link, other }

  private static func kind(_ path: String, followLinks: Bool = true) -> Kind {
    var status = stat()
    guard (followLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return .other }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .folder
    case S_IFREG: return .file
    case S_IFLNK: return .link
    default: return .other
    }
  }

  private static func size(_ url: URL, _ shown: String) throws -> Int {
    var status = stat()
    guard stat(url.path, &status) == 0 else {
      throw RunsError("\(shown): can't be read (\(String(cString: strerror(errno)))); check the file")
    }
    return Int(status.st_size)
  }

  private static func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
  }

  /// Folders are walked, links to folders are not: they could lead anywhere and around in circles.
  private static func list(_ folder: URL, _ prefix: String, depth: Int, into found: inout [String], name: String) throws
  {
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: folder.path) } catch {
      throw RunsError.unreadable(prefix.isEmpty ? name : "\(name)/\(prefix)", error)
    }
    for item in names where !item.hasPrefix(".") {
      let path = prefix.isEmpty ? item : "\(prefix)/\(item)"
      let url = folder.appendingPathComponent(item)
      switch kind(url.path, followLinks: false) {
      case .folder where depth + 1 < deepest: try list(url, path, depth: depth + 1, into: &found, name: name)
      case .file, .link: found.append(path)
      default: continue
      }
      guard found.count <= mostFiles else {
        throw RunsError("\(name): more than \(mostFiles) files; name the training's own output folder")
      }
    }
  }
}
