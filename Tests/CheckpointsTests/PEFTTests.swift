import Formats
import Foundation
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct PEFTTests {
  private let saved = Fixtures.url("Checkpoints", "peft")

  @Test func readsWhatPEFTSaved() throws {
    let adapter = try PEFTAdapter.read(saved)
    #expect(
      adapter.configuration
        == LoRAConfiguration(r: 2, alpha: 4, dropout: 0.05, targetModules: .names(["down_proj", "v_proj"])))
    #expect(try adapter.configuration.scaling(of: "model.layers.0.mlp.down_proj") == 2)
    #expect(
      adapter.pairs.map(\.module) == [
        "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.v_proj", "model.layers.1.mlp.down_proj",
        "model.layers.1.self_attn.v_proj",
      ])
    let value = try #require(adapter.pairs.last)
    #expect(value.rank == 2 && value.inputs == 16 && value.outputs == 8)
    #expect(value.a.count == 32 && value.b.count == 16)
    // The first and last number of each, as Python's numpy reads them.
    #expect(value.a.first?.bitPattern == 1_047_320_770 && value.a.last?.bitPattern == 3_179_041_296)
    #expect(value.b.first?.bitPattern == 3_200_994_057 && value.b.last?.bitPattern == 1_057_376_431)
  }

  @Test func writesTheSameWeightsAndSettings() throws {
    try Fixtures.withTemporaryFolder { folder in
      var adapter = try PEFTAdapter.read(saved)
      let target = folder.appendingPathComponent("checkpoints/best")
      try adapter.write(to: target)
      #expect(
        try Data(contentsOf: target.appendingPathComponent(PEFTAdapter.weightsName))
          == Data(contentsOf: saved.appendingPathComponent(PEFTAdapter.weightsName)))
      #expect(try PEFTAdapter.read(target) == adapter)
      #expect(PEFTAdapter.isAdapter(target) && !PEFTAdapter.isAdapter(folder))
      // Every setting that we write has the value PEFT wrote.
      let name = PEFTAdapter.configurationName
      let ours = try JSONValue(parsing: Data(contentsOf: target.appendingPathComponent(name)), file: name)
      let theirs = try JSONValue(parsing: Data(contentsOf: saved.appendingPathComponent(name)), file: name)
      for entry in try #require(ours.object).entries { #expect(theirs[entry.key] == entry.value, "\(entry.key)") }
      adapter.configuration.targetModules = .allLinear
      adapter.configuration.useRSLoRA = true
      adapter.configuration.alpha = 2.5
      adapter.configuration.baseModel = "qwen2.5-coder-0.5b-instruct"
      try adapter.write(to: target)
      #expect(try PEFTAdapter.read(target) == adapter)
    }
  }

  @Test(arguments: [
    ("use_dora", "true", "use_dora"),
    ("rank_pattern", "{\"q_proj\": 4}", "'q_proj' of rank_pattern matches no adapted module"),
    ("rank_pattern", "{\"v_proj\": 0}", "'v_proj' needs a number"),
    ("rank_pattern", "{\"v_(proj\": 2}", "'v_(proj' of rank_pattern is no regular expression"),
    ("rank_pattern", "{\"v_proj\": 4}", "is not the rank 4"),
    ("alpha_pattern", "{\"q_proj\": 4}", "alpha_pattern"),
    ("modules_to_save", "[\"lm_head\"]", "modules_to_save"),
    ("bias", "\"all\"", "bias"),
    ("fan_in_fan_out", "true", "fan_in_fan_out"),
    ("lora_bias", "true", "lora_bias"),
    ("init_lora_weights", "\"pissa\"", "init_lora_weights"),
    ("target_modules", "\"(.*_proj\"", "no regular expression"),
    ("target_modules", "\".*v_proj\"", "model.layers.0.mlp.down_proj.lora_A.weight"),
    ("layers_to_transform", "[1]", "model.layers.0.mlp.down_proj.lora_A.weight"),
    ("layers_to_transform", "[-1]", "counted from 0"),
    ("exclude_modules", "[\"down_proj\"]", "model.layers.0.mlp.down_proj.lora_A.weight"),
    ("exclude_modules", "3", "a list of names"),
    ("target_modules", "[]", "target_modules"),
    ("target_modules", "null", "target_modules"),
    ("peft_type", "\"LOHA\"", "peft_type"),
    ("task_type", "\"SEQ_CLS\"", "task_type"),
    ("r", "0", "'r' is 0"),
    ("r", "\"2\"", "'r' is \"2\""),
    ("lora_dropout", "1", "lora_dropout"),
    ("lora_alpha", "[1]", "lora_alpha"),
    ("a_setting_of_next_year", "3", "a_setting_of_next_year"),
    ("r", "4", "is not the rank 4"),
    ("target_modules", "[\"v_proj\"]", "model.layers.0.mlp.down_proj.lora_A.weight"),
  ])
  func refusesByName(key: String, value: String, message: String) throws {
    try withAdapter(key, value) { folder in
      let error = #expect(throws: CheckpointError.self) { _ = try PEFTAdapter.read(folder) }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
  }

  @Test(arguments: [
    ("use_rslora", "null"), ("rank_pattern", "{\"v_proj\": 2}"), ("alpha_pattern", "{\"self_attn.*\": 1.5}"),
    ("init_lora_weights", "false"), ("init_lora_weights", "\"gaussian\""),
    ("layers_pattern", "[]"),
    ("layers_to_transform", "[0, 1]"), ("exclude_modules", "\".*q_proj\""), ("target_modules", "\".*_proj\""),
    ("a_setting_of_next_year", "false"), ("inference_mode", "false"),
  ])
  func takesWhatChangesNothing(key: String, value: String) throws {
    try withAdapter(key, value) { folder in
      let pairs = try PEFTAdapter.read(folder).pairs
      #expect(pairs.count == 4)
    }
  }

  /// PEFT's rules (`check_target_module_exists`).
  @Test func choosesModulesAsPEFTDoes() {
    func adapts(_ path: String, _ change: (inout LoRAConfiguration) -> Void) -> Bool {
      var configuration = LoRAConfiguration(r: 2, alpha: 4, dropout: 0, targetModules: .names(["q_proj", "down_proj"]))
      change(&configuration)
      return configuration.adapts(path)
    }
    let path = "model.layers.11.self_attn.q_proj"
    #expect(adapts(path) { _ in })
    #expect(!adapts(path) { $0.excludeModules = .names(["q_proj"]) })
    #expect(!adapts(path) { $0.excludeModules = .pattern(".*layers\\.1[01].*") })
    #expect(
      adapts(path) { $0.targetModules = .pattern(".*\\.q_proj") }
        && !adapts(path) { $0.targetModules = .pattern("q_proj") })
    #expect(adapts(path) { $0.layersToTransform = [1, 11] } && !adapts(path) { $0.layersToTransform = [1] })
    #expect(!adapts("lm_head.q_proj") { $0.layersToTransform = [0] })
    #expect(
      adapts(path) {
        $0.layersToTransform = [11]
        $0.layersPattern = ["layers"]
      }
        && !adapts(path) {
          $0.layersToTransform = [11]
          $0.layersPattern = ["h", "blocks"]
        })
    // A whole path is chosen in whatever layer it is.
    #expect(
      adapts(path) {
        $0.targetModules = .names([path])
        $0.layersToTransform = [3]
      })
  }

  /// The saved adapter with one setting changed.
  private func withAdapter(_ key: String, _ value: String, _ body: (URL) throws -> Void) throws {
    try Fixtures.withTemporaryFolder { folder in
      for name in [PEFTAdapter.configurationName, PEFTAdapter.weightsName] {
        try FileManager.default.copyItem(
          at: saved.appendingPathComponent(name), to: folder.appendingPathComponent(name))
      }
      let url = folder.appendingPathComponent(PEFTAdapter.configurationName)
      var object = try #require(JSONValue(parsing: Data(contentsOf: url), file: "config").object)
      object[key] = try JSONValue(parsing: value, file: "value")
      try Data(JSONValue.object(object).text().utf8).write(to: url)
      try body(folder)
    }
  }

  @Test(arguments: [
    ("base_model.model.x.lora_A.default.weight", "not understood"),
    ("x.lora_A.weight", "not understood"),
    ("base_model.model.x.lora_magnitude_vector", "of a DoRA adapter, but use_dora is not set"),
    ("base_model.model.lm_head.weight", "base_model.model.lm_head.weight"),
    ("base_model.model.model.embed_tokens.lora_embedding_A", "embedding"),
    ("base_model.model.a.v_proj.lora_A.weight", "has lora_A but no lora_B"),
    ("base_model.model.a.v_proj.lora_B.weight", "has lora_B but no lora_A"),
  ])
  func refusesKeys(key: String, message: String) throws {
    try withAdapter("revision", "null") { folder in
      try SafetensorsWriter.write(
        [TensorOutput(name: key, shape: [2, 2], values: [1, 2, 3, 4])],
        to: folder.appendingPathComponent(PEFTAdapter.weightsName))
      let error = #expect(throws: CheckpointError.self) { _ = try PEFTAdapter.read(folder) }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
  }

  @Test func saysWhatIsMissing() throws {
    try Fixtures.withTemporaryFolder { folder in
      let error = #expect(throws: CheckpointError.self) { _ = try PEFTAdapter.read(folder) }
      #expect(error?.message == "holds no adapter_config.json")
    }
  }
}
