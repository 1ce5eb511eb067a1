import Formats
import Foundation

/// Numbers of one run on their way into a page, each noted in the ledger with its place.
struct Tracer {
  let run: RunData
  let words: SiteWords
  let ledger: Ledger

  /// The value at a place, shown in a format.
  func value(_ path: String, _ pointer: String, _ format: ValueFormat) throws -> Rich {
    let document = try run.document(path)
    guard let value = document.value(at: pointer) else {
      throw SiteError("\(path) of run \(run.id) holds nothing at \"\(pointer)\"")
    }
    let source = Derivation.source(Reference(run: run.id, path: path, pointer: pointer), value: value, in: document)
    return rich(try Derivation.measured(source, value, format, language: words.language))
  }

  /// The result of an operation on the values at some places.
  func computed(_ operation: String, _ places: [(path: String, pointer: String)], _ format: ValueFormat) throws -> Rich
  {
    var inputs: [JSONValue] = []
    var sources: [Trace.Source] = []
    for place in places {
      let document = try run.document(place.path)
      guard let value = document.value(at: place.pointer) else {
        throw SiteError("\(place.path) of run \(run.id) holds nothing at \"\(place.pointer)\"")
      }
      let reference = Reference(run: run.id, path: place.path, pointer: place.pointer)
      inputs.append(value)
      sources.append(
        Derivation.isOverFile(operation)
          ? Trace.Source(reference: reference, raw: "", step: nil)
          : Derivation.source(reference, value: value, in: document))
    }
    let result = try Derivation.value(operation, inputs)
    return rich(try Derivation.trace(operation, result, format, sources: sources, language: words.language))
  }

  private func rich(_ trace: Trace) -> Rich {
    ledger.add(trace)
    return trace.rich(words)
  }
}
