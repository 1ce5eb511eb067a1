import Foundation
import Testing

@testable import Runs

@Suite struct ProcessMemoryTests {
  /// 256 MiB are far more than what tests that run beside this one take and give back.
  @Test func aPeakThatIsRestartedForgetsWhatWasFreed() throws {
    let size = 256 << 20
    let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    memset(bytes, 1, size)
    let high = ProcessMemory.peak
    #expect(high >= size)
    bytes.deallocate()
    ProcessMemory.restartPeak()
    #expect(ProcessMemory.peak < high - size / 2)
    #expect(ProcessMemory.peak > 0)
  }
}
