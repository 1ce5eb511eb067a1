import CKernels

/// Products of bfloat16 numbers by our own kernel, which wants the right factor packed in panels of its columns.
extension CPUBackend {
  /// Of the contracted dimension, a panel holds so much at once: 64 columns of it are 128 KiB, and the rows of x that meet it stay in the
  /// second cache too.
  static let panelDepth = 1024

  /// y (m,n) ← x (m,k) · right + bias + low (m,r) · factor, or added to y when `accumulate`. Each thread packs a panel and multiplies all
  /// rows with it; the low-rank term comes on top while that part of y is still in a cache.
  func panelProduct(
    _ x: BFloat16Matrix, _ right: RightFactor, bias: Matrix?,
    adding lowRank: (low: BFloat16Matrix, factor: RightFactor)? = nil, accumulate: Bool, into y: Matrix
  ) {
    let (m, n, k) = (y.rows, y.columns, x.columns)
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
      self.raw.use(panelBytes + right.tileBytes(width: width, depth: depth)) { room in
        let panel = room.base.assumingMemoryBound(to: UInt16.self)
        let tile = (room.base + panelBytes).assumingMemoryBound(to: UInt16.self)
        for index in byPanels ? part : 0..<panels {
          let columns = index * width..<min(n, (index + 1) * width)
          let to = y.row(rows.lowerBound) + columns.lowerBound
          if let bias { ck_fill_rows(rows.count, columns.count, bias.pointer + columns.lowerBound, to, y.stride) }
          for start in stride(from: 0, to: k, by: depth) {
            let some = start..<min(k, start + depth)
            right.pack(columns: columns, depth: some, vectors: vectors, tile: tile, into: panel)
            let isLast = some.upperBound == k
            var next = right.place(
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

/// The right factor of a product in bfloat16, (k,n) as it multiplies: bfloat16 numbers as they lie, or a quantised weight, a tile at a time.
struct RightFactor: @unchecked Sendable {
  enum Numbers {
    case bfloat16(UnsafePointer<UInt16>, stride: Int)
    case quantised(Weight)
  }

  let numbers: Numbers
  /// Whether the columns of the product are rows of what lies in memory.
  let transposed: Bool
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
