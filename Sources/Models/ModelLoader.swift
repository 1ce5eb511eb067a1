import Checkpoints
import Compute
import Foundation
import Formats

/// A model's weights on disk: a GGUF file or a Hugging Face folder.
public enum ModelFile: Sendable {
  case gguf(GGUFFile)
  case folder(SafetensorsFolder, configuration: DecoderConfiguration)

  /// Opens a file or folder and checks its tables; no weight is read yet.
  public init(path: String) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(
        "\(path): no such file or folder; give a GGUF file, a Hugging Face folder, or a name that `lorapress model list` shows"
      )
    }
    if isFolder.boolValue {
      let file = path + "/config.json"
      guard let data = FileManager.default.contents(atPath: file) else {
        throw ModelError("\(file): can't be read; a Hugging Face folder needs config.json beside its model.safetensors")
      }
      let configuration = try DecoderConfiguration(json: JSONValue(parsing: data, file: file), file: file)
      self = .folder(try SafetensorsFolder(path), configuration: configuration)
    } else {
      self = .gguf(try GGUFFile(path))
    }
  }

  public var source: any TensorSource {
    switch self {
    case .gguf(let file): file
    case .folder(let folder, _): folder
    }
  }

  public func configuration() throws -> DecoderConfiguration {
    switch self {
    case .gguf(let file): try DecoderConfiguration(gguf: file)
    case .folder(_, let configuration): configuration
    }
  }

  /// Whether bitsandbytes quantised the layers to NF4 before.
  public var holdsNF4: Bool {
    if case .folder(let folder, _) = self { folder.holdsNF4 } else { false }
  }

  /// The tensor types of the file, the most frequent first: "Q5_0 + F32 + Q8_0".
  public var weightTypes: String {
    var counts: [String: Int] = [:]
    let isQuantised = holdsNF4
    for tensor in source.tensors {
      // Bytes are codes there, or belong to them.
      let name = isQuantised && tensor.type == .u8 ? "NF4" : tensor.type.rawValue.uppercased()
      counts[name, default: 0] += tensor.count
    }
    return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key).joined(separator: " + ")
  }
}

/// How the matrices of a model are held, and with that what its products compute in.
public enum WeightPrecision: Sendable, Equatable {
  /// float32 throughout.
  case f32
  /// bfloat16, multiplied by the CPU's bfloat16 instructions with float32 sums.
  case bf16
  /// Rounded to bfloat16 but held and multiplied in float32, for a CPU without such instructions.
  case bf16InF32
  /// The layers' matrices in bitsandbytes' NF4, embedding and head in what the products compute in.
  case nf4(doubleQuant: Bool, products: Weight.Products)
  /// The layers' matrices in row-wise 8 bits, embedding and head as for NF4.
  case int8(products: Weight.Products)
  /// All matrices in the blocks of a GGUF file; one that has none there in what the products compute in.
  case gguf(products: Weight.Products)

  /// How embedding and head are held, which are never quantised.
  var outsideLayers: WeightPrecision {
    switch self {
    case .nf4(_, .bf16), .int8(.bf16), .gguf(.bf16): .bf16
    case .nf4(_, .f32), .int8(.f32), .gguf(.f32): .f32
    default: self
    }
  }
}

extension Weight {
  /// `values`, which may be overwritten, held as `precision` says.
  convenience init(_ values: Matrix, as precision: WeightPrecision) {
    switch precision {
    case .f32: self.init(values)
    case .bf16: self.init(values, kind: .bf16)
    case .bf16InF32:
      Weight.roundToBFloat16(values)
      self.init(values)
    case .nf4(let doubleQuant, let products):
      self.init(values, kind: .nf4, doubleQuant: doubleQuant, products: products)
    case .int8(let products): self.init(values, kind: .int8, products: products)
    // Numbers that come from no file have no blocks of one.
    case .gguf: self.init(values, as: precision.outsideLayers)
    }
  }
}

