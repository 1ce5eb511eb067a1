import Compute
import Datasets
import Foundation
import Hub
import Runs

enum DoctorCommand {
  static let doctor = Command(
    name: "doctor", summary: Words("what this machine has, and what is missing", ko: "이 컴퓨터에 있는 것과 없는 것을 알려 줍니다"),
    usage: "",
    options: [], example: "lorapress doctor"
  ) { arguments, console in
    try arguments.none("doctor")
    let machine = Machine.environment(backend: CPUBackend())
    console.print("lorapress \(CommandLineTool.version)")
    console.print("\(machine.os) · \(machine.cpu) · \(machine.cores) cores · \(machine.memoryBytes >> 30) GiB")
    console.print("\(machine.backend) · \(machine.cpuFeatures.joined(separator: " "))")
    var missing = 0
    for check in checks {
      let isThere = runs(check.command)
      if !isThere { missing += 1 }
      console.print("\(isThere ? "✔" : "✘") \(console.text(check.what))\(isThere ? "" : " → \(check.remedy)")")
    }
    // Only those who have Parquet files miss it.
    let parquet = Words("Parquet files (DuckDB's command line)", ko: "Parquet 파일 읽기·쓰기 (DuckDB 명령줄)")
    let duckDB = DuckDB.program()
    console.print(
      "\(duckDB != nil ? "✔" : "·") \(console.text(parquet))\(duckDB != nil ? "" : " → \(DuckDB.remedy)")")
    if let project = try? Project.locate(), let store = try? ModelStore(catalog: ModelCatalog(project.models)) {
      for status in store.list() {
        let isThere = status.state.isHere
        console.print(
          "\(isThere ? "✔" : "·") \(status.model.name)\(isThere ? "" : " → lorapress model pull \(status.model.name)")")
      }
    }
    if missing > 0 { throw RunsError("\(missing) part(s) are missing; install them as shown above") }
  }

  private struct Check {
    let what: Words
    /// Ends with 0 when the part is there.
    let command: [String]
    let remedy: String
  }

  private static let checks: [Check] = [
    Check(
      what: Words("Korean font for charts (Noto Sans CJK KR)", ko: "차트용 한글 글꼴 (Noto Sans CJK KR)"),
      command: ["sh", "-c", "fc-list | grep -q 'Noto Sans CJK KR'"], remedy: "apt-get install fonts-noto-cjk"),
    Check(
      what: Words("code highlighting (highlight)", ko: "코드 색칠 (highlight)"),
      command: ["sh", "-c", "command -v highlight"],
      remedy: "apt-get install highlight"),
    Check(
      what: Words("Python's pip, to fetch models where the Hub can't be reached", ko: "Hub에 닿지 않을 때 모델을 받을 pip"),
      command: ["python3", "-m", "pip", "--version"], remedy: "apt-get install python3-pip"),
  ]

  private static func runs(_ command: [String]) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
