import Foundation
import Runs

/// A TensorBoard event file of scalars and one text: frames (``TensorBoardRecord``) around protobuf `Event` messages, as tensorboard's own reader
/// expects them.
final class TensorBoardLog {
  private let handle: FileHandle
  private let url: URL

  /// Starts the file anew with the settings (Markdown, under the tag that transformers' callback uses) and the events so far; later ones
  /// are appended.
  init(_ url: URL, settings: String, events: [MetricsEvent], startTime: Double) throws {
    self.url = url
    var data = TensorBoardRecord.frame(Self.versionEvent(time: startTime))
    if !settings.isEmpty {
      data.append(TensorBoardRecord.frame(Self.textEvent(tag: "args/text_summary", text: settings, time: startTime)))
    }
    for event in events { data.append(Self.frames(of: event)) }
    try AtomicFile.write(data, to: url)
    do {
      handle = try FileHandle(forWritingTo: url)
      try handle.seekToEnd()
    } catch { throw RunsError.unreadable(url.path, error) }
  }

  deinit { try? handle.close() }

  func append(_ event: MetricsEvent) throws {
    do { try handle.write(contentsOf: Self.frames(of: event)) } catch {
      throw RunsError(
        "\(url.path): can't be written (\(RunsError.reason(error))); free some space or choose another place with --output DIR"
      )
    }
  }

  private static func frames(of event: MetricsEvent) -> Data {
    let prefix = event.split.rawValue
    let scalars: [(String, Double?)] = [
      ("\(prefix)/loss", event.loss), ("\(prefix)/learning_rate", event.learningRate),
      ("\(prefix)/grad_norm", event.gradNorm),
      ("\(prefix)/tokens_per_second", event.tokensPerSecond),
    ]
    return scalars.reduce(into: Data()) { data, scalar in
      guard let value = scalar.1 else { return }
      let payload = scalarEvent(tag: scalar.0, value: Float(value), step: event.step, time: event.time ?? 0)
      data.append(TensorBoardRecord.frame(payload))
    }
  }

  // MARK: Protobuf, by field number of tensorflow's event.proto and summary.proto

  private static func versionEvent(time: Double) -> Data {
    fixed64(field: 1, time.bitPattern) + bytes(field: 3, Data("brain.Event:2".utf8))
  }

  private static func scalarEvent(tag: String, value: Float, step: Int, time: Double) -> Data {
    let summaryValue = bytes(field: 1, Data(tag.utf8)) + fixed32(field: 2, value.bitPattern)
    let summary = bytes(field: 1, summaryValue)
    return fixed64(field: 1, time.bitPattern) + varint(UInt64(2 << 3)) + varint(UInt64(step)) + bytes(field: 5, summary)
  }

  /// A tensor of one string, which the text plugin shows as Markdown.
  private static func textEvent(tag: String, text: String, time: Double) -> Data {
    let stringType: UInt64 = 7
    let shape = bytes(field: 2, varint(1 << 3) + varint(1))
    let tensor = varint(1 << 3) + varint(stringType) + bytes(field: 2, shape) + bytes(field: 8, Data(text.utf8))
    let metadata = bytes(field: 1, bytes(field: 1, Data("text".utf8)))
    let value = bytes(field: 1, Data(tag.utf8)) + bytes(field: 9, metadata) + bytes(field: 8, tensor)
    return fixed64(field: 1, time.bitPattern) + bytes(field: 5, bytes(field: 1, value))
  }

  private static func varint(_ value: UInt64) -> Data {
    var value = value
    var data = Data()
    while value >= 0x80 {
      data.append(UInt8(value & 0x7F) | 0x80)
      value >>= 7
    }
    data.append(UInt8(value))
    return data
  }

  private static func fixed64(field: UInt64, _ bits: UInt64) -> Data {
    varint(field << 3 | 1) + TensorBoardRecord.littleEndian(bits)
  }
  private static func fixed32(field: UInt64, _ bits: UInt32) -> Data {
    varint(field << 3 | 5) + TensorBoardRecord.littleEndian(bits)
  }
  private static func bytes(field: UInt64, _ payload: Data) -> Data {
    varint(field << 3 | 2) + varint(UInt64(payload.count)) + payload
  }
}
