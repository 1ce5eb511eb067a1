import Datasets
import Hub
import Runs

/// Data sets of the Hub, fetched with a progress line.
enum HubData {
  /// The files of an experiment's splits, in the cache.
  static func fetch(_ hub: HubSettings, console: Console) throws -> DataSources {
    let splits = [hub.split] + [hub.validationSplit, hub.testSplit].compactMap(\.self)
    let progress = Progress(console, Words("Fetching", ko: "내려받기"))
    defer { progress.close() }
    do {
      let snapshot = try DatasetStore().pull(
        hub, splits: splits, family: DataFiles.family, isCancelled: { Interruption.isRequested }
      ) { event in
        switch event {
        case .fetching(let files, let bytes):
          console.note(
            Words(
              "Fetching \(files) file(s) of \(hub.path), \(bytes >> 20) MiB",
              ko: "\(hub.path)의 파일 \(files)개를 내려받습니다 (\(bytes >> 20)MiB)"))
        case .progress(let done, let total): progress.update(done >> 20, of: total >> 20, detail: "MiB")
        case .retrying(let reason, let seconds):
          progress.close()
          console.note(
            Words("\(reason); trying again in \(Int(seconds)) s", ko: "\(reason). \(Int(seconds))초 뒤 다시 시도합니다"))
        case .offline(let reason, let commit):
          console.note(
            Words(
              "The Hub can't be reached (\(reason)); reading commit \(commit.prefix(12)) of \(hub.path) from the cache",
              ko: "Hub에 연결할 수 없어(\(reason)) 캐시에 있는 \(hub.path)의 커밋 \(commit.prefix(12))을 읽습니다"))
        }
      }
      let files = snapshot.splits.map { $0.map { DataFiles.File(name: $0.name, url: $0.url) } }
      return DataSources(
        train: files[0], validation: hub.validationSplit == nil ? [] : files[1],
        test: hub.testSplit == nil ? [] : files[files.count - 1])
    } catch let error as HubError where error.isCancelled {
      throw Interrupted(
        advice: Words(
          "Stopped; the same command goes on from here.", ko: "멈췄습니다. 같은 명령을 다시 실행하면 이어받습니다."))
    }
  }
}
