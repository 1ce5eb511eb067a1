import Foundation

/// `run.json`: what was run, on what, by which program and machine, how it went, and every file it left.
public struct RunRecord: Codable, Sendable, Equatable {
  public var id: String
  public var title: String?
  /// The language of the run's page, "ko" or "en"; nil leaves it to the site.
  public var language: String?
  public var status: Status
  /// When the run was begun, ISO 8601 with the machine's offset, to the second: "2026-11-23T21:04:05+00:00". Nil where an imported
  /// log has no times.
  public var created: String?
  public var program: ProgramRecord
  /// Nil where an imported log does not tell the machine.
  public var environment: EnvironmentRecord?
  public var model: ModelRecord?
  public var datasetFiles: [FileRecord]
  public var seeds: [String: Int]
  /// By stage: prepare, train, evaluate.
  public var stages: [String: StageRecord]
  public var training: TrainingRecord?
  /// Where the run comes from when another tool trained it; nil for our own.
  public var origin: OriginRecord?
  /// Every file of the run, sorted by path.
  public var artifacts: [FileRecord]

  public enum Status: String, Codable, Sendable { case running, interrupted, failed, prepared, trained, evaluated }

  public init(id: String, created: String?, program: ProgramRecord, environment: EnvironmentRecord?) {
    self.id = id
    self.status = .running
    self.created = created
    self.program = program
    self.environment = environment
    datasetFiles = []
    seeds = [:]
    stages = [:]
    artifacts = []
  }
}

public struct ProgramRecord: Codable, Sendable, Equatable {
  public var name: String
  public var version: String
  public init(name: String, version: String) {
    self.name = name
    self.version = version
  }
}

public struct EnvironmentRecord: Codable, Sendable, Equatable {
  public var cpu: String
  /// Instruction sets that matter to speed: "avx2", "avx512f", "avx512_bf16", "amx_bf16".
  public var cpuFeatures: [String]
  public var cores: Int
  public var threads: Int
  public var memoryBytes: Int
  public var os: String
  /// Who computes the matrix products: "onednn", "lorapress (bf16), onednn (f32)".
  public var backend: String

  public init(
    cpu: String, cpuFeatures: [String], cores: Int, threads: Int, memoryBytes: Int, os: String, backend: String
  ) {
    self.cpu = cpu
    self.cpuFeatures = cpuFeatures
    self.cores = cores
    self.threads = threads
    self.memoryBytes = memoryBytes
    self.os = os
    self.backend = backend
  }
}

/// What is nil was not told by the log that the run was imported from.
public struct ModelRecord: Codable, Sendable, Equatable {
  /// As in the experiment: a name, a file or a folder.
  public var name: String
  /// "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", if known.
  public var source: String?
  public var license: String?
  /// The file's name, without its folder.
  public var file: String?
  public var bytes: Int?
  public var sha256: String?
  /// "qwen2", "llama".
  public var architecture: String?
  public var parameters: Int?
  public var layers: Int?
  public var hiddenSize: Int?
  public var vocabularySize: Int?
  /// How the file holds its weights: "Q4_K + Q6_K + F32".
  public var fileWeights: String?
  /// Their precision while training: "f32", "bf16", "nf4" or "int8".
  public var weights: String?
  /// The arithmetic of the products with them: "f32" or "bf16".
  public var compute: String?

  /// A model of which only the name is known.
  public init(name: String) { self.name = name }

  public init(
    name: String, source: String?, license: String?, file: String, bytes: Int, sha256: String, architecture: String,
    parameters: Int,
    layers: Int, hiddenSize: Int, vocabularySize: Int, fileWeights: String, weights: String, compute: String
  ) {
    self.name = name
    self.source = source
    self.license = license
    self.file = file
    self.bytes = bytes
    self.sha256 = sha256
    self.architecture = architecture
    self.parameters = parameters
    self.layers = layers
    self.hiddenSize = hiddenSize
    self.vocabularySize = vocabularySize
    self.fileWeights = fileWeights
    self.weights = weights
    self.compute = compute
  }
}

public struct FileRecord: Codable, Sendable, Equatable {
  /// Relative to the run folder, or for an input as the experiment names it.
  public var path: String
  public var bytes: Int
  public var sha256: String
  /// False where the file was left out of a copy of the run (weights in an example).
  public var kept: Bool?

  public init(path: String, bytes: Int, sha256: String, kept: Bool? = nil) {
    self.path = path
    self.bytes = bytes
    self.sha256 = sha256
    self.kept = kept
  }

  /// Of a file that is there, under the name `path`.
  public init(_ url: URL, path: String) throws {
    self.init(path: path, bytes: try Digest.size(ofFile: url), sha256: try SHA256.hex(ofFile: url))
  }
}

public struct StageRecord: Codable, Sendable, Equatable {
  public enum Status: String, Codable, Sendable { case running, interrupted, failed, done }
  public var status: Status
  /// ISO 8601, like `created`.
  /// Nil where an imported log does not tell it.
  public var started: String?
  /// Working time, summed over resumes.
  public var seconds: Double
  /// The hash of all that the stage depends on; an equal one lets the stage be skipped. Nil for an imported run.
  public var inputHash: String?
  /// Steps the run was continued at.
  public var resumedAt: [Int]?

  public init(status: Status, started: String?, seconds: Double, inputHash: String?) {
    self.status = status
    self.started = started
    self.seconds = seconds
    self.inputHash = inputHash
  }
}

/// What is nil was not told by the log that the run was imported from.
public struct TrainingRecord: Codable, Sendable, Equatable {
  public var steps: Int
  public var epochs: Double?
  public var examplesPerEpoch: Int?
  public var trainableParameters: Int?
  public var adaptedLayers: Int?
  /// Rows whose end-of-turn token is supervised, of all training rows.
  public var rowsWithSupervisedEnd: Int?
  public var rowsDroppedAsTooLong: Int?
  public var firstEvalLoss: Double?
  public var bestStep: Int?
  public var bestEvalLoss: Double?
  public var finalTrainLoss: Double?
  /// Mean train loss over the whole training, where an imported log tells it ("train_loss").
  public var meanTrainLoss: Double?
  /// Tokens computed, and supervised, over the whole training.
  public var tokens: Int?
  public var supervisedTokens: Int?
  public var tokensPerSecond: Double?
  public var examplesPerSecond: Double?
  public var peakMemoryBytes: Int?
  /// True where `early_stopping_patience` ended the training.
  public var stoppedEarly: Bool?
  /// The SHA-256 of the run's adapter_model.safetensors (the best checkpoint's unless `load_best_model_at_end` is off), and its size.
  public var adapterSha256: String?
  public var adapterBytes: Int?

  /// A training of which only the number of steps is known.
  public init(steps: Int) { self.steps = steps }

  public init(trainableParameters: Int, adaptedLayers: Int) {
    steps = 0
    epochs = 0
    examplesPerEpoch = 0
    self.trainableParameters = trainableParameters
    self.adaptedLayers = adaptedLayers
    rowsWithSupervisedEnd = 0
    rowsDroppedAsTooLong = 0
    tokens = 0
    supervisedTokens = 0
    tokensPerSecond = 0
    examplesPerSecond = 0
    peakMemoryBytes = 0
  }
}
