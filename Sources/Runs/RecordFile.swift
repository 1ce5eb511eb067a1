import Foundation

/// How the run's records stand in JSON files: snake_case keys, sorted, so that the same record gives the same bytes.
public enum RecordFile {
  static func encoder(pretty: Bool) -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return encoder
  }

  static var decoder: JSONDecoder {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
  }

  public static func write<Record: Encodable>(_ record: Record, to url: URL) throws {
    var data = try encoder(pretty: true).encode(record)
    data.append(0x0A)
    try AtomicFile.write(data, to: url)
  }

  /// One record a line.
  public static func writeLines<Record: Encodable>(_ records: [Record], to url: URL) throws {
    let encoder = encoder(pretty: false)
    var data = Data()
    for record in records {
      data.append(try encoder.encode(record))
      data.append(0x0A)
    }
    try AtomicFile.write(data, to: url)
  }

  /// One record as a line, without its line end.
  public static func line<Record: Encodable>(_ record: Record) throws -> String {
    String(decoding: try encoder(pretty: false).encode(record), as: UTF8.self)
  }

  public static func read<Record: Decodable>(_ type: Record.Type, from url: URL) throws -> Record {
    try decode(type, try contents(url), file: url.relativePath, line: nil)
  }

  /// Reads one record a line. A last line that was cut off (no "\n") is passed over.
  public static func readLines<Record: Decodable>(_ type: Record.Type, from url: URL) throws -> [Record] {
    try decodeLines(type, from: try contents(url), file: url.relativePath)
  }

  /// One record a line, from bytes read before; `file` names them in errors.
  public static func decodeLines<Record: Decodable>(_ type: Record.Type, from data: Data, file: String) throws
    -> [Record]
  {
    var records: [Record] = []
    var start = data.startIndex
    var number = 1
    while let end = data[start...].firstIndex(of: 0x0A) {
      if end > start { records.append(try decode(type, data[start..<end], file: file, line: number)) }
      start = end + 1
      number += 1
    }
    return records
  }

  /// One record, from bytes read before; `file` names them in errors, which end with `remedy`.
  public static func decode<Record: Decodable>(
    _ type: Record.Type, from data: Data, file: String, remedy: String = rewriting
  ) throws -> Record {
    try decode(type, data, file: file, line: nil, remedy: remedy)
  }

  /// What helps where a stage wrote the record.
  public static let rewriting = "run the stage that writes it again"

  /// One record from one line.
  public static func decode<Record: Decodable>(_ type: Record.Type, line: Data) throws -> Record {
    try decode(type, line, file: "line", line: nil)
  }

  private static func contents(_ url: URL) throws -> Data {
    do { return try Data(contentsOf: url) } catch { throw RunsError.unreadable(url.relativePath, error) }
  }

  private static func decode<Record: Decodable>(
    _ type: Record.Type, _ data: Data, file: String, line: Int?, remedy: String = rewriting
  ) throws -> Record {
    do {
      return try decoder.decode(type, from: data)
    } catch let error as DecodingError {
      let place = line.map { "\(file):\($0)" } ?? file
      throw RunsError("\(place): \(explanation(error)); \(remedy)")
    }
  }

  private static func explanation(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "'\((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: "."))' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "'\(path(context))' holds another kind of value than expected"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty ? "not valid JSON" : "'\(path(context))' holds a value that is not known"
    @unknown default: return "not readable"
    }
  }
}

/// Records as lines of a JSON file, one after the other: the same bytes as ``RecordFile/writeLines(_:to:)`` gives.
public final class RecordLines {
  private let encoder = RecordFile.encoder(pretty: false)

  public init() {}

  /// Without a line end.
  public func line<Record: Encodable>(_ record: Record) throws -> Data { try encoder.encode(record) }
}
