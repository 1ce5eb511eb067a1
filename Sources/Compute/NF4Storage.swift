import CKernels

/// The parts of an NF4 tensor as bitsandbytes keeps them (`QuantState`), in the order of the flattened tensor.
public struct NF4Parts: Sendable, Equatable {
  /// Two a byte, the first in the high nibble: (count + 1) / 2 bytes.
  public var codes: [UInt8]
  /// The sixteen values, ascending: `quant_map`.
  public var codeBook: [Float] = NF4Parts.codeBook
  /// Numbers of a block: a power of two, 32 or more.
  public var blockSize = 64
  public var absmax: Absmax

  /// The absolute maximum of each block.
  public enum Absmax: Sendable, Equatable {
    case plain([Float])
    /// Double quantisation: block b has codeBook[codes[b]] · absmax[b / blockSize] + offset.
    case nested(codes: [UInt8], codeBook: [Float], absmax: [Float], blockSize: Int, offset: Float)
  }

  public init(codes: [UInt8], codeBook: [Float] = NF4Parts.codeBook, blockSize: Int = 64, absmax: Absmax) {
    self.codes = codes
    self.codeBook = codeBook
    self.blockSize = blockSize
    self.absmax = absmax
  }

  /// Whether the parts belong to a tensor of `count` numbers: what the kernels rely on.
  public func fits(count: Int) -> Bool {
    func isPowerOfTwo(_ size: Int) -> Bool { size >= 32 && size & (size - 1) == 0 }
    guard isPowerOfTwo(blockSize), codes.count == (count + 1) / 2, codeBook.count == 16 else { return false }
    let blocks = (count + blockSize - 1) / blockSize
    switch absmax {
    case .plain(let values): return values.count == blocks
    case .nested(let codes, let book, let absmax, let size, _):
      return isPowerOfTwo(size) && codes.count == blocks && book.count == 256
        && absmax.count == (blocks + size - 1) / size
    }
  }

  /// The values of NF4: quantiles of a normal distribution, scaled to -1…1, with zero among them (Dettmers et al., "QLoRA", 2023,
  /// appendix E).
  public static let codeBook: [Float] = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
  ]

  /// The signed 8-bit code of double quantisation, `create_dynamic_map()`: a decimal exponent of 0 to -6 and linear steps whose number
  /// doubles with it (Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2015).
  public static let dynamicMap: [Float] = {
    var values: [Float] = [0, 1]
    for exponent in 0..<7 {
      let items = 1 << exponent
      let step = (1 - Float(0.1)) / Float(items)
      // As torch.linspace: from the start in the lower half, from the end in the upper one, rounded once.
      let bounds = (0...items).map {
        $0 < (items + 1) / 2
          ? Float(0.1).addingProduct(step, Float($0)) : Float(1).addingProduct(-step, Float(items - $0))
      }
      let scale: Float = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1][exponent]
      for (low, high) in zip(bounds, bounds.dropFirst()) {
        let value = scale * ((low + high) / 2)
        values += [value, -value]
      }
    }
    return values.sorted()
  }()
}

/// NF4 numbers of a matrix, flattened row by row: what the kernels read.
final class NF4Storage: @unchecked Sendable {
  let count: Int
  let blockSize: Int
  let isNested: Bool
  /// Everything but the codes and maxima is small and lies here: the code books.
  private let books: UnsafeMutablePointer<Float>
  private let codes: UnsafeMutablePointer<UInt8>
  private let absmax: UnsafeMutablePointer<Float>
  private let nestedCodes: UnsafeMutablePointer<UInt8>?
  /// The kernels' view of all this; its pointers live as long as the storage.
  let view: ck_nf4
  let byteCount: Int

  /// Takes parts that `fits(count:)`.
  init(count: Int, parts: NF4Parts, path: Int32 = ck_nf4_fastest_path()) {
    precondition(parts.fits(count: count))
    self.count = count
    blockSize = parts.blockSize
    codes = Self.copy(parts.codes)
    var offset: Float = 0
    var nestedShift = 0
    switch parts.absmax {
    case .plain(let values):
      isNested = false
      books = Self.copy(parts.codeBook)
      absmax = Self.copy(values)
      nestedCodes = nil
      byteCount = parts.codes.count + values.count * 4
    case .nested(let nested, let book, let values, let size, let nestedOffset):
      isNested = true
      books = Self.copy(parts.codeBook + book)
      absmax = Self.copy(values)
      nestedCodes = Self.copy(nested)
      offset = nestedOffset
      nestedShift = size.trailingZeroBitCount
      byteCount = parts.codes.count + nested.count + values.count * 4
    }
    view = ck_nf4(
      codes: codes, code_book: books, block_shift: blockSize.trailingZeroBitCount, absmax: isNested ? nil : absmax,
      nested_codes: nestedCodes, nested_code_book: books + (isNested ? 16 : 0), nested_absmax: absmax,
      nested_shift: nestedShift, nested_offset: offset, path: path)
  }

