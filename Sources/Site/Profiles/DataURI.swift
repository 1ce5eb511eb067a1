import Foundation

/// A post's pictures inside its HTML.
enum DataURI {
  static func address(_ data: Data, name: String) -> String {
    let kinds = ["png": "png", "jpg": "jpeg", "jpeg": "jpeg", "gif": "gif", "webp": "webp"]
    let kind = kinds[(name as NSString).pathExtension.lowercased()] ?? "png"
    return "data:image/\(kind);base64,\(data.base64EncodedString())"
  }

  /// `src` and `srcset` that name a picture of the post become the picture.
  static func embed(_ nodes: [HTMLNode], images: [String: Data]) -> [HTMLNode] {
    nodes.map { node in
      guard case .element(var element) = node else { return node }
      for (index, attribute) in element.attributes.enumerated() where ["src", "srcset"].contains(attribute.name) {
        guard let name = attribute.value.map(HTMLScanner.unescaped), let data = images[name] else { continue }
        element.attributes[index].value = address(data, name: name)
      }
      element.children = embed(element.children, images: images)
      return .element(element)
    }
  }
}
