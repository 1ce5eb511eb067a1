extension Unicode.Scalar {
  /// Whether it is a syllable of Hangul, 가 to 힣.
  public var isHangulSyllable: Bool { (0xAC00...0xD7A3).contains(value) }
}

extension String {
  /// Whether a syllable of Hangul is in it.
  public var hasHangul: Bool { unicodeScalars.contains(where: \.isHangulSyllable) }
}
