import Compute

/// Memory for one step's matrices: handed out in order, given back all at once, kept for the next step.
///
/// Allocating afresh would touch a gigabyte of new pages in every training step. Matrices come with old numbers in them.
final class Arena {
  struct Mark {
    fileprivate var chunk: Int
    fileprivate var used: Int
  }

  private static let chunkSize = 1 << 22
  private var chunks: [Storage] = []
  private var chunk = 0
  private var used = 0

  /// A (rows, columns) matrix that is valid until the arena is reset to a mark made before it.
  func matrix(_ rows: Int, _ columns: Int) -> Matrix {
    let (storage, offset) = take(rows * columns)
    return Matrix(storage, offset: offset, rows: rows, columns: columns)
  }

  /// The same for numbers that are held in bfloat16 or float32.
  func operand(_ rows: Int, _ columns: Int, _ precision: Weight.Products) -> Operand {
    guard precision == .bf16 else { return .f32(matrix(rows, columns)) }
    let (storage, offset) = take(BFloat16Matrix.floatCount(rows, columns))
    return .bf16(BFloat16Matrix(storage, offset: offset, rows: rows, columns: columns))
  }

  private func take(_ floats: Int) -> (Storage, offset: Int) {
    // Rows of a multiple of 16 floats keep every matrix on a cache line.
    let count = (floats + 15) / 16 * 16
    while chunk < chunks.count, chunks[chunk].count - used < count {
      chunk += 1
      used = 0
    }
    if chunk == chunks.count {
      chunks.append(Storage(count: max(count, Self.chunkSize)))
      used = 0
    }
    defer { used += count }
    return (chunks[chunk], used)
  }

  var byteCount: Int { chunks.reduce(0) { $0 + $1.count * 4 } }

  var mark: Mark { Mark(chunk: chunk, used: used) }

  func reset(to mark: Mark) {
    chunk = mark.chunk
    used = mark.used
  }

  func reset() { reset(to: Mark(chunk: 0, used: 0)) }
}
