import Foundation

/// CSV and TSV as RFC 4180 has them: fields in double quotes may hold separators, line ends and doubled quotes. Lines end at CRLF, LF
/// or CR; a byte-order mark and empty lines are passed over; a quote inside an unquoted field is a plain character.
struct DelimitedText {
  struct Record: Equatable {
    /// The line it begins at, from 1.
    var line: Int
    var fields: [String]
  }

  private let scalars: [Unicode.Scalar]
  private let file: String
  private let separator: Unicode.Scalar
  private var at = 0
  private var line = 1

  init(data: Data, file: String, separator: Unicode.Scalar) {
    var scalars = Array(String(decoding: data, as: UTF8.self).unicodeScalars)
    if scalars.first == "\u{FEFF}" { scalars.removeFirst() }
    self.scalars = scalars
    self.file = file
    self.separator = separator
  }

  func records() throws(DatasetsError) -> [Record] {
    var reader = self
    var records: [Record] = []
    while let record = try reader.next() {
      // An empty line is a record of one empty field that had no quotes.
      if record.fields != [""] { records.append(record) }
    }
    return records
  }

  private var here: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

  private mutating func next() throws(DatasetsError) -> Record? {
    guard here != nil else { return nil }
    var record = Record(line: line, fields: [])
    while true {
      record.fields.append(here == "\"" ? try quoted() : plain())
      if here == separator {
        at += 1
      } else {
        endLine()
        return record
      }
    }
  }

  private mutating func endLine() {
    guard let end = here else { return }
    at += 1
    if end == "\r", here == "\n" { at += 1 }
    line += 1
  }

  private mutating func plain() -> String {
    var field = String.UnicodeScalarView()
    while let scalar = here, scalar != separator, scalar != "\n", scalar != "\r" {
      field.append(scalar)
      at += 1
    }
    return String(field)
  }

  private mutating func quoted() throws(DatasetsError) -> String {
    let start = line
    var field = String.UnicodeScalarView()
    at += 1
    while let scalar = here {
      at += 1
      if scalar != "\"" {
        if scalar == "\n" || (scalar == "\r" && here != "\n") { line += 1 }
        field.append(scalar)
      } else if here == "\"" {
        field.append("\"")
        at += 1
      } else {
        guard here == nil || here == separator || here == "\n" || here == "\r" else {
          throw DatasetsError(
            file: file, line: line, "text after the closing double quote of a field",
            remedy: "double the quotes inside a quoted field")
        }
        return String(field)
      }
    }
    throw DatasetsError(
      file: file, line: start, "a double quote opened here is never closed", remedy: "close it, or double it")
  }
}
