import Charts
import Foundation
import Runs

// Where an imported run comes from, and what its source does not tell.

extension SiteWords {
  /// In a cell or after a name: the source does not tell it.
  var notRecorded: String { pick("기록 없음", "not recorded") }

  /// A place in our records that an imported run may lack, as a noun.
  func record(_ place: String) -> String {
    switch place {
    case "created": pick("시작 시각", "start time")
    case "environment": pick("장비", "machine")
    case "model.name": pick("기반 모델", "base model")
    case "model.sha256": pick("모델 파일의 해시", "hash of the model file")
    case "dataset": pick("데이터", "data")
    case "evaluation": pick("질문별 평가", "evaluation on questions")
    case "lora": pick("LoRA 설정", "LoRA settings")
    case "training.learning_rate": pick("학습률 설정", "learning rate setting")
    case "seeds.training": "seed"
    case "stages.train.seconds": pick("학습 시간", "training time")
    case "training.epochs": pick("epoch 수", "number of epochs")
    case "training.trainable_parameters": pick("학습한 매개변수의 수", "number of trained parameters")
    case "training.tokens": pick("토큰 수", "number of tokens")
    case "training.peak_memory_bytes": pick("최대 메모리", "peak memory")
    case "log.train_loss": pick("학습 손실", "train loss")
    case "log.eval_loss": pick("검증 손실", "evaluation loss")
    case "log.learning_rate": pick("step별 학습률", "learning rate by step")
    case "log.grad_norm": pick("기울기 노름", "gradient norm")
    case "log.time": pick("step별 시각", "time of each step")
    default: place
    }
  }

  /// A note of the import as a sentence.
  func note(_ note: OriginRecord.Note) -> String {
    let file = note.file ?? ""
    let count = note.count.map(NumberFormat.grouped) ?? "0"
    switch note.code {
    case .checkpointLog:
      return pick("가장 나중의 기록인 \(file) 파일을 읽었다.", "The log was read from \(file), the newest one there.")
    case .repeatedSteps:
      let place =
        note.step.map {
          pick(
            " 마지막으로 step \(NumberFormat.grouped($0))에서 이어졌다.", " It last went on at step \(NumberFormat.grouped($0)).")
        } ?? ""
      return pick(
        "같은 step을 다시 적은 기록이 \(count)건 있어 나중 것만 남겼다.",
        "\(count) records were logged again later; the later ones are kept.") + place
    case .notANumber:
      return pick("NaN이거나 무한대인 값이 \(count)개 있어 빈 값으로 두었다.", "\(count) values were NaN or infinite and are left empty.")
    case .cutOff:
      let place =
        note.offset.map { pick("(\(NumberFormat.grouped($0))바이트째부터)", " (from byte \(NumberFormat.grouped($0)))") }
        ?? ""
      return pick(
        "\(file) 파일의 마지막 기록이 잘려 있어\(place) 그 앞까지 읽었다.",
        "The last record of \(file) is cut off\(place); all before it was read.")
    case .pickle:
      return pick(
        "\(file) 파일은 열면 그 안의 Python 코드가 실행될 수 있어 열지 않았다.",
        "\(file) was not opened: opening it could run Python code inside it.")
    case .meanOfSteps:
      return pick("학습 손실은 \(count) step마다 낸 평균이다.", "Train loss is the mean over every \(count) steps.")
    case .localModel:
      return pick(
        "기반 모델은 학습한 장비의 폴더로 적혀 있어 폴더 이름만 남겼다.",
        "The base model was given as a folder of the training machine; its last name is shown.")
    case .moduleNames:
      return pick(
        "원본의 target_modules 설정은 모듈 경로 \(count)개라서, 겹치는 이름을 한 번씩만 적었다.",
        "The source lists target_modules as \(count) paths; each name is shown once.")
    case .unreadable:
      return pick("\(file) 파일의 설정은 읽을 수 없어 건너뛰었다.", "The settings in \(file) could not be read and are left out.")
    case .secret:
      return pick(
        "\(file) 파일에 비밀값으로 보이는 설정이 있어 그 값과 파일을 복사하지 않았다.",
        "\(file) has settings that look like passwords; neither they nor the file were copied.")
    case .leftOut:
      return pick(
        "\(file) 파일에서 수치가 아닌 기록 \(count)건은 쓰지 않았다.", "\(count) records of \(file) hold no number and are left out.")
    case .severalFiles:
      return pick("기록 파일 \(count)개를 시간 순서로 이었다.", "\(count) log files were joined in the order of their times.")
    case .badTimes:
      return pick("\(file) 파일에서 날짜가 아닌 시각 \(count)개를 버렸다.", "\(count) times in \(file) were no dates and are left out.")
    }
  }
}

extension OriginRecord {
  /// What the source does not tell, as nouns, and the notes, as sentences: what the run's page says, for a terminal.
  public func described(in language: SiteLanguage) -> (notRecorded: [String], notes: [String]) {
    let words = SiteWords(language: language)
    return (notRecorded.map(words.record), notes.map(words.note))
  }
}

