import Checkpoints
import Compute
import Foundation
import Testing

@testable import Models

/// Tensors of the real model against bitsandbytes, when `LORAPRESS_PEER_GGUF` names the GGUF file and `LORAPRESS_PEER_QUANTISED` the
/// file that `scripts/peers/quantised.py` wrote.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["LORAPRESS_PEER_QUANTISED"] != nil))
struct PeerQuantised {
  @Test(arguments: ["blk.0.attn_q.weight", "blk.12.ffn_down.weight"])
  func realTensorsEqualBitsAndBytes(name: String) throws {
    let environment = ProcessInfo.processInfo.environment
    let theirs = try SafetensorsFile(try #require(environment["LORAPRESS_PEER_QUANTISED"]))
    let model = try GGUFFile(try #require(environment["LORAPRESS_PEER_GGUF"], "LORAPRESS_PEER_GGUF is not set"))
    let info = try model.require(name)
    let values = Matrix(info.rows, info.columns, try model.floats(name))

    let plain = Weight(values, kind: .nf4, doubleQuant: false)
    let parts = try #require(plain.nf4Parts)
    #expect(try parts.codes == theirs.bytes("\(name).codes"))
    #expect(try parts.absmax == .plain(theirs.floats("\(name).absmax")))
    #expect(try plain.dequantised.elements == theirs.floats("\(name).dequantised"))

    guard case .nested(let codes, _, let absmax, _, let offset)? = Weight(values, kind: .nf4).nf4Parts?.absmax else {
      Issue.record("not nested")
      return
    }
    let theirOffset = try theirs.floats("\(name).offset")[0]
    let theirCodes = try theirs.bytes("\(name).nested_codes")
    #expect(abs(offset - theirOffset) <= 4 * theirOffset.ulp)
    let steps = zip(codes, theirCodes).map { abs(Int($0) - Int($1)) }
    let off = steps.count { $0 != 0 }
    #expect(codes.count == theirCodes.count && steps.max() ?? 0 <= 1 && Double(off) <= 0.003 * Double(codes.count))
    #expect(
      try zip(absmax, theirs.floats("\(name).nested_absmax")).allSatisfy { abs($0 - $1) <= 8 * theirOffset.ulp })
    print("\(name): offset \(offset) and \(theirOffset), \(off) of \(codes.count) nested codes a step off")

    let rows = try #require(Weight(values, kind: .int8).int8Parts)
    #expect(try rows.codes.map { UInt8(bitPattern: $0) } == theirs.bytes("\(name).int8"))
    #expect(try rows.absmax == theirs.floats("\(name).row_absmax"))
  }
}
