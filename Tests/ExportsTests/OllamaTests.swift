import Exports
import Foundation
import TestSupport
import Testing

@testable import Tokenizers

@Suite struct OllamaTests {
  private static func tokenizer(_ template: String) throws -> Tokenizer {
    let bytes = (0...255).map { byte in
      let character = ByteAlphabet.byteOfCharacter.firstIndex(of: UInt16(byte)) ?? 0
      return String(UnicodeScalar(character).map(Character.init) ?? " ")
    }
    return try Tokenizer(
      gguf: TokenizerSource(
        file: "tiny.gguf", model: "gpt2", pre: "qwen2", tokens: bytes + ["<|im_end|>"],
        types: [Int32](repeating: 1, count: 256) + [3], merges: [], eosID: 256, chatTemplate: template))
  }

  private static let chatML = """
    {%- if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}
    {%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}
    {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
    """

  @Test func theModelsOwnFormatIsFound() throws {
    let template = try OllamaTemplate(Self.tokenizer(Self.chatML))
    #expect(
      template.text == """
        {{ if .System }}<|im_start|>system
        {{ .System }}<|im_end|>
        {{ end }}{{ if .Prompt }}<|im_start|>user
        {{ .Prompt }}<|im_end|>
        {{ end }}<|im_start|>assistant
        {{ .Response }}<|im_end|>

        """)
    #expect(template.defaultSystem == "Be kind." && template.stops == ["<|im_end|>"])
    let lines = template.modelfile(for: "a.gguf").split(separator: "\n")
    #expect(lines.first == "FROM ./a.gguf" && lines.contains("PARAMETER stop \"<|im_end|>\""))
  }

  @Test func aFormatThatAModelfileCantSayIsRefused() throws {
    let counting = "{% for m in messages %}{{ loop.index }}{{ m['content'] }}{% endfor %}"
    #expect(throws: TokenizerError.self) { try OllamaTemplate(Self.tokenizer(counting)) }
  }
}
