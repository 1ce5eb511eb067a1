import Foundation
import Testing

@testable import Charts

extension PNGWriter {
  fileprivate static func encode(
    pixels: [UInt32], width: Int, height: Int, scale: Double, metadata: [ChartMetadata]
  ) throws -> [UInt8] {
    try pixels.withUnsafeBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      return try encode(
        PixelGrid(base: base, width: width, height: height, stride: width), scale: scale, metadata: metadata)
    }
  }
}

extension IndexedPicture {
  fileprivate init(pixels: [UInt32], width: Int, stride: Int? = nil) throws {
    let stride = stride ?? width
    self = try pixels.withUnsafeBufferPointer { buffer in
      IndexedPicture(
        PixelGrid(
          base: try #require(buffer.baseAddress), width: width, height: buffer.count / stride, stride: stride))
    }
  }
}

@Suite struct PNGTests {
  private let metadata = [
    ChartMetadata(key: "Run", value: "korean-textbooks"), ChartMetadata(key: "Source", value: "log/한글 기록.jsonl"),
    ChartMetadata(key: "Source-SHA256", value: String(repeating: "ab", count: 32)),
  ]

  @Test func smallPalettesAreExactAndTextsComeBack() throws {
    let pixels: [UInt32] = (0..<60).map { UInt32($0 * 69_997) & 0xFF_FFFF }
    let png = try PNGWriter.encode(pixels: pixels, width: 10, height: 6, scale: 2, metadata: metadata)
    let file = try PNGFile.decode(png)
    #expect(file.width == 10 && file.height == 6)
    let read: [UInt32] = stride(from: 0, to: file.rgba.count, by: 4).map { (at: Int) -> UInt32 in
      file.rgba[at..<at + 3].reduce(0) { $0 << 8 | UInt32($1) }
    }
    #expect(read == pixels)
    #expect(stride(from: 3, to: file.rgba.count, by: 4).allSatisfy { file.rgba[$0] == 255 })
    #expect(file.texts == metadata)
    #expect(file.text("Source") == "log/한글 기록.jsonl")
    #expect(try PNGFile.readTexts(png).texts == metadata)
    #expect(
      chunkTypes(png).filter { $0 != "IDAT" } == ["IHDR", "sRGB", "PLTE", "pHYs", "tEXt", "iTXt", "tEXt", "IEND"])
  }

  @Test func manyColoursAreReducedAlmostInvisibly() throws {
    var noise = SampleNoise(seed: 5)
    // Antialiased edges: blends of two colours on a white page.
    let pixels: [UInt32] = (0..<40_000).map { index in
      guard index % 4 == 0 else { return 0xFFFFFF }
      let part = noise.next()
      let red = UInt32(255 - part * (255 - 21))
      return red << 16 | UInt32(255 - part * (255 - 85)) << 8 | UInt32(255 - noise.next() * 48)
    }
    let picture = try IndexedPicture(pixels: pixels, width: 200)
    #expect(picture.palette.count == 256)
    #expect(picture.palette[0] == 0xFFFFFF)
    var worst = 0
    for (index, pixel) in zip(picture.indices, pixels) {
      let other = picture.palette[Int(index)]
      for shift in [UInt32(16), 8, 0] {
        worst = max(worst, abs(Int(pixel >> shift & 255) - Int(other >> shift & 255)))
      }
    }
    #expect(worst <= 16)
    #expect(try IndexedPicture(pixels: pixels, width: 400).indices == picture.indices)
  }

  /// Rows alike, colours that run over a row's end, what lies between width and stride, and the byte that Cairo leaves open.
  @Test func everyPixelKeepsItsColour() throws {
    let rows: [[UInt32]] = [[1, 1, 2], [1, 1, 2], [2, 2, 2], [2, 2, 2], [3, 1, 1], [1, 1, 2]]
    let memory = rows.flatMap { row -> [UInt32] in row.map { $0 | 0x7F00_0000 } + [9, 9] }
    let picture = try IndexedPicture(pixels: memory, width: 3, stride: 5)
    #expect(picture.indices.map { picture.palette[Int($0)] } == rows.flatMap { $0 })
    #expect(picture.palette == [2, 1, 3])
  }

  @Test func damagedFilesGiveAnError() throws {
    let pixels = [UInt32](repeating: 0x123456, count: 64)
    let png = try PNGWriter.encode(pixels: pixels, width: 8, height: 8, scale: 2, metadata: metadata)
    // One check for all lengths: an expectation each would collect hundreds of backtraces.
    let read = (0..<(png.count - 12)).filter { (try? PNGFile.decode(Array(png[..<$0]))) != nil }
    #expect(read.isEmpty)
    #expect(throws: ChartsError.png("not a PNG file")) { try PNGFile.decode(Array("<html>, no picture".utf8)) }
    for index in stride(from: 0, to: png.count, by: 5) {
      var damaged = png
      damaged[index] ^= 0x55
      // Any outcome but a crash; a flipped bit in an ancillary chunk may pass.
      _ = try? PNGFile.decode(damaged)
    }
    var huge = png
    huge.replaceSubrange(16..<20, with: [0x7F, 0xFF, 0xFF, 0xFF])
    #expect(throws: ChartsError.self) { try PNGFile.decode(huge) }
  }

  @Test func badKeywordsAreRefused() {
    for (key, value) in [("", "x"), (String(repeating: "k", count: 80), "x"), ("키", "x"), (" k", "x"), ("k", "a\0b")] {
      #expect(throws: ChartsError.self) {
        try PNGWriter.encode(
          pixels: [0], width: 1, height: 1, scale: 1, metadata: [ChartMetadata(key: key, value: value)])
      }
    }
  }

  private func chunkTypes(_ png: [UInt8]) -> [String] {
    var types: [String] = []
    var offset = 8
    while offset + 8 <= png.count {
      let length = png[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
      types.append(String(decoding: png[offset + 4..<offset + 8], as: UTF8.self))
      offset += 12 + length
    }
    return types
  }
}
