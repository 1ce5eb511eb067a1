import Checkpoints
import Compute
import Foundation
import Models
import Runs

/// Where a training stands, beside its adapter and its optimizer.
struct TrainingState: Codable, Sendable, Equatable {
  /// Optimizer steps done. The order of rows, the learning rate and the dropout masks follow from it and the settings.
  var step: Int
  /// The hash of all that the training depends on: a checkpoint of other settings is not continued.
  var inputHash: String
  var bestStep: Int?
  var bestEvalLoss: Double?
  var firstEvalLoss: Double?
  var tokens: Int
  var supervisedTokens: Int
  var examples: Int
  /// Seconds in training steps alone, and seconds in all.
  var stepSeconds: Double
  var seconds: Double
  var resumedAt: [Int]
}

/// A checkpoint folder: the adapter as PEFT has it, `state.json`, `optimizer.safetensors` (AdamW's m and v; only in `last`) and,
/// written last, `COMPLETE`.
struct TrainingCheckpoint {
  let folder: URL

  private var stateFile: URL { folder.appendingPathComponent("state.json") }
  private var optimizerFile: URL { folder.appendingPathComponent("optimizer.safetensors") }
  private var marker: URL { folder.appendingPathComponent("COMPLETE") }

  var isComplete: Bool { FileManager.default.fileExists(atPath: marker.path) }

  func write(_ adapter: LoraAdapter, _ state: TrainingState, optimizer: AdamWState?) throws {
    try AtomicFolder.replace(folder) { new in
      let target = TrainingCheckpoint(folder: new)
      try adapter.saved.write(to: new)
      if let optimizer {
        try SafetensorsWriter.write(
          [
            TensorOutput(name: "m", shape: [optimizer.m.columns], values: optimizer.m.elements),
            TensorOutput(name: "v", shape: [optimizer.v.columns], values: optimizer.v.elements),
          ], to: target.optimizerFile)
      }
      try RecordFile.write(state, to: target.stateFile)
      try AtomicFile.write("", to: target.marker)
    }
  }

  func readState() throws -> TrainingState { try RecordFile.read(TrainingState.self, from: stateFile) }

  /// Fills an adapter and its optimizer with what was saved.
  func restore(_ adapter: LoraAdapter, _ optimizer: AdamWState, on decoder: Decoder) throws {
    let saved = try LoraAdapter(folder: folder, on: decoder)
    guard saved.hasShape(of: adapter) else {
      throw RunsError(
        "\(folder.path): the checkpoint's adapter has other layers or another rank than the experiment; start anew with `--force train`"
      )
    }
    adapter.parameters.copy(from: saved.parameters)
    let file = try SafetensorsFile(optimizerFile.path)
    for (name, target) in [("m", optimizer.m), ("v", optimizer.v)] {
      guard try file.require(name).count == target.columns else {
        throw RunsError(
          "\(optimizerFile.path): '\(name)' has another size than the adapter; start anew with `--force train`")
      }
      try target.withElements { try file.readAll(name, into: $0) }
    }
  }
}

/// AdamW's first and second moments, flat like the adapter's parameters.
struct AdamWState {
  let m: Matrix
  let v: Matrix
  /// Views of each tensor, in the adapter's order.
  private let tensors: [Tensor]

  private struct Tensor {
    let isB: Bool
    let parameter: Matrix
    let gradient: Matrix
    let m: Matrix
    let v: Matrix
  }

  init(_ adapter: LoraAdapter) {
    let (firsts, seconds) = (Storage(count: adapter.parameterCount), Storage(count: adapter.parameterCount))
    var offset = 0
    tensors = adapter.tensors.map { name, parameter, gradient in
      defer { offset += parameter.rows * parameter.columns }
      func view(_ storage: Storage) -> Matrix {
        Matrix(storage, offset: offset, rows: parameter.rows, columns: parameter.columns)
      }
      // PEFT's create_loraplus_optimizer counts every vector as a B, and with it DoRA's magnitudes.
      let isB = name.hasSuffix(".lora_B.weight") || name.hasSuffix(".lora_magnitude_vector")
      return Tensor(isB: isB, parameter: parameter, gradient: gradient, m: view(firsts), v: view(seconds))
    }
    precondition(offset == adapter.parameterCount, "a tensor of the adapter would not be trained")
    m = Matrix(firsts, offset: 0, rows: 1, columns: adapter.parameterCount)
    v = Matrix(seconds, offset: 0, rows: 1, columns: adapter.parameterCount)
  }

  /// One step of AdamW on the adapter. With LoRA+ every B takes its own learning rate; decay is the same for both.
  func step(
    _ adapter: LoraAdapter, number: Int, learningRate: Double, settings: TrainingSettings, on backend: any Backend
  ) {
    func update(_ parameters: Matrix, _ gradients: Matrix, _ m: Matrix, _ v: Matrix, rate: Double) {
      backend.adamW(
        parameters: parameters, gradients: gradients, m: m, v: v, step: number, learningRate: Float(rate),
        beta1: Float(settings.adamBeta1), beta2: Float(settings.adamBeta2), epsilon: Float(settings.adamEpsilon),
        weightDecay: Float(settings.weightDecay))
    }
    guard let ratio = settings.loraplusLrRatio else {
      return update(adapter.parameters, adapter.gradients, m, v, rate: learningRate)
    }
    for one in tensors {
      update(one.parameter, one.gradient, one.m, one.v, rate: one.isB ? learningRate * ratio : learningRate)
    }
  }
}