  deinit {
    UnsafeMutableRawPointer(books).deallocate()
    UnsafeMutableRawPointer(codes).deallocate()
    UnsafeMutableRawPointer(absmax).deallocate()
    nestedCodes.map { UnsafeMutableRawPointer($0).deallocate() }
  }

  private static func copy<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let room = LargeMemory.allocate(byteCount: elements.count * MemoryLayout<Element>.stride)
      .bindMemory(to: Element.self, capacity: max(1, elements.count))
    elements.withUnsafeBufferPointer { from in
      if let base = from.baseAddress { room.initialize(from: base, count: from.count) }
    }
    return room
  }

  /// Numbers (rows, columns) as floats; the first is number `first`, the next row begins `stride` numbers later.
  func widen(first: Int, rows: Int, columns: Int, stride: Int, into out: UnsafeMutablePointer<Float>, outStride: Int) {
    precondition(first >= 0 && (rows == 0 || first + (rows - 1) * stride + columns <= count))
    withUnsafePointer(to: view) { ck_nf4_to_f32($0, first, rows, columns, stride, out, outStride) }
  }

  /// The same, rounded to bfloat16.
  func narrow(first: Int, rows: Int, columns: Int, stride: Int, into out: UnsafeMutablePointer<UInt16>, outStride: Int)
  {
    precondition(first >= 0 && (rows == 0 || first + (rows - 1) * stride + columns <= count))
    withUnsafePointer(to: view) { ck_nf4_to_bf16($0, first, rows, columns, stride, out, outStride) }
  }

  /// What it was made of, for tests and for writing out.
  var parts: NF4Parts {
    func array<Element>(_ from: UnsafePointer<Element>, _ count: Int) -> [Element] {
      Array(UnsafeBufferPointer(start: from, count: count))
    }
    let blocks = (count + blockSize - 1) / blockSize
    let size = 1 << view.nested_shift
    let absmax: NF4Parts.Absmax =
      if let nestedCodes {
        .nested(
          codes: array(nestedCodes, blocks), codeBook: array(books + 16, 256),
          absmax: array(absmax, (blocks + size - 1) / size), blockSize: size, offset: view.nested_offset)
      } else { .plain(array(absmax, blocks)) }
    return NF4Parts(
      codes: array(codes, (count + 1) / 2), codeBook: array(books, 16), blockSize: blockSize, absmax: absmax)
  }
}

/// Quantises a matrix piece by piece to NF4.
struct NF4Quantiser {
  static let blockSize = 64
  private var parts: NF4Parts
  private var absmax: [Float]
  private let count: Int

  init(count: Int) {
    self.count = count
    parts = NF4Parts(codes: [UInt8](repeating: 0, count: (count + 1) / 2), absmax: .plain([]))
    absmax = [Float](repeating: 0, count: (count + Self.blockSize - 1) / Self.blockSize)
  }

  /// Takes numbers `first` …, `first` being a whole number of blocks; so is their count, but at the end.
  mutating func quantise(_ values: UnsafePointer<Float>, first: Int, count some: Int, threads: Threads) {
    precondition(first % Self.blockSize == 0 && (some % Self.blockSize == 0 || first + some == count))
    let blocks = (some + Self.blockSize - 1) / Self.blockSize
    parts.codes.withUnsafeMutableBufferPointer { codes in
      absmax.withUnsafeMutableBufferPointer { absmax in
        guard let codes = codes.baseAddress, let absmax = absmax.baseAddress else { return }
        let room = QuantisedRoom(codes: codes + first / 2, absmax: absmax + first / Self.blockSize, values: values)
        threads.split(blocks, minimum: 512) { part in
          let start = part.lowerBound * Self.blockSize
          ck_nf4_quantise(
            min(some, part.upperBound * Self.blockSize) - start, room.values + start, Self.blockSize,
            NF4Parts.codeBook, room.codes + start / 2, room.absmax + part.lowerBound)
        }
      }
    }
  }

  /// The parts; with `doubleQuant` the maxima, less their mean, become 8-bit codes in blocks of 256.
  func finish(doubleQuant: Bool) -> NF4Parts {
    var result = parts
    result.absmax = .plain(absmax)
    guard doubleQuant, !absmax.isEmpty else { return result }
    let offset = Float(absmax.reduce(0.0) { $0 + Double($1) } / Double(absmax.count))
    var codes = [UInt8](repeating: 0, count: absmax.count)
    var maxima = [Float](repeating: 0, count: (absmax.count + 255) / 256)
    ck_blockwise_quantise(absmax.count, absmax, offset, 256, NF4Parts.dynamicMap, &codes, &maxima)
    result.absmax = .nested(
      codes: codes, codeBook: NF4Parts.dynamicMap, absmax: maxima, blockSize: 256, offset: offset)
    return result
  }
}

/// Memory that threads fill, each its own blocks.
private struct QuantisedRoom: @unchecked Sendable {
  let codes: UnsafeMutablePointer<UInt8>
  let absmax: UnsafeMutablePointer<Float>
  let values: UnsafePointer<Float>
}