extension Blocks {
  /// The tool, what it does not tell, notes, and the files read with their hashes.
  func origin(caption own: String?) -> Rich {
    guard let origin = run.record.origin else { return missing(words.pick("가져온 기록", "Origin")) }
    var sentences = [
      words.pick(
        "\(origin.tool) 기록에서 가져온 실행이다. 곡선의 값은 \(fileName(origin.log)) 파일에서 읽었다.",
        "This run was imported from a log of \(origin.tool). The curves are those of \(fileName(origin.log)).")
    ]
    if !origin.notRecorded.isEmpty {
      let names = origin.notRecorded.map(words.record).joined(separator: ", ")
      sentences.append(
        words.pick(
          "원본에 기록이 없는 항목: \(names). 이 항목은 비워 두었다.", "The source does not record: \(names). These are left empty."))
    }
    let intro = sentences.joined(separator: " ")
    let notes = origin.notes.map(words.note)
    var html = "<p>\(Escape.html(intro))</p>\n"
    var markdown = Escape.markdown(intro) + "\n"
    if !notes.isEmpty {
      html += "<ul>\n" + notes.map { "<li>\(Escape.html($0))</li>\n" }.joined() + "</ul>\n"
      markdown += "\n" + notes.map { "- \(Escape.markdown($0))\n" }.joined()
    }
    let files = originFiles(origin, caption: own)
    return Rich(html: html + files.html, markdown: markdown + "\n" + files.markdown, plain: intro)
  }

  private func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  private func originFiles(_ origin: OriginRecord, caption own: String?) -> Rich {
    let columns = [
      DataTable.Column(name: words.pick("읽은 파일", "File read")),
      DataTable.Column(name: words.pick("크기", "Size"), isNumeric: true), DataTable.Column(name: "SHA-256"),
    ]
    let rows = origin.files.map { file -> [Rich] in
      [
        .code(file.path), .text(ValueFormat.bytes.shown(Double(file.bytes), language: language)),
        .code(String(file.sha256.prefix(12))),
      ]
    }
    let text = words.pick(
      "읽은 원본 파일이다. 해시는 앞 12자리이고, 복사본은 실행 폴더의 imported에 있다.",
      "The files that were read, with the first 12 digits of their hashes; copies lie in the run folder under imported."
    )
    return table(DataTable(columns: columns, rows: rows), caption: caption(own, text, file: "run.json"))
  }

  /// Settings that the source names and no setting of ours stands for: many, so they are folded.
  func importedSettings(_ rows: [[Rich]], columns: [DataTable.Column], caption own: String?) -> Rich {
    let text = words.pick(
      "원본에 적힌 다른 설정이다. 뜻을 해석하지 않고 그대로 옮겼다.",
      "Other settings of the source, as they stand there; they are not interpreted.")
    // A value of some hundred characters would squeeze the names; config.yaml has it whole.
    let rows = rows.map { row in
      row.map { $0.plain.count > 80 ? Rich.text($0.plain.prefix(79) + "…") : $0 }
    }
    let body = table(
      DataTable(columns: Array(columns.prefix(2)), rows: rows), caption: caption(own, text, file: "config.yaml"))
    let title = words.pick("원본의 다른 설정 \(rows.count)개", "Other settings of the source (\(rows.count))")
    return Rich(
      html: "<details class=\"more\">\n<summary>\(Escape.html(title))</summary>\n\(body.html)</details>\n",
      markdown: body.markdown, plain: body.plain)
  }

  /// The machine of an imported run is not known: tool, versions, model, and what the files tell of the adapter.
  func importedEnvironment(caption own: String?) -> Rich {
    guard let origin = run.record.origin else { return missing(words.machine) }
    let none = words.notRecorded
    var rows: [(String, String)] = [
      (words.machine, none), (words.pick("학습 도구", "Trained with"), origin.tool),
    ]
    for name in origin.versions.keys.sorted() { rows.append((name, origin.versions[name] ?? none)) }
    rows.append((words.baseModel, run.record.model?.name ?? none))
    rows.append((words.pick("모델 파일의 SHA-256", "SHA-256 of the model file"), run.record.model?.sha256 ?? none))
    let trained = run.record.training?.trainableParameters
    rows.append((words.pick("학습한 매개변수", "Trained parameters"), trained.map(NumberFormat.grouped) ?? none))
    rows.append(
      (words.pick("학습한 토큰", "Tokens in training"), run.record.training?.tokens.map(NumberFormat.grouped) ?? none))
    rows.append((words.pick("최대 메모리", "Peak memory"), none))
    let program = run.record.program
    rows.append((words.pick("가져온 프로그램", "Imported by"), "\(program.name) \(program.version)"))
    let columns = DataTable.named([(words.pick("항목", "Item"), false), (words.pick("값", "Value"), false)])
    let text = words.pick("원본 기록에서 알 수 있는 환경이다.", "What the source tells of its environment.")
    return table(
      DataTable(columns: columns, rows: rows.map { [.text($0.0), .text($0.1)] }),
      caption: caption(own, text, file: "run.json"))
  }
}
