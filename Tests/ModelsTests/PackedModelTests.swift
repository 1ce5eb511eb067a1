import Checkpoints
import Compute
import Foundation
import ModelFixtures
import TestSupport
import Testing

@testable import Models

/// Models whose weights stay in the blocks of their GGUF file.
@Suite struct PackedModelTests {
  private static let quantised = Fixtures.url("Models", "llama/model-quantised.gguf")

  private func load(_ precision: WeightPrecision, from path: String = quantised.path) throws -> Decoder {
    try Decoder.load(ModelFile(path: path), backend: CPUBackend(), threads: 2, precision: precision)
  }

  private func logits(_ decoder: Decoder, _ ids: [Int32]) -> [Float] {
    DecoderSession(decoder, adapter: nil).logits(PackedBatch(prompts: [ids]), rows: Array(ids.indices)).elements
  }

  /// Blocks of every type, their scales extreme, give the numbers of the gguf Python package bit for bit.
  @Test func blocksHoldTheNumbersOfTheFile() throws {
    let file = try GGUFFile(Fixtures.url("Checkpoints", "types.gguf").path)
    var formats: Set<PackedFormat> = []
    for tensor in file.tensors {
      guard let blocks = try file.blocks(tensor.name) else { continue }
      let format = try #require(PackedFormat(rawValue: tensor.type.rawValue))
      formats.insert(format)
      let weight = Weight(
        rows: tensor.rows, columns: tensor.columns, format: format, products: .f32, threads: Threads(2)
      ) { PackedParts(blocks.parts($0)) }
      #expect(weight.firstRowNotFinite == nil)
      let expected = try file.floats(tensor.name).map(\.bitPattern)
      #expect(weight.dequantised.elements.map(\.bitPattern) == expected, "\(tensor.name)")
    }
    #expect(formats == Set(PackedFormat.allCases))
  }

  /// Llama's file has the rows of q and k in another order; what isn't whole blocks stays float32.
  @Test func theModelIsTheDequantisedOne() throws {
    let (packed, plain) = (try load(.gguf(products: .f32)), try load(.f32))
    #expect(packed.embedTokens.kind == .packed && packed.lmHead.kind == .packed)
    for (ours, theirs) in zip(packed.layers, plain.layers) {
      for (mine, other) in zip(ours.linears, theirs.linears) {
        #expect(mine.weight.kind == (mine.path.hasSuffix("down_proj") ? .f32 : .packed), "\(mine.path)")
        #expect(mine.weight.dequantised.elements == other.weight.dequantised.elements, "\(mine.path)")
      }
    }
    let ids = (0..<24).map { Int32($0 * 37 % 96) }
    #expect(difference(logits(packed, ids), logits(plain, ids)).relative < 1e-5)
    // Few rows meet the codes rounded to 8 bits.
    let few = Array(ids.prefix(5))
    let rounded = difference(logits(packed, few), logits(plain, few)).relative
    #expect(rounded > 0 && rounded < 0.02, "\(rounded)")
  }

  /// Whose answers shall be the layers' doing alone: other quantised kinds leave embedding and head unrounded by blocks.
  @Test func otherKindsHoldEmbeddingAndHeadInBFloat16() throws {
    for precision in [WeightPrecision.nf4(doubleQuant: true, products: .bf16), .int8(products: .bf16)] {
      let decoder = try load(precision)
      #expect(decoder.embedTokens.kind == .bf16 && decoder.lmHead.kind == .bf16)
      #expect(decoder.layers.allSatisfy { $0.linears.allSatisfy { $0.weight.kind != .packed } })
    }
  }

  @Test func aFolderHasNoBlocks() throws {
    let folder = Fixtures.url("Models", "llama").path
    #expect { try load(.gguf(products: .f32), from: folder) } throws: { "\($0)".contains("has no GGUF blocks") }
  }

  @Test func aDamagedScaleIsRefusedByName() throws {
    try Fixtures.withTemporaryFolder { folder in
      let info = try #require(try GGUFFile(Self.quantised.path).info("blk.1.attn_q.weight"))
      var bytes = try Data(contentsOf: Self.quantised)
      // Row 3's only block begins with its factor.
      bytes[info.offset + 3 * info.rowBytes + 1] = 0x7C
      let copy = folder.appendingPathComponent("damaged.gguf")
      try bytes.write(to: copy)
      #expect { try load(.gguf(products: .bf16), from: copy.path) } throws: {
        "\($0)".contains("'blk.1.attn_q.weight' holds a number that is not finite in row 3") && !"\($0)".contains("\n")
      }
    }
  }
}
