import Compute
import Models

/// Where a loss or a gradient that is no number comes from.
enum Divergence {
  /// In words: the first of `rows` whose own loss or gradient is not finite, and the parameter (by PEFT's name) where it shows first.
  ///
  /// Each row goes through the model alone, without dropout and noise. The adapter's gradients are overwritten.
  static func find(_ session: DecoderSession, _ adapter: LoraAdapter, rows: [TokenizedExample]) -> String {
    let backend = session.decoder.backend
    func first(_ tensors: [(name: String, numbers: Matrix)]) -> String? {
      tensors.first { !backend.sumOfSquares($0.numbers).isFinite }.map { "base_model.model.\($0.name)" }
    }
    let parameter = first(adapter.tensors.map { ($0.name, $0.parameter) })
    // Backward runs from the last layer to the first, and what is no number spreads from there.
    func gradient() -> String? { first(adapter.tensors.reversed().map { ($0.name, $0.gradient) }) }
    var place = "first in the gradient of " + (gradient() ?? "no single parameter, but in their sum")
    var row = "training rows " + rows.map(name).joined(separator: ", ")
    for example in rows {
      adapter.gradients.fill(0)
      let losses = session.lossesAndGradients(PackedBatch([example]), gradientScale: 1, dropoutSeed: nil)
      let own = gradient()
      guard own != nil || !losses.allSatisfy(\.isFinite) else { continue }
      row = "training row \(name(example))"
      if let own { place = "first in the gradient of \(own)" }
      break
    }
    if let parameter { place = "first in the parameter \(parameter)" }
    return "\(place) (\(row))"
  }

  private static func name(_ row: TokenizedExample) -> String {
    row.line.map { "dataset/train.jsonl:\($0)" } ?? "of \(row.count) tokens"
  }
}
