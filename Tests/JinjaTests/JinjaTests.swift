import Formats
import Foundation
import TestSupport
import Testing

@testable import Jinja

/// Templates rendered by Python's jinja2 (`scripts/fixtures/jinja.py`): every one must come out the same.
@Suite struct ConformanceTests {
  static func fixture() throws -> JSONValue {
    try JSONValue(parsing: Fixtures.data("Jinja", "jinja.json"), file: "jinja.json")
  }

  static func options(_ kind: String) -> Options {
    if kind == "chat" { return .chat }
    var options = Options()
    options.autoescape = kind == "page"
    return options
  }

  @Test func equalsPythonOnEveryTemplate() throws {
    let fixture = try Self.fixture()
    var context: [String: Value] = ["add_generation_prompt": true]
    for entry in try #require(fixture["context"]?.object).entries { context[entry.key] = Value(entry.value) }
    let cases = try #require(fixture["cases"]?.array)
    #expect(cases.count >= 60)
    for item in cases {
      let name = try #require(item["name"]?.string)
      let templates = try #require(item["templates"]?.object)
      let environment = Environment(
        options: Self.options(try #require(item["kind"]?.string)), loader: { templates[$0]?.string })
      let source = try #require(item["source"]?.string)
      do {
        let printed = try environment.template(source, name: name).render(context)
        let expected = try #require(item["expected"]?.string)
        #expect(Array(printed.utf8) == Array(expected.utf8), "\(name): \(source)\n got: \(printed)\nwant: \(expected)")
      } catch {
        Issue.record("\(name): \(source): \(error)")
      }
    }
  }
}

@Suite struct HostTests {
  @Test func hostFunctionsGetPlacesAndNames() throws {
    var environment = Environment(options: .page)
    environment.register(function: "figure") { arguments in
      try arguments.allow("source", "alt", positional: 1)
      let alt = try arguments.text(1, "alt")
      return .safe("<img src=\"\(Value.escaped(try arguments.text(0, "source")))\" alt=\"\(Value.escaped(alt))\">")
    }
    environment.register(filter: "fixed") { arguments in
      .string(
        String(format: "%.\(try arguments.integer(1, "digits", default: 2))f", arguments.positional[0].number ?? 0))
    }
    let template = try environment.template(
      "{{ figure('a.png', alt='<x>') }} {{ 2.46 | fixed(digits=1) }}", name: "post")
    #expect(try template.render() == "<img src=\"a.png\" alt=\"&lt;x&gt;\"> 2.5")
    let misspelt = try environment.template("{{ figure('a.png', alt='', atl='') }}", name: "post")
    #expect { try misspelt.render() } throws: { "\($0)" == "post:1:4: figure() knows no argument 'atl'" }
  }

  @Test(arguments: [
    ("a\n{{ titel }}", "page.html:2:4: 'titel' is undefined"),
    ("{{ post.titel }}", "page.html:1:9: a dict here has no attribute 'titel'"),
    ("{% if titel %}{% endif %}", "page.html:1:7: 'titel' is undefined"),
    ("{% for x in titel %}{% endfor %}", "page.html:1:13: 'titel' is undefined"),
    ("한글 {{ post.title | uper }}", "page.html:1:20: there is no filter 'uper'"),
    ("{{ 1 is od }}", "page.html:1:6: there is no test 'od'"),
    ("{% if 1 %}\n", "page.html:1:4: {% if %} is never closed; end it with {% endif %}"),
    ("{% fi 1 %}", "page.html:1:4: unknown tag {% fi %}"),
    ("{% endif %}", "page.html:1:4: {% endif %} closes nothing"),
    ("{{ 1 + }}", "page.html:1:8: a value was expected here, not '}}'"),
    ("{{ (1 }}", "page.html:1:7: unexpected '}'"),
    ("{{ 'abc }}", "page.html:1:4: this text is never closed; end it with '"),
    ("x {# y", "page.html:1:3: this comment is never closed; end it with #}"),
    ("{{ 1 / 0 }}", "page.html:1:6: division by zero"),
    ("{{ 1 + 'a' }}", "page.html:1:6: '+' does not work between an int and a text"),
    ("{{ raise_exception('no\nway') }}", "page.html:1:4: no way"),
    ("{% include 'zz' %}", "page.html:1:12: there is no template 'zz'"),
    ("{{ 9223372036854775807 + 1 }}", "page.html:1:24: the result of '+' is too large"),
    ("{% break %}", "page.html:1:4: {% break %} outside of a loop"),
  ])
  func errorsNameThePlace(source: String, message: String) {
    let environment = Environment(options: .page)
    #expect {
      try environment.template(source, name: "page.html").render(["post": ["title": "T"]])
    } throws: {
      "\($0)" == message
    }
  }

  @Test func strictStillAllowsAskingWhatIsThere() throws {
    let environment = Environment(options: .page)
    let source = "{{ x is defined }} {{ x | default('d') }} {{ post.y is defined }} {{ post.y | d('e') }}"
    #expect(try environment.template(source, name: "p").render(["post": [:]]) == "False d False e")
  }

  @Test(arguments: [
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% include 'self' %}",
    "{{ 'x' * 100000000000 }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    "{{ range(1000000000) }}",
    "{{ \(String(repeating: "(", count: 100_000)) }}",
    "{{ \(String(repeating: "not ", count: 100_000)) 1 }}",
    "{{ 1\(String(repeating: " + 1", count: 100_000)) }}",
    "{{ x\(String(repeating: ".a", count: 100_000)) }}",
    "{{ \(String(repeating: "- ", count: 100_000)) 1 }}",
    String(repeating: "{% if 1 %}", count: 100_000),
    "{{ '%999999999d' % 1 }}",
    "{{ 2 ** 100000000000 }}",
  ])
  func hostileTemplatesEndInAnError(source: String) {
    var options = Options()
    options.maximumOutput = 1 << 20
    options.maximumSteps = 200_000
    let environment = Environment(options: options, loader: { $0 == "self" ? "{% include 'self' %}" : nil })
    #expect(throws: JinjaError.self) { try environment.template(source, name: "t").render() }
  }

  @Test func extendingEachOtherEnds() throws {
    let environment = Environment(loader: { $0 == "a" ? "{% extends 'b' %}" : "{% extends 'a' %}" })
    #expect(throws: JinjaError.self) { try environment.template(named: "a").render() }
  }

  @Test func errorsInParentsAndMacrosNameTheirFile() throws {
    let environment = Environment(
      options: .page, loader: { $0 == "base" ? "\n{% block a %}{{ zz }}{% endblock %}" : nil })
    #expect {
      try environment.template("{% extends 'base' %}", name: "child").render()
    } throws: {
      "\($0)" == "base:2:17: 'zz' is undefined"
    }
  }
}
