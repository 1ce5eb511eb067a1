import CKernels
import COneDNN

/// Products of numbers held in bfloat16, with float32 sums and results.
extension CPUBackend {
  /// Who computes them.
  public enum BFloat16Products: String, Sendable {
    /// Our kernel over packed panels, for AVX512-BF16.
    case panels = "lorapress"
    /// oneDNN, which knows AMX and Arm too; where it has no code for the CPU, the numbers are widened.
    case oneDNN = "onednn"

    public static var fastest: BFloat16Products { ck_bf16_products_here() != 0 ? .panels : .oneDNN }
  }

  /// Whether this CPU has instructions for it; elsewhere `.bf16` weights work too, but `.f32` ones are faster.
  public static var hasBFloat16: Bool { onednn_has_bf16_here() != 0 }

  // MARK: Operands

  /// Lends x rounded to bfloat16.
  func rounded(_ x: Operand, _ body: (BFloat16Matrix) -> Void) {
    switch x {
    case .bf16(let matrix): body(matrix)
    case .f32(let matrix):
      narrow.use(BFloat16Matrix.count(matrix.rows, matrix.columns)) { room in
        let rounded = BFloat16Matrix(room, rows: matrix.rows, columns: matrix.columns)
        narrow(matrix, into: rounded)
        body(rounded)
      }
    }
  }

  public func narrow(_ x: Matrix, into out: BFloat16Matrix) {
    precondition(x.rows == out.rows && x.columns == out.columns)
    eachRows(x) { out.fill($0, from: x) }
  }

  public func round(_ x: Matrix, into out: BFloat16Matrix) {
    precondition(x.rows == out.rows && x.columns == out.columns)
    eachRows(x) { part in
      let start = part.lowerBound
      ck_round_to_bf16(part.count, x.columns, x.row(start), x.stride, out.row(start), out.stride)
      out.clearPadding(part)
    }
  }

  public func widen(_ x: BFloat16Matrix, into out: Matrix) {
    precondition(x.rows == out.rows && x.columns == out.columns)
    eachRows(out) { part in
      for row in part { ck_from_bf16(x.columns, x.row(row), out.row(row)) }
    }
  }

  public func multiply(
    _ a: Operand, transposeA: Bool, _ b: Operand, transposeB: Bool, accumulate: Bool, into c: Matrix
  ) {
    guard case .bf16(let left) = a, case .bf16(let right) = b, !(transposeA && transposeB) else {
      return multiply(
        a.widened, transposeA: transposeA, b.widened, transposeB: transposeB, alpha: 1, beta: accumulate ? 1 : 0,
        into: c)
    }
    let depth = transposeA ? left.rows : left.columns
    precondition(
      (transposeA ? left.columns : left.rows) == c.rows && (transposeB ? right.rows : right.columns) == c.columns)
    precondition((transposeB ? right.columns : right.rows) == depth)
    guard c.rows > 0, c.columns > 0, depth > 0 else { return accumulate ? () : c.fill(0) }
    guard transposeA else {
      return product(left, RightFactor(right, transposed: transposeB), accumulate: accumulate, into: c)
    }
    // Left factors are read row by row. The smaller of the two is turned; where that is b, the product is cᵀ.
    let turnsLeft = c.rows <= c.columns
    let small = turnsLeft ? left : right
    narrow.use(BFloat16Matrix.count(small.columns, depth)) { room in
      let turned = BFloat16Matrix(room, rows: small.columns, columns: depth)
      ck_transpose_bf16(depth, small.columns, small.row(0), small.stride, turned.row(0), turned.stride)
      turned.clearPadding(0..<turned.rows)
      if turnsLeft {
        return product(turned, RightFactor(right, transposed: false), accumulate: accumulate, into: c)
      }
      wide.use(c.rows * c.columns) { room in
        let other = Matrix(room, offset: 0, rows: c.columns, columns: c.rows)
        product(turned, RightFactor(left, transposed: false), accumulate: false, into: other)
        if !accumulate { c.fill(0) }
        eachRows(c) { part in
          ck_add_transposed(
            part.count, c.columns, other.pointer + part.lowerBound, other.stride, c.row(part.lowerBound), c.stride)
        }
      }
    }
  }

  // MARK: Frozen weights

