import Foundation
import ModelFixtures
import Formats
import TestSupport
import Testing

@testable import Models

@Suite struct ConfigurationTests {
  @Test(arguments: PeerFixture.names)
  func oldAndNewConfigurationsAgree(name: String) throws {
    func read(_ file: String) throws -> DecoderConfiguration {
      let url = Fixtures.url("Models", "\(name)/\(file)")
      return try DecoderConfiguration(json: JSONValue(parsing: Data(contentsOf: url), file: file), file: file)
    }
    #expect(try read("config.json") == read("config-v4.json"))
  }

  @Test(arguments: [
    (#"{"model_type":"gemma2"}"#, "the model family 'gemma2'"),
    (#"{"model_type":"qwen2","use_sliding_window":true}"#, "sliding-window"),
    (#"{"model_type":"llama","hidden_act":"gelu"}"#, "the activation 'gelu'"),
    (#"{"model_type":"qwen3","layer_types":["full_attention","sliding_attention"]}"#, "layer type 'sliding_attention'"),
    (#"{"model_type":"qwen3_moe"}"#, "the model family 'qwen3_moe'"),
    (
      #"{"model_type":"llama","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,"vocab_size":9,"partial_rotary_factor":0.5}"#,
      "partial_rotary_factor 0.5"
    ),
    (#"{"model_type":"qwen2","hidden_size":8}"#, "'intermediate_size' is missing"),
    (
      #"{"model_type":"llama","hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,"vocab_size":9,"rope_scaling":{"rope_type":"yarn"}}"#,
      "RoPE scaling 'yarn'"
    ),
    (
      #"{"model_type":"llama","hidden_size":9,"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":3,"num_key_value_heads":2,"vocab_size":9}"#,
      "3 attention heads can't share 2"
    ),
  ])
  func whatIsNotImplementedIsRefusedByName(json: String, message: String) throws {
    let value = try JSONValue(parsing: json, file: "config.json")
    #expect { try DecoderConfiguration(json: value, file: "config.json") } throws: { "\($0)".contains(message) }
  }

  @Test func ggufNames() {
    #expect(GGUFNames.gguf("model.layers.3.mlp.up_proj.weight") == "blk.3.ffn_up.weight")
    #expect(GGUFNames.gguf("model.layers.0.self_attn.q_proj.bias") == "blk.0.attn_q.bias")
    #expect(GGUFNames.gguf("lm_head.weight") == "output.weight")
  }
}
