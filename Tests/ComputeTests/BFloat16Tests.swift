import CKernels
import Testing

@testable import Compute

@Suite struct BFloat16Tests {
  /// The nearest bfloat16, ties to even, by comparing the two neighbours.
  static func nearest(_ x: Float) -> Float {
    guard x.isFinite else { return x }
    let low = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let high = Float(bitPattern: (x.bitPattern & 0xFFFF_0000) &+ 0x1_0000)
    // Beyond the largest bfloat16 the next step is infinity, at the distance a finite one would have.
    let step = Double(low.magnitude) == 0 ? 0 : Double(low.magnitude.ulp) * 0x1p16
    let above = high.isFinite ? Double(high.magnitude) : Double(low.magnitude) + step
    let (down, up) = (Double(x.magnitude) - Double(low.magnitude), above - Double(x.magnitude))
    if down != up { return down < up ? low : high }
    return (low.bitPattern >> 16) & 1 == 0 ? low : high
  }

  @Test func roundsToTheNearestTiesToEven() {
    var numbers = Numbers(11)
    var values: [Float] = [
      0, -0, 1, -1, 1.00390625, 1.01171875, 3.3895314e38, -3.4028235e38, .infinity, -.infinity, 1e-40, -3e-45, .pi,
    ]
    for _ in 0..<5000 { values.append(Float(bitPattern: UInt32(truncatingIfNeeded: numbers.bits()))) }
    values = values.filter { !$0.isNaN }
    let x = Matrix(1, values.count, values)
    Weight.roundToBFloat16(x)
    for (value, rounded) in zip(values, x.elements) {
      #expect(rounded.bitPattern == Self.nearest(value).bitPattern, "\(value)")
    }
  }

  @Test func aNaNStaysOne() {
    let bits: [UInt32] = [0x7F80_0001, 0xFF80_0001, 0x7FC0_0000, 0x7FFF_FFFF, 0xFFFF_FFFF]
    let x = Matrix(1, bits.count, bits.map { Float(bitPattern: $0) })
    Weight.roundToBFloat16(x)
    #expect(x.elements.allSatisfy { $0.isNaN })
  }

