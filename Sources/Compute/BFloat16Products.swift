import CKernels
import COneDNN
import Synchronization

/// Products with weights held in bfloat16: x is rounded to bfloat16 too, the sums and the result are float32.
extension CPUBackend {
  /// Whether this CPU has instructions for it; elsewhere `.bf16` weights work too, but `.f32` ones are faster.
  public static var hasBFloat16: Bool { onednn_has_bf16_here() != 0 }

  /// y (T,n) ← x (T,k) · wᵀ + bias for a handful of rows; x stays float32.
  func productOfFewRows(_ x: Matrix, _ w: Weight, _ storage: BFloat16Storage, bias: Matrix?, into y: Matrix) {
    threads.split(y.columns, minimum: CPUBackend.smallest / max(1, x.columns), grain: 16) { part in
      let start = part.lowerBound
      ck_linear_few_bf16(
        y.rows, part.count, x.columns, x.pointer, x.stride, storage.base + start * w.columns, w.columns,
        bias.map { $0.pointer + start }, y.pointer + start, y.stride)
    }
  }

  /// y (T,n) ← x (T,k) · op(w) + bias, or added to y when `accumulate`; op transposes w (n,k) when `transposed`.
  func product(
    _ x: Matrix, _ w: Weight, _ storage: BFloat16Storage, transposed: Bool, bias: Matrix?, accumulate: Bool,
    into y: Matrix
  ) {
    let (m, n, k) = (y.rows, y.columns, x.columns)
    guard m > 0, n > 0 else { return }
    guard k > 0 else {
      if let bias { return ck_fill_rows(m, n, bias.pointer, y.pointer, y.stride) }
      return accumulate ? () : y.fill(0)
    }
    narrow.use(count: m * k) { rounded in
      eachRows(x) { part in
        let start = part.lowerBound
        ck_to_bf16(part.count, k, x.row(start), x.stride, rounded.base + start * k, k)
      }
      threads.split(n, minimum: max(1, (1 << 20) / (k * m)), grain: 16) { part in
        let start = part.lowerBound
        let to = y.pointer + start
        if let bias { ck_fill_rows(m, part.count, bias.pointer + start, to, y.stride) }
        let from = storage.base + (transposed ? start * w.columns : start)
        let status = onednn_bf16_product(
          transposed ? 1 : 0, m, part.count, k, rounded.base, k, from, w.columns, bias != nil || accumulate ? 1 : 0, to,
          y.stride)
        if status != 0 {
          plainProduct(rounded, m, k, from, w.columns, transposed, bias != nil || accumulate, part.count, to, y.stride)
        }
      }
    }
  }

  /// The same product without oneDNN's bfloat16 code (its JIT is missing or refused the shape): widened, in float32.
  func plainProduct(
    _ x: BFloat16Storage, _ m: Int, _ k: Int, _ w: UnsafePointer<UInt16>, _ wStride: Int, _ transposed: Bool,
    _ accumulate: Bool, _ n: Int, _ y: UnsafeMutablePointer<Float>, _ yStride: Int
  ) {
    let wide = Matrix(m, k)
    x.widen(from: 0, count: m * k, into: wide.pointer)
    let rows = transposed ? n : k
    let columns = transposed ? k : n
    let weight = Matrix(rows, columns)
    for row in 0..<rows { ck_from_bf16(columns, w + row * wStride, weight.row(row)) }
    sgemm(
      false, transposed, m, n, k, 1, wide.pointer, k, weight.pointer, columns, accumulate ? 1 : 0, y, yStride)
  }
}

/// Memory for rounded activations, kept from product to product.
final class NarrowScratch: Sendable {
  private let kept = Mutex<BFloat16Storage?>(nil)

  /// Lends room for `count` numbers; a second caller at the same time gets room of its own.
  func use(count: Int, _ body: (BFloat16Storage) -> Void) {
    let old = kept.withLock { kept in
      defer { kept = nil }
      return kept
    }
    let room = old.flatMap { $0.count >= count ? $0 : nil } ?? BFloat16Storage(count: count)
    body(room)
    kept.withLock { $0 = room }
  }
}
