import CKernels
import Foundation
import Testing

@testable import Compute

/// The steps that work on elements and rows.
@Suite struct StepTests {
  static let sizes = [(1, 1), (3, 17), (17, 3), (64, 130), (5, 896), (130, 1), (2, 5000), (70, 1030)]

  @Test func theExponentialIsAccurate() {
    let x = (0..<400_000).map { -88.5 + Float($0) * 0.00044 }
    var y = [Float](repeating: 0, count: x.count)
    ck_exp(x.count, x, &y)
    var worst = 0.0
    for (x, y) in zip(x, y) where x >= -87.3 && x <= 88 {
      worst = max(worst, abs(Double(y) / exp(Double(x)) - 1))
    }
    #expect(worst < 2e-7)
    let edges: [Float] = [-.infinity, -1e4, -88, 0, 88, 1e4]
    var values = [Float](repeating: 0, count: edges.count)
    ck_exp(edges.count, edges, &values)
    #expect(values[0...2].allSatisfy { $0 == 0 } && values[3] == 1)
    #expect(values[4] > 1.6e38 && values[5].isFinite)
  }

  @Test(arguments: sizes) func addAndScaleEqualTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(1)
    for backend in backends {
      let x = numbers.matrix(rows, columns, padding: 2)
      let y = numbers.matrix(rows, columns, padding: 3)
      let expected = copy(y)
      reference.add(x, scaledBy: 0.7, to: expected)
      backend.add(x, scaledBy: 0.7, to: y)
      #expect(difference(y, expected) < 3e-7)
      reference.scale(expected, by: -1.5)
      backend.scale(y, by: -1.5)
      #expect(difference(y, expected) < 6e-7)
      #expect(paddingIsUntouched(y))
    }
  }

  @Test(arguments: sizes) func columnStepsEqualTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(11)
    for backend in backends {
      let x = numbers.matrix(rows, columns, padding: 2)
      let y = numbers.matrix(rows, columns, padding: 3)
      let scale = numbers.matrix(1, columns)
      let expected = copy(y)
      reference.addColumnsScaled(x, by: scale, to: expected)
      backend.addColumnsScaled(x, by: scale, to: y)
      #expect(difference(y, expected) < 3e-7)
      #expect(paddingIsUntouched(y))
      let sums = numbers.matrix(1, columns)
      let exact = Matrix(1, columns)
      reference.columnDots(x, y, into: exact)
      backend.columnDots(x, y, into: sums)
      #expect(difference(sums, exact) < 1e-6 * Float(rows))
    }
  }

  @Test func gatherCopiesRows() {
    var numbers = Numbers(2)
    let w = Weight(numbers.matrix(50, 33))
    for backend in backends as [any Backend] + [reference] {
      let out = numbers.matrix(4, 33, padding: 5)
      backend.gather(w, rows: [49, 0, 7, 7], into: out)
      #expect(sameBits(out, w.dequantised.gathering([49, 0, 7, 7])))
      #expect(paddingIsUntouched(out))
    }
  }

  @Test(arguments: sizes) func rmsNormEqualsTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(3)
    let x = numbers.matrix(rows, columns, padding: 1, scale: 4)
    let gain = numbers.matrix(1, columns)
    let dy = numbers.matrix(rows, columns, padding: 2)
    for backend in backends {
      let y = numbers.matrix(rows, columns, padding: 3)
      let inverse = numbers.matrix(rows, 1, padding: 1)
      let (expected, expectedInverse) = (Matrix(rows, columns), Matrix(rows, 1))
      reference.rmsNorm(x, gain: gain, epsilon: 1e-6, into: expected, inverseRMS: expectedInverse)
      backend.rmsNorm(x, gain: gain, epsilon: 1e-6, into: y, inverseRMS: inverse)
      #expect(difference(y, expected) < 3e-6)
      #expect(zip(inverse.elements, expectedInverse.elements).allSatisfy { abs($0 / $1 - 1) < 1e-6 })
      for accumulate in [false, true] {
        let dx = numbers.matrix(rows, columns, padding: 4)
        let slope = copy(dx)
        for (backend, dx) in [(reference, slope), (backend, dx)] as [(any Backend, Matrix)] {
          backend.rmsNormBackward(
            dy, x: x, gain: gain, inverseRMS: expectedInverse, into: dx, accumulate: accumulate)
        }
        let size = expectedInverse.elements.max() ?? 1
        #expect(difference(dx, slope) < 3e-6 * max(1, size))
        #expect(paddingIsUntouched(y) && paddingIsUntouched(dx) && paddingIsUntouched(inverse))
      }
    }
  }

  @Test func rmsNormBackwardIsTheSlope() {
    var numbers = Numbers(4)
    let x = numbers.matrix(3, 7)
    let gain = numbers.matrix(1, 7)
    let weights = numbers.matrix(3, 7)
    for backend in backends as [any Backend] + [reference] {
      let (y, inverse, dx) = (Matrix(3, 7), Matrix(3, 1), Matrix(3, 7))
      backend.rmsNorm(x, gain: gain, epsilon: 1e-6, into: y, inverseRMS: inverse)
      backend.rmsNormBackward(weights, x: x, gain: gain, inverseRMS: inverse, into: dx, accumulate: false)
      expectSlope(dx, of: x, step: 3e-3) {
        let (y, inverse) = (Matrix(3, 7), Matrix(3, 1))
        reference.rmsNorm(x, gain: gain, epsilon: 1e-6, into: y, inverseRMS: inverse)
        return weighted(y, weights)
      }
    }
  }

  @Test(arguments: [2, 6, 64, 128]) func ropeEqualsTheReferenceAndTurnsBack(headSize: Int) {
    var numbers = Numbers(5)
    let frequencies = (0..<headSize / 2).map { Float(pow(1e6, -2 * Double($0) / Double(headSize))) }
    let positions: [Int32] = [0, 1, 2, 900, 4095, 3]
    for backend in backends {
      let x = numbers.matrix(6, headSize * 3, padding: 5)
      let original = copy(x)
      let expected = copy(x)
      reference.rope(
        expected, positions: positions, headSize: headSize, inverseFrequencies: frequencies, inverse: false)
      backend.rope(x, positions: positions, headSize: headSize, inverseFrequencies: frequencies, inverse: false)
      #expect(difference(x, expected) < 5e-7)
      #expect(sameBits(x.rows(0..<1), original.rows(0..<1)), "position 0 does not turn")
      backend.rope(x, positions: positions, headSize: headSize, inverseFrequencies: frequencies, inverse: true)
      #expect(difference(x, original) < 1e-6)
      #expect(paddingIsUntouched(x))
      // Other positions right after: no table of the last call is used for them.
      let again = copy(original)
      backend.rope(
        again, positions: [5, 4, 3, 2, 1, 0], headSize: headSize, inverseFrequencies: frequencies, inverse: false)
      reference.rope(
        original, positions: [5, 4, 3, 2, 1, 0], headSize: headSize, inverseFrequencies: frequencies, inverse: false)
      #expect(difference(again, original) < 5e-7)
    }
  }

  @Test func ropeTurnsHalfAgainstHalf() {
    for backend in backends as [any Backend] + [reference] {
      let x = Matrix(1, 4, [1, 0, 0, 1])
      backend.rope(x, positions: [2], headSize: 4, inverseFrequencies: [0.5, 0.25], inverse: false)
      let expected: [Float] = [cos(1), -sin(0.5), sin(1), cos(0.5)]
      for (a, b) in zip(x.elements, expected) { #expect(abs(a - b) < 1e-6) }
    }
  }

  @Test(arguments: sizes) func swiGLUEqualsTheReference(rows: Int, columns: Int) {
    var numbers = Numbers(6)
    let gate = numbers.matrix(rows, columns, padding: 1, scale: 20)
    let up = numbers.matrix(rows, columns, padding: 2)
    let dOut = numbers.matrix(rows, columns, padding: 3)
    for backend in backends {
      let out = numbers.matrix(rows, columns, padding: 4)
      let expected = Matrix(rows, columns)
      reference.swiGLU(gate: gate, up: up, into: expected)
      backend.swiGLU(gate: gate, up: up, into: out)
      #expect(difference(out, expected) < 5e-6)
      let (dGate, dUp) = (Matrix(rows, columns), Matrix(rows, columns))
      reference.swiGLUBackward(dOut: dOut, gate: gate, up: up, dGate: dGate, dUp: dUp)
      // In place, as training does it.
      let (gateCopy, upCopy) = (strided(gate), strided(up))
      backend.swiGLUBackward(dOut: dOut, gate: gateCopy, up: upCopy, dGate: gateCopy, dUp: upCopy)
      #expect(difference(gateCopy, dGate) < 5e-6)
      #expect(difference(upCopy, dUp) < 5e-6)
      #expect(paddingIsUntouched(out) && paddingIsUntouched(gateCopy) && paddingIsUntouched(upCopy))
    }
  }

  @Test func swiGLUBackwardIsTheSlopeAndStandsExtremes() {
    var numbers = Numbers(7)
    let (gate, up, weights) = (numbers.matrix(3, 9, scale: 3), numbers.matrix(3, 9), numbers.matrix(3, 9))
    for backend in backends as [any Backend] + [reference] {
      let (dGate, dUp) = (Matrix(3, 9), Matrix(3, 9))
      backend.swiGLUBackward(dOut: weights, gate: gate, up: up, dGate: dGate, dUp: dUp)
      func loss() -> Double {
        let out = Matrix(3, 9)
        reference.swiGLU(gate: gate, up: up, into: out)
        return weighted(out, weights)
      }
      expectSlope(dGate, of: gate, loss)
      expectSlope(dUp, of: up, loss)
      let out = Matrix(1, 4)
      backend.swiGLU(gate: Matrix(1, 4, [1e4, -1e4, 0, -90]), up: Matrix(1, 4, [2, 2, 2, 2]), into: out)
      #expect(out[0, 0] == 2e4 && abs(out[0, 1]) < 1e-30 && out[0, 2] == 0 && abs(out[0, 3]) < 1e-30)
    }
  }
}
