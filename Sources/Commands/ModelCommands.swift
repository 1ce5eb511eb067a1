import Foundation
import Formats
import Hub
import Models
import Runs

enum ModelCommands {
  static let model = Command(
    name: "model", summary: Words("gets a model, lists them, shows what one is", ko: "모델을 내려받고, 목록과 정보를 봅니다"),
    usage: "pull NAME | list | info MODEL [--json]",
    options: [Option("--json", Words("prints JSON", ko: "JSON으로 출력합니다"))],
    example: "lorapress model pull qwen2.5-coder-0.5b-instruct"
  ) { arguments, console in
    let project = try Project.locate()
    switch arguments.positional.first {
    case "list"?:
      guard arguments.positional.count == 1 else { throw UsageError("`lorapress model list` takes nothing more") }
      try list(ModelStore(catalog: ModelCatalog(project.models)), asJSON: arguments.flag("--json"), console)
    case "pull"?: try pull(name(arguments), ModelStore(catalog: ModelCatalog(project.models)), console)
    case "info"?: try info(name(arguments), project, asJSON: arguments.flag("--json"), console)
    default: throw UsageError("say `model pull NAME`, `model list` or `model info MODEL`; see `lorapress model --help`")
    }
  }

  private static func name(_ arguments: Arguments) throws -> String {
    guard arguments.positional.count == 2 else {
      throw UsageError("one model is expected; `lorapress model list` shows the names")
    }
    return arguments.positional[1]
  }

  private static func list(_ store: ModelStore, asJSON: Bool, _ console: Console) {
    let statuses = store.list()
    if asJSON {
      let models = statuses.map { status -> JSONValue in
        [
          "name": .string(status.model.name), "bytes": JSONValue(status.model.bytes),
          "sha256": .string(status.model.sha256),
          "license": .string(status.model.licence), "path": .string(status.path),
          "present": JSONValue(status.state.isHere),
        ]
      }
      return console.print(JSONValue.array(models).text(pretty: true))
    }
    let width = statuses.map(\.model.name.count).max() ?? 0
    for status in statuses {
      let state = status.state.isHere ? Words("here", ko: "있음") : Words("not here", ko: "없음")
      let name = status.model.name.padding(toLength: width, withPad: " ", startingAt: 0)
      console.print("\(name)  \(status.model.bytes / 1_000_000) MB  \(status.model.licence)  \(console.text(state))")
    }
  }

  private static func pull(_ name: String, _ store: ModelStore, _ console: Console) throws {
    let fetching = Progress(console, Words("Fetching", ko: "내려받기"))
    let hashing = Progress(console, Words("Checking", ko: "해시 확인"))
    do {
      let path = try store.pull(name, isCancelled: { Interruption.isRequested }) { event in
        switch event {
        case .alreadyThere: console.note(Words("\(name) is here already", ko: "\(name): 이미 있습니다"))
        case .trying(let source, let from):
          fetching.close()
          let rest = from > 0 ? Words(" from byte \(from) on", ko: " (\(from)바이트부터 이어받기)") : ""
          console.note(Words("Asking \(source)\(rest.en)", ko: "\(source)에서 받습니다\(rest.ko)"))
        case .progress(let done, let total):
          fetching.update(done >> 20, of: total >> 20, detail: "MiB")
        case .retrying(_, let reason, let seconds):
          fetching.close()
          console.note(
            Words("\(reason); trying again in \(Int(seconds)) s", ko: "\(reason). \(Int(seconds))초 뒤 다시 시도합니다"))
        case .sourceFailed(let source, let reason):
          fetching.close()
          console.note(Words("\(source) can't be had (\(reason))", ko: "\(source)에서 받을 수 없습니다 (\(reason))"))
        case .hashing(let done, let total):
          fetching.close()
          hashing.update(done >> 20, of: total >> 20, detail: "MiB")
        case .finished: hashing.close()
        }
      }
      console.print(path)
    } catch let error as HubError where error.isCancelled {
      fetching.close()
      throw Interrupted(
        advice: Words(
          "Stopped; `lorapress model pull \(name)` goes on from here.",
          ko: "멈췄습니다. `lorapress model pull \(name)`로 이어받을 수 있습니다."))
    }
  }

  private static func info(_ argument: String, _ project: Project, asJSON: Bool, _ console: Console) throws {
    let model = try OpenedModel(argument, project: project, console: console)
    let configuration = try model.file.configuration()
    let parameters = model.file.source.tensors.reduce(0) { $0 + $1.count }
    let fields: [(String, JSONValue)] = [
      ("name", .string(model.resolved.name)), ("path", .string(model.resolved.path)),
      ("sha256", .string(model.resolved.sha256)),
      ("bytes", JSONValue(model.resolved.bytes)), ("license", model.resolved.licence.map { .string($0) } ?? .null),
      ("architecture", .string(configuration.family.rawValue)), ("weights", .string(model.file.weightTypes)),
      ("parameters", JSONValue(parameters)), ("num_hidden_layers", JSONValue(configuration.numHiddenLayers)),
      ("hidden_size", JSONValue(configuration.hiddenSize)),
      ("intermediate_size", JSONValue(configuration.intermediateSize)),
      ("num_attention_heads", JSONValue(configuration.numAttentionHeads)),
      ("num_key_value_heads", JSONValue(configuration.numKeyValueHeads)),
      ("vocab_size", JSONValue(configuration.vocabularySize)),
      ("max_position_embeddings", JSONValue(configuration.maxPositionEmbeddings)),
      ("tie_word_embeddings", JSONValue(configuration.tieWordEmbeddings)),
    ]
    if asJSON {
      return console.print(
        JSONValue.object(JSONObject(fields.map { .init(key: $0.0, value: $0.1) })).text(pretty: true))
    }
    for (name, value) in fields {
      console.print("\(name.padding(toLength: 24, withPad: " ", startingAt: 0)) \(value.string ?? value.text())")
    }
  }
}

extension ModelStore.Status.State {
  /// Whether the whole file is in the cache.
  var isHere: Bool {
    switch self {
    case .verified, .unverified: true
    case .absent, .partial: false
    }
  }
}
