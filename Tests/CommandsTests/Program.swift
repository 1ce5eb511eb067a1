import Checkpoints
import Foundation
import Formats
import Runs
import TestSupport
import Testing
import Tokenizers

/// The program that was built beside these tests, run as a person runs it.
struct Program {
  struct Result {
    let code: Int32
    let output: String
    let errors: String
    var lastLine: String { output.split(separator: "\n").last.map(String.init) ?? "" }
    /// The lines in which the program says what went wrong; notes and progress left out.
    var complaints: [String] { errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("lorapress: ") } }
  }

  /// A folder of its own: data, experiments and output.
  let folder: URL

  /// The program with these arguments, to be given its three streams and started.
  func process(
    _ arguments: [String], environment: [String: String] = [:], directory: URL = Fixtures.root
  ) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("lorapress")
    process.arguments = arguments
    process.currentDirectoryURL = directory
    process.environment = ProcessInfo.processInfo.environment
      .merging(["LC_ALL": "C.UTF-8", "LORAPRESS_CACHE": folder.appendingPathComponent("cache").path]) { $1 }
      .merging(environment) { $1 }
    return process
  }

  /// Runs the program, from the project's root unless told otherwise. `interruptWhen` is asked ten times a second; true sends SIGINT, once.
  /// `killAfter` seconds, or when `killWhen` says so, SIGKILL is sent, which nothing can catch.
  func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:],
    directory: URL = Fixtures.root, interruptWhen: (() -> Bool)? = nil, killAfter: Double? = nil,
    killWhen: (() -> Bool)? = nil
  ) throws -> Result {
    try run(
      arguments, bytes: Data(input.utf8), environment: environment, directory: directory, interruptWhen: interruptWhen,
      killAfter: killAfter, killWhen: killWhen)
  }

  /// The same with an input of any bytes.
  func run(
    _ arguments: [String], bytes: Data, environment: [String: String] = [:],
    directory: URL = Fixtures.root, interruptWhen: (() -> Bool)? = nil, killAfter: Double? = nil,
    killWhen: (() -> Bool)? = nil
  ) throws -> Result {
    let process = process(arguments, environment: environment, directory: directory)
    // Files, not pipes: neither stream can fill up and stop the program.
    let names = ["in", "out", "err"].map { folder.appendingPathComponent(".\($0).\(UUID().uuidString)") }
    try bytes.write(to: names[0])
    for name in names[1...] { try Data().write(to: name) }
    process.standardInput = try FileHandle(forReadingFrom: names[0])
    process.standardOutput = try FileHandle(forWritingTo: names[1])
    process.standardError = try FileHandle(forWritingTo: names[2])
    try process.run()
    if let interruptWhen {
      while process.isRunning, !interruptWhen() { usleep(20_000) }
      if process.isRunning { process.interrupt() }
    }
    if let killAfter {
      let end = ContinuousClock.now + .seconds(killAfter)
      while process.isRunning, ContinuousClock.now < end { usleep(1000) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
    if let killWhen {
      while process.isRunning, !killWhen() { usleep(1000) }
      if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
    process.waitUntilExit()
    return Result(
      code: process.terminationStatus, output: try String(contentsOf: names[1], encoding: .utf8),
      errors: try String(contentsOf: names[2], encoding: .utf8))
  }

  /// With a trained and evaluated tiny run, and its model.
  static func withRun(_ body: (Program, URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      let program = Program(folder: folder)
      let model = try program.makeModel()
      let experiment = try program.makeExperiment(model: model)
      let made = try program.run([
        "run", experiment.path, "--output", program.output.path, "--set", "model.weights=f32",
      ])
      try #require(made.code == 0, "\(made.errors)")
      try body(program, model)
    }
  }

  /// A tiny random Qwen2 with a real (small) tokeniser, as a Hugging Face folder.
  func makeModel() throws -> URL {
    let model = folder.appendingPathComponent("model")
    try FileManager.default.copyItem(at: Fixtures.url("Tokenizers", "small"), to: model)
    let vocabulary = try Tokenizer(folder: model).vocabularySize
    let (hidden, inner, layers) = (16, 32, 2)
    let config: JSONValue = [
      "model_type": "qwen2", "hidden_size": JSONValue(hidden), "intermediate_size": JSONValue(inner),
      "num_hidden_layers": JSONValue(layers), "num_attention_heads": 2, "num_key_value_heads": 1,
      "vocab_size": JSONValue(vocabulary), "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000,
      "hidden_act": "silu", "tie_word_embeddings": true,
    ]
    try config.text().write(to: model.appendingPathComponent("config.json"), atomically: true, encoding: .utf8)
    var seed: UInt64 = 1
    func tensor(_ name: String, _ shape: [Int], ones: Bool = false) -> TensorOutput {
      let values = (0..<shape.reduce(1, *)).map { _ -> Float in
        seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return ones ? 1 : (Float(seed >> 40) * 0x1p-24 - 0.5) * 0.4
      }
      return TensorOutput(name: name, shape: shape, values: values)
    }
    var tensors = [
      tensor("model.embed_tokens.weight", [vocabulary, hidden]), tensor("model.norm.weight", [hidden], ones: true),
    ]
    for layer in 0..<layers {
      let path = "model.layers.\(layer)"
      for (name, rows) in [("q_proj", hidden), ("k_proj", hidden / 2), ("v_proj", hidden / 2)] {
        tensors.append(tensor("\(path).self_attn.\(name).weight", [rows, hidden]))
        tensors.append(tensor("\(path).self_attn.\(name).bias", [rows]))
      }
      tensors += [
        tensor("\(path).self_attn.o_proj.weight", [hidden, hidden]),
        tensor("\(path).mlp.gate_proj.weight", [inner, hidden]),
        tensor("\(path).mlp.up_proj.weight", [inner, hidden]), tensor("\(path).mlp.down_proj.weight", [hidden, inner]),
        tensor("\(path).input_layernorm.weight", [hidden], ones: true),
        tensor("\(path).post_attention_layernorm.weight", [hidden], ones: true),
      ]
    }
    try SafetensorsWriter.write(tensors, to: model.appendingPathComponent("model.safetensors"))
    return model
  }

  /// Forty rows about twenty facts, and an experiment on them.
  func makeExperiment(model: URL, extra: String = "") throws -> URL {
    let rows = (0..<40).map { index -> JSONValue in
      [
        "fact": .string("fact-\(index / 2)"), "subject": .string(index % 3 == 0 ? "수학" : "과학"),
        "question": .string("\(index / 2)번 사실을 \(index % 2 == 0 ? "설명해" : "짧게 말해") 주세요."),
        "answer": .string("\(index / 2)번 사실은 \(index / 2 * 7)입니다."),
      ]
    }
    try JSONValue.array(rows).text(pretty: true)
      .write(to: folder.appendingPathComponent("rows.json"), atomically: true, encoding: .utf8)
    let file = folder.appendingPathComponent("tiny.yaml")
    try """
    name: tiny
    model: {name: "\(model.path)"}
    dataset:
      files: ["\(folder.appendingPathComponent("rows.json").path)"]
      format: {input: "{question}", output: "{answer}"}
      split: {validation: 0.1, test: 4, test_seen: 2, group: fact, seed: 1}
    lora: {r: 4, lora_alpha: 8, lora_dropout: 0.1}
    training: {learning_rate: 0.01, num_train_epochs: 4, eval_steps: 4, save_steps: 3, warmup_ratio: 0.1, lr_scheduler_type: cosine}
    evaluation: {max_new_tokens: 8}
    \(extra)
    """.write(to: file, atomically: true, encoding: .utf8)
    return file
  }

  /// An experiment on other data; `dataset` is its section as YAML.
  func writeExperiment(model: URL, dataset: String, to name: String = "other.yaml") throws -> URL {
    let file = folder.appendingPathComponent(name)
    try "name: tiny\nmodel: {name: \"\(model.path)\"}\ndataset: \(dataset)\n"
      .write(to: file, atomically: true, encoding: .utf8)
    return file
  }

  var output: URL { folder.appendingPathComponent("output") }
  var run: RunFolder { RunFolder(output: output, id: "tiny") }
}
