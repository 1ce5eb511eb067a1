import Checkpoints
import Formats

extension DecoderConfiguration {
  /// The `config.json` of a Hugging Face folder whose weights are of this type ("bfloat16").
  public func json(dtype: String) -> JSONValue {
    let architecture = [Family.qwen2: "Qwen2ForCausalLM", .qwen3: "Qwen3ForCausalLM", .llama: "LlamaForCausalLM"]
    var object: JSONObject = [
      "architectures": [.string(architecture[family] ?? "")], "model_type": .string(family.rawValue),
      "hidden_size": JSONValue(hiddenSize), "intermediate_size": JSONValue(intermediateSize),
      "num_hidden_layers": JSONValue(numHiddenLayers), "num_attention_heads": JSONValue(numAttentionHeads),
      "num_key_value_heads": JSONValue(numKeyValueHeads), "hidden_act": "silu",
      "max_position_embeddings": JSONValue(maxPositionEmbeddings), "vocab_size": JSONValue(vocabularySize),
      // The decimal that was meant: 1e-06, not what float32 makes of it.
      "rms_norm_eps": JSONValue(Double("\(rmsNormEpsilon)") ?? Double(rmsNormEpsilon)),
      "rope_theta": JSONValue(ropeTheta),
      "tie_word_embeddings": .bool(tieWordEmbeddings), "torch_dtype": .string(dtype), "use_cache": true,
    ]
    if family != .qwen2 { object["head_dim"] = JSONValue(headSize) }
    if let scaling = ropeScaling {
      object["rope_scaling"] = [
        "rope_type": "llama3", "factor": JSONValue(scaling.factor),
        "low_freq_factor": JSONValue(scaling.lowFrequencyFactor),
        "high_freq_factor": JSONValue(scaling.highFrequencyFactor),
        "original_max_position_embeddings": JSONValue(scaling.originalMaxPositionEmbeddings),
      ]
    }
    return .object(object)
  }

  /// What a GGUF file says of the model's shape, under `general.architecture`'s name.
  public var ggufMetadata: [(key: String, value: GGUFValue)] {
    func whole(_ value: Int) -> GGUFValue { .uint32(UInt32(clamping: value)) }
    let name = family.rawValue
    var metadata: [(key: String, value: GGUFValue)] = [
      ("\(name).block_count", whole(numHiddenLayers)), ("\(name).context_length", whole(maxPositionEmbeddings)),
      ("\(name).embedding_length", whole(hiddenSize)), ("\(name).feed_forward_length", whole(intermediateSize)),
      ("\(name).attention.head_count", whole(numAttentionHeads)),
      ("\(name).attention.head_count_kv", whole(numKeyValueHeads)),
      ("\(name).rope.freq_base", .float32(Float(ropeTheta))),
      ("\(name).attention.layer_norm_rms_epsilon", .float32(rmsNormEpsilon)),
    ]
    if headSize * numAttentionHeads != hiddenSize {
      metadata.append(("\(name).attention.key_length", whole(headSize)))
      metadata.append(("\(name).attention.value_length", whole(headSize)))
    }
    if family == .llama {
      metadata.append(("llama.rope.dimension_count", whole(headSize)))
      metadata.append(("llama.vocab_size", whole(vocabularySize)))
    }
    return metadata
  }
}
