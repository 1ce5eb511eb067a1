/// `upload.txt`: what to do on the day of publishing, line by line.
enum UploadList {
  static func velog(_ post: RenderedPost, _ images: [PlacedImage], _ words: SiteWords) -> String {
    var steps = [
      words.pick("velog에서 새 글을 열고 위의 제목과 태그를 넣는다.", "Open a new post on velog and enter the title and tags above."),
      words.pick("index.md의 내용을 모두 본문에 붙여 넣는다.", "Paste all of index.md into the body."),
    ]
    if !images.isEmpty {
      steps.append(
        words.pick(
          "아래 순서대로 본문에서 이미지 줄을 지우고, 커서를 그 자리에 둔 채 파일을 끌어다 놓는다. 대체 텍스트는 새로 생긴 ![](…)의 대괄호 안에 옮긴다.",
          "For each picture below delete its line in the body, leave the cursor there and drop the file; put the alternative text between the brackets of the new ![](…)."
        ))
    }
    return list(post, images, words, steps: steps) { name in
      words.pick("본문의 ](\(name))가 있는 줄", "the line with ](\(name))")
    }
  }

  static func tistory(_ post: RenderedPost, _ images: [PlacedImage], _ words: SiteWords) -> String {
    var steps = [
      words.pick("티스토리에서 글쓰기를 열고 위의 제목과 태그를 넣는다.", "Open a new post on Tistory and enter the title and tags above."),
      words.pick(
        "오른쪽 위의 ‘기본모드’를 ‘HTML’로 바꾸고 body.html의 내용을 모두 붙여 넣는다.",
        "Change the mode at the top right to HTML and paste all of body.html."),
    ]
    if !images.isEmpty {
      steps.append(
        words.pick(
          "‘기본모드’로 돌아온다. 아래 순서대로 [이미지 …] 줄을 지우고 그 자리에서 파일을 올린 뒤, 이미지의 대체 텍스트를 넣는다.",
          "Change back to the default mode. For each picture below delete its [Picture …] line, upload the file there, and enter its alternative text."
        ))
      steps.append(
        words.pick(
          "올리기 전의 모습은 body-data-uri.html을 브라우저로 열어 본다. 이미지가 글 안에 들어 있어, 받아 주는 편집기라면 body.html 대신 이것만 붙여도 된다.",
          "To see how it will look, open body-data-uri.html in a browser. Its pictures are inside: where an editor takes them, paste this alone instead of body.html."
        ))
    }
    return list(post, images, words, steps: steps) { name in
      words.pick("본문의 \(name) 줄", "the line with \(name)")
    }
  }

  private static func list(
    _ post: RenderedPost, _ images: [PlacedImage], _ words: SiteWords, steps: [String], place: (String) -> String
  ) -> String {
    var lines = [words.pick("제목: ", "Title: ") + line(post.title)]
    if !post.description.isEmpty { lines.append(words.pick("소개: ", "Summary: ") + line(post.description)) }
    if !post.tags.isEmpty {
      lines.append(words.pick("태그: ", "Tags: ") + post.tags.map(line).joined(separator: ", "))
    }
    lines.append(words.pick("이미지: \(images.count)장", "Pictures: \(images.count)"))
    lines.append("")
    lines += steps.enumerated().map { "\($0 + 1). \($1)" }
    for (index, image) in images.enumerated() {
      let name = PlacedImage.numbered(image.name, index)
      lines.append("")
      lines.append("\(name) → \(place(name))")
      if !image.section.isEmpty {
        lines.append("  " + words.pick("절: ", "Section: ") + line(image.section))
      }
      lines.append("  " + words.pick("대체 텍스트: ", "Alternative text: ") + line(image.alt))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}
