import CSystem
import Foundation

/// What the operating system says of this process's memory.
public enum ProcessMemory {
  /// Peak resident bytes (VmHWM) since the process began, or since `restartPeak`; 0 where /proc can't be read.
  public static var peak: Int { field("VmHWM:") }
  /// Resident bytes now (VmRSS).
  public static var current: Int { field("VmRSS:") }

  /// Counts the peak from here, so that each run of a process has one of its own; where the kernel doesn't allow it, the peak stays.
  public static func restartPeak() { _ = csystem_restart_peak_memory() }

  private static func field(_ name: String) -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let digits = line.filter { $0 >= "0" && $0 <= "9" }
      return (Int(digits) ?? 0) * 1024
    }
    return 0
  }
}
