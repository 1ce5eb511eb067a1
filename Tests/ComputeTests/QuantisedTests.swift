import CKernels
import Testing

@testable import Compute

/// Products with NF4 and 8-bit weights; that the numbers are bitsandbytes' is tested in ModelsTests.
@Suite struct QuantisedTests {
  static let shapes = [(1, 1), (130, 17), (33, 64), (300, 129), (70, 192)]

  static func weight(
    _ numbers: inout Numbers, _ rows: Int, _ columns: Int, _ kind: Weight.Kind, _ products: Weight.Products
  )
    -> Weight
  {
    if kind == .packed {
      let format: PackedFormat = columns % 256 == 0 ? .q6_K : columns % 64 == 0 ? .q5_0 : .q4_1
      return packedWeight(packedStorage(&numbers, rows, columns, format), products)
    }
    return Weight(numbers.matrix(rows, columns), kind: kind, doubleQuant: rows % 2 == 0, products: products)
  }

  /// Whether a few rows meet NF4 codes as bfloat16: where the CPU has the instructions and rows are whole blocks.
  static func takesCodes(_ backend: CPUBackend, _ w: Weight) -> Bool {
    backend.bfloat16 == .panels && w.products == .bf16 && w.kind == .nf4 && w.columns % 64 == 0
  }

  static func roundsInput(_ backend: CPUBackend, _ w: Weight, rows: Int) -> Bool {
    w.products == .bf16 && rows > CPUBackend.fewRows || takesCodes(backend, w)
  }

