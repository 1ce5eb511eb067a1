import Formats
import Foundation

/// A weight that bitsandbytes quantised to NF4, as a checkpoint holds it: the packed codes and bitsandbytes' `QuantState`.
public struct NF4Tensor: Sendable, Equatable {
  /// [out, in]
  public let shape: [Int]
  /// Two a byte, the first in the high nibble.
  public let codes: [UInt8]
  /// The sixteen values of `quant_map`.
  public let codeBook: [Float]
  public let blockSize: Int
  /// The maximum of each block; empty with double quantisation.
  public let absmax: [Float]
  /// Double quantisation (`bnb_4bit_use_double_quant`) of those maxima.
  public let nested: Nested?

  /// Block b's maximum is codeBook[codes[b]] · absmax[b / blockSize] + offset.
  public struct Nested: Sendable, Equatable {
    public let codes: [UInt8]
    public let codeBook: [Float]
    public let absmax: [Float]
    public let blockSize: Int
    public let offset: Float
  }
}

/// What a `config.json` says of quantised weights: bitsandbytes' NF4 is read, all else refused by name.
public enum BitsAndBytes {
  private static let remedy = "use the unquantised model, or one saved with load_in_4bit and bnb_4bit_quant_type nf4"

  /// Throws unless `quantization_config` is one this program reads.
  public static func check(_ configuration: JSONValue, file: String) throws {
    func refusal(_ what: String) -> CheckpointError {
      CheckpointError(file: file, "'quantization_config' has \(what), which is not supported", remedy: remedy)
    }
    // Older files of bitsandbytes name no method.
    let method = configuration["quant_method"]?.string ?? "bitsandbytes"
    guard method == "bitsandbytes" else { throw refusal("the method '\(shown(method))'") }
    if configuration["load_in_8bit"]?.bool == true { throw refusal("load_in_8bit") }
    guard configuration["load_in_4bit"]?.bool == true else { throw refusal("neither load_in_4bit nor load_in_8bit") }
    // bitsandbytes' own default is FP4.
    let type = configuration["bnb_4bit_quant_type"]?.string ?? "fp4"
    guard type == "nf4" else { throw refusal("bnb_4bit_quant_type '\(shown(type))'") }
    let storage = configuration["bnb_4bit_quant_storage"]?.string ?? "uint8"
    guard storage == "uint8" else { throw refusal("bnb_4bit_quant_storage '\(shown(storage))'") }
  }
}

extension SafetensorsFolder {
  private static let state = ".quant_state.bitsandbytes__"

  /// Whether the folder holds weights that bitsandbytes quantised to NF4.
  public var holdsNF4: Bool { tensors.contains { $0.name.hasSuffix(Self.state + "nf4") } }

  /// Whether tensor `name` is one of them, complete or not.
  public func isQuantised(_ name: String) -> Bool {
    if info(name + Self.state + "nf4") != nil || info(name + Self.state + "fp4") != nil { return true }
    return info(name).map { !$0.type.isReadable } ?? false
  }

  /// Tensor `name` with its companions; every part is checked against the shape [rows, columns].
  public func nf4(_ name: String, rows: Int, columns: Int) throws -> NF4Tensor {
    let reader = NF4Reader(folder: self, name: name)
    return try reader.read(shape: [rows, columns])
  }

  fileprivate func stateOf(_ name: String) throws -> JSONValue {
    let key = name + Self.state + "nf4"
    guard info(key) != nil else {
      if info(name + Self.state + "fp4") != nil {
        throw CheckpointError(
          file: file, "'\(shown(name))' is quantised to FP4, which is not supported",
          remedy: "quantise the model with bnb_4bit_quant_type nf4")
      }
      throw CheckpointError(
        file: file, "'\(shown(name))' has no tensor '\(shown(key))', without which its codes can't be read",
        remedy: "fetch the model again, or use the unquantised one")
    }
    return try JSONValue(parsing: Data(try bytes(key)), file: "\(file): \(key)")
  }
}

/// Reads one NF4 weight and checks its parts.
private struct NF4Reader {
  let folder: SafetensorsFolder
  let name: String

  private func failure(_ what: String) -> CheckpointError {
    CheckpointError(file: folder.file, "'\(shown(name))' \(what)", remedy: "the file is damaged; fetch the model again")
  }

  func read(shape: [Int]) throws -> NF4Tensor {
    let state = try folder.stateOf(name)
    guard state["quant_type"]?.string == "nf4" else {
      throw failure("has a quant_state of another quant_type than nf4")
    }
    let stated = (state["shape"]?.array ?? []).map { $0.integer ?? -1 }
    guard stated == shape else { throw failure("has the shape \(stated), the configuration needs \(shape)") }
    let count = shape.reduce(1, *)
    let blockSize = try size(state, "blocksize")
    let blocks = (count + blockSize - 1) / blockSize

    let codes = try numbers("", .u8, (count + 1) / 2, of: "two codes a byte").bytes
    let book = try floats(".quant_map", 16)
    guard isAscending(book) else { throw failure("has a quant_map that is not ascending") }
    guard folder.info(name + ".nested_absmax") != nil || folder.info(name + ".absmax")?.type == .u8 else {
      let absmax = try floats(".absmax", blocks)
      return NF4Tensor(shape: shape, codes: codes, codeBook: book, blockSize: blockSize, absmax: absmax, nested: nil)
    }
    let nestedSize = try size(state, "nested_blocksize")
    guard let offset = state["nested_offset"]?.double, offset.isFinite else {
      throw failure("has no nested_offset in its quant_state")
    }
    let nestedBook = try floats(".nested_quant_map", 256)
    guard isAscending(nestedBook) else { throw failure("has a nested_quant_map that is not ascending") }
    let nested = NF4Tensor.Nested(
      codes: try numbers(".absmax", .u8, blocks, of: "one a block").bytes, codeBook: nestedBook,
      absmax: try floats(".nested_absmax", (blocks + nestedSize - 1) / nestedSize), blockSize: nestedSize,
      offset: Float(offset))
    return NF4Tensor(shape: shape, codes: codes, codeBook: book, blockSize: blockSize, absmax: [], nested: nested)
  }

  private func size(_ state: JSONValue, _ key: String) throws -> Int {
    guard let size = state[key]?.integer, (32...4096).contains(size), size & (size - 1) == 0 else {
      throw failure("has a \(key) that is no power of two from 32 to 4096")
    }
    return size
  }

  private func isAscending(_ values: [Float]) -> Bool { zip(values, values.dropFirst()).allSatisfy { $0 <= $1 } }

  private func numbers(_ suffix: String, _ type: TensorType, _ count: Int, of what: String) throws
    -> (info: TensorInfo, bytes: [UInt8])
  {
    guard let info = folder.info(name + suffix) else {
      throw failure(suffix.isEmpty ? "is missing" : "lacks its '\(suffix.dropFirst())'")
    }
    let part = suffix.isEmpty ? "" : "in its '\(suffix.dropFirst())' "
    guard info.type == type else {
      throw failure("\(part)is of type \(info.type.rawValue), where \(type.rawValue) was expected")
    }
    guard info.count == count else {
      throw failure("\(part)holds \(info.count) numbers, where \(count) were expected (\(what))")
    }
    return (info, try folder.bytes(info.name))
  }

  private func floats(_ suffix: String, _ count: Int) throws -> [Float] {
    let info = try numbers(suffix, .f32, count, of: "float32").info
    let values = try folder.floats(info.name, threads: 1)
    guard values.allSatisfy(\.isFinite) else { throw failure("in its '\(suffix.dropFirst())' holds NaN or infinity") }
    return values
  }
}
