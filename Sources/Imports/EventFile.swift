import Foundation
import Runs

/// The scalars and texts of one TensorBoard event file, by field number of tensorflow's event.proto, summary.proto and tensor.proto.
struct EventFile {
  struct Scalar {
    var tag: String
    var step: Int
    /// Seconds since 1970, nil where it is no date.
    var time: Double?
    /// Nil for NaN and the infinities.
    var value: Double?
  }

  private(set) var scalars: [Scalar] = []
  /// Of the text plugin, by tag; the last one counts.
  private(set) var texts: [String: String] = [:]
  /// Where the last record begins if the file ends inside it.
  private(set) var cutOffAt: Int?
  /// Values that are neither scalars nor texts: pictures, histograms, graphs.
  private(set) var leftOut = 0
  private(set) var badTimes = 0
  private(set) var firstTime: Double?
  private(set) var lastTime: Double?
  /// A tag's plugin, which only its first value names.
  private var plugins: [String: String] = [:]

  /// Steps beyond this are no steps of a training.
  static let mostSteps = 1_000_000_000_000
  /// 2100-01-01.
  private static let latest = 4_102_444_800.0

  /// `name` stands for the file in errors.
  init(_ data: Data, name: String) throws {
    var frames = TensorBoardRecordReader(data, file: name)
    var begin = 0
    while let payload = try frames.next() {
      try readEvent(payload, place: "\(name): record at byte \(begin)")
      begin = frames.offset
    }
    cutOffAt = frames.cutOffAt
  }

  private mutating func readEvent(_ payload: Data, place: String) throws {
    var reader = ProtobufReader(payload, place: place)
    var time = 0.0
    var step: Int64 = 0
    var summaries: [Data] = []
    while let (field, value) = try reader.next() {
      switch field {
      case 1: time = value.double ?? 0
      case 2: step = value.varint.map { Int64(bitPattern: $0) } ?? 0
      case 5: value.bytes.map { summaries.append($0) }
      case 4, 9: leftOut += 1
      default: break
      }
    }
    let isDate = time.isFinite && time > 0 && time < Self.latest
    if !isDate { badTimes += 1 }
    if isDate {
      firstTime = min(firstTime ?? time, time)
      lastTime = max(lastTime ?? time, time)
    }
    for summary in summaries {
      guard (0...Int64(Self.mostSteps)).contains(step) else {
        throw RunsError(
          "\(place): the step is \(step); steps run from 0 to \(Self.mostSteps), so the file is damaged or of something else"
        )
      }
      var reader = ProtobufReader(summary, place: place)
      while let (field, value) = try reader.next() {
        guard field == 1, let value = value.bytes else { continue }
        try readValue(value, step: Int(step), time: isDate ? time : nil, place: place)
      }
    }
  }

  private mutating func readValue(_ data: Data, step: Int, time: Double?, place: String) throws {
    var reader = ProtobufReader(data, place: place)
    var tag = ""
    var number: Double?
    var tensor: EventTensor?
    while let (field, value) = try reader.next() {
      switch field {
      case 1: tag = value.text ?? ""
      case 2: number = value.float.map(Self.recorded)
      case 8: tensor = try value.bytes.map { try EventTensor($0, place: place) }
      case 9:
        if let plugin = try value.bytes.flatMap({ try Self.plugin($0, place: place) }) { plugins[tag] = plugin }
      default: break
      }
    }
    let plugin = plugins[tag]
    if let tensor {
      if plugin == "text" || (plugin == nil && tensor.text != nil), let text = tensor.text {
        texts[tag] = text
        return
      }
      if plugin == nil || plugin == "scalars" { number = tensor.number }
    }
    guard let number, !tag.isEmpty else {
      leftOut += 1
      return
    }
    scalars.append(Scalar(tag: tag, step: step, time: time, value: number.isFinite ? number : nil))
  }

  private static func plugin(_ metadata: Data, place: String) throws -> String? {
    var reader = ProtobufReader(metadata, place: place)
    while let (field, value) = try reader.next() {
      guard field == 1, let data = value.bytes else { continue }
      var inner = ProtobufReader(data, place: place)
      while let (field, value) = try inner.next() {
        if field == 1 { return value.text }
      }
    }
    return nil
  }

  /// A float as the number with the fewest digits that is the same float: 0.1, not 0.10000000149011612.
  static func recorded(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
}

/// What a TensorProto of one element holds.
struct EventTensor {
  private(set) var number: Double?
  private(set) var text: String?

  init(_ data: Data, place: String) throws {
    var reader = ProtobufReader(data, place: place)
    var type: UInt64 = 0
    var content: Data?
    var values: [Double] = []
    var texts: [String] = []
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .varint(let code)): type = code
      case (4, .bytes(let bytes)): content = bytes
      case (5, .fixed32(let bits)): values.append(EventFile.recorded(Float(bitPattern: bits)))
      case (6, .fixed64(let bits)): values.append(Double(bitPattern: bits))
      case (5, .bytes(let bytes)) where bytes.count == 4: values.append(Self.float(bytes))
      case (6, .bytes(let bytes)) where bytes.count == 8: values.append(Double(bitPattern: Self.bits(bytes)))
      case (7, .varint(let bits)), (10, .varint(let bits)): values.append(Double(Int64(bitPattern: bits)))
      case (8, .bytes(let bytes)): texts.append(String(decoding: bytes, as: UTF8.self))
      // A packed list.
      case (7, .bytes(let bytes)), (10, .bytes(let bytes)):
        values += Self.varints(bytes)
      default: break
      }
    }
    if values.isEmpty, let content { values = Self.value(content, type: type).map { [$0] } ?? [] }
    number = values.count == 1 ? values[0] : nil
    text = type == 7 ? texts.first : nil
  }

  /// The one element of raw content, by its type's number: 1 float, 2 double, 3 int32, 9 int64.
  private static func value(_ content: Data, type: UInt64) -> Double? {
    switch (type, content.count) {
    case (1, 4): float(content)
    case (2, 8): Double(bitPattern: bits(content))
    case (3, 4): Double(Int32(bitPattern: UInt32(truncatingIfNeeded: bits(content))))
    case (9, 8): Double(Int64(bitPattern: bits(content)))
    default: nil
    }
  }

  private static func bits(_ data: Data) -> UInt64 { data.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

  private static func float(_ data: Data) -> Double {
    EventFile.recorded(Float(bitPattern: UInt32(truncatingIfNeeded: bits(data))))
  }

  private static func varints(_ data: Data) -> [Double] {
    var result: [Double] = []
    var value: UInt64 = 0
    var shift: UInt64 = 0
    for byte in data where shift < 64 {
      value |= UInt64(byte & 0x7F) << shift
      shift += 7
      if byte < 0x80 {
        result.append(Double(Int64(bitPattern: value)))
        (value, shift) = (0, 0)
      }
    }
    return result
  }
}
