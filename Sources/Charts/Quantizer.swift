import Foundation

/// Reduces a picture to at most 256 colours, always the same way.
///
/// A picture with few enough colours keeps them exactly. Otherwise the most frequent 64 (page, ink, lines, their common
/// blends) stay exact and the rest, the blends of antialiased edges, are gathered by median cut, each box standing for
/// the weighted mean of its colours. Nothing is dithered.
struct IndexedPicture {
  /// One palette index a pixel.
  var indices: [UInt8]
  /// 0x00RRGGBB; the most frequent colours first.
  var palette: [UInt32]

  static let exactColours = 64

  init(_ pixels: PixelGrid) {
    let census = ColourCensus(pixels)
    let order = census.colours.indices.sorted {
      census.counts[$0] != census.counts[$1]
        ? census.counts[$0] > census.counts[$1] : census.colours[$0] < census.colours[$1]
    }
    let colours = order.map { census.colours[$0] }
    if colours.count <= 256 {
      palette = colours
    } else {
      let rest = order.dropFirst(Self.exactColours).map { (colour: census.colours[$0], count: census.counts[$0]) }
      palette = Array(colours.prefix(Self.exactColours)) + Self.medianCut(rest, boxes: 256 - Self.exactColours)
    }
    var entry = [UInt8](repeating: 0, count: census.colours.count)
    for (rank, index) in order.enumerated() {
      let isExact = rank < Self.exactColours || colours.count <= 256
      entry[index] = isExact ? UInt8(rank) : Self.nearest(census.colours[index], in: palette)
    }
    indices = census.indices(entry, width: pixels.width, height: pixels.height)
  }

  static func distance(_ a: UInt32, _ b: UInt32) -> Int {
    let red = Int(a >> 16 & 255) - Int(b >> 16 & 255)
    let green = Int(a >> 8 & 255) - Int(b >> 8 & 255)
    let blue = Int(a & 255) - Int(b & 255)
    return 2 * red * red + 4 * green * green + 3 * blue * blue
  }

  private static func nearest(_ colour: UInt32, in palette: [UInt32]) -> UInt8 {
    var best = 0
    var least = Int.max
    for index in palette.indices {
      let distance = distance(colour, palette[index])
      if distance < least {
        least = distance
        best = index
      }
    }
    return UInt8(best)
  }

  // MARK: Median cut

  private struct Cell {
    var colours: ArraySlice<(colour: UInt32, count: Int)>
    var shift: UInt32 = 0
    /// Extent of the widest channel times the root of the pixels: what a cut is worth.
    var worth = 0.0

    init(_ colours: ArraySlice<(colour: UInt32, count: Int)>) {
      self.colours = colours
      var widest: UInt32 = 0
      for channel in [UInt32(16), 8, 0] {
        var low: UInt32 = 255
        var high: UInt32 = 0
        for entry in colours {
          let value = entry.colour >> channel & 255
          low = min(low, value)
          high = max(high, value)
        }
        if high > low, high - low > widest {
          widest = high - low
          shift = channel
        }
      }
      let pixels = colours.reduce(0) { $0 + $1.count }
      worth = Double(widest) * Double(pixels).squareRoot()
    }

    var mean: UInt32 {
      var total = 0
      var sums = (0, 0, 0)
      for entry in colours {
        total += entry.count
        sums.0 += Int(entry.colour >> 16 & 255) * entry.count
        sums.1 += Int(entry.colour >> 8 & 255) * entry.count
        sums.2 += Int(entry.colour & 255) * entry.count
      }
      guard total > 0 else { return 0 }
      let half = total / 2
      return UInt32((sums.0 + half) / total) << 16 | UInt32((sums.1 + half) / total) << 8
        | UInt32((sums.2 + half) / total)
    }
  }

  private static func medianCut(_ colours: [(colour: UInt32, count: Int)], boxes: Int) -> [UInt32] {
    var cells = [Cell(colours[...])]
    while cells.count < boxes {
      guard let widest = cells.indices.max(by: { cells[$0].worth < cells[$1].worth }), cells[widest].worth > 0 else {
        break
      }
      let shift = cells[widest].shift
      let sorted = cells[widest].colours.sorted {
        let a = $0.colour >> shift & 255
        let b = $1.colour >> shift & 255
        return a != b ? a < b : $0.colour < $1.colour
      }
      let half = sorted.reduce(0) { $0 + $1.count } / 2
      var seen = 0
      var cut = 1
      for (index, entry) in sorted.enumerated().dropLast() {
        seen += entry.count
        cut = index + 1
        if seen >= half { break }
      }
      cells[widest] = Cell(sorted[..<cut])
      cells.append(Cell(sorted[cut...]))
    }
    return cells.map(\.mean)
  }
}

/// The pixels of a picture in memory that someone else owns: 0x..RRGGBB, row by row.
struct PixelGrid {
  let base: UnsafePointer<UInt32>
  let width: Int
  let height: Int
  /// Numbers from one row's start to the next's.
  let stride: Int

  func row(_ y: Int) -> UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: base + y * stride, count: width) }
}

/// The distinct colours of a picture in order of appearance, how often each occurs, and where: as runs of one colour, since charts are
/// mostly empty, and rows that repeat the one above are counted, not looked at.
struct ColourCensus {
  private(set) var colours: [UInt32] = []
  private(set) var counts: [Int] = []
  private var runs: [(place: Int, length: Int)] = []
  private var rows: [(lastRun: Int, repeats: Int)] = []

  init(_ pixels: PixelGrid) {
    // Open addressing, grown at half load.
    var slots = [Int32](repeating: -1, count: 1 << 13)
    var y = 0
    while y < pixels.height {
      let row = pixels.row(y)
      var repeats = 1
      while y + repeats < pixels.height, let start = row.baseAddress,
        memcmp(start, pixels.base + (y + repeats) * pixels.stride, pixels.width * MemoryLayout<UInt32>.size) == 0
      {
        repeats += 1
      }
      var x = 0
      while x < pixels.width {
        let colour = row[x] & 0xFF_FFFF
        var end = x + 1
        while end < pixels.width, row[end] & 0xFF_FFFF == colour { end += 1 }
        let place = Self.place(of: colour, slots: &slots, colours: &colours)
        if place == counts.count { counts.append(0) }
        counts[place] += (end - x) * repeats
        runs.append((place, end - x))
        x = end
      }
      rows.append((runs.count, repeats))
      y += repeats
    }
  }

  /// The number that `entry` has for each pixel's colour.
  func indices(_ entry: [UInt8], width: Int, height: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: width * height) { buffer, count in
      guard let out = buffer.baseAddress else { return }
      var run = 0
      for row in rows {
        let start = out + count
        while run < row.lastRun {
          memset(out + count, Int32(entry[runs[run].place]), runs[run].length)
          count += runs[run].length
          run += 1
        }
        for _ in 1..<row.repeats {
          memcpy(out + count, start, width)
          count += width
        }
      }
    }
  }

  private static func place(of colour: UInt32, slots: inout [Int32], colours: inout [UInt32]) -> Int {
    if colours.count * 2 >= slots.count {
      slots = [Int32](repeating: -1, count: slots.count * 2)
      for (index, known) in colours.enumerated() {
        var slot = Int(known &* 0x9E37_79B1 >> 8) & (slots.count - 1)
        while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = Int32(index)
      }
    }
    var slot = Int(colour &* 0x9E37_79B1 >> 8) & (slots.count - 1)
    while slots[slot] >= 0 {
      if colours[Int(slots[slot])] == colour { return Int(slots[slot]) }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(colours.count)
    colours.append(colour)
    return colours.count - 1
  }
}
