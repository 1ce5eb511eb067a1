import CRegex

/// A compiled pattern. Compiled code is never written to after this, so threads may share it.
final class Pattern: @unchecked Sendable {
  fileprivate let regex: OpaquePointer

  /// - Parameter oniguruma: a pattern in the dialect of `tokenizer.json`; its `\s` is Unicode's White_Space, while
  ///   PCRE2's also takes U+180E, so the class is written out.
  init(oniguruma: String, file: String) throws {
    var text = Self.translated(oniguruma)
    var message = [CChar](repeating: 0, count: 256)
    var offset = 0
    let compiled = text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        cregex_compile($0.baseAddress, $0.count, &message, message.count, &offset)
      }
    }
    guard let compiled else {
      let reason = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw TokenizerError(
        file: file, message: "the pre-tokeniser's pattern cannot be used (\(reason)); is the file whole?")
    }
    regex = compiled
  }

  deinit { cregex_free(regex) }

  private static let space =
    #"\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#

  /// Kaktovik numerals, which PCRE2 10.42 (Unicode 14) does not know to be numbers yet.
  private static let newNumbers = #"\x{1d2c0}-\x{1d2d3}"#

  private static func translated(_ pattern: String) -> String {
    let scalars = Array(pattern.unicodeScalars)
    var out = ""
    var inClass = false
    var at = 0
    while at < scalars.count {
      if scalars[at] == "\\", at + 1 < scalars.count {
        let next = scalars[at + 1]
        if next == "s" {
          out += inClass ? space : "[\(space)]"
        } else if next == "S", !inClass {
          out += "[^\(space)]"
        } else if next == "p", scalars[(at + 2)...].starts(with: "{N}".unicodeScalars) {
          out += inClass ? "\\p{N}\(newNumbers)" : "[\\p{N}\(newNumbers)]"
          at += 3
        } else {
          out += "\\\(next)"
        }
        at += 2
        continue
      }
      if scalars[at] == "[" { inClass = true }
      if scalars[at] == "]" { inClass = false }
      out.unicodeScalars.append(scalars[at])
      at += 1
    }
    return out
  }
}

/// Cuts a text into the pieces that are encoded each by itself: one pattern after another, each on the pieces that the
/// one before left.
struct PreTokenizer: Sendable {
  let stages: [Pattern]

  /// Working memory of one encoding.
  final class Scratch {
    fileprivate let regex = cregex_scratch_new()
    fileprivate var ends: [[UInt32]] = []

    deinit { cregex_scratch_free(regex) }
  }

  /// Adds to `pieces` where every piece of valid UTF-8 ends, in order; each begins where the one before it ends.
  ///
  /// Matching runs without limits and can fail only where memory ends; what is left is then one piece.
  func split(_ text: UnsafeBufferPointer<UInt8>, _ scratch: Scratch, into pieces: inout [Int]) {
    while scratch.ends.count < stages.count { scratch.ends.append(Array(repeating: 0, count: 512)) }
    split(text, at: 0, stage: 0, scratch, into: &pieces)
  }

  private func split(
    _ text: UnsafeBufferPointer<UInt8>, at offset: Int, stage: Int, _ scratch: Scratch, into pieces: inout [Int]
  ) {
    guard stage < stages.count else {
      if !text.isEmpty { pieces.append(offset + text.count) }
      return
    }
    var position = 0
    var ends: [UInt32] = []
    swap(&ends, &scratch.ends[stage])
    defer { swap(&ends, &scratch.ends[stage]) }
    while position < text.count {
      var start = position
      let count = cregex_split(
        stages[stage].regex, scratch.regex, text.baseAddress, text.count, &position, &ends, ends.count)
      guard count > 0 else { return pieces.append(offset + text.count) }
      for index in 0..<count {
        let end = Int(ends[index])
        split(
          UnsafeBufferPointer(rebasing: text[start..<end]), at: offset + start, stage: stage + 1, scratch, into: &pieces
        )
        start = end
      }
    }
  }
}

/// The pre-tokenisers that a GGUF file names and does not hold.
enum KnownPreTokenizers {
  static let gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  static let eachDigit = #"\p{N}"#
  static let qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  static let llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  struct Entry: Sendable {
    var patterns: [String]
    var nfc = false
    var ignoresMerges = false
  }

  static let table: [String: Entry] = [
    "gpt-2": Entry(patterns: [gpt2]),
    "default": Entry(patterns: [gpt2]),
    "olmo": Entry(patterns: [gpt2], nfc: true),
    "qwen2": Entry(patterns: [qwen2], nfc: true),
    "deepseek-r1-qwen": Entry(patterns: [qwen2], nfc: true),
    "llama3": Entry(patterns: [llama3], ignoresMerges: true),
    "llama-v3": Entry(patterns: [llama3], ignoresMerges: true),
    "llama-bpe": Entry(patterns: [llama3], ignoresMerges: true),
    "smaug-bpe": Entry(patterns: [llama3]),
    "dbrx": Entry(patterns: [llama3]),
    "smollm": Entry(patterns: [eachDigit, gpt2]),
    "starcoder": Entry(patterns: [eachDigit, gpt2]),
    "refact": Entry(patterns: [eachDigit, gpt2]),
    "command-r": Entry(patterns: [eachDigit, gpt2], nfc: true),
    "exaone": Entry(patterns: [eachDigit, gpt2], nfc: true),
  ]
}
