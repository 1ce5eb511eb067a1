import Formats
import Foundation
import Runs
import Synchronization

/// Pictures kept from one rendering to the next, since drawing them is nearly all of its time.
///
/// An entry is named by the hash of everything its pictures depend on, the program itself included, so a changed log, title or
/// program finds no entry. Its own hash is checked when it is read: a damaged entry is drawn again.
final class PictureCache: Sendable {
  /// Pictures by their file's suffix or name, in order, with what the drawing had to say.
  struct Entry: Equatable, Sendable {
    struct Picture: Equatable, Sendable {
      /// Tells the pictures of one entry apart.
      var name: String
      /// CSS pixels, then pixels of the file.
      var width: Int
      var height: Int
      var pixelWidth: Int
      var pixelHeight: Int
      var png: [UInt8]
    }

    var pictures: [Picture] = []
    /// Stands where there is no picture.
    var sentence: String?
    var warnings: [String] = []
  }

  private let folder: URL?
  private let used = Mutex<Set<String>>([])

  /// - Parameter folder: nil keeps nothing.
  init(folder: URL?) { self.folder = folder }

  /// The hash of the running program: another build may draw otherwise.
  private static let program: String = {
    let path = "/proc/self/exe"
    return (try? SHA256.hex(ofFile: URL(fileURLWithPath: path))) ?? "unknown"
  }()

  /// The entry of `key`, drawn where there is none yet.
  func entry(_ key: [String], draw: () throws -> Entry) throws -> Entry {
    guard let folder else { return try draw() }
    // Lengths keep ["ab", "c"] and ["a", "bc"] apart.
    let text = ([Self.program] + key).map { "\($0.utf8.count):\($0)" }.joined()
    let name = SHA256.hex(of: Data(text.utf8))
    let url = folder.appendingPathComponent(name)
    used.withLock { _ = $0.insert(name) }
    if let data = try? Data(contentsOf: url), let kept = Self.decode(data) { return kept }
    let entry = try draw()
    // A cache that can't be written costs time alone.
    try? AtomicFile.write(Self.encode(entry), to: url, flushed: false)
    return entry
  }

  /// Removes what the last rendering did not use.
  func prune() {
    guard let folder, let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return }
    let kept = used.withLock { $0 }
    for name in names where !kept.contains(name) {
      try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
  }

  // MARK: File

  /// A line with the hash of the rest, a line of JSON, then the pictures' bytes one after the other.
  static func encode(_ entry: Entry) -> Data {
    let pictures = entry.pictures.map { picture -> JSONValue in
      [
        "name": .string(picture.name), "width": JSONValue(picture.width), "height": JSONValue(picture.height),
        "pixel_width": JSONValue(picture.pixelWidth), "pixel_height": JSONValue(picture.pixelHeight),
        "bytes": JSONValue(picture.png.count),
      ]
    }
    let header: JSONValue = [
      "pictures": .array(pictures), "sentence": entry.sentence.map { .string($0) } ?? .null,
      "warnings": .array(entry.warnings.map { .string($0) }),
    ]
    var rest = Data((header.text() + "\n").utf8)
    for picture in entry.pictures { rest.append(contentsOf: picture.png) }
    return Data((SHA256.hex(of: rest) + "\n").utf8) + rest
  }

  /// Nil for anything but a whole entry.
  static func decode(_ data: Data) -> Entry? {
    guard let line = data.firstIndex(of: 0x0A) else { return nil }
    let rest = data[(line + 1)...]
    guard String(decoding: data[..<line], as: UTF8.self) == SHA256.hex(of: Data(rest)),
      let end = rest.firstIndex(of: 0x0A),
      let header = try? JSONValue(parsing: Data(rest[..<end]), file: "")
    else { return nil }
    var entry = Entry(sentence: header["sentence"]?.string)
    entry.warnings = (header["warnings"]?.array ?? []).compactMap(\.string)
    var start = end + 1
    for picture in header["pictures"]?.array ?? [] {
      guard let name = picture["name"]?.string, let width = picture["width"]?.integer,
        let height = picture["height"]?.integer, let pixelWidth = picture["pixel_width"]?.integer,
        let pixelHeight = picture["pixel_height"]?.integer, let bytes = picture["bytes"]?.integer, bytes >= 0,
        bytes <= rest.endIndex - start
      else { return nil }
      entry.pictures.append(
        Entry.Picture(
          name: name, width: width, height: height, pixelWidth: pixelWidth, pixelHeight: pixelHeight,
          png: [UInt8](rest[start..<start + bytes])))
      start += bytes
    }
    return start == rest.endIndex ? entry : nil
  }
}
