import CKernels
import COneDNN
import Synchronization

/// The fast backend: float32 products by oneDNN or OpenBLAS, bfloat16 ones by our own kernel or oneDNN, everything else by the vector kernels
/// of `CKernels`.
///
/// Work is cut into parts by this type and each library is told to stay on the calling thread, so that no library's own
/// threads wait in a loop on the cores the kernels need.
public final class CPUBackend: Backend {
  /// Who computes the float32 products.
  public enum Products: String, Sendable {
    case openBLAS = "openblas"
    case oneDNN = "onednn"

    /// oneDNN where it makes code for this CPU, else OpenBLAS (see docs/decisions/0002-f32-gemm.md).
    public static var fastest: Products { onednn_is_fast_here() != 0 ? .oneDNN : .openBLAS }
  }

  public let threads: Threads
  public let products: Products
  public let bfloat16: BFloat16Products
  private let rotary = Mutex<RotaryTable?>(nil)
  let narrow = Scratch { BFloat16Storage(count: $0) }
  let wide = Scratch { Storage(count: $0) }
  let raw = Scratch { RawRoom(byteCount: $0) }

  /// "lorapress (bf16), onednn (f32)"; one library alone where it computes both.
  public var name: String {
    let (bf16, f32) = (bfloat16.rawValue, products.rawValue)
    return bf16 == f32 ? f32 : "\(bf16) (bf16), \(f32) (f32)"
  }

  /// A backend on `threads` threads, by default as many as the process may use.
  public init(threads: Int? = nil, products: Products = .fastest, bfloat16: BFloat16Products = .fastest) {
    self.threads = Threads(threads)
    self.products = products
    self.bfloat16 = bfloat16
  }

  /// Elements under which a thread is not worth waking.
  static let smallest = 16384

  /// The rows of a matrix shared out to the threads.
  func eachRows(_ x: Matrix, _ body: @Sendable (Range<Int>) -> Void) {
    threads.split(x.rows, minimum: CPUBackend.smallest / max(1, x.columns), body)
  }

  // MARK: Element-wise and row-wise steps

  public func gather(_ w: Weight, rows ids: [Int32], into out: Matrix) {
    precondition(out.rows == ids.count && out.columns == w.columns)
    precondition(ids.allSatisfy { $0 >= 0 && Int($0) < w.rows }, "a row beyond the weight")
    for (row, id) in ids.enumerated() {
      w.widen(rows: Int(id)..<Int(id) + 1, columns: 0..<w.columns, into: out.row(row), outStride: out.stride)
    }
  }

  public func add(_ x: Matrix, scaledBy alpha: Float, to y: Matrix) {
    precondition(x.hasShape(of: y))
    eachRows(x) { ck_add($0.count, x.columns, alpha, x.row($0.lowerBound), x.stride, y.row($0.lowerBound), y.stride) }
  }

  public func rmsNorm(_ x: Matrix, gain: Matrix, epsilon: Float, into y: Matrix, inverseRMS: Matrix) {
    precondition(x.hasShape(of: y) && gain.columns == x.columns && inverseRMS.rows == x.rows)
    eachRows(x) { part in
      let start = part.lowerBound
      ck_rms_norm(
        part.count, x.columns, x.row(start), x.stride, gain.pointer, epsilon, y.row(start), y.stride,
        inverseRMS.row(start), inverseRMS.stride)
    }
  }

  public func rmsNormBackward(
    _ dy: Matrix, x: Matrix, gain: Matrix, inverseRMS: Matrix, into dx: Matrix, accumulate: Bool
  ) {
    precondition(x.hasShape(of: dy) && x.hasShape(of: dx) && gain.columns == x.columns && inverseRMS.rows == x.rows)
    eachRows(x) { part in
      let start = part.lowerBound
      ck_rms_norm_backward(
        part.count, x.columns, dy.row(start), dy.stride, x.row(start), x.stride, gain.pointer, inverseRMS.row(start),
        inverseRMS.stride, accumulate ? 1 : 0, dx.row(start), dx.stride)
    }
  }

  public func rope(_ x: Matrix, positions: [Int32], headSize: Int, inverseFrequencies: [Float], inverse: Bool) {
    let half = headSize / 2
    precondition(positions.count == x.rows && inverseFrequencies.count == half && x.columns % headSize == 0)
    let table = rotaryTable(positions, inverseFrequencies)
    eachRows(x) { part in
      let start = part.lowerBound
      ck_rope(
        part.count, x.columns / headSize, headSize, table.cosines.pointer + start * half,
        table.sines.pointer + start * half, inverse ? -1 : 1, x.row(start), x.stride)
    }
  }

  /// The angles of the last call, which all layers of a step share.
  private func rotaryTable(_ positions: [Int32], _ inverseFrequencies: [Float]) -> RotaryTable {
    let kept = rotary.withLock { $0 }
    if let kept, kept.positions == positions, kept.inverseFrequencies == inverseFrequencies { return kept }
    let table = RotaryTable(positions: positions, inverseFrequencies: inverseFrequencies)
    rotary.withLock { $0 = table }
    return table
  }

  public func swiGLU(gate: Matrix, up: Matrix, into out: Matrix) {
    precondition(gate.hasShape(of: up) && gate.hasShape(of: out))
    eachRows(gate) { part in
      let start = part.lowerBound
      ck_swiglu(
        part.count, gate.columns, gate.row(start), gate.stride, up.row(start), up.stride, out.row(start), out.stride)
    }
  }

