import Testing

@testable import Compute

/// Cross-entropy through the head, whose logits are never whole in memory, against the way over the logits.
@Suite struct HeadTests {
  private static let fused = backends.filter { $0.bfloat16 == .panels }

  /// Losses and the gradient of hidden by the reference, on the numbers that the product really takes.
  private static func expected(_ hidden: Matrix, _ head: Weight, _ targets: [Int32], scale: Float) -> ([Float], Matrix)
  {
    let rounded = copy(hidden)
    Weight.roundToBFloat16(rounded)
    let numbers = Matrix(head.rows, head.columns)
    head.widen(rows: 0..<head.rows, columns: 0..<head.columns, into: numbers.pointer, outStride: numbers.stride)
    Weight.roundToBFloat16(numbers)
    let head = Weight(numbers)
    let logits = Matrix(hidden.rows, head.rows)
    reference.linear(rounded, head, bias: nil, into: logits)
    let losses = reference.crossEntropy(logits: logits, targets: targets, gradientScale: scale)
    let gradient = Matrix(hidden.rows, hidden.columns)
    reference.linearInputGradient(logits, head, into: gradient, accumulate: false)
    return (losses, gradient)
  }

  @Test(arguments: [
    (16, 1, 2), (16, 63, 33), (17, 130, 64), (40, 513, 128), (31, 4097, 65), (300, 4608, 96), (20, 9001, 1100),
  ])
  func equalsTheWayOverTheLogits(rows: Int, vocabulary: Int, width: Int) {
    var numbers = Numbers(UInt64(rows + vocabulary))
    let hidden = numbers.matrix(rows, width, padding: 5, scale: 6 / Float(width).squareRoot())
    let values = numbers.matrix(vocabulary, width)
    let targets = (0..<rows).map { Int32(($0 * 7919 + vocabulary - 1) % vocabulary) }
    let heads = [Weight(values, kind: .bf16), Weight(values, kind: .int8, products: .bf16)]
    for head in heads {
      let (losses, gradient) = Self.expected(hidden, head, targets, scale: 0.25)
      for backend in backends {
        let dHidden = strided(Matrix(rows, width))
        let found = backend.headCrossEntropy(hidden, head, targets: targets, gradientScale: 0.25, dHidden: dHidden)
        guard backend.bfloat16 == .panels else {
          #expect(found == nil, "oneDNN only knows the way over the logits")
          continue
        }
        for (loss, expected) in zip(found ?? [], losses) { #expect(abs(loss - expected) < 2e-5 * (1 + expected)) }
        #expect(found?.count == rows)
        // A probability is rounded to bfloat16, by 2⁻⁹ of it, and so is its share of the gradient.
        #expect(difference(dHidden, gradient) < 0.25 * 0x1p-8)
        #expect(paddingIsUntouched(dHidden))
        let alone = backend.headCrossEntropy(hidden, head, targets: targets, gradientScale: nil, dHidden: nil)
        #expect(alone == found)
      }
    }
  }

  @Test func aTokenThatIsNearlyCertainKeepsItsGradient() {
    // Logits 0 but for the target's, 16: of 1,000 tokens the target has 1 − 1.1 · 10⁻⁴, which bfloat16 rounds to 1.
    let rows = 16
    let width = 1000
    let values = Matrix(width, width)
    for index in 0..<width { values[index, index] = 1 }
    let hidden = Matrix(rows, width)
    for row in 0..<rows { hidden[row, 61 * row] = 16 }
    let head = Weight(values, kind: .bf16)
    let targets = (0..<rows).map { Int32(61 * $0) }
    let (losses, gradient) = Self.expected(hidden, head, targets, scale: 1)
    for backend in Self.fused {
      let dHidden = Matrix(rows, width)
      let found = backend.headCrossEntropy(hidden, head, targets: targets, gradientScale: 1, dHidden: dHidden)
      for (loss, expected) in zip(found ?? [], losses) { #expect(abs(loss - expected) < 1e-6) }
      for row in 0..<rows {
        let (slope, expected) = (dHidden[row, 61 * row], gradient[row, 61 * row])
        #expect(expected < -1e-4 && abs(slope - expected) < 1e-2 * abs(expected))
      }
    }
  }

  @Test func logitsThatGrowFromBlockToBlockAreTakenAlike() {
    // The maximum moves with nearly every block, up to logits whose exponentials float32 can't hold.
    let (rows, vocabulary, width) = (18, 5000, 32)
    var numbers = Numbers(5)
    let values = numbers.matrix(vocabulary, width)
    for row in 0..<vocabulary {
      for column in 0..<width { values[row, column] = values[row, column] * 0.1 + Float(row) / 100 }
    }
    let hidden = numbers.matrix(rows, width)
    for row in 0..<rows {
      for column in 0..<width { hidden[row, column] = (row % 2 == 0 ? 1 : -1) * (0.5 + 0.1 * hidden[row, column]) }
    }
    let head = Weight(values, kind: .bf16)
    let targets = (0..<rows).map { Int32($0 * 277) }
    let (losses, gradient) = Self.expected(hidden, head, targets, scale: 1)
    for backend in Self.fused {
      let dHidden = Matrix(rows, width)
      let found = backend.headCrossEntropy(hidden, head, targets: targets, gradientScale: 1, dHidden: dHidden)
      for (loss, expected) in zip(found ?? [], losses) { #expect(abs(loss - expected) < 1e-5 * (1 + expected)) }
      #expect(difference(dHidden, gradient) < 50 * 0x1p-8)
    }
  }

  @Test func theNumberOfThreadsChangesNoBit() {
    var numbers = Numbers(9)
    let hidden = numbers.matrix(70, 96, scale: 2)
    let head = Weight(numbers.matrix(9000, 96), kind: .bf16)
    let targets = (0..<70).map { Int32($0 * 128) }
    let runs = [1, 2, 3].map { threads in
      let dHidden = Matrix(70, 96)
      let losses = CPUBackend(threads: threads)
        .headCrossEntropy(hidden, head, targets: targets, gradientScale: 1, dHidden: dHidden)
      return (losses, dHidden)
    }
    for run in runs.dropFirst() { #expect(run.0 == runs[0].0 && sameBits(run.1, runs[0].1)) }
  }

  @Test func whatItCannotTakeIsLeftToTheLogits() {
    var numbers = Numbers(4)
    let values = numbers.matrix(40, 16)
    for backend in backends {
      let few = backend.headCrossEntropy(
        numbers.matrix(CPUBackend.fewRows, 16), Weight(values, kind: .bf16),
        targets: [Int32](repeating: 0, count: CPUBackend.fewRows), gradientScale: nil, dHidden: nil)
      #expect(few == nil)
      let float32 = backend.headCrossEntropy(
        numbers.matrix(20, 16), Weight(values), targets: [Int32](repeating: 0, count: 20), gradientScale: nil,
        dHidden: nil)
      #expect(float32 == nil)
    }
  }
}
