import CKernels
import Testing

@testable import Compute

/// Random rows in the blocks of `format`, whose numbers are of the size of 1.
func packedStorage(
  _ numbers: inout Numbers, _ rows: Int, _ columns: Int, _ format: PackedFormat,
  path: Int32 = ck_packed_fastest_path(), damaged: Int? = nil
) -> PackedStorage {
  let chunks = rows * columns / format.chunkColumns
  let blocks = format.blockColumns == 0 ? 0 : rows * columns / format.blockColumns
  let (bits, hasLeast): (UInt64, Bool) =
    switch format {
    case .q4_0: (4, false)
    case .q4_1, .q4_K: (4, true)
    case .q5_0: (5, false)
    case .q5_1, .q5_K: (5, true)
    case .q6_K: (6, false)
    case .q8_0: (8, false)
    }
  func bytes(_ count: Int, below bits: UInt64) -> [UInt8] {
    (0..<count).map { _ in UInt8(numbers.bits() % (1 << bits)) }
  }
  // Halves up to 2^-3 of a format without scales, up to 2^-10 of one with, either sign.
  func halves(_ count: Int) -> [UInt16] {
    (0..<count).map { _ in
      UInt16(numbers.bits() % (blocks == 0 ? 0x1C00 : 0x1800)) | UInt16(numbers.bits() % 2) << 15
    }
  }
  let parts = PackedParts(
    codes: bytes(rows * columns, below: bits), scales: bytes(blocks, below: format == .q6_K ? 8 : 6),
    minima: bytes(hasLeast ? blocks : 0, below: 6), factors: halves(chunks), least: halves(hasLeast ? chunks : 0))
  return PackedStorage(rows: rows, columns: columns, format: format, path: path, threads: Threads(2)) { part in
    func slice<Element>(_ all: [Element]) -> [Element] {
      Array(all[all.count / rows * part.lowerBound..<all.count / rows * part.upperBound])
    }
    var some = PackedParts(
      codes: slice(parts.codes), scales: slice(parts.scales), minima: slice(parts.minima),
      factors: slice(parts.factors), least: slice(parts.least))
    if let damaged, part.contains(damaged) { some.factors[chunks / rows * (damaged - part.lowerBound)] = 0x7C00 }
    return some
  }
}

/// x as a few rows meet packed codes.
func roundedToInt8(_ x: Matrix) -> Matrix {
  let result = Matrix(x.rows, x.columns)
  CPUBackend(threads: 1).roundedToInt8(x) { rounded in
    for index in 0..<x.rows * x.columns {
      result[index / x.columns, index % x.columns] =
        Float(rounded.rows.codes[index]) * rounded.rows.scales[index / 32]
    }
  }
  return result
}

func packedWeight(_ storage: PackedStorage, _ products: Weight.Products = .f32) -> Weight {
  Weight(rows: storage.rows, columns: storage.columns, numbers: .packed(storage), products: products)
}

/// Weights in GGUF's blocks; that their numbers are the file's is tested in ModelsTests.
@Suite struct PackedTests {
  private static let paths = 0...ck_packed_fastest_path()

  /// Every set of instructions that this CPU has, every format, rows that fill no group of sixteen, and more rows of x than go at once.
  @Test(arguments: PackedFormat.allCases, [(1, 256), (37, 512), (64, 1280)])
  func fewRowsOfAllPathsEqualTheReference(format: PackedFormat, shape: (Int, Int)) {
    for path in Self.paths {
      var numbers = Numbers(41)
      let storage = packedStorage(&numbers, shape.0, shape.1, format, path: path)
      let w = packedWeight(storage)
      for rows in [1, 2, 3, 4, 7] {
        let x = numbers.matrix(rows, shape.1, padding: 5)
        for bias in [nil, numbers.matrix(1, shape.0)] {
          let (expected, y) = (Matrix(rows, shape.0), strided(numbers.matrix(rows, shape.0)))
          y.fill(.nan)
          reference.linear(roundedToInt8(x), w, bias: bias, into: expected)
          CPUBackend(threads: 2).packedProductOfFewRows(x, storage, bias: bias, into: y)
          let largest = expected.elements.reduce(1) { max($0, abs($1)) }
          #expect(difference(y, expected) < 1e-5 * largest, "path \(path), \(rows) rows")
          #expect(paddingIsUntouched(y))
        }
      }
    }
  }