extension Decoder {
  // region: load-model
  /// Reads a model's weights, dequantised, and holds its matrices as `precision` says; norms and biases stay float32.
  /// `progress` hears (tensors read, tensors in all).
  public static func load(
    _ file: ModelFile, backend: any Backend, threads: Int, precision: WeightPrecision = .f32,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> Decoder {
    let configuration = try file.configuration()
    let reader = WeightReader(file: file, configuration: configuration, threads: threads, precision: precision)
    let total = configuration.numHiddenLayers * 9 + 3

    let embedTokens = try reader.weight(
      "model.embed_tokens.weight", configuration.vocabularySize, configuration.hiddenSize)
    progress(1, total)
    var layers: [DecoderLayer] = []
    for index in 0..<configuration.numHiddenLayers {
      layers.append(try reader.layer(index))
      progress(1 + 9 * (index + 1), total)
    }
    let norm = try reader.matrix("model.norm.weight", 1, configuration.hiddenSize)
    let lmHead =
      configuration.tieWordEmbeddings
      ? embedTokens
      : try reader.weight("lm_head.weight", configuration.vocabularySize, configuration.hiddenSize)
    progress(total, total)
    return Decoder(
      configuration: configuration, backend: backend, embedTokens: embedTokens, layers: layers, norm: norm,
      lmHead: lmHead,
      inverseFrequencies: try reader.inverseFrequencies())
  }
  // endregion: load-model
}

/// Reads tensors by their Hugging Face names from either kind of file, and checks their shapes.
private struct WeightReader {
  let file: ModelFile
  let configuration: DecoderConfiguration
  let threads: Int
  let precision: WeightPrecision

  func layer(_ index: Int) throws -> DecoderLayer {
    let path = "model.layers.\(index)"
    let c = configuration
    let queries = c.numAttentionHeads * c.headSize
    let keys = c.numKeyValueHeads * c.headSize
    return DecoderLayer(
      inputLayernorm: try matrix("\(path).input_layernorm.weight", 1, c.hiddenSize),
      qProj: try linear("\(path).self_attn.q_proj", queries, c.hiddenSize),
      kProj: try linear("\(path).self_attn.k_proj", keys, c.hiddenSize),
      vProj: try linear("\(path).self_attn.v_proj", keys, c.hiddenSize),
      oProj: try linear("\(path).self_attn.o_proj", c.hiddenSize, queries),
      qNorm: c.family == .qwen3 ? try matrix("\(path).self_attn.q_norm.weight", 1, c.headSize) : nil,
      kNorm: c.family == .qwen3 ? try matrix("\(path).self_attn.k_norm.weight", 1, c.headSize) : nil,
      postAttentionLayernorm: try matrix("\(path).post_attention_layernorm.weight", 1, c.hiddenSize),
      gateProj: try linear("\(path).mlp.gate_proj", c.intermediateSize, c.hiddenSize),
      upProj: try linear("\(path).mlp.up_proj", c.intermediateSize, c.hiddenSize),
      downProj: try linear("\(path).mlp.down_proj", c.hiddenSize, c.intermediateSize))
  }

  private func linear(_ path: String, _ rows: Int, _ columns: Int) throws -> Linear {
    let hasBias = file.source.info(stored("\(path).bias")) != nil
    return Linear(
      path: path, weight: try layerWeight("\(path).weight", rows, columns),
      bias: hasBias ? try matrix("\(path).bias", 1, rows) : nil)
  }

  /// A layer's matrix. One that is NF4 in the file stays as it is for `.nf4`, and is dequantised for the others; one that is not, in
  /// such a file, was left out by whoever quantised it.
  private func layerWeight(_ name: String, _ rows: Int, _ columns: Int) throws -> Weight {
    guard case .folder(let folder, _) = file, folder.holdsNF4 else {
      if case .gguf(let products) = precision, let packed = try packed(name, rows, columns, products) { return packed }
      return try weight(name, rows, columns, precision)
    }
    guard folder.isQuantised(name) else { return try weight(name, rows, columns, precision.outsideLayers) }
    let tensor = try folder.nf4(name, rows: rows, columns: columns)
    let products: Weight.Products = if case .nf4(_, let products) = precision { products } else { .f32 }
    guard let quantised = Weight(rows: rows, columns: columns, nf4: NF4Parts(tensor), products: products) else {
      throw ModelError("\(folder.file): the parts of '\(name)' don't fit together; fetch the model again")
    }
    switch precision {
    case .nf4, .gguf: return quantised
    default: return Weight(quantised.dequantised, as: precision)
    }
  }

