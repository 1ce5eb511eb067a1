import Foundation
import Runs
import Testing

@Suite struct TensorBoardRecordTests {
  /// The check values of RFC 3720, B.4, and of the CRC catalogue.
  @Test func checksums() {
    #expect(TensorBoardRecord.crc32c(Data("123456789".utf8)) == 0xE306_9283)
    #expect(TensorBoardRecord.crc32c(Data(count: 32)) == 0x8A91_36AA)
    #expect(TensorBoardRecord.crc32c(Data(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(TensorBoardRecord.crc32c(Data()) == 0)
  }

  @Test func framesComeBack() throws {
    let payloads = [Data(), Data("가".utf8), Data((0...255).map { UInt8($0) })]
    // A slice, whose indices do not begin at 0.
    let file = (Data(count: 5) + payloads.map(TensorBoardRecord.frame).reduce(Data(), +)).dropFirst(5)
    var reader = TensorBoardRecordReader(file, file: "x")
    for payload in payloads { #expect(try reader.next() == payload) }
    #expect(try reader.next() == nil && reader.cutOffAt == nil)
  }
}