  /// y (T,n) ← x (T,k) · wᵀ + bias for a handful of rows.
  func bfloat16ProductOfFewRows(_ x: Operand, _ w: Weight, bias: Matrix?, into y: Matrix) {
    let k = w.columns
    let minimum = CPUBackend.smallest / max(1, k)
    switch w.numbers {
    case .bf16(let storage) where bfloat16 == .panels:
      rounded(x) { x in
        threads.split(y.columns, minimum: minimum, grain: 16) { part in
          let start = part.lowerBound
          ck_bf16_few_rows(
            y.rows, part.count, k, x.row(0), x.stride, storage.base + start * k, k, bias.map { $0.pointer + start },
            y.pointer + start, y.stride)
        }
      }
    case .nf4(let storage)
    where bfloat16 == .panels && withUnsafePointer(to: storage.view, { ck_bf16_few_nf4_takes(k, $0) }) != 0:
      rounded(x) { x in
        narrow.use(x.rows * k) { sorted in
          ck_bf16_even_odd(x.rows, k, x.row(0), x.stride, sorted.base)
          threads.split(y.columns, minimum: minimum, grain: 16) { part in
            let start = part.lowerBound
            withUnsafePointer(to: storage.view) {
              ck_bf16_few_rows_nf4(
                y.rows, part.count, k, sorted.base, $0, start * k, bias.map { $0.pointer + start }, y.pointer + start,
                y.stride)
            }
          }
        }
      }
    case .bf16(let storage):
      let x = x.widened
      threads.split(y.columns, minimum: minimum, grain: 16) { part in
        let start = part.lowerBound
        ck_linear_few_bf16(
          y.rows, part.count, k, x.pointer, x.stride, storage.base + start * k, k, bias.map { $0.pointer + start },
          y.pointer + start, y.stride)
      }
    default: quantisedProductOfFewRows(x.widened, w, bias: bias, into: y)
    }
  }

  /// y (T,n) ← x (T,k) · op(w) + bias + low · op(factor), or added to y when `accumulate`; op transposes w (n,k) when `transposed`.
  func bfloat16Product(
    _ x: Operand, _ w: Weight, transposed: Bool, bias: Matrix?, adding lowRank: LowRank?, accumulate: Bool,
    into y: Matrix
  ) {
    let term = lowRank?.rounded(transposed: transposed)
    rounded(x) { x in
      product(
        x, RightFactor(w, transposed: transposed), bias: bias, adding: term, accumulate: accumulate, into: y)
    }
    if let lowRank, term == nil {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: transposed, accumulate: true, into: y)
    }
  }

  /// y (m,n) ← x (m,k) · right + bias + low (m,r) · factor, or added to y when `accumulate`.
  private func product(
    _ x: BFloat16Matrix, _ right: RightFactor, bias: Matrix? = nil,
    adding term: (low: BFloat16Matrix, factor: RightFactor)? = nil, accumulate: Bool, into y: Matrix
  ) {
    guard y.rows > 0, y.columns > 0 else { return }
    if bfloat16 == .panels, x.columns > 0 {
      return panelProduct(x, right, bias: bias, adding: term, accumulate: accumulate, into: .f32(y))
    }
    if let bias {
      eachRows(y) { ck_fill_rows($0.count, y.columns, bias.pointer, y.row($0.lowerBound), y.stride) }
    } else if x.columns == 0, !accumulate {
      y.fill(0)
    }
    let adds = bias != nil || accumulate
    if x.columns > 0 {
      if case .quantised(let weight) = right.numbers {
        tiledProduct(x, weight, transposed: right.transposed, accumulate: adds, into: y)
      } else {
        threads.split(y.columns, minimum: max(1, (1 << 20) / (x.columns * y.rows)), grain: 16) { part in
          guard case .bfloat16(let base, let stride) = right.numbers else { return }
          let from = base + part.lowerBound * (right.transposed ? stride : 1)
          self.libraryProduct(x, from, stride, right.transposed, adds, part, y)
        }
      }
    }
    if let term { product(term.low, term.factor, accumulate: true, into: y) }
  }

  /// Some columns of a product by oneDNN, with the part of the weight that gives them.
  func libraryProduct(
    _ x: BFloat16Matrix, _ w: UnsafePointer<UInt16>, _ wStride: Int, _ transposed: Bool, _ accumulate: Bool,
    _ part: Range<Int>, _ y: Matrix
  ) {
    let to = y.pointer + part.lowerBound
    let status = onednn_bf16_product(
      transposed ? 1 : 0, x.rows, part.count, x.columns, x.row(0), x.stride, w, wStride, accumulate ? 1 : 0, to,
      y.stride)
    if status != 0 { plainProduct(x, w, wStride, transposed, accumulate, part.count, to, y.stride) }
  }

  /// The same product without oneDNN's bfloat16 code (its JIT is missing or refused the shape): widened, in float32.
  private func plainProduct(
    _ x: BFloat16Matrix, _ w: UnsafePointer<UInt16>, _ wStride: Int, _ transposed: Bool, _ accumulate: Bool, _ n: Int,
    _ y: UnsafeMutablePointer<Float>, _ yStride: Int
  ) {
    let wide = x.widened
    let rows = transposed ? n : x.columns
    let columns = transposed ? x.columns : n
    let weight = Matrix(rows, columns)
    for row in 0..<rows { ck_from_bf16(columns, w + row * wStride, weight.row(row)) }
    sgemm(
      false, transposed, x.rows, n, x.columns, 1, wide.pointer, max(1, x.columns), weight.pointer, columns,
      accumulate ? 1 : 0, y, yStride)
  }
}

extension LowRank {
  /// Both factors, where they are in bfloat16.
  func rounded(transposed: Bool) -> (low: BFloat16Matrix, factor: RightFactor)? {
    guard case .bf16(let low) = low, case .bf16(let factor) = factor else { return nil }
    return (low, RightFactor(factor, transposed: transposed))
  }
}