  /// A matrix outside the layers: embedding or head. Of quantised kinds only `gguf` keeps it in blocks: few rows are multiplied there with x
  /// rounded to 8 bits, and the answers of a QLoRA run shall differ from its base by what was trained alone.
  func weight(_ name: String, _ rows: Int, _ columns: Int) throws -> Weight {
    if case .gguf(let products) = precision {
      guard case .gguf = file else {
        throw ModelError(
          "\(file.source.file): has no GGUF blocks, which weights 'gguf' are; choose nf4, int8, bf16 or f32, or give a .gguf file"
        )
      }
      if let packed = try packed(name, rows, columns, products) { return packed }
    }
    return try weight(name, rows, columns, precision.outsideLayers)
  }

  /// A matrix in the blocks of a GGUF file; nil where it has none.
  private func packed(_ name: String, _ rows: Int, _ columns: Int, _ products: Weight.Products) throws -> Weight? {
    let info = try checked(name, rows, columns)
    guard case .gguf(let gguf) = file, let format = PackedFormat(rawValue: info.type.rawValue),
      let blocks = try gguf.blocks(info.name)
    else { return nil }
    let places = isPermuted(name) ? (0..<rows).map(permutedPlace) : Array(0..<rows)
    let weight = Weight(
      rows: rows, columns: columns, format: format, products: products, threads: Threads(threads)
    ) { PackedParts(blocks.parts(places[$0])) }
    gguf.release(info.name)
    if let row = weight.firstRowNotFinite {
      throw ModelError(
        "\(info.file): '\(info.name)' holds a number that is not finite in row \(places[row]); the file is damaged, fetch the model again"
      )
    }
    return weight
  }

  /// Read in pieces, so that the float32 numbers of a large matrix are never whole in memory unless they stay.
  private func weight(_ name: String, _ rows: Int, _ columns: Int, _ precision: WeightPrecision) throws -> Weight {
    let info = try checked(name, rows, columns)
    let whole = isPermuted(name) ? try matrix(name, rows, columns) : nil
    func fill(_ part: Range<Int>, _ piece: Matrix) throws {
      if let whole { return piece.copy(from: whole.rows(part)) }
      try read(info, rows: part, into: piece)
    }
    let workers = Threads(threads)
    switch precision {
    case .f32: return try Weight(rows: rows, columns: columns, kind: .f32, threads: workers, fill: fill)
    case .bf16: return try Weight(rows: rows, columns: columns, kind: .bf16, threads: workers, fill: fill)
    case .bf16InF32:
      return try Weight(rows: rows, columns: columns, kind: .f32, threads: workers) { part, piece in
        try fill(part, piece)
        Weight.roundToBFloat16(piece)
      }
    case .nf4(let doubleQuant, let products):
      return try Weight(
        rows: rows, columns: columns, kind: .nf4, doubleQuant: doubleQuant, products: products, threads: workers,
        fill: fill)
    case .int8(let products):
      return try Weight(
        rows: rows, columns: columns, kind: .int8, products: products, threads: workers, fill: fill)
    case .gguf: return try weight(name, rows, columns, precision.outsideLayers)
    }
  }

  func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Matrix {
    let info = try checked(name, rows, columns)
    let result = Matrix(rows, columns)
    try read(info, rows: 0..<rows, into: result)
    return isPermuted(name) ? unpermuted(result, name) : result
  }

  private func checked(_ name: String, _ rows: Int, _ columns: Int) throws -> TensorInfo {
    let info = try file.source.require(stored(name))
    guard info.type.isReadable else {
      throw ModelError(
        "\(info.file): '\(info.name)' is of type \(info.type.rawValue), which holds no weights; use a model whose weights are F32, F16 or BF16, or one quantised to NF4 by bitsandbytes"
      )
    }
    guard info.rows == rows, info.columns == columns else {
      throw ModelError(
        "\(info.file): '\(info.name)' has the shape \(info.shape), the configuration needs [\(rows), \(columns)]; the file is damaged or of another model"
      )
    }
    return info
  }

