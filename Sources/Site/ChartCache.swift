import Charts
import Foundation
import Runs
import Synchronization

/// Drawn charts, kept from one build to the next: drawing is what a build spends its time on.
///
/// Only the pictures are kept. Titles, alt texts and tables are made anew from the data each time.
final class ChartCache: Sendable {
  private let store: CacheStore?

  /// Without a store every chart is drawn.
  init(store: CacheStore?) { self.store = store }

  /// What `chart.render(metadata:)` gives, drawn or from the cache.
  /// - Parameters:
  ///   - name: the kind of chart, "loss".
  ///   - runs: every run that it shows: the hashes of their files are part of its key.
  ///   - options: whatever else the drawing depends on.
  func outcome(
    of chart: any Chart, name: String, runs: [RunData], options: [String] = [], metadata: [ChartMetadata]
  ) throws -> ChartOutcome {
    guard let store, let drawing = Self.drawing else { return try chart.render(metadata: metadata) }
    var parts = [drawing, name, String(reflecting: type(of: chart)), chart.title, chart.alt]
    let text = chart.text
    parts += [text.title ?? "\0", text.subtitle ?? "\0", text.source, text.run ?? "\0", text.language.rawValue]
    parts += metadata.flatMap { [$0.key, $0.value] } + ["options"] + options
    for run in runs {
      parts += ["run", run.id] + run.hashes.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
    }
    let key = CacheStore.key(parts)
    if let data = store.data("charts", key), let outcome = Self.decode(data) { return outcome }
    let outcome = try chart.render(metadata: metadata)
    if let data = Self.encode(outcome) { store.keep(data, "charts", key) }
    return outcome
  }

  // MARK: What draws

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

  // MARK: As a file

  private struct Record: Codable {
    struct Image: Codable {
      var isPhone: Bool
      var isDark: Bool
      var width: Int
      var height: Int
      var pixelWidth: Int
      var pixelHeight: Int
      var bytes: Int
    }
    var sentence: String?
    var warnings: [String] = []
    var images: [Image] = []
  }

  /// A line of JSON, then the pictures one after the other.
  static func encode(_ outcome: ChartOutcome) -> Data? {
    var record = Record()
    var pictures = Data()
    switch outcome {
    case .sentence(let sentence): record.sentence = sentence
    case .picture(let picture):
      record.warnings = picture.warnings
      for image in picture.images {
        record.images.append(
          Record.Image(
            isPhone: image.variant.isPhone, isDark: image.variant.isDark, width: image.width, height: image.height,
            pixelWidth: image.pixelWidth, pixelHeight: image.pixelHeight, bytes: image.png.count))
        pictures.append(contentsOf: image.png)
      }
    }
    guard var data = try? JSONEncoder().encode(record) else { return nil }
    data.append(0x0A)
    return data + pictures
  }

  static func decode(_ data: Data) -> ChartOutcome? {
    guard let end = data.firstIndex(of: 0x0A), let record = try? JSONDecoder().decode(Record.self, from: data[..<end])
    else { return nil }
    if let sentence = record.sentence { return .sentence(sentence) }
    var rest = data[(end + 1)...]
    var images: [ChartImage] = []
    for image in record.images {
      guard image.bytes >= 0, image.bytes <= rest.count else { return nil }
      images.append(
        ChartImage(
          variant: ChartVariant(isPhone: image.isPhone, isDark: image.isDark), width: image.width,
          height: image.height,
          pixelWidth: image.pixelWidth, pixelHeight: image.pixelHeight, png: [UInt8](rest.prefix(image.bytes))))
      rest = rest.dropFirst(image.bytes)
    }
    return rest.isEmpty ? .picture(ChartPicture(images: images, warnings: record.warnings)) : nil
  }
}
