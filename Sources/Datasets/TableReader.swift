import Formats
import Foundation
import Runs

/// Reads a whole data file at once: for files that are small, or of which every row is needed in memory.
public enum TableReader {
  /// Reads one file by its name's ending. `name` is what errors and rows call it.
  public static func read(_ url: URL, name: String) throws -> RawTable {
    let reader = try DataFile.open(url, name: name)
    var values: [JSONValue] = []
    while let value = try reader.next() { values.append(value) }
    if values.isEmpty {
      throw DatasetsError(
        file: name, reader.isEmpty ? "is empty" : "holds no rows",
        remedy: "give it at least one question with its answer")
    }
    return RawTable(file: name, container: reader.container, values: values)
  }
}
