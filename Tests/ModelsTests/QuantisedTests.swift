import Checkpoints
import Compute
import Foundation
import Formats
import ModelFixtures
import TestSupport
import Testing

@testable import Models

/// What bitsandbytes and transformers wrote: see scripts/fixtures/quantised.py.
private func fixture(_ path: String) -> URL { Fixtures.url("Models", "quantised/\(path)") }

@Suite struct QuantisedTensorTests {
  static let cases = [
    "one", "odd", "block", "block_and_one", "rows_inside_blocks", "whole_blocks", "nested_blocks", "tails", "zeros",
    "tiny_and_huge", "thresholds", "zero",
  ]

  private func values(_ file: SafetensorsFile, _ name: String) throws -> Matrix {
    let info = try file.require(name)
    return Matrix(info.rows, info.columns, try file.floats(name))
  }

  private func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  private func expectDequantised(_ weight: Weight, _ file: SafetensorsFile, _ name: String) throws {
    // The large case comes without, to keep the file small.
    if name.hasPrefix("nested_blocks.") { return }
    #expect(try bits(weight.dequantised.elements) == bits(file.floats(name)), "\(name)")
  }

  @Test func theCodeBooksAreTheirs() throws {
    let file = try SafetensorsFile(fixture("tensors.safetensors").path)
    #expect(try bits(NF4Parts.dynamicMap) == bits(file.floats("dynamic_map")))
    #expect(try bits(NF4Parts.codeBook) == bits(file.floats("code_book")))
    let thresholds = zip(NF4Parts.codeBook, NF4Parts.codeBook.dropFirst()).map { ($0 + $1) / 2 }
    #expect(try bits(thresholds) == bits(file.floats("thresholds")))
  }

  @Test(arguments: cases) func nf4IsBitsAndBytesBitForBit(name: String) throws {
    let file = try SafetensorsFile(fixture("tensors.safetensors").path)
    let weight = Weight(try values(file, "\(name).values"), kind: .nf4, doubleQuant: false)
    let parts = try #require(weight.nf4Parts)
    #expect(try parts.codes == file.bytes("\(name).codes"))
    guard case .plain(let absmax) = parts.absmax else {
      Issue.record("not plain")
      return
    }
    #expect(try bits(absmax) == bits(file.floats("\(name).absmax")))
    try expectDequantised(weight, file, "\(name).dequantised")
  }

  @Test(arguments: cases) func doubleQuantisationIsTheirsWithinAStep(name: String) throws {
    let file = try SafetensorsFile(fixture("tensors.safetensors").path)
    let weight = Weight(try values(file, "\(name).values"), kind: .nf4)
    guard case .nested(let codes, _, let absmax, let size, let offset)? = weight.nf4Parts?.absmax else {
      Issue.record("not nested")
      return
    }
    let theirOffset = try file.floats("\(name).offset")[0]
    #expect(abs(offset - theirOffset) <= 4 * theirOffset.ulp && size == 256)
    let theirs = try file.bytes("\(name).nested_codes")
    let theirMaxima = try file.floats("\(name).nested_absmax")
    let book = try file.floats("dynamic_map")
    #expect(codes.count == theirs.count && absmax.count == theirMaxima.count)
    var off = 0
    for (block, (ours, their)) in zip(codes, theirs).enumerated() {
      // Where all maxima are equal their difference from the mean is rounding alone, or nothing at all.
      if absmax[block / 256] <= 8 * offset.ulp { continue }
      #expect(abs(Int(ours) - Int(their)) <= 1)
      off += ours == their ? 0 : 1
    }
    #expect(Double(off) <= max(0.003 * Double(codes.count), 1), "\(off) of \(codes.count)")
    for (ours, their) in zip(absmax, theirMaxima) { #expect(abs(ours - their) <= 8 * offset.ulp + 4 * their.ulp) }
    // Their own parts give their numbers, whatever ours are.
    let given = NF4Parts(
      codes: try file.bytes("\(name).codes"),
      absmax: .nested(codes: theirs, codeBook: book, absmax: theirMaxima, blockSize: 256, offset: theirOffset))
    let again = try #require(Weight(rows: weight.rows, columns: weight.columns, nf4: given))
    try expectDequantised(again, file, "\(name).nested_dequantised")
  }

  @Test(arguments: cases) func int8IsBitsAndBytesBitForBit(name: String) throws {
    let file = try SafetensorsFile(fixture("tensors.safetensors").path)
    let weight = Weight(try values(file, "\(name).values"), kind: .int8)
    let parts = try #require(weight.int8Parts)
    #expect(try parts.codes.map { UInt8(bitPattern: $0) } == file.bytes("\(name).int8"))
    #expect(try bits(parts.absmax) == bits(file.floats("\(name).row_absmax")))
    try expectDequantised(weight, file, "\(name).int8_dequantised")
  }
}

@Suite struct QuantisedModelTests {
  private func expected(_ name: String) throws -> (SafetensorsFile, [Int32]) {
    let json = fixture("\(name)/expected.json")
    let ids = try JSONValue(parsing: Data(contentsOf: json), file: json.path)["ids"]?.array ?? []
    return (
      try SafetensorsFile(fixture("\(name)/expected.safetensors").path), ids.compactMap(\.integer).map(Int32.init)
    )
  }