  @Test(arguments: PackedFormat.allCases) func aRowDoesNotDependOnTheOthers(format: PackedFormat) {
    for path in Self.paths {
      var numbers = Numbers(42)
      let storage = packedStorage(&numbers, 48, 512, format, path: path)
      let x = numbers.matrix(6, 512)
      let (together, alone) = (Matrix(6, 48), Matrix(6, 48))
      CPUBackend(threads: 1).packedProductOfFewRows(x, storage, bias: nil, into: together)
      for row in 0..<6 {
        CPUBackend(threads: 3).packedProductOfFewRows(
          x.rows(row..<row + 1), storage, bias: nil, into: alone.rows(row..<row + 1))
      }
      #expect(sameBits(together, alone))
    }
  }

  /// A block's largest number is kept to a 127th of half its size, blocks of zeros and of the smallest numbers too.
  @Test func roundingToInt8() {
    var numbers = Numbers(43)
    let x = numbers.matrix(3, 96, padding: 2)
    for column in 0..<32 { x[1, column] = 0 }
    for column in 32..<64 { x[1, column] = column % 2 == 0 ? 1e-40 : -3e38 }
    for column in 64..<96 { x[1, column] = 1e-42 }
    let rounded = roundedToInt8(x)
    for row in 0..<3 {
      for column in 0..<96 {
        let block = x.rows(row..<row + 1).columns(column / 32 * 32..<column / 32 * 32 + 32).elements
        let largest = block.reduce(0) { max($0, abs($1)) }
        #expect(abs(rounded[row, column] - x[row, column]) <= max(largest / 253, 1e-36))
      }
    }
  }

  @Test func bytesInMemory() {
    var numbers = Numbers(44)
    for (format, bytes) in [(PackedFormat.q4_K, 2368), (.q5_K, 2880), (.q6_K, 3360)] {
      #expect(packedStorage(&numbers, 128, 1024, format).byteCount == 8 * 4 * bytes)
    }
    for (format, bytes) in [(PackedFormat.q4_0, 288), (.q4_1, 320), (.q5_0, 352), (.q5_1, 384), (.q8_0, 544)] {
      #expect(packedStorage(&numbers, 120, 96, format).byteCount == 8 * 3 * bytes)
    }
  }

  /// Any part, cut anywhere, is that part of the whole.
  @Test(arguments: PackedFormat.allCases) func partsAreThoseOfTheWhole(format: PackedFormat) {
    var numbers = Numbers(45)
    let storage = packedStorage(&numbers, 40, 512, format)
    let whole = packedWeight(storage).dequantised
    for _ in 0..<50 {
      let row = Int(numbers.bits() % 40), column = Int(numbers.bits() % 512)
      let rows = row..<row + 1 + Int(numbers.bits() % UInt64(40 - row))
      let columns = column..<column + 1 + Int(numbers.bits() % UInt64(512 - column))
      let floats = Matrix(rows.count, columns.count)
      storage.widen(rows: rows, columns: columns, into: floats.pointer, outStride: columns.count)
      #expect(sameBits(floats, copy(whole.rows(rows).columns(columns))))
      var narrow = [UInt16](repeating: 7, count: rows.count * columns.count)
      narrow.withUnsafeMutableBufferPointer {
        guard let base = $0.baseAddress else { return }
        storage.narrow(rows: rows, columns: columns, into: base, outStride: columns.count)
      }
      Weight.roundToBFloat16(floats)
      #expect(floats.elements.map { UInt16($0.bitPattern >> 16) } == narrow)
    }
  }

  @Test(arguments: PackedFormat.allCases) func aNumberThatIsNotFiniteIsFound(format: PackedFormat) {
    var numbers = Numbers(46)
    #expect(packedStorage(&numbers, 40, 256, format).firstRowNotFinite == nil)
    #expect(packedStorage(&numbers, 40, 256, format, damaged: 37).firstRowNotFinite == 37)
  }
}
