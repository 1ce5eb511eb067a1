import CQuants

/// Rows of blocks taken apart, each array row by row: a code a number, scales and minima of blocks of 16 or 32, factors and least factors
/// (binary16) of blocks. A number is (factor · scale) · (code − zero) − least · minimum, the zero being the format's; what a format doesn't
/// have is empty.
public struct BlockParts: Sendable {
  public fileprivate(set) var codes: [UInt8]
  public fileprivate(set) var scales: [UInt8]
  public fileprivate(set) var minima: [UInt8]
  public fileprivate(set) var factors: [UInt16]
  public fileprivate(set) var least: [UInt16]
}

/// A tensor of a GGUF file in its blocks of quantised numbers.
public struct QuantisedBlocks: Sendable {
  public let info: TensorInfo
  private let mapped: MappedFile
  /// Scales in a block (0: its factor is the only one), and whether it has a least factor, with a minimum a scale.
  private let scales: Int
  private let hasLeast: Bool
  private let take: @Sendable (UnsafePointer<UInt8>, cq_parts, Int) -> Void

  init?(_ info: TensorInfo, in mapped: MappedFile) {
    self.info = info
    self.mapped = mapped
    switch info.type {
    case .q4_0: (scales, hasLeast, take) = (0, false, { cq_q4_0_parts($0, $1, $2) })
    case .q4_1: (scales, hasLeast, take) = (0, true, { cq_q4_1_parts($0, $1, $2) })
    case .q5_0: (scales, hasLeast, take) = (0, false, { cq_q5_0_parts($0, $1, $2) })
    case .q5_1: (scales, hasLeast, take) = (0, true, { cq_q5_1_parts($0, $1, $2) })
    case .q8_0: (scales, hasLeast, take) = (0, false, { cq_q8_0_parts($0, $1, $2) })
    case .q4_K: (scales, hasLeast, take) = (8, true, { cq_q4_k_parts($0, $1, $2) })
    case .q5_K: (scales, hasLeast, take) = (8, true, { cq_q5_k_parts($0, $1, $2) })
    case .q6_K: (scales, hasLeast, take) = (16, false, { cq_q6_k_parts($0, $1, $2) })
    default: return nil
    }
  }

  /// The parts of `rows`, each below ``TensorInfo/rows``, in that order. Safe to call from several threads.
  public func parts(_ rows: some Collection<Int>) -> BlockParts {
    let blocks = info.columns / info.type.blockSize
    let count = rows.count * blocks
    var parts = BlockParts(
      codes: [UInt8](repeating: 0, count: rows.count * info.columns),
      scales: [UInt8](repeating: 0, count: count * scales),
      minima: [UInt8](repeating: 0, count: hasLeast ? count * scales : 0),
      factors: [UInt16](repeating: 0, count: count),
      least: [UInt16](repeating: 0, count: hasLeast ? count : 0))
    parts.codes.withUnsafeMutableBufferPointer { codes in
      parts.scales.withUnsafeMutableBufferPointer { scaleRoom in
        parts.minima.withUnsafeMutableBufferPointer { minima in
          parts.factors.withUnsafeMutableBufferPointer { factors in
            parts.least.withUnsafeMutableBufferPointer { least in
              for (index, row) in rows.enumerated() {
                precondition(row >= 0 && row < info.rows)
                let first = index * blocks
                let room = cq_parts(
                  codes: codes.baseAddress.map { $0 + index * info.columns },
                  scales: scaleRoom.baseAddress.map { $0 + first * scales },
                  minima: minima.baseAddress.map { $0 + (hasLeast ? first * scales : 0) },
                  factors: factors.baseAddress.map { $0 + first },
                  least: least.baseAddress.map { $0 + (hasLeast ? first : 0) })
                let start = info.offset + row * info.rowBytes
                mapped.withBytes(start..<start + info.rowBytes) { bytes in
                  guard let from = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
                  take(from, room, blocks)
                }
              }
            }
          }
        }
      }
    }
    return parts
  }
}
