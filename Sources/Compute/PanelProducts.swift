import CKernels

/// Products of bfloat16 numbers by our own kernel, which wants the right factor packed in panels of its columns.
extension CPUBackend {
  /// Of the contracted dimension, a panel holds so much at once: 64 columns of it are 128 KiB, and the rows of x that meet it stay in the
  /// second cache too.
  static let panelDepth = 1024

  /// y (m,n) ← x (m,k) · right + bias + low (m,r) · factor, or added to y (in float32) when `accumulate`. Each thread packs a panel and multiplies all
  /// rows with it; the low-rank term comes on top while that part of y is still in a cache, and so does rounding where y is in bfloat16.
  func panelProduct(
    _ x: BFloat16Matrix, _ right: RightFactor, bias: Matrix?,
    adding lowRank: (low: BFloat16Matrix, factor: RightFactor)? = nil, accumulate: Bool, into y: Operand
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
      let lowDepth = lowRank?.low.columns ?? 0
      let panelDepth = max(depth, min(lowDepth, Self.panelDepth))
      let sumBytes = if case .bf16 = y { rows.count * width * 4 } else { 0 }
      self.raw.use(sumBytes + PanelRoom.bytes(right, width: width, depth: panelDepth)) { raw in
        let room = PanelRoom(raw, offset: sumBytes, width: width, depth: panelDepth)
        for index in byPanels ? part : 0..<panels {
          let columns = index * width..<min(n, (index + 1) * width)
          let (to, stride) =
            if case .f32(let y) = y { (y.row(rows.lowerBound) + columns.lowerBound, y.stride) } else {
              (raw.base.assumingMemoryBound(to: Float.self), width)
            }
          if let bias { ck_fill_rows(rows.count, columns.count, bias.pointer + columns.lowerBound, to, stride) }
          let next = right.place(columns: columns.upperBound..<min(n, columns.upperBound + width), depth: 0..<depth)
          panel(
            x, rows, right, columns: columns, depth: 0..<k, next: next, room: room,
            accumulate: accumulate || bias != nil, into: to, stride: stride)
          if let (low, factor) = lowRank {
            panel(
              low, rows, factor, columns: columns, depth: 0..<lowDepth, next: .nothing, room: room, accumulate: true,
              into: to, stride: stride)
          }
          if case .bf16(let y) = y {
            ck_to_bf16(
              rows.count, columns.count, to, stride, y.row(rows.lowerBound) + columns.lowerBound, y.stride)
          }
        }
      }
    }
    if case .bf16(let y) = y { y.clearPadding(0..<m) }
  }

  /// y (rows, columns) ← x · right[depth, columns], or added to y: column 0 of x meets the first of `depth`. Packs one panel after another,
  /// and meanwhile fetches what will be packed next.
  func panel(
    _ x: BFloat16Matrix, _ rows: Range<Int>, _ right: RightFactor, columns: Range<Int>, depth: Range<Int>,
    next: ck_next, room: PanelRoom, accumulate: Bool, into y: UnsafeMutablePointer<Float>, stride yStride: Int
  ) {
    for start in stride(from: depth.lowerBound, to: depth.upperBound, by: Self.panelDepth) {
      let some = start..<min(depth.upperBound, start + Self.panelDepth)
      let rest = some.upperBound..<min(depth.upperBound, some.upperBound + Self.panelDepth)
      var part = right.part(columns: columns, depth: some, tile: room.tile)
      var next = rest.isEmpty ? next : right.place(columns: columns, depth: rest)
      ck_bf16_panel_product(
        rows.count, columns.count, some.count, x.row(rows.lowerBound) + start - depth.lowerBound, x.stride, &part,
        Int32(room.vectors), room.panel, &next, accumulate || start > depth.lowerBound ? 1 : 0, y, yStride)
    }
  }
}

/// What a thread packs panels of up to `width` columns into.
struct PanelRoom {
  let vectors: Int
  let panel: UnsafeMutablePointer<UInt16>
  /// For dequantised numbers on their way into the panel.
  let tile: UnsafeMutablePointer<UInt16>

  /// A panel is packed a cache line of its factor's rows at a time.
  private static func panelBytes(_ width: Int, _ depth: Int) -> Int { (depth + 31) / 32 * 32 * width * 2 }

  /// The memory that this takes for panels of `right` that are up to `depth` deep.
  static func bytes(_ right: RightFactor, width: Int, depth: Int) -> Int {
    panelBytes(width, depth) + right.tileBytes(width: width, depth: depth)
  }

  init(_ room: RawRoom, offset: Int = 0, width: Int, depth: Int) {
    vectors = width / 16
    panel = (room.base + offset).assumingMemoryBound(to: UInt16.self)
    tile = (room.base + offset + Self.panelBytes(width, depth)).assumingMemoryBound(to: UInt16.self)
  }
}

extension ck_next {
  static var nothing: ck_next { ck_next(base: nil, rows: 0, bytes: 0, stride: 0) }
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

  /// The room that ``part(columns:depth:tile:)`` needs for dequantised numbers.
  func tileBytes(width: Int, depth: Int) -> Int {
    if case .quantised = numbers { width * tileStride(depth) * 2 } else { 0 }
  }

  /// From one row of a tile to the next where the rows are columns of the product: not a power of two, or all rows would want the same
  /// few places of a cache.
  private func tileStride(_ depth: Int) -> Int { depth + 32 }

  /// Where the numbers of a panel lie.
  func place(columns: Range<Int>, depth: Range<Int>) -> ck_next {
    let (rows, some) = transposed ? (columns, depth) : (depth, columns)
    guard !rows.isEmpty, !some.isEmpty else { return .nothing }
    switch numbers {
    case .bfloat16(let base, let step):
      return ck_next(
        base: base + rows.lowerBound * step + some.lowerBound, rows: rows.count, bytes: some.count * 2, stride: step * 2
      )
    case .quantised(let weight):
      return weight.place(rows: rows, columns: some)
    }
  }

  /// Some columns of the factor at some of its depth: where they lie, or dequantised into `tile`.
  func part(columns: Range<Int>, depth: Range<Int>, tile: UnsafeMutablePointer<UInt16>) -> ck_bf16_right {
    let (rows, some) = transposed ? (columns, depth) : (depth, columns)
    switch numbers {
    case .bfloat16(let base, let stride):
      return ck_bf16_right(
        numbers: base + rows.lowerBound * stride + some.lowerBound, stride: stride, transposed: transposed ? 1 : 0)
    case .quantised(let weight):
      let stride = transposed ? tileStride(depth.count) : columns.count
      weight.narrow(rows: rows, columns: some, into: tile, outStride: stride)
      return ck_bf16_right(numbers: tile, stride: stride, transposed: transposed ? 1 : 0)
    }
  }
}
