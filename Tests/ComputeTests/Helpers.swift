import Testing

@testable import Compute

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Evenly in -1..<1.
  mutating func float() -> Float { Float(Int64(bits() >> 40) - (1 << 23)) * 0x1p-23 }

  /// A matrix; `padding` more floats lie between its rows, NaN so that a read beyond a row is seen.
  mutating func matrix(_ rows: Int, _ columns: Int, padding: Int = 0, scale: Float = 1) -> Matrix {
    let stride = columns + padding
    let storage = Storage(count: max(1, rows * stride + padding))
    let whole = Matrix(storage, offset: 0, rows: 1, columns: storage.count)
    whole.fill(.nan)
    let result = Matrix(storage, offset: padding, rows: rows, columns: columns, stride: stride)
    for row in 0..<rows {
      for column in 0..<columns { result[row, column] = float() * scale }
    }
    return result
  }
}

/// A contiguous copy.
func copy(_ x: Matrix) -> Matrix { Matrix(x.rows, x.columns, x.elements) }

/// A copy with the same distance between rows, the floats between them NaN.
func strided(_ x: Matrix, padding: Int = 3) -> Matrix {
  var numbers = Numbers(0)
  let result = numbers.matrix(x.rows, x.columns, padding: padding)
  result.copy(from: x)
  return result
}

/// The floats between a view's rows, which no operation may write.
func paddingIsUntouched(_ x: Matrix) -> Bool {
  let storage = Matrix(x.storage, offset: 0, rows: 1, columns: x.storage.count)
  for index in 0..<x.storage.count {
    let position = index - x.offset
    let isInside = position >= 0 && position / x.stride < x.rows && position % x.stride < x.columns
    if !isInside && !storage[0, index].isNaN { return false }
  }
  return true
}

/// The largest difference of two matrices, NaN unless both are finite everywhere.
func difference(_ a: Matrix, _ b: Matrix) -> Float {
  guard a.rows == b.rows && a.columns == b.columns else { return .infinity }
  var largest: Float = 0
  for (x, y) in zip(a.elements, b.elements) {
    guard x.isFinite && y.isFinite else { return .nan }
    largest = max(largest, abs(x - y))
  }
  return largest
}

func sameBits(_ a: Matrix, _ b: Matrix) -> Bool {
  a.elements.map { $0.bitPattern } == b.elements.map { $0.bitPattern }
}

/// Expects `gradient` to be the slope of `loss`, by central differences of step `h` at each element of `x`.
func expectSlope(
  _ gradient: Matrix, of x: Matrix, step h: Float = 1e-2, tolerance: Double = 2e-3,
  sourceLocation: SourceLocation = #_sourceLocation, _ loss: () -> Double
) {
  var worst = 0.0
  for row in 0..<x.rows {
    for column in 0..<x.columns {
      let old = x[row, column]
      x[row, column] = old + h
      let high = loss()
      let above = x[row, column]
      x[row, column] = old - h
      let slope = (high - loss()) / Double(above - x[row, column])
      x[row, column] = old
      worst = max(worst, abs(slope - Double(gradient[row, column])) / (1 + abs(slope)))
    }
  }
  #expect(worst < tolerance, sourceLocation: sourceLocation)
}

/// The sum of weights · values, in double: a loss whose gradient with respect to `values` is `weights`.
func weighted(_ values: Matrix, _ weights: Matrix) -> Double {
  zip(values.elements, weights.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
}

let reference = ReferenceBackend()

/// Every way the fast backend can be set up on this machine.
let backends: [CPUBackend] =
  CPUBackend.Products.fastest == .oneDNN
  ? [CPUBackend(threads: 1), CPUBackend(threads: 2, bfloat16: .oneDNN), CPUBackend(threads: 3, products: .openBLAS)]
  : [CPUBackend(threads: 1), CPUBackend(threads: 3)]
