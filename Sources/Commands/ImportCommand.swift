import Checkpoints
import Foundation
import Imports
import Runs
import Site

enum ImportCommand {
  static let importRun = Command(
    name: "import-run",
    summary: Words("makes a run folder of another tool's training", ko: "다른 도구로 학습한 기록을 실행 폴더로 가져옵니다"),
    usage: "PATH --id ID [options]",
    options: [
      Option("--id", "ID", Words("the run's id: letters, digits, '.', '-', '_'", ko: "실행의 id (글자, 숫자, '.', '-', '_')")),
      runsOption,
      Option("--title", "TEXT", Words("the title of its page (default: the id)", ko: "실행 페이지의 제목 (기본: id)")),
      Option("--lang", "ko|en", Words("the language of its page (default: ko)", ko: "실행 페이지의 언어 (기본: ko)")),
    ], example: "lorapress import-run saves/qwen2.5-0.5b-lora --id qwen2.5-0.5b-lora"
  ) { arguments, console in
    let path = try arguments.single("PATH", "import-run")
    let id = try arguments.required("--id", "import-run")
    guard RunFolder.isSafeName(id) else {
      throw UsageError("--id must be a name of letters, digits, '.', '-' and '_', not '\(id)'")
    }
    let language = arguments.value("--lang")
    guard language.map({ ["ko", "en"].contains($0) }) ?? true else {
      throw UsageError("--lang must be ko or en, not '\(language ?? "")'")
    }
    let output = outputFolder(arguments)
    let found = try RunImport(path, measure: adapter)
    let record = try found.write(
      to: output, id: id, title: arguments.value("--title"), language: language,
      program: ProgramRecord(name: "lorapress", version: CommandLineTool.version))
    report(record, RunFolder(output: output, id: id), console)
    console.print(RunFolder(output: output, id: id).url.path)
  }

  /// Parameters and adapted layers of a PEFT adapter: each layer has one `lora_A`.
  private static func adapter(_ file: URL) throws -> RunImport.Adapter? {
    let tensors = try SafetensorsFile(file.path).tensors
    return RunImport.Adapter(
      parameters: tensors.reduce(0) { $0 + $1.count }, layers: tensors.filter { $0.name.contains(".lora_A.") }.count)
  }

  private static func report(_ record: RunRecord, _ run: RunFolder, _ console: Console) {
    guard let origin = record.origin else { return }
    let steps = record.training?.steps ?? 0
    console.note(
      Words(
        "Imported \(steps) steps from \(origin.tool); files read: \(origin.files.count)",
        ko: "\(origin.tool) 기록을 가져왔어요: \(steps) step, 읽은 파일 \(origin.files.count)개"))
    let (en, ko) = (origin.described(in: .en), origin.described(in: .ko))
    if !en.notRecorded.isEmpty {
      console.note(
        Words(
          "Not recorded by the source: \(en.notRecorded.joined(separator: ", "))",
          ko: "원본에 기록이 없는 항목: \(ko.notRecorded.joined(separator: ", "))"))
    }
    for (note, noteKo) in zip(en.notes, ko.notes) { console.note(Words("note: \(note)", ko: "참고: \(noteKo)")) }
  }
}
