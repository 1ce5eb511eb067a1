import Foundation
import Testing

@testable import Compute

/// Cross-entropy, dropout, AdamW and what goes with them.
@Suite struct TrainingStepTests {
  @Test(arguments: [(1, 1), (3, 17), (5, 1025), (2, 151_936), (130, 64)])
  func crossEntropyEqualsTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(1)
    for backend in backends {
      let logits = numbers.matrix(rows, columns, padding: 3, scale: 15)
      let targets = (0..<rows).map { Int32(($0 * 7919 + columns - 1) % columns) }
      let expected = copy(logits)
      let losses = backend.crossEntropy(logits: logits, targets: targets, gradientScale: nil)
      #expect(sameBits(logits, expected), "logits stay without a gradient")
      let gradientLosses = backend.crossEntropy(logits: logits, targets: targets, gradientScale: 0.25)
      let expectedLosses = reference.crossEntropy(logits: expected, targets: targets, gradientScale: 0.25)
      for (loss, expected) in zip(losses, expectedLosses) { #expect(abs(loss - expected) < 1e-6 * (1 + expected)) }
      #expect(losses == gradientLosses)
      #expect(difference(logits, expected) < 2e-7)
      #expect(paddingIsUntouched(logits))
    }
  }

  @Test func theGradientIsTheSlopeOfTheLoss() {
    var numbers = Numbers(2)
    let logits = numbers.matrix(3, 8, scale: 2)
    let targets: [Int32] = [0, 7, 3]
    for backend in backends as [any Backend] + [reference] {
      let gradient = copy(logits)
      _ = backend.crossEntropy(logits: gradient, targets: targets, gradientScale: 0.5)
      expectSlope(gradient, of: logits) {
        reference.crossEntropy(logits: logits, targets: targets, gradientScale: nil)
          .reduce(0) { $0 + 0.5 * Double($1) }
      }
    }
  }