  /// What the products compute with: numbers rounded to bfloat16 where that is asked for and there are more than a few rows, and for a few
  /// rows of codes the code book rounded.
  static func effective(_ backend: CPUBackend, _ w: Weight, rows: Int) throws -> Weight {
    if rows <= CPUBackend.fewRows, takesCodes(backend, w) {
      var parts = try #require(w.nf4Parts)
      let book = Matrix(1, 16, parts.codeBook)
      Weight.roundToBFloat16(book)
      parts.codeBook = book.elements
      return Weight(try #require(Weight(rows: w.rows, columns: w.columns, nf4: parts)).dequantised)
    }
    let values = copy(w.dequantised)
    if w.products == .bf16 && rows > CPUBackend.fewRows { Weight.roundToBFloat16(values) }
    return Weight(values)
  }

  @Test(arguments: [Weight.Kind.nf4, .int8, .packed], [Weight.Products.f32, .bf16])
  func linearEqualsTheReferenceOnTheDequantisedNumbers(kind: Weight.Kind, products: Weight.Products) throws {
    var numbers = Numbers(21)
    for backend in backends {
      // GGUF's blocks end with the rows.
      for (outputs, inputs) in Self.shapes where kind != .packed || inputs % 32 == 0 {
        let w = Self.weight(&numbers, outputs, inputs, kind, products)
        #expect(w.kind == kind)
        for rows in [1, 2, 3, 5, 15, 16, 130] {
          let x = numbers.matrix(rows, inputs, padding: 7)
          for bias in [nil, numbers.matrix(1, outputs)] {
            let y = strided(numbers.matrix(rows, outputs))
            y.fill(.nan)
            let given = copy(x)
            if Self.roundsInput(backend, w, rows: rows) { Weight.roundToBFloat16(given) }
            if kind == .packed, rows <= CPUBackend.fewRows { given.copy(from: roundedToInt8(x)) }
            let expected = Matrix(rows, outputs)
            reference.linear(given, try Self.effective(backend, w, rows: rows), bias: bias, into: expected)
            backend.linear(x, w, bias: bias, into: y)
            #expect(difference(y, expected) < 2e-5, "\(rows) × \(outputs) × \(inputs)")
            #expect(paddingIsUntouched(y))
          }
        }
      }
    }
  }

  @Test(arguments: [Weight.Kind.nf4, .int8, .packed], [Weight.Products.f32, .bf16])
  func theInputGradientEqualsTheReference(kind: Weight.Kind, products: Weight.Products) throws {
    var numbers = Numbers(22)
    for backend in backends {
      // GGUF's blocks end with the rows.
      for (outputs, inputs) in Self.shapes where kind != .packed || inputs % 32 == 0 {
        let w = Self.weight(&numbers, outputs, inputs, kind, products)
        for rows in [1, 5, 64] {
          let dy = numbers.matrix(rows, outputs, padding: 1)
          for accumulate in [false, true] {
            let dx = numbers.matrix(rows, inputs, padding: 4)
            let expected = copy(dx)
            let given = copy(dy)
            if products == .bf16 { Weight.roundToBFloat16(given) }
            if !accumulate { dx.fill(.nan) }
            reference.linearInputGradient(
              given, try Self.effective(backend, w, rows: 99), into: expected, accumulate: accumulate)
            backend.linearInputGradient(dy, w, into: dx, accumulate: accumulate)
            #expect(difference(dx, expected) < 4e-5)
            #expect(paddingIsUntouched(dx))
          }
        }
      }
    }
  }

  /// A weight of several tiles a thread, in both directions.
  @Test(arguments: [Weight.Kind.nf4, .int8, .packed], [Weight.Products.f32, .bf16])
  func manyTilesAreOneProduct(kind: Weight.Kind, products: Weight.Products) throws {
    var numbers = Numbers(23)
    let w = Self.weight(&numbers, 1600, 2112, kind, products)
    let x = numbers.matrix(17, 2112)
    let dy = numbers.matrix(17, 1600)
    Weight.roundToBFloat16(x)
    Weight.roundToBFloat16(dy)
    let effective = try Self.effective(CPUBackend(), w, rows: 17)
    let (expected, expectedGradient) = (Matrix(17, 1600), Matrix(17, 2112))
    reference.linear(x, effective, bias: nil, into: expected)
    reference.linearInputGradient(dy, effective, into: expectedGradient, accumulate: false)
    for backend in backends {
      let (y, dx) = (Matrix(17, 1600), Matrix(17, 2112))
      backend.linear(x, w, bias: nil, into: y)
      backend.linearInputGradient(dy, w, into: dx, accumulate: false)
      #expect(difference(y, expected) < 2e-4 && difference(dx, expectedGradient) < 2e-4)
      let again = Matrix(17, 1600)
      backend.linear(x, w, bias: nil, into: again)
      #expect(sameBits(y, again))
    }
  }

  /// Every set of instructions that this CPU has gives the same numbers, wherever the piece begins and ends.
  @Test(arguments: [(5, 77), (8, 128), (3, 200)]) func allPathsGiveTheSameNumbers(rows: Int, columns: Int) {
    var numbers = Numbers(24)
    let best = ck_nf4_fastest_path()
    for doubleQuant in [false, true] {
      let whole = Weight(numbers.matrix(rows, columns), kind: .nf4, doubleQuant: doubleQuant)
      guard let parts = whole.nf4Parts else { continue }
      let paths = (0...best).map { NF4Storage(count: rows * columns, parts: parts, path: $0) }
      for _ in 0..<200 {
        let first = Int(numbers.bits() % UInt64(columns))
        let some = 1 + Int(numbers.bits() % UInt64(columns - first))
        var floats: [Matrix] = []
        var halves: [[UInt16]] = []
        for storage in paths {
          let out = Matrix(rows, some)
          storage.widen(first: first, rows: rows, columns: some, stride: columns, into: out.pointer, outStride: some)
          floats.append(out)
          var narrow = [UInt16](repeating: 7, count: rows * some)
          narrow.withUnsafeMutableBufferPointer {
            storage.narrow(
              first: first, rows: rows, columns: some, stride: columns, into: $0.baseAddress!, outStride: some)
          }
          halves.append(narrow)
        }
        #expect(sameBits(floats[0], copy(whole.dequantised.columns(first..<first + some))))
        #expect(floats.allSatisfy { sameBits($0, floats[0]) } && halves.allSatisfy { $0 == halves[0] })
        let rounded = copy(floats[0])
        Weight.roundToBFloat16(rounded)
        #expect(rounded.elements.map { UInt16($0.bitPattern >> 16) } == halves[0])
      }
    }
  }

  /// The kernel of few rows too, and a row's result does not depend on the others.
  @Test func theFewRowsOfAllPathsAgree() {
    var numbers = Numbers(25)
    let (n, k) = (37, 192)
    let w = Weight(numbers.matrix(n, k), kind: .nf4)
    let x = numbers.matrix(6, k)
    let expected = Matrix(6, n)
    reference.linear(x, w, bias: nil, into: expected)
    guard let parts = w.nf4Parts else { return }
    for path in 0...ck_nf4_fastest_path() {
      let storage = NF4Storage(count: n * k, parts: parts, path: path)
      let together = Matrix(6, n)
      let alone = Matrix(6, n)
      withUnsafePointer(to: storage.view) { view in
        ck_linear_few_nf4(6, n, k, x.pointer, k, view, 0, nil, together.pointer, n)
        for row in 0..<6 { ck_linear_few_nf4(1, n, k, x.row(row), k, view, 0, nil, alone.row(row), n) }
      }
      #expect(difference(together, expected) < 2e-5 && sameBits(together, alone))
    }
  }

  @Test func bytesInMemory() {
    var numbers = Numbers(26)
    let values = numbers.matrix(128, 896)
    let count = 128 * 896
    #expect(Weight(values, kind: .int8).byteCount == count + 128 * 4)
    #expect(Weight(values, kind: .nf4, doubleQuant: false).byteCount == count / 2 + count / 64 * 4)
    #expect(Weight(values, kind: .nf4).byteCount == count / 2 + count / 64 + 7 * 4)
  }

  @Test(arguments: [(Weight.Kind.nf4, 33), (.int8, 33), (.packed, 64)])
  func gatherGivesTheDequantisedRows(kind: Weight.Kind, columns: Int) {
    var numbers = Numbers(27)
    let w = Self.weight(&numbers, 50, columns, kind, .f32)
    for backend in backends as [any Backend] + [reference] {
      let out = Matrix(4, columns)
      backend.gather(w, rows: [49, 0, 7, 7], into: out)
      #expect(sameBits(out, w.dequantised.gathering([49, 0, 7, 7])))
    }
  }

  @Test func partsOfAnotherShapeAreRefused() throws {
    var numbers = Numbers(28)
    let parts = try #require(Weight(numbers.matrix(4, 64), kind: .nf4).nf4Parts)
    #expect(Weight(rows: 4, columns: 64, nf4: parts) != nil)
    #expect(Weight(rows: 4, columns: 65, nf4: parts) == nil)
    #expect(Weight(rows: 2, columns: 64, nf4: parts) == nil)
    var damaged = parts
    damaged.blockSize = 48
    #expect(Weight(rows: 4, columns: 64, nf4: damaged) == nil)
    damaged = parts
    damaged.codeBook.removeLast()
    #expect(Weight(rows: 4, columns: 64, nf4: damaged) == nil)
  }

  @Test func theFirstNaNOrInfinityIsFound() {
    var numbers = Numbers(29)
    let x = numbers.matrix(3, 2100, padding: 5)
    #expect(x.firstNotFinite == nil)
    for (row, column, value) in [(2, 2099, Float.infinity), (1, 1030, .nan), (1, 2, -.infinity)] {
      x[row, column] = value
      #expect(x.firstNotFinite.map { $0.row == row && $0.column == column } == true)
    }
  }
}
