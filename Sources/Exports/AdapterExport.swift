import Checkpoints
import Foundation
import Models

/// Writes an adapter alone.
public enum AdapterExport {
  /// The adapter as a GGUF file, which llama.cpp puts on the base model's (`--lora`). Needs no weight of the base.
  ///
  /// The file has one alpha for all layers: where a layer's scaling is another than alpha / r (`use_rslora`, `rank_pattern`,
  /// `alpha_pattern`), its B carries the rest.
  public static func writeGGUF(
    _ adapter: PEFTAdapter, configuration: DecoderConfiguration, name: String, to file: URL
  ) throws {
    let settings = adapter.configuration
    if settings.useDoRA || !adapter.modules.isEmpty {
      let what = settings.useDoRA ? "DoRA's magnitudes" : "modules trained whole (modules_to_save)"
      throw ModelError(
        "\(file.path): \(what) have no place in a GGUF adapter; write the merged model with `lorapress export gguf`")
    }
    let rows = GGUFRows(configuration)
    var tensors: [TensorOutput] = []
    for pair in adapter.pairs {
      let module = GGUFNames.gguf("\(pair.module).weight")
      let rest = Float(try settings.scaling(of: pair.module) * Double(pair.rank) / settings.alpha)
      let b = rest == 1 ? pair.b : pair.b.map { $0 * rest }
      tensors.append(TensorOutput(name: "\(module).lora_a", shape: [pair.rank, pair.inputs], values: pair.a))
      tensors.append(
        TensorOutput(
          name: "\(module).lora_b", shape: [pair.outputs, pair.rank],
          values: rows.isPermuted(pair.module) ? rows.paired(b, rows: pair.outputs) : b))
    }
    try GGUFWriter.write(
      metadata: [
        ("general.architecture", .string(configuration.family.rawValue)), ("general.type", .string("adapter")),
        ("general.name", .string(name)), ("general.file_type", .uint32(0)), ("adapter.type", .string("lora")),
        ("adapter.lora.alpha", .float32(Float(settings.alpha))),
      ], tensors: tensors, to: file)
  }
}
