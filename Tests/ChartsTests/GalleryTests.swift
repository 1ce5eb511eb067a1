import Foundation
import Testing

@testable import Charts

@Suite struct GalleryTests {
  private static let samples = SampleCharts.all + SampleMeasures.charts

  /// Every sample draws in all variants without a missing glyph or a cut title. With `LORAPRESS_CHART_GALLERY` set to a
  /// folder, the pictures are also written there, to be looked at.
  @Test(arguments: samples.map(\.name))
  func everySampleDraws(name: String) throws {
    let chart = try #require(Self.samples.first { $0.name == name }?.chart)
    let start = Date()
    guard case .picture(let picture) = try chart.render(metadata: []) else {
      Issue.record("\(name) gave a sentence")
      return
    }
    let seconds = Date().timeIntervalSince(start)
    #expect(picture.images.map(\.variant) == ChartVariant.all)
    // A title too long, and one with an emoji.
    #expect(picture.warnings.isEmpty == !["loss-long-title", "norm-ten"].contains(name))
    for image in picture.images {
      let file = try PNGFile.decode(image.png)
      let scale = image.variant.isPhone ? 3 : 2
      #expect(file.width == image.pixelWidth && file.height == image.pixelHeight)
      #expect(image.pixelWidth == image.width * scale && image.pixelHeight == image.height * scale)
      #expect(image.png.count < 150_000)
    }
    guard let folder = ProcessInfo.processInfo.environment["LORAPRESS_CHART_GALLERY"] else { return }
    let place = URL(fileURLWithPath: folder)
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    for image in picture.images {
      try Data(image.png).write(to: place.appendingPathComponent(image.variant.fileName(name)))
    }
    print("\(name): \(Int(seconds * 1000)) ms, \(picture.images.map(\.png.count)) bytes; \(chart.alt)")
  }
}
