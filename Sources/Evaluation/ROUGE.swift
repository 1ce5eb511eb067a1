import Foundation

/// How ROUGE cuts a text into tokens; the raw value stands in the signature.
public enum ROUGETokenizer: String, Sendable, CaseIterable {
  /// rouge-score's own rule: lower case, then the runs of a–z and 0–9. Every other letter separates, so Korean vanishes.
  case rougeScore = "rouge-score"
  /// NFC, lower case, then the runs of letters, marks and numbers of any script (Unicode categories L, M and N). On ASCII text the same
  /// tokens as rouge-score's. A Korean word is one token with its particle.
  case unicode

  /// The tokens of one text.
  public func tokenize(_ text: String) -> [String] {
    tokens(of: text).map { token in
      var string = ""
      string.unicodeScalars.append(contentsOf: token)
      return string
    }
  }

  func tokens(of text: String) -> [Scalars] {
    let text = self == .unicode ? text.precomposedStringWithCanonicalMapping : text
    let lower = text.unicodeScalars.flatMap { $0.properties.lowercaseMapping.unicodeScalars }
    return lower.split { !isPart($0) }.map(Scalars.init)
  }

  private func isPart(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return ("a"..."z").contains(scalar) || scalar.isASCIIDigit }
    return self == .unicode && (scalar.isLetter || scalar.isMark || scalar.isNumber)
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

  public init(tokenizer: ROUGETokenizer) { self.tokenizer = tokenizer }

  /// In sacreBLEU's form, which rouge-score has no counterpart of.
  public var signature: String {
    "nrefs:1|case:lower|score:f1|agg:mean|stem:no|tok:\(tokenizer.rawValue)|like:rouge-score-0.1.2"
  }

  public func sentence(_ kind: Kind, _ pair: AnswerPair) -> Score {
    switch kind {
    case .rouge1, .rouge2:
      let order = kind == .rouge1 ? 1 : 2
      let hypothesis = tokenizer.tokens(of: pair.hypothesis)
      let reference = tokenizer.tokens(of: pair.reference)
      return Score(
        hits: NGrams.matches(NGrams.counts(of: hypothesis, order: order), NGrams.counts(of: reference, order: order)),
        hypothesis: hypothesis.count - order + 1, reference: reference.count - order + 1)
    case .rougeL:
      let hypothesis = tokenizer.tokens(of: pair.hypothesis)
      let reference = tokenizer.tokens(of: pair.reference)
      return Score(
        hits: Self.commonSubsequence(reference, hypothesis).count, hypothesis: hypothesis.count,
        reference: reference.count)
    case .rougeLsum: return summary(pair)
    }
  }

  /// The mean of the answers' F1, 0 to 1; 0 for none.
  public func corpus(_ kind: Kind, _ pairs: [AnswerPair]) -> Double { scoring(kind, pairs)(Array(pairs.indices)) }

  /// The mean F1 of any of these answers, by their places; one may count several times. Each answer is looked at once.
  func scoring(_ kind: Kind, _ pairs: [AnswerPair]) -> ([Int]) -> Double {
    let each = pairs.map { sentence(kind, $0).f1 }
    return { places in places.isEmpty ? 0 : places.reduce(0) { $0 + each[$1] } / Double(places.count) }
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
