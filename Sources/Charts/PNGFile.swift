import CPng

/// A decoded PNG: its pixels and its text chunks.
public struct PNGFile: Sendable, Equatable {
  public var width: Int
  public var height: Int
  /// height × width × 4 bytes: red, green, blue, alpha. Empty where only the text was read.
  public var rgba: [UInt8]
  /// tEXt, zTXt and iTXt chunks in file order, as UTF-8.
  public var texts: [ChartMetadata]

  /// The first text with this keyword.
  public func text(_ key: String) -> String? { texts.first { $0.key == key }?.value }

  /// Decodes any kind of PNG to 8-bit RGBA. Throws `ChartsError.png` for what is no PNG, is cut off or is damaged.
  public static func decode(_ bytes: [UInt8]) throws -> PNGFile { try read(bytes, pixels: true) }

  /// Reads size and text alone, up to the image data.
  public static func readTexts(_ bytes: [UInt8]) throws -> PNGFile { try read(bytes, pixels: false) }

  private static func read(_ bytes: [UInt8], pixels: Bool) throws -> PNGFile {
    var image = cpng_image()
    var message = [CChar](repeating: 0, count: Int(CPNG_ERROR_SIZE))
    let status = bytes.withUnsafeBufferPointer {
      cpng_read($0.baseAddress, $0.count, pixels ? 1 : 0, &image, &message)
    }
    guard status == 0 else { throw ChartsError.png(text(of: message)) }
    defer { cpng_release(&image) }
    var texts: [ChartMetadata] = []
    for index in 0..<Int(image.text_count) {
      let chunk = image.texts[index]
      guard let keyword = chunk.keyword, let start = chunk.text else { continue }
      let value = UnsafeRawBufferPointer(start: start, count: chunk.length)
      let text =
        chunk.international != 0
        ? String(decoding: value, as: UTF8.self)
        : String(String.UnicodeScalarView(value.map { Unicode.Scalar($0) }))
      texts.append(ChartMetadata(key: String(cString: keyword), value: text))
    }
    let size = Int(image.width) * Int(image.height) * 4
    let rgba = image.rgba.map { Array(UnsafeBufferPointer(start: $0, count: size)) } ?? []
    return PNGFile(width: Int(image.width), height: Int(image.height), rgba: rgba, texts: texts)
  }

  static func text(of message: [CChar]) -> String {
    String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Writes pictures as palette PNGs: no time chunk, so the same pixels and text give the same bytes.
enum PNGWriter {
  /// ASCII text becomes tEXt, other text iTXt.
  static func encode(_ pixels: PixelGrid, scale: Double, metadata: [ChartMetadata]) throws -> [UInt8] {
    let picture = IndexedPicture(pixels)
    let palette = picture.palette.flatMap { [UInt8($0 >> 16 & 255), UInt8($0 >> 8 & 255), UInt8($0 & 255)] }
    let texts = try metadata.map(TextBuffer.init)
    let chunks = texts.map(\.chunk)
    var out: UnsafeMutablePointer<UInt8>?
    var size = 0
    var message = [CChar](repeating: 0, count: Int(CPNG_ERROR_SIZE))
    // 96 CSS pixels an inch: 3779.5 to the metre at scale 1.
    let density = UInt32((scale * 96 / 0.0254).rounded())
    let status = withExtendedLifetime(texts) {
      cpng_write_indexed(
        picture.indices, UInt32(pixels.width), UInt32(pixels.height), palette, Int32(picture.palette.count), density,
        chunks,
        Int32(chunks.count), &out, &size, &message)
    }
    guard status == 0, let out else { throw ChartsError.png(PNGFile.text(of: message)) }
    defer { cpng_free(out) }
    return Array(UnsafeBufferPointer(start: out, count: size))
  }

  /// Owns the C strings of one text chunk.
  private final class TextBuffer {
    let keyword: UnsafeMutableBufferPointer<CChar>
    let value: UnsafeMutableBufferPointer<CChar>
    let isASCII: Bool

    init(_ entry: ChartMetadata) throws {
      let printable = entry.key.utf8.allSatisfy { (32...126).contains($0) }
      guard (1...79).contains(entry.key.utf8.count), printable, !entry.key.hasPrefix(" "), !entry.key.hasSuffix(" ")
      else { throw ChartsError.metadata(key: entry.key, problem: "not a PNG keyword") }
      guard !entry.value.utf8.contains(0) else {
        throw ChartsError.metadata(key: entry.key, problem: "the value holds a NUL")
      }
      keyword = Self.copy(entry.key)
      value = Self.copy(entry.value)
      isASCII = entry.value.utf8.allSatisfy { $0 < 128 }
    }

    deinit {
      keyword.deallocate()
      value.deallocate()
    }

    var chunk: cpng_text {
      cpng_text(
        keyword: keyword.baseAddress, text: value.baseAddress, length: value.count - 1, international: isASCII ? 0 : 1)
    }

    private static func copy(_ text: String) -> UnsafeMutableBufferPointer<CChar> {
      let bytes = text.utf8.map { CChar(bitPattern: $0) } + [0]
      let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
      _ = buffer.initialize(from: bytes)
      return buffer
    }
  }
}