  public func swiGLU(gate: BFloat16Matrix, up: BFloat16Matrix, into out: BFloat16Matrix) {
    precondition(gate.hasShape(of: up) && gate.hasShape(of: out))
    threads.split(gate.rows, minimum: CPUBackend.smallest / max(1, gate.columns)) { part in
      let start = part.lowerBound
      ck_swiglu_bf16(
        part.count, gate.columns, gate.row(start), gate.stride, up.row(start), up.stride, out.row(start), out.stride)
      out.clearPadding(part)
    }
  }

  public func swiGLUBackward(dOut: Matrix, gate: BFloat16Matrix, up: BFloat16Matrix) {
    precondition(gate.hasShape(of: up) && dOut.rows == gate.rows && dOut.columns == gate.columns)
    eachRows(dOut) { part in
      let start = part.lowerBound
      ck_swiglu_backward_bf16(
        part.count, dOut.columns, dOut.row(start), dOut.stride, gate.row(start), gate.stride, up.row(start), up.stride)
    }
  }

  public func swiGLUBackward(dOut: Matrix, gate: Matrix, up: Matrix, dGate: Matrix, dUp: Matrix) {
    precondition(gate.hasShape(of: up) && gate.hasShape(of: dOut) && gate.hasShape(of: dGate) && up.hasShape(of: dUp))
    eachRows(gate) { part in
      let start = part.lowerBound
      ck_swiglu_backward(
        part.count, gate.columns, dOut.row(start), dOut.stride, gate.row(start), gate.stride, up.row(start), up.stride,
        dGate.row(start), dGate.stride, dUp.row(start), dUp.stride)
    }
  }

  public func crossEntropy(logits: Matrix, targets: [Int32], gradientScale: Float?) -> [Float] {
    precondition(targets.count == logits.rows)
    precondition(targets.allSatisfy { $0 >= 0 && Int($0) < logits.columns }, "a target beyond the logits")
    let losses = Matrix(logits.rows, 1)
    eachRows(logits) { part in
      let start = part.lowerBound
      targets[part].withUnsafeBufferPointer {
        ck_cross_entropy(
          part.count, logits.columns, logits.row(start), logits.stride, $0.baseAddress, gradientScale == nil ? 0 : 1,
          gradientScale ?? 0, losses.row(start))
      }
    }
    return losses.elements
  }

  public func dropout(_ x: Matrix, rows: [Int]?, probability: Float, seed: UInt64, into out: Matrix) {
    precondition(x.hasShape(of: out) && rows?.count ?? x.rows == x.rows)
    let mask = DropoutMask(probability: probability, seed: seed)
    eachRows(x) { part in
      for row in part {
        ck_dropout(
          1, x.columns, mask.key, UInt64((rows?[row] ?? row) * x.columns), mask.threshold, mask.keepScale, x.row(row),
          x.stride, out.row(row), out.stride)
      }
    }
  }

  public func argmax(_ x: Matrix) -> [Int32] {
    let best = Matrix(x.rows, 1)
    eachRows(x) { part in
      // The matrix only carries the bits of the column numbers.
      for row in part { best[row, 0] = Float(bitPattern: UInt32(ck_argmax(x.columns, x.row(row)))) }
    }
    return best.elements.map { Int32(bitPattern: $0.bitPattern) }
  }

  // MARK: Optimisation

  public func adamW(
    parameters: Matrix, gradients: Matrix, m: Matrix, v: Matrix, step: Int, learningRate: Float, beta1: Float,
    beta2: Float, epsilon: Float, weightDecay: Float
  ) {
    precondition(parameters.hasShape(of: gradients) && parameters.hasShape(of: m) && parameters.hasShape(of: v))
    let now = AdamWStep(
      step: step, learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    let numbers = ck_adamw_step(
      beta1: Float(now.beta1), rest1: Float(1 - now.beta1), beta2: Float(now.beta2), rest2: Float(1 - now.beta2),
      decay: Float(now.decay), rate: Float(now.rate), root: Float(now.root), epsilon: Float(now.epsilon))
    for row in 0..<parameters.rows {
      threads.split(parameters.columns, minimum: CPUBackend.smallest, grain: 64) { part in
        let start = part.lowerBound
        withUnsafePointer(to: numbers) {
          ck_adamw(
            part.count, $0, gradients.row(row) + start, parameters.row(row) + start, m.row(row) + start,
            v.row(row) + start)
        }
      }
    }
  }

  public func sumOfSquares(_ x: Matrix) -> Double {
    // One sum for each stretch of fixed length, added in order: the same for every thread count.
    let stretch = 65536
    let perRow = (x.columns + stretch - 1) / stretch
    let sums = SharedDoubles(count: x.rows * perRow)
    threads.split(x.rows * perRow, minimum: max(1, stretch / max(1, x.columns))) { part in
      for index in part {
        let start = index % perRow * stretch
        sums[index] = ck_sum_of_squares(min(stretch, x.columns - start), x.row(index / perRow) + start)
      }
    }
    return sums.total
  }

  public func scale(_ x: Matrix, by factor: Float) {
    guard x.rows == 1 else {
      return eachRows(x) { ck_scale($0.count, x.columns, factor, x.row($0.lowerBound), x.stride) }
    }
    threads.split(x.columns, minimum: CPUBackend.smallest, grain: 64) {
      ck_scale(1, $0.count, factor, x.pointer + $0.lowerBound, x.stride)
    }
  }
}

/// Doubles that threads write to places of their own.
private final class SharedDoubles: @unchecked Sendable {
  private let base: UnsafeMutableBufferPointer<Double>

  init(count: Int) {
    base = .allocate(capacity: count)
    base.initialize(repeating: 0)
  }

  deinit { base.deallocate() }

  var total: Double { base.reduce(0, +) }

  subscript(index: Int) -> Double {
    get { base[index] }
    set { base[index] = newValue }
  }
}
