import Formats

/// How ROUGE cuts a text into tokens; the raw value stands in the signature.
public enum ROUGETokenizer: String, Sendable, CaseIterable {
  /// rouge-score's own rule: lower case, then the runs of a–z and 0–9. Every other letter separates, so Korean vanishes.
  case rougeScore = "rouge-score"
  /// NFC, lower case, then the runs of letters, marks and numbers of any script (Unicode categories L, M and N). On ASCII text the same
  /// tokens as rouge-score's. A Korean word is one token with its particle.
  case unicode

  /// The tokens of one text.
  public func tokenize(_ text: String) -> [String] {
    tokens(of: text).map { String($0) }
  }

  func tokens(of text: String) -> [Scalars] {
    let text = self == .unicode ? UnicodeText.nfc(text) : text
    return Scalars(text.unicodeScalars).lowercased().split { !isPart($0) }.map(Scalars.init)
  }

  func tokens(of pair: AnswerPair) -> TokenPair {
    TokenPair(hypothesis: tokens(of: pair.hypothesis), reference: tokens(of: pair.reference))
  }

  private func isPart(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return ("a"..."z").contains(scalar) || scalar.isASCIIDigit }
    return self == .unicode && (scalar.isHangulSyllable || scalar.isWordPart)
  }
}

/// ROUGE (Lin, 2004), equal to rouge-score 0.1.2's digits without stemmer where the tokens are the same.
public struct ROUGE: Sendable, Equatable {
  /// From 0 to 1.
  public struct Score: Sendable, Equatable {
    public var precision: Double
    public var recall: Double
    public var f1: Double

    static let zero = Score(hits: 0, hypothesis: 0, reference: 0)

    init(hits: Int, hypothesis: Int, reference: Int) {
      precision = Double(hits) / Double(max(hypothesis, 1))
      recall = Double(hits) / Double(max(reference, 1))
      f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0
    }
  }

  public enum Kind: String, Sendable, CaseIterable {
    case rouge1, rouge2
    /// The longest common subsequence of the whole texts.
    case rougeL
    /// The union of the lines' longest common subsequences.
    case rougeLsum
  }

  public let tokenizer: ROUGETokenizer
  /// Which of its scores are told.
  let kinds: [Kind]

  public init(tokenizer: ROUGETokenizer, kinds: [Kind] = Kind.allCases) {
    self.tokenizer = tokenizer
    self.kinds = kinds
  }

  /// In sacreBLEU's form, which rouge-score has no counterpart of.
  public var signature: String {
    "nrefs:1|case:lower|score:f1|agg:mean|stem:no|tok:\(tokenizer.rawValue)|like:rouge-score-0.1.2"
  }

  public func sentence(_ kind: Kind, _ pair: AnswerPair) -> Score { score(kind, tokenizer.tokens(of: pair), pair) }

  /// The mean of the answers' F1, 0 to 1; 0 for none.
  public func corpus(_ kind: Kind, _ pairs: [AnswerPair]) -> Double {
    CountTable(ROUGE(tokenizer: tokenizer, kinds: [kind]), pairs).values[0]
  }

  /// - Parameter tokens: those of the pair.
  private func score(_ kind: Kind, _ tokens: TokenPair, _ pair: AnswerPair) -> Score {
    switch kind {
    case .rouge1, .rouge2:
      let order = kind == .rouge1 ? 1 : 2
      return Score(
        hits: NGrams.matches(tokens.hypothesis, tokens.reference, orders: order)[order - 1],
        hypothesis: tokens.hypothesis.count - order + 1, reference: tokens.reference.count - order + 1)
    case .rougeL:
      return Score(
        hits: Self.commonLength(tokens.reference, tokens.hypothesis), hypothesis: tokens.hypothesis.count,
        reference: tokens.reference.count)
    case .rougeLsum: return summary(pair)
    }
  }

  private func summary(_ pair: AnswerPair) -> Score {
    func lines(_ text: String) -> [[Scalars]] {
      text.unicodeScalars.split(separator: "\n").map { tokenizer.tokens(of: String($0)) }
    }
    func tally(_ lines: [[Scalars]]) -> [Scalars: Int] { lines.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 } }
    let hypothesis = lines(pair.hypothesis)
    let reference = lines(pair.reference)
    var left = (hypothesis: tally(hypothesis), reference: tally(reference))
    var hits = 0
    for line in reference {
      let union = hypothesis.reduce(into: Set<Int>()) { $0.formUnion(Self.commonSubsequence(line, $1)) }
      // A token counts no more often than it stands in either text.
      for token in union.sorted().map({ line[$0] }) {
        guard let inHypothesis = left.hypothesis[token], let inReference = left.reference[token], inHypothesis > 0,
          inReference > 0
        else { continue }
        left.hypothesis[token] = inHypothesis - 1
        left.reference[token] = inReference - 1
        hits += 1
      }
    }
    return Score(
      hits: hits, hypothesis: hypothesis.reduce(0) { $0 + $1.count }, reference: reference.reduce(0) { $0 + $1.count })
  }

  /// The length of a longest common subsequence.
  private static func commonLength(_ reference: [UInt32], _ hypothesis: [UInt32]) -> Int {
    var lengths = [Int32](repeating: 0, count: hypothesis.count + 1)
    for token in reference {
      var diagonal: Int32 = 0
      for (place, other) in hypothesis.enumerated() {
        let above = lengths[place + 1]
        lengths[place + 1] = token == other ? diagonal + 1 : max(above, lengths[place])
        diagonal = above
      }
    }
    return Int(lengths[hypothesis.count])
  }

  /// The places in `reference` of a longest common subsequence. Of several, the one that rouge-score's way back finds: it matters to the
  /// union of lines.
  private static func commonSubsequence(_ reference: [Scalars], _ hypothesis: [Scalars]) -> [Int] {
    let width = hypothesis.count + 1
    var lengths = [Int32](repeating: 0, count: (reference.count + 1) * width)
    for (i, left) in reference.enumerated() {
      for (j, right) in hypothesis.enumerated() {
        let place = (i + 1) * width + j + 1
        lengths[place] =
          left == right ? lengths[place - width - 1] + 1 : max(lengths[place - width], lengths[place - 1])
      }
    }
    var places: [Int] = []
    var i = reference.count
    var j = hypothesis.count
    while i > 0, j > 0 {
      if reference[i - 1] == hypothesis[j - 1] {
        places.append(i - 1)
        i -= 1
        j -= 1
      } else if lengths[i * width + j - 1] > lengths[(i - 1) * width + j] {
        j -= 1
      } else {
        i -= 1
      }
    }
    return places.reversed()
  }
}

extension ROUGE: Metric {
  var scores: [(name: String, signature: String)] { kinds.map { ($0.rawValue, signature) } }

  /// The F1 of each kind.
  func counts(_ pair: AnswerPair) -> [Double] {
    let tokens = tokenizer.tokens(of: pair)
    return kinds.map { score($0, tokens, pair).f1 }
  }

  func values(_ sums: [Double], answers: Int) -> [Double] { sums.map { $0 / Double(answers) } }
}
