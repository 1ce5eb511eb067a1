import Compute
import Foundation
import Runs

/// What this machine is, for a run's record.
enum Machine {
  static func environment(backend: CPUBackend) -> EnvironmentRecord {
    let info = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let flags = Set(field("flags", info)?.split(separator: " ").map(String.init) ?? [])
    let known = ["avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd"]
    return EnvironmentRecord(
      cpu: field("model name", info) ?? field("CPU part", info) ?? "unknown", cpuFeatures: known.filter(flags.contains),
      cores: Threads.available, threads: backend.threads.count,
      memoryBytes: Int(ProcessInfo.processInfo.physicalMemory), os: osName, backend: backend.name)
  }

  private static func field(_ name: String, _ info: String) -> String? {
    for line in info.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name {
        return parts[1].trimmingCharacters(in: .whitespaces)
      }
    }
    return nil
  }

  /// "Debian GNU/Linux 12 (bookworm)".
  static var osName: String {
    let text = (try? String(contentsOfFile: "/etc/os-release", encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("PRETTY_NAME=") {
      return line.dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: CharacterSet(charactersIn: "\""))
    }
    return "Linux"
  }

  /// "2026-11-23T21:04:05+09:00": this moment in the machine's time zone, to the second.
  static func now() -> String {
    var seconds = time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [CChar](repeating: 0, count: 64)
    let length = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
    var text = String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // strftime writes +0900; ISO 8601's extended form has a colon.
    text.insert(":", at: text.index(text.endIndex, offsetBy: -2))
    return text
  }
}
