import CYaml
import Foundation

extension YAMLNode {
  /// Reads one YAML document with libyaml. Duplicate keys, anchors and a second document are errors.
  public init(parsing text: String, file: String, firstLine: Int = 1) throws(FormatError) {
    let source = try YAMLSource(text: text, file: file, firstLine: firstLine)
    guard let node = try source.document() else {
      throw FormatError(file: file, line: firstLine, message: "empty, where YAML was expected")
    }
    self = node
  }
}

/// Owns libyaml's parser and the bytes it reads.
private final class YAMLSource {
  private static let deepest = 64

  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let file: String
  private let firstLine: Int

  init(text: String, file: String, firstLine: Int) throws(FormatError) {
    self.file = file
    self.firstLine = firstLine
    let utf8 = Array(text.utf8)
    input = .allocate(capacity: utf8.count)
    _ = input.initialize(from: utf8)
    guard yaml_parser_initialize(parser) == 1 else {
      throw FormatError(file: file, message: "no memory for the YAML parser")
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    input.deallocate()
  }

  /// What an event says that a node needs; libyaml's own memory is freed when it was read.
  private struct Event {
    let type: yaml_event_type_t
    let line: Int
    let column: Int
    var value = ""
    var quoted = false
    var anchored = false
  }

  private func next() throws(FormatError) -> Event {
    var raw = yaml_event_t()
    guard yaml_parser_parse(parser, &raw) == 1 else {
      let mark = parser.pointee.problem_mark
      let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not readable"
      throw FormatError(
        file: file, line: Int(mark.line) + firstLine, column: Int(mark.column) + 1,
        message: "not valid YAML: \(problem)")
    }
    defer { yaml_event_delete(&raw) }
    var event = Event(
      type: raw.type, line: Int(raw.start_mark.line) + firstLine, column: Int(raw.start_mark.column) + 1)
    switch raw.type {
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      event.value = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      event.quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE
      event.anchored = scalar.anchor != nil
    case YAML_SEQUENCE_START_EVENT: event.anchored = raw.data.sequence_start.anchor != nil
    case YAML_MAPPING_START_EVENT: event.anchored = raw.data.mapping_start.anchor != nil
    case YAML_ALIAS_EVENT: event.anchored = true
    default: break
    }
    return event
  }

  func document() throws(FormatError) -> YAMLNode? {
    var result: YAMLNode?
    while true {
      let event = try next()
      switch event.type {
      case YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT, YAML_DOCUMENT_END_EVENT: continue
      case YAML_STREAM_END_EVENT: return result
      default:
        if result != nil {
          throw FormatError(file: file, line: event.line, message: "a second YAML document; only one is read here")
        }
        result = try node(event, depth: 0)
      }
    }
  }

  private func node(_ event: Event, depth: Int) throws(FormatError) -> YAMLNode {
    func failure(_ message: String) -> FormatError {
      FormatError(file: file, line: event.line, column: event.column, message: message)
    }
    if event.anchored { throw failure("YAML anchors and aliases (& and *) are not supported; write the value out") }
    guard depth < Self.deepest else { throw failure("nested more than \(Self.deepest) levels deep") }
    switch event.type {
    case YAML_SCALAR_EVENT:
      return YAMLNode(.scalar(event.value, quoted: event.quoted), line: event.line, column: event.column)
    case YAML_SEQUENCE_START_EVENT:
      var nodes: [YAMLNode] = []
      while true {
        let inner = try next()
        if inner.type == YAML_SEQUENCE_END_EVENT { break }
        nodes.append(try node(inner, depth: depth + 1))
      }
      return YAMLNode(.sequence(nodes), line: event.line, column: event.column)
    case YAML_MAPPING_START_EVENT:
      var entries: [YAMLNode.Entry] = []
      var seen: Set<String> = []
      while true {
        let inner = try next()
        if inner.type == YAML_MAPPING_END_EVENT { break }
        let key = try node(inner, depth: depth + 1)
        guard let name = key.string else {
          throw FormatError(
            file: file, line: inner.line, column: inner.column, message: "a key must be a word or a text")
        }
        if !seen.insert(name).inserted {
          throw FormatError(
            file: file, line: inner.line, column: inner.column, message: "the key '\(name)' stands here twice")
        }
        entries.append(YAMLNode.Entry(key: key, value: try node(try next(), depth: depth + 1)))
      }
      return YAMLNode(.mapping(entries), line: event.line, column: event.column)
    default: throw failure("not valid YAML here")
    }
  }
}
