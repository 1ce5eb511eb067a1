import CBlas
import CKernels
import COneDNN

extension CPUBackend {
  /// Up to this many rows a product is bound by reading the weight, and a kernel that reads it once beats a GEMM.
  static let fewRows = 15

  public func multiply(
    _ a: Matrix, transposeA: Bool, _ b: Matrix, transposeB: Bool, alpha: Float, beta: Float, into c: Matrix
  ) {
    let depth = transposeA ? a.rows : a.columns
    precondition((transposeA ? a.columns : a.rows) == c.rows && (transposeB ? b.rows : b.columns) == c.columns)
    precondition((transposeB ? b.columns : b.rows) == depth)
    if c.rows <= CPUBackend.fewRows, !transposeA, transposeB, alpha == 1, beta == 0, depth > 0 {
      return productOfFewRows(a, b, bias: nil, into: c)
    }
    product(a, transposeA, b, transposeB, alpha: alpha, beta: beta, bias: nil, into: c)
  }

  public func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: Matrix) {
    precondition(x.columns == w.columns && y.columns == w.rows && y.rows == x.rows)
    precondition(bias == nil || bias?.rows == 1 && bias?.columns == w.rows)
    if w.computes == .bf16, x.rows > CPUBackend.fewRows || w.columns == 0 {
      return bfloat16Product(x, w, transposed: true, bias: bias, adding: lowRank, accumulate: false, into: y)
    }
    if w.computes == .bf16 {
      bfloat16ProductOfFewRows(x, w, bias: bias, into: y)
    } else if case .f32(let values) = w.numbers {
      if x.rows <= CPUBackend.fewRows {
        productOfFewRows(x.widened, values, bias: bias, into: y)
      } else {
        product(x.widened, false, values, true, alpha: 1, beta: bias == nil ? 0 : 1, bias: bias, into: y)
      }
    } else {
      quantisedLinear(x.widened, w, bias: bias, into: y)
    }
    if let lowRank {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: true, accumulate: true, into: y)
    }
  }

  public func linear(_ x: Operand, _ w: Weight, bias: Matrix?, adding lowRank: LowRank?, into y: BFloat16Matrix) {
    precondition(x.columns == w.columns && y.columns == w.rows && y.rows == x.rows)
    precondition(bias == nil || bias?.rows == 1 && bias?.columns == w.rows)
    let term = lowRank?.rounded(transposed: true)
    let isRounded = (lowRank == nil) == (term == nil)
    if bfloat16 == .panels, w.computes == .bf16, x.rows > CPUBackend.fewRows, w.columns > 0, isRounded {
      return rounded(x) {
        panelProduct(
          $0, RightFactor(w, transposed: true), bias: bias, adding: term, accumulate: false, into: .bf16(y))
      }
    }
    wide.use(y.rows * y.columns) { room in
      let result = Matrix(room, offset: 0, rows: y.rows, columns: y.columns)
      linear(x, w, bias: bias, adding: lowRank, into: result)
      narrow(result, into: y)
    }
  }

  public func linearInputGradient(
    _ dy: Operand, _ w: Weight, adding lowRank: LowRank?, into dx: Matrix, accumulate: Bool
  ) {
    precondition(dy.columns == w.rows && dx.columns == w.columns && dx.rows == dy.rows)
    if w.computes == .bf16 {
      return bfloat16Product(dy, w, transposed: false, bias: nil, adding: lowRank, accumulate: accumulate, into: dx)
    }
    if case .f32(let values) = w.numbers {
      product(dy.widened, false, values, false, alpha: 1, beta: accumulate ? 1 : 0, bias: nil, into: dx)
    } else {
      quantisedInputGradient(dy.widened, w, into: dx, accumulate: accumulate)
    }
    if let lowRank {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: false, accumulate: true, into: dx)
    }
  }

  /// y (T,n) ← x (T,k) · wᵀ + bias for a handful of rows.
  private func productOfFewRows(_ x: Matrix, _ w: Matrix, bias: Matrix?, into y: Matrix) {
    threads.split(y.columns, minimum: CPUBackend.smallest / max(1, x.columns), grain: 16) { part in
      let start = part.lowerBound
      ck_linear_few(
        y.rows, part.count, x.columns, x.pointer, x.stride, w.row(start), w.stride, bias.map { $0.pointer + start },
        y.pointer + start, y.stride)
    }
  }

  /// c ← alpha · op(a) · op(b) + beta · c, cut along the longer side of c. A bias first becomes every row of c.
  private func product(
    _ a: Matrix, _ transposeA: Bool, _ b: Matrix, _ transposeB: Bool, alpha: Float, beta: Float, bias: Matrix?,
    into c: Matrix
  ) {
    let depth = transposeA ? a.rows : a.columns
    guard c.rows > 0 && c.columns > 0 else { return }
    guard depth > 0 && alpha != 0 else {
      if let bias { return ck_fill_rows(c.rows, c.columns, bias.pointer, c.pointer, c.stride) }
      return beta == 0 ? c.fill(0) : scale(c, by: beta)
    }
    let byColumns = c.columns >= c.rows
    let side = byColumns ? c.columns : c.rows
    // At least about a million multiplications a thread.
    let minimum = (1 << 20) / (depth * (byColumns ? c.rows : c.columns))
    threads.split(side, minimum: max(1, minimum), grain: 16) { part in
      let rows = byColumns ? 0..<c.rows : part
      let columns = byColumns ? part : 0..<c.columns
      let to = c.row(rows.lowerBound) + columns.lowerBound
      if let bias { ck_fill_rows(rows.count, columns.count, bias.pointer + columns.lowerBound, to, c.stride) }
      sgemm(
        transposeA, transposeB, rows.count, columns.count, depth, alpha,
        a.pointer + rows.lowerBound * (transposeA ? 1 : a.stride), a.stride,
        b.pointer + columns.lowerBound * (transposeB ? b.stride : 1), b.stride, beta, to, c.stride)
    }
  }

  func sgemm(
    _ transposeA: Bool, _ transposeB: Bool, _ m: Int, _ n: Int, _ k: Int, _ alpha: Float,
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, _ beta: Float,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int
  ) {
    // A view of one row may have a stride shorter than a library wants; of one row it is never used.
    let lda = max(lda, 1)
    let ldb = max(ldb, 1)
    if products == .oneDNN {
      let status = onednn_sgemm(transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
      if status == 0 { return }
    }
    cb_sgemm(transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
  }
}