  @Test func hugeLogitsGiveExactLosses() {
    for backend in backends as [any Backend] + [reference] {
      let values: [Float] = [1e4, -1e4, 0, 9_999, -1e4, -1e4, 1e4, -1e4, 0, 0, 0, 0]
      let logits = Matrix(3, 4, values)
      let losses = backend.crossEntropy(logits: logits, targets: [3, 0, 1], gradientScale: 1)
      #expect(abs(losses[0] - (1 + log(1 + exp(Float(-1))))) < 1e-6)
      #expect(losses[1] == 2e4)
      #expect(abs(losses[2] - log(4)) < 1e-6)
      #expect(logits.elements.allSatisfy { $0.isFinite && abs($0) <= 1 })
      for row in 0..<3 { #expect(abs(logits.rows(row..<row + 1).elements.reduce(0, +)) < 1e-6) }
    }
  }

  @Test(arguments: [0, 0.05, 0.5, 0.9] as [Float]) func dropoutIsTheSameEverywhere(probability: Float) {
    var numbers = Numbers(3)
    for (rows, columns) in [(1, 1), (17, 33), (130, 257)] {
      let x = numbers.matrix(rows, columns, padding: 3)
      let expected = Matrix(rows, columns)
      reference.dropout(x, probability: probability, seed: 77, into: expected)
      for backend in backends {
        let out = numbers.matrix(rows, columns, padding: 2)
        backend.dropout(x, probability: probability, seed: 77, into: out)
        #expect(sameBits(out, expected) && paddingIsUntouched(out))
        let inPlace = strided(x)
        backend.dropout(inPlace, probability: probability, seed: 77, into: inPlace)
        #expect(sameBits(inPlace, expected))
      }
    }
  }

  @Test func dropoutKeepsTheRightShare() {
    let count = 1 << 20
    let ones = Matrix(1 << 10, 1 << 10)
    ones.fill(1)
    var masks: [[Float]] = []
    for seed in [1, 2, 0x9E37_79B9_7F4A_7C15, 0x9E37_79B9_7F4A_7C16] as [UInt64] {
      let out = Matrix(1 << 10, 1 << 10)
      backends[0].dropout(ones, probability: 0.05, seed: seed, into: out)
      let elements = out.elements
      #expect(Set(elements) == [0, 1 / (1 - Float(0.05))])
      // Four standard deviations of the mean of a million draws.
      let dropped = Double(elements.count { $0 == 0 }) / Double(count)
      #expect(abs(dropped - 0.05) < 4 * (0.05 * 0.95 / Double(count)).squareRoot())
      // Neighbours and elements below each other are independent.
      let both = Double((1..<count).count { elements[$0] == 0 && elements[$0 - 1] == 0 }) / Double(count)
      let column = Double((1024..<count).count { elements[$0] == 0 && elements[$0 - 1024] == 0 }) / Double(count)
      #expect(abs(both - 0.0025) < 2.5e-4 && abs(column - 0.0025) < 2.5e-4)
      masks.append(elements)
    }
    for (a, b) in [(0, 1), (0, 2), (2, 3), (1, 3)] {
      let both = Double((0..<count).count { masks[a][$0] == 0 && masks[b][$0] == 0 }) / Double(count)
      #expect(abs(both - 0.0025) < 2.5e-4)
    }
  }

  /// Two steps from the published update rule, worked out by hand.
  @Test func adamWEqualsNumbersByHand() {
    for backend in backends as [any Backend] + [reference] {
      let parameters = Matrix(1, 2, [1, -2])
      let (m, v) = (Matrix(1, 2), Matrix(1, 2))
      func step(_ number: Int, _ gradients: [Float]) {
        backend.adamW(
          parameters: parameters, gradients: Matrix(1, 2, gradients), m: m, v: v, step: number, learningRate: 0.1,
          beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01)
      }
      // Step 1: m̂ = g and v̂ = g², so p ← p·0.999 − 0.1·sign(g).
      step(1, [0.5, -0.25])
      #expect(abs(parameters[0, 0] - 0.899) < 1e-6 && abs(parameters[0, 1] + 1.898) < 1e-6)
      #expect(abs(m[0, 0] - 0.05) < 1e-8 && abs(v[0, 0] - 0.00025) < 1e-10)
      // Step 2: m = 0.9·0.05 + 0.1·(−1) = −0.055, m̂ = −0.055/0.19; v = 0.999·0.00025 + 0.001 = 0.00124975,
      // v̂ = v/0.001999 = 0.62518759; p = 0.899·0.999 + 0.1·0.28947368/0.79068805 = 0.93471148.
      step(2, [-1, 0])
      #expect(abs(parameters[0, 0] - 0.93471148) < 1e-6)
      // m = −0.0225, v = 0.0000624375: p = −1.898·0.999 + 0.1·(0.0225/0.19)/√(0.0000624375/0.001999) = −1.8290955.
      #expect(abs(parameters[0, 1] + 1.8290955) < 1e-6)
    }
  }

  @Test(arguments: [1, 17, 64, 100_003]) func adamWEqualsTheReference(count: Int) {
    var numbers = Numbers(4)
    for backend in backends {
      let parameters = numbers.matrix(1, count)
      let (m, v) = (Matrix(1, count), Matrix(1, count))
      let (parameters2, m2, v2) = (copy(parameters), Matrix(1, count), Matrix(1, count))
      for step in 1...5 {
        let gradients = numbers.matrix(1, count)
        backend.adamW(
          parameters: parameters, gradients: gradients, m: m, v: v, step: step, learningRate: 2e-4, beta1: 0.9,
          beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1)
        reference.adamW(
          parameters: parameters2, gradients: gradients, m: m2, v: v2, step: step, learningRate: 2e-4, beta1: 0.9,
          beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1)
      }
      #expect(difference(parameters, parameters2) < 5e-7)
      #expect(difference(m, m2) < 1e-6 && difference(v, v2) < 1e-8)
    }
  }

  @Test(arguments: [(1, 1), (3, 17), (1, 200_000), (130, 64), (2, 70_000)])
  func sumOfSquaresEqualsTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(5)
    let x = numbers.matrix(rows, columns, padding: 3)
    let expected = reference.sumOfSquares(x)
    let sums = backends.map { $0.sumOfSquares(x) }
    for sum in sums {
      #expect(abs(sum / expected - 1) < 1e-6)
      #expect(sum == sums[0], "the same for every thread count")
    }
  }

  @Test(arguments: [1, 3, 64, 130, 1000, 151_936]) func argmaxFindsTheFirst(columns: Int) {
    var numbers = Numbers(6)
    let x = numbers.matrix(5, columns, padding: 3)
    if columns >= 3 {
      x[1, 1] = 5
      x[1, columns - 1] = 5
      x[2, 0] = .nan
      x[2, columns - 1] = 7
      x.rows(3..<4).fill(.nan)
      x.rows(4..<5).fill(-.infinity)
    }
    let expected = reference.argmax(x)
    for backend in backends { #expect(backend.argmax(x) == expected) }
    if columns >= 3 { #expect(expected[1] == 1 && expected[2] == Int32(columns - 1) && expected[3] == 0) }
  }

  @Test func twoRunsAreEqualBitForBit() {
    var numbers = Numbers(7)
    let x = numbers.matrix(60, 3000, scale: 5)
    let targets = (0..<60).map { Int32($0 * 40) }
    for backend in backends {
      let runs = (0..<2).map { _ in
        let logits = copy(x)
        return (backend.crossEntropy(logits: logits, targets: targets, gradientScale: 1), logits)
      }
      #expect(runs[0].0 == runs[1].0 && sameBits(runs[0].1, runs[1].1))
    }
  }
}
