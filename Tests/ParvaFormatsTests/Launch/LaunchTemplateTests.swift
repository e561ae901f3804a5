import ParvaFormats
import Testing

@Suite struct LaunchTemplateTests {
  static let values: [LaunchTemplate.Placeholder: String] = [.port: "9001", .batch: "8", .model: "bert"]

  @Test(arguments: [
    ("", ""), ("--port={port}", "--port=9001"), ("{model}/{batch}/{model}", "bert/8/bert"),
    (#"{{"batch": {batch}}}"#, #"{"batch": 8}"#), ("}{{", "}{"), ("{{port}}", "{port}"), ("{{{port}}}", "{9001}"),
    ("{segment}", ""),
  ])
  func namesBecomeValuesAndDoubledBracesBraces(_ text: String, _ expanded: String) throws {
    #expect(try LaunchTemplate.expand(text, Self.values) == expanded)
  }

  @Test(arguments: ["{", "{port", "a{}", "{Port}", "{ port }", "{{{", "{port{batch}"])
  func anythingElseInBracesIsRefused(_ text: String) {
    #expect(throws: LaunchTemplate.Refusal.self) { try LaunchTemplate.placeholders(in: text) }
  }
}
