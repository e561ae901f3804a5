import ParvaTestSupport
import Testing
import Yams

@testable import ParvaFormats

@Suite struct YAMLAliasesTests {
  @Test(
    "what only looks like one is read",
    arguments: [
      "cron: 0 8 * * 1-5", "cron: \"*/5 * * * *\"", "- cron: '* * * * *'\r", "  \"cron\": \"1,*/7 * * * *\",",
      "# *a\nb: 1",
      "- x*y", "a: 1 # &b",
    ])
  func harmless(_ text: String) { #expect(YAMLAliases.line(in: text) == nil) }

  @Test(
    "what is one is found, with its line",
    arguments: [
      ("a0,\" : &a0 [x] # \"", 1), ("a0,# : &a0 [x]", 1), ("-\"0\" : &a x # \"", 1), ("- \"x # \", &a", 1),
      ("{cron: 0 8,*a}", 1),
      ("{\ncron: 0 8,*a\n}", 2), ("cron: *a", 1), ("cron: \", *a\"", 1), ("[\"\n # \", &a 1]", 2),
      ("a: \u{bb}\"0\" : &a x", 1),
      ("a: &x 1\nb: *x", 1), ("a: 1\nb: *x", 2), ("- - *x", 1), ("[a, *x]", 1), ("{\"a\":*x}", 1), ("a: !t &x 1", 1),
      ("? &x a", 1), ("-#x: *a", 1), ("a: |\n  \"\nb: *x", 3), ("a: x\n  \"\nb: *y\nc: \"\"", 3), ("# c\r*x", 1),
      ("-\u{2028}*x", 1), ("a: \u{85}*x", 1),
    ])
  func found(_ text: String, line: Int) { #expect(YAMLAliases.line(in: text) == line) }

  @Test("no text in which Yams finds one is let through")
  func nothingIsMissed() {
    let seed = TestSeed.of()
    var random = SeededGenerator(seed)
    let tokens = [
      "a", "b", ": ", ":", "- ", "-", "? ", "[", "]", "{", "}", ", ", ",", "*x", "&x ", "*", "&", "\"", "'", "\\", "#",
      " # ", "\n",
      "\n  ", " ", "  ", "|\n", ">\n", "!t ", "\r", "\u{2028}", "\u{85}", "\u{feff}", "---\n", "...\n", "é", "cron: ",
      "\"cron\": ", "0 8 * * 1", "\"*/5 *x *\"", "»",
    ]
    var found = 0
    for round in 0..<60_000 {
      let text = (0..<Int.random(in: 1...12, using: &random)).map { _ in tokens.randomElement(using: &random) ?? "" }
        .joined()
      guard Self.hasAlias(text) else { continue }
      found += 1
      #expect(YAMLAliases.line(in: text) != nil, "seed \(seed), round \(round): \(text.debugDescription)")
    }
    #expect(found > 100, "seed \(seed)")
  }

  private static func hasAlias(_ text: String) -> Bool {
    do {
      var nodes = [try Yams.compose(yaml: text)].compactMap(\.self)
      while let node = nodes.popLast() {
        switch node {
        case .scalar(let scalar): if scalar.anchor != nil { return true }
        case .sequence(let sequence):
          if sequence.anchor != nil { return true }
          nodes += sequence
        case .mapping(let mapping):
          if mapping.anchor != nil { return true }
          for (key, value) in mapping { nodes += [key, value] }
        default: return true
        }
      }
      return false
    } catch {
      // Of a name that nothing has.
      return "\(error)".contains("undefined alias")
    }
  }
}