  private func read(_ info: TensorInfo, rows: Range<Int>, into piece: Matrix) throws {
    try piece.withElements { try file.source.readAll(info.name, rows: rows, into: $0, threads: threads) }
    if let place = piece.firstNotFinite {
      throw ModelError(
        "\(info.file): '\(info.name)' holds \(piece[place.row, place.column]) in row \(rows.lowerBound + place.row), column \(place.column); the file is damaged, fetch the model again"
      )
    }
  }

  /// Llama's GGUF files hold each head's rows of q and k in pairs (0, half, 1, half + 1 …); our RoPE wants the halves one after the other.
  private func isPermuted(_ name: String) -> Bool {
    guard case .gguf = file, configuration.family == .llama else { return false }
    return name.contains(".q_proj.") || name.contains(".k_proj.")
  }

  /// Where the row of q or k stands that we want in place `target`.
  private func permutedPlace(_ target: Int) -> Int {
    let size = configuration.headSize
    let (head, inner) = (target / size, target % size)
    return head * size + (inner % (size / 2)) * 2 + inner / (size / 2)
  }

  private func unpermuted(_ matrix: Matrix, _ name: String) -> Matrix {
    let isBias = name.hasSuffix(".bias")
    let count = isBias ? matrix.columns : matrix.rows
    let result = Matrix(matrix.rows, matrix.columns)
    for target in 0..<count {
      let source = permutedPlace(target)
      if isBias {
        result[0, target] = matrix[0, source]
      } else {
        result.rows(target..<target + 1).copy(from: matrix.rows(source..<source + 1))
      }
    }
    return result
  }

  func inverseFrequencies() throws -> [Float] {
    let plain = configuration.inverseFrequencies
    guard case .gguf(let gguf) = file, gguf.info("rope_freqs.weight") != nil else { return plain }
    // Llama 3's scaling stands in a GGUF as one divisor a frequency.
    let factors = try gguf.floats("rope_freqs.weight")
    guard factors.count == plain.count else {
      throw ModelError(
        "\(gguf.file): 'rope_freqs.weight' has \(factors.count) factors, \(plain.count) are needed; the file is damaged"
      )
    }
    return zip(plain, factors).map { $0 / $1 }
  }

  /// A Hugging Face name as this file spells it.
  private func stored(_ name: String) -> String {
    guard case .gguf = file else { return name }
    return GGUFNames.gguf(name)
  }
}

extension NF4Parts {
  /// The parts of a checkpoint's weight.
  init(_ tensor: NF4Tensor) {
    let absmax: Absmax =
      if let nested = tensor.nested {
        .nested(
          codes: nested.codes, codeBook: nested.codeBook, absmax: nested.absmax, blockSize: nested.blockSize,
          offset: nested.offset)
      } else { .plain(tensor.absmax) }
    self.init(codes: tensor.codes, codeBook: tensor.codeBook, blockSize: tensor.blockSize, absmax: absmax)
  }
}

extension PackedParts {
  /// The parts of a file's blocks.
  init(_ parts: BlockParts) {
    self.init(
      codes: parts.codes, scales: parts.scales, minima: parts.minima, factors: parts.factors, least: parts.least)
  }
}

/// Hugging Face tensor names and GGUF's.
public enum GGUFNames {
  private static let top = [
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
  ]
  private static let inner = [
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
  ]

  /// "model.layers.3.mlp.up_proj.weight" → "blk.3.ffn_up.weight"; an unknown name stays as it is.
  public static func gguf(_ name: String) -> String {
    if let known = top[name] { return known }
    let parts = name.split(separator: ".").map(String.init)
    guard parts.count >= 5, parts[0] == "model", parts[1] == "layers", let last = parts.last else { return name }
    guard let module = inner[parts[3..<parts.count - 1].joined(separator: ".")] else { return name }
    return "blk.\(parts[2]).\(module).\(last)"
  }
}