  /// Rounded while a part of it lies in a cache, or afterwards: the same bits.
  @Test(arguments: [3, 16, 130]) func aRoundedProductHasTheBitsOfTheProductRounded(rows: Int) {
    var numbers = Numbers(13)
    for backend in backends + [CPUBackend(threads: 2)] {
      for (outputs, inputs, rank) in [(1, 1, 1), (130, 17, 3), (33, 64, 16), (300, 1100, 1030)] {
        let x = BFloat16Matrix(rows, inputs)
        backend.narrow(numbers.matrix(rows, inputs), into: x)
        let bias = numbers.matrix(1, outputs)
        let (low, factor) = (numbers.matrix(rows, rank), numbers.matrix(outputs, rank))
        let rounded = (BFloat16Matrix(rows, rank), BFloat16Matrix(outputs, rank))
        backend.narrow(low, into: rounded.0)
        backend.narrow(factor, into: rounded.1)
        let terms = [
          nil, LowRank(low: .bf16(rounded.0), factor: .bf16(rounded.1)), LowRank(low: .f32(low), factor: .f32(factor)),
        ]
        for kind in [Weight.Kind.bf16, .int8, .f32] {
          let w = Weight(numbers.matrix(outputs, inputs), kind: kind, products: kind == .f32 ? .f32 : .bf16)
          for (term, bias) in terms.flatMap({ term in [(term, nil), (term, bias)] }) {
            let wide = Matrix(rows, outputs)
            backend.linear(.bf16(x), w, bias: bias, adding: term, into: wide)
            let expected = BFloat16Matrix(rows, outputs)
            backend.narrow(wide, into: expected)
            let y = BFloat16Matrix(rows, outputs)
            for row in 0..<rows { y.row(row).update(repeating: 0x7FC0, count: y.stride) }
            backend.linear(.bf16(x), w, bias: bias, adding: term, into: y)
            #expect(sameBits(y.widened, expected.widened))
            #expect(y.stride == outputs || (0..<rows).allSatisfy { y.row($0)[outputs] == 0 })
          }
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3, 15, 16, 17, 130]) func linearEqualsTheReferenceOnRoundedNumbers(rows: Int) {
    var numbers = Numbers(12)
    for backend in backends {
      for (outputs, inputs) in [(1, 1), (130, 17), (33, 64), (300, 129)] {
        let x = numbers.matrix(rows, inputs, padding: 7)
        let w = Weight(numbers.matrix(outputs, inputs), kind: .bf16)
        #expect(w.kind == .bf16 && w.byteCount == outputs * inputs * 2)
        let bias = numbers.matrix(1, outputs)
        for bias in [nil, bias] {
          let y = strided(numbers.matrix(rows, outputs))
          y.fill(.nan)
          let given = copy(x)
          // Without the instructions, a few rows stay float32; others are rounded like the weight.
          if rows > CPUBackend.fewRows || backend.bfloat16 == .panels { Weight.roundToBFloat16(given) }
          let expected = Matrix(rows, outputs)
          reference.linear(given, w, bias: bias, into: expected)
          backend.linear(x, w, bias: bias, into: y)
          #expect(difference(y, expected) < 2e-5)
          #expect(paddingIsUntouched(y))
        }
      }
    }
  }

  @Test(arguments: [1, 5, 64]) func theInputGradientEqualsTheReferenceOnRoundedNumbers(rows: Int) {
    var numbers = Numbers(13)
    for backend in backends {
      let dy = numbers.matrix(rows, 130, padding: 1)
      let w = Weight(numbers.matrix(130, 77), kind: .bf16)
      for accumulate in [false, true] {
        let dx = numbers.matrix(rows, 77, padding: 4)
        let expected = copy(dx)
        let given = copy(dy)
        Weight.roundToBFloat16(given)
        if !accumulate { dx.fill(.nan) }
        reference.linearInputGradient(given, w, into: expected, accumulate: accumulate)
        backend.linearInputGradient(dy, w, into: dx, accumulate: accumulate)
        #expect(difference(dx, expected) < 2e-5)
        #expect(paddingIsUntouched(dx))
      }
    }
  }

  /// A record says who computes each kind of product.
  @Test func theNameTellsWhoComputes() {
    func name(_ products: CPUBackend.Products, _ bfloat16: CPUBackend.BFloat16Products) -> String {
      CPUBackend(threads: 1, products: products, bfloat16: bfloat16).name
    }
    #expect(name(.oneDNN, .panels) == "lorapress (bf16), onednn (f32)")
    #expect(name(.openBLAS, .oneDNN) == "onednn (bf16), openblas (f32)")
    #expect(name(.oneDNN, .oneDNN) == "onednn")
  }

  /// More shapes than the kept code has room for, twice each.
  @Test func manyShapesComeAndGo() {
    var numbers = Numbers(14)
    let backend = CPUBackend()
    let w = Weight(numbers.matrix(48, 32), kind: .bf16)
    let x = numbers.matrix(316, 32)
    Weight.roundToBFloat16(Matrix(x.storage, offset: 0, rows: 1, columns: x.storage.count))
    let expected = Matrix(316, 48)
    reference.linear(x, w, bias: nil, into: expected)
    for _ in 0..<2 {
      for rows in 16...316 {
        let y = Matrix(rows, 48)
        backend.linear(x.rows(0..<rows), w, bias: nil, into: y)
        #expect(difference(y, expected.rows(0..<rows)) < 2e-5)
      }
    }
  }

  @Test func twoRunsAreEqualBitForBit() {
    var numbers = Numbers(15)
    let x = numbers.matrix(200, 896)
    let w = Weight(numbers.matrix(512, 896), kind: .bf16)
    for backend in backends {
      let runs = (0..<3).map { _ in
        let y = Matrix(200, 512)
        backend.linear(x, w, bias: nil, into: y)
        return y
      }
      #expect(sameBits(runs[0], runs[1]) && sameBits(runs[0], runs[2]))
    }
  }

  @Test func gatherWidensExactly() {
    var numbers = Numbers(16)
    let w = Weight(numbers.matrix(50, 33), kind: .bf16)
    for backend in backends as [any Backend] + [reference] {
      let out = Matrix(4, 33)
      backend.gather(w, rows: [49, 0, 7, 7], into: out)
      #expect(sameBits(out, w.dequantised.gathering([49, 0, 7, 7])))
    }
  }

  /// Factors of all shapes that adapters have, turned or not.
  @Test(arguments: ProductTests.sizes + [(150, 16, 2100), (16, 1030, 40), (1030, 16, 40), (40, 130, 32)])
  func multiplyEqualsTheReference(m: Int, n: Int, k: Int) {
    var numbers = Numbers(17)
    for backend in backends {
      for (transposeA, transposeB) in [(false, false), (false, true), (true, false), (true, true)] {
        let a = half(transposeA ? numbers.matrix(k, m) : numbers.matrix(m, k))
        let b = half(transposeB ? numbers.matrix(n, k) : numbers.matrix(k, n))
        for accumulate in [false, true] {
          let c = numbers.matrix(m, n, padding: 2)
          let expected = copy(c)
          if !accumulate { c.fill(.nan) }
          reference.multiply(
            .bf16(a), transposeA: transposeA, .bf16(b), transposeB: transposeB, accumulate: accumulate, into: expected)
          backend.multiply(
            .bf16(a), transposeA: transposeA, .bf16(b), transposeB: transposeB, accumulate: accumulate, into: c)
          #expect(difference(c, expected) < 1e-4)
          #expect(paddingIsUntouched(c))
        }
      }
    }
  }

  /// The low-rank term on top, in both directions, whatever the weight is held in.
  @Test(arguments: [Weight.Kind.f32, .bf16, .nf4], [3, 40, 150])
  func aLowRankTermIsAdded(kind: Weight.Kind, rows: Int) throws {
    var numbers = Numbers(19)
    for backend in backends {
      for (outputs, inputs, rank) in [(130, 64, 16), (70, 1100, 5), (16, 48, 64)] {
        let w = Weight(numbers.matrix(outputs, inputs), kind: kind, products: .bf16)
        let (a, b) = (half(numbers.matrix(rank, inputs)), half(numbers.matrix(outputs, rank)))
        let low = half(numbers.matrix(rows, rank))
        let bias = numbers.matrix(1, outputs)
        for (x, isInput) in [(half(numbers.matrix(rows, inputs)), true), (half(numbers.matrix(rows, outputs)), false)] {
          let y = numbers.matrix(rows, isInput ? outputs : inputs, padding: 3)
          let expected = copy(y)
          let term = LowRank(low: .bf16(low), factor: .bf16(isInput ? b : a))
          let plain = try QuantisedTests.effective(backend, w, rows: isInput ? rows : 99)
          if isInput {
            reference.linear(.bf16(x), plain, bias: bias, adding: term, into: expected)
            backend.linear(.bf16(x), w, bias: bias, adding: term, into: y)
          } else {
            reference.linearInputGradient(.bf16(x), plain, adding: term, into: expected, accumulate: true)
            backend.linearInputGradient(.bf16(x), w, adding: term, into: y, accumulate: true)
          }
          #expect(difference(y, expected) < 1e-4, "\(outputs) × \(inputs), \(rank)")
          #expect(paddingIsUntouched(y))
        }
      }
    }
  }

  @Test(arguments: [(1, 1), (3, 33), (130, 77)]) func swiGLUEqualsTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(20)
    for backend in backends {
      let (gate, up) = (half(numbers.matrix(rows, columns)), half(numbers.matrix(rows, columns)))
      let (out, expected) = (BFloat16Matrix(rows, columns), BFloat16Matrix(rows, columns))
      reference.swiGLU(gate: gate, up: up, into: expected)
      backend.swiGLU(gate: gate, up: up, into: out)
      // A last bit of bfloat16 may fall to the other side.
      #expect(difference(out.widened, expected.widened) < 1e-2)
      let dOut = numbers.matrix(rows, columns)
      let (otherGate, otherUp) = (half(gate.widened), half(up.widened))
      reference.swiGLUBackward(dOut: dOut, gate: otherGate, up: otherUp)
      backend.swiGLUBackward(dOut: dOut, gate: gate, up: up)
      #expect(difference(gate.widened, otherGate.widened) < 1e-2)
      #expect(difference(up.widened, otherUp.widened) < 1e-2)
    }
  }

  @Test func anOperandThatWasRoundedBeforeGivesTheSameBits() {
    var numbers = Numbers(18)
    let w = Weight(numbers.matrix(130, 77), kind: .bf16)
    for backend in backends {
      for rows in [3, 40] {
        let x = numbers.matrix(rows, 77)
        let rounded = BFloat16Matrix(rows, 77)
        backend.round(x, into: rounded)
        #expect(sameBits(x, rounded.widened))
        let (one, other) = (Matrix(rows, 130), Matrix(rows, 130))
        backend.linear(.bf16(rounded), w, bias: nil, adding: nil, into: one)
        backend.linear(x, w, bias: nil, into: other)
        #expect(sameBits(one, other))
      }
    }
  }

  private func half(_ x: Matrix) -> BFloat16Matrix {
    let rounded = BFloat16Matrix(x.rows, x.columns)
    reference.narrow(x, into: rounded)
    return rounded
  }
}
