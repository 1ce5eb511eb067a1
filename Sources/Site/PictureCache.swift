import Charts
import Formats
import Foundation
import Runs

/// Drawn charts and cards, kept from one rendering to the next, since drawing them is nearly all of its time.
///
/// Only pictures are kept: titles, alt texts and tables are made anew from the data each time. An entry is named by the hash of
/// everything its pictures depend on, so a changed log, title or program finds none.
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

  private let store: CacheStore?

  /// Without a store everything is drawn.
  init(store: CacheStore?) { self.store = store }

  /// The hash of the program and of a small chart it draws: another version of it, of the drawing libraries or of the fonts has
  /// another one, and gets no old picture. Nil where the program can't be read.
  private static let drawing: String? = {
    guard let program = try? SHA256.hex(ofFile: URL(fileURLWithPath: "/proc/self/exe")) else { return nil }
    let text = ChartText(title: "다람쥐 헌 쳇바퀴에 타고파 Quick 0123456789 −≤%", source: "probe", language: .ko)
    let points = (0..<3).map { ChartPoint(step: $0, value: 1 / Double($0 + 1)) }
    guard
      case .picture(let picture)? = try? LearningRateChart(text: text, points: points, resumes: [], epochs: [])
        .render(metadata: [])
    else { return nil }
    return CacheStore.key([program] + picture.images.map { SHA256.hex(of: Data($0.png)) })
  }()

  /// The entry of `key`, drawn where there is none yet.
  func entry(_ key: [String], draw: () throws -> Entry) throws -> Entry {
    guard let store, let drawing = Self.drawing else { return try draw() }
    let name = CacheStore.key([drawing] + key)
    if let data = store.data("pictures", name), let kept = Self.decode(data) { return kept }
    let entry = try draw()
    store.keep(Self.encode(entry), "pictures", name)
    return entry
  }

  // MARK: File

  /// A line of JSON, then the pictures' bytes one after the other.
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
    var data = Data((header.text() + "\n").utf8)
    for picture in entry.pictures { data.append(contentsOf: picture.png) }
    return data
  }

  /// Nil for anything but a whole entry.
  static func decode(_ rest: Data) -> Entry? {
    guard let end = rest.firstIndex(of: 0x0A), let header = try? JSONValue(parsing: Data(rest[..<end]), file: "")
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
