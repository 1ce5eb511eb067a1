import CKernels
import COneDNN
import Synchronization

/// Products of numbers held in bfloat16, with float32 sums and results.
extension CPUBackend {
  /// Who computes them.
  public enum BFloat16Products: Sendable {
    /// Our kernel over packed panels, for AVX512-BF16.
    case panels
    /// oneDNN, which knows AMX and Arm too; where it has no code for the CPU, the numbers are widened.
    case oneDNN

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
    guard case .bf16(let left) = a, case .bf16(let right) = b, bfloat16 == .panels, !(transposeA && transposeB) else {
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
      return panelProduct(left, PackedSource(right, transposed: transposeB), bias: nil, accumulate: accumulate, into: c)
    }
    // The kernel reads its left factor row by row. The smaller of the two is turned; where that is b, the product is cᵀ.
    let turnsLeft = c.rows <= c.columns
    let small = turnsLeft ? left : right
    narrow.use(BFloat16Matrix.count(small.columns, depth)) { room in
      let turned = BFloat16Matrix(room, rows: small.columns, columns: depth)
      ck_transpose_bf16(depth, small.columns, small.row(0), small.stride, turned.row(0), turned.stride)
      turned.clearPadding(0..<turned.rows)
      if turnsLeft {
        return panelProduct(turned, PackedSource(right, transposed: false), bias: nil, accumulate: accumulate, into: c)
      }
      wide.use(c.rows * c.columns) { room in
        let product = Matrix(room, offset: 0, rows: c.columns, columns: c.rows)
        panelProduct(turned, PackedSource(left, transposed: false), bias: nil, accumulate: false, into: product)
        if !accumulate { c.fill(0) }
        eachRows(c) { part in
          ck_add_transposed(
            part.count, c.columns, product.pointer + part.lowerBound, product.stride, c.row(part.lowerBound), c.stride)
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
    if bfloat16 == .panels, x.columns > 0, let lowRank, case .bf16(let low) = lowRank.low,
      case .bf16(let factor) = lowRank.factor, low.columns <= Self.panelDepth
    {
      return rounded(x) { x in
        panelProduct(
          x, PackedSource(w, transposed: transposed), bias: bias,
          adding: (low, PackedSource(factor, transposed: transposed)), accumulate: accumulate, into: y)
      }
    }
    bfloat16Product(x, w, transposed: transposed, bias: bias, accumulate: accumulate, into: y)
    if let lowRank {
      multiply(lowRank.low, transposeA: false, lowRank.factor, transposeB: transposed, accumulate: true, into: y)
    }
  }

  private func bfloat16Product(
    _ x: Operand, _ w: Weight, transposed: Bool, bias: Matrix?, accumulate: Bool, into y: Matrix
  ) {
    guard y.rows > 0, y.columns > 0 else { return }
    guard x.columns > 0 else {
      if let bias { return ck_fill_rows(y.rows, y.columns, bias.pointer, y.pointer, y.stride) }
      return accumulate ? () : y.fill(0)
    }
    rounded(x) { x in
      if bfloat16 == .panels {
        return panelProduct(x, PackedSource(w, transposed: transposed), bias: bias, accumulate: accumulate, into: y)
      }
      if let bias { eachRows(y) { ck_fill_rows($0.count, y.columns, bias.pointer, y.row($0.lowerBound), y.stride) } }
      let adds = bias != nil || accumulate
      guard case .bf16(let storage) = w.numbers else {
        return tiledProduct(x, w, transposed: transposed, accumulate: adds, into: y)
      }
      threads.split(y.columns, minimum: max(1, (1 << 20) / (x.columns * y.rows)), grain: 16) { part in
        let from = storage.base + (transposed ? part.lowerBound * w.columns : part.lowerBound)
        self.libraryProduct(x, from, w.columns, transposed, adds, part, y)
      }
    }
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

  // MARK: Panels

  /// Of the contracted dimension, a panel holds so much at once: 64 columns of it are 128 KiB, and the rows of x that meet it stay in the
  /// second cache too.
  private static let panelDepth = 1024

  /// y (m,n) ← x (m,k) · source + bias + low (m,r) · factor, or added to y when `accumulate`. Each thread packs a panel and multiplies all
  /// rows with it; the low-rank term comes on top while that part of y is still in a cache.
  func panelProduct(
    _ x: BFloat16Matrix, _ source: PackedSource, bias: Matrix?,
    adding lowRank: (low: BFloat16Matrix, factor: PackedSource)? = nil, accumulate: Bool, into y: Matrix
  ) {
    let (m, n, k) = (y.rows, y.columns, x.columns)
    guard m > 0, n > 0 else { return }
    let vectors = n <= 16 ? 1 : n <= 32 ? 2 : 4
    let width = 16 * vectors
    let panels = (n + width - 1) / width
    // With fewer panels than threads, each thread packs them all and takes some rows.
    let byPanels = panels >= threads.count
    let depth = min(k, Self.panelDepth)
    let minimum = max(1, (1 << 19) / (byPanels ? m * k * width : n * k))
    threads.split(byPanels ? panels : m, minimum: minimum, grain: byPanels ? 1 : 6) { part in
      let rows = byPanels ? 0..<m : part
      let panelBytes = (max(depth, lowRank?.low.columns ?? 0) + 1) / 2 * 2 * width * 2
      self.tileScratch.use(bytes: panelBytes + source.tileBytes(width: width, depth: depth)) { room in
        let panel = room.assumingMemoryBound(to: UInt16.self)
        let tile = (room + panelBytes).assumingMemoryBound(to: UInt16.self)
        for index in byPanels ? part : 0..<panels {
          let columns = index * width..<min(n, (index + 1) * width)
          let to = y.row(rows.lowerBound) + columns.lowerBound
          if let bias { ck_fill_rows(rows.count, columns.count, bias.pointer + columns.lowerBound, to, y.stride) }
          for start in stride(from: 0, to: k, by: depth) {
            let some = start..<min(k, start + depth)
            source.pack(columns: columns, depth: some, vectors: vectors, tile: tile, into: panel)
            let isLast = some.upperBound == k
            var next = source.place(
              columns: isLast ? columns.upperBound..<min(n, columns.upperBound + width) : columns,
              depth: isLast ? 0..<depth : some.upperBound..<min(k, some.upperBound + depth))
            ck_bf16_panel_product(
              rows.count, columns.count, some.count, x.row(rows.lowerBound) + start, x.stride, panel, Int32(vectors),
              &next, accumulate || bias != nil || start > 0 ? 1 : 0, to, y.stride)
          }
          guard let (low, factor) = lowRank else { continue }
          factor.pack(columns: columns, depth: 0..<low.columns, vectors: vectors, tile: tile, into: panel)
          var nothing = ck_next(base: nil, rows: 0, bytes: 0, stride: 0)
          ck_bf16_panel_product(
            rows.count, columns.count, low.columns, low.row(rows.lowerBound), low.stride, panel, Int32(vectors),
            &nothing,
            1, to, y.stride)
        }
      }
    }
  }
}

/// The right factor of a panel product, (k,n) as it multiplies: bfloat16 numbers as they lie, or a quantised weight, a tile at a time.
struct PackedSource: @unchecked Sendable {
  private enum Numbers {
    case bfloat16(UnsafePointer<UInt16>, stride: Int)
    case quantised(Weight)
  }

  private let numbers: Numbers
  /// Whether the columns of the product are rows of what lies in memory.
  private let transposed: Bool
  /// Keeps the numbers alive.
  private let owner: AnyObject

  init(_ w: Weight, transposed: Bool) {
    self.transposed = transposed
    owner = w
    if case .bf16(let storage) = w.numbers {
      numbers = .bfloat16(storage.base, stride: w.columns)
    } else {
      numbers = .quantised(w)
    }
  }

  init(_ matrix: BFloat16Matrix, transposed: Bool) {
    self.transposed = transposed
    owner = matrix.owner
    numbers = .bfloat16(matrix.row(0), stride: matrix.stride)
  }

  /// The room that `pack` needs for a tile of dequantised numbers.
  func tileBytes(width: Int, depth: Int) -> Int {
    if case .quantised = numbers { width * depth * 2 } else { 0 }
  }

  /// Where the numbers of a panel lie.
  func place(columns: Range<Int>, depth: Range<Int>) -> ck_next {
    let (rows, some) = transposed ? (columns, depth) : (depth, columns)
    guard !rows.isEmpty, !some.isEmpty else { return ck_next(base: nil, rows: 0, bytes: 0, stride: 0) }
    switch numbers {
    case .bfloat16(let base, let step):
      return ck_next(
        base: base + rows.lowerBound * step + some.lowerBound, rows: rows.count, bytes: some.count * 2, stride: step * 2
      )
    case .quantised(let weight):
      return weight.place(rows: rows, columns: some)
    }
  }

  func pack(
    columns: Range<Int>, depth: Range<Int>, vectors: Int, tile: UnsafeMutablePointer<UInt16>,
    into panel: UnsafeMutablePointer<UInt16>
  ) {
    let (rows, some) = transposed ? (columns, depth) : (depth, columns)
    var from: UnsafePointer<UInt16>
    var stride: Int
    switch numbers {
    case .bfloat16(let base, let step): (from, stride) = (base + rows.lowerBound * step + some.lowerBound, step)
    case .quantised(let weight):
      weight.narrow(rows: rows, columns: some, into: tile, outStride: some.count)
      (from, stride) = (UnsafePointer(tile), some.count)
    }
    if transposed {
      ck_bf16_pack_rows(from, stride, columns.count, depth.count, Int32(vectors), panel)
    } else {
      ck_bf16_pack_columns(from, stride, columns.count, depth.count, Int32(vectors), panel)
    }
  }
}

/// Memory that is kept from call to call. Who asks while it is lent gets memory of their own.
final class Scratch<Room: Sendable>: Sendable {
  private struct Piece {
    let count: Int
    let room: Room
  }

  private let kept = Mutex<[Piece]>([])
  private let make: @Sendable (Int) -> Room

  init(_ make: @escaping @Sendable (Int) -> Room) { self.make = make }

  /// Lends room for `count` numbers: the smallest piece that has it, else a new one in a kept one's place.
  func use(_ count: Int, _ body: (Room) -> Void) {
    let fitting = kept.withLock { kept -> Piece? in
      let index = kept.indices.filter { kept[$0].count >= count }.min { kept[$0].count < kept[$1].count }
      guard let index else {
        _ = kept.popLast()
        return nil
      }
      return kept.remove(at: index)
    }
    let piece = fitting ?? Piece(count: count, room: make(count))
    body(piece.room)
    kept.withLock { $0.append(piece) }
  }
}
