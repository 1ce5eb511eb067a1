import Checkpoints
import Compute
import Models
import Runs

/// Training steps on random tokens: what a step costs without data, evaluation and checkpoints.
public struct StepBenchmark {
  public struct Step: Sendable {
    public var seconds: Double
    /// Nats a token.
    public var loss: Double
  }

  private let session: DecoderSession
  private let adapter: LoraAdapter
  private let optimizer: AdamWState
  private let settings = TrainingSettings()
  private var random = RandomNumbers(seed: 0)
  private var number = 0

  public var adaptedLayers: Int { adapter.layers.count }

  /// LoRA of rank 16 and alpha 32, without dropout, on all linear layers.
  public init(_ decoder: Decoder, gradientCheckpointing: Bool) throws {
    adapter = try LoraAdapter(
      LoRAConfiguration(r: 16, alpha: 32, dropout: 0, targetModules: .allLinear), on: decoder, seed: 0)
    session = DecoderSession(decoder, adapter: adapter, gradientCheckpointing: gradientCheckpointing)
    optimizer = AdamWState(adapter)
  }

  /// Forward, backward and AdamW on `rows` rows of `length` new tokens; each row is its own and every token but its first supervised.
  public mutating func step(rows: Int, length: Int) -> Step {
    let vocabulary = UInt64(session.decoder.configuration.vocabularySize)
    let examples = (0..<rows).map { _ in
      let ids = (0..<length).map { _ in Int32(random.next() % vocabulary) }
      return TokenizedExample(prompt: Array(ids.prefix(1)), answer: Array(ids.dropFirst()))
    }
    let start = Stopwatch(after: 0)
    let batch = PackedBatch(examples, sharesPrefix: false)
    adapter.gradients.fill(0)
    let losses = session.lossesAndGradients(batch, gradientScale: 1 / Float(batch.targets.count), dropoutSeed: nil)
    number += 1
    optimizer.step(adapter, number: number, learningRate: 2e-4, settings: settings, on: session.decoder.backend)
    return Step(seconds: start.seconds, loss: losses.reduce(0) { $0 + Double($1) } / Double(losses.count))
  }
}
