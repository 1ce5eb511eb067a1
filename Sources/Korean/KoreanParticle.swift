/// A Korean particle that changes with the sound before it.
///
/// What counts is the sound of the word read aloud: digits, Latin letters, units and signs included. Where the reading is
/// not known, `form(after:)` is nil and `attached(to:noun:)` puts a noun in between, so `을(를)` is never printed.
public enum KoreanParticle: Sendable, CaseIterable {
  /// 은/는
  case topic
  /// 이/가
  case subject
  /// 을/를
  case object
  /// 과/와
  case and
  /// 으로/로; 로 after ㄹ
  case toward
  /// 이다/다
  case copula
  /// 이라/라, the stem of 이라는/라는 and 이라고/라고
  case quotation
  /// 이나/나
  case or

  /// How a word ends when read aloud.
  public enum Ending: Sendable, Equatable {
    case open, closed
    /// Closed with ㄹ, which takes 로.
    case rieul
  }

  /// The particle alone, or nil where nothing tells how the word is read.
  public func form(after word: String) -> String? {
    KoreanParticle.ending(of: word).map(form(after:))
  }

  /// The word with its particle, without a space; with the noun in between where the reading is unknown:
  /// `target_modules` and `설정` give `target_modules 설정을`.
  public func attached(to word: String, noun: String = "값") -> String {
    if let form = form(after: word) { return word + form }
    return "\(word) \(noun)" + (form(after: noun) ?? form(after: Ending.closed))
  }

  public func form(after ending: Ending) -> String {
    let open = ending == .open
    switch self {
    case .topic: return open ? "는" : "은"
    case .subject: return open ? "가" : "이"
    case .object: return open ? "를" : "을"
    case .and: return open ? "와" : "과"
    case .toward: return ending == .closed ? "으로" : "로"
    case .copula: return open ? "다" : "이다"
    case .quotation: return open ? "라" : "이라"
    case .or: return open ? "나" : "이나"
    }
  }

  /// How the word ends when read aloud, or nil where that is unknown.
  public static func ending(of word: String) -> Ending? {
    let scalars = Array(withoutClosers(Array(word.unicodeScalars)))
    guard let last = scalars.last else { return nil }
    if let ending = hangul(last) { return ending }
    if isDigit(last) { return number(scalars) }
    if isLatin(last) { return latin(scalars) }
    return openSigns.contains(last) ? .open : nil
  }

  // MARK: Parts of the reading

  private static let openSigns: Set<Unicode.Scalar> = ["%", "°", "×", "℃", "€", "+"]
  private static let closers: [Unicode.Scalar: Unicode.Scalar] = [
    ")": "(", "]": "[", "}": "{", "）": "（", "〕": "〔", "〉": "〈",
  ]
  private static let quotes: Set<Unicode.Scalar> = [
    "\"", "'", "”", "’", "」", "』", "》", "】", "`", "*", "_", " ", "\u{A0}", ".", ",", "!", "?", "…",
  ]

  /// Drops closing quotes, full stops, and a bracket with what it holds, where a word stands before it.
  private static func withoutClosers(_ scalars: [Unicode.Scalar]) -> ArraySlice<Unicode.Scalar> {
    var rest = scalars[...]
    while let last = rest.last {
      if quotes.contains(last) {
        rest = rest.dropLast()
      } else if let opener = closers[last] {
        var depth = 0
        var start: Int?
        for index in rest.indices.reversed() where start == nil {
          if rest[index] == last { depth += 1 }
          if rest[index] == opener { depth -= 1 }
          if depth == 0 { start = index }
        }
        // Nothing before the bracket: the word is inside it.
        guard let start, start > rest.startIndex else {
          rest = rest.dropLast()
          continue
        }
        rest = rest[..<start]
      } else {
        break
      }
    }
    return rest
  }

