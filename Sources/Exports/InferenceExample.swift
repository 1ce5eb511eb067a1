import Foundation

/// A small program that asks an exported model one question, written beside it.
public struct InferenceExample: Sendable, Equatable {
  public let name: String
  public let text: String

  /// Asks the adapter beside it on its base, a Hub repository or a folder, with transformers and PEFT.
  public static func peft(base: String) -> InferenceExample {
    InferenceExample(
      name: "generate_peft.py",
      text: python(
        "generate_peft.py", packages: "torch transformers peft",
        imports:
          "import torch\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer",
        load: """
          base = AutoModelForCausalLM.from_pretrained(\(quoted(base)), dtype=torch.bfloat16)
          model = PeftModel.from_pretrained(base, FOLDER)
          """))
  }

  /// Asks a merged folder with transformers.
  public static let transformers = InferenceExample(
    name: "generate.py",
    text: python(
      "generate.py", packages: "torch transformers",
      imports: "import torch\nfrom transformers import AutoModelForCausalLM, AutoTokenizer",
      load: "model = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.bfloat16)"))

  private static func python(_ name: String, packages: String, imports: String, load: String) -> String {
    """
    # pip install \(packages)
    # python \(name) "질문"
    import pathlib
    import sys

    \(imports)

    FOLDER = pathlib.Path(__file__).resolve().parent
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    \(load)
    messages = [{"role": "user", "content": sys.argv[1]}]
    inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, max_new_tokens=128, do_sample=False, repetition_penalty=1.0)
    print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))

    """
  }

  /// Asks a GGUF file beside it with llama.cpp.
  public static func llamaCpp(_ file: String) -> InferenceExample {
    InferenceExample(
      name: "generate_llama_cpp.py",
      text: """
        # pip install llama-cpp-python
        # python generate_llama_cpp.py "질문"
        import pathlib
        import sys

        from llama_cpp import Llama

        model = Llama(str(pathlib.Path(__file__).resolve().parent / \(quoted(file))), n_ctx=2048, verbose=False)
        answer = model.create_chat_completion([{"role": "user", "content": sys.argv[1]}], temperature=0, max_tokens=128, repeat_penalty=1.0)
        print(answer["choices"][0]["message"]["content"])

        """)
  }

  /// Asks through `lorapress generate`, from Swift. `arguments` name the model, `{HERE}` standing for the example's folder.
  public static func swift(_ arguments: [String]) -> InferenceExample {
    let list = arguments.map { argument in
      argument.hasPrefix("{HERE}/") ? "here + \(quoted(String(argument.dropFirst(6))))" : quoted(argument)
    }
    return InferenceExample(
      name: "generate.swift",
      text: """
        // swiftc generate.swift && ./generate "질문"        (with lorapress on PATH)
        import Foundation

        let question = CommandLine.arguments.dropFirst().first ?? "대한민국의 수도는 어디야?"
        let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["lorapress", "generate", \(list.joined(separator: ", ")), "--prompt", question]
        try process.run()
        process.waitUntilExit()
        exit(process.terminationStatus)

        """)
  }

  /// Writes examples beside what they ask.
  public static func write(_ examples: [InferenceExample], to folder: URL) throws {
    for example in examples {
      try Data(example.text.utf8).write(to: folder.appendingPathComponent(example.name))
    }
  }

  /// A string literal of Python and Swift alike.
  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