  @Test(arguments: ["nf4-double", "nf4-plain"]) func aModelThatBitsAndBytesQuantisedLoads(name: String) throws {
    let (tensors, ids) = try expected(name)
    let file = try ModelFile(path: fixture(name).path)
    #expect(file.holdsNF4 && file.weightTypes.contains("NF4"))
    let decoder = try Decoder.load(
      file, backend: CPUBackend(), threads: 2, precision: .nf4(doubleQuant: false, products: .f32))
    for linear in decoder.layers.flatMap(\.linears) {
      #expect(linear.weight.kind == .nf4)
      guard ["k_proj", "down_proj"].contains(where: linear.path.hasSuffix) else { continue }
      let theirs = try tensors.floats("dequantised.\(linear.path).weight")
      #expect(linear.weight.dequantised.elements == theirs, "\(linear.path)")
    }
    #expect(decoder.lmHead.kind == .f32)
    let logits = try tensors.floats("logits")
    for precision in [
      WeightPrecision.nf4(doubleQuant: true, products: .f32), .f32,
    ] {
      let decoder = try Decoder.load(file, backend: CPUBackend(), threads: 2, precision: precision)
      let ours = DecoderSession(decoder, adapter: nil).logits(PackedBatch(prompts: [ids]), rows: Array(ids.indices))
      #expect(difference(ours.elements, logits).largest < 1e-3)
    }
    let rounded = try Decoder.load(
      file, backend: CPUBackend(), threads: 2, precision: .nf4(doubleQuant: true, products: .bf16))
    let ours = DecoderSession(rounded, adapter: nil).logits(PackedBatch(prompts: [ids]), rows: Array(ids.indices))
    #expect(difference(ours.elements, logits).relative < 0.03)
  }

  /// Answers decode token by token to what whole passes say, on weights that are 4-bit.
  @Test(arguments: PeerFixture.names) func quantisedModelsTrainAndAnswer(name: String) throws {
    for precision in [
      WeightPrecision.nf4(doubleQuant: true, products: .f32), .int8(products: .f32),
    ] {
      let fixture = try PeerFixture(name, backend: CPUBackend(), precision: precision)
      let oracle = try PeerFixture(name, backend: ReferenceBackend(), precision: precision)
      let batch = PackedBatch(fixture.rows)
      let (ours, theirs) = (try fixture.adapter(), try oracle.adapter())
      let losses = DecoderSession(fixture.decoder, adapter: ours).lossesAndGradients(
        batch, gradientScale: 1, dropoutSeed: nil)
      let expected = DecoderSession(oracle.decoder, adapter: theirs).lossesAndGradients(
        batch, gradientScale: 1, dropoutSeed: nil)
      #expect(difference(losses, expected).largest < 1e-3)
      #expect(difference(ours.gradients.elements, theirs.gradients.elements).relative < 1e-4)
    }
  }
}

/// Checkpoints that can't be used are refused with one line that names the tensor and what is wrong.
@Suite struct QuantisedFailureTests {
  private func refusal(_ name: String = "nf4-double", _ change: (URL) throws -> Void) throws -> String {
    try Fixtures.withTemporaryFolder { folder in
      let copy = folder.appendingPathComponent("model")
      try FileManager.default.copyItem(at: fixture(name), to: copy)
      try change(copy)
      do {
        let file = try ModelFile(path: copy.path)
        _ = try Decoder.load(
          file, backend: CPUBackend(), threads: 1, precision: .nf4(doubleQuant: true, products: .f32))
        return "loaded"
      } catch {
        let text = "\(error)"
        #expect(!text.contains("\n"))
        return text
      }
    }
  }

