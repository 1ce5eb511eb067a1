import Checkpoints
import Compute
import Models
import Tokenizers

/// Tensors by GGUF's names and in its order of rows: of Llama's q and k each head's rows lie in pairs (0, half, 1, half + 1 …).
struct GGUFRows {
  private let configuration: DecoderConfiguration

  init(_ configuration: DecoderConfiguration) { self.configuration = configuration }

  /// The same tensor for a GGUF file.
  func tensor(_ tensor: TensorOutput) -> TensorOutput {
    let permutes = isPermuted(tensor.name)
    return TensorOutput(name: GGUFNames.gguf(tensor.name), shape: tensor.shape, type: tensor.type) {
      let values = try tensor.values()
      return permutes ? paired(values, rows: tensor.shape.first ?? 0) : values
    }
  }

  func isPermuted(_ name: String) -> Bool {
    configuration.family == .llama && (name.contains(".q_proj") || name.contains(".k_proj"))
  }

  /// Rows of whole heads, each head's two halves dealt out in turn. A bias is a column.
  func paired(_ values: [Float], rows: Int) -> [Float] {
    let width = values.count / max(rows, 1)
    let size = configuration.headSize
    var result: [Float] = []
    result.reserveCapacity(values.count)
    for row in 0..<rows {
      let (head, inner) = (row / size, row % size)
      let source = head * size + inner / 2 + inner % 2 * (size / 2)
      result += values[source * width..<(source + 1) * width]
    }
    return result
  }

  /// Llama 3's scaling of the rotary frequencies, which a GGUF file holds as one divisor each; nothing for others.
  func frequencyFactors(of decoder: Decoder) -> [TensorOutput] {
    let factors = decoder.frequencyFactors
    guard factors.contains(where: { $0 != 1 }) else { return [] }
    return [TensorOutput(name: "rope_freqs.weight", shape: [factors.count], values: factors)]
  }
}

extension TokenizerSource {
  /// `tokenizer.ggml.…` and the chat template.
  var ggufMetadata: [(key: String, value: GGUFValue)] {
    var entries: [(key: String, value: GGUFValue)] = [
      ("tokenizer.ggml.model", .string(model)), ("tokenizer.ggml.pre", .string(pre)),
      ("tokenizer.ggml.tokens", .array(GGUFArray(tokens))),
    ]
    if !types.isEmpty { entries.append(("tokenizer.ggml.token_type", .array(GGUFArray(types)))) }
    entries.append(("tokenizer.ggml.merges", .array(GGUFArray(merges))))
    for (key, id) in [("bos", bosID), ("eos", eosID), ("padding", padID)] {
      if let id, let number = UInt32(exactly: id) {
        entries.append(("tokenizer.ggml.\(key)_token_id", .uint32(number)))
      }
    }
    entries.append(("tokenizer.ggml.add_bos_token", .bool(addsBOS)))
    if let chatTemplate { entries.append(("tokenizer.chat_template", .string(chatTemplate))) }
    return entries
  }
}
