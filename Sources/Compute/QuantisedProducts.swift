import CBlas
import CKernels
import COneDNN

/// Products with quantised weights: a thread dequantises a tile of the weight into memory of its own that stays in the cache,
/// multiplies with it, and goes on to the next. Every tile gives columns of the result, so no sum is cut.
extension CPUBackend {
  /// Bytes of a tile, unless one row or column of the weight takes more.
  private static let tileBytes = 2 << 20

  /// y (T,n) ← x (T,k) · wᵀ + bias, in float32.
  func quantisedLinear(_ x: Matrix, _ w: Weight, bias: Matrix?, into y: Matrix) {
    guard y.rows > 0, y.columns > 0, x.columns > 0 else {
      return y.rows == 0
        ? () : bias.map { ck_fill_rows(y.rows, y.columns, $0.pointer, y.pointer, y.stride) } ?? y.fill(0)
    }
    if x.rows <= CPUBackend.fewRows { return quantisedProductOfFewRows(x, w, bias: bias, into: y) }
    if let bias { eachRows(y) { ck_fill_rows($0.count, y.columns, bias.pointer, y.row($0.lowerBound), y.stride) } }
    quantisedProduct(x, w, transposed: true, accumulate: bias != nil, into: y)
  }

  /// dx (T,k) ← dy (T,n) · w, added to dx when `accumulate`, in float32.
  func quantisedInputGradient(_ dy: Matrix, _ w: Weight, into dx: Matrix, accumulate: Bool) {
    guard dx.rows > 0, dx.columns > 0 else { return }
    guard dy.columns > 0 else { return accumulate ? () : dx.fill(0) }
    quantisedProduct(dy, w, transposed: false, accumulate: accumulate, into: dx)
  }

  private func quantisedProduct(_ x: Matrix, _ w: Weight, transposed: Bool, accumulate: Bool, into y: Matrix) {
    tiles(of: w, transposed: transposed, bytes: 4) { part, tile in
      let numbers = tile.assumingMemoryBound(to: Float.self)
      let stride = transposed ? w.columns : part.count
      w.widen(
        rows: transposed ? part : 0..<w.rows, columns: transposed ? 0..<w.columns : part, into: numbers,
        outStride: stride)
      self.sgemm(
        false, transposed, x.rows, part.count, x.columns, 1, x.pointer, x.stride, numbers, stride, accumulate ? 1 : 0,
        y.pointer + part.lowerBound, y.stride)
    }
  }

  /// The same in bfloat16, by oneDNN.
  func tiledProduct(_ x: BFloat16Matrix, _ w: Weight, transposed: Bool, accumulate: Bool, into y: Matrix) {
    tiles(of: w, transposed: transposed, bytes: 2) { part, tile in
      let numbers = tile.assumingMemoryBound(to: UInt16.self)
      let stride = transposed ? w.columns : part.count
      w.narrow(
        rows: transposed ? part : 0..<w.rows, columns: transposed ? 0..<w.columns : part, into: numbers,
        outStride: stride)
      self.libraryProduct(x, numbers, stride, transposed, accumulate, part, y)
    }
  }

  /// Calls `body` for stretches of the product's columns, which are rows of w when `transposed`, with room for that part of w.
  private func tiles(
    of w: Weight, transposed: Bool, bytes: Int, _ body: @Sendable (Range<Int>, UnsafeMutableRawPointer) -> Void
  ) {
    let (side, depth) = transposed ? (w.rows, w.columns) : (w.columns, w.rows)
    // Whole multiples of 64 columns: rows of a tile then begin at blocks of NF4 and at cache lines.
    let most = max(64, Self.tileBytes / (bytes * depth) / 64 * 64)
    threads.split(side, minimum: max(1, (1 << 16) / depth), grain: 64) { part in
      let count = (part.count + most - 1) / most
      let step = ((part.count + count - 1) / count + 63) / 64 * 64
      self.raw.use(min(step, part.count) * depth * bytes) { room in
        for start in stride(from: part.lowerBound, to: part.upperBound, by: step) {
          body(start..<min(start + step, part.upperBound), room.base)
        }
      }
    }
  }

  /// y (T,n) ← x (T,k) · wᵀ + bias for a handful of rows; x stays float32 unless w is packed, and the codes are read as they are.
  func quantisedProductOfFewRows(_ x: Matrix, _ w: Weight, bias: Matrix?, into y: Matrix) {
    if case .packed(let storage) = w.numbers { return packedProductOfFewRows(x, storage, bias: bias, into: y) }
    let k = w.columns
    threads.split(y.columns, minimum: CPUBackend.smallest / k, grain: 16) { part in
      let start = part.lowerBound
      let to = y.pointer + start
      let bias = bias.map { UnsafePointer($0.pointer + start) }
      switch w.numbers {
      case .int8(let storage):
        ck_linear_few_int8(
          y.rows, part.count, k, x.pointer, x.stride, storage.codes + start * k, k, nil, to, y.stride)
        ck_int8_finish(y.rows, part.count, storage.absmax + start, bias, to, y.stride)
      case .nf4(let storage) where k % storage.blockSize == 0:
        withUnsafePointer(to: storage.view) {
          ck_linear_few_nf4(y.rows, part.count, k, x.pointer, x.stride, $0, start * k, bias, to, y.stride)
        }
      default:
        // Rows that begin inside a block: sixteen at a time, widened.
        self.raw.use(16 * k * 4) { room in
          let numbers = room.base.assumingMemoryBound(to: Float.self)
          for first in stride(from: 0, to: part.count, by: 16) {
            let some = min(16, part.count - first)
            w.widen(
              rows: start + first..<start + first + some, columns: 0..<k, into: numbers, outStride: k)
            ck_linear_few(
              y.rows, some, k, x.pointer, x.stride, numbers, k, bias.map { $0 + first }, to + first, y.stride)
          }
        }
      }
    }
  }
}