  @Test(arguments: [
    (#""quant_method": "bitsandbytes""#, #""quant_method": "gptq""#, "the method 'gptq'"),
    (#""quant_method": "bitsandbytes""#, #""quant_method": "awq""#, "the method 'awq'"),
    (#""bnb_4bit_quant_type": "nf4""#, #""bnb_4bit_quant_type": "fp4""#, "bnb_4bit_quant_type 'fp4'"),
    (#""load_in_8bit": false"#, #""load_in_8bit": true"#, "load_in_8bit"),
    (#""bnb_4bit_quant_storage": "uint8""#, #""bnb_4bit_quant_storage": "bfloat16""#, "bnb_4bit_quant_storage"),
  ])
  func otherKindsAreRefusedByName(old: String, new: String, message: String) throws {
    let text = try refusal { folder in
      let file = folder.appendingPathComponent("config.json")
      let json = try String(contentsOf: file, encoding: .utf8)
      try #require(json.contains(old))
      try json.replacingOccurrences(of: old, with: new).write(to: file, atomically: true, encoding: .utf8)
    }
    #expect(text.contains(message) && text.contains("config.json"), "\(text)")
  }

  /// Rewrites the header (names, types and the state's text keep their lengths, so the offsets hold).
  private func rewrite(_ old: String, _ new: String) throws -> String {
    try refusal { folder in
      let url = folder.appendingPathComponent("model.safetensors")
      var data = try Data(contentsOf: url)
      let range = try #require(data.range(of: Data(old.utf8)), "\(old)")
      try #require(old.utf8.count == new.utf8.count)
      data.replaceSubrange(range, with: Data(new.utf8))
      try data.write(to: url)
    }
  }

  static let down = "model.layers.0.mlp.down_proj.weight"

  @Test(arguments: [
    ("\(down).absmax\"", "\(down).absmix\"", "lacks its 'absmax'"),
    ("\(down).quant_map", "\(down).quant_mop", "lacks its 'quant_map'"),
    ("\(down).nested_absmax", "\(down).nested_absmix", "lacks its 'nested_absmax'"),
    ("\(down).nested_quant_map", "\(down).nested_quant_mop", "lacks its 'nested_quant_map'"),
    ("\(down).quant_state.bitsandbytes__nf4", "\(down).quant_state.bitsandbytes__fp4", "FP4"),
    ("\(down).quant_state.bitsandbytes__nf4", "\(down).quant_stote.bitsandbytes__nf4", "has no tensor"),
    ("{\"quant_type\": \"nf4\"", "{\"quant_type\": \"fp4\"", "another quant_type"),
    ("\"blocksize\": 64", "\"blocksize\": 63", "blocksize that is no power of two"),
    ("\"blocksize\": 64", "\"blocksize\": 32", "numbers, where"),
    ("\"nested_blocksize\": 256", "\"nested_blocksize\": 999", "nested_blocksize that is no power of two"),
    ("\"nested_offset\"", "\"nested_0ffset\"", "no nested_offset"),
    ("\"shape\": [", "\"shope\": [", "has the shape []"),
  ])
  func damagedPartsAreNamed(old: String, new: String, message: String) throws {
    let text = try rewrite(old, new)
    #expect(text.contains(message) && text.contains("proj.weight"), "\(text)")
  }

  @Test func aNaNInTheWeightsIsNamed() throws {
    for (name, precision) in [("model.norm.weight", WeightPrecision.f32), ("model.layers.1.mlp.up_proj.weight", .bf16)]
    {
      try Fixtures.withTemporaryFolder { folder in
        let copy = folder.appendingPathComponent("model")
        try FileManager.default.copyItem(at: Fixtures.url("Models", "qwen2-gqa"), to: copy)
        let url = copy.appendingPathComponent("model.safetensors")
        let info = try SafetensorsFile(url.path).require(name)
        var data = try Data(contentsOf: url)
        let at = info.offset + 5 * 4
        withUnsafeBytes(of: Float.nan.bitPattern) { data.replaceSubrange(at..<at + 4, with: $0) }
        try data.write(to: url)
        #expect {
          try Decoder.load(
            ModelFile(path: copy.path), backend: CPUBackend(), threads: 1, precision: precision)
        } throws: {
          "\($0)".contains("'\(name)' holds nan in row 0, column 5") && "\($0)".contains("model.safetensors")
        }
      }
    }
  }

  /// A folder of our own making: the tiny model's tensors, one of them changed.
  @Test(arguments: [
    ("shape", "has the shape [32, 31], the configuration needs [32, 32]"), ("missing", "has no tensor"),
    ("bytes", "is of type U8, which holds no weights"),
  ])
  func aLayerThatDoesNotFitIsNamed(change: String, message: String) throws {
    let name = "model.layers.1.self_attn.o_proj.weight"
    try Fixtures.withTemporaryFolder { folder in
      let source = Fixtures.url("Models", "qwen2-gqa")
      try FileManager.default.copyItem(
        at: source.appendingPathComponent("config.json"), to: folder.appendingPathComponent("config.json"))
      let file = try SafetensorsFile(source.appendingPathComponent("model.safetensors").path)
      let outputs = try file.tensors.compactMap { info -> TensorOutput? in
        let values = try file.floats(info.name)
        guard info.name == name, change != "bytes" else {
          return TensorOutput(name: info.name, shape: info.shape, values: values)
        }
        return change == "missing"
          ? nil : TensorOutput(name: name, shape: [32, 31], values: Array(values.prefix(32 * 31)))
      }
      let url = folder.appendingPathComponent("model.safetensors")
      try SafetensorsWriter.write(outputs, to: url)
      if change == "bytes" {
        // As many bytes under another type: the header keeps its length.
        var data = try Data(contentsOf: url)
        let old = "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[32,32]"
        let new = "\"\(name)\":{\"dtype\":\"U8\",\"shape\":[32,128]"
        data.replaceSubrange(try #require(data.range(of: Data(old.utf8))), with: Data(new.utf8))
        try data.write(to: url)
      }
      #expect {
        try Decoder.load(ModelFile(path: folder.path), backend: CPUBackend(), threads: 1)
      } throws: { error in
        let text = "\(error)"
        return text.contains(message) && text.contains(name) && !text.contains("\n")
      }
    }
  }
}
