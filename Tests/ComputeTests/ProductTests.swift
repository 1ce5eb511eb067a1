import Testing

@testable import Compute

@Suite struct ProductTests {
  static let sizes = [(1, 1, 1), (3, 17, 5), (17, 3, 130), (64, 130, 64), (130, 257, 33), (5, 8, 1), (2, 64, 300)]

  @Test(arguments: sizes) func multiplyEqualsTheReference(m: Int, n: Int, k: Int) {
    var numbers = Numbers(1)
    for backend in backends {
      for (transposeA, transposeB) in [(false, false), (false, true), (true, false), (true, true)] {
        let a = transposeA ? numbers.matrix(k, m, padding: 3) : numbers.matrix(m, k, padding: 3)
        let b = transposeB ? numbers.matrix(n, k, padding: 5) : numbers.matrix(k, n, padding: 5)
        for (alpha, beta) in [(1, 0), (0.5, 1), (2, -0.25)] as [(Float, Float)] {
          let c = numbers.matrix(m, n, padding: 2)
          let expected = copy(c)
          reference.multiply(
            a, transposeA: transposeA, b, transposeB: transposeB, alpha: alpha, beta: beta, into: expected)
          backend.multiply(a, transposeA: transposeA, b, transposeB: transposeB, alpha: alpha, beta: beta, into: c)
          #expect(difference(c, expected) < 4e-5)
          #expect(paddingIsUntouched(c))
        }
      }
    }
  }

  @Test func betaZeroNeverReadsTheOldContent() {
    var numbers = Numbers(2)
    for backend in backends as [any Backend] + [reference] {
      for rows in [1, 7, 130] {
        let a = numbers.matrix(rows, 40)
        let b = numbers.matrix(40, 130)
        let c = Matrix(rows, 130)
        c.fill(.nan)
        backend.multiply(a, transposeA: false, b, transposeB: false, alpha: 1, beta: 0, into: c)
        #expect(c.elements.allSatisfy { $0.isFinite })
        let dx = Matrix(rows, 130)
        dx.fill(.nan)
        backend.linearInputGradient(a, Weight(b), into: dx, accumulate: false)
        #expect(dx.elements.allSatisfy { $0.isFinite })
      }
    }
  }

  @Test func anEmptyDepthGivesZerosOrTheScaledOldContent() {
    for backend in backends as [any Backend] + [reference] {
      let c = Matrix(2, 3, [1, 2, 3, 4, 5, 6])
      let (a, b) = (Matrix(2, 0), Matrix(0, 3))
      backend.multiply(a, transposeA: false, b, transposeB: false, alpha: 1, beta: 0.5, into: c)
      #expect(c.elements == [0.5, 1, 1.5, 2, 2.5, 3])
      backend.multiply(a, transposeA: false, b, transposeB: false, alpha: 1, beta: 0, into: c)
      #expect(c.elements == [0, 0, 0, 0, 0, 0])
    }
  }

  @Test(arguments: [1, 2, 3, 5, 15, 16, 17, 130]) func linearEqualsTheReference(rows: Int) {
    var numbers = Numbers(3)
    for backend in backends {
      for (outputs, inputs) in [(1, 1), (130, 17), (33, 64), (300, 129)] {
        let x = numbers.matrix(rows, inputs, padding: 7)
        let w = Weight(numbers.matrix(outputs, inputs))
        let bias = numbers.matrix(1, outputs)
        for bias in [nil, bias] {
          let y = strided(numbers.matrix(rows, outputs))
          y.fill(.nan)
          let expected = Matrix(rows, outputs)
          reference.linear(x, w, bias: bias, into: expected)
          backend.linear(x, w, bias: bias, into: y)
          #expect(difference(y, expected) < 2e-5)
          #expect(paddingIsUntouched(y))
        }
      }
    }
  }

  @Test(arguments: [1, 5, 64]) func linearInputGradientEqualsTheReference(rows: Int) {
    var numbers = Numbers(4)
    for backend in backends {
      let dy = numbers.matrix(rows, 130, padding: 1)
      let w = Weight(numbers.matrix(130, 77))
      for accumulate in [false, true] {
        let dx = numbers.matrix(rows, 77, padding: 4)
        let expected = copy(dx)
        reference.linearInputGradient(dy, w, into: expected, accumulate: accumulate)
        backend.linearInputGradient(dy, w, into: dx, accumulate: accumulate)
        #expect(difference(dx, expected) < 2e-5)
        #expect(paddingIsUntouched(dx))
      }
    }
  }

  @Test func theInputGradientIsTheSlopeOfLinear() {
    var numbers = Numbers(5)
    let x = numbers.matrix(3, 6)
    let w = Weight(numbers.matrix(5, 6))
    let weights = numbers.matrix(3, 5)
    for backend in backends as [any Backend] + [reference] {
      let dx = Matrix(3, 6)
      backend.linearInputGradient(weights, w, into: dx, accumulate: false)
      expectSlope(dx, of: x) {
        let y = Matrix(3, 5)
        reference.linear(x, w, bias: nil, into: y)
        return weighted(y, weights)
      }
    }
  }

  /// So that a batch of prompts decodes to what each decodes to alone.
  @Test func aRowOfAFewDoesNotDependOnTheOthers() {
    var numbers = Numbers(7)
    let x = numbers.matrix(11, 130)
    let w = Weight(numbers.matrix(77, 130))
    let bias = numbers.matrix(1, 77)
    for backend in backends {
      let together = Matrix(11, 77)
      backend.linear(x, w, bias: bias, into: together)
      for row in 0..<11 {
        let alone = Matrix(1, 77)
        backend.linear(x.rows(row..<row + 1), w, bias: bias, into: alone)
        #expect(sameBits(alone, together.rows(row..<row + 1)))
      }
    }
  }

  @Test func twoRunsAreEqualBitForBit() {
    var numbers = Numbers(6)
    let x = numbers.matrix(200, 896)
    let w = Weight(numbers.matrix(512, 896))
    for backend in backends {
      let runs = (0..<3).map { _ in
        let y = Matrix(200, 512)
        backend.linear(x, w, bias: nil, into: y)
        return y
      }
      #expect(sameBits(runs[0], runs[1]) && sameBits(runs[0], runs[2]))
    }
  }
}
