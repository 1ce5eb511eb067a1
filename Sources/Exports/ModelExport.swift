import Checkpoints
import Formats
import Foundation
import Models

/// Writes a merged model as other programs read it.
public struct ModelExport {
  /// What numbers are written as: the format's own names.
  public enum NumberType: String, CaseIterable, Sendable {
    // The cases bear the formats' own names.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    case f32, f16, bf16, q8_0, q4_0

    var tensorType: TensorType {
      switch self {
      case .f32: .f32
      case .f16: .f16
      case .bf16: .bf16
      case .q8_0: .q8_0
      case .q4_0: .q4_0
      }
    }

    /// Whether safetensors have it.
    public var isPlain: Bool { self != .q8_0 && self != .q4_0 }

    /// `general.file_type`.
    var ggufFileType: UInt32 {
      switch self {
      case .f32: 0
      case .f16: 1
      case .q4_0: 2
      case .q8_0: 7
      case .bf16: 32
      }
    }

    /// transformers' name.
    var dtype: String {
      switch self {
      case .f16: "float16"
      case .bf16: "bfloat16"
      default: "float32"
      }
    }
  }

  public let model: MergedModel
  public let tokenizer: TokenizerExport
  /// `general.name` of a GGUF file.
  public let name: String

  public init(_ model: MergedModel, tokenizer: TokenizerExport, name: String) {
    self.model = model
    self.tokenizer = tokenizer
    self.name = name
  }

  // MARK: Hugging Face

  /// Fills an empty folder with safetensors (in files of at most `shardBytes`, unless one tensor is larger), `config.json` and the
  /// tokeniser's files.
  public func writeFolder(_ folder: URL, type: NumberType, shardBytes: Int) throws {
    try tokenizer.write(to: folder)
    try ExportedFile.write(try configuration(dtype: type.dtype), folder, "config.json")
    try SafetensorsWriter.writeShards(
      model.tensors { _, _ in type.tensorType }, shardBytes: shardBytes, to: folder)
  }

  /// The base folder's own `config.json`, changed where the export differs, or one made of a GGUF file's metadata.
  private func configuration(dtype: String) throws -> JSONValue {
    var json = model.configuration.json(dtype: dtype)
    if case .folder(let source, _) = tokenizer.base {
      let file = source.file + "/config.json"
      guard let data = FileManager.default.contents(atPath: file) else {
        throw ModelError("\(file): can't be read; check its permissions")
      }
      json = try JSONValue(parsing: data, file: file)
    }
    guard var object = json.object else { return json }
    object["tie_word_embeddings"] = .bool(model.configuration.tieWordEmbeddings)
    object["torch_dtype"] = .string(dtype)
    object["dtype"] = nil
    object["quantization_config"] = nil
    for (key, id) in tokenizer.ids where object[key] == nil { object[key] = JSONValue(id) }
    return .object(object)
  }

  // MARK: GGUF

  /// One GGUF file with everything llama.cpp needs. Matrices are of `type`, those whose rows are no whole number of its blocks in F16, norms
  /// and biases in F32.
  public func writeGGUF(_ file: URL, type: NumberType) throws {
    let rows = GGUFRows(model.configuration)
    let tensors = model.tensors { _, shape in
      guard shape.count == 2, let columns = shape.last else { return .f32 }
      return columns.isMultiple(of: type.tensorType.blockSize) ? type.tensorType : .f16
    }
    try GGUFWriter.write(
      metadata: metadata(type), tensors: tensors.map(rows.tensor) + rows.frequencyFactors(of: model.decoder), to: file)
  }

  private func metadata(_ type: NumberType) -> [(key: String, value: GGUFValue)] {
    var entries: [(key: String, value: GGUFValue)] = [
      ("general.architecture", .string(model.configuration.family.rawValue)), ("general.type", .string("model")),
      ("general.name", .string(name)), ("general.file_type", .uint32(type.ggufFileType)),
    ]
    if !type.isPlain { entries.append(("general.quantization_version", .uint32(2))) }
    return entries + model.configuration.ggufMetadata + tokenizer.source.ggufMetadata
  }
}