  private static func hangul(_ scalar: Unicode.Scalar) -> Ending? {
    switch scalar.value {
    case 0xAC00...0xD7A3:
      let final = (scalar.value - 0xAC00) % 28
      return final == 0 ? .open : final == 8 ? .rieul : .closed
    case 0x3139, 0x11AF: return .rieul  // ㄹ is read 리을
    case 0x3131...0x314E, 0x11A8...0x11C2: return .closed  // the names of consonants: 기역, 니은 …
    case 0x314F...0x3163, 0x1161...0x1175: return .open
    default: return nil
    }
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
  private static func isLatin(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  /// A number by its last digit; whole numbers with zeros at the end by 십·백·천, 만, 억 (closed), 조 (open), 경 (closed).
  private static func number(_ scalars: [Unicode.Scalar]) -> Ending {
    let tail = scalars.reversed().prefix { isDigit($0) || $0 == "," || $0 == "." }
    let digits = tail.filter(isDigit)
    let zeros = digits.prefix { $0 == "0" }.count
    let isWhole = !tail.contains(".")
    if isWhole, zeros > 0, zeros < digits.count {
      return (12...15).contains(zeros) ? .open : .closed
    }
    switch digits.first {
    case "1", "7", "8": return .rieul
    case "0", "3", "6": return .closed
    default: return .open
    }
  }

  private static func latin(_ scalars: [Unicode.Scalar]) -> Ending? {
    let run = Array(scalars.reversed().prefix(while: isLatin).reversed())
    let word = String(String.UnicodeScalarView(run))
    let before = scalars.dropLast(run.count).reversed().drop { $0 == " " || $0 == "\u{A0}" }.first
    if let before, isDigit(before) || before == "/" || before == "%", let ending = units[word] { return ending }
    if before == "/" || before == "_" || before == "-" { if run.count > 1 { return words[word.lowercased()] } }
    if let ending = words[word.lowercased()] { return ending }
    let isAcronym = run.allSatisfy { ("A"..."Z").contains($0) } || run.count == 1
    guard isAcronym, let last = run.last else { return nil }
    switch last {
    case "L", "l", "R", "r": return .rieul
    case "M", "m", "N", "n": return .closed
    default: return .open
    }
  }

  /// Units after a number, read as 기가바이트, 밀리초, 분 …
  private static let units: [String: Ending] = [
    "B": .open, "KB": .open, "MB": .open, "GB": .open, "TB": .open, "KiB": .open, "MiB": .open, "GiB": .open,
    "p": .open, "s": .open, "ms": .open, "h": .open, "min": .closed, "mm": .open, "cm": .open, "m": .open, "km": .open,
    "g": .open, "mg": .open, "kg": .open, "t": .closed, "Hz": .open, "kHz": .open, "MHz": .open, "GHz": .open,
    "W": .open, "kW": .open, "V": .open, "A": .open, "J": .rieul, "N": .closed, "Pa": .rieul, "K": .open, "M": .closed,
    "T": .open, "px": .rieul, "L": .open, "mL": .open, "GFLOPS": .open,
  ]

  /// Words of this field that stay in Latin letters, by how Koreans read them. `model` is 모델, `epoch` 에포크.
  private static let words: [String: Ending] = [
    "loss": .open, "lora": .open, "qlora": .open, "dora": .open, "step": .closed, "steps": .open, "epoch": .open,
    "seed": .open, "warmup": .closed, "dropout": .closed, "rank": .open, "perplexity": .open, "bleu": .open,
    "rouge": .open, "chrf": .open, "model": .rieul, "token": .closed, "adam": .closed, "adamw": .open,
    "cosine": .closed, "linear": .open, "constant": .open, "python": .closed, "swift": .open, "json": .closed,
    "jsonl": .rieul, "yaml": .rieul, "yml": .rieul, "html": .rieul, "png": .open, "qwen": .closed, "llama": .open,
    "pytorch": .open, "transformers": .open, "peft": .open, "markdown": .closed, "github": .open, "colab": .closed,
    "hub": .open, "face": .open, "batch": .open, "label": .rieul, "file": .rieul, "adapter": .open, "alpha": .open,
    "checkpoint": .open, "dataset": .closed, "train": .closed, "eval": .rieul, "test": .open, "prompt": .open,
    "base": .open, "instruct": .open, "gguf": .open, "safetensors": .open, "csv": .open, "md": .open, "txt": .open,
    "linux": .open, "debian": .closed, "docker": .open, "ollama": .open, "unsloth": .open, "trl": .rieul,
    "tensorboard": .open, "softmax": .open, "attention": .closed, "transformer": .open, "embedding": .closed,
    "default": .open, "overfitting": .closed, "nat": .closed, "tuning": .closed, "merge": .open, "run": .closed,
  ]
}
